"""The matrix product: every layout, size, tail, epilogue, dtype and instruction set against float64 NumPy."""

import itertools

import numpy as np
import pytest

from initcore import _core

# Around one vector, one tile and one block of every instruction set, and 0 and 1.
SIZES = [0, 1, 2, 5, 6, 7, 8, 9, 15, 16, 17, 33, 47, 48, 49, 63, 64, 65, 130]
LAYOUTS = ["nn", "nt", "tn"]
DTYPES = [np.float32, np.float64]
NUMBER = {row["name"]: row["number"] for row in _core.activations()}


def operands(layout, m, n, k, dtype, rng):
    a = rng.normal(size=(k, m) if layout == "tn" else (m, k)).astype(dtype)
    b = rng.normal(size=(n, k) if layout == "nt" else (k, n)).astype(dtype)
    return a, b


def product(layout, a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a.T if layout == "tn" else a) @ (b.T if layout == "nt" else b)


def bound(layout, a, b):
    """Error bound of a sum of k products, |c - ab| <= 2 k eps |a| |b|: Higham 2002, equation 3.13."""
    k = a.shape[0] if layout == "tn" else a.shape[1]
    return 2 * (k + 2) * np.finfo(a.dtype).eps * (1e-30 + product(layout, abs(a), abs(b)))


def assert_close(c, expected, error):
    assert (abs(c - expected) <= error).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_size_and_tail(isa, layout, dtype, rng):
    sizes = (
        [(s, s, s) for s in SIZES]
        + list(itertools.permutations([1, 10, 67]))
        + [(3, 0, 4), (0, 3, 4), (3, 4, 0)]
    )
    for m, n, k in sizes:
        a, b = operands(layout, m, n, k, dtype, rng)
        c = np.full((m, n), np.nan, dtype)
        _core.matmul(layout, a, b, c)
        assert_close(c, product(layout, a, b), bound(layout, a, b))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("k", [127, 128, 129, 300])
def test_sums_longer_than_one_packed_panel(isa, layout, k, rng):
    a, b = operands(layout, 13, 70, k, np.float32, rng)
    c = np.full((13, 70), np.nan, np.float32)
    _core.matmul(layout, a, b, c)
    assert_close(c, product(layout, a, b), bound(layout, a, b))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_accumulate_adds_to_what_is_there(isa, layout, dtype, rng):
    a, b = operands(layout, 9, 21, 200, dtype, rng)
    c = rng.normal(size=(9, 21)).astype(dtype)
    expected = c + product(layout, a, b)
    _core.matmul(layout, a, b, c, accumulate=True)
    assert_close(c, expected, bound(layout, a, b) + 4 * np.finfo(dtype).eps * abs(expected))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_bias_and_activation_are_applied_once_at_the_end(isa, layout, dtype, rng):
    for m, n, k in itertools.product([0, 1, 11, 50], [0, 1, 10, 64, 100], [0, 1, 5, 300]):
        a, b = operands(layout, m, n, k, dtype, rng)
        bias = rng.normal(size=n).astype(dtype)
        c = np.full((m, n), np.nan, dtype)
        _core.matmul(layout, a, b, c, bias=bias, activation=NUMBER["relu"])
        error = bound(layout, a, b) + 4 * np.finfo(dtype).eps * abs(bias)
        assert_close(c, np.maximum(product(layout, a, b) + bias, 0), error)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("accumulate", [False, True])
def test_slope_multiplies_the_finished_product(isa, layout, dtype, accumulate, rng):
    for m, n, k in itertools.product([0, 1, 11], [0, 1, 70], [0, 1, 300]):
        a, b = operands(layout, m, n, k, dtype, rng)
        y = np.maximum(rng.normal(size=(m, n)), 0).astype(dtype)
        c = (rng.normal(size=(m, n)) if accumulate else np.full((m, n), np.nan)).astype(dtype)
        expected = ((c if accumulate else 0) + product(layout, a, b)) * (y > 0)
        _core.matmul(layout, a, b, c, accumulate=accumulate, slope=NUMBER["relu"], y=y)
        assert_close(c, expected, bound(layout, a, b) + 4 * np.finfo(dtype).eps * abs(expected))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_are_gathered_out_of_a_data_set(isa, layout, dtype, rng):
    """Also few of them, many times the same ones, and more than a panel of b holds."""
    for count, columns, n in itertools.product([0, 1, 20, 300], [0, 1, 33], [0, 1, 12, 65]):
        data = rng.normal(size=(50, columns)).astype(dtype)
        rows = rng.integers(0, 50, count)
        taken = data[rows]
        m, k = (columns, count) if layout == "tn" else (count, columns)
        _, b = operands(layout, m, n, k, dtype, rng)
        c = np.full((m, n), np.nan, dtype)
        _core.matmul(layout, data, b, c, rows=rows)
        assert_close(c, product(layout, taken, b), bound(layout, taken, b))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bits_do_not_depend_on_the_number_of_threads(isa, layout, rng):
    a, b = operands(layout, 200, 150, 300, np.float32, rng)
    before, results = _core.num_threads(), []
    for threads in (1, 2, 3, 5):
        _core.set_num_threads(threads)
        c = np.full((200, 150), np.nan, np.float32)
        _core.matmul(layout, a, b, c)
        results.append(c.tobytes())
    _core.set_num_threads(before)
    assert len(set(results)) == 1


def test_rows_of_equal_inputs_are_equal_whatever_tile_they_fall_into(isa, rng):
    a = np.repeat(rng.normal(size=(1, 40)).astype(np.float32), 50, axis=0)
    b = np.repeat(rng.normal(size=(40, 1)).astype(np.float32), 75, axis=1)
    c = np.full((50, 75), np.nan, np.float32)
    _core.matmul("nn", a, b, c)
    assert len(np.unique(c)) == 1


@pytest.mark.parametrize(
    "change, words",
    [
        ({"layout": "xx"}, ["'nn', 'nt', 'tn'", "xx"]),
        ({"b": np.zeros((4, 5), np.float32)}, ["layout 'nn'", "(2, 3)", "(4, 5)"]),
        ({"b": np.zeros((3, 5))}, ["float32", "float64"]),
        ({"a": np.zeros((2, 6), np.float32)[:, ::2]}, ["contiguous"]),
        ({"bias": np.zeros(4, np.float32)}, ["bias"]),
        ({"rows": np.array([0, 2])}, ["rows", "[0, 2)"]),
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
