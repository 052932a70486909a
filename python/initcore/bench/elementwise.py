"""Activations and their slopes in NumPy and PyTorch, each as its own users write it for speed.

NumPy works through a formula (formulas.py); PyTorch calls its own fused function with ``out=``. A new
activation needs no row here: NumPy then evaluates the registry's formula, and what PyTorch does not have is
left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from initcore import activations
from initcore.bench.formulas import Array, evaluation
from initcore.bench.interleaved import optional

Call = Callable[[], Any]

# Where NumPy is faster by another formula than the one in the registry: np.where branches on every element,
# a power is slow, and a half of tanh is a sigmoid with one function less.
FORWARD = {
    "identity": "+x",
    "leaky_relu": "maximum(x, negative_slope * x)",
    "elu": "maximum(x, 0) + alpha * expm1(minimum(x, 0))",
    "celu": "maximum(x, 0) + alpha * expm1(minimum(x, 0) * (1 / alpha))",
    "selu": "1.05070099 * maximum(x, 0) + 1.75809934 * expm1(minimum(x, 0))",
    "step": "x >= 0",
    "sigmoid": "tanh(x * 0.5) * 0.5 + 0.5",
    "silu": "x * (tanh(x * 0.5) * 0.5 + 0.5)",
    "gelu": "x * (erf(x * 0.70710678) * 0.5 + 0.5)",
    "gelu_tanh": "x * (tanh(x * (0.79788456 + 0.03567741 * (x * x))) * 0.5 + 0.5)",
}

SLOPE = {
    "identity": "+dy",
    "relu": "dy * (y > 0)",
    "leaky_relu": "dy * maximum(y > 0, negative_slope)",
    "relu6": "dy * ((y > 0) & (y < 6))",
    "elu": "dy * minimum(y + alpha, 1)",  # alpha = 1, as it is here: y + 1 beyond 1 is where y > 0
    "celu": "dy * minimum(y * (1 / alpha) + 1, 1)",
    "selu": "dy * (minimum(y, 0) + (1.75809934 - 0.70739834 * (y > 0)))",
    "sigmoid": "dy * (y - y * y)",
    "hard_sigmoid": "dy * ((y > 0) & (y < 1)) * 0.16666667",
    "tanh": "dy * (1 - y * y)",
    "hard_tanh": "dy * (abs(y) < 1)",
    "softsign": "dy / square(1 + abs(x))",
    "step": "0 * dy",
    "softplus": "dy - dy * exp(-y)",
    "silu": "dy * ((tanh(x * 0.5) * 0.5 + 0.5) * (1 - y) + y)",
    "hard_swish": "dy * ((x * 0.33333333 + 0.5) * (abs(x) < 3) + (x >= 3))",
    "gelu": "dy * (erf(x * 0.70710678) * 0.5 + 0.5 + x * (0.39894228 * exp(x * x * -0.5)))",
    "exponential": "dy * y",
}


@cache
def _of_torch(torch: Any) -> dict[str, tuple[Callable[..., Call], Callable[..., Call] | None]]:
    """What makes PyTorch's calls: of x, into a new tensor or ``out=``; of dy, x, y and dx, for the slope."""
    nn, aten = torch._C._nn, torch.ops.aten
    return {
        "identity": (
            lambda x, out=None: x.clone if out is None else partial(out.copy_, x),
            lambda dy, x, y, dx: partial(dx.copy_, dy),
        ),
        "relu": (
            lambda x, **out: partial(torch.clamp_min, x, 0, **out),
            lambda dy, x, y, dx: partial(aten.threshold_backward.grad_input, dy, y, 0, grad_input=dx),
        ),
        "leaky_relu": (
            lambda x, **out: partial(nn.leaky_relu, x, 0.01, **out),
            lambda dy, x, y, dx: partial(
                aten.leaky_relu_backward.grad_input, dy, y, 0.01, True, grad_input=dx
            ),
        ),
        "relu6": (
            lambda x, **out: partial(nn.hardtanh, x, 0, 6, **out),
            lambda dy, x, y, dx: partial(aten.hardtanh_backward.grad_input, dy, x, 0, 6, grad_input=dx),
        ),
        "elu": (
            lambda x, **out: partial(nn.elu, x, 1, 1, 1, **out),
            lambda dy, x, y, dx: partial(aten.elu_backward.grad_input, dy, 1, 1, 1, True, y, grad_input=dx),
        ),
        "celu": (
            lambda x, **out: partial(nn.elu, x, 1, 1, 1, **out),
            lambda dy, x, y, dx: partial(aten.elu_backward.grad_input, dy, 1, 1, 1, True, y, grad_input=dx),
        ),
        "selu": (
            lambda x, **out: partial(nn.elu, x, *_SELU, 1, **out),
            lambda dy, x, y, dx: partial(aten.elu_backward.grad_input, dy, *_SELU, 1, True, y, grad_input=dx),
        ),
        "sigmoid": (
            lambda x, **out: partial(torch.sigmoid, x, **out),
            lambda dy, x, y, dx: partial(aten.sigmoid_backward.grad_input, dy, y, grad_input=dx),
        ),
        "hard_sigmoid": (
            lambda x, **out: partial(nn.hardsigmoid, x, **out),
            lambda dy, x, y, dx: partial(aten.hardsigmoid_backward.grad_input, dy, x, grad_input=dx),
        ),
        "tanh": (
            lambda x, **out: partial(torch.tanh, x, **out),
            lambda dy, x, y, dx: partial(aten.tanh_backward.grad_input, dy, y, grad_input=dx),
        ),
        "hard_tanh": (
            lambda x, **out: partial(nn.hardtanh, x, -1, 1, **out),
            lambda dy, x, y, dx: partial(aten.hardtanh_backward.grad_input, dy, x, -1, 1, grad_input=dx),
        ),
        "softsign": (lambda x, **out: lambda: torch.div(x, torch.abs(x, **out).add_(1), **out), None),
        "step": (lambda x, **out: partial(torch.heaviside, x, torch.tensor(1.0), **out), None),
        "softplus": (
            lambda x, **out: partial(nn.softplus, x, 1, 20, **out),
            lambda dy, x, y, dx: partial(aten.softplus_backward.grad_input, dy, x, 1, 20, grad_input=dx),
        ),
        "silu": (
            lambda x, **out: partial(nn.silu, x, **out),
            lambda dy, x, y, dx: partial(aten.silu_backward.grad_input, dy, x, grad_input=dx),
        ),
        "hard_swish": (
            lambda x, **out: partial(nn.hardswish, x, **out),
            lambda dy, x, y, dx: partial(aten.hardswish_backward, dy, x),
        ),
        "gelu": (
            lambda x, **out: partial(nn.gelu, x, **out),
            lambda dy, x, y, dx: partial(aten.gelu_backward.grad_input, dy, x, grad_input=dx),
        ),
        "gelu_tanh": (
            lambda x, **out: partial(nn.gelu, x, approximate="tanh", **out),
            lambda dy, x, y, dx: partial(
                aten.gelu_backward.grad_input, dy, x, approximate="tanh", grad_input=dx
            ),
        ),
        "mish": (
            lambda x, **out: partial(nn.mish, x, **out),
            lambda dy, x, y, dx: partial(aten.mish_backward, dy, x),
        ),
        "exponential": (
            lambda x, **out: partial(torch.exp, x, **out),
            lambda dy, x, y, dx: partial(torch.mul, dy, y, out=dx),
        ),
    }


