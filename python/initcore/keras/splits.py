"""Into which parts a Keras model splits what a kernel gives: query, key and value, or the sides of a gate.

The numbers of the kernel's outputs are sent through whatever moves values; where some of them part from the
others, that is a part. Only parts count that lie one after another in the kernel, or in each head of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from initcore import layouts
from initcore.apply.parameter import Parts
from initcore.keras import roles
from initcore.keras.tensors import values_of
from initcore.keras.tracing import Step

# What moves values but changes none.
_MOVES = frozenset(
    (
        *("Reshape", "Transpose", "Permute", "Swapaxes", "Moveaxis", "ExpandDims", "Squeeze", "Ravel"),
        *("GetItem", "Slice", "Split", "Unstack", "ConvertToTensor", "Identity", "Copy", "Cast"),
    )
)


def of(steps: Sequence[Step]) -> dict[int, Parts]:
    """Return the parts of what kernels give, by the id of the layer, where all calls are split alike.

    >>> from initcore.keras.tracing import Described, graph_of
    >>> x = keras.Input((4, 8))
    >>> qkv = keras.layers.Dense(24)
    >>> q, k, v = keras.ops.unstack(keras.ops.reshape(qkv(x), (-1, 4, 3, 8)), axis=2)
    >>> list(of(graph_of(keras.Model(x, [q, k, v]), lambda one: Described()).steps).values())
    [Parts(of=3, heads=1)]
    """
    found: dict[int, set[Parts | None]] = {}
    for step in steps:
        outputs, behind = _outputs(step.operation)
        if outputs and step.shape[-1 - behind :][:1] == (outputs,):
            numbers = np.arange(outputs, dtype=np.int32).reshape(-1, *[1] * behind)
            pieces = _pieces(step, np.broadcast_to(numbers, step.shape), outputs)
            found.setdefault(id(step.operation), set()).add(_parts(set(pieces), outputs))
    return {layer: cut for layer, (cut, *others) in found.items() if cut is not None and not others}


def _outputs(layer: Any) -> tuple[int, int]:
    """How many outputs the kernel of a layer has, or 0 if it is not one map; how many axes stand behind."""
    variables = getattr(layer, "_trainable_variables", ())
    parts = [(one, roles.of(layer, one.name)) for one in variables]
    kernels = [(one.shape, part.layout) for one, part in parts if part.role == "kernel"]
    if len(kernels) != 1 or not isinstance(plain := layouts.of(kernels[0][1]), layouts.Conv):
        return 0, 0
    [(shape, _)] = kernels
    first = getattr(layer, "data_format", "") == "channels_first"
    return int(shape[-1 if plain.order == "io" else 0]), (len(shape) - 2) * first


def _pieces(step: Step, numbers: NDArray[Any], outputs: int) -> Iterator[tuple[int, ...]]:
    """The numbers of outputs that part from the others where the values of a step are used."""
    for user in step.users:
        kind = type(getattr(user, "operation", None)).__name__
        if not isinstance(user, Step) or len(user.inputs) != 1:
            continue
        if kind == "Glu" and user.operation.axis in (-1, numbers.ndim - 1):
            yield from map(tuple, np.array_split(np.unique(numbers), 2))
        elif kind == "Dropout":
            yield from _pieces(user, numbers, outputs)
        elif kind in _MOVES:
            given = user.with_one(keras.ops.convert_to_tensor(numbers))
            for moved in map(values_of, given if isinstance(given, list | tuple) else [given]):
                kept = np.unique(moved)
                if len(kept) == outputs:
                    yield from _pieces(user, moved, outputs)
                elif moved.ndim < numbers.ndim or not _turned(kept, outputs):
                    yield tuple(kept)


def _turned(kept: NDArray[Any], outputs: int) -> bool:
    """Whether these are half of each head, which rotary embeddings turn: key and value have an axis."""
    return 2 * len(kept) == outputs and kept[-1] - kept[0] >= len(kept)


def _parts(pieces: set[tuple[int, ...]], outputs: int) -> Parts | None:
    """The parts that are these, if they lie one after another in the whole, or in each head; else None."""
    if pieces and (count := len(pieces)) in (2, 3) and outputs % count == 0:
        [first, *_] = ordered = sorted(pieces)
        one = next((i for i, number in enumerate(first) if number != i), outputs)
        heads, over = divmod(outputs, count * one) if one else (0, 0)
        if one > 1 and heads > 1 and not over:
            maps = np.arange(outputs).reshape(heads, count, one).swapaxes(0, 1).reshape(count, -1)
            if maps.tolist() == [list(piece) for piece in ordered]:
                return Parts(count, heads)
    ends = [0]
    for piece in sorted(pieces):
        if not piece or piece != tuple(range(ends[-1], ends[-1] + len(piece))):
            return None
        ends.append(ends[-1] + len(piece))
    sizes = tuple(stop - start for start, stop in pairwise(ends))
    if len(sizes) < 2 or ends[-1] != outputs:
        return None
    return Parts(len(sizes) if len(set(sizes)) == 1 else sizes)
