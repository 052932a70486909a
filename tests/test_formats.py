"""Random numbers in every format: rounded once, within bounds, in the tensor's own memory."""

import hashlib
import json
import math
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from initcore import _core
from initcore.formats import FORMATS, format_of
from initcore.random import Key

KEY = Key(0) / "formats"
GOLDEN = Path(__file__).with_name("golden_formats.json")
LAWS = {
    "uniform": lambda shape, **how: KEY.uniform(shape, -1, 2, **how),
    "normal": lambda shape, **how: KEY.normal(shape, 0.5, 2, **how),
    "truncated_normal": lambda shape, **how: KEY.truncated_normal(shape, 0.5, 2, -1, 3, **how),
    "orthogonal": lambda shape, **how: KEY.orthogonal(shape, 2, **how),
}
HALVES = "float16", "bfloat16"

laws = pytest.mark.parametrize("law", LAWS)
halves = pytest.mark.parametrize("dtype", HALVES)


def raw(law, shape, dtype, **how):
    """A tensor as bytes tell it, so that bfloat16 needs no package."""
    if dtype != "bfloat16":
        return LAWS[law](shape, dtype=dtype, **how)
    part = np.broadcast_to(0, shape)[how.get("index", ...)].shape
    return LAWS[law](shape, dtype=dtype, out=np.full(part, 0x7FC0, np.uint16), **how)


def value(array, dtype):
    """The numbers of an array that raw() made."""
    return (array.astype(np.uint32) << 16).view(np.float32) if dtype == "bfloat16" else array


CASES = [(law, dtype) for law in LAWS for dtype in FORMATS]
cases = pytest.mark.parametrize("law, dtype", CASES)


def entry(law, dtype):
    x = raw(law, (101, 70), dtype)
    return {"first": [str(v) for v in value(x, dtype).ravel()[:4]], "sha256": hashlib.sha256(x).hexdigest()}


@cases
def test_the_bits_are_those_of_the_golden_file(law, dtype, isa):
    """They are frozen. To change them on purpose: run this file, and say so in the change log."""
    assert entry(law, dtype) == json.loads(GOLDEN.read_text())[f"{dtype} {law}"]


@cases
def test_a_slice_has_the_bits_of_the_whole(law, dtype):
    whole = raw(law, (70, 33), dtype)
    for index in [(slice(3, 50, 7), slice(None)), (slice(None, None, -1), slice(2, 30)), (5, ...), (4, 7)]:
        assert raw(law, (70, 33), dtype, index=index).tobytes() == whole[index].tobytes()


@cases
def test_threads_do_not_change_the_bits(law, dtype):
    before = _core.num_threads()
    try:
        results = set()
        for threads in [1, 2, 5]:
            _core.set_num_threads(threads)
            results.add(raw(law, (150, 200), dtype).tobytes())
    finally:
        _core.set_num_threads(before)
    assert len(results) == 1


@cases
def test_out_may_have_any_strides(law, dtype):
    whole = raw(law, (6, 8), dtype)
    for out in [np.zeros((12, 8), whole.dtype)[::2], np.zeros((6, 8), whole.dtype, order="F")]:
        LAWS[law]((6, 8), dtype=dtype, out=out)
        assert np.array_equal(out, whole)


def nearest(x, dtype):
    """float32 rounded to the nearest of a format, another way: NumPy's, or integers."""
    if dtype == "float16":
        return x.astype(np.float16).astype(np.float32)
    bits = x.view(np.uint32).astype(np.uint64)
    low = bits & ~np.uint64(0xFFFF)
    rest = bits - low
    up = (rest > 0x8000) | ((rest == 0x8000) & (bits >> np.uint64(16) & np.uint64(1) == 1))
    return (low + up * np.uint64(0x10000)).astype(np.uint32).view(np.float32)


@halves
@pytest.mark.parametrize("stddev", [1.0, 1e-7, 3e-5, 6e3])
def test_a_half_is_float32_rounded(dtype, stddev, isa):
    """Subnormal numbers of float16 among them."""
    out = KEY.normal(
        20_000, 0, stddev, dtype=dtype, out=np.zeros(20_000, np.uint16 if dtype == "bfloat16" else "e")
    )
    x = KEY.normal(20_000, 0, stddev)
    assert np.array_equal(value(out, dtype).astype(np.float32), nearest(x, dtype))


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_rounds_as_its_numbers_do(name):
    form = FORMATS[name]
    for x in [0.0, 1.0, 0.1, -0.1, 1 / 3, 5e-8, -3e-6, 1000.7, -6e4, 2.0**-24 * 1.5]:
        near = form.nearest(x)
        if name in ("float16", "float32", "complex64"):
            assert near == float((np.float16 if name == "float16" else np.float32)(x))
        assert form.at_most(x) <= x <= form.at_least(x) and near in (form.at_most(x), form.at_least(x))
        assert form.below(x) < x and form.nearest(near) == form.at_most(near) == form.at_least(near) == near


BOUNDS = [(1, 1.01), (-0.3, 0.1), (0.1, 0.1 + 1e-4), (-2e-5, 1e-5), (0, 1)]


