"""Random numbers by counter: every element is a function of a key and its own number.

So any slice of a tensor can be drawn alone, in any order, on any number of threads and any instruction set,
and has the same bits as in the whole. The generator is Philox4x32-10 (Salmon et al. 2011,
doi:10.1145/2063384.2063405). To add a law: a kernel in cpp/kernels/random.cpp, its binding, a method here.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from initcore import _core
from initcore._validate import check_count, check_number

KeyLike: TypeAlias = "Key | int"
Index: TypeAlias = "int | slice | EllipsisType | tuple[int | slice | EllipsisType, ...]"
Shape: TypeAlias = "int | Sequence[int]"

DTYPES = {"float32": np.float32, "float64": np.float64, "float16": np.float16}

# With both bounds beyond this many standard deviations, a truncated normal law has nothing to draw from.
NEAREST_BOUND = 9.0


@dataclass(frozen=True, slots=True)
class Key:
    """The name of a stream of random numbers: a seed and a path.

    ``key / "name"`` is another stream, independent of this one; ``key / "a" / "b"`` is ``key / "a/b"``. A key
    has no state: drawing from it twice gives the same numbers, so give every tensor a name of its own.

    Args:
        seed: Any whole number from 0.
        path: The names so far, separated by slashes.

    Raises:
        TypeError: ``seed`` is not a whole number, or ``path`` not a string.
        ValueError: ``seed`` is negative.

    >>> key = Key(0) / "dense/kernel"
    >>> key
    Key(0) / 'dense/kernel'
    >>> key.normal((2, 3)).shape
    (2, 3)
    """

    seed: int
    path: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", check_count("seed", self.seed, low=0))
        if not isinstance(self.path, str):
            raise TypeError(f"path must be a string, got {self.path!r}")

    @staticmethod
    def of(key: KeyLike) -> Key:
        """Return ``key`` itself, or the key with this seed."""
        if isinstance(key, Key):
            return key
        if isinstance(key, bool) or not hasattr(key, "__index__"):
            raise TypeError(f"key must be a Key or a whole number (its seed), got {key!r}")
        return Key(operator.index(key))

    def __truediv__(self, name: str | int) -> Key:
        if isinstance(name, bool) or not isinstance(name, str | int | np.integer):
            raise TypeError(f"a key is divided by a name or a whole number, got {name!r}")
        return Key(self.seed, f"{self.path}/{name}" if self.path else f"{name}")

    def __repr__(self) -> str:
        return f"Key({self.seed})" + (f" / {self.path!r}" if self.path else "")

    @property
    def word(self) -> int:
        """The 64 bits that select the stream: BLAKE2b of seed and path."""
        import hashlib  # which loads a library of its own: not before a stream is drawn from

        text = f"{self.seed}/{self.path}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8, person=b"initcore").digest(), "little")

    def bits(self, n: int, *, step: int = 0) -> NDArray[np.uint64]:
        """Return the first ``n`` 64-bit words of sub-stream ``step``."""
        out = np.empty(check_count("n", n, low=0), np.uint64)
        _core.random_bits(out, self.word, step=step)
        return out

    def permutation(self, n: int, *, step: int = 0) -> NDArray[np.int64]:
        """Return 0 to ``n`` - 1 in random order.

        They are sorted by random words whose low bits are the number itself: that decides ties, which have
        no weight below about 2**30 numbers.

        >>> sorted(Key(0).permutation(4).tolist())
        [0, 1, 2, 3]
        """
        words = self.bits(n, step=step)
        low = np.uint64((1 << max(n - 1, 0).bit_length()) - 1)
        words &= ~low
        words |= np.arange(n, dtype=np.uint64)
        words.sort()
        words &= low
        return words.view(np.int64)

    def uniform(
        self,
        shape: Shape,
        low: float = 0.0,
        high: float = 1.0,
        *,
        dtype: DTypeLike = "float32",
        index: Index | None = None,
        out: NDArray[Any] | None = None,
        step: int = 0,
    ) -> NDArray[Any]:
        """Draw from [low, high), or ``low`` if they are equal. See `draw` for the arguments in common."""
        low, high = check_number("low", low), check_number("high", high)
        if low > high:
            raise ValueError(f"low must not exceed high, got {low!r} and {high!r}")

        def fill(to: NDArray[Any], final: np.dtype[Any], **where: Any) -> None:
            fits("low", low, final)
            fits("high", high, final)
            fits("high - low", high - low, final)
            below = float(np.nextafter(final.type(high), final.type(low)))
            most = max(below, float(final.type(low)))
            _core.random_uniform(to, self.word, low=low, high=high, most=most, step=step, **where)

        return draw(fill, shape, dtype=dtype, index=index, out=out)

    def normal(
        self,
        shape: Shape,
        mean: float = 0.0,
        stddev: float = 1.0,
        *,
        dtype: DTypeLike = "float32",
        index: Index | None = None,
        out: NDArray[Any] | None = None,
        step: int = 0,
    ) -> NDArray[Any]:
        """Draw from the normal law. See `draw` for the arguments in common."""
        mean, stddev = check_number("mean", mean), check_number("stddev", stddev, low=0)

        def fill(to: NDArray[Any], final: np.dtype[Any], **where: Any) -> None:
            fits("mean + 10 stddev", abs(mean) + 10 * stddev, final)
            _core.random_normal(to, self.word, mean=mean, stddev=stddev, step=step, **where)

        return draw(fill, shape, dtype=dtype, index=index, out=out)

    def truncated_normal(
        self,
        shape: Shape,
        mean: float = 0.0,
        stddev: float = 1.0,
        low: float = -2.0,
        high: float = 2.0,
        *,
        dtype: DTypeLike = "float32",
        index: Index | None = None,
        out: NDArray[Any] | None = None,
        step: int = 0,
    ) -> NDArray[Any]:
        """Draw from the normal law with ``mean`` and ``stddev``, given that the value is within bounds.

        ``low`` and ``high`` count in standard deviations from the mean, and ``stddev`` is that of the normal
        law before it is cut. See `draw` for the arguments in common.
        """
        mean, stddev = check_number("mean", mean), check_number("stddev", stddev, low=0)
        if not low < high:
            raise ValueError(f"low must be less than high, got {low!r} and {high!r}")
        if low > NEAREST_BOUND or high < -NEAREST_BOUND:
            raise ValueError(
                f"the bounds must come within {NEAREST_BOUND:g} standard deviations of the mean, "
                f"got {low!r} to {high!r}"
            )

        def fill(to: NDArray[Any], final: np.dtype[Any], **where: Any) -> None:
            fits("mean + 15 stddev", abs(mean) + 15 * stddev, final)
            _core.random_truncated_normal(
                to, self.word, mean=mean, stddev=stddev, low=low, high=high, step=step, **where
            )

        return draw(fill, shape, dtype=dtype, index=index, out=out)

    def orthogonal(
        self,
        shape: Shape,
        gain: float = 1.0,
        *,
        dtype: DTypeLike = "float32",
        index: Index | None = None,
        out: NDArray[Any] | None = None,
        step: int = 0,
    ) -> NDArray[Any]:
        """Draw matrices with orthonormal rows, or columns if these are the fewer, times ``gain``.

        By the Haar measure: no direction is preferred. The last two axes are the matrix; each place of the
        others has one of its own. It is a product of Householder reflections of normal vectors (Stewart 1980,
        doi:10.1137/0717034), so that some of the rows, or of the columns if these are the fewer, cost only
        the reflections up to the last of them: row i of n columns costs 4 n i operations, an n x n matrix
        4/3 n^3. See `draw` for the arguments in common.

        >>> w = Key(0).orthogonal((3, 4), dtype="float64")
        >>> bool(abs(w @ w.T - np.eye(3)).max() < 1e-14)
        True
        """
        gain = check_number("gain", gain)
        shape = check_shape(shape)
        if len(shape) < 2:
            raise ValueError(f"an orthogonal matrix has two axes, got shape {shape}")
        chosen = _chosen(shape, index)

        def fill(to: NDArray[Any], final: np.dtype[Any], **where: Any) -> None:
            fits("gain", gain, final)
            if to.size == 0:
                return
            # All steps upwards, the fewer rows than columns.
            at = [range(item, item + 1) if isinstance(item, int) else item for item in chosen]
            to = to.reshape([len(axis) for axis in at])[
                tuple(slice(None, None, 1 if a.step > 0 else -1) for a in at)
            ]
            at = [axis if axis.step > 0 else axis[::-1] for axis in at]
            rows, columns = at[-2:]
            if shape[-2] > shape[-1]:
                to, rows, columns = to.swapaxes(-1, -2), columns, rows
            width = max(shape[-2:])
            for place in np.ndindex(to.shape[:-2]):
                number = 0
                for axis, size, i in zip(at, shape, place, strict=False):
                    number = number * size + axis[i]
                _core.random_orthogonal(
                    to[place],
                    self.word,
                    width,
                    (rows.start, rows.step),
                    (columns.start, columns.step),
                    gain=gain,
                    step=step,
                    offset=number * shape[-2] * shape[-1],
                )

        return draw(fill, shape, dtype=dtype, index=index, out=out)


def draw(
    fill: Callable[..., None],
    shape: Shape,
    *,
    dtype: DTypeLike = "float32",
    index: Index | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Let ``fill`` write a tensor, or a part of it.

    Args:
        fill: Called with a contiguous float32 or float64 array to write, the dtype that the result will have,
            and ``offset`` and ``strides``: numbers of the array's elements in the whole tensor.
        shape: Of the whole tensor. Axes may be 0.
        dtype: float32, float64, or float16 (drawn as float32, then rounded). That of ``out``, if given.
        index: Draw only ``tensor[index]``: whole numbers, slices and an ellipsis, as in NumPy.
        out: Write here and return it. Has the shape of ``tensor[index]``; any strides.

    Raises:
        TypeError, ValueError, IndexError: an argument is none of this; nothing has been written then.
    """
    shape = check_shape(shape)
    part, where = _select(shape, index)
    if out is None:
        final = check_dtype(dtype)
        out = np.empty(part, final)
    else:
        if not isinstance(out, np.ndarray):
            raise TypeError(f"out must be a NumPy array, got {type(out).__name__}")
        final = check_dtype(out.dtype)
        if out.shape != part:
            raise ValueError(f"out must have shape {part}, got {out.shape}")
        if not out.flags.writeable:
            raise ValueError("out must be writable, got a read-only array")
    direct = final != np.float16 and out.dtype.isnative and out.flags.c_contiguous and out.flags.aligned
    to = out if direct else np.empty(part, np.float32 if final == np.float16 else final)
    fill(to, final, **where)
    if to is not out:
        out[...] = to
    return out


