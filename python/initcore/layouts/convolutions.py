"""Layouts of dense layers and convolutions: plain, with groups, depthwise, transposed.

``order`` says whose convention it is: ``"io"`` that of Keras, JAX and this package, ``"oi"`` that of PyTorch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, get_args

from initcore._validate import check_count, choose
from initcore.layouts.base import Axis, Fans, Layout, Role, divide, one_or_several, ratio, window_axes
from initcore.random import Shape

Order: TypeAlias = Literal["io", "oi"]
Stride: TypeAlias = "int | tuple[int, ...]"


def check_order(order: str) -> None:
    """Raise ValueError if there is no such order."""
    choose("order", order, {name: name for name in get_args(Order)})


def check_axes(layout: Layout, shape: tuple[int, ...], wanted: str, least: int = 2) -> None:
    """Raise ValueError if there are fewer axes than these."""
    if len(shape) < least:
        raise ValueError(f"weights of {layout} have at least {least} axes, {wanted}, got shape {shape}")


def steps(stride: Stride, window: tuple[int, ...]) -> int:
    """Return how many positions of the finer grid there are to one of the coarser."""
    if not isinstance(stride, tuple):
        return math.prod([stride] * len(window))
    if len(stride) != len(window):
        raise ValueError(f"stride must have one number per axis of the window {window}, got {stride}")
    return math.prod(stride)


@dataclass(frozen=True)
class _Grouped(Layout):
    """A kernel whose far end, last of ``"io"`` and first of ``"oi"``, counts the channels of all groups.

    The other end counts those of one. A stride divides the fan that the far end is for.
    """

    order: Order = "io"
    groups: int = 1
    stride: Stride = 1

    ends: ClassVar[tuple[Role, Role]]  # the far one first

    def __post_init__(self) -> None:
        check_order(self.order)
        check_count("groups", self.groups)
        object.__setattr__(self, "stride", one_or_several("stride", self.stride))

    def axes(self, shape: tuple[int, ...]) -> list[Axis]:
        io, (far, near) = self.order == "io", self.ends
        check_axes(self, shape, f"(*window, {near}, {far})" if io else f"({far}, {near}, *window)")
        window, (one, all_groups) = (shape[:-2], shape[-2:]) if io else (shape[2:], shape[1::-1])
        channels = divide(all_groups, self.groups, f"the number of {far} channels")
        ends: list[Axis] = [[(near, one)], [("map", self.groups), (far, channels)]]
        return [*window_axes(window), *ends] if io else [*ends[::-1], *window_axes(window)]

    def fans(self, shape: Shape) -> Fans:
        fan_in, fan_out = super().fans(shape)
        positions = steps(self.stride, self.sizes(shape).window)
        if self.ends[0] == "output":
            return Fans(fan_in, ratio(fan_out, positions))
        return Fans(ratio(fan_in, positions), fan_out)


class Conv(_Grouped):
    """A convolution, or a dense layer, which is one without a window.

    ``"io"``: (\\*window, in / groups, out). ``"oi"``: (out, in / groups, \\*window).

    Args:
        order: ``"io"`` or ``"oi"``.
        groups: Each group of outputs sees its own group of inputs only: a map per group.
        stride: An input then feeds fewer outputs: fan_out is divided by the stride, on average over inputs.

    >>> Conv("oi", groups=4).fans((32, 2, 3, 3))
    Fans(fan_in=18, fan_out=72)
    """

    ends = "output", "input"


@dataclass(frozen=True)
class Depthwise(Layout):
    """A depthwise convolution: a map per channel, from that one channel to ``multiplier`` outputs.

    ``"io"``: (\\*window, channels, multiplier), as in Keras. ``"oi"``: (channels * multiplier, 1, \\*window),
    as in PyTorch, where it is the same as `Conv` with as many groups as channels.

    Args:
        order: ``"io"`` or ``"oi"``.
        multiplier: Outputs per channel; of ``"io"`` the shape tells it.

    >>> Depthwise("io").fans((3, 3, 64, 1)) == Depthwise("oi").fans((64, 1, 3, 3)) == (9, 9)
    True
    """

    order: Order = "io"
    multiplier: int | None = None

    def __post_init__(self) -> None:
        check_order(self.order)
        if self.multiplier is not None:
            check_count("multiplier", self.multiplier)

    def axes(self, shape: tuple[int, ...]) -> list[Axis]:
        if self.order == "io":
            check_axes(self, shape, "(*window, channels, multiplier)")
            if self.multiplier not in (None, shape[-1]):
                raise ValueError(f"the last axis must be the multiplier {self.multiplier}, got shape {shape}")
            return [*window_axes(shape[:-2]), [("map", shape[-2])], [("output", shape[-1])]]
        check_axes(self, shape, "(channels * multiplier, 1, *window)")
        if shape[1] != 1:
            raise ValueError(f"the second axis of a depthwise kernel must be 1, got shape {shape}")
        outputs = self.multiplier or 1
        channels = divide(shape[0], outputs, "the number of output channels")
        return [[("map", channels), ("output", outputs)], [("input", 1)], *window_axes(shape[2:])]


class ConvTransposed(_Grouped):
    """A transposed convolution, whose kernel is stored the other way round.

    ``"io"``: (\\*window, out, in), as in Keras. ``"oi"``: (in, out / groups, \\*window), as in PyTorch. Flax
    stores it as any convolution's, (\\*window, in, out): `Conv` has its fans, but for the stride.

    Args:
        order: ``"io"`` or ``"oi"``.
        groups: Each group of outputs sees its own group of inputs only: a map per group.
        stride: An output then sums fewer inputs: fan_in is divided by the stride, on average over outputs.

    >>> ConvTransposed("oi").fans((16, 32, 4, 4)), ConvTransposed("oi", stride=2).fans((16, 32, 4, 4))
    (Fans(fan_in=256, fan_out=512), Fans(fan_in=64, fan_out=512))
    """

    ends = "input", "output"
