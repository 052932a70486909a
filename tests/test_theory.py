"""Gains against published and closed-form constants."""

import math

import numpy as np
import pytest

from initcore import activations, theory

# 1 / sqrt(E[f^2]) and 1 / sqrt(E[f'^2]), to ten digits, computed with mpmath.quad.
GAINS = [
    ("identity", {}, 1, 1),
    ("relu", {}, 1.414213562, 1.414213562),
    ("leaky_relu", {}, 1.414142857, 1.414142857),
    ("leaky_relu", {"negative_slope": 0.2}, 1.386750491, 1.386750491),
    ("tanh", {}, 1.592537420, 1.467413592),
    ("sigmoid", {}, 1.846228545, 4.722646086),
    ("gelu", {}, 1.533530441, 1.481114413),
    ("silu", {}, 1.676532470, 1.623320258),
    ("hard_sigmoid", {}, 1.897840425, 6.008115825),
    ("elu", {}, 1.245198301, 1.223428558),
    ("selu", {}, 1, 0.966025777),
    ("softplus", {}, 1.041866836, 1.846228545),
    ("mish", {}, 1.486847581, 1.444755233),
    ("softsign", {}, 2.337533363, 2.095780609),
    ("hard_swish", {}, 1.736657213, 1.670076367),
    ("hard_tanh", {}, 1.392036140, 1.210287062),
    ("exponential", {}, math.exp(-1), math.exp(-1)),
    ("step", {}, math.sqrt(2), math.inf),
]


@pytest.mark.parametrize(("name", "parameters", "forward", "backward"), GAINS)
def test_gain_of_a_name(name, parameters, forward, backward, isa):
    f = activations.get(name, **parameters)
    gain = theory.gain(f)
    assert gain.forward == pytest.approx(forward, abs=1.1e-9)
    assert gain.backward == pytest.approx(backward, abs=1.1e-9)
    assert f.gain == gain.forward
    if not parameters:
        assert theory.gain(name) == gain


@pytest.mark.parametrize("name", [name for name in activations.names() if "softmax" not in name])
def test_gain_keeps_the_second_moment(name):
    """The same from a sample, within five standard errors of it."""
    f = activations.get(name)
    gain = theory.gain(name)
    z = np.random.default_rng(0).standard_normal(200_000)
    for values, factor in (f(z), gain.forward), (f.slope(z), gain.backward):
        square = (np.square(values) * factor**2) if math.isfinite(factor) else np.ones(1)
        assert abs(square.mean() - 1) <= 5 * square.std() / math.sqrt(square.size) + 1e-9


@pytest.mark.parametrize(
    ("function", "forward", "backward"),
    [
        (np.sin, 1.520866623, 1.327250600),
        (lambda z: np.maximum(z, 0) ** 2, 0.816496581, 0.707106781),
        (lambda z: np.maximum(z, 0), 1.414213562, 1.414213562),
    ],
)
def test_gain_of_any_function(function, forward, backward):
    gain = theory.gain(function)
    assert gain.forward == pytest.approx(forward, abs=1.1e-9)
    assert gain.backward == pytest.approx(backward, abs=1.1e-9)


def test_gain_of_an_unknown_name():
    with pytest.raises(ValueError, match="Did you mean 'tanh'"):
        theory.gain("tahn")


def test_a_row_activation_has_no_gain():
    with pytest.raises(ValueError, match="whole rows"):
        theory.gain("softmax")
