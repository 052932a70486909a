"""What theory says about a network at its start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from initcore import activations
from initcore.quadrature import Gain
from initcore.quadrature import gain as _gain


def gain(f: str | activations.Activation | Callable[[NDArray[Any]], NDArray[Any]] | None) -> Gain:
    """Return what weights must be scaled by after the activation ``f``.

    ``.forward`` = 1 / sqrt(E[f(z)^2]) keeps the second moment of the signal from layer to layer,
    ``.backward`` = 1 / sqrt(E[f'(z)^2]) that of the gradient, for z ~ N(0, 1): He et al. 2015,
    arXiv:1502.01852, equations 7 and 14, for any activation. PyTorch's ``calculate_gain`` follows another
    convention: its tanh is 5/3, its sigmoid 1.

    Args:
        f: A name out of `initcore.activations.names`, an activation, or any function that maps a float64
            array to one of the same shape; the slope of such a function is found numerically.

    Raises:
        ValueError: there is no such activation, or it looks at whole rows.

    >>> f"{gain('relu').forward:.6f} {gain('gelu').backward:.6f}"
    '1.414214 1.481114'
    >>> f"{gain(lambda z: z**3).forward:.6f}"
    '0.258199'
    """
    if callable(f) and not isinstance(f, activations.Activation):
        return _gain(f)
    return activations.get(f).gains
