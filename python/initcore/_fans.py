"""Fan-in and fan-out: how many inputs a unit sums, and how many units an input feeds."""

from __future__ import annotations

from functools import lru_cache

from initcore import layouts
from initcore.layouts import Fans, Layout, LayoutLike
from initcore.random import Shape, check_shape

__all__ = ["Fans", "fans"]


def fans(shape: Shape, layout: LayoutLike = "io") -> Fans:
    """Return the fans of a weight.

    Args:
        shape: Of the whole tensor.
        layout: ``"io"``: (\\*window, in, out), as Keras, JAX and this package have it; ``"oi"``:
            (out, in, \\*window), as PyTorch has it; or one of `initcore.layouts`, for groups, depthwise and
            transposed convolutions, packed projections, einsum layers and embeddings.

    Raises:
        ValueError: a tensor of this shape cannot have that layout (a vector has no fan-in).

    >>> fans((784, 128))
    Fans(fan_in=784, fan_out=128)
    >>> fans((32, 16, 3, 3), layout="oi") == fans((3, 3, 16, 32), layout="io") == (144, 288)
    True
    >>> fans((32, 4, 3, 3), layout=layouts.Conv("oi", groups=4))
    Fans(fan_in=36, fan_out=72)
    """
    return _fans(layouts.of(layout), check_shape(shape))


@lru_cache(maxsize=1024)
def _fans(layout: Layout, shape: tuple[int, ...]) -> Fans:
    return layout.fans(shape)
