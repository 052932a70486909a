"""Which function an activation of PyTorch is: one of ours if it gives the same values, else the callable."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from initcore import activations
from initcore.apply.parameter import Function

# Where two functions are told apart: both sides of every kink, near and far.
_PROBES = np.concatenate([np.linspace(-7.3, 7.3, 41), [-1e-3, 0.0, 1e-3]])
_BY_SPELLING = {name.replace("_", ""): name for name in activations.names()}


def of_module(module: torch.nn.Module) -> Function | None:
    """Return what an activation module computes; None unless that is an elementwise function of its input.

    >>> of_module(torch.nn.GELU()), of_module(torch.nn.LeakyReLU(0.2)).__name__
    (Activation('gelu'), 'LeakyReLU(negative_slope=0.2)')
    >>> of_module(torch.nn.Linear(2, 2)) is of_module(torch.nn.Dropout()) is None
    True
    """
    if isinstance(module, torch.nn.PReLU):
        return activations.get("prelu", alpha=module.init)
    if isinstance(module, torch.nn.RReLU):
        return activations.get("rrelu", lower=module.lower, upper=module.upper)
    if any(True for _ in module.parameters()) or any(True for _ in module.children()):
        return None
    return _same(type(module).__name__, _on_arrays(module, repr(module)))


def of_function(name: str, call: Callable[..., Any], *arguments: Any, **named: Any) -> Function | None:
    """Return what a function of a tensor and these arguments computes; None if it is not elementwise.

    >>> of_function("relu_", torch.relu_), of_function("softmax", torch.softmax, dim=-1)
    (Activation('relu'), None)
    """
    named.pop("inplace", None)
    values = [f"{value}" for value in arguments] + [f"{key}={value}" for key, value in named.items()]
    title = f"{name}({', '.join(values)})" if values else name
    return _same(name, _on_arrays(lambda x: call(x, *arguments, **named), title))


def passes_on(f: Function) -> bool:
    """Return whether a function returns its input."""
    return isinstance(f, activations.Activation) and f.name == "identity"


def _same(name: str, f: Callable[[NDArray[Any]], NDArray[Any]]) -> Function | None:
    values = _elementwise(f)
    if values is None:
        return None
    spelling = name.lower().replace("_", "")
    for known in dict.fromkeys((_BY_SPELLING.get(spelling), "gelu_tanh", "identity")):
        if known and np.allclose(activations.get(known)(_PROBES), values, rtol=1e-6, atol=1e-9):
            return activations.get(known)
    return _named_once(str(getattr(f, "__name__", name)), tuple(values), f)


@functools.lru_cache(maxsize=256)
def _named_once(name: str, values: tuple[float, ...], f: Function) -> Function:
    return f


def _on_arrays(call: Callable[..., Any], title: str) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """The function of a tensor as one of a float64 array."""

    def f(x: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad():
            y = call(torch.tensor(x, dtype=torch.float64, device="cpu"))
        found: NDArray[Any] = y.numpy()
        return found

    f.__name__ = f.__qualname__ = title
    return f


def _elementwise(f: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[Any] | None:
    """The values at the probes if each depends on its own probe only, and twice the same; else None."""
    try:
        with torch.random.fork_rng(devices=[]):
            values, again, part = f(_PROBES), f(_PROBES[::-1].copy())[::-1], f(_PROBES[:7])
    except Exception:  # whatever a module of somebody's does to a vector that it is not made for
        return None
    if values.shape != _PROBES.shape or part.shape != (7,) or values.dtype.kind != "f":
        return None
    whole = np.stack([values, again, np.concatenate([part, values[7:]])])
    return values if np.allclose(whole, values, rtol=1e-12, atol=1e-12) else None
