"""The edge of chaos: published values, closed forms, sentences where there is none."""

import numpy as np
import pytest

from initcore import activations, theory
from initcore.theory import critical, fixed_point

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


def test_a_function_in_single_precision_may_be_homogeneous():
    edge = critical(lambda z: np.maximum(z, 0.25 * z).astype(np.float32))
    assert edge.q == 1 and edge.sigma_w == pytest.approx(critical("prelu").sigma_w, rel=1e-5)


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
    ],
)
def test_a_wrong_argument_is_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
