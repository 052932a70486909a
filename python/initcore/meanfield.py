"""Signals in wide random networks: lengths, correlations, and the edge of chaos.

With weights of variance ``sigma_w**2 / fan_in`` and biases of variance ``sigma_b**2``, the variance q of the
pre-activations and the correlation c of those of two inputs go from layer to layer as (Poole et al. 2016,
arXiv:1606.05340, section 2; Schoenholz et al. 2017, arXiv:1611.01232, section 3)

    q -> sigma_w**2 E[f(sqrt(q) z)**2] + sigma_b**2
    c -> (sigma_w**2 E[f(u) f(v)] + sigma_b**2) / q,    u, v normal with variance q and correlation c
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from initcore import quadrature
from initcore._validate import check_number
from initcore.activations import Activation
from initcore.callables import Array, Function, vectorized
from initcore.gains import Plain, named

_LEAST = 1e-24  # a variance this small stands for the limit of small signals
_LARGEST = 1e8  # ... and one this large for a signal that grows without bound
_TERMS = 256  # of the series in c


class FixedPoint(NamedTuple):
    """Where the signals of a deep network end up.

    Attributes:
        q: Variance of the pre-activations.
        chi: ``sigma_w**2 E[f'(sqrt(q) z)**2]``: by what the mean square of a gradient is multiplied at each
            layer, and the slope of the correlation's map at c = 1. Below 1 is order, above it chaos.
        xi_c: Over how many layers the distance of the correlation from its fixed point shrinks to 1/e;
            infinite on the edge. A network much deeper than six times that does not train.
        xi_q: The same of the variance.
        c: Correlation at which two different inputs end up: 1 in order, less in chaos.
    """

    q: float
    chi: float
    xi_c: float
    xi_q: float
    c: float


class Critical(NamedTuple):
    """A point on the edge of chaos: weights of variance ``sigma_w**2 / fan_in``, biases of ``sigma_b**2``.

    Attributes:
        sigma_w: Square root of the weights' variance times the fan-in.
        sigma_b: Standard deviation of the biases.
        q: Variance of the pre-activations that signals are drawn to; 0 if they fade, slower than by any
            factor for each layer. Where every variance is kept, as by relu, 1.
        chi: 1.
    """

    sigma_w: float
    sigma_b: float
    q: float
    chi: float


@dataclass(frozen=True)
class _Moments:
    """Expectations of an activation over pre-activations of variance q; infinite where there is none."""

    name: str
    function: Function
    slope: Function | None

    @staticmethod
    def of(f: Plain) -> _Moments:
        if callable(f) and not isinstance(f, Activation):
            return _Moments(getattr(f, "__name__", repr(f)), vectorized(f), None)
        activation = named(f)
        _ = activation.gains  # raises for one that looks at whole rows
        return _Moments(activation.name, activation, activation.slope)

    def square(self, q: float) -> float:
        """E[f(sqrt(q) z)**2]."""
        root = math.sqrt(q)
        return quadrature.expectation(lambda z: np.square(self.function(root * z)))

    def slope_square(self, q: float) -> float:
        """E[f'(sqrt(q) z)**2]."""
        root = math.sqrt(q)
        slope = self.slope
        if slope is not None:
            return quadrature.expectation(lambda z: np.square(slope(root * z)))
        return quadrature.second_moments(lambda z: self.function(root * z), None)[1] / q

    def square_growth(self, q: float) -> float:
        """The derivative by q of `square`: that of the normal density, so that f need not be smooth."""
        root = math.sqrt(q)
        product = quadrature.expectation(lambda z: np.square(self.function(root * z)) * (z * z - 1))
        return product / (2 * q)


def fixed_point(f: Plain, sigma_w2: float, sigma_b2: float = 0.0) -> FixedPoint:
    """Return where signals end up in a deep network of activation ``f``.

    Schoenholz et al. 2017, arXiv:1611.01232, section 3, from inputs of variance 1. The variances are found to
    about 1e-10. The correlation c is the root in [0, 1] of a power series, whose coefficients are the squares
    of those of f in Hermite polynomials (Mehler's formula).

    Args:
        f: A name out of `initcore.activations.names`, an activation, or any callable as in `gain`.
        sigma_w2: Variance of the weights times the fan-in.
        sigma_b2: Variance of the biases.

    Raises:
        ValueError: a variance is negative, there is no such activation, or the signal grows without bound.

    >>> found = fixed_point("tanh", 2.0, 0.05)
    >>> f"q {found.q:.6f}, chi {found.chi:.6f}, xi_c {found.xi_c:.3f}, c {found.c:.4f}"
    'q 0.721762, chi 1.047666, xi_c 25.213, c 0.7441'
    """
    moments = _Moments.of(f)
    w = check_number("sigma_w2", sigma_w2, low=0)
    b = check_number("sigma_b2", sigma_b2, low=0)
    q = _length(moments, w, b)
    at = max(q, _LEAST)
    chi = w * moments.slope_square(at)
    xi_q = _depth_scale(w * moments.square_growth(at) if q else chi)
    if chi <= 1 + 1e-9 or not q:
        return FixedPoint(q, chi, _depth_scale(chi), xi_q, 1.0)
    c, slope = _correlation(moments, w, b, q, chi)
    return FixedPoint(q, chi, _depth_scale(slope), xi_q, c)


def _length(moments: _Moments, w: float, b: float) -> float:
    """The variance that the map leads to from 1."""

    def gap(q: float) -> float:
        return w * moments.square(q) + b - q

    start = gap(1.0)
    if abs(start) < 1e-12 * max(1.0, w):
        return 1.0
    near, far, factor = 1.0, 1.0, 1.1
    while gap(far) * start > 0:
        near, far, factor = far, far * (factor if start > 0 else 1 / factor), min(factor * 1.2, 10)
        if far > _LARGEST or not math.isfinite(gap(far)):
            raise ValueError(
                f"{moments.name} with sigma_w2={w:g} and sigma_b2={b:g} has no fixed point: the signal grows "
                "without bound"
            )
        if far < _LEAST:
            return 0.0
    q = _root(gap, near, far)
    return q if b or q > 1e-12 else 0.0


def _depth_scale(factor: float) -> float:
    """Over how many layers something that is multiplied by ``factor`` at each shrinks to 1/e."""
    if factor <= 0:
        return 0.0
    return -1 / math.log(factor) if factor < 1 - 1e-9 else math.inf


def _correlation(moments: _Moments, w: float, b: float, q: float, chi: float) -> tuple[float, float]:
    """The correlation's fixed point below 1, and the slope of its map there.

    The map is a power series with coefficients p_k >= 0, so convex, 1 at c = 1 and of slope chi > 1 there: it
    has one fixed point below, to which Newton's method from 0 goes without overshooting.
    """
    root = math.sqrt(q)
    nodes, weights = quadrature.rule(lambda z: np.square(moments.function(root * z)), 4)
    values = weights * moments.function(root * nodes)
    p = w * np.square(_hermite(nodes, values, _TERMS)) / q
    p[0] += b / q
    k = np.arange(_TERMS)
    # All later terms as one, of the size and the slope that are missing at c = 1.
    rest, rest_slope = 1 - p.sum(), chi - (k * p).sum()
    power = rest_slope / rest if rest > 1e-12 and rest_slope > rest * _TERMS else 0.0
    rest = float(rest) if power else 0.0

    def at(c: float) -> tuple[float, float]:
        value = float((p * c**k).sum()) + rest * c**power
        slope = float((k[1:] * p[1:] * c ** (k[1:] - 1)).sum())
        return value, slope + (rest * power * c ** (power - 1) if rest else 0.0)

    c = 0.0
    for _ in range(200):
        value, slope = at(c)
        step = (value - c) / (1 - slope) if slope < 1 else 0.0
        c += step
        if abs(step) < 1e-15:
            break
    return float(c), at(c)[1]


def _hermite(nodes: Array, values: Array, terms: int) -> Array:
    """The sums of values times the normalized Hermite polynomials of degree 0 to terms - 1 at the nodes."""
    before, this = np.zeros_like(nodes), np.ones_like(nodes)
    found = []
    for k in range(terms):
        found.append(float((values * this).sum()))
        before, this = this, (nodes * this - math.sqrt(k) * before) / math.sqrt(k + 1)
    return np.array(found)


def critical(f: Plain, bias_variance: float | None = None) -> Critical:
    """Return the weights' scale that puts a network of activation ``f`` on the edge of chaos.

    There chi = 1: at the fixed point of the signal's variance, gradients neither vanish nor explode, and two
    inputs keep apart as long as they can (Poole et al. 2016, arXiv:1606.05340; Schoenholz et al. 2017,
    arXiv:1611.01232, section 3). For a variance q, chi = 1 is ``sigma_w**2 = 1 / E[f'(sqrt(q) z)**2]``, and q
    is a fixed point if ``sigma_b**2 = q - sigma_w**2 E[f(sqrt(q) z)**2]``; that is solved for q. The fixed
    point must draw signals to it, or keep them all.

    Args:
        f: A name out of `initcore.activations.names`, an activation, or any callable as in `gain`.
        bias_variance: ``sigma_b**2``; by default the least for which there is such a point: 0 for most; 0.173
            for gelu and 0.555 for silu, where Roberts, Yaida & Hanin 2022, arXiv:2106.10165, section 5.3.4,
            find the same.

    Raises:
        ValueError: the bias variance is negative, there is no such activation, or it has no such point.

    >>> point = critical("tanh", bias_variance=0.05)
    >>> f"sigma_w^2 {point.sigma_w**2:.6f}, q {point.q:.6f}"
    'sigma_w^2 1.760955, q 0.570048'
    >>> round(critical("relu").sigma_w ** 2, 9)
    2.0
    >>> point = critical("gelu")
    >>> f"{point.sigma_w**2:.6f} {point.sigma_b**2:.6f}"
    '1.983058 0.172922'
    """
    wanted = None if bias_variance is None else check_number("bias_variance", bias_variance, low=0)
    if callable(f) and not isinstance(f, Activation):
        return _critical(_Moments.of(f), wanted)
    return _critical_of_a_name(named(f), wanted)


@functools.lru_cache(maxsize=256)
def _critical_of_a_name(f: Activation, wanted: float | None) -> Critical:
    return _critical(_Moments.of(f), wanted)


def _critical(moments: _Moments, wanted: float | None) -> Critical:
    name, b = moments.name, wanted or 0.0

    def bias(q: float) -> float:
        """The bias variance that makes q a fixed point with chi = 1."""
        slope = moments.slope_square(q)
        return q - moments.square(q) / slope if slope else math.nan

    def excess(q: float) -> float:
        """By how much more than 1 the distance from that fixed point is multiplied at each layer."""
        slope = moments.slope_square(q)
        return moments.square_growth(q) / slope - 1 if slope else math.nan

    def point(q: float, b: float) -> Critical:
        return Critical(1 / math.sqrt(moments.slope_square(max(q, _LEAST))), math.sqrt(b), q, 1.0)

    if moments.slope_square(1.0) == 0:
        raise ValueError(f"{name} is flat: no gradient passes it, so it is critical nowhere")
    if all(abs(bias(q)) <= 1e-9 * q for q in (0.1, 1.0, 10.0)):
        if b:
            raise ValueError(
                f"{name} keeps every length, so it is critical only without bias: at sigma_w2 = "
                f"{1 / moments.slope_square(1.0):.6g} and bias variance 0, got {b:g}"
            )
        return point(1.0, 0.0)
    fades = moments.square(_LEAST) < 1e-12 and excess(1e-4) <= 1e-9
    if fades and not b:
        return point(0.0, 0.0)
    grid = [(q, bias(q), excess(q)) for q in np.geomspace(1e-8, 1e6, 43).tolist()]
    steps = [
        (one, other)
        for one, other in itertools.pairwise(grid)
        if math.isfinite(sum(one[1:]) + sum(other[1:]))
    ]
    for (low, bias_low, _), (high, bias_high, _) in steps:
        if bias_low < b <= bias_high:
            q = _root(lambda q: bias(q) - b, low, high)
            if excess(q) <= 1e-7:
                return point(q, b)
    for (low, bias_low, excess_low), (high, _, excess_high) in steps:
        if bias_low > 0 and excess_low > 0 >= excess_high:
            q = _root(excess, low, high)
            if wanted is None:
                return point(q, bias(q))
            raise ValueError(
                f"{name} with bias variance {b:g} has no critical point that signals are drawn to: they grow "
                f"away from it. From a bias variance of {bias(q):.6g} on it has one."
            )
    raise ValueError(f"{name} has no critical point: wherever chi is 1, the signal grows from layer to layer")


def _root(function: Callable[[float], float], one: float, other: float) -> float:
    """The root between two positive numbers at which the function has different signs: Illinois's method."""
    low, high = function(one), function(other)
    for _ in range(200):
        middle = (one * high - other * low) / (high - low) if high != low else (one + other) / 2
        value = function(middle)
        if value == 0 or abs(other - one) <= 1e-14 * abs(middle):
            return middle
        if (value > 0) != (high > 0):
            one, low = other, high
        else:
            low /= 2
        other, high = middle, value
        if low == 0:
            return middle
    return middle
