"""muP on a model: every tensor's spread and learning rate, from those of a narrower base model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from initcore.apply.parameter import Parameter
from initcore.apply.roles import Choice
from initcore.apply.scaled import scaled
from initcore.mup import Scaling, scaling

_ATTENTION = (
    "mup needs the products of queries and keys to be multiplied by "
    "mup.attention_scale(head_size, base_head_size), where heads are wider than in the base model"
)


class Widened(NamedTuple):
    """How the tensors start, by how much their learning rates differ, and what else the model must do."""

    choices: list[Choice]
    rates: list[float]
    notes: tuple[str, ...]


def with_width(
    tensors: Sequence[Parameter],
    choices: Sequence[Choice],
    base: Mapping[str, Parameter],
    optimizer: str,
) -> Widened:
    """Return how tensors start that are as wide as these, if the base model starts by the same choices.

    The standard deviation is that of the same law in the base model, times what Yang et al. 2022 say.

    Raises:
        ValueError: The optimizer is not known.
    """
    new, rates, notes = [], [], []
    for tensor, choice in zip(tensors, choices, strict=True):
        if tensor.left:
            new.append(choice)
            rates.append(1.0)
            continue
        before = base[tensor.name]
        found = _scaling(tensor, before, optimizer)
        new.append(_widened(tensor, choice, before, found))
        rates.append(found.learning_rate)
        if tensor.outputs and found.role == "input":
            r = tensor.shape[-1] / before.shape[-1]
            notes.append(
                f"mup needs what {tensor.outputs[0]} gives to be divided by {r:g} in the forward pass"
            )
        if "attention" in tensor.feeds.how and found.role == "hidden" and _wider_heads(tensor, before):
            notes.append(_ATTENTION)
    return Widened(new, rates, tuple(dict.fromkeys(notes)))


def of_base(
    tensors: Sequence[Parameter],
    choices: Sequence[Choice],
    base: Sequence[Parameter] | Mapping[str, tuple[int, ...]],
) -> dict[str, Parameter]:
    """Return by name the tensors of a base model, of which maybe only the shapes are known.

    Raises:
        ValueError: The base model has other tensors.
    """
    known: Mapping[str, Parameter | tuple[int, ...]]
    known = base if isinstance(base, Mapping) else {tensor.name: tensor for tensor in base}
    if missing := sorted({tensor.name for tensor in tensors if not tensor.left} - known.keys()):
        raise ValueError(f"the base model of mup= must have the same tensors, but it has no {missing[0]!r}")
    found = {}
    for tensor, choice in zip(tensors, choices, strict=True):
        one = known.get(tensor.name, tensor)
        if not isinstance(one, Parameter):
            one = replace(tensor, shape=tuple(one), layout=tensor.whole)
        found[tensor.name] = one if choice.layout is None else replace(one, layout=choice.layout)
    return found


def _scaling(tensor: Parameter, before: Parameter, optimizer: str) -> Scaling:
    try:
        return scaling(tensor.shape, before.shape, optimizer, tensor.whole, base_layout=before.whole)
    except ValueError as error:
        raise ValueError(f"{tensor.name}: {error}") from None


def _widened(tensor: Parameter, choice: Choice, before: Parameter, found: Scaling) -> Choice:
    law = choice.initializer
    if law is None or found.role in ("fixed", "vector"):
        return choice
    now, then = (law.deviation(one.shape, one.layout) for one in (tensor, before))
    factor = then * found.stddev / now if now and then is not None else found.init
    why = f"{choice.why}; muP: {found.role}, x {factor:.4g}, learning rate x {found.learning_rate:.4g}"
    return replace(choice, initializer=scaled(law, (factor,)), why=why)


def _wider_heads(tensor: Parameter, before: Parameter) -> bool:
    """Whether the heads that a projection is for are wider than in the base model, or may be."""
    now, then = ({getattr(owner, "head_dim", None) for owner in one.owners} for one in (tensor, before))
    return now != then or now == {None}
