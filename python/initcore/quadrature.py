"""Expectations over the standard normal law, and the gain of an activation.

Panels of Gauss-Lobatto nodes, halved where halving changes the result, so that kinks and jumps cost a few
dozen panels and no accuracy. The nodes include the ends of a panel: no jump can hide beside them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@functools.cache
def _lobatto(n: int = 12) -> tuple[Array, Array]:
    """Nodes and weights on [-1, 1]: Abramowitz & Stegun 1964, equation 25.4.32."""
    legendre = np.polynomial.Legendre.basis(n - 1)
    nodes = np.concatenate([[-1.0], np.sort(legendre.deriv().roots()), [1.0]])
    return nodes, 2 / (n * (n - 1) * legendre(nodes) ** 2)


_RANGE = 16.0  # P(|z| > 16) = 1e-57
_TOLERANCE = 1e-13  # of one panel
_NEGLIGIBLE = 1e-12  # share of the outermost panels
_NARROWEST = 2.0**-44  # a panel that has not settled by then holds a jump: it has no weight
_JUMPS = 1e-10  # no more is left of jumps in E[f'(z)^2]
_NEAR, _BESIDE, _MOSTLY = 7.0, 2.0**-16, 0.9  # where to look whether a function is flat; how much of it
_MOST_PANELS = 4096  # more unsettled panels than this mean a noisy function: take what we have


@dataclass(frozen=True)
class Gain:
    """What weights must be scaled by after an activation f.

    ``forward`` = 1 / sqrt(E[f(z)^2]) keeps the second moment of the signal, ``backward`` =
    1 / sqrt(E[f'(z)^2]) that of the gradient, for z ~ N(0, 1).
    """

    forward: float
    backward: float

    @property
    def geometric(self) -> float:
        """The geometric mean of both: a compromise, by which signal and gradient change inversely.

        >>> f"{Gain(2.0, 0.5).geometric}"
        '1.0'
        """
        return math.sqrt(self.forward * self.backward)


def expectation(function: Callable[[Array], Array], edges: Array | None = None) -> float:
    """Return E[function(z)] for z ~ N(0, 1), to about 1e-12 where the function is smooth or kinked.

    Infinite if there is none, or if what lies beyond 16 standard deviations would count. ``edges`` are those
    of the panels to begin with, for a function of which one knows what is enough.

    >>> round(expectation(lambda z: z**4), 9)
    3.0
    >>> round(expectation(np.abs), 9) == round(math.sqrt(2 / math.pi), 9)
    True
    """
    return _integrate(lambda nodes, half: function(nodes), edges=edges)


def second_moments(
    function: Callable[[Array], Array], slope: Callable[[Array], Array] | None
) -> tuple[float, float]:
    """Return E[f(z)^2] and E[f'(z)^2]; without ``slope``, f' is that of the interpolant of each panel."""

    def derivative(nodes: Array, half: Array) -> Array:
        if slope:
            return slope(nodes)
        values = np.asarray(function(nodes), np.float64)
        slopes: Array = (
            (values - values[:, :1]) @ _differentiation_matrix().T / half
        )  # of a constant: exactly 0
        return slopes

    forward = expectation(lambda z: np.square(np.asarray(function(z), np.float64)))
    backward = _integrate(lambda nodes, half: np.square(np.asarray(derivative(nodes, half), np.float64)))
    if slope is None and backward <= _JUMPS * max(1.0, forward) and _is_flat(function):
        backward = 0.0
    return forward, backward


def _is_flat(function: Callable[[Array], Array]) -> bool:
    """Whether a function is constant but for jumps, by its values beside points of which few are near one.

    Far out, where the density is less than the tolerance, panels settle that hold a jump, and the interpolant
    has a slope there.
    """
    at = np.linspace(-_NEAR, _NEAR, 399)[:, None] + np.arange(-1, 2) * _BESIDE
    values = np.asarray(function(at), np.float64)
    return float((values == values[:, 1:2]).all(axis=1).mean()) > _MOSTLY


def gain(function: Callable[[Array], Array], slope: Callable[[Array], Array] | None = None) -> Gain:
    """Return the gain of a function that maps float64 arrays to arrays of the same shape.

    >>> f"{gain(lambda z: np.maximum(z, 0)).forward:.9f}"
    '1.414213562'
    """
    return Gain(
        *(1 / math.sqrt(moment) if moment else math.inf for moment in second_moments(function, slope))
    )


@functools.cache
def _differentiation_matrix() -> Array:
    """Row i: the weights that take values at the nodes to the interpolant's derivative at node i.

    Berrut & Trefethen 2004, doi:10.1137/S0036144502417715, equations 9.4 and 9.5.
    """
    nodes, _ = _lobatto()
    distance = nodes[:, None] - nodes[None, :]
    np.fill_diagonal(distance, 1)
    weights = 1 / distance.prod(axis=1)
    matrix: Array = weights[None, :] / weights[:, None] / distance
    np.fill_diagonal(matrix, 0)
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return matrix


def rule(function: Callable[[Array], Array], pieces: int = 2) -> tuple[Array, Array]:
    """Return nodes and weights such that ``sum(weights * g(nodes))`` is E[g(z)].

    Args:
        function: What g has the kinks and jumps of: panels are narrow there.
        pieces: How many parts each panel is cut into, for a g that turns faster.

    >>> nodes, weights = rule(np.abs)
    >>> f"{(weights * np.abs(nodes) ** 3).sum():.9f}" == f"{math.sqrt(8 / math.pi):.9f}"
    True
    """
    low, high = panels(function)
    steps = np.arange(pieces + 1) / pieces
    edges = low[:, None] + (high - low)[:, None] * steps
    nodes, _, weights = weighted(edges[:, :-1].ravel(), edges[:, 1:].ravel())
    return nodes.ravel(), weights.ravel()


def panels(function: Callable[[Array], Array]) -> tuple[Array, Array]:
    """Return the ends of the panels, in no order, on each half of which ``function`` is as good as a
    polynomial.

    >>> low, high = panels(np.cos)
    >>> bool((high > low).all()), float(low.min()), float(high.max())
    (True, -16.0, 16.0)
    """
    settled: list[tuple[Array, Array]] = []
    _integrate(lambda nodes, half: function(nodes), settled)
    low, high = (np.concatenate(ends) for ends in zip(*settled, strict=True))
    return low, high


def weighted(low: Array, high: Array) -> tuple[Array, Array, Array]:
    """Return nodes of panels, half the panels' widths, and weights that contain the normal density.

    The nodes of a panel lie along a new last axis.
    """
    places, weights = _lobatto()
    half = (high - low)[..., None] / 2
    nodes = low[..., None] + half * (1 + places)
    return nodes, half, np.exp(-nodes * nodes / 2) / math.sqrt(2 * math.pi) * half * weights


def _integrate(
    function: Callable[[Array, Array], Array],
    parts: list[tuple[Array, Array]] | None = None,
    edges: Array | None = None,
) -> float:
    """The integral of function(nodes, half width) times the normal density; nodes: (panels, nodes).

    ``parts`` gets the panels that it was summed over, in two halves each; ``edges`` are those to begin with.
    """

    def integrals(low: Array, high: Array) -> Array:
        nodes, half, weights = weighted(low, high)
        with np.errstate(all="ignore"):  # a function that overflows far out is nobody's mistake
            integral: Array = (function(nodes, half) * weights).sum(axis=1)
        return integral

    if edges is None:
        near = 0.5 ** np.arange(2, 24)  # what a function of large numbers does, it does there
        edges = np.sort(np.concatenate([np.linspace(-_RANGE, _RANGE, 65), near, -near]))
    low, high = edges[:-1], edges[1:]
    whole = integrals(low, high)
    if not np.isfinite(whole).all():
        return math.inf if np.isinf(whole).any() else math.nan
    if max(abs(whole[0]), abs(whole[-1])) > _NEGLIGIBLE * np.abs(whole).sum():  # of an odd one, the sum is 0
        return math.copysign(math.inf, whole[0] + whole[-1])  # the density does not overcome the function
    total = 0.0
    while low.size:
        middle = (low + high) / 2
        left, right = integrals(low, middle), integrals(middle, high)
        settled = np.abs(left + right - whole) <= _TOLERANCE * np.maximum(1, np.abs(whole))
        if low.size > _MOST_PANELS:
            settled[:] = True
        total += math.fsum((left + right)[settled])
        if parts is not None:
            parts.append((low[settled], high[settled]))
        rest = ~settled & (high - low > _NARROWEST)
        low, high = np.concatenate([low[rest], middle[rest]]), np.concatenate([middle[rest], high[rest]])
        whole = np.concatenate([left[rest], right[rest]])
    return total
