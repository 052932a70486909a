"""Gains of every activation, beside PyTorch's and the edge of chaos."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from initcore import activations
from initcore._table import aligned
from initcore._validate import check_number, choose
from initcore.activations import Activation
from initcore.criticality import Critical, critical
from initcore.gains import GATED, Gated, Plain, gain, is_gated, named
from initcore.stability import Stability, stability

# What torch.nn.init.calculate_gain returns, by its names, but for leaky_relu, which depends on a parameter.
TORCH_GAINS: Mapping[str, float] = {
    **dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d"), 1.0),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), 1.0),
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}
_TORCH_NAMES = {"identity": "linear"}


def torch_gain(name: str, a: float = 0.01) -> float:
    """Return what PyTorch's ``torch.nn.init.calculate_gain`` does.

    Only those of ``linear``, ``relu`` and ``leaky_relu`` keep a signal's second moment as `gain` does.
    ``tanh``, 5/3, and ``selu``, 3/4, are empirical; ``sigmoid``, 1, is a placeholder.

    Args:
        name: Of an activation or a linear layer, as PyTorch spells it.
        a: Negative slope of ``"leaky_relu"``.

    Raises:
        ValueError: PyTorch has no number for that name.
        TypeError: ``a`` is not a number.

    >>> torch_gain("relu") == math.sqrt(2), torch_gain("leaky_relu", 1.0), torch_gain("selu")
    (True, 1.0, 0.75)
    """
    table = {**TORCH_GAINS, "leaky_relu": math.sqrt(2 / (1 + check_number("a", a) ** 2))}
    return choose("name", name, table)


@dataclass(frozen=True)
class GainRow:
    """What is known of one activation.

    Attributes:
        name: Of the activation.
        forward: `Gain.forward`: keeps the signal's second moment.
        backward: `Gain.backward`: keeps the gradient's; infinite for a flat activation.
        stability: Whether a deep stack with the forward gain draws signals to a second moment of 1, keeps
            them as they are, or drives them away from it (a ``slope`` of less than 1, 1, more).
        critical: The edge of chaos at the least bias variance that has one; None where there is none, and for
            gated pairs.
        torch: PyTorch's number; None where it has none.
    """

    name: str
    forward: float
    backward: float
    stability: Stability
    critical: Critical | None
    torch: float | None


class GainTable(tuple[GainRow, ...]):
    """A row for each activation; printed as text."""

    __slots__ = ()

    def __repr__(self) -> str:
        header = ("activation", "forward", "backward", "slope", "critical sigma_w", "sigma_b", "PyTorch")
        return aligned(
            header,
            [
                (
                    row.name,
                    f"{row.forward:.6f}",
                    f"{row.backward:.6f}",
                    f"{round(row.stability.slope, 3) + 0.0:.3f}",
                    f"{row.critical.sigma_w:.6f}" if row.critical else "-",
                    f"{row.critical.sigma_b:.6f}" if row.critical else "-",
                    "-" if row.torch is None else f"{row.torch:.6f}",
                )
                for row in self
            ],
        )


def gain_table(*functions: Plain | Gated) -> GainTable:
    """Return the gains of activations, all by default, beside PyTorch's numbers.

    A kernel of standard deviation ``forward / sqrt(fan_in)`` after an activation keeps the signal's second
    moment, one of ``backward / sqrt(fan_out)`` the gradient's (`gain`). A ``slope`` of more than 1 says that
    deep stacks with the forward gain drift away from it, unless they are normalized (`stability`).
    ``critical`` is the edge of chaos
    (`initcore.theory.critical`): before and after the activation, weights of ``sigma_w / sqrt(fan_in)`` and
    biases of ``sigma_b``.

    Args:
        *functions: Names of activations and gated pairs, or whatever else `gain` takes.

    Raises:
        ValueError, TypeError: as `gain`.

    >>> gain_table("relu", "tanh", "gelu", "swiglu")
    activation   forward  backward  slope  critical sigma_w   sigma_b   PyTorch
    relu        1.414214  1.414214  1.000          1.414214  0.000000  1.414214
    tanh        1.592537  1.467414  0.461          1.000000  0.000000  1.666667
    gelu        1.533530  1.481114  1.144          1.408211  0.415839         -
    swiglu      1.676532  1.166219  2.173                 -         -         -
    >>> [row.name for row in gain_table(math.erf, activations.get("leaky_relu", negative_slope=0.2))]
    ['erf', 'leaky_relu(0.2)']
    """
    return GainTable(_row(f) for f in functions or with_gain())


def with_gain() -> list[str]:
    """Return the names of all activations and gated pairs that have a gain: that do not look at whole rows.

    >>> "swiglu" in with_gain(), "softmax" in with_gain()
    (True, False)
    """
    found = []
    for name in activations.names():
        try:
            _ = activations.get(name).gains
        except ValueError:
            continue
        found.append(name)
    return [*found, *GATED]


def _row(f: Plain | Gated) -> GainRow:
    found = gain(f)
    gated = is_gated(f)
    try:
        edge = None if gated else critical(f)  # type: ignore[arg-type]
    except ValueError:
        edge = None
    return GainRow(_name(f), found.forward, found.backward, stability(f), edge, None if gated else _known(f))


def _name(f: Plain | Gated) -> str:
    if isinstance(f, Gated):
        return f"{_name(f.activation)}(u) * v"
    if callable(f) and not isinstance(f, Activation):
        return str(getattr(f, "__name__", f))
    if f in GATED:
        return str(f)
    function = named(f)
    usual = function == activations.get(function.name)
    return function.name if usual else f"{function.name}({', '.join(f'{v:g}' for v in function.values)})"


def _known(f: Any) -> float | None:
    """PyTorch's number, if it has one."""
    if callable(f) and not isinstance(f, Activation):
        return None
    function = named(f)
    name = _TORCH_NAMES.get(function.name, function.name)
    if name == "leaky_relu":
        return torch_gain(name, *function.values)
    return TORCH_GAINS.get(name)
