"""Shapes of tensors, and which of a tensor's elements an index chooses."""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Sequence
from types import EllipsisType
from typing import Any, TypeAlias

from initcore._validate import check_count

Index: TypeAlias = "int | slice | EllipsisType | tuple[int | slice | EllipsisType, ...]"
Shape: TypeAlias = "int | Sequence[int]"


def check_shape(shape: Shape) -> tuple[int, ...]:
    """Return ``shape`` as a tuple of whole numbers from 0 whose product an array can have, else raise."""
    if hasattr(shape, "tolist"):  # an array
        shape = shape.tolist()
    if hasattr(shape, "__index__"):
        shape = (shape.__index__(),)
    if isinstance(shape, str) or not hasattr(shape, "__iter__"):
        raise TypeError(f"shape must be a whole number or a sequence of them, got {shape!r}")
    sizes = tuple(check_count("each axis of shape", size, low=0) for size in shape)
    if math.prod(max(size, 1) for size in sizes) > sys.maxsize // 8:
        raise ValueError(f"shape {sizes} has more elements than an array can hold")
    return sizes


def chosen(shape: tuple[int, ...], index: Index | None) -> list[int | range]:
    """Return the numbers along each axis that ``tensor[index]`` has, an int where it drops the axis."""
    if index is None:
        return [range(size) for size in shape]
    items = list(index) if isinstance(index, tuple) else [index]
    for item in items:
        if isinstance(item, bool) or not (
            isinstance(item, slice | EllipsisType) or hasattr(item, "__index__")
        ):
            raise TypeError(f"index must consist of whole numbers, slices and an ellipsis, got {item!r}")
    dots = [i for i, item in enumerate(items) if item is Ellipsis]
    missing = len(shape) - (len(items) - len(dots))
    if missing < 0 or len(dots) > 1:
        raise IndexError(f"too many indices for shape {shape}: {index!r}")
    at = dots[0] if dots else len(items)
    items[at : at + 1] = [slice(None)] * missing
    found: list[int | range] = []
    for item, size in zip(items, shape, strict=True):
        if isinstance(item, slice):
            found.append(range(size)[item])
        else:
            number = operator.index(item)  # type: ignore[arg-type]
            if not -size <= number < size:
                raise IndexError(f"index {number} is outside an axis of {size}")
            found.append(number % size)
    return found


def select(shape: tuple[int, ...], index: Index | None) -> tuple[tuple[int, ...], dict[str, Any]]:
    """Return the shape of ``tensor[index]``, and where its elements lie in a tensor of ``shape``."""
    if index is None:
        return shape, {}
    offset, stride = 0, math.prod(shape)
    part, strides = [], []
    for item, size in zip(chosen(shape, index), shape, strict=True):
        stride = stride // size if size else 0
        if isinstance(item, range):
            offset += item.start * stride if item else 0
            part.append(len(item))
            strides.append(item.step * stride)
        else:
            offset += item * stride
    return tuple(part), {"offset": offset, "strides": strides}
