"""Tensors that are spread over processes (`DTensor`): which part of the whole this process holds.

A law draws any part of a tensor by itself, so each process draws its own, without a word to the others, and
all together hold what one process would: whatever the mesh.
"""

from __future__ import annotations

from typing import Any

import torch

from initcore.shards import shard


def is_sharded(tensor: torch.Tensor) -> bool:
    """Return whether a tensor is spread over processes.

    >>> is_sharded(torch.zeros(2))
    False
    """
    return type(tensor).__module__.startswith("torch.distributed.") and hasattr(tensor, "placements")


def why_not(tensor: Any) -> str:
    """Return why the part of a sharded tensor is not known, or nothing."""
    kinds = {type(placement).__name__ for placement in tensor.placements}
    other = sorted(kinds - {"Shard", "Replicate"})
    return f"spread over processes as {', '.join(other)}" if other else ""


def own_part(tensor: Any) -> tuple[torch.Tensor, tuple[slice, ...]]:
    """Return what this process holds of a sharded tensor, and where in the whole that is."""
    mesh = tensor.device_mesh
    axes = [placement.dim if placement.is_shard() else None for placement in tensor.placements]
    place = mesh.get_coordinate()
    return tensor.to_local(), shard(tensor.shape, mesh.shape, place, axes=axes, uneven="chunk")
