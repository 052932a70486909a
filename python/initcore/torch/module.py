"""The adapter for PyTorch's modules: what there is to know about each tensor, and how it is set.

A tensor that a module computes from others (a parametrization, weight normalization, pruning) is described as
what it is for the layer, and set by way of those others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils import parametrize

from initcore import activations
from initcore.apply.depth import Found
from initcore.apply.parameter import Feeds, Parameter
from initcore.laws import Initializer
from initcore.layouts import LayoutLike
from initcore.random import Key
from initcore.torch import feeds, roles, shards
from initcore.torch.branches import branches as find_branches
from initcore.torch.calibration import calibrated
from initcore.torch.computed import Computed, computed
from initcore.torch.tensors import can_fill, fill, random_state_kept
from initcore.torch.wrappers import bare, in_pieces

__all__ = ["branches", "calibrated", "parameters"]

Setter = Callable[[Callable[..., object], Key], float | None]  # returns what Parameter.fill does


_IN_PIECES = "held in pieces by FullyShardedDataParallel: initialize within its summon_full_params(model)"


@dataclass(frozen=True)
class _Place:
    """A tensor as a layer has it: where, of which shape and type, how it is set, or why it is not."""

    module: nn.Module
    module_name: str
    name: str
    tensor: torch.Tensor
    set: Setter
    left: str = ""

    @property
    def full_name(self) -> str:
        """The name in the model."""
        return f"{self.module_name}.{self.name}" if self.module_name else self.name


def parameters(model: nn.Module, activation: Any = None) -> list[Parameter]:
    """Return what there is to know about each tensor of a module, in its order; tied ones once.

    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2, bias=False))
    >>> [(tensor.name, tensor.role, str(tensor.feeds)) for tensor in parameters(model)]
    [('0.weight', 'kernel', 'relu'), ('0.bias', 'bias', 'relu'), ('2.weight', 'kernel', 'no activation')]
    """
    given = activations.get(activation) if isinstance(activation, str) else activation
    same: dict[Any, list[_Place]] = {}
    pieces = in_pieces(model)
    with bare(model) as model:
        fed = feeds.of(model)
        for place in _places(model):
            if id(place.tensor) in pieces:
                place = replace(place, left=_IN_PIECES)
            same.setdefault(id(place.tensor), []).append(place)
    return [_described(places, fed, given) for places in same.values()]


def branches(model: nn.Module) -> Found:
    """Return where in the residual branches of a module its tensors stand."""
    with bare(model) as model:
        return find_branches(model)


def _described(places: list[_Place], fed: dict[str, Feeds], activation: Any) -> Parameter:
    parts = [roles.of(place.module, place.name) for place in places]
    # An embedding that is an output's kernel too is one, whichever of both the model has chosen.
    which = next((i for i, part in enumerate(parts) if part.role == "embedding"), 0)
    chosen, part = places[which], parts[which]
    goes = part.feeds or fed.get(chosen.module_name, Feeds(None, how="the model ends there"))
    if not goes.known and activation is not None:
        goes = replace(goes, function=activation, known=True, how="as said")
    layout = part.layout
    if goes.parts is not None and part.role == "kernel":
        layout = goes.parts.packed(layout)

    lazy = nn.parameter.is_lazy(chosen.tensor)
    shape = () if lazy else tuple(chosen.tensor.shape)

    def set_to(law: Initializer, key: Key, layout: LayoutLike) -> float | None:
        def write(array: NDArray[Any], dtype: Any, index: tuple[slice, ...] | None = None) -> None:
            law(shape, key, dtype, layout, index, array)
            if part.zero_row is not None:
                row = range(shape[0])[part.zero_row] - (index[0].start if index else 0)
                array[max(row, 0) : max(row + 1, 0)] = 0

        return chosen.set(write, key)

    return Parameter(
        places[0].full_name,
        shape,
        str(chosen.tensor.dtype).removeprefix("torch."),
        part.role,
        set_to,
        layout,
        goes,
        owners=tuple(place.module for place in places),
        aliases=tuple(place.full_name for place in places[1:]),
        roles=tuple(part.role for part in parts),
        start=part.start,
        left=chosen.left or _unreachable(chosen.tensor),
        lazy=lazy,
        measure=lambda: _deviation(chosen),
        remember=_remembering(chosen) if parametrize.is_parametrized(chosen.module, chosen.name) else None,
    )


def _deviation(place: _Place) -> float | None:
    """That of the tensor as the module has it now; None if this process has not all of it."""
    now = getattr(place.module, place.name, place.tensor)
    if not isinstance(now, torch.Tensor) or _unreachable(now) or shards.is_sharded(now) or not now.numel():
        return None
    return float(now.detach().to("cpu", torch.float64).std(correction=0))


def _remembering(place: _Place) -> Callable[[], Callable[[], None]]:
    """Remember what a module's tensors are computed from: a right_inverse may refuse any value."""

    def remember() -> Callable[[], None]:
        chains: Any = place.module.parametrizations
        kept = {name: value.detach().clone() for name, value in chains.state_dict().items()}
        return lambda: chains.load_state_dict(kept)

    return remember


def _unreachable(tensor: torch.Tensor) -> str:
    """Why a tensor cannot be set, or nothing."""
    if nn.parameter.is_lazy(tensor):
        return "has no shape yet: run a batch through the model first"
    if tensor.is_meta:
        return "on the meta device: give it memory first, by model.to_empty(device=...)"
    if shards.is_sharded(tensor):
        return shards.why_not(tensor)
    if not can_fill(tensor):
        return f"not an ordinary tensor of floating point numbers: {type(tensor).__name__} of {tensor.dtype}"
    return ""


def _places(model: nn.Module) -> Iterator[_Place]:
    """Every tensor as a layer has it, module by module, each module once."""
    for module_name, module in model.named_modules():
        if _is_inside_parametrization(module_name):
            continue
        made = list(computed(module))
        sources = {id(source) for one in made for source in one.sources}
        for one in made:
            left = one.left or ("computed from parts" if shards.is_sharded(one.value) else "")
            yield _Place(module, module_name, one.name, one.value, _by_assignment(module, one), left)
        for name, tensor in module.named_parameters(recurse=False, remove_duplicate=False):
            if id(tensor) not in sources:
                yield _Place(module, module_name, name, tensor, _directly(tensor))


def _is_inside_parametrization(name: str) -> bool:
    return "parametrizations" in name.split(".")


def _directly(tensor: torch.Tensor) -> Setter:
    def set_it(write: Callable[..., object], key: Key) -> None:
        if shards.is_sharded(tensor):
            local, index = shards.own_part(tensor)
            fill(local, lambda array, dtype: write(array, dtype, index), by_law=True)
        else:
            fill(tensor, write, by_law=True)

    return set_it


def _by_assignment(module: nn.Module, one: Computed) -> Setter:
    def set_it(write: Callable[..., object], key: Key) -> float | None:
        value = one.value.detach().clone()
        fill(value, write, by_law=True)
        with random_state_kept(
            [value], key / "parametrization"
        ):  # some draw, where the value does not tell all
            one.assign(value)
        now = getattr(module, one.name).detach()
        rounding = torch.finfo(now.dtype).eps ** 0.5 * value.abs().amax() if value.numel() else 0
        return float(now.std(correction=0)) if ((now - value).abs() > rounding).any() else None

    return set_it
