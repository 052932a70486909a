"""The same bits for any number of threads, instruction set, slice, and order in which tensors are made."""

import hashlib
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_laws import HERE, possible

import initcore as ic
from initcore.initializers import NAMED, ChronoBias
from initcore.layouts import Conv, Einsum, Packed

KEY = ic.Key(0) / "invariance"
LAWS = {row.name: row.law for row in NAMED} | {"chrono": ChronoBias(100)}
LARGE = [("io", (160, 120)), (Conv("oi", groups=2), (60, 20, 3, 3)), (Packed("oi", (80, 40)), (120, 100))]
SLICES = [(slice(17, 50),), (..., slice(None, None, -3)), (5,), (slice(49, 20, -7), slice(3, 11))]


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    before = ic.get_num_threads()
    ic.set_num_threads(request.param)
    yield request.param
    ic.set_num_threads(before)


@cache
def expected(name, layout, shape, dtype):
    """The whole tensor, by whatever is active when it is first asked for."""
    return LAWS[name](shape, KEY / name, dtype=dtype, layout=layout)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize(("layout", "shape"), LARGE, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_instruction_sets_and_slices(name, layout, shape, dtype, isa, threads):
    law = LAWS[name]
    if not possible(law, shape, layout):
        return
    whole = expected(name, layout, shape, dtype)
    assert np.array_equal(law(shape, KEY / name, dtype=dtype, layout=layout), whole)
    for index in SLICES:
        part = law(shape, KEY / name, dtype=dtype, layout=layout, index=index)
        assert np.array_equal(part, whole[index])


def test_order_of_creation_and_reuse_of_an_object():
    names = list(LAWS)

    def made(order):
        tensors = {name: LAWS[name]((8, 12), KEY / name) for name in order}
        return [hashlib.sha256(tensors[name].tobytes()).hexdigest() for name in names if name in tensors]

    first = made(names)
    assert made(names[::-1]) == first
    assert made(names[::2]) == first[::2]  # without half of them


@st.composite
def slices(draw, size):
    """Any slice or number that an axis of this size takes."""
    ends = st.none() | st.integers(-size - 2, size + 2)
    if size and draw(st.booleans()):
        return draw(st.integers(-size, size - 1))
    return slice(draw(ends), draw(ends), draw(st.none() | st.integers(-4, 4).filter(bool)))


@st.composite
def tensors(draw):
    """A law, a layout, a shape that it can have, an index of it."""
    name = draw(st.sampled_from([*LAWS]))
    layout = draw(st.sampled_from(["io", "oi", Conv("oi", groups=2), Conv("io", groups=3), Packed("io", 3)]))
    if isinstance(layout, Packed):
        shape = [draw(st.integers(0, 9)), 3 * draw(st.integers(0, 5))]
    else:
        shape = draw(st.lists(st.integers(0, 7), min_size=2, max_size=5))
        groups = 1 if isinstance(layout, str) else layout.groups
        at = 0 if layout == "oi" or getattr(layout, "order", "") == "oi" else -1
        shape[at] *= groups
    if name == "chrono" and not isinstance(layout, Conv | Packed):
        shape[-1] *= 4
        layout = "io"
    index = tuple(draw(slices(size)) for size in shape[: draw(st.integers(0, len(shape)))])
    if draw(st.booleans()):
        at = draw(st.integers(0, len(index)))
        used = len(shape) - len(index[at:])
        index = (*index[:at], ..., *[draw(slices(size)) for size in shape[used:]])
    return name, layout, tuple(shape), index


@settings(deadline=None, max_examples=400, derandomize=True, database=None)
@given(tensors(), st.sampled_from(HERE))
def test_any_slice_of_any_tensor(tensor, dtype):
    name, layout, shape, index = tensor
    law = LAWS[name]
    if not possible(law, shape, layout):
        with pytest.raises(ValueError, match=r"as many inputs as outputs|multiple of 4"):
            law(shape, KEY, layout=layout)
        return
    whole = law(shape, KEY, dtype=dtype, layout=layout)
    assert whole.shape == shape and np.isfinite(whole).all()
    part = law(shape, KEY, dtype=dtype, layout=layout, index=index)
    assert part.shape == whole[index].shape and np.array_equal(part, whole[index])


@st.composite
def named_axes(draw):
    """A shape whose axes are inputs, outputs, maps or window as it comes, at least one of them no window."""
    shape = tuple(draw(st.lists(st.integers(0, 4), min_size=1, max_size=5)))
    roles = draw(
        st.lists(st.sampled_from("iobw"), min_size=len(shape), max_size=len(shape)).filter(any_named)
    )
    axes = {name: tuple(i for i, role in enumerate(roles) if role == name) for name in "iob"}
    return Einsum(in_axes=axes["i"], out_axes=axes["o"], batch_axes=axes["b"]), shape


def any_named(roles):
    return set(roles) != {"w"}


@settings(deadline=None, max_examples=300, derandomize=True, database=None)
@given(tensors().map(lambda tensor: tensor[1:3]) | named_axes())
def test_coordinates_name_every_element_once(tensor):
    """Of any shape: the maps of a tensor have as many places as it has elements."""
    layout, shape = tensor
    layout = ic.layouts.of(layout)
    sizes = layout.sizes(shape)
    at = layout.coordinates(shape)
    counts = np.zeros((sizes.maps, *sizes.window, sizes.inputs, sizes.outputs), int)
    if counts.size:
        np.add.at(counts, (at.map, *at.window, at.input, at.output), 1)
    assert (counts == 1).all() and counts.size == np.prod(shape, dtype=int)
