"""Biases that start where the data says, at class priors or means of targets; those of other libraries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from initcore._validate import check_number
from initcore.formats import Format
from initcore.laws.base import Initializer
from initcore.laws.constant import Constant
from initcore.laws.spread import RandomUniform
from initcore.layouts import Layout, LayoutLike
from initcore.layouts.base import open_grid
from initcore.random import Key, Shape, draw


@dataclass(frozen=True)
class Values(Initializer):
    """A vector of given values.

    Raises:
        ValueError: a value is not finite; when called, for another shape than that of the values.

    >>> Values((1.0, -2.0))((2,), key=0)
    array([ 1., -2.], dtype=float32)
    """

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(check_number("each value", v) for v in self.values))

    def largest(self, shape: Shape, layout: LayoutLike = "io") -> float:
        return max(map(abs, self.values), default=0.0)

    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        if shape != (len(self.values),):
            raise ValueError(f"shape must be ({len(self.values)},), one element per value, got {shape}")

        def fill(to: NDArray[Any], final: Format, **where: Any) -> None:
            to[...] = np.array(self.values)[open_grid(shape, how["index"])[0]]

        return draw(fill, shape, **how)


def PriorBias(probability: float = 0.01) -> Constant:
    """Return the bias with which a sigmoid starts at the frequency of a rare class.

    Lin et al. 2017, arXiv:1708.02002 (RetinaNet), section 4.1: -log((1 - p) / p). Without it, the first
    steps of training go into learning that the class is rare.

    Args:
        probability: Of the class, between 0 and 1.

    >>> PriorBias(0.01)
    Constant(value=-4.59511985013459)
    """
    p = check_number("probability", probability, low=0, high=1, open_low=True, open_high=True)
    return Constant(-math.log((1 - p) / p))


def LogPriorBias(frequencies: ArrayLike, smoothing: float = 0.0) -> Values:
    """Return the biases with which a softmax starts at the frequencies of the classes.

    The loss then starts at the entropy of the classes, the best there is without looking at the inputs.

    Args:
        frequencies: How often each class occurs: counts or shares.
        smoothing: Added to each of them, for classes that do not occur.

    >>> LogPriorBias([50, 30, 20]).values
    (-0.6931471805599453, -1.2039728043259361, -1.6094379124341003)
    """
    counts = _vector("frequencies", frequencies) + check_number("smoothing", smoothing, low=0)
    if not (counts > 0).all():
        raise ValueError(
            "every class must have a positive frequency: give smoothing to those that do not occur"
        )
    return Values(tuple(np.log(counts / counts.sum()).tolist()))


def TargetMeanBias(targets: ArrayLike) -> Values:
    """Return the biases with which a linear last layer starts at the mean of its targets.

    Args:
        targets: (samples,) or (samples, outputs).

    >>> TargetMeanBias([[1.0, 10.0], [3.0, 30.0]])
    Values(values=(2.0, 20.0))
    """
    values = np.asarray(targets, float)
    if values.ndim not in (1, 2) or not values.shape[0]:
        raise ValueError(f"targets must be (samples,) or (samples, outputs), got shape {values.shape}")
    return Values(tuple(np.atleast_1d(values.mean(axis=0)).tolist()))


def TorchLinearBias(fan_in: float) -> RandomUniform:
    """Return what PyTorch's Linear and Conv layers draw their bias from: uniform on +-1 / sqrt(fan_in).

    Args:
        fan_in: Of the kernel, since a bias has none: ``ic.fans(kernel_shape, layout).fan_in``.

    >>> TorchLinearBias(100)
    RandomUniform(minval=-0.1, maxval=0.1)
    """
    bound = 1 / math.sqrt(check_number("fan_in", fan_in, low=0, open_low=True))
    return RandomUniform(-bound, bound)


def SklearnBias(fan_in: float, fan_out: float, activation: str = "relu") -> RandomUniform:
    """Return what scikit-learn's MLPClassifier and MLPRegressor draw biases from: as their kernels.

    Args:
        fan_in, fan_out: Of the kernel.
        activation: That of the hidden layers; the bound is smaller for ``"logistic"``.

    >>> SklearnBias(50, 100) == RandomUniform(-0.2, 0.2)
    True
    """
    total = check_number("fan_in + fan_out", fan_in + fan_out, low=0, open_low=True)
    bound = math.sqrt((2 if activation == "logistic" else 6) / total)
    return RandomUniform(-bound, bound)


def _vector(name: str, values: ArrayLike) -> NDArray[np.float64]:
    vector = np.asarray(values, float)
    if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all() or (vector < 0).any():
        raise ValueError(f"{name} must be a vector of finite numbers from 0, got {values!r}")
    return vector
