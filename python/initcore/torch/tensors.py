"""Writing into PyTorch's tensors: in place where NumPy can see their memory, by way of a copy elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch

from initcore.random import Key

# What numbers are drawn in before they are copied into a tensor that NumPy cannot see.
_DRAWN_IN = {
    torch.float64: np.float64,
    torch.float32: np.float32,
    torch.float16: np.float16,
    torch.bfloat16: np.float32,
    torch.complex64: np.complex64,
    torch.complex128: np.complex128,
}
_PLAIN = (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer)


def can_fill(tensor: torch.Tensor) -> bool:
    """Return whether `fill` is for this tensor: floating point in memory, no subclass with ways of its own.

    Neither meta, fake, sparse, quantized or distributed tensors, nor those of a model that is being compiled
    or traced.
    """
    return (
        type(tensor) in _PLAIN
        and tensor.dtype in _DRAWN_IN
        and tensor.layout is torch.strided
        and not tensor.is_meta
        and not torch.overrides.has_torch_function_unary(tensor)
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
    )


def fill(tensor: torch.Tensor, write: Callable[..., object], by_law: bool = False) -> None:
    """Let ``write`` fill an array with the tensor's new values, and put them there.

    With ``by_law``, ``write`` is given a dtype too, both for a law or a key, which know bfloat16: of that the
    array is the memory, as uint16.

    Autograd is not told, as under ``no_grad``, except that the tensor's version goes up, so that a backward
    pass that needs the old values says so.

    >>> w = torch.zeros(2, 3).t()  # any strides
    >>> fill(w, lambda array: np.copyto(array, [[1, 2], [3, 4], [5, 6]]))
    >>> w.tolist(), w._version
    ([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], 1)
    """
    with torch.no_grad():
        raw = by_law and tensor.dtype is torch.bfloat16
        if _visible(tensor) and (raw or tensor.dtype is not torch.bfloat16):
            seen = np.asarray(_Memory(tensor, np.dtype(np.uint16 if raw else _DRAWN_IN[tensor.dtype])))
            write(seen, "bfloat16" if raw else seen.dtype) if by_law else write(seen)
            torch.autograd.graph.increment_version(tensor)
        else:
            array = np.empty(tuple(tensor.shape), np.uint16 if raw else _DRAWN_IN[tensor.dtype])
            write(array, "bfloat16" if raw else array.dtype) if by_law else write(array)
            values = torch.from_numpy(array)  # to be rounded, transferred, or it says why it cannot
            tensor.copy_(values.view(torch.bfloat16) if raw else values)


class _Memory:
    """A tensor's memory for NumPy; it remains one that may be resized, as FSDP does. (Not so by numpy().)"""

    def __init__(self, tensor: torch.Tensor, dtype: np.dtype[Any]) -> None:
        self.tensor = tensor
        self.__array_interface__ = {
            "data": (tensor.data_ptr(), False),
            "shape": tuple(tensor.shape),
            "strides": tuple(step * dtype.itemsize for step in tensor.stride()),
            "typestr": dtype.str,
            "version": 3,
        }


def key_from(generator: torch.Generator | None) -> Key:
    """Return a key seeded by the next number of ``generator``, by default PyTorch's own.

    So ``torch.manual_seed`` governs the key, and every call gives another one.

    Raises:
        TypeError: ``generator`` is none.

    >>> _ = torch.manual_seed(0)
    >>> first = key_from(None)
    >>> first == key_from(None), first == key_from(torch.Generator().manual_seed(0))
    (False, True)
    """
    if not isinstance(generator, torch.Generator | None):
        raise TypeError(
            f"generator must be a torch.Generator, such as torch.default_generator, got {generator!r}"
        )
    device = "cpu" if generator is None else generator.device
    return Key(int(torch.empty((), dtype=torch.int64, device=device).random_(generator=generator)))


@contextlib.contextmanager
def random_state_kept(tensors: Iterable[torch.Tensor] = (), key: Key | None = None) -> Iterator[None]:
    """Let PyTorch's generators, the CPU's and where ``tensors`` are, go on as if nothing was drawn meanwhile.

    With a key, what is drawn on the CPU follows from that.

    >>> state = torch.random.get_rng_state()
    >>> with random_state_kept(key=Key(3)):
    ...     first = torch.rand(2)
    >>> with random_state_kept(key=Key(3)):
    ...     print(torch.equal(first, torch.rand(2)), torch.equal(state, torch.random.get_rng_state()))
    True False
    >>> torch.equal(state, torch.random.get_rng_state())
    True
    """
    with torch.random.fork_rng(list({tensor.device for tensor in tensors if tensor.is_cuda})):
        if key is not None:
            torch.default_generator.manual_seed(int(key.bits(1)[0]))
        yield


def _visible(tensor: torch.Tensor) -> bool:
    """Whether NumPy sees the tensor's own memory, and each element once."""
    overlaps = any(
        stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape, strict=True)
    )
    return tensor.device.type == "cpu" and not tensor.is_conj() and not tensor.is_neg() and not overlaps
