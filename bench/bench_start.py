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

import initcore as ic
from initcore import _core
from initcore.bench.networks import NETWORKS, data

IMPORT = """
import numpy, time
start = time.perf_counter()
import initcore
print(time.perf_counter() - start)
"""


def told(what, value, unit, target):
    return f"start: {what}: {value:.3g} {unit}, target {target} {unit}{'' if value <= target else '  MISSED'}"


def bench_import(benchmark, note, tmp_path):
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
            [sys.executable, "-c", IMPORT],
            cwd=package,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        seconds.append(float(done.stdout))

    once()  # writes the bytecode
    benchmark.pedantic(once, rounds=11 if benchmark.enabled else 1)
    milliseconds = 1e3 * statistics.median(seconds[1:])
    benchmark.extra_info |= {"ms above NumPy": milliseconds}
    if benchmark.enabled:
        note([told("import initcore, above NumPy", milliseconds, "ms", 80)])


def bench_plan(benchmark, note):
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
    milliseconds = 1e3 * statistics.median(seconds)
    benchmark.extra_info |= {"ms": milliseconds}
    if benchmark.enabled:
        note([told(f"plan of {work.name}", milliseconds, "ms", 5)])


def bench_wheel(benchmark, note):
    """What a wheel of the installed package weighs: its files, compressed as a wheel's are."""
    package = Path(ic.__file__).parent
    files = {p for p in package.rglob("*") if p.is_file() and p.suffix != ".pyc"}
    files.add(Path(_core.__file__))  # of an editable installation, it lies elsewhere
    sizes = benchmark.pedantic(lambda: [len(zlib.compress(p.read_bytes(), 6)) for p in files])
    megabytes = 1e-6 * float(np.sum(sizes))
    benchmark.extra_info |= {"MB": megabytes}
    if benchmark.enabled:
        note([told(f"wheel of {len(files)} files", megabytes, "MB", 3)])
