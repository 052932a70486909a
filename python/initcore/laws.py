"""The laws that weights are drawn from: frozen dataclasses, called as ``init(shape, key)``.

To add one: a class with a ``_draw``, and a row of initializers.py that names it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import DTypeLike, NDArray

from initcore._validate import check_number, choose
from initcore.fans import Layout, fans, take_apart
from initcore.random import Index, Key, KeyLike, Shape, check_shape, draw, fits

Mode: TypeAlias = Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
Distribution: TypeAlias = Literal["normal", "truncated_normal", "uniform"]

_MODES: dict[str, Callable[[int, int], float]] = {
    "fan_in": lambda fan_in, fan_out: fan_in,
    "fan_out": lambda fan_in, fan_out: fan_out,
    "fan_avg": lambda fan_in, fan_out: (fan_in + fan_out) / 2,
    "fan_geo_avg": lambda fan_in, fan_out: math.sqrt(fan_in * fan_out),
}


class Initializer(ABC):
    """A law for weights. It holds no seed: layers that share one get different weights from their keys."""

    def __call__(
        self,
        shape: Shape,
        key: KeyLike,
        dtype: DTypeLike = "float32",
        layout: Layout = "io",
        index: Index | None = None,
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        """Return a new tensor, or a part of one.

        Args:
            shape: Of the whole tensor.
            key: Which random numbers: a `Key`, or a seed. The same key gives the same tensor.
            dtype: float32, float64, or float16 (the float32 values, rounded). That of ``out``, if given.
            layout: ``"io"``: (\\*window, in, out); ``"oi"``: (out, in, \\*window).
            index: Return only ``tensor[index]``, with the same bits as in the whole tensor.
            out: Array of the result's shape to fill and return.

        Raises:
            TypeError, ValueError, IndexError: an argument is none of this; ``out`` is as it was then.
        """
        sizes, stream = check_shape(shape), Key.of(key)
        choose("layout", layout, {name: name for name in get_args(Layout)})
        return self._draw(sizes, stream, layout, {"dtype": dtype, "index": index, "out": out})

    @abstractmethod
    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        """Return the tensor; ``how`` goes on to `initcore.random.draw` or a method of the key."""


@dataclass(frozen=True)
class Constant(Initializer):
    """Every weight is ``value``.

    >>> Constant(0.1)((2,), key=0)
    array([0.1, 0.1], dtype=float32)
    """

    value: float = 0.0

    def __post_init__(self) -> None:
        check_number("value", self.value)

    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        def fill(to: NDArray[Any], final: np.dtype[Any], **where: Any) -> None:
            fits("value", self.value, final)
            to.fill(self.value)

        return draw(fill, shape, **how)


@dataclass(frozen=True)
class Zeros(Constant):
    """Every weight is 0: for biases. A layer whose kernel starts so keeps all its units equal for ever.

    >>> Zeros()((3,), key=0)
    array([0., 0., 0.], dtype=float32)
    """

    value: Literal[0] = 0


@dataclass(frozen=True)
class Ones(Constant):
    """Every weight is 1.

    >>> Ones()((3,), key=0)
    array([1., 1., 1.], dtype=float32)
    """

    value: Literal[1] = 1


@dataclass(frozen=True)
class RandomUniform(Initializer):
    """Uniform on [``minval``, ``maxval``).

    Raises:
        ValueError: ``minval`` exceeds ``maxval``, or one of them is not finite.

    >>> w = RandomUniform(-1, 1)((100, 100), key=0)
    >>> -1 <= w.min() < w.max() < 1
    np.True_
    """

    minval: float = -0.05
    maxval: float = 0.05

    def __post_init__(self) -> None:
        if check_number("minval", self.minval) > check_number("maxval", self.maxval):
            raise ValueError(f"minval must not exceed maxval, got {self.minval!r} and {self.maxval!r}")

    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        return key.uniform(shape, self.minval, self.maxval, **how)


@dataclass(frozen=True)
class RandomNormal(Initializer):
    """Normal with ``mean`` and ``stddev``.

    Raises:
        ValueError: ``stddev`` is negative, or one of them is not finite.

    >>> w = RandomNormal(stddev=0.5)((100, 100), key=0)
    >>> abs(w.std() - 0.5) < 0.02
    np.True_
    """

    mean: float = 0.0
    stddev: float = 0.05

    def __post_init__(self) -> None:
        check_number("mean", self.mean)
        check_number("stddev", self.stddev, low=0)

    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        return key.normal(shape, self.mean, self.stddev, **how)


@dataclass(frozen=True)
class TruncatedNormal(Initializer):
    """Normal, cut on both sides; ``stddev`` is the standard deviation of what comes out, after the cut.

    Keras, JAX and PyTorch mean the standard deviation of the normal law before it is cut, so theirs come out
    with 0.88 of the ``stddev`` asked for: ``stddev_of="parent"`` means what they mean.

    Args:
        mean: The mean.
        stddev: Standard deviation of the result, or of the parent.
        cut: Nothing lies further than this many of the parent's standard deviations from the mean.
        stddev_of: ``"result"`` or ``"parent"``.

    >>> w = TruncatedNormal(stddev=1.0)((1000, 1000), key=0)
    >>> f"{w.std():.2f} {abs(w).max():.2f}"
    '1.00 2.27'
    >>> w = TruncatedNormal(stddev=1.0, stddev_of="parent")((1000, 1000), key=0)
    >>> f"{w.std():.2f} {abs(w).max():.2f}"
    '0.88 2.00'
    """

    mean: float = 0.0
    stddev: float = 0.05
    cut: float = 2.0
    stddev_of: Literal["result", "parent"] = "result"

    def __post_init__(self) -> None:
        check_number("mean", self.mean)
        check_number("stddev", self.stddev, low=0)
        check_number("cut", self.cut, low=0.01)
        choose("stddev_of", self.stddev_of, {"result": 1, "parent": 1})

    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        parent = self.stddev / (truncated_stddev(self.cut) if self.stddev_of == "result" else 1)
        return key.truncated_normal(shape, self.mean, parent, -self.cut, self.cut, **how)


def truncated_stddev(cut: float) -> float:
    """Return the standard deviation of a standard normal given that it is within +-``cut``.

    >>> truncated_stddev(2)
    0.8796256610342398
    """
    density = math.exp(-cut * cut / 2) / math.sqrt(2 * math.pi)
    return math.sqrt(1 - 2 * cut * density / math.erf(cut / math.sqrt(2)))


@dataclass(frozen=True)
class VarianceScaling(Initializer):
    """Zero-mean weights whose variance is ``scale / fan``, whichever the distribution.

    Keeping ``fan * Var[w]`` constant keeps the variance of the signal constant from layer to layer: forwards
    when ``fan`` is the fan-in, backwards when it is the fan-out. A fan of 0 counts as 1.

    Args:
        scale: Variance of the weighted sum for inputs of unit second moment; ``gain**2`` of the activation.
        mode: What to divide by: ``"fan_in"``, ``"fan_out"``, their mean ``"fan_avg"``, or their geometric
            mean ``"fan_geo_avg"``.
        distribution: ``"normal"``, ``"uniform"``, or ``"truncated_normal"``, which is cut at two standard
            deviations and rescaled.

    Raises:
        ValueError: ``scale`` is not positive, or ``mode`` or ``distribution`` none of the above; when called,
            a shape of fewer than two axes.

    >>> w = VarianceScaling(2.0)((800, 1000), key=0)
    >>> f"{w.std():.3f} {math.sqrt(2 / 800):.3f}"
    '0.050 0.050'
    """

    scale: float = 1.0
    mode: Mode = "fan_in"
    distribution: Distribution = "truncated_normal"

    def __post_init__(self) -> None:
        check_number("scale", self.scale, low=0, open_low=True)
        choose("mode", self.mode, _MODES)
        choose("distribution", self.distribution, {name: name for name in get_args(Distribution)})

    def stddev(self, shape: Shape, layout: Layout = "io") -> float:
        """Return the standard deviation of the weights of a tensor of this shape."""
        return math.sqrt(self.scale / max(1.0, _MODES[self.mode](*fans(shape, layout))))

    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        stddev = self.stddev(shape, layout)
        if self.distribution == "normal":
            return key.normal(shape, 0.0, stddev, **how)
        if self.distribution == "truncated_normal":
            return key.truncated_normal(shape, 0.0, stddev / truncated_stddev(2.0), **how)
        limit = math.sqrt(3) * stddev  # the variance of a uniform law on +-limit is limit^2 / 3
        return key.uniform(shape, -limit, limit, **how)


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """A random (semi-)orthogonal matrix times ``gain``, by Haar measure; a kernel with a window is flattened.

    Saxe et al. 2013, arXiv:1312.6120: every singular value is ``gain``, so a linear network of any depth
    passes signal and gradient unchanged. Inputs (with the window) by outputs; the shorter side is
    orthonormal. Computed in float64 by LAPACK, so the last bits can differ from one LAPACK to another;
    ``index`` computes the whole and returns a part.

    >>> w = Orthogonal()((4, 3), key=0, dtype="float64")
    >>> bool(abs(w.T @ w - np.eye(3)).max() < 1e-14)
    True
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        check_number("gain", self.gain)

    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        kernel = take_apart(shape, layout)
        inputs, outputs = math.prod(kernel.window) * kernel.inputs, kernel.outputs
        rows, columns = (inputs, outputs) if layout == "io" else (outputs, inputs)

        def whole() -> NDArray[Any]:
            normal = key.normal((max(rows, columns), min(rows, columns)), dtype="float64")
            q, r = np.linalg.qr(normal)
            q *= self.gain * np.where(
                np.diagonal(r) < 0, -1, 1
            )  # Mezzadri 2007, math-ph/0609050: makes it Haar
            return (q if rows >= columns else q.T).reshape(shape)

        return _from_whole(whole, shape, **how)


@dataclass(frozen=True)
class Identity(Initializer):
    """Passes input i on to output i, times ``gain``; a convolution does so from the centre of its window.

    Le, Jaitly & Hinton 2015, arXiv:1504.00941.

    >>> Identity(2)((2, 3), key=0)
    array([[2., 0., 0.],
           [0., 2., 0.]], dtype=float32)
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        check_number("gain", self.gain)

    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        kernel = take_apart(shape, layout)
        centre: tuple[Any, ...] = tuple(size // 2 for size in kernel.window)
        if layout != "io":
            centre = (..., *centre)

        def whole() -> NDArray[Any]:
            w = np.zeros(shape)
            if w.size:
                np.fill_diagonal(w[centre], self.gain)
            return w

        return _from_whole(whole, shape, **how)


def _from_whole(
    whole: Callable[[], NDArray[Any]], shape: tuple[int, ...], index: Index | None = None, **how: Any
) -> NDArray[Any]:
    """Draw a law whose elements depend on each other: compute all, return the part asked for."""

    def fill(to: NDArray[Any], final: np.dtype[Any], **where: Any) -> None:
        values = whole()
        to[...] = values if index is None else values[index]

    return draw(fill, shape, index=index, **how)
