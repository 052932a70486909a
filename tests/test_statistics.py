"""Moments against float64 NumPy, on every instruction set."""

import numpy as np
import pytest

from initcore import _core
from initcore.statistics import moments

# Columns below, at and above the vector widths and the number from which rows are no longer folded together.
SHAPES = [
    (1, 1),
    (2, 1),
    (1, 70),
    (5, 3),
    (1000, 1),
    (999, 10),
    (333, 15),
    (100, 16),
    (77, 63),
    (77, 64),
    (50, 130),
]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)


@shapes
@dtypes
def test_moments_are_those_of_numpy(shape, dtype, isa, rng):
    x = np.maximum(rng.normal(0.5, 1, shape), 0).astype(dtype)
    found = moments(x, low=0.25, high=1.5)
    wide = x.astype(np.float64)
    # Sums of n numbers in float64, merged from blocks: a few roundings for each.
    rel = shape[0] * np.finfo(np.float64).eps
    np.testing.assert_allclose(found.mean, wide.mean(0), rtol=4 * rel, atol=rel)
    np.testing.assert_allclose(found.variance, wide.var(0), rtol=8 * rel, atol=rel)
    np.testing.assert_array_equal(found.max_abs, np.abs(wide).max(0))
    for share, expected in [
        (found.zero, x == 0),
        (found.saturated, (x <= 0.25) | (x >= 1.5)),
        (found.nonfinite, ~np.isfinite(x)),
    ]:
        np.testing.assert_array_equal(share, expected.sum(0) / shape[0])
    layer = found.layer()
    assert layer.count == x.size
    assert layer.mean == pytest.approx(wide.mean(), rel=1e-12, abs=1e-14)
    assert layer.variance == pytest.approx(wide.var(), rel=1e-12, abs=1e-14)
    assert layer.max_abs == np.abs(wide).max()
    assert layer.zero == pytest.approx((x == 0).mean())


@dtypes
def test_variance_keeps_its_digits_far_from_zero(dtype, isa, rng):
    x = (2.0**20 + np.round(rng.normal(0, 8, (4001, 3)))).astype(dtype)
    found = moments(x)
    np.testing.assert_allclose(found.variance, x.astype(np.float64).var(0), rtol=1e-9)
    np.testing.assert_array_equal(moments(np.full((1000, 3), dtype(0.1))).variance, 0)


@dtypes
def test_values_that_are_not_finite_are_counted(dtype, isa):
    x = np.array([[1, np.nan, np.inf, -3], [2, 5, 1, -np.inf]], dtype)
    found = moments(x)
    np.testing.assert_array_equal(found.nonfinite, [0, 0.5, 0.5, 0.5])
    np.testing.assert_array_equal(found.max_abs, [2, 5, np.inf, np.inf])
    assert found.mean[0] == 1.5
    assert not np.isfinite(found.mean[1:]).any()
    assert found.layer().nonfinite == 3 / 8


def test_bits_do_not_depend_on_the_number_of_threads(isa, rng):
    before = _core.num_threads()
    try:
        for shape in [(500_003, 1), (60_001, 10), (2003, 300)]:
            x = rng.normal(0, 1, shape).astype(np.float32)
            results = []
            for threads in (1, 2, 3):
                _core.set_num_threads(threads)
                found = moments(x)
                results.append(np.stack([found.mean, found.variance, found.zero]))
            np.testing.assert_array_equal(results[1], results[0])
            np.testing.assert_array_equal(results[2], results[0])
    finally:
        _core.set_num_threads(before)


def test_axes_after_the_first_are_taken_as_one(rng):
    x = rng.normal(0, 1, (6, 2, 3))
    np.testing.assert_array_equal(moments(x).mean, moments(x.reshape(6, 6)).mean)
    np.testing.assert_array_equal(moments(x[:, 0, 0]).mean, moments(x).mean[:1])
    np.testing.assert_array_equal(moments(np.array([[1, 2], [3, 4]], ">i2")).mean, [2, 3])


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0)], ids=str)
def test_empty_arrays_are_refused(shape):
    with pytest.raises(ValueError, match="at least one row"):
        moments(np.zeros(shape))


def test_arrays_that_hold_no_numbers_are_refused():
    with pytest.raises(TypeError, match="real numbers"):
        moments(["a"])


def test_thresholds_must_be_in_order():
    with pytest.raises(ValueError, match="low must be less than high"):
        moments([1.0], low=1, high=1)
