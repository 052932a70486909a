"""Learning-rate schedules: pure functions of how many updates have been made.

``schedule(step)`` is the rate of the update that follows ``step`` finished ones: 0 for the first. Steps are
updates, as in Keras, not epochs; for a schedule by epochs, multiply its lengths by the updates of an epoch.
A step may be an integer or an array of them. To add one: a frozen dataclass with a method ``rates``, and its
name in ``_SCHEDULES``.

Optimizers take a schedule as ``learning_rate``. The reduction on a plateau needs more than the step: see
plateau.py.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from initcore._schedule import Array, Schedule, half_cosine
from initcore._validate import check_count, check_number, choose
from initcore.cycles import CosineDecayRestarts, CyclicLR, OneCycle


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate for ever.

    >>> Constant(0.1)(1000)
    0.1
    """

    learning_rate: float

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, low=0)

    def rates(self, steps: Array) -> Array:
        return np.full(steps.shape, self.learning_rate, np.float64)


@dataclass(frozen=True)
class StepDecay(Schedule):
    """``initial * gamma**floor(step / step_size)``. PyTorch: StepLR.

    >>> StepDecay(1.0, step_size=10)([0, 9, 10, 20])
    array([1.  , 1.  , 0.1 , 0.01])
    """

    initial_learning_rate: float
    step_size: int
    gamma: float = 0.1

    def __post_init__(self) -> None:
        check_number("initial_learning_rate", self.initial_learning_rate, low=0)
        check_count("step_size", self.step_size)
        check_number("gamma", self.gamma, low=0)

    def rates(self, steps: Array) -> Array:
        return self.initial_learning_rate * self.gamma ** np.floor(steps / self.step_size)


@dataclass(frozen=True)
class PiecewiseConstant(Schedule):
    """``values[i]`` up to and including step ``boundaries[i]``, then the next; the last for ever.

    As in Keras. optax and PyTorch's MultiStepLR change at the boundary, one step earlier.

    >>> PiecewiseConstant([100, 200], [1.0, 0.5, 0.1])([0, 100, 101, 201])
    array([1. , 1. , 0.5, 0.1])
    """

    boundaries: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        boundaries = tuple(check_number("boundary", b, low=0) for b in self.boundaries)
        values = tuple(check_number("value", v, low=0) for v in self.values)
        if len(values) != len(boundaries) + 1:
            raise ValueError(
                "values must have one element more than boundaries, "
                f"got {len(values)} values and {len(boundaries)} boundaries"
            )
        if any(b <= a for a, b in itertools.pairwise(boundaries)):
            raise ValueError(f"boundaries must rise, got {self.boundaries}")
        object.__setattr__(self, "boundaries", boundaries)
        object.__setattr__(self, "values", values)

    def rates(self, steps: Array) -> Array:
        return np.asarray(self.values)[np.searchsorted(self.boundaries, steps, side="left")]


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """``initial * decay_rate**(step / decay_steps)``, or in whole powers with ``staircase``.

    As in Keras. PyTorch's ExponentialLR(gamma) is ``decay_steps=1, decay_rate=gamma``.

    >>> ExponentialDecay(1.0, decay_steps=10, decay_rate=0.5)(20)
    0.25
    """

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False

    def __post_init__(self) -> None:
        check_number("initial_learning_rate", self.initial_learning_rate, low=0)
        check_count("decay_steps", self.decay_steps)
        check_number("decay_rate", self.decay_rate, low=0)

    def rates(self, steps: Array) -> Array:
        return self.initial_learning_rate * self.decay_rate ** _periods(
            steps, self.decay_steps, self.staircase
        )


@dataclass(frozen=True)
class InverseTimeDecay(Schedule):
    """``initial / (1 + decay_rate * step / decay_steps)``, the quotient rounded down with ``staircase``.

    As in Keras. Bottou 2012, "Stochastic gradient descent tricks", section 5.2, has this form.

    >>> InverseTimeDecay(1.0, decay_steps=10, decay_rate=1.0)(10)
    0.5
    """

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False

    def __post_init__(self) -> None:
        check_number("initial_learning_rate", self.initial_learning_rate, low=0)
        check_count("decay_steps", self.decay_steps)
        check_number("decay_rate", self.decay_rate, low=0)

    def rates(self, steps: Array) -> Array:
        periods = _periods(steps, self.decay_steps, self.staircase)
        return self.initial_learning_rate / (1 + self.decay_rate * periods)


