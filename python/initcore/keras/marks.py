"""From which variable an array comes that a forward has made without symbols: reshaped, or converted.

While a forward is followed, the small variables of layers of one's own hold a number each. An array of
nothing but that number comes from that variable. So do embeddings, which may be an output's kernel too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import keras

from initcore.keras.tensors import values_of

_UNIT = 2.0**-14  # of which any floating type has the first multiples
_LARGEST = 2**16  # elements: what a branch is multiplied by has no more


class Marks:
    """Variables, of which large ones are left out, but for those said to be, and their numbers.

    >>> one, two = (keras.Variable([1.0, 1.0]) for _ in range(2))
    >>> marks = Marks([one, two])
    >>> with keras.StatelessScope(marks.values()):
    ...     column = keras.ops.reshape(two, (2, 1))
    >>> ones = keras.ops.ones(2)
    >>> marks.origin(column) is two, marks.origin(ones) is ones
    (True, True)
    """

    def __init__(self, variables: Iterable[Any], large: Iterable[Any] = ()) -> None:
        small = [one for one in variables if math.prod(one.shape) <= _LARGEST]
        self._variables = [one for one in (*small, *large) if "float" in one.dtype]
        self._sizes = {math.prod(one.shape) for one in self._variables}

    def values(self) -> list[tuple[Any, Any]]:
        """Return each variable with what it holds meanwhile."""
        return [
            (one, keras.ops.full(one.shape, (i + 1) * _UNIT, one.dtype))
            for i, one in enumerate(self._variables)
        ]

    def origin(self, one: Any) -> Any:
        """Return the variable that an array comes from; anything else as it is."""
        if not self._variables or not keras.ops.is_tensor(one):
            return one
        size = math.prod(one.shape)
        if size > _LARGEST and size not in self._sizes:
            return one
        step = -(-size // _LARGEST)
        values = values_of(one if step <= 1 else keras.ops.reshape(one, (-1,))[::step]).ravel()
        if not values.size or values.dtype.kind in "biu" or not (values == values[0]).all():
            return one
        number = float(values[0]) / _UNIT
        known = number.is_integer() and 1 <= number <= len(self._variables)
        return self._variables[int(number) - 1] if known else one
