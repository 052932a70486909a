"""Residual schemes on a model: which tensors of its branches start smaller, by its own depth.

`initcore.residual` says the factors; an adapter's ``branches`` says where a model's branches are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, get_args

from initcore import initializers, layouts
from initcore._validate import choose
from initcore.apply.parameter import Parameter
from initcore.apply.roles import Choice
from initcore.apply.scaled import scaled
from initcore.laws import Constant
from initcore.layouts import Packed
from initcore.residual import SCHEMES, Part, ResidualScheme


@dataclass(frozen=True)
class Place:
    """Where in a residual network a tensor stands.

    Args:
        branch: The branch's name; "" outside of branches.
        roles: Out of `initcore.residual.ROLES`; several if the tensor packs as many maps, in this order:
            which of its numbers are whose, its layout says.
        part: Of an encoder with a decoder, which of them. What is in neither counts as the encoder's.
        depth: How many kernels one after another the branch has.
        also: The other branches that have the same multiplier.
        times: How often the network goes through the branch, whose layers it then shares.
    """

    branch: str
    roles: tuple[str, ...]
    part: Part = "encoder"
    depth: int = 1
    also: tuple[str, ...] = ()
    times: int = 1


Branches = Mapping[str, Place]


class Found(dict[str, Place]):
    """The places in a model by the tensors' names, and why parts of it could not be looked into."""

    def __init__(self, places: Branches, unseen: Sequence[str] = ()) -> None:
        super().__init__(places)
        self.unseen = tuple(dict.fromkeys(unseen))


_NOWHERE = Place("", ())
_EMBEDDING = Place("", ("embedding",), "decoder")  # where it is not known what it feeds


def resolve(scheme: str | ResidualScheme, branches: Branches) -> dict[Part, Callable[[int], ResidualScheme]]:
    """Return the scheme of that name for each part of a model with these branches, by the depth of a branch.

    Of transformers, a layer is what has one MLP. What shares its layers counts as often as it is run.

    Raises:
        ValueError: There is no such scheme, or the model has no branch.
        TypeError: It is neither a name nor a scheme.

    >>> model = {"a": Place("one", ("mlp_inner",)), "b": Place("one", ("mlp_last",))}
    >>> resolve("fixup", model)["encoder"](2).name
    'fixup'
    """
    if not isinstance(scheme, str | ResidualScheme):
        name = next((name for name, one in SCHEMES.items() if one is scheme), "")
        hint = f": residual={name!r}, or call it, residual=ic.residual.{name}(...)" if name else ""
        raise TypeError(f"residual must be a name or a scheme of initcore.residual, got {scheme!r}{hint}")
    places = [place for place in branches.values() if place.branch]
    count = _count(places)
    if not count:
        raise ValueError(
            "residual= is for models with residual branches, and none was found: "
            f"layers whose output is added to what went into them{_unseen(branches)}"
        )
    layers: dict[Part, int] = {
        part: _layers([place for place in places if place.part == part]) for part in get_args(Part)
    }
    parts = [part for part, count in layers.items() if count]
    if isinstance(scheme, ResidualScheme):
        return dict.fromkeys(parts, lambda depth: scheme)
    make = choose("residual", scheme, SCHEMES)

    def of(part: Part, depth: int) -> ResidualScheme:
        arguments: dict[str, dict[str, Any]] = {
            "fixup": {"branches": count, "layers_per_branch": depth},
            "t_fixup": {"layers": layers[part], "part": part},
            "deepnorm": {"encoder": layers["encoder"], "decoder": layers["decoder"], "part": part},
            "gpt2": {"layers": count, "branches_per_layer": 1},
        }
        return make(**arguments.get(scheme, {}))

    return {part: partial(of, part) for part in parts}


def with_depth(
    scheme: str | ResidualScheme, tensors: Sequence[Parameter], choices: Sequence[Choice], branches: Branches
) -> tuple[list[Choice], tuple[str, ...]]:
    """Return how the tensors start with those of the branches as the scheme says, and notes on the model.

    What rules say stays; but "auto" with a layout says no more than the layout.

    Raises:
        ValueError: As `resolve`; or the model has no tensor that the scheme is about; or, where that is about
            multipliers alone, one of its branches has none.
    """
    parts = resolve(scheme, branches)
    places = [_place(tensor, branches) for tensor in tensors]
    last = list(parts)[-1]  # that of what is in none: the decoder, if there is one

    def scheme_of(place: Place) -> ResidualScheme:
        return parts[place.part if place.part in parts else last](place.depth)

    _check(scheme_of(_NOWHERE), places, _unseen(branches))
    found = [
        _scaled(scheme_of(place), tensor, choice, place)
        for tensor, choice, place in zip(tensors, choices, places, strict=True)
    ]
    schemes = {part: of_depth(1) for part, of_depth in parts.items()}
    roles = {role for place in places for role in place.roles}
    notes = dict.fromkeys(_notes(schemes, roles))
    if unseen := _unseen(branches):
        notes[f"{next(iter(schemes.values())).name} is for the branches that were found{unseen}"] = None
    return found, tuple(notes)


