"""Laws of independent weights whose spread is given: uniform, normal, truncated normal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from initcore._validate import check_number, choose
from initcore.formats import format_of
from initcore.laws.base import Initializer, is_complex
from initcore.laws.truncation import moments, parent
from initcore.layouts import Layout, LayoutLike
from initcore.random import NEAREST_BOUND, Key, Shape


class Parent(NamedTuple):
    """A normal law, and where it is cut, in its standard deviations from its mean."""

    mean: float
    stddev: float
    low: float
    high: float


@dataclass(frozen=True)
class RandomUniform(Initializer):
    """Uniform on [``minval``, ``maxval``); so are both parts of a complex weight, whose variances add up.

    Raises:
        ValueError: ``minval`` exceeds ``maxval``, or one of them is not finite.

    >>> w = RandomUniform(-1, 1)((100, 100), key=0)
    >>> -1 <= w.min() < w.max() < 1
    np.True_
    """

    minval: float = -0.05
    maxval: float = 0.05

    def __post_init__(self) -> None:
        if check_number("minval", self.minval) > check_number("maxval", self.maxval):
            raise ValueError(f"minval must not exceed maxval, got {self.minval!r} and {self.maxval!r}")

    def deviation(self, shape: Shape, layout: LayoutLike = "io", dtype: DTypeLike = "float32") -> float:
        parts = 2 if format_of(dtype).complex else 1
        return (self.maxval - self.minval) * math.sqrt(parts / 12)

    def largest(self, shape: Shape, layout: LayoutLike = "io") -> float:
        return max(abs(self.minval), abs(self.maxval))

    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        return key.uniform(shape, self.minval, self.maxval, **how)


@dataclass(frozen=True)
class RandomNormal(Initializer):
    """Normal with ``mean`` and ``stddev``.

    Raises:
        ValueError: ``stddev`` is negative, or one of them is not finite.

    >>> w = RandomNormal(stddev=0.5)((100, 100), key=0)
    >>> abs(w.std() - 0.5) < 0.02
    np.True_
    """

    mean: float = 0.0
    stddev: float = 0.05

    def __post_init__(self) -> None:
        check_number("mean", self.mean)
        check_number("stddev", self.stddev, low=0)

    def deviation(self, shape: Shape, layout: LayoutLike = "io", dtype: DTypeLike = "float32") -> float:
        return self.stddev

    def largest(self, shape: Shape, layout: LayoutLike = "io") -> float:
        return abs(self.mean) + 10 * self.stddev

    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        return key.normal(shape, self.mean, self.stddev, **how)


@dataclass(frozen=True)
class TruncatedNormal(Initializer):
    """Normal, cut on both sides; ``mean`` and ``stddev`` are those of what comes out, after the cut.

    Keras, JAX and PyTorch mean those of the normal law before it is cut, so theirs come out with 0.88 of the
    ``stddev`` asked for: ``stddev_of="parent"`` means what they mean. PyTorch's bounds are absolute, which at
    its defaults, +-2, cut nothing off weights of standard deviation 0.02.

    Args:
        mean: The mean.
        stddev: The standard deviation.
        low: Nothing is less.
        high: Nothing is greater; one of the bounds may be infinite, or both.
        bounds: ``"relative"``: they count in the parent's standard deviations from the parent's mean;
            ``"absolute"``: they are values.
        stddev_of: What has this mean and standard deviation: the ``"result"``, for which its parent is solved
            for to 1e-12, or the ``"parent"``, the normal law before it is cut.

    Either part of a complex weight is cut, at bounds that must be relative and alike on both sides.

    Raises:
        ValueError: ``low`` is not less than ``high``; no normal law has this mean and standard deviation
            after such a cut; or none whose bounds come within 9 standard deviations of its mean.

    >>> w = TruncatedNormal(stddev=1.0)((1000, 1000), key=0)
    >>> f"{w.std():.2f} {abs(w).max():.2f}"
    '1.00 2.27'
    >>> w = TruncatedNormal(stddev=1.0, stddev_of="parent")((1000, 1000), key=0)
    >>> f"{w.std():.2f} {abs(w).max():.2f}"
    '0.88 2.00'
    >>> w = TruncatedNormal(0.5, 0.2, low=0.0, high=2.0, bounds="absolute")((1000, 1000), key=0)
    >>> f"{w.mean():.2f} {w.std():.2f} {w.min():.2f}"
    '0.50 0.20 0.00'
    """

    mean: float = 0.0
    stddev: float = 0.05
    low: float = -2.0
    high: float = 2.0
    bounds: Literal["relative", "absolute"] = "relative"
    stddev_of: Literal["result", "parent"] = "result"

    def __post_init__(self) -> None:
        check_number("mean", self.mean)
        check_number("stddev", self.stddev, low=0)
        choose("bounds", self.bounds, {"relative": 1, "absolute": 1})
        choose("stddev_of", self.stddev_of, {"result": 1, "parent": 1})
        if not float(self.low) < float(self.high):
            raise ValueError(f"low must be less than high, got {self.low!r} and {self.high!r}")
        if self.bounds == "absolute" and self.stddev == 0 and not self.low <= self.mean <= self.high:
            raise ValueError(f"mean must lie between the bounds, got {self.mean!r}")
        parent = self.parent()
        if parent.low > NEAREST_BOUND or parent.high < -NEAREST_BOUND:
            raise ValueError(
                f"the bounds must come within {NEAREST_BOUND:g} standard deviations of the parent's mean: "
                f"it is {parent.mean:g}, its standard deviation {parent.stddev:g}, for {self}"
            )

    def parent(self) -> Parent:
        """Return the normal law before it is cut, and the bounds in its standard deviations from its mean."""
        low, high = float(self.low), float(self.high)
        if self.bounds == "relative":
            mean, stddev = self.mean, self.stddev
            if self.stddev_of == "result" and low == -high:
                stddev /= truncated_stddev(high)
            elif self.stddev_of == "result":
                shift, shrink = moments(low, high)
                stddev /= shrink
                mean -= stddev * shift
            return Parent(mean, stddev, low, high)
        mean, stddev = self.mean, self.stddev
        if self.stddev_of == "result":
            mean, stddev = parent(mean, stddev, low, high)
        if stddev == 0:
            return Parent(mean, 0.0, -math.inf, math.inf)
        return Parent(mean, stddev, (low - mean) / stddev, (high - mean) / stddev)

    def deviation(self, shape: Shape, layout: LayoutLike = "io", dtype: DTypeLike = "float32") -> float:
        parent = self.parent()
        return parent.stddev * moments(parent.low, parent.high)[1]

    def largest(self, shape: Shape, layout: LayoutLike = "io") -> float:
        parent = self.parent()
        return abs(parent.mean) + 10 * parent.stddev

    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        parent = self.parent()
        if is_complex(how) and (self.bounds == "absolute" or self.low != -self.high):
            raise ValueError(f"complex weights have relative bounds, alike on both sides, got {self}")
        w = key.truncated_normal(shape, parent.mean, parent.stddev, parent.low, parent.high, **how)
        if self.bounds == "absolute" and w.dtype == np.float64:
            np.clip(w, self.low, self.high, out=w)  # which mean + stddev * z passes by a rounding error
        return w


def truncated_stddev(cut: float) -> float:
    """Return the standard deviation of a standard normal given that it is within +-``cut``.

    >>> truncated_stddev(2)
    0.8796256610342398
    """
    if not 0.5 <= cut < math.inf:  # below, the formula loses digits
        return moments(-cut, cut)[1]
    density = math.exp(-cut * cut / 2) / math.sqrt(2 * math.pi)
    return math.sqrt(1 - 2 * cut * density / math.erf(cut / math.sqrt(2)))
