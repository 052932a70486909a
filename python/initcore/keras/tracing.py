"""The graph of a Keras model's forward, by calling it on symbolic tensors; the model is as before.

A layer with parts, of Keras or of one's own, is called on the symbolic tensors that came to it, and stands in
the graph as what it then does: so functional, sequential and subclassed models all come out flat.
"""

from __future__ import annotations

import contextlib
import functools
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import keras

from initcore.apply.graph import Node, Tensor
from initcore.keras.inputs import Arguments, arguments
from initcore.keras.marks import Marks

_OPERATORS = tuple(f"__{name}__" for name in ("add", "sub", "mul", "truediv", "pow", "matmul"))
_ONE_AT_A_TIME = threading.RLock()


class Untraceable(Exception):
    """Why there is no graph, in words for the table."""


@dataclass(eq=False)
class Step(Node):
    """A node, and what it calls: a layer, an operation of `keras.ops`, a layer's activation; or None.

    Called ``with_one(x)``, it computes what it does to the only symbol that came to it.
    """

    operation: Any = None
    arguments: Any = None
    shape: tuple[int, ...] = ()

    def with_one(self, x: Any) -> Any:
        if self.arguments is None:
            return self.operation(x)
        args, named = self.arguments.convert(lambda one: x if _is_symbol(one) else one)
        return self.operation(*args, **named)


class Graph(NamedTuple):
    """The steps in order, the output last, or none.

    ``closed`` are the layers that are not seen through, with the reason; ``why`` is the reason that this is
    the graph of a part alone.
    """

    steps: list[Step]
    closed: list[tuple[Any, str]]
    why: str = ""


class Described(NamedTuple):
    """What there is to say of a layer, an operation or a variable, as a `Node` has it."""

    name: str = ""
    does: frozenset[str] = frozenset()
    tensors: tuple[Tensor, ...] = ()
    called: str = ""


Describe = Callable[[Any], Described]


def graphs(layer: Any, describe: Describe, why: str = "") -> Iterator[Graph]:
    """Yield the graph of a layer's forward, and those of the parts of what is closed in it."""
    graph = graph_of(layer, describe)
    yield graph._replace(why=why)
    for closed, reason in graph.closed:
        for part in closed._layers:
            if composite(part):
                yield from graphs(part, describe, why or reason)


def graph_of(layer: Any, describe: Describe) -> Graph:
    """Return the graph of a layer's forward.

    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2), keras.layers.ReLU()])
    >>> graph = graph_of(model, lambda operation: Described())
    >>> [type(step.operation).__name__ for step in graph.steps if step.operation]
    ['ConvertToTensor', 'Dense', 'ReLU']
    """
    own = [part for part in parts(layer) if not of_keras(part)]
    read = [part for part in parts(layer) if of_keras(part) and isinstance(part, keras.layers.Embedding)]
    marks = Marks(*(_variables(some) for some in (own, read)))
    found: Graph | None = None
    why = "the shapes of its inputs are not known: call its build(input_shape)"
    for i, given in enumerate(arguments(layer)):
        try:
            graph = _followed(layer, _Walk(describe, marks), given)
        except Untraceable as error:
            why = why if i else f"{error}{given.guessed}"
            continue
        found = found or graph
        if not graph.closed:  # what may be due to the shapes
            return graph
    return found or Graph([], [(layer, why)])


def _variables(layers: Iterable[Any]) -> list[Any]:
    return [variable for layer in layers for variable in layer._trainable_variables]


def _followed(layer: Any, walk: _Walk, given: Arguments) -> Graph:
    """The graph of a layer's forward on these symbols."""
    for symbol in keras.tree.flatten((given.args, given.named)):
        if _is_symbol(symbol):
            walk.add(Step(does=frozenset({"input"})), [symbol])
    scope = keras.StatelessScope(walk.marks.values())
    with _ONE_AT_A_TIME, _as_before(layer), _symbols_first(), scope:
        for part in filter(composite, parts(layer)):
            vars(part)["symbolic_call"] = functools.partial(walk.call, part, part.symbolic_call)
            vars(part)["add_loss"] = lambda *losses: None  # of symbols there is none
        outputs = walk.back_from(_called(layer, given.args, given.named))
    walk.add(Step(tuple(dict.fromkeys(outputs)), does=frozenset({"output"})), [])
    return Graph(walk.steps, walk.closed)


