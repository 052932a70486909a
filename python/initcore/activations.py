"""Activation functions as objects: call them, ask for their slope, their formula, their gain.

The elementwise ones come from the compiled core (cpp/kernels/activation_list.h: to add one, add a struct
there). Those that look at a whole row, learn or draw their slope are in the table `_OTHERS` below.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from initcore import _core
from initcore._validate import check_number, choose
from initcore.quadrature import Gain, gain

__all__ = ["Activation", "get", "names"]

Array = NDArray[Any]


@dataclass(frozen=True)
class _Row:
    """One line of the list of activations."""

    name: str
    formula: str
    source: str
    parameters: Mapping[str, tuple[float, float, bool]]  # name -> default, least value, must lie above it
    slope_needs_input: bool
    number: int  # of the elementwise kernel; of leaky_relu where the slope is learned or drawn
    elementwise: bool = True
    over_rows: bool = False


def _core_rows() -> dict[str, _Row]:
    return {entry["name"]: _Row(**entry) for entry in _core.activations()}


_CORE = _core_rows()
_LEAKY = _CORE["leaky_relu"].number
_SOFTMAX_SOURCE = "Bridle 1990, Neurocomputing, NATO ASI series F68, equation 2"
_INFINITE = -1e308

_OTHERS = [
    _Row("softmax", "exp(x) / sum(exp(x))", _SOFTMAX_SOURCE, {}, False, -1, False, True),
    _Row("log_softmax", "x - log(sum(exp(x)))", _SOFTMAX_SOURCE, {}, False, -1, False, True),
    _Row(
        "prelu",
        "where(x > 0, x, alpha * x)",
        "He et al. 2015, arXiv:1502.01852, equation 1",
        {"alpha": (0.25, 0.0, False)},
        False,
        _LEAKY,
        False,
    ),
    _Row(
        "rrelu",
        "where(x > 0, x, (lower + upper) / 2 * x)",
        "Xu et al. 2015, arXiv:1505.00853, section 2.4; without its random slopes, as at inference",
        {"lower": (1 / 8, 0.0, False), "upper": (1 / 3, 0.0, False)},
        False,
        _LEAKY,
        False,
    ),
]

_ROWS = _CORE | {row.name: row for row in _OTHERS}
_ALIASES = {"linear": "identity", "swish": "silu", "hard_silu": "hard_swish"}
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_WIDTH = _core.MAX_ACTIVATION_PARAMETERS


@dataclass(frozen=True)
class Activation:
    """A function of the pre-activation ``x``, with its parameters. Made by `get`.

    Call it on anything NumPy takes. float32 and float64 keep their type; float16 becomes float32,
    integers become float64. The result is a new array of the shape of ``x``.

    >>> f = get("leaky_relu", negative_slope=0.5)
    >>> f
    Activation('leaky_relu', negative_slope=0.5)
    >>> f([-2.0, 0.0, 2.0])
    array([-1.,  0.,  2.])
    >>> f.slope([-2.0, 2.0])
    array([0.5, 1. ])
    >>> f.formula
    'where(x > 0, x, negative_slope * x)'
    >>> f.with_parameters(negative_slope=0.0) == get("leaky_relu", negative_slope=0)
    True
    """

    name: str
    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        row = choose("activation", self.name, _ROWS)
        if len(self.values) != len(row.parameters):
            raise ValueError(f"{self.name} takes {len(row.parameters)} parameters, got {self.values}")

    def __repr__(self) -> str:
        arguments = [repr(self.name), *(f"{name}={value:g}" for name, value in self.parameters.items())]
        return f"Activation({', '.join(arguments)})"

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters by name."""
        return dict(zip(self._row.parameters, self.values, strict=True))

    @property
    def formula(self) -> str:
        """The function in Python syntax, of ``x`` and the parameters."""
        return self._row.formula

    @property
    def source(self) -> str:
        """Where the function comes from."""
        return self._row.source

    @property
    def elementwise(self) -> bool:
        """Whether y[i] depends on x[i] and fixed parameters alone, so that a matrix product can apply it."""
        return self._row.elementwise

    @property
    def slope_needs_input(self) -> bool:
        """Whether the slope is computed from x; otherwise y = f(x) is enough."""
        return self._row.slope_needs_input

    @property
    def number(self) -> int:
        """The kernel's number in the compiled core."""
        if self._row.over_rows:
            raise ValueError(f"{self.name} looks at whole rows: it has no elementwise kernel")
        return self._row.number

    @functools.cached_property
    def kernel_parameters(self) -> tuple[float, ...]:
        """The parameters as the kernel takes them."""
        values = (sum(self.values) / 2,) if self.name == "rrelu" else self.values
        return (*values, *[0.0] * (_WIDTH - len(values)))

    @property
    def gain(self) -> float:
        """1 / sqrt(E[f(z)^2]) for z ~ N(0, 1): what keeps the signal's second moment from layer to layer."""
        return self.gains.forward

    def with_parameters(self, **parameters: float) -> Activation:
        """Return the same function with other parameters.

        Raises:
            ValueError: there is no such parameter, or the value makes no sense.
        """
        for name in parameters:
            if not self._row.parameters:
                raise ValueError(f"{self.name} has no parameters, got {name!r}")
            choose(f"parameter of {self.name}", name, self._row.parameters)
        values = []
        for name, (_, low, above) in self._row.parameters.items():
            low = -math.inf if low <= _INFINITE else low
            value = parameters.get(name, self.parameters[name])
            values.append(check_number(name, value, low=low, open_low=above))
        if self.name == "rrelu" and values[0] > values[1]:
            raise ValueError(f"lower must not exceed upper, got lower={values[0]:g}, upper={values[1]:g}")
        return Activation(self.name, tuple(values))

    def __call__(self, x: ArrayLike) -> Array:
        """Return f(x)."""
        return self._forward(_floats("x", x))

    def slope(self, x: ArrayLike) -> Array:
        """Return f'(x); at a kink, one of the two slopes.

        Raises:
            ValueError: the function looks at whole rows, so that its derivative is a matrix.
        """
        if self._row.over_rows:
            raise ValueError(
                f"{self.name} has no slope, since each output depends on the whole row: "
                "use its backward(dy, x) instead"
            )
        x = _floats("x", x)
        return self.backward(np.ones_like(x), x)

    def backward(self, dy: ArrayLike, x: ArrayLike) -> Array:
        """Return the gradient by x of a loss whose gradient by f(x) is ``dy``.

        Raises:
            ValueError: ``dy`` and ``x`` differ in shape.
        """
        x = _floats("x", x)
        dy = np.ascontiguousarray(_floats("dy", dy), x.dtype).reshape(np.shape(dy))
        if dy.shape != x.shape:
            raise ValueError(f"dy must have the shape of x, {x.shape}, got {dy.shape}")
        y, dx = self._forward(x), np.empty_like(x)
        if self._row.over_rows:
            _core.softmax_backward(dy, y, dx, self.name == "log_softmax")
        else:
            _core.activation_backward(self.number, dy, x, y, dx, self.kernel_parameters)
        return dx

    def _forward(self, x: Array) -> Array:
        y = np.empty_like(x)
        if self._row.over_rows:
            if x.ndim == 0:
                raise ValueError(f"{self.name} needs at least one axis, got a single number")
            _core.softmax_forward(x, y, self.name == "log_softmax")
        else:
            _core.activation_forward(self.number, x, y, self.kernel_parameters)
        return y

    @functools.cached_property  # with the one above: what every call asks for
    def _row(self) -> _Row:
        return _ROWS[self.name]

    @property
    def gains(self) -> Gain:
        """The gain and its backward twin."""
        if self._row.over_rows:
            raise ValueError(f"{self.name} has no gain: it looks at whole rows")
        return _gains(self)


