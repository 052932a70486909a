"""The named schemes with other numbers: for the bridges to the frameworks, which offer each by its name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import Any, get_type_hints

from initcore import initializers
from initcore._validate import choose
from initcore.initializers import NAMED, Named
from initcore.laws import Initializer

# Every name that a scheme has.
ROWS: dict[str, Named] = {name: row for row in NAMED for name in (row.name, *row.aliases)}


def defaults(name: str) -> dict[str, Any]:
    """Return the numbers of a scheme by name.

    >>> defaults("random_normal")
    {'mean': 0.0, 'stddev': 0.05}
    """
    law: Any = initializers.get(name)
    return {field.name: getattr(law, field.name) for field in fields(law)}


def law_with(name: str, numbers: dict[str, Any]) -> Initializer:
    """Return the scheme of that name with these numbers instead of its own.

    Raises:
        ValueError: It has no such number, or the value makes no sense.

    >>> law_with("random_normal", {"stddev": 0.02})
    RandomNormal(mean=0.0, stddev=0.02)
    """
    known = defaults(name)
    for number in numbers:
        choose(f"argument of {name}", number, known)
    law: Any = initializers.get(name)
    changed: Initializer = replace(law, **numbers)
    return changed


def by_position(name: str, args: tuple[Any, ...], order: Iterable[str]) -> dict[str, Any]:
    """Return positional arguments under their names.

    Raises:
        TypeError: There are more of them than names.

    >>> by_position("normal", (0.02,), ["stddev", "dtype"])
    {'stddev': 0.02}
    """
    known = list(order)
    if len(args) > len(known):
        takes = f"takes by position only {', '.join(known)}" if known else "takes its arguments by keyword"
        raise TypeError(f"{name} {takes}, got {args!r}")
    return dict(zip(known, args, strict=False))


def class_name(name: str) -> str:
    """Return how a scheme is called as a class.

    >>> class_name("he_normal")
    'HeNormal'
    """
    return name.title().replace("_", "")


def laws() -> dict[str, Callable[..., Initializer]]:
    """Return what else makes initializers, by its name in `initcore.initializers`: no scheme is called so.

    >>> "PriorBias" in laws(), "ChronoBias" in laws(), "HeNormal" in laws()
    (True, True, False)
    """
    schemes = {class_name(name) for name in ROWS}
    made = {title: getattr(initializers, title) for title in initializers.__all__ if title not in schemes}
    return {title: one for title, one in made.items() if title[0].isupper() and _makes_one(one)}


def _makes_one(one: Any) -> bool:
    kind = get_type_hints(one).get("return") if inspect.isfunction(one) else one
    return isinstance(kind, type) and issubclass(kind, Initializer) and one is not Initializer
