"""Million random numbers per second: our laws on each instruction set, NumPy's Generator, PyTorch."""

import numpy as np
import pytest
from interleaved import rate

from initcore.bench import entries
from initcore.initializers import HeNormal
from initcore.random import Key


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("law", entries.LAWS)
def bench_law(measure, law, dtype, isa, threads):
    entry = entries.law(law, threads, dtype, n=1 << 18)
    measure(entry.called(f"{entry.name} {isa}"))


def bench_he_normal(compare):
    """What a user calls: 784 x 512 weights, key and validation included."""
    law, shape, stddev = HeNormal(), (784, 512), np.float32((2 / 784) ** 0.5)
    key, generator = Key(0), np.random.default_rng(0)
    in_numpy = lambda: generator.standard_normal(shape, np.float32) * stddev  # noqa: E731
    unit = rate("M samples/s", 784 * 512 / 1e6)
    compare("weights of a layer", lambda: law(shape, key), {"NumPy": in_numpy}, unit)
