"""Every activation, forward and slope, on arrays that stay in the cache, and as called from Python. Float32.

Beside the same in NumPy and PyTorch (activation_peers.py); all write into a buffer kept for it, but for the
last entry.
"""

import numpy as np
import pytest
from activation_peers import CALL, FORWARD, ROWS, SLOPE, TORCH, TORCH_ROWS, in_numpy, in_torch
from interleaved import time_per

from initcore import _core, activations
from initcore.plan import aligned_empty

N = 1 << 16  # 256 KB of float32: in the second-level cache, as a batch is
UNIT = time_per("ns per element", N)

every_activation = pytest.mark.parametrize(
    "name", [name for name in activations.names() if activations.get(name).elementwise]
)


@pytest.fixture
def arrays(name):
    """x, dy, y = f(x) and dx of an activation."""
    result = {key: aligned_empty(N, np.float32) for key in ("x", "dy", "y", "dx", "out")}
    result["x"][:], result["dy"][:] = np.random.default_rng(0).normal(0, 2, (2, N))
    result["y"][:] = activations.get(name)(result["x"])
    return result


@every_activation
def bench_forward(compare, name, arrays):
    f, x, y = activations.get(name), arrays["x"], arrays["out"]
    peers = {"NumPy": in_numpy(FORWARD.get(name, f.formula), y, f.parameters | {"x": x})}
    peers |= in_torch(TORCH.get(name, (None, None))[0], arrays | {"y": y})
    ours = lambda: _core.activation_forward(f.number, x, y, f.kernel_parameters)  # noqa: E731
    compare("activation", ours, peers, UNIT)


@every_activation
def bench_slope(compare, name, arrays):
    f, x, dy, y, dx = activations.get(name), *(arrays[key] for key in ("x", "dy", "y", "dx"))
    peers = {"NumPy": in_numpy(SLOPE[name], dx, f.parameters | arrays)} if name in SLOPE else {}
    peers |= in_torch(TORCH.get(name, (None, None))[1], arrays)
    ours = lambda: _core.activation_backward(f.number, dy, x, y, dx, f.kernel_parameters)  # noqa: E731
    compare("slope of an activation", ours, peers, UNIT)


@every_activation
def bench_call(compare, name, arrays):
    """As one writes it at the prompt: the result is a new array."""
    f, x = activations.get(name), arrays["x"]
    compare("activation, new array", lambda: f(x), in_torch(CALL.get(name), arrays), UNIT)


every_width = pytest.mark.parametrize("columns", [2, 10, 100, 1000])
every_row_activation = pytest.mark.parametrize("name", list(ROWS))


@pytest.fixture
def matrices(name, columns):
    """The arrays of `arrays`, as rows of that many columns, and the unit that fits."""
    rows = N // columns
    result = {key: aligned_empty(rows * columns, np.float32) for key in ("x", "dy", "y", "dx", "out")}
    result = {key: array.reshape(rows, columns) for key, array in result.items()}
    result["x"][:], result["dy"][:] = np.random.default_rng(0).normal(0, 2, (2, rows, columns))
    result["y"][:] = activations.get(name)(result["x"])
    return result, time_per("ns per element", rows * columns)


@every_width
@every_row_activation
def bench_rows(compare, name, columns, matrices):
    arrays, unit = matrices
    x, out = arrays["x"], arrays["out"]
    peers = {"NumPy": lambda: ROWS[name](x, out)} | in_torch(TORCH_ROWS[name][0], arrays | {"y": out})
    compare("activation of rows", lambda: _core.softmax_forward(x, out, name == "log_softmax"), peers, unit)


@every_width
@every_row_activation
def bench_rows_backward(compare, name, columns, matrices):
    arrays, unit = matrices
    dy, y, dx = (arrays[key] for key in ("dy", "y", "dx"))
    peers = in_torch(TORCH_ROWS[name][1], arrays)
    log = name == "log_softmax"
    compare("activation of rows, backward", lambda: _core.softmax_backward(dy, y, dx, log), peers, unit)