def composite(operation: Any) -> bool:
    """Return whether a layer is what its parts are: it has some, or no tensors, and is none of Keras's own.

    >>> attention = keras.layers.MultiHeadAttention(2, 4)
    >>> composite(attention), composite(keras.Sequential([attention])), composite(keras.layers.ReLU())
    (False, True, False)
    """
    if not isinstance(operation, keras.layers.Layer):
        return False
    if of_keras(operation):
        return isinstance(operation, keras.layers.Lambda)
    return bool(operation._layers) or not operation._trainable_variables


def of_keras(layer: Any) -> bool:
    """Return whether what a layer calls is written in Keras's layers."""
    owner = next(kind for kind in type(layer).__mro__ if "call" in vars(kind))
    return owner.__module__.startswith("keras.src.layers")


def parts(layer: Any) -> list[Any]:
    """Return a layer and all that it is made of."""
    found: list[Any] = layer._flatten_layers()
    return found


def _called(layer: Any, args: Any, named: Any) -> Any:
    """What a layer's own call returns."""
    try:
        return layer.call(*args, **named)
    except Exception as error:  # its code may do anything to a symbol that it could do to a tensor
        told = re.search(r"\x1b\[1m(.*?)\x1b\[0m", str(error), re.DOTALL)  # Keras puts words around it
        first = (told[1] if told else str(error)).strip().partition("\n")[0]
        what = f"the call of {type(layer).__name__} cannot be followed"
        raise Untraceable(f"{what}: {type(error).__name__}: {first}"[:200]) from None


