"""What is paid before the first step, import, plan, download: each beside what it should stay below."""

import importlib.util
import os
import statistics
import subprocess
import sys
import zlib
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest

import initcore as ic
from initcore import _core
from initcore.bench.networks import NETWORKS, data

IMPORT = """
import numpy, time
start = time.perf_counter()
import initcore
{then}
print(time.perf_counter() - start)
"""

# What is imported with it, when it is asked for.
USES = {
    "import initcore": "",
    "and what initialization needs": "initcore.initialize, initcore.initializers",
    "and what training needs": "initcore.Sequential, initcore.losses, initcore.optimizers, initcore.metrics",
}


@pytest.fixture
def report(benchmark, note):
    """Return a function that reports a figure and what it should stay below."""

    def run(what, value, unit, aim):
        benchmark.extra_info |= {"what": what, "value": value, "unit": unit, "aim": aim}
        if benchmark.enabled:
            note([f"start: {what}: {value:.3g} {unit}, aim {aim}{'' if value <= aim else '  MISSED'}"])

    return run


@pytest.mark.parametrize("use", USES)
def bench_import(benchmark, report, tmp_path, use):
    """`import initcore` in a new process that has NumPy already; the median of some.

    With its bytecode, which an installation brings along and a checkout has after the first import: also
    where Python was told to write none.
    """
    package = Path(importlib.util.find_spec("initcore").origin).parents[1]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path)
    seconds = []

    def once():
        done = subprocess.run(
            [sys.executable, "-c", IMPORT.format(then=USES[use])],
            cwd=package,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        seconds.append(float(done.stdout))

    once()  # writes the bytecode
    benchmark.pedantic(once, rounds=11 if benchmark.enabled else 1)
    report(f"{use}, above NumPy", 1e3 * statistics.median(seconds[1:]), "ms", 80)


def bench_plan(benchmark, report):
    """The plan of the largest network, built anew: arena and operations, not parameters and slots."""
    work = NETWORKS[-1]
    x, y = (array[: work.batch] for array in data(work))
    hidden = [ic.Dense(n, activation="relu") for n in work.widths[1:-1]]
    model = ic.Sequential([*hidden, ic.Dense(work.widths[-1])], input_shape=work.widths[:1], seed=0)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=work.batch, verbose=0)
    seconds = []

    def once():
        batch = model._prepare(x, y)
        model._forget()
        start = perf_counter()
        model._objective_plan(batch, work.batch, training=True)
        seconds.append(perf_counter() - start)

    benchmark.pedantic(once, rounds=30 if benchmark.enabled else 1)
    report(f"plan of {work.name}", 1e3 * statistics.median(seconds), "ms", 5)


def bench_wheel(benchmark, report):
    """What a wheel of the installed package weighs: its files, compressed as a wheel's are."""
    package = Path(ic.__file__).parent
    files = {p for p in package.rglob("*") if p.is_file() and p.suffix != ".pyc"}
    files.add(Path(_core.__file__))  # of an editable installation, it lies elsewhere
    sizes = benchmark.pedantic(lambda: [len(zlib.compress(p.read_bytes(), 6)) for p in files])
    report(f"wheel of {len(files)} files", 1e-6 * float(np.sum(sizes)), "MB", 3)
