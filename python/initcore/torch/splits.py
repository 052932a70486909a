"""Into which parts a traced forward splits what a kernel gives: query, key and value, or the sides of a gate.

What is followed are the axes that the kernel's outputs lie on, through reshapes and permutations, until one
is cut: the slowest, so that the parts lie one after another in the kernel; or, in each head, one behind it.

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
    """One of the axes of a value that a kernel's outputs lie on.

    It has ``size`` of them, or groups of them one after another, in each of ``heads`` blocks. ``place``
    counts from the last axis, -1; ``rank`` is how many axes there are, None if that is not known. ``window``
    is how many axes of a convolution's positions stand behind it.
    """

    outputs: int
    size: int
    place: int = -1
    rank: int | None = None
    heads: int = 1
    window: int = 0

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
        return Parts(tuple(size * self.one for size in sizes)) if known and self.heads == 1 else None

    def equally(self, count: Any) -> Parts | None:
        """As `cut`, into so many parts of the same size."""
        if not (isinstance(count, int) and count > 1 and self.size % count == 0):
            return None
        # Within heads, halves are those that rotary embeddings turn, unless key and value have an axis.
        turned = self.heads > 1 and (count > 3 or (count == 2 and (self.size > 2 or self.one == 1)))
        return None if turned else Parts(count, self.heads)

    @property
    def one(self) -> int:
        """How many outputs one after another each place on the axis stands for."""
        return self.outputs // (self.size * self.heads)

    def into(self, sizes: Sequence[int], rank: int | None, behind: int = 0) -> list[_Axis]:
        """Return the axes that it becomes, of these sizes, where ``behind`` others follow."""
        return [
            replace(
                self,
                size=size,
                place=i - len(sizes) - behind,
                rank=rank,
                heads=self.heads * math.prod(sizes[:i]),
                window=behind if len(sizes) == 1 else 0,
            )
            for i, size in enumerate(sizes)
        ]


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
    {'qkv': Parts(of=3, heads=1)}
    """
    found: dict[str, set[Parts | None]] = {}
    for node in graph.nodes:
        if node.op == "call_module" and (axis := _outputs(modules[node.target])):
            found.setdefault(node.target, set()).add(next(_cuts(node, axis, modules), None))
    return {name: cut for name, (cut, *others) in found.items() if cut is not None and not others}


def _outputs(module: nn.Module) -> _Axis | None:
    """The axis that the outputs of a module's kernel lie on, if it is one map; else None."""
    if isinstance(module, nn.Linear):
        return _Axis(module.out_features, module.out_features)
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        window, channels = len(module.kernel_size), module.out_channels
        return _Axis(channels, channels, -1 - window, window + 2, window=window)
    parts = {name: roles.of(module, name) for name, _ in module.named_parameters(recurse=False)}
    kernels = [(getattr(module, name), part.layout) for name, part in parts.items() if part.role == "kernel"]
    if len(kernels) != 1 or kernels[0][0].ndim != 2:
        return None
    [(tensor, layout)] = kernels
    size = int(tensor.shape[layout == "io"])
    return _Axis(size, size) if isinstance(layout, str) else None


def _cuts(node: Any, axis: _Axis, modules: Mapping[str, nn.Module]) -> Iterator[Parts]:
    """The parts into which the uses of a value cut it."""
    pieces: set[tuple[int, int]] = set()
    for user in node.users:
        name, module = called(user), modules[user.target] if user.op == "call_module" else None
        cut = None
        if name in _SAME or isinstance(module, nn.Dropout | nn.Identity):
            yield from _cuts(user, axis, modules)
        elif name in _MOVES:
            for moved in _MOVES[name](user, axis):
                yield from _cuts(user, moved, modules)
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


# How an axis lies after a call: nothing if that is not known, several axes if it is split.


def _reshaped(node: Any, axis: _Axis) -> Sequence[_Axis]:
    sizes = _several(node, 1, "shape", "size")
    if axis.window:
        return _reshaped_channels(sizes, axis)
    found = [tail for start in range(1, len(sizes)) if (tail := _tail(sizes, start, axis))]
    return axis.into(found[0], len(sizes)) if found and axis.place == -1 else ()


