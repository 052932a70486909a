"""Any law times a factor, or times one factor for each of several equal parts of the tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        out = how.get("out")
        if out is not None and out.dtype == np.uint16:  # the memory of bfloat16
            part = self._draw(
                shape, key, layout, {"dtype": "float32", "index": how.get("index"), "out": None}
            )
            return draw(lambda to, form, **where: np.copyto(to, part), shape, **how)
        values = self.law._draw(shape, key, layout, how)
        if len(self.factors) == 1:
            np.multiply(values, self.factors[0], out=values)
            return values
        of_rows = np.repeat(self.factors, shape[0] // len(self.factors)).astype(values.dtype)
        whole = np.broadcast_to(of_rows.reshape(-1, *[1] * (len(shape) - 1)), shape)
        index = how.get("index")
        np.multiply(values, whole if index is None else whole[index], out=values)
        return values

    def deviation(self, shape: Shape, layout: LayoutLike = "io") -> float | None:
        """Return the standard deviation over the whole tensor."""
        of_law = self.law.deviation(shape, layout)
        return None if of_law is None else of_law * float(np.sqrt(np.mean(np.square(self.factors))))


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
