"""Change the learning rate from epoch to epoch: by a function, or when a figure stops improving."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from initcore._validate import check_number
from initcore.callbacks.base import Callback, Logs
from initcore.callbacks.monitor import Monitor
from initcore.plateau import PlateauState, ReduceOnPlateau


class LearningRateScheduler(Callback):
    """Ask ``schedule`` for the learning rate at the start of every epoch, and log it as ``learning_rate``.

    Args:
        schedule: ``schedule(epoch)`` or ``schedule(epoch, learning_rate)``; epochs count from 0. It returns
            the rate for that epoch, a number of at least 0.
        verbose: 1 to print every rate.

    Raises:
        TypeError: ``schedule`` is not a function of one or two arguments.
        ValueError: (when the epoch starts) it returned NaN, infinity or less than 0.

    >>> import initcore as ic
    >>> x = y = [[0.0], [1.0], [2.0]]
    >>> model = ic.Sequential([ic.Dense(1)], input_shape=(1,), seed=0)
    >>> model.compile(ic.optimizers.SGD(0.1), "mse")
    >>> halving = LearningRateScheduler(lambda epoch: 0.1 * 0.5**epoch)
    >>> model.fit(x, y, epochs=3, verbose=0, callbacks=[halving]).history["learning_rate"]
    [0.1, 0.05, 0.025]
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0):
        if not callable(schedule):
            raise TypeError(f"schedule must be a function of the epoch, got {schedule!r}")
        self.schedule = schedule
        self.verbose = verbose
        self._takes_rate = _takes_two(schedule)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        arguments = (epoch, float(self.model.learning_rate)) if self._takes_rate else (epoch,)
        rate = check_number("the rate that schedule returns", self.schedule(*arguments), low=0)
        self.model.learning_rate = rate
        if self.verbose:
            print(f"Epoch {epoch + 1}: learning rate {rate:g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.learning_rate)


class ReduceLROnPlateau(Monitor):
    """Multiply the learning rate by ``factor`` when ``monitor`` has not improved for ``patience`` epochs.

    The rules are those of Keras: ``min_delta`` is absolute (PyTorch's threshold is relative by default). The
    rate that the epoch had is logged as ``learning_rate``.

    Args:
        monitor, mode, min_delta: See `Monitor`.
        factor: In (0, 1).
        patience: How many epochs without an improvement.
        verbose: 1 to say so when it acts.
        cooldown: How many epochs after a reduction are not counted.
        min_lr: The rate never goes below this.

    Raises:
        ValueError: an argument is out of range; or, at the end of an epoch, ``monitor`` is not logged.

    >>> import initcore as ic
    >>> x = y = [[0.0], [1.0], [2.0]]
    >>> model = ic.Sequential([ic.Dense(1)], input_shape=(1,), seed=0)
    >>> model.compile(ic.optimizers.SGD(0.1), "mse")
    >>> plateau = ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1e9)
    >>> model.fit(x, y, epochs=3, verbose=0, callbacks=[plateau]).history["learning_rate"]
    [0.1, 0.1, 0.05]
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ):
        super().__init__(monitor, mode, min_delta)
        towards = "max" if self.sign > 0 else "min"
        self.rule = ReduceOnPlateau(factor, patience, towards, self.min_delta, cooldown, min_lr)
        self.verbose = verbose
        self.plateau = PlateauState(0.0)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.plateau = PlateauState(0.0)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        rate = float(self.model.learning_rate)
        if logs is not None:
            logs["learning_rate"] = rate
        value = self.value(logs)
        if value is None:
            return
        self.plateau = self.rule.update(replace(self.plateau, learning_rate=rate), value)
        # A rate that is not to change is not set: that would override the optimizer's schedule.
        if self.plateau.learning_rate != rate:
            self.model.learning_rate = self.plateau.learning_rate
            if self.verbose:
                print(f"Epoch {epoch + 1}: learning rate reduced to {self.plateau.learning_rate:g}")


def _takes_two(schedule: Callable[..., Any]) -> bool:
    """Return whether it takes (epoch, rate); a function without a readable signature takes the epoch."""
    try:
        signature = inspect.signature(schedule)
    except ValueError:
        return False
    for arguments in ((0, 0.0), (0,)):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        return len(arguments) == 2
    raise TypeError(f"schedule must take (epoch) or (epoch, learning_rate), got {schedule!r}")
