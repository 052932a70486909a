"""Fixed points and the edge of chaos: published values, closed forms, other quadratures, wide networks."""

import math

import numpy as np
import pytest
from reference_expectations import correlated

import initcore as ic
from initcore import activations, theory
from initcore.theory import critical, fixed_point


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


@pytest.mark.parametrize("f", ["tanh", "gelu", "softsign"])
def test_a_signal_may_fade(f):
    found = fixed_point(f, 0.5)
    slope = float(activations.get(f).slope(0.0))
    assert found.q == 0 and found.c == 1 and found.chi == pytest.approx(0.5 * slope**2)


# The edge of chaos

# Of tanh: sigma_b^2, sigma_w^2, q. At the second Xiao et al. 2018, arXiv:1806.05393, train 10000 layers.
EDGE = [
    (0.0, 1.0, 0.0),
    (2.01e-5, 1.049996, 0.025919),
    (1e-3, 1.189190, 0.107292),
    (0.01, 1.424205, 0.273301),
    (0.05, 1.760955, 0.570048),
    (0.1, 1.986073, 0.805799),
    (0.2, 2.285152, 1.164496),
]


@pytest.mark.parametrize(("b", "w", "q"), EDGE)
@pytest.mark.parametrize("f", ["tanh", np.tanh])
def test_edge_of_tanh(f, b, w, q):
    found = critical(f, b)
    assert found.sigma_w**2 == pytest.approx(w, abs=1e-6) and found.q == pytest.approx(q, abs=1e-6)
    assert found.sigma_b**2 == pytest.approx(b) and found.chi == 1


# Roberts, Yaida & Hanin 2022, arXiv:2106.10165, section 5.3.4: sigma_w^2, sigma_b^2, q where it is given.
HALF_STABLE = [("silu", 1.98800468, 0.55514317, 14.32017362), ("gelu", 1.98305826, 0.17292239, None)]


@pytest.mark.parametrize(("f", "w", "b", "q"), HALF_STABLE)
def test_edge_of_silu_and_gelu(f, w, b, q):
    found = critical(f)
    assert found.sigma_w**2 == pytest.approx(w, abs=1e-8) and found.sigma_b**2 == pytest.approx(b, abs=1e-8)
    assert q is None or found.q == pytest.approx(q, rel=1e-6)
    with pytest.raises(ValueError, match=f"From a bias variance of {b:.6f}"):
        critical(f, b * 0.99)
    assert critical(f, b * 1.01).q > found.q


KINDS = [name for name in activations.names() if "softmax" not in name]
WITHOUT = {"step": "flat", "softplus": "no critical point", "exponential": "no critical point"}


HOMOGENEOUS = {"identity", "relu", "leaky_relu", "prelu", "rrelu"}


@pytest.mark.parametrize("f", [name for name in KINDS if name not in {*WITHOUT, *HOMOGENEOUS}])
def test_what_is_critical_is_a_fixed_point_with_chi_1(f):
    """By a little more bias than the least: there signals of length 1 come to it as fast as by a power."""
    b = critical(f).sigma_b ** 2 + 0.1
    edge = critical(f, b)
    found = fixed_point(f, edge.sigma_w**2, b)
    assert found.chi == pytest.approx(1, abs=1e-9) and found.q == pytest.approx(edge.q, rel=1e-8)
    assert found.c == pytest.approx(1, abs=1e-4) and found.xi_c > 1e6 and found.xi_q > 0


@pytest.mark.parametrize("f", sorted(WITHOUT))
@pytest.mark.parametrize("b", [None, 0.0, 1.0])
def test_what_is_critical_nowhere_is_a_sentence(f, b):
    with pytest.raises(ValueError, match=WITHOUT[f]):
        critical(f, b)


@pytest.mark.parametrize("f", sorted(HOMOGENEOUS))
def test_what_keeps_every_length_is_critical_only_without_bias(f):
    edge = critical(f)
    assert edge == critical(f, 0.0) and edge.sigma_w == pytest.approx(theory.gain(f).backward)
    assert fixed_point(f, edge.sigma_w**2).chi == pytest.approx(1)
    with pytest.raises(ValueError, match="only without bias"):
        critical(f, 0.1)


def test_relu_is_critical_at_2_and_0_only():
    assert critical("relu").sigma_w ** 2 == pytest.approx(2) and critical("relu", 0).sigma_b == 0
    with pytest.raises(ValueError, match=r"at sigma_w2 = 2 and bias variance 0, got 0.1"):
        critical("relu", 0.1)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: critical("tanh", -0.1), "bias_variance must lie in"),
        (lambda: critical("tahn"), "Did you mean 'tanh'"),
        (lambda: critical("softmax"), "whole rows"),
        (lambda: critical(np.zeros_like), "flat"),
        (lambda: fixed_point("tanh", -1), "sigma_w2 must lie in"),
        (lambda: fixed_point("tanh", 1, math.nan), "sigma_b2 must lie in"),
        (lambda: fixed_point("softmax", 1), "whole rows"),
    ],
)
def test_a_wrong_argument_is_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


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
