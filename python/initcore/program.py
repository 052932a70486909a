"""What a network is lowered to: a built plan with the buffers that are read and written from outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from initcore.losses import Loss
from initcore.metrics import Metric
from initcore.plan import Buffer, Plan

Array = NDArray[Any]


def array_of(buffer: Buffer) -> Array:
    """Return the memory of a buffer of a plan that is built."""
    assert buffer.array is not None, "the plan is built"
    return buffer.array


@dataclass
class Trace:
    """What one layer made of a batch: its output, and the gradient of the loss with respect to it.

    For a layer whose activation is fused into it, the gradient is that before the activation.
    """

    name: str
    output: Array
    gradient: Array | None


@dataclass
class Program:
    """A built plan, and the buffers that are read and written from outside."""

    plan: Plan
    y: Buffer
    dx: Buffer | None = None
    dy: Buffer | None = None
    totals: dict[str, Buffer] = field(default_factory=dict)
    outputs: dict[str, Buffer] = field(default_factory=dict)
    output_gradients: dict[str, Buffer] = field(default_factory=dict)

    @property
    def sums(self) -> dict[str, Array]:
        """What the loss and each metric have added up since these were set to 0."""
        return {name: array_of(buffer) for name, buffer in self.totals.items()}

    def clear_sums(self) -> None:
        """Set them to 0."""
        for array in self.sums.values():
            array[:] = 0


@dataclass(frozen=True)
class Objective:
    """What a network is trained for: the loss, and what is measured beside it."""

    loss: Loss
    metrics: dict[str, Metric]
