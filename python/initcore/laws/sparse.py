"""Laws that leave most weights at zero."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from initcore._validate import check_count, check_number
from initcore.laws.matrices import Elements, MatrixLaw
from initcore.layouts import LayoutLike, Sizes, of
from initcore.random import Key, Shape

# Weights that are drawn at a time, so that little memory is needed beyond the tensor: a megabyte of them.
_AT_A_TIME = 1 << 17


@dataclass(frozen=True)
class Sparse(MatrixLaw):
    """Each unit sums a few inputs only, chosen at random, with normal weights; the others are 0.

    Martens 2010, Deep learning via Hessian-free optimization, section 5: 15 inputs, however many there are,
    so that units differ and do not saturate. PyTorch's ``sparse_`` of a matrix (in, out) is
    ``Sparse(sparsity=..., stddev=0.01)``. A slice costs all weights of the units from its first to its last.

    Args:
        nonzeros: How many inputs a unit sums, all of them if there are no more; 15 unless ``sparsity`` is
            given.
        sparsity: Or the fraction of a unit's weights that are 0, rounded up to a whole number of them.
        stddev: Of the other weights; ``gain / sqrt(nonzeros)`` unless it is given.
        gain: What the sum of inputs of unit second moment has for standard deviation.

    >>> w = Sparse(nonzeros=3)((100, 20), key=0)
    >>> set((w != 0).sum(axis=0).tolist())
    {3}
    """

    nonzeros: int | None = None
    sparsity: float | None = None
    stddev: float | None = None
    gain: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nonzeros is not None and self.sparsity is not None:
            raise ValueError(f"give nonzeros or sparsity, got both: {self.nonzeros!r} and {self.sparsity!r}")
        if self.nonzeros is not None:
            check_count("nonzeros", self.nonzeros, low=0)
        if self.sparsity is not None:
            check_number("sparsity", self.sparsity, low=0, high=1)
        if self.stddev is not None:
            check_number("stddev", self.stddev, low=0)

    def count(self, rows: int) -> int:
        """Return how many of a unit's weights are not 0.

        >>> Sparse().count(100), Sparse(sparsity=0.25).count(10)
        (15, 7)
        """
        if self.sparsity is not None:
            return rows - math.ceil(self.sparsity * rows)
        return min(15 if self.nonzeros is None else self.nonzeros, rows)

    def deviation(
        self, shape: Shape, layout: LayoutLike = "io", dtype: DTypeLike = "float32"
    ) -> float | None:
        if of(layout).split(shape):
            return None
        rows = _rows(of(layout).sizes(shape))
        return self._stddev(rows) * math.sqrt(self.count(rows) / max(rows, 1))

    def largest(self, shape: Shape, layout: LayoutLike = "io") -> float:
        return 10 * max(
            self._stddev(_rows(part.sizes(of_part))) for of_part, part in of(layout).tensors(shape)
        )

    def _stddev(self, rows: int) -> float:
        return self.gain / math.sqrt(self.count(rows) or 1) if self.stddev is None else self.stddev

    def _fill(self, to: NDArray[Any], chosen: Elements, key: Key) -> None:
        unit = chosen.at.map * chosen.sizes.outputs + chosen.at.output
        elements = to, np.array(unit, ndmin=to.ndim), np.array(chosen.row, ndmin=to.ndim)
        for block, units, rows in _blocks(elements, max(_AT_A_TIME // chosen.rows, 1)):
            first = int(units.min())
            drawn = self._units(range(first, int(units.max()) + 1), chosen, key, to.dtype.kind == "c")
            block[...] = drawn[units - first, rows]

    def _units(self, some: range, chosen: Elements, key: Key, of_two: bool) -> NDArray[Any]:
        """Return all weights of some units: (units, rows)."""
        rows, units = chosen.rows, chosen.sizes.maps * chosen.sizes.outputs
        count, index = self.count(rows), (slice(some.start, some.stop),)
        order = key.uniform((units, rows), dtype="float64", index=index)
        kept = np.sort(np.argpartition(order, max(count - 1, 0), axis=1)[:, :count], axis=1)
        dtype = "complex128" if of_two else "float64"
        values = key.normal((units, count), 0.0, self._stddev(rows), dtype=dtype, index=index, step=1)
        weights = np.zeros(order.shape, dtype)
        np.put_along_axis(weights, kept, values, axis=1)
        return weights


def _rows(sizes: Sizes) -> int:
    """How many weights a unit has."""
    return math.prod(sizes.window) * sizes.inputs


def _blocks(elements: tuple[NDArray[Any], ...], most: int) -> Iterator[tuple[NDArray[Any], ...]]:
    """Divide an array, and the units and rows of its elements, so that no block reaches over more units."""
    to, units, _ = elements
    if np.ptp(units) < most:
        yield elements
        return
    axis = max(range(to.ndim), key=lambda axis: int(np.ptp(units, axis=axis).max()))
    middle = to.shape[axis] // 2
    for half in (slice(middle), slice(middle, None)):
        at = (*[slice(None)] * axis, half)
        yield from _blocks(tuple(part[at] if part.shape[axis] > 1 else part for part in elements), most)
