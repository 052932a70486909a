"""Write docs/speed.md from runs of pytest-benchmark: every figure with the command that makes it.

python bench/into_speed.py                     # measures: 20 minutes of a machine that does nothing else
python bench/into_speed.py one.json two.json   # takes what was measured, on one thread and on two:

pytest bench --benchmark-json=one.json
INITCORE_BENCH_THREADS=2 pytest bench --benchmark-json=two.json

To add a part: a row of PARTS. What a run has no figures of, the page does not show.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import groupby, takewhile
from pathlib import Path
from typing import NamedTuple

from into_readme import warn_if_busy

from initcore.bench import tables
from initcore.bench.interleaved import OURS
from initcore.bench.report import QUIET
from initcore.bench.tables import figure, percent, times

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "speed.md"


def compared(found):
    """Return a table for each unit: ours, of the roof, how many times as long the others take."""
    entries = sorted((one for one in found if one.get("values")), key=lambda one: one["unit"])
    for unit, kept in groupby(entries, lambda one: one["unit"]):
        shared, renamed = named(list(kept))
        rows = list(tables.table(renamed))
        rows[0][:2] = [shared, f"{OURS}, {unit}"]
        yield rows


def named(entries):
    """Return the words with which all groups begin, and the entries with what is left in their names."""
    groups = [entry["group"].replace(",", "").split() for entry in entries]
    same = [words[0] for words in takewhile(lambda words: len(set(words)) == 1, zip(*groups, strict=False))]
    kept = [" ".join(group[len(same) :]) for group in groups]
    names = [
        f"{words}: {entry['name']}" if words else entry["name"]
        for words, entry in zip(kept, entries, strict=True)
    ]
    return " ".join(same), [{**entry, "name": name} for entry, name in zip(entries, names, strict=True)]


def summarized(found):
    """Return a row for each group: how many, by how much the others are slower on average and at least."""
    entries = [one for one in found if one.get("ratios")]
    peers = list(dict.fromkeys(peer for one in entries for peer in one["ratios"]))
    rows = [["", "entries", *(word for peer in peers for word in (peer, "least", "faster in"))]]
    for group, kept in groupby(sorted(entries, key=lambda one: one["group"]), lambda one: one["group"]):
        kept = list(kept)
        rows.append([group, str(len(kept))])
        for peer in peers:
            ratios = [one["ratios"][peer] for one in kept if peer in one["ratios"]]
            mean = tables.means([{"ratios": {peer: ratio}} for ratio in ratios]).get(peer)
            slower = str(sum(ratio < 0.995 for ratio in ratios))  # what prints as 1.00x is not
            rows[-1] += [times(mean), times(min(ratios)), slower] if ratios else ["", "", ""]
    if entries:
        yield rows


def swept(found):
    """Return geometric means over the products of training, then those that miss their aim."""
    layouts = [one for one in found if "least_of_roof" in one]
    if not layouts:
        return
    peers = list(layouts[0]["ratios"])
    rows = [["", "products", "of peak", "least", *(word for peer in peers for word in (peer, "least"))]]
    for one in layouts:
        ratios = [times(one[key].get(peer)) for peer in peers for key in ("ratios", "least_ratios")]
        shares = percent(one["of_roof"]), percent(one["least_of_roof"])
        rows.append([one["layout"], str(one["products"]), *shares, *ratios])
    yield rows
    misses = [["layout", f"below {percent(layouts[0]['aim'])} of the peak", "slower than NumPy"]]
    yield misses + [
        [one["layout"], *(", ".join(one[key]) or "none" for key in ("below", "slower"))] for one in layouts
    ]


def formed(found):
    """Return a row for each layout and precision: all forms of some sizes, and the slowest of them."""
    rows = [["", "forms", "NumPy", "least", "slower in", "most"]]
    for one in found:
        if "forms" in one:
            figures = str(one["forms"]), times(one["ratio"]), times(one["least"]), str(len(one["slower"]))
            rows.append([one["what"], *figures, ", ".join(one["slower"][:5])])
    if rows[1:]:
        yield rows


def grown(found):
    """Return a row for each curve: the neighbours between which a step grows most beyond its operations."""
    rows = [["", "us per step", "largest growth / that of the operations", "from"]]
    for one in found:
        if growths := one.get("step / operations"):
            steps, most = list(one["us per step"].items()), max(growths, key=growths.get)
            ends = ", ".join(f"{figure(value)} at {n}" for n, value in (steps[0], steps[-1]))
            rows.append([one["axis"], ends, f"{growths[most]:.2f}", most])
    if rows[1:]:
        yield rows


def threaded(found):
    """Return a row for each network: a step on one thread and on more."""
    rows = [["", "one thread, us", "threads", "us", "faster"]]
    for one in found:
        if "one" in one.get("values", ()):
            values = one["values"]
            figures = figure(values["one"]), str(one["threads"]), figure(values[OURS])
            rows.append([one["name"], *figures, times(one["ratios"]["one"])])
    if rows[1:]:
        yield rows


def started(found):
    """Return a row for each thing that is paid before the first step."""
    rows = [["", "measured", "aim, at most"]]
    for one in found:
        if "aim" in one:
            rows.append([one["what"], f"{figure(one['value'])} {one['unit']}", f"{one['aim']} {one['unit']}"])
    if rows[1:]:
        yield rows


class Part(NamedTuple):
    """A section: the expression is pytest's -k, words that must all be in the name; rows makes its tables."""

    title: str
    expression: str
    rows: Callable