def check_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """Return the native dtype if random numbers come in it, else raise TypeError."""
    try:
        found = np.dtype(dtype).newbyteorder("=")
    except TypeError:
        found = None
    if found is None or found.name not in DTYPES:
        raise TypeError(f"dtype must be one of {', '.join(map(repr, DTYPES))}, got {dtype!r}")
    return found


def check_shape(shape: Shape) -> tuple[int, ...]:
    """Return ``shape`` as a tuple of whole numbers from 0 whose product an array can have, else raise."""
    if hasattr(shape, "__index__"):
        shape = (shape.__index__(),)
    if isinstance(shape, str) or not hasattr(shape, "__iter__"):
        raise TypeError(f"shape must be a whole number or a sequence of them, got {shape!r}")
    sizes = tuple(check_count("each axis of shape", size, low=0) for size in shape)
    if math.prod(max(size, 1) for size in sizes) > sys.maxsize // 8:
        raise ValueError(f"shape {sizes} has more elements than an array can hold")
    return sizes


def fits(name: str, value: float, dtype: np.dtype[Any]) -> None:
    """Raise ValueError if ``value`` is beyond the largest number of ``dtype``."""
    largest = float(np.finfo(dtype).max)
    if not abs(value) <= largest:
        raise ValueError(f"{name} must be at most {largest:g} in {dtype}, got {value:g}")


