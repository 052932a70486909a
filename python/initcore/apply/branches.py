"""Which tensor of a model's residual branches stands where, by the graph of its forward.

Which sums are residual connections, sums.py tells; here it is said what that means for the tensors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import get_args

from initcore.apply import sums
from initcore.apply.depth import Place
from initcore.apply.graph import Node, Tensor
from initcore.apply.parameter import Parts
from initcore.residual import Part

_SPELLED = (
    ("query", re.compile(r"(^|_)w?(q|query|queries)(_|$)|q_?proj")),
    ("key", re.compile(r"(^|_)w?(k|key|keys)(_|$)|k_?proj")),
    ("value", re.compile(r"(^|_)w?(v|value|values)(_|$)|v_?proj")),
)
_PARTS: Mapping[Part, re.Pattern[str]] = {
    part: re.compile(rf"(^|[._/]){part}([._/]|$)") for part in get_args(Part)
}
_PACKED: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (re.compile(r"qkv|query_key_value|c_attn|in_proj", re.IGNORECASE), ("query", "key", "value")),
    (re.compile(r"(^|_)w?kv(_|$)|key_value", re.IGNORECASE), ("key", "value")),
)


def note(nodes: Sequence[Node], found: dict[str, Place], whole: bool = True) -> None:
    """Add to ``found`` by name where the tensors of the graph's residual branches stand.

    Args:
        nodes: The graph, in order, the output last.
        found: What is known already, which stays.
        whole: Whether it is the graph of the network, whose output then is noted too.

    >>> from initcore.apply.graph import Tensor
    >>> x = Node(does=frozenset({"input"}))
    >>> dense = Node([x], "dense", tensors=(Tensor("dense/kernel", "kernel"),))
    >>> nodes, found = [x, dense, Node([x, dense], does=frozenset({"add"}))], {}
    >>> note(nodes, found)
    >>> found
    {'dense/kernel': Place(branch='dense', roles=('mlp_last',), part='encoder', depth=1, also=(), times=1)}
    """
    branches = list(sums.branches(nodes))
    runs: dict[tuple[str, ...], set[Node]] = {}  # the sums that a branch goes into, by its kernels
    for branch in branches:
        runs.setdefault(_kernels(branch), set()).add(branch.sum)
    titles: dict[tuple[str, ...], str] = {}
    for branch in branches:
        kernels = _kernels(branch)
        if kernels not in titles:  # else it is gone through again
            titles[kernels] = _title(kernels, {place.branch for place in found.values()})
        place = Place(titles[kernels], (), depth=_depth(branch, nodes), times=_times(runs[kernels], nodes))
        _note(branch, place, found)
    _note_embeddings(nodes, found)
    if whole:
        _note_output(nodes[-1], {branch.sum for branch in branches}, found)


def in_parts(found: dict[str, Place]) -> dict[str, Place]:
    """Tell the decoder's tensors where the names in a model speak of an encoder and a decoder."""
    of_part = {part: {name for name in found if spelled.search(name)} for part, spelled in _PARTS.items()}
    if not all(of_part.values()):
        return found
    return {
        name: replace(place, part="decoder") if name in of_part["decoder"] else place
        for name, place in found.items()
    }


def _depth(branch: sums.Branch, nodes: Sequence[Node]) -> int:
    """How many kernels one after another a branch has at most."""
    until: dict[Node, int] = {}
    for node in nodes:
        if node in branch.nodes:
            whole = any("attention_output" in tensor.places for tensor in node.tensors)  # which has two
            before = max((until.get(source, 0) for source in node.inputs), default=0)
            until[node] = before + node.has("kernel") + whole
    return until[branch.end]


def _times(sums: set[Node], nodes: Sequence[Node]) -> int:
    """How many of these sums come one after another at most: not so in towers that share their layers."""
    until: dict[Node, int] = {}
    for node in nodes:
        until[node] = max((until.get(source, 0) for source in node.inputs), default=0) + (node in sums)
    return max(until.values())


def _kernels(branch: sums.Branch) -> tuple[str, ...]:
    return tuple(sorted(node.name for node in branch.nodes if node.has("kernel")))


