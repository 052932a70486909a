"""Whether a deep stack stays at the second moment that the gain keeps, or drifts away from it."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from initcore.activations import Activation
from initcore.gains import GATED, Gated, Plain, gain
from initcore.meanfield import Moments

_FAR = 1e8  # a second moment so large that only the activation's tails count
_ROUNDING = 1e-6  # of a function that computes in single precision


@dataclass(frozen=True)
class Stability:
    """What happens to a second moment q near the fixed point 1 of ``q -> gain**2 E[f(sqrt(q) z)**2]``.

    Attributes:
        slope: Of that map at 1: by what the distance from 1 is multiplied at each layer. Less than 1: it
            draws every signal to it. 1, as for relu: all second moments are kept as they are.
            More: it repels, and a deep stack without normalization leaves it.
        growth: By what a large second moment is multiplied at each layer, at most.
    """

    slope: float
    growth: float

    @property
    def repels(self) -> bool:
        """Whether signals leave the fixed point.

        >>> stability("gelu").repels, stability("relu").repels, stability("tanh").repels
        (True, False, False)
        """
        return abs(self.slope) > 1 + _ROUNDING


def stability(f: Plain | Gated) -> Stability:
    """Return whether a deep stack whose weights have the gain of ``f`` keeps its second moment.

    With weights of variance ``gain(f).forward**2 / fan_in`` the second moment q of the pre-activations goes
    from layer to layer as ``q -> gain**2 E[f(sqrt(q) z)**2]`` (Poole et al. 2016, arXiv:1606.05340, section
    2), which has the fixed point 1 by choice of the gain. Whether signals stay there is another question:
    its slope there answers it (Roberts, Yaida & Hanin 2022, arXiv:2106.10165, section 5.1).

    Args:
        f: Whatever `gain` takes. A gated pair ``f(u) * v`` multiplies two signals, so it always repels.

    Raises:
        ValueError, TypeError: as `gain`.

    >>> found = stability("silu")
    >>> f"{found.slope:.3f} {found.growth:.3f}"
    '1.173 1.405'
    >>> round(stability("relu").slope, 9), round(stability("tanh").slope, 3)
    (1.0, 0.461)
    """
    if isinstance(f, str | Activation | Gated):
        return _of_known(f)
    return _stability(f)


@functools.lru_cache(maxsize=256)
def _of_known(f: str | Activation | Gated) -> Stability:
    return _stability(f)


def _stability(f: Plain | Gated) -> Stability:
    square = gain(f).forward ** 2
    if isinstance(f, str) and f in GATED:
        f = Gated(GATED[f])
    if isinstance(f, Gated):  # q E[f(sqrt(q) z)**2], by the product rule
        return Stability(1 + square * Moments.of(f.activation).square_growth(1.0), math.inf)
    moments = Moments.of(f)
    growth = square * moments.square(_FAR) / _FAR
    return Stability(square * moments.square_growth(1.0), growth if growth < math.inf else math.inf)
