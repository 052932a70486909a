"""What every benchmark shares: the libraries' settings, the fixtures, the summary of a run."""

import importlib.util
import os
import runpy
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

# Before any of the libraries is imported, initcore included: how many threads each, and its best kernels.
PACKAGE = Path(importlib.util.find_spec("initcore").origin).parent
THREADS = int(os.environ.get("INITCORE_BENCH_THREADS", "1"))
runpy.run_path(str(PACKAGE / "bench" / "settings.py"))["prepare"](os.environ, THREADS)

import pytest  # noqa: E402
from interleaved import Entry, Result, interleave  # noqa: E402

from initcore import _core  # noqa: E402
from initcore.bench import machine, tables  # noqa: E402

RESULTS = pytest.StashKey[list[Result]]()
NOTES = pytest.StashKey[list[str]]()
MACHINE = pytest.StashKey[dict[str, Any]]()


@contextmanager
def kept(get, put, value):
    """Set something for a while."""
    before = get()
    put(value)
    yield value
    put(before)


@pytest.fixture(autouse=True)
def threads():
    """How many every library may use: INITCORE_BENCH_THREADS, or one."""
    with kept(_core.num_threads, _core.set_num_threads, THREADS) as value:
        yield value


@pytest.fixture(params=_core.isas())
def isa(request):
    """Each instruction set that this machine runs, in turn."""
    with kept(_core.active_isa, _core.use_isa, request.param) as value:
        yield value


@pytest.fixture
def measure(benchmark, request):
    """Return a function that measures an `initcore.bench` Entry and reports it; see README.md."""

    def run(entry, seconds=0.4):
        benchmark.group = entry.group
        result = interleave(benchmark, entry, seconds)
        if result:
            benchmark.extra_info |= result.info()
            request.config.stash.setdefault(RESULTS, []).append(result)

    return run


@pytest.fixture
def compare(measure, benchmark, request):
    """Return a function that makes an entry of its arguments and measures it.

    Of the peers, None is one that is not installed.
    """

    def run(group, ours, peers, unit, seconds=0.4):
        name = benchmark.param or request.node.name.removeprefix("bench_")
        measure(Entry(group, name, unit, ours, peers), seconds)

    return run


@pytest.fixture
def note(request):
    """Return a function that adds lines to the end of the summary."""
    return request.config.stash.setdefault(NOTES, []).extend


def pytest_configure(config):
    """Leave the tables of pytest-benchmark to --benchmark-compare: the summary below says what counts."""
    if not config.getoption("benchmark_compare"):
        config.option.benchmark_quiet = True
    config.stash[MACHINE] = machine.describe()  # before anything is measured: it tells the load


def pytest_benchmark_update_json(config, output_json):
    """Say in the file on what this was measured, for into_speed.py."""
    output_json["initcore"] = {"machine": config.stash[MACHINE], "threads": THREADS}


def pytest_terminal_summary(terminalreporter, config):
    results = [result.info() for result in config.stash.get(RESULTS, [])]
    if results:
        terminalreporter.section("initcore, how much of the roof's speed that is, how long the others take")
        results.sort(key=lambda entry: (entry["group"], entry["unit"]))
        for (group, unit), entries in groupby(results, lambda entry: (entry["group"], entry["unit"])):
            terminalreporter.line(f"{group}: {unit}")
            for line in tables.aligned(tables.table(list(entries))):
                terminalreporter.line(f"  {line}".rstrip())
        missing = sorted({name for entry in results for name in entry["missing"]})
        if missing:
            terminalreporter.line(f"not installed: {', '.join(missing)}")
    for line in config.stash.get(NOTES, []):
        terminalreporter.line(line)
