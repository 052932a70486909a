"""Tensors that are spread over processes (`DTensor`): which part of the whole this process holds.

A law draws any part of a tensor by itself, so each process draws its own, without a word to the others, and
all together hold what one process would: whatever the mesh.
"""

from __future__ import annotations

from typing import Any

import torch


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
    """Return what this process holds of a sharded tensor, and where in the whole that is.

    An axis is cut along an axis of the mesh into as many parts as that is long, as ``torch.chunk`` does.
    """
    start, size = [0] * tensor.ndim, list(tensor.shape)
    mesh = tensor.device_mesh
    for number, (placement, place) in enumerate(zip(tensor.placements, mesh.get_coordinate(), strict=True)):
        if placement.is_shard():
            axis = placement.dim
            part = -(-size[axis] // mesh.size(number))
            first = min(place * part, size[axis])
            start[axis] += first
            size[axis] = min(part, size[axis] - first)
    index = tuple(slice(first, first + count) for first, count in zip(start, size, strict=True))
    return tensor.to_local(), index
