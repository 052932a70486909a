"""The results of a comparison, and the forms they are given in: text, dict, JSON, CSV, a page."""

from __future__ import annotations

import csv
import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from initcore import report, verdict
from initcore.runs import Scheme, Spread, finite_or_none


@dataclass(frozen=True, repr=False)
class Comparison:
    """What `initcore.compare` returns.

    Attributes:
        schemes: The things compared, each with its runs, in the order given.
        settings: Everything that was the same for all of them, and the versions used.
        target: The score to which epochs are counted.
        notes: What a reader must know of how it came about, such as the data set that was used instead.
        known: For a preset: what is known of this experiment, beside which the results are to be read.
    """

    schemes: tuple[Scheme, ...]
    settings: dict[str, Any]
    target: float
    notes: tuple[str, ...] = ()
    known: tuple[str, ...] = ()

    @property
    def context(self) -> verdict.Context:
        """What the verdicts are judged by."""
        return verdict.Context(
            score_name=self.settings["score"],
            chance=self.settings["chance"],
            test_rows=self.settings["test_rows"],
            target=self.target,
            epochs=self.settings["epochs"],
        )

    @property
    def verdict(self) -> list[str]:
        """What the comparison shows, in sentences, most important first."""
        return verdict.about_all(self.schemes, self.context)

    @property
    def verdicts(self) -> dict[str, str]:
        """What became of each scheme, and why, by label."""
        return {one.label: verdict.about_one(one, self.schemes, self.context) for one in self.schemes}

    def __getitem__(self, label: str) -> Scheme:
        """Return the scheme with that label."""
        for scheme in self.schemes:
            if scheme.label == label:
                return scheme
        raise KeyError(f"{label!r} is none of {', '.join(repr(one.label) for one in self.schemes)}")

    def columns(self) -> list[str]:
        """Return the heads of the table."""
        score = self.settings["score"]
        rmse = ["RMSE"] if self.schemes[0].rmse else []
        target = f"{self.target:.1%}" if score == "accuracy" else f"{score} {self.target:.3g}"
        signal = ["signal", "gradient"]
        return [
            self.settings["vary"],
            "loss",
            f"test {score}",
            *rmse,
            f"epochs to {target}",
            *signal,
            "seconds",
        ]

    def rows(self) -> list[list[str]]:
        """Return the table's rows, as text."""
        return [self._row(scheme) for scheme in self.schemes]

    def _row(self, scheme: Scheme) -> list[str]:
        percent = self.settings["score"] == "accuracy"
        epochs, reached = scheme.epochs_to(self.target)
        seeds = "" if reached in (0, len(scheme.runs)) else f" ({reached}/{len(scheme.runs)})"
        rmse = scheme.rmse
        return [
            scheme.label,
            f"{scheme.loss.mean:.3g}" if math.isfinite(scheme.loss.mean) else "not finite",
            _spread(scheme.score, 100 if percent else 1, 1 if percent else 3) + (" %" if percent else ""),
            *([_spread(rmse, 1, 3)] if rmse else []),
            "-" if epochs is None else f"{epochs:g}{seeds}",
            _ends(scheme.by_layer("signal")[1:]),
            _ends(scheme.by_layer("gradient")),
            f"{scheme.seconds.mean:.2f}",
        ]

    def table(self) -> str:
        """Return the results as text: a table, then the verdict.

        Signal and gradient are variances before training: of the output of the first and the last layer, and
        of the loss's gradient there.
        """
        grid = [self.columns(), *self.rows()]
        widths = [max(len(row[i]) for row in grid) for i in range(len(grid[0]))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in grid
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([*self.notes, *([""] if self.notes else []), *lines, "", *self.verdict])

    def __repr__(self) -> str:
        settings = self.settings
        return f"<Comparison of {len(self.schemes)} {settings['vary']}s on {settings['dataset']}>"

    def __str__(self) -> str:
        return self.table()

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON: numbers that are not finite are None."""
        verdicts = self.verdicts
        schemes = [
            {
                "label": one.label,
                "description": one.description,
                "verdict": verdicts[one.label],
                "loss": asdict(one.loss),
                "test_loss": asdict(one.test_loss),
                "score": asdict(one.score),
                "rmse": asdict(one.rmse) if one.rmse else None,
                "epochs_to_target": dict(zip(("median", "reached"), one.epochs_to(self.target), strict=True)),
                "signal": one.by_layer("signal"),
                "gradient": one.by_layer("gradient"),
                "symmetric": one.symmetric,
                "dead": one.dead,
                "seconds": asdict(one.seconds),
                "curves": {what: one.over_epochs(what) for what in ("loss", "test_loss", "score")},
                "runs": [asdict(run) for run in one.runs],
            }
            for one in self.schemes
        ]
        result: dict[str, Any] = finite_or_none(
            {
                "settings": self.settings,
                "target": self.target,
                "notes": self.notes,
                "known": self.known,
                "verdict": self.verdict,
                "columns": self.columns(),
                "rows": self.rows(),
                "schemes": schemes,
            }
        )
        return result

    def save_json(self, path: str | os.PathLike[str]) -> None:
        """Write everything as JSON."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")

    def save_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one row for each scheme, seed and epoch, as CSV; numbers that are not finite stay empty."""
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(
                ["scheme", "seed", "epoch", "loss", "test_loss", f"test_{self.settings['score']}"]
            )
            for scheme in self.schemes:
                for run in scheme.runs:
                    for epoch, values in enumerate(zip(run.loss, run.test_loss, run.score, strict=True), 1):
                        cells = [value if math.isfinite(value) else "" for value in values]
                        writer.writerow([scheme.label, run.seed, epoch, *cells])

    def save_html(self, path: str | os.PathLike[str]) -> None:
        """Write one page with everything: table, verdicts, curves. It needs nothing from elsewhere.

        Raises:
            ImportError: matplotlib, which draws the curves, is not installed.
        """
        Path(path).write_text(report.page(self.to_dict()), encoding="utf-8")

    def save_png(self, path: str | os.PathLike[str]) -> None:
        """Write the curves and the plots by layer as one picture.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from initcore import figures

        Path(path).write_bytes(figures.picture(self.to_dict()))


def _spread(spread: Spread, scale: float, digits: int) -> str:
    if not math.isfinite(spread.mean):
        return "not finite"
    text = f"{spread.mean * scale:.{digits}f}"
    return f"{text} ± {spread.std * scale:.{digits}f}" if math.isfinite(spread.std) else text


def _ends(series: tuple[float, ...]) -> str:
    return f"{_short(series[0])} → {_short(series[-1])}"


def _short(value: float) -> str:
    return (
        f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e")
        if value and not 0.01 <= value < 1000
        else f"{value:.2g}"
    )
