"""Batch normalization's operations: every dtype, size, tail and instruction set against float64 NumPy."""

import numpy as np
import pytest

from initcore import _core
from initcore.plan import Plan

DTYPES = [np.float32, np.float64]
# Around two vectors of every instruction set, and around a unit of 32 columns.
COLUMNS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65, 100]
ROWS = [1, 2, 5, 64]
EPSILON = 1e-3
dtypes = pytest.mark.parametrize("dtype", DTYPES)


class Arrays:
    """What the operations read and write, by name; outputs are poisoned."""

    def __init__(self, n, columns, dtype, rng):
        normal, positive = rng.normal(size=(5, columns)), rng.uniform(0.5, 2, (3, columns))
        self.x = (rng.normal(size=(n, columns)) * positive[0] + normal[0]).astype(dtype)
        self.dy = rng.normal(size=(n, columns)).astype(dtype)
        self.gamma, self.beta = positive[1].astype(dtype), normal[1].astype(dtype)
        self.moving_mean, self.moving_variance = normal[2].astype(dtype), positive[2].astype(dtype)
        self.y, self.dx = np.full_like(self.x, np.nan), np.full_like(self.x, np.nan)
        self.mean, self.inverse, self.dgamma, self.dbeta = (np.full(columns, np.nan, dtype) for _ in range(4))

    def run(self, operation, arrays, **numbers):
        plan = Plan(len(self.x), self.x.dtype)
        views = {name: plan.view(getattr(self, name)) for name in arrays.split()}
        for buffer in views.values():
            buffer.per_row = int(len(buffer.shape) == 2)
        plan.add("run", operation, **views, **numbers)
        plan.build()
        plan.run(["run"], len(self.x))

    def forward(self, momentum=0.9):
        self.run(
            "batch_norm_forward",
            "x gamma beta mean inverse moving_mean moving_variance y",
            epsilon=EPSILON,
            momentum=momentum,
        )

    def inference(self):
        self.run("batch_norm_inference", "x gamma beta moving_mean moving_variance y", epsilon=EPSILON)

    def backward(self):
        self.run("batch_norm_backward", "dy x gamma mean inverse dx dgamma dbeta")

    def inference_backward(self):
        self.run(
            "batch_norm_inference_backward",
            "dy x gamma moving_mean moving_variance dx dgamma dbeta",
            epsilon=EPSILON,
        )

    def exact(self, name):
        return getattr(self, name).astype(np.float64)


def every_size(dtype, rng):
    for n in ROWS:
        for columns in COLUMNS:
            yield n, Arrays(n, columns, dtype, rng)


def close(found, expected, n, size):
    """Whether it agrees but for the rounding of about n + 10 operations on numbers of that size."""
    return (abs(found - expected) <= (n + 10) * np.finfo(found.dtype).eps * (abs(expected) + size)).all()


@dtypes
def test_forward_normalizes_by_the_batch_and_moves_the_averages(dtype, isa, rng):
    for n, a in every_size(dtype, rng):
        x, moving_mean, moving_variance = a.exact("x"), a.exact("moving_mean"), a.exact("moving_variance")
        mean, variance = x.mean(axis=0), x.var(axis=0)
        inverse = 1 / np.sqrt(variance + EPSILON)
        a.forward(momentum=0.75)
        size = abs(x).max(axis=0)
        assert close(a.mean, mean, n, size)
        # The variance has the error of squares of size**2; the root turns that into half of it, times 1 / its
        # own variance: large where there is one row, and so no variance but epsilon.
        assert close(a.inverse, inverse, n, inverse**3 * size**2)
        assert close(a.moving_mean, 0.75 * moving_mean + 0.25 * mean, n, size)
        assert close(a.moving_variance, 0.75 * moving_variance + 0.25 * variance, n, size**2)
        y = a.exact("gamma") * (x - mean) * inverse + a.exact("beta")
        assert close(a.y, y, n, a.exact("gamma") * (inverse * size + inverse**3 * size**3) + abs(a.beta))


