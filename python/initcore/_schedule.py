"""What all learning-rate schedules share. The schedules themselves are in schedules.py and cycles.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Schedule:
    """What all schedules share. Use one of its subclasses, or write one with a method ``rates``."""

    @overload
    def __call__(self, step: int) -> float: ...
    @overload
    def __call__(self, step: ArrayLike) -> Any: ...
    def __call__(self, step: ArrayLike) -> Any:
        """Return the rate after ``step`` updates: a float, or an array for an array.

        Raises:
            ValueError: A step is negative.
        """
        steps = np.asarray(step, np.float64)
        if steps.size and steps.min() < 0:
            raise ValueError(f"step must be at least 0, got {steps.min():g}")
        rates = self.rates(steps)
        return rates if steps.ndim else float(rates)

    def rates(self, steps: Array) -> Array:
        """Return the rate for each of ``steps`` (float64, any shape, at least 0)."""
        raise NotImplementedError


def half_cosine(fraction: Array) -> Array:
    """From 1 at 0 to 0 at 1."""
    return 0.5 * (1 + np.cos(np.pi * fraction))
