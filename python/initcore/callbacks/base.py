"""What a callback is. To add one: subclass `Callback` in a file of its own, override the hooks that it
needs, and name it in `initcore.callbacks`.
"""

from __future__ import annotations

from typing import Any

Logs = dict[str, Any]


class Callback:
    """Something that watches, and may steer, a training. Every hook here does nothing.

    The names and the order of the hooks are those of Keras. ``logs`` holds the epoch's figures, such as
    ``{"loss": 0.3, "val_loss": 0.4}``; a callback may add its own, which the callbacks after it and the
    history then see. ``self.model`` is there from `set_model` on; ``self.model.stop_training = True`` ends
    the training. Training runs whole epochs natively; only a callback with a batch hook (``needs_batches``)
    makes it stop at every batch.

    >>> class Shout(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(f"epoch {epoch}: {logs['loss']}!")
    >>> Shout().on_epoch_end(3, {"loss": 0.5})
    epoch 3: 0.5!
    """

    model: Any = None
    params: dict[str, Any] = {}  # noqa: RUF012 (set_params replaces it, nothing writes into it)

    @property
    def needs_batches(self) -> bool:
        """Whether the training has to call this callback at every batch."""
        return self.overrides("on_train_batch_begin") or self.overrides("on_train_batch_end")

    def overrides(self, hook: str) -> bool:
        """Return whether this object does something in ``hook``."""
        return hook in vars(self) or getattr(type(self), hook) is not getattr(Callback, hook)

    def set_model(self, model: Any) -> None:
        """Take the model that is about to be trained, evaluated or asked."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Take the facts of the run: ``epochs``, ``steps`` (batches of an epoch), ``verbose`` ..."""
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Training starts."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Training is over, by itself or because it was stopped."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """An epoch starts; the first is 0. Setting ``model.learning_rate`` here holds for it."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """An epoch is over and, if there are validation data, evaluated."""

    def on_progress(self, done: int, total: int, logs: Logs | None = None) -> None:
        """``done`` of the epoch's ``total`` batches are over: called some ten times a second, not per batch.

        ``logs`` are the means so far. This hook is not in Keras; it costs a native epoch nothing.
        """

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """A batch starts; the first of an epoch is 0."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """A batch is over; ``logs`` are the epoch's means so far."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """An evaluation starts."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """An evaluation is over."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """A prediction starts."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """A prediction is over."""


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))
