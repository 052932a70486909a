"""A function on tensors for every named scheme: what `init` has beyond ``torch.nn.init``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch

from initcore import layouts
from initcore.apply import named
from initcore.layouts import LayoutLike
from initcore.torch.tensors import can_fill, fill, key_from

NAMES = tuple(f"{name}_" for name in named.ROWS)


@functools.cache
def function(name: str) -> Callable[..., torch.Tensor]:
    """Return the function of that name: of a tensor, and by keyword the numbers of the law.

    >>> w = function("lecun_normal_")(torch.empty(300, 400))
    >>> abs(w.std().item() - 0.05) < 0.001
    True
    >>> inspect.signature(function("truncated_normal_")).parameters["stddev"].default
    0.05
    """
    scheme = name.removesuffix("_")
    named.law_with(scheme, {})

    def scheme_(
        tensor: torch.Tensor,
        *,
        generator: torch.Generator | None = None,
        layout: LayoutLike = "oi",
        **numbers: Any,
    ) -> torch.Tensor:
        law = named.law_with(scheme, numbers)
        if tensor.is_meta:
            return tensor
        if not can_fill(tensor):
            raise TypeError(
                f"tensor must be an ordinary one of floating point numbers, got {type(tensor).__name__} of "
                f"{tensor.dtype} in layout {tensor.layout}"
            )
        layouts.of(layout)  # says what is wrong with it, before a number is taken from the generator
        key = key_from(generator)
        fill(tensor, lambda array, dtype: law(array.shape, key, dtype, layout, out=array), by_law=True)
        return tensor

    row = named.ROWS[scheme]
    scheme_.__name__ = scheme_.__qualname__ = name
    scheme_.__module__ = "initcore.torch.init"  # where it is found, by a pickle too
    scheme_.__doc__ = f"Fill by `initcore.initializers` {row.name!r}: {row.source}."
    scheme_.__signature__ = _signature(scheme)  # type: ignore[attr-defined]
    return scheme_


def _signature(scheme: str) -> inspect.Signature:
    given = {**named.defaults(scheme), "generator": None, "layout": "oi"}
    tensor = inspect.Parameter("tensor", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value)
        for name, value in given.items()
    ]
    return inspect.Signature([tensor, *options])
