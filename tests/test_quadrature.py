"""Expectations and gains of functions with kinks, jumps and noise."""

import math

import numpy as np
import pytest

from initcore.quadrature import expectation, gain, rule, second_moments


@pytest.mark.parametrize("power", range(0, 13, 2))
def test_moments_of_the_normal_law(power):
    assert expectation(lambda z: z**power) == pytest.approx(math.prod(range(1, power, 2)), rel=1e-12)


@pytest.mark.parametrize("at", [0, 0.1, -1.23456, 3.3])
def test_a_kink_may_be_anywhere(at):
    """E[max(z - a, 0)] = bell(a) - a P(z > a)."""
    bell = math.exp(-at * at / 2) / math.sqrt(2 * math.pi)
    expected = bell - at * math.erfc(at / math.sqrt(2)) / 2
    assert expectation(lambda z: np.maximum(z - at, 0)) == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("seed", range(20))
def test_any_piecewise_linear_function(seed):
    """In closed form: between a and b, z adds p(a) - p(b) and z^2 adds P(b) - P(a) + a p(a) - b p(b)."""
    rng = np.random.default_rng(seed)
    at = np.sort(rng.normal(0, 1.5, rng.integers(1, 9)))
    heights, ends = rng.normal(0, 3, at.size), rng.normal(0, 2, 2)
    x = np.concatenate([[-17], at, [17]])
    y = np.concatenate(
        [[heights[0] - ends[0] * (at[0] + 17)], heights, [heights[-1] + ends[1] * (17 - at[-1])]]
    )
    slopes = np.diff(y) / np.diff(x)
    level = y[:-1] - slopes * x[:-1]
    p = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    share = np.diff([math.erfc(-v / math.sqrt(2)) / 2 for v in x])
    first, second = -np.diff(p), share - np.diff(x * p)
    square = (slopes**2 * second + 2 * slopes * level * first + level**2 * share).sum()
    found = second_moments(lambda z: np.interp(z, x, y), None)
    assert found == pytest.approx((square, (slopes**2 * share).sum()), rel=1e-10)


@pytest.mark.parametrize("at", [0, 0.1, -1.23456])
def test_a_jump_may_be_anywhere(at):
    expected = math.erfc(at / math.sqrt(2)) / 2
    assert expectation(lambda z: (z > at).astype(float)) == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
        (np.sin, np.cos),
        (lambda z: np.abs(z - 0.3), lambda z: np.sign(z - 0.3)),
        (lambda z: np.clip(z, -0.7, 1.1), lambda z: ((z > -0.7) & (z < 1.1)).astype(float)),
        (lambda z: z**3, lambda z: 3 * z**2),
    ],
)
def test_slope_found_numerically_is_as_good_as_the_given_one(function, slope):
    assert second_moments(function, None)[1] == pytest.approx(second_moments(function, slope)[1], rel=1e-9)


def test_a_jump_adds_nothing_to_the_slope():
    assert second_moments(lambda z: (z > 0.1).astype(float), None)[1] == pytest.approx(0, abs=1e-9)


def quantized_tanh(levels):
    return lambda z: np.round(np.tanh(z) * (levels - 1) / 2) * 2 / (levels - 1)


STEPS = {
    **{f.__name__: f for f in (np.floor, np.ceil, np.round, np.trunc, np.sign)},
    "a step": lambda z: (z > 0).astype(float),
    "one elsewhere": lambda z: (z > 0.3).astype(float) - 0.5,
    "large ones": lambda z: 1e6 * np.floor(z / 0.7),
    "small ones": lambda z: np.round(100 * z) / 100,
    "in single precision": lambda z: np.floor(z.astype(np.float32)),
    **{f"tanh of {levels} levels": quantized_tanh(levels) for levels in (3, 7, 100, 256)},
}


@pytest.mark.parametrize("name", STEPS)
def test_steps_have_no_slope(name):
    found = gain(STEPS[name])
    assert found.backward == math.inf and 0 < found.forward < math.inf


@pytest.mark.parametrize("scale", [1e-8, 1e-5])
@pytest.mark.parametrize("f", [lambda z: z, lambda z: 1 + z, lambda z: z.astype(np.float32)])
def test_a_small_slope_is_one(f, scale):
    found = second_moments(lambda z: f(scale * z), None)
    assert found[1] == pytest.approx(scale**2, rel=1e-4)


def test_a_function_in_single_precision_is_noisy_but_ends():
    single = gain(lambda z: np.tanh(z.astype(np.float32)))
    double = gain(np.tanh)
    assert single.forward == pytest.approx(double.forward, rel=1e-6)


def test_a_function_without_a_signal_has_no_gain():
    assert gain(np.zeros_like).forward == gain(np.ones_like).backward == math.inf


def test_what_happens_next_to_0_only_is_not_overlooked():
    """As of a saturating function of large numbers: P(|z| < 1 / n)."""
    for n in (3, 1e2, 1e4, 1e6):
        inside = expectation(lambda z, n=n: (np.abs(z) < 1 / n).astype(float))
        assert inside == pytest.approx(math.erf(1 / n / math.sqrt(2)), rel=1e-6, abs=1e-13)


@pytest.mark.parametrize(
    "function", [np.positive, np.sin, np.sign, lambda z: z**3, lambda z: np.exp(z) - np.exp(-z)]
)
@pytest.mark.parametrize("scale", [1.0, 3.0, 1e6])
def test_of_an_odd_function_it_is_0(function, scale):
    """Its halves cancel, to the last bit or not, as the nodes come out of the eigenvalues."""
    assert abs(expectation(lambda z: scale * function(z))) <= 1e-11 * scale


def test_where_there_is_no_expectation_it_is_infinite():
    assert expectation(lambda z: np.exp(z * z)) == math.inf
    assert expectation(lambda z: np.exp(40 * z)) == math.inf  # beyond 16 standard deviations is what counts
    assert expectation(lambda z: np.exp(4 * z)) == pytest.approx(math.exp(8))


@pytest.mark.parametrize("pieces", [2, 6])
def test_a_rule_is_good_for_what_has_the_same_kinks(pieces):
    nodes, weights = rule(lambda z: np.abs(z - 0.3), pieces)
    for other in (lambda z: np.abs(z - 0.3) ** 3, lambda z: np.maximum(z, 0.3) * np.cos(z), np.ones_like):
        assert (weights * other(nodes)).sum() == pytest.approx(expectation(other), abs=1e-11)
