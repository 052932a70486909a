"""Any law times a factor, or times one factor for each of several equal parts of the tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from initcore.formats import format_of
from initcore.laws import Initializer, Zeros
from initcore.layouts import Layout, LayoutLike
from initcore.random import Key, Shape, draw


@dataclass(frozen=True)
class Scaled(Initializer):
    """What ``law`` gives, times ``factors``: one for all, or one for each equal part of the first axis.

    >>> from initcore.initializers import Ones
    >>> Scaled(Ones(), (1.0, 0.5))((4,), key=0)
    array([1. , 1. , 0.5, 0.5], dtype=float32)
    """

    law: Initializer
    factors: tuple[float, ...]

    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        if len(self.factors) > 1 and (not shape or shape[0] % len(self.factors)):
            raise ValueError(f"the first axis must be a multiple of {len(self.factors)}, got shape {shape}")
        if format_of(how["dtype"], how["out"]).digits < 24:  # so that the products are rounded, nothing else
            part = self._draw(shape, key, layout, {**how, "dtype": "float32", "out": None})
            return draw(lambda to, form, **where: np.copyto(to, part), shape, **how)
        values = self.law._draw(shape, key, layout, how)
        if len(self.factors) == 1:
            np.multiply(values, self.factors[0], out=values)
            return values
        of_rows = np.repeat(self.factors, shape[0] // len(self.factors)).astype(values.dtype)
        whole = np.broadcast_to(of_rows.reshape(-1, *[1] * (len(shape) - 1)), shape)
        np.multiply(values, whole if how["index"] is None else whole[how["index"]], out=values)
        return values

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
