"""A function on tensors for every named scheme: what `init` has beyond ``torch.nn.init``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import torch

from initcore import layouts
from initcore.initializers import NAMED, Named
from initcore.laws import Initializer, VarianceScaling
from initcore.layouts import LayoutLike
from initcore.torch.tensors import can_fill, fill, key_from

_ROWS = {f"{name}_": row for row in NAMED for name in (row.name, *row.aliases)}


def names() -> list[str]:
    """Return the names of all functions: those of the schemes and their aliases, with PyTorch's underscore.

    >>> "lecun_normal_" in names()
    True
    """
    return list(_ROWS)


@functools.cache
def function(name: str) -> Callable[..., torch.Tensor]:
    """Return the function of that name.

    It takes the tensor, the fields of the law, ``generator`` and by keyword ``layout``; a law of the fans
    takes ``gain`` too, which multiplies its standard deviation.

    >>> w = function("lecun_normal_")(torch.empty(300, 400), gain=2.0)
    >>> abs(w.std().item() - 0.1) < 0.002
    True
    >>> inspect.signature(function("orthogonal_"))
    <Signature (tensor, gain=1.0, generator=None, *, layout='oi')>
    """
    row = _ROWS[name]
    signature = _signature(row)

    def scheme_(*args: Any, **kwargs: Any) -> torch.Tensor:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        values = dict(given.arguments)
        tensor, generator, layout = (values.pop(part) for part in ("tensor", "generator", "layout"))
        return _fill(tensor, _law(row.law, values), generator, layout)

    scheme_.__name__ = scheme_.__qualname__ = name
    scheme_.__doc__ = f"Fill by `initcore.initializers` {row.name!r}: {row.source}."
    scheme_.__signature__ = signature  # type: ignore[attr-defined]
    return scheme_


def _signature(row: Named) -> inspect.Signature:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parts = [inspect.Parameter("tensor", kind)]
    law: Any = row.law
    parts += [inspect.Parameter(field.name, kind, default=getattr(law, field.name)) for field in fields(law)]
    parts += [inspect.Parameter("generator", kind, default=None)]
    if isinstance(row.law, VarianceScaling) and "gain" not in [part.name for part in parts]:
        parts += [inspect.Parameter("gain", inspect.Parameter.KEYWORD_ONLY, default=1.0)]
    parts += [inspect.Parameter("layout", inspect.Parameter.KEYWORD_ONLY, default="oi")]
    return inspect.Signature(parts)


def _law(law: Any, values: dict[str, Any]) -> Initializer:
    if isinstance(law, VarianceScaling) and "gain" not in [field.name for field in fields(law)]:
        values["scale"] *= values.pop("gain") ** 2
    changed: Initializer = replace(law, **values)
    return changed


def _fill(
    tensor: torch.Tensor, law: Initializer, generator: torch.Generator | None, layout: LayoutLike
) -> torch.Tensor:
    if tensor.is_meta:
        return tensor
    if not can_fill(tensor):
        raise TypeError(
            f"tensor must be an ordinary one of floating point numbers, got {type(tensor).__name__} of "
            f"{tensor.dtype} in layout {tensor.layout}"
        )
    layouts.of(layout)  # says what is wrong with it, before a number is taken from the generator
    key = key_from(generator)
    fill(tensor, lambda array: law(array.shape, key, layout=layout, out=array))
    return tensor
