"""What was decided for one tensor: checked, carried out, told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from initcore import layouts
from initcore.apply.parameter import Parameter
from initcore.apply.roles import Choice
from initcore.apply.table import Row
from initcore.initializers import name_of
from initcore.laws import (
    Constant,
    Initializer,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    truncated_stddev,
)
from initcore.layouts import LayoutLike
from initcore.random import Key


@dataclass(frozen=True)
class Decision:
    """How one tensor starts."""

    tensor: Parameter
    choice: Choice

    def carry_out(self, key: Key) -> None:
        """Set the tensor, from the random stream that has its name."""
        if self.choice.initializer is not None:
            self.tensor.fill(self.choice.initializer, key / self.tensor.name, self.tensor.layout)

    def row(self) -> Row:
        """Return the line of the table."""
        law, tensor = self.choice.initializer, self.tensor
        tied = f"; one tensor with {', '.join(tensor.aliases)}" if tensor.aliases else ""
        return Row(
            tensor.name,
            tensor.shape,
            tensor.dtype,
            tensor.role,
            "-" if law is None else title(law),
            None if law is None else deviation(law, tensor.shape, tensor.layout),
            self.choice.why + tied,
        )


def title(law: Initializer) -> str:
    """Return what a law is called: its name if it has one."""
    name = name_of(law)
    if isinstance(law, VarianceScaling) and "(" in name:
        return f"{law.distribution}, {law.scale:.5g} / {law.mode}"
    return name


def deviation(law: Initializer, shape: tuple[int, ...], layout: LayoutLike) -> float | None:
    """Return the standard deviation that a law asks for, None if it is not one of those that state it."""
    match law:
        case VarianceScaling():
            return law.stddev(shape, layout)
        case RandomNormal(stddev=stddev):
            return stddev
        case RandomUniform(minval=low, maxval=high):
            return (high - low) / math.sqrt(12)
        case TruncatedNormal(stddev=stddev, cut=cut, stddev_of=of):
            return stddev * (truncated_stddev(cut) if of == "parent" else 1)
        case Orthogonal(gain=gain):
            sizes = layouts.of(layout).sizes(shape)
            return gain / math.sqrt(max(1, math.prod(sizes.window) * sizes.inputs, sizes.outputs))
        case Constant():
            return 0.0
    return None


def check(decision: Decision, key: Key) -> None:
    """Raise what setting the tensor would raise, before anything is changed."""
    law, tensor = decision.choice.initializer, decision.tensor
    if law is None:
        return
    nothing: dict[str, Any] = {"index": (slice(0, 0),)} if tensor.shape else {}
    try:
        law(tensor.shape, key / tensor.name, layout=tensor.layout, **nothing)
    except ValueError as error:
        raise ValueError(f"{tensor.name}, a {tensor.role}, cannot start as {law!r}: {error}") from None
