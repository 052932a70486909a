"""Activations and their slopes in NumPy and PyTorch, written for speed: into arrays that exist.

To add one: a function in FORWARD and in SLOPE.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initcore.bench.interleaved import optional

Array = NDArray[Any]


def erf(x: Array, out: Array) -> None:
    """Abramowitz & Stegun 7.1.26, to 1.5e-7: NumPy has none, and SciPy's takes longer."""
    t, sign = np.abs(x), x.copy() if x is out else x
    p = t * np.float32(0.3275911)
    p += 1
    np.reciprocal(p, out=p)
    np.multiply(t, t, out=t)
    np.negative(t, out=t)
    np.exp(t, out=t)
    t *= p
    np.multiply(p, np.float32(1.061405429), out=out)
    for c in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        out += np.float32(c)
        if c != 0.254829592:
            out *= p
    out *= t
    np.subtract(1, out, out=out)
    np.copysign(out, sign, out=out)


def _sigmoid(x: Array, y: Array) -> None:
    np.multiply(x, 0.5, out=y)  # half of a tanh: one function less than with exp
    np.tanh(y, out=y)
    y *= 0.5
    y += 0.5


def _gelu(x: Array, y: Array) -> None:
    np.multiply(x, np.float32(0.5**0.5), out=y)
    erf(y, y)
    y += 1
    y *= x
    y *= 0.5


def _relu_slope(dy: Array, x: Array, y: Array, dx: Array) -> None:
    np.multiply(dy, y > 0, out=dx)


def _tanh_slope(dy: Array, x: Array, y: Array, dx: Array) -> None:
    np.multiply(y, y, out=dx)
    np.subtract(1, dx, out=dx)
    dx *= dy


def _sigmoid_slope(dy: Array, x: Array, y: Array, dx: Array) -> None:
    np.subtract(1, y, out=dx)
    dx *= y
    dx *= dy


def _gelu_slope(dy: Array, x: Array, y: Array, dx: Array) -> None:
    density = x * x
    density *= -0.5
    np.exp(density, out=density)
    density *= np.float32((2 * np.pi) ** -0.5)
    density *= x
    np.multiply(x, np.float32(0.5**0.5), out=dx)
    erf(dx, dx)
    dx += 1
    dx *= 0.5
    dx += density
    dx *= dy


FORWARD: dict[str, Callable[[Array, Array], object]] = {
    "relu": lambda x, y: np.maximum(x, 0, out=y),
    "tanh": lambda x, y: np.tanh(x, out=y),
    "sigmoid": _sigmoid,
    "gelu": _gelu,
}

SLOPE: dict[str, Callable[[Array, Array, Array, Array], None]] = {
    "relu": _relu_slope,
    "tanh": _tanh_slope,
    "sigmoid": _sigmoid_slope,
    "gelu": _gelu_slope,
}


def in_torch(name: str, x: Array) -> Callable[[], Any] | None:
    """Return PyTorch's activation as a call on ``x``, or None where PyTorch is not installed."""
    torch = optional("torch")
    if torch is None:
        return None
    given, out = torch.from_numpy(x), torch.empty(x.shape)
    calls: dict[str, Callable[[], Any]] = {
        "relu": lambda: torch.clamp_min(given, 0, out=out),
        "tanh": lambda: torch.tanh(given, out=out),
        "sigmoid": lambda: torch.sigmoid(given, out=out),
        "gelu": lambda: torch._C._nn.gelu(given, out=out),
    }
    return calls[name]


def slope_in_torch(name: str, dy: Array, x: Array, y: Array) -> Callable[[], Any] | None:
    """Return what PyTorch's backward pass calls, or None where PyTorch is not installed."""
    torch = optional("torch")
    if torch is None:
        return None
    gradient, given, result, out = *map(torch.from_numpy, (dy, x, y)), torch.empty(x.shape)
    ops = torch.ops.aten
    calls: dict[str, Callable[[], Any]] = {
        "relu": lambda: ops.threshold_backward.grad_input(gradient, result, 0, grad_input=out),
        "tanh": lambda: ops.tanh_backward.grad_input(gradient, result, grad_input=out),
        "sigmoid": lambda: ops.sigmoid_backward.grad_input(gradient, result, grad_input=out),
        "gelu": lambda: ops.gelu_backward.grad_input(gradient, given, grad_input=out),
    }
    return calls[name]
