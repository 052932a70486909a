"""Which function an activation of PyTorch is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray

from initcore import activations
from initcore.apply.functions import OnArrays, recognized
from initcore.apply.parameter import Function
from initcore.torch.tensors import random_state_kept


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
    return recognized(type(module).__name__, _on_arrays(module, repr(module)))


def of_function(name: str, call: Callable[..., Any], *arguments: Any, **named: Any) -> Function | None:
    """Return what a function of a tensor and these arguments computes; None if it is not elementwise.

    >>> of_function("relu_", torch.relu_), of_function("softmax", torch.softmax, dim=-1)
    (Activation('relu'), None)
    """
    named.pop("inplace", None)
    values = [f"{value}" for value in arguments] + [f"{key}={value}" for key, value in named.items()]
    title = f"{name}({', '.join(values)})" if values else name
    return recognized(name, _on_arrays(lambda x: call(x, *arguments, **named), title))


def _on_arrays(call: Callable[..., Any], title: str) -> OnArrays:
    """The function of a tensor as one of a float64 array."""

    def f(x: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad(), random_state_kept():
            y = call(torch.tensor(x, dtype=torch.float64, device="cpu"))
        found: NDArray[Any] = y.numpy()
        return found

    f.__name__ = f.__qualname__ = title
    return f