def _unseen(branches: Branches) -> str:
    """What of a model was not looked into, and why, as the end of a sentence."""
    unseen = branches.unseen if isinstance(branches, Found) else ()
    more = f"; and {len(unseen) - 2} more" * (len(unseen) > 2)
    return f"; not looked into: {'; '.join(unseen[:2])}{more}" if unseen else ""


def _check(scheme: ResidualScheme, places: Sequence[Place], unseen: str) -> None:
    """Raise ValueError if the scheme is not about anything that is there, or not in each branch."""
    about = [place for place in places if any(scheme.named(role) for role in place.roles)]
    without = "the model" if not about else ""
    if about and scheme.factors.keys() == {"multiplier"}:
        with_one = {name for place in about for name in (place.branch, *place.also)}
        branches = sorted({place.branch for place in places if place.branch} - with_one)
        without = " and ".join(f"the branch {name!r}" for name in branches[:3])
        without += f" and {len(branches) - 3} more" * (len(branches) > 3)
    if without:
        role = " or ".join(role.replace("_", " ") for role in scheme.factors)
        needs = ", and ".join(scheme.needs)
        raise ValueError(
            f"{scheme.name} says how each {role} starts, and {without} has none: "
            f"the model must have {needs}{unseen}"
        )


def _place(tensor: Parameter, branches: Branches) -> Place:
    found = [branches[name] for name in tensor.names if name in branches]
    if tensor.role == "embedding":
        return next((place for place in found if place.roles == ("embedding",)), _EMBEDDING)
    place = found[0] if found else _NOWHERE
    # One tensor with an embedding: as the kernel of the output alone it could start at 0.
    return _NOWHERE if tensor.aliases and place.roles == ("output",) else place


def _scaled(scheme: ResidualScheme, tensor: Parameter, choice: Choice, place: Place) -> Choice:
    if choice.by == "rule" or tensor.left:
        return choice
    base = {"kernel": scheme.base, "embedding": scheme.embedding}.get(tensor.role, "auto")
    if base != "auto" and choice.by == "auto":
        choice = replace(choice, initializer=initializers.get(base), why=_base(scheme, choice))
    factors = tuple(scheme.factor(role) for role in place.roles)
    where = f" of {place.branch}" if place.branch else ""
    which = f"{scheme.name}: {'/'.join(dict.fromkeys(place.roles)).replace('_', ' ')}{where}"
    if place.roles == ("multiplier",) and scheme.named("multiplier"):
        return replace(choice, initializer=scaled(Constant(1.0), factors), why=f"{which}, {factors[0]:.4g}")
    if choice.initializer is None or set(factors) <= {1.0}:
        return choice
    times = ", ".join(f"{factor:.4g}" for factor in dict.fromkeys(factors))
    if len(set(factors)) > 1 and not _has_maps(tensor, len(factors)):
        why = f"{which}, not scaled: how these lie in it was not seen, give a rule as {_rule(tensor, place)}"
        return replace(choice, why=f"{why}; {choice.why}")
    law = scaled(choice.initializer, factors)
    return replace(choice, initializer=law, why=f"{which}, x {times}; {choice.why}")


def _base(scheme: ResidualScheme, choice: Choice) -> str:
    return f"{scheme.name}'s base" + (f", {choice.layout}" if choice.layout else "")


def _has_maps(tensor: Parameter, count: int) -> bool:
    layout = layouts.of(tensor.layout)
    return isinstance(layout, Packed) and layout.count == count


def _rule(tensor: Parameter, place: Place) -> str:
    order = getattr(layouts.of(tensor.layout), "order", "io")
    return f'("auto", Packed("{order}", {len(place.roles)}, heads=...))'


def _notes(schemes: Mapping[Part, ResidualScheme], roles: Collection[str]) -> Iterator[str]:
    for part, scheme in schemes.items():
        for need in scheme.needs:
            everywhere = all(need in other.needs for other in schemes.values())
            yield f"{scheme.name} needs {need}" + ("" if everywhere else f", in the {part}")
        if scheme.named("output") and "output" not in roles:
            yield f"{scheme.name}: no kernel was found that the network ends with, behind its branches"


def _layers(places: Sequence[Place]) -> int:
    mlps = {place.branch for place in places if any(role.startswith("mlp") for role in place.roles)}
    return _count([place for place in places if place.branch in mlps or not mlps])


def _count(places: Sequence[Place]) -> int:
    """How many branches there are, each as often as it is gone through."""
    times: dict[str, int] = {}
    for place in places:
        times[place.branch] = max(place.times, times.get(place.branch, 0))
    return sum(times.values())
