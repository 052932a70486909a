"""Layers made of layers: a stack of them, and the residual block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from initcore import activations
from initcore.activations import Activation as Function
from initcore.layers.base import Context, Layer, Lowered, Shape, Slope, Tensor, chain, unchanged
from initcore.plan import Buffer


@dataclass(frozen=True)
class Stack(Layer):
    """Layers one after another, each with a name of its own: "dense", "dense_1", ... A model is one."""

    layers: Sequence[Layer]
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.layers, Iterable):
            raise TypeError(f"layers must be a list of layers, got {self.layers!r}")
        object.__setattr__(self, "layers", tuple(self.layers))
        for layer in self.layers:
            if not isinstance(layer, Layer):
                hint = f" Call it: {layer.__name__}(...)." if isinstance(layer, type) else ""
                raise TypeError(f"layers must be initcore layers, got {layer!r}.{hint}")
        for i, layer in enumerate(self.layers):
            if any(layer is other for other in self.layers[:i]):
                raise ValueError(
                    f"layer {i} is the same object as an earlier one: make a new {type(layer).__name__}(...) "
                    "for each place, since no two layers share parameters"
                )
        seen: Counter[str] = Counter()
        names = []
        for layer in self.layers:
            number = seen[layer.kind]
            names.append(f"{layer.kind}_{number}" if number else layer.kind)
            seen[layer.kind] += 1
        object.__setattr__(self, "names", tuple(names))

    @property
    def kind(self) -> str:
        return "stack"

    def places(self, input_shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        """Yield each layer's name, the layer, and the shape of its input."""
        for name, layer in zip(self.names, self.layers, strict=True):
            yield name, layer, input_shape
            input_shape = layer.output_shape(input_shape)

    def output_shape(self, input_shape: Shape) -> Shape:
        for layer in self.layers:
            input_shape = layer.output_shape(input_shape)
        return input_shape

    def tensors(self, input_shape: Shape, feeds: Function) -> dict[str, Tensor]:
        fed = self._fed(feeds)
        return {
            f"{name}/{tensor}": value
            for i, (name, layer, shape) in enumerate(self.places(input_shape))
            for tensor, value in layer.tensors(shape, fed[i]).items()
        }

    def variables(self, input_shape: Shape) -> dict[str, Tensor]:
        return {
            f"{name}/{tensor}": value
            for name, layer, shape in self.places(input_shape)
            for tensor, value in layer.variables(shape).items()
        }

    def output_activation(self) -> Function | None:
        return self.layers[-1].output_activation() if self.layers else None

    def without_activation(self) -> Layer:
        return Stack((*self.layers[:-1], self.layers[-1].without_activation()))

    def lower(self, context: Context, x: Buffer, input_shape: Shape, needs_dx: bool) -> Lowered:
        return self.lower_each(context, x, input_shape, needs_dx, lambda name, part: part)

    def lower_each(
        self,
        context: Context,
        x: Buffer,
        input_shape: Shape,
        needs_dx: bool,
        watch: Callable[[str, Lowered], Lowered],
    ) -> Lowered:
        """Lower each layer; ``watch`` sees, and may wrap, what each lowers to."""
        parts: list[Lowered] = []
        for name, layer, shape in self.places(input_shape):
            part = layer.lower(context.inside(name), x, shape, needs_dx)
            parts.append(watch(name, part))
            x = part.y
            needs_dx = needs_dx or bool(layer.tensors(shape, activations.get(None)))
        return chain(parts) if parts else unchanged(context, x)

    def _fed(self, feeds: Function) -> list[Function]:
        """Return, for each layer, the next activation its output goes through; ``feeds`` after the last."""
        result: list[Function] = []
        for layer in reversed(self.layers):
            result.append(feeds)
            feeds = activations.get(None) if layer.mixes else layer.output_activation() or feeds
        return result[::-1]


@dataclass(frozen=True)
class Residual(Layer):
    """A residual block: ``y = body(x) + shortcut(x)``, where the shortcut is ``x`` itself by default.

    He et al. 2015, arXiv:1512.03385, equations 1 and 2.

    Args:
        layers: The body.
        shortcut: Layers that bring the input to the body's output shape, where the two differ.

    Raises:
        ValueError: The shapes of body and shortcut differ.

    >>> import initcore as ic
    >>> block = ic.layers.Residual([ic.Dense(8, activation="relu"), ic.Dense(4)])
    >>> list(ic.Sequential([block], input_shape=(4,)).parameters)  # doctest: +NORMALIZE_WHITESPACE
    ['residual/dense/kernel', 'residual/dense/bias', 'residual/dense_1/kernel', 'residual/dense_1/bias']
    """

    mixes: ClassVar[bool] = True

    layers: Sequence[Layer]
    shortcut: Sequence[Layer] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", Stack(self.layers).layers)
        object.__setattr__(self, "shortcut", Stack(self.shortcut).layers)

    @property
    def kind(self) -> str:
        return "residual"

    def branches(self) -> dict[str, Stack]:
        """Return body and shortcut, by what the names of their tensors begin with."""
        return {"": Stack(self.layers), "shortcut/": Stack(self.shortcut)}

    def output_shape(self, input_shape: Shape) -> Shape:
        body, shortcut = (branch.output_shape(input_shape) for branch in self.branches().values())
        if body != shortcut:
            raise ValueError(
                f"body and shortcut of a Residual must have one output shape, got {body} and {shortcut}. "
                f"Give it shortcut=[Dense({body[-1]})] or change the body's last layer."
            )
        return body

    def tensors(self, input_shape: Shape, feeds: Function) -> dict[str, Tensor]:
        return {
            prefix + name: tensor
            for prefix, branch in self.branches().items()
            for name, tensor in branch.tensors(input_shape, feeds).items()
        }

    def variables(self, input_shape: Shape) -> dict[str, Tensor]:
        return {
            prefix + name: tensor
            for prefix, branch in self.branches().items()
            for name, tensor in branch.variables(input_shape).items()
        }

    def lower(self, context: Context, x: Buffer, input_shape: Shape, needs_dx: bool) -> Lowered:
        branches = self.branches()
        body = branches[""].lower(context, x, input_shape, needs_dx)
        shortcut = branches["shortcut/"].lower(context.inside("shortcut"), x, input_shape, needs_dx)
        y = context.like(body.y)
        context.forward("add", a=body.y, b=shortcut.y, y=y)

        def backward(dy: Buffer, below: Slope | None) -> Buffer | None:
            left, right = (
                branch.backward(context.times_slope(dy, branch.slope), below) for branch in (body, shortcut)
            )
            if left is None or right is None or not needs_dx:
                return None
            dx = context.like(x)
            context.backward("add", a=left, b=right, y=dx)
            return dx

        return Lowered(y, backward)
