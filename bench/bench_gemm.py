"""The matrix product in the shapes and layouts of training, beside NumPy's and PyTorch's."""

from dataclasses import replace

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


# From 1 up: around vectors and tiles, few rows, few columns, long ones.
CUBES = [1, 2, 4, 8, 16, 17, 24, 32, 48, 64, 65, 96, 100, 128, 130, 192, 200, 256, 258, 384, 512]
THIN = [(1, 64, 64), (1, 784, 128), (1, 128, 784), (1, 1024, 1024), (2, 512, 512), (4, 256, 1024)]
THIN += [(8, 128, 784), (32, 1, 128), (32, 10, 128), (784, 8, 64), (784, 10, 64), (1000, 3, 50)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", ["nn", "nt", "tn"])
@pytest.mark.parametrize(
    "shape", [(n, n, n) for n in CUBES] + THIN, ids=lambda shape: "x".join(map(str, shape))
)
def bench_every_size(measure, shape, layout, dtype, threads):
    entry = entries.product(layout, *shape, threads, dtype)
    measure(replace(entry, group=f"{entry.group}, every size ({layout})"), seconds=0.1)
