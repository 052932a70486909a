"""The adapter for Keras models: what there is to know about each tensor, and how it is set.

To add a layer: a line in ``_LAYERS``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import keras

from initcore import activations
from initcore.apply import roles
from initcore.apply.parameter import Feeds, Parameter
from initcore.formats import drawn_in
from initcore.keras import feeds
from initcore.laws import Initializer
from initcore.layouts import Conv, ConvTransposed, Depthwise, Einsum, Embedding, LayoutLike, Packed
from initcore.random import Key

_GATES = Feeds(None, how="goes into gates")


@dataclass(frozen=True)
class _Part:
    """What one tensor of a layer is for; ``feeds`` only where it is not what the layer's output feeds."""

    role: str
    layout: LayoutLike = "io"
    feeds: Feeds | None = None
    start: Initializer | None = None


class _Place(NamedTuple):
    """Where a tensor is."""

    name: str
    layer: Any
    within: Any
    variable: Any


_BIAS = {"bias": _Part("bias")}
_SCALE = {"gamma": _Part("scale"), "beta": _Part("shift")}


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
            "the model must be built before it can be initialized: call model.build(input_shape), or run it "
            "on a batch once"
        )
    given = activations.get(activation) if isinstance(activation, str) else activation
    same: dict[int, list[_Place]] = {}
    for prefix, layer, within in _layers(model, "", None, set()):
        for variable in layer._trainable_variables:
            place = _Place(f"{prefix}{variable.name}", layer, within, variable)
            same.setdefault(id(variable), []).append(place)
    return [_described(places, given) for places in same.values()]


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
    if not (isinstance(kind, type) and issubclass(kind, keras.layers.Layer)):
        raise TypeError(f"kind must be a class of layers, got {kind!r}")
    _REGISTERED[kind] = {name: _Part(*roles.parse(what, "io")) for name, what in tensors.items()}


_REGISTERED: dict[type, dict[str, _Part]] = {}


def branches(model: Any) -> NoReturn:
    """Refuse: branches are looked for in initcore's and PyTorch's models."""
    raise TypeError(
        "residual= is for initcore's Sequential and PyTorch's modules, not for Keras models: give rules for "
        "the kernels of branches instead, scaled by a factor of initcore.residual, such as "
        "{'block/.*kernel': HeNormal(gain=2**0.5 * initcore.residual.fixup(8, 2).factor('inner'))}"
    )


def _described(places: list[_Place], activation: Any) -> Parameter:
    name, layer, within, variable = places[0]
    part = _part(layer, variable.name)
    goes = part.feeds or (feeds.of_layer(layer, within) if part.role == "kernel" else Feeds(None))
    if not goes.known and activation is not None:
        goes = Feeds(activation, how="as said")

    def set_to(law: Initializer, key: Key, layout: LayoutLike) -> None:
        values = law(tuple(variable.shape), key, drawn_in(variable.dtype), layout)
        variable.assign(keras.ops.cast(keras.ops.convert_to_tensor(values), variable.dtype))

    floating = "float" in variable.dtype or "complex" in variable.dtype
    return Parameter(
        name,
        tuple(variable.shape),
        variable.dtype,
        part.role,
        set_to,
        part.layout,
        goes,
        owners=tuple(place.layer for place in places),
        aliases=tuple(place.name for place in places[1:]),
        start=part.start,
        left="" if floating else f"not of floating point numbers: {variable.dtype}",
    )


def _layers(layer: Any, prefix: str, within: Any, seen: set[int]) -> Iterator[tuple[str, Any, Any]]:
    """Every layer, with the start of its tensors' names and the layer that it is a part of.

    The numbers that Keras appends to a layer's name count all layers that the process ever made. Here they
    count those of the same name in the same layer, so that a model made twice has the same names.
    """
    if id(layer) in seen:
        return
    seen.add(id(layer))
    yield prefix, layer, within
    counts: Counter[str] = Counter()
    for child in layer._layers:
        kind = _snake(type(child).__name__)
        base = kind if re.fullmatch(rf"{re.escape(kind)}(_\d+)?", child.name) else child.name
        number = counts[base]
        counts[base] += 1
        name = f"{base}_{number}" if number else base
        yield from _layers(child, f"{prefix}{name}/", layer, seen)


def _snake(name: str) -> str:
    name = re.sub(r"\W+", "", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()


def _part(layer: Any, name: str) -> _Part:
    for own in type(layer).__mro__:
        if own in _REGISTERED:
            return _REGISTERED[own].get(name, _Part("other"))
    for kind, parts in _LAYERS:
        if isinstance(layer, kind):
            return parts(layer).get(name, _Part("other"))
    return _Part("other")


def _gated(layer: Any) -> dict[str, _Part]:
    gates = {"LSTMCell": 4, "GRUCell": 3}.get(type(layer).__name__, 1)
    packed = Packed("io", gates)
    return {
        "kernel": _Part("kernel", packed, _GATES),
        "recurrent_kernel": _Part("recurrent", packed),
        "bias": _Part("gate bias" if gates == 4 else "bias"),
    }


def _separable(layer: Any) -> dict[str, _Part]:
    inner = _Part("kernel", Depthwise("io"), Feeds(None, how="goes into the pointwise convolution"))
    return {"depthwise_kernel": inner, "pointwise_kernel": _Part("kernel"), **_BIAS}


def _kernel(layout: Callable[[Any], LayoutLike]) -> Callable[[Any], dict[str, _Part]]:
    return lambda layer: {"kernel": _Part("kernel", layout(layer)), **_BIAS}


_L = keras.layers
_LAYERS: tuple[tuple[Any, Callable[[Any], dict[str, _Part]]], ...] = (
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
    (_L.Embedding, lambda layer: {"embeddings": _Part("embedding", Embedding())}),
    ((_L.LSTMCell, _L.GRUCell, _L.SimpleRNNCell), _gated),
    (
        (_L.BatchNormalization, _L.LayerNormalization, _L.GroupNormalization, _L.RMSNormalization),
        lambda layer: {**_SCALE, "scale": _Part("scale")},
    ),
    (_L.PReLU, lambda layer: {"alpha": _Part("slope")}),
)
