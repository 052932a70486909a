"""Activations and their slopes in NumPy and PyTorch, each as its own users write it for speed.

NumPy works through a formula one operation at a time, every result in a buffer kept for it; PyTorch calls
its own fused function with `out=`. A new activation needs no row here: NumPy then evaluates the registry's
formula, and what PyTorch does not have is left out.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np
from interleaved import optional

from initcore.bench.elementwise import erf

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

# Forward and slope; y and dx are the outputs.
TORCH = {
    "identity": ("y.copy_(x)", "dx.copy_(dy)"),
    "relu": ("torch.clamp_min(x, 0, out=y)", "aten.threshold_backward.grad_input(dy, y, 0, grad_input=dx)"),
    "leaky_relu": (
        "nn.leaky_relu(x, 0.01, out=y)",
        "aten.leaky_relu_backward.grad_input(dy, y, 0.01, True, grad_input=dx)",
    ),
    "relu6": (
        "nn.hardtanh(x, 0, 6, out=y)",
        "aten.hardtanh_backward.grad_input(dy, x, 0, 6, grad_input=dx)",
    ),
    "elu": ("nn.elu(x, 1, 1, 1, out=y)", "aten.elu_backward.grad_input(dy, 1, 1, 1, True, y, grad_input=dx)"),
    "celu": (
        "nn.elu(x, 1, 1, 1, out=y)",
        "aten.elu_backward.grad_input(dy, 1, 1, 1, True, y, grad_input=dx)",
    ),
    "selu": (
        "nn.elu(x, 1.67326324, 1.05070099, 1, out=y)",
        "aten.elu_backward.grad_input(dy, 1.67326324, 1.05070099, 1, True, y, grad_input=dx)",
    ),
    "sigmoid": ("torch.sigmoid(x, out=y)", "aten.sigmoid_backward.grad_input(dy, y, grad_input=dx)"),
    "hard_sigmoid": (
        "nn.hardsigmoid(x, out=y)",
        "aten.hardsigmoid_backward.grad_input(dy, x, grad_input=dx)",
    ),
    "tanh": ("torch.tanh(x, out=y)", "aten.tanh_backward.grad_input(dy, y, grad_input=dx)"),
    "hard_tanh": (
        "nn.hardtanh(x, -1, 1, out=y)",
        "aten.hardtanh_backward.grad_input(dy, x, -1, 1, grad_input=dx)",
    ),
    "softsign": ("torch.div(x, torch.abs(x, out=y).add_(1), out=y)", None),
    "step": ("torch.heaviside(x, one, out=y)", None),
    "softplus": (
        "nn.softplus(x, 1, 20, out=y)",
        "aten.softplus_backward.grad_input(dy, x, 1, 20, grad_input=dx)",
    ),
    "silu": ("nn.silu(x, out=y)", "aten.silu_backward.grad_input(dy, x, grad_input=dx)"),
    "hard_swish": ("nn.hardswish(x, out=y)", "aten.hardswish_backward(dy, x)"),
    "gelu": ("nn.gelu(x, out=y)", "aten.gelu_backward.grad_input(dy, x, grad_input=dx)"),
    "gelu_tanh": (
        "nn.gelu(x, approximate='tanh', out=y)",
        "aten.gelu_backward.grad_input(dy, x, approximate='tanh', grad_input=dx)",
    ),
    "mish": ("nn.mish(x, out=y)", "aten.mish_backward(dy, x)"),
    "exponential": ("torch.exp(x, out=y)", "torch.mul(dy, y, out=dx)"),
}

# Forward, into a new tensor.
CALL = {
    name: expression.replace(", out=y", "")
    .replace("y.copy_(x)", "x.clone()")
    .replace("out=y).add_", ").add_")
    for name, (expression, _) in TORCH.items()
}

# The same of functions of whole rows.
TORCH_ROWS = {
    "softmax": (
        "aten._softmax.out(x, 1, False, out=y)",
        "aten._softmax_backward_data.out(dy, y, 1, torch.float32, grad_input=dx)",
    ),
    "log_softmax": (
        "aten._log_softmax.out(x, 1, False, out=y)",
        "aten._log_softmax_backward_data.out(dy, y, 1, torch.float32, out=dx)",
    ),
}

OPERATIONS = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.BitAnd: np.logical_and,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Lt: np.less,
    ast.UAdd: np.positive,
    ast.USub: np.negative,
}


def softmax(x: Any, out: Any) -> None:
    np.subtract(x, x.max(axis=1, keepdims=True), out=out)
    np.exp(out, out=out)
    out *= 1 / out.sum(axis=1, keepdims=True)


def log_softmax(x: Any, out: Any) -> None:
    np.subtract(x, x.max(axis=1, keepdims=True), out=out)
    out -= np.log(np.exp(out).sum(axis=1, keepdims=True))


ROWS = {"softmax": softmax, "log_softmax": log_softmax}


def _where(condition: Any, x: Any, y: Any, out: Any) -> None:
    out[...] = np.where(condition, x, y)


class _Steps(ast.NodeVisitor):
    """The calls that evaluate an expression; a visit returns the operand that a node has become."""

    def __init__(self, names: dict[str, Any]):
        self.names = names
        self.calls: list[tuple[Callable[..., Any], list[Any], Any]] = []

    def visit_Name(self, node: ast.Name) -> Any:
        return self.names[node.id]

    def visit_Constant(self, node: ast.Constant) -> Any:
        return node.value

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        return self.call(OPERATIONS[type(node.op)], node.operand)

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        return self.call(OPERATIONS[type(node.op)], node.left, node.right)

    def visit_Compare(self, node: ast.Compare) -> Any:
        return self.call(OPERATIONS[type(node.ops[0])], node.left, node.comparators[0])

    def visit_Call(self, node: ast.Call) -> Any:
        own = {"erf": erf, "where": _where}
        return self.call(own.get(node.func.id) or getattr(np, node.func.id), *node.args)

    def call(self, function: Callable[..., Any], *nodes: ast.expr) -> Any:
        operands = [self.visit(node) for node in nodes]
        arrays = [a for a in operands if isinstance(a, np.ndarray)]
        if not arrays:
            return float(function(*operands))
        test = function in (np.greater, np.greater_equal, np.less, np.logical_and)
        # A buffer that was read last here is written next: less memory is touched.
        given = [a for a in self.names.values() if isinstance(a, np.ndarray)]
        dtype = bool if test else np.float32
        reused = [a for a in arrays if a.dtype == dtype and not any(a is b for b in given)]
        self.calls.append((function, operands, reused[0] if reused else np.empty(arrays[0].shape, dtype)))
        return self.calls[-1][2]


def in_numpy(formula: str, out: Any, names: dict[str, Any]) -> Callable[[], None]:
    """Return a call that evaluates a formula of arrays and numbers and allocates nothing on the way."""
    steps = _Steps(names)
    steps.visit(ast.parse(formula, mode="eval").body)
    function, operands, _ = steps.calls.pop()
    calls = [*steps.calls, (function, operands, out)]

    def run() -> None:
        for f, arguments, target in calls:
            f(*arguments, out=target)

    return run


def in_torch(expression: str | None, arrays: dict[str, Any]) -> dict[str, Callable[[], Any] | None]:
    """Return PyTorch's side of a comparison: nothing where it has no such function, None where missing."""
    torch = optional("torch")
    if torch is None:
        return {"PyTorch": None}
    if expression is None:
        return {}
    names = {name: torch.from_numpy(array) for name, array in arrays.items()}
    names |= {"torch": torch, "nn": torch._C._nn, "aten": torch.ops.aten, "one": torch.tensor(1.0)}
    return {"PyTorch": eval(f"lambda: {expression}", names)}
