"""What the values of a forward go into: which activation, whatever keeps the signal's scale between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from initcore.apply.functions import composed, has_gain, passes_on
from initcore.apply.graph import Node
from initcore.apply.parameter import Feeds, Function
from initcore.gains import GATED, Gated

_GATED = {f: name for name, f in GATED.items()}


class Use(NamedTuple):
    """Where a value is used, and what it feeds by that."""

    user: Node
    feeds: Feeds


def uses(
    nodes: Sequence[Node],
    through: Callable[[Any, Feeds], Feeds],
    function_of: Callable[[Any], Function | None],
) -> dict[Node, list[Use]]:
    """Return for each node of a graph where its values are used, and what they feed by that.

    Args:
        nodes: The graph, in order.
        through: Called with a step and what its values feed; returns what those feed that go into it.
        function_of: Returns the activation that a step is; None for other steps.
    """
    gates = _gates(nodes, function_of)
    found: dict[Node, list[Use]] = {}
    whole = {node: _composed(node, through, function_of) for node in nodes}
    for node in reversed(nodes):
        found[node] = [
            Use(user, gates.get((node, user)) or whole[user] or through(user, merged(found[user])))
            for user in node.users
        ]
    return found


def _composed(
    node: Node, through: Callable[[Any, Feeds], Feeds], function_of: Callable[[Any], Function | None]
) -> Feeds | None:
    """What goes into an activation feeds if all that this gives goes into another at once; None if not."""
    here = Feeds()  # comes back from what passes on its input
    chain: list[Function] = []
    step: Node | None = node
    while step is not None and (f := function_of(step)) is not None:
        if not passes_on(f):
            if through(step, here) is here:
                break  # a factor, say
            chain.append(f)
        step = step.users[0] if len(step.users) == 1 else None
    if len(chain) < 2:
        return None
    whole = composed(chain)
    if has_gain(whole):
        return Feeds(whole)
    return Feeds(known=False, how=f"it goes through {Feeds(whole)}, which no signal keeps its scale through")


def merged(found: Iterable[Use]) -> Feeds:
    """Return what a value feeds that is used in several places.

    >>> from initcore import activations
    >>> relu, head = Feeds(activations.get("relu")), Feeds(None, how="goes into Dense")
    >>> str(merged([Use(Node(), relu), Use(Node(), head)]))
    'relu'
    """
    found = list(found)
    through = {str(feeds): feeds for _, feeds in found if feeds.known and feeds.function is not None}
    unknown = [feeds for _, feeds in found if not feeds.known]
    products = [user for user, feeds in found if feeds.function is None and "multiply" in user.does]
    if len(through) > 1 or (through and products):
        ways = [*through, *["a product"] * bool(products)]
        return Feeds(known=False, how=f"it goes through {' and '.join(ways)}")
    if through:
        return next(iter(through.values()))
    return (unknown or [feeds for _, feeds in found] or [Feeds(None)])[0]


def _gates(
    nodes: Sequence[Node], function_of: Callable[[Any], Function | None]
) -> dict[tuple[Node, Node], Feeds]:
    """What values feed that are the two sides of a gate, by value and user: u and v of f(u) * v.

    Both come from kernels of the same input, or from one that packs both. (Not so in x * sigmoid(g(x)).)
    """
    found: dict[tuple[Node, Node], Feeds] = {}
    for product in nodes:
        if "multiply" not in product.does or len(product.inputs) != 2:
            continue
        for gate, v in (product.inputs, product.inputs[::-1]):
            f = function_of(gate)
            if f is None or passes_on(f) or not gate.inputs:
                continue
            u = gate.inputs[0]
            sources = {_source(side) for side in (u, v)}
            if u is not v and len(sources) == 1 and None not in sources:
                gated = _GATED.get(getattr(f, "name", "")) or Gated(f)  # type: ignore[arg-type]
                found[u, gate] = found[v, product] = Feeds(gated)
    return found


def _source(node: Node) -> Node | None:
    """What goes into the kernel that a value, or the part of one, comes from; None if it comes from none."""
    while "part" in node.does and node.inputs:
        node = node.inputs[0]
    return node.inputs[0] if node.has("kernel") and node.inputs else None
