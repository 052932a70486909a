"""Layouts: the fans of every kind of layer, and the maps that a tensor is made of."""

import numpy as np
import pytest
import reference_layouts

import initcore as ic
from initcore import layouts
from initcore.layouts import Conv, ConvTransposed, Depthwise, Einsum, Embedding, Packed

# One row per case: a layout, a shape, its fans. The comment says who has them wrong, and how.
FANS = [
    (Conv("io"), (784, 128), (784, 128)),
    (Conv("oi"), (128, 784), (784, 128)),
    (Conv("io"), (5, 2, 3), (10, 15)),
    (Conv("oi"), (4, 2, 3, 3), (18, 36)),
    (Conv("io"), (2, 3, 4, 5, 6), (120, 144)),
    # torch.nn.init counts all outputs for fan_out: (9, 36), groups times too many (pytorch #23854)
    (Conv("oi", groups=4), (4, 1, 3, 3), (9, 9)),
    (Conv("oi", groups=4), (8, 2, 3, 3), (18, 18)),
    # Flax stores it so; mlx's fan_in counts the inputs of all groups, 4 times too many (mlx #4536)
    (Conv("io", groups=4), (3, 3, 2, 8), (18, 18)),
    # Keras takes channels for inputs: fan_in 9 * 64 (keras #11773)
    (Depthwise("io"), (3, 3, 64, 1), (9, 9)),
    (Depthwise("io"), (3, 3, 64, 2), (9, 18)),
    (Depthwise("oi"), (64, 1, 3, 3), (9, 9)),
    (Depthwise("oi", multiplier=2), (128, 1, 3, 3), (9, 18)),
    # torch.nn.init and Keras swap the fans of transposed kernels (pytorch #30079, tensorflow #31192)
    (ConvTransposed("oi"), (16, 32, 4, 4), (256, 512)),
    (ConvTransposed("io"), (4, 4, 32, 16), (256, 512)),
    (ConvTransposed("oi", groups=4), (16, 8, 4, 4), (64, 128)),
    # a unit of an upsampling layer sums only those positions of the window that the stride hits
    (ConvTransposed("oi", stride=2), (16, 32, 4, 4), (64, 512)),
    (ConvTransposed("io", stride=(2, 1)), (4, 3, 32, 16), (96, 384)),
    (Conv("oi", stride=2), (32, 16, 3, 3), (144, 72)),
    (Conv("io", stride=2), (3, 3, 5, 7), (45, 15.75)),
    # torch's MultiheadAttention takes the packed projection for one map: fans (64, 192) (pytorch #166378)
    (Packed("oi", 3), (192, 64), (64, 64)),
    (Packed("io", 3), (64, 192), (64, 64)),
    (Packed("io", 4), (10, 4 * 25), (10, 25)),
    (Packed("oi", (64, 64, 64)), (192, 64), (64, 64)),
    (Packed("oi", 3), (192, 64, 3, 3), (576, 576)),
    (Packed("io", 2), (3, 5, 8), (15, 12)),
    # older Keras takes heads for inputs, and the model's width for a window (keras #22789)
    (Einsum("abc,cde->abde"), (512, 8, 64), (512, 512)),
    (Einsum("gbe,ged->gbd"), (3, 6, 5), (6, 5)),
    (Einsum("bthk,hkd->btd"), (8, 64, 512), (512, 512)),
    (Einsum("...x,xy->...y"), (30, 40), (30, 40)),
    (Einsum(in_axes=(-2,), out_axes=(-1,), batch_axes=(0,)), (8, 512, 64), (512, 64)),
    (Einsum(in_axes=(0,), out_axes=(2,)), (4, 9, 6), (36, 54)),
    # a look-up sums one row, whatever their number
    (Embedding(), (50_000, 512), (1, 512)),
]
every = pytest.mark.parametrize(("layout", "shape", "fans"), FANS, ids=str)


