"""The pictures of a comparison, drawn by matplotlib from `Comparison.to_dict()`. One style for all of them.

To add a panel: a function that draws into axes, and a row of `PANELS`.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Results = Mapping[str, Any]

# Colours that stay apart for colour-blind eyes: Okabe & Ito 2008, jfly.uni-koeln.de/color, with grey for
# yellow. First on a light page, then on a dark one. Line styles tell apart what comes after the eighth.
COLOURS = (
    ("#7a7a7a", "#9a9a9a"),
    ("#e69f00", "#e69f00"),
    ("#cc79a7", "#dd8fba"),
    ("#d55e00", "#ee7722"),
    ("#56b4e9", "#7cc8f5"),
    ("#0072b2", "#3b9fe0"),
    ("#009e73", "#18b98b"),
    ("#1b1b1b", "#f2f2f2"),
)
INK = {"ink": ("#333333", "#d0d0d0"), "faint": ("#e4e4e4", "#3a3a3a")}  # text and axes; grid
_MARKERS = "osD^v<>P"
_DASHES = ("-", (0, (5, 1.5)), (0, (2, 1)), (0, (6, 1.5, 1.5, 1.5)))

_STYLE = {
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "figure.dpi": 100,
}


@dataclass(frozen=True)
class Panel:
    """One plot: its name, its heading, and the function that draws it."""

    name: str
    title: str
    draw: Callable[[Axes, Results], None]


def _over_epochs(axes: Axes, results: Results, what: str) -> None:
    from matplotlib.ticker import MaxNLocator

    epochs = results["settings"]["epochs"]
    for i, scheme in enumerate(results["schemes"]):
        rows = [[math.nan if value is None else value for value in row] for row in scheme["curves"][what]]
        if not rows:
            continue
        mean, low, high = zip(*rows, strict=True)
        x = range(1, len(rows) + 1)
        axes.plot(x, mean, zorder=3, markevery=_every(len(rows), i), markersize=5, **_look(i))
        axes.fill_between(x, low, high, color=_colour(i), alpha=0.16, linewidth=0, zorder=2)
    axes.set_xlabel("epoch")
    if epochs > 1:
        axes.set_xlim(1, epochs)
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))


def _loss(axes: Axes, results: Results) -> None:
    _over_epochs(axes, results, "loss")
    axes.set_ylabel("training loss")
    _log(axes)


def _score(axes: Axes, results: Results) -> None:
    _over_epochs(axes, results, "score")
    settings = results["settings"]
    axes.set_ylabel(f"test {settings['score']}")
    worst = min((value for row in _curves(results, "score") for value in row), default=0.0)
    if settings["score"] == "accuracy":
        from matplotlib.ticker import PercentFormatter

        # From zero on, unless all lie so high that their differences would be lost.
        axes.set_ylim(0 if worst < 0.5 else math.floor(20 * worst - 0.5) / 20, 1.01)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    else:
        axes.set_ylim(max(worst - 0.05, -0.3), 1.05)
    if settings["chance"] >= axes.get_ylim()[0]:
        axes.axhline(settings["chance"], color=ink(), linewidth=1, linestyle=(0, (1, 2)), zorder=1)
        note = "chance" if settings["score"] == "accuracy" else "always the mean"
        _note(axes, note, settings["chance"], -3)


def _curves(results: Results, what: str) -> list[list[float]]:
    return [[low for _, low, _ in one["curves"][what] if low is not None] for one in results["schemes"]]


def _note(axes: Axes, text: str, y: float, above: int) -> None:
    """Write ``text`` at the right end of a horizontal line."""
    axes.annotate(
        text,
        (1, y),
        xycoords=("axes fraction", "data"),
        xytext=(0, above),
        textcoords="offset points",
        ha="right",
        va="bottom" if above > 0 else "top",
        fontsize=9,
        color=ink(),
    )


def _by_layer(axes: Axes, results: Results, what: str, layers: Sequence[str]) -> None:
    series = [[math.nan if value is None else value for value in one[what]] for one in results["schemes"]]
    positive = [value for one in series for value in one if value > 0]
    low, high = (min(positive), max(positive)) if positive else (0.1, 1.0)
    widen = max(10 / math.sqrt(high / low), 1)  # two decades at least: what is nearly level shall look level
    low, high = low / widen, high * widen
    margin = max(math.log10(high / low), 1) * 0.08
    has_zero = any(value == 0 for one in series for value in one)
    floor = 10 ** (math.log10(low) - 2 * margin)
    x = range(len(layers))
    for i, one in enumerate(series):
        shown = [floor if value == 0 else value for value in one]
        axes.plot(x, shown, markersize=6, zorder=3 + (one[-1] > 0), clip_on=False, **_look(i))
    axes.set_ylim(
        10 ** (math.log10(low) - (2 if has_zero else 1) * margin), 10 ** (math.log10(high) + margin)
    )
    _log(axes)
    if has_zero:
        axes.axhline(floor, color=ink(), linewidth=1, linestyle=(0, (1, 2)), zorder=1)
        _note(axes, "exactly zero", floor, 3)
    axes.set_xticks(list(x), layers)
    axes.set_xlabel("layer")


def _signal(axes: Axes, results: Results) -> None:
    _by_layer(axes, results, "signal", _layer_names(results, "input"))
    axes.set_ylabel("variance of the output")


def _gradient(axes: Axes, results: Results) -> None:
    _by_layer(axes, results, "gradient", _layer_names(results))
    axes.set_ylabel("variance of the gradient")


def _layer_names(results: Results, *before: str) -> list[str]:
    hidden = len(results["schemes"][0]["gradient"]) - 1
    return [*before, *(str(i) for i in range(1, hidden + 1)), "output"]


PANELS = (
    Panel("score", "Score on the test rows", _score),
    Panel("loss", "Loss in training", _loss),
    Panel("signal", "Signal at the start", _signal),
    Panel("gradient", "Gradient at the start", _gradient),
)


def svg(panel: Panel, results: Results) -> str:
    """Return one panel as an SVG element; its colours are CSS variables (``--ink``, ``--c0``...)."""
    figure = new_figure((6.4, 4.3), {"svg.hashsalt": panel.name})
    with style({"svg.hashsalt": panel.name}):
        panel.draw(figure.subplots(), results)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # names of groups, the same in every figure
    text = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>',
        rf'<svg viewBox="\1" role="img" aria-label="{panel.title}">',
        text,
        count=1,
    )
    text = text.replace("xlink:href", "href")
    for i, (light, _) in enumerate(COLOURS):
        text = re.sub(light, f"var(--c{i})", text, flags=re.IGNORECASE)
    for name, (light, _) in INK.items():
        text = re.sub(light, f"var(--{name})", text, flags=re.IGNORECASE)
    return text


def legend(i: int) -> str:
    """Return a small SVG element that shows how the line of scheme ``i`` looks."""
    dash = _look(i)["linestyle"]
    dashes = "" if dash == "-" else f' stroke-dasharray="{",".join(str(2 * n) for n in dash[1])}"'
    shape = {
        "o": '<circle cx="17" cy="7" r="3.6"/>',
        "s": '<rect x="13.6" y="3.6" width="6.8" height="6.8"/>',
        "D": '<path d="M17 2.2 21.8 7 17 11.8 12.2 7z"/>',
        "^": '<path d="M17 2.6 21.2 10.4H12.8z"/>',
        "v": '<path d="M17 11.4 21.2 3.6H12.8z"/>',
        "<": '<path d="M12.6 7 20.4 2.8V11.2z"/>',
        ">": '<path d="M21.4 7 13.6 2.8V11.2z"/>',
        "P": '<path d="M15.4 2.6h3.2v2.8h2.8v3.2h-2.8v2.8h-3.2V8.6h-2.8V5.4h2.8z"/>',
    }[_look(i)["marker"]]
    colour = f"var(--c{i % len(COLOURS)})"
    return (
        f'<svg class="key" viewBox="0 0 34 14" aria-hidden="true"><path d="M1 7H33" stroke="{colour}" '
        f'stroke-width="2.4" fill="none"{dashes}/><g fill="{colour}">{shape}</g></svg>'
    )


def picture(results: Results) -> bytes:
    """Return all panels with a legend as one PNG, on white."""
    figure = new_figure((12, 8.6), {})
    with style({}):
        grid = figure.subplots(2, 2)
        for axes, panel in zip(grid.flat, PANELS, strict=True):
            panel.draw(axes, results)
            axes.set_title(panel.title)
        lines = grid[0, 0].get_lines()[: len(results["schemes"])]
        labels = [scheme["label"] for scheme in results["schemes"]]
        figure.legend(
            lines, labels, loc="outside lower center", ncols=min(len(labels), 8), frameon=False, fontsize=11
        )
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=130, facecolor="white", metadata={"Software": None})
    return out.getvalue()


def new_figure(size: tuple[float, float], extra: dict[str, Any]) -> Figure:
    """Return a figure of this size in inches, in the style of all our pictures.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("the pictures need matplotlib: pip install 'initcore[cli]'") from None
    with style(extra):
        figure = Figure(figsize=size, layout="constrained")
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)  # type: ignore[union-attr, call-arg]
        return figure


