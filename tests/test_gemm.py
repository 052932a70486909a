"""The matrix product: every layout, size, tail, epilogue, dtype and instruction set against float64 NumPy.

Products of bfloat16 operands are products of the rounded operands: the same tests hold for them.
"""

import itertools
import os
import threading
from dataclasses import dataclass

import emulated_amx
import numpy as np
import pytest

from initcore import _core

# Around one vector, one tile and one block of every instruction set, and 0 and 1.
SIZES = [0, 1, 2, 5, 6, 7, 8, 9, 15, 16, 17, 33, 47, 48, 49, 63, 64, 65, 130]
LAYOUTS = ["nn", "nt", "tn"]
NUMBER = {row["name"]: row["number"] for row in _core.activations()}


def to_bf16(x):
    """Round to bfloat16, ties to even: the upper half of a float32. Subnormal numbers are taken for 0."""
    bits = x.view(np.uint32)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    normal = np.where(bits & 0x7F800000 == 0, bits & 0x80000000, rounded)
    return np.where(np.isnan(x), x, normal.astype(np.uint32).view(np.float32))


@dataclass(frozen=True)
class Kernel:
    """One of the products: its instruction set, or the instruction for bfloat16."""

    name: str
    dtype: type
    bf16: bool = False

    def choose(self):
        if self.bf16:
            _core.use_isa(_core.isas()[0])
            _core.use_bf16(self.name)
        else:
            _core.use_isa(self.name)

    def __call__(self, layout, a, b, c, **epilogue):
        _core.matmul(layout, a, b, c, bf16=self.bf16, **epilogue)

    def product(self, layout, a, b):
        a, b = (to_bf16(x) if self.bf16 else x for x in (a, b))
        a, b = a.astype(np.float64), b.astype(np.float64)
        return (a.T if layout == "tn" else a) @ (b.T if layout == "nt" else b)

    def bound(self, layout, a, b):
        """Error bound of a sum of k products, |c - ab| <= 2 k eps |a| |b|: Higham 2002, equation 3.13."""
        k = a.shape[0] if layout == "tn" else a.shape[1]
        return 2 * (k + 2) * np.finfo(self.dtype).eps * (1e-30 + self.product(layout, abs(a), abs(b)))


class EmulatedAmx(Kernel):
    """The kernel for AMX tiles, where there are none."""

    def choose(self):
        emulated_amx.library()

    def __call__(self, layout, a, b, c, **epilogue):
        emulated_amx.matmul(layout, a, b, c, **epilogue)


IN_BF16 = [Kernel(name, np.float32, bf16=True) for name in _core.bf16()]
if emulated_amx.NAME not in _core.bf16():
    obstacle = emulated_amx.obstacle()
    mark = pytest.mark.skipif(obstacle is not None, reason=obstacle or "")
    IN_BF16.append(pytest.param(EmulatedAmx("amx_bf16, emulated", np.float32, bf16=True), marks=mark))
KERNELS = [Kernel(isa, dtype) for isa in _core.isas() for dtype in (np.float32, np.float64)] + IN_BF16


@pytest.fixture(params=KERNELS, ids=lambda kernel: f"{kernel.name}-{kernel.dtype.__name__}")
def kernel(request):
    """Each product that this machine runs, in turn."""
    isa = _core.active_isa()
    request.param.choose()
    yield request.param
    _core.use_isa(isa)
    _core.use_bf16(os.environ.get("INITCORE_BF16", ""))


def operands(layout, m, n, k, dtype, rng):
    a = rng.normal(size=(k, m) if layout == "tn" else (m, k)).astype(dtype)
    b = rng.normal(size=(n, k) if layout == "nt" else (k, n)).astype(dtype)
    return a, b


