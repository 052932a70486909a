"""Watching one figure: which way is better, and what counts as an improvement."""

from __future__ import annotations

import math
from typing import Any

from initcore._validate import choose
from initcore.callbacks.base import Callback, Logs

_SIGNS = {"auto": 0, "min": -1, "max": 1}
# What parts of a figure's name say about it, when mode is "auto".
_LOWER_IS_BETTER = (
    "loss",
    "error",
    "entropy",
    "divergence",
    "mse",
    "mae",
    "rmse",
    "hinge",
    "huber",
    "poisson",
)
_HIGHER_IS_BETTER = ("acc", "auc", "r2", "precision", "recall", "f1", "top_k", "similarity")


class Monitor(Callback):
    """Base of the callbacks that act on whether one logged figure improves.

    Args:
        monitor: The figure's name in ``logs``, such as ``"val_loss"``.
        mode: ``"min"`` if lower is better, ``"max"`` if higher is, ``"auto"`` to tell by the name.
        min_delta: The least change that counts as an improvement, absolute.

    Raises:
        ValueError: ``mode`` is none of these, or is "auto" and the name does not tell.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0):
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.sign = choose("mode", mode, _SIGNS) or _sign_of(monitor)
        self._seen = False

    def value(self, logs: Logs | None) -> float | None:
        """Return the figure, or None if this epoch has none though others have (``validation_freq``).

        Raises:
            ValueError: no epoch has it: waiting for it would be waiting for ever.
        """
        logs = logs or {}
        if self.monitor in logs:
            self._seen = True
            return float(logs[self.monitor])
        if self._seen or (self.monitor.startswith("val_") and self.params.get("validation_freq", 1) != 1):
            return None
        import difflib  # only mistakes need it

        close = difflib.get_close_matches(self.monitor, list(logs), n=1)
        close = close or [name for name in (self.monitor.removeprefix("val_"),) if name in logs]
        hint = f" Did you mean {close[0]!r}?" if close else ""
        if self.monitor.startswith("val_") and not any(name.startswith("val_") for name in logs):
            hint += " There are no validation data: pass validation_data or validation_split to fit."
        raise ValueError(
            f"{type(self).__name__}: monitor must be one of {', '.join(map(repr, logs))}, "
            f"got {self.monitor!r}.{hint}"
        )

    def improves(self, value: float, reference: float | None) -> bool:
        """Return whether ``value`` is better than ``reference`` by more than ``min_delta``.

        Anything is better than None, except NaN, which is better than nothing at all. (In Keras a NaN in the
        first epoch becomes the best value, and no later one beats it.)
        """
        if math.isnan(value):
            return False
        return reference is None or self.sign * (value - reference) > self.min_delta


def _sign_of(monitor: str) -> int:
    name: Any = monitor.removeprefix("val_").lower()
    lower = any(part in name for part in _LOWER_IS_BETTER)
    higher = any(part in name for part in _HIGHER_IS_BETTER)
    if lower == higher:
        raise ValueError(
            f"mode must be 'min' or 'max' for monitor={monitor!r}, whose name does not tell which"
        )
    return 1 if higher else -1
