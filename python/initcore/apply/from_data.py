"""``initialize(model, "lsuv", data=x)``: scales from data, whatever framework the model is of."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from initcore import data_dependent
from initcore.apply.table import Row, Table
from initcore.calibration import Calibrated, Goal
from initcore.network import Network


def lsuv(model: Any, data: Any, start: Callable[[], Table]) -> Table:
    """Start the model, then scale its kernels on ``data``; the model is as it was if that raises.

    Raises:
        TypeError: For models of this framework there is no such thing.
    """
    if isinstance(model, Network):
        kept = {name: array.copy() for name, array in model.parameters.items()}
        try:
            table = start()
            calibration = data_dependent.lsuv(model, data, start=None)  # type: ignore[arg-type]
        except BaseException:
            model.parameters.update(kept)
            raise
        return _told(table, {f"{row.name}/kernel": row for row in calibration})
    if "keras" in {base.__module__.split(".")[0] for base in type(model).__mro__}:
        raise TypeError(
            "'lsuv' is for initcore's Sequential and PyTorch's modules, not for Keras models: start with "
            "'orthogonal' and let BatchNormalization layers find the scales on data"
        )
    done: list[Table] = []
    adapter = importlib.import_module("initcore.torch.module")
    walk = importlib.import_module("initcore.torch.calibration")
    first = {name: tensor.name for tensor in adapter.parameters(model) for name in tensor.names}
    rows = walk.calibrated(model, data, Goal(), lambda: done.append(start()))
    kernels = {first.get(walk.kernel_name(row)): row for row in reversed(rows)}
    return _told(done[0], kernels)


def _told(table: Table, found: Mapping[Any, Calibrated]) -> Table:
    """The table, with what was done to the kernels of these names."""

    def told(row: Row) -> Row:
        if row.name in found:
            one = found[row.name]
            why = f"variance of what it gives on the data: {one.before:.3g}, now {one.after:.3g}"
            missed = "" if one.converged else ", not within tolerance"
            return replace(row, scheme="lsuv", std=None, why=why + missed)
        if row.role == "kernel" and row.changed:
            why = "not scaled: the data reach no dense layer or convolution that has it"
            return replace(row, why=f"{row.why}; {why}")
        return row

    return Table([told(row) for row in table], table.notes)