def assert_close(c, expected, error):
    assert (abs(c - expected) <= error).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_size_and_tail(kernel, layout, rng):
    sizes = (
        [(s, s, s) for s in SIZES]
        + list(itertools.permutations([1, 10, 67]))
        + [(3, 0, 4), (0, 3, 4), (3, 4, 0)]
        + [(1, 1100, 33), (1100, 1, 33), (2, 513, 9), (3, 130, 31), (7, 101, 30), (8, 40, 70)]  # few rows
        + [(300, 2, 5), (257, 3, 40), (131, 6, 9), (300, 10, 33), (128, 4, 0), (32, 2, 16)]  # few columns
        + [(12, 70, 90), (32, 130, 1100), (80, 900, 900)]  # few rows beside a large b
        + [(1, 1, 300), (1, 61, 40), (61, 1, 40), (40, 70, 1), (70, 40, 3), (90, 30, 70)]  # one or few
        + [(1, 300, 2), (300, 1, 2), (7, 40, 5700), (40, 3, 5700)]  # short and long sums
        + [(51, 1024, 3), (9, 2048, 8), (20, 1024, 1)]  # short sums, rows of c whole pages apart
        + [(5, 131, 3), (7, 131, 16), (3, 203, 17)]  # short sums, and just longer, wide c
        + [(97, 130, 400), (512, 70, 40), (49, 1000, 350), (115, 1100, 130), (645, 1024, 530)]  # a large c
        + [(97, 8, 1024), (29, 3, 2048), (15, 70, 1024)]  # rows of a whole pages apart
        + [(5, 1024, 200), (7, 1024, 40), (12, 2048, 500), (25, 1024, 1030)]  # those of b
        + [(50, 40, 1024), (1024, 40, 50), (1024, 131, 7), (512, 131, 16), (90, 61, 70)]  # columns of a
        + [(3 + n % 11, n, k) for k in range(1, 9) for n in (3, 9, 17, 30, 33, 64, 70, 99, 1027)]  # held sums
        + [(60, n, 3 + 12 * (n < 18)) for n in range(2, 64)]  # few columns, short sums
        + [(3, 260, 900), (20, 200, 700), (47, 150, 1100), (3100, 1000, 3)]  # a large b, or c
    )
    for m, n, k in sizes:
        a, b = operands(layout, m, n, k, kernel.dtype, rng)
        held = np.full(m * n + 64, np.nan, kernel.dtype)
        c = held[: m * n].reshape(m, n)
        kernel(layout, a, b, c)
        assert_close(c, kernel.product(layout, a, b), kernel.bound(layout, a, b))
        assert np.isnan(held[m * n :]).all()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("k", [127, 128, 129, 257, 600])
def test_sums_longer_than_one_packed_panel(kernel, layout, k, rng):
    a, b = operands(layout, 13, 70, k, kernel.dtype, rng)
    c = np.full((13, 70), np.nan, kernel.dtype)
    kernel(layout, a, b, c)
    assert_close(c, kernel.product(layout, a, b), kernel.bound(layout, a, b))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "shape",
    [
        (9, 21, 200),
        (15, 150, 2100),
        (16, 150, 2100),
        (7, 1024, 500),
        (645, 1024, 530),
        (1, 61, 40),
        (300, 1, 9),
        (300, 2, 40),
    ],
)
def test_accumulate_adds_to_what_is_there(kernel, layout, shape, rng):
    a, b = operands(layout, *shape, kernel.dtype, rng)
    c = rng.normal(size=shape[:2]).astype(kernel.dtype)
    expected = c + kernel.product(layout, a, b)
    kernel(layout, a, b, c, accumulate=True)
    assert_close(c, expected, kernel.bound(layout, a, b) + 4 * np.finfo(kernel.dtype).eps * abs(expected))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bias_and_activation_are_applied_once_at_the_end(kernel, layout, rng):
    for m, n, k in itertools.product(
        [0, 1, 11, 50, 300], [0, 1, 2, 10, 64, 100, 600, 1024], [0, 1, 3, 8, 17, 300]
    ):
        a, b = operands(layout, m, n, k, kernel.dtype, rng)
        bias = rng.normal(size=n).astype(kernel.dtype)
        c = np.full((m, n), np.nan, kernel.dtype)
        kernel(layout, a, b, c, bias=bias, activation=NUMBER["relu"])
        error = kernel.bound(layout, a, b) + 4 * np.finfo(kernel.dtype).eps * abs(bias)
        assert_close(c, np.maximum(kernel.product(layout, a, b) + bias, 0), error)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("accumulate", [False, True])
