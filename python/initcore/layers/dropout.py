"""Dropout."""

from __future__ import annotations

from dataclasses import dataclass

from initcore._validate import check_number
from initcore.layers.base import Context, Layer, Lowered, Shape, Slope, unchanged
from initcore.plan import Buffer


@dataclass(frozen=True)
class Dropout(Layer):
    """Set a random share of the inputs to 0 in training and scale the others up; do nothing at inference.

    Kept inputs are multiplied by ``1 / (1 - rate)`` (inverted dropout), so that the expected output is the
    input. Srivastava et al. 2014, JMLR 15, section 10. The mask of a step depends on the model's seed, the
    layer's name and the step's number alone.

    Args:
        rate: Probability of dropping an input, in [0, 1).

    Raises:
        ValueError: ``rate`` lies outside.

    >>> import initcore as ic
    >>> model = ic.Sequential([ic.layers.Dropout(0.5)], input_shape=(4,))
    >>> model.predict([[1.0, 2.0, 3.0, 4.0]])
    array([[1., 2., 3., 4.]], dtype=float32)
    """

    rate: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", check_number("rate", self.rate, low=0, high=1, open_high=True))

    @property
    def kind(self) -> str:
        return "dropout"

    def lower(self, context: Context, x: Buffer, input_shape: Shape, needs_dx: bool) -> Lowered:
        if not context.training or self.rate == 0:
            return unchanged(context, x)
        y, mask = context.like(x), context.like(x)
        context.forward("dropout_mask", mask=mask, key=context.random("mask"), rate=self.rate)
        context.forward("multiply", a=x, b=mask, y=y)

        def backward(dy: Buffer, below: Slope | None) -> Buffer:
            dx = context.like(x)
            context.backward("multiply", a=dy, b=mask, y=dx)
            return context.times_slope(dx, below)

        return Lowered(y, backward)
