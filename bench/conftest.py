"""What every benchmark shares: the libraries' settings, the fixtures, the summary of a run."""

import os
from contextlib import contextmanager
from itertools import groupby, zip_longest

# Before any of the libraries is imported: one thread each, and the kernels that it picks for this processor.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1 inter_op_parallelism_threads=1",
)

for variable in (
    "OPENBLAS_CORETYPE",  # "Haswell" halves the speed of NumPy's products on a processor with AVX-512
    "OPENBLAS_L2_SIZE",
    "NPY_DISABLE_CPU_FEATURES",
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "MKL_ENABLE_INSTRUCTIONS",
):
    os.environ.pop(variable, None)

import pytest  # noqa: E402
from interleaved import Result, Unit, interleave  # noqa: E402

from initcore import _core  # noqa: E402

RESULTS = pytest.StashKey[list[Result]]()


@contextmanager
def kept(get, put, value):
    """Set something for a while."""
    before = get()
    put(value)
    yield value
    put(before)


@pytest.fixture(autouse=True)
def one_thread():
    with kept(_core.num_threads, _core.set_num_threads, 1) as value:
        yield value


@pytest.fixture(params=_core.isas())
def isa(request):
    """Each instruction set that this machine runs, in turn."""
    with kept(_core.active_isa, _core.use_isa, request.param) as value:
        yield value


@pytest.fixture
def compare(benchmark, request):
    """Return a function that times our call beside the others' and reports; see README.md.

    Of the peers, None is one that is not installed.
    """

    def run(group, ours, peers, unit: Unit, seconds=0.4):
        benchmark.group = group
        present = {name: call for name, call in peers.items() if call is not None}
        medians = interleave(benchmark, ours, present, seconds)
        if medians:
            name = benchmark.param or request.node.name.removeprefix("bench_")
            missing = sorted(peers.keys() - present.keys())
            result = Result(group, name, unit, medians, missing)
            benchmark.extra_info |= result.info()
            request.config.stash.setdefault(RESULTS, []).append(result)

    return run


def pytest_configure(config):
    """Leave the tables of pytest-benchmark to --benchmark-compare: the summary below says what counts."""
    if not config.getoption("benchmark_compare"):
        config.option.benchmark_quiet = True


def pytest_terminal_summary(terminalreporter, config):
    results = sorted(config.stash.get(RESULTS, []), key=lambda result: (result.group, result.unit.name))
    if not results:
        return
    terminalreporter.section("initcore, and how many times as long the others take")
    for (group, unit), entries in groupby(results, lambda result: (result.group, result.unit.name)):
        terminalreporter.line(f"{group}: {unit}")
        for line in aligned([entry.cells() for entry in entries]):
            terminalreporter.line(f"  {line}".rstrip())
    missing = sorted({name for result in results for name in result.missing})
    if missing:
        terminalreporter.line(f"not installed: {', '.join(missing)}")


def aligned(rows):
    """Return rows of cells as lines with straight columns."""
    columns = zip_longest(*rows, fillvalue="")
    widths = [max(map(len, column)) for column in columns]
    return ["   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)) for row in rows]
