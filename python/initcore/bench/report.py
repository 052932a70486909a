"""What `suite.run` returns, as text: on a terminal, and as the table of README.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from initcore.bench import picture, tables
from initcore.bench.tables import Results, aligned, at_the_roof, groups, head, table

FILES = "bench.json", "bench.png"
QUIET = 0.7  # the load below which a machine has nothing else to do


def text(results: Results) -> str:
    """Return everything, with a table for each group."""
    lines = [head(results), *_disturbed(results["machine"]["load"]), "", *_roof(results["roof"])]
    for (group, unit), entries in groups(results):
        lines += [
            "",
            f"{group}: {unit}, and how many times as long the others take",
            *aligned(table(entries)),
        ]
        if bound := aligned(at_the_roof(entries)):
            lines += ["", "at the roof, which nothing can beat here, it would be", *bound]
    missing = sorted({name for entry in results["entries"] for name in entry["missing"]})
    if missing:
        lines += ["", f"not installed: {', '.join(missing)}"]
    return "\n".join(line.rstrip() for line in lines)


def save(results: Results, folder: Path) -> None:
    """Write everything as JSON, and the picture, into a folder.

    Raises:
        OSError: Something could not be written.
        ImportError: matplotlib is not installed; the JSON is there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILES[0]).write_text(json.dumps(results, indent=1, allow_nan=False) + "\n")
    (folder / FILES[1]).write_bytes(picture.draw(results))


def markdown(results: Results, group: str) -> str:
    """Return the table of one group for a page."""
    entries = next(entries for (name, _), entries in groups(results) if name == group)
    return tables.markdown(table(entries))


def _disturbed(load: float) -> list[str]:
    if load < QUIET:
        return []
    return [
        f"Other programs were running when this began (load {load}): these figures are off, those of "
        "several threads above all."
    ]


def _roof(roof: Mapping[str, Any]) -> list[str]:
    peaks = ", ".join(f"{value:.0f} GFLOP/s {dtype}" for dtype, value in roof["gflops"].items())
    rows = [["GB/s", "read", "triad", "update"]]
    for level in roof["levels"]:
        rows.append([level["name"], *(f"{level[what]:.0f}" for what in ("read", "triad", "update"))])
    return [f"roof: {peaks}", *aligned(rows)]
