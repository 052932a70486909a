"""The comparisons, each a function that returns an `Entry`: the same work in initcore and in the others.

To add one: such a function; a row of it in `suite` if it belongs to the run of a minute, and a call in
``bench/``. The number of threads comes last. All is float32 unless it says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initcore import _core, activations, optimizers, roof
from initcore._optimizer import Optimizer
from initcore.bench import elementwise
from initcore.bench.in_numpy import adam as numpy_adam
from initcore.bench.in_numpy import pieces
from initcore.bench.interleaved import Call, Entry, optional, rate, repeat, time_per
from initcore.bench.networks import NETWORKS, Workload
from initcore.bench.peers import IN_BF16, PEERS, Contestant, Initcore
from initcore.plan import Plan, aligned_empty

PRODUCTS = (  # m, n, k
    ("nn", 32, 128, 784),
    ("nn", 64, 128, 784),
    ("tn", 784, 128, 64),
    ("nt", 128, 512, 512),
    ("nn", 256, 256, 256),
    ("nn", 1024, 1024, 1024),
)
ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu")
PARAMETERS = 100_000, 10_000_000  # of an optimizer step: in the cache, and not

IN_PLAN = "in a plan"

_N = 1 << 16  # elements of an activation: 256 KB, in the second-level cache
_ADAM = 12  # operations of a step of Adam for each parameter, roots and divisions included


def training(
    work: Workload, threads: int = 1, peers: Sequence[type[Contestant]] = PEERS, group: str = "training step"
) -> Entry:
    """A training step, in microseconds; the roof is its products and the optimizer's traffic."""
    dtype = "bf16" if work.precision == "bf16" else "float32"
    products = roof.multiply_adds(work.flops * work.steps, threads, dtype)
    slots = optimizers.get(work.optimizer).slots
    traffic = roof.updates(work.parameters, work.steps, threads, slots)

    def bound() -> None:
        products()
        traffic()

    calls = {
        peer.name: _runner(peer, work, threads) if optional(peer.module) else None
        for peer in peers
        if peer.offers(work)
    }
    unit = time_per("us per step", work.steps)
    return Entry(
        group,
        work.name,
        unit,
        _runner(Initcore, work, threads),
        calls,
        bound,
        work.flops * work.steps,
        work.steps * 4.0 * roof.vectors_moved(slots) * work.parameters,
        work.precision,
    )


def training_in_bf16(work: Workload, threads: int = 1) -> Entry:
    """The same with products in bfloat16, beside our own float32 and PyTorch, which casts automatically."""
    group = "training step, products in bf16 (PyTorch: autocast)"
    return training(replace(work, precision="bf16"), threads, IN_BF16, group)


def _runner(contestant: type[Contestant], work: Workload, threads: int) -> Call:
    made = contestant(work, threads)
    return lambda: made.run(work.epochs)


def product(
    layout: str,
    m: int,
    n: int,
    k: int,
    threads: int = 1,
    dtype: str = "float32",
    work: float = 2e6,
    in_plan: bool = False,
) -> Entry:
    """c = a b, with the layout of a and b: n as it is, t transposed. GFLOP/s; the roof is multiply-adds.

    All matrices start on a cache line, as the tensors of a network do, here and in PyTorch. A call makes as
    many products as have about ``work`` operations: it shall not be all overhead. ``in_plan`` adds the same
    in a plan, as a training step makes it, to the others.
    """
    torch = optional("torch")
    a, b, c, theirs = (
        aligned_empty(rows * columns, dtype).reshape(rows, columns)
        for rows, columns in (
            (k, m) if layout[0] == "t" else (m, k),
            (n, k) if layout[1] == "t" else (k, n),
            (m, n),
            (m, n),
        )
    )
    rng = np.random.default_rng(0)
    for operand in (a, b):
        operand[:] = rng.standard_normal(operand.shape)
    left, right = (a.T if layout[0] == "t" else a), (b.T if layout[1] == "t" else b)
    flops = 2 * m * n * k
    times = max(round(work / flops), 1)
    others: dict[str, Call | None] = {
        "NumPy": repeated(lambda: np.matmul(left, right, out=theirs), times),
        "PyTorch": None,
    }
    if torch is not None:
        torch.set_num_threads(threads)
        x, y, out = torch.from_numpy(left), torch.from_numpy(right), torch.from_numpy(theirs)
        others["PyTorch"] = repeated(lambda: torch.matmul(x, y, out=out), times)
    if in_plan:
        plan = Plan(batch_size=1, dtype=np.dtype(dtype))
        plan.add("product", "matmul", layout=layout, a=plan.view(a), b=plan.view(b), c=plan.view(c))
        plan.build()
        others[IN_PLAN] = lambda: plan.run(["product"], rows=times)
    return Entry(
        "product m x n x k" + ("" if dtype == "float32" else f", {dtype}"),
        f"{m}x{n}x{k}-{layout}",
        rate("GFLOP/s", 1e-9 * flops * times),
        repeated(lambda: _core.matmul(layout, a, b, c), times),
        others,
        roof.multiply_adds(flops * times, threads, dtype),
        flops * times,
        (a.nbytes + b.nbytes + c.nbytes) * times,
        "fp32" if dtype == "float32" else "fp64",
    )


