"""Softmax, prelu and rrelu in a plan, and where they differ from elementwise activations."""

import numpy as np
import pytest

from initcore import _core, activations
from initcore.plan import Plan

SHAPES = [(1, 1), (5, 1), (7, 16), (4, 17), (3, 100), (300, 65)]


def run(operation, rows, columns, isa_dtype=np.float32, fixed=(), **arrays):
    """Run one operation of a plan built for more rows than used; return every array as it is afterwards."""
    plan = Plan(batch_size=rows + 2, dtype=np.dtype(isa_dtype))
    buffers = {name: plan.fixed(columns) if name in fixed else plan.batch(columns) for name in arrays}
    options = {"log": arrays.pop("log")} if "log" in arrays else {}
    buffers.pop("log", None)
    plan.add("forward", operation, **buffers, **options)
    plan.build()
    for name, value in arrays.items():
        buffers[name].array[...] = np.nan
        if value is not None:
            buffers[name].array[: len(value)] = value
    plan.run(["forward"], rows=rows)
    return {name: b.array if name in fixed else b.array[:rows] for name, b in buffers.items()}


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_softmax_in_a_plan_is_softmax_of_an_array(shape, log, isa, rng):
    f = activations.get("log_softmax" if log else "softmax")
    x, dy = rng.normal(0, 3, (2, *shape)).astype(np.float32)
    y = run("softmax_forward", *shape, x=x, y=None, log=log)["y"]
    np.testing.assert_array_equal(y, f(x))
    dx = run("softmax_backward", *shape, dy=dy, y=y, dx=None, log=log)["dx"]
    np.testing.assert_array_equal(dx, f.backward(dy, x))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_is_stable_where_exp_is_not(dtype, isa):
    x = np.array([[1e4, 0, -1e4], [-1e4, -1e4, -1e4], [1e4, 1e4, -1e4]], dtype)
    y, log_y = activations.get("softmax")(x), activations.get("log_softmax")(x)
    np.testing.assert_allclose(y, [[1, 0, 0], [1 / 3] * 3, [0.5, 0.5, 0]], rtol=1e-6)
    expected = [[0, -1e4, -2e4], [-np.log(3)] * 3, [-np.log(2), -np.log(2), -2e4 - np.log(2)]]
    np.testing.assert_allclose(log_y, expected, rtol=1e-6)
    for f in activations.get("softmax"), activations.get("log_softmax"):
        assert np.isfinite(f.backward(np.ones_like(x), x)).all()


def test_softmax_sums_to_one_over_the_last_axis(isa, rng):
    y = activations.get("softmax")(rng.normal(0, 5, (2, 3, 40)).astype(np.float32))
    np.testing.assert_allclose(y.sum(-1, dtype=float), 1, atol=40 * 2.0**-24)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_prelu_has_one_slope_per_column(shape, dtype, isa, rng):
    rows, columns = shape
    x, dy = rng.normal(0, 1, (2, *shape)).astype(dtype)
    alpha = rng.uniform(-0.5, 1, columns).astype(dtype)
    y = run("prelu_forward", *shape, dtype, fixed=["alpha"], x=x, alpha=alpha, y=None)["y"]
    np.testing.assert_array_equal(y, np.where(x > 0, x, alpha * x))
    after = run(
        "prelu_backward",
        *shape,
        dtype,
        fixed=["alpha", "dalpha"],
        dy=dy,
        x=x,
        alpha=alpha,
        dx=None,
        dalpha=None,
    )
    np.testing.assert_array_equal(after["dx"], np.where(x > 0, dy, dy * alpha))
    terms = np.where(x > 0, 0, dy.astype(float) * x)
    bound = (rows + 2) * np.finfo(dtype).eps * np.abs(terms).sum(0)  # of a sum taken row by row
    assert (np.abs(after["dalpha"] - terms.sum(0)) <= bound).all()


def test_prelu_has_the_same_bits_on_any_number_of_threads(rng):
    x, dy = rng.normal(0, 1, (2, 2000, 201)).astype(np.float32)
    alpha = rng.uniform(0, 1, 201).astype(np.float32)
    before = _core.num_threads()
    results = []
    for threads in 1, 2, 3:
        _core.set_num_threads(threads)
        after = run(
            "prelu_backward",
            2000,
            201,
            fixed=["alpha", "dalpha"],
            dy=dy,
            x=x,
            alpha=alpha,
            dx=None,
            dalpha=None,
        )
        results.append((after["dx"].tobytes(), after["dalpha"].tobytes()))
    _core.set_num_threads(before)
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_rrelu_leaves_the_slopes_that_backward_multiplies_by(shape, dtype, isa, rng):
    x = rng.normal(0, 1, shape).astype(dtype)
    drawn = rng.uniform(1 / 8, 1 / 3, shape).astype(dtype)
    after = run("rrelu_forward", *shape, dtype, x=x, slopes=drawn, y=None)
    slopes = np.where(x > 0, dtype(1), drawn)
    np.testing.assert_array_equal(after["slopes"], slopes)
    np.testing.assert_array_equal(after["y"], slopes * x)


def test_rrelu_at_inference_has_the_mean_slope():
    f = activations.get("rrelu")
    assert f(-1.0) == pytest.approx(-(1 / 8 + 1 / 3) / 2)
    assert f.kernel_parameters[0] == pytest.approx((1 / 8 + 1 / 3) / 2)
