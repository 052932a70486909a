"""The fully connected layer."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from initcore import activations, initializers, regularizers
from initcore._validate import check_count
from initcore.activations import Activation as Function
from initcore.laws import Initializer
from initcore.layers import activation as activation_layer
from initcore.layers.base import Context, Layer, Lowered, Shape, Slope, Tensor, chain
from initcore.plan import Buffer
from initcore.regularizers import L1L2


@dataclass(frozen=True)
class Dense(Layer):
    """A fully connected layer: ``y = activation(x @ kernel + bias)``, ``(n, inputs)`` to ``(n, units)``.

    Args:
        units: Number of outputs.
        activation: A name from ``initcore.activations.names()``, an activation object, or None.
        use_bias: Whether there is a bias.
        kernel_initializer: How the kernel, of shape ``(inputs, units)``, starts. ``"auto"`` takes the scheme
            that keeps the signal for the activation that the layer feeds; deep stacks of gelu, silu, mish or
            hard_swish need normalization or residual branches besides (`initializers.auto`).
        bias_initializer: How the bias, of shape ``(units,)``, starts: a name, a number, or an initializer.
        kernel_regularizer: ``"l1"``, ``"l2"``, a regularizer object, or None.

    Raises:
        ValueError: ``units`` is less than 1, or a name is unknown.

    >>> import initcore as ic
    >>> model = ic.Sequential([ic.Dense(3, activation="tanh")], input_shape=(2,), seed=0)
    >>> {name: array.shape for name, array in model.parameters.items()}
    {'dense/kernel': (2, 3), 'dense/bias': (3,)}
    """

    mixes: ClassVar[bool] = True

    units: int
    activation: str | Function | None = None
    use_bias: bool = True
    kernel_initializer: str | float | Initializer = "auto"
    bias_initializer: str | float | Initializer = "zeros"
    kernel_regularizer: str | L1L2 | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", check_count("units", self.units))
        object.__setattr__(self, "activation", activations.get(self.activation))
        if self.kernel_initializer != "auto":  # which waits to know the activation
            object.__setattr__(self, "kernel_initializer", initializers.get(self.kernel_initializer))
        object.__setattr__(self, "bias_initializer", initializers.get(self.bias_initializer))
        object.__setattr__(self, "kernel_regularizer", regularizers.get(self.kernel_regularizer))

    @property
    def function(self) -> Function:
        """The activation object; identity where there is none."""
        return activations.get(self.activation)

    @property
    def kind(self) -> str:
        return "dense"

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ValueError(
                f"Dense needs examples of one axis, got shape {input_shape}. Put a Flatten() before it."
            )
        return (self.units,)

    def tensors(self, input_shape: Shape, feeds: Function) -> dict[str, Tensor]:
        fed = feeds if self.function.name == "identity" else self.function
        tensors = {
            "kernel": Tensor(
                (math.prod(input_shape), self.units),
                initializers.get(self.kernel_initializer, fed),
                regularizers.get(self.kernel_regularizer),
                role="kernel",
                feeds=fed,
                layer=self,
            )
        }
        if self.use_bias:
            bias = initializers.get(self.bias_initializer)
            tensors["bias"] = Tensor((self.units,), bias, role="bias", layer=self)
        return {**tensors, **activation_layer.learned(self.function, (self.units,))}

    def output_activation(self) -> Function | None:
        return None if self.function.name == "identity" else self.function

    def without_activation(self) -> Layer:
        return replace(self, activation=None)

    def lower(self, context: Context, x: Buffer, input_shape: Shape, needs_dx: bool) -> Lowered:
        f = self.function
        in_place = f.elementwise and not f.slope_needs_input and f.name != "identity"
        kernel = context.parameter("kernel")
        z = context.plan.batch(self.units)
        context.forward(
            "matmul",
            layout="nn",
            a=x,
            b=kernel,
            c=z,
            bias=context.parameter("bias") if self.use_bias else None,
            activation=f.number if in_place else None,
            parameters=f.kernel_parameters,
        )

        def backward(dz: Buffer, below: Slope | None) -> Buffer | None:
            context.backward("matmul", layout="tn", a=x, b=dz, c=context.gradient("kernel"))
            if self.use_bias:
                context.backward("column_sum", x=dz, out=context.gradient("bias"))
            if not needs_dx:
                return None
            dx = context.like(x)
            slope = below and below.activation
            context.backward(
                "matmul",
                layout="nt",
                a=dz,
                b=kernel,
                c=dx,
                slope=slope.number if slope else None,
                x=below.x if below else None,
                y=below.y if below else None,
                parameters=slope.kernel_parameters if slope else (0.0, 0.0),
            )
            return dx

        if in_place:
            return Lowered(z, backward, Slope(f, None, z))
        return chain([Lowered(z, backward), activation_layer.lower(context, f, z)])