def repeated(call: Callable[[], object], times: int) -> Call:
    """Return a call that makes some calls."""
    return call if times == 1 else partial(repeat, call, times)


def activation(name: str, threads: int = 1) -> Entry:
    """y = f(x), in nanoseconds per element."""
    f, x, y, theirs, _ = _elements(name, threads)
    return Entry(
        "activation",
        name,
        time_per("ns per element", _N),
        lambda: _core.activation_forward(f.number, x, y, f.kernel_parameters),
        elementwise.forward(name, x, theirs),
    )


def slope(name: str, threads: int = 1) -> Entry:
    """dx = dy f'(x), in nanoseconds per element."""
    f, x, y, theirs, dy = _elements(name, threads)
    dx = np.empty_like(x)
    return Entry(
        "slope of an activation",
        name,
        time_per("ns per element", _N),
        lambda: _core.activation_backward(f.number, dy, x, y, dx, f.kernel_parameters),
        elementwise.slope(name, dy, x, y, theirs),
    )


def _elements(name: str, threads: int) -> tuple[Any, ...]:
    torch = optional("torch")
    if torch is not None:
        torch.set_num_threads(threads)
    f = activations.get(name)
    x, dy = np.random.default_rng(0).normal(0, 2, (2, _N)).astype(np.float32)
    y = f(x)
    return f, x, y, np.empty_like(x), dy


def vectors(count: int, n: int) -> list[NDArray[Any]]:
    """Return aligned float32 vectors of zeros; the first holds a gradient."""
    result = [aligned_empty(n, np.float32) for _ in range(count)]
    result[0][:] = np.random.default_rng(0).standard_normal(n, np.float32)
    for vector in result[1:]:
        vector.fill(0)
    return result


def our_step(optimizer: Optimizer, n: int) -> Call:
    """Return a call that takes a step of one of our optimizers on ``n`` parameters."""
    g, w = vectors(2, n)
    state = optimizer.init(n)
    return lambda: optimizer.step(w, g, state)


def torch_adam(n: int, fused: bool) -> Call | None:
    """Return a call that takes a step of PyTorch's Adam, or None where it is not installed."""
    torch = optional("torch")
    if torch is None:
        return None
    g, w = vectors(2, n)
    parameter = torch.nn.Parameter(torch.from_numpy(w))
    parameter.grad = torch.from_numpy(g)
    step: Call = torch.optim.Adam([parameter], fused=fused).step
    return step


def adam(n: int, threads: int = 1) -> Entry:
    """A step of Adam on ``n`` parameters, in nanoseconds each; the roof is its traffic."""
    torch = optional("torch")
    if torch is not None:
        torch.set_num_threads(threads)
    g, w, m, v = vectors(4, n)
    parts = pieces(w, g, m, v)
    optimizer = optimizers.Adam()
    steps = 0

    def in_numpy() -> None:
        nonlocal steps
        steps += 1
        for part in parts:
            numpy_adam(steps, *part)

    return Entry(
        "step of Adam",
        f"{n:_} parameters".replace("_", " "),
        time_per("ns per parameter", n),
        our_step(optimizer, n),
        {
            "NumPy": in_numpy,
            "PyTorch fused": torch_adam(n, fused=True),
            "PyTorch": torch_adam(n, fused=False),
        },
        roof.updates(n, 1, threads, optimizer.slots),
        _ADAM * n,
        4.0 * roof.vectors_moved(optimizer.slots) * n,
    )


__all__ = ["ACTIVATIONS", "NETWORKS", "PARAMETERS", "PRODUCTS"]
