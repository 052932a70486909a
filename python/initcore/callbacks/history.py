"""The record of a training, which `fit` returns."""

from __future__ import annotations

from typing import Any

from initcore.callbacks.base import Callback, Logs


class History(Callback):
    """What every epoch logged. `fit` makes one, or fills the one among its callbacks, and returns it.

    Attributes:
        history: Name of a figure -> its value in every epoch that had it.
        epoch: Numbers of the epochs of the last training.
        params: The facts of the run, such as ``epochs`` and ``steps``.

    >>> record = History()
    >>> record.on_train_begin()
    >>> record.on_epoch_end(0, {"loss": 0.7}); record.on_epoch_end(1, {"loss": 0.4})
    >>> record.history, record.epoch
    ({'loss': [0.7, 0.4]}, [0, 1])
    """

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
