"""Laws without chance: every weight has the same value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import DTypeLike, NDArray

from initcore._validate import check_number
from initcore.formats import Format
from initcore.laws.base import Initializer
from initcore.layouts import Layout, LayoutLike
from initcore.random import Key, Shape, draw


@dataclass(frozen=True)
class Constant(Initializer):
    """Every weight is ``value``.

    >>> Constant(0.1)((2,), key=0)
    array([0.1, 0.1], dtype=float32)
    """

    value: float = 0.0

    def __post_init__(self) -> None:
        check_number("value", self.value)

    def deviation(self, shape: Shape, layout: LayoutLike = "io", dtype: DTypeLike = "float32") -> float:
        return 0.0

    def largest(self, shape: Shape, layout: LayoutLike = "io") -> float:
        return abs(self.value)

    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        def fill(to: NDArray[Any], final: Format, **where: Any) -> None:
            to.fill(self.value)

        return draw(fill, shape, **how)


@dataclass(frozen=True)
class Zeros(Constant):
    """Every weight is 0: for biases. A layer whose kernel starts so keeps all its units equal for ever.

    >>> Zeros()((3,), key=0)
    array([0., 0., 0.], dtype=float32)
    """

    value: Literal[0] = 0


@dataclass(frozen=True)
class Ones(Constant):
    """Every weight is 1.

    >>> Ones()((3,), key=0)
    array([1., 1., 1.], dtype=float32)
    """

    value: Literal[1] = 1
