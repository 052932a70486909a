"""The adapter for this package's own models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from initcore import data_dependent
from initcore.apply.depth import Place
from initcore.apply.parameter import Feeds, Parameter
from initcore.calibration import Calibrated, Goal
from initcore.laws import Initializer
from initcore.layers.container import Residual, Stack
from initcore.layouts import LayoutLike
from initcore.network import Network
from initcore.random import Key


def parameters(model: Network, activation: object = None) -> list[Parameter]:
    """Return what there is to know about each tensor of the model, in its order."""

    def described(name: str) -> Parameter:
        tensor, array = model.tensors[name], model.parameters[name]

        def fill(law: Initializer, key: Key, layout: LayoutLike) -> None:
            law(array.shape, key, layout=layout, out=array)

        function = tensor.feeds
        passes = (
            None if function is None or function.name in ("identity", "softmax", "log_softmax") else function
        )
        return Parameter(
            name,
            array.shape,
            array.dtype.name,
            tensor.role,
            fill,
            feeds=Feeds(passes),
            owners=(tensor.layer,) if tensor.layer is not None else (),
            start=tensor.initializer,
            measure=lambda: float(array.std(dtype=np.float64)) if array.size else None,
        )

    return [described(name) for name in model.tensors]


def branches(model: Network) -> dict[str, Place]:
    """Return where in the residual branches of a model its tensors stand.

    >>> import initcore as ic
    >>> block = ic.Residual([ic.Dense(8, activation="relu"), ic.Dense(4)])
    >>> found = branches(ic.Sequential([block], input_shape=(4,)))
    >>> found["residual/dense_1/kernel"].roles
    ('mlp_last',)
    """
    found: dict[str, Place] = {}
    _walk(model.stack, "", "", model, found)
    for name in _ends(model.stack, "", model):
        found[name] = Place("", ("output",))
    return found


def calibrated(
    model: Any, data: Any, goal: Goal, start: Callable[[], object], training: bool = False
) -> dict[str, Calibrated]:
    """Start a model, then set its kernels on data; return what was done by the name of the kernel."""
    kept = {name: array.copy() for name, array in model.parameters.items()}
    try:
        start()
        rows = data_dependent.calibrated(model, data, goal, training=training)
    except BaseException:
        model.parameters.update(kept)
        raise
    return {f"{row.name}/kernel": row for row in rows}


def _ends(stack: Stack, path: str, model: Network) -> list[str]:
    """The kernels of the layer that a stack ends with, unless that is residual."""
    for name, layer in zip(reversed(stack.names), reversed(stack.layers), strict=True):
        here = f"{path}{name}/"
        if isinstance(layer, Stack) and (found := _ends(layer, here, model)):
            return found
        if isinstance(layer, Residual):
            return []
        kernels = [tensor for tensor in model.tensors if tensor.startswith(here)]
        if kernels and layer.mixes:
            return [tensor for tensor in kernels if model.tensors[tensor].role == "kernel"]
    return []


def _walk(stack: Stack, path: str, branch: str, model: Network, found: dict[str, Place]) -> None:
    last = max((i for i, layer in enumerate(stack.layers) if layer.mixes), default=-1)
    own = tuple(f"{path}{name}/" for name in stack.names)
    kernels = [
        name for name, tensor in model.tensors.items() if tensor.role == "kernel" and name.startswith(own)
    ]
    for i, (name, layer) in enumerate(zip(stack.names, stack.layers, strict=True)):
        here = f"{path}{name}/"
        if isinstance(layer, Residual):
            for prefix, inner in layer.branches().items():
                _walk(inner, here + prefix, "" if prefix else here[:-1], model, found)
        elif branch:
            roles = {"kernel": "mlp_last" if i == last else "mlp_inner", "bias": "branch_bias"}
            if i > last:
                roles["scale"] = "last_scale"
            for tensor_name, tensor in model.tensors.items():
                if tensor_name.startswith(here) and tensor.role in roles:
                    found[tensor_name] = Place(branch, (roles[tensor.role],), depth=len(kernels))
