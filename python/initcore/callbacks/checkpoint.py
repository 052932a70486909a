"""Write the model to a file while it trains."""

from __future__ import annotations

import os

from initcore._validate import check_count
from initcore.callbacks.base import Logs
from initcore.callbacks.monitor import Monitor


class ModelCheckpoint(Monitor):
    """Save the model after every epoch, after every ``save_freq`` batches, or whenever it is the best so far.

    The file is replaced in one step: whoever reads it, even after a crash, finds a whole one.

    Args:
        filepath: Where to. ``{epoch}``, ``{batch}`` (both count from 1) and the names in ``logs`` are filled
            in, as in ``"{epoch:02d}-{val_loss:.2f}.safetensors"``. Missing directories are made.
        monitor, mode: See `Monitor`; they matter only with ``save_best_only``.
        verbose: 1 to say so when it saves.
        save_best_only: Save only when ``monitor`` is better than at all saves before.
        save_weights_only: True for ``model.save_weights``, False for ``model.save``. A model without
            ``save`` has no more to keep than its weights, which are then what is written.
        save_freq: ``"epoch"``, or a number of batches, which makes the training stop at each.
        initial_value_threshold: With ``save_best_only``: the value that the first save has to beat.

    Raises:
        TypeError, ValueError: an argument is not of the kind above; or, when it saves, ``monitor`` or a name
            in ``filepath`` is not logged.

    >>> import initcore as ic
    >>> from pathlib import Path
    >>> x = y = [[0.0], [1.0], [2.0]]
    >>> model = ic.Sequential([ic.Dense(1)], input_shape=(1,), seed=0)
    >>> model.compile(ic.optimizers.SGD(0.1), "mse")
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> best = ModelCheckpoint(folder / "{epoch}.safetensors", "loss", save_best_only=True)
    >>> history = model.fit(x, y, epochs=2, verbose=0, callbacks=[best])
    >>> sorted(path.name for path in folder.iterdir())
    ['1.safetensors', '2.safetensors']
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ):
        super().__init__(monitor, mode if save_best_only else "min")
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq if save_freq == "epoch" else check_count("save_freq", save_freq)
        self.best = initial_value_threshold
        self._epoch = 0
        self._batches = 0

    @property
    def needs_batches(self) -> bool:
        """Whether it saves between epochs."""
        return self.save_freq != "epoch"

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            return
        self._batches += 1
        if self._batches % int(self.save_freq) == 0:
            self._save(self._epoch, {"batch": batch + 1, **(logs or {})})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, logs or {})

    def _save(self, epoch: int, logs: Logs) -> None:
        if self.save_best_only:
            value = self.value(logs)
            if value is None or not self.improves(value, self.best):
                return
            self.best = value
        from pathlib import Path

        path = Path(self._path({"epoch": epoch + 1, **logs}))
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = not self.save_weights_only and hasattr(self.model, "save")
        (self.model.save if whole else self.model.save_weights)(path)
        if self.verbose:
            print(f"Epoch {epoch + 1}: saved to {path}")

    def _path(self, fields: Logs) -> str:
        try:
            return self.filepath.format(**fields)
        except (KeyError, IndexError, ValueError) as error:
            names = ", ".join(fields)
            raise ValueError(
                f"filepath may use the fields {names}, got {self.filepath!r} ({error})"
            ) from error
