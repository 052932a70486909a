"""Expectations of products f(u) f(v) for correlated normal u and v, and where correlations end up."""

from __future__ import annotations

import math

import numpy as np

from initcore import quadrature
from initcore.callables import Array, Function

_FAR = 10.0  # P(|b| > 10) = 1e-23
_NARROW = 2.0**-10  # panels narrower than this close in on a kink
_TERMS = 256  # of a series in c
_WITHIN = 1 - 1e-12  # beside a jump, not on it, whatever the rounding


def correlated(function: Function, q: float, c: float) -> float:
    """Return E[f(u) f(v)] for u and v normal with variance ``q`` and correlation ``c`` in [-1, 1].

    ``u = sqrt(q) (s z + t b)``, ``v = sqrt(q) (+-s z + t b')`` with s = sqrt(abs(c)), t = sqrt(1 - abs(c))
    and independent z, b, b'. So it is E[g(z) g(+-z)] with g(z) = E[f(sqrt(q) (s z + t b))]: two integrals,
    one in the other. The inner one knows where the kinks of f are; the outer one is of a smooth function.

    >>> q, c = 1.0, 0.0
    >>> for _ in range(3):  # relu, Cho & Saul 2009, equation 6 for n = 1
    ...     c = 2 * correlated(lambda x: np.maximum(x, 0), q, c)
    ...     print(f"{c:.10f}")
    0.3183098862
    0.4937310902
    0.6048257201
    """
    root, s, t = math.sqrt(q), math.sqrt(abs(c)), math.sqrt(max(0.0, 1 - abs(c)))
    sign = -1.0 if c < 0 else 1.0

    def of_standard(z: Array) -> Array:
        return np.asarray(function(root * z), np.float64)

    if t == 0:
        return quadrature.expectation(lambda z: of_standard(z) * of_standard(sign * z))
    if s == 0:
        return quadrature.expectation(of_standard) ** 2
    places, base = _edges(of_standard), np.linspace(-_FAR, _FAR, 21)

    def smoothed(z: Array) -> Array:
        at = z.reshape(-1, 1)
        edges = np.concatenate([np.broadcast_to(base, (at.size, base.size)), (places - s * at) / t], axis=1)
        edges = np.sort(np.clip(edges, -_FAR, _FAR), axis=1)
        nodes, half, weights = quadrature.weighted(edges[:, :-1], edges[:, 1:])
        middle = edges[:, :-1, None] + half
        nodes = middle + (nodes - middle) * _WITHIN
        values = of_standard(s * at[:, :, None] + t * nodes)
        found: Array = (values * weights).sum(axis=(1, 2)).reshape(z.shape)
        return found

    outer = np.linspace(-_FAR, _FAR, 41)
    if sign > 0:
        return quadrature.expectation(lambda z: np.square(smoothed(z)), outer)
    return quadrature.expectation(lambda z: smoothed(z) * smoothed(-z), outer)


def fixed_correlation(
    function: Function, slope: Function | None, w: float, b: float, q: float, chi: float
) -> tuple[float, float]:
    """Return the fixed point below 1 of ``c -> (w E[f(u) f(v)] + b) / q``, and the map's slope there.

    The map is a power series, whose coefficients are the squares of those of f in Hermite polynomials
    (Mehler's formula). They are not negative, so it is convex; it is 1 at c = 1 and of slope ``chi`` > 1
    there, so it has one fixed point below, to which Newton's method from 0 goes without overshooting. Where
    the series converges slowly, because f has kinks, the last digits come from the integral itself.
    """
    root = math.sqrt(q)
    nodes, weights = quadrature.rule(lambda z: np.square(function(root * z)), 8)
    values = weights * function(root * nodes)
    p = w * np.square(_hermite(nodes, values, _TERMS)) / q
    p[0] += b / q
    k = np.arange(_TERMS)
    # All later terms as one, of the size and the slope that are missing at c = 1.
    rest, rest_slope = 1 - p.sum(), chi - (k * p).sum()
    power = rest_slope / rest if rest > 1e-12 and rest_slope > rest * _TERMS else 0.0
    rest = float(rest) if power else 0.0

    def at(c: float) -> tuple[float, float]:
        value = float((p * c**k).sum()) + rest * c**power
        rise = float((k[1:] * p[1:] * c ** (k[1:] - 1)).sum())
        return value, rise + (rest * power * c ** (power - 1) if rest else 0.0)

    c = 0.0
    for _ in range(200):
        value, rise = at(c)
        step = (value - c) / (1 - rise) if rise < 1 else 0.0
        c += step
        if abs(step) < 1e-15:
            break
    rise = at(c)[1]
    for _ in range(20 if rest * c**_TERMS > 1e-11 else 0):
        rise = rise if slope is None else w * correlated(slope, q, c)
        step = ((w * correlated(function, q, c) + b) / q - c) / (1 - rise) if rise < 1 else 0.0
        c += step
        if abs(step) < 1e-12:
            break
    return float(c), float(rise)


def _hermite(nodes: Array, values: Array, terms: int) -> Array:
    """The sums of values times the normalized Hermite polynomials of degree 0 to terms - 1 at the nodes."""
    before, this = np.zeros_like(nodes), np.ones_like(nodes)
    found = []
    for k in range(terms):
        found.append(float((values * this).sum()))
        before, this = this, (nodes * this - math.sqrt(k) * before) / math.sqrt(k + 1)
    return np.array(found)


def _edges(function: Function) -> Array:
    """Edges of panels on which the function is smooth: those of its quadrature, one at each kink."""
    low, high = quadrature.panels(lambda z: np.square(function(z)))
    edges = np.unique(np.concatenate([low, high]))
    widths = np.diff(edges)
    keep = np.ones(edges.size, bool)
    start = None
    for i, narrow in enumerate([*(widths < _NARROW).tolist(), False]):
        if narrow and start is None:
            start = i
        elif not narrow and start is not None:
            keep[start + 1 : i] = False
            narrowest = start + np.flatnonzero(widths[start:i] <= 2 * widths[start:i].min())
            keep[narrowest] = keep[narrowest + 1] = True
            start = None
    found: Array = edges[keep]
    return found
