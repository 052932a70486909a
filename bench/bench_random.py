"""Million random numbers per second: our laws on each instruction set, NumPy's Generator, PyTorch."""

import numpy as np
import pytest
from interleaved import optional, rate

from initcore import _core
from initcore.initializers import HeNormal
from initcore.random import Key

N = 1 << 18
KEY = Key(0)
GENERATOR = np.random.default_rng(0)


def numpy_truncated(out):
    """Redraw what falls outside, as NumPy's users do: it has no such law."""
    GENERATOR.standard_normal(out=out, dtype=out.dtype)
    outside = np.flatnonzero(abs(out) > 2)
    while outside.size:
        out[outside] = GENERATOR.standard_normal(outside.size, out.dtype)
        outside = outside[abs(out[outside]) > 2]


# Law: ours, NumPy's, PyTorch's.
LAWS = {
    "uniform": (
        lambda out: _core.random_uniform(out, KEY.word, low=0, high=1),
        lambda out: GENERATOR.random(out=out, dtype=out.dtype),
        lambda torch, out: out.uniform_(0, 1),
    ),
    "normal": (
        lambda out: _core.random_normal(out, KEY.word, mean=0, stddev=1),
        lambda out: GENERATOR.standard_normal(out=out, dtype=out.dtype),
        lambda torch, out: out.normal_(0, 1),
    ),
    "truncated_normal": (
        lambda out: _core.random_truncated_normal(out, KEY.word, mean=0, stddev=1, low=-2, high=2),
        numpy_truncated,
        lambda torch, out: torch.nn.init.trunc_normal_(out, 0, 1, -2, 2),
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("law", LAWS)
def bench_law(compare, law, dtype, isa):
    ours, numpys, torchs = LAWS[law]
    out, torch = np.empty(N, dtype), optional("torch")
    tensor = torch and torch.empty(N, dtype=getattr(torch, dtype))
    peers = {"NumPy": lambda: numpys(out), "PyTorch": torch and (lambda: torchs(torch, tensor))}
    compare("random numbers", lambda: ours(out), peers, rate("M samples/s", N / 1e6))


def bench_he_normal(compare):
    """What a user calls: 784 x 512 weights, key and validation included."""
    law, shape, stddev = HeNormal(), (784, 512), np.float32((2 / 784) ** 0.5)
    in_numpy = lambda: GENERATOR.standard_normal(shape, np.float32) * stddev  # noqa: E731
    unit = rate("M samples/s", 784 * 512 / 1e6)
    compare("weights of a layer", lambda: law(shape, KEY), {"NumPy": in_numpy}, unit)