def _chosen(shape: tuple[int, ...], index: Index | None) -> list[int | range]:
    """The numbers along each axis that ``tensor[index]`` has, an int where it drops the axis."""
    if index is None:
        return [range(size) for size in shape]
    items = list(index) if isinstance(index, tuple) else [index]
    for item in items:
        if isinstance(item, bool) or not (
            isinstance(item, slice | EllipsisType) or hasattr(item, "__index__")
        ):
            raise TypeError(f"index must consist of whole numbers, slices and an ellipsis, got {item!r}")
    dots = [i for i, item in enumerate(items) if item is Ellipsis]
    missing = len(shape) - (len(items) - len(dots))
    if missing < 0 or len(dots) > 1:
        raise IndexError(f"too many indices for shape {shape}: {index!r}")
    at = dots[0] if dots else len(items)
    items[at : at + 1] = [slice(None)] * missing
    chosen: list[int | range] = []
    for item, size in zip(items, shape, strict=True):
        if isinstance(item, slice):
            chosen.append(range(size)[item])
        else:
            number = operator.index(item)  # type: ignore[arg-type]
            if not -size <= number < size:
                raise IndexError(f"index {number} is outside an axis of {size}")
            chosen.append(number % size)
    return chosen


def _select(shape: tuple[int, ...], index: Index | None) -> tuple[tuple[int, ...], dict[str, Any]]:
    """Shape of ``tensor[index]``, and where its elements lie in a tensor of ``shape``."""
    if index is None:
        return shape, {}
    offset, stride = 0, math.prod(shape)
    part, strides = [], []
    for item, size in zip(_chosen(shape, index), shape, strict=True):
        stride = stride // size if size else 0
        if isinstance(item, range):
            offset += item.start * stride if item else 0
            part.append(len(item))
            strides.append(item.step * stride)
        else:
            offset += item * stride
    return tuple(part), {"offset": offset, "strides": strides}
