"""For users of JAX: every scheme as a callable ``(key, shape, dtype)``, as Flax and its like take them.

>>> import jax
>>> from initcore import jax as ij
>>> w = ij.he_normal()(jax.random.key(0), (256, 128))
>>> init = ij.orthogonal(2.0)  # what JAX has too takes JAX's arguments, in JAX's order
>>> bool((init(jax.random.key(1), (4, 4)) == init(jax.random.key(1), (4, 4))).all())
True
>>> ij.zeros(jax.random.key(0), (3,)).tolist()  # is an initializer itself, as in JAX
[0.0, 0.0, 0.0]

Each name of `initcore.initializers`, aliases too, is a function here that returns such a callable. What is
called as in `jax.nn.initializers` has its arguments and defaults (but the laws of the fan-based ones are
ours: see `initcore.initializers`), and by keyword the numbers of our law; so have the others. What it draws
depends on the key, the shape and the law alone. Under ``jit`` and ``vmap`` it calls back to the host
(``jax.pure_callback``), so it works on any device, at the cost of a transfer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from initcore import laws, layouts
from initcore.apply import named
from initcore.formats import drawn_in
from initcore.layouts import LayoutLike
from initcore.random import Index, Key

# What JAX calls otherwise than the law of ours, and what of that law it has otherwise.
_RENAMED = {
    "orthogonal": {"scale": "gain"},
    "delta_orthogonal": {"scale": "gain"},
    "uniform": {"scale": "maxval"},
    "truncated_normal": {"lower": "low", "upper": "high"},
}
_OTHERWISE: dict[str, dict[str, Any]] = {
    "uniform": {"minval": 0.0},
    "truncated_normal": {"stddev_of": "parent"},
}
_AXES = {"in_axis": -2, "out_axis": -1, "batch_axis": ()}


@dataclass(frozen=True)
class Initializer:
    """An initializer of JAX: called as ``(key, shape, dtype)``; equal to others of its law, and picklable.

    Args:
        law: What it draws.
        layout: Of which linear maps the tensor is made.
        dtype: Of the result where the call gives none; float32 by default.
    """

    law: laws.Initializer
    layout: LayoutLike = "io"
    dtype: Any = None

    def __call__(self, key: Any, shape: Any, dtype: Any = None, out_sharding: Any = None) -> jax.Array:
        """Return a tensor.

        Args:
            key: Of JAX, of either style.
            shape: Of the tensor.
            dtype: Of the tensor, real or complex floating point.
            out_sharding: Where it goes, as by ``jax.device_put``.

        Raises:
            TypeError, ValueError: The key, the dtype or the shape is none for this law.
        """
        usual = jnp.float32 if self.dtype is None else self.dtype
        final = np.dtype(jax.dtypes.canonicalize_dtype(usual if dtype is None else dtype))
        if not jnp.issubdtype(final, jnp.inexact):
            raise TypeError(f"dtype must be a floating point or complex type, got {final}")
        if not hasattr(key, "dtype"):
            raise TypeError(f"key must be a key of JAX, such as jax.random.key(0), got {key!r}")
        sizes = tuple(map(int, shape))
        data = jax.random.key_data(key) if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else key
        if isinstance(data, jax.core.Tracer):
            like = jax.ShapeDtypeStruct(sizes, final)
            nothing = (slice(0, 0),) * bool(sizes)
            self._draw((), sizes, final, nothing)  # errors now, not on the device
            drawn = jax.pure_callback(
                lambda data: self._draw(data, sizes, final), like, data, vmap_method="sequential"
            )
        else:
            drawn = jnp.asarray(self._draw(data, sizes, final))
        return drawn if out_sharding is None else jax.device_put(drawn, out_sharding)

    def _draw(
        self, key_data: Any, shape: tuple[int, ...], final: np.dtype[Any], index: Index | None = None
    ) -> NDArray[Any]:
        words = np.asarray(key_data, np.uint32)
        seed = int.from_bytes(words.astype("<u4").tobytes(), "little")
        return self.law(shape, Key(seed), drawn_in(final.name), self.layout, index).astype(final)


def initializer(name: str, *, layout: LayoutLike = "io", dtype: Any = None, **numbers: Any) -> Initializer:
    """Return the scheme ``name``, with the defaults of `initcore.initializers`, as an initializer of JAX.

    Args:
        name: Of the scheme.
        layout: Of which linear maps the tensor is made.
        dtype: Of the result where the call gives none; float32 by default.
        **numbers: The numbers of the law instead of its own.

    Raises:
        ValueError: There is no such scheme, number or layout.

    >>> initializer("lecun_normal", dtype="bfloat16")(jax.random.PRNGKey(3), (8, 4)).dtype
    dtype(bfloat16)
    """
    law = named.law_with(name, numbers)
    layouts.of(layout)
    return Initializer(law, layout, dtype)


def _factory(name: str) -> Callable[..., Any]:
    """The function of this module that has the name of the scheme."""
    peer = getattr(jax.nn.initializers, name, None)
    theirs = dict(inspect.signature(peer).parameters) if peer else {}
    itself = "key" in theirs  # zeros and ones of JAX are initializers, not functions that return one
    renamed = _RENAMED.get(name, {})

    def ours(given: dict[str, Any]) -> dict[str, Any]:
        return {renamed.get(key, key): value for key, value in given.items()}

    usual = {key: p.default for key, p in theirs.items() if p.default is not p.empty and not itself}
    usual = {**ours(usual), **_OTHERWISE.get(name, {})}

    def factory(*args: Any, **options: Any) -> Any:
        if itself and (args or "key" in options):
            return initializer(name)(*args, **options)
        given = {**usual, **ours(named.by_position(name, args, theirs)), **ours(options)}
        if given.pop("column_axis", -1) != -1:
            raise ValueError('column_axis must be -1: for other axes there is layout=, such as "oi"')
        axes = {axis: given.pop(axis, default) for axis, default in _AXES.items()}
        if axes != _AXES:
            if "layout" in given:
                raise ValueError(f"give layout= or axes, got both: {given['layout']!r} and {axes}")
            given["layout"] = layouts.Einsum(
                in_axes=axes["in_axis"], out_axes=axes["out_axis"], batch_axes=axes["batch_axis"]
            )
        return initializer(name, **given)

    row = named.ROWS[name]
    factory.__name__ = factory.__qualname__ = name
    factory.__doc__ = f"Return an initializer by `initcore.initializers` {row.name!r}: {row.source}."
    if not itself:
        more = {**named.defaults(name), **usual, "layout": "io", "dtype": None}
        known = {*theirs, *ours(theirs)}
        options = [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=value)
            for option, value in more.items()
            if option not in known
        ]
        factory.__signature__ = inspect.Signature([*theirs.values(), *options])  # type: ignore[attr-defined]
    return factory


_FACTORIES = {name: _factory(name) for name in named.ROWS}
globals().update(_FACTORIES)

__all__ = ["Initializer", "initializer", *_FACTORIES]


def __getattr__(name: str) -> Any:
    """Say so if there is no such initializer."""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
