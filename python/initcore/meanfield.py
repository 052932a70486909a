"""Signals in wide random networks: lengths and correlations from layer to layer, and where they end up.

With weights of variance ``sigma_w**2 / fan_in`` and biases of variance ``sigma_b**2``, the variance q of the
pre-activations and the correlation c of those of two inputs go from layer to layer as (Poole et al. 2016,
arXiv:1606.05340, section 2; Schoenholz et al. 2017, arXiv:1611.01232, section 3)

    q -> sigma_w**2 E[f(sqrt(q) z)**2] + sigma_b**2
    c -> (sigma_w**2 E[f(u) f(v)] + sigma_b**2) / q,    u, v normal with variance q and correlation c
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from initcore import quadrature
from initcore._validate import check_count, check_number
from initcore.activations import Activation
from initcore.callables import Function, vectorized
from initcore.correlations import correlated, fixed_correlation
from initcore.gains import Plain, named

LEAST = 1e-24  # a variance this small stands for the limit of small signals
_LARGEST = 1e8  # ... and one this large for a signal that grows without bound


class Signal(NamedTuple):
    """What a layer's pre-activations are like.

    Attributes:
        q: Their variance.
        c: Correlation of those of two inputs; None if there is one only.
        chi: ``sigma_w**2 E[f'(sqrt(q) z)**2]``: by what the mean square of a gradient is multiplied
            on its way back from the layer after it.
    """

    q: float
    c: float | None
    chi: float


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


@dataclass(frozen=True)
class Moments:
    """Expectations of an activation over pre-activations of variance q; infinite where there is none."""

    name: str
    function: Function
    slope: Function | None

    @staticmethod
    def of(f: Plain) -> Moments:
        if callable(f) and not isinstance(f, Activation):
            return Moments(getattr(f, "__name__", repr(f)), vectorized(f), None)
        activation = named(f)
        _ = activation.gains  # raises for one that looks at whole rows
        return Moments(activation.name, activation, activation.slope)

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
    about 1e-10, the correlation as well.

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
    moments = Moments.of(f)
    w = check_number("sigma_w2", sigma_w2, low=0)
    b = check_number("sigma_b2", sigma_b2, low=0)
    q = _length(moments, w, b)
    at = max(q, LEAST)
    chi = w * moments.slope_square(at)
    growth = w * moments.square_growth(at) if q else chi
    xi_q = _depth_scale(abs(growth))  # never below -1/2, as the logarithm of the density by that of q
    if chi <= 1 + 1e-9 or not q:
        return FixedPoint(q, chi, _depth_scale(chi), xi_q, 1.0)
    c, slope = fixed_correlation(moments.function, moments.slope, w, b, q, chi)
    return FixedPoint(q, chi, _depth_scale(slope), xi_q, c)


def propagate(
    f: Plain, sigma_w2: float, sigma_b2: float = 0.0, *, layers: int, q: float = 1.0, c: float | None = None
) -> list[Signal]:
    """Return what becomes of two inputs, layer after layer, in a wide network of activation ``f``.

    Poole et al. 2016, arXiv:1606.05340, section 2. The mean square of a gradient goes back through these
    layers by the product of their ``chi``.

    Args:
        f: A name out of `initcore.activations.names`, an activation, or any callable as in `gain`.
        sigma_w2: Variance of the weights times the fan-in.
        sigma_b2: Variance of the biases.
        layers: How many.
        q: Variance of the first layer's pre-activations.
        c: Correlation of those of two inputs; None if there is one input only.

    Returns:
        What the pre-activations of each layer are like, that of the first as given.

    Raises:
        TypeError, ValueError: an argument is none of this, or the signal is without bound.

    >>> for signal in propagate("relu", 2.0, layers=4, c=0.0):  # Cho & Saul 2009, equation 6 for n = 1
    ...     print(f"{signal.q:.6f} {signal.c:.10f} {signal.chi:.6f}")
    1.000000 0.0000000000 1.000000
    1.000000 0.3183098862 1.000000
    1.000000 0.4937310902 1.000000
    1.000000 0.6048257201 1.000000
    """
    moments = Moments.of(f)
    w = check_number("sigma_w2", sigma_w2, low=0)
    b = check_number("sigma_b2", sigma_b2, low=0)
    q = check_number("q", q, low=0, open_low=True)
    c = None if c is None else check_number("c", c, low=-1, high=1)
    signals = []
    for _ in range(check_count("layers", layers)):
        signals.append(Signal(q, c, w * moments.slope_square(max(q, LEAST))))
        after = w * moments.square(q) + b
        if not math.isfinite(after):
            raise ValueError(f"{moments.name} at a variance of {q:g} gives a signal without bound")
        if c is not None and after:
            c = min(1.0, (w * correlated(moments.function, q, c) + b) / after)
        q = after
    return signals


def _length(moments: Moments, w: float, b: float) -> float:
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
        if far < LEAST:
            return 0.0
    q = root_between(gap, near, far)
    return q if b or q > 1e-12 else 0.0


def _depth_scale(factor: float) -> float:
    """Over how many layers something that is multiplied by ``factor`` at each shrinks to 1/e."""
    if factor <= 0:
        return 0.0
    return -1 / math.log(factor) if factor < 1 - 1e-9 else math.inf


def root_between(function: Callable[[float], float], one: float, other: float) -> float:
    """Return the root between two positive numbers at which the function has different signs.

    By Illinois's method.

    >>> round(root_between(lambda x: x**3 - 2, 1, 2), 12) == round(2 ** (1 / 3), 12)
    True
    """
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
