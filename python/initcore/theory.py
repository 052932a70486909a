"""What theory says about a network at its start.

* `gain`, `Gated`: what weights must be scaled by after an activation. In gains.py.
* `gated_gain`: what the kernels of a gated pair must be scaled by, before it. In gated_gains.py.
* `propagate`, `fixed_point`: how signals go through a deep network, and where they end up. In meanfield.py.
* `stability`: whether a deep stack stays at what the gain keeps. In stability.py.
* `critical`: the edge of chaos. In criticality.py.
* `gain_table`, `torch_gain`: all gains, beside PyTorch's numbers. In known_gains.py.
"""

from __future__ import annotations

from initcore.criticality import Critical, critical
from initcore.gains import GATED, Gated, formula, gain
from initcore.gated_gains import gated_gain
from initcore.known_gains import TORCH_GAINS, GainRow, GainTable, gain_table, torch_gain, with_gain
from initcore.meanfield import FixedPoint, Signal, fixed_point, propagate
from initcore.quadrature import Gain
from initcore.stability import Stability, stability

__all__ = [
    "GATED",
    "TORCH_GAINS",
    "Critical",
    "FixedPoint",
    "Gain",
    "GainRow",
    "GainTable",
    "Gated",
    "Signal",
    "Stability",
    "critical",
    "fixed_point",
    "formula",
    "gain",
    "gain_table",
    "gated_gain",
    "propagate",
    "stability",
    "torch_gain",
    "with_gain",
]
