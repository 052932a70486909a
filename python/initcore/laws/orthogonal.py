"""Laws of random orthogonal matrices, by Haar measure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initcore.laws.matrices import MatrixLaw, centre, row_of
from initcore.layouts import Coordinates, LayoutLike, Sizes, of
from initcore.random import Key, Shape


@dataclass(frozen=True)
class Orthogonal(MatrixLaw):
    """A random (semi-)orthogonal matrix times ``gain``, by Haar measure; a kernel with a window is flattened.

    Saxe et al. 2013, arXiv:1312.6120: every singular value is ``gain``, so a linear network of any depth
    passes signal and gradient unchanged. Inputs (with the window) by outputs; the shorter side is
    orthonormal. Every map of the layout is a matrix of its own: each group, each gate of a recurrent layer,
    query, key and value. Computed in float64 by LAPACK, so the last bits can differ from one LAPACK to
    another; a slice costs the maps that it touches.

    >>> w = Orthogonal()((4, 3), key=0, dtype="float64")
    >>> bool(abs(w.T @ w - np.eye(3)).max() < 1e-14)
    True
    """

    gain: float = 1.0

    def deviation(self, shape: Shape, layout: LayoutLike = "io") -> float | None:
        if of(layout).split(shape):
            return None
        sizes = of(layout).sizes(shape)
        return abs(self.gain) / math.sqrt(max(math.prod(sizes.window) * sizes.inputs, sizes.outputs, 1))

    def _fill(self, to: NDArray[Any], at: Coordinates, sizes: Sizes, key: Key) -> None:
        rows = math.prod(sizes.window) * sizes.inputs
        to[...] = self.gain * _chosen(rows, sizes.outputs, at.map, row_of(at, sizes), at.output, key)


@dataclass(frozen=True)
class DeltaOrthogonal(MatrixLaw):
    """A convolution that is orthogonal from the centre of its window, 0 elsewhere; times ``gain``.

    Xiao et al. 2018, arXiv:1806.05393, section 3.3: it keeps the norm of any signal (on a torus), so that
    networks of thousands of such layers can be trained. Of an even window the centre is the later of the two
    middle places. A slice costs the maps that it touches.

    Raises:
        ValueError: when called, for more inputs than outputs: such a map cannot keep the norm of all inputs.

    >>> w = DeltaOrthogonal()((3, 3, 2, 4), key=0, dtype="float64")
    >>> bool(abs(w[1, 1] @ w[1, 1].T - np.eye(2)).max() < 1e-14), int((w != 0).sum())
    (True, 8)
    """

    gain: float = 1.0

    def _check(self, sizes: Sizes) -> None:
        if sizes.inputs > sizes.outputs:
            raise ValueError(
                "delta-orthogonal maps have at most as many inputs as outputs, "
                f"got {sizes.inputs} inputs and {sizes.outputs} outputs"
            )

    def _fill(self, to: NDArray[Any], at: Coordinates, sizes: Sizes, key: Key) -> None:
        weights = _chosen(sizes.inputs, sizes.outputs, at.map, at.input, at.output, key)
        to.fill(0)
        np.copyto(to, self.gain * weights, where=centre(at, sizes), casting="same_kind")


def _chosen(
    rows: int, columns: int, number: NDArray[Any], row: NDArray[Any], column: NDArray[Any], key: Key
) -> NDArray[Any]:
    """Elements (row, column) of the orthogonal matrices with these numbers."""
    maps, which = np.unique(number, return_inverse=True)
    matrices = np.stack([_haar(rows, columns, key, int(step)) for step in maps])
    found: NDArray[Any] = matrices[which.reshape(np.shape(number)), row, column]
    return found


def _haar(rows: int, columns: int, key: Key, step: int) -> NDArray[Any]:
    normal = key.normal((max(rows, columns), min(rows, columns)), dtype="float64", step=step)
    q, r = np.linalg.qr(normal)
    q *= np.where(np.diagonal(r) < 0, -1, 1)  # Mezzadri 2007, math-ph/0609050: makes it Haar
    return q if rows >= columns else q.T
