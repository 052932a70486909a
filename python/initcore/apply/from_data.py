"""Initialization from data, whatever framework a model is of: LSUV, and the start of weight normalization.

As `initcore.data_dependent` for our own models; how a model is walked through, its adapter's ``calibrated``
says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from initcore.apply import adapter_of, initialize
from initcore.apply.table import Row, Table
from initcore.calibration import STANDARD, Calibrated, Calibration, Goal
from initcore.random import KeyLike


def lsuv(
    model: Any,
    data: Any,
    *,
    variance: float = 1.0,
    tolerance: float = 0.1,
    max_iterations: int = 10,
    per: Literal["layer", "unit"] = "layer",
    center: bool = False,
    start: Any = "orthogonal",
    seed: KeyLike = 0,
    training: bool = False,
) -> Calibration:
    """Scale every kernel so that what it gives has variance 1 on a batch: LSUV.

    Mishkin & Matas 2016, arXiv:1511.06422, algorithm 1. As `initcore.data_dependent.lsuv`, for any model.

    Args:
        model: The model; kernels of dense layers and convolutions are scaled, not those within recurrent
            layers, and of those of attention the last.
        data: What ``model(data)`` takes; a tuple of arguments, and for PyTorch a dict of them by name.
        variance, tolerance, max_iterations, per, center: As there.
        start: What `initcore.initialize` sets all tensors to before, or None for what they are.
        seed: For ``start``.
        training: Whether batch normalization and dropout work as in training while it runs.

    Returns:
        A row for each dense layer and convolution that the data reach, first to last.

    Raises:
        ValueError: A layer's output does not vary or is not finite, or has no bias to center with; no layer
            is reached; the model is spread over processes. It is as it was then, as after any error in its
            forward.

    >>> import initcore as ic
    >>> import numpy as np
    >>> model = ic.Sequential([ic.Dense(64, "relu"), ic.Dense(1)], input_shape=(9,))
    >>> done = lsuv(model, np.random.default_rng(0).normal(3, 5, size=(256, 9)))
    >>> [row.name for row in done], done.converged
    (['dense', 'dense_1'], True)
    """
    goal = Goal(variance, tolerance, max_iterations, per, center)
    return _calibrated(model, data, goal, start, seed, training)


def standardize(
    model: Any, data: Any, *, start: Any = None, seed: KeyLike = 0, training: bool = False
) -> Calibration:
    """Give every unit mean 0 and variance 1 on a batch, by its kernel's scale and its bias.

    Salimans & Kingma 2016, arXiv:1602.07868, equation 6. As `initcore.data_dependent.standardize`; arguments
    as in `lsuv`.

    >>> import initcore as ic
    >>> import numpy as np
    >>> model = ic.Sequential([ic.Dense(8)], input_shape=(3,))
    >>> x = np.random.default_rng(0).normal(3, 5, (99, 3))
    >>> _ = standardize(model, x)
    >>> bool(np.allclose(model.predict(x).std(axis=0), 1, atol=1e-4))
    True
    """
    return _calibrated(model, data, STANDARD, start, seed, training)


def table(model: Any, data: Any, seed: KeyLike) -> Table:
    """Set a model by LSUV, and tell: ``initialize(model, "lsuv", seed, data=data)``."""
    done: list[Table] = []
    adapter = adapter_of(model)
    found = adapter.calibrated(
        model, data, Goal(), lambda: done.append(initialize(model, "orthogonal", seed))
    )
    first = {name: tensor for tensor in adapter.parameters(model) for name in tensor.names}
    std = {tensor.name: tensor.measure() for tensor in first.values()}
    return _told(done[0], {first[name].name: row for name, row in reversed(found.items())}, std)


def _calibrated(model: Any, data: Any, goal: Goal, start: Any, seed: KeyLike, training: bool) -> Calibration:
    def begin() -> object:
        return None if start is None else initialize(model, start, seed)

    return Calibration(adapter_of(model).calibrated(model, data, goal, begin, training).values())


def _told(table: Table, found: Mapping[str, Calibrated], std: Mapping[str, float | None]) -> Table:
    """The table, with what was done to the kernels of these names, whose elements spread so now."""

    def told(row: Row) -> Row:
        if row.name in found:
            one = found[row.name]
            why = f"variance of its pre-activations on the data: {one.before:.3g}, now {one.after:.3g}"
            missed = "" if one.converged else ", not within tolerance"
            return replace(row, scheme="lsuv", std=std[row.name], why=why + missed)
        if row.role == "kernel" and row.changed:
            why = "not scaled: no layer that the data reach gives what it makes of them"
            return replace(row, why=f"{row.why}; {why}")
        return row

    return Table([told(row) for row in table], table.notes)
