"""A callback made of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from initcore._validate import choose
from initcore.callbacks.base import HOOKS, Callback


class LambdaCallback(Callback):
    """Call a function in a hook; the hooks, and what each is given, are those of `Callback`.

    Raises:
        TypeError: what is given for a hook cannot be called.
        ValueError: there is no such hook.

    >>> shout = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    >>> shout.on_epoch_end(0, {"loss": 0.25})
    0 0.25
    """

    def __init__(self, **hooks: Callable[..., Any] | None):
        for name, function in hooks.items():
            choose("hook", name, dict.fromkeys(HOOKS))
            if function is None:
                continue
            if not callable(function):
                raise TypeError(f"{name} must be a function, got {function!r}")
            setattr(self, name, function)
