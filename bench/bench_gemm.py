"""The matrix product in the shapes and layouts of training, beside NumPy's and PyTorch's. Float32."""

import numpy as np
import pytest
from interleaved import optional, rate

from initcore import _core

# m, n, k. Whole networks are in bench_training.py, where bias and activation ride along for nothing.
SHAPES = [(32, 128, 784), (64, 64, 128), (784, 128, 32), (128, 512, 512), (256, 256, 256)]


@pytest.mark.parametrize("layout", ["nn", "nt", "tn"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def bench_matmul(compare, shape, layout):
    m, n, k = shape
    rng, torch = np.random.default_rng(0), optional("torch")
    a = rng.standard_normal((k, m) if layout[0] == "t" else (m, k), np.float32)
    b = rng.standard_normal((n, k) if layout[1] == "t" else (k, n), np.float32)
    c, theirs = np.empty((2, m, n), np.float32)
    left, right = (a.T if layout[0] == "t" else a), (b.T if layout[1] == "t" else b)
    peers = {"NumPy": lambda: np.matmul(left, right, out=theirs), "PyTorch": None}
    if torch is not None:
        factors = torch.from_numpy(left), torch.from_numpy(right)
        out = torch.empty((m, n))
        peers["PyTorch"] = lambda: torch.matmul(*factors, out=out)
    _core.matmul(layout, a, b, c)
    np.testing.assert_allclose(c, left @ right, rtol=1e-4, atol=1e-5 * k)
    compare(
        "product m x n x k", lambda: _core.matmul(layout, a, b, c), peers, rate("GFLOP/s", 2e-9 * m * n * k)
    )
