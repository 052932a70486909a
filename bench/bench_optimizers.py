"""One optimizer step over a flat vector that fits into the cache, and over one that does not.

Beside the time, ``extra_info`` holds the bytes that a step must move per second (every vector read once; the
parameters and slots written once), the same for a plain copy measured in the same run, and for the peers how
many times longer they took than ours. One thread; float32.
"""

from time import perf_counter

import numpy as np
import pytest

from initcore import _core, optimizers
from initcore.plan import aligned_empty

SIZES = [100_000, 10_000_000]
every_size = pytest.mark.parametrize("n", SIZES)


@pytest.fixture(autouse=True)
def one_thread():
    before = _core.num_threads()
    _core.set_num_threads(1)
    yield
    _core.set_num_threads(before)


def vectors(count, n):
    """Float32 vectors; the first is the gradient."""
    result = [aligned_empty(n, np.float32) for _ in range(count)]
    result[0][:] = np.random.default_rng(0).standard_normal(n, np.float32)
    return result


def best(run, seconds=0.5):
    """The shortest of a few times that ``run`` takes, after one call to warm up."""
    run()
    times, end = [], perf_counter() + seconds
    while not times or (perf_counter() < end and len(times) < 1000):
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return min(times)


def copy_speed(n):
    """GB/s of a copy of the vector, read and written."""
    source, target = vectors(2, n)
    return 8 * n / best(lambda: np.copyto(target, source), 0.2) / 1e9


def report(benchmark, n, moved, ours=None):
    """Put what the numbers mean beside them: ``moved`` vectors per step; ``ours``: seconds of our step."""
    if benchmark.stats is None:  # --benchmark-disable
        return
    seconds = benchmark.stats.stats.min
    benchmark.extra_info["GB/s"] = round(moved * 4 * n / seconds / 1e9, 1)
    benchmark.extra_info["copy GB/s"] = round(copy_speed(n), 1)
    benchmark.extra_info["ns per parameter"] = round(seconds / n * 1e9, 3)
    if ours:
        benchmark.extra_info["times ours"] = round(seconds / ours, 2)


def our_step(optimizer, n):
    g, w = vectors(2, n)
    state = optimizer.init(n)
    return lambda: optimizer.step(w, g, state)


def our_seconds(benchmark, n):
    return None if benchmark.disabled else best(our_step(optimizers.Adam(), n))


@every_size
@pytest.mark.parametrize("name", optimizers.names())
def bench_step(benchmark, name, n):
    benchmark.group = f"step of {n} parameters"
    optimizer = optimizers.get(name)
    benchmark(our_step(optimizer, n))
    report(benchmark, n, 3 + 2 * optimizer.slots)


@every_size
def bench_adam_clipped(benchmark, n):
    benchmark.group = f"step of {n} parameters"
    optimizer = optimizers.Adam(global_clipnorm=1.0)
    benchmark(our_step(optimizer, n))
    report(benchmark, n, 4 + 2 * optimizer.slots)  # the norm reads the gradient once more


@every_size
def bench_adam_numpy(benchmark, n):
    """NumPy without temporaries: every operation writes into a vector that exists."""
    benchmark.group = f"step of {n} parameters"
    g, w, m, v, a, b = vectors(6, n)
    t = 0

    def step(rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
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
        np.multiply(m, rate / (1 - beta_1**t), out=b)
        np.subtract(w, np.divide(b, a, out=b), out=w)

    benchmark(step)
    report(benchmark, n, 7, our_seconds(benchmark, n))


@every_size
@pytest.mark.parametrize("fused", [True, False])
def bench_adam_torch(benchmark, n, fused):
    torch = pytest.importorskip("torch", reason="times PyTorch beside ours")
    benchmark.group = f"step of {n} parameters"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    g, w = vectors(2, n)
    parameter = torch.nn.Parameter(torch.from_numpy(w))
    parameter.grad = torch.from_numpy(g)
    benchmark(torch.optim.Adam([parameter], fused=fused).step)
    report(benchmark, n, 7, our_seconds(benchmark, n))
    torch.set_num_threads(threads)
