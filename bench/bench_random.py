"""Million random numbers per second on one thread: our laws, NumPy's Generator, torch where installed.

Truncated normal: NumPy has none, so its side redraws what falls outside, as its users do; torch's is
`trunc_normal_`.
"""

import time

import numpy as np
import pytest

from initcore import _core
from initcore.random import Key

N = 1 << 18
KEY = Key(0)
GENERATOR = np.random.default_rng(0)


def numpy_truncated(out):
    GENERATOR.standard_normal(out=out, dtype=out.dtype)
    outside = np.flatnonzero(abs(out) > 2)
    while outside.size:
        out[outside] = GENERATOR.standard_normal(outside.size, out.dtype)
        outside = outside[abs(out[outside]) > 2]


OURS = {
    "uniform": lambda out: _core.random_uniform(out, KEY.word, low=0, high=1),
    "normal": lambda out: _core.random_normal(out, KEY.word, mean=0, stddev=1),
    "truncated_normal": lambda out: _core.random_truncated_normal(
        out, KEY.word, mean=0, stddev=1, low=-2, high=2
    ),
}
NUMPY = {
    "uniform": lambda out: GENERATOR.random(out=out, dtype=out.dtype),
    "normal": lambda out: GENERATOR.standard_normal(out=out, dtype=out.dtype),
    "truncated_normal": numpy_truncated,
}
TORCH = {
    "uniform": lambda torch, out: out.uniform_(0, 1),
    "normal": lambda torch, out: out.normal_(0, 1),
    "truncated_normal": lambda torch, out: torch.nn.init.trunc_normal_(out, 0, 1, -2, 2),
}


def best(function, *arguments, rounds=7):
    """Seconds of the fastest of some calls."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return min(times)


def torch_seconds(law, dtype):
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return best(TORCH[law], torch, torch.empty(N, dtype=getattr(torch, dtype)))
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def one_thread():
    before = _core.num_threads()
    _core.set_num_threads(1)
    yield
    _core.set_num_threads(before)


@pytest.fixture(params=_core.isas())
def isa(request):
    before = _core.active_isa()
    _core.use_isa(request.param)
    yield request.param
    _core.use_isa(before)


def report(benchmark, seconds, numpy_seconds):
    """Put the figures beside the timing; nothing was timed if benchmarks are disabled."""
    benchmark.extra_info["M_samples_per_s"] = round(N / seconds / 1e6, 1)
    benchmark.extra_info["ns_per_sample"] = round(seconds / N * 1e9, 3)
    benchmark.extra_info["times_numpy"] = round(numpy_seconds / seconds, 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("law", OURS)
def bench_law(benchmark, law, dtype, isa, one_thread):
    benchmark.group = f"{law} {dtype}"
    out = np.empty(N, dtype)
    benchmark(OURS[law], out)
    report(benchmark, best(OURS[law], out), best(NUMPY[law], out))


@pytest.mark.peers
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("law", OURS)
def bench_law_beside_torch(benchmark, law, dtype, one_thread):
    seconds = torch_seconds(law, dtype)
    benchmark.group = f"{law} {dtype}"
    out = np.empty(N, dtype)
    benchmark(OURS[law], out)
    ours = best(OURS[law], out)
    report(benchmark, ours, best(NUMPY[law], out))
    benchmark.extra_info["times_torch"] = round(seconds / ours, 2)


def bench_he_normal_of_a_layer(benchmark, one_thread):
    """What a user calls: 784 x 512 weights, key and validation included."""
    from initcore.initializers import HeNormal

    law, generator = HeNormal(), np.random.default_rng(0)
    benchmark(law, (784, 512), KEY)
    ours = best(law, (784, 512), KEY)
    numpy = best(lambda: generator.standard_normal((784, 512), np.float32) * np.float32((2 / 784) ** 0.5))
    benchmark.extra_info["times_numpy"] = round(numpy / ours, 2)
