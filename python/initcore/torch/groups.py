"""Parameter groups for PyTorch's optimizers, with the learning rates that muP asks for."""

from __future__ import annotations

import re
from typing import Any

from torch import nn

from initcore import mup
from initcore.apply import Table

# Names of tensors that a layer computes its weight from: parametrizations, weight and spectral norm, pruning.
_PARTS = re.compile(r"parametrizations\.(\w+)\.original\d*$|(\w+)_(?:g|v|orig)$")


def parameter_groups(
    model: nn.Module, table: Table, lr: float, weight_decay: float | None = None
) -> list[dict[str, Any]]:
    """Return an optimizer's parameter groups, one for each learning rate that the table asks for.

    Args:
        model: The module that ``table`` is of.
        table: What `initcore.initialize` returned, with ``mup=``.
        lr: The learning rate that the base model was tuned to.
        weight_decay: Decoupled, as in AdamW, of the base model; see `initcore.mup.groups`.

    >>> import initcore as ic
    >>> narrow, wide = (nn.Sequential(nn.Linear(4, n), nn.ReLU(), nn.Linear(n, 2)) for n in (8, 32))
    >>> groups = parameter_groups(wide, ic.initialize(wide, mup=narrow), lr=0.1)
    >>> [(len(group["params"]), group["lr"]) for group in groups]
    [(3, 0.1), (1, 0.025)]
    """
    rates = table.learning_rates

    def factor(name: str) -> mup.Scaling:
        whole = _PARTS.sub(lambda part: part[1] or part[2], name)
        return mup.Scaling("fixed", learning_rate=rates.get(name, rates.get(whole, 1.0)))

    tensors = dict(model.named_parameters())
    return mup.groups(tensors, {name: factor(name) for name in tensors}, lr, weight_decay)
