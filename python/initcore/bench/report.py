"""What `suite.run` returns, as text: on a terminal, and as the table of README.md."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, zip_longest
from typing import Any

from initcore.bench.interleaved import OURS

Results = Mapping[str, Any]


def head(results: Results) -> str:
    """Return one line: processor, day, threads, versions."""
    about, threads = results["machine"], results["threads"]
    versions = ", ".join(f"{name} {version}" for name, version in about["libraries"].items() if version)
    plural = "thread" if threads == 1 else "threads"
    return f"{about['cpu']} ({about['isa']}), {threads} {plural} each, {about['date']}; {versions}"


def text(results: Results) -> str:
    """Return everything, with a table for each group."""
    lines = [head(results), "", *_roof(results["roof"])]
    for (group, unit), entries in groups(results):
        lines += [
            "",
            f"{group}: {unit}, and how many times as long the others take",
            *aligned(table(entries)),
        ]
    missing = sorted({name for entry in results["entries"] for name in entry["missing"]})
    if missing:
        lines += ["", f"not installed: {', '.join(missing)}"]
    return "\n".join(line.rstrip() for line in lines)


def markdown(results: Results, group: str) -> str:
    """Return the table of one group for a page."""
    entries = next(entries for (name, _), entries in groups(results) if name == group)
    rows = list(table(entries))
    rows.insert(1, ["---"] * len(rows[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def groups(results: Results) -> Iterator[tuple[tuple[str, str], list[Mapping[str, Any]]]]:
    """Return the entries of each group, in the order in which they were measured."""
    for key, entries in groupby(results["entries"], lambda entry: (entry["group"], entry["unit"])):
        yield key, list(entries)


def table(entries: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    """Return rows of cells: a head, the entries, and geometric means if there are several."""
    peers = list(dict.fromkeys(name for entry in entries for name in entry["ratios"]))
    with_roof = any(entry["of_roof"] for entry in entries)
    yield ["", OURS, *(["of roof"] if with_roof else []), *peers]
    for entry in entries:
        bound = [percent(entry["of_roof"])] if with_roof else []
        ratios = [times(entry["ratios"].get(name)) for name in peers]
        yield [entry["name"], figure(entry["values"][OURS]), *bound, *ratios]
    if len(entries) > 1:
        means = [
            times(_mean(entry["ratios"][name] for entry in entries if name in entry["ratios"]))
            for name in peers
        ]
        bound = [percent(_mean(e["of_roof"] for e in entries if e["of_roof"]))] if with_roof else []
        yield ["geometric mean", "", *bound, *means]


def figure(value: float) -> str:
    """Return three digits, or all of a whole number that has more: "0.31", "96.1", "2400"."""
    return f"{value:.0f}" if value >= 999.5 else f"{value:.3g}"


def times(ratio: float | None) -> str:
    """Return "2.3x"; nothing for who does not take part."""
    return "" if ratio is None else f"{ratio:.2f}x" if ratio < 9.95 else f"{ratio:.0f}x"


def percent(part: float | None) -> str:
    """Return "62 %"."""
    return "" if part is None else f"{100 * part:.0f} %"


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines with straight columns: names to the left, figures to the right."""
    kept = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip_longest(*kept, fillvalue="")]
    return [
        "  ".join(
            f"{cell:<{width}}" if i == 0 else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=False))
        )
        for row in kept
    ]


def _roof(roof: Mapping[str, Any]) -> list[str]:
    peaks = ", ".join(f"{value:.0f} GFLOP/s {dtype}" for dtype, value in roof["gflops"].items())
    rows = [["GB/s", "read", "triad", "update"]]
    for level in roof["levels"]:
        rows.append([level["name"], *(f"{level[what]:.0f}" for what in ("read", "triad", "update"))])
    return [f"roof: {peaks}", *aligned(rows)]


def _mean(values: Iterable[float]) -> float:
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))
