"""What a comparison varies, and how a candidate is spelled: a name, ``name:number``, an object, or a pair.

To vary something else: a row of `VARIED`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from initcore import activations, initializers, optimizers
from initcore._validate import check_number, choose


@dataclass(frozen=True)
class Varied:
    """Something that can be varied: how a name is looked up, with a number or without, and the default."""

    get: Callable[[str], Any]
    with_number: Callable[[str, float], Any]
    default: tuple[str, ...]


# An initializer that takes one number: what `name:number` stands for.
_INITIALIZERS: Mapping[str, Callable[[float], Any]] = {
    "normal": lambda number: initializers.RandomNormal(0.0, number),
    "truncated_normal": lambda number: initializers.TruncatedNormal(0.0, number),
    "uniform": lambda number: initializers.RandomUniform(-number, number),
    "constant": lambda number: initializers.Constant(number),
    "orthogonal": lambda number: initializers.Orthogonal(gain=number),
}


def _initializer(name: str, number: float) -> Any:
    return choose("initializer with a number", name, _INITIALIZERS)(number)


def _optimizer(name: str, number: float) -> Any:
    return dataclasses.replace(
        optimizers.get(name), learning_rate=check_number("learning rate", number, low=0)
    )


def _activation(name: str, number: float) -> Any:
    activation = activations.get(name)
    if not activation.parameters:
        raise ValueError(f"activation {name!r} takes no number, got '{name}:{number:g}'")
    return activation.with_parameters(**{next(iter(activation.parameters)): number})


VARIED: dict[str, Varied] = {
    "initializer": Varied(
        lambda name: "auto" if name == "auto" else initializers.get(name),
        _initializer,
        (
            *("zeros", "constant:0.1", "normal:0.01", "normal:1"),
            *("glorot_uniform", "he_normal", "orthogonal", "auto"),
        ),
    ),
    "optimizer": Varied(
        optimizers.get, _optimizer, ("sgd:0.01", "adam:0.001", "rmsprop:0.001", "adagrad:0.01")
    ),
    "activation": Varied(activations.get, _activation, ("relu", "sigmoid", "tanh")),
}


def make(kind: str, candidate: Any) -> Any:
    """Return the object that ``candidate`` stands for; objects are returned as they are.

    >>> make("initializer", "normal:0.5")
    RandomNormal(mean=0.0, stddev=0.5)
    """
    varied = choose("vary", kind, VARIED)
    if not isinstance(candidate, str):
        return candidate
    name, colon, number = candidate.partition(":")
    if not colon:
        return varied.get(name)
    try:
        value = float(number)
    except ValueError:
        raise ValueError(
            f"{kind} must be a name or name:number, such as {varied.default[0]!r}, got {candidate!r}"
        ) from None
    return varied.with_number(name, value)


def labelled(kind: str, candidates: Sequence[Any] | None) -> list[tuple[str, Any]]:
    """Return pairs of label and object, one for each candidate; the default ones for None.

    Raises:
        ValueError: A name is unknown, two labels are equal, or there are none.
    """
    varied = choose("vary", kind, VARIED)
    if isinstance(candidates, str):
        candidates = [candidates]
    pairs: list[tuple[str, Any]] = []
    for candidate in varied.default if candidates is None else candidates:
        if isinstance(candidate, tuple) and len(candidate) == 2:
            label, thing = str(candidate[0]), make(kind, candidate[1])
        else:
            label, thing = candidate if isinstance(candidate, str) else repr(candidate), make(kind, candidate)
        if label in (other for other, _ in pairs):
            raise ValueError(f"schemes must have different labels, {label!r} comes twice")
        pairs.append((label, thing))
    if not pairs:
        raise ValueError("schemes must name at least one thing to train with, got none")
    return pairs
