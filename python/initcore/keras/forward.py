"""A Keras model's forward as `initcore.apply` reads it: what each of its steps does, and to which tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras

from initcore.apply.graph import Node, Tensor
from initcore.keras import roles, splits
from initcore.keras.naming import Named, layers
from initcore.keras.tracing import Described, Graph, Step, composite, graph_of, graphs, parts
from initcore.residual import ROLES

ATTENTION = (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What layers, operations and activations do, by the name of the class or function.
_DOES = {
    "add": _words("Add"),
    "multiply": _words("Multiply"),
    "reshape": _words("Reshape ExpandDims Squeeze GetItem BroadcastTo Cast ConvertToTensor"),
    "part": _words("Split Unstack GetItem Cast ConvertToTensor"),
    "mix": _words(
        """
        Matmul Dot Tensordot Vdot Inner Outer Einsum Conv DepthwiseConv SeparableConv ConvTranspose
        Softmax softmax LogSoftmax log_softmax DotProductAttention Attention AdditiveAttention
        """
    ),
    "attend": _words("Softmax softmax DotProductAttention Attention AdditiveAttention"),
}


def forwards(model: Any) -> list[Graph]:
    """Return the graph of a model's forward, and those of parts that it does not see into.

    >>> x = keras.Input((4,))
    >>> [graph] = forwards(keras.Model(x, x + keras.layers.Dense(4, name="up")(x)))
    >>> [step.name or sorted(step.does) for step in graph.steps]
    [['input'], ['part', 'reshape'], 'up', ['add'], ['output']]
    """
    found = list(graphs(model, _Description(model)))
    for graph in found:
        parts = splits.of(graph.steps)
        for step in graph.steps:
            cut = parts.get(id(step.operation))
            step.tensors = tuple(tensor._replace(parts=cut) for tensor in step.tensors)
    return found


def multiplied(graphs: Sequence[Graph]) -> dict[str, int]:
    """Return by name how many numbers a product with a variable gives, where others are mixed with it.

    >>> class Tied(keras.Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.words = keras.layers.Embedding(9, 4)
    ...
    ...     def call(self, x):
    ...         return self.words(x) @ keras.ops.transpose(self.words.embeddings)
    >>> model = Tied()
    >>> _ = model(keras.ops.ones((2, 3), "int32"))
    >>> multiplied(forwards(model))
    {'embedding/embeddings': 9}
    """
    return {
        step.name: user.shape[-1]
        for graph in graphs
        for step in graph.steps
        if step.has("value")
        for user in _mixing(step)
    }


def _mixing(step: Node) -> Iterator[Step]:
    """The steps that mix other values by what a variable gives, moved about perhaps."""
    for user in step.users:
        if isinstance(user, Step) and "mix" in user.does and len(user.inputs) > 1 and user.shape:
            yield user
        elif (
            user.does & {"reshape", "part"} or type(getattr(user, "operation", None)).__name__ == "Transpose"
        ):
            yield from _mixing(user)


class _Description:
    """What the graph is to say of a layer, an operation, an activation or a variable."""

    def __init__(self, model: Any) -> None:
        self.named = {id(named.layer): named for named in layers(model)}
        self.values = {
            id(variable): named.full(variable.name)
            for named in self.named.values()
            for variable in named.layer._trainable_variables
        }

    def __call__(self, one: Any) -> Described:
        if id(one) in self.values:
            name = self.values[id(one)]
            return Described(name, tensors=(Tensor(name, "value"),))
        named = self.named.get(id(one))
        what = one.activation if isinstance(one, keras.layers.Activation) else one
        kind = getattr(what, "__name__", type(what).__name__)
        does = {word for word, names in _DOES.items() if kind in names}
        does |= {"attend"} if isinstance(one, ATTENTION) else set()
        if named is None:
            return Described(does=frozenset(does))
        tensors = () if composite(one) else tuple(self._tensors(named))
        return Described(named.name, frozenset(does), tensors, named.called)

    def _tensors(self, whole: Named) -> Iterator[Tensor]:
        """The tensors of a layer and its parts."""
        for named in (self.named[id(part)] for part in parts(whole.layer)):
            for variable in named.layer._trainable_variables:
                name, role = named.full(variable.name), roles.of(named.layer, variable.name).role
                places: tuple[str, ...] = ()
                if isinstance(whole.layer, ATTENTION) and role == "kernel":
                    places = (named.layer.name if named.layer.name in ROLES else "inner",)
                yield Tensor(
                    name, "multiplier" if role == "other" and name in self._factors(named) else role, places
                )

    def _factors(self, named: Named) -> set[str]:
        """The tensors that a layer multiplies what goes through it by."""
        steps = graph_of(named.layer, self).steps
        return {step.name for step in steps if step.has("value") and step.multiplies()}
