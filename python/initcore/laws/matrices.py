"""Laws of whole matrices: each map of the tensor is one, from its inputs (with the window) to its outputs.

Those of this file are without chance: they say what stands where.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initcore._validate import check_number
from initcore.formats import Format
from initcore.laws.base import MapLaw, is_complex
from initcore.layouts import Coordinates, Layout, LayoutLike, Sizes
from initcore.random import Index, Key, Shape, draw


@dataclass(frozen=True)
class Elements:
    """Which elements of which tensor are to be written: those of ``tensor[index]``."""

    shape: tuple[int, ...]
    layout: Layout
    index: Index | None

    @cached_property
    def sizes(self) -> Sizes:
        """Of the maps of the whole tensor."""
        return self.layout.sizes(self.shape)

    @cached_property
    def at(self) -> Coordinates:
        """Where the elements lie in the maps."""
        return self.layout.coordinates(self.shape, self.index)

    @property
    def rows(self) -> int:
        """How many rows a map has as a matrix: window and inputs, by outputs."""
        return math.prod(self.sizes.window) * self.sizes.inputs

    @property
    def row(self) -> NDArray[Any]:
        """The number of each element's row."""
        row = np.zeros((), np.intp)
        sizes = (*self.sizes.window, self.sizes.inputs)
        for number, size in zip((*self.at.window, self.at.input), sizes, strict=True):
            row = row * size + number
        return row

    @property
    def central(self) -> NDArray[Any]:
        """Which of them are at the centre of the window: of two middle places, at the later."""
        here = np.ones((), bool)
        for number, size in zip(self.at.window, self.sizes.window, strict=True):
            here = here & (number == size // 2)
        return here


class MatrixLaw(MapLaw):
    """A law that says what stands where in a map: nothing larger than ``gain``, unless it says so."""

    gain: float

    def __post_init__(self) -> None:
        check_number("gain", self.gain)

    def largest(self, shape: Shape, layout: LayoutLike = "io") -> float:
        return abs(self.gain)

    def _draw_maps(
        self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]
    ) -> NDArray[Any]:
        chosen = Elements(shape, layout, how["index"])

        def fill(to: NDArray[Any], form: Format, **where: Any) -> None:
            if form.complex:
                to = to.view(f"c{2 * to.itemsize}")[..., 0]
            if to.size:
                self._fill(to, chosen, key)

        return draw(fill, shape, native=is_complex(how), **how)

    @abstractmethod
    def _fill(self, to: NDArray[Any], chosen: Elements, key: Key) -> None:
        """Write the weights of these elements, of which there is at least one, to an array of their shape."""


@dataclass(frozen=True)
class Identity(MatrixLaw):
    """Passes input i on to output i, times ``gain``; a convolution does so from the centre of its window.

    Le, Jaitly & Hinton 2015, arXiv:1504.00941 (recurrent kernels). If there are more inputs than outputs, or
    fewer, the rest gives or gets nothing: partial identity. With groups each group passes its own inputs on,
    as PyTorch's ``dirac_``. Of an even window the centre is the later of the two middle places, as there.
    A slice costs what its own elements cost.

    >>> Identity(2)((2, 3), key=0)
    array([[2., 0., 0.],
           [0., 2., 0.]], dtype=float32)
    """

    gain: float = 1.0

    def _fill(self, to: NDArray[Any], chosen: Elements, key: Key) -> None:
        to.fill(0)
        passed = chosen.central & (chosen.at.input == chosen.at.output)
        np.copyto(to, self.gain, where=passed, casting="same_kind")


@dataclass(frozen=True)
class ZerO(MatrixLaw):
    """Identity if there are no more outputs than inputs, else columns of a Hadamard matrix, times ``gain``.

    Zhao, Schäfer & Anandkumar 2021, arXiv:2110.12661, algorithms 1 and 2: nothing is random, and yet layers
    that widen break the symmetry, since a Hadamard matrix mixes all inputs. Its size is the power of two next
    to the number of outputs, and it is orthonormal, as in the authors' program. A convolution does this at
    the centre of its window. A slice costs what its own elements cost.

    >>> ZerO(2)((2, 4), key=0)
    array([[ 1.,  1.,  1.,  1.],
           [ 1., -1.,  1., -1.]], dtype=float32)
    """

    gain: float = 1.0

    def _fill(self, to: NDArray[Any], chosen: Elements, key: Key) -> None:
        if chosen.sizes.outputs <= chosen.sizes.inputs:
            Identity(self.gain)._fill(to, chosen, key)
            return
        order = (chosen.sizes.outputs - 1).bit_length()
        odd = chosen.at.input & chosen.at.output  # Sylvester's matrix is (-1)^(number of common bits)
        for shift in (32, 16, 8, 4, 2, 1):
            odd = odd ^ (odd >> shift)
        signs = 1 - 2 * (odd & 1)
        scale = self.gain * 2 ** (-order / 2)
        np.copyto(to, chosen.central * signs * scale, casting="same_kind")


@dataclass(frozen=True)
class Bilinear(MatrixLaw):
    """A transposed convolution that interpolates, input i to output i, times ``gain``; any number of axes.

    Long, Shelhamer & Darrell 2014, arXiv:1411.4038, section 3.3. To enlarge by s, an axis of the window
    has 2 s - s mod 2 places. A slice costs what its own elements cost.

    >>> from initcore.layouts import ConvTransposed
    >>> Bilinear()((4, 1, 1), key=0, layout=ConvTransposed("io", stride=2))[:, 0, 0]
    array([0.25, 0.75, 0.75, 0.25], dtype=float32)
    """

    gain: float = 1.0

    def _fill(self, to: NDArray[Any], chosen: Elements, key: Key) -> None:
        weight = np.where(chosen.at.input == chosen.at.output, self.gain, 0.0)
        for number, size in zip(chosen.at.window, chosen.sizes.window, strict=True):
            enlarges = math.ceil(size / 2)
            middle = (size - 1) / 2 if size % 2 else enlarges - 0.5
            weight = weight * (1 - abs(number - middle) / enlarges)
        np.copyto(to, weight, casting="same_kind")
