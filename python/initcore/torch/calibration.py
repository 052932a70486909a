"""Scales and biases of PyTorch's modules from data: the walk through a module.

A forward pass, which stops before each layer with a kernel for `initcore.calibration` to run that layer alone
until what it gives is as asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from initcore.calibration import Calibrated, Goal, Stop, Visit, in_passes, running
from initcore.torch.computed import computed, replace, sources
from initcore.torch.tensors import random_state_kept
from initcore.torch.wrappers import bare, spread

_KERNELS = (nn.Linear, nn.Bilinear, nn.modules.conv._ConvNd)
_WHOLE = "the model"  # what a layer without a name is called


def calibrated(
    model: nn.Module, data: Any, goal: Goal, start: Callable[[], object], training: bool = False
) -> dict[str, Calibrated]:
    """Start a model, then set each layer with a kernel on what the layers before it make of the data.

    Returns what was done, by the name of the kernel.

    Raises:
        ValueError: as `initcore.calibration.in_passes`. The model is as it was then.

    >>> model = nn.Linear(9, 64)
    >>> calibrated(model, torch.randn(256, 9), Goal(), lambda: None)["weight"].converged
    True
    """
    if by := spread(model):
        raise ValueError(
            f"data can set scales only of a model before it is spread over processes; this one is, by {by}"
        )
    restored = _copies((*model.parameters(), *model.buffers()))
    modes = [(module, module.training) for module in model.modules()]
    done: list[torch.Tensor] = []  # parameters that kernels have been scaled by
    try:
        start()
        moved = _copies(model.buffers())  # by a pass in training
        model.train(training)
        rows = in_passes(lambda visit: _forward(model, data, visit, done), goal)
        restored = moved
    finally:
        for module, mode in modes:
            module.training = mode
        with torch.no_grad():
            for tensor, value in restored:
                tensor.copy_(value)
    return {"weight" if row.name == _WHOLE else f"{row.name}.weight": row for row in rows}


def _copies(tensors: Iterable[torch.Tensor]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [
        (tensor, tensor.detach().clone())
        for tensor in tensors
        if not nn.parameter.is_lazy(tensor) and not tensor.is_meta
    ]


def _forward(model: nn.Module, data: Any, visit: Visit, done: list[torch.Tensor]) -> None:
    """One pass; all draw the same random numbers, for dropout, and leave the generator as it was."""
    met: set[str] = set()

    def stop(name: str, layer: nn.Module) -> Callable[..., None]:
        def hook(module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            if name not in met:
                met.add(name)
                visit(_stop(name or _WHOLE, layer, lambda: _given(module, arguments, named), done))

        return hook

    with bare(model) as model, torch.no_grad(), random_state_kept(model.parameters()), running(data) as told:
        visit = told(visit)
        hooks = [
            module.register_forward_pre_hook(stop(name, layer), with_kwargs=True)
            for name, module, layer in _layers(model)
        ]
        try:
            _give(model, data)
        finally:
            for hook in hooks:
                hook.remove()


def _stop(name: str, module: Any, run: Callable[[], NDArray[Any]], done: list[torch.Tensor]) -> Stop:
    """A layer; its kernel stays if another one has set it, or if it cannot be set."""

    def scale(by: NDArray[Any]) -> None:
        replace(module, "weight", lambda weight: weight * _like(by, weight, module))

    def shift(by: NDArray[Any]) -> None:
        replace(module, "bias", lambda bias: bias + _like(by, bias))

    own = sources(module, "weight")
    stays = any(tensor is other for tensor in own for other in done)
    stays = stays or any(one.name == "weight" and one.left for one in computed(module))
    done += own
    return Stop(name, run, None if stays else scale, None if module.bias is None else shift)


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Module, nn.Module]]:
    """The name of each layer whose kernel makes a module's output, that module, and the layer."""
    for name, module in model.named_modules():
        if isinstance(module, _KERNELS):
            yield name, module, module
        elif isinstance(module, nn.MultiheadAttention):
            yield f"{name}.out_proj".removeprefix("."), module, module.out_proj


def _give(model: nn.Module, data: Any) -> None:
    if isinstance(data, Mapping):
        model(**data)
    elif isinstance(data, tuple):
        model(*data)
    else:
        model(data)


def _given(module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> NDArray[Any]:
    """What a layer gives, alone; units last."""
    z = module.forward(*arguments, **named)
    z = (z[0] if isinstance(module, nn.MultiheadAttention) else z).detach().to("cpu", torch.float64)
    if isinstance(module, nn.modules.conv._ConvNd):
        z = z.movedim(-1 - len(module.kernel_size), -1)
    found: NDArray[Any] = z.numpy()
    return found


def _like(values: NDArray[Any], tensor: torch.Tensor, layer: Any = None) -> torch.Tensor:
    """One number, or one for each unit, along the units of a bias or of the kernel of a ``layer``."""
    by = torch.from_numpy(np.asarray(values, np.float64)).to(tensor.device, tensor.dtype)
    if layer is None or by.numel() == 1:
        return by
    if getattr(layer, "transposed", False):  # (in, out / groups, *window)
        by = by.reshape(layer.groups, 1, -1).expand(-1, tensor.shape[0] // layer.groups, -1)
        return by.reshape(tensor.shape[0], -1, *[1] * (tensor.ndim - 2))
    return by.reshape(-1, *[1] * (tensor.ndim - 1))
