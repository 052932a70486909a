"""Laws on large samples: distribution, moments to the eighth, tails, values that repeat, independence.

Eight million numbers each, or as many as INITCORE_SAMPLES says; pytest -s prints figures.
"""

import math
import os

import numpy as np
import pytest

from initcore.formats import FORMATS
from initcore.random import Key

N = int(os.environ.get("INITCORE_SAMPLES", 1 << 23))
KEY = Key(20261122) / "statistics"
DRAW = {
    "uniform": lambda key, n, dtype, **how: key.uniform(n, dtype=dtype, **how),
    "normal": lambda key, n, dtype, **how: key.normal(n, dtype=dtype, **how),
    "truncated_normal": lambda key, n, dtype, **how: key.truncated_normal(
        n, dtype=dtype, **how
    ),  # at 2 and -2
}

lower = np.vectorize(lambda z: math.erfc(-z / math.sqrt(2)) / 2, otypes=[float])  # P(Z < z)
WITHIN = math.erf(2 / math.sqrt(2))  # 2 standard deviations


def density(z):
    return np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


CDF = {
    "uniform": lambda x: x,
    "normal": lower,
    "truncated_normal": lambda z: (lower(z) - lower(-2)) / WITHIN,
}
DENSITY = {"normal": density, "truncated_normal": lambda z: density(z) / WITHIN}
SUPPORT = {"uniform": (0.0, 1.0), "normal": (-9.0, 9.0), "truncated_normal": (-2.0, 2.0)}


def moment(law, power):
    """The exact mean of x^power."""
    if law == "uniform":
        return 1 / (power + 1)
    if power % 2:
        return 0.0
    if power == 0:
        return 1.0
    cut = 0.0 if law == "normal" else 2 ** (power - 1) * 2 * float(density(2.0)) / WITHIN
    return (power - 1) * moment(law, power - 2) - cut  # by parts


@pytest.fixture(
    scope="module", params=[(law, dtype) for law in DRAW for dtype in ("float32", "float64")], ids=str
)
def sample(request):
    law, dtype = request.param
    return law, dtype, DRAW[law](KEY / law, N, dtype)


def test_distribution(sample):
    """Kolmogorov-Smirnov at 20,001 points: 2.6 / sqrt(n) with probability 2 exp(-2 * 2.6^2) = 2.7e-6."""
    law, dtype, x = sample
    edges = np.linspace(*SUPPORT[law], 20_001)
    below = np.concatenate([[0], np.cumsum(np.histogram(x, edges)[0])]) / N
    away = abs(below - CDF[law](edges)).max() * math.sqrt(N)
    print(f"{law} {dtype}: Kolmogorov-Smirnov {away:.2f} / sqrt(n)")
    assert away < 2.6


def test_moments(sample):
    """The first eight, within 5.5 standard errors: 4e-8 each."""
    law, dtype, x = sample
    power, off = np.ones(N), []
    for k in range(1, 9):
        power *= x
        mean = moment(law, k)
        error = math.sqrt((moment(law, 2 * k) - mean**2) / N)
        off.append((power.mean() - mean) / error)
    print(f"{law} {dtype}: moments off by", *(f"{o:.1f}" for o in off), "standard errors")
    assert max(map(abs, off)) < 5.5


def test_tails():
    """As many as there should be on either side of 2.5 to 5.5 standard deviations."""
    found = np.zeros((2, 7), int)
    levels = np.arange(2.5, 6, 0.5)
    part = 1 << 20
    for start in range(0, N, part):
        x = (KEY / "tails").normal(N, index=slice(start, start + part))
        far = x[abs(x) > levels[0]]
        found += [(far < -levels[:, None]).sum(axis=1), (far > levels[:, None]).sum(axis=1)]
    expected = N * lower(-levels)
    print(
        "beyond", *(f"{z}: {a} {b} of {e:.1f};" for z, a, b, e in zip(levels, *found, expected, strict=True))
    )
    for counts in found:
        # A Poisson number: within 5.5 deviations, or where few are expected, within 9 of them.
        assert np.all(abs(counts - expected) < np.maximum(5.5 * np.sqrt(expected), 9))


