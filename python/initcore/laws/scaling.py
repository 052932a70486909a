"""Laws of independent weights whose spread follows from the fans."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from numpy.typing import DTypeLike, NDArray

from initcore._fans import fans
from initcore._validate import check_number, choose
from initcore.laws.base import MapLaw, is_complex
from initcore.laws.spread import truncated_stddev
from initcore.layouts import Layout, LayoutLike, of
from initcore.random import Key, Shape

Mode: TypeAlias = Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
Distribution: TypeAlias = Literal["normal", "truncated_normal", "uniform"]

_MODES: dict[str, Callable[[float, float], float]] = {
    "fan_in": lambda fan_in, fan_out: fan_in,
    "fan_out": lambda fan_in, fan_out: fan_out,
    "fan_avg": lambda fan_in, fan_out: (fan_in + fan_out) / 2,
    "fan_geo_avg": lambda fan_in, fan_out: math.sqrt(fan_in * fan_out),
}


@dataclass(frozen=True)
class VarianceScaling(MapLaw):
    """Zero-mean weights whose variance is ``gain**2 * scale / fan``, whichever the distribution.

    Keeping ``fan * Var[w]`` constant keeps the variance of the signal constant from layer to layer: forwards
    when ``fan`` is the fan-in, backwards when it is the fan-out. A fan of 0 counts as 1. Packed maps of
    different sizes are scaled each by its own fans.

    Args:
        scale: Variance of the weighted sum for inputs of unit second moment.
        mode: What to divide by: ``"fan_in"``, ``"fan_out"``, their mean ``"fan_avg"``, or their geometric
            mean ``"fan_geo_avg"``.
        distribution: ``"normal"``, ``"uniform"``, or ``"truncated_normal"``, which is cut at two standard
            deviations and rescaled.
        gain: Multiplies the weights. ``theory.gain(f).forward`` with scale 1 keeps the signal through f.

    Raises:
        ValueError: ``scale`` or ``gain`` is not positive, or ``mode`` or ``distribution`` none of the above;
            when called, a shape that the layout cannot have.

    >>> w = VarianceScaling(2.0)((800, 1000), key=0)
    >>> f"{w.std():.3f} {math.sqrt(2 / 800):.3f}"
    '0.050 0.050'
    """

    scale: float = 1.0
    mode: Mode = "fan_in"
    distribution: Distribution = "truncated_normal"
    gain: float = 1.0

    def __post_init__(self) -> None:
        check_number("scale", self.scale, low=0, open_low=True)
        choose("mode", self.mode, _MODES)
        choose("distribution", self.distribution, {name: name for name in get_args(Distribution)})
        check_number("gain", self.gain, low=0, open_low=True)

    def stddev(self, shape: Shape, layout: LayoutLike = "io") -> float:
        """Return the standard deviation of the weights of a tensor of this shape.

        Raises:
            ValueError: the layout packs maps of different sizes, which have one each.
        """
        return self.gain * math.sqrt(self.scale / (_MODES[self.mode](*fans(shape, layout)) or 1))

    def deviation(
        self, shape: Shape, layout: LayoutLike = "io", dtype: DTypeLike = "float32"
    ) -> float | None:
        return None if of(layout).split(shape) else self.stddev(shape, layout)

    def largest(self, shape: Shape, layout: LayoutLike = "io") -> float:
        ends = math.sqrt(3) if self.distribution == "uniform" else 10
        return ends * max(self.stddev(*tensor) for tensor in of(layout).tensors(shape))

    def _draw_maps(
        self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]
    ) -> NDArray[Any]:
        stddev = self.stddev(shape, layout)
        if self.distribution == "normal":
            return key.normal(shape, 0.0, stddev, **how)
        if self.distribution == "truncated_normal":
            return key.truncated_normal(shape, 0.0, stddev / truncated_stddev(2.0), **how)
        # The variance of a uniform law on +-limit is limit^2 / 3; complex weights have two of these.
        limit = math.sqrt(3 / (2 if is_complex(how) else 1)) * stddev
        return key.uniform(shape, -limit, limit, **how)
