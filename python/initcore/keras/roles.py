"""What the tensors of Keras's layers are for, and of which linear maps they consist.

To add a layer of Keras: a line in ``_LAYERS``. Layers of one's own: `register`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from initcore.apply.kinds import Kinds, Part
from initcore.apply.parameter import Feeds
from initcore.layouts import Conv, ConvTransposed, Depthwise, Einsum, Embedding, LayoutLike, Packed

_GATES = Feeds(None, how="goes into gates")


_OTHER = Part("other")
_BIAS = {"bias": Part("bias")}
_SCALE = {"gamma": Part("scale"), "beta": Part("shift")}


def of(layer: Any, name: str) -> Part:
    """Return what the tensor ``name`` of ``layer`` is for.

    >>> of(keras.layers.Dense(2), "kernel").role, of(keras.layers.BatchNormalization(), "beta").role
    ('kernel', 'shift')
    """
    return KINDS.of(layer, name)


def register(kind: type, **tensors: Any) -> None:
    """Say what the tensors of a layer of one's own are for, so that `initialize` knows what to do.

    Args:
        kind: The layer's class; its subclasses are meant too.
        **tensors: For each tensor by name its role, out of `initcore.apply.ROLES`; or a pair of role and
            layout, where that is not ``"io"``.

    Raises:
        TypeError, ValueError: It is no class of layers, or there is no such role or layout.

    >>> class Scale(keras.layers.Layer):
    ...     def build(self, shape):
    ...         self.factor = self.add_weight(shape=shape[-1:], name="factor")
    >>> register(Scale, factor="scale")
    """
    KINDS.register(kind, tensors)


def _gated(layer: Any) -> dict[str, Part]:
    gates = {"LSTMCell": 4, "GRUCell": 3}.get(type(layer).__name__, 1)
    packed = Packed("io", gates)
    plain = Feeds(None, how=f"with the state into {getattr(layer.activation, '__name__', 'a function')}")
    return {
        "kernel": Part("kernel", packed, _GATES if gates > 1 else plain),
        "recurrent_kernel": Part("recurrent", packed),
        "bias": Part("gate bias" if gates == 4 else "bias"),
    }


def _separable(layer: Any) -> dict[str, Part]:
    inner = Part("kernel", Depthwise("io"), Feeds(None, how="goes into the pointwise convolution"))
    return {"depthwise_kernel": inner, "pointwise_kernel": Part("kernel"), **_BIAS}


def _kernel(layout: Callable[[Any], LayoutLike]) -> Callable[[Any], dict[str, Part]]:
    return lambda layer: {"kernel": Part("kernel", layout(layer)), **_BIAS}


_L = keras.layers
_LAYERS: tuple[tuple[Any, Callable[[Any], dict[str, Part]]], ...] = (
    (_L.Dense, _kernel(lambda layer: "io")),
    (_L.EinsumDense, _kernel(lambda layer: Einsum(layer.equation))),
    ((_L.SeparableConv1D, _L.SeparableConv2D), _separable),
    ((_L.DepthwiseConv1D, _L.DepthwiseConv2D), _kernel(lambda layer: Depthwise("io"))),
    (
        (_L.Conv1DTranspose, _L.Conv2DTranspose, _L.Conv3DTranspose),
        _kernel(lambda layer: ConvTransposed("io", stride=tuple(layer.strides))),
    ),
    (
        (_L.Conv1D, _L.Conv2D, _L.Conv3D),
        _kernel(lambda layer: Conv("io", layer.groups, tuple(layer.strides))),
    ),
    (
        getattr(_L, "ReversibleEmbedding", ()),  # younger than the rest
        lambda layer: {
            "embeddings": Part("embedding", Embedding()),
            "reverse_embeddings": Part("kernel", "io", Feeds(None, how="the model ends there")),
        },
    ),
    (_L.Embedding, lambda layer: {"embeddings": Part("embedding", Embedding())}),
    ((_L.LSTMCell, _L.GRUCell, _L.SimpleRNNCell), _gated),
    (
        (_L.BatchNormalization, _L.LayerNormalization, _L.GroupNormalization, _L.RMSNormalization),
        lambda layer: {**_SCALE, "scale": Part("scale")},
    ),
    (_L.PReLU, lambda layer: {"alpha": Part("slope")}),
)


def _known(layer: Any, name: str) -> Part:
    parts = next((parts for kind, parts in _LAYERS if isinstance(layer, kind)), None)
    return parts(layer).get(name, _OTHER) if parts else _OTHER


KINDS = Kinds(keras.layers.Layer, _OTHER, _known)
