"""The page of a comparison: one HTML file from `Comparison.to_dict()`, which needs nothing from elsewhere.

Every text from outside goes through `html.escape`. There is no script.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from initcore import figures

_CAPTIONS = {
    "score": "Line: mean over seeds; band: from the lowest to the highest.",
    "loss": "Line: mean over seeds; band: from the lowest to the highest.",
    "signal": "How the data spreads: variance over units and examples of each layer's output, before "
    "training. A good start keeps it level.",
    "gradient": "How the correction spreads back: variance of the loss's gradient in each layer, before "
    "training. Level is good; steep means that some layers learn far faster than others.",
}

_TABLE = (
    "Loss and score after the last epoch, mean ± standard deviation over seeds. Signal and gradient: "
    "variance in the first and in the last layer before training. Epochs: median of the runs that got there."
)

# What of the settings is shown, and how it is called.
_SETTINGS = {
    "dataset": "data set",
    "source": "source",
    "scaling": "inputs",
    "task": "task",
    "train_rows": "training rows",
    "test_rows": "test rows",
    "network": "network",
    "activation": "activation",
    "initializer": "initializer",
    "optimizer": "optimizer",
    "loss": "loss",
    "epochs": "epochs",
    "batch_size": "batch size",
    "seeds": "seeds",
}


def page(results: Mapping[str, Any]) -> str:
    """Return the page.

    Raises:
        ImportError: matplotlib is not installed.
    """
    settings, schemes = results["settings"], results["schemes"]
    title = f"{len(schemes)} {settings['vary']}s on {settings['dataset']}"
    keys = [figures.legend(i) for i in range(len(schemes))]
    legend = "".join(f"<li>{key}{_text(one['label'])}</li>" for key, one in zip(keys, schemes, strict=True))
    plots = "".join(
        f"<figure><h3>{_text(panel.title)}</h3>{figures.svg(panel, results)}"
        f"<figcaption>{_text(_CAPTIONS[panel.name])}</figcaption></figure>"
        for panel in figures.PANELS
    )
    heads = "".join(f"<th>{_text(head)}</th>" for head in results["columns"])
    rows = "".join(_row(row, key) for row, key in zip(results["rows"], keys, strict=True))
    one_by_one = "".join(
        f"<dt>{key}{_text(one['label'])}</dt><dd>{_text(one['verdict'])} "
        f'<span class="soft">{_text(one["description"])}</span></dd>'
        for key, one in zip(keys, schemes, strict=True)
    )
    known = "<h2>What is known of this experiment</h2>" + _paragraphs(results["known"])
    how = "".join(
        f"<dt>{_text(name)}</dt><dd>{_text(_value(settings[key]))}</dd>" for key, name in _SETTINGS.items()
    )
    made = (
        f"initcore {settings['initcore']} on {settings['isa']}, NumPy {settings['numpy']}, Python "
        f"{settings['python']}: {len(schemes) * len(settings['seeds'])} networks trained in "
        f"{settings['seconds']:.1f} s, {settings['jobs']} at a time."
    )
    same = (
        f"Network {settings['network']}, {settings['epochs']} epochs, {len(settings['seeds'])} seeds each: "
        "the same data, in the same order, for all."
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_text(title)} - initcore</title>
<style>{_css()}</style>
</head>
<body>
<main>
<h1>{_text(title)}</h1>
<p class="soft">{_text(same)}</p>
{_paragraphs(results["notes"])}
<section class="verdict">{_paragraphs(results["verdict"])}</section>
<ul class="keys">{legend}</ul>
<div class="plots">{plots}</div>
<h2>The figures</h2>
<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>
<p class="soft small">{_text(_TABLE)}</p>
<h2>One by one</h2>
<dl class="each">{one_by_one}</dl>
{known if results["known"] else ""}
<h2>How it was done</h2>
<dl>{how}</dl>
<footer>{_text(made)}</footer>
</main>
</body>
</html>
"""


def _css() -> str:
    light, dark = (
        "".join(f"--c{i}: {pair[shade]}; " for i, pair in enumerate(figures.COLOURS))
        + "".join(f"--{name}: {pair[shade]}; " for name, pair in figures.INK.items())
        for shade in (0, 1)
    )
    colours = f":root {{ {light}}}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark}}} }}\n"
    return colours + (resources.files("initcore") / "data" / "report.css").read_text(encoding="utf-8")


def _row(cells: Iterable[str], key: str) -> str:
    first, *others = (_text(cell) for cell in cells)
    return f"<tr><td>{key}{first}</td>" + "".join(f"<td>{cell}</td>" for cell in others) + "</tr>"


def _paragraphs(texts: Iterable[str]) -> str:
    return "".join(f"<p>{_text(text)}</p>" for text in texts)


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _text(value: Any) -> str:
    return html.escape(str(value))
