"""Labels, predictions and weights as kernels read them, or an error that says what is wrong with them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray


def numbers(name: str, value: ArrayLike) -> NDArray[Any]:
    """Return an array of bool, integer or float.

    Raises:
        TypeError: ``value`` holds anything else.
        ValueError: its rows differ in length, or some values are masked.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} must not hold masked values: fill them, or leave out their rows")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be one array of numbers: {error}") from None
    if array.dtype.kind not in "biuf":
        hint = ""
        if name == "targets" and array.dtype.kind in "OSU":
            hint = ". For class numbers from names, write np.unique(y, return_inverse=True)[1]"
        raise TypeError(f"{name} must hold real numbers, got an array of {array.dtype}{hint}")
    return array


def predictions(value: ArrayLike) -> NDArray[Any]:
    """Return predictions as a C-contiguous ``(n, columns)`` array of float32 or float64."""
    array = numbers("y_pred", value)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"y_pred must have shape (n, columns) or (n,), got {np.shape(value)}")
    dtype = np.float32 if array.dtype.itemsize <= 4 and array.dtype.kind == "f" else np.float64
    return np.ascontiguousarray(array, dtype)


def columns(loss: str, y: ArrayLike, output_columns: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return targets as a C-contiguous ``(n, output_columns)`` array; ``(n,)`` is taken as one column."""
    array = numbers("targets", y)
    if array.ndim == 1 and output_columns == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != output_columns:
        hint = ""
        if array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1):
            hint = ". For class numbers, use the loss 'sparse_categorical_crossentropy'"
        raise ValueError(f"targets of {loss} must have shape (n, {output_columns}), got {array.shape}{hint}")
    return np.ascontiguousarray(array, dtype)


def classes(loss: str, y: ArrayLike, output_columns: int) -> NDArray[np.int32]:
    """Return class numbers as an ``(n,)`` array of int32, each in ``[0, output_columns)``."""
    array = numbers("targets", y)
    if array.ndim == 2 and array.shape[1] == output_columns > 1:
        raise ValueError(
            f"targets of {loss} must be class numbers of shape (n,), got {array.shape}. "
            f"For one-hot targets, use the loss 'categorical_crossentropy'"
        )
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"targets of {loss} must be class numbers of shape (n,) or (n, 1), got {array.shape}"
        )
    if array.dtype.kind == "f":
        whole = array == np.floor(array)
        if not whole.all():
            raise ValueError(f"targets of {loss} must be whole class numbers, got {array[~whole][0]!s}")
    if array.size and not (array.min() >= 0 and array.max() < output_columns):
        hint = ""
        if output_columns == 1:
            hint = ". For two classes and one output, use the loss 'binary_crossentropy'"
        elif array.min() == 1 and array.max() == output_columns:
            hint = ". Classes count from 0: write y - 1"
        raise ValueError(
            f"targets of {loss} must be class numbers from 0 to {output_columns - 1}, since the model has "
            f"{output_columns} output(s), got values from {array.min()} to {array.max()}{hint}"
        )
    return np.ascontiguousarray(array, np.int32)


def bounded(
    loss: str, y: ArrayLike, output_columns: int, dtype: DTypeLike, high: float = np.inf
) -> NDArray[Any]:
    """Return `columns` whose values lie in ``[0, high]``."""
    array = columns(loss, y, output_columns, dtype)
    if array.size and not (array.min() >= 0 and array.max() <= high):
        right = "at least 0" if high == np.inf else f"in [0, {high:g}]"
        hint = ""
        if high == 1 and array.min() >= 0 and (array == np.floor(array)).all():
            hint = ". For more than two classes, use the loss 'sparse_categorical_crossentropy'"
        raise ValueError(
            f"targets of {loss} must be {right}, got values from {array.min():g} to {array.max():g}{hint}"
        )
    return array


def signs(loss: str, y: ArrayLike, output_columns: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return `columns` of -1 and 1; if all values are 0 or 1, these are changed to -1 and 1."""
    array = columns(loss, y, output_columns, dtype)
    if np.isin(array, (0, 1)).all():
        return np.asarray(2 * array - 1, dtype)
    if not np.isin(array, (-1, 1)).all():
        some = ", ".join(f"{value:g}" for value in np.unique(array)[:4])
        raise ValueError(f"targets of {loss} must be -1 and 1, or 0 and 1, got values such as {some}")
    return array
