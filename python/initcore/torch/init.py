"""The functions of ``torch.nn.init``: same names, arguments, errors, warnings and results, by our kernels.

``from initcore.torch import init`` in place of ``from torch.nn import init`` is the whole change. What is new
comes by keyword only: ``gain=`` where PyTorch has none, ``layout=`` for fans from what the layer is (the
default, ``"oi"``, is PyTorch's view), and a function for every scheme of `initcore.initializers`, such as
``lecun_normal_`` (schemes.py).

A call takes one number from ``generator``, by default PyTorch's own, as the seed of its stream: so
``torch.manual_seed`` governs, two calls differ, and the values do not depend on threads or processor. Tensors
that are not plain memory (meta, fake, sparse, subclasses, integers) are left to PyTorch itself.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn.init import _calculate_correct_fan, _calculate_fan_in_and_fan_out

from initcore._fans import fans
from initcore.gains import gain as gain_of
from initcore.laws import Orthogonal
from initcore.layouts import LayoutLike
from initcore.torch import schemes
from initcore.torch.tensors import can_fill, fill, key_from

original = torch.nn.init
constant_, ones_, zeros_, eye_ = (
    original.constant_,
    original.ones_,
    original.zeros_,
    original.eye_,
)  # not random


def calculate_gain(nonlinearity: Any, param: float | None = None) -> float:
    """Return PyTorch's gain, or for what it has none for, ``1 / sqrt(E[f(z)^2])``.

    Args:
        nonlinearity: A name of PyTorch's; or one of `initcore.activations`, or any function of an array.
        param: The slope of ``"leaky_relu"``.

    Raises:
        ValueError: There is no such name, or ``param`` is not a number.

    >>> f"{calculate_gain('tanh'):.4f} {calculate_gain('gelu'):.4f}"
    '1.6667 1.5335'
    """
    try:
        return float(original.calculate_gain(nonlinearity, param))
    except ValueError:
        if nonlinearity == "leaky_relu":
            raise
        try:
            return gain_of(nonlinearity).forward
        except ValueError as error:
            raise ValueError(f"Unsupported nonlinearity {nonlinearity}: {error}") from None


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with values of the uniform law on [a, b).

    >>> uniform_(torch.empty(100), -1, 1).abs().max() <= 1
    tensor(True)
    """
    ours = _finite(a, b) and can_fill(tensor) and not tensor.dtype.is_complex
    if not ours or not a <= b or max(-a, b, b - a) > torch.finfo(tensor.dtype).max:
        return original.uniform_(tensor, a, b, generator)
    return _uniform(tensor, a, b, generator)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with values of the normal law; of a complex tensor, either part gets half of the variance.

    >>> normal_(torch.empty(3, 5)).shape
    torch.Size([3, 5])
    """
    if not (_finite(mean, std) and can_fill(tensor)) or std < 0:
        return original.normal_(tensor, mean, std, generator)
    return _normal(tensor, mean, std, generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with values of the normal law given that they lie in [a, b]; ``std`` is that before it is cut.

    `truncated_normal_` takes the standard deviation after the cut, and bounds that follow it.

    >>> trunc_normal_(torch.empty(1000), std=0.02, a=-0.04, b=0.04).abs().max() <= 0.04
    tensor(True)
    """
    ours = _finite(mean, std) and std > 0 and can_fill(tensor) and not tensor.dtype.is_complex
    low, high = ((a - mean) / std, (b - mean) / std) if ours else (0.0, 0.0)
    if not low < high or low > 9 or high < -9:  # so far out that PyTorch's own way is as good as any
        return original.trunc_normal_(tensor, mean, std, a, b, generator)
    if low > 2 or high < -2:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=2,
        )
    key = key_from(generator)
    fill(
        tensor, lambda x, dtype: key.truncated_normal(x.shape, mean, std, low, high, dtype=dtype, out=x), True
    )
    return tensor


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill with what makes a convolution pass its input on, in each of its groups.

    >>> x = torch.rand(1, 4, 5)
    >>> torch.equal(torch.conv1d(x, dirac_(torch.empty(4, 4, 3)), padding=1), x)
    True
    """
    ours = tensor.ndimension() in (3, 4, 5) and tensor.numel() and can_fill(tensor)
    if not ours or tensor.size(0) % groups:
        return original.dirac_(tensor, groups)
    outputs = tensor.size(0) // groups
    passed = np.arange(min(outputs, tensor.size(1)))
    rows = (np.arange(groups)[:, None] * outputs + passed).ravel()

    def write(x: NDArray[Any]) -> None:
        x[...] = 0
        x[(rows, np.tile(passed, groups), *(size // 2 for size in x.shape[2:]))] = 1

    fill(tensor, write)
    return tensor


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None, *, layout: LayoutLike = "oi"
) -> Tensor:
    """Fill by Glorot & Bengio 2010: uniform with variance ``gain**2 * 2 / (fan_in + fan_out)``.

    >>> xavier_uniform_(torch.empty(30, 20), gain=5 / 3).abs().max() <= 5 / 3 * (6 / 50) ** 0.5
    tensor(True)
    """
    a = math.sqrt(3.0) * gain * math.sqrt(2.0 / float(sum(_fans(tensor, layout))))
    return uniform_(tensor, -a, a, generator)


def xavier_normal_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None, *, layout: LayoutLike = "oi"
) -> Tensor:
    """Fill by Glorot & Bengio 2010: normal with variance ``gain**2 * 2 / (fan_in + fan_out)``.

    >>> xavier_normal_(torch.empty(30, 20)).shape
    torch.Size([30, 20])
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / float(sum(_fans(tensor, layout)))), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: Any = "fan_in",
    nonlinearity: Any = "leaky_relu",
    generator: Generator | None = None,
    *,
    gain: float | None = None,
    layout: LayoutLike = "oi",
) -> Tensor:
    """Fill by He et al. 2015: uniform with variance ``gain**2 / fan``.

    ``gain`` stands in for that of ``nonlinearity`` and its slope ``a``.

    >>> kaiming_uniform_(torch.empty(30, 20), nonlinearity="relu").abs().max() <= (6 / 20) ** 0.5
    tensor(True)
    """
    bound = math.sqrt(3.0) * _kaiming(tensor, a, mode, nonlinearity, gain, layout)
    return uniform_(tensor, -bound, bound, generator) if tensor.numel() else tensor


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: Any = "fan_in",
    nonlinearity: Any = "leaky_relu",
    generator: Generator | None = None,
    *,
    gain: float | None = None,
    layout: LayoutLike = "oi",
) -> Tensor:
    """Fill by He et al. 2015: normal with variance ``gain**2 / fan``.

    ``gain`` stands in for that of ``nonlinearity`` and its slope ``a``.

    >>> from initcore.layouts import Conv
    >>> w = kaiming_normal_(torch.empty(32, 1, 3, 3), mode="fan_out", layout=Conv("oi", groups=32))  # fan 9
    """
    std = _kaiming(tensor, a, mode, nonlinearity, gain, layout)
    return normal_(tensor, 0.0, std, generator) if tensor.numel() else tensor


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with a (semi-)orthogonal matrix times ``gain``: axis 0 by all others. Half precisions are rounded.

    >>> w = orthogonal_(torch.empty(3, 5, dtype=torch.float64))
    >>> torch.allclose(w @ w.T, torch.eye(3, dtype=torch.float64))
    True
    """
    if tensor.ndimension() < 2 or not tensor.numel() or not can_fill(tensor) or tensor.dtype.is_complex:
        return original.orthogonal_(tensor, gain, generator)
    law, key = Orthogonal(gain), key_from(generator)
    fill(tensor, lambda x, dtype: law(x.shape, key, dtype, "oi", out=x), by_law=True)
    return tensor


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Fill with normal values, of which in each column a share ``sparsity``, rounded up, is 0 instead.

    >>> (sparse_(torch.empty(10, 3), sparsity=0.25) == 0).sum(dim=0)
    tensor([3, 3, 3])
    """
    ours = tensor.ndimension() == 2 and can_fill(tensor) and _finite(sparsity, std) and std >= 0
    if not ours or not 0 <= sparsity <= 1:
        return original.sparse_(tensor, sparsity, std, generator)
    rows, columns = tensor.shape
    zeros, key = math.ceil(sparsity * rows), key_from(generator)
    order = (key / "zeros").bits(rows * columns).reshape(columns, rows).argsort(axis=1)[:, :zeros]

    def write(x: NDArray[Any]) -> None:
        key.normal(x.shape, 0.0, std, out=x)
        x[order, np.arange(columns)[:, None]] = 0

    fill(tensor, write)
    return tensor


