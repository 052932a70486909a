"""What a layer is, and what it may ask for while it lowers itself into a plan.

A layer is a description: it holds no arrays. The model asks it for the tensors it needs, keeps them in one
flat vector, and has it *lowered*: `Layer.lower` adds the forward operations to the plan and returns a
function that adds the backward ones. Nothing in the executor knows a layer's kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

from initcore.activations import Activation
from initcore.laws import Initializer
from initcore.plan import Buffer, Plan
from initcore.random import Key
from initcore.regularizers import L1L2

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Tensor:
    """One array of a layer: its shape, how it starts, and what is added to the loss for it.

    ``role``, ``feeds`` (the activation that a kernel's output goes into) and ``layer`` are for
    `initcore.initialize`; the roles are those of ``apply/roles.py``.
    """

    shape: Shape
    initializer: Initializer
    regularizer: L1L2 | None = None
    role: str = "other"
    feeds: Activation | None = None
    layer: Layer | None = None


@dataclass(frozen=True)
class Slope:
    """The derivative of an elementwise activation, ready to be multiplied into a gradient.

    Whoever computes that gradient may do it in the same operation, while the numbers are in cache.
    """

    activation: Activation
    x: Buffer | None
    y: Buffer


class Lowered(NamedTuple):
    """What lowering a layer gives.

    ``backward(dy, below)`` adds the backward operations and returns the gradient with respect to the
    layer's input, multiplied by the slope ``below`` if one is given, or None where it is not needed. If
    ``slope`` is not None, ``dy`` must already be multiplied by it. ``dy`` is only read.
    """

    y: Buffer
    backward: Callable[[Buffer, Slope | None], Buffer | None]
    slope: Slope | None = None


@dataclass(frozen=True)
class Context:
    """Where a layer is lowered: the plan, the mode, and the layer's own tensors."""

    plan: Plan
    training: bool
    parameters: Mapping[str, Buffer]
    gradients: Mapping[str, Buffer]
    state: Mapping[str, Buffer]
    key: Key
    path: str = ""
    segment: str = "forward"  # of the plan, for the forward pass

    def inside(self, name: str) -> Context:
        """Return the context of the layer ``name`` within this one."""
        return replace(self, path=f"{self.path}{name}/")

    def parameter(self, name: str) -> Buffer:
        """Return this layer's parameter of that name."""
        return self.parameters[self.path + name]

    def gradient(self, name: str) -> Buffer:
        """Return the gradient of this layer's parameter of that name."""
        return self.gradients[self.path + name]

    def variable(self, name: str) -> Buffer:
        """Return this layer's array that is not trained, such as a moving mean."""
        return self.state[self.path + name]

    def random(self, name: str) -> int:
        """Return the 64-bit key of this layer's random stream of that name."""
        return (self.key / (self.path + name)).word

    def forward(self, operation: str, **arguments: Any) -> None:
        """Add an operation to the forward pass."""
        self.plan.add(self.segment, operation, **arguments)

    def backward(self, operation: str, **arguments: Any) -> None:
        """Add an operation to the backward pass."""
        self.plan.add("backward", operation, **arguments)

    def like(self, x: Buffer) -> Buffer:
        """Return a new buffer of the shape of ``x``."""
        return self.plan.batch(*x.shape[1:], per_row=x.per_row)

    def times_slope(self, dy: Buffer, slope: Slope | None) -> Buffer:
        """Return ``dy`` multiplied by ``slope`` in a new buffer, or ``dy`` itself if there is none."""
        if slope is None:
            return dy
        dx = self.like(dy)
        f = slope.activation
        self.backward(
            "activation_backward",
            number=f.number,
            dy=dy,
            x=slope.x,
            y=slope.y,
            dx=dx,
            parameters=f.kernel_parameters,
        )
        return dx


class Layer:
    """Base of all layers. A layer is a frozen dataclass that overrides what it needs of the methods below."""

    # Whether an output depends on several inputs, so that an activation behind the layer is not the one
    # that a layer before it feeds.
    mixes: ClassVar[bool] = False

    @property
    def kind(self) -> str:
        """The layer's name in a model, before it is numbered."""
        raise NotImplementedError

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of one example's output. Raises ValueError if the input does not fit."""
        return input_shape

    def tensors(self, input_shape: Shape, feeds: Activation) -> dict[str, Tensor]:
        """Return the trainable tensors by name; ``feeds`` is the activation that the output goes into."""
        return {}

    def variables(self, input_shape: Shape) -> dict[str, Tensor]:
        """Return the arrays that are kept but not trained."""
        return {}

    def output_activation(self) -> Activation | None:
        """Return the activation the output has been through, or None if the layer leaves that open."""
        return None

    def without_activation(self) -> Layer:
        """Return this layer without its output activation."""
        return self

    def lower(self, context: Context, x: Buffer, input_shape: Shape, needs_dx: bool) -> Lowered:
        """Add this layer's operations on ``x`` to the plan."""
        raise NotImplementedError


def unchanged(context: Context, x: Buffer) -> Lowered:
    """Return what a layer that does nothing to its input lowers to."""
    return Lowered(x, context.times_slope)


def chain(parts: Sequence[Lowered]) -> Lowered:
    """Return several lowered layers, each on the output of the one before, as one."""

    def backward(dy: Buffer, below: Slope | None) -> Buffer | None:
        gradient: Buffer | None = dy
        for i in reversed(range(len(parts))):
            if gradient is None:
                return None
            gradient = parts[i].backward(gradient, parts[i - 1].slope if i else below)
        return gradient

    return Lowered(parts[-1].y, backward, parts[-1].slope)
