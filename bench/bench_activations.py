"""Every activation, forward and slope, on arrays that stay in the cache, and as called from Python. Float32.

Beside the same in NumPy and PyTorch (initcore.bench.elementwise, and of whole rows below); all write into a
buffer kept for it, but for `bench_call`.
"""

from functools import partial

import numpy as np
import pytest
from interleaved import optional, time_per

from initcore import _core, activations
from initcore.bench import elementwise
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
    ours = lambda: _core.activation_forward(f.number, x, y, f.kernel_parameters)  # noqa: E731
    compare("activation", ours, elementwise.forward(name, x, y), UNIT)


@every_activation
def bench_slope(compare, name, arrays):
    f, x, dy, y, dx = activations.get(name), *(arrays[key] for key in ("x", "dy", "y", "dx"))
    ours = lambda: _core.activation_backward(f.number, dy, x, y, dx, f.kernel_parameters)  # noqa: E731
    compare("slope of an activation", ours, elementwise.slope(name, dy, x, y, arrays["out"]), UNIT)


@every_activation
def bench_call(compare, name, arrays):
    """As one writes it at the prompt: the result is a new array."""
    f, x = activations.get(name), arrays["x"]
    compare("activation, new array", lambda: f(x), elementwise.new(name, x), UNIT)


every_width = pytest.mark.parametrize("columns", [2, 10, 100, 1000])
every_row_activation = pytest.mark.parametrize("name", ["softmax", "log_softmax"])


def rows_in_numpy(name, x, out):
    """As its users write it for speed."""
    np.subtract(x, x.max(axis=1, keepdims=True), out=out)
    if name == "log_softmax":
        out -= np.log(np.exp(out).sum(axis=1, keepdims=True))
    else:
        np.exp(out, out=out)
        out *= 1 / out.sum(axis=1, keepdims=True)


def rows_in_torch(name, arrays):
    """PyTorch's calls for it and for its backward pass; None where it is not installed."""
    torch = optional("torch")
    if torch is None:
        return None, None
    x, dy, y, dx, out = (torch.from_numpy(arrays[key]) for key in ("x", "dy", "y", "dx", "out"))
    aten = torch.ops.aten
    if name == "softmax":
        return (
            partial(aten._softmax.out, x, 1, False, out=out),
            partial(aten._softmax_backward_data.out, dy, y, 1, torch.float32, grad_input=dx),
        )
    return (
        partial(aten._log_softmax.out, x, 1, False, out=out),
        partial(aten._log_softmax_backward_data.out, dy, y, 1, torch.float32, out=dx),
    )


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
    peers = {"NumPy": lambda: rows_in_numpy(name, x, out), "PyTorch": rows_in_torch(name, arrays)[0]}
    compare("activation of rows", lambda: _core.softmax_forward(x, out, name == "log_softmax"), peers, unit)


@every_width
@every_row_activation
def bench_rows_backward(compare, name, columns, matrices):
    arrays, unit = matrices
    dy, y, dx = (arrays[key] for key in ("dy", "y", "dx"))
    peers, log = {"PyTorch": rows_in_torch(name, arrays)[1]}, name == "log_softmax"
    compare("activation of rows, backward", lambda: _core.softmax_backward(dy, y, dx, log), peers, unit)