def test_slope_multiplies_the_finished_product(kernel, layout, accumulate, rng):
    for m, n, k in itertools.product([0, 1, 11, 32], [0, 1, 70, 1024], [0, 1, 300]):
        a, b = operands(layout, m, n, k, kernel.dtype, rng)
        y = np.maximum(rng.normal(size=(m, n)), 0).astype(kernel.dtype)
        c = (rng.normal(size=(m, n)) if accumulate else np.full((m, n), np.nan)).astype(kernel.dtype)
        expected = ((c if accumulate else 0) + kernel.product(layout, a, b)) * (y > 0)
        kernel(layout, a, b, c, accumulate=accumulate, slope=NUMBER["relu"], y=y)
        assert_close(c, expected, kernel.bound(layout, a, b) + 4 * np.finfo(kernel.dtype).eps * abs(expected))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("epilogue", ["none", "bias", "slope"])
def test_operands_that_no_near_cache_holds(kernel, layout, epilogue, rng):
    """More rows, longer sums and more bytes of a than are packed, or read without fetching, at a time."""
    m, n, k = 303, 139, 1031
    a, b = operands(layout, m, n, k, kernel.dtype, rng)
    c = np.full((m, n), np.nan, kernel.dtype)
    eps = np.finfo(kernel.dtype).eps
    if epilogue == "slope":
        c, y = (rng.normal(size=(m, n)).astype(kernel.dtype) for _ in range(2))
        extra = c.astype(np.float64)
        kernel(layout, a, b, c, accumulate=True, slope=NUMBER["relu"], y=y)
    elif epilogue == "bias":
        extra = rng.normal(size=n).astype(kernel.dtype)
        kernel(layout, a, b, c, bias=extra, activation=NUMBER["relu"])
    else:
        extra = 0
        kernel(layout, a, b, c)
    expected = kernel.product(layout, a, b) + extra
    error = kernel.bound(layout, a, b) + 4 * eps * (abs(extra) + abs(expected))
    finish = {"slope": lambda z: z * (y > 0), "bias": lambda z: np.maximum(z, 0)}
    assert_close(c, finish.get(epilogue, lambda z: z)(expected), error)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "shape",
    [
        (200, 150, 300),
        (1, 3000, 1200),
        (3000, 1, 1200),
        (7, 1500, 400),
        (7, 2048, 400),
        (98, 3, 40_000),
        (500, 67, 200),
        (32, 600, 1100),
        (270, 150, 1100),
        (149, 3, 5),
        (149, 101, 5),
    ],
)
def test_bits_do_not_depend_on_the_number_of_threads(kernel, layout, shape, rng):
    m, n, k = shape
    a, b = operands(layout, m, n, k, kernel.dtype, rng)
    before, results = _core.num_threads(), []
    for threads in (1, 2, 3, 5):
        _core.set_num_threads(threads)
        c = np.full((m, n), np.nan, kernel.dtype)
        kernel(layout, a, b, c)
        results.append(c.tobytes())
    _core.set_num_threads(before)
    assert len(set(results)) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("epilogue", ["bias", "slope"])
