"""Layers that only change how an example's shape is read: Input and Flatten."""

from __future__ import annotations

import math
from dataclasses import dataclass

from initcore._validate import check_count
from initcore.layers.base import Context, Layer, Lowered, Shape, unchanged
from initcore.plan import Buffer


@dataclass(frozen=True)
class Input(Layer):
    """The shape of one example; first in a model, in place of ``input_shape``.

    Args:
        shape: Shape of one example, without the batch.

    >>> import initcore as ic
    >>> ic.Sequential([ic.layers.Input((4,)), ic.Dense(2)]).output_shape
    (2,)
    """

    shape: Shape

    def __post_init__(self) -> None:
        shape = self.shape if isinstance(self.shape, (tuple, list)) else (self.shape,)
        object.__setattr__(self, "shape", tuple(check_count("input shape", axis) for axis in shape))

    @property
    def kind(self) -> str:
        return "input"

    def output_shape(self, input_shape: Shape) -> Shape:
        if input_shape != self.shape:
            raise ValueError(f"Input expects examples of shape {self.shape}, got {input_shape}")
        return self.shape

    def lower(self, context: Context, x: Buffer, input_shape: Shape, needs_dx: bool) -> Lowered:
        return unchanged(context, x)


@dataclass(frozen=True)
class Flatten(Layer):
    """Read an example of any shape as one row: ``(n, a, b, ...)`` to ``(n, a * b * ...)``.

    >>> import initcore as ic
    >>> ic.Sequential([ic.layers.Flatten(), ic.Dense(10)], input_shape=(28, 28)).output_shape
    (10,)
    """

    @property
    def kind(self) -> str:
        return "flatten"

    def output_shape(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)

    def lower(self, context: Context, x: Buffer, input_shape: Shape, needs_dx: bool) -> Lowered:
        return unchanged(context, x)
