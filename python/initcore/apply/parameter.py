"""What an adapter says about each tensor of a model: all one needs to decide how it starts, and to set it.

An adapter is a function that takes a model and returns a list of `Parameter`. To add one for another
framework: write that function and name it in ``_ADAPTERS`` of ``apply/__init__.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from initcore import layouts
from initcore.activations import Activation
from initcore.gains import Gated
from initcore.laws import Initializer
from initcore.layouts import Conv, LayoutLike, Packed
from initcore.random import Key

# An activation of ours, a gated pair by its name, or any function of an array.
Function: TypeAlias = "Activation | str | Gated | Callable[[Any], Any]"


@dataclass(frozen=True)
class Parts:
    """Into which parts a forward splits what a kernel gives.

    Args:
        of: How many parts of the same size, or the size of each.
        heads: In how many blocks one after another all of them lie, as `Packed` has it.

    >>> str(Parts(3)), str(Parts((16, 8))), str(Parts(3, heads=4))
    ('3 maps', 'maps of 16, 8', '3 maps, which lie side by side in each of 4 heads')
    """

    of: int | tuple[int, ...]
    heads: int = 1

    @property
    def count(self) -> int:
        """How many parts there are."""
        return self.of if isinstance(self.of, int) else len(self.of)

    def packed(self, layout: LayoutLike) -> LayoutLike:
        """Return the layout of a kernel with these parts that had this one; that, if it cannot have parts.

        >>> Parts(3).packed("oi"), Parts(3).packed(Conv("oi", groups=2))
        (Packed(order='oi', parts=3, heads=1), Conv(order='oi', groups=2, stride=1))
        """
        plain = layouts.of(layout)
        if not isinstance(plain, Conv) or plain.groups > 1:
            return layout
        strides = plain.stride if isinstance(plain.stride, tuple) else (plain.stride,)
        return Packed(plain.order, self.of, self.heads) if {*strides} <= {1} else layout

    def __str__(self) -> str:
        if not isinstance(self.of, int):
            return f"maps of {', '.join(map(str, self.of))}"
        beside = f", which lie side by side in each of {self.heads} heads"
        return f"{self.of} maps" + beside * (self.heads > 1)


@dataclass(frozen=True)
class Feeds:
    """What a layer's output goes into.

    Args:
        function: The activation; None for none, as in front of another layer, a softmax or the loss.
        known: Whether that could be decided at all.
        how: Where it was read from, or why it could not be.
        parts: Into which the output is split before, if it is: then its kernel packs several maps.

    >>> from initcore import activations
    >>> str(Feeds(activations.get("relu"))), str(Feeds()), str(Feeds(known=False))
    ('relu', 'no activation', 'unknown')
    """

    function: Function | None = None
    known: bool = True
    how: str = ""
    parts: Parts | None = None

    def __str__(self) -> str:
        if not self.known:
            return "unknown"
        if self.function is None:
            return "no activation"
        if isinstance(self.function, Activation):
            values = ", ".join(f"{value:g}" for value in self.function.values)
            return f"{self.function.name}({values})" if values else self.function.name
        if isinstance(self.function, Gated):
            return f"a gate of {Feeds(self.function.activation)}"
        return str(getattr(self.function, "__name__", None) or self.function)


@dataclass(frozen=True)
class Parameter:
    """One tensor of a model.

    Args:
        name: Its name in the model; the random stream hangs on it.
        shape: Its shape.
        dtype: Its type, by name.
        role: What it is for, out of `initcore.apply.roles.ROLES`.
        fill: Called with an initializer, a key and a layout: sets the tensor in place. Where the model then
            computes another tensor, as one that is orthogonal, it returns that one's standard deviation.
        layout: Which linear maps it is made of.
        feeds: What the layer's output goes into.
        owners: The layers that it belongs to, for rules by type; several if it is tied.
        aliases: Its other names, if it is tied.
        roles: What it is for by each of its names, if it is tied.
        products: What of the forward multiplies by an embedding's transpose, in words.
        start: How the layer itself says that it starts, if it does.
        left: Why it is not touched, if so.
        lazy: Whether its shape, here (), is yet to come.
        measure: Returns the standard deviation of the elements as they are; None if that cannot be told.
        remember: Where ``fill`` may fail for reasons of the model's own: called before, it returns a function
            that brings the tensor's value back.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    role: str
    fill: Callable[[Initializer, Key, LayoutLike], float | None]
    layout: LayoutLike = "io"
    feeds: Feeds = Feeds()
    owners: tuple[object, ...] = ()
    aliases: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    start: Initializer | None = None
    left: str = ""
    lazy: bool = False
    measure: Callable[[], float | None] = lambda: None
    remember: Callable[[], Callable[[], None]] | None = None

    @property
    def whole(self) -> LayoutLike:
        """Its layout, wherever in it heads lie; as one map where its maps have sizes of their own."""
        layout = layouts.of(self.layout)
        if not isinstance(layout, Packed):
            return layout
        return layout.order if layout.split(self.shape) else replace(layout, heads=1)

    @property
    def names(self) -> tuple[str, ...]:
        """All names of the tensor."""
        return (self.name, *self.aliases)

    @property
    def outputs(self) -> tuple[str, ...]:
        """What an embedding is the kernel of too, as of a language model's last layer: names, or products."""
        named = zip(self.names, self.roles, strict=False)
        kernels = tuple(name for name, role in named if self.role == "embedding" and role == "kernel")
        return (*kernels, *self.products)
