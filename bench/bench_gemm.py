"""The matrix product in the shapes and layouts of training, beside NumPy's and PyTorch's."""

import pytest

from initcore.bench import entries

# m, n, k. Whole networks are in bench_training.py, where bias and activation ride along for nothing.
SHAPES = [(32, 128, 784), (64, 64, 128), (784, 128, 32), (128, 512, 512), (256, 256, 256), (1024, 1024, 1024)]


@pytest.mark.parametrize("layout", ["nn", "nt", "tn"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def bench_matmul(measure, shape, layout, threads):
    measure(entries.product(layout, *shape, threads))


@pytest.mark.parametrize("layout", ["nn", "nt", "tn"])
def bench_matmul_float64(measure, layout, threads):
    measure(entries.product(layout, 256, 256, 256, threads, "float64"))
