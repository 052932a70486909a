"""Errors in one voice: what must hold, what came, and the nearest right answer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


def choose(kind: str, name: object, table: Mapping[str, T], aliases: Iterable[str] = ()) -> T:
    """Return ``table[name]``, or raise ValueError naming the closest choice, or alias, then every choice."""
    if isinstance(name, str) and name in table:
        return table[name]
    import difflib  # only mistakes need it

    choices = ", ".join(map(repr, table))
    close = difflib.get_close_matches(str(name).lower(), [*table, *aliases], n=1)
    hint = f"Did you mean {close[0]!r}?" if close else ""
    if isinstance(name, type):
        hint = f"Call it: {name.__name__}(...)."
    if hint:  # before a list that may be long
        raise ValueError(f"{kind} {name!r} is not known. {hint} It must be one of {choices}.")
    raise ValueError(f"{kind} must be one of {choices}, got {name!r}.")


def check_number(
    name: str,
    value: object,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """Return ``value`` as a float if it is a finite number in the interval, else raise.

    Raises:
        TypeError: ``value`` is not a real number.
        ValueError: it is outside the interval, NaN or infinite.
    """
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"{name} must be a number, got {value!r}")
    number = float(value)
    above = number > low if open_low else number >= low
    below = number < high if open_high else number <= high
    if not (above and below and math.isfinite(number)):
        left = "(" if open_low or math.isinf(low) else "["
        right = ")" if open_high or math.isinf(high) else "]"
        raise ValueError(f"{name} must lie in {left}{low:g}, {high:g}{right}, got {value!r}")
    return number


def check_count(name: str, value: object, *, low: int = 1) -> int:
    """Return ``value`` as an int if it is a whole number of at least ``low``, else raise.

    Raises:
        TypeError: ``value`` is not a whole number.
        ValueError: it is less than ``low``.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    number = value.__index__()
    if number < low:
        raise ValueError(f"{name} must be at least {low}, got {value!r}")
    return int(number)
