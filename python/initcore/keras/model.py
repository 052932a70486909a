"""The adapter for Keras models: what there is to know about each tensor, and how it is set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import keras
import numpy as np

from initcore import activations
from initcore.apply.branches import in_parts, note
from initcore.apply.depth import Found, Place
from initcore.apply.parameter import Feeds, Parameter
from initcore.formats import drawn_in
from initcore.keras import feeds, roles
from initcore.keras.calibration import calibrated
from initcore.keras.forward import forwards, multiplied
from initcore.keras.naming import Named, layers
from initcore.keras.tensors import values_of
from initcore.laws import Initializer
from initcore.layouts import LayoutLike
from initcore.random import Key

__all__ = ["branches", "calibrated", "parameters"]


class _Place(NamedTuple):
    """Where a tensor is."""

    named: Named
    variable: Any

    @property
    def full_name(self) -> str:
        """The name in the model."""
        return self.named.full(self.variable.name)


def parameters(model: Any, activation: Any = None) -> list[Parameter]:
    """Return what there is to know about each tensor of a model, layer by layer; shared ones once.

    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(2)])
    >>> [(tensor.name, tensor.role, str(tensor.feeds)) for tensor in parameters(model)][::2]
    [('dense/kernel', 'kernel', 'relu'), ('dense_1/kernel', 'kernel', 'no activation')]

    Raises:
        ValueError: The model has no tensors yet.
    """
    if not model.built or not model.weights:
        raise ValueError(
            "the model must be built before it can be initialized: run it on a batch once, or call its "
            "build(input_shape)"
        )
    given = activations.get(activation) if isinstance(activation, str) else activation
    same: dict[int, list[_Place]] = {}
    for named in layers(model):
        for variable in named.layer._trainable_variables:
            same.setdefault(id(variable), []).append(_Place(named, variable))
    graphs = forwards(model)
    fed, ends = feeds.of(graphs), multiplied(graphs)
    found = [_described(places, fed, given) for places in same.values()]
    return [
        replace(one, products=(f"the product with {one.name}",))
        if one.role == "embedding" and ends.get(one.name) == one.shape[0]
        else one
        for one in found
    ]


def branches(model: Any) -> Found:
    """Return where in the residual branches of a model its tensors stand."""
    found: dict[str, Place] = {}
    unseen: list[str] = []
    for i, graph in enumerate(forwards(model)):
        unseen += [why for _, why in graph.closed]
        if graph.steps:
            note(graph.steps, found, whole=i == 0)
    return Found(in_parts(found), unseen)


def _described(places: list[_Place], fed: Callable[[Named], Feeds], activation: Any) -> Parameter:
    parts = [roles.of(place.named.layer, place.variable.name) for place in places]
    # An embedding that is a kernel too is one; a layer that wraps another one may have its tensors as well.
    reverse = _reverse(places[0])
    known = [i for role in ("embedding", "kernel") for i, part in enumerate(parts) if part.role == role]
    which = next(iter(known), 0)
    (named, variable), part = places[which], parts[which]
    goes = part.feeds or (fed(named) if part.role == "kernel" else Feeds(None))
    if not goes.known and activation is not None:
        goes = replace(goes, function=activation, known=True, how="as said")
    layout = part.layout
    if goes.parts is not None and part.role == "kernel":
        layout = goes.parts.packed(layout)

    def set_to(law: Initializer, key: Key, layout: LayoutLike) -> None:
        values = law(tuple(variable.shape), key, drawn_in(variable.dtype), layout)
        variable.assign(keras.ops.cast(keras.ops.convert_to_tensor(values), variable.dtype))

    floating = "float" in variable.dtype or "complex" in variable.dtype
    return Parameter(
        places[0].full_name,
        tuple(variable.shape),
        variable.dtype,
        part.role,
        set_to,
        layout,
        goes,
        owners=tuple(place.named.layer for place in places),
        aliases=(*(place.full_name for place in places[1:]), *reverse),
        roles=(*(part.role for part in parts), *("kernel" for _ in reverse)),
        start=part.start,
        measure=lambda: (
            float(values_of(variable).std(dtype=np.float64)) if floating and variable.shape else None
        ),
        left="" if floating else f"not of floating point numbers: {variable.dtype}",
    )


def _reverse(place: _Place) -> tuple[str, ...]:
    """What an embedding is called as the output's kernel, if its layer is both: as Keras does if untied."""
    both = getattr(place.named.layer, "tie_weights", False) and place.variable.name == "embeddings"
    return (place.named.full("reverse_embeddings"),) if both else ()
