"""Comparisons of random numbers: the laws, orthogonal matrices, all weights of a transformer.

Each is in place, in memory that has been used before: how long the system takes to provide new pages is no
library's doing. JAX, whose arrays are always new, is the exception.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initcore import _core
from initcore.bench.interleaved import Call, Entry, Unit, optional, rate, time_per
from initcore.random import Key

LAWS = "uniform", "normal", "truncated_normal"

_SAMPLES = 1 << 20
_KEY = Key(0)
_HALVES = {"float16": np.dtype(np.float16), "bfloat16": np.dtype(np.uint16)}  # as the kernels know them


def law(name: str, threads: int = 1, dtype: str = "float32", n: int = _SAMPLES, jax: bool = False) -> Entry:
    """Random numbers, millions in a second. NumPy has none of 16 bits."""
    out = np.zeros(n, _HALVES.get(dtype, dtype))
    ours: dict[str, Call] = {
        "uniform": lambda: _core.random_uniform(out, _KEY.word, low=0, high=1),
        "normal": lambda: _core.random_normal(out, _KEY.word, mean=0, stddev=1),
        "truncated_normal": lambda: _core.random_truncated_normal(
            out, _KEY.word, mean=0, stddev=1, low=-2, high=2
        ),
    }
    peers = {"PyTorch": _in_torch(name, threads, dtype, n)}
    if dtype not in _HALVES:
        peers = {"NumPy": _in_numpy(name, np.zeros(n, dtype)), **peers}
    if jax:
        peers["JAX"] = _in_jax(name, dtype, n)
    return Entry(
        "random numbers",
        name if dtype == "float32" else f"{name}, {dtype}",
        rate("M samples/s", n / 1e6),
        ours[name],
        peers,
    )


def _in_numpy(name: str, out: NDArray[Any]) -> Call:
    generator = np.random.default_rng(0)
    calls: dict[str, Call] = {
        "uniform": lambda: generator.random(out=out, dtype=out.dtype),
        "normal": lambda: generator.standard_normal(out=out, dtype=out.dtype),
        "truncated_normal": lambda: _redrawn(generator, out),
    }
    return calls[name]


def _redrawn(generator: np.random.Generator, out: NDArray[Any]) -> None:
    """Truncated normal numbers, as NumPy's users get them: what falls outside is drawn anew."""
    generator.standard_normal(out=out, dtype=out.dtype)
    outside = np.flatnonzero(abs(out) > 2)
    while outside.size:
        out[outside] = generator.standard_normal(outside.size, out.dtype)
        outside = outside[abs(out[outside]) > 2]


def _in_torch(name: str, threads: int, dtype: str, n: int) -> Call | None:
    torch = optional("torch")
    if torch is None:
        return None
    torch.set_num_threads(threads)
    tensor = torch.zeros(n, dtype=getattr(torch, dtype))
    calls: dict[str, Call] = {
        "uniform": lambda: tensor.uniform_(0, 1),
        "normal": lambda: tensor.normal_(0, 1),
        "truncated_normal": lambda: torch.nn.init.trunc_normal_(tensor, 0, 1, -2, 2),
    }
    return calls[name]


def _in_jax(name: str, dtype: str, n: int) -> Call | None:
    jax = optional("jax")
    if jax is None or dtype == "float64":  # for which JAX wants a switch that changes the whole process
        return None
    draws = {
        "uniform": lambda key: jax.random.uniform(key, (n,), dtype),
        "normal": lambda key: jax.random.normal(key, (n,), dtype),
        "truncated_normal": lambda key: jax.random.truncated_normal(key, -2, 2, (n,), dtype),
    }
    compiled, key = jax.jit(draws[name]), jax.random.key(0)
    return lambda: jax.block_until_ready(compiled(key))


def orthogonal(n: int, threads: int = 1, dtype: str = "float32") -> Entry:
    """An n x n orthogonal matrix, in milliseconds; NumPy's from the QR decomposition of a normal one."""
    torch, generator = optional("torch"), np.random.default_rng(0)
    out = np.zeros((n, n), dtype)
    kind: Any = dtype
    in_torch = None
    if torch is not None:
        torch.set_num_threads(threads)
        tensor = torch.zeros(n, n, dtype=getattr(torch, dtype))
        in_torch = lambda: torch.nn.init.orthogonal_(tensor)  # noqa: E731
    return Entry(
        "orthogonal matrix",
        f"{n} x {n}" + ("" if dtype == "float32" else f", {dtype}"),
        time_per("ms", 1),
        lambda: _KEY.orthogonal((n, n), out=out),
        {"NumPy": lambda: np.linalg.qr(generator.standard_normal((n, n), kind)), "PyTorch": in_torch},
        flops=4 / 3 * n**3,
    )


def transformer_shapes(parameters: int) -> dict[str, tuple[tuple[int, int], float]]:
    """Return shape and standard deviation of the matrices of a GPT-2 of about so many parameters.

    Radford et al. 2019: 0.02, over sqrt(2 layers) where a residual branch ends.
    """
    width = 64 * max(round((parameters / 12 * 114) ** (1 / 3) / 64), 1)
    layers = max(round((parameters - 50257 * width) / (12 * width**2)), 1)
    tokens = 50257 if parameters > 10_000_000 else 512
    shapes = {"tokens": ((tokens, width), 0.02), "positions": ((1024, width), 0.02)}
    for i in range(layers):
        shapes |= {
            f"{i}/attention": ((width, 3 * width), 0.02),
            f"{i}/projection": ((width, width), 0.02 / math.sqrt(2 * layers)),
            f"{i}/expand": ((width, 4 * width), 0.02),
            f"{i}/contract": ((4 * width, width), 0.02 / math.sqrt(2 * layers)),
        }
    return shapes


def transformer(parameters: int, threads: int = 1) -> Entry:
    """All matrices of a transformer, in place, in seconds; PyTorch's own call on the same memory."""
    torch = optional("torch")
    shapes = transformer_shapes(parameters)
    memory = {name: np.full(shape, 0, np.float32) for name, (shape, _) in shapes.items()}
    count = sum(tensor.size for tensor in memory.values())

    def ours() -> None:
        for name, (shape, stddev) in shapes.items():
            (_KEY / name).normal(shape, 0, stddev, out=memory[name])

    in_torch = None
    if torch is not None:
        torch.set_num_threads(threads)
        tensors = {name: torch.from_numpy(array) for name, array in memory.items()}

        def in_torch() -> None:
            for name, (_, stddev) in shapes.items():
                torch.nn.init.normal_(tensors[name], 0.0, stddev)

    return Entry(
        "weights of a transformer",
        f"{count / 1e6:,.3g} million",
        Unit("seconds", lambda seconds: seconds),
        ours,
        {"PyTorch": in_torch},
        moved=4.0 * count,
    )


__all__ = ["LAWS", "law", "orthogonal", "transformer", "transformer_shapes"]
