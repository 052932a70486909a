"""What can be filled in place: every kind of memory that can be written, and a sentence for every other."""

import array
import ctypes
import mmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided
from reference_laws import possible

import initcore as ic
from initcore import _core
from initcore.destination import opened
from initcore.initializers import NAMED, HeNormal, RandomNormal
from initcore.layouts import Packed

KEY = ic.Key(0) / "destination"


class Lender:
    """Gives its array through one protocol only."""

    def __init__(self, found):
        self.found = found


class ByArray(Lender):
    def __array__(self, dtype=None, copy=None):
        return self.found


class Copying(Lender):
    def __array__(self, dtype=None, copy=None):
        return self.found.copy()


class ByDlpack(Lender):
    def __dlpack__(self, **how):
        return self.found.__dlpack__(**how)

    def __dlpack_device__(self):
        return self.found.__dlpack_device__()


def strided(shape):
    """Arrays whose memory has gaps, another order of the axes, or another start."""
    rows, columns = shape
    yield np.empty((rows, columns, 3), "float32")[..., 1]
    yield np.empty((columns, rows), "float32").T
    yield np.empty((2 * rows, 3 * columns), "float32")[1::2, ::3]
    yield np.empty((rows, columns), ">f4")
    yield np.empty(4 * rows * columns + 1, "uint8")[1:].view("float32").reshape(shape)


@pytest.mark.parametrize("row", NAMED, ids=lambda row: row.name)
def test_arrays_of_any_strides(row):
    whole = row.law((6, 8), KEY)
    for out in strided((6, 8)):
        assert row.law((6, 8), KEY, out=out) is out
        assert np.array_equal(out, whole)


@settings(deadline=None, max_examples=300, derandomize=True, database=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 14)), max_size=3))
def test_overlap_is_found_wherever_it_is(axes):
    """Of any shape and strides: beside a count of the bytes that the elements have."""
    shape, strides = [size for size, _ in axes], [stride for _, stride in axes]
    out = as_strided(np.zeros(64, "uint16"), shape, strides)
    starts = [sum(i * stride for i, stride in zip(at, strides, strict=True)) for at in np.ndindex(*shape)]
    taken = [byte for start in starts for byte in (start, start + 1)]
    if len(set(taken)) == len(taken):
        assert opened(out) is not None
    else:
        with pytest.raises(ValueError, match="share memory"):
            opened(out)


def test_whatever_has_a_buffer():
    whole = RandomNormal()((6,), KEY)
    numbers = array.array("f", bytes(24))
    numbers_in_c = (ctypes.c_float * 6)()
    view = memoryview(bytearray(24)).cast("f")
    with mmap.mmap(-1, 24) as mapped:
        in_map = memoryview(mapped).cast("f")
        for out in (numbers, numbers_in_c, view, in_map):
            assert RandomNormal()((6,), KEY, out=out) is out
            assert np.array_equal(out, whole)
        in_map.release()
        del out


@pytest.mark.parametrize("kind", [ByArray, ByDlpack])
def test_whatever_lends_its_memory(kind):
    lender = kind(np.zeros((6, 8), "float32"))
    assert HeNormal()((6, 8), KEY, out=lender) is lender
    assert np.array_equal(lender.found, HeNormal()((6, 8), KEY))


def test_a_slice_goes_into_a_part_of_the_memory():
    memory = np.zeros((6, 8), "float32")
    HeNormal()((60, 80), KEY, index=(slice(6, 9), slice(10, 14)), out=memory[1:4, 2:6])
    assert np.array_equal(memory[1:4, 2:6], HeNormal()((60, 80), KEY)[6:9, 10:14])
    assert np.count_nonzero(memory) == 12


READ_ONLY = np.zeros((2, 3), "float32")
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("error", "words", "out"),
    [
        (ValueError, "writable, got a read-only array", READ_ONLY),
        (ValueError, "writable, got a read-only ByArray", ByArray(READ_ONLY)),
        (ValueError, "writable, got a read-only bytes", bytes(24)),
        (ValueError, "writable, got a read-only float32", np.float32(1)),
        (ValueError, "backwards", np.zeros((2, 3), "float32")[::-1]),
        (ValueError, "backwards", np.zeros((2, 3), "float32")[:, ::-1]),
        (ValueError, "share memory", as_strided(np.zeros(3, "float32"), (2, 3), (0, 4))),
        (ValueError, "share memory", as_strided(np.zeros(4, "float32"), (2, 3), (4, 4))),
        (ValueError, "share memory", as_strided(np.zeros(8, "float32"), (2, 3), (6, 2))),
        (TypeError, "got Copying .__array__: it gives a copy", Copying(np.zeros((2, 3), "float32"))),
        (TypeError, "got list", [[0.0] * 3] * 2),
        (TypeError, "got object", object()),
        (ValueError, r"shape \(2, 3\)", np.zeros((3, 2), "float32")),
        (TypeError, "dtype", np.zeros((2, 3), "int32")),
    ],
)
def test_what_cannot_be_filled_is_refused_with_a_sentence(error, words, out):
    with pytest.raises(error, match=words):
        HeNormal()((2, 3), KEY, out=out)


