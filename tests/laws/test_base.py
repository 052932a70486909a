"""Every law asks the layout: what holds of one map holds of each map of a tensor, whole or in slices."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from reference_laws import possible

import initcore as ic
from initcore.apply.scaled import Scaled
from initcore.initializers import NAMED, DeltaOrthogonal, GlorotUniform, HeNormal, Identity, Orthogonal
from initcore.laws import STFT, ChronoBias, ForgetGateBias, Ones, Values, Zeros
from initcore.laws.recurrent import GateBias
from initcore.layouts import Conv, ConvTransposed, Depthwise, Einsum, Packed

KEY = ic.Key(0) / "laws"
LAYOUTS = [
    (Conv("io"), (3, 5, 4, 6)),
    (Conv("oi"), (6, 4, 3, 5)),
    (Conv("oi", groups=2), (6, 4, 3, 3)),
    (Conv("io", groups=3), (2, 5, 9)),
    (Depthwise("io"), (3, 3, 6, 2)),
    (Depthwise("oi", multiplier=2), (6, 1, 3, 3)),
    (ConvTransposed("oi", groups=2, stride=2), (6, 4, 3, 3)),
    (ConvTransposed("io"), (3, 3, 4, 6)),
    (Packed("oi", 3), (12, 5)),
    (Packed("io", (4, 2, 3)), (5, 9)),
    (Packed("oi", (4, 2, 3)), (9, 5)),
    (Einsum("btd,dhk->bthk"), (5, 3, 4)),
    (Einsum("abc,adc->bd"), (2, 3, 4)),
]
every = pytest.mark.parametrize(("layout", "shape"), LAYOUTS, ids=str)
every_law = pytest.mark.parametrize("row", NAMED, ids=lambda row: row.name)


def indices(shape):
    """Slices of every kind: from both ends, backwards, with steps, of one number, of nothing."""
    yield (slice(1, None),)
    yield (..., slice(0, 1))
    yield (..., -1)
    yield (slice(None, None, -1), slice(None, None, -2))
    yield (0,)
    yield (slice(2, 2),)
    yield tuple(slice(size // 2, None, 2) for size in shape)
    yield (..., slice(7, 1, -3))


@every
@every_law
def test_a_slice_has_the_bits_of_the_whole(row, layout, shape):
    if not possible(row.law, shape, layout):
        with pytest.raises(ValueError, match="as many inputs as outputs"):
            row.law(shape, KEY, layout=layout, index=(slice(0, 0),))
        return
    whole = row.law(shape, KEY, layout=layout)
    assert whole.shape == shape and np.isfinite(whole).all()
    for index in indices(shape):
        part = row.law(shape, KEY, layout=layout, index=index)
        assert part.tobytes() == np.ascontiguousarray(whole[index]).tobytes(), index
        memory = np.full((*part.shape, 2), np.nan, "float32")
        row.law(shape, KEY, layout=layout, index=index, out=memory[..., 1])
        assert np.array_equal(memory[..., 1], part) and np.isnan(memory[..., 0]).all()


def maps_of(tensor, layout):
    """Every map as a matrix: inputs with the window, by outputs."""
    axis_of = layout.split(tensor.shape)
    if axis_of:
        for part in axis_of:
            yield from maps_of(np.take(tensor, range(part.start, part.stop), part.axis), part.layout)
        return
    at, sizes = layout.coordinates(tensor.shape), layout.sizes(tensor.shape)
    maps = np.empty((sizes.maps, *sizes.window, sizes.inputs, sizes.outputs), tensor.dtype)
    maps[at.map, *at.window, at.input, at.output] = tensor
    yield from maps.reshape(sizes.maps, -1, sizes.outputs)


@every
def test_each_map_is_orthogonal_and_its_own(layout, shape):
    maps = list(maps_of(Orthogonal(2.0)(shape, KEY, "float64", layout), layout))
    for w in maps:
        w = w if w.shape[0] >= w.shape[1] else w.T
        assert np.abs(w.T @ w - 4 * np.eye(w.shape[1])).max() < 1e-13
    assert len({w.tobytes() for w in maps}) == len(maps)


@every
def test_each_map_passes_its_inputs_on(layout, shape):
    for w in maps_of(Identity(2.0)(shape, KEY, layout=layout), layout):
        inputs = w.reshape(-1, *w.shape).sum(axis=0)
        assert inputs.sum() == 2 * np.count_nonzero(inputs)
        assert (np.count_nonzero(w, axis=0) <= 1).all() and (np.count_nonzero(w, axis=1) <= 1).all()


def test_maps_are_the_same_in_every_order():
    a = Orthogonal()((3, 2, 8, 6), KEY, layout=Conv("io", groups=3))
    b = Orthogonal()((6, 8, 3, 2), KEY, layout=Conv("oi", groups=3))
    assert np.array_equal(a.transpose(3, 2, 0, 1), b)


@pytest.mark.parametrize(
    ("layout", "shape", "fan_in"),
    [
        (Conv("oi", groups=16), (64, 4, 3, 3), 36),
        (Depthwise("io"), (5, 5, 200, 2), 25),
        (ConvTransposed("oi"), (64, 32, 4, 4), 1024),
        (Packed("oi", 3), (192, 64), 64),
        (Einsum("bthk,hkd->btd"), (8, 64, 100), 512),
    ],
    ids=str,
)
def test_he_takes_the_fans_of_the_layer(layout, shape, fan_in):
    w = HeNormal()(shape, KEY, layout=layout)
    assert w.var() * fan_in == pytest.approx(2, rel=5 * np.sqrt(2 / w.size))


def test_packed_maps_of_different_sizes_are_scaled_each_by_its_own_fans():
    parts = (300, 60, 20)
    w = GlorotUniform()((380, 400), KEY, layout=Packed("oi", parts))
    for part, outputs in zip(np.split(w, np.cumsum(parts)[:-1]), parts, strict=True):
        limit = np.sqrt(6 / (400 + outputs))
        assert limit * (1 - 30 / part.size) < abs(part).max() <= limit


def test_nothing_is_written_if_any_part_is_refused():
    out = np.full((9, 4), 7, "float16")
    with pytest.raises(ValueError, match="at most 65504"):
        HeNormal(gain=1e5)((9, 4), KEY, layout=Packed("oi", (4, 3, 2)), out=out)
    with pytest.raises(ValueError, match="as many inputs"):
        DeltaOrthogonal()((9, 4), KEY, layout=Packed("oi", (4, 3, 2)), out=out)
    with pytest.raises(ValueError, match="shape"):
        HeNormal()((9, 5), KEY, layout=Packed("oi", (4, 3, 2)), out=out)
    assert (out == 7).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_half_is_the_same_wherever_it_is_written(dtype):
    """In a new array and in memory that is given, of uint16 for bfloat16; factors too are rounded once."""
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes", reason="bfloat16 is not NumPy's own")
    halves = Packed("oi", 2)
    cases = [(law, "io") for law in EVERY[: len(NAMED)]] + [(Scaled(HeNormal(), (0.3, 0.7)), halves)]
    for law, layout in cases:
        made = law((16, 24), KEY, dtype, layout=layout)
        memory = np.zeros((16, 24), np.uint16 if dtype == "bfloat16" else dtype)
        law((16, 24), KEY, dtype, layout=layout, out=memory)
        assert made.tobytes() == memory.tobytes(), law
    exact = HeNormal()((16, 24), KEY, layout=halves) * np.repeat(np.float32([0.3, 0.7]), 8)[:, None]
    assert np.array_equal(made, exact.astype(made.dtype))


def too_large(law, size):
    """The law with numbers of this size; None if it has none."""
    numbers = {"value", "gain", "stddev", "maxval"} & {field.name for field in fields(law)}
    if isinstance(law, Zeros | Ones) or not numbers:
        return None
    return replace(law, **dict.fromkeys(numbers, size))


EVERY = [*(row.law for row in NAMED), Values((1.0, 2.0)), ForgetGateBias(), ChronoBias(100), STFT()]
LARGE = [law for law in (too_large(law, 1e300) for law in EVERY) if law]
LARGE += [Values((1.0, 1e300)), Scaled(Ones(), (1.0, 1e300))]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "complex64"])
@pytest.mark.parametrize("law", LARGE, ids=lambda law: type(law).__name__)
def test_weights_that_no_number_is_large_enough_for_are_refused(law, dtype):
    shape = (2,) if isinstance(law, Values) else (8, 1, 4)
    out = np.full(shape, 7, np.uint16 if dtype == "bfloat16" else dtype)
    with pytest.raises(ValueError, match=f"the largest weight must be at most .* in {dtype}, got .*e\\+"):
        law(shape, KEY, dtype, out=out)
    assert (out == 7).all()


@every
@pytest.mark.parametrize("law", EVERY, ids=lambda law: type(law).__name__)
def test_no_weight_is_larger_than_the_law_says(law, layout, shape):
    if isinstance(law, Values | STFT | GateBias) or not possible(law, shape, layout):
        layout, shape = "io", (2,) if isinstance(law, Values) else (7, 1, 4)
    for dtype in ("float64", "complex128"):
        weights = law(shape, KEY, dtype, layout)
        assert abs(weights).max() <= law.largest(shape, layout) * (math.sqrt(2) if weights.imag.any() else 1)


def test_equal_parts_are_the_same_however_they_are_given():
    a, b = (Orthogonal()((12, 5), KEY, layout=Packed("oi", parts)) for parts in (3, (4, 4, 4)))
    assert np.array_equal(a, b)
