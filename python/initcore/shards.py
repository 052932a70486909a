"""Which part of a tensor a rank of a mesh of devices holds: an index that draws it alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from initcore._validate import check_count, choose
from initcore.indices import Shape, check_shape


def shard(
    shape: Shape,
    mesh: Shape,
    rank: int | Sequence[int],
    *,
    axes: Sequence[int | None] | None = None,
    uneven: Literal["balanced", "chunk"] = "balanced",
) -> tuple[slice, ...]:
    """Return the index of a rank's block, for ``index=`` of keys and initializers.

    Blocks that are drawn so, each by its own rank, are the whole tensor bit for bit, however many there are.

    Args:
        shape: Of the whole tensor.
        mesh: Ranks along each axis of the mesh: 8, or (2, 4).
        rank: The number of the rank, the last axis of the mesh fastest; or its place along each axis.
        axes: For each axis of the mesh the axis of the tensor that it divides, or None if all its ranks hold
            the same. Several that divide the same axis do so one after the other. If not given, the first of
            the mesh divides the first of the tensor, and so on.
        uneven: Where the ranks do not divide an axis: ``"balanced"`` gives one element more to the first of
            them; ``"chunk"`` gives all as many as the largest needs, as long as there are any, as
            ``torch.chunk`` does. Either may leave ranks with none.

    Raises:
        TypeError, ValueError: there is no such rank or axis.

    >>> shard((10, 6), (4, 2), rank=5)
    (slice(6, 8, None), slice(3, 6, None))
    >>> from initcore import Key
    >>> key = Key(0) / "w"
    >>> block = key.normal((10, 6), index=shard((10, 6), (4, 2), rank=5))
    >>> bool((block == key.normal((10, 6))[6:8, 3:6]).all())
    True
    """
    sizes, parts = check_shape(shape), check_shape(mesh)
    divide = choose("uneven", uneven, {"balanced": _balanced, "chunk": _chunk})
    axes = range(len(parts)) if axes is None else axes
    if len(axes) != len(parts):
        raise ValueError(f"axes must say what each of {len(parts)} axes of the mesh divides, got {axes!r}")
    blocks = [(0, size) for size in sizes]
    for place, count, axis in zip(_places(rank, parts), parts, axes, strict=True):
        if axis is None:
            continue
        if not -len(sizes) <= axis < len(sizes):
            raise ValueError(f"shape {sizes} has no axis {axis} for the mesh {parts} to divide")
        start, stop = blocks[axis]
        first, last = divide(stop - start, count, place)
        blocks[axis] = start + first, start + last
    return tuple(slice(start, stop) for start, stop in blocks)


def _places(rank: int | Sequence[int], parts: tuple[int, ...]) -> list[int]:
    """Where a rank is along each axis of the mesh."""
    if hasattr(rank, "tolist"):  # an array
        rank = rank.tolist()
    if not isinstance(rank, Sequence):
        number = check_count("rank", rank, low=0)
        if number >= math.prod(parts):
            raise ValueError(f"rank must be less than {math.prod(parts)} in the mesh {parts}, got {number}")
        places = []
        for count in reversed(parts):
            number, place = divmod(number, count)
            places.append(place)
        return places[::-1]
    found = [check_count("rank", place, low=0) for place in rank]
    if len(found) != len(parts) or any(place >= count for place, count in zip(found, parts, strict=True)):
        raise ValueError(f"rank must be a place in the mesh {parts}, got {tuple(rank)}")
    return found


def _balanced(size: int, count: int, place: int) -> tuple[int, int]:
    each, more = divmod(size, count)
    start = place * each + min(place, more)
    return start, start + each + (place < more)


def _chunk(size: int, count: int, place: int) -> tuple[int, int]:
    each = -(-size // count)
    return min(place * each, size), min((place + 1) * each, size)


__all__ = ["shard"]