@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (0, 3), (), (1,)])
def test_axes_of_one_or_none_have_no_direction(shape):
    """NumPy gives them any stride; neither backwards nor overlapping means anything there."""
    for stride in (-4, 0, 4):
        strides = [stride if size < 2 else 4 for size in shape]
        assert opened(as_strided(np.zeros(8, "float32"), shape, strides)).shape == shape


def test_axes_that_interleave_without_meeting_are_fine():
    memory = np.zeros(16, "float32")
    out = as_strided(memory, (3, 2), (8, 12))  # elements 0 3, 2 5, 4 7
    assert np.array_equal(RandomNormal()((3, 2), KEY, out=out), RandomNormal()((3, 2), KEY))


@pytest.mark.peers
def test_tensors_of_torch():
    torch = pytest.importorskip("torch", reason="fills a live tensor")
    whole = HeNormal()((6, 8), KEY, layout="oi")
    for out in (torch.empty(6, 8), torch.empty(8, 6).T, torch.empty(6, 16)[:, ::2]):
        assert HeNormal()((6, 8), KEY, layout="oi", out=out) is out
        assert np.array_equal(out.numpy(), whole)
    half = torch.empty(6, 8, dtype=torch.float16)
    HeNormal()((6, 8), KEY, layout="oi", out=half)
    assert np.array_equal(half.numpy(), whole.astype("float16"))
    with pytest.raises(ValueError, match="share memory"):
        HeNormal()((6, 8), KEY, out=torch.empty(8).expand(6, 8))
    with pytest.raises(TypeError, match=r"got Parameter .*grad"):
        HeNormal()((6, 8), KEY, out=torch.nn.Parameter(torch.empty(6, 8)))
    with pytest.raises(TypeError, match="got Tensor"):
        HeNormal()((6, 8), KEY, out=torch.empty(6, 8, device="meta"))


def test_memory_lent_by_dlpack_is_the_same_and_lent_once():
    whole = np.arange(12, dtype="uint16").reshape(3, 4)
    capsule = whole.T[::2].__dlpack__(max_version=(1, 0))
    lent, code = _core.from_dlpack(capsule)
    assert np.array_equal(lent, whole.T[::2]) and np.shares_memory(lent, whole) and code == 1
    del whole
    assert lent[1, 2] == 10  # it keeps what it shows
    for spent in (capsule, lent.__dlpack__()):  # one of DLPack 0 does not say whether it may be written
        with pytest.raises(TypeError, match="DLPack 1"):
            _core.from_dlpack(spent)
    fixed = np.arange(3, dtype="uint16")
    fixed.flags.writeable = False
    assert not _core.from_dlpack(fixed.__dlpack__(max_version=(1, 0)))[0].flags.writeable


@pytest.mark.peers
def test_bfloat16_tensors_of_torch():
    torch = pytest.importorskip("torch", reason="fills a live tensor")
    tensor = torch.zeros(4, 6, dtype=torch.bfloat16)
    opened(tensor[:, 1::2])[...] = np.arange(12).reshape(4, 3)
    assert tensor[:, 1::2].tolist() == np.arange(12).reshape(4, 3).tolist()
    assert not tensor[:, ::2].any()
    for row in NAMED:
        if possible(row.law, (4, 3), "io"):
            row.law((4, 3), KEY, out=tensor[:, 1::2])
            assert tensor[:, 1::2].tolist() == row.law((4, 3), KEY, dtype="bfloat16").tolist()


@pytest.mark.parametrize("row", NAMED, ids=lambda row: row.name)
def test_the_memory_of_bfloat16_needs_no_library(row):
    """As uint16; of packed maps of different sizes too, which are drawn part by part."""
    layout = Packed("oi", (5, 3))
    if possible(row.law, (8, 3), layout):
        words = np.zeros((8, 3), "uint16")
        row.law((8, 3), KEY, "bfloat16", layout, out=words)
        values = (words.astype("uint32") << 16).view("float32")
        assert np.allclose(values, row.law((8, 3), KEY, layout=layout), rtol=2**-7, atol=0)


@pytest.mark.peers
def test_arrays_of_jax_are_never_written():
    jax = pytest.importorskip("jax", reason="refuses a live array")
    with pytest.raises(ValueError, match="read-only"):
        HeNormal()((6, 8), KEY, out=jax.numpy.zeros((6, 8)))
