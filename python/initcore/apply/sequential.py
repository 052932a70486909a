"""The adapter for this package's own models."""

from __future__ import annotations

from initcore.apply.parameter import Feeds, Parameter
from initcore.laws import Initializer
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
        )

    return [described(name) for name in model.tensors]
