"""Metrics: what training reports.

A metric is a frozen dataclass that lowers itself into a plan, where it is added up batch after batch in a
few float64 numbers, its total; `result` makes the metric of them. So the value of an epoch is exact, whatever
the batches. To add one: a row of the table in cpp/kernels/metrics.cpp, a dataclass here, its name in
`_METRICS` at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from initcore import _core, _targets
from initcore._validate import check_count, check_number, choose
from initcore.losses import Loss, row_weights, snake_case
from initcore.plan import Buffer, Plan

KERNELS: dict[str, dict[str, Any]] = {row["name"]: row for row in _core.metrics()}
"""The metrics of the compiled core by name: number, classes, per_column."""


@dataclass(frozen=True)
class Metric:
    """What all metrics share; see the module's text."""

    aliases: ClassVar[tuple[str, ...]] = ()
    takes_logits_of: ClassVar[tuple[str, ...]] = ()
    """Activations whose input serves as well as their output, because it has the same order."""

    @property
    def name(self) -> str:
        """The name in snake_case, as `get` takes it."""
        return snake_case(type(self))

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
            logits: Whether the prediction comes before an activation, one of `takes_logits_of`.
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

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the metric of predictions ``(n, columns)``, or ``(n,)`` for one column.

        Integer targets ``(n,)`` beside several columns are class numbers; predictions are not logits.
        """
        prediction = _targets.predictions(y_pred)
        n, columns = prediction.shape
        y = np.asarray(y_true)
        sparse = columns > 1 and y.dtype.kind in "bui" and y.shape in ((n,), (n, 1))
        target = (
            _targets.classes(self.name, y, columns)
            if sparse
            else _targets.columns(self.name, y, columns, prediction.dtype)
        )
        if len(target) != n:
            raise ValueError(
                f"y_true and y_pred must have the same number of rows, got {len(target)} and {n}"
            )
        weight = row_weights(prediction, sample_weight, dtype=prediction.dtype)
        plan = Plan(n, prediction.dtype)
        total = np.zeros(self.total_size(columns))
        operands = (
            None if a is None else plan.view(np.array(a), per_row=1) for a in (prediction, target, weight)
        )
        p, t, w = operands
        assert p is not None and t is not None
        self.lower(plan, p, t, w, plan.view(total))
        if n:
            plan.build()
            plan.run(["metrics"], n)
        return self.result(total)

    def _kernel(self, prediction: Buffer, target: Buffer, logits: bool) -> tuple[str, float]:
        """The kernel's name and its parameter."""
        raise NotImplementedError

    def _refuse_classes(self, target: Buffer) -> None:
        if target.dtype.kind == "i":
            raise ValueError(
                f"the metric {self.name!r} needs targets of the predictions' shape, but the loss has class "
                f"numbers; use 'accuracy' or 'top_k_accuracy'"
            )


@dataclass(frozen=True)
class Accuracy(Metric):
    """Share of rows whose largest prediction is at the right class; of several largest, the first counts.

    As in Keras, a model with one output is judged as `BinaryAccuracy`, element by element. A row with a NaN
    counts as wrong.

    Args:
        threshold: For one output: probability above which the class is 1.

    >>> Accuracy()([0, 2], [[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]])
    0.5
    """

    aliases = ("acc",)
    takes_logits_of = ("sigmoid", "softmax")
    threshold: float = 0.5

    def __post_init__(self) -> None:
        check_number("threshold", self.threshold, low=0, high=1)

    def _kernel(self, prediction: Buffer, target: Buffer, logits: bool) -> tuple[str, float]:
        if target.dtype.kind == "i":
            return "top_k_classes", 1
        if prediction.columns == 1:
            return "binary", _logit(self.threshold) if logits else self.threshold
        return "top_k", 1


@dataclass(frozen=True)
class BinaryAccuracy(Metric):
    """Share of predictions on the right side of the threshold; targets are 0 and 1, or -1 and 1.

    Args:
        threshold: Probability above which the class is 1. For margins, as with the hinge loss, 0.

    >>> BinaryAccuracy()([1, 0, 1, 0], [0.9, 0.1, 0.2, 0.5])
    0.75
    """

    takes_logits_of = ("sigmoid",)
    threshold: float = 0.5

    def __post_init__(self) -> None:
        check_number("threshold", self.threshold, low=0, high=1)

    def _kernel(self, prediction: Buffer, target: Buffer, logits: bool) -> tuple[str, float]:
        self._refuse_classes(target)
        return "binary", _logit(self.threshold) if logits else self.threshold


