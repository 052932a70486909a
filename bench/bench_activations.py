"""ns per element of every activation, forward and backward, against NumPy.

NumPy evaluates the documented formula, on arrays that stay in the cache. Ours runs on one thread.
"""

import math
import time

import numpy as np
import pytest

from initcore import _core, activations

N = 1 << 14  # 64 KB of float32: in the second-level cache, as a batch is

ELEMENTWISE = [name for name in activations.names() if activations.get(name).elementwise]

FUNCTIONS = {
    name: getattr(np, name)
    for name in ("where", "maximum", "minimum", "exp", "log1p", "expm1", "tanh", "abs", "clip")
}


def erf(x):
    """Abramowitz & Stegun 7.1.26, to 1.5e-7: NumPy has none."""
    t = 1 / (1 + np.float32(0.3275911) * np.abs(x))
    p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.copysign(1 - p * np.exp(-x * x), x)


@pytest.fixture(autouse=True)
def one_thread():
    before = _core.num_threads()
    _core.set_num_threads(1)
    yield
    _core.set_num_threads(before)


def best_of(function, repeats=20):
    """The shortest time of one call, in seconds."""
    shortest = math.inf
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest


def report(benchmark, numpy_call):
    theirs = best_of(numpy_call)
    benchmark.extra_info["numpy_ns_per_element"] = round(theirs / N * 1e9, 3)
    if benchmark.stats:  # none under --benchmark-disable
        ours = benchmark.stats.stats.min
        benchmark.extra_info["ns_per_element"] = round(ours / N * 1e9, 3)
        benchmark.extra_info["times_faster_than_numpy"] = round(theirs / ours, 1)


@pytest.mark.parametrize("name", ELEMENTWISE)
def bench_forward(benchmark, name):
    benchmark.group = "activations, forward"
    f = activations.get(name)
    x = np.random.default_rng(0).normal(0, 2, N).astype(np.float32)
    y = np.empty_like(x)
    benchmark(_core.activation_forward, f.number, x, y, f.kernel_parameters)
    code = compile(f.formula, name, "eval")
    names = FUNCTIONS | {"erf": erf, "x": x} | f.parameters
    report(benchmark, lambda: eval(code, names))


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh"])
def bench_backward(benchmark, name):
    """Where the slope is an expression in y that one writes in NumPy without thinking."""
    benchmark.group = "activations, backward"
    f = activations.get(name)
    x, dy = np.random.default_rng(0).normal(0, 2, (2, N)).astype(np.float32)
    y, dx = f(x), np.empty_like(x)
    benchmark(_core.activation_backward, f.number, dy, x, y, dx, f.kernel_parameters)
    numpy_slope = {
        "relu": lambda: np.multiply(dy, y > 0, out=dx),
        "sigmoid": lambda: np.multiply(dy, y * (1 - y), out=dx),
        "tanh": lambda: np.multiply(dy, 1 - y * y, out=dx),
    }[name]
    report(benchmark, numpy_slope)


@pytest.mark.parametrize("name", ELEMENTWISE)
def bench_slope(benchmark, name):
    """Every slope, beside a plain product of two arrays: what it would cost if slopes were free."""
    benchmark.group = "activations, slope"
    f = activations.get(name)
    x, dy = np.random.default_rng(0).normal(0, 2, (2, N)).astype(np.float32)
    y, dx = f(x), np.empty_like(x)
    benchmark(_core.activation_backward, f.number, dy, x, y, dx, f.kernel_parameters)
    report(benchmark, lambda: np.multiply(dy, x, out=dx))
