"""Lengths and correlations of signals: published values, closed forms, other quadratures, wide networks."""

import math

import numpy as np
import pytest
from reference_expectations import correlated

import initcore as ic
from initcore import activations
from initcore.theory import critical, fixed_point, propagate


def tanh_slope(z):
    return 1 - np.tanh(z) ** 2


# tanh with biases of variance 0.05: sigma_w^2, q, chi, and xi_c where that is on the side of order.
TANH = [
    (1.0, 0.193593, 0.759032, 3.6270),
    (1.3, 0.315316, 0.880164, 7.8341),
    (1.5, 0.418037, 0.938636, 15.791),
    (1.7, 0.533076, 0.986741, 74.918),
    (2.0, 0.721762, 1.047666, None),
    (2.5, 1.063958, 1.133516, None),
    (4.0, 2.195494, 1.342402, None),
]


@pytest.mark.parametrize(("w", "q", "chi", "xi"), TANH)
@pytest.mark.parametrize("f", ["tanh", np.tanh, math.tanh])
def test_fixed_points_of_tanh(f, w, q, chi, xi):
    found = fixed_point(f, w, 0.05)
    assert found.q == pytest.approx(q, abs=1e-6) and found.chi == pytest.approx(chi, abs=1e-6)
    if xi:
        assert found.xi_c == pytest.approx(xi, rel=2e-5) and found.c == 1


@pytest.mark.parametrize("w", [row[0] for row in TANH if row[3] is None])
@pytest.mark.parametrize("b", [0.0, 0.05])
def test_two_inputs_part_in_chaos(w, b):
    """By Gauss-Hermite over the plane, c is a fixed point of the correlation's map, and xi_c of its slope."""
    q, _, xi, _, c = fixed_point("tanh", w, b)
    assert 0 <= c < 1
    assert (w * correlated(np.tanh, q, c) + b) / q == pytest.approx(c, abs=1e-9)
    assert -1 / math.log(w * correlated(tanh_slope, q, c)) == pytest.approx(
        xi, rel=1e-6
    )  # what 120 nodes give at w = 4


def test_two_inputs_part_with_a_kinked_function(rng):
    """From 2 million pairs, within five standard errors."""
    f = activations.get("hard_tanh")
    q, chi, _, _, c = fixed_point("hard_tanh", 2.0, 0.05)
    z, y = rng.standard_normal((2, 2_000_000))
    product = f(math.sqrt(q) * z) * f(math.sqrt(q) * (c * z + math.sqrt(1 - c * c) * y))
    error = 2.0 * product.std() / math.sqrt(product.size) / q
    assert abs((2 * product.mean() + 0.05) / q - c) < 5 * error and chi > 1


def test_next_to_the_edge_the_correlation_is_next_to_1():
    """With c = 1 - e, the map is 1 - chi e + V e^2 / 2 for small e, where V = sigma_w^2 q E[f''^2]."""
    w = critical("tanh", 0.05).sigma_w ** 2 + 1e-3
    found = fixed_point("tanh", w, 0.05)
    curvature = w * found.q * correlated(lambda z: -2 * np.tanh(z) * tanh_slope(z), found.q, 1.0)
    assert 1 - found.c == pytest.approx(2 * (found.chi - 1) / curvature, rel=0.02)


@pytest.mark.parametrize("above", [1e-3, 0.1])
def test_next_to_the_edge_with_a_kink(above):
    """There the series of the correlation's map converges slowly, so the integral itself is asked."""
    f = activations.get("hard_tanh")
    w = critical(f, 0.05).sigma_w ** 2 + above
    found = fixed_point(f, w, 0.05)
    after = propagate(f, w, 0.05, layers=2, q=found.q, c=found.c)[1]
    assert after.c == pytest.approx(found.c, abs=1e-10) and 0.5 < found.c < 1 < found.chi
    away = (1 - found.c) / 100
    nearby = propagate(f, w, 0.05, layers=2, q=found.q, c=found.c - away)[1]
    assert -1 / math.log((found.c - nearby.c) / away) == pytest.approx(found.xi_c, rel=0.02)


@pytest.mark.parametrize("w", [0.5, 1.5])
@pytest.mark.parametrize("b", [0.0, 0.1])
def test_relu_in_closed_form(w, b):
    """q = b / (1 - w / 2), chi = w / 2, and both lengths and correlations go by powers of it."""
    found = fixed_point("relu", w, b)
    assert found.q == pytest.approx(b / (1 - w / 2), abs=1e-9) and found.chi == pytest.approx(w / 2)
    assert found.xi_c == pytest.approx(-1 / math.log(w / 2)) == pytest.approx(found.xi_q) and found.c == 1


def test_xi_q_is_how_fast_lengths_settle():
    w, b = 1.5, 0.05
    q, _, _, xi, _ = fixed_point("tanh", w, b)
    length = q * 1.001
    for _ in range(3):
        nearer = w * correlated(np.tanh, length, 1.0) + b
        assert -1 / math.log((nearer - q) / (length - q)) == pytest.approx(xi, rel=2e-3)
        length = nearer


