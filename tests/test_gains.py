"""Gains against published and closed-form constants, and against another quadrature."""

import math

import numpy as np
import pytest
from reference_expectations import Z, expected, slopes

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


FUNCTIONS = {
    name: getattr(np, name)
    for name in ("where", "maximum", "minimum", "exp", "log", "log1p", "expm1", "tanh", "abs", "clip")
} | {"erf": np.vectorize(math.erf)}
KINDS = [name for name in activations.names() if "softmax" not in name]


@pytest.mark.parametrize("name", KINDS)
def test_gain_is_that_of_another_quadrature_of_the_formula(name):
    """Neither the quadrature, nor the kernel, nor its slope are those that the gain is computed with."""
    f = activations.get(name)
    values = eval(f.formula, {"__builtins__": {}}, FUNCTIONS | f.parameters | {"x": Z}) * np.ones_like(Z)
    gain = theory.gain(name)
    assert gain.forward == pytest.approx(expected(values**2) ** -0.5, abs=1e-9)
    if name != "step":  # whose jump has no slope to find
        assert gain.backward == pytest.approx(expected(slopes(values) ** 2) ** -0.5, abs=1e-9)


@pytest.mark.parametrize("name", KINDS)
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
        (math.erf, 1.467166950, 1.325218353),
        (lambda z: np.maximum(z, 0) ** 2, 0.816496581, 0.707106781),
        (lambda z: np.maximum(z, 0), 1.414213562, 1.414213562),
    ],
)
def test_gain_of_any_function(function, forward, backward):
    gain = theory.gain(function)
    assert gain.forward == pytest.approx(forward, abs=1.1e-9)
    assert gain.backward == pytest.approx(backward, abs=1.1e-9)


@pytest.mark.parametrize("name", KINDS)
def test_gain_of_a_function_is_that_of_the_name(name):
    """Without its slope, as if it came from elsewhere."""
    f = activations.get(name)
    gain = theory.gain(lambda z: f(z))
    assert gain.forward == pytest.approx(theory.gain(name).forward, rel=1e-9)
    assert gain.backward == pytest.approx(theory.gain(name).backward, rel=1e-9)


@pytest.mark.parametrize("gate", [*theory.GATED, "tanh", np.sin])
def test_gain_of_a_gated_pair_keeps_the_second_moment(gate, rng):
    """From a sample, within five standard errors; the gradient goes through both kernels, of 6 units each."""
    pair = theory.GATED.get(gate, gate) if isinstance(gate, str) else gate
    gain = theory.gain(gate if gate in theory.GATED else theory.Gated(gate))
    f = activations.get(pair) if isinstance(pair, str) else pair
    slope = np.cos if gate is np.sin else f.slope
    u, v = rng.standard_normal((2, 200_000))
    forward = np.square(f(u) * v) * gain.forward**2
    units, n = 6, 20_000
    u, v, g = rng.standard_normal((3, n, units))
    w_u, w_v = gain.backward / math.sqrt(units) * rng.standard_normal((2, n, units))
    dx = (g * slope(u) * v * w_u + g * f(u) * w_v).sum(axis=1)
    for square in (forward, np.square(dx)):
        assert abs(square.mean() - 1) <= 5 * square.std() / math.sqrt(square.size)


def test_gain_of_a_gated_pair_is_derived():
    assert theory.gain("bilinear") == theory.Gain(1, pytest.approx(math.sqrt(0.5)))
    assert theory.gain("reglu").backward == pytest.approx(1)  # E[f^2] = E[f'^2] = 1/2
    for name, gate in theory.GATED.items():
        assert theory.gain(name).forward == theory.gain(gate).forward
    assert theory.gain(theory.Gated(np.zeros_like)) == theory.Gain(math.inf, math.inf)


def test_gain_of_an_unknown_name():
    with pytest.raises(ValueError, match="Did you mean 'tanh'"):
        theory.gain("tahn")
    with pytest.raises(ValueError, match="Did you mean 'swiglu'"):
        theory.gain("swiglo")
    with pytest.raises(ValueError, match="activation must be one of"):
        theory.gain(3)


def test_a_row_activation_has_no_gain():
    with pytest.raises(ValueError, match="whole rows"):
        theory.gain("softmax")


@pytest.mark.parametrize("function", [np.sqrt, np.log, math.sqrt, lambda z: np.exp(z * z / 4)])
def test_a_function_without_a_second_moment_has_no_gain(function):
    with pytest.raises((ValueError, TypeError), match=r"must have a second moment|a number to a number"):
        theory.gain(function)


@pytest.mark.parametrize("name", [*theory.GATED, "relu"])
def test_the_formula_of_a_name(name):
    gate = theory.formula(name)
    assert ("u" in gate and "v" in gate) == (name in theory.GATED)
