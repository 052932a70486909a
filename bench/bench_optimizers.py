"""One optimizer step over a flat vector that fits into the cache, and over one that does not. Float32.

Each step stands beside a plain copy of as many bytes as it must move: every vector read once, the parameters
and slots written once. In memory a copy also reads what it overwrites, which nobody counts: a step, which
needs what it overwrites, can be quicker.
"""

import numpy as np
import pytest
from interleaved import optional, rate, time_per

from initcore import optimizers
from initcore.plan import aligned_empty

every_size = pytest.mark.parametrize("n", [100_000, 10_000_000])


def vectors(count, n):
    """Float32 vectors; the first is the gradient."""
    result = [aligned_empty(n, np.float32) for _ in range(count)]
    result[0][:] = np.random.default_rng(0).standard_normal(n, np.float32)
    for vector in result[1:]:
        vector.fill(0)
    return result


def our_step(optimizer, n):
    g, w = vectors(2, n)
    state = optimizer.init(n)
    return lambda: optimizer.step(w, g, state)


def copy(moved, n):
    """A copy that moves as many bytes as `moved` vectors have, half of them read, half written."""
    source, target = vectors(2, moved * n // 2)
    return lambda: np.copyto(target, source)


def numpy_adam(n):
    """NumPy without temporaries: every operation writes into a vector that exists."""
    g, w, m, v, a, b = vectors(6, n)
    t = 0

    def step(learning_rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        nonlocal t
        t += 1
        np.multiply(m, beta_1, out=m)
        np.add(m, np.multiply(g, 1 - beta_1, out=a), out=m)
        np.multiply(v, beta_2, out=v)
        np.multiply(g, g, out=a)
        np.add(v, np.multiply(a, 1 - beta_2, out=a), out=v)
        np.sqrt(v, out=a)
        np.multiply(a, 1 / (1 - beta_2**t) ** 0.5, out=a)
        np.add(a, epsilon, out=a)
        np.multiply(m, learning_rate / (1 - beta_1**t), out=b)
        np.subtract(w, np.divide(b, a, out=b), out=w)

    return step


def torch_adam(n, fused):
    torch = optional("torch")
    if torch is None:
        return None
    g, w = vectors(2, n)
    parameter = torch.nn.Parameter(torch.from_numpy(w))
    parameter.grad = torch.from_numpy(g)
    return torch.optim.Adam([parameter], fused=fused).step


@every_size
@pytest.mark.parametrize("name", optimizers.names())
def bench_step(compare, name, n):
    optimizer = optimizers.get(name)
    moved = 3 + 2 * optimizer.slots
    unit = rate("GB/s", moved * 4 * n / 1e9)
    compare("optimizer step, by number of parameters", our_step(optimizer, n), {"copy": copy(moved, n)}, unit)


@every_size
def bench_adam(compare, n):
    peers = {
        "NumPy": numpy_adam(n),
        "PyTorch fused": torch_adam(n, fused=True),
        "PyTorch": torch_adam(n, fused=False),
        "clipped": our_step(optimizers.Adam(global_clipnorm=1.0), n),  # ours too: what clipping costs
    }
    compare(
        "step of Adam, by number of parameters",
        our_step(optimizers.Adam(), n),
        peers,
        time_per("ns per parameter", n),
    )