def test_every_layout_has_a_case():
    kinds = {kind for kind in vars(layouts).values() if isinstance(kind, type)}
    laid_out = {kind for kind in kinds if issubclass(kind, layouts.Layout)} - {layouts.Layout}
    assert laid_out == {type(layout) for layout, _, _ in FANS}


@every
def test_fans(layout, shape, fans):
    found = ic.fans(shape, layout)
    assert found == fans
    assert [type(fan) for fan in found] == [type(fan) for fan in fans]


@every
def test_the_fans_are_those_of_the_network_itself(layout, shape, fans):
    """Counted in a layer run at small size: how many weights lead to a unit, and from an input."""
    reference = reference_layouts.count(layout, shape)
    if reference is not None:
        assert fans == pytest.approx(reference, rel=1e-12)


@every
def test_maps_are_a_view_and_coordinates_say_the_same(layout, shape, fans):
    tensor = np.arange(np.prod(shape)).reshape(shape)
    view = layout.maps(tensor)
    sizes = layout.sizes(shape)
    assert view.shape == (sizes.maps, *sizes.window, sizes.inputs, sizes.outputs)
    assert np.shares_memory(view, tensor)
    at = layout.coordinates(shape)
    assert np.array_equal(view[at.map, *at.window, at.input, at.output], tensor)


@every
@pytest.mark.parametrize("where", ["first", "last", "backwards", "steps", "none", "number"])
def test_coordinates_of_a_slice_are_those_of_the_whole(layout, shape, fans, where):
    index = {
        "first": (slice(1),),
        "last": (..., slice(-1, None)),
        "backwards": (slice(None), slice(None, None, -1)),
        "steps": tuple(slice(i, None, 3) for i, _ in enumerate(shape)),
        "none": (slice(0, 0),),
        "number": (..., shape[-1] - 1),
    }[where]
    whole, part = layout.coordinates(shape), layout.coordinates(shape, index)
    for a, b in zip((whole.map, *whole.window, whole.input, whole.output), flat(part), strict=True):
        expected = np.broadcast_to(a, shape)[index]
        assert np.array_equal(np.broadcast_to(b, expected.shape), expected)


def flat(at):
    return (at.map, *at.window, at.input, at.output)


def test_maps_of_axes_that_are_apart_are_no_view():
    layout = Einsum("abc,adc->bd")  # sums a and c; d, the output, lies between them
    with pytest.raises(ValueError, match="apart"):
        layout.maps(np.zeros((2, 3, 4)))
    at = layout.coordinates((2, 3, 4))
    assert np.array_equal(np.broadcast_to(at.input, (2, 3, 4))[:, 0], np.arange(8).reshape(2, 4))


def test_strings_stand_for_plain_convolutions():
    assert layouts.of("io") == Conv("io") and layouts.of("oi") == Conv("oi")
    assert layouts.of(Packed()) == Packed()


def test_several_numbers_may_come_in_a_list():
    assert Packed("oi", [4, 2, 2]) == Packed("oi", (4, 2, 2))
    assert Conv("io", stride=[2, 1]) == Conv("io", stride=(2, 1))
    assert Einsum(in_axes=-2, out_axes=[-1]) == Einsum(in_axes=(-2,), out_axes=(-1,))
    assert len({Packed("oi", [4, 2, 2]), Packed("oi", (4, 2, 2))}) == 1


