"""The roof: what this processor can do at best, measured now, so that a speed can be told as a part of it.

Multiply-adds in registers bound what computes, bytes moved bound what passes over long vectors; Williams,
Waterman & Patterson 2009, doi:10.1145/1498765.1498785. A clock that rises and falls with heat and neighbours
moves both: measure the roof in the run that it is compared with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initcore import _core
from initcore._validate import check_count
from initcore.plan import aligned_empty

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_USUAL = {"L1": 32 << 10, "L2": 512 << 10, "L3": 16 << 20}  # bytes, where the system does not tell
_SLICE = 1e-3  # seconds of one timing


@dataclass(frozen=True)
class Level:
    """A level of the memory, and how many GB/s pass between it and the registers.

    Attributes:
        name: ``"L1"``, ``"L2"``, ``"L3"`` or ``"DRAM"``.
        size: Bytes that it holds for one core; for the DRAM, bytes that were used.
        read: Of one vector that is summed.
        triad: Of two vectors read and one written. Not counted: bytes that a cache fetches only to
            overwrite them.
        update: Of four vectors read and three of them written again, as an optimizer with two slots does.
    """

    name: str
    size: int
    read: float
    triad: float
    update: float


@dataclass(frozen=True)
class Roof:
    """What `measure` found.

    Attributes:
        isa, threads: What it was measured with.
        gflops: By dtype, 10^9 multiplications and additions in a second; of ``"bf16"`` too, where there is
            an instruction for products in it.
        levels: The memory, nearest first, in float32.
    """

    isa: str
    threads: int
    gflops: dict[str, float]
    levels: tuple[Level, ...]

    def level(self, size: float) -> Level:
        """Return the nearest level that holds ``size`` bytes."""
        return next((level for level in self.levels if size <= level.size), self.levels[-1])

    def step(self, flops: float, parameters: int, slots: int = 2) -> float:
        """Return the seconds below which no float32 training step can be.

        Args:
            flops: Of its products.
            parameters: How many the optimizer updates.
            slots: Of the optimizer. Adam has two: 28 bytes are moved for each parameter, at the level that
                holds 16 (parameter, two moments, gradient).
        """
        bandwidth = self.level(4 * vectors_kept(slots) * parameters).update
        moved = 4 * vectors_moved(slots) * parameters
        return flops / (1e9 * self.gflops["float32"]) + moved / (1e9 * bandwidth)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as what JSON knows."""
        return asdict(self)


def vectors_kept(slots: int) -> int:
    """Return how many vectors an optimizer with that many slots works on: gradient, parameters, slots."""
    return 2 + slots


def vectors_moved(slots: int) -> int:
    """Return how many it moves in a step: it reads all of them, and writes all but the gradient."""
    return 2 * vectors_kept(slots) - 1


def measure(threads: int = 1, seconds: float = 1.0) -> Roof:
    """Measure the roof of the active instruction set; the best of many short timings counts.

    Args:
        threads: How many compute, each on memory of its own.
        seconds: About how long it takes.

    Raises:
        ValueError, TypeError: ``threads`` is not a count.

    >>> roof = measure(seconds=0.01)
    >>> roof.gflops["float32"] > 0
    True
    >>> [level.name for level in roof.levels]
    ['L1', 'L2', 'L3', 'DRAM']
    """
    check_count("threads", threads)
    dtypes = ["float32", "float64"] + ["bf16"] * bool(_core.active_bf16())
    timings = len(dtypes) + 3 * 4  # three patterns on four levels
    with _threads(threads):
        gflops = {dtype: _gflops(dtype, threads, seconds / timings) for dtype in dtypes}
        levels = tuple(_level(name, size, threads, seconds / timings) for name, size in _sizes().items())
    return Roof(_core.active_isa(), threads, gflops, levels)


