"""One line of CSV per epoch."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from typing import Any

from initcore.callbacks.base import Callback, Logs

_ABSENT = "NA"  # what Keras, pandas and R write for a value that is not there


class CSVLogger(Callback):
    """Write every epoch's figures to a CSV file: the epoch, counted from 0, then the figures by name.

    The first epoch decides the columns, as in Keras: if it has no validation figures, columns for them are
    there all the same, for they may come later (``validation_freq``). What an epoch lacks is ``NA``. Every
    line reaches the file at once, so a killed run leaves what it has done.

    Args:
        filename: The file. A missing directory is made.
        separator: One character between the values.
        append: Continue an existing file, with the columns that it has, instead of replacing it.

    Raises:
        ValueError: ``separator`` is not one character.

    >>> import initcore as ic
    >>> from pathlib import Path
    >>> x = y = [[0.0], [1.0], [2.0]]
    >>> model = ic.Sequential([ic.Dense(1)], input_shape=(1,), seed=0)
    >>> model.compile(ic.optimizers.SGD(0.1), "mse")
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "log.csv"
    >>> history = model.fit(x, y, epochs=2, verbose=0, callbacks=[CSVLogger(path)])
    >>> path.read_text().splitlines()[0], len(path.read_text().splitlines())
    ('epoch,loss,val_loss', 3)
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False):
        if not isinstance(separator, str) or len(separator) != 1 or separator in '\r\n"':
            raise ValueError(f"separator must be one character, such as ',' or ';', got {separator!r}")
        from pathlib import Path

        self.filename = Path(filename)
        self.separator = separator
        self.append = append
        self.columns: list[str] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.filename.parent.mkdir(parents=True, exist_ok=True)
        self.columns = self._existing_columns() if self.append else []
        if not self.columns:
            self.filename.write_text("", encoding="utf-8")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        rows: list[list[Any]] = []
        if not self.columns:
            self.columns = ["epoch", *_columns_for(logs)]
            rows.append(self.columns)
        elif unknown := set(logs) - set(self.columns):
            warnings.warn(
                f"{self.filename} has no column for {', '.join(sorted(unknown))}; not written", stacklevel=2
            )
        values = {"epoch": epoch, **logs}
        rows.append([_cell(values.get(name, _ABSENT)) for name in self.columns])
        import csv

        # Opened for this row alone: nothing stays open if the training is interrupted.
        with self.filename.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=self.separator, lineterminator="\n").writerows(rows)

    def _existing_columns(self) -> list[str]:
        """Return the header of the file, if there is one, and end its last line if a crash cut it off."""
        if not self.filename.exists():
            return []
        import csv

        with self.filename.open(newline="", encoding="utf-8") as file:
            columns = next(csv.reader(file, delimiter=self.separator), [])
        with self.filename.open("rb+") as raw:
            if raw.seek(0, os.SEEK_END) > 0:
                raw.seek(-1, os.SEEK_END)
                if raw.read(1) != b"\n":
                    raw.write(b"\n")
        return columns


def _columns_for(logs: Iterable[str]) -> list[str]:
    names = list(logs)
    if names and not any(name.startswith("val_") for name in names):
        names += [f"val_{name}" for name in names if name != "learning_rate"]
    return names


def _cell(value: Any) -> Any:
    # repr of a Python float reads back as the same number; NumPy's would be "np.float32(...)".
    return value.item() if hasattr(value, "item") and getattr(value, "size", 0) == 1 else value
