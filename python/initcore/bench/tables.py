"""Tables of a run, as rows of cells: for the terminal, for a page, and for the names in the picture."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, zip_longest
from typing import Any

from initcore.bench.interleaved import OURS, ROOF

Results = Mapping[str, Any]


def head(results: Results) -> str:
    """Return one line: processor, threads, day, versions; of entries, those of whom they measure."""
    about, threads = results["machine"], results["threads"]
    peers = {peer for entry in results.get("entries", []) for peer in entry["ratios"]}
    versions = ", ".join(
        f"{name} {version.partition('+')[0]}"
        for name, version in about["libraries"].items()
        if version and ("entries" not in results or any(peer.startswith(name) for peer in peers))
    )
    plural = "thread" if threads == 1 else "threads"
    return f"{about['cpu']} ({about['isa']}), {threads} {plural} each, {about['date']}; {versions}"


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
        bound = [percent(_mean(e["of_roof"] for e in entries if e["of_roof"]))] if with_roof else []
        yield ["geometric mean", "", *bound, *map(times, means(entries).values())]


def at_the_roof(entries: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    """Return the table that initcore would have at its roof: nothing can be further ahead on this machine."""
    bounded = [
        {
            **entry,
            "values": {OURS: entry["values"][ROOF]},
            "ratios": {name: ratio / entry["of_roof"] for name, ratio in entry["ratios"].items()},
            "of_roof": None,
        }
        for entry in entries
        if entry["of_roof"]
    ]
    if bounded:
        yield from table(bounded)


def means(entries: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the geometric mean of the ratios of each peer."""
    peers = dict.fromkeys(name for entry in entries for name in entry["ratios"])
    return {peer: _mean(e["ratios"][peer] for e in entries if peer in e["ratios"]) for peer in peers}


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


def markdown(rows: Iterable[Sequence[str]]) -> str:
    """Return rows of cells, a head first, as a table of a page.

    >>> print(markdown([["", "initcore"], ["relu", "0.1"]]))
    |  | initcore |
    | --- | --- |
    | relu | 0.1 |
    """
    first, *others = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (first, ["---"] * len(first), *others))


def _mean(values: Iterable[float]) -> float:
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))