PARTS = (
    Part("Training step", "training and bench_step", compared),
    Part("Training step with other optimizers", "training and optimizer", compared),
    Part("Training step with dropout", "training and dropout", compared),
    Part("Training step with batch normalization", "training and normalization", compared),
    Part("Training step with other activations", "training and activation", compared),
    Part("Training step with products in bfloat16", "training and bf16", compared),
    Part("Second thread", "scaling and threads", threaded),
    Part("Growth of a step", "scaling and growth", grown),
    Part("Inference", "inference", compared),
    Part("All products of training", "gemm and sweep", swept),
    Part("Products", "gemm and matmul", compared),
    Part("Products of every size", "gemm and every_size", summarized),
    Part("Products of all forms", "gemm and forms", formed),
    Part("Activations", "activations and forward", compared),
    Part("Slopes of activations", "activations and slope", compared),
    Part("Activations with a new array", "activations and call", summarized),
    Part("Activations of rows", "activations and bench_rows", compared),
    Part("Optimizers", "optimizers", compared),
    Part("Losses", "losses", compared),
    Part("Import, plan, wheel", "start", started),
)
TWO_THREADS = PARTS[0].expression  # what is measured with two threads too, unless files are given


def chosen(part, names):
    """Return those of the names, as pytest gives them ("bench/bench_gemm.py::bench_sweep[nn]"), of a part."""
    words = part.expression.split(" and ")
    return [name for name in names if all(word in name.rpartition("/")[2] for word in words)]


def page(runs):
    """Return the page, of runs as pytest-benchmark writes them."""
    lines = [INTRODUCTION, *map(head, runs)]
    absent, missing = [], set()
    for part in PARTS:
        title = [f"## {part.title}", ""]
        for run in runs:
            infos = {one["fullname"]: one["extra_info"] for one in run["benchmarks"]}
            found = [infos[name] for name in chosen(part, infos)]
            missing |= {name for one in found for name in one.get("missing", ())}
            for i, rows in enumerate(part.rows(found)):
                threads = run["initcore"]["threads"]
                command = f'pytest bench -k "{part.expression}"'
                setting = f"INITCORE_BENCH_THREADS={threads} " if threads > 1 else ""
                lines += [*title, *([] if i else [f"`{setting}{command}`", ""]), tables.markdown(rows), ""]
                title = []
        absent += [part.title] if title else []
    if absent:
        lines += [f"Not measured in this run: {'; '.join(absent)}.", ""]
    if missing:
        lines += [f"Not installed: {', '.join(sorted(missing))}.", ""]
    return "\n".join(lines).rstrip() + "\n"


INTRODUCTION = """# Speed, measured

Written by `python bench/into_speed.py`, which measures everything or takes files of `pytest bench`.

A line is the same work, done in turns by all in one run: our figure, how much of the **roof's** speed that
is, and how many times as long each of the others took (2x: we are twice as fast; below 1x: it is faster than
we); medians. What the roof is, and how the others are run: [bench/README.md](../bench/README.md). What bounds
a step, and what was tried and did not pay: [CONTRIBUTING.md](../CONTRIBUTING.md).
"""


def head(run):
    """Return on what a run was measured, and the versions of those that it measured."""
    entries = [one["extra_info"] for one in run["benchmarks"] if "ratios" in one["extra_info"]]
    line, load = tables.head({**run["initcore"], "entries": entries}), run["initcore"]["machine"]["load"]
    busy = f" Other programs were running when this began (load {load})." if load >= QUIET else ""
    return f"{line.rstrip('; ')}.{busy}\n"


def measured(threads, expression):
    """Run the benchmarks; return where the results are. One that fails is not in them, and on no page."""
    target = ROOT / "build" / "bench" / f"speed-{threads}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "bench", "-k", expression, f"--benchmark-json={target}"]
    environment = os.environ | {"INITCORE_BENCH_THREADS": str(threads)}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    if not target.exists():
        raise SystemExit(f"pytest ended with {done.returncode} and without results")
    return target


def main(arguments):
    files = [*map(Path, arguments)] or [measured(1, "bench"), measured(2, TWO_THREADS)]
    runs = [json.loads(file.read_text()) for file in files]
    for file, run in zip(files, runs, strict=True):
        if "initcore" not in run:
            raise SystemExit(
                f"{file} must be what pytest bench --benchmark-json writes, got no word of the machine"
            )
        warn_if_busy(run["initcore"], PAGE)
    PAGE.write_text(page(runs))
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