@pytest.mark.parametrize("layout", ["nn", "nt", "tn"])
@pytest.mark.parametrize("shape", [(2003, 277, 527), (640, 1100, 830)])
def test_a_large_a(isa, dtype, layout, shape, epilogue, rng):
    """Blocks of a are packed beside many panels, but not beside the few that are a thread's share of them."""
    m, n, k = shape
    a, b = operands(layout, m, n, k, dtype, rng)
    y = np.maximum(rng.normal(size=(m, n)), 0).astype(dtype)
    start = (rng.normal(size=(m, n)) if epilogue == "slope" else rng.normal(size=n)).astype(dtype)
    before, results = _core.num_threads(), []
    for threads in (1, 2, 5):
        _core.set_num_threads(threads)
        if epilogue == "slope":
            c = start.copy()
            _core.matmul(layout, a, b, c, accumulate=True, slope=NUMBER["relu"], y=y)
        else:
            c = np.full((m, n), np.nan, dtype)
            _core.matmul(layout, a, b, c, bias=start, activation=NUMBER["relu"])
        results.append(c)
    _core.set_num_threads(before)
    product = Kernel(isa, dtype)
    expected = start + product.product(layout, a, b)
    expected = expected * (y > 0) if epilogue == "slope" else np.maximum(expected, 0)
    error = product.bound(layout, a, b) + 4 * np.finfo(dtype).eps * (abs(start) + abs(expected))
    assert_close(results[0], expected, error)
    assert len({c.tobytes() for c in results}) == 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_packed_fits_into_a_stack_of_two_megabytes(kernel, layout, rng):
    """The least that Linux gives a thread, where the limit of the process is none."""
    before = threading.stack_size(2**21)
    try:
        for m, n, k in [(640, 1100, 830), (2003, 277, 527), (25, 1024, 1030), (7, 2048, 400), (300, 2, 40)]:
            a, b = operands(layout, m, n, k, kernel.dtype, rng)
            c = np.full((m, n), np.nan, kernel.dtype)
            thread = threading.Thread(target=kernel, args=(layout, a, b, c))
            thread.start()
            thread.join()
            assert_close(c, kernel.product(layout, a, b), kernel.bound(layout, a, b))
    finally:
        threading.stack_size(before)


@pytest.mark.parametrize("n", [64, 128, 1024])
@pytest.mark.parametrize("k", [3, 16, 20, 784])
def test_an_example_alone_gives_the_bits_that_it_gives_in_a_batch(kernel, n, k, rng):
    """Where whole vectors make up a row, whatever the way that suits a single one."""
    a, b = operands("nn", 23, n, k, kernel.dtype, rng)
    together, alone = (np.full((m, n), np.nan, kernel.dtype) for m in (23, 1))
    kernel("nn", a, b, together)
    kernel("nn", a[:1], b, alone)
    assert (together[:1] == alone).all()


def test_rows_of_equal_inputs_are_equal_whatever_tile_they_fall_into(kernel, rng):
    a = np.repeat(rng.normal(size=(1, 40)).astype(kernel.dtype), 50, axis=0)
    b = np.repeat(rng.normal(size=(40, 1)).astype(kernel.dtype), 75, axis=1)
    c = np.full((50, 75), np.nan, kernel.dtype)
    kernel("nn", a, b, c)
    assert len(np.unique(c)) == 1


@pytest.mark.parametrize("layout", ["nn", "nt"])
@pytest.mark.parametrize("columns", [1, 3, 5, 67])
def test_rows_beside_few_columns_are_equal_too(kernel, layout, columns, rng):
    a, b = operands(layout, 59, columns, 1500, kernel.dtype, rng)
    a[:] = a[0]
    c = np.full((59, columns), np.nan, kernel.dtype)
    kernel(layout, a, b, c)
    assert (c == c[0]).all()
    assert_close(c, kernel.product(layout, a, b), kernel.bound(layout, a, b))


