"""Stop when a figure no longer improves, and go back to where it was best."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from initcore._validate import check_count
from initcore.callbacks.base import Logs
from initcore.callbacks.monitor import Monitor


class EarlyStopping(Monitor):
    """Stop the training when ``monitor`` has not improved for ``patience`` epochs.

    Args:
        monitor, mode, min_delta: See `Monitor`.
        patience: How many epochs without an improvement end the training. The first epoch never does.
        verbose: 1 to say so when it acts.
        baseline: A value to be beaten: improvements that stay below it do not reset the patience.
        restore_best_weights: Leave the model with the weights of its best epoch, not of its last. The best
            epoch counts even if it did not reach the baseline.
        start_from_epoch: Epochs before this one are not looked at.

    Attributes:
        best, best_epoch: The best value and when it was; None and 0 if there was none.
        stopped_epoch: The epoch that ended the training, 0 if none did.

    Raises:
        ValueError: an argument is out of range; or, at the end of an epoch, ``monitor`` is not logged.

    >>> import initcore as ic
    >>> x = y = [[0.0], [1.0], [2.0]]
    >>> model = ic.Sequential([ic.Dense(1)], input_shape=(1,), seed=0)
    >>> model.compile(ic.optimizers.SGD(0.1), "mse")
    >>> stopping = EarlyStopping("loss", min_delta=1e-6, patience=2, restore_best_weights=True)
    >>> history = model.fit(x, y, epochs=1000, verbose=0, callbacks=[stopping])
    >>> len(history.epoch) < 1000, stopping.best == min(history.history["loss"][:-2])
    (True, True)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ):
        super().__init__(monitor, mode, min_delta)
        self.patience = check_count("patience", patience, low=0)
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = check_count("start_from_epoch", start_from_epoch, low=0)
        self._reset()

    def _reset(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best: float | None = None
        self.best_epoch = 0
        self.best_weights: list[NDArray[Any]] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self.value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        better = self.improves(value, self.best)
        if better:
            self.best, self.best_epoch = value, epoch
        if self.restore_best_weights and (better or self.best_weights is None):
            self.best_weights = [array.copy() for array in self.model.get_weights()]
        self.wait += 1
        if better:
            if self.baseline is None or self.improves(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.verbose and self.stopped_epoch:
            print(f"Epoch {self.stopped_epoch + 1}: {self.monitor} stopped improving, training ends")
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)
            if self.verbose:
                print(f"The model has the weights of epoch {self.best_epoch + 1} again")
