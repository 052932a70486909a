"""Initialization from data: a forward pass that stops at every layer and sets its scale.

What is done at a layer stands in `calibration`; this walks a `Sequential`. Every layer runs alone, on what
the layers before it, already set, made of the batch: L layers cost L times a layer's forward for each
iteration, not L times the network's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from initcore import initializers
from initcore.calibration import STANDARD, Calibrated, Calibration, Goal, calibrate
from initcore.laws import Initializer
from initcore.layers import activation as activation_layer
from initcore.layers.base import Context, Layer, Lowered, Shape
from initcore.layers.container import Residual, Stack
from initcore.model import Sequential
from initcore.plan import Buffer, Plan
from initcore.program import array_of

Array = NDArray[Any]


def lsuv(
    model: Sequential,
    x: ArrayLike,
    *,
    variance: float = 1.0,
    tolerance: float = 0.1,
    max_iterations: int = 10,
    per: Literal["layer", "unit"] = "layer",
    center: bool = False,
    start: str | Initializer | None = "orthogonal",
    training: bool = False,
) -> Calibration:
    """Scale every kernel so that its pre-activations have variance 1 on a batch: LSUV.

    Layer-sequential unit-variance initialization: Mishkin & Matas 2016, arXiv:1511.06422, algorithm 1. Biases
    keep their values unless ``center``.

    Args:
        model: The model; its kernels are written.
        x: A batch, some hundreds of examples, ``(n, *input_shape)``.
        variance: What the variance is to be.
        tolerance: How far it may be from that, relatively.
        max_iterations: How often a layer is scaled at most.
        per: ``"layer"``, as in the paper, or ``"unit"``.
        center: Whether biases are moved so that each unit has mean 0.
        start: What all kernels start as before: an initializer or its name, or None for what they are.
        training: Whether batch normalization and dropout work as in training while it runs.

    Returns:
        A row for each layer with a kernel.

    Raises:
        ValueError: ``x`` does not fit or is not finite; a layer's output does not vary, or is not finite; a
            layer has no bias to center with. The model is as it was then.

    >>> import initcore as ic
    >>> model = ic.Sequential([ic.Dense(64, "relu"), ic.Dense(64, "relu"), ic.Dense(1)], input_shape=(9,))
    >>> done = ic.data_dependent.lsuv(model, np.random.default_rng(0).normal(3, 5, size=(256, 9)))
    >>> [row.name for row in done], done.converged, all(abs(row.after - 1) < 0.1 for row in done)
    (['dense', 'dense_1', 'dense_2'], True, True)
    """
    goal = Goal(variance, tolerance, max_iterations, per, center)
    return calibrated(model, x, goal, start, training)


def standardize(
    model: Sequential, x: ArrayLike, *, start: str | Initializer | None = None, training: bool = False
) -> Calibration:
    """Give every unit's pre-activation mean 0 and variance 1 on a batch, by its kernel's scale and its bias.

    The data-dependent start of weight normalization, Salimans & Kingma 2016, arXiv:1602.07868, equation 6:
    with ``t = x @ v / norm(v)``, scale ``g = 1 / std(t)`` and bias ``-mean(t) / std(t)``. A kernel here holds
    ``g * v / norm(v)``.

    Args:
        model: The model; its kernels and biases are written.
        x: A batch, some hundreds of examples, ``(n, *input_shape)``.
        start: What all kernels start as before: an initializer or its name (the paper: normal with standard
            deviation 0.05), or None for what they are.
        training: Whether batch normalization and dropout work as in training while it runs.

    Returns:
        A row for each layer with a kernel.

    Raises:
        ValueError: as `lsuv`.

    >>> import initcore as ic
    >>> model = ic.Sequential([ic.Dense(8, "tanh"), ic.Dense(2)], input_shape=(3,))
    >>> x = np.random.default_rng(0).normal(3, 5, size=(256, 3))
    >>> _ = ic.data_dependent.standardize(model, x)
    >>> y = model.predict(x)
    >>> bool(np.abs(y.mean(axis=0)).max() < 1e-5), bool(np.abs(y.std(axis=0) - 1).max() < 1e-5)
    (True, True)
    """
    return calibrated(model, x, STANDARD, start, training)


def calibrated(
    model: Sequential,
    x: ArrayLike,
    goal: Goal,
    start: str | Initializer | None = None,
    training: bool = False,
) -> Calibration:
    """Set each layer with a kernel as `lsuv` does, for any goal; arguments and errors as there."""
    data = model._examples(x)
    if not len(data):
        raise ValueError("x must have at least one example, got none")
    if not np.isfinite(data).all():
        raise ValueError("x must be finite, got NaN or infinity")
    law = None if start is None else initializers.get(start)
    kept = {name: array.copy() for name, array in (*model.parameters.items(), *model.state.items())}
    walk = _Walk(model, goal, law, training)
    done = False
    with model._exclusive:
        try:
            walk.stack(model.stack, "", model.input_shape, data)
            done = True
        finally:
            for name, array in model.state.items():
                array[...] = kept[name]  # a pass in training moved them
            if not done:
                model.parameters.update({name: kept[name] for name in model.parameters})
    return Calibration(walk.rows)


@dataclass
class _Walk:
    """One forward pass through a model, layer by layer."""

    model: Sequential
    goal: Goal
    start: Initializer | None
    training: bool
    rows: list[Calibrated] = field(default_factory=list)

    def stack(self, stack: Stack, path: str, shape: Shape, x: Array) -> Array:
        for name, layer, shape_in in stack.places(shape):
            x = self.layer(layer, f"{path}{name}/", shape_in, x)
        return x

    def layer(self, layer: Layer, path: str, shape: Shape, x: Array) -> Array:
        """Return what the layer makes of ``x``, with its kernel set if it has one."""
        if isinstance(layer, Residual):
            branches = layer.branches().items()
            body, shortcut = (self.stack(branch, path + prefix, shape, x) for prefix, branch in branches)
            return body + shortcut
        if f"{path}kernel" not in self.model.parameters:
            return self.runner(path, shape, len(x), lambda c, rows: layer.lower(c, rows, shape, False))(x)
        z = self.kernel(layer.without_activation(), path, shape, x)
        function = layer.output_activation()
        if function is None:
            return z
        shape = layer.output_shape(shape)
        return self.runner(path, shape, len(x), lambda c, rows: activation_layer.lower(c, function, rows))(z)

    def kernel(self, layer: Layer, path: str, shape: Shape, x: Array) -> Array:
        """Set the kernel of a layer without activation; return its pre-activations."""
        name = path.removesuffix("/")
        kernel = self.model.parameters[f"{path}kernel"]
        bias = self.model.parameters.get(f"{path}bias")
        if self.start is not None:
            self.start(kernel.shape, self.model.key / f"{path}kernel", out=kernel)
        forward = self.runner(path, shape, len(x), lambda c, rows: layer.lower(c, rows, shape, False))
        last: list[Array] = []

        def run() -> Array:
            last[:] = [forward(x)]
            return last[0]

        def scale(factor: Array) -> None:
            np.multiply(kernel, factor, out=kernel)  # units are the last axis

        shift = None if bias is None else functools.partial(np.add, bias, out=bias)
        self.rows.append(calibrate(name, run, scale, shift, self.goal))
        return last[0]

    def runner(
        self, path: str, shape: Shape, rows: int, lower: Callable[[Context, Buffer], Lowered]
    ) -> Callable[[Array], Array]:
        """Return a function that runs one layer alone."""
        model = self.model
        plan = Plan(rows, model.dtype, model.precision)
        context = replace(model._context(plan, self.training), path=path)
        x = plan.batch(*shape, name="x")
        plan.add("gather", "gather", slot="x", out=x)
        y = lower(context, x).y
        plan.build()

        def forward(data: Array) -> Array:
            data = np.ascontiguousarray(data.reshape(rows, -1))
            plan.run(["gather", "forward"], rows, inputs={"x": data}, step=1)
            return array_of(y)[:rows].reshape(rows, *y.shape[1:]).copy()

        return forward
