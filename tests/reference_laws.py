"""What tests of initializers share: which tensors a law has, and what its weights must look like."""

import importlib.util
import math
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

import initcore as ic
from initcore import formats, layouts
from initcore.laws import DeltaOrthogonal, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling
from initcore.laws.recurrent import GateBias


def possible(law, shape, layout):
    """Whether there is such a tensor: delta-orthogonal maps do not narrow, gates are packed evenly."""
    if isinstance(law, GateBias):
        return shape[-1] % len(law.order) == 0
    if not isinstance(law, DeltaOrthogonal):
        return True
    sizes = [part.sizes(of_part) for of_part, part in layouts.of(layout).tensors(shape)]
    return all(size.inputs <= size.outputs for size in sizes)


class Promise(NamedTuple):
    """Mean, standard deviation and bounds of a law, and its 4th and 8th moments when both are 0 and 1."""

    mean: float
    stddev: float
    fourth: float
    eighth: float
    low: float
    high: float


def normal(mean, stddev):
    return Promise(mean, stddev, 3, 105, -math.inf, math.inf)


def uniform(low, high):
    return Promise((low + high) / 2, (high - low) / math.sqrt(12), 9 / 5, 9, low, high)


@cache
def cut_normal(mean, stddev, low, high):
    """Of a normal law with this mean and standard deviation, cut at these values; by Simpson's rule."""
    ends = max(low, mean - 12 * stddev), min(high, mean + 12 * stddev)
    x = np.linspace(*ends, 20_001)
    weights = np.where(np.arange(x.size) % 2, 4.0, 2.0)
    weights[[0, -1]] = 1
    peak = min(max(mean, low), high)
    weights *= np.exp(((peak - mean) ** 2 - (x - mean) ** 2) / (2 * stddev**2))
    weights /= weights.sum()
    middle = weights @ x
    spread = math.sqrt(weights @ (x - middle) ** 2)
    moments = [weights @ ((x - middle) / spread) ** k for k in (4, 8)]
    return Promise(middle, spread, *moments, low, high)


def promise(law, shape, layout):
    """What the documentation of a law of independent weights says, None for other laws."""
    match law:
        case RandomNormal(mean=mean, stddev=stddev):
            return normal(mean, stddev)
        case RandomUniform(minval=low, maxval=high):
            return uniform(low, high)
        case TruncatedNormal(mean=mean, stddev=stddev):
            parent = stddev / cut_normal(0, 1, -2, 2).stddev
            return cut_normal(mean, parent, mean - 2 * parent, mean + 2 * parent)
        case VarianceScaling():
            fan_in, fan_out = ic.fans(shape, layout)
            fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[law.mode]
            stddev = law.gain * math.sqrt(law.scale / fan)
            if law.distribution == "uniform":
                return uniform(-math.sqrt(3) * stddev, math.sqrt(3) * stddev)
            if law.distribution == "normal":
                return normal(0, stddev)
            parent = stddev / cut_normal(0, 1, -2, 2).stddev
            return cut_normal(0, parent, -2 * parent, 2 * parent)
    return None


def in_formats(*names):
    """A parameter over these formats, all unless given; bfloat16 needs ml_dtypes."""
    needs = pytest.mark.skipif("bfloat16" not in HERE, reason="needs ml_dtypes")
    chosen = names or formats.FORMATS
    return [pytest.param(name, marks=needs) if name == "bfloat16" else name for name in chosen]


# Formats that NumPy has arrays of here.
HERE = [name for name in formats.FORMATS if name != "bfloat16" or importlib.util.find_spec("ml_dtypes")]
REAL = [name for name, form in formats.FORMATS.items() if not form.complex]


def keeps(promised, weights, sigmas=6.0):
    """Assert that independent weights have these moments, each within so many of its standard errors.

    6 of them are passed once in 5e8 checks. The error of a mean of x^k is the root of (m_2k - m_k^2) / n. The
    two parts of complex weights have the law each, with half of the variance.
    """
    if weights.dtype.kind == "c":
        half = math.sqrt(0.5)
        centred = promised._replace(mean=0.0, stddev=half * promised.stddev)
        low, high = (half * (bound - promised.mean) for bound in (promised.low, promised.high))
        parts = weights.real - promised.mean, weights.imag
        for part in parts:
            keeps(centred._replace(low=low, high=high), part, sigmas)
        n = weights.size  # and know nothing of each other
        assert abs((parts[0] * parts[1]).mean()) < sigmas * promised.stddev**2 / 2 / math.sqrt(n)
        return
    # Each weight is rounded by half of this of its size, at most.
    resolution = 2.0 ** (1 - formats.format_of(weights.dtype).digits)
    z = (np.asarray(weights, float) - promised.mean) / promised.stddev
    n = z.size
    assert abs(z.mean()) < sigmas / math.sqrt(n)
    second, fourth = (z**2).mean(), (z**4).mean()
    assert abs(second - 1) < sigmas * math.sqrt((promised.fourth - 1) / n) + resolution**2
    error = math.sqrt((promised.eighth - promised.fourth**2) / n)
    assert abs(fourth - promised.fourth) < sigmas * error + 10 * resolution**2
    slack = resolution * max(abs(promised.low), abs(promised.high))
    if math.isfinite(slack):
        assert promised.low - slack <= weights.min() and weights.max() <= promised.high + slack
        # and both ends are reached: less than 1e-8 of all samples leave a gap of 20 / n of the uniform's mass
        if promised.fourth < 2:
            gap = 20 / n * (promised.high - promised.low) + 2 * slack
            assert weights.min() < promised.low + gap and promised.high - gap < weights.max()
