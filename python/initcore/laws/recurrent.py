"""Biases of recurrent layers, whose vectors hold the gates side by side on the last axis.

Their kernels need no laws of their own: `Identity` (Le, Jaitly & Hinton 2015), and `Orthogonal` per gate,
which is its meaning for the layout ``Packed(order, 4)`` of an LSTM or ``Packed(order, 3)`` of a GRU.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initcore._validate import check_number
from initcore.formats import Format
from initcore.laws.base import Initializer
from initcore.layouts import Layout, LayoutLike
from initcore.layouts.base import divide, open_grid
from initcore.random import Key, Shape, draw


class GateBias(Initializer):
    """A law of the biases of gates, each of which has a letter; ``order`` says how they are packed."""

    order: str

    def _draw(self, shape: tuple[int, ...], key: Key, layout: Layout, how: dict[str, Any]) -> NDArray[Any]:
        if not shape:
            raise ValueError("the biases of gates lie on the last axis: shape must have one, got ()")
        units = divide(shape[-1], len(self.order), f"the last axis, of {len(self.order)} gates,")

        def fill(to: NDArray[Any], final: Format, **where: Any) -> None:
            if to.size:
                gates = np.zeros((len(self.order), units))
                for letter, values in self._gates(units, key).items():
                    gates[self.order.index(letter)] = values
                to[...] = gates.reshape(-1)[open_grid(shape, how["index"])[-1]]

        return draw(fill, shape, **how)

    @abstractmethod
    def _gates(self, units: int, key: Key) -> dict[str, Any]:
        """Return the biases of those gates whose biases are not 0."""


def _check_gates(order: str, **named: str) -> None:
    if not isinstance(order, str) or not order or len(set(order)) != len(order):
        raise ValueError(f"order must be letters, one for each gate, such as 'ifco', got {order!r}")
    for name, letter in named.items():
        if letter and (len(letter) != 1 or letter not in order):
            raise ValueError(f"{name} must be one of the gates {order!r}, got {letter!r}")


@dataclass(frozen=True)
class ForgetGateBias(GateBias):
    """Forget gates start open: their bias is ``value``, that of the other gates 0.

    Gers, Schmidhuber & Cummins 2000; Jozefowicz, Zaremba & Sutskever 2015, section 2. Keras does so; PyTorch
    does not, and adds two vectors: give this law to one of them, `Zeros` to the other.

    Args:
        value: The bias.
        order: How the gates are packed; Keras's ``"ifco"`` and PyTorch's ``"ifgo"`` have the forget gate at
            the same place.
        forget: Which of them is the forget gate. That of a GRU is its update gate: ``order="zrh",
            forget="z"`` in Keras, ``order="rzn", forget="z"`` in PyTorch.

    >>> ForgetGateBias()((8,), key=0)
    array([0., 0., 1., 1., 0., 0., 0., 0.], dtype=float32)
    """

    value: float = 1.0
    order: str = "ifco"
    forget: str = "f"

    def __post_init__(self) -> None:
        check_number("value", self.value)
        _check_gates(self.order, forget=self.forget)

    def largest(self, shape: Shape, layout: LayoutLike = "io") -> float:
        return abs(self.value)

    def _gates(self, units: int, key: Key) -> dict[str, Any]:
        return {self.forget: self.value}


@dataclass(frozen=True)
class ChronoBias(GateBias):
    """Units remember over times that are spread from 1 to ``longest`` steps.

    Tallec & Ollivier 2018, arXiv:1804.11188, section 2: forget gates get log(u), u uniform on
    [1, ``longest`` - 1], input gates its negative, others 0. A unit whose gate is 1 - 1/T forgets with the
    time scale T. A slice costs a random number per unit.

    Args:
        longest: The longest dependence to be expected, in steps; greater than 2.
        order: How the gates are packed; Keras's ``"ifco"`` and PyTorch's ``"ifgo"`` agree in what matters.
        forget: Which of them is the forget gate.
        input: Which is the input gate; ``""`` where there is none, as in a GRU, of which
            ``order="zrh", forget="z"`` (Keras) or ``order="rzn", forget="z"`` (PyTorch).

    >>> b = ChronoBias(100)((4000,), key=0)
    >>> bool((b[:1000] == -b[1000:2000]).all()), f"{b.max():.3f} {np.log(99):.3f}"
    (True, '4.594 4.595')
    """

    longest: float
    order: str = "ifco"
    forget: str = "f"
    input: str = "i"

    def __post_init__(self) -> None:
        check_number("longest", self.longest, low=2, open_low=True)
        _check_gates(self.order, forget=self.forget, input=self.input)

    def largest(self, shape: Shape, layout: LayoutLike = "io") -> float:
        return math.log(self.longest - 1)

    def _gates(self, units: int, key: Key) -> dict[str, Any]:
        # NumPy's log has other last bits on other processors.
        times = key.uniform((units,), 1.0, self.longest - 1, dtype="float64").tolist()
        remembered = np.array([math.log(time) for time in times])
        return {self.forget: remembered} | ({self.input: -remembered} if self.input else {})
