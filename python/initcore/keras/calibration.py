"""Scales and biases of Keras's layers from data: the walk through a model.

A forward pass, in which each layer with a kernel, called the first time, lets `initcore.calibration` run that
layer alone until what it gives is as asked.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from initcore import layouts
from initcore.calibration import Calibrated, Goal, Stop, Visit, in_passes, running
from initcore.keras import roles
from initcore.keras.forward import ATTENTION
from initcore.keras.naming import Named, layers
from initcore.keras.tensors import values_of
from initcore.keras.tracing import of_keras
from initcore.layouts import LayoutLike

Array = NDArray[Any]


def calibrated(
    model: Any, data: Any, goal: Goal, start: Callable[[], object], training: bool = False
) -> dict[str, Calibrated]:
    """Start a model, then set each layer with a kernel on what the layers before it make of the data.

    Returns what was done, by the name of the kernel.

    Raises:
        ValueError: as `initcore.calibration.in_passes`. The model is as it was then.

    >>> model = keras.Sequential([keras.Input((9,)), keras.layers.Dense(64)])
    >>> x = np.random.default_rng(0).normal(size=(256, 9))
    >>> calibrated(model, x, Goal(), lambda: None)["dense/kernel"].converged
    True
    """
    kernels = list(_kernels(model))
    before = _copies(model.variables)
    done: set[int] = set()  # kernels, by id: one that another layer has set stays
    try:
        start()
        moved = _copies(model.non_trainable_variables)  # by a pass: statistics, seeds

        def forward(visit: Visit) -> None:
            with running(data) as remembering, contextlib.ExitStack() as stops:
                for kernel in kernels:
                    stops.enter_context(kernel.stopping(remembering(visit), done))
                _give(model, data, training)
            _restore(moved)

        rows = {row.name: row for row in in_passes(forward, goal)}
        before = moved
    finally:
        _restore(before)
    return {kernel.full_name: rows[kernel.name] for kernel in kernels if kernel.name in rows}


@dataclass
class _Kernel:
    """A kernel, the layer that has it, and the layer to stop at: that one, or one that wraps it."""

    named: Named
    variable: Any
    layout: LayoutLike
    outer: Any

    @property
    def name(self) -> str:
        """Of the layer, as errors and results have it."""
        return self.named.name or "the model"

    @property
    def full_name(self) -> str:
        """Of the kernel, in the model."""
        return self.named.full(self.variable.name)

    @contextlib.contextmanager
    def stopping(self, visit: Visit, done: set[int]) -> Iterator[None]:
        """Visit the layer when it is called first."""
        call, first = self.outer.call, [True]

        def stopped(*args: Any, **named: Any) -> Any:
            if first:
                first.clear()
                visit(self._stop(lambda: call(*args, **named), done))
            return call(*args, **named)

        with _attribute(self.outer, "call", stopped):
            yield

    def _stop(self, call: Callable[[], Any], done: set[int]) -> Stop:
        layer, kernel = self.named.layer, self.variable
        sizes = layouts.of(self.layout).sizes(kernel.shape)
        biases = [one for one in layer._trainable_variables if roles.of(layer, one.name).role == "bias"]

        def run() -> Array:
            with _attribute(layer, "activation", None):
                z = values_of(call()).astype(np.float64)
            if getattr(layer, "data_format", "") == "channels_first":
                z = np.moveaxis(z, 1, -1)
            return _by_units(z, sizes.maps * sizes.outputs)

        def scale(by: Array) -> None:
            values = values_of(kernel).astype(np.float64)
            maps = layouts.of(self.layout).maps(values)
            maps *= by if by.size == 1 else by.reshape(sizes.maps, *[1] * (maps.ndim - 2), sizes.outputs)
            kernel.assign(values)

        def shift(by: Array) -> None:
            [bias] = biases
            bias.assign(values_of(bias).astype(np.float64) + (by if by.size == 1 else by.reshape(bias.shape)))

        stays = id(kernel) in done
        done.add(id(kernel))
        return Stop(self.name, run, None if stays else scale, shift if biases else None)


def _kernels(model: Any) -> Iterator[_Kernel]:
    """The kernels of Keras's dense layers and convolutions; of attention, the last."""
    for named in layers(model):
        outer, around = named.layer, named.within
        while around is not None and isinstance(around.layer, keras.layers.Wrapper):
            outer, around = around.layer, around.within
        attends = around is not None and isinstance(around.layer, ATTENTION)
        recurs = any(isinstance(layer, keras.layers.RNN) for layer in named.around())
        if not of_keras(named.layer) or recurs or (attends and named.layer.name != "attention_output"):
            continue
        for variable in named.layer._trainable_variables:
            part = roles.of(named.layer, variable.name)
            if part.role == "kernel" and part.feeds is None:
                yield _Kernel(named, variable, part.layout, outer)


def _by_units(z: Array, units: int) -> Array:
    """What a layer gives with units last; as of one unit, if they do not lie there one after another."""
    for axis in range(1, z.ndim):
        if math.prod(z.shape[axis:]) == units:
            return z.reshape(-1, units)
    return z.reshape(-1, 1)


def _give(model: Any, data: Any, training: bool) -> None:
    if isinstance(data, tuple) and not hasattr(model, "_inputs_struct"):
        model(*data, training=training)
    else:
        model(data, training=training)


@contextlib.contextmanager
def _attribute(layer: Any, name: str, value: Any) -> Iterator[None]:
    """Give a layer an attribute for a while, behind the back of what Keras keeps track of."""
    own = vars(layer)
    kept = {name: own[name]} if name in own else {}
    own[name] = value
    try:
        yield
    finally:
        del own[name]
        own.update(kept)


def _copies(variables: Iterable[Any]) -> list[tuple[Any, Array]]:
    return [(variable, values_of(variable)) for variable in variables]


def _restore(copies: Iterable[tuple[Any, Array]]) -> None:
    for variable, values in copies:
        variable.assign(values)