@pytest.mark.parametrize(
    "change, words",
    [
        ({"layout": "xx"}, ["'nn', 'nt', 'tn'", "xx"]),
        ({"b": np.zeros((4, 5), np.float32)}, ["layout 'nn'", "(2, 3)", "(4, 5)"]),
        ({"b": np.zeros((3, 5))}, ["float32", "float64"]),
        ({"a": np.zeros((2, 6), np.float32)[:, ::2]}, ["contiguous"]),
        ({"bias": np.zeros(4, np.float32)}, ["bias"]),
        ({"activation": 1, "slope": 1}, ["exclude"]),
        ({"activation": 10_000}, ["10000"]),
        ({"slope": NUMBER["gelu"], "y": np.zeros((2, 5), np.float32)}, ["x and y"]),
        ({"slope": NUMBER["relu"]}, ["slope needs y"]),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(change, words):
    c = np.full((2, 5), 7, np.float32)
    arguments = {"layout": "nn", "a": np.zeros((2, 3), np.float32), "b": np.zeros((3, 5), np.float32), "c": c}
    with pytest.raises((ValueError, TypeError)) as error:
        _core.matmul(**{**arguments, **change})
    assert all(word in str(error.value) for word in words), error.value
    assert (c == 7).all()


def test_read_only_output_is_refused():
    c = np.zeros((2, 5), np.float32)
    c.flags.writeable = False
    with pytest.raises(ValueError, match="writable"):
        _core.matmul("nn", np.zeros((2, 3), np.float32), np.zeros((3, 5), np.float32), c)


@pytest.mark.parametrize("shared", ["a", "b"])
def test_the_output_shares_no_memory_with_what_is_multiplied(shared):
    memory = np.zeros(30, np.float32)
    a, b, c, last = (memory[start : start + 9].reshape(3, 3) for start in (0, 9, 18, 17))
    _core.matmul("nn", a, b, c)
    factors = {"a": (b, a), "b": (a, b)}[shared]  # `last` begins with the end of b
    with pytest.raises(ValueError, match="must not share memory"):
        _core.matmul("nn", *factors, last)


# Operands of bfloat16

bf16 = pytest.mark.skipif(not _core.active_bf16(), reason="needs an instruction for products in bfloat16")
in_bf16 = pytest.mark.parametrize("kernel", IN_BF16, ids=lambda kernel: kernel.name, indirect=True)


@in_bf16
@pytest.mark.parametrize("layout", LAYOUTS)
def test_operands_are_rounded_to_the_nearest_even_bfloat16(kernel, layout):
    """Every exponent; a half up and down, just above and just below it, in either operand."""
    exponents = np.arange(1, 255, dtype=np.uint32)[:, None] << 23
    x = (exponents + np.array([0x8000, 0x18000, 0x7FFF, 0x8001, 0xFFFF], np.uint32)).ravel().view(np.float32)
    x = np.concatenate([x[x < 3e38], -x[x < 3e38], [0, -0.0, np.inf, -np.inf]]).astype(np.float32)
    one, column = np.ones((1, 1), np.float32), x[:, None]
    for a, b in ((column, one), (one, column.T)):
        c = np.full((a.shape[0], b.shape[1]), np.nan, np.float32)
        transposed = [np.ascontiguousarray(m.T) if layout[i] == "t" else m for i, m in enumerate((a, b))]
        kernel(layout, *transposed, c)
        np.testing.assert_array_equal(c.ravel(), to_bf16(x))


@in_bf16
def test_in_bf16_nan_and_infinity_come_through_and_stay_where_they_are(kernel):
    a, b = np.ones((7, 5), np.float32), np.ones((5, 18), np.float32)
    a[2, 4], a[4, 1], b[3, 17] = np.nan, np.inf, -np.inf
    c = np.zeros((7, 18), np.float32)
    kernel("nn", a, b, c)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(c, a @ b)


@in_bf16
def test_in_bf16_nothing_is_left_of_subnormal_numbers(kernel):
    tiny = np.finfo(np.float32).tiny
    a = np.array([[tiny / 2, 0], [tiny, 0], [0, -tiny / 4]], np.float32)
    c = np.full((3, 1), np.nan, np.float32)
    kernel("nn", a, np.array([[2.0], [2.0]], np.float32), c)
    np.testing.assert_array_equal(c, [[0], [2 * tiny], [0]])  # operands
    kernel("nn", a, np.array([[0.5], [0.5]], np.float32), c)
    np.testing.assert_array_equal(c, np.zeros((3, 1)))  # results


@bf16
def test_only_float32_is_rounded_to_bf16():
    a, c = np.ones((2, 2)), np.zeros((2, 2))
    with pytest.raises(TypeError, match="float32"):
        _core.matmul("nn", a, a, c, bf16=True)
    assert not c.any()
