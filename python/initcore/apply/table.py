"""The table that `initcore.initialize` returns: what was done to each tensor, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, overload

from initcore._table import aligned


@dataclass(frozen=True)
class Row:
    """One tensor.

    ``shape`` is None where the tensor has none yet. ``std`` is the standard deviation that its elements were
    drawn with; where the law has none to state, or the data set it, that of the elements themselves; None
    where nothing was drawn. ``learning_rate`` is what muP multiplies the optimizer's by for this tensor.
    """

    name: str
    shape: tuple[int, ...] | None
    dtype: str
    role: str
    scheme: str
    std: float | None
    why: str
    learning_rate: float = 1.0

    @property
    def changed(self) -> bool:
        """Whether the tensor was set."""
        return self.scheme != "-"

    def cells(self) -> tuple[str, ...]:
        """Return what is printed."""
        shape = "unknown" if self.shape is None else "x".join(map(str, self.shape)) or "scalar"
        std = "" if self.std is None else f"{self.std:.4g}"
        return self.name, shape, self.role, self.scheme, std, self.why


class Table(Sequence[Row]):
    """The rows, in the order of the model; print it, go through it, or ask for a tensor by name.

    >>> table = Table([Row("dense/kernel", (784, 10), "float32", "kernel", "he_normal", 0.0505, "relu")])
    >>> print(table)
    tensor        shape   role    scheme        std  why
    dense/kernel  784x10  kernel  he_normal  0.0505  relu
    1 tensor set, 0 left as they were
    >>> table["dense/kernel"].scheme, [row.name for row in table]
    ('he_normal', ['dense/kernel'])
    >>> table.to_dict()["dense/kernel"]["shape"]
    [784, 10]
    """

    def __init__(self, rows: Sequence[Row], notes: Sequence[str] = ()) -> None:
        self._rows = tuple(rows)
        self.notes = tuple(notes)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, which: int | str) -> Row: ...
    @overload
    def __getitem__(self, which: slice) -> Sequence[Row]: ...
    def __getitem__(self, which: int | str | slice) -> Row | Sequence[Row]:
        if isinstance(which, str):
            found = next((row for row in self._rows if row.name == which), None)
            if found is None:
                raise KeyError(which)
            return found
        return self._rows[which]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and self._rows == other._rows

    __hash__ = None  # type: ignore[assignment]

    @property
    def learning_rates(self) -> dict[str, float]:
        """What the learning rate of each tensor is to be multiplied by: other than 1 with ``mup=``."""
        return {row.name: row.learning_rate for row in self._rows}

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return the rows by name, of types that JSON has."""
        return {row.name: {**asdict(row), "shape": row.shape and list(row.shape)} for row in self._rows}

    def __str__(self) -> str:
        header = ("tensor", "shape", "role", "scheme", "std", "why")
        done = sum(row.changed for row in self._rows)
        left = len(self._rows) - done
        summary = f"{done} tensor{'s' * (done != 1)} set, {left} left as they were"
        return "\n".join([aligned(header, [row.cells() for row in self._rows]), summary, *self.notes])

    __repr__ = __str__
