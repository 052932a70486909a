"""What a Keras layer is called on, so that its forward can be followed: symbols.

Keras remembers the shapes that a layer's ``build`` was given. That of a model which defines none is given the
first argument's alone; where its ``call`` requires more, they are tried to be like that one, or like what its
parts were built with: one that does not fit makes the call fail.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import keras

_SIZE = 64  # stands for a dimension that is not known; 2 for the first, of examples
_TRIES = 24


class Arguments(NamedTuple):
    """What to call a layer on, and a word on what of it is a guess."""

    args: tuple[Any, ...]
    named: dict[str, Any]
    guessed: str = ""


def arguments(layer: Any) -> Iterator[Arguments]:
    """Yield what a layer may be called on; the most likely first, nothing if nothing is known.

    >>> class Sum(keras.layers.Layer):
    ...     def call(self, x, y):
    ...         return x + y
    >>> layer = Sum()
    >>> _ = layer(keras.ops.ones((3, 4)), keras.ops.ones((3, 4)))
    >>> [(one.args[0].shape, one.named["y"].shape) for one in arguments(layer)][0]
    ((3, 4), (3, 4))
    """
    layer = getattr(layer, "_functional", None) or layer
    if hasattr(layer, "_inputs_struct"):  # a functional model
        symbols = [keras.KerasTensor(_sizes(one.shape), one.dtype) for one in layer.inputs]
        yield Arguments((keras.tree.pack_sequence_as(layer._inputs_struct, symbols),), {})
        return
    shapes = _built(layer)
    known = [shape for shape in shapes.values() if shape is not None]
    required = _required(layer)
    of = {name.removesuffix("_shape"): shape for name, shape in shapes.items() if shape is not None}
    first = next(iter(shapes.values()), None) if len(shapes) == 1 else None
    named = {} if len(shapes) == 1 else of
    missing = [name for name in required if name not in named][first is not None :]
    likely = list(_likely(known, layer)) if missing else []
    guessed = f" (Keras does not remember the shape of {' and '.join(missing)}: tried as those of its parts)"
    guessed = guessed if missing else ""
    args = () if first is None else (_symbols(first),)
    for guess in itertools.islice(itertools.product(likely, repeat=len(missing)), _TRIES):
        more = {
            name: _symbols(shape)
            for name, shape in {**named, **dict(zip(missing, guess, strict=True))}.items()
        }
        if args or more:
            yield Arguments(args, more, guessed)


def _built(layer: Any) -> Mapping[str, Any]:
    """The shapes that a layer was built with, by name; of a loaded one, as Keras saved them."""
    shapes: Mapping[str, Any] = layer._build_shapes_dict or {}
    return shapes


def _required(layer: Any) -> list[str]:
    """The arguments that a layer's call must be given."""
    try:
        found = inspect.signature(layer.call).parameters.values()
    except (TypeError, ValueError):
        return []
    usual = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    kinds = (*usual, inspect.Parameter.KEYWORD_ONLY)
    return [one.name for one in found if one.default is one.empty and one.kind in kinds]


def _likely(known: Iterable[Any], layer: Any) -> Iterator[Any]:
    """Shapes that an argument may have: of the others, of parts, one number for each example."""
    seen: list[Any] = []
    of_parts = (
        shape for part in layer._flatten_layers(include_self=False) for shape in _built(part).values()
    )
    for shape in (*known, *of_parts):
        if shape is not None and shape not in seen:
            seen.append(shape)
            yield shape
    if seen and (None,) not in seen:
        yield (None,)


def _symbols(shape: Any) -> Any:
    """A symbol for a shape, or for each of a list or dict of them."""
    if isinstance(shape, dict):
        return {name: _symbols(one) for name, one in shape.items()}
    if all(one is None or isinstance(one, int) for one in shape):
        return keras.KerasTensor(_sizes(shape))
    return [None if one is None else _symbols(one) for one in shape]


def _sizes(shape: Iterable[int | None]) -> tuple[int, ...]:
    return tuple((2 if i == 0 else _SIZE) if size is None else size for i, size in enumerate(shape))
