"""Any Python callable as a function of float64 arrays."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Function = Callable[[Array], Array]

_PROBE = np.array([[-1.5, 0.5]])
_BLOCK = 4096
_CANNOT = (TypeError, ValueError, AttributeError, RuntimeError)


def vectorized(f: Callable[..., Any]) -> Function:
    """Return ``f`` as a function that maps a float64 array to one of the same shape.

    ``f`` may take arrays, also those of JAX, single numbers (those of `math`, or with an ``if``), or
    PyTorch's tensors.

    Raises:
        TypeError: it takes none of them, does not return one number for each, or looks at several at once.

    >>> import math
    >>> vectorized(math.tanh)(np.zeros((2, 2)))
    array([[0., 0.],
           [0., 0.]])
    >>> vectorized(lambda x: x if x > 0 else 0.0)(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    name = getattr(f, "__name__", repr(f))
    for way in (_of_arrays, _of_tensors, _of_numbers):
        function = way(f)
        try:
            with np.errstate(all="ignore"):
                y, first = function(_PROBE), function(_PROBE[:, :1])
        except _CANNOT:
            continue
        if y.shape != _PROBE.shape or first.shape != (1, 1):
            break
        if not np.allclose(y[:, :1], first, rtol=1e-5, equal_nan=True):
            raise TypeError(f"an activation must map each number by itself, but {name} looks at whole rows")
        return _in_blocks(function) if way is _of_arrays and _is_compiled(f) else function
    raise TypeError(
        "an activation must map an array of numbers to one of the same shape, or a number to a number; "
        f"{name} does neither with {_PROBE.tolist()}"
    )


def _of_arrays(f: Callable[..., Any]) -> Function:
    return lambda z: np.asarray(f(z), np.float64)


def _of_tensors(f: Callable[..., Any]) -> Function:
    def call(z: Array) -> Array:
        torch = sys.modules.get("torch")  # who has a function of tensors has imported it
        if torch is None:
            raise TypeError("there are no tensors")
        x = torch.from_numpy(np.ascontiguousarray(z))
        with torch.no_grad():
            try:
                y = f(x)
            except RuntimeError:  # a module with parameters in single precision
                y = f(x.float())
        return np.asarray(y.numpy(), np.float64)

    return call


def _of_numbers(f: Callable[..., Any]) -> Function:
    return np.vectorize(f, otypes=[np.float64])


def _is_compiled(f: Callable[..., Any]) -> bool:
    """Whether JAX evaluates it: anew compiled for each shape of array."""
    jax = sys.modules.get("jax")
    with np.errstate(all="ignore"):
        return jax is not None and isinstance(f(_PROBE), jax.Array)


def _in_blocks(function: Function) -> Function:
    def call(z: Array) -> Array:
        blocks = np.zeros((-(-z.size // _BLOCK), _BLOCK))
        blocks.ravel()[: z.size] = z.ravel()
        y: Array = np.concatenate([function(block) for block in blocks])[: z.size].reshape(z.shape)
        return y

    return call
