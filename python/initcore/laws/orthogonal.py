"""Laws of random orthogonal matrices, by Haar measure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from initcore.laws.matrices import Elements, MatrixLaw
from initcore.layouts import LayoutLike, Sizes, of
from initcore.random import Key, Shape


@dataclass(frozen=True)
class Orthogonal(MatrixLaw):
    """A random (semi-)orthogonal matrix times ``gain``, by Haar measure; a kernel with a window is flattened.

    Saxe et al. 2013, arXiv:1312.6120: every singular value is ``gain``, so a linear network of any depth
    passes signal and gradient unchanged. Inputs (with the window) by outputs; the shorter side is
    orthonormal. Every map of the layout is a matrix of its own: each group, each gate of a recurrent layer,
    query, key and value. A slice costs, in each map that it touches, the reflections up to its last row, or
    column if these are the fewer: for the first tenth of a square a sixtieth of the whole.

    Complex weights are unitary.

    >>> w = Orthogonal()((4, 3), key=0, dtype="float64")
    >>> bool(abs(w.T @ w - np.eye(3)).max() < 1e-14)
    True
    """

    gain: float = 1.0

    def deviation(
        self, shape: Shape, layout: LayoutLike = "io", dtype: DTypeLike = "float32"
    ) -> float | None:
        if of(layout).split(shape):
            return None
        sizes = of(layout).sizes(shape)
        return abs(self.gain) / math.sqrt(max(math.prod(sizes.window) * sizes.inputs, sizes.outputs, 1))

    def _fill(self, to: NDArray[Any], chosen: Elements, key: Key) -> None:
        matrices = chosen.sizes.maps, chosen.rows, chosen.sizes.outputs
        if chosen.index is not None:
            at = chosen.at.map, chosen.row, chosen.at.output
            to[...] = _block(matrices, at, self.gain, key, to.dtype)
            return
        # The whole, in place where its maps are matrices in memory too.
        by_role = chosen.layout.sorted(to)
        view = by_role.reshape(matrices)
        key.orthogonal(matrices, self.gain, out=view)
        if not np.may_share_memory(view, to):
            by_role[...] = view.reshape(by_role.shape)


@dataclass(frozen=True)
class DeltaOrthogonal(MatrixLaw):
    """A convolution that is orthogonal from the centre of its window, 0 elsewhere; times ``gain``.

    Xiao et al. 2018, arXiv:1806.05393, section 3.3: it keeps the norm of any signal (on a torus), so that
    networks of thousands of such layers can be trained. Of an even window the centre is the later of the two
    middle places. A slice costs what it does of `Orthogonal`.

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

    def _fill(self, to: NDArray[Any], chosen: Elements, key: Key) -> None:
        to.fill(0)
        central = chosen.central
        if central.any():
            matrices = chosen.sizes.maps, chosen.sizes.inputs, chosen.sizes.outputs
            at = chosen.at.map, chosen.at.input, chosen.at.output
            np.copyto(to, _block(matrices, at, self.gain, key, to.dtype), where=central)


def _block(
    shape: tuple[int, ...],
    at: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    gain: float,
    key: Key,
    dtype: np.dtype[Any],
) -> NDArray[Any]:
    """Elements of orthogonal matrices, out of the smallest block of these that has them all."""
    first = [int(numbers.min()) for numbers in at]
    index = tuple(slice(low, int(numbers.max()) + 1) for low, numbers in zip(first, at, strict=True))
    block = key.orthogonal(shape, gain, dtype=dtype, index=index)
    found: NDArray[Any] = block[tuple(numbers - low for low, numbers in zip(first, at, strict=True))]
    return found
