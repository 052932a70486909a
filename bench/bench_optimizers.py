"""One optimizer step over a flat vector that fits into the cache, and over one that does not. Float32.

Each step stands beside a plain copy of as many bytes as it must move: every vector read once, the parameters
and slots written once. In memory a copy also reads what it overwrites, which nobody counts: a step, which
needs what it overwrites, can be quicker.
"""

import numpy as np
import pytest
from interleaved import rate, time_per

from initcore import optimizers, roof
from initcore.bench import entries

every_size = pytest.mark.parametrize("n", entries.PARAMETERS)


def copy(moved, n):
    """A copy that moves as many bytes as `moved` vectors have, half of them read, half written."""
    source, target = entries.vectors(2, moved * n // 2)
    return lambda: np.copyto(target, source)


@every_size
@pytest.mark.parametrize("name", optimizers.names())
def bench_step(compare, name, n):
    optimizer = optimizers.get(name)
    moved = roof.vectors_moved(optimizer.slots)
    unit = rate("GB/s", moved * 4 * n / 1e9)
    compare(
        "optimizer step, by number of parameters",
        entries.our_step(optimizer, n),
        {"copy": copy(moved, n)},
        unit,
    )


@every_size
def bench_adam(measure, n, threads):
    measure(entries.adam(n, threads))


@every_size
def bench_clipped_adam(compare, n):
    """What clipping costs."""
    clipped = entries.our_step(optimizers.Adam(global_clipnorm=1.0), n)
    plain = entries.our_step(optimizers.Adam(), n)
    compare("step of Adam, clipped", clipped, {"not clipped": plain}, time_per("ns per parameter", n))
