"""Layouts: which linear maps a tensor of weights is made of.

The strings ``"io"`` and ``"oi"``, for dense layers and plain convolutions, stand for `Conv` of that order.
"""

from __future__ import annotations

from typing import TypeAlias

from initcore._validate import choose
from initcore.layouts.base import Coordinates, Fans, Layout, Part, Sizes
from initcore.layouts.convolutions import Conv, ConvTransposed, Depthwise, Order
from initcore.layouts.projections import Einsum, Embedding, Packed

LayoutLike: TypeAlias = "Layout | Order"

_BY_NAME = {"io": Conv("io"), "oi": Conv("oi")}


def of(layout: LayoutLike) -> Layout:
    """Return the layout itself, or the one that a string stands for.

    Raises:
        ValueError: it is neither.

    >>> of("oi")
    Conv(order='oi', groups=1, stride=1)
    """
    return layout if isinstance(layout, Layout) else choose("layout", layout, _BY_NAME)


__all__ = [
    "Conv",
    "ConvTransposed",
    "Coordinates",
    "Depthwise",
    "Einsum",
    "Embedding",
    "Fans",
    "Layout",
    "LayoutLike",
    "Order",
    "Packed",
    "Part",
    "Sizes",
    "of",
]
