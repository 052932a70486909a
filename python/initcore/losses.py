"""Losses: what training makes small.

A loss is a frozen dataclass. It turns labels into the array its kernel reads (`targets`), lowers itself into
a plan (`lower`), and can be called on arrays. Values are means over rows of ``weight * loss``, divided by the
number of rows even if weights are given (Keras: ``sum_over_batch_size``). To add one: a struct in
cpp/kernels/loss_list.h, a dataclass here, its name in `_LOSSES` at the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from initcore import _core, _targets
from initcore._row_weights import class_weights as class_weights
from initcore._row_weights import row_weights as row_weights
from initcore._validate import check_number, choose
from initcore.plan import Buffer, Plan

KERNELS: dict[str, dict[str, Any]] = {row["name"]: row for row in _core.losses()}
"""The losses of the compiled core by name: number, formula, source, parameters, classes."""

TOTAL_SIZE = 3
"""Numbers in a loss's total: sum of ``weight * loss``, rows, mean over the last batch."""

FromLogits = bool | Literal["auto"]


def snake_case(cls: type) -> str:
    """Return the name of a class as users write it: ``"top_k_accuracy"`` for ``TopKAccuracy``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()


@dataclass(frozen=True)
class Loss:
    """What all losses share; see the module's text."""

    aliases: ClassVar[tuple[str, ...]] = ()
    fused_with: ClassVar[str | None] = None
    """The activation that this loss takes over if it is a model's last one."""
    threshold: ClassVar[float] = 0.5
    """For one output that tells two classes apart: above it, the class is 1."""

    @property
    def name(self) -> str:
        """The name in snake_case, as `get` takes it."""
        return snake_case(type(self))

    def targets(self, y: ArrayLike, output_columns: int, dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """Return targets for `lower`: ``(n, output_columns)`` of ``dtype``, or ``(n,)`` int32 class numbers.

        Raises:
            TypeError: ``y`` holds no real numbers.
            ValueError: its shape does not fit the outputs, or a value is no target of this loss.
        """
        return _targets.columns(self.name, y, output_columns, dtype)

    def uses_logits(self, last_activation_name: str) -> bool:
        """Return whether to call `lower` with ``logits=True`` for a model that ends in this activation.

        If the activation is `fused_with`, the prediction must be what goes into it, since the loss then does
        its work; otherwise, it is the model's output.
        """
        return False

    def lower(
        self,
        plan: Plan,
        prediction: Buffer,
        target: Buffer,
        weight: Buffer | None,
        total: Buffer,
        gradient: Buffer | None,
        logits: bool,
        segment: str = "loss",
    ) -> None:
        """Append the loss to a plan's segment.

        Args:
            plan: Where to.
            prediction: ``(rows, columns)``.
            target: As `targets` makes them.
            weight: One for each row, of the prediction's dtype; None for ones.
            total: ``plan.fixed(TOTAL_SIZE, dtype="float64")``. Each batch adds the sum of ``weight * loss``
                to the first number, its rows to the second, and puts its own mean into the third.
            gradient: Set to the gradient of the batch's mean, if not None.
            logits: Whether the prediction comes before softmax or sigmoid.
            segment: Name of the segment.
        """
        number, parameters = self._kernel(logits)
        plan.add(
            segment,
            "loss",
            number=number,
            prediction=prediction,
            target=target,
            weight=weight,
            total=total,
            gradient=gradient,
            parameters=parameters,
        )

    def result(self, total: NDArray[np.float64]) -> float:
        """Return the mean over all rows that were added to ``total``; NaN if there were none."""
        return float(total[0] / total[1]) if total[1] else float("nan")

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the mean over rows of ``sample_weight * loss``.

        Args:
            y_true: Targets, as `fit` takes them.
            y_pred: Predictions ``(n, columns)``, or ``(n,)`` for one column. With ``from_logits="auto"``
                they are probabilities, since no model says otherwise.
            sample_weight: One non-negative weight for each row.
        """
        values, _ = self._run(y_true, y_pred, sample_weight, gradient=False)
        return float(values.mean())

    def values(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Return ``sample_weight * loss`` of each row; arguments as for a call."""
        return self._run(y_true, y_pred, sample_weight, gradient=False)[0]

    def gradient(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> NDArray[Any]:
        """Return the gradient of a call's result by ``y_pred``, in its shape."""
        _, gradient = self._run(y_true, y_pred, sample_weight, gradient=True)
        return gradient.reshape(np.shape(y_pred))

    def _logits_of_arrays(self, prediction: NDArray[Any]) -> bool:
        return False

    def _kernel(self, logits: bool) -> tuple[int, tuple[float, ...]]:
        row = KERNELS[self.name + ("_logits" if logits else "")]
        return row["number"], tuple(float(getattr(self, name)) for name in row["parameters"])

    def _run(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None, gradient: bool
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        prediction = _targets.predictions(y_pred)
        n, columns = prediction.shape
        target = self.targets(y_true, columns, prediction.dtype)
        if len(target) != n:
            raise ValueError(
                f"y_true and y_pred must have the same number of rows, got {len(target)} and {n}"
            )
        if n == 0 and not gradient:
            raise ValueError(
                "the mean loss of no rows is undefined; y_true and y_pred must have at least one row"
            )
        weight = row_weights(prediction, sample_weight, dtype=prediction.dtype)
        values = np.empty(n, np.float64)
        slope = np.empty_like(prediction)
        number, parameters = self._kernel(self._logits_of_arrays(prediction))
        _core.loss(number, prediction, target, weight, slope if gradient else None, values, parameters)
        return values, slope


@dataclass(frozen=True)
class _Crossentropy(Loss):
    """A loss of probabilities, or of the logits from which softmax or sigmoid makes them."""

    from_logits: FromLogits = "auto"
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if self.from_logits not in (True, False, "auto"):
            raise ValueError(f"from_logits must be True, False or 'auto', got {self.from_logits!r}")
        check_number("label_smoothing", self.label_smoothing, low=0, high=1)

    def uses_logits(self, last_activation_name: str) -> bool:
        probabilities = last_activation_name in ("softmax", "sigmoid")
        if self.from_logits is True and last_activation_name == self.fused_with:
            raise ValueError(
                f"from_logits=True says that the model puts out logits, but its last activation is "
                f"{last_activation_name!r}; use from_logits='auto', or leave that activation out"
            )
        if self.from_logits is True or (self.from_logits == "auto" and not probabilities):
            return True
        return last_activation_name == self.fused_with

    def _logits_of_arrays(self, prediction: NDArray[Any]) -> bool:
        if (
            self.from_logits == "auto"
            and prediction.size
            and not (prediction.min() >= 0 and prediction.max() <= 1)
        ):
            raise ValueError(
                f"y_pred must be probabilities in [0, 1], got [{prediction.min():g}, {prediction.max():g}]; "
                f"for logits, use {type(self).__name__}(from_logits=True)"
            )
        return self.from_logits is True


@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """Mean over the columns of ``(p - y)**2``.

    >>> MeanSquaredError()([[0.0, 1.0]], [[0.5, 1.0]])
    0.125
    """

    aliases = ("mse",)


@dataclass(frozen=True)
class MeanAbsoluteError(Loss):
    """Mean over the columns of ``|p - y|``; its gradient at 0 is 0.

    >>> MeanAbsoluteError()([[0.0, 1.0]], [[0.5, 1.0]])
    0.25
    """

    aliases = ("mae",)


@dataclass(frozen=True)
class Huber(Loss):
    """``e**2 / 2`` for errors up to ``delta``, growing in a straight line beyond (Huber 1964).

    Args:
        delta: Where the line begins. Positive.

    >>> Huber(delta=1.0)([0.0, 0.0], [0.5, 3.0])
    1.3125
    """

    delta: float = 1.0

    def __post_init__(self) -> None:
        check_number("delta", self.delta, low=0, open_low=True)


@dataclass(frozen=True)
class Quantile(Loss):
    """``q (y - p)`` where the prediction is too low, ``(1 - q) (p - y)`` where it is too high.

    The constant prediction that makes it smallest is the ``q``-quantile of the targets (Koenker & Bassett
    1978); with ``q = 0.5``, the median.

    Args:
        q: The quantile, between 0 and 1.

    >>> Quantile(q=0.9)([1.0, 1.0], [0.0, 2.0])
    0.5
    """

    aliases = ("pinball",)
    q: float = 0.5

    def __post_init__(self) -> None:
        check_number("q", self.q, low=0, high=1, open_low=True, open_high=True)


@dataclass(frozen=True)
class LogCosh(Loss):
    """``log(cosh(p - y))``: near ``e**2 / 2`` for small errors, ``|e| - log 2`` for large ones.

    >>> round(LogCosh()([0.0], [100.0]), 6)
    99.306853
    """


@dataclass(frozen=True)
class BinaryCrossentropy(_Crossentropy):
    """``-y log p - (1 - y) log(1 - p)``, mean over the columns, each of which is a yes or no of its own.

    Args:
        from_logits: Whether predictions are logits; ``"auto"``: unless the last activation is softmax or
            sigmoid. Probabilities are kept 1e-7 away from 0 and 1, as in Keras; beyond, the gradient is 0.
        label_smoothing: Pulls the targets towards 1/2 by this share.

    >>> round(BinaryCrossentropy()([1, 0], [0.5, 0.5]), 6)
    0.693147
    """

    fused_with = "sigmoid"

    def targets(self, y: ArrayLike, output_columns: int, dtype: DTypeLike = np.float32) -> NDArray[Any]:
        return _targets.bounded(self.name, y, output_columns, dtype, high=1)


@dataclass(frozen=True)
class CategoricalCrossentropy(_Crossentropy):
    """``-sum(y log p)`` over the columns; each target is a distribution over the classes, such as one-hot.

    Args:
        from_logits: Whether predictions are logits; ``"auto"``: unless the last activation is softmax or
            sigmoid. Probabilities are divided by their sum and kept 1e-7 away from 0 and 1, as in Keras.
        label_smoothing: Share of the target that is spread evenly over all classes (Szegedy et al. 2016,
            arXiv:1512.00567, section 7).

    >>> round(CategoricalCrossentropy()([[0, 1]], [[0.5, 0.5]]), 6)
    0.693147
    """

    fused_with = "softmax"

    def targets(self, y: ArrayLike, output_columns: int, dtype: DTypeLike = np.float32) -> NDArray[Any]:
        return _targets.bounded(self.name, y, output_columns, dtype)


@dataclass(frozen=True)
class SparseCategoricalCrossentropy(_Crossentropy):
    """``-log`` of the probability given to the right class; targets are class numbers.

    Args:
        from_logits: As for `CategoricalCrossentropy`.
        label_smoothing: As for `CategoricalCrossentropy`. PyTorch has it here too, Keras has not.

    >>> loss = SparseCategoricalCrossentropy(from_logits=True)
    >>> round(loss([1], [[0.0, 0.0]]), 6)
    0.693147
    """

    fused_with = "softmax"

    def targets(self, y: ArrayLike, output_columns: int, dtype: DTypeLike = np.float32) -> NDArray[Any]:
        return _targets.classes(self.name, y, output_columns)


@dataclass(frozen=True)
class Hinge(Loss):
    """``max(1 - y p, 0)``, mean over the columns; targets are -1 and 1. Targets 0 and 1 become these.

    >>> Hinge()([0, 1], [-2.0, 0.25])
    0.375
    """

    threshold = 0.0

    def targets(self, y: ArrayLike, output_columns: int, dtype: DTypeLike = np.float32) -> NDArray[Any]:
        return _targets.signs(self.name, y, output_columns, dtype)


@dataclass(frozen=True)
class Poisson(Loss):
    """``p - y log p``, mean over the columns: predictions are rates, targets are counts.

    >>> Poisson()([1.0], [1.0])
    0.9999999000000049
    """

    def targets(self, y: ArrayLike, output_columns: int, dtype: DTypeLike = np.float32) -> NDArray[Any]:
        return _targets.bounded(self.name, y, output_columns, dtype)


@dataclass(frozen=True)
class KLDivergence(Loss):
    """``sum(y log(y / p))`` over the columns; both are kept between 1e-7 and 1, as in Keras.

    >>> KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]])
    0.0
    """

    aliases = ("kld",)

    def targets(self, y: ArrayLike, output_columns: int, dtype: DTypeLike = np.float32) -> NDArray[Any]:
        return _targets.bounded(self.name, y, output_columns, dtype)


_LOSSES: tuple[type[Loss], ...] = (
    MeanSquaredError,
    MeanAbsoluteError,
    Huber,
    Quantile,
    LogCosh,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    Hinge,
    Poisson,
    KLDivergence,
)


_BY_NAME: dict[str, type[Loss]] = {name: cls for cls in _LOSSES for name in (snake_case(cls), *cls.aliases)}


def names() -> list[str]:
    """Return the name of every loss."""
    return [snake_case(cls) for cls in _LOSSES]


def get(loss: str | Loss) -> Loss:
    """Return the loss of that name or alias, with its defaults; a loss is returned as it is.

    >>> get("mse")
    MeanSquaredError()
    """
    if isinstance(loss, Loss):
        return loss
    return choose("loss", loss, _BY_NAME)()
