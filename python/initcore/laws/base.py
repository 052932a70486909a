"""What every initializer is: a frozen dataclass, called as ``init(shape, key)``.

To add one: a class with a ``_draw`` (or a ``_draw_maps``, if its weights depend on the layout) and a
``largest`` in one of the other files of this folder, and a row of initializers.py that names it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from initcore import layouts
from initcore.destination import opened
from initcore.formats import format_of
from initcore.indices import chosen
from initcore.layouts import Layout, LayoutLike, Part, Sizes
from initcore.random import Index, Key, KeyLike, Shape, check_shape, draw, fits


class Initializer(ABC):
    """A law for weights. It holds no seed: layers that share one get different weights from their keys."""

    def __call__(
        self,
        shape: Shape,
        key: KeyLike,
        dtype: DTypeLike = "float32",
        layout: LayoutLike = "io",
        index: Index | None = None,
        out: Any = None,
    ) -> NDArray[Any]:
        """Return a new tensor, or a part of one.

        Args:
            shape: Of the whole tensor.
            key: Which random numbers: a `Key`, or a seed. The same key gives the same tensor.
            dtype: One of `initcore.formats.FORMATS`: float32, float64, float16 and bfloat16 (the float32
                values, rounded), complex64, complex128. That of ``out``, if given. The two parts of a
                complex weight are independent and have half of the variance each, unless the law says
                otherwise.
            layout: ``"io"``: (\\*window, in, out); ``"oi"``: (out, in, \\*window); or an object of
                `initcore.layouts`.
            index: Return only ``tensor[index]``, with the same bits as in the whole tensor. That costs what
                its elements do, unless the law says otherwise.
            out: Of the result's shape, to fill and return: an array of any strides but negative ones, a
                buffer, or a tensor on the CPU, through DLPack or ``__array__``. See `destination.opened`.

        Raises:
            TypeError, ValueError, IndexError: an argument is none of this, or the dtype has no numbers as
                large as weights may be; ``out`` is as it was then.
        """
        sizes, stream, maps = check_shape(shape), Key.of(key), layouts.of(layout)
        to = None if out is None else opened(out)
        fits("the largest weight", self.largest(sizes, maps), format_of(dtype, to))
        drawn = self._draw(sizes, stream, maps, {"dtype": dtype, "index": index, "out": to})
        return drawn if out is None else out

    def deviation(
        self, shape: Shape, layout: LayoutLike = "io", dtype: DTypeLike = "float32"
    ) -> float | None:
        """Return the standard deviation that the law promises for a tensor of this shape, if it does."""
        return None

    @abstractmethod
    def largest(self, shape: Shape, layout: LayoutLike = "io") -> float:
        """Return what no weight exceeds in size: 10 standard deviations from the mean, if nothing less."""

    @abstractmethod
    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        """Return the tensor; ``how`` goes on to `initcore.random.draw` or a method of the key."""


class MapLaw(Initializer):
    """A law of the maps that a tensor is made of, so that its weights depend on the layout.

    Parts of a tensor whose maps differ in size are drawn as tensors of their own.
    """

    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        parts = layout.split(shape)
        if not parts:
            self._check(layout.sizes(shape))
            return self._draw_maps(shape, key, layout, how)
        shapes = [part.shape_in(shape) for part in parts]
        for part, sizes in zip(parts, shapes, strict=True):  # refuse before anything is written
            self._check(part.layout.sizes(sizes))
            self._draw_maps(sizes, key, part.layout, how | _nothing_of(sizes, how["out"]))
        whole = draw(lambda to, form, **where: to.fill(0), shape, **how)
        items = chosen(shape, how["index"])
        for number, (part, sizes) in enumerate(zip(parts, shapes, strict=True)):
            if found := _within(part, items):
                inside, index = found
                part_of = how | {"index": index, "out": whole[inside]}
                self._draw_maps(sizes, key / number, part.layout, part_of)
        return whole

    def _check(self, sizes: Sizes) -> None:
        """Raise ValueError if no map of these sizes has this law."""

    @abstractmethod
    def _draw_maps(
        self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]
    ) -> NDArray[Any]:
        """Return a tensor whose maps are alike."""


def is_complex(how: dict[str, Any]) -> bool:
    """Whether weights of two parts are asked for."""
    return format_of(how["dtype"], how["out"]).complex


def _nothing_of(shape: tuple[int, ...], out: NDArray[Any] | None) -> dict[str, Any]:
    """How to draw an empty slice, into an array of the same kind as ``out``."""
    empty = None if out is None else np.empty((0, *shape[1:]), out.dtype)
    return {"index": (slice(0, 0),), "out": empty}


def _within(
    part: Part, items: Sequence[int | range]
) -> tuple[tuple[Any, ...], tuple[int | slice, ...]] | None:
    """Where a part lies among these elements, and their index in it; None if it has none of them."""
    before, item, after = items[: part.axis], items[part.axis], items[part.axis + 1 :]
    local: int | range
    if isinstance(item, int):
        if not part.start <= item < part.stop:
            return None
        inside: tuple[Any, ...] = (...,)
        local = item - part.start
    else:
        numbers = np.arange(item.start, item.stop, item.step)
        hits = np.flatnonzero((numbers >= part.start) & (numbers < part.stop))
        if not hits.size:
            return None
        here = slice(int(hits[0]), int(hits[-1]) + 1)
        inside = (*[slice(None) for other in before if isinstance(other, range)], here)
        found = item[here]
        local = range(found.start - part.start, found.stop - part.start, found.step)
    return inside, tuple(_slice(i) if isinstance(i, range) else i for i in (*before, local, *after))


def _slice(numbers: range) -> slice:
    return slice(numbers.start, numbers.stop if numbers.stop >= 0 else None, numbers.step)
