"""Which activations a deep stack keeps at the fixed point of their gain: by theory and in networks."""

import math

import numpy as np
import pytest

import initcore as ic
from initcore import activations, meanfield, quadrature, theory
from initcore.theory import GATED, Gated, propagate, stability

PLAIN = [name for name in theory.with_gain() if name not in GATED]
plain = pytest.mark.parametrize("name", PLAIN)
WIDTH, DEPTH = 1024, 30


def deep(f, layers, start=None):
    """The second moment before the last of so many activations, from inputs of 1; infinite without bound."""
    w = theory.gain(f).forward ** 2
    try:
        return propagate(f, w, layers=layers, q=start or w)[-1].q
    except ValueError:
        return math.inf


@plain
def test_fifty_layers_stay_or_leave_as_the_slope_says(name):
    first, last, found = deep(name, 1), deep(name, 50), stability(name)
    if found.repels:
        assert deep(name, 50, start=1.5) > 10 and found.growth > 1
    else:  # never further from 1 than at first, and drawn to it by a slope below 1
        left = 0.01 if found.slope < 0.95 else 1 + 1e-4
        assert abs(last - 1) <= left * max(abs(first - 1), 1e-4)


@plain
def test_a_network_does_what_its_table_says(name):
    """Each layer's mean of f**2 has a relative variance of (E f**4 / (E f**2)**2 - 1) / width."""
    layers = [*(ic.Dense(WIDTH, name) for _ in range(DEPTH)), ic.Dense(WIDTH)]
    model = ic.Sequential(layers, input_shape=(WIDTH,))
    table = ic.initialize(model, seed=5)
    assert ("if normalized, else" in table["dense/kernel"].why) == stability(name).repels
    x = np.random.default_rng(0).normal(size=(2, WIDTH)).astype("float32")
    x /= np.sqrt(np.square(x).mean(axis=1, keepdims=True))
    with np.errstate(all="ignore"):
        found = float(np.square(model.predict(x).astype(float)).mean())  # E f**2, by Glorot's variance
    q, expected = found * theory.gain(name).forward ** 2, deep(name, DEPTH + 1)
    if math.isinf(expected):
        assert not q < 1e6
        return
    f, w = activations.get(name), theory.gain(name).forward ** 2
    moment = quadrature.expectation(lambda z: np.asarray(f(z), float) ** 4) * w * w
    more = propagate(name, w, layers=DEPTH + 1, q=1.01 * w)[-1].q
    carried = max(1.0, math.log(more / expected) / math.log(1.01))  # of a deviation at the first layer
    assert abs(math.log(q / expected)) < 5 * carried * math.sqrt(DEPTH * (moment - 1) / WIDTH) + 1e-3


@pytest.mark.parametrize("name", list(GATED))
def test_gated_pairs_always_leave(name):
    found, gate = stability(name), Gated(GATED[name])
    assert found.repels and stability(gate) == found and found.growth == math.inf
    w, moments = theory.gain(name).forward ** 2, meanfield.Moments.of(GATED[name])
    for q in (0.9, 1.1):
        for _ in range(200):
            q = min(w * q * moments.square(q), 1e9)
        assert q < 1e-3 or q > 1e3


@pytest.mark.parametrize("f", [*PLAIN, *GATED, np.tanh, lambda z: z / (1 + np.exp(-z))])
def test_the_slope_is_that_of_the_map(f):
    w = theory.gain(f).forward ** 2
    gate = GATED.get(f) if isinstance(f, str) else None
    moments = meanfield.Moments.of(gate or f)
    step = 1e-4
    up, down = (w * moments.square(q) * (q if gate else 1) for q in (1 + step, 1 - step))
    assert stability(f).slope == pytest.approx((up - down) / (2 * step), abs=1e-6)


@pytest.mark.parametrize("wrong", ["gelo", "softmax", 3.0])
def test_what_has_no_gain_is_refused(wrong):
    with pytest.raises((TypeError, ValueError)):
        stability(wrong)
