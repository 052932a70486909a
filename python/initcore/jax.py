"""For users of JAX: every scheme as a callable ``(key, shape, dtype)``, as Flax and its like take them.

>>> import jax
>>> from initcore import jax as ij
>>> w = ij.he_normal()(jax.random.key(0), (256, 128))
>>> init = ij.orthogonal(gain=2.0)  # the numbers of the law, by keyword
>>> bool((init(jax.random.key(1), (4, 4)) == init(jax.random.key(1), (4, 4))).all())
True

Each name of `initcore.initializers`, aliases too, is a function here that returns such a callable. What it
draws depends on the key, the shape and the law alone. Under ``jit`` and ``vmap`` it calls back to the host
(``jax.pure_callback``), so it works on any device, at the cost of a transfer.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from initcore import layouts
from initcore.apply import named
from initcore.layouts import LayoutLike
from initcore.random import Key


class Callee(Protocol):
    """What an initializer of JAX is."""

    def __call__(self, key: Any, shape: Any, dtype: Any = ...) -> jax.Array: ...


def initializer(name: str, *, layout: LayoutLike = "io", dtype: Any = None, **numbers: Any) -> Callee:
    """Return the scheme ``name`` as an initializer of JAX.

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
    usual = jnp.float32 if dtype is None else dtype

    def draw(key_data: Any, shape: tuple[int, ...], final: np.dtype[Any]) -> NDArray[Any]:
        words = np.asarray(key_data, np.uint32)
        seed = int.from_bytes(words.astype("<u4").tobytes(), "little")
        drawn = final.name if final.name in named.DRAWN else "float32"
        return law(shape, Key(seed), drawn, layout).astype(final)

    def init(key: Any, shape: Any, dtype: Any = usual) -> jax.Array:
        final = np.dtype(jax.dtypes.canonicalize_dtype(dtype))
        if not jnp.issubdtype(final, jnp.inexact):
            raise TypeError(f"dtype must be a floating point or complex type, got {final}")
        sizes = tuple(map(int, shape))
        data = jax.random.key_data(key) if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else key
        if isinstance(data, jax.core.Tracer):
            like = jax.ShapeDtypeStruct(sizes, final)
            law(sizes, 0, layout=layout, index=(slice(0, 0),) * bool(sizes))  # errors now, not on the device
            return jax.pure_callback(lambda d: draw(d, sizes, final), like, data, vmap_method="sequential")
        return jnp.asarray(draw(data, sizes, final))

    init.__name__ = init.__qualname__ = name
    return init


def _factory(name: str) -> Callable[..., Callee]:
    """The function of this module that has the name of the scheme."""

    def factory(*, layout: LayoutLike = "io", dtype: Any = None, **numbers: Any) -> Callee:
        return initializer(name, layout=layout, dtype=dtype, **numbers)

    row = named.ROWS[name]
    factory.__name__ = factory.__qualname__ = name
    factory.__doc__ = f"Return an initializer by `initcore.initializers` {row.name!r}: {row.source}."
    given = {**named.defaults(name), "layout": "io", "dtype": None}
    kind = inspect.Parameter.KEYWORD_ONLY
    options = [inspect.Parameter(option, kind, default=value) for option, value in given.items()]
    factory.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    return factory


_FACTORIES = {name: _factory(name) for name in named.ROWS}
globals().update(_FACTORIES)

__all__ = ["initializer", *_FACTORIES]


def __getattr__(name: str) -> Any:
    """Say so if there is no such initializer."""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
