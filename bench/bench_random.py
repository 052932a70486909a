"""Random numbers: our laws on each instruction set beside NumPy, PyTorch, JAX; matrices; a whole transformer.

INITCORE_BENCH_PARAMETERS says how many parameters the transformer has: 1000000000 takes 4 GB.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from interleaved import rate

from initcore.bench import draws
from initcore.initializers import HeNormal
from initcore.random import Key

PARAMETERS = int(os.environ.get("INITCORE_BENCH_PARAMETERS", "0"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("law", draws.LAWS)
def bench_law(measure, law, dtype, isa, threads):
    entry = draws.law(law, threads, dtype, n=1 << 18)
    measure(entry.called(f"{entry.name} {isa}"))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("law", draws.LAWS)
def bench_many(measure, benchmark, law, dtype, threads):
    """16 million numbers, more than the caches hold, in place; 2 where PyTorch would take seconds."""
    millions = 2 if law == "truncated_normal" and dtype != "float32" else 16
    n = millions << 20 if benchmark.enabled else 1 << 12
    entry = draws.law(law, threads, dtype, n, jax=dtype == "float32")
    measure(entry.called(f"{millions} M {entry.name}"), 2.0)


@pytest.mark.parametrize(
    "n, dtype", [(256, "float32"), (1024, "float32"), (1024, "float64"), (4096, "float32")]
)
def bench_orthogonal(measure, benchmark, n, dtype, threads):
    measure(draws.orthogonal(n if benchmark.enabled else 64, threads, dtype), n / 512)


def bench_a_transformer(measure, benchmark, note, threads):
    """Seconds, and by how much memory grows above the tensors while they are filled."""
    entry = draws.transformer(PARAMETERS or (100_000_000 if benchmark.enabled else 100_000), threads)
    before = peak()
    entry.ours()
    grown = peak() - before
    if benchmark.enabled:
        note(
            [f"{entry.name} parameters take {entry.moved / 1e6:.0f} MB; memory grew by {grown:.1f} MB beyond"]
        )
    measure(entry, 2.0)


def peak():
    """The most memory that this process ever had, in MB; not a number where the system does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM")), float("nan"))


def bench_he_normal(compare):
    """What a user calls: 784 x 512 weights, key and validation included."""
    law, shape, stddev = HeNormal(), (784, 512), np.float32((2 / 784) ** 0.5)
    key, generator = Key(0), np.random.default_rng(0)
    in_numpy = lambda: generator.standard_normal(shape, np.float32) * stddev  # noqa: E731
    unit = rate("M samples/s", 784 * 512 / 1e6)
    compare("weights of a layer", lambda: law(shape, key), {"NumPy": in_numpy}, unit)
