"""The run of a minute: some of each kind of comparison, and the roof.

It takes place in a process of its own, which starts with the right environment (see `settings`): whoever asks
has imported NumPy long before. To add a comparison: a row of PARTS.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

from initcore import _core, roof
from initcore._validate import check_count, check_number, choose
from initcore.bench import draws, entries, machine, settings
from initcore.bench.interleaved import Entry, measure
from initcore.bench.networks import LARGE, Workload

Progress = Callable[[int, int, str], None]  # done, of how many, what is next

_ROUNDS = 4  # at least, of everything
_ROOF = 2  # its weight among the PARTS


def _brief(work: Workload) -> Workload:
    """Return a quarter of the steps, unless they are so small that what a training does once would count."""
    return replace(work, rows=work.rows // 4) if work.flops > 1e6 else work


# What the parts consist of, and how much of the time each entry gets.
PARTS: dict[str, tuple[float, list[Callable[[int], Entry]]]] = {
    "training": (5, [partial(entries.training, _brief(work)) for work in entries.NETWORKS]),
    "bf16": (2.5, [partial(entries.training_in_bf16, _brief(work)) for work in LARGE]),
    "products": (1, [partial(entries.product, *shape) for shape in entries.PRODUCTS]),
    "activations": (
        0.7,
        [partial(make, name) for make in (entries.activation, entries.slope) for name in entries.ACTIVATIONS],
    ),
    "optimizer": (1.5, [partial(entries.adam, n) for n in entries.PARAMETERS]),
    "random": (0.7, [partial(draws.law, name) for name in draws.LAWS]),
}


def run_here(threads: int, seconds: float, parts: Sequence[str], progress: Progress) -> dict[str, Any]:
    """Measure in this process; for the one that `run` starts."""
    _core.set_num_threads(threads)
    possible = [name for name in parts if name != "bf16" or _core.active_bf16()]
    work = [(PARTS[name][0], make) for name in possible for make in PARTS[name][1]]
    total = len(work) + 1
    left = _ROOF + sum(weight for weight, _ in work)
    end = perf_counter() + seconds

    def share(weight: float) -> float:
        """Of the time that is left: imports and compilers take theirs, and so do calls that are long."""
        nonlocal left
        part = weight / left
        left -= weight
        return max(end - perf_counter(), 0) * part

    about = machine.describe()
    progress(0, total, "roof")
    found = roof.measure(threads, share(_ROOF))
    results = []
    for done, (weight, make) in enumerate(work, 1):
        progress(done, total, _label(make))
        entry = make(threads)
        results.append(measure(entry, share(weight), _ROUNDS if seconds else 1).info())
    return {
        "machine": about,
        "threads": threads,
        "roof": found.to_dict(),
        "entries": results,
    }


def _label(make: Any) -> str:
    """Return what to call an entry before it is made."""
    first = make.args[0]
    return f"{make.func.__name__} {getattr(first, 'name', None) or ' '.join(map(str, make.args))}"


def run(
    threads: int = 1,
    seconds: float = 60.0,
    only: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure initcore beside the peers that are installed, and beside the roof.

    Args:
        threads: How many every library may use.
        seconds: About how long it takes.
        only: Parts: ``"training"``, ``"bf16"``, ``"products"``, ``"activations"``, ``"optimizer"``,
            ``"random"``; all if none is named. ``"bf16"`` is left out where there is no instruction for it.
        progress: Called with how many entries are done, of how many, and what comes next.

    Returns:
        What `report.text` prints and `picture.draw` draws: dictionaries and lists that JSON knows.

    Raises:
        ValueError, TypeError: An argument does not fit.
        RuntimeError: The process that measures has failed.
    """
    check_count("threads", threads)
    check_number("seconds", seconds, low=0)
    for name in only:
        choose("a part", name, PARTS)
    parts = list(only) or list(PARTS)
    command = [sys.executable, "-m", "initcore.bench", json.dumps([threads, seconds, parts])]
    environment = settings.environment(os.environ, threads)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None, "it was asked for"
        results: dict[str, Any] | None = None
        try:
            for line in child.stdout:
                message = json.loads(line)
                if "entries" in message:
                    results = message
                elif progress is not None:
                    progress(*message["progress"])
        except BaseException:  # Ctrl-C above all: do not measure on for nobody
            child.terminate()
            raise
    if child.returncode or results is None:
        raise RuntimeError(f"the process that measures {_ending(child.returncode)}")
    return results


def _ending(code: int) -> str:
    """Say how a process ended: one that a signal ended had no words."""
    if code < 0:
        return f"was ended by signal {-code} ({signal.strsignal(-code)})"
    return f"ended with {code}; its words are above"
