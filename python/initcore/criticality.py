"""The edge of chaos: for which weights and biases a deep network neither fades nor explodes."""

from __future__ import annotations

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np

from initcore._validate import check_number
from initcore.activations import Activation
from initcore.gains import Plain, named
from initcore.meanfield import LEAST, Moments, root_between


class Critical(NamedTuple):
    """A point on the edge of chaos: weights of variance ``sigma_w**2 / fan_in``, biases of ``sigma_b**2``.

    Attributes:
        sigma_w: Square root of the weights' variance times the fan-in.
        sigma_b: Standard deviation of the biases.
        q: Variance of the pre-activations that signals are drawn to; 0 if they fade, but more slowly than by
            a factor at each layer. Where every variance is kept, as by relu, 1.
        chi: 1.
    """

    sigma_w: float
    sigma_b: float
    q: float
    chi: float


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
        return _critical(Moments.of(f), wanted)
    return _critical_of_a_name(named(f), wanted)


@functools.lru_cache(maxsize=256)
def _critical_of_a_name(f: Activation, wanted: float | None) -> Critical:
    return _critical(Moments.of(f), wanted)


def _critical(moments: Moments, wanted: float | None) -> Critical:
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
        return Critical(1 / math.sqrt(moments.slope_square(max(q, LEAST))), math.sqrt(b), q, 1.0)

    if moments.slope_square(1.0) == 0:
        raise ValueError(f"{name} is flat: no gradient passes it, so it is critical nowhere")
    if all(abs(bias(q)) <= 1e-5 * q for q in (0.1, 1.0, 10.0)):
        if b:
            raise ValueError(
                f"{name} keeps every length, so it is critical only without bias: at sigma_w2 = "
                f"{1 / moments.slope_square(1.0):.6g} and bias variance 0, got {b:g}"
            )
        return point(1.0, 0.0)
    fades = moments.square(LEAST) < 1e-12 and excess(1e-4) <= 1e-9
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
            q = root_between(lambda q: bias(q) - b, low, high)
            if excess(q) <= 1e-7:
                return point(q, b)
    for (low, bias_low, excess_low), (high, _, excess_high) in steps:
        if bias_low > 0 and excess_low > 0 >= excess_high:
            q = root_between(excess, low, high)
            if wanted is None:
                return point(q, bias(q))
            raise ValueError(
                f"{name} with bias variance {b:g} has no critical point that signals are drawn to: they grow "
                f"away from it. From a bias variance of {bias(q):.6g} on it has one."
            )
    raise ValueError(f"{name} has no critical point: wherever chi is 1, the signal grows from layer to layer")
