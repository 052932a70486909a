"""Moments of a normal law that is cut, and the normal law whose cut has given moments.

Cut normal laws are an exponential family, with density exp(p x + q x^2) between the bounds: mean and second
moment determine p and q, by minimizing a convex function. Everything is in units in which the mean asked for
is 0 and the standard deviation 1.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# The density is integrated where it is above e^-40 of its peak: 4e-18, less than what rounding loses.
_FAINT = 40.0


class _Cut(NamedTuple):
    """Of a density exp(p x + q x^2) between bounds: log of its integral, mean, central moments."""

    log_mass: float
    mean: float
    second: float
    third: float
    fourth: float


@cache
def _nodes() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = np.polynomial.legendre.leggauss(160)
    return (nodes + 1) / 2, weights / 2


def _cut(p: float, q: float, low: float, high: float) -> _Cut:
    """Integrate exp(p x + q x^2), q <= 0, from ``low`` to ``high``."""
    if q < 0:
        mode = -p / (2 * q)
        peak = min(max(mode, low), high)
        reach = math.sqrt((peak - mode) ** 2 + _FAINT / -q)
        low, high = max(low, mode - reach), min(high, mode + reach)
    else:
        peak = low if p < 0 else high
        if p:
            low, high = max(low, peak - _FAINT / abs(p)), min(high, peak + _FAINT / abs(p))
    nodes, weights = _nodes()
    x = low + (high - low) * nodes
    top = (p + q * peak) * peak
    mass = weights * (high - low) * np.exp((p + q * x) * x - top)
    total = float(mass.sum())
    mean = float(mass @ x) / total
    central = [float(mass @ (x - mean) ** k) / total for k in (2, 3, 4)]
    return _Cut(top + math.log(total), mean, *central)


@cache
def moments(low: float, high: float) -> tuple[float, float]:
    """Return mean and standard deviation of a standard normal law given that it is within the bounds.

    >>> mean, stddev = moments(0, math.inf)
    >>> f"{mean:.12f} {math.sqrt(2 / math.pi):.12f}"
    '0.797884560803 0.797884560803'
    """
    cut = _cut(0.0, -0.5, low, high)
    return cut.mean, math.sqrt(cut.second)


@cache
def parent(mean: float, stddev: float, low: float, high: float) -> tuple[float, float]:
    """Return mean and standard deviation of the normal law that has these once it is cut at the bounds.

    Raises:
        ValueError: there is none, since the bounds leave no room for that standard deviation.

    >>> mean, stddev = parent(1.0, 0.5, 0.0, 3.0)
    >>> f"{mean:.6f} {stddev:.6f}"
    '0.948598 0.549591'
    """
    if not low < mean < high:
        raise ValueError(f"mean must lie between the bounds {low:g} and {high:g}, got {mean:g}")
    if stddev == 0:
        return mean, 0.0
    a, b = (low - mean) / stddev, (high - mean) / stddev
    widest = _widest(a, b)
    if not widest > 1 + 1e-9:
        raise ValueError(
            f"stddev must be less than {stddev * widest:g} for mean {mean:g} and bounds {low:g} and "
            f"{high:g}: no cut normal law spreads further, got {stddev:g}"
        )
    p, q = _minimize(0.0, -0.5, a, b, free=2)
    return mean + stddev * p / (-2 * q), stddev / math.sqrt(-2 * q)


def _widest(a: float, b: float) -> float:
    """The standard deviation that is approached as the parent's grows: of an exponential law with mean 0."""
    if math.isinf(a) or math.isinf(b):
        return min(-a, b)
    p, _ = _minimize(0.0, 0.0, a, b, free=1)
    return math.sqrt(_cut(p, 0.0, a, b).second)


def _minimize(p: float, q: float, a: float, b: float, free: int) -> tuple[float, float]:
    """Newton's method for mean 0 and, if both are ``free``, second moment 1, with steps that help."""
    for _ in range(100):
        cut = _cut(p, q, a, b)
        m = cut.mean
        gradient = np.array([m, cut.second + m * m - 1])[:free]
        mixed = cut.third + 2 * m * cut.second
        last = cut.fourth - cut.second**2 + 4 * m * cut.third + 4 * m * m * cut.second
        curvature = np.array([[cut.second, mixed], [mixed, last]])[:free, :free]
        if np.abs(gradient).max() < 1e-15:
            break
        step = np.linalg.solve(curvature, gradient)
        for halvings in range(60):
            new_p, *new_q = np.array([p, q])[:free] - step / 2**halvings
            new = float(new_p), float(new_q[0]) if new_q else q
            if (free == 1 or new[1] < 0) and _cut(*new, a, b).log_mass - new[1] <= cut.log_mass - q:
                break
        else:
            break  # nothing helps any more: this is as near as rounding comes
        p, q = new
    return p, q