@pytest.mark.parametrize("order", ["io", "oi"])
def test_maps_packed_head_by_head(order):
    heads = np.arange(4 * 3 * 5)  # of outputs: 4 heads, in each of them 3 maps of 5
    parts = heads.reshape(4, 3, 5).swapaxes(0, 1).reshape(3, 20)
    layout, shape = Packed(order, 3, heads=4), ((7, 60) if order == "io" else (60, 7))
    assert ic.fans(shape, layout) == (7, 20)
    at = layout.coordinates(shape)
    numbers = np.broadcast_to(heads if order == "io" else heads[:, None], shape)
    assert np.array_equal(parts[np.broadcast_to(at.map, shape), np.broadcast_to(at.output, shape)], numbers)
    assert [
        np.flatnonzero(np.equal(layout.of_outputs(shape), i)).tolist() for i in range(3)
    ] == parts.tolist()
    w = ic.initializers.Orthogonal()(shape, 0, "float64", layout)
    for part in parts:
        m = w[:, part] if order == "io" else w[part].T
        assert np.allclose(m @ m.T, np.eye(7))
    piece = ic.initializers.HeNormal()(shape, 0, layout=layout, index=(slice(2, 5),))
    assert np.array_equal(piece, ic.initializers.HeNormal()(shape, 0, layout=layout)[2:5])


def test_packed_maps_of_different_sizes_come_in_parts():
    layout = Packed("oi", (4, 2, 2))
    assert [(part.start, part.stop) for part in layout.split((8, 3))] == [(0, 4), (4, 6), (6, 8)]
    assert [part.layout.fans((part.stop - part.start, 3)) for part in layout.split((8, 3))] == [
        (3, 4),
        (3, 2),
        (3, 2),
    ]
    for ask in (layout.fans, layout.sizes):
        with pytest.raises(ValueError, match="split"):
            ask((8, 3))


@pytest.mark.parametrize(
    ("error", "words", "call"),
    [
        (ValueError, "Did you mean 'oi'", lambda: layouts.of("oii")),
        (ValueError, "order", lambda: Conv("hw")),
        (ValueError, "groups", lambda: Conv("io", groups=0)),
        (TypeError, "stride", lambda: Conv("io", stride=1.5)),
        (ValueError, r"\(\*window, input, output\)", lambda: ic.fans((3,))),
        (ValueError, r"\(output, input, \*window\)", lambda: ic.fans((3,), "oi")),
        (ValueError, "multiple of 4", lambda: ic.fans((6, 2, 3), Conv("oi", groups=4))),
        (ValueError, "multiple of 3", lambda: ic.fans((4, 8), Packed("oi", 3))),
        (ValueError, "multiple of 2", lambda: ic.fans((7, 1, 3), Depthwise("oi", multiplier=2))),
        (ValueError, "multiple of 2", lambda: ic.fans((3, 4, 5), ConvTransposed("oi", groups=2))),
        (ValueError, "must be 1", lambda: ic.fans((8, 2, 3), Depthwise("oi"))),
        (ValueError, "multiplier 3", lambda: ic.fans((5, 8, 2), Depthwise("io", multiplier=3))),
        (ValueError, "per axis", lambda: ic.fans((3, 3, 1, 1), Conv("io", stride=(2,)))),
        (ValueError, "add up", lambda: Packed("oi", (4, 2)).check((7, 3))),
        (ValueError, "at least 2 axes", lambda: Packed("oi", 2).check((4,))),
        (ValueError, "one whole number", lambda: Packed("oi", (4, 2), heads=2)),
        (ValueError, "multiple of 6", lambda: Packed("oi", 3, heads=2).check((9, 3))),
        (ValueError, "two axes", lambda: Embedding().check((4,))),
        (ValueError, "'btd,dhk->bthk'", lambda: Einsum("bd,dhk")),
        (ValueError, "'btd,dhk->bthk'", lambda: Einsum("bd,...k->bk")),
        (ValueError, "'c' is in the weights", lambda: Einsum("ab,bcd->ad")),
        (ValueError, "give an equation", lambda: Einsum()),
        (ValueError, "3 axes", lambda: Einsum("bd,dhk->bhk").check((3, 4))),
        (ValueError, "twice", lambda: Einsum(in_axes=(0,), out_axes=(-2,)).check((3, 4))),
        (ValueError, "other axes", lambda: Einsum(in_axes=(2,)).check((3, 4))),
    ],
)
def test_what_cannot_be_is_refused(error, words, call):
    with pytest.raises(error, match=words):
        call()
