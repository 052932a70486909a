"""The rule that reduces a learning rate when a value no longer improves, without a model around it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from initcore._validate import check_count, check_number, choose

_SIGNS = {"min": 1.0, "max": -1.0}


@dataclass(frozen=True)
class PlateauState:
    """What the rule remembers: the rate, the best value, and how long ago things happened."""

    learning_rate: float
    best: float | None = None
    wait: int = 0
    cooldown: int = 0


@dataclass(frozen=True)
class ReduceOnPlateau:
    """Multiply the rate by ``factor`` when a value has not improved ``patience`` times in a row.

    The decisions are those of Keras's ReduceLROnPlateau, whose ``min_delta`` is absolute. PyTorch's
    ReduceLROnPlateau compares relatively by default and waits one value longer: it is ``relative=True`` with
    ``patience + 1``.

    Args:
        factor: In (0, 1).
        patience: How many values without an improvement.
        mode: ``"min"`` if the value is to fall, ``"max"`` if it is to rise.
        min_delta: By how much a value must beat the best one.
        cooldown: How many values after a reduction are not counted.
        min_lr: The rate never goes below this.
        relative: ``min_delta`` is a fraction of the best value.

    >>> rule = ReduceOnPlateau(factor=0.5, patience=2)
    >>> state = rule.init(0.1)
    >>> for loss in (1.0, 0.5, 0.5, 0.5):
    ...     state = rule.update(state, loss)
    >>> state.learning_rate
    0.05
    """

    factor: float = 0.1
    patience: int = 10
    mode: str = "min"
    min_delta: float = 1e-4
    cooldown: int = 0
    min_lr: float = 0.0
    relative: bool = False

    def __post_init__(self) -> None:
        check_number("factor", self.factor, low=0, high=1, open_low=True, open_high=True)
        check_count("patience", self.patience, low=0)
        choose("mode", self.mode, _SIGNS)
        check_number("min_delta", self.min_delta, low=0)
        check_count("cooldown", self.cooldown, low=0)
        check_number("min_lr", self.min_lr, low=0)

    def init(self, learning_rate: float) -> PlateauState:
        """Return the state before the first value."""
        return PlateauState(check_number("learning_rate", learning_rate, low=0))

    def improves(self, value: float, best: float | None) -> bool:
        """Return whether ``value`` beats ``best``. NaN beats nothing, and is no improvement either."""
        if best is None:
            return value == value
        margin = self.min_delta * abs(best) if self.relative else self.min_delta
        return _SIGNS[self.mode] * (best - value) > margin

    def update(self, state: PlateauState, value: float) -> PlateauState:
        """Return the state after one more value; its ``learning_rate`` is the one to go on with."""
        cooldown = max(state.cooldown - 1, 0)
        if self.improves(value, state.best):
            return replace(state, best=value, wait=0, cooldown=cooldown)
        if cooldown:
            return replace(state, wait=0, cooldown=cooldown)
        wait = 1 if state.cooldown else state.wait + 1
        if wait < self.patience or state.learning_rate <= self.min_lr:
            return replace(state, wait=wait, cooldown=0)
        rate = max(state.learning_rate * self.factor, self.min_lr)
        return replace(state, learning_rate=rate, wait=0, cooldown=self.cooldown)
