"""Scales and biases of PyTorch's modules from data: the walk through a module.

One forward pass through the model; before each layer with a kernel it stops, and `initcore.calibration` runs
that layer alone until what it gives is as asked. A second pass then measures what all layers give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from initcore.calibration import Calibrated, Calibration, Goal, calibrate, measured
from initcore.torch.computed import computed, replace, sources
from initcore.torch.tensors import random_state_kept
from initcore.torch.wrappers import bare, spread

_KERNELS = (nn.Linear, nn.Bilinear, nn.modules.conv._ConvNd)
_WHOLE = "the model"  # what a layer without a name is called


def calibrated(
    model: nn.Module, data: Any, goal: Goal, start: Callable[[], object], training: bool = False
) -> Calibration:
    """Start a model, then set each layer with a kernel on what the layers before it make of the data.

    Raises:
        ValueError: as `initcore.calibration.calibrate`; or no layer is reached; or the model is spread over
            processes. It is as it was then.

    >>> model = nn.Linear(9, 64)
    >>> calibrated(model, torch.randn(256, 9), Goal(), lambda: None).converged
    True
    """
    if by := spread(model):
        raise ValueError(f"data set the scales of a model before it is spread over processes, not by {by}")
    restored = _copies((*model.parameters(), *model.buffers()))
    modes = [(module, module.training) for module in model.modules()]
    walk = _Walk(goal)
    try:
        start()
        moved = _copies(model.buffers())  # by a pass in training
        model.train(training)
        for visit in (walk.calibrate, walk.measure):
            walk.run(model, data, visit)
        if not walk.rows:
            raise ValueError(
                "the data reach no dense layer and no convolution: there is nothing to scale, as kernels of "
                "recurrent layers and of attention are not"
            )
        restored = moved
    finally:
        for module, mode in modes:
            module.training = mode
        with torch.no_grad():
            for tensor, value in restored:
                tensor.copy_(value)
    return Calibration(walk.rows.values())


def kernel_name(row: Calibrated) -> str:
    """Return the name of the tensor that was scaled.

    >>> [row] = calibrated(nn.Linear(9, 64), torch.randn(256, 9), Goal(), lambda: None)
    >>> row.name, kernel_name(row)
    ('the model', 'weight')
    """
    return "weight" if row.name == _WHOLE else f"{row.name}.weight"


def _copies(tensors: Iterable[torch.Tensor]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [
        (tensor, tensor.detach().clone())
        for tensor in tensors
        if not nn.parameter.is_lazy(tensor) and not tensor.is_meta
    ]


@dataclass
class _Walk:
    """Forward passes through a model that stop at each layer with a kernel, the first time."""

    goal: Goal
    rows: dict[str, Calibrated] = field(default_factory=dict)
    set: list[torch.Tensor] = field(default_factory=list)  # parameters that kernels have been scaled by

    def run(self, model: nn.Module, data: Any, visit: Callable[..., None]) -> None:
        """One pass; all draw the same random numbers, for dropout, and leave the generator as it was."""
        met: set[str] = set()

        def stop(name: str) -> Callable[..., None]:
            def hook(module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
                if name not in met:
                    met.add(name)
                    visit(name, module, lambda: _forward(module, arguments, named))

            return hook

        with bare(model) as model, torch.no_grad(), random_state_kept(model.parameters()):
            hooks = [
                module.register_forward_pre_hook(stop(name), with_kwargs=True)
                for name, module in model.named_modules()
                if isinstance(module, _KERNELS)
            ]
            try:
                _give(model, data)
            finally:
                for hook in hooks:
                    hook.remove()

    def calibrate(self, name: str, module: Any, forward: Callable[[], NDArray[Any]]) -> None:
        """Set a layer, except for a kernel that another one has set, or that cannot be."""

        def scale(by: NDArray[Any]) -> None:
            replace(module, "weight", lambda weight: weight * _like(by, weight, module))

        def shift(by: NDArray[Any]) -> None:
            replace(module, "bias", lambda bias: bias + _like(by, bias))

        own = sources(module, "weight")
        stays = any(tensor is other for tensor in own for other in self.set)
        stays = stays or any(one.name == "weight" and one.left for one in computed(module))
        self.set += own
        self.rows[name] = calibrate(
            name or _WHOLE,
            forward,
            None if stays else scale,
            None if module.bias is None else shift,
            self.goal,
        )

    def measure(self, name: str, module: Any, forward: Callable[[], NDArray[Any]]) -> None:
        """Say what a layer gives at last: layers after it may have changed it, by what they share with it."""
        self.rows[name] = measured(self.rows[name], forward(), self.goal)


def _give(model: nn.Module, data: Any) -> None:
    if isinstance(data, Mapping):
        model(**data)
    elif isinstance(data, tuple):
        model(*data)
    else:
        model(data)


def _forward(module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> NDArray[Any]:
    """What a layer gives, alone; units last."""
    z = module.forward(*arguments, **named).detach().to("cpu", torch.float64)
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
