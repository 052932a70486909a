"""One batch of a loss with its gradient, in a plan, beside good NumPy on the same arrays.

``extra_info`` holds ns per element and how many times longer NumPy took in the same run. One thread; float32.
"""

from time import perf_counter

import numpy as np
import pytest

from initcore import _core, losses
from initcore.plan import Plan

BATCHES = 100  # per call, so that the way from Python does not count


@pytest.fixture(autouse=True)
def one_thread():
    before = _core.num_threads()
    _core.set_num_threads(1)
    yield
    _core.set_num_threads(before)


def softmax_crossentropy(z, y):
    """Loss and gradient in NumPy, as one would write them by hand."""
    rows = np.arange(len(z))
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = -np.log(p[rows, y]).mean()
    p[rows, y] -= 1
    p /= np.float32(len(z))
    return loss, p


def squared_error(p, y):
    """Loss and gradient in NumPy."""
    e = p - y
    return np.mean(e * e), e * np.float32(2 / e.size)


def best(run):
    times = []
    for _ in range(50):
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return min(times)


@pytest.mark.parametrize("shape", [(32, 2), (32, 10), (256, 100)], ids=str)
@pytest.mark.parametrize(
    ("name", "in_numpy"),
    [("sparse_categorical_crossentropy", softmax_crossentropy), ("mean_squared_error", squared_error)],
    ids=["softmax crossentropy", "squared error"],
)
def bench_loss_and_gradient(benchmark, name, in_numpy, shape):
    benchmark.group = f"loss {shape}"
    rows, columns = shape
    loss, rng = losses.get(name), np.random.default_rng(0)
    sparse = losses.KERNELS[name]["classes"]
    plan = Plan(rows)
    p, gradient = plan.batch(columns), plan.batch(columns)
    y = plan.batch(dtype=np.int32) if sparse else plan.batch(columns)
    total = plan.fixed(losses.TOTAL_SIZE, dtype=np.float64)
    loss.lower(plan, p, y, None, total, gradient, logits=sparse)
    plan.build()
    p.array[:] = rng.standard_normal(shape)
    y.array[:] = rng.integers(0, columns, rows) if sparse else rng.standard_normal(shape)
    benchmark(plan.run, ["loss"], rows * BATCHES)
    value, slope = in_numpy(p.array, y.array)
    assert loss.result(total.array) == pytest.approx(value, rel=1e-4)
    np.testing.assert_allclose(gradient.array, slope, rtol=1e-3, atol=1e-6)
    if benchmark.stats is None:  # --benchmark-disable
        return
    seconds = benchmark.stats.stats.min / BATCHES
    benchmark.extra_info["ns per element"] = round(seconds / p.array.size * 1e9, 2)
    benchmark.extra_info["NumPy / ours"] = round(best(lambda: in_numpy(p.array, y.array)) / seconds, 1)
