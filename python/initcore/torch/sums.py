"""Which sums of a traced forward are residual connections.

A term of a sum is a branch, and another its skipped path, if both come from the same signal and the skipped
path has no kernel; or one, a projection, where the branch has more and both come from that signal alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations
from typing import Any, NamedTuple

from initcore.torch.tracing import LOOKS, called

_ADDS = frozenset(("add", "iadd", "add_"))
# What a skipped path does not go through: it would be a path of its own.
_MIXES = frozenset(
    (
        *("matmul", "bmm", "mm", "baddbmm", "addmm", "einsum", "linear", "bilinear", "embedding"),
        *("conv1d", "conv2d", "conv3d", "softmax"),
        *("scaled_dot_product_attention", "multi_head_attention_forward"),
    )
)


class Branch(NamedTuple):
    """A branch: the sum that it goes into, the term of it that it is, and the nodes that are its alone."""

    sum: Any
    end: Any
    nodes: frozenset[Any]


def branches(nodes: Sequence[Any], has: Callable[[Any, str], bool]) -> Iterator[Branch]:
    """Yield the residual branches of a graph, inner ones before those that they stand in.

    Args:
        nodes: The graph's nodes, in order.
        has: Whether a node has a tensor of this role: of ``"kernel"`` or ``"embedding"``.
    """
    bit = {node: 1 << i for i, node in enumerate(nodes)}
    before: dict[Any, int] = {}  # all that a value comes from, itself included
    for node in nodes:
        before[node] = bit[node]
        for source in _sources(node):
            before[node] |= before[source]

    def all_that(is_so: Callable[[Any], bool]) -> int:
        return sum(bit[node] for node in nodes if is_so(node))

    inputs = all_that(lambda node: node.op == "placeholder")
    signals = all_that(lambda node: bool(before[node] & inputs))
    kernels = all_that(lambda node: has(node, "kernel"))
    own = all_that(lambda node: called(node) in _MIXES or has(node, "embedding")) | inputs

    def within(bits: int) -> frozenset[Any]:
        return frozenset(node for node in nodes if bits & bit[node])

    def origins(path: int) -> set[Any]:
        found = {source for node in within(path) for source in _sources(node)}
        return {node for node in found if bit[node] & signals & ~path}

    def is_skip(path: int, branch: int) -> bool:
        on_path, on_branch = ((side & kernels).bit_count() for side in (path, branch))
        if path & own or not on_branch:
            return False
        if not on_path:
            return True
        alone = len(origins(path)) == 1 and origins(path) == origins(branch) and not branch & inputs
        return alone and on_path == 1 < on_branch

    for node in nodes:
        if _is_sum(node) and not _is_term_of_a_sum(node):
            for skip, end in permutations(_terms(node), 2):
                path, branch = before[skip] & ~before[end], before[end] & ~before[skip]
                if before[skip] & before[end] & signals and is_skip(path, branch):
                    yield Branch(node, end, within(branch))


def _sources(node: Any) -> Sequence[Any]:
    """The nodes whose values a node's values come from."""
    found: Sequence[Any] = () if called(node) in LOOKS else node.all_input_nodes
    return found


def _is_sum(node: Any) -> bool:
    return called(node) in _ADDS and len(node.all_input_nodes) == 2


def _is_term_of_a_sum(node: Any) -> bool:
    return len(node.users) == 1 and _is_sum(next(iter(node.users)))


def _terms(node: Any) -> Iterator[Any]:
    for source in node.all_input_nodes:
        if _is_sum(source) and _is_term_of_a_sum(source):
            yield from _terms(source)
        else:
            yield source
