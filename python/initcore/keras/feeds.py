"""Which activation a Keras layer feeds: its own, or the next one on the way through the model's graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from initcore import activations
from initcore.apply.functions import passes_on, recognized
from initcore.apply.parameter import Feeds, Function


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MOST_STEPS = 500  # from one layer of a graph to the next

# What a layer or an operation of the graph does to the signal's scale, by class name. The rest mixes.
_PASS = _words(
    """
    Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianDropout GaussianNoise AlphaDropout
    BatchNormalization LayerNormalization GroupNormalization RMSNormalization UnitNormalization
    SpectralNormalization Flatten Reshape Permute RepeatVector Identity ActivityRegularization Masking
    ZeroPadding1D ZeroPadding2D ZeroPadding3D Cropping1D Cropping2D Cropping3D UpSampling1D UpSampling2D
    UpSampling3D MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GlobalAveragePooling1D GlobalAveragePooling2D
    GlobalAveragePooling3D Add Subtract Average Concatenate Transpose GetItem Squeeze ExpandDims Cast Mean
    InputLayer
    """
)


def of_layer(layer: Any, within: Any = None) -> Feeds:
    """Return what the output of a layer goes into; ``within`` is the layer that it is a part of.

    >>> layers = [keras.Input((4,)), keras.layers.Dense(8), keras.layers.Dropout(0.5), keras.layers.ReLU()]
    >>> model = keras.Sequential([*layers, keras.layers.Dense(2, activation="softmax")])
    >>> [str(of_layer(layer)) for layer in model.layers if layer.weights]
    ['relu', 'no activation']
    """
    if isinstance(within, keras.layers.MultiHeadAttention | keras.layers.GroupQueryAttention):
        return Feeds(None, how="attention")
    own = _own(layer)
    if own is None and isinstance(within, keras.layers.Wrapper):
        return _beyond(within, 0)
    return own or _beyond(layer, 0)


def function_of(activation: Callable[..., Any], name: str | None = None) -> Function | None:
    """Return which function an activation of Keras is; None if it is not elementwise.

    >>> function_of(keras.activations.swish), function_of(keras.activations.softmax)
    (Activation('silu'), None)
    """
    title = name or str(getattr(activation, "__name__", type(activation).__name__))

    def f(x: NDArray[Any]) -> NDArray[Any]:
        y = activation(keras.ops.convert_to_tensor(x.astype(np.float32)))
        return np.asarray(keras.ops.convert_to_numpy(y), np.float64)

    f.__name__ = f.__qualname__ = title
    return recognized(title, f)


def _own(layer: Any) -> Feeds | None:
    """What the activation that is part of a layer makes of its output; None if there is none."""
    activation = getattr(layer, "activation", None)
    if not callable(activation) or activation is keras.activations.linear:
        return None
    return _into(function_of(activation), getattr(activation, "__name__", "a function"))


def _into(f: Function | None, name: str) -> Feeds | None:
    """What goes into a function; None if that returns its input."""
    if f is None:
        return Feeds(None, how=f"goes into {name}")
    return None if passes_on(f) else Feeds(f)


def _beyond(layer: Any, steps: int) -> Feeds:
    """What a layer's output goes into, by the model's graph."""
    nodes = getattr(layer, "_outbound_nodes", ())
    if nodes and steps < _MOST_STEPS:
        return _merge([_through(node.operation, steps + 1) for node in nodes])
    if getattr(layer, "_inbound_nodes", ()) and not nodes:
        return Feeds(None, how="the model ends there")
    return Feeds(known=False, how="no graph leads from it")


def _through(operation: Any, steps: int) -> Feeds:
    """What feeds on into an operation of the graph: a layer, or one of ``keras.ops``."""
    name = type(operation).__name__
    if isinstance(operation, keras.layers.PReLU):
        return Feeds(activations.get("prelu"))
    if isinstance(operation, keras.layers.Activation):
        found = _own(operation)
    elif name in _PASS:
        found = None
    else:
        f = None if getattr(operation, "weights", ()) else function_of(operation, name)
        found = _into(f, name)
    return found or _beyond(operation, steps)


def _merge(found: list[Feeds]) -> Feeds:
    through = {str(feeds): feeds for feeds in found if feeds.known and feeds.function is not None}
    if len(through) > 1:
        return Feeds(known=False, how=f"it goes through {' and '.join(through)}")
    unknown = [feeds for feeds in found if not feeds.known]
    return next(iter(through.values()), None) or (unknown or found)[0]
