"""Which function an activation of a framework is: one of ours if it gives the same values, else itself."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initcore import activations, initializers
from initcore.apply.parameter import Function

OnArrays = Callable[[NDArray[Any]], NDArray[Any]]

# Where two functions are told apart: both sides of every kink, near and far.
_PROBES = np.concatenate([np.linspace(-7.3, 7.3, 41), [-1e-3, 0.0, 1e-3]])
_BY_SPELLING = {name.replace("_", ""): name for name in activations.names()}


def recognized(name: str, f: OnArrays) -> Function | None:
    """Return the activation that ``f``, spelled ``name``, is; ``f`` itself if it is none of ours.

    None if it is not an elementwise function, or not twice the same.

    >>> recognized("ReLU", lambda x: np.maximum(x, 0)), recognized("sort", np.sort)
    (Activation('relu'), None)
    """
    values = _elementwise(f)
    if values is None:
        return None
    spelling = name.lower().replace("_", "")
    for known in dict.fromkeys((_BY_SPELLING.get(spelling), "gelu_tanh", "identity")):
        if known and np.allclose(activations.get(known)(_PROBES), values, rtol=1e-5, atol=1e-6):
            return activations.get(known)
    return _once(str(getattr(f, "__name__", name)), tuple(values.tolist()), f)


def composed(chain: Sequence[Function]) -> Function:
    """Return the function that is these one after another.

    >>> composed([activations.get("relu"), np.square]).__name__
    'square of relu'
    """
    functions = [f for f in chain if callable(f)]
    names = [str(getattr(f, "name", "") or getattr(f, "__name__", f)) for f in functions]

    def whole(x: NDArray[Any]) -> NDArray[Any]:
        return functools.reduce(lambda y, f: np.asarray(f(y)), functions, x)

    whole.__name__ = whole.__qualname__ = " of ".join(reversed(names))
    with np.errstate(all="ignore"):
        return recognized(whole.__name__, whole) or whole


def has_gain(f: Function) -> bool:
    """Return whether there is a gain that keeps a signal's scale through a function.

    >>> has_gain(np.square), has_gain(np.log)
    (True, False)
    """
    with np.errstate(all="ignore"):
        try:
            initializers.auto(f)
        except ValueError:  # no second moment
            return False
    return True


def passes_on(f: Function) -> bool:
    """Return whether a function returns its input.

    >>> passes_on(activations.get("identity")), passes_on(np.tanh)
    (True, False)
    """
    return isinstance(f, activations.Activation) and f.name == "identity"


@functools.lru_cache(maxsize=256)
def _once(name: str, values: tuple[float, ...], f: Function) -> Function:
    """The same object for functions that agree, so that a gain is computed once."""
    return f


def _elementwise(f: OnArrays) -> NDArray[Any] | None:
    """The values at the probes if each depends on its own probe only, and twice the same; else None."""
    try:
        values, again, part = f(_PROBES), f(_PROBES[::-1].copy())[::-1], f(_PROBES[:7])
    except Exception:  # whatever a layer of somebody's does to a vector that it is not made for
        return None
    if values.shape != _PROBES.shape or part.shape != (7,) or values.dtype.kind != "f":
        return None
    whole = np.stack([values, again, np.concatenate([part, values[7:]])])
    return values if np.allclose(whole, values, rtol=1e-5, atol=1e-6) else None
