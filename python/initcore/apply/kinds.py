"""What the tensors of layers are for: known of a framework's own, and said of others by `Kinds.register`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from initcore.apply.parameter import Feeds
from initcore.apply.roles import parse
from initcore.laws import Initializer
from initcore.layouts import LayoutLike


@dataclass(frozen=True)
class Part:
    """What one tensor of a layer is for; ``feeds`` only where it is not what the layer's output feeds."""

    role: str
    layout: LayoutLike = "io"
    feeds: Feeds | None = None
    start: Initializer | None = None
    zero_row: int | None = None  # of an embedding: stays 0


@dataclass
class Kinds:
    """The layers of a framework.

    Args:
        base: The class of all its layers.
        other: What is said of a tensor of which nothing is known; its layout is that of any kernel.
        known: Returns what a tensor of one of its own layers is for, by the layer and the tensor's name.
        registered: What users have said, by class and name.

    >>> kinds = Kinds(dict, Part("other", "oi"), lambda layer, name: Part("bias"))
    >>> kinds.register(dict, {"w": "kernel"})
    >>> kinds.of({}, "w").layout, kinds.of({}, "b").role
    ('oi', 'other')
    """

    base: type
    other: Part
    known: Callable[[Any, str], Part]
    registered: dict[type, dict[str, Part]] = field(default_factory=dict)

    def of(self, layer: Any, name: str) -> Part:
        """Return what the tensor ``name`` of a layer is for."""
        for kind in type(layer).__mro__:
            if kind in self.registered:
                return self.registered[kind].get(name, self.other)
        return self.known(layer, name)

    def register(self, kind: type, tensors: Mapping[str, Any]) -> None:
        """Say for what the tensors of a class of layers are: a role each, or a pair of role and layout.

        Raises:
            TypeError, ValueError: It is no class of layers, or there is no such role or layout.
        """
        if not (isinstance(kind, type) and issubclass(kind, self.base)):
            raise TypeError(f"kind must be a subclass of {self.base.__name__}, got {kind!r}")
        self.registered[kind] = {
            name: Part(*parse(what, self.other.layout)) for name, what in tensors.items()
        }
