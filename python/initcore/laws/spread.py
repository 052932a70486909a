"""Laws of independent weights whose spread is given: uniform, normal, truncated normal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from initcore._validate import check_number, choose
from initcore.laws.base import Initializer
from initcore.layouts import Layout
from initcore.random import Key


@dataclass(frozen=True)
class RandomUniform(Initializer):
    """Uniform on [``minval``, ``maxval``).

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

    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        return key.normal(shape, self.mean, self.stddev, **how)


@dataclass(frozen=True)
class TruncatedNormal(Initializer):
    """Normal, cut on both sides; ``stddev`` is the standard deviation of what comes out, after the cut.

    Keras, JAX and PyTorch mean the standard deviation of the normal law before it is cut, so theirs come out
    with 0.88 of the ``stddev`` asked for: ``stddev_of="parent"`` means what they mean.

    Args:
        mean: The mean.
        stddev: Standard deviation of the result, or of the parent.
        cut: Nothing lies further than this many of the parent's standard deviations from the mean.
        stddev_of: ``"result"`` or ``"parent"``.

    >>> w = TruncatedNormal(stddev=1.0)((1000, 1000), key=0)
    >>> f"{w.std():.2f} {abs(w).max():.2f}"
    '1.00 2.27'
    >>> w = TruncatedNormal(stddev=1.0, stddev_of="parent")((1000, 1000), key=0)
    >>> f"{w.std():.2f} {abs(w).max():.2f}"
    '0.88 2.00'
    """

    mean: float = 0.0
    stddev: float = 0.05
    cut: float = 2.0
    stddev_of: Literal["result", "parent"] = "result"

    def __post_init__(self) -> None:
        check_number("mean", self.mean)
        check_number("stddev", self.stddev, low=0)
        check_number("cut", self.cut, low=0.01)
        choose("stddev_of", self.stddev_of, {"result": 1, "parent": 1})

    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        parent = self.stddev / (truncated_stddev(self.cut) if self.stddev_of == "result" else 1)
        return key.truncated_normal(shape, self.mean, parent, -self.cut, self.cut, **how)


def truncated_stddev(cut: float) -> float:
    """Return the standard deviation of a standard normal given that it is within +-``cut``.

    >>> truncated_stddev(2)
    0.8796256610342398
    """
    density = math.exp(-cut * cut / 2) / math.sqrt(2 * math.pi)
    return math.sqrt(1 - 2 * cut * density / math.erf(cut / math.sqrt(2)))
