"""The number formats that random numbers come in, by name, and how each rounds.

To add one: a row of `FORMATS`, and its rounding in cpp/kernels/random_halves.h. bfloat16 is not NumPy's own:
it comes as arrays of ml_dtypes, where that is installed, or as the memory of uint16 arrays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


@dataclass(frozen=True)
class Format:
    """Binary floating-point numbers: signs, ``digits`` significant bits, normal from 2**``lowest`` on.

    >>> half = FORMATS["float16"]
    >>> half.nearest(0.1), half.largest, half.below(1.0)
    (0.0999755859375, 65504.0, 0.99951171875)
    """

    name: str
    digits: int
    lowest: int
    largest: float
    complex: bool = False

    def nearest(self, x: float) -> float:
        """Return the number of the format nearest to ``x``, ties to even."""
        return self._rounded(x, round)

    def at_least(self, x: float) -> float:
        """Return the least number of the format that is not below ``x``."""
        return self._rounded(x, math.ceil)

    def at_most(self, x: float) -> float:
        """Return the largest number of the format that is not above ``x``."""
        return self._rounded(x, math.floor)

    def below(self, x: float) -> float:
        """Return the largest number of the format below ``x``."""
        return self.at_most(math.nextafter(x, -math.inf))

    def _rounded(self, x: float, whole: Any) -> float:
        if self.digits >= 53 or not math.isfinite(x):
            return x
        unit = math.ldexp(1.0, max(math.frexp(x)[1], self.lowest + 1) - self.digits)
        return float(whole(x / unit) * unit)

    @property
    def drawn(self) -> np.dtype[Any]:
        """What the numbers, or their two parts, are computed in."""
        return np.dtype(np.float64 if self.digits == 53 else np.float32)


FORMATS = {
    found.name: found
    for found in (
        Format("float32", 24, -126, float(np.finfo(np.float32).max)),
        Format("float64", 53, -1022, float(np.finfo(np.float64).max)),
        Format("float16", 11, -14, 65504.0),
        Format("bfloat16", 8, -126, (2 - 2**-7) * 2.0**127),
        Format("complex64", 24, -126, float(np.finfo(np.float32).max), complex=True),
        Format("complex128", 53, -1022, float(np.finfo(np.float64).max), complex=True),
    )
}


def format_of(dtype: DTypeLike, out: NDArray[Any] | None = None) -> Format:
    """Return the format with this dtype or name, else raise TypeError.

    Args:
        dtype: A dtype, or the name of one.
        out: An array, whose dtype counts instead; but ``"bfloat16"`` makes bfloat16 of one of uint16.
    """
    if out is not None and not (out.dtype == np.uint16 and dtype == "bfloat16"):
        dtype = out.dtype.newbyteorder("=")
    name: object = dtype
    # NumPy knows bfloat16 by name only once ml_dtypes has been imported.
    if not (isinstance(dtype, str) and dtype == "bfloat16"):
        try:
            name = np.dtype(dtype).name
        except TypeError:
            name = None
    found = FORMATS.get(name) if isinstance(name, str) else None
    if found is None:
        raise TypeError(f"dtype must be one of {', '.join(map(repr, FORMATS))}, got {dtype!r}")
    return found


def drawn_in(dtype: str) -> str:
    """Return the format to draw in for a framework's dtype of that name: its own, or float32 to be rounded.

    >>> drawn_in("bfloat16"), drawn_in("float8_e5m2")
    ('bfloat16', 'float32')
    """
    return dtype if dtype in FORMATS else "float32"


def dtype_of(form: Format) -> np.dtype[Any]:
    """Return the dtype of new arrays of a format.

    Raises:
        ModuleNotFoundError: for bfloat16, which needs ml_dtypes.
    """
    if form.name != "bfloat16":
        return np.dtype(form.name)
    try:
        import ml_dtypes
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            'arrays of bfloat16 need ml_dtypes: "pip install ml_dtypes", or give an out= of uint16, whose '
            'memory dtype="bfloat16" fills',
            name="ml_dtypes",
        ) from None
    found: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return found


def memory(array: NDArray[Any], form: Format) -> NDArray[Any]:
    """Return a view of the elements as the kernels know them: bfloat16 as uint16, a complex number as two."""
    if form.complex:
        return array.reshape(*array.shape, 1).view(form.drawn)
    return array.view(np.uint16) if form.name == "bfloat16" else array


__all__ = ["FORMATS", "Format", "drawn_in", "dtype_of", "format_of", "memory"]
