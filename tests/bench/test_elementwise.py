"""NumPy's and PyTorch's activations compute what ours do: the time is that of the same mathematics."""

import numpy as np
import pytest

from initcore import activations
from initcore.bench import elementwise

TOLERANCE = 2e-6  # of values below 7; the error function's formula is good to 5e-7


@pytest.mark.parametrize("name", elementwise.FORWARD)
def test_numpy_computes_the_same(name, rng):
    f, x, dy = activations.get(name), rng.normal(0, 2, 1000).astype("f"), rng.normal(size=1000).astype("f")
    y, dx = np.full((2, 1000), np.nan, "f")
    elementwise.FORWARD[name](x, y)
    assert abs(y - f(x)).max() <= TOLERANCE
    elementwise.SLOPE[name](dy, x, y, dx)
    assert abs(dx - dy * f.slope(x)).max() <= TOLERANCE


@pytest.mark.peers
@pytest.mark.parametrize("name", elementwise.FORWARD)
def test_pytorch_computes_the_same(name, rng):
    pytest.importorskip("torch", reason="compares with PyTorch")
    f, x, dy = activations.get(name), rng.normal(0, 2, 1000).astype("f"), rng.normal(size=1000).astype("f")
    y = f(x)
    assert abs(elementwise.in_torch(name, x)().numpy() - y).max() <= TOLERANCE
    slope = elementwise.slope_in_torch(name, dy, x, y)
    assert abs(slope().numpy() - dy * f.slope(x)).max() <= TOLERANCE


def test_both_lists_have_the_same_names():
    assert elementwise.FORWARD.keys() == elementwise.SLOPE.keys()


def test_erf_may_run_in_place(rng):
    x = rng.normal(size=100).astype("f")
    y, z = np.empty_like(x), x.copy()
    elementwise.erf(x, y)
    elementwise.erf(z, z)
    assert (y == z).all() and (np.sign(y) == np.sign(x)).all()
