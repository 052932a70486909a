"""Expectations of products of correlated numbers: closed forms, and Gauss-Hermite over the plane."""

import math

import numpy as np
import pytest
from reference_expectations import correlated as over_the_plane

from initcore import activations
from initcore.correlations import correlated

CORRELATIONS = [-1.0, -0.9, -0.3, 0.0, 0.1, 0.7, 0.99, 1 - 1e-6, 1 - 1e-12, 1.0]


@pytest.mark.parametrize("c", CORRELATIONS)
@pytest.mark.parametrize("q", [1.0, 7.0])
def test_closed_forms(c, q):
    """Of a kink: Cho & Saul 2009, equation 6; of a jump: of an orthant, Sheppard 1899; of a product: c."""
    angle = math.acos(c)
    kinked = (math.sqrt(1 - c * c) + c * (math.pi - angle)) / (2 * math.pi)
    assert correlated(activations.get("relu"), q, c) == pytest.approx(q * kinked, abs=1e-11 * q)
    step = activations.get("step")
    assert correlated(step, q, c) == pytest.approx((math.pi - angle) / (2 * math.pi), abs=1e-10)
    assert correlated(lambda x: x, q, c) == pytest.approx(q * c, abs=1e-11 * q)
    assert correlated(np.sin, q, c) == pytest.approx(math.exp(-q) * math.sinh(q * c), abs=1e-11)


@pytest.mark.parametrize("c", [-0.8, 0.4, 0.95])
@pytest.mark.parametrize("name", ["tanh", "gelu", "softplus", "mish"])
def test_smooth_functions(name, c):
    f = activations.get(name)
    assert correlated(f, 0.8, c) == pytest.approx(over_the_plane(f, 0.8, c), abs=1e-9)


@pytest.mark.parametrize("at", [0.3, -1.234])
def test_a_kink_may_be_anywhere(at, rng):
    """max(x - a, 0) = max(-(a - x), 0): the same by symmetry, from the other side; and from a sample."""
    right, left = (correlated(lambda x, s=s: np.maximum(s * x - at, 0), 2.0, 0.6) for s in (1, -1))
    assert right == pytest.approx(left, abs=1e-12)
    z, y = math.sqrt(2) * rng.standard_normal((2, 1_000_000))
    sample = np.maximum(z - at, 0) * np.maximum(0.6 * z + 0.8 * y - at, 0)
    assert abs(right - sample.mean()) < 5 * sample.std() / 1000
