"""Weights of rows: given for each row, or for each class of the targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from initcore._targets import numbers

ClassWeight = Mapping[int, float] | Sequence[float] | Literal["balanced"]


def class_weights(spec: ClassWeight | None, y: ArrayLike) -> NDArray[np.float64] | None:
    """Return the weight of each row's class.

    Args:
        spec: The weight of each class number: a dict (a class it does not name weighs 1), a sequence (one
            weight for each class from 0), ``"balanced"`` for ``rows / (classes * rows of the class)`` as
            in scikit-learn, or None.
        y: Targets: class numbers ``(n,)`` or ``(n, 1)``, or one-hot rows.

    Returns:
        One weight for each row, or None if ``spec`` is None.

    Raises:
        ValueError: a weight is negative or not finite, all are 0, or targets are no classes.

    >>> class_weights("balanced", [0, 0, 0, 1])
    array([0.66666667, 0.66666667, 0.66666667, 2.        ])
    """
    if spec is None:
        return None
    classes = _classes(y)
    present, index, counts = np.unique(classes, return_inverse=True, return_counts=True)
    if isinstance(spec, str):
        if spec != "balanced":
            raise ValueError(f"class_weight must be a dict, a sequence or 'balanced', got {spec!r}")
        each = len(classes) / (len(present) * counts)
    elif isinstance(spec, Mapping):
        for key in spec:
            if isinstance(key, bool) or not hasattr(key, "__index__"):
                raise TypeError(f"class_weight must map class numbers to weights, got the key {key!r}")
        _check("class_weight", list(spec.values()))
        each = np.array([spec.get(int(c), 1.0) for c in present], np.float64)
    else:
        table = _check("class_weight", spec)
        if table.ndim != 1 or (len(present) and not (present.min() >= 0 and present.max() < len(table))):
            raise ValueError(
                f"class_weight must have one weight for each class from 0, got {len(table)} weights for "
                f"classes from {present.min()} to {present.max()}"
            )
        each = table[present]
    if len(each) and not each.any():
        raise ValueError(
            f"class_weight must give at least one class of the targets a positive weight, got {spec!r}"
        )
    return np.asarray(each, np.float64)[index]


def row_weights(
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    class_weight: ClassWeight | None = None,
    dtype: DTypeLike = np.float32,
) -> NDArray[Any] | None:
    """Return the product of both weights as an ``(n,)`` array of ``dtype``, or None if neither is given.

    Raises:
        ValueError: a weight is negative or not finite, all are 0, or there is not one for each row.
    """
    rows = len(np.asarray(y))
    weight = class_weights(class_weight, y)
    if sample_weight is not None:
        given = _check("sample_weight", sample_weight)
        if given.shape not in ((rows,), (rows, 1)):
            raise ValueError(f"sample_weight must have shape ({rows},), got {given.shape}")
        given = given.reshape(rows)
        if rows and not given.any():
            raise ValueError("sample_weight must have at least one positive weight, got only zeros")
        weight = given if weight is None else weight * given
        if rows and not weight.any():
            raise ValueError("sample_weight times class_weight must be positive somewhere, got only zeros")
    return None if weight is None else np.ascontiguousarray(weight, dtype)


def _check(name: str, weights: ArrayLike) -> NDArray[np.float64]:
    array = numbers(name, weights).astype(np.float64)
    good = np.isfinite(array) & (array >= 0)
    if not good.all():
        raise ValueError(f"{name} must be finite and not negative, got {array[~good].flat[0]:g}")
    return array


def _classes(y: ArrayLike) -> NDArray[np.int64]:
    array = numbers("targets", y)
    if array.ndim == 2:
        array = array[:, 0] if array.shape[1] == 1 else array.argmax(axis=1)
    if array.ndim != 1 or (array.dtype.kind == "f" and not (array == np.floor(array)).all()):
        raise ValueError(
            f"class_weight needs class numbers or one-hot rows as targets, got {array.dtype} {array.shape}"
        )
    return array.astype(np.int64)
