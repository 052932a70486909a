"""In what precision matrix products are computed. To add one: a row of PRECISIONS, and kernels for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from initcore import _core
from initcore._validate import choose

# Name: the dtype of everything else, parameters and results of the products included.
PRECISIONS: dict[str, np.dtype[Any]] = {
    "fp32": np.dtype(np.float32),
    "fp64": np.dtype(np.float64),
    "bf16": np.dtype(np.float32),
}


def check_precision(precision: str | None, dtype: np.dtype[Any]) -> str:
    """Return the name of a precision that fits the dtype and that this machine has; of None, the dtype's own.

    Raises:
        ValueError: The name is unknown, or goes with another dtype.
        RuntimeError: This machine, or this build, has no instruction for it.

    >>> check_precision(None, np.dtype(np.float64))
    'fp64'
    """
    if precision is None:
        return next(name for name, own in PRECISIONS.items() if own == dtype)
    needed = choose("precision", precision, PRECISIONS)
    if dtype != needed:
        raise ValueError(f"precision {precision!r} goes with dtype {needed.name!r}, got {dtype.name!r}")
    if precision == "bf16" and not _core.active_bf16():
        raise RuntimeError(
            f"precision 'bf16' needs products in bfloat16, and {_why_not()}. Leave precision away: products "
            "are then computed in float32"
        )
    return precision


def _why_not() -> str:
    if not _core.compiled_bf16():
        return "this build of initcore has none for this kind of processor"
    if not _core.bf16():
        return f"this processor has none of the instructions for them: {', '.join(_core.compiled_bf16())}"
    return "INITCORE_BF16=off or a lesser INITCORE_ISA than this processor has switched them off"
