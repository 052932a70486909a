"""What all optimizers share: settings, clipping, the lowering into a plan, the step on plain arrays.

The optimizers themselves are in optimizers.py, their update rules in cpp/kernels/optimizer_list.h.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from initcore import _core
from initcore._schedule import Schedule
from initcore._validate import check_number
from initcore.plan import Buffer, Plan, aligned_empty

Tensors = Sequence[tuple[str, int, int]]
"""Name, offset and size of every tensor in the flat vector of parameters."""

RULES: dict[str, dict[str, Any]] = {row["name"]: row for row in _core.optimizers()}
"""The compiled update rules by name."""

_MOST_HYPERPARAMETERS = 4  # kMaxHyperparameters in cpp/kernels/optimizers.h

RANGES: dict[str, dict[str, Any]] = {  # of hyperparameters, as check_number takes them
    "beta_1": {"low": 0, "high": 1, "open_high": True},
    "beta_2": {"low": 0, "high": 1, "open_high": True},
    "rho": {"low": 0, "high": 1, "open_high": True},
    "momentum": {"low": 0, "high": 1, "open_high": True},
    "epsilon": {"low": 0},
    "momentum_decay": {"low": 0},
    "initial_accumulator_value": {"low": 0},
    "weight_decay": {"low": 0},
}
CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")


class _Settings(NamedTuple):
    """What a compiled step takes first: the update rule, and what it does before (``Preliminary``)."""

    number: int
    hyperparameters: list[float]
    weight_decay: float
    limit: float


@dataclass
class State:
    """What an optimizer remembers between steps: ``init`` makes it, ``step`` changes it."""

    slots: list[NDArray[Any]]
    scalars: NDArray[np.float64]
    step: int = 0


@dataclass(frozen=True)
class Optimizer:
    """What all optimizers share. Use one of its subclasses.

    Before the rule itself, each step multiplies every parameter by ``1 - learning_rate * weight_decay``
    (decoupled decay: Loshchilov & Hutter 2019, arXiv:1711.05101; the rate is the one of that step). As in
    Keras 3, this holds for every optimizer. PyTorch does so for AdamW only; its other optimizers add
    ``weight_decay * w`` to the gradient, which is ``regularizers.L2(weight_decay / 2)`` here.

    At most one of the three ways of clipping may be chosen. They act on the gradient before the rule sees it:

    Args:
        learning_rate: A number, or a schedule: a function of how many updates have been made (0 before the
            first one).
        weight_decay: Decoupled weight decay. ``None`` and 0 mean none.
        clipnorm: Each tensor whose gradient has a larger 2-norm is scaled to this norm.
        clipvalue: Each element of the gradient is cut to ``[-clipvalue, clipvalue]``.
        global_clipnorm: The gradient as a whole is scaled to this norm if its norm is larger.

    PyTorch's ``clip_grad_norm_`` divides by ``norm + 1e-6`` instead of ``norm``. If a norm is NaN, all of
    its parameters become NaN, as in Keras and PyTorch: that is seen, where a skipped step would not be.

    Raises:
        TypeError: An argument is not a number.
        ValueError: It is out of range, or more than one way of clipping is chosen.
    """

    learning_rate: float | Callable[[Any], Any] = 1e-3
    weight_decay: float | None = field(default=None, kw_only=True)
    clipnorm: float | None = field(default=None, kw_only=True)
    clipvalue: float | None = field(default=None, kw_only=True)
    global_clipnorm: float | None = field(default=None, kw_only=True)

    rule_name: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if not callable(self.learning_rate):
            check_number("learning_rate", self.learning_rate, low=0)
        if self.weight_decay is not None:
            check_number("weight_decay", self.weight_decay, **RANGES["weight_decay"])
        for name in self.rule["hyperparameters"]:
            check_number(name, getattr(self, name), **RANGES[name])
        chosen = [name for name in CLIPS if getattr(self, name) is not None]
        for name in chosen:
            check_number(name, getattr(self, name), low=0, open_low=True)
        if len(chosen) > 1:
            raise ValueError(f"at most one of {', '.join(CLIPS)} may be set, got {' and '.join(chosen)}")

    @property
    def rule(self) -> dict[str, Any]:
        """The row of the compiled table that these settings choose."""
        return RULES[self.rule_name]

    @property
    def slots(self) -> int:
        """How many vectors, like that of the parameters, the optimizer keeps. They start as zeros."""
        return len(self.rule["slots"])

    @property
    def scalars(self) -> int:
        """How many float64 numbers the optimizer keeps beside the slots."""
        return len(self.rule["scalars"])

    @property
    def slot_names(self) -> list[str]:
        """What the slots hold, in their order."""
        return list(self.rule["slots"])

    @property
    def source(self) -> str:
        """Where the update rule comes from."""
        return str(self.rule["source"])

    def learning_rates(self, first_step: int, count: int) -> NDArray[np.float64]:
        """Return the rates of ``count`` steps, of which the first has number ``first_step`` (from 1).

        Raises:
            ValueError: A schedule gives a rate that is negative, NaN or infinite.
        """
        if not callable(self.learning_rate):
            return np.full(count, self.learning_rate, np.float64)
        made = np.arange(first_step - 1, first_step - 1 + count)
        if isinstance(self.learning_rate, Schedule):
            rates = np.ascontiguousarray(self.learning_rate(made), np.float64)
        else:
            rates = np.array([self.learning_rate(int(i)) for i in made], np.float64)
        wrong = np.flatnonzero(~((rates >= 0) & np.isfinite(rates)))
        if wrong.size:
            raise ValueError(
                f"learning rates must lie in [0, inf), got {rates[wrong[0]]} "
                f"after {made[wrong[0]]} updates from {self.learning_rate!r}"
            )
        return rates

    def lower(
        self,
        plan: Plan,
        parameters: Buffer,
        gradients: Buffer,
        slots: Sequence[Buffer],
        scalars: Buffer | None,
        tensors: Tensors,
    ) -> None:
        """Append clipping and the step to the segment "update" of ``plan``.

        The operations take the step's number and the learning rate from the batch.

        Args:
            plan: The plan to add to.
            parameters: The flat vector of all parameters.
            gradients: Their gradients, in the same order. Clipping leaves them as they are.
            slots: ``self.slots`` vectors of the same size, zeros at first.
            scalars: ``self.scalars`` float64 numbers, or ``None`` if that is 0.
            tensors: Name, offset and size of every tensor, for ``clipnorm``.
        """
        starts = self._starts(tensors)
        scales = None
        if self._norm is not None:
            scales = plan.fixed(len(starts), dtype=np.float64, name="gradient scales")
            plan.add(
                "update",
                "gradient_scales",
                gradients=gradients,
                starts=starts,
                limit=self._norm,
                scales=scales,
            )
        padded = [*slots, None, None, None]
        plan.add(
            "update",
            "optimizer_step",
            parameters=parameters,
            gradients=gradients,
            **{f"slot_{i}": padded[i] for i in range(3)},
            scalars=scalars,
            starts=starts,
            scales=scales,
            **self._settings._asdict(),
        )

    def init(self, size: int, dtype: DTypeLike = np.float32) -> State:
        """Return the state before the first step, for a custom loop over ``size`` parameters."""
        return State([aligned_empty(size, dtype) for _ in range(self.slots)], np.zeros(self.scalars))

    def step(
        self,
        parameters: NDArray[Any],
        gradients: NDArray[Any],
        state: State,
        *,
        tensors: Tensors = (),
    ) -> None:
        """Change ``parameters`` and ``state`` by one step. For custom loops.

        Args:
            parameters: C-contiguous float32 or float64 array of any shape.
            gradients: Array of the same shape and dtype.
            state: From ``init``.
            tensors: Name, offset and size of every tensor, for ``clipnorm``; else all are taken as one.

        Raises:
            TypeError: An array has the wrong dtype or layout.
            ValueError: The sizes differ.
        """
        starts = self._starts(tensors)
        scales = None
        if self._norm is not None:
            scales = np.empty(len(starts))
            _core.gradient_scales(gradients, starts, self._norm, scales)
        rate = self.learning_rate
        if callable(rate):
            rate = self.learning_rates(state.step + 1, 1)[0]
        _core.optimizer_step(  # by position: twelve names take as long as 6000 parameters
            *self._settings,
            parameters,
            gradients,
            state.slots,
            state.scalars,
            starts,
            scales,
            state.step + 1,
            rate,
        )
        state.step += 1

    @property
    def _norm(self) -> float | None:
        return self.clipnorm if self.global_clipnorm is None else self.global_clipnorm

    def _starts(self, tensors: Tensors) -> list[int]:
        if self.clipnorm is None or not tensors:
            return [0]
        return sorted({0, *(offset for _, offset, _ in tensors)})

    @cached_property
    def _settings(self) -> _Settings:
        values = [float(getattr(self, name)) for name in self.rule["hyperparameters"]]
        return _Settings(
            self.rule["number"],
            values + [0.0] * (_MOST_HYPERPARAMETERS - len(values)),
            float(self.weight_decay or 0),
            np.inf if self.clipvalue is None else float(self.clipvalue),
        )
