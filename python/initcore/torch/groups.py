"""Parameter groups for PyTorch's optimizers, with the learning rates that muP asks for."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import nn

from initcore.apply import Table

# Names of tensors that a layer computes its weight from: parametrizations, weight and spectral norm, pruning.
_PARTS = re.compile(r"parametrizations\.(\w+)\.original\d*$|(\w+)_(?:g|v|orig)$")


def parameter_groups(model: nn.Module, table: Table, lr: float, **options: Any) -> list[dict[str, Any]]:
    """Return an optimizer's parameter groups, one for each learning rate that the table asks for.

    Args:
        model: The module that ``table`` is of.
        table: What `initcore.initialize` returned, with ``mup=``.
        lr: The learning rate that the base model was tuned to.
        **options: What else every group has, such as ``weight_decay``.

    >>> import initcore as ic
    >>> narrow, wide = (nn.Sequential(nn.Linear(4, n), nn.ReLU(), nn.Linear(n, 2)) for n in (8, 32))
    >>> groups = parameter_groups(wide, ic.initialize(wide, mup=narrow), lr=0.1)
    >>> [(len(group["params"]), group["lr"]) for group in groups]
    [(3, 0.1), (1, 0.025)]
    """
    rates = table.learning_rates
    groups: dict[float, list[torch.Tensor]] = {}
    for name, tensor in model.named_parameters():
        whole = _PARTS.sub(lambda part: part[1] or part[2], name)
        groups.setdefault(rates.get(name, rates.get(whole, 1.0)), []).append(tensor)
    return [{"params": tensors, "lr": lr * rate, **options} for rate, tensors in groups.items()]