def _note(branch: sums.Branch, place: Place, found: dict[str, Place]) -> None:
    """Say of every tensor of a branch where it stands."""
    attends = any("attend" in node.does for node in branch.nodes)
    # A multiplier may be one of branches before too.
    last, at_end = _back_to_kernels(
        branch.end, lambda node: node not in branch.nodes and not node.has("value")
    )
    for node in branch.nodes | at_end:
        for tensor in node.tensors:
            if tensor.role == "kernel":
                places = tensor.places or _kernel_places(node.called, attends, node in last, tensor.parts)
            else:
                places = _places_beside(tensor, node, node in at_end)
            if places:
                before = found.setdefault(tensor.name, replace(place, roles=places))
                others = (before.branch, *before.also)
                if places == before.roles == ("multiplier",) and place.branch not in others:
                    found[tensor.name] = replace(before, also=(*before.also, place.branch))


def _places_beside(tensor: Tensor, node: Node, at_end: bool) -> tuple[str, ...]:
    """Where a tensor stands that is no kernel."""
    if tensor.role == "bias":
        return ("branch_bias",)
    if at_end and tensor.role == "scale":
        return ("last_scale",)
    multiplies = tensor.role == "multiplier" or (tensor.role == "value" and node.multiplies())
    return ("multiplier",) if at_end and multiplies else ()


def _note_embeddings(nodes: Sequence[Node], found: dict[str, Place]) -> None:
    """Say which part of a network embeddings feed, where it has parts: the decoder, if both."""
    for i, node in enumerate(nodes):
        part = _first_part(nodes[i:]) if node.has("embedding") else None
        for tensor in node.tensors:
            if part and tensor.role == "embedding" and (tensor.name not in found or part == "decoder"):
                found[tensor.name] = Place("", ("embedding",), part)


def _first_part(nodes: Sequence[Node]) -> Part | None:
    """The part of the network that the value of the first node comes to first."""
    met = {nodes[0]}
    for node in nodes:
        if not met.isdisjoint((node, *node.inputs)):
            met.add(node)
            for part, spelled in _PARTS.items():
                if part in node.does or spelled.search(node.name):
                    return part
    return None


def _note_output(end: Node, added: set[Node], found: dict[str, Place]) -> None:
    """Say which kernels the network ends with: those that no residual connection leads around."""
    for node in _back_to_kernels(end, lambda node: node in added or "opaque" in node.does)[0]:
        if not (node.has("recurrent") or any(tensor.places for tensor in node.tensors)):
            for tensor in node.tensors:
                if tensor.role == "kernel":
                    found.setdefault(tensor.name, Place("", ("output",)))


def _back_to_kernels(end: Node, is_other: Callable[[Node], bool]) -> tuple[set[Node], set[Node]]:
    """The kernels that ``end`` comes from, and what stands behind them; not beyond nodes that are other."""
    last: set[Node] = set()
    behind: set[Node] = set()
    todo = [end]
    while todo:
        node = todo.pop()
        if node in last or node in behind:
            continue
        if node.has("kernel"):
            last.add(node)
        elif not is_other(node):
            behind.add(node)
            todo += node.inputs
    return last, behind


def _kernel_places(name: str, attends: bool, last: bool, parts: Parts | None) -> tuple[str, ...]:
    if not attends:
        return ("mlp_last",) if last else ("mlp_inner",)
    if last:
        return ("attention_output",)
    for spelled, roles in _PACKED:
        if parts.count == len(roles) if parts else spelled.search(name):
            return roles
    return (next((role for role, spelled in _SPELLED if spelled.search(name)), "inner"),)


def _title(names: Sequence[str], taken: set[str]) -> str:
    """The layer that all kernels of a branch stand in, if no other branch is called so; or one of them."""
    paths = [re.split(r"(?<=[./])", name)[:-1] for name in names]
    shared = ""
    for level in zip(*paths, strict=False):
        if len(set(level)) > 1:
            break
        shared += level[0]
    title = shared.rstrip("./")
    return title if title and title not in taken else names[0]
