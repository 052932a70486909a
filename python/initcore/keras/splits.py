"""Into which parts a Keras model splits what a kernel gives: query, key and value, or the sides of a gate.

The numbers of the kernel's outputs are sent through whatever moves values; where some of them part from the
others, that is a part. Only parts that lie one after another in the kernel count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

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
    >>> of(graph_of(keras.Model(x, [q, k, v]), lambda one: Described()).steps) == {id(qkv): 3}
    True
    """
    found: dict[int, set[Parts | None]] = {}
    for step in steps:
        outputs = _outputs(step.operation)
        if outputs and step.shape[-1:] == (outputs,):
            numbers = np.broadcast_to(np.arange(outputs, dtype=np.int32), step.shape)
            found.setdefault(id(step.operation), set()).add(_parts(set(_pieces(step, numbers)), outputs))
    return {layer: cut for layer, (cut, *others) in found.items() if cut is not None and not others}


def _outputs(layer: Any) -> int:
    """How many outputs the kernel of a layer has, if it is one matrix; else 0."""
    variables = getattr(layer, "_trainable_variables", ())
    parts = [(one, roles.of(layer, one.name)) for one in variables]
    kernels = [(one.shape, part.layout) for one, part in parts if part.role == "kernel"]
    if len(kernels) != 1 or len(kernels[0][0]) != 2 or not isinstance(kernels[0][1], str):
        return 0
    [(shape, layout)] = kernels
    return int(shape[layout == "io"])


def _pieces(step: Step, numbers: NDArray[Any]) -> Iterator[tuple[int, ...]]:
    """The numbers of outputs that part from the others where the values of a step are used."""
    whole = np.unique(numbers)
    for user in step.users:
        kind = type(getattr(user, "operation", None)).__name__
        if not isinstance(user, Step) or len(user.inputs) != 1:
            continue
        if kind == "Glu" and user.operation.axis in (-1, numbers.ndim - 1):
            yield from map(tuple, np.array_split(whole, 2))
        elif kind == "Dropout":
            yield from _pieces(user, numbers)
        elif kind in _MOVES:
            given = user.with_one(keras.ops.convert_to_tensor(numbers))
            if isinstance(given, list | tuple):
                for one in given:
                    yield tuple(np.unique(values_of(one)))
                continue
            moved = values_of(given)
            if len(kept := np.unique(moved)) < len(whole):
                yield tuple(kept)
            else:
                yield from _pieces(user, moved)


def _parts(pieces: set[tuple[int, ...]], outputs: int) -> Parts | None:
    """The sizes of pieces that lie one after another and make the whole; None if they do not."""
    ends = [0]
    for piece in sorted(pieces):
        if not piece or piece != tuple(range(ends[-1], ends[-1] + len(piece))):
            return None
        ends.append(ends[-1] + len(piece))
    sizes = tuple(stop - start for start, stop in pairwise(ends))
    if len(sizes) < 2 or ends[-1] != outputs:
        return None
    return len(sizes) if len(set(sizes)) == 1 else sizes
