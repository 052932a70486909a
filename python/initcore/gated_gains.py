"""The gain of the kernels of a gated pair: what goes into ``f(u) * v``, where `gain` is for what follows."""

from __future__ import annotations

import functools
import math

from initcore.activations import Activation
from initcore.gains import GATED, Gated, Plain
from initcore.meanfield import Moments, root_between

_SMALLEST, _LARGEST = 1e-8, 1e8  # a gain beyond is none


def gated_gain(f: Plain | Gated) -> float:
    """Return the gain of the two kernels of a gated pair ``f(u) * v``.

    For inputs of second moment 1, kernels of variance ``gain**2 / fan_in`` give independent u and v of
    variance ``gain**2``, and a product of second moment ``E[v**2] E[f(u)**2]``, which is 1 if

        gain**2 * E[f(gain * z)**2] = 1,    z ~ N(0, 1)

    The same number is for both kernels, and for one that packs them: a kernel does not say which half is the
    gate. For relu it is ``2**0.25``, for the identity 1. `gain` of a pair is another number: of the weights
    that come after the product, for u and v of variance 1.

    Args:
        f: A gated pair, as ``"swiglu"`` or a `Gated`; or the activation of its gate, as ``"silu"``.

    Raises:
        ValueError: there is no such activation, it has no second moment, or with no gain the product has one
            of 1.
        TypeError: it does not map numbers to numbers.

    >>> f"{gated_gain('swiglu') ** 2:.3f} {gated_gain('glu') ** 2:.3f}"
    '1.610 2.982'
    >>> f"{gated_gain('reglu') ** 2:.6f} {gated_gain('bilinear'):.6f}"
    '1.414214 1.000000'
    """
    if isinstance(f, str):
        f = GATED.get(f, f)
    elif isinstance(f, Gated):
        f = f.activation
    return _of_known(f) if isinstance(f, str | Activation) else _gated_gain(f)


@functools.lru_cache(maxsize=256)
def _of_known(f: str | Activation) -> float:
    return _gated_gain(f)


def _gated_gain(f: Plain) -> float:
    moments = Moments.of(f)

    def excess(gain: float) -> float:
        """By how much the product's second moment is more than 1, in logarithms: nearly a straight line."""
        square = gain**2 * moments.square(gain**2)
        return math.log(square) if square > 0 else -math.inf

    near = far = 1.0
    step = 2.0 if excess(1.0) < 0 else 0.5
    while _SMALLEST < far < _LARGEST and (excess(far) < 0) == (excess(1.0) < 0):
        near, far = far, far * step
    low, high = excess(near), excess(far)
    if not (math.isfinite(low) and math.isfinite(high) and (low < 0) != (high < 0)):
        raise ValueError(
            f"no gain of the kernels gives a gate of {moments.name} a product of second moment 1"
        )
    return root_between(excess, near, far)
