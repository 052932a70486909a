"""What a comparison measures: one run of one scheme, and all runs of a scheme with their statistics."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Series = tuple[float, ...]


@dataclass(frozen=True)
class Run:
    """One network, trained once. Series over epochs go from the first to the last, those over layers too.

    ``signal`` is the variance of each layer's output over units and examples before training, the input
    first; ``gradient`` is the variance of the loss's gradient in each layer. ``units`` and ``distinct`` count
    the units of each hidden layer, and those of them that differ from each other at the end; ``dead`` is the
    share of them that answers nothing to any example.
    """

    seed: int
    loss: Series
    test_loss: Series
    score: Series
    signal: Series
    gradient: Series
    units: tuple[int, ...]
    distinct: tuple[int, ...]
    dead: Series
    rmse: float | None
    seconds: float

    @property
    def finite(self) -> bool:
        """Whether the training loss stayed finite."""
        return all(map(math.isfinite, self.loss))

    @property
    def symmetric(self) -> bool:
        """Whether the units of every hidden layer are still equal to each other, bit for bit."""
        return any(n > 1 for n in self.units) and all(n == 1 for n in self.distinct)

    def epochs_to(self, target: float) -> int | None:
        """Return the number of epochs after which the score first was ``target`` or better, or None."""
        return next((i for i, score in enumerate(self.score, 1) if score >= target), None)


@dataclass(frozen=True)
class Spread:
    """A mean over seeds, with the sample's standard deviation (NaN for one seed).

    >>> Spread.of([1.0, 2.0, 3.0])
    Spread(mean=2.0, std=1.0, n=3)
    """

    mean: float
    std: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return mean and standard deviation of ``values``."""
        std = statistics.stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else math.nan
        return cls(
            math.fsum(values) / len(values) if all(map(math.isfinite, values)) else math.nan, std, len(values)
        )


@dataclass(frozen=True)
class Scheme:
    """One of the things compared: its label, what it is, and its runs, one for each seed."""

    label: str
    description: str
    runs: tuple[Run, ...] = field(repr=False)

    @property
    def score(self) -> Spread:
        """The score on the test rows after the last epoch."""
        return Spread.of([run.score[-1] for run in self.runs])

    @property
    def loss(self) -> Spread:
        """The training loss of the last epoch."""
        return Spread.of([run.loss[-1] for run in self.runs])

    @property
    def test_loss(self) -> Spread:
        """The loss on the test rows after the last epoch."""
        return Spread.of([run.test_loss[-1] for run in self.runs])

    @property
    def seconds(self) -> Spread:
        """Time of one training."""
        return Spread.of([run.seconds for run in self.runs])

    @property
    def rmse(self) -> Spread | None:
        """Root mean squared error on the test rows; None unless it is a regression."""
        values = [run.rmse for run in self.runs if run.rmse is not None]
        return Spread.of(values) if values else None

    @property
    def finite(self) -> bool:
        """Whether every run stayed finite."""
        return all(run.finite for run in self.runs)

    @property
    def symmetric(self) -> bool:
        """Whether no run parted the units of its hidden layers."""
        return all(run.symmetric for run in self.runs)

    @property
    def dead(self) -> float:
        """Share of hidden units that answer nothing at the end, over all runs; NaN if there are none."""
        shares = [share for run in self.runs for share in run.dead]
        return math.fsum(shares) / len(shares) if shares else math.nan

    def epochs_to(self, target: float) -> tuple[float | None, int]:
        """Return the median number of epochs to ``target`` of the runs that reached it, and their number."""
        reached = [epochs for run in self.runs if (epochs := run.epochs_to(target)) is not None]
        return (statistics.median(reached) if reached else None), len(reached)

    def by_layer(self, what: str) -> Series:
        """Return the geometric mean over seeds of ``"signal"`` or ``"gradient"``, layer by layer."""
        return tuple(
            _geometric_mean(values) for values in zip(*(getattr(run, what) for run in self.runs), strict=True)
        )

    def over_epochs(self, what: str) -> list[tuple[float, float, float]]:
        """Return mean, lowest, highest over seeds of ``"loss"``, ``"test_loss"`` or ``"score"`` by epoch."""
        series: list[Series] = [getattr(run, what) for run in self.runs]
        epochs = max(map(len, series))
        rows = []
        for i in range(epochs):
            values = [one[i] if i < len(one) else math.nan for one in series]
            ok = all(map(math.isfinite, values))
            rows.append(
                (math.fsum(values) / len(values), min(values), max(values)) if ok else (math.nan,) * 3
            )
        return rows


def difference(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Return mean(a) - mean(b), and how far chance alone would carry it in 95 % of cases.

    Welch's t interval: B. L. Welch 1947, doi:10.1093/biomet/34.1-2.28. The second is NaN if either has fewer
    than two values.

    >>> shift, noise = difference([5.0, 5.1, 4.9], [4.0, 4.1, 3.9])
    >>> round(shift, 3), round(noise, 3)
    (1.0, 0.227)
    """
    one, two = Spread.of(a), Spread.of(b)
    if one.n < 2 or two.n < 2:
        return one.mean - two.mean, math.nan
    va, vb = one.std**2 / one.n, two.std**2 / two.n
    if va + vb == 0:
        return one.mean - two.mean, 0.0
    freedom = (va + vb) ** 2 / (va**2 / (one.n - 1) + vb**2 / (two.n - 1))
    return one.mean - two.mean, _t_quantile(0.975, freedom) * math.sqrt(va + vb)


def _t_quantile(p: float, freedom: float) -> float:
    """Quantile of Student's t, from that of the normal law: Abramowitz & Stegun 26.7.5.

    For p = 0.975 it is within 0.04 % from four degrees of freedom on, 0.8 % too small at two, 11 % at one.
    """
    z = statistics.NormalDist().inv_cdf(p)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / freedom**i for i, term in enumerate(terms))


def _geometric_mean(values: Sequence[float]) -> float:
    if not all(map(math.isfinite, values)):
        return math.nan
    if min(values) <= 0:
        return 0.0
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def finite_or_none(value: Any) -> Any:
    """Return ``value`` with NaN and infinity, for which JSON has no word, replaced by None, at any depth."""
    if isinstance(value, dict):
        return {key: finite_or_none(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite_or_none(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
