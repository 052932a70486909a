"""The layer Activation, and how each kind of activation function is lowered.

Elementwise functions need nothing here: one operation runs them all. To add another kind (one that has a
tensor, or mixes elements), write its lowering and name it in ``_OTHERS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from initcore import activations
from initcore.activations import Activation as Function
from initcore.initializers import Constant
from initcore.layers.base import Context, Layer, Lowered, Shape, Slope, Tensor, unchanged
from initcore.plan import Buffer


@dataclass(frozen=True)
class Activation(Layer):
    """Apply an activation function: ``(n, ...)`` to the same shape.

    Args:
        activation: A name from ``initcore.activations.names()`` or an activation object.

    Raises:
        ValueError: No activation has that name.

    >>> import initcore as ic
    >>> model = ic.Sequential([ic.layers.Activation("relu")], input_shape=(2,))
    >>> model.predict([[-1.0, 2.0]])
    array([[0., 2.]], dtype=float32)
    """

    activation: str | Function

    def __post_init__(self) -> None:
        object.__setattr__(self, "activation", activations.get(self.activation))

    @property
    def function(self) -> Function:
        """The activation object."""
        return activations.get(self.activation)

    @property
    def kind(self) -> str:
        return "activation"

    def tensors(self, input_shape: Shape, feeds: Function) -> dict[str, Tensor]:
        return learned(self.function, input_shape)

    def output_activation(self) -> Function:
        return self.function

    def without_activation(self) -> Layer:
        return Activation("identity")

    def lower(self, context: Context, x: Buffer, input_shape: Shape, needs_dx: bool) -> Lowered:
        return lower(context, self.function, x, needs_dx)


def learned(function: Function, shape: Shape) -> dict[str, Tensor]:
    """Return the tensors that the activation itself learns, for outputs of ``shape``."""
    if function.name == "prelu":
        alpha = Constant(next(iter(function.parameters.values())))
        return {"alpha": Tensor(shape, alpha, role="slope")}
    return {}


def lower(context: Context, function: Function, x: Buffer, needs_dx: bool = True) -> Lowered:
    """Add ``y = function(x)`` to the plan."""
    if function.name == "identity":
        return unchanged(context, x)
    if not function.elementwise:
        return _OTHERS[function.name](context, function, x, needs_dx)
    y = context.like(x)
    context.forward(
        "activation_forward", number=function.number, x=x, y=y, parameters=function.kernel_parameters
    )
    return Lowered(y, context.times_slope, Slope(function, x if function.slope_needs_input else None, y))


def _softmax(context: Context, function: Function, x: Buffer, needs_dx: bool) -> Lowered:
    y = context.like(x)
    log = function.name == "log_softmax"
    context.forward("softmax_forward", x=x, y=y, log=log)

    def backward(dy: Buffer, below: Slope | None) -> Buffer:
        dx = context.like(x)
        context.backward("softmax_backward", dy=dy, y=y, dx=dx, log=log)
        return context.times_slope(dx, below)

    return Lowered(y, backward)


def _prelu(context: Context, function: Function, x: Buffer, needs_dx: bool) -> Lowered:
    y = context.like(x)
    alpha = context.parameter("alpha")
    context.forward("prelu_forward", x=x, alpha=alpha, y=y)

    def backward(dy: Buffer, below: Slope | None) -> Buffer:
        dx = context.like(x)
        context.backward("prelu_backward", dy=dy, x=x, alpha=alpha, dx=dx, dalpha=context.gradient("alpha"))
        return context.times_slope(dx, below)

    return Lowered(y, backward)


def _rrelu(context: Context, function: Function, x: Buffer, needs_dx: bool) -> Lowered:
    low, high = function.parameters["lower"], function.parameters["upper"]
    if not context.training:
        return lower(context, activations.get("leaky_relu", negative_slope=(low + high) / 2), x, needs_dx)
    y, slopes = context.like(x), context.like(x)
    context.forward("random_uniform", out=slopes, key=context.random("slopes"), low=low, high=high)
    context.forward("rrelu_forward", x=x, slopes=slopes, y=y)

    def backward(dy: Buffer, below: Slope | None) -> Buffer:
        dx = context.like(x)
        context.backward("multiply", a=dy, b=slopes, y=dx)
        return context.times_slope(dx, below)

    return Lowered(y, backward)


_OTHERS: dict[str, Callable[[Context, Function, Buffer, bool], Lowered]] = {
    "softmax": _softmax,
    "log_softmax": _softmax,
    "prelu": _prelu,
    "rrelu": _rrelu,
}
