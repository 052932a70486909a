"""What a tensor is for, and how one of each role starts where nothing else was asked for.

To add a role: a row in ROLES; an adapter then says which tensors have it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from initcore import initializers, layouts
from initcore._validate import choose
from initcore.apply.parameter import Feeds, Parameter
from initcore.gains import is_gated
from initcore.laws import Constant, ForgetGateBias, Initializer, Ones, Orthogonal, RandomNormal, Zeros
from initcore.layouts import LayoutLike
from initcore.stability import stability


@dataclass(frozen=True)
class Choice:
    """An initializer, or None to leave the tensor as it is; the reason, and who asked for it.

    ``scheme`` is the name that was asked for, if it was one; ``layout`` another than the adapter has found,
    if a rule says so.
    """

    initializer: Initializer | None
    why: str
    by: Literal["auto", "name", "rule"] = "auto"
    scheme: str = ""
    layout: LayoutLike | None = None


def parse(what: Any, usual: LayoutLike) -> tuple[str, LayoutLike]:
    """Return role and layout of what a user says of a tensor: a role, or a pair of both.

    Raises:
        ValueError: There is no such role or layout.

    >>> parse("bias", "io"), parse(("kernel", "oi"), "io")
    (('bias', 'io'), ('kernel', 'oi'))
    """
    role, layout = what if isinstance(what, tuple) else (what, usual)
    choose("role", role, ROLES)
    layouts.of(layout)
    return role, layout


class Role(NamedTuple):
    """How a tensor of this role starts, and whether a scheme by name is meant for it."""

    auto: Callable[[Parameter], Choice]
    takes_scheme: bool = False


def _kernel(tensor: Parameter) -> Choice:
    feeds = tensor.feeds
    if tensor.start not in (None, initializers.auto(feeds.function)):
        return Choice(tensor.start, "as its layer says")
    how = f" ({feeds.how})" if feeds.how else ""
    if not feeds.known:
        return Choice(
            initializers.auto(None),
            f"what it feeds is not known{how}: give activation=, or a rule; Glorot's until then",
        )
    if feeds.function is None:
        return Choice(initializers.auto(None), f"feeds no activation{how}")
    return Choice(initializers.auto(feeds.function), f"keeps the signal through {feeds}{_drift(feeds)}{how}")


def _drift(feeds: Feeds) -> str:
    """What becomes of the signal in a deep stack, where it does not stay as the gain has it."""
    if is_gated(feeds.function):
        return " if normalized, else it drifts"
    found = stability(feeds.function)
    if not found.repels:
        return ""
    growth = f"up to x{found.growth:.3g} a layer" if found.growth < math.inf else "grows without bound"
    return f" if normalized, else {growth}"


def _embedding(tensor: Parameter) -> Choice:
    if tensor.outputs:
        width = tensor.shape[-1]
        return Choice(RandomNormal(0.0, width**-0.5), "also an output's kernel: logits of variance 1")
    return Choice(RandomNormal(0.0, 1.0), "one row is read at a time: a signal of variance 1")


def _as_declared(tensor: Parameter) -> Choice:
    if tensor.start is not None:
        return Choice(tensor.start, "as its layer says")
    return Choice(None, "what it is for is not known: give a rule for it")


def _always(initializer: Initializer, why: str) -> Callable[[Parameter], Choice]:
    def choose(tensor: Parameter) -> Choice:
        if tensor.start not in (None, initializer):
            return Choice(tensor.start, "as its layer says")
        return Choice(initializer, why)

    return choose


ROLES = {
    "kernel": Role(_kernel, takes_scheme=True),
    "recurrent": Role(_always(Orthogonal(), "a state goes through it at every step: lengths kept")),
    "embedding": Role(_embedding),
    "bias": Role(_always(Zeros(), "no unit is preferred")),
    "gate bias": Role(_always(ForgetGateBias(), "forget gates start open, as Jozefowicz et al. 2015")),
    "scale": Role(_always(Ones(), "normalization starts as itself")),
    "shift": Role(_always(Zeros(), "normalization starts as itself")),
    "slope": Role(_always(Constant(0.25), "He et al. 2015, arXiv:1502.01852, section 2.1")),
    "other": Role(_as_declared),
}
