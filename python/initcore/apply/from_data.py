"""``initialize(model, "lsuv", data=x)``: scales from data, whatever framework the model is of."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from initcore import data_dependent
from initcore.apply.table import Row, Table
from initcore.calibration import Calibration
from initcore.network import Network


def lsuv(model: Any, data: Any, start: Callable[[], Table]) -> Table:
    """Start the model, then scale its kernels on ``data``; the model is as it was if that raises.

    Raises:
        TypeError: For models of this framework there is no such thing.
    """
    done: list[Table] = []
    if isinstance(model, Network):
        kept = {name: array.copy() for name, array in model.parameters.items()}
        try:
            table = start()
            calibration = data_dependent.lsuv(model, data, start=None)  # type: ignore[arg-type]
        except BaseException:
            model.parameters.update(kept)
            raise
        return _told(table, calibration)
    if "keras" in {base.__module__.split(".")[0] for base in type(model).__mro__}:
        raise TypeError("'lsuv' is for initcore's Sequential and PyTorch's modules, not for Keras models")
    of_torch = importlib.import_module("initcore.torch.calibration")
    calibration = of_torch.started_lsuv(model, data, lambda: done.append(start()))
    return _told(done[0], calibration)


def _told(table: Table, calibration: Calibration) -> Table:
    found = {row.name: row for row in calibration}

    def told(row: Row) -> Row:
        layer = row.name.rpartition("/" if "/" in row.name else ".")[0]
        if row.role != "kernel" or not row.changed or layer not in found:
            return row
        one = found[layer]
        why = f"variance of what it gives on the data: {one.before:.3g}, now {one.after:.3g}"
        missed = "" if one.converged else ", not within tolerance"
        return replace(row, scheme="lsuv", std=None, why=why + missed)

    return Table([told(row) for row in table], table.notes)