@dataclass(frozen=True)
class PolynomialDecay(Schedule):
    """``(initial - end) * (1 - step / decay_steps)**power + end``; after ``decay_steps``, ``end``.

    With ``cycle`` the time is stretched instead, to the next multiple of ``decay_steps``. As in Keras; with
    ``power=1`` a straight line. PyTorch's PolynomialLR has ``end = 0``.

    >>> PolynomialDecay(1.0, decay_steps=10, end_learning_rate=0.0)([0, 5, 10, 99])
    array([1. , 0.5, 0. , 0. ])
    """

    initial_learning_rate: float
    decay_steps: int
    end_learning_rate: float = 1e-4
    power: float = 1.0
    cycle: bool = False

    def __post_init__(self) -> None:
        check_number("initial_learning_rate", self.initial_learning_rate, low=0)
        check_count("decay_steps", self.decay_steps)
        check_number("end_learning_rate", self.end_learning_rate, low=0)
        check_number("power", self.power, low=0, open_low=True)

    def rates(self, steps: Array) -> Array:
        length = float(self.decay_steps) * np.ones_like(steps)
        if self.cycle:
            length *= np.maximum(np.ceil(steps / self.decay_steps), 1)
        left = 1 - np.minimum(steps, length) / length
        return (
            self.initial_learning_rate - self.end_learning_rate
        ) * left**self.power + self.end_learning_rate


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """Half a cosine from ``initial_learning_rate`` down to ``alpha`` times it, then constant.

    With ``warmup_target``, first a straight line from the initial rate to the target over ``warmup_steps``;
    the cosine then falls from the target, for another ``decay_steps``. As in Keras. PyTorch's
    CosineAnnealingLR goes up again after ``T_max``, and its ``eta_min`` is ``alpha * initial``.

    Source: Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5, without restarts.

    >>> CosineDecay(0.0, decay_steps=10, warmup_target=1.0, warmup_steps=2)([0, 1, 2, 7, 12]).round(6)
    array([0. , 0.5, 1. , 0.5, 0. ])
    """

    initial_learning_rate: float
    decay_steps: int
    alpha: float = 0.0
    warmup_target: float | None = None
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        check_number("initial_learning_rate", self.initial_learning_rate, low=0)
        check_count("decay_steps", self.decay_steps)
        check_number("alpha", self.alpha, low=0)
        check_count("warmup_steps", self.warmup_steps, low=0)
        if self.warmup_target is not None:
            check_number("warmup_target", self.warmup_target, low=0)
        elif self.warmup_steps:
            raise ValueError(f"warmup_steps={self.warmup_steps} needs a warmup_target")

    def rates(self, steps: Array) -> Array:
        start = self.initial_learning_rate
        top = start if self.warmup_target is None else self.warmup_target
        fraction = np.clip((steps - self.warmup_steps) / self.decay_steps, 0, 1)
        falling = top * ((1 - self.alpha) * half_cosine(fraction) + self.alpha)
        rising = start + (top - start) * steps / max(self.warmup_steps, 1)
        return np.where(steps < self.warmup_steps, rising, falling)


@dataclass(frozen=True)
class Warmup(Schedule):
    """A straight line from ``start_factor`` times the inner schedule's first rate; then the inner schedule.

    Over ``steps`` updates, after which the inner schedule starts at its own step 0. PyTorch: SequentialLR of
    LinearLR(start_factor, total_iters=steps) and the inner one.

    >>> Warmup(0.1, steps=4)([0, 1, 2, 4, 100])
    array([0.   , 0.025, 0.05 , 0.1  , 0.1  ])
    """

    inner: Schedule | float
    steps: int
    start_factor: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "inner", get(self.inner))
        check_count("steps", self.steps)
        check_number("start_factor", self.start_factor, low=0, high=1)

    def rates(self, steps: Array) -> Array:
        assert isinstance(self.inner, Schedule)
        factor = self.start_factor + (1 - self.start_factor) * np.minimum(steps / self.steps, 1)
        return factor * self.inner.rates(np.maximum(steps - self.steps, 0))


def _periods(steps: Array, length: int, whole: bool) -> Array:
    periods = steps / length
    return np.floor(periods) if whole else periods


_SCHEDULES: dict[str, type[Schedule]] = {
    re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower(): cls
    for cls in (
        Constant,
        StepDecay,
        PiecewiseConstant,
        ExponentialDecay,
        InverseTimeDecay,
        PolynomialDecay,
        CosineDecay,
        CosineDecayRestarts,
        CyclicLR,
        OneCycle,
        Warmup,
    )
}


def names() -> list[str]:
    """Return the names that ``get`` knows."""
    return list(_SCHEDULES)


def get(schedule: str | float | Schedule, **arguments: Any) -> Schedule:
    """Return the schedule of that name with these arguments, a constant one for a number, or the given one.

    Raises:
        ValueError: There is none of that name, or an argument is out of range.
        TypeError: An argument is missing or not a number.

    >>> get("cosine_decay", initial_learning_rate=0.1, decay_steps=100)(50)
    0.05
    """
    if isinstance(schedule, Schedule):
        return schedule
    if isinstance(schedule, (int, float)) and not isinstance(schedule, bool):
        return Constant(schedule)
    return choose("schedule", schedule, _SCHEDULES)(**arguments)
