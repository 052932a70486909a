"""Tensors that a module of PyTorch computes from its parameters, and how to set those for another tensor.

Parametrizations, and the older hooks of ``torch.nn.utils``: weight normalization, spectral normalization,
pruning. To add a way of computing: yield a `Computed` for it from `computed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm


@dataclass(frozen=True)
class Computed:
    """A tensor that a module computes.

    Args:
        name: What the layer calls it.
        value: What it is; where only a mask or a factor is applied, what that is applied to.
        sources: The parameters that it is computed from.
        assign: Called with a tensor: sets them so that ``value`` is this, or as near as can be.
        left: Why that is not possible, if so.
    """

    name: str
    value: torch.Tensor
    sources: tuple[torch.Tensor, ...]
    assign: Callable[[torch.Tensor], None]
    left: str = ""


def computed(module: nn.Module) -> Iterator[Computed]:
    """Go through the tensors that a module itself computes.

    >>> linear = nn.utils.parametrizations.weight_norm(nn.Linear(2, 3))
    >>> [one] = computed(linear)
    >>> one.assign(torch.ones(3, 2))
    >>> one.name, linear.weight.tolist()
    ('weight', [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    """
    if parametrize.is_parametrized(module):
        for name, chain in module.parametrizations.items():
            stuck = next((type(one).__name__ for one in chain if not hasattr(one, "right_inverse")), None)
            left = f"computed by {stuck}, which has no right_inverse" if stuck else ""
            yield Computed(
                name,
                getattr(module, name),
                tuple(chain.parameters()),
                lambda value, name=name: setattr(module, name, value),  # type: ignore[misc]
                left,
            )
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm):
            g, v = (getattr(module, f"{hook.name}_{part}") for part in "gv")
            yield Computed(hook.name, getattr(module, hook.name), (g, v), _by_norm(module, hook, g, v))
        elif isinstance(hook, SpectralNorm | BasePruningMethod):
            name = hook.name if isinstance(hook, SpectralNorm) else hook._tensor_name
            original = getattr(module, f"{name}_orig")
            yield Computed(name, original, (original,), _by_copy(module, hook, original))


def replace(module: nn.Module, name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Set a tensor of a module to what ``change`` makes of it, whether the module has or computes it.

    >>> linear = nn.utils.parametrizations.weight_norm(nn.Linear(2, 3))
    >>> before = linear.weight.clone()
    >>> replace(linear, "weight", lambda weight: 2 * weight)
    >>> torch.allclose(linear.weight, 2 * before)
    True
    """
    with torch.no_grad():
        for one in computed(module):
            if one.name == name:
                one.assign(change(one.value))
                return
        tensor = getattr(module, name)
        tensor.copy_(change(tensor))


def sources(module: nn.Module, name: str) -> tuple[torch.Tensor, ...]:
    """Return the parameters that hold a tensor of a module: itself, or what it is computed from."""
    found = {one.name: one.sources for one in computed(module)}
    return found.get(name) or (getattr(module, name),)


def _by_norm(module: nn.Module, hook: Any, g: torch.Tensor, v: torch.Tensor) -> Callable[..., None]:
    def assign(value: torch.Tensor) -> None:
        with torch.no_grad():
            v.copy_(value)
            g.copy_(torch.norm_except_dim(v, 2, hook.dim))
            hook(module, ())  # computes the tensor, as before a forward

    return assign


def _by_copy(module: nn.Module, hook: Any, original: torch.Tensor) -> Callable[..., None]:
    def assign(value: torch.Tensor) -> None:
        with torch.no_grad():
            original.copy_(value)
            hook(module, ())

    return assign
