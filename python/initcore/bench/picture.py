"""The picture of a run: how many times as long the others take, and our figures under the roof.

All of it in float32: what was computed in another precision stands in the table alone.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from initcore import figures
from initcore.bench import tables

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Results = Mapping[str, Any]

# By peer, so that a colour means the same in every picture; who is not here gets the next one that is free.
_COLOURS = {"NumPy": 4, "PyTorch": 3, "PyTorch fused": 2, "JAX": 6, "scikit-learn": 1}
_OURS = figures.COLOURS[5][0]


def draw(results: Results) -> bytes:
    """Return the picture as PNG, on white.

    Raises:
        ImportError: matplotlib is not installed.
    """
    results = {**results, "entries": [one for one in results["entries"] if one["precision"] == "fp32"]}
    bars = _bars(results)
    points = [entry for entry in results["entries"] if entry["intensity"]]
    height = 2.2 + 0.62 * max(len(bars), 6)
    figure = figures.new_figure((13.5, height), {})
    with figures.style({}):
        left, right = figure.subplots(1, 2, width_ratios=(1.05, 1))
        _draw_bars(left, bars)
        _draw_roof(right, results["roof"], points)
        figure.suptitle(tables.head(results), fontsize=10.5, x=0.01, ha="left", wrap=True)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False)
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=120, facecolor="white", metadata={"Software": None})
    return out.getvalue()


def _bars(results: Results) -> list[tuple[str, Mapping[str, float]]]:
    """Return a label and the ratios by peer: each training step, and the mean of every other group."""
    bars = []
    for (group, _), entries in tables.groups(results):
        if group == "training step":
            bars += [(entry["name"].replace(", ", "\n"), entry["ratios"]) for entry in entries]
        elif len(entries) <= 2:
            bars += [(f"{group}\n{entry['name']}", entry["ratios"]) for entry in entries]
        else:
            bars.append((f"{_plain(group)}\nmean of {len(entries)}", tables.means(entries)))
    return bars


def _plain(group: str) -> str:
    return group.removesuffix(" m x n x k")


def _draw_bars(axes: Axes, bars: Sequence[tuple[str, Mapping[str, float]]]) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

    peers = list(dict.fromkeys(peer for _, ratios in bars for peer in ratios))
    for row, (_, ratios) in enumerate(bars):
        shown = [peer for peer in peers if peer in ratios]
        thick = 0.8 / max(len(shown), 1)
        for i, peer in enumerate(shown):
            y, ratio = row - 0.4 + thick * (i + 0.5), ratios[peer]
            axes.barh(y, ratio - 1, 0.88 * thick, left=1, color=_colour(peer, peers), zorder=3)
            axes.annotate(
                tables.times(ratio),
                (max(ratio, 1), y),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=7.5,
            )
    for peer in peers:
        axes.barh(0, 0, color=_colour(peer, peers), label=peer)
    values = [ratio for _, ratios in bars for ratio in ratios.values()] or [1.0]
    axes.set_xscale("log")
    axes.set_xlim(min(*values, 0.9) / 1.1, max(*values, 2) * 1.6)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    axes.set_xticks(
        [x for x in (0.5, 1, 2, 5, 10, 20, 50, 100) if axes.get_xlim()[0] <= x <= axes.get_xlim()[1]]
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.axvline(1, color=_OURS, linewidth=2, zorder=4, label="initcore")
    axes.set_yticks(range(len(bars)), [label for label, _ in bars], fontsize=9)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_title("How many times as long the others take")


def _draw_roof(axes: Axes, roof: Mapping[str, Any], points: Sequence[Mapping[str, Any]]) -> None:
    peak = roof["gflops"]["float32"]
    xs = [entry["intensity"] for entry in points] or [1.0]
    low, high = min(*xs, 0.3) / 2, max(*xs, 100) * 4
    bottom = 0.7 * min([entry["gflops"] for entry in points] + [roof["levels"][-1]["update"] * low])
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(bottom, peak * 2)
    axes.plot([low, high], [peak, peak], color=figures.ink(), linewidth=2, zorder=2)
    _say(axes, f"multiply-adds, float32: {peak:.0f} GFLOP/s", high, peak, -4, 4, "right")
    for i, level in enumerate(roof["levels"]):
        bandwidth, shade = level["update"], ("#555555", "#777777", "#999999", "#b0b0b0")[i]
        axes.plot([low, peak / bandwidth], [low * bandwidth, peak], color=shade, linewidth=1.6, zorder=2)
        x = low * 1.1 if i != 1 else 0.55 * peak / bandwidth  # L2 is often nearly as fast as L1
        _say(
            axes, f"{level['name']} {bandwidth:.0f} GB/s", x, x * bandwidth, 0, 3, "left", shade, _slope(axes)
        )
    kinds = list(dict.fromkeys(entry["group"] for entry in points))
    for kind, marker, i in zip(kinds, "oDs^v", (5, 3, 6, 1, 2), strict=False):
        mine = [entry for entry in points if entry["group"] == kind]
        axes.plot(
            [entry["intensity"] for entry in mine],
            [entry["gflops"] for entry in mine],
            marker,
            color=figures.COLOURS[i][0],
            markersize=8,
            label=_plain(kind),
            zorder=4,
        )
    if points:
        axes.legend(loc="lower right", frameon=False)
    axes.set_xlabel("operations per byte that must be moved")
    axes.set_ylabel("GFLOP/s")
    axes.set_title(f"initcore under the roof, {roof['isa']}")


def _slope(axes: Axes) -> float:
    """Return the angle at which a line of slope 1 between decades is seen."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    box = axes.get_position()
    width, height = axes.figure.get_size_inches()  # type: ignore[union-attr]
    across = box.width * width / math.log10(right / left)
    up = box.height * height / math.log10(top / bottom)
    return math.degrees(math.atan2(up, across))


def _say(
    axes: Axes,
    text: str,
    x: float,
    y: float,
    dx: int,
    dy: int,
    ha: str,
    colour: str = "",
    turned: float = 0.0,
) -> None:
    axes.annotate(
        text,
        (x, y),
        xytext=(dx, dy),
        textcoords="offset points",
        ha=ha,
        va="bottom",
        fontsize=8.5,
        color=colour or figures.ink(),
        rotation=turned,
        rotation_mode="anchor",
    )


def _colour(peer: str, peers: Sequence[str]) -> str:
    free = [i for i in range(len(figures.COLOURS)) if i not in _COLOURS.values() and i != 5]
    others = [name for name in peers if name not in _COLOURS]
    i = _COLOURS[peer] if peer in _COLOURS else free[others.index(peer) % len(free)]
    return figures.COLOURS[i][0]
