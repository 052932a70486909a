"""What theory says about a network at its start.

* `gain`, `Gated`: what weights must be scaled by after an activation. In gains.py.
* `fixed_point`, `critical`: where signals of a deep network end up, and the edge of chaos. In meanfield.py.
* `gain_table`, `torch_gain`: all gains, beside PyTorch's numbers. In gain_table.py.
"""

from __future__ import annotations

from initcore.gain_table import TORCH_GAINS, GainRow, GainTable, gain_table, torch_gain, with_gain
from initcore.gains import GATED, Gated, formula, gain
from initcore.meanfield import Critical, FixedPoint, critical, fixed_point
from initcore.quadrature import Gain

__all__ = [
    "GATED",
    "TORCH_GAINS",
    "Critical",
    "FixedPoint",
    "Gain",
    "GainRow",
    "GainTable",
    "Gated",
    "critical",
    "fixed_point",
    "formula",
    "gain",
    "gain_table",
    "torch_gain",
    "with_gain",
]
