"""The initializers of this package as Keras's."""

from __future__ import annotations

import functools
import inspect
import random
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, ClassVar

import keras
import numpy as np

from initcore import layouts
from initcore._validate import check_count, choose
from initcore.apply import named
from initcore.formats import drawn_in
from initcore.laws import Initializer as Law
from initcore.laws import Values, VarianceScaling
from initcore.layouts import Layout, LayoutLike
from initcore.random import Key

_LAYOUTS = {name: getattr(layouts, name) for name in layouts.__all__ if name[0].isupper()}


class Initializer(keras.initializers.Initializer):
    """Base of the classes, one for each scheme; called as ``initializer(shape, dtype=None)``.

    Called again, an initializer goes on to the next stream of its seed: layers that share one object start
    with different weights, unlike with Keras's own, which repeat themselves. Two objects of the same seed
    give the same sequence.

    Args:
        *args: By position, what Keras's initializer of that name takes, in its order: mostly numbers of the
            law and then the seed.
        seed: A whole number; a ``keras.random.SeedGenerator``, asked at each call; or None for one that
            ``keras.utils.set_random_seed`` governs.
        layout: Of which linear maps the tensor is made, an object of `initcore.layouts`; ``"io"`` is right
            for Keras's dense layers and convolutions, ``Depthwise()`` for depthwise ones.
        repeat: Whether every call gives the same numbers.
        **numbers: The numbers of the law, such as ``stddev``.

    Raises:
        TypeError, ValueError: A number or layout is none.
    """

    scheme: ClassVar[str]  # or, where that has no name, what `initcore.initializers` calls what makes it
    make: ClassVar[Callable[[dict[str, Any]], Law]]  # of numbers
    order: ClassVar[tuple[str, ...]]  # of arguments by position

    def __init__(
        self, *args: Any, seed: Any = None, layout: LayoutLike = "io", repeat: bool = False, **numbers: Any
    ) -> None:
        for name, value in named.by_position(type(self).__name__, args, self.order).items():
            if name in numbers or (name == "seed" and seed is not None):
                raise TypeError(f"{type(self).__name__} got {name} twice: {value!r} and by keyword")
            if name == "seed":
                seed = value
            else:
                numbers[name] = value
        for name in ("input_axes", "output_axes"):
            if numbers.pop(name, None) is not None:
                raise ValueError(
                    f"{name} must be None: which axes are which, says "
                    "layout=initcore.layouts.Einsum(in_axes=..., out_axes=...)"
                )
        self._seed = seed
        self._generator = None
        if seed is None:
            seed = random.getrandbits(63)  # whose state keras.utils.set_random_seed sets
        elif isinstance(seed, dict):
            seed = keras.saving.deserialize_keras_object(seed)
        if isinstance(seed, keras.random.SeedGenerator):
            self._generator = seed
        else:
            self._start = check_count("seed", seed, low=0)
        self.layout = _layout_from(layout) if isinstance(layout, dict) else layout
        layouts.of(self.layout)
        self.repeat = bool(repeat)
        self.law = type(self).make(numbers)
        self._numbers = _shortest(self.scheme, self.law, numbers)
        self._calls = 0

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """Return a tensor of the backend.

        Args:
            shape: Its shape.
            dtype: Any of Keras's; numbers are drawn in it, or in float32 and then converted.
        """
        dtype = keras.backend.standardize_dtype(dtype)
        values = self.law(tuple(map(int, shape)), self._key(), drawn_in(dtype), self.layout)
        if dtype.startswith(("int", "uint")) and not (values == np.round(values)).all():
            raise ValueError(f"{type(self).__name__} gives no whole numbers, got dtype {dtype!r}")
        return keras.ops.cast(keras.ops.convert_to_tensor(values), dtype)

    def _key(self) -> Key:
        if self._generator is not None:
            words = keras.ops.convert_to_numpy(self._generator.next())
            return Key(int.from_bytes(np.asarray(words, np.uint32).tobytes(), "little"))
        self._calls += 1
        return Key(self._start) / (0 if self.repeat else self._calls - 1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, of types that JSON has."""
        seed = keras.saving.serialize_keras_object(self._seed)
        layout = self.layout
        if isinstance(layout, Layout):
            layout = {"class_name": type(layout).__name__, "config": asdict(layout)}  # type: ignore[call-overload,assignment]
        return {**self._numbers, "seed": seed, "layout": layout, "repeat": self.repeat}

    def __repr__(self) -> str:
        arguments = {**self._numbers, "seed": self._seed}
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


def subclass(name: str) -> type[Initializer]:
    """Return the class of the scheme ``name``, registered for saving.

    >>> from initcore.keras import HeNormal  # is made by it
    >>> HeNormal.__name__, HeNormal.scheme
    ('HeNormal', 'he_normal')
    """
    row = named.ROWS[name]
    numbers = named.defaults(name)
    told = ", ".join(f"{key}={value!r}" for key, value in numbers.items())
    documented = f"`initcore.initializers` {row.name!r}: {row.source}.\n\nNumbers: {told or 'none'}."
    order = () if isinstance(row.law, VarianceScaling) else tuple(numbers)
    return _class(named.class_name(name), name, functools.partial(named.law_with, name), order, documented)


def of_law(title: str) -> type[Initializer]:
    """Return the class of what `initcore.initializers` calls ``title``, a law or a function that makes one.

    >>> from initcore.keras import PriorBias  # is made by it
    >>> PriorBias(probability=0.01).law
    Constant(value=-4.59511985013459)
    """
    make = named.laws()[title]
    order = tuple(inspect.signature(make).parameters)
    first = (inspect.getdoc(make) or "").partition("\n")[0]
    documented = f"`initcore.initializers.{title}`: {first}\n\nNumbers, as there: {', '.join(order)}."
    return _class(title, title, lambda numbers: make(**numbers), order, documented)


def _class(
    title: str, scheme: str, make: Callable[..., Law], order: tuple[str, ...], documented: str
) -> type[Initializer]:
    members = {
        "scheme": scheme,
        "make": staticmethod(make),
        "order": _order(title, order),
        "__doc__": documented,
        "__module__": "initcore.keras",
    }
    made = type(title, (Initializer,), members)
    found: type[Initializer] = keras.saving.register_keras_serializable("initcore", title)(made)
    return found


def _shortest(scheme: str, law: Law, numbers: dict[str, Any]) -> dict[str, Any]:
    """Numbers that make the same law, of types that JSON has."""
    if scheme == "TargetMeanBias" and isinstance(law, Values):
        return {"targets": [list(law.values)]}  # one target, their mean, instead of all
    return {
        name: value if isinstance(value, str | float | int | None) else np.asarray(value).tolist()
        for name, value in numbers.items()
    }


def _order(title: str, numbers: tuple[str, ...]) -> tuple[str, ...]:
    """Names of arguments by position: as Keras has them, where it has an initializer of that name."""
    peer = getattr(keras.initializers, title, None)
    if peer is not None:
        found = list(inspect.signature(peer).parameters.values())
        return tuple(
            parameter.name for parameter in found if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        )
    return (*numbers, "seed")


def _layout_from(config: dict[str, Any]) -> Layout:
    kind = choose("layout", config.get("class_name"), _LAYOUTS)
    given = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in config.get("config", {}).items()
    }
    found: Layout = kind(**given)
    return found
