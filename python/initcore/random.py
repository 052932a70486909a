"""Random numbers by counter: every element is a function of a key and its own number.

So any slice of a tensor can be drawn alone, in any order, on any number of threads and any instruction set,
and has the same bits as in the whole. The generator is Philox4x32-10 (Salmon et al. 2011,
doi:10.1145/2063384.2063405). To add a law: a kernel in cpp/kernels/random.cpp, its binding, a method here.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from initcore import _core
from initcore._validate import check_count, check_number
from initcore.formats import Format, dtype_of, format_of, memory
from initcore.indices import Index, Shape, check_shape, chosen, select

KeyLike: TypeAlias = "Key | int"

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
        """Return 0 to ``n`` - 1 in random order (Fisher & Yates 1938).

        >>> sorted(Key(0).permutation(4).tolist())
        [0, 1, 2, 3]
        """
        words = self.bits(n, step=step)
        _core.random_permute(words)
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
        """Draw from [low, high), or ``low`` if they are equal; both parts of a complex number.

        The bounds are the numbers of the dtype nearest to these. ``high`` never comes, as NumPy, PyTorch, JAX
        and Keras promise too: what would round to it becomes the number below. Of float16 and bfloat16, whose
        numbers lie so far apart that the mean would feel it, the range is a little longer, so that the mean
        is halfway between the bounds. (On [0, 1) in bfloat16 that of PyTorch's numbers, which are rounded
        down, is 0.498, and that of JAX's, multiples of 2**-7, 0.496.) See `draw` for the arguments in common.
        """
        low, high = check_number("low", low), check_number("high", high)
        if low > high:
            raise ValueError(f"low must not exceed high, got {low!r} and {high!r}")

        def fill(to: NDArray[Any], form: Format, **where: Any) -> None:
            fits("low", low, form)
            fits("high", high, form)
            fits("high - low", high - low, form)
            least, above = form.nearest(low), form.nearest(high)
            most = max(form.below(above), least)
            where = _parts(form, **where)
            above += _lengthening(form, above - least, above - most)
            _core.random_uniform(to, self.word, low=least, high=above, most=most, step=step, **where)

        return draw(fill, shape, dtype=dtype, index=index, out=out, native=True)

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
        """Draw from the normal law.

        Either part of a complex number has half of the variance, the real one the mean. See `draw` for the
        arguments in common.
        """
        mean, stddev = check_number("mean", mean), check_number("stddev", stddev, low=0)

        def fill(to: NDArray[Any], form: Format, **where: Any) -> None:
            fits("mean + 10 stddev", abs(mean) + 10 * stddev, form)
            where = _parts(form, **where)
            if form.complex:
                _core.random_normal(to, self.word, mean=0, stddev=stddev / math.sqrt(2), step=step, **where)
                to[..., 0] += mean
            else:
                _core.random_normal(to, self.word, mean=mean, stddev=stddev, step=step, **where)

        return draw(fill, shape, dtype=dtype, index=index, out=out, native=True)

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
        law before it is cut. Values are within the bounds after rounding too, unless the dtype has no number
        between them: then they are the nearest. See `draw` for the arguments in common.
        """
        mean, stddev = check_number("mean", mean), check_number("stddev", stddev, low=0)
        if not low < high:
            raise ValueError(f"low must be less than high, got {low!r} and {high!r}")
        if low > NEAREST_BOUND or high < -NEAREST_BOUND:
            raise ValueError(
                f"the bounds must come within {NEAREST_BOUND:g} standard deviations of the mean, "
                f"got {low!r} to {high!r}"
            )

        def fill(to: NDArray[Any], form: Format, **where: Any) -> None:
            fits("mean + 15 stddev", abs(mean) + 15 * stddev, form)
            where = _parts(form, **where)
            if form.complex:
                # As for the normal law; either part is cut at the bounds.
                deviation = stddev / math.sqrt(2)
                _core.random_truncated_normal(
                    to, self.word, mean=0, stddev=deviation, low=low, high=high, step=step, **where
                )
                to[..., 0] += mean
                return
            lowest, highest = (mean + stddev * bound if stddev else mean for bound in (low, high))
            lowest, highest = form.at_least(lowest), form.at_most(highest)
            if lowest > highest:  # nothing lies between
                lowest = highest = form.nearest(mean + stddev * min(max(0.0, low), high))
            _core.random_truncated_normal(
                to,
                self.word,
                mean=mean,
                stddev=stddev,
                low=low,
                high=high,
                lowest=lowest,
                highest=highest,
                step=step,
                **where,
            )

        return draw(fill, shape, dtype=dtype, index=index, out=out, native=True)

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

        By the Haar measure: no direction is preferred. Complex matrices are unitary. The last two axes are
        the matrix; each place of the others has one of its own. It is a product of Householder reflections of
        normal vectors (Stewart 1980, doi:10.1137/0717034), so that some of the rows, or of the columns if
        these are the fewer, cost only the reflections up to the last of them: row i of n columns costs 4 n i
        operations, an n x n matrix 4/3 n^3; complex ones four times as much. See `draw` for the arguments in
        common.

        >>> w = Key(0).orthogonal((3, 4), dtype="float64")
        >>> bool(abs(w @ w.T - np.eye(3)).max() < 1e-14)
        True
        """
        gain = check_number("gain", gain)
        shape = check_shape(shape)
        if len(shape) < 2:
            raise ValueError(f"an orthogonal matrix has two axes, got shape {shape}")
        items = chosen(shape, index)

        def fill(to: NDArray[Any], form: Format, **where: Any) -> None:
            fits("gain", gain, form)
            if form.complex:
                to = to.view(form.name)[..., 0]
            if to.size == 0:
                return
            # All steps upwards, the fewer rows than columns.
            at = [range(item, item + 1) if isinstance(item, int) else item for item in items]
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

        return draw(fill, shape, dtype=dtype, index=index, out=out, native=True)


def draw(
    fill: Callable[..., None],
    shape: Shape,
    *,
    dtype: DTypeLike = "float32",
    index: Index | None = None,
    out: NDArray[Any] | None = None,
    native: bool = False,
) -> NDArray[Any]:
    """Let ``fill`` write a tensor, or a part of it.

    Args:
        fill: Called with a contiguous float32 or float64 array to write, the `Format` of the result, and
            ``offset`` and ``strides``: numbers of the array's elements in the whole tensor.
        shape: Of the whole tensor. Axes may be 0.
        dtype: One of `FORMATS`: float32, float64, float16, bfloat16, complex64, complex128. That of ``out``,
            if given; except that ``"bfloat16"`` makes bfloat16 of the memory of an ``out`` of uint16.
        index: Draw only ``tensor[index]``: whole numbers, slices and an ellipsis, as in NumPy.
        out: Write here and return it. Has the shape of ``tensor[index]``; any strides.
        native: ``fill`` writes any format, as `formats.memory` has it: to the result itself, where that is
            contiguous.

    Raises:
        TypeError, ValueError, IndexError: an argument is none of this; nothing has been written then.
    """
    shape = check_shape(shape)
    part, where = select(shape, index)
    if out is not None and not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a NumPy array, got {type(out).__name__}")
    form = format_of(dtype, out)
    if out is None:
        out = np.empty(part, dtype_of(form))
    if out.shape != part:
        raise ValueError(f"out must have shape {part}, got {out.shape}")
    if not out.flags.writeable:
        raise ValueError("out must be writable, got a read-only array")
    plain = out.dtype.isnative and out.flags.c_contiguous and out.flags.aligned
    if native:
        to = out if plain else np.empty(part, out.dtype.newbyteorder("="))
        fill(memory(to, form), form, **where)
    else:
        to = out if plain and out.dtype == form.drawn else np.empty(part, form.drawn)
        fill(to, form, **where)
    if to is not out and out.dtype == np.uint16 and not native:
        _core.random_rounded(to, to := np.empty(part, np.uint16))
    if to is not out:
        out[...] = to
    return out


def fits(name: str, value: float, form: Format) -> None:
    """Raise ValueError if ``value`` is beyond the largest number of a format."""
    if not abs(value) <= form.largest:
        end = "at least -" if value < 0 else "at most "
        raise ValueError(f"{name} must be {end}{form.largest:g} in {form.name}, got {value:g}")


def _lengthening(form: Format, length: float, unit: float) -> float:
    """By how much to draw beyond a range, whose last unit is this, for a mean in its middle.

    Rounding to the nearest keeps the mean, until half a unit goes to the number below the end instead: it
    loses unit^2 / 2. With the range longer by x, all that beyond goes there too, which loses unit x + x^2 / 2
    more, and the mean of what is rounded gains x / 2 of length + x. So x is unit^2 / (length - 2 unit); two
    units leave no number to have the mean.
    """
    if form.digits >= 24 or length <= 2 * unit:
        return 0.0
    return unit * unit / (length - 2 * unit)


def _parts(form: Format, offset: int = 0, strides: Sequence[int] | None = None) -> dict[str, Any]:
    """Where elements lie in their stream, of which a complex number takes two."""
    if not form.complex or strides is None:
        return {"offset": offset, "strides": strides}
    return {"offset": 2 * offset, "strides": [*(2 * stride for stride in strides), 1]}


__all__ = ["NEAREST_BOUND", "Index", "Key", "KeyLike", "Shape", "check_shape", "draw", "fits"]
