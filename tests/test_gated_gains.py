"""The gain of a gated pair's kernels: by its equation, and in products of random kernels."""

import math

import numpy as np
import pytest
from reference_expectations import Z, deviation_of_square, expected

from initcore import activations, initializers, theory
from initcore.theory import GATED, Gated, gated_gain

GATES = [name for name in theory.with_gain() if name not in GATED]


@pytest.mark.parametrize("name", GATES)
def test_it_solves_its_equation(name):
    """By another quadrature, over u = gain z, whose kinks are at whole numbers."""
    gain, f = gated_gain(name), activations.get(name)
    density = np.exp(Z**2 / 2 - Z**2 / (2 * gain**2)) / gain  # by that of z
    assert gain**2 * expected(np.asarray(f(Z), float) ** 2 * density) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(
    "name, variance", [("bilinear", 1), ("reglu", math.sqrt(2)), ("swiglu", 1.610), ("glu", 2.982)]
)
def test_known_variances(name, variance):
    assert gated_gain(name) ** 2 == pytest.approx(variance, abs=5e-4)


@pytest.mark.parametrize("name", GATED)
def test_all_ways_to_say_the_same(name):
    gate = GATED[name]
    f = activations.get(gate)
    expected = pytest.approx(gated_gain(name), rel=1e-9)
    assert [gated_gain(way) for way in (gate, f, Gated(gate), Gated(f), lambda z: f(z))] == [expected] * 5
    assert gated_gain(None) == gated_gain("bilinear")


@pytest.mark.parametrize("scale", [1e-3, 30, 1e4])
def test_a_gate_of_any_size(scale):
    """gain^2 scale^2 gain^2 = 1."""
    assert gated_gain(lambda z: scale * z) == pytest.approx(scale**-0.5, rel=1e-9)


@pytest.mark.parametrize("name", GATED)
def test_auto_gives_a_product_of_second_moment_1(name):
    """All u and v are independent: the inputs are at right angles. theory.gain would give 3.3 for swiglu."""
    n = 512
    law = initializers.get("auto", name)
    assert law == initializers.auto(Gated(GATED[name]))
    u, v = (math.sqrt(n) * law((n, n), key, dtype="float64") for key in (1, 2))
    y = activations.get(GATED[name])(u) * v
    assert np.square(y).mean() == pytest.approx(1, abs=5 * deviation_of_square(GATED[name]) / n)


@pytest.mark.parametrize("wrong", ["swiglo", "softmax", np.zeros_like, np.sqrt, 3.0])
def test_what_has_none_is_refused(wrong):
    with pytest.raises((TypeError, ValueError)):
        gated_gain(wrong)
