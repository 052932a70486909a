"""Any law times a factor, or times one factor for each of the maps that a tensor packs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from initcore.formats import format_of
from initcore.laws import Initializer, Zeros
from initcore.layouts import Layout, LayoutLike, Packed
from initcore.random import Key, Shape, draw


@dataclass(frozen=True)
class Scaled(Initializer):
    """What ``law`` gives, times ``factors``: one for all, or one for each of the maps that the layout packs.

    >>> from initcore.initializers import Ones
    >>> Scaled(Ones(), (1.0, 0.5))((1, 4), key=0, layout=Packed("io", (3, 1)))
    array([[1. , 1. , 1. , 0.5]], dtype=float32)
    """

    law: Initializer
    factors: tuple[float, ...]

    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        factors = self._along(shape, layout)
        if format_of(how["dtype"], how["out"]).digits < 24:  # so that the products are rounded, nothing else
            part = self._draw(shape, key, layout, {**how, "dtype": "float32", "out": None})
            return draw(lambda to, form, **where: np.copyto(to, part), shape, **how)
        values = self.law._draw(shape, key, layout, how)
        whole = np.broadcast_to(factors.astype(values.dtype), shape)
        np.multiply(values, whole if how["index"] is None else whole[how["index"]], out=values)
        return values

    def _along(self, shape: tuple[int, ...], layout: Layout) -> NDArray[Any]:
        """The factors along the axis of outputs, each for its part of it; they broadcast to the tensor."""
        if len(self.factors) == 1:
            return np.asarray(self.factors[0])
        if not isinstance(layout, Packed) or layout.count != len(self.factors):
            raise ValueError(f"the factors {self.factors} need a layout of as many maps, got {layout}")
        along = np.asarray(self.factors)[layout.of_outputs(shape)]
        return along.reshape(-1, *[1] * (len(shape) - 1 - layout.axis % len(shape)))

    def deviation(
        self, shape: Shape, layout: LayoutLike = "io", dtype: DTypeLike = "float32"
    ) -> float | None:
        """Return the standard deviation over the whole tensor."""
        of_law = self.law.deviation(shape, layout, dtype)
        return None if of_law is None else of_law * float(np.sqrt(np.mean(np.square(self.factors))))

    def largest(self, shape: Shape, layout: LayoutLike = "io") -> float:
        return self.law.largest(shape, layout) * max(map(abs, self.factors))


def scaled(law: Initializer, factors: tuple[float, ...]) -> Initializer:
    """Return ``law`` times ``factors``, as simple as it can be said.

    >>> from initcore.initializers import Ones
    >>> scaled(Ones(), (1.0, 1.0)), scaled(Ones(), (0.0,))
    (Ones(value=1), Zeros(value=0))
    """
    if len(set(factors)) == 1:
        factors = factors[:1]
    if factors == (1.0,):
        return law
    return Zeros() if factors == (0.0,) else Scaled(law, factors)