def _uniform(tensor: Tensor, a: float, b: float, generator: Generator | None) -> Tensor:
    key = key_from(generator)
    fill(tensor, lambda x, dtype: key.uniform(x.shape, a, b, dtype=dtype, out=x), by_law=True)
    return tensor


def _normal(tensor: Tensor, mean: float, std: float, generator: Generator | None) -> Tensor:
    key = key_from(generator)
    fill(tensor, lambda x, dtype: key.normal(x.shape, mean, std, dtype=dtype, out=x), by_law=True)
    return tensor


def _fans(tensor: Tensor, layout: LayoutLike) -> tuple[float, float]:
    if layout == "oi":
        return _calculate_fan_in_and_fan_out(tensor)  # type: ignore[no-any-return]
    return fans(tuple(tensor.shape), layout)


def _kaiming(
    tensor: Tensor, a: float, mode: Any, nonlinearity: Any, gain: float | None, layout: LayoutLike
) -> float:
    """Return the standard deviation; of a tensor without elements any, with PyTorch's warning."""
    if not tensor.numel():
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return 0.0
    fan = _calculate_correct_fan(tensor, mode)
    if layout != "oi":
        fan = fans(tuple(tensor.shape), layout)[mode.lower() == "fan_out"]
    return (calculate_gain(nonlinearity, a) if gain is None else gain) / math.sqrt(fan)


def _finite(*numbers: Any) -> bool:
    return all(hasattr(number, "__float__") and math.isfinite(number) for number in numbers)


def _deprecated(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function under its old name."""
    new = function.__name__
    old = new[:-1]

    def renamed(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(
            f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`.", FutureWarning, stacklevel=2
        )
        return function(*args, **kwargs)

    renamed.__name__ = renamed.__qualname__ = old
    renamed.__doc__ = f"Deprecated: use `{new}`."
    return renamed


uniform, normal, constant, eye = (_deprecated(f) for f in (uniform_, normal_, constant_, eye_))
dirac, orthogonal, sparse = (_deprecated(f) for f in (dirac_, orthogonal_, sparse_))
xavier_uniform, xavier_normal = (_deprecated(f) for f in (xavier_uniform_, xavier_normal_))
kaiming_uniform, kaiming_normal = (_deprecated(f) for f in (kaiming_uniform_, kaiming_normal_))

_OWN = dict(globals())
__all__ = [*original.__all__, *(name for name in schemes.NAMES if name not in _OWN)]


def __getattr__(name: str) -> Callable[..., Any]:
    """Return the function of a scheme; or what else ``torch.nn.init`` has, such as ``_no_grad_normal_``."""
    if name in schemes.NAMES:
        return schemes.function(name)
    if not name.startswith("__") and hasattr(original, name):
        found: Callable[..., Any] = getattr(original, name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*_OWN, *__all__})
