"""Named tensors in one flat vector: a model's parameters, its gradients, its state."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from initcore._validate import choose
from initcore.plan import Buffer, Plan, aligned_empty

Array = NDArray[Any]


class Views(dict[str, Array]):
    """Tensors by name. Each is a view of one vector, so assigning to a name writes into its tensor.

    >>> views = Vector({"kernel": (2, 2), "bias": (2,)}, np.dtype(np.float32)).views
    >>> views["bias"] = [1, 2]
    >>> views["bias"] += 1
    >>> views["bias"]
    array([2., 3.], dtype=float32)

    Raises:
        ValueError: No tensor has that name, or the shape is another.
        TypeError: A tensor would come or go.
    """

    def __setitem__(self, name: str, value: Any) -> None:
        tensor = choose("a tensor's name", name, self)
        array = np.asarray(value)
        if array.shape != tensor.shape:
            raise ValueError(f"{name} must have shape {tensor.shape}, got {array.shape}")
        tensor[...] = array

    def update(self, *others: Any, **named: Any) -> None:
        """Write into several tensors."""
        for name, value in dict(*others, **named).items():
            self[name] = value

    def __ior__(self, other: Any) -> Views:  # type: ignore[override,misc]
        self.update(other)
        return self

    def _refuse(self, *arguments: Any) -> NoReturn:
        raise TypeError("the tensors of a model stay as they are: write into them, or build another model")

    __delitem__ = pop = popitem = clear = setdefault = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)  # a copy is no longer part of a vector


class Vector:
    """Named tensors in one flat, aligned vector; each tensor starts on a cache line."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], dtype: np.dtype[Any]) -> None:
        line = 64 // dtype.itemsize
        self.places: list[tuple[str, int, int]] = []  # name, offset, size
        offset = 0
        for name, shape in shapes.items():
            self.places.append((name, offset, math.prod(shape)))
            offset += -(-math.prod(shape) // line) * line
        self.flat = aligned_empty(offset, dtype)
        self.views = Views(
            {name: self.flat[start : start + size].reshape(shapes[name]) for name, start, size in self.places}
        )

    def buffers(self, plan: Plan) -> dict[str, Buffer]:
        """Return the tensors as operands of a plan."""
        return {name: plan.view(view, name=name) for name, view in self.views.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        shapes = {name: view.shape for name, view in self.views.items()}
        return _filled, (shapes, self.flat.dtype, self.flat)


def _filled(shapes: Mapping[str, tuple[int, ...]], dtype: np.dtype[Any], flat: Array) -> Vector:
    vector = Vector(shapes, dtype)
    vector.flat[:] = flat
    return vector
