"""End a training whose loss is no longer a number."""

from __future__ import annotations

import math

from initcore.callbacks.base import Callback, Logs


class TerminateOnNaN(Callback):
    """Stop when the loss is NaN or infinite.

    It looks at the mean loss of the epoch so far, which a single bad batch spoils, some ten times a second
    and at every epoch's end; so, unlike Keras's, it does not slow the training down, and stops a fraction of
    a second after the fact.

    Args:
        raise_error: Raise RuntimeError instead of ending the training in the usual way.

    >>> import initcore as ic
    >>> x = y = [[0.0], [1.0], [2.0]]
    >>> model = ic.Sequential([ic.Dense(1)], input_shape=(1,), seed=0)
    >>> model.compile(ic.optimizers.SGD(1e20), "mse")
    >>> history = model.fit(x, y, epochs=1000, verbose=0, callbacks=[TerminateOnNaN()])  # doctest: +ELLIPSIS
    The loss became ... in epoch ...: training ends
    """

    def __init__(self, raise_error: bool = False):
        self.raise_error = raise_error

    def on_progress(self, done: int, total: int, logs: Logs | None = None) -> None:
        self._check(logs, f"within the first {done} of {total} batches")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._check(logs, f"in epoch {epoch + 1}")

    def _check(self, logs: Logs | None, where: str) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss) or self.model.stop_training:
            return
        if self.raise_error:
            raise RuntimeError(f"the loss became {loss} {where}; try a lower learning rate or clipping")
        print(f"The loss became {loss} {where}: training ends")
        self.model.stop_training = True
