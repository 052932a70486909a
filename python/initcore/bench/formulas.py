"""A formula as NumPy's users write it for speed: an operation at a time, results in buffers kept for them.

To allow another operator: a row of _OPERATORS. A function is NumPy's of that name, unless it is in _OWN.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
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
_TESTS = (np.greater, np.greater_equal, np.less, np.logical_and)


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


def _where(condition: Array, x: Any, y: Any, out: Array) -> None:
    out[...] = np.where(condition, x, y)


_OWN: dict[str, Callable[..., Any]] = {"erf": erf, "where": _where}


def evaluation(formula: str, names: Mapping[str, Any], out: Array) -> Callable[[], None]:
    """Return a call that writes the formula's value to ``out``, and allocates nothing but for erf and where.

    Args:
        formula: Of ``names``, numbers, the operators above and functions.
        names: Arrays of float32, and numbers.
        out: None of these arrays.

    >>> x, y = np.float32([-2, 0, 3]), np.empty(3, np.float32)
    >>> evaluation("maximum(x, 0) * a + 1", {"x": x, "a": 2}, y)()
    >>> y
    array([1., 1., 7.], dtype=float32)
    """
    steps = _Steps(names, out)
    steps.visit(ast.parse(formula, mode="eval").body)
    function, operands, _ = steps.calls.pop()
    calls = [*steps.calls, (function, operands, out)]

    def run() -> None:
        for f, arguments, target in calls:
            f(*arguments, out=target)

    return run


class _Steps(ast.NodeVisitor):
    """The calls that evaluate an expression; a visit returns the operand that a node has become."""

    def __init__(self, names: Mapping[str, Any], out: Array) -> None:
        self.names = names
        self.free = [out]
        self.calls: list[tuple[Callable[..., Any], list[Any], Array]] = []

    def visit_Name(self, node: ast.Name) -> Any:
        return self.names[node.id]

    def visit_Constant(self, node: ast.Constant) -> Any:
        return node.value

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        return self.call(_OPERATORS[type(node.op)], node.operand)

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        return self.call(_OPERATORS[type(node.op)], node.left, node.right)

    def visit_Compare(self, node: ast.Compare) -> Any:
        return self.call(_OPERATORS[type(node.ops[0])], node.left, node.comparators[0])

    def visit_Call(self, node: ast.Call) -> Any:
        assert isinstance(node.func, ast.Name)
        return self.call(_OWN.get(node.func.id) or getattr(np, node.func.id), *node.args)

    def call(self, function: Callable[..., Any], *nodes: ast.expr) -> Any:
        operands = [self.visit(node) for node in nodes]
        arrays = [operand for operand in operands if isinstance(operand, np.ndarray)]
        if not arrays:
            return float(function(*operands))
        # A result on the way is read once, so its buffer is written next: little memory is touched.
        given = [id(array) for array in self.names.values()]
        self.free += [array for array in arrays if id(array) not in given]
        dtype = np.dtype(bool if function in _TESTS else np.float32)
        at = next((i for i in reversed(range(len(self.free))) if self.free[i].dtype == dtype), None)
        target = np.empty(arrays[0].shape, dtype) if at is None else self.free.pop(at)
        self.calls.append((function, operands, target))
        return target
