"""NumPy's and PyTorch's activations compute what ours do: the time is that of the same mathematics."""

import numpy as np
import pytest

from initcore import activations
from initcore.bench import elementwise

TOLERANCE = 2e-6  # of 1, and of the value; the error function's formula is good to 5e-7
NAMES = [name for name in activations.names() if activations.get(name).elementwise]
every = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def arrays(name, rng):
    """x, dy, y and what dy times the slope is, by ours."""
    f, x, dy = activations.get(name), rng.normal(0, 2, 1000).astype("f"), rng.normal(size=1000).astype("f")
    return x, dy, f(x), dy * f.slope(x)


def near(found, expected):
    return (abs(found - expected) <= TOLERANCE * (1 + abs(expected))).all()


@every
def test_numpy_computes_the_same(name, arrays):
    x, dy, y, dx = arrays
    given, out = [array.copy() for array in arrays], np.full(1000, np.nan, "f")
    elementwise.forward(name, x, out)["NumPy"]()
    assert near(out, y)
    if call := elementwise.slope(name, dy, x, y, out).get("NumPy"):
        out[:] = np.nan
        call()
        call()  # again: the buffers are used anew
        assert near(out, dx)
    assert all(np.array_equal(a, b) for a, b in zip(arrays, given, strict=True))


@pytest.mark.peers
@every
def test_pytorch_computes_the_same(name, arrays):
    pytest.importorskip("torch", reason="compares with PyTorch")
    x, dy, y, dx = arrays
    out = np.empty(1000, "f")
    calls = [
        elementwise.forward(name, x, out),
        elementwise.new(name, x),
        elementwise.slope(name, dy, x, y, out),
    ]
    for call, expected in zip(calls, (y, y, dx), strict=True):
        if "PyTorch" in call:
            assert near(call["PyTorch"]().numpy(), expected)


def test_rows_are_of_activations_that_there_are():
    assert {*elementwise.FORWARD, *elementwise.SLOPE} <= {*NAMES}
