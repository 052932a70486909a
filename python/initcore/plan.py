"""The plan: operations on buffers, recorded here, executed by the compiled core.

A layer, loss, metric or optimizer does not compute. It *lowers* itself: it asks the plan for buffers and adds
operations to a segment ("forward", "loss", "backward", "update"). `Plan.build` lays all buffers out in one
arena and hands the list to the core, which then walks it batch after batch without coming back to Python.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from initcore import _core
from initcore.precision import check_precision

_ALIGNMENT = 64  # bytes: a cache line, and the widest vector register


def aligned_empty(size: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return a 1-D array of ``size`` zeros whose first element lies on a cache line."""
    dtype = np.dtype(dtype)
    memory = np.zeros(size * dtype.itemsize + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size * dtype.itemsize].view(dtype)


@dataclass(eq=False)
class Buffer:
    """Memory that operations read and write.

    ``shape`` is the shape at a full batch. ``per_row`` is how many of its rows belong to each example of a
    batch; 0 means that the buffer is the same for every batch, as parameters are. ``array`` is there once
    the plan is built (or from the start, for a view of memory that exists).
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    per_row: int
    name: str = ""
    array: NDArray[Any] | None = None

    @property
    def columns(self) -> int:
        """Elements of one row."""
        return math.prod(self.shape[1:])


@dataclass
class Operation:
    """One line of the plan: ``name`` is a method of the core's Plan, which takes ``arguments``."""

    segment: str
    name: str
    arguments: dict[str, Any]


@dataclass
class Plan:
    """Operations for batches of up to ``batch_size`` examples in ``dtype``, products in ``precision``.

    >>> plan = Plan(batch_size=4)
    >>> x = plan.batch(3)
    >>> y = plan.batch(3)
    >>> plan.add("forward", "activation_forward", number=1, x=x, y=y, parameters=(0.0, 0.0))
    >>> plan.build()
    >>> x.array[:] = -1
    >>> plan.run(["forward"], rows=4)
    >>> y.array.max()
    np.float32(0.0)
    """

    batch_size: int
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))
    precision: str | None = None
    operations: list[Operation] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    core: Any = None

    def __post_init__(self) -> None:
        self.precision = check_precision(self.precision, self.dtype)

    def batch(
        self, *columns: int, dtype: DTypeLike | None = None, per_row: int = 1, name: str = ""
    ) -> Buffer:
        """Return a new buffer with ``per_row`` rows of shape ``columns`` for each example."""
        shape = (self.batch_size * per_row, *columns)
        return self._new(Buffer(shape, np.dtype(dtype or self.dtype), per_row, name))

    def fixed(self, *shape: int, dtype: DTypeLike | None = None, name: str = "") -> Buffer:
        """Return a new buffer that is the same for every batch. It starts as zeros."""
        return self._new(Buffer(shape, np.dtype(dtype or self.dtype), 0, name))

    def view(self, array: NDArray[Any], *, per_row: int = 0, name: str = "") -> Buffer:
        """Return a buffer on memory that exists: parameters, gradients, moving statistics."""
        return Buffer(array.shape, array.dtype, per_row, name, array)

    def add(self, segment: str, operation: str, **arguments: Any) -> None:
        """Append ``operation`` of the core to ``segment``. Buffers among the arguments become operands."""
        self.operations.append(Operation(segment, operation, arguments))

    def build(self) -> None:
        """Lay out the arena and hand all operations to the core, which checks types and shapes."""
        offsets, size = [], 0
        for buffer in self.buffers:
            offsets.append(size)
            nbytes = math.prod(buffer.shape) * buffer.dtype.itemsize
            size += -(-nbytes // _ALIGNMENT) * _ALIGNMENT
        arena = aligned_empty(size, np.uint8)
        for buffer, start in zip(self.buffers, offsets, strict=True):
            nbytes = math.prod(buffer.shape) * buffer.dtype.itemsize
            buffer.array = arena[start : start + nbytes].view(buffer.dtype).reshape(buffer.shape)
        self.core = _core.Plan(self.batch_size, bf16=self.precision == "bf16")
        for operation in self.operations:
            arguments = {name: _operand(value) for name, value in operation.arguments.items()}
            getattr(self.core, operation.name)(operation.segment, **arguments)

    def run(
        self,
        segments: Sequence[str],
        rows: int,
        *,
        inputs: dict[str, NDArray[Any]] | None = None,
        order: NDArray[np.int64] | None = None,
        learning_rates: NDArray[np.float64] | None = None,
        step: int = 1,
    ) -> None:
        """Run ``segments`` once over ``rows`` examples, to the end."""
        self.core.start(segments, rows, inputs or {}, order, learning_rates, step)
        total = self.core.total
        while self.core.advance(total, 0.1) < total:
            pass  # back in Python every 0.1 s, where Ctrl-C is heard

    def _new(self, buffer: Buffer) -> Buffer:
        self.buffers.append(buffer)
        return buffer


def _operand(value: Any) -> Any:
    if not isinstance(value, Buffer):
        return value
    assert value.array is not None, "laid out by build()"
    return _core.Operand(value.array, value.per_row)