def repeats(law, n):
    """How many of n values a continuous law would repeat, rounded to float32; the sum goes by powers of 2."""
    total = 0.0
    for exponent in range(-60, 4):
        x = 2.0**exponent * (1 + (np.arange(2000) + 0.5) / 2000)
        x = x[x < SUPPORT[law][1]]
        unit = 2.0 ** (exponent - 23)
        hits = n * DENSITY[law](x) * unit  # expected at each of the numbers there
        total += 2 * (hits + np.expm1(-hits)).sum() * 2.0**exponent / 2000 / unit
    return total


@pytest.mark.parametrize("n", [10_000, N])
@pytest.mark.parametrize("law", DRAW)
def test_values_repeat_as_often_as_float32_makes_them(law, n):
    x = np.sort(DRAW[law](KEY / "repeats", n, "float32"))
    found = int((np.diff(x) == 0).sum())
    # Uniform: 2^24 numbers, as likely as each other.
    expected = n + 2**24 * np.expm1(-n / 2**24) if law == "uniform" else repeats(law, n)
    print(f"{law}: {found} of {n} values repeat, {expected:.1f} expected")
    # Inversion rounds once on its way, which makes some numbers likelier than their neighbours.
    more = 0.05 * expected if law == "truncated_normal" else 0
    assert -5.5 * math.sqrt(expected) - 5 < found - expected < 5.5 * math.sqrt(expected) + 5 + more


@pytest.mark.parametrize("law", DRAW)
def test_values_of_float64_do_not_repeat(law):
    n = min(N, 1 << 23)  # 2^44 pairs, at most about 2^-52 of which are the same
    x = np.sort(DRAW[law](KEY / "repeats", n, "float64"))
    assert not (np.diff(x) == 0).any()


def test_nothing_is_clipped(sample):
    """At a bound there is what rounds to it: half a unit, or nothing."""
    law, dtype, x = sample
    if law == "normal":
        assert (abs(x) == abs(x).max()).sum() == 1
    elif law == "truncated_normal":
        expected = N * DENSITY[law](2.0) * 2 * float(np.finfo(dtype).eps)
        assert (abs(x) == 2).sum() <= expected + 5.5 * math.sqrt(expected) + 5 and abs(x).max() <= 2
    else:
        assert x.max() < 1
        expected = N * 2.0**-24 if dtype == "float32" else 0
        assert (x == x.max()).sum() <= 5.5 * math.sqrt(expected) + 6


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("law", DRAW)
def test_no_bias_in_half_precision(law, dtype):
    """The mean, within 5 of its standard errors, and the variance, but for what rounding adds to it."""
    out = np.zeros(N, np.uint16 if dtype == "bfloat16" else np.float16)
    DRAW[law](KEY / "half", N, dtype, out=out)
    total = square = 0.0
    for part in np.array_split(out, max(N >> 20, 1)):
        x = (part.astype(np.uint32) << 16).view(np.float32) if dtype == "bfloat16" else part
        total += x.sum(dtype=float)
        square += np.square(x, dtype=float).sum()
    mean, second = moment(law, 1), moment(law, 2)
    variance = second - mean**2
    print(f"{law} {dtype}: mean off by {(total / N - mean) / math.sqrt(variance / N):.2f} standard errors")
    assert abs(total / N - mean) < 5 * math.sqrt(variance / N)
    error = math.sqrt((moment(law, 4) - second**2) / N)
    assert abs(square / N - second) < 5 * error + 2.0 ** (-2 * FORMATS[dtype].digits) * second


@pytest.mark.parametrize("lag", [1, 2, 16, 32, 64, 1024])
def test_neighbours_are_independent(lag):
    """Values and squares; 16 apart are the two coordinates of a point."""
    n = min(N, 1 << 23)
    x = (KEY / "neighbours").normal(n).astype(float)
    for y in (x, (x**2 - 1) / math.sqrt(2), (abs(x) - math.sqrt(2 / math.pi)) / math.sqrt(1 - 2 / math.pi)):
        assert abs((y[:-lag] * y[lag:]).sum()) < 5 * math.sqrt(n)


def test_streams_are_independent():
    n = 1 << 20
    x = np.stack(
        [(KEY / f"stream {i}").normal(n) for i in range(3)] + [KEY.normal(n, step=i) for i in range(3)]
    )
    correlation = x @ x.T / math.sqrt(n)
    assert abs(correlation - np.diag(np.diagonal(correlation))).max() < 5
