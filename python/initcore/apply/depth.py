"""Residual schemes on a model: which tensors of its branches start smaller, by its own depth.

`initcore.residual` says the factors; an adapter's ``branches`` says where a model's branches are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from initcore import initializers
from initcore._validate import choose
from initcore.apply.parameter import Parameter
from initcore.apply.roles import Choice
from initcore.apply.scaled import scaled
from initcore.laws import Constant
from initcore.residual import SCHEMES, Part, ResidualScheme


@dataclass(frozen=True)
class Place:
    """Where in a residual network a tensor stands.

    Args:
        branch: The branch's name; "" outside of branches.
        roles: Out of `initcore.residual.ROLES`; several if the tensor packs as many parts.
        part: Of an encoder with a decoder, which of them. What is in neither counts as the encoder's.
    """

    branch: str
    roles: tuple[str, ...]
    part: Part = "encoder"


Branches = Mapping[str, Place]

_NOWHERE = Place("", ())


def resolve(scheme: str | ResidualScheme, branches: Branches) -> dict[Part, ResidualScheme]:
    """Return the scheme of that name for each part of a model with these branches.

    Of transformers, a layer is what has one MLP.

    Raises:
        ValueError: There is no such scheme, or the model has no branch.

    >>> model = {"a": Place("one", ("mlp_inner",)), "b": Place("one", ("mlp_last",))}
    >>> resolve("fixup", model)["encoder"].name
    'fixup'
    """
    places = [place for place in branches.values() if place.branch]
    names = {place.branch for place in places}
    if not names:
        raise ValueError(
            "residual= is for models with residual branches, and none was found: "
            "layers whose output is added to what went into them"
        )
    layers: dict[Part, int] = {
        part: _layers([place for place in places if place.part == part]) for part in get_args(Part)
    }
    parts = [part for part, count in layers.items() if count]
    if isinstance(scheme, ResidualScheme):
        return dict.fromkeys(parts, scheme)
    make = choose("residual", scheme, SCHEMES)

    def of_part(part: Part) -> ResidualScheme:
        depth: dict[str, dict[str, Any]] = {
            "fixup": {"branches": len(names), "layers_per_branch": _per_branch(places)},
            "t_fixup": {"layers": layers[part], "part": part},
            "deepnorm": {"encoder": layers["encoder"], "decoder": layers["decoder"], "part": part},
            "gpt2": {"layers": len(names), "branches_per_layer": 1},
        }
        return make(**depth.get(scheme, {}))

    return {part: of_part(part) for part in parts}


def with_depth(
    scheme: str | ResidualScheme, tensors: Sequence[Parameter], choices: Sequence[Choice], branches: Branches
) -> tuple[list[Choice], tuple[str, ...]]:
    """Return how the tensors start with those of the branches as the scheme says, and notes on the model.

    What rules say stays.

    Raises:
        ValueError: As `resolve`; or the model has no tensor that the scheme is about.
    """
    schemes = resolve(scheme, branches)
    places = [_place(tensor, branches) for tensor in tensors]
    roles = {role for place in places for role in place.roles}
    last = list(schemes.values())[-1]  # of what is in no branch: the decoder's, if there is one
    if not any(last.named(role) for role in roles):
        about = " or ".join(role.replace("_", " ") for role in last.factors)
        raise ValueError(
            f"{last.name} says how each {about} starts, and the model has none: "
            f"it must have {', and '.join(last.needs)}"
        )
    found = [
        _scaled(schemes[place.part] if place.branch else last, tensor, choice, place)
        for tensor, choice, place in zip(tensors, choices, places, strict=True)
    ]
    return found, tuple(dict.fromkeys(_notes(schemes, roles)))


def _place(tensor: Parameter, branches: Branches) -> Place:
    place = next((branches[name] for name in tensor.names if name in branches), _NOWHERE)
    if tensor.role == "embedding":
        return Place("", ("embedding",))
    # One tensor with an embedding: as the kernel of the output alone it could start at 0.
    return _NOWHERE if tensor.aliases and place.roles == ("output",) else place


def _scaled(scheme: ResidualScheme, tensor: Parameter, choice: Choice, place: Place) -> Choice:
    if choice.by == "rule" or tensor.left:
        return choice
    base = {"kernel": scheme.base, "embedding": scheme.embedding}.get(tensor.role, "auto")
    if base != "auto" and choice.by == "auto":
        choice = replace(choice, initializer=initializers.get(base), why=f"{scheme.name}'s base")
    factors = tuple(scheme.factor(role) for role in place.roles)
    where = f" of {place.branch}" if place.branch else ""
    which = f"{scheme.name}: {'/'.join(dict.fromkeys(place.roles)).replace('_', ' ')}{where}"
    if place.roles == ("multiplier",) and scheme.named("multiplier"):
        return replace(choice, initializer=scaled(Constant(1.0), factors), why=f"{which}, {factors[0]:.4g}")
    if choice.initializer is None or set(factors) <= {1.0}:
        return choice
    times = ", ".join(f"{factor:.4g}" for factor in dict.fromkeys(factors))
    law = scaled(choice.initializer, factors)
    return replace(choice, initializer=law, why=f"{which}, x {times}; {choice.why}")


def _notes(schemes: Mapping[Part, ResidualScheme], roles: Collection[str]) -> Iterator[str]:
    for part, scheme in schemes.items():
        for need in scheme.needs:
            everywhere = all(need in other.needs for other in schemes.values())
            yield f"{scheme.name} needs {need}" + ("" if everywhere else f", in the {part}")
        if scheme.named("output") and "output" not in roles:
            yield f"{scheme.name}: no kernel was found that the network ends with, behind its branches"


def _layers(places: Sequence[Place]) -> int:
    mlps = {place.branch for place in places if any(role.startswith("mlp") for role in place.roles)}
    return len(mlps or {place.branch for place in places})


def _per_branch(places: Sequence[Place]) -> int:
    """How many kernels most of the branches have."""
    beside = ("last_scale", "multiplier", "branch_bias")
    kernels = Counter(place.branch for place in places if place.roles[0] not in beside)
    return Counter(kernels.values()).most_common(1)[0][0]
