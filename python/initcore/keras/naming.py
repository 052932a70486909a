"""What the layers and tensors of a Keras model are called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple


class Named(NamedTuple):
    """A layer, its name in the model, what the code calls it, and the layer that it is a part of."""

    name: str
    layer: Any
    called: str = ""
    within: Named | None = None

    def full(self, tensor: str) -> str:
        """Return the name in the model of a tensor that the layer calls so."""
        return f"{self.name}/{tensor}" if self.name else tensor

    def around(self) -> Iterator[Any]:
        """Yield the layers that this one is a part of, the next one first."""
        within = self.within
        while within is not None:
            yield within.layer
            within = within.within


def layers(model: Any) -> Iterator[Named]:
    """Yield every layer once.

    The numbers that Keras appends to a layer's name count all layers that the process ever made. Here they
    count those of the same name in the same layer, so that a model made twice has the same names.

    >>> import keras
    >>> model = keras.Sequential([keras.layers.Dense(2), keras.layers.Dense(2, name="head")])
    >>> [named.name for named in layers(model)]
    ['', 'dense', 'head']
    """
    return _inside(Named("", model), set())


def _inside(named: Named, seen: set[int]) -> Iterator[Named]:
    if id(named.layer) in seen:
        return
    seen.add(id(named.layer))
    yield named
    own = vars(named.layer)
    attributes = {id(value): name for name, value in (*own.items(), *own.get("_modules", {}).items())}
    counts: Counter[str] = Counter()
    for child in named.layer._layers:
        kind = _snake(type(child).__name__)
        base = kind if re.fullmatch(rf"{re.escape(kind)}(_\d+)?", child.name) else child.name
        number = counts[base]
        counts[base] += 1
        name = f"{base}_{number}" if number else base
        called = attributes.get(id(child), name) if base == kind else name
        yield from _inside(Named(named.full(name), child, called, named), seen)


def _snake(name: str) -> str:
    name = re.sub(r"\W+", "", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()
