"""Finding a layer's scale and bias from data: the part that knows no framework.

A forward pass reaches a layer, `calibrate` runs that layer alone on the input that is there until its
pre-activations are as asked, and the pass goes on from what the layer now gives: one pass through the network
in all. `data_dependent` does so for `Sequential`; a hook before each layer can for other frameworks.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from initcore._table import aligned
from initcore._validate import check_count, check_number, choose

Array = NDArray[Any]
Visit: TypeAlias = "Callable[[Stop], None]"


@dataclass(frozen=True)
class Goal:
    """What the pre-activations of every layer are to be.

    Attributes:
        variance: Of the pre-activations, over examples and positions.
        tolerance: How far it may be from that, relatively.
        max_iterations: How often a layer is scaled at most.
        per: ``"layer"``: one factor for the whole kernel, from all outputs; ``"unit"``: one for each output.
        center: Whether the bias is moved so that every unit has mean 0. It is moved after the scale is found:
            the other way round, scaling would move the mean again. The variance of a layer is then that
            around each unit's own mean, which is what stays.

    Raises:
        TypeError, ValueError: one of them is none of this.
    """

    variance: float = 1.0
    tolerance: float = 0.1
    max_iterations: int = 10
    per: Literal["layer", "unit"] = "layer"
    center: bool = False

    def __post_init__(self) -> None:
        check_number("variance", self.variance, low=0, open_low=True)
        check_number("tolerance", self.tolerance, low=0, open_low=True)
        check_count("max_iterations", self.max_iterations)
        choose("per", self.per, {"layer": 1, "unit": 1})


STANDARD = Goal(tolerance=1e-3, per="unit", center=True)  # mean 0 and variance 1 of every unit


@dataclass(frozen=True)
class Calibrated:
    """What was done to one layer.

    Attributes:
        name: The layer's.
        forwards: How often the layer was run.
        before: Variance of its pre-activations as it was; with ``per="unit"`` the mean of the units'.
        after: The same as it is now.
        error: Largest relative distance of a variance (the layer's, or a unit's) from the one asked for.
        mean: Largest mean of a unit, in absolute value, as it is now.
        converged: Whether ``error`` is within the tolerance.
    """

    name: str
    forwards: int
    before: float
    after: float
    error: float
    mean: float
    converged: bool


class Calibration(tuple[Calibrated, ...]):
    """What was done to each layer, first to last; printed as a table."""

    __slots__ = ()

    @property
    def converged(self) -> bool:
        """Whether every layer is as asked."""
        return all(row.converged for row in self)

    def __repr__(self) -> str:
        header = ("layer", "forwards", "variance before", "after", "largest error", "largest mean", "")
        return aligned(
            header,
            [
                (
                    row.name,
                    str(row.forwards),
                    f"{row.before:.6g}",
                    f"{row.after:.6g}",
                    f"{row.error:.2g}",
                    f"{row.mean:.2g}",
                    "" if row.converged else "not within tolerance",
                )
                for row in self
            ],
        )


def calibrate(
    name: str,
    run: Callable[[], Array],
    scale: Callable[[Array], None] | None,
    shift: Callable[[Array], None] | None,
    goal: Goal,
) -> Calibrated:
    """Scale, and shift if asked, one layer until its pre-activations are as asked.

    Mishkin & Matas 2016, arXiv:1511.06422, algorithm 1, the inner loop. The caller keeps a copy of the
    tensors of all layers, to put back if this raises.

    Args:
        name: The layer's, for errors and the result.
        run: Returns the layer's pre-activations with its tensors as they are: (examples, ..., units).
        scale: Multiplies the kernel by a factor: one number, or one for each unit. None if it is to stay, as
            one that another layer has too.
        shift: Adds one number for each unit to the bias; None if there is no bias.
        goal: What the pre-activations are to be.

    Raises:
        ValueError: the pre-activations are not finite, or do not vary; or there is no bias to center them
        with.

    >>> x = np.random.default_rng(0).normal(size=(500, 8))
    >>> w, b = np.full((8, 3), 5.0) * np.arange(1, 4), np.zeros(3)
    >>> def scale(factor):
    ...     w[:] *= factor
    >>> done = calibrate("dense", lambda: x @ w + b, scale, None, Goal(per="unit"))
    >>> done.forwards, round(done.after, 6)
    (2, 1.0)
    """
    if goal.center and shift is None:
        raise ValueError(f"{name} has no bias to center its pre-activations with: use center=False")
    forwards, first = 0, math.nan
    while True:
        mean, variance = _moments(name, run(), goal)
        forwards += 1
        if forwards == 1:
            first = float(variance.mean())
        error = float(np.abs(variance / goal.variance - 1).max())
        if scale is None or error <= goal.tolerance or forwards > goal.max_iterations:
            break
        scale(np.sqrt(goal.variance / variance))
    if goal.center and shift is not None:
        shift(-mean)
        mean, variance = _moments(name, run(), goal)
        forwards += 1
    return _row(name, forwards, first, mean, variance, goal)


@contextlib.contextmanager
def running(data: Any) -> Iterator[Callable[[Visit], Visit]]:
    """Run a framework's model on data: what is wrong with a layer is raised as it is, all else is about data.

    Yields a function that remembers what a visit raises, which a framework may put words around.

    >>> with running("words"):
    ...     sum("words")
    Traceback (most recent call last):
    TypeError: the model cannot be run on data=, a str: unsupported operand type(s) for +: 'int' and 'str'
    """
    raised: list[Exception] = []  # by a visit
    of_layers: list[Exception] = []  # by a layer that a visit runs

    def remembering(visit: Visit) -> Visit:
        def visited(stop: Stop) -> None:
            def run() -> Array:
                try:
                    return stop.run()
                except Exception as error:
                    of_layers.append(error)
                    raise

            try:
                visit(stop._replace(run=run))
            except Exception as error:
                raised.append(error)
                raise

        return visited

    try:
        yield remembering
    except Exception as error:
        if raised and not of_layers:
            raise raised[0] from None
        kind = type(error) if type(error) in (TypeError, ValueError, RuntimeError) else ValueError
        what = type(data).__name__ + (f" of shape {tuple(data.shape)}" if hasattr(data, "shape") else "")
        raise kind(f"the model cannot be run on data=, a {what}: {error}") from error


class Stop(NamedTuple):
    """A layer that a forward pass has come to: the arguments of `calibrate`."""

    name: str
    run: Callable[[], Array]
    scale: Callable[[Array], None] | None
    shift: Callable[[Array], None] | None


def in_passes(forward: Callable[[Callable[[Stop], None]], None], goal: Goal) -> Calibration:
    """Set all layers of a model in one forward pass, and measure in a second what they give at last.

    Layers that come later may change what earlier ones give, by what they share with them.

    Args:
        forward: One pass through the model; calls what it is given at each layer with a kernel, the first
            time that it comes to it, and goes on from what the layer gives then.
        goal: What the pre-activations are to be.

    Raises:
        ValueError: as `calibrate`; or no layer is reached.
    """
    rows: dict[str, Calibrated] = {}

    def set_one(stop: Stop) -> None:
        rows[stop.name] = calibrate(*stop, goal)

    def measure(stop: Stop) -> None:
        before = rows[stop.name]
        rows[stop.name] = _row(
            stop.name, before.forwards, before.before, *_moments(stop.name, stop.run(), goal), goal
        )

    for visit in (set_one, measure):
        forward(visit)
    if not rows:
        raise ValueError(
            "the data reach no layer whose kernel could be scaled: a dense layer, a convolution, but nothing "
            "that is within a recurrent layer"
        )
    return Calibration(rows.values())


def _row(name: str, forwards: int, before: float, mean: Array, variance: Array, goal: Goal) -> Calibrated:
    error = float(np.abs(variance / goal.variance - 1).max())
    furthest = float(np.abs(mean).max())
    return Calibrated(
        name, forwards, before, float(variance.mean()), error, furthest, error <= goal.tolerance
    )


def _moments(name: str, z: Array, goal: Goal) -> tuple[Array, Array]:
    """The mean of every unit, and the variance of the layer (one number) or of every unit."""
    precision = np.finfo(z.dtype if z.dtype.kind == "f" else np.float64).eps
    z = np.asarray(z, np.float64).reshape(-1, z.shape[-1])
    if not np.isfinite(z).all():
        raise ValueError(f"the pre-activations of {name} must be finite, got NaN or infinity")
    mean = z.mean(axis=0)
    around = mean if goal.center or goal.per == "unit" else z.mean()
    squares = np.square(z - around)
    variance = squares.mean(axis=0) if goal.per == "unit" else squares.mean()[None]
    rounding = 4 * float(precision) * np.abs(z).max(initial=0)
    none = variance <= rounding**2
    if none.any():
        which = f"{none.sum()} of the {none.size} units" if goal.per == "unit" else "the pre-activations"
        raise ValueError(
            f"{name} cannot be scaled: {which} do not vary over these {len(z)} examples. "
            "Give it more, or more different, examples, or a kernel that does not start at 0."
        )
    return mean, variance
