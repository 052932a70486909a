"""Residual schemes on a model: which tensors of its branches start smaller, by its own depth.

`initcore.residual` says the factors; an adapter's ``branches`` says where a model's branches are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from initcore import initializers
from initcore._validate import choose
from initcore.apply.parameter import Parameter
from initcore.apply.roles import Choice
from initcore.apply.scaled import scaled
from initcore.laws import Constant
from initcore.residual import SCHEMES, ResidualScheme


@dataclass(frozen=True)
class Place:
    """Where in a residual branch a tensor stands.

    Args:
        branch: The branch's name.
        roles: Out of `initcore.residual.ROLES`; several if the tensor packs as many parts.
    """

    branch: str
    roles: tuple[str, ...]


Branches = Mapping[str, Place]


def resolve(scheme: str | ResidualScheme, branches: Branches) -> ResidualScheme:
    """Return the scheme of that name for a model with these branches.

    Of transformers, a layer counts as two branches.

    Raises:
        ValueError: There is no such scheme, or the model has no branch.

    >>> resolve("fixup", {"a": Place("one", ("mlp_inner",)), "b": Place("one", ("mlp_last",))}).name
    'fixup'
    """
    names = {place.branch for place in branches.values()}
    if not names:
        raise ValueError(
            "residual= is for models with residual branches, and none was found: "
            "layers whose output is added to what went into them"
        )
    if isinstance(scheme, ResidualScheme):
        return scheme
    count, layers = len(names), -(-len(names) // 2)
    kernels = Counter(
        place.branch for place in branches.values() if not place.roles[0].endswith(("bias", "scale", "plier"))
    )
    per_branch = Counter(kernels.values()).most_common(1)[0][0] if kernels else 1
    by_model: dict[str, Callable[[], ResidualScheme]] = {
        "fixup": lambda: SCHEMES["fixup"](branches=count, layers_per_branch=per_branch),
        "t_fixup": lambda: SCHEMES["t_fixup"](layers=layers),
        "deepnorm": lambda: SCHEMES["deepnorm"](encoder=layers),
        "gpt2": lambda: SCHEMES["gpt2"](layers=count, branches_per_layer=1),
    }
    known = {name: by_model.get(name, function) for name, function in SCHEMES.items()}
    return choose("residual", scheme, known)()


def with_depth(
    scheme: ResidualScheme, tensors: Sequence[Parameter], choices: Sequence[Choice], branches: Branches
) -> list[Choice]:
    """Return how the tensors start with those of the branches as the scheme says; what rules say stays."""
    kernels = [tensor.name for tensor in tensors if tensor.role == "kernel"]
    places = dict(branches)
    if kernels and kernels[-1] not in places:
        places[kernels[-1]] = Place("", ("output",))
    for tensor in tensors:
        if tensor.role == "embedding":
            places.setdefault(tensor.name, Place("", ("embedding",)))
    return [
        _scaled(scheme, t, choice, places.get(t.name)) for t, choice in zip(tensors, choices, strict=True)
    ]


def _scaled(scheme: ResidualScheme, tensor: Parameter, choice: Choice, place: Place | None) -> Choice:
    if choice.by == "rule" or tensor.left:
        return choice
    law = choice.initializer
    if tensor.role == "kernel" and scheme.base != "auto" and choice.by == "auto":
        law = initializers.get(scheme.base)
        choice = replace(choice, initializer=law, why=f"{scheme.name}'s base")
    if place is None:
        return choice
    factors = tuple(scheme.factor(role) for role in place.roles)
    if law is None and place.roles == ("multiplier",):
        law = Constant(1.0)
    if law is None or (set(factors) == {1.0} and choice.initializer is not None):
        return choice
    which = "/".join(dict.fromkeys(place.roles)).replace("_", " ")
    where = f" of {place.branch}" if place.branch else ""
    times = ", ".join(f"{factor:.4g}" for factor in dict.fromkeys(factors))
    return replace(
        choice,
        initializer=scaled(law, factors),
        why=f"{scheme.name}: {which}{where}, x {times}; {choice.why}",
    )
