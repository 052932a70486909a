"""Timings that a noisy machine cannot bend: contestants take turns, medians are compared.

An entry calls the fixture `compare` of conftest.py with our call, the others' calls and the unit in which its
numbers mean something; nothing else in this folder looks at a clock.
"""

from __future__ import annotations

import importlib.util
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from types import ModuleType
from typing import Any

OURS = "initcore"
ROUNDS = 7, 300  # at least, at most

Call = Callable[[], object]


@dataclass(frozen=True)
class Unit:
    """What a call's seconds are told in."""

    name: str
    value: Callable[[float], float]


def time_per(name: str, count: float) -> Unit:
    """Return the time that each of the `count` things of a call takes: `time_per("ns per element", n)`."""
    scale = {"ns": 1e9, "us": 1e6, "ms": 1e3}[name.split()[0]]
    return Unit(name, lambda seconds: seconds / count * scale)


def rate(name: str, amount: float) -> Unit:
    """Return how much is done in a second, of which a call does `amount`: `rate("GB/s", 1e-9 * size)`."""
    return Unit(name, lambda seconds: amount / seconds)


@dataclass(frozen=True)
class Result:
    """Medians of one entry."""

    group: str
    name: str
    unit: Unit
    seconds: Mapping[str, float]  # by contestant, ours first
    missing: list[str]

    @property
    def ratios(self) -> dict[str, float]:
        """How many times as long as we the others took."""
        return {name: value / self.seconds[OURS] for name, value in self.seconds.items() if name != OURS}

    def cells(self) -> list[str]:
        """What the summary of a run says."""
        ratios = [f"{name} {ratio:.3g}x" for name, ratio in self.ratios.items()]
        return [self.name, f"{self.unit.value(self.seconds[OURS]):.4g}", *ratios]

    def info(self) -> dict[str, Any]:
        """What stands beside the timing in JSON."""
        values = {name: self.unit.value(value) for name, value in self.seconds.items()}
        ratios = {f"{name} / {OURS}": value for name, value in self.ratios.items()}
        return {"unit": self.unit.name} | values | ratios | {"missing": self.missing}


def optional(module: str) -> ModuleType | None:
    """Return a module, or None where it is not installed."""
    return importlib.import_module(module) if importlib.util.find_spec(module) else None


def timed(call: Call) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start


def interleave(benchmark: Any, ours: Call, peers: Mapping[str, Call], seconds: float) -> dict[str, float]:
    """Run all in turn for about `seconds`; return the medians, or nothing under --benchmark-disable."""
    times: dict[str, list[float]] = {name: [] for name in peers}

    def turn() -> None:  # before each timing of ours, in which pytest-benchmark holds the clock
        for name, call in peers.items():
            if quick:
                call()  # brings its data back into the cache
            times[name].append(timed(call))
        if quick:
            ours()

    quick, rounds = False, 1
    if benchmark.enabled:
        turn(), ours()  # warm up, compile
        cost = timed(turn) + timed(ours)
        quick = cost < 0.05
        rounds = int(min(max(seconds / (2 * cost if quick else cost), ROUNDS[0]), ROUNDS[1]))
        for values in times.values():
            values.clear()
    benchmark.pedantic(ours, setup=turn, rounds=rounds)
    if not benchmark.enabled:
        return {}
    return {OURS: benchmark.stats["median"]} | {name: statistics.median(v) for name, v in times.items()}
