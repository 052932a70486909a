"""What a tensor of weights is made of: linear maps, each from its inputs, through a window, to its outputs.

A convolution with groups, a packed projection, a depthwise kernel hold several maps. Fans, identity and
orthogonality are matters of one map, so initializers ask the layout. To add a layout: a frozen dataclass
whose `axes` says what each axis of the tensor runs over; all the rest follows from that.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from initcore._validate import check_count
from initcore.indices import Index, Shape, check_shape, chosen

Role: TypeAlias = Literal["map", "window", "input", "output"]
ROLES: tuple[Role, ...] = ("map", "window", "input", "output")

# What one axis runs over: roles with their sizes, slowest first.
Axis: TypeAlias = "list[tuple[Role, int]]"


class Fans(NamedTuple):
    """Inputs summed by one unit, and units fed by one input. Whole numbers unless a stride makes them not."""

    fan_in: float
    fan_out: float


class Sizes(NamedTuple):
    """How many maps a tensor holds, and the sizes that all of them have."""

    maps: int
    window: tuple[int, ...]
    inputs: int
    outputs: int


class Coordinates(NamedTuple):
    """Where the elements of a tensor lie in its maps: whole numbers, in arrays that broadcast together."""

    map: NDArray[Any]
    window: tuple[NDArray[Any], ...]
    input: NDArray[Any]
    output: NDArray[Any]


class Part(NamedTuple):
    """A part of a tensor that is a tensor of its own: numbers ``start`` to ``stop`` of one axis."""

    axis: int
    start: int
    stop: int
    layout: Layout

    def shape_in(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the part of a tensor of this shape."""
        return (*shape[: self.axis], self.stop - self.start, *shape[self.axis + 1 :])


class Layout(ABC):
    """Says which linear maps a tensor is made of. Everything here takes the shape of the whole tensor."""

    @abstractmethod
    def axes(self, shape: tuple[int, ...]) -> list[Axis]:
        """Return what each axis runs over, or raise ValueError if a tensor of this shape has other axes."""

    def split(self, shape: Shape) -> tuple[Part, ...]:
        """Return the parts whose maps have sizes of their own; none if all maps of the tensor are alike."""
        self.sizes(shape)
        return ()

    def tensors(self, shape: Shape) -> tuple[tuple[tuple[int, ...], Layout], ...]:
        """Return shape and layout of each part, or those of the whole if all its maps are alike."""
        return _tensors(self, check_shape(shape))

    def check(self, shape: Shape) -> None:
        """Raise ValueError unless a tensor of this shape can have this layout."""
        self.axes(check_shape(shape))

    def sizes(self, shape: Shape) -> Sizes:
        """Return the number of maps and their sizes.

        >>> from initcore.layouts import Conv
        >>> Conv("oi", groups=2).sizes((8, 3, 5, 5))
        Sizes(maps=2, window=(5, 5), inputs=3, outputs=4)
        """
        return _sizes(self, check_shape(shape))

    def fans(self, shape: Shape) -> Fans:
        """Return how many inputs a unit sums, and how many units an input feeds."""
        sizes = self.sizes(shape)
        area = math.prod(sizes.window)
        return Fans(area * sizes.inputs, area * sizes.outputs)

    def maps(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return a view of ``array`` with axes (maps, \\*window, inputs, outputs).

        Raises:
            ValueError: the tensor has other axes; or a map's inputs or outputs come from axes that are apart
                in memory, so that no view has them on one.

        >>> from initcore.layouts import Packed
        >>> Packed("oi", 3).maps(np.zeros((30, 7))).shape  # query, key and value: from 7 inputs to 10 outputs
        (3, 7, 10)
        """
        sizes = self.sizes(array.shape)
        view = self.sorted(array).reshape(sizes.maps, *sizes.window, sizes.inputs, sizes.outputs)
        if view.size and not np.may_share_memory(view, array):
            raise ValueError(
                f"{self} has inputs or outputs on axes that are apart: no view of an array of "
                f"shape {array.shape} and strides {array.strides} has them on one axis"
            )
        return view

    def sorted(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return a view of ``array``, always: first all axes over maps, then window, inputs and outputs."""
        pieces = [piece for axis in self.axes(array.shape) for piece in axis]
        order = [i for role in ROLES for i, (other, _) in enumerate(pieces) if other == role]
        return array.reshape([size for _, size in pieces]).transpose(order)

    def coordinates(self, shape: Shape, index: Index | None = None) -> Coordinates:
        """Return where the elements of ``tensor[index]`` lie in the maps; ravelled in the order of the axes.

        >>> from initcore.layouts import Conv
        >>> Conv("oi", groups=2).coordinates((4, 3), (slice(1, None), slice(2)))
        Coordinates(map=array([[0], [1], [1]]), window=(), input=array([0, 1]), output=array([[1], [0], [1]]))
        """
        sizes = check_shape(shape)
        found: dict[Role, list[NDArray[Any]]] = {role: [] for role in ROLES}
        for axis, numbers in zip(self.axes(sizes), open_grid(sizes, index), strict=True):
            for i, (role, size) in enumerate(axis):
                inner = math.prod(size for _, size in axis[i + 1 :])
                digits = numbers // max(inner, 1) % max(size, 1)
                if role != "window" and found[role]:
                    digits = found[role].pop() * size + digits
                found[role].append(digits)
        one = {role: digits[0] if digits else np.zeros((), np.intp) for role, digits in found.items()}
        return Coordinates(one["map"], tuple(found["window"]), one["input"], one["output"])


@lru_cache(maxsize=1024)
def _sizes(layout: Layout, shape: tuple[int, ...]) -> Sizes:
    pieces = [piece for axis in layout.axes(shape) for piece in axis]
    of = {role: tuple(size for other, size in pieces if other == role) for role in ROLES}
    return Sizes(math.prod(of["map"]), of["window"], math.prod(of["input"]), math.prod(of["output"]))


@lru_cache(maxsize=1024)
def _tensors(layout: Layout, shape: tuple[int, ...]) -> tuple[tuple[tuple[int, ...], Layout], ...]:
    return tuple((part.shape_in(shape), part.layout) for part in layout.split(shape)) or ((shape, layout),)


def open_grid(shape: tuple[int, ...], index: Index | None) -> list[NDArray[Any]]:
    """For each axis of a tensor, the numbers on that axis of the elements of ``tensor[index]``."""
    numbers = [
        np.arange(item.start, item.stop, item.step) if isinstance(item, range) else np.asarray(item)
        for item in chosen(shape, index)
    ]
    after = [sum(other.ndim for other in numbers[axis + 1 :]) for axis in range(len(shape))]
    return [n.reshape(-1, *[1] * rest) if n.ndim else n for n, rest in zip(numbers, after, strict=True)]


def divide(size: int, parts: int, what: str) -> int:
    """Return ``size / parts``, or raise ValueError if that is not a whole number."""
    if size % parts:
        raise ValueError(f"{what} must be a multiple of {parts}, got {size}")
    return size // parts


def ratio(a: float, b: float) -> float:
    """Return ``a / b``, a whole number where it is one."""
    return int(a // b) if a % b == 0 else a / b


def one_or_several(name: str, value: int | Sequence[int]) -> int | tuple[int, ...]:
    """Return a whole number from 1 as it is, and several as a tuple, else raise."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(check_count(name, each) for each in value)
    return check_count(name, value)


def window_axes(sizes: Sequence[int]) -> list[Axis]:
    """Return the axes of a convolution's window."""
    return [[("window", size)] for size in sizes]
