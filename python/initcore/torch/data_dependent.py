"""Initialization of PyTorch's modules from data: LSUV, and the start of weight normalization.

As `initcore.data_dependent` for a `Sequential`; how a module is walked through stands in `calibration`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from torch import nn

from initcore.apply import initialize
from initcore.calibration import Calibration, Goal
from initcore.random import KeyLike
from initcore.torch.calibration import calibrated


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
        A row for each dense layer and convolution that the data reach, first to last.

    Raises:
        ValueError: A layer's output does not vary or is not finite, or has no bias to center with; no layer
            is reached. The model is as it was then, as after any error in its forward.

    >>> import torch
    >>> model = nn.Sequential(nn.Linear(9, 64), nn.ReLU(), nn.Linear(64, 1))
    >>> done = lsuv(model, torch.randn(256, 9) * 5 + 3)
    >>> [row.name for row in done], done.converged
    (['0', '2'], True)
    """
    goal = Goal(variance, tolerance, max_iterations, per, center)
    return calibrated(model, data, goal, _starter(model, start, seed), training)


def standardize(
    model: nn.Module, data: Any, *, start: Any = None, seed: KeyLike = 0, training: bool = False
) -> Calibration:
    """Give every unit mean 0 and variance 1 on a batch, by its kernel's scale and its bias.

    Salimans & Kingma 2016, arXiv:1602.07868, equation 6. As `initcore.data_dependent.standardize`; arguments
    as in `lsuv`.

    >>> import torch
    >>> model, x = nn.Linear(3, 8), torch.randn(256, 3) * 5 + 3
    >>> _ = standardize(model, x)
    >>> torch.allclose(model(x).std(dim=0, correction=0), torch.ones(8), atol=1e-4)
    True
    """
    goal = Goal(tolerance=1e-3, per="unit", center=True)
    return calibrated(model, data, goal, _starter(model, start, seed), training)


def _starter(model: nn.Module, start: Any, seed: KeyLike) -> Callable[[], object]:
    return lambda: None if start is None else initialize(model, start, seed)
