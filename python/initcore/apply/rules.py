"""Rules: which tensors start in which way. A rule is a regular expression on the name, or a layer's type."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from initcore import initializers, layouts
from initcore.apply.parameter import Parameter
from initcore.apply.roles import ROLES, Choice
from initcore.laws import Initializer
from initcore.layouts import LayoutLike

Scheme: TypeAlias = "str | float | Initializer"
Where: TypeAlias = "str | re.Pattern[str] | type"
What: TypeAlias = "Scheme | tuple[Scheme, LayoutLike]"
Rules: TypeAlias = "Mapping[Where, What] | Sequence[tuple[Where, What]]"

KEEP = "keep"  # leaves a tensor as it is


class Rule:
    """One line: where, and what: a scheme, or a pair of it and of which linear maps the tensor is made."""

    def __init__(self, where: Any, what: Any) -> None:
        self.where, self.scheme, self.layout = where, what, None
        if isinstance(what, tuple):
            if len(what) != 2:
                raise TypeError(f"what a rule says is a scheme, or a pair of scheme and layout, got {what!r}")
            self.scheme, self.layout = what
            layouts.of(self.layout)
        if isinstance(where, str):
            try:
                self.where = re.compile(where)
            except re.error as error:
                raise ValueError(f"the rule {where!r} is not a regular expression: {error}") from None
        elif not isinstance(where, type | re.Pattern):
            raise TypeError(f"a rule is for a regular expression or a layer's type, got {where!r}")
        self.text = where.__name__ if isinstance(where, type) else repr(self.where.pattern)
        if self.scheme != KEEP:
            initializers.get(self.scheme)  # which says what is wrong with it
        self.used = False

    def is_for(self, tensor: Parameter) -> bool:
        """Return whether the rule is for this tensor: by any of its names, or as its layer's weight."""
        if isinstance(self.where, type):
            weight = tensor.role in ("kernel", "recurrent", "embedding", "scale", "slope", "other")
            return weight and any(isinstance(owner, self.where) for owner in tensor.owners)
        return any(self.where.search(name) for name in tensor.names)

    def choice(self, tensor: Parameter) -> Choice:
        """Return what the rule says."""
        why = f"rule {self.text}" + (f", {self.layout}" if self.layout else "")
        if self.scheme == KEEP:
            return Choice(None, f"{why}: kept", "rule", layout=self.layout)
        if isinstance(self.scheme, str) and self.scheme == "auto":
            chosen = ROLES[tensor.role].auto(tensor)
            by: Literal["auto", "rule"] = "auto" if self.layout else "rule"
            return Choice(chosen.initializer, f"{why}: {chosen.why}", by, layout=self.layout)
        return Choice(initializers.get(self.scheme), why, "rule", _name(self.scheme), self.layout)


def parse(rules: Rules) -> list[Rule]:
    """Return the rules in order, or raise what is wrong with one of them."""
    if isinstance(rules, Mapping):
        return [Rule(where, scheme) for where, scheme in rules.items()]
    found = []
    for pair in rules:
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise TypeError(f"rules must be pairs of where and what, got {pair!r}")
        found.append(Rule(*pair))
    return found


def decide(scheme: Scheme | Rules, tensors: Sequence[Parameter]) -> list[Choice]:
    """Return for each tensor how it starts.

    Raises:
        TypeError, ValueError: A rule or scheme is none, or a rule is for no tensor at all.
    """
    if isinstance(scheme, Mapping | Sequence) and not isinstance(scheme, str):
        rules = parse(scheme)
        choices = [_by_rules(rules, tensor) for tensor in tensors]
        _check_used(rules, tensors)
        return choices
    law = None if scheme == "auto" else initializers.get(scheme)
    return [_by_scheme(law, tensor, _name(scheme)) for tensor in tensors]


def _name(scheme: Any) -> str:
    return scheme if isinstance(scheme, str) else ""


def _by_scheme(law: Initializer | None, tensor: Parameter, name: str = "") -> Choice:
    role = ROLES[tensor.role]
    if tensor.left:
        return Choice(None, tensor.left)
    if law is None or not role.takes_scheme:
        return role.auto(tensor)
    return Choice(law, "as asked", "name", name)


def _by_rules(rules: Iterable[Rule], tensor: Parameter) -> Choice:
    for rule in rules:
        if rule.is_for(tensor):
            rule.used = True
            return Choice(None, tensor.left) if tensor.left else rule.choice(tensor)
    return _by_scheme(None, tensor)


def _check_used(rules: Iterable[Rule], tensors: Sequence[Parameter]) -> None:
    for rule in rules:
        if not rule.used:
            types = {type(owner).__name__ for tensor in tensors for owner in tensor.owners}
            known = types if isinstance(rule.where, type) else {n for t in tensors for n in t.names}
            wanted = rule.text.strip("'")
            close = difflib.get_close_matches(wanted, sorted(known), n=3, cutoff=0.3) or sorted(known)[:3]
            raise ValueError(
                f"the rule {rule.text} is for no tensor that an earlier rule has left; "
                f"the model has {', '.join(map(repr, close)) or 'none'}"
            )
