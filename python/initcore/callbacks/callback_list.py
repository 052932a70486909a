"""The list of callbacks that the trainer calls as if it were one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from initcore.callbacks.base import HOOKS, Callback
from initcore.callbacks.history import History
from initcore.callbacks.progress import ProgressBar


class CallbackList(Callback):
    """Callbacks as one: each hook calls that hook of all of them, in order.

    Args:
        callbacks: One callback, several, or None.
        model: Given to each by `Callback.set_model`, if not None.
        params: Given to each by `Callback.set_params`, if not None.
        history: A record to be filled, after all others: it holds what they added to the logs.
        verbose: 1 or 2 to add a `ProgressBar`, 0 for none.

    Raises:
        TypeError: one of them is not a `Callback` (a class that was not called, for instance).
    """

    def __init__(
        self,
        callbacks: Callback | Iterable[Callback] | None = None,
        model: Any = None,
        params: dict[str, Any] | None = None,
        history: History | None = None,
        verbose: int = 0,
    ):
        if callbacks is None or isinstance(callbacks, Callback):
            callbacks = [] if callbacks is None else [callbacks]
        self.callbacks: list[Callback] = list(callbacks)
        if history is not None and not any(callback is history for callback in self.callbacks):
            self.callbacks.append(history)
        if verbose:
            self.callbacks.append(ProgressBar(verbose))
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                hint = " Call it." if isinstance(callback, type) else ""
                raise TypeError(f"a callback must be an initcore.callbacks.Callback, got {callback!r}.{hint}")
        if params is not None:
            self.set_params(params)
        if model is not None:
            self.set_model(model)

    @property
    def needs_batches(self) -> bool:
        """Whether any of them has to be called at every batch."""
        return any(callback.needs_batches for callback in self.callbacks)

    @property
    def shows_progress(self) -> bool:
        """Whether any of them does something in `Callback.on_progress`."""
        return any(callback.overrides("on_progress") for callback in self.callbacks)


def _dispatch(hook: str) -> Any:
    def call(self: CallbackList, *arguments: Any, **named: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments, **named)

    call.__name__, call.__doc__ = hook, getattr(Callback, hook).__doc__
    return call


for _hook in ("set_model", "set_params", *HOOKS):
    setattr(CallbackList, _hook, _dispatch(_hook))
