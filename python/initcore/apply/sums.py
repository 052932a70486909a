"""Which sums of a forward are residual connections.

A term of a sum is a branch, and another its skipped path, if both come from the same signal and the skipped
path has no kernel; or one, a projection, where the branch has more and both come from that signal alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import permutations
from typing import NamedTuple

from initcore.apply.graph import Node


class Branch(NamedTuple):
    """A branch: the sum that it goes into, the term of it that it is, and the nodes that are its alone.

    What comes from elsewhere, as a condition or a memory, is none of it, except for the kernels through which
    attention takes it.
    """

    sum: Node
    end: Node
    nodes: frozenset[Node]


def branches(nodes: Sequence[Node]) -> Iterator[Branch]:
    """Yield the residual branches of a graph, inner ones before those that they stand in.

    Args:
        nodes: The graph's nodes, in order.
    """
    bit = {node: 1 << i for i, node in enumerate(nodes)}
    before: dict[Node, int] = {}  # all that a value comes from, itself included
    for node in nodes:
        before[node] = bit[node]
        for source in node.inputs:
            before[node] |= before[source]

    def all_that(is_so: Callable[[Node], bool]) -> int:
        return sum(bit[node] for node in nodes if is_so(node))

    inputs = all_that(lambda node: "input" in node.does)
    signals = all_that(lambda node: bool(before[node] & inputs))
    kernels = all_that(lambda node: node.has("kernel"))
    # What a skipped path does not go through: it would be a path of its own.
    mixed = all_that(lambda node: "mix" in node.does or node.has("embedding")) | inputs

    def within(bits: int) -> frozenset[Node]:
        return frozenset(node for node in nodes if bits & bit[node])

    def origins(path: int) -> set[Node]:
        found = {source for node in within(path) for source in node.inputs}
        return {node for node in found if bit[node] & signals & ~path}

    def is_skip(path: int, branch: int, own: int) -> bool:
        on_path, on_branch = ((side & kernels).bit_count() for side in (path, own))
        if path & mixed or not on_branch:
            return False
        if not on_path:
            return True
        alone = len(origins(path)) == 1 and origins(path) == origins(branch) and not branch & inputs
        return alone and on_path == 1 < on_branch

    def own_of(fork: Iterable[Node], branch: int) -> int:
        """A branch's own: the way from where the paths part; up to its kernels, what is mixed in there."""
        start = sum(bit[node] for node in fork)
        way = all_that(lambda node: bool(before[node] & start))
        beside = 0
        for node in reversed(nodes):
            if bit[node] & branch & (way | beside) and ("mix" in node.does or bit[node] & beside & ~kernels):
                beside |= sum(bit[source] for source in node.inputs) & ~way
        return branch & (way | beside | ~signals)

    for node in nodes:
        if _is_sum(node) and not _is_term_of_a_sum(node):
            for skip, end in permutations(_terms(node), 2):
                path, branch = before[skip] & ~before[end], before[end] & ~before[skip]
                if not before[skip] & before[end] & signals:
                    continue
                own = own_of(origins(path) if path else [skip], branch)
                if is_skip(path, branch, own):
                    yield Branch(node, end, within(own))


def _is_sum(node: Node) -> bool:
    return "add" in node.does and len(node.inputs) > 1


def _is_term_of_a_sum(node: Node) -> bool:
    return len(node.users) == 1 and _is_sum(node.users[0])


def _terms(node: Node) -> Iterator[Node]:
    for source in node.inputs:
        if _is_sum(source) and _is_term_of_a_sum(source):
            yield from _terms(source)
        else:
            yield source