def multiply_adds(flops: float, threads: int = 1, dtype: str = "float32") -> Callable[[], None]:
    """Return a call that does about as many operations, as fast as the processor can.

    ``dtype`` is ``"float32"``, ``"float64"``, or ``"bf16"`` where products can be had in it.
    """
    if dtype == "bf16":
        sums = np.ones((threads, _core.roof_sums(dtype)), np.float32)
        pairs = max(round(flops / (4 * sums.size)), 1)
        return lambda: _core.roof_multiply_add_bf16(sums, 0.0, pairs)
    values = np.ones((threads, _core.roof_sums(dtype)), dtype)
    rounds = max(round(flops / (2 * values.size)), 1)
    return lambda: _core.roof_multiply_add(values, 0.5, 1.0, rounds)


def updates(parameters: int, passes: int = 1, threads: int = 1, slots: int = 2) -> Callable[[], None]:
    """Return a call that only moves what ``passes`` steps of an optimizer with that many slots move.

    The loop is that of two slots. For other optimizers it runs over vectors of another length, as often as
    it takes to move the same bytes: as near to the same memory as whole passes allow.
    """
    per_pass = vectors_moved(2) * vectors_kept(slots) / vectors_kept(2)  # of as much memory
    ours = max(round(passes * vectors_moved(slots) / per_pass), 1)
    size = max(round(parameters / threads * passes * vectors_moved(slots) / vectors_moved(2) / ours), 1)
    first, second, third, g = (_rows(threads, 4 * size) for _ in range(4))
    return lambda: _core.roof_update(first, second, third, g, 0.5, ours)


def _gflops(dtype: str, threads: int, seconds: float) -> float:
    probe = 2e7 * threads
    flops = probe * max(_SLICE / _best(multiply_adds(probe, threads, dtype), 0), 1)
    return 1e-9 * flops / _best(multiply_adds(flops, threads, dtype), seconds)


def _level(name: str, size: int, threads: int, seconds: float) -> Level:
    """Use half of a cache, for all threads together if they share it: whatever else is in it has room."""
    used = size // 2 // (threads if name in ("L3", "DRAM") else 1)
    (x,), out = [_rows(threads, used)], np.empty(threads, np.float32)
    a, b, c = (_rows(threads, used // 3) for _ in range(3))
    first, second, third, g = (_rows(threads, used // 4) for _ in range(4))
    patterns: list[tuple[int, Callable[[int], None]]] = [
        (x.nbytes, lambda passes: _core.roof_sum(x, out, passes)),
        (3 * a.nbytes, lambda passes: _core.roof_triad(a, b, c, 0.5, passes)),
        (7 * g.nbytes, lambda passes: _core.roof_update(first, second, third, g, 0.5, passes)),
    ]
    found = []
    for moved, run in patterns:
        passes = max(round(_SLICE * threads * 50e9 / moved), 1)
        best = _best(lambda run=run, passes=passes: run(passes), seconds)  # type: ignore[misc]
        found.append(1e-9 * moved * passes / best)
    return Level(name, size, *found)


def _best(call: Callable[[], object], seconds: float) -> float:
    """Return the shortest of the timings that fit into some seconds, after one to warm up."""
    times: list[float] = []
    end = perf_counter() + seconds
    while len(times) < 3 or perf_counter() < end:
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return min(times[1:])


def _rows(rows: int, nbytes: int) -> NDArray[Any]:
    """Return a float32 array with one row of whole cache lines for each thread.

    It is filled: fresh memory that is only read has no pages of its own but one page of zeros again and
    again, which never leaves the nearest cache.
    """
    columns = max(nbytes // 64, 1) * 16
    result = aligned_empty(rows * columns, np.float32).reshape(rows, columns)
    result.fill(1)
    return result


def _sizes() -> dict[str, int]:
    """Return the bytes of each level, nearest first."""
    sizes = dict(_USUAL)
    for folder in sorted(_CACHES.glob("index*")):
        try:
            level, kind, text = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
            if kind != "Instruction" and f"L{level}" in sizes and text.endswith("K"):
                sizes[f"L{level}"] = int(text[:-1]) << 10
        except (OSError, ValueError):
            continue  # what is not told stays as usual
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {**sizes, "DRAM": min(8 * sizes["L3"], 1 << 29, memory // 8)}


@contextmanager
def _threads(n: int) -> Iterator[None]:
    before = _core.num_threads()
    _core.set_num_threads(n)
    try:
        yield
    finally:
        _core.set_num_threads(before)