def _reshaped_channels(sizes: list[Any], axis: _Axis) -> Sequence[_Axis]:
    """As `_reshaped`, of channels behind the batch: positions follow, and their number is seldom known."""
    if len(sizes) < 3 or axis.rank != axis.window + 2 or axis.place != -1 - axis.window:
        return ()
    first, *rest = sizes
    if _is_node(first):
        batch = called(first) in ("getitem", "size") and argument(first, 1) == 0
    else:
        batch = first != -1 or rest[0] == axis.size
    if not batch:  # but that of all heads, say
        return ()
    if rest[0] in (-1, axis.size) or _is_node(rest[0]):  # a size that is computed is that of all channels
        return axis.into([axis.size], len(sizes), len(rest) - 1) if len(sizes) <= axis.window + 2 else ()
    into: list[int] = []
    while len(into) + 1 < len(rest) and isinstance(rest[len(into)], int) and rest[len(into)] > 0:
        if axis.size % math.prod([*into, rest[len(into)]]):
            break
        into.append(rest[len(into)])
    return axis.into(into, len(sizes), len(rest) - len(into))


def _is_node(size: Any) -> bool:
    return hasattr(size, "users")


def _flattened(node: Any, axis: _Axis) -> Sequence[_Axis]:
    """Of positions only: those of a convolution."""
    start, end = argument(node, 1, "start_dim", usual=0), argument(node, 2, "end_dim", usual=-1)
    if axis.rank is None or not isinstance(start, int) or end not in (-1, axis.rank - 1):
        return ()
    joined = axis.rank - 1 - start % axis.rank
    if axis.place >= -1 - joined:
        return ()
    window = max(axis.window - joined, 0)
    return (replace(axis, place=axis.place + joined, rank=axis.rank - joined, window=window),)


def _unflattened(node: Any, axis: _Axis) -> Sequence[_Axis]:
    sizes = _several(node, 2, "sizes", "unflattened_size")
    tail = _tail(sizes, 0, axis) if sizes else []
    if not tail or not axis.at(argument(node, 1, "dim")):
        return ()
    return axis.into(tail, axis.rank and axis.rank + len(sizes) - 1, -1 - axis.place)


def _tail(sizes: list[Any], start: int, axis: _Axis) -> list[int]:
    """The sizes from ``start`` on if the axis is split into those, else none.

    One of them may be unknown, if none of those before is known, which then are the axes that were there.
    """
    known = [size if isinstance(size, int) and size > 0 else 0 for size in sizes]
    front, tail = known[:start], known[start:]
    rest, over = divmod(axis.size, math.prod(size or 1 for size in tail))
    one_open = tail.count(0) == 1 and rest > 1 and axis.heads == 1 and not any(size > 1 for size in front)
    fits = not over and (one_open if 0 in tail else rest == 1)
    return [size or rest for size in tail] if fits else []


def _permuted(node: Any, axis: _Axis) -> Sequence[_Axis]:
    dims = _several(node, 1, "dims")
    rank = len(dims)
    if not all(isinstance(dim, int) for dim in dims) or axis.rank not in (None, rank):
        return ()
    order = [dim % rank - rank for dim in dims]
    place = order.index(axis.place) - rank if axis.place in order else None
    return (replace(_moved(axis, place), rank=rank),) if place else ()


def _transposed(node: Any, axis: _Axis) -> Sequence[_Axis]:
    dims = [argument(node, i, f"dim{i - 1}", f"axis{i - 1}") for i in (1, 2)]
    known = [dim for dim in dims if isinstance(dim, int) and (dim < 0 or axis.rank)]
    if len(known) < 2:
        return ()
    a, b = (dim - (axis.rank or 0) if dim >= 0 else dim for dim in known)
    return (_moved(axis, {a: b, b: a}.get(axis.place, axis.place)),)


def _moved(axis: _Axis, place: int) -> _Axis:
    return axis if place == axis.place else replace(axis, place=place, window=0)


def _several(node: Any, place: int, *names: str) -> list[Any]:
    """The sizes or axes that a call is given, one by one or at once."""
    found = argument(node, place, *names)
    return list(found if isinstance(found, tuple | list) else node.args[place:])


_MOVES: Mapping[str, Callable[[Any, _Axis], Sequence[_Axis]]] = {
    **dict.fromkeys(("view", "reshape"), _reshaped),
    "flatten": _flattened,
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
