"""Modules that wrap another to run it otherwise: compiled, checkpointed, on several devices.

To add one: a line in ``_INSIDE``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from torch import nn

from initcore.torch.shards import is_sharded

# By the class's name, so that nothing is imported: the attribute that has the module itself.
_INSIDE = {
    "OptimizedModule": "_orig_mod",
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "CheckpointWrapper": "_checkpoint_wrapped_module",
    "FullyShardedDataParallel": "_fsdp_wrapped_module",
}


def unwrapped(model: Any) -> nn.Module:
    """Return the module itself of one that is wrapped.

    >>> model = nn.Linear(2, 2)
    >>> unwrapped(nn.DataParallel(model)) is model
    True
    """
    while type(model).__name__ in _INSIDE:
        model = getattr(model, _INSIDE[type(model).__name__])
    found: nn.Module = model
    return found


def in_pieces(model: nn.Module) -> set[int]:
    """Return the ids of the tensors of which ``FullyShardedDataParallel`` shows no whole at the moment."""
    found = set()
    for module in model.modules():
        if type(module).__name__ == "FullyShardedDataParallel" and (
            handle := getattr(module, "_handle", None)
        ):
            flat = handle.flat_param
            cut = handle.uses_sharded_strategy and flat.shape == flat._sharded_size
            found |= {id(flat), *(id(tensor) for tensor in (flat._params or ()) if cut)}
    return found


def spread(model: nn.Module) -> str:
    """Return by what a model is spread over processes that each have other data; "" if it is not.

    >>> spread(nn.DataParallel(nn.Linear(2, 2)))
    ''
    """
    for module in model.modules():
        name = type(module).__name__
        alone = name == "DistributedDataParallel" and module.process_group.size() == 1
        if name in ("DistributedDataParallel", "FullyShardedDataParallel") and not alone:
            return name
    sharded = any(is_sharded(tensor) for tensor in model.parameters())
    return "DTensor, as by fully_shard" if sharded else ""


@contextlib.contextmanager
def bare(model: nn.Module) -> Iterator[nn.Module]:
    """Give the module with all its parts unwrapped for a while, so that names and forward are its own.

    >>> model = nn.Sequential(nn.DataParallel(nn.Linear(2, 2)))
    >>> with bare(model):
    ...     print([name for name, _ in model.named_parameters()])
    ['0.weight', '0.bias']
    >>> [name for name, _ in model.named_parameters()]
    ['0.module.weight', '0.module.bias']
    """
    model = unwrapped(model)
    kept: list[tuple[nn.Module, str, nn.Module]] = []
    try:
        for module in model.modules():  # which looks for a module's parts when it comes to them
            for name, child in module._modules.items():
                if child is not None and unwrapped(child) is not child:
                    kept.append((module, name, child))
                    module._modules[name] = unwrapped(child)
        yield model
    finally:
        for module, name, child in kept:
            module._modules[name] = child
