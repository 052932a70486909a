"""Scales and biases of PyTorch's modules from data: LSUV, and the start of weight normalization.

One forward pass through the model; before each layer with a kernel it stops, and `initcore.calibration` runs
that layer alone until what it gives is as asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils import parametrize

from initcore.apply import initialize
from initcore.calibration import Calibrated, Calibration, Goal, calibrate
from initcore.random import KeyLike

_KERNELS = (nn.Linear, nn.Bilinear, nn.modules.conv._ConvNd)


def lsuv(
    model: nn.Module,
    data: Any,
    *,
    variance: float = 1.0,
    tolerance: float = 0.1,
    max_iterations: int = 10,
    per: Literal["layer", "unit"] = "layer",
    center: bool = False,
    start: Any = "orthogonal",
    seed: KeyLike = 0,
    training: bool = False,
) -> Calibration:
    """Scale every kernel so that what it gives has variance 1 on a batch: LSUV.

    Mishkin & Matas 2016, arXiv:1511.06422, algorithm 1. As `initcore.data_dependent.lsuv`, for a module.

    Args:
        model: The module; kernels of dense layers and convolutions are scaled.
        data: What ``model(data)`` takes; a tuple of arguments, or a dict of them by name.
        variance, tolerance, max_iterations, per, center: As there.
        start: What `initcore.initialize` sets all tensors to before, or None for what they are.
        seed: For ``start``.
        training: Whether batch normalization and dropout work as in training while it runs.

    Returns:
        A row for each layer that the data reach.

    Raises:
        ValueError: A layer's output does not vary or is not finite, or has no bias to center with; no layer
            is reached. The model is as it was then, as after any error in its forward.

    >>> model = nn.Sequential(nn.Linear(9, 64), nn.ReLU(), nn.Linear(64, 1))
    >>> done = lsuv(model, torch.randn(256, 9) * 5 + 3)
    >>> [row.name for row in done], done.converged
    (['0', '2'], True)
    """
    goal = Goal(variance, tolerance, max_iterations, per, center)
    return _calibrated(model, data, goal, _starter(model, start, seed), training)


def standardize(
    model: nn.Module, data: Any, *, start: Any = None, seed: KeyLike = 0, training: bool = False
) -> Calibration:
    """Give every unit mean 0 and variance 1 on a batch, by its kernel's scale and its bias.

    Salimans & Kingma 2016, arXiv:1602.07868, equation 6. As `initcore.data_dependent.standardize`; arguments
    as in `lsuv`.

    >>> model, x = nn.Linear(3, 8), torch.randn(256, 3) * 5 + 3
    >>> _ = standardize(model, x)
    >>> torch.allclose(model(x).std(dim=0, correction=0), torch.ones(8), atol=1e-4)
    True
    """
    goal = Goal(tolerance=1e-3, per="unit", center=True)
    return _calibrated(model, data, goal, _starter(model, start, seed), training)


def started_lsuv(model: nn.Module, data: Any, start: Callable[[], object]) -> Calibration:
    """Do what `lsuv` does by default, with what ``start`` does as the start."""
    return _calibrated(model, data, Goal(), start, False)


def _starter(model: nn.Module, start: Any, seed: KeyLike) -> Callable[[], object]:
    return lambda: None if start is None else initialize(model, start, seed)


def _calibrated(
    model: nn.Module, data: Any, goal: Goal, start: Callable[[], object], training: bool
) -> Calibration:
    kept = [(tensor, tensor.detach().clone()) for tensor in _tensors(model)]
    modes = [(module, module.training) for module in model.modules()]
    rows: dict[str, Calibrated] = {}
    hooks = [
        module.register_forward_pre_hook(_stop(name, goal, rows), with_kwargs=True)
        for name, module in model.named_modules()
        if isinstance(module, _KERNELS)
    ]
    done = False
    try:
        start()
        model.train(training)
        with torch.no_grad():
            _run(model, data)
        if not rows:
            raise ValueError("the data reach no layer with a kernel")
        done = True
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes:
            module.training = mode
        buffers = {id(buffer) for buffer in model.buffers()}
        with torch.no_grad():
            for tensor, value in kept:
                if not done or id(tensor) in buffers:  # which a pass in training moved
                    tensor.copy_(value)
    return Calibration(rows.values())


def _tensors(model: nn.Module) -> list[torch.Tensor]:
    return [
        tensor
        for tensor in (*model.parameters(), *model.buffers())
        if not nn.parameter.is_lazy(tensor) and not tensor.is_meta
    ]


def _run(model: nn.Module, data: Any) -> None:
    if isinstance(data, Mapping):
        model(**data)
    elif isinstance(data, tuple):
        model(*data)
    else:
        model(data)


def _stop(name: str, goal: Goal, rows: dict[str, Calibrated]) -> Callable[..., None]:
    """A hook that sets a layer when the pass first comes to it."""

    def hook(module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        if name in rows:
            return

        def run() -> NDArray[Any]:
            z = module.forward(*arguments, **named).detach().to("cpu", torch.float64)
            if isinstance(module, nn.modules.conv._ConvNd):  # units last
                z = z.movedim(-1 - len(module.kernel_size), -1)
            found: NDArray[Any] = z.numpy()
            return found

        bias = module.bias
        shift = None if bias is None else lambda by: bias.add_(_like(by, bias))
        rows[name] = calibrate(name or "the model", run, lambda by: _scale(module, by), shift, goal)

    return hook


def _scale(module: Any, factor: NDArray[Any]) -> None:
    """Multiply the kernel by one number, or one for each unit."""
    weight = module.weight
    by = _like(factor, weight)
    if by.numel() > 1 and getattr(module, "transposed", False):  # (in, out / groups, *window)
        by = by.reshape(module.groups, 1, -1).expand(-1, weight.shape[0] // module.groups, -1)
        by = by.reshape(weight.shape[0], -1, *[1] * (weight.ndim - 2))
    elif by.numel() > 1:
        by = by.reshape(-1, *[1] * (weight.ndim - 1))
    if parametrize.is_parametrized(module, "weight"):
        module.weight = weight * by
    else:
        weight.mul_(by)


def _like(values: NDArray[Any], tensor: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values, np.float64)).to(tensor.device, tensor.dtype)
