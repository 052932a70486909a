"""Laws that leave most weights at zero."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initcore._validate import check_count, check_number
from initcore.laws.matrices import Elements, MatrixLaw
from initcore.layouts import LayoutLike, of
from initcore.random import Key, Shape


@dataclass(frozen=True)
class Sparse(MatrixLaw):
    """Each unit sums a few inputs only, chosen at random, with normal weights; the others are 0.

    Martens 2010, Deep learning via Hessian-free optimization, section 5: 15 inputs, however many there are,
    so that units differ and do not saturate. PyTorch's ``sparse_`` of a matrix (in, out) is
    ``Sparse(sparsity=..., stddev=0.01)``. A slice costs all weights of the units from its first to its last.
    Complex dtypes get real weights.

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

    def deviation(self, shape: Shape, layout: LayoutLike = "io") -> float | None:
        if of(layout).split(shape):
            return None
        sizes = of(layout).sizes(shape)
        rows = math.prod(sizes.window) * sizes.inputs
        return self._stddev(rows) * math.sqrt(self.count(rows) / max(rows, 1))

    def _stddev(self, rows: int) -> float:
        return self.gain / math.sqrt(self.count(rows) or 1) if self.stddev is None else self.stddev

    def _fill(self, to: NDArray[Any], chosen: Elements, key: Key) -> None:
        rows, units = chosen.rows, chosen.sizes.maps * chosen.sizes.outputs
        count = self.count(rows)
        unit = chosen.at.map * chosen.sizes.outputs + chosen.at.output
        first = int(unit.min())
        touched = (slice(first, int(unit.max()) + 1),)
        order = key.uniform((units, rows), dtype="float64", index=touched)
        kept = np.sort(np.argpartition(order, max(count - 1, 0), axis=1)[:, :count], axis=1)
        values = key.normal((units, count), 0.0, self._stddev(rows), dtype="float64", index=touched, step=1)
        weights = np.zeros(order.shape)
        np.put_along_axis(weights, kept, values, axis=1)
        to[...] = weights[unit - first, chosen.row]
