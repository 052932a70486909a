"""Fan-in and fan-out: how many inputs a unit sums, and how many units an input feeds."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, TypeAlias, get_args

from initcore._validate import choose
from initcore.random import Shape, check_shape

Layout: TypeAlias = Literal["io", "oi"]


class Fans(NamedTuple):
    """Inputs summed by one unit, and units fed by one input."""

    fan_in: int
    fan_out: int


class Kernel(NamedTuple):
    """A weight's shape, taken apart."""

    window: tuple[int, ...]
    inputs: int
    outputs: int


def fans(shape: Shape, layout: Layout = "io") -> Fans:
    """Return the fans of a weight.

    Args:
        shape: At least two axes; the others are the window of a convolution.
        layout: ``"io"``: (\\*window, in, out), as Keras, JAX and this package have it; ``"oi"``:
            (out, in, \\*window), as PyTorch has it.

    Raises:
        ValueError: fewer than two axes (a vector has no fan-in), or another layout.

    >>> fans((784, 128))
    Fans(fan_in=784, fan_out=128)
    >>> fans((32, 16, 3, 3), layout="oi") == fans((3, 3, 16, 32), layout="io") == (144, 288)
    True
    """
    kernel = take_apart(shape, layout)
    area = math.prod(kernel.window)
    return Fans(area * kernel.inputs, area * kernel.outputs)


def take_apart(shape: Shape, layout: Layout) -> Kernel:
    """Return window, inputs and outputs of a weight of this shape, else raise ValueError."""
    sizes = check_shape(shape)
    order = choose("layout", layout, {name: name for name in get_args(Layout)})
    if len(sizes) < 2:
        raise ValueError(f"a weight with fans has at least two axes, got shape {sizes}")
    if order == "io":
        return Kernel(sizes[:-2], sizes[-2], sizes[-1])
    return Kernel(sizes[2:], sizes[1], sizes[0])
