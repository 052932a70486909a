"""Learning-rate schedules that rise and fall. Use them from schedules.py, where their names are listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from initcore._schedule import Array, Schedule, half_cosine
from initcore._validate import check_count, check_number, choose


@dataclass(frozen=True)
class CosineDecayRestarts(Schedule):
    """Half cosines, each ``t_mul`` times as long and ``m_mul`` times as high as the one before.

    As in Keras. PyTorch's CosineAnnealingWarmRestarts has ``T_mult=1`` by default and keeps the height.

    Source: Loshchilov & Hutter 2017, arXiv:1608.03983.

    >>> CosineDecayRestarts(1.0, first_decay_steps=10)([0, 5, 10, 20]).round(6)
    array([1. , 0.5, 1. , 0.5])
    """

    initial_learning_rate: float
    first_decay_steps: int
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0

    def __post_init__(self) -> None:
        check_number("initial_learning_rate", self.initial_learning_rate, low=0)
        check_count("first_decay_steps", self.first_decay_steps)
        check_number("t_mul", self.t_mul, low=1)
        check_number("m_mul", self.m_mul, low=0)
        check_number("alpha", self.alpha, low=0)

    def rates(self, steps: Array) -> Array:
        time = steps / self.first_decay_steps
        if self.t_mul == 1:
            run = np.floor(time)
            fraction = time - run
        else:

            def start(run: Array) -> Array:
                return (self.t_mul**run - 1) / (self.t_mul - 1)

            run = np.floor(np.log1p(time * (self.t_mul - 1)) / np.log(self.t_mul))
            run = run + (start(run + 1) <= time)  # where the logarithm was rounded to the wrong side
            run = run - (start(run) > time)
            fraction = (time - start(run)) / self.t_mul**run
        height = self.m_mul**run * half_cosine(fraction)
        return self.initial_learning_rate * ((1 - self.alpha) * height + self.alpha)


def _triangular(cycle: Array, steps: Array, gamma: float) -> Array:
    return np.ones_like(steps)


def _triangular2(cycle: Array, steps: Array, gamma: float) -> Array:
    return 0.5**cycle


def _exp_range(cycle: Array, steps: Array, gamma: float) -> Array:
    return np.power(gamma, steps)


_MODES: dict[str, Callable[[Array, Array, float], Array]] = {
    "triangular": _triangular,
    "triangular2": _triangular2,
    "exp_range": _exp_range,
}


@dataclass(frozen=True)
class CyclicLR(Schedule):
    """Straight lines up from ``base_lr`` to ``max_lr`` and down again, for ever. Names as in PyTorch.

    Args:
        base_lr: The lowest rate.
        max_lr: The highest rate.
        step_size_up: Updates on the way up.
        step_size_down: Updates on the way down; ``None``: as many as up.
        mode: ``"triangular"``; ``"triangular2"`` halves the height with every cycle; ``"exp_range"``
            multiplies it by ``gamma`` with every step.
        gamma: For ``"exp_range"``.

    Source: Smith 2017, arXiv:1506.01186, section 3.1.

    >>> CyclicLR(0.1, 0.5, step_size_up=2)([0, 1, 2, 3, 4])
    array([0.1, 0.3, 0.5, 0.3, 0.1])
    """

    base_lr: float
    max_lr: float
    step_size_up: int = 2000
    step_size_down: int | None = None
    mode: str = "triangular"
    gamma: float = 1.0

    def __post_init__(self) -> None:
        check_number("base_lr", self.base_lr, low=0)
        check_number("max_lr", self.max_lr, low=self.base_lr)
        check_count("step_size_up", self.step_size_up)
        if self.step_size_down is not None:
            check_count("step_size_down", self.step_size_down)
        choose("mode", self.mode, _MODES)
        check_number("gamma", self.gamma, low=0)

    def rates(self, steps: Array) -> Array:
        up = self.step_size_up
        down = up if self.step_size_down is None else self.step_size_down
        cycle = np.floor(steps / (up + down))
        position = steps - cycle * (up + down)
        height = np.where(position <= up, position / up, (up + down - position) / down)
        scale = _MODES[self.mode](cycle, steps, self.gamma)
        rates: Array = self.base_lr + (self.max_lr - self.base_lr) * height * scale
        return rates


_ANNEALS: dict[str, Callable[[Array], Array]] = {
    "cos": lambda fraction: 1 - half_cosine(fraction),
    "linear": lambda fraction: fraction,
}


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up to ``max_lr``, then down to almost nothing: one cycle for the whole training. As in PyTorch.

    From ``max_lr / div_factor`` up for ``pct_start`` of the steps, then down to ``1 / final_div_factor`` of
    where it began; with ``three_phase`` first down to where it began, in as many steps as up. After
    ``total_steps`` the last rate holds (PyTorch raises an error). Momentum is not cycled.

    Source: Smith & Topin 2018, arXiv:1708.07120.

    >>> OneCycle(1.0, total_steps=10, anneal="linear")([0, 1, 2, 9]).round(6)
    array([4.0e-02, 5.2e-01, 1.0e+00, 4.0e-06])
    """

    max_lr: float
    total_steps: int
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    anneal: str = "cos"
    three_phase: bool = False

    def __post_init__(self) -> None:
        check_number("max_lr", self.max_lr, low=0)
        check_count("total_steps", self.total_steps, low=2)
        check_number("pct_start", self.pct_start, low=0, high=1)
        check_number("div_factor", self.div_factor, low=0, open_low=True)
        check_number("final_div_factor", self.final_div_factor, low=0, open_low=True)
        choose("anneal", self.anneal, _ANNEALS)

    def rates(self, steps: Array) -> Array:
        start = self.max_lr / self.div_factor
        peak, last = self.pct_start * self.total_steps - 1, self.total_steps - 1
        times, rates = [0.0, peak, last], [start, self.max_lr, start / self.final_div_factor]
        if self.three_phase:
            times.insert(2, 2 * self.pct_start * self.total_steps - 2)
            rates.insert(2, start)
        result = np.full(steps.shape, rates[-1])
        for i in reversed(range(len(times) - 1)):
            length = times[i + 1] - times[i]
            fraction = np.clip((steps - times[i]) / length, 0, 1) if length > 0 else np.ones_like(steps)
            rate = rates[i] + (rates[i + 1] - rates[i]) * _ANNEALS[self.anneal](fraction)
            result = np.where(steps <= times[i + 1], rate, result)
        return result
