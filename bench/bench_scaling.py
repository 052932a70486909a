"""How a training step grows: with width, depth, batch, classes, rows of data, threads. Only ours.

All sizes of a curve take turns. The summary says for each size how many operations of its products are done
in a second, and by how much more the step has grown than its operations, since the size before. More than
CLIFF is named.
"""

import os
import subprocess
import sys
from dataclasses import replace
from statistics import median

import pytest
from interleaved import Entry, interleave, time_per

from initcore import _core
from initcore.bench.interleaved import OURS, plan_rounds, turn
from initcore.bench.networks import NETWORKS, Workload
from initcore.bench.peers import Initcore
from initcore.bench.tables import aligned, figure

CLIFF = 1.5
BASE = Workload((256, 256, 256, 10), 64, rows=2048)


def of_width(n):
    return replace(BASE, widths=(n, n, n, 10))


CURVES = {
    "width": (of_width, [16, 24, 32, 48, 64, 96, 100, 128, 192, 256, 384, 512, 768, 1024]),
    "depth": (lambda n: replace(BASE, widths=(128, *[128] * n, 10)), [1, 2, 3, 4, 6, 8, 12, 16, 32]),
    "batch": (
        lambda n: replace(BASE, batch=n, rows=2048),
        [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
    ),
    "classes": (
        lambda n: replace(BASE, widths=(256, 256, n)),
        [2, 3, 4, 8, 10, 16, 32, 64, 100, 128, 256, 1000],
    ),
    "rows": (lambda n: replace(BASE, rows=n), [128, 512, 2048, 8192, 32768, 131072]),
}


@pytest.mark.parametrize("axis", CURVES)
def bench_growth(benchmark, note, axis, threads):
    """A step beside its operations, from size to size. One timing of pytest-benchmark is all sizes once."""
    make, sizes = CURVES[axis]
    benchmark.group = "growth"
    works = {n: make(n) for n in (sizes if benchmark.enabled else sizes[:2])}
    calls = {n: runner(work, threads) for n, work in works.items()}
    warm_ups, rounds = plan_rounds(calls, 4.0) if benchmark.enabled else (dict.fromkeys(calls, 0), 1)
    turns = []
    benchmark.pedantic(lambda: turns.append(turn(calls, warm_ups)), rounds=rounds)
    if not benchmark.enabled:
        return
    rows, before = [[axis, "us per step", "GFLOP/s", "step / operations"]], None
    steps, growths = {}, {}
    for n, work in works.items():
        step = median(one[n] for one in turns) / work.steps
        steps[n], told = 1e6 * step, ""
        if before:  # neighbours of the same turn: what slows the machine down slows both
            operations = work.flops * work.steps / (works[before].flops * works[before].steps)
            growth = median(one[n] / one[before] for one in turns) / operations
            growths[f"{before} to {n}"] = growth
            told = f"{growth:.2f}" + (" CLIFF" if growth > CLIFF else "")
        rows.append([str(n), figure(1e6 * step), figure(1e-9 * work.flops / step), told])
        before = n
    benchmark.extra_info |= {"axis": axis, "us per step": steps, "step / operations": growths}
    note(["", *aligned(rows)])


def runner(work, threads):
    made = Initcore(work, threads)
    return lambda: made.run(work.epochs)


# Powers of two up to the processors that this program may use, and these.
ALLOWED = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
COUNTS = sorted({2**i for i in range(1, len(ALLOWED).bit_length())} | {len(ALLOWED)} - {1})


@pytest.fixture(params=COUNTS, ids="{} threads".format)
def processors(request):
    """As many processors as there are threads, to which all threads of this program are tied meanwhile."""
    before = {int(thread): os.sched_getaffinity(int(thread)) for thread in os.listdir("/proc/self/task")}
    chosen = ALLOWED[-request.param :]
    for thread in before:
        os.sched_setaffinity(thread, chosen)
    yield chosen
    for thread in map(int, os.listdir("/proc/self/task")):  # those that were started meanwhile too
        os.sched_setaffinity(thread, before.get(thread, ALLOWED))


@pytest.fixture(params=[False, True], ids=["alone", "busy neighbour"])
def neighbour(request, processors):
    """A program that takes a whole one of these processors."""
    if not request.param:
        yield ""
        return
    code = f"import os; os.sched_setaffinity(0, {{{processors[-1]}}})\nwhile True: pass"
    process = subprocess.Popen([sys.executable, "-c", code])
    yield ", beside a busy program"
    process.kill()
    process.wait()


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are tied to processors")
@pytest.mark.parametrize("work", NETWORKS, ids=lambda work: work.name)
def bench_threads(benchmark, note, work, processors, neighbour):
    """The same steps on one thread and on more."""
    benchmark.group = "threads"
    if not benchmark.enabled:
        work = replace(work, rows=2 * work.batch, epochs=1)
    made, count = Initcore(work, 1), len(processors)

    def on(threads):
        _core.set_num_threads(threads)
        made.run(work.epochs)

    unit = time_per("us per step", work.steps)
    entry = Entry("threads", work.name + neighbour, unit, lambda: on(count), {"one": lambda: on(1)})
    result = interleave(benchmark, entry, 2.0)
    if result:
        gain = result.ratios["one"]
        benchmark.extra_info |= {**result.info(), "threads": count, "beside a busy program": bool(neighbour)}
        one, more = (figure(unit.value(result.seconds[name])) for name in ("one", OURS))
        told = f"{entry.name}: {one} us per step on one, {more} on {count}: {gain:.2f}x"
        note([f"threads: {told}{'  LOSS' if gain < 0.95 else ''}"])
