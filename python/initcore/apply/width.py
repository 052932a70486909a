"""muP on a model: every tensor's spread and learning rate, from those of a narrower base model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from initcore.apply.parameter import Parameter
from initcore.apply.roles import Choice
from initcore.apply.scaled import scaled
from initcore.mup import Scaling, scaling


class Widened(NamedTuple):
    """How the tensors start, by how much their learning rates differ, and what else the model must do."""

    choices: list[Choice]
    rates: list[float]
    notes: tuple[str, ...]


def with_width(
    tensors: Sequence[Parameter],
    choices: Sequence[Choice],
    base: Sequence[Parameter] | Mapping[str, tuple[int, ...]],
    optimizer: str,
) -> Widened:
    """Return how tensors start that are as wide as these, if the base model starts by the same choices.

    The standard deviation is that of the same law in the base model, times what Yang et al. 2022 say.

    Raises:
        ValueError: The base model has other tensors, or the optimizer is not known.
    """
    shapes = dict(base) if isinstance(base, Mapping) else {tensor.name: tensor.shape for tensor in base}
    known = {tensor.name for tensor in tensors if not tensor.left}
    if missing := sorted(known - shapes.keys()):
        raise ValueError(f"the base model of mup= must have the same tensors, but it has no {missing[0]!r}")
    new, rates, notes = [], [], []
    for tensor, choice in zip(tensors, choices, strict=True):
        if tensor.left:
            new.append(choice)
            rates.append(1.0)
            continue
        found = _scaling(tensor, shapes[tensor.name], optimizer)
        new.append(_widened(tensor, choice, shapes[tensor.name], found))
        rates.append(found.learning_rate)
        if tensor.aliases and found.role == "input":
            r = tensor.shape[-1] / shapes[tensor.name][-1]
            notes.append(
                f"mup needs what {tensor.aliases[0]} gives to be divided by {r:g} in the forward pass"
            )
    return Widened(new, rates, tuple(notes))


def _scaling(tensor: Parameter, base_shape: tuple[int, ...], optimizer: str) -> Scaling:
    try:
        return scaling(tensor.shape, base_shape, optimizer, tensor.layout)
    except ValueError as error:
        raise ValueError(f"{tensor.name}: {error}") from None


def _widened(tensor: Parameter, choice: Choice, base_shape: tuple[int, ...], found: Scaling) -> Choice:
    law = choice.initializer
    if law is None or found.role in ("fixed", "vector"):
        return choice
    now, before = (law.deviation(shape, tensor.layout) for shape in (tensor.shape, base_shape))
    factor = before * found.stddev / now if now and before is not None else found.init
    why = f"{choice.why}; muP: {found.role}, x {factor:.4g}, learning rate x {found.learning_rate:.4g}"
    return replace(choice, initializer=scaled(law, (factor,)), why=why)