@dtypes
def test_inference_normalizes_by_the_moving_averages(dtype, isa, rng):
    for _, a in every_size(dtype, rng):
        kept = a.exact("moving_mean"), a.exact("moving_variance")
        scale = a.exact("gamma") / np.sqrt(kept[1] + EPSILON)
        expected = scale * (a.exact("x") - kept[0]) + a.exact("beta")
        a.inference()
        assert close(a.y, expected, 0, scale * (abs(a.exact("x")) + abs(kept[0])) + abs(a.beta))
        np.testing.assert_array_equal(a.moving_mean, kept[0])
        np.testing.assert_array_equal(a.moving_variance, kept[1])


@dtypes
def test_backward_is_the_formula_of_the_paper(dtype, isa, rng):
    """Ioffe & Szegedy 2015, arXiv:1502.03167, section 3, in the form that sums rows first."""
    for n, a in every_size(dtype, rng):
        a.forward()
        x, dy, mean, inverse = (a.exact(name) for name in ("x", "dy", "mean", "inverse"))
        x_hat = (x - mean) * inverse
        dgamma, dbeta = (dy * x_hat).sum(axis=0), dy.sum(axis=0)
        scale = a.exact("gamma") * inverse
        dx = scale * (dy - dbeta / n - x_hat * dgamma / n)
        a.backward()
        largest = inverse * (abs(x) + abs(mean)).max(axis=0)  # of x_hat's operands
        size = abs(dy).sum(axis=0)
        assert close(a.dbeta, dbeta, n, size)
        assert close(a.dgamma, dgamma, n, size * largest)
        assert close(a.dx, dx, n, scale * (size + largest**2 * size))


@dtypes
def test_backward_at_inference_takes_the_averages_as_constants(dtype, isa, rng):
    for n, a in every_size(dtype, rng):
        x, dy, mean = a.exact("x"), a.exact("dy"), a.exact("moving_mean")
        inverse = 1 / np.sqrt(a.exact("moving_variance") + EPSILON)
        a.inference_backward()
        size = abs(dy).sum(axis=0)
        largest = inverse * (abs(x) + abs(mean)).max(axis=0)
        assert close(a.dx, a.exact("gamma") * inverse * dy, 0, 0)
        assert close(a.dbeta, dy.sum(axis=0), n, size)
        assert close(a.dgamma, (dy * (x - mean) * inverse).sum(axis=0), n, size * largest)


@dtypes
def test_a_mean_far_from_zero_does_not_cost_the_variance(dtype, isa, rng):
    offset = 2.0 ** (np.finfo(dtype).nmant // 2)
    a = Arrays(64, 37, dtype, rng)
    a.x = (rng.integers(-8, 8, a.x.shape) + offset).astype(dtype)
    a.y = np.full_like(a.x, np.nan)
    a.forward()
    expected = 1 / np.sqrt(a.x.astype(np.float64).var(axis=0) + EPSILON)
    np.testing.assert_allclose(a.inverse, expected, rtol=1000 * np.finfo(dtype).eps)


@dtypes
def test_bits_do_not_depend_on_the_number_of_threads(dtype, isa):
    before, found = _core.num_threads(), []
    try:
        for threads in (1, 2, 3, 5):
            _core.set_num_threads(threads)
            a = Arrays(401, 403, dtype, np.random.default_rng(1))
            for step in (a.forward, a.backward, a.inference):
                step()
            found.append(
                [
                    getattr(a, name).tobytes()
                    for name in ("y", "mean", "inverse", "moving_variance", "dx", "dgamma", "dbeta")
                ]
            )
            a.inference_backward()
            found[-1].append(a.dx.tobytes() + a.dgamma.tobytes())
    finally:
        _core.set_num_threads(before)
    assert found == found[:1] * 4


@pytest.mark.parametrize("name", ["gamma", "beta", "mean", "inverse", "moving_mean", "moving_variance"])
def test_vectors_must_have_one_element_per_column(name, rng):
    a = Arrays(2, 5, np.float32, rng)
    setattr(a, name, np.zeros(4, np.float32))
    with pytest.raises(ValueError, match=f"{name} must have one element per column"):
        a.forward()


@pytest.mark.parametrize("name", ["dy", "dx"])
def test_gradients_must_have_the_shape_of_x(name, rng):
    a = Arrays(2, 5, np.float32, rng)
    setattr(a, name, np.zeros((2, 4), np.float32))
    with pytest.raises(ValueError, match="same shape"):
        a.backward()
