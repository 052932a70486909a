"""Laws of whole matrices: each map of the tensor is one, from its inputs (with the window) to its outputs."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initcore._validate import check_number
from initcore.laws.base import MapLaw
from initcore.layouts import Coordinates, Layout, Sizes
from initcore.random import Key, draw


class MatrixLaw(MapLaw):
    """A law that says what stands where in a map. A slice costs what its own elements cost."""

    def _draw_maps(
        self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]
    ) -> NDArray[Any]:
        sizes = layout.sizes(shape)

        def fill(to: NDArray[Any], final: np.dtype[Any], **where: Any) -> None:
            to[...] = self._values(layout.coordinates(shape, how["index"]), sizes, key)

        return draw(fill, shape, **how)

    @abstractmethod
    def _values(self, at: Coordinates, sizes: Sizes, key: Key) -> NDArray[Any]:
        """Return the weights at these places, in an array that broadcasts to theirs."""


@dataclass(frozen=True)
class Orthogonal(MatrixLaw):
    """A random (semi-)orthogonal matrix times ``gain``, by Haar measure; a kernel with a window is flattened.

    Saxe et al. 2013, arXiv:1312.6120: every singular value is ``gain``, so a linear network of any depth
    passes signal and gradient unchanged. Inputs (with the window) by outputs; the shorter side is
    orthonormal. Every map of the layout is a matrix of its own. Computed in float64 by LAPACK, so the last
    bits can differ from one LAPACK to another; ``index`` computes the maps that it touches.

    >>> w = Orthogonal()((4, 3), key=0, dtype="float64")
    >>> bool(abs(w.T @ w - np.eye(3)).max() < 1e-14)
    True
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        check_number("gain", self.gain)

    def _values(self, at: Coordinates, sizes: Sizes, key: Key) -> NDArray[Any]:
        row = np.zeros((), np.intp)
        for number, size in zip((*at.window, at.input), (*sizes.window, sizes.inputs), strict=True):
            row = row * size + number
        rows = sizes.inputs * int(np.prod(sizes.window, dtype=np.intp))
        maps, which = np.unique(at.map, return_inverse=True)
        if not maps.size:
            return np.zeros(())
        matrices = np.stack([self._matrix(rows, sizes.outputs, key, int(number)) for number in maps])
        found: NDArray[Any] = matrices[which.reshape(np.shape(at.map)), row, at.output]
        return found

    def _matrix(self, rows: int, columns: int, key: Key, step: int) -> NDArray[Any]:
        normal = key.normal((max(rows, columns), min(rows, columns)), dtype="float64", step=step)
        q, r = np.linalg.qr(normal)
        q *= self.gain * np.where(np.diagonal(r) < 0, -1, 1)  # Mezzadri 2007, math-ph/0609050: makes it Haar
        return q if rows >= columns else q.T


@dataclass(frozen=True)
class Identity(MatrixLaw):
    """Passes input i on to output i, times ``gain``; a convolution does so from the centre of its window.

    Le, Jaitly & Hinton 2015, arXiv:1504.00941.

    >>> Identity(2)((2, 3), key=0)
    array([[2., 0., 0.],
           [0., 2., 0.]], dtype=float32)
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        check_number("gain", self.gain)

    def _values(self, at: Coordinates, sizes: Sizes, key: Key) -> NDArray[Any]:
        passed = at.input == at.output
        for number, size in zip(at.window, sizes.window, strict=True):
            passed = passed & (number == size // 2)
        return np.where(passed, self.gain, 0.0)