@halves
@pytest.mark.parametrize("low, high", BOUNDS)
def test_values_stay_within_bounds_that_are_rounded(dtype, low, high):
    form, n = FORMATS[dtype], 50_000
    out = np.zeros(n, np.uint16 if dtype == "bfloat16" else np.float16)
    x = value(KEY.uniform(n, low, high, dtype=dtype, out=out), dtype)
    assert form.nearest(low) <= x.min() and (x.max() < form.nearest(high) or x.max() == form.nearest(low))
    mean, stddev = (low + high) / 2, (high - low) / 4
    x = value(KEY.truncated_normal(n, mean, stddev, -2, 2, dtype=dtype, out=out), dtype)
    if form.at_least(low) <= form.at_most(high):
        assert low - 1e-12 <= x.min() and x.max() <= high + 1e-12
    else:
        assert set(np.unique(x)) == {form.nearest(mean)}


@halves
@pytest.mark.parametrize("law", ["uniform", "normal", "truncated_normal"])
def test_rounding_moves_no_mean(law, dtype):
    """Within 5 standard errors of the mean of what rounding changes: 2e-6 for the uniform law in bfloat16.

    What would round to its upper end gets the number below instead, which alone would be 1e-5 of it.
    """
    n, part, total, square = 1 << 24, 1 << 20, 0.0, 0.0
    for start in range(0, n, part):
        index = (slice(start, start + part),)
        x, rounded = LAWS[law](n, index=index), value(raw(law, n, dtype, index=index), dtype)
        away = rounded.astype(float) - x
        total, square = total + away.sum(), square + (away**2).sum()
    assert abs(total / n) < 5 * math.sqrt(square) / n


@halves
@pytest.mark.parametrize("units", [3, 4, 5, 9, 64])
def test_a_uniform_law_of_few_numbers_has_the_mean_halfway(dtype, units):
    form, n = FORMATS[dtype], 1 << 20
    unit = 2.0 ** (1 - form.digits)
    out = np.zeros(n, np.uint16 if dtype == "bfloat16" else np.float16)
    x = value(KEY.uniform(n, 1, 1 + units * unit, dtype=dtype, out=out), dtype).astype(float)
    assert set((x - 1) / unit) == set(range(units))
    assert abs(x.mean() - 1 - units * unit / 2) < 5 * x.std() / math.sqrt(n)


@pytest.mark.parametrize("law, dtype", [case for case in CASES if case[0] != "orthogonal"])
def test_memory_does_not_grow_beyond_the_tensor(law, dtype):
    n = 1 << 20
    size = np.dtype("uint16" if dtype == "bfloat16" else dtype).itemsize
    out = np.ones(n, "uint16" if dtype == "bfloat16" else dtype)
    tracemalloc.start()
    LAWS[law](n, dtype=dtype, out=out)
    in_place = tracemalloc.get_traced_memory()[1]
    made = raw(law, n, dtype) if dtype != "bfloat16" else out
    grown = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert made.nbytes == n * size
    assert in_place < 50_000 and grown < n * size + 50_000


def test_complex_numbers_have_the_variance_in_both_parts():
    n = 1 << 18
    z = KEY.normal(n, 1.5, 2, dtype="complex64")
    assert abs((abs(z - 1.5) ** 2).mean() - 4) < 5 * 4 / math.sqrt(n)  # |z|^2 is exponential
    assert abs(((z - 1.5) ** 2).mean()) < 5 * 4 / math.sqrt(n)  # so the parts are alike, and uncorrelated
    x = KEY.normal(2 * n, 0, 2 / math.sqrt(2))
    assert np.array_equal(z.imag, x[1::2]) and np.array_equal(z.real, x[::2] + np.float32(1.5))
    w = KEY.truncated_normal(n, 0, math.sqrt(2), -1, 1, dtype="complex128")
    assert max(abs(w.real).max(), abs(w.imag).max()) <= 1
    assert KEY.uniform((), dtype="complex64").shape == ()


def test_bfloat16_comes_as_arrays_of_ml_dtypes():
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="bfloat16 is not NumPy's own")
    for dtype in ("bfloat16", ml_dtypes.bfloat16, np.dtype(ml_dtypes.bfloat16)):
        w = KEY.normal((3, 4), dtype=dtype)
        assert w.dtype == ml_dtypes.bfloat16 and format_of(w.dtype).name == "bfloat16"
        assert np.array_equal(w.view(np.uint16), raw_normal((3, 4)))
    assert KEY.normal((3, 4), out=w) is w


def raw_normal(shape):
    return KEY.normal(shape, dtype="bfloat16", out=np.zeros(shape, np.uint16))


def test_bfloat16_says_what_it_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(ModuleNotFoundError, match="ml_dtypes"):
        KEY.normal(3, dtype="bfloat16")
    assert raw_normal(3).dtype == np.uint16


@pytest.mark.peers
def test_the_memory_of_a_tensor_of_pytorch_can_be_filled():
    torch = pytest.importorskip("torch", reason="fills its tensors")
    tensor = torch.empty(1000, dtype=torch.bfloat16)
    KEY.normal(1000, dtype="bfloat16", out=tensor.view(torch.int16).numpy().view(np.uint16))
    assert torch.equal(tensor, torch.from_numpy(KEY.normal(1000)).to(torch.bfloat16))


if __name__ == "__main__":
    GOLDEN.write_text(
        json.dumps({f"{dtype} {law}": entry(law, dtype) for law, dtype in CASES}, indent=1) + "\n"
    )
