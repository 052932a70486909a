"""One batch of a loss with its gradient, in a plan, beside good NumPy on the same arrays. Float32."""

import numpy as np
import pytest
from interleaved import time_per

from initcore import losses
from initcore.plan import Plan


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


@pytest.mark.parametrize("shape", [(32, 2), (32, 10), (256, 100)], ids=str)
@pytest.mark.parametrize(
    ("name", "in_numpy"),
    [("sparse_categorical_crossentropy", softmax_crossentropy), ("mean_squared_error", squared_error)],
    ids=["softmax crossentropy", "squared error"],
)
def bench_loss_and_gradient(compare, name, in_numpy, shape):
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
    value, slope = in_numpy(p.array, y.array)
    plan.run(["loss"], rows)
    assert loss.result(total.array) == pytest.approx(value, rel=1e-4)
    np.testing.assert_allclose(gradient.array, slope, rtol=1e-3, atol=1e-6)
    batches = 20  # per call, on both sides: ours run inside the plan, as in training

    def numpy_batches():
        for _ in range(batches):
            in_numpy(p.array, y.array)

    compare(
        "loss and gradient",
        lambda: plan.run(["loss"], rows * batches),
        {"NumPy": numpy_batches},
        time_per("ns per element", p.array.size * batches),
    )
