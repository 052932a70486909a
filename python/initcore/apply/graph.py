"""A model's forward as a graph, whatever framework it is of: what an adapter says of each step.

From it follow the residual branches (sums.py, branches.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from initcore.apply.parameter import Parts


class Tensor(NamedTuple):
    """A tensor of a step.

    ``role`` is out of `initcore.apply.ROLES`; or "multiplier", if the layer multiplies what goes through it
    by the tensor; or "value", if the tensor is all that the step gives. ``places`` are out of
    `initcore.residual.ROLES`, where the layer's own kind tells them; ``parts`` those that what a kernel gives
    is split into.
    """

    name: str
    role: str
    places: tuple[str, ...] = ()
    parts: Parts | None = None


@dataclass(eq=False)
class Node:
    """One step of a forward: a layer, a function, an input, the output.

    Args:
        inputs: The steps whose values its values come from, each once.
        name: What the model calls the layer.
        does: Out of "input", "add", "multiply", "reshape" (moves values or converts them), "mix" (makes new
            values of several, by no kernel of its own), "attend", "opaque" (has parts that are not seen),
            "encoder", "decoder" (is one).
        tensors: What it has.
        called: What the code around it calls the layer.
        users: The steps that it is an input of.
    """

    inputs: Sequence[Node] = ()
    name: str = ""
    does: frozenset[str] = frozenset()
    tensors: tuple[Tensor, ...] = ()
    called: str = ""
    users: list[Node] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        for node in self.inputs:
            node.users.append(self)

    def has(self, role: str) -> bool:
        """Return whether one of its tensors has this role."""
        return any(tensor.role == role for tensor in self.tensors)

    def multiplies(self) -> bool:
        """Return whether other values are multiplied by what it gives, reshaped perhaps.

        >>> scale = Node()
        >>> _ = Node([Node([scale], does=frozenset({"reshape"}))], does=frozenset({"multiply"}))
        >>> scale.multiplies()
        True
        """
        return any(
            "multiply" in user.does or ("reshape" in user.does and user.multiplies()) for user in self.users
        )