@dataclass
class _Walk:
    describe: Describe
    marks: Marks
    steps: list[Step] = field(default_factory=list)
    of: dict[int, Step] = field(default_factory=dict)  # by the id of a symbol, or of a variable
    alive: list[Any] = field(default_factory=list)  # so that an id stays whose it is
    same: dict[int, Any] = field(default_factory=dict)  # what a symbol stands for, by its id
    closed: list[tuple[Any, str]] = field(default_factory=list)

    def call(self, layer: Any, as_one: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Call a layer with parts on symbols: what it calls, or, if that fails, the layer as one step."""
        try:
            returned = _called(layer, args, named)
        except Untraceable as error:
            self.closed.append((layer, str(error)))
        else:  # by symbols of its own, which Keras notes as given by the layer
            return _mapped(_is_symbol, self.like, returned)
        vars(layer)["compute_output_spec"] = functools.partial(_like_numbers, layer)
        return as_one(*args, **named)

    def like(self, symbol: Any) -> Any:
        """Another symbol for the same."""
        other = keras.KerasTensor(symbol.shape, symbol.dtype)
        other._keras_mask = getattr(symbol, "_keras_mask", None)
        self.same[id(other)] = symbol
        self.alive.append(other)
        return other

    def add(self, step: Step, given: Iterable[Any]) -> None:
        """Add a step and the symbols, or the variable, that it gives."""
        self.steps.append(step)
        for one in given:
            self.alive.append(one)
            self.of[id(one)] = step

    def back_from(self, returned: Any) -> list[Step]:
        """Add all that leads to these symbols; return the steps that give them."""
        outputs = [one for one in keras.tree.flatten(returned) if _is_symbol(one)]
        for node in self._in_order(outputs):
            self._visit(node)
        return [self.of[id(one)] for one in outputs if id(one) in self.of]

    def _visit(self, node: Any) -> None:
        """Add a call that Keras has noted."""
        operation, arguments = node.operation, node.arguments
        flat = list(map(self.marks.origin, keras.tree.flatten((arguments.args, arguments.kwargs))))
        for one in flat:
            if isinstance(one, keras.Variable) and id(one) not in self.of:
                self.add(Step((), *self.describe(one)), [one])
        inputs = tuple(dict.fromkeys(self.of[id(one)] for one in flat if id(one) in self.of))
        described = self.describe(operation)
        if any(operation is layer for layer, _ in self.closed):
            described = described._replace(does=described.does | {"opaque", "mix"})
        shape = tuple(node.outputs[0].shape)
        step = Step(inputs, *described, operation=operation, arguments=arguments, shape=shape)
        self.add(step, node.outputs)
        activation = getattr(operation, "activation", None)
        if step.tensors and callable(activation) and activation is not keras.activations.linear:
            self.add(Step((step,), *self.describe(activation), operation=activation), node.outputs)
        if len(node.outputs) > 1:
            for symbol in node.outputs:
                self.add(Step((self.of[id(symbol)],), does=frozenset({"part"})), [symbol])

    def _in_order(self, outputs: list[Any]) -> Iterator[Any]:
        """The calls that lead to ``outputs`` from what is known, each after those that it needs."""
        todo = [(one, False) for one in reversed(outputs)]
        while todo:
            symbol, ready = todo.pop()
            if id(symbol) in self.of or not (id(symbol) in self.same or hasattr(symbol, "_keras_history")):
                continue
            if id(symbol) in self.same:
                needs = [self.same[id(symbol)]]
            else:
                operation, index, _ = symbol._keras_history
                node = operation._inbound_nodes[index]
                needs = node.arguments.keras_tensors
            if not ready:
                todo.append((symbol, True))
                todo += [(one, False) for one in reversed(needs)]
            elif id(symbol) in self.same:
                if id(needs[0]) in self.of:
                    self.of[id(symbol)] = self.of[id(needs[0])]
            else:
                yield node


def _mapped(kind: Callable[[Any], bool], make: Callable[[Any], Any], structure: Any) -> Any:
    """A structure with what is of this kind made into something else."""
    return keras.tree.map_structure(lambda one: make(one) if kind(one) else one, structure)


def _is_symbol(one: Any) -> bool:
    return isinstance(one, keras.KerasTensor)


def _like_numbers(layer: Any, *args: Any, **named: Any) -> Any:
    """The symbols that a layer gives, by what it makes of ones."""
    args, named = _mapped(_is_symbol, lambda one: keras.ops.ones(one.shape, one.dtype), (args, named))
    given = layer(*args, **named)
    return _mapped(keras.ops.is_tensor, lambda one: keras.KerasTensor(one.shape, one.dtype), given)


@contextlib.contextmanager
def _as_before(layer: Any) -> Iterator[None]:
    """Undo what a call on symbols leaves behind: notes of calls, and attributes that a forward sets."""
    own = parts(layer)
    operations = {id(one): one for part in own for one in (part, *getattr(part, "operations", ()))}
    notes = [
        (found, len(found))
        for one in operations.values()
        for found in (one._inbound_nodes, one._outbound_nodes)
    ]
    attributes = [(vars(part), dict(vars(part))) for part in own]
    try:
        yield
    finally:
        for found, length in notes:
            del found[length:]
        for now, before in attributes:
            for name in now.keys() - before.keys():
                del now[name]
            now.update(before)


def _absent(symbol: Any) -> Any:
    raise AttributeError


@contextlib.contextmanager
def _symbols_first() -> Iterator[None]:
    """Let a variable or an array leave it to the symbol what is to be done with both, as symbols can."""

    def leaving(operator: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def apply(self: Any, other: Any) -> Any:
            return NotImplemented if isinstance(other, keras.KerasTensor) else operator(self, other)

        return apply

    with contextlib.ExitStack() as changes:

        def change(kind: Any, name: str, value: Any) -> None:
            had = name in vars(kind)
            changes.callback(setattr, kind, name, vars(kind)[name]) if had else changes.callback(
                delattr, kind, name
            )
            setattr(kind, name, value)

        for name in _OPERATORS:
            change(keras.Variable, name, leaving(getattr(keras.Variable, name)))
        mish = keras.activations.mish.__globals__  # Keras computes it, and a conversion, even of symbols
        convert, kind = mish["backend"].convert_to_tensor, mish["Mish"]
        change(
            mish["backend"],
            "convert_to_tensor",
            lambda x, *how, **named: x if _is_symbol(x) else convert(x, *how, **named),
        )
        compute = kind.static_call
        change(
            kind,
            "static_call",
            staticmethod(lambda x: kind().symbolic_call(x) if _is_symbol(x) else compute(x)),
        )
        change(keras.KerasTensor, "__array_ufunc__", None)  # what numpy's arrays look at
        change(keras.KerasTensor, "__jax_array__", property(_absent))
        yield
