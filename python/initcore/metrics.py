"""Metrics: what training reports.

A metric is a frozen dataclass that lowers itself into a plan, where it is added up batch after batch in a few
float64 numbers, its total; `result` makes the metric of them. So an epoch's value is exact, whatever the batches.
To add one: a row of the table in cpp/kernels/metrics.cpp, a dataclass here, its name in `_METRICS` at the end.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from initcore import _core
from initcore._validate import check_number, choose
from initcore.plan import Buffer, Plan

KERNELS: dict[str, dict[str, Any]] = {row["name"]: row for row in _core.metrics()}
"""The metrics of the compiled core by name: number, classes, per_column."""


@dataclass(frozen=True)
class Metric:
    """What all metrics share; see the module's text."""

    aliases: ClassVar[tuple[str, ...]] = ()

    @property
    def name(self) -> str:
        """The name in snake_case, as `get` takes it."""
        return _snake(type(self))

    def total_size(self, columns: int) -> int:
        """Return how many float64 numbers the total has for a model with that many outputs."""
        return 2

    def lower(
        self,
        plan: Plan,
        prediction: Buffer,
        target: Buffer,
        weight: Buffer | None,
        total: Buffer,
        segment: str = "metrics",
        logits: bool = False,
    ) -> None:
        """Append the metric to a plan's segment.

        Args:
            plan: Where to.
            prediction: ``(rows, columns)``.
            target: As the loss's ``targets`` makes them: class numbers or ``(rows, columns)``.
            weight: One for each row, or None.
            total: ``plan.fixed(total_size(columns), dtype="float64")``. Each batch adds to it.
            segment: Name of the segment.
            logits: Whether the prediction comes before softmax or sigmoid.
        """
        kernel, parameter = self._kernel(prediction, target, logits)
        plan.add(
            segment,
            "metric",
            number=KERNELS[kernel]["number"],
            prediction=prediction,
            target=target,
            weight=weight,
            total=total,
            parameter=parameter,
        )

    def result(self, total: NDArray[np.float64]) -> float:
        """Return the metric of everything that was added to ``total``; NaN if that has no weight."""
        return float(total[0] / total[1]) if total[1] else math.nan

    def _kernel(self, prediction: Buffer, target: Buffer, logits: bool) -> tuple[str, float]:
        """The kernel's name and its parameter."""
        raise NotImplementedError


@dataclass(frozen=True)
class Accuracy(Metric):
    """Share of rows whose largest prediction is at the right class; of several largest, the first counts.

    As in Keras, a model with one output is judged as `BinaryAccuracy`, element by element. A row with a NaN
    counts as wrong.

    Args:
        threshold: For one output: probability above which the class is 1.
    """

    aliases = ("acc",)
    threshold: float = 0.5

    def __post_init__(self) -> None:
        check_number("threshold", self.threshold, low=0, high=1)

    def _kernel(self, prediction: Buffer, target: Buffer, logits: bool) -> tuple[str, float]:
        if target.dtype.kind == "i":
            return "top_k_classes", 1
        if prediction.columns == 1:
            return "binary", _logit(self.threshold) if logits else self.threshold
        return "top_k", 1


def _logit(probability: float) -> float:
    if probability in (0, 1):
        return math.inf if probability else -math.inf
    return math.log(probability / (1 - probability))


_METRICS: tuple[type[Metric], ...] = (Accuracy,)


def _snake(cls: type[Metric]) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()


_BY_NAME: dict[str, type[Metric]] = {name: cls for cls in _METRICS for name in (_snake(cls), *cls.aliases)}


def names() -> list[str]:
    """Return the name of every metric."""
    return [_snake(cls) for cls in _METRICS]


def get(metric: str | Metric) -> Metric:
    """Return the metric of that name or alias, with its defaults; a metric is returned as it is.

    >>> get("acc")
    Accuracy(threshold=0.5)
    """
    if isinstance(metric, Metric):
        return metric
    return choose("metric", metric, _BY_NAME)()
