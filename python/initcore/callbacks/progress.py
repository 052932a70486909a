"""Show how the training goes: a moving bar on a terminal, a line per epoch anywhere else."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from initcore.callbacks.base import Callback, Logs

_BAR = 24  # characters


class ProgressBar(Callback):
    """Print a line per epoch; on a terminal, show a bar while the epoch runs.

    The trainer calls `on_progress` some ten times a second, so showing costs next to nothing. The bar is
    drawn by ``rich`` where that is installed.

    Args:
        verbose: 0 prints nothing, 1 shows the bar if the stream is a terminal, 2 prints only lines.
        stream: Where to; standard output by default.
        interval: The bar is drawn at most once in so many seconds, should it be called at every batch.

    >>> bar = ProgressBar(verbose=2)
    >>> bar.on_epoch_begin(0)
    >>> bar.on_epoch_end(0, {"loss": 0.5})  # doctest: +ELLIPSIS
    Epoch 1 - ...s - loss: 0.5000
    """

    def __init__(self, verbose: int = 1, stream: TextIO | None = None, interval: float = 0.05):
        self.verbose = verbose
        self.stream = stream
        self.interval = interval
        self._shown = -interval
        self._bar: _PlainBar | _RichBar | None = None
        self._start = 0.0
        self._title = ""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        stream = self.stream or sys.stdout
        if self.verbose == 1 and stream.isatty():
            self._bar = _make_bar(stream)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._start = time.perf_counter()
        epochs = self.params.get("epochs")
        self._title = f"Epoch {epoch + 1}/{epochs}" if epochs else f"Epoch {epoch + 1}"

    def on_progress(self, done: int, total: int, logs: Logs | None = None) -> None:
        now = time.perf_counter()
        if self._bar and now - self._shown >= self.interval:
            self._shown = now
            self._bar.show(self._title, done, total, _figures(logs))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if not self.verbose:
            return
        if self._bar:
            self._bar.clear()
        seconds = time.perf_counter() - self._start
        line = f"{self._title} - {seconds:.2f}s"
        print(
            " - ".join(part for part in (line, _figures(logs)) if part),
            file=self.stream or sys.stdout,
            flush=True,
        )

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._bar:
            self._bar.clear()
            self._bar = None


def _figures(logs: Logs | None) -> str:
    return " - ".join(f"{name}: {_short(value)}" for name, value in (logs or {}).items())


def _short(value: Any) -> str:
    if not hasattr(value, "__float__"):
        return str(value)
    number = float(value)
    return f"{number:.4f}" if number == 0 or 1e-3 <= abs(number) < 1e5 else f"{number:.3e}"


def _make_bar(stream: TextIO) -> _PlainBar | _RichBar:
    try:
        return _RichBar(stream)
    except ImportError:
        return _PlainBar(stream)


class _PlainBar:
    """One line, drawn over itself: carriage return, text, erase the rest."""

    def __init__(self, stream: TextIO):
        self.stream = stream
        self.drawn = False

    def show(self, title: str, done: int, total: int, figures: str) -> None:
        import shutil  # which brings every compressor with it: not before a bar is drawn

        filled = _BAR * done // max(total, 1)
        bar = "#" * filled + "." * (_BAR - filled)
        # A line that wraps could not be drawn over.
        line = f"{title} [{bar}] {done}/{total} {figures}"[: shutil.get_terminal_size().columns - 1]
        self.stream.write(f"\r{line}\x1b[K")
        self.stream.flush()
        self.drawn = True

    def clear(self) -> None:
        if self.drawn:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
            self.drawn = False


class _RichBar:
    """The same by rich: it knows the terminal's width and colours. It draws only when it is told to."""

    def __init__(self, stream: TextIO):
        from rich.console import Console

        self.console = Console(file=stream)
        self.bar: Any = None

    def show(self, title: str, done: int, total: int, figures: str) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        if self.bar is None:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(_BAR),
                MofNCompleteColumn(),
                TextColumn("{task.fields[figures]}"),
            )
            # Nothing here may outlive a Ctrl-C, after which nobody calls clear: no thread, no hidden cursor,
            # no replaced sys.stdout.
            plain: Any = {"auto_refresh": False, "redirect_stdout": False, "redirect_stderr": False}
            self.bar = Progress(*columns, console=self.console, transient=True, **plain)
            self.task = self.bar.add_task(title, total=total, figures=figures)
            self.bar.start()
            self.console.show_cursor(True)
        self.bar.update(
            self.task, description=title, completed=done, total=total, figures=figures, refresh=True
        )

    def clear(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
