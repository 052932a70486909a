"""Which activation a Keras layer feeds: its own, or the next one on the way through the model's graph."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from initcore import activations
from initcore.apply.flow import Use, merged, uses
from initcore.apply.functions import passes_on, recognized
from initcore.apply.parameter import Feeds, Function, Parts
from initcore.keras.forward import ATTENTION
from initcore.keras.naming import Named
from initcore.keras.tensors import values_of
from initcore.keras.tracing import Graph, composite


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What keeps the signal's scale, layers and operations of `keras.ops` by class name.
_PASS = _words(
    """
    Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianDropout GaussianNoise AlphaDropout
    BatchNormalization LayerNormalization GroupNormalization RMSNormalization UnitNormalization Normalize
    BatchNorm LayerNorm RMSNorm Flatten Reshape Permute RepeatVector Identity ActivityRegularization Masking
    ZeroPadding1D ZeroPadding2D ZeroPadding3D Cropping1D Cropping2D Cropping3D UpSampling1D UpSampling2D
    UpSampling3D MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GlobalAveragePooling1D GlobalAveragePooling2D
    GlobalAveragePooling3D MaxPool AveragePool Add Subtract Average Concatenate Stack Split Unstack Transpose
    Swapaxes Moveaxis GetItem Take Squeeze ExpandDims BroadcastTo Ravel Repeat Roll Flip Pad Negative Cast
    ConvertToTensor Copy StopGradient Mean
    """
)
_BY_A_NUMBER = _words("Multiply Divide TrueDivide")
_GLU = _words("Glu glu")  # of the halves of one input


def of(graphs: Sequence[Graph]) -> Callable[[Named], Feeds]:
    """Return a function that says what the output of a layer goes into, from the graphs of its model.

    >>> from initcore.keras.forward import forwards
    >>> from initcore.keras.naming import layers
    >>> parts = [keras.Input((4,)), keras.layers.Dense(8), keras.layers.Dropout(0.5), keras.layers.ReLU()]
    >>> model = keras.Sequential([*parts, keras.layers.Dense(2, activation="softmax")])
    >>> feeds = of(forwards(model))
    >>> [str(feeds(named)) for named in layers(model) if named.layer._trainable_variables]
    ['relu', 'no activation']
    """
    calls: dict[int, list[Use]] = {}
    parts: dict[int, Parts | None] = {}
    closed = {id(layer): why for graph in graphs for layer, why in graph.closed}
    for graph in graphs:
        end = Feeds(known=not graph.why, how=graph.why or "the model ends there")
        found = uses(graph.steps, functools.partial(_through, end=end), _function)
        for step in graph.steps:
            if step.operation is not None:
                calls.setdefault(id(step.operation), []).extend(found[step])
                parts[id(step.operation)] = next((one.parts for one in step.tensors), None)

    def feeds(named: Named) -> Feeds:
        layer, within = named.layer, named.within
        if id(layer) in calls:
            return replace(merged(calls[id(layer)]), parts=parts[id(layer)])
        attention = within.layer if within is not None and isinstance(within.layer, ATTENTION) else None
        if attention is not None and layer is not attention._output_dense:
            return Feeds(None, how="attention")
        own = _own(layer)
        if own is not None:
            return own
        how = "the model's forward does not come to it"
        if within is None and not composite(layer):
            return Feeds(None, how="the model ends there")
        for outer in named.around():
            if isinstance(outer, (keras.layers.Wrapper, *ATTENTION)) and id(outer) in calls:
                return merged(calls[id(outer)])
            how = closed.get(id(outer), how)
        return Feeds(known=False, how=how)

    return feeds


def function_of(activation: Callable[..., Any], name: str | None = None) -> Function | None:
    """Return which function an activation of Keras is; None if it is not elementwise.

    >>> function_of(keras.activations.swish), function_of(keras.activations.softmax)
    (Activation('silu'), None)
    """
    title = name or str(getattr(activation, "__name__", type(activation).__name__))

    def f(x: NDArray[Any]) -> NDArray[Any]:
        y = activation(keras.ops.convert_to_tensor(x.astype(np.float32)))
        return values_of(y).astype(np.float64)

    f.__name__ = f.__qualname__ = title
    return recognized(title, f)


def _own(layer: Any) -> Feeds | None:
    """What the activation that is part of a layer makes of its output; None if there is none."""
    activation = getattr(layer, "activation", None)
    if not callable(activation):
        return None
    if _title(activation) in _GLU:
        return Feeds("glu")
    f = function_of(activation)
    if f is None:
        return Feeds(None, how=f"goes into {_title(activation)}")
    return None if passes_on(f) else Feeds(f)


def _title(operation: Any) -> str:
    if isinstance(operation, keras.layers.Activation):
        return _title(operation.activation)
    return str(getattr(operation, "__name__", type(operation).__name__))


def _function(step: Any) -> Function | None:
    """The activation that a step is, if it is one."""
    if step.operation is None or step.tensors or len(step.inputs) != 1 or "mix" in step.does:
        return None
    name = _title(step.operation)
    return None if name in _PASS else function_of(step.with_one, name)


def _squares(f: Function | None) -> bool:
    """Whether a function multiplies a value by itself."""
    return callable(f) and np.allclose(f(np.array([1.0, 2.0, -3.0])), [1.0, 4.0, 9.0])


def _through(user: Any, on: Feeds, *, end: Feeds) -> Feeds:
    """What a value feeds that goes into a step whose own values feed ``on``; ``end`` where the model ends."""
    if "output" in user.does:
        return end
    name = _title(user.operation)
    if isinstance(user.operation, keras.layers.PReLU):
        return Feeds(activations.get("prelu"))
    if name in _GLU:
        return Feeds("glu")
    if (
        name in _PASS
        or "part" in user.does
        or (name in _BY_A_NUMBER and len(user.inputs) == 1 and not _squares(_function(user)))
    ):
        return on
    f = _function(user)
    if f is None:
        return Feeds(None, how=f"goes into {name}")
    return on if passes_on(f) else Feeds(f)
