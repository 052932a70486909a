"""Timings that a noisy machine cannot bend: contestants take turns, and are compared within each turn.

Whatever slows the machine down for longer than a turn slows all of them down; the median of the turns' ratios
leaves out those in which something shorter happened.
"""

from __future__ import annotations

import importlib
import importlib.util
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from time import perf_counter
from typing import Any

OURS = "initcore"
ROOF = "roof"
ROUNDS = 7, 300  # at least, at most
QUICK = 0.01  # seconds; of a longer call the first thousandths, with cold caches, do not matter
WARM = 1e-3  # seconds

Call = Callable[[], object]


@dataclass(frozen=True)
class Unit:
    """What a call's seconds are told in."""

    name: str
    value: Callable[[float], float]


def time_per(name: str, count: float) -> Unit:
    """Return the time that each of the ``count`` things of a call takes: ``time_per("ns per element", n)``.

    >>> time_per("us per step", 2).value(1e-6)
    0.5
    """
    scale = {"ns": 1e9, "us": 1e6, "ms": 1e3}[name.split()[0]]
    return Unit(name, lambda seconds: seconds / count * scale)


def rate(name: str, amount: float) -> Unit:
    """Return how much is done in a second, of which a call does ``amount``: ``rate("GB/s", 1e-9 * size)``.

    >>> rate("GB/s", 3).value(2)
    1.5
    """
    return Unit(name, lambda seconds: amount / seconds)


@dataclass(frozen=True)
class Entry:
    """One comparison: the same work, done by us and by others.

    Attributes:
        group, name: What is compared, and on what.
        unit: What a call's seconds are told in.
        ours: Our call.
        peers: The others' calls by name; None is one that is not installed. Left out is who
            cannot do the work.
        flops, moved: Operations of a call, and bytes that it has to move at least, where that is told.
        roof: A call that does what cannot be avoided: as many multiply-adds, as many bytes moved.
        precision: Ours and the roof's, as `initcore.precision` names it.
    """

    group: str
    name: str
    unit: Unit
    ours: Call
    peers: Mapping[str, Call | None]
    roof: Call | None = None
    flops: float = 0.0
    moved: float = 0.0
    precision: str = "fp32"

    def called(self, name: str) -> Entry:
        """Return the same under another name."""
        return replace(self, name=name)

    def result(self, turns: Sequence[Mapping[str, float]]) -> Result:
        """Return what came out of it: the seconds of each contestant in each turn."""
        return Result(
            self.group, self.name, self.unit, turns, self.missing, self.flops, self.moved, self.precision
        )

    @property
    def present(self) -> dict[str, Call]:
        """Those that take turns with us, by name."""
        calls = {name: call for name, call in self.peers.items() if call is not None}
        return calls if self.roof is None else {**calls, ROOF: self.roof}

    @property
    def missing(self) -> list[str]:
        """Those that are not installed."""
        return sorted(name for name, call in self.peers.items() if call is None)


@dataclass(frozen=True)
class Result:
    """What came out of one entry."""

    group: str
    name: str
    unit: Unit
    turns: Sequence[Mapping[str, float]]  # seconds of each contestant
    missing: list[str] = field(default_factory=list)
    flops: float = 0.0
    moved: float = 0.0
    precision: str = "fp32"

    @property
    def seconds(self) -> dict[str, float]:
        """The median of each contestant, ours first."""
        names = sorted(self.turns[0], key=lambda name: name != OURS)
        return {name: statistics.median(one[name] for one in self.turns) for name in names}

    @property
    def ratios(self) -> dict[str, float]:
        """How many times as long as we the others took: the median of the turns."""
        return {name: self._ratio(name) for name in self.turns[0] if name not in (OURS, ROOF)}

    @property
    def of_roof(self) -> float | None:
        """How much of the roof's speed ours is, if there is a roof: 1 is all of it."""
        return self._ratio(ROOF) if ROOF in self.turns[0] else None

    def _ratio(self, name: str) -> float:
        return statistics.median(one[name] / one[OURS] for one in self.turns)

    @property
    def value(self) -> float:
        """Our figure in the unit."""
        return self.unit.value(self.seconds[OURS])

    def info(self) -> dict[str, Any]:
        """Return all of it as what JSON knows."""
        return {
            "group": self.group,
            "name": self.name,
            "unit": self.unit.name,
            "precision": self.precision,
            "values": {name: self.unit.value(value) for name, value in self.seconds.items()},
            "ratios": self.ratios,
            "of_roof": self.of_roof,
            "missing": self.missing,
            "gflops": 1e-9 * self.flops / self.seconds[OURS] if self.flops else None,
            "intensity": self.flops / self.moved if self.moved else None,  # operations per byte
        }


def optional(module: str) -> Any:
    """Return a module, or None where it is not installed."""
    return importlib.import_module(module) if importlib.util.find_spec(module) else None


def repeat(call: Call, times: int) -> None:
    """Make a call some times."""
    for _ in range(times):
        call()


def timed(call: Call) -> float:
    """Return the seconds of one call."""
    start = perf_counter()
    call()
    return perf_counter() - start


def turn(calls: Mapping[str, Call], warm_ups: Mapping[str, int]) -> dict[str, float]:
    """Time each once, after as many more calls of it as ``warm_ups`` says."""
    times = {}
    for name, call in calls.items():
        repeat(call, warm_ups[name])
        times[name] = timed(call)
    return times


def plan_rounds(
    calls: Mapping[str, Call], seconds: float, at_least: int = ROUNDS[0]
) -> tuple[dict[str, int], int]:
    """Return how often to call each before it is timed, and how many rounds fit into some seconds.

    What takes less than ``QUICK`` is called for about ``WARM``, at least once, which brings its data back
    into the caches that the others used: what nearly fills one is not all there after one pass or two.
    """
    once = dict.fromkeys(calls, 0)
    turn(calls, once)
    times = turn(calls, once)
    warm_ups = {name: ceil(WARM / max(value, 1e-6)) if value < QUICK else 0 for name, value in times.items()}
    cost = sum(value * (1 + warm_ups[name]) for name, value in times.items())
    return warm_ups, int(min(max(seconds / max(cost, 1e-9), at_least), ROUNDS[1]))


def measure(entry: Entry, seconds: float, at_least: int = ROUNDS[0]) -> Result:
    """Let all of an entry take turns for about some seconds.

    >>> entry = Entry("group", "name", rate("calls/s", 1), lambda: None, {"other": lambda: None})
    >>> sorted(measure(entry, seconds=0.001).seconds)
    ['initcore', 'other']
    """
    calls = {OURS: entry.ours, **entry.present}
    warm_ups, rounds = plan_rounds(calls, seconds, at_least)
    return entry.result([turn(calls, warm_ups) for _ in range(rounds)])