@dataclass(frozen=True)
class TopKAccuracy(Metric):
    """Share of rows whose right class is among the ``k`` largest predictions; of equal ones, the first count.

    Args:
        k: How many predictions count.

    >>> TopKAccuracy(k=2)([2, 0], [[0.1, 0.5, 0.4], [0.1, 0.5, 0.4]])
    0.5
    """

    aliases = ("top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy")
    takes_logits_of = ("sigmoid", "softmax")
    k: int = 5

    def __post_init__(self) -> None:
        check_count("k", self.k)

    def _kernel(self, prediction: Buffer, target: Buffer, logits: bool) -> tuple[str, float]:
        return "top_k_classes" if target.dtype.kind == "i" else "top_k", self.k


@dataclass(frozen=True)
class MeanAbsoluteError(Metric):
    """Mean over rows and columns of ``|p - y|``.

    >>> MeanAbsoluteError()([1.0, 2.0], [1.0, 3.0])
    0.5
    """

    aliases = ("mae",)

    def _kernel(self, prediction: Buffer, target: Buffer, logits: bool) -> tuple[str, float]:
        self._refuse_classes(target)
        return "absolute_error", 0


@dataclass(frozen=True)
class MeanSquaredError(Metric):
    """Mean over rows and columns of ``(p - y)**2``.

    >>> MeanSquaredError()([1.0, 2.0], [1.0, 4.0])
    2.0
    """

    aliases = ("mse",)

    def _kernel(self, prediction: Buffer, target: Buffer, logits: bool) -> tuple[str, float]:
        self._refuse_classes(target)
        return "squared_error", 0


@dataclass(frozen=True)
class RootMeanSquaredError(MeanSquaredError):
    """Square root of the mean over rows and columns of ``(p - y)**2``.

    >>> RootMeanSquaredError()([1.0, 2.0], [4.0, 6.0]) == 12.5**0.5
    True
    """

    aliases = ("rmse",)

    def result(self, total: NDArray[np.float64]) -> float:
        return math.sqrt(super().result(total))


@dataclass(frozen=True)
class R2Score(Metric):
    """Share of the targets' variance that the predictions explain: 1 - squared errors / squared deviations.

    The plain mean over the columns, as in scikit-learn. A column whose targets are all equal counts as 1 if
    it is predicted exactly, else as 0.

    >>> R2Score()([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    0.5
    """

    aliases = ("r2",)

    def total_size(self, columns: int) -> int:
        return 1 + 3 * columns

    def result(self, total: NDArray[np.float64]) -> float:
        if not total[0]:
            return math.nan
        _, spread, error = total[1:].reshape(3, -1)
        constant = spread == 0
        share = np.where(constant, error != 0, error / np.where(constant, 1, spread))
        return float(np.mean(1 - share))

    def _kernel(self, prediction: Buffer, target: Buffer, logits: bool) -> tuple[str, float]:
        self._refuse_classes(target)
        return "squares", 0


def _logit(probability: float) -> float:
    if probability in (0, 1):
        return math.inf if probability else -math.inf
    return math.log(probability / (1 - probability))


_METRICS: tuple[type[Metric], ...] = (
    Accuracy,
    BinaryAccuracy,
    TopKAccuracy,
    MeanAbsoluteError,
    MeanSquaredError,
    RootMeanSquaredError,
    R2Score,
)

_BY_NAME: dict[str, type[Metric]] = {
    name: cls for cls in _METRICS for name in (snake_case(cls), *cls.aliases)
}


def names() -> list[str]:
    """Return the name of every metric."""
    return [snake_case(cls) for cls in _METRICS]


def get(metric: str | Metric, loss: Loss | None = None) -> Metric:
    """Return the metric of that name or alias; a metric is returned as it is.

    Args:
        metric: The name, or a metric.
        loss: What the model is trained with. A named metric takes its threshold from there.

    >>> get("acc")
    Accuracy(threshold=0.5)
    """
    if isinstance(metric, Metric):
        return metric
    cls = choose("metric", metric, _BY_NAME)
    if loss is not None and issubclass(cls, Accuracy | BinaryAccuracy):
        return cls(threshold=loss.threshold)
    return cls()
