"""Regularizers: a penalty on weights, added to the loss, and its derivative, added to their gradient.

Frozen dataclasses, for a layer's ``kernel_regularizer``. To add one: a subclass that sets the two factors
``l1`` and ``l2``, which are what the compiled core knows, and its name in ``_NAMED``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from initcore import _core
from initcore._validate import check_number, choose
from initcore.plan import Buffer, Plan


@dataclass(frozen=True)
class L1L2:
    """``l1 * sum(|w|) + l2 * sum(w**2)``, as in Keras.

    The derivative is ``l1 * sign(w) + 2 * l2 * w``, with sign(0) = 0. PyTorch's ``weight_decay=d`` (outside
    AdamW) adds ``d * w`` to the gradient: it is ``l2 = d / 2``. scikit-learn's ``alpha`` is divided by
    the number of examples of a batch, and by 2.

    Args:
        l1: Factor of the absolute values.
        l2: Factor of the squares.

    Raises:
        ValueError: A factor is negative, NaN or infinite.

    >>> L1L2(l1=0.5, l2=0.25)([1.0, -2.0])
    2.75
    >>> L1L2(l1=0.5, l2=0.25).gradient([1.0, -2.0])
    array([ 1. , -1.5])
    """

    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        check_number("l1", self.l1, low=0)
        check_number("l2", self.l2, low=0)

    def __call__(self, w: ArrayLike) -> float:
        """Return the penalty on ``w``, summed in float64."""
        return float(_core.penalty(_floats(w), None, self.l1, self.l2))

    def gradient(self, w: ArrayLike) -> NDArray[Any]:
        """Return the derivative of the penalty by ``w``."""
        weights = _floats(w)
        gradient = np.zeros_like(weights)
        _core.penalty(weights, gradient, self.l1, self.l2)
        return gradient

    def lower(
        self, plan: Plan, w: Buffer, gradient: Buffer | None, total: Buffer | None, segment: str = "update"
    ) -> None:
        """Append the penalty on ``w`` to a plan.

        Args:
            plan: The plan to add to.
            w: The weights.
            gradient: Their gradient, to which the derivative is added; ``None`` for an evaluation. The
                operation must come after those that compute it, and before the optimizer's.
            total: The loss's total (see ``Loss.lower``): the penalty times the batch's rows is added to its
                sum, the penalty to its last mean. The operation must come after the loss.
            segment: The segment to append to.
        """
        plan.add(segment, "penalty", w=w, g=gradient, l1=float(self.l1), l2=float(self.l2), total=total)


@dataclass(frozen=True)
class L1(L1L2):
    """``l1 * sum(|w|)``: draws weights to exactly zero.

    Args:
        l1: The factor, at least 0.

    Source: Tibshirani 1996, J. R. Stat. Soc. B 58.

    >>> L1(0.5)([1.0, -2.0])
    1.5
    """

    l1: float = 0.01
    l2: float = field(default=0.0, init=False, repr=False)


@dataclass(frozen=True)
class L2(L1L2):
    """``l2 * sum(w**2)``: keeps weights small.

    Args:
        l2: The factor, at least 0.

    Source: Krogh & Hertz 1991, NIPS 4.

    >>> L2(0.5)([1.0, -2.0])
    2.5
    """

    l1: float = field(default=0.0, init=False, repr=False)
    l2: float = 0.01


_NAMED: dict[str, L1L2] = {"l1": L1(), "l2": L2(), "l1l2": L1L2(l1=0.01, l2=0.01)}


def names() -> list[str]:
    """Return the names that ``get`` knows."""
    return list(_NAMED)


def get(regularizer: str | L1L2 | None) -> L1L2 | None:
    """Return the regularizer of that name with Keras's factor 0.01, the given one, or ``None`` for ``None``.

    Raises:
        ValueError: There is none of that name.

    >>> get("l2")
    L2(l2=0.01)
    """
    if regularizer is None or isinstance(regularizer, L1L2):
        return regularizer
    return choose("regularizer", regularizer, _NAMED)


def _floats(w: ArrayLike) -> NDArray[Any]:
    weights = np.ascontiguousarray(w)
    return weights if weights.dtype in (np.float32, np.float64) else weights.astype(np.float64)