@pytest.mark.parametrize(("f", "w"), [("relu", 3.0), ("gelu", 4.0), ("exponential", 2.0), (np.square, 2.0)])
def test_a_signal_that_grows_without_bound_is_a_sentence(f, w):
    with pytest.raises(ValueError, match=r"has no fixed point: the signal grows without bound"):
        fixed_point(f, w, 0.5)


def test_lengths_may_come_from_both_sides_in_turn():
    """f = exp(-x^2 / 2): q -> w / sqrt(1 + 2 q) falls, so lengths jump over the fixed point, ever less."""
    q, _, _, xi, _ = fixed_point(lambda x: np.exp(-x * x / 2), 3.0)
    assert q == pytest.approx(3 / math.sqrt(1 + 2 * q))
    slope = -3 * (1 + 2 * q) ** -1.5
    assert -1 < slope < 0 and xi == pytest.approx(-1 / math.log(-slope))


@pytest.mark.parametrize("f", ["tanh", "gelu", "softsign"])
def test_a_signal_may_fade(f):
    found = fixed_point(f, 0.5)
    slope = float(activations.get(f).slope(0.0))
    assert found.q == 0 and found.c == 1 and found.chi == pytest.approx(0.5 * slope**2)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: fixed_point("tanh", -1), "sigma_w2 must lie in"),
        (lambda: fixed_point("tanh", 1, math.nan), "sigma_b2 must lie in"),
        (lambda: fixed_point("softmax", 1), "whole rows"),
        (lambda: fixed_point("tahn", 1), "Did you mean 'tanh'"),
        (lambda: propagate("tanh", 1, layers=0), "layers must be at least 1"),
        (lambda: propagate("tanh", 1, layers=2, q=0), "q must lie in"),
        (lambda: propagate("tanh", 1, layers=2, c=1.1), "c must lie in"),
        (lambda: propagate("exponential", 9, layers=9), "a signal without bound"),
    ],
)
def test_a_wrong_argument_is_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


# Layer after layer


@pytest.mark.parametrize(
    ("c", "way"), [(0.0, [1 / math.pi, 0.4937310902, 0.6048257201]), (-1.0, [0.0, 1 / math.pi])]
)
def test_correlations_of_relu(c, way):
    """Cho & Saul 2009, equation 6 for n = 1: c -> (sqrt(1 - c^2) + c (pi - arccos c)) / pi."""
    signals = propagate("relu", 2.0, layers=len(way) + 1, c=c)
    assert [signal.c for signal in signals[1:]] == pytest.approx(way, abs=1e-10)
    assert {round(signal.q, 9) for signal in signals} == {round(signal.chi, 9) for signal in signals} == {1.0}


def test_what_is_propagated_goes_to_the_fixed_point():
    q, chi, xi, _, c = fixed_point("tanh", 2.0, 0.05)
    signals = propagate("tanh", 2.0, 0.05, layers=9, q=1.0, c=c - 0.1)
    assert signals[0] == (1.0, c - 0.1, pytest.approx(2 * theory_slope(1.0)))
    assert signals[-1].q == pytest.approx(q, abs=1e-3) and signals[-1].chi == pytest.approx(chi, abs=1e-3)
    near = propagate("tanh", 2.0, 0.05, layers=2, q=q, c=c + 1e-4)
    assert -1 / math.log((near[1].c - c) / 1e-4) == pytest.approx(xi, rel=1e-2)
    assert propagate("tanh", 2.0, layers=2)[1].c is None


def theory_slope(q):
    return correlated(tanh_slope, q, 1.0)


def test_inputs_of_a_linear_network_keep_their_angle():
    signals = propagate(None, 1.0, layers=3, q=4.0, c=-0.25)
    assert [tuple(signal) for signal in signals] == [pytest.approx((4.0, -0.25, 1.0))] * 3


@pytest.mark.parametrize("w", [1.3, 2.5])
def test_a_wide_network_goes_where_theory_says(w, rng):
    """Fifteen layers of 1000 units: variance of the pre-activations, and correlation of two inputs."""
    width, depth, b = 1000, 15, 0.05
    theirs = fixed_point("tanh", w, b)
    law = ic.initializers.VarianceScaling(w, "fan_in", "normal")
    bias = ic.initializers.RandomNormal(0, b**0.5)
    hidden = {"activation": "tanh", "kernel_initializer": law, "bias_initializer": bias}
    layers = [ic.Dense(width, **hidden) for _ in range(depth)]
    model = ic.Sequential([*layers, ic.Dense(width, kernel_initializer=law)], input_shape=(width,), seed=3)
    x = rng.normal(size=(2, width))
    x[1] = 0.9 * x[0] + math.sqrt(1 - 0.81) * x[1]
    z = model.predict(x).astype(float)
    q, c = np.mean(z**2), np.mean(z[0] * z[1]) / np.mean(z**2)
    on_the_way = math.exp(-(depth + 1) / theirs.xi_c)
    # Each layer's mean square has the relative standard error sqrt(2 / width), and what came before fades
    # over xi_q layers, in the correlation over xi_c. The last layer's biases are 0.
    assert q + b == pytest.approx(theirs.q, rel=6 * math.sqrt(2 / width * max(1, theirs.xi_q)))
    spread = 6 * math.sqrt(max(1, theirs.xi_c) / width)
    assert (c * q + b) / (q + b) == pytest.approx(theirs.c, abs=on_the_way + spread)
