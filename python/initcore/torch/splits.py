"""Into which parts a traced forward splits what a kernel gives: query, key and value, or the sides of a gate.

What is followed is the axis that the kernel's outputs lie on, through reshapes and permutations, until it is
cut. Only parts that lie one after another in the kernel count, not those of every head by itself.

To add a way of moving an axis, or of cutting it: a line in ``_MOVES`` or ``_CUTS``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from torch import nn

from initcore.apply.parameter import Parts
from initcore.torch import roles
from initcore.torch.tracing import argument, called

_SAME = frozenset(("contiguous", "clone", "float", "half", "to", "type", "type_as", "dropout"))


@dataclass(frozen=True)
class _Axis:
    """The axis of a value that a kernel's outputs lie on, or of several the slowest: it has ``size`` of them.

    ``place`` counts from the last axis, -1; ``rank`` is how many axes there are, None if that is not known.
    """

    outputs: int
    size: int
    place: int = -1
    rank: int | None = None

    def at(self, dim: Any) -> bool:
        """Whether this is the axis ``dim``; of how many is not known, any but the first from the front is."""
        if isinstance(dim, int) and dim >= 0:
            dim = dim - self.rank if self.rank else -min(dim, 1)
        return isinstance(dim, int) and dim == self.place

    def cut(self, sizes: Sequence[Any]) -> Parts | None:
        """Return the parts of the kernel's outputs where the axis is cut into these; None if it cannot be."""
        known = all(isinstance(size, int) for size in sizes)
        if len(sizes) < 2 or (known and sum(sizes) != self.size):
            return None
        if len(set(sizes)) == 1:
            return self.equally(len(sizes))
        return tuple(size * (self.outputs // self.size) for size in sizes) if known else None

    def equally(self, count: Any) -> Parts | None:
        """As `cut`, into so many parts of the same size."""
        return count if isinstance(count, int) and count > 1 and self.size % count == 0 else None


def of(graph: Any, modules: Mapping[str, nn.Module]) -> dict[str, Parts]:
    """Return the parts of what kernels give, by module name, where all calls are split alike.

    >>> from initcore.torch.tracing import graph_of
    >>> class Attention(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.qkv = nn.Linear(8, 24)
    ...
    ...     def forward(self, x):
    ...         q, k, v = self.qkv(x).chunk(3, dim=-1)
    ...         return nn.functional.scaled_dot_product_attention(q, k, v)
    >>> model = Attention()
    >>> of(graph_of(model), dict(model.named_modules()))
    {'qkv': 3}
    """
    found: dict[str, set[Parts | None]] = {}
    for node in graph.nodes:
        if node.op == "call_module" and (outputs := _outputs(modules[node.target])):
            cut = next(_cuts(node, _Axis(outputs, outputs), modules), None)
            found.setdefault(node.target, set()).add(cut)
    return {name: cut for name, (cut, *others) in found.items() if cut is not None and not others}


def _outputs(module: nn.Module) -> int:
    """How many outputs the kernel of a module has, if it is one matrix; else 0."""
    if isinstance(module, nn.Linear):
        return int(module.out_features)
    parts = {name: roles.of(module, name) for name, _ in module.named_parameters(recurse=False)}
    kernels = [(getattr(module, name), part.layout) for name, part in parts.items() if part.role == "kernel"]
    if len(kernels) != 1 or kernels[0][0].ndim != 2:
        return 0
    [(tensor, layout)] = kernels
    return int(tensor.shape[layout == "io"]) if isinstance(layout, str) else 0


def _cuts(node: Any, axis: _Axis, modules: Mapping[str, nn.Module]) -> Iterator[Parts]:
    """The parts into which the uses of a value cut it."""
    pieces: set[tuple[int, int]] = set()
    for user in node.users:
        name, module = called(user), modules[user.target] if user.op == "call_module" else None
        cut = None
        if name in _SAME or isinstance(module, nn.Dropout | nn.Identity):
            yield from _cuts(user, axis, modules)
        elif name in _MOVES:
            moved = _MOVES[name](user, axis)
            yield from _cuts(user, moved, modules) if moved else ()
        elif name == "getitem":
            pieces |= set(_pieces(user.args[1], axis))
        elif name in _CUTS:
            cut = _CUTS[name](user, axis)
        elif isinstance(module, nn.GLU) and axis.at(module.dim):
            cut = axis.equally(2)
        if cut is not None:
            yield cut
    ends = list(pairwise(sorted({end for piece in pieces for end in piece})))
    if set(ends) == pieces and (cut := axis.cut([stop - start for start, stop in ends])) is not None:
        yield cut


def _pieces(index: Any, axis: _Axis) -> Iterator[tuple[int, int]]:
    """Where a piece of the axis that an index chooses begins and ends, if it does."""
    items = list(index) if isinstance(index, tuple) else [index]
    front = items.index(...) if ... in items else len(items)
    if None in items or (front and not axis.rank):
        return  # x[:, 0] may as well be the first of all tokens
    for place, item in enumerate(items):
        if place == front or not axis.at(place if place < front else place - len(items)):
            continue
        if isinstance(item, int):
            yield item % axis.size, item % axis.size + 1
        elif isinstance(item, slice) and all(
            x is None or isinstance(x, int) for x in (item.start, item.stop)
        ):
            yield item.indices(axis.size)[:2]


# How an axis lies after a call, or None if that is not known.


def _reshaped(node: Any, axis: _Axis) -> _Axis | None:
    sizes = _several(node, 1, "shape", "size")
    found = [(start, size) for start in range(1, len(sizes)) if (size := _begins(sizes, start, axis.size))]
    if not found or axis.place != -1:
        return None
    [(start, size), *_] = found
    return _Axis(axis.outputs, size, start - len(sizes), len(sizes))


def _unflattened(node: Any, axis: _Axis) -> _Axis | None:
    sizes = _several(node, 2, "sizes", "unflattened_size")
    size = _begins(sizes, 0, axis.size) if sizes else 0
    if not size or axis.place != -1 or not axis.at(argument(node, 1, "dim")):
        return None
    return _Axis(axis.outputs, size, -len(sizes), axis.rank and axis.rank + len(sizes) - 1)


def _begins(sizes: list[Any], start: int, whole: int) -> int:
    """The size of the axis ``start`` if the last one is split into those from there on, else 0.

    One of them may be unknown, if none of those before is known, which then are the axes that were there.
    """
    known = [size if isinstance(size, int) and size > 0 else 0 for size in sizes]
    front, tail = known[:start], known[start:]
    rest, over = divmod(whole, math.prod(size or 1 for size in tail))
    one_open = tail.count(0) == 1 and rest > 1 and not any(size > 1 for size in front)
    fits = not over and (one_open if 0 in tail else rest == 1)
    return (tail[0] or rest) if fits else 0


def _permuted(node: Any, axis: _Axis) -> _Axis | None:
    dims = _several(node, 1, "dims")
    rank = len(dims)
    if not all(isinstance(dim, int) for dim in dims) or axis.rank not in (None, rank):
        return None
    order = [dim % rank - rank for dim in dims]
    return replace(axis, place=order.index(axis.place) - rank, rank=rank) if axis.place in order else None


def _transposed(node: Any, axis: _Axis) -> _Axis | None:
    dims = [argument(node, i, f"dim{i - 1}", f"axis{i - 1}") for i in (1, 2)]
    known = [dim for dim in dims if isinstance(dim, int) and (dim < 0 or axis.rank)]
    if len(known) < 2:
        return None
    a, b = (dim - (axis.rank or 0) if dim >= 0 else dim for dim in known)
    return replace(axis, place={a: b, b: a}.get(axis.place, axis.place))


def _several(node: Any, place: int, *names: str) -> list[Any]:
    """The sizes or axes that a call is given, one by one or at once."""
    found = argument(node, place, *names)
    return list(found if isinstance(found, tuple | list) else node.args[place:])


_MOVES: Mapping[str, Callable[[Any, _Axis], _Axis | None]] = {
    **dict.fromkeys(("view", "reshape"), _reshaped),
    "unflatten": _unflattened,
    "permute": _permuted,
    **dict.fromkeys(("transpose", "swapaxes", "swapdims"), _transposed),
}


# The parts that a call cuts the kernel's outputs into, or None if it does not.


def _chunked(node: Any, axis: _Axis) -> Parts | None:
    at = axis.at(argument(node, 2, "dim", usual=0))
    return axis.equally(argument(node, 1, "chunks", "sections")) if at else None


def _split(node: Any, axis: _Axis) -> Parts | None:
    if not axis.at(argument(node, 2, "dim", usual=0)):
        return None
    sizes = argument(node, 1, "split_size", "split_size_or_sections", "split_sizes")
    if isinstance(sizes, tuple | list):
        return axis.cut(sizes)
    taken = [user.args[1] for user in node.users if called(user) == "getitem"]
    if not isinstance(sizes, int):
        return axis.equally(len(taken))
    full, rest = divmod(axis.size, max(sizes, 1))
    found = [sizes] * full + [rest] * bool(rest)
    return axis.cut(found) if len(taken) in (0, len(found)) else None


def _unbound(node: Any, axis: _Axis) -> Parts | None:
    return axis.equally(axis.size) if axis.at(argument(node, 1, "dim", usual=0)) else None


def _halved(node: Any, axis: _Axis) -> Parts | None:
    return axis.equally(2) if axis.at(argument(node, 1, "dim", usual=-1)) else None


_CUTS: Mapping[str, Callable[[Any, _Axis], Parts | None]] = {
    **dict.fromkeys(("chunk", "tensor_split"), _chunked),
    **dict.fromkeys(("split", "split_with_sizes"), _split),
    "unbind": _unbound,
    "glu": _halved,
}