def get(spec: str | Activation | None = None, **parameters: float) -> Activation:
    """Return the activation that ``spec`` names.

    Args:
        spec: A name out of `names`, an alias (``"linear"``, ``"swish"``, ``"hard_silu"``), an
            `Activation`, or None for the identity.
        **parameters: Values of the function's parameters; those not given keep their value.

    Raises:
        ValueError: there is no such activation or parameter, or a value makes no sense.

    >>> get("swish").name
    'silu'
    >>> get("elu", alpha=0.5).parameters
    {'alpha': 0.5}
    """
    if isinstance(spec, Activation):
        return spec.with_parameters(**parameters) if parameters else spec
    name = "identity" if spec is None else spec
    row = choose("activation", _ALIASES.get(name, name) if isinstance(name, str) else name, _ROWS, _ALIASES)
    defaults = Activation(row.name, tuple(default for default, _, _ in row.parameters.values()))
    return defaults.with_parameters(**parameters) if parameters else defaults


def names() -> list[str]:
    """Return the name of every activation."""
    return list(_ROWS)


@functools.lru_cache(maxsize=1024)
def _gains(activation: Activation) -> Gain:
    return gain(activation, activation.slope)  # some milliseconds: a model asks for every layer


def _floats(name: str, x: ArrayLike) -> Array:
    """x as a C-contiguous float32 or float64 array in the machine's byte order."""
    if type(x) is np.ndarray and x.dtype in _FLOATS and x.flags.c_contiguous:
        return x  # the rest takes as long as the functions of some thousand elements
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    single = array.dtype.kind == "f" and array.dtype.itemsize <= np.dtype(np.float32).itemsize
    dtype = np.float32 if single else np.float64
    return np.ascontiguousarray(array, dtype).reshape(array.shape)
