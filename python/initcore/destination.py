"""Memory to write to: NumPy arrays, and whatever shares its memory with one, such as tensors on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initcore import _core

_DLPACK_BFLOAT = 4  # kDLBfloat


def opened(out: Any) -> NDArray[Any]:
    """Return an array whose elements are those of ``out``: what is written to it is written there.

    Args:
        out: A NumPy array of any strides but negative ones, an object with the buffer protocol, or one with
            ``__dlpack__`` or ``__array__`` that lends its memory, such as a PyTorch tensor. What counts
            changes of its own, as PyTorch does for its gradients, does not see this one.

    Raises:
        TypeError: ``out`` lends no memory.
        ValueError: it is read-only, runs backwards, or has elements that share memory.

    >>> import array
    >>> numbers = array.array("f", [0, 0, 0])
    >>> opened(numbers)[:] = 7
    >>> numbers
    array('f', [7.0, 7.0, 7.0])
    """
    found = np.asarray(out) if isinstance(out, np.ndarray) else _lent(out)
    if not found.flags.writeable:
        raise ValueError(f"out must be writable, got a read-only {_kind(out)}")
    if any(stride < 0 and size > 1 for stride, size in zip(found.strides, found.shape, strict=True)):
        raise ValueError(
            f"out must not run backwards, got strides {found.strides}: pass the array that it is a view of, "
            "with an index that runs backwards"
        )
    if _overlaps(found):
        raise ValueError(
            "elements of out must not share memory, as those of a broadcast or an expanded array do, "
            f"got shape {found.shape} and strides {found.strides}"
        )
    return found


def _kind(out: Any) -> str:
    return "array" if isinstance(out, np.ndarray) else type(out).__name__


def _lent(out: Any) -> NDArray[Any]:
    """The array that an object lends: a writable one if it has one."""
    ways: list[tuple[str, Callable[[Any], NDArray[Any]]]] = [
        ("__dlpack__", np.from_dlpack),
        ("__dlpack__", _bfloat16),
        ("__array__", _view),
    ]
    found, reasons = None, []
    try:
        found = np.asarray(memoryview(out))
    except TypeError:  # no buffer
        for name, way in ways:
            if not hasattr(type(out), name) or (found is not None and found.flags.writeable):
                continue
            try:
                found = way(out)
            except Exception as error:  # of any kind: they are the object's own
                reasons.append(f"{name}: {error}")
    if found is None:
        why = f" ({'; '.join(reasons)})" if reasons else ""
        raise TypeError(
            f"out must be a NumPy array, a buffer, or a tensor on the CPU that lends its memory, "
            f"got {type(out).__name__}{why}"
        )
    return found


def _bfloat16(out: Any) -> NDArray[Any]:
    """What ``__dlpack__`` lends where its elements are bfloat16, which NumPy does not know."""
    words, code = _core.from_dlpack(out.__dlpack__(max_version=(1, 0)))
    if (code, words.itemsize) != (_DLPACK_BFLOAT, 2):
        raise TypeError("its elements are of a type that NumPy does not know")
    import ml_dtypes  # only this needs it

    lent: NDArray[Any] = words.view(ml_dtypes.bfloat16)
    return lent


def _view(out: Any) -> NDArray[Any]:
    """What ``__array__`` gives, if that is the object's memory and no copy."""
    one, other = np.asarray(out), np.asarray(out)
    if one.size and not np.may_share_memory(one, other):
        raise TypeError("it gives a copy")
    return one


def _overlaps(array: NDArray[Any]) -> bool:
    """Whether two elements share a byte."""
    if not array.size:
        return False
    axes = sorted((stride, size) for stride, size in zip(array.strides, array.shape, strict=True) if size > 1)
    extent, nested = array.itemsize, True
    for stride, size in axes:
        nested &= stride >= extent
        extent += stride * (size - 1)
    if nested:
        return False
    if axes[0][0] < array.itemsize:
        return True
    # Axes that interleave: only all elements tell.
    starts = sum(
        np.arange(size, dtype=np.intp).reshape(-1, *[1] * i) * stride for i, (stride, size) in enumerate(axes)
    )
    return bool(np.diff(np.sort(np.ravel(starts))).min() < array.itemsize)
