"""What the values of a layer look like: mean, variance, dead and saturated shares, per unit and in all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from initcore import _core
from initcore._targets import numbers


@dataclass(frozen=True)
class Summary:
    """Moments of all values of a layer together; fields as in `Moments`."""

    count: int
    mean: float
    variance: float
    max_abs: float
    zero: float
    saturated: float
    nonfinite: float


@dataclass(frozen=True, eq=False)
class Moments:
    """Moments of each column of an ``(n, columns)`` array: one element for each unit of a layer.

    Attributes:
        count: Rows.
        mean: Mean.
        variance: Mean squared distance from the mean (divided by ``count``).
        max_abs: Largest ``|x|``; NaN values do not count.
        zero: Share of values that are exactly 0.
        saturated: Share of values ``<= low`` or ``>= high``.
        nonfinite: Share of values that are NaN or infinite.
    """

    count: int
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    max_abs: NDArray[np.float64]
    zero: NDArray[np.float64]
    saturated: NDArray[np.float64]
    nonfinite: NDArray[np.float64]

    def layer(self) -> Summary:
        """Return the moments of all columns together."""
        with np.errstate(invalid="ignore", over="ignore"):
            variance = float(self.variance.mean() + self.mean.var())
        return Summary(
            count=self.count * len(self.mean),
            mean=float(self.mean.mean()),
            variance=variance,
            max_abs=float(self.max_abs.max()),
            zero=float(self.zero.mean()),
            saturated=float(self.saturated.mean()),
            nonfinite=float(self.nonfinite.mean()),
        )


def moments(x: ArrayLike, low: float = -math.inf, high: float = math.inf) -> Moments:
    """Return the moments of each column, computed in float64, with the same bits for any number of threads.

    Args:
        x: ``(n, ...)``; axes after the first are taken as one. At least one row and one column.
        low: Values at or below it count as saturated.
        high: Values at or above it count as saturated.

    Raises:
        TypeError: ``x`` holds no real numbers.
        ValueError: ``x`` is empty, or ``low`` is not below ``high``.

    >>> found = moments([[1.0, 0.0], [3.0, 0.0]], high=3)
    >>> found.mean, found.variance, found.zero, found.saturated
    (array([2., 0.]), array([1., 0.]), array([0., 1.]), array([0.5, 0. ]))
    >>> found.layer().variance
    1.5
    """
    array: NDArray[Any] = numbers("x", x)
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"x must have at least one row and one column, got shape {array.shape}")
    if not low < high:
        raise ValueError(f"low must be less than high, got {low} and {high}")
    dtype = np.float32 if array.dtype.kind == "f" and array.dtype.itemsize <= 4 else np.float64
    matrix = np.ascontiguousarray(array.reshape(len(array), -1), dtype)
    rows, columns = matrix.shape
    found = np.empty((6, columns))
    _core.moments(matrix, low, high, found)
    mean, squares, max_abs, *counts = found
    zero, saturated, nonfinite = (c / rows for c in counts)
    return Moments(rows, mean, squares / rows, max_abs, zero, saturated, nonfinite)