_SELU = 1.67326324, 1.05070099
_NONE = None, None


def _in_torch(calls: Callable[[Any], Call | None]) -> dict[str, Call | None]:
    """PyTorch's side of a comparison: nothing where it has no such function, None where it is missing."""
    torch = optional("torch")
    call = None if torch is None else calls(torch)
    return {"PyTorch": call} if torch is None or call is not None else {}


def in_numpy(name: str, x: Array, out: Array) -> Call:
    """Return NumPy's call for an activation, which writes to ``out``."""
    f = activations.get(name)
    return evaluation(FORWARD.get(name, f.formula), f.parameters | {"x": x}, out)


def forward(name: str, x: Array, out: Array) -> dict[str, Call | None]:
    """Return the others' calls for an activation, into arrays that exist: NumPy's writes to ``out``."""

    def in_torch(torch: Any) -> Call | None:
        make, _ = _of_torch(torch).get(name, _NONE)
        return make and make(torch.from_numpy(x), out=torch.empty(x.shape))

    return {"NumPy": in_numpy(name, x, out)} | _in_torch(in_torch)


def new(name: str, x: Array) -> dict[str, Call | None]:
    """Return PyTorch's call for an activation into a new tensor."""

    def in_torch(torch: Any) -> Call | None:
        make, _ = _of_torch(torch).get(name, _NONE)
        return make and make(torch.from_numpy(x))

    return _in_torch(in_torch)


def slope(name: str, dy: Array, x: Array, y: Array, out: Array) -> dict[str, Call | None]:
    """Return the others' calls for ``dy`` times the slope: NumPy's writes to ``out``."""

    def in_torch(torch: Any) -> Call | None:
        _, make = _of_torch(torch).get(name, _NONE)
        return make and make(*map(torch.from_numpy, (dy, x, y)), torch.empty(x.shape))

    names = activations.get(name).parameters | {"dy": dy, "x": x, "y": y}
    numpys = {"NumPy": evaluation(SLOPE[name], names, out)} if name in SLOPE else {}
    return numpys | _in_torch(in_torch)