def style(extra: dict[str, Any]) -> Any:
    """Return a context in which matplotlib draws as all our pictures look."""
    from matplotlib import rc_context

    colours = dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), ink()
    )
    settings: Any = {**_STYLE, **colours, "grid.color": INK["faint"][0], **extra}
    return rc_context(settings)


def _log(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high / low > 1e3:
        axes.yaxis.set_major_locator(LogLocator(numticks=8))
    elif low > 1e-3:  # few decades are best read with their parts
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low > 5 else range(1, 10)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _look(i: int) -> dict[str, Any]:
    return {
        "color": _colour(i),
        "linewidth": max(2.9 - 0.18 * i, 1.6),  # so that a line shows behind an equal one that is drawn later
        "linestyle": _DASHES[(i // len(COLOURS)) % len(_DASHES)] if i >= len(COLOURS) else _DASHES[0],
        "marker": _MARKERS[i % len(_MARKERS)],
    }


def _colour(i: int) -> str:
    return COLOURS[i % len(COLOURS)][0]


def ink() -> str:
    """Return the colour of text and axes."""
    return INK["ink"][0]


def _every(points: int, i: int) -> tuple[int, int]:
    """Return where the markers of line ``i`` stand: about six, shifted so that none covers another."""
    step = max(points // 6, 1)
    return i % step, step
