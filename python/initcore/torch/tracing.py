"""The graph of a module's forward, by `torch.fx`, which runs it without numbers; the module is as before."""

from __future__ import annotations

import contextlib
import dis
import inspect
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import torch
import torch.fx
from torch import nn

from initcore.torch import functions
from initcore.torch.tensors import random_state_kept

# What makes a tensor of a size: not in the graph unless it is asked for.
_MAKERS = (torch.arange, torch.zeros, torch.ones, torch.full, torch.empty, torch.rand, torch.randn)
# What looks at a tensor but at none of its values.
LOOKS = frozenset(("size", "dim", "shape", "getattr", "numel", "stride", "is_contiguous", "device", "dtype"))


class Untraceable(Exception):
    """Why there is no graph, in words for the user."""


def graph_of(model: nn.Module) -> Any:
    """Return the graph of the model's forward, or None if it cannot be traced: if it branches on values, say.

    >>> [node.op for node in graph_of(nn.Sequential(nn.Linear(2, 2), nn.ReLU())).nodes]
    ['placeholder', 'call_module', 'call_module', 'output']
    """
    with contextlib.suppress(Untraceable):
        return trace(model)
    return None


def trace(model: nn.Module) -> Any:
    """Return the graph of the model's forward, called with all arguments, or, if that fails, with the first.

    Raises:
        Untraceable: Neither can be traced.
    """
    defaults, why = _defaults(model), ""
    for left in [None, defaults] if defaults else [None]:
        # A model's code may do anything to a proxy that it could do to a tensor.
        try:
            with _as_before(model), torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return _Tracer(model).trace(model, left)
        except Exception as error:
            told = str(error).strip().partition("\n")[0]
            why = f"the forward of {type(model).__name__} cannot be traced: {type(error).__name__}: {told}"
    raise Untraceable(why[:200])


def _defaults(model: nn.Module) -> dict[str, Any]:
    """What the arguments of the model's forward are if only the first is given."""
    others = list(inspect.signature(model.forward).parameters.values())[1:]
    return {other.name: other.default for other in others if other.default is not other.empty}


def composite(module: nn.Module) -> bool:
    """Return whether a module has parts."""
    return next(module.children(), None) is not None


def called(node: Any) -> str:
    """Return the name of the function or method that a node calls; "" for other nodes."""
    if node.op not in ("call_function", "call_method"):
        return ""
    return node.target if isinstance(node.target, str) else str(getattr(node.target, "__name__", ""))


def argument(node: Any, place: int, *names: str, usual: Any = None) -> Any:
    """Return an argument of the call that a node is: by place, or by any of the names that it may have."""
    if place < len(node.args):
        return node.args[place]
    return next((node.kwargs[name] for name in names if name in node.kwargs), usual)


class _Proxy(torch.fx.Proxy):
    """Stands for a value; has a length, which f(*values) asks for, if it is the pieces of a tensor."""

    def __len__(self) -> int:
        return _pieces(self.node) or super().__len__()


def _pieces(node: torch.fx.Node) -> int:
    """Into how many pieces a call cuts a tensor; 0 if that is not known."""
    sizes = argument(node, 1, "chunks", "split_size", "split_size_or_sections", "split_sizes")
    known = {"chunk": sizes, "split": len(sizes) if isinstance(sizes, tuple | list) else 0}
    count = known.get(called(node), 0)
    return count if isinstance(count, int) else 0


class _Tracer(torch.fx.Tracer):
    """Keeps whole what has parameters and no parts, what is PyTorch's, and what is an activation.

    Goes on through assertions on sizes, and through tensors and masks made for a size.
    """

    proxy_buffer_attributes = True

    def __init__(self, model: nn.Module) -> None:
        super().__init__(autowrap_functions=_MAKERS)
        self._autowrap_search.append(torch)  # where those are, beside the globals of each forward
        # Found before tracing begins, which replaces what calling a module does.
        self._activations = {m for m in model.modules() if functions.of_module(m) is not None}

    def to_bool(self, obj: torch.fx.Proxy) -> bool:
        """Let every assertion hold; branches on values are refused."""
        return _in_assertion(sys._getframe(2)) or bool(super().to_bool(obj))

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        """Leave out hooks, which may do anything: those of FSDP gather tensors, and remember that."""
        return super().call_module(m, m.forward, args, kwargs)

    def proxy(self, node: torch.fx.Node) -> torch.fx.Proxy:
        return _Proxy(node, self)

    def iter(self, obj: torch.fx.Proxy) -> Iterator[Any]:
        """Let what a tensor is cut into be gone through, where its number is known."""
        count = _pieces(obj.node)
        found: Iterator[Any] = iter([obj[i] for i in range(count)]) if count else super().iter(obj)
        return found

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        own = next(m.parameters(recurse=False), None) is not None and not composite(m)
        leaf: bool = super().is_leaf_module(m, module_qualified_name)
        return own or leaf or m in self._activations


def _in_assertion(frame: Any) -> bool:
    """Whether a frame is about to jump to where an assertion fails, or around that."""
    code = [i for i in dis.get_instructions(frame.f_code) if i.offset >= frame.f_lasti]
    jump, after = [i for i in code if i.opname != "TO_BOOL"][:2]
    told = ("LOAD_ASSERTION_ERROR", "LOAD_COMMON_CONSTANT")  # the latter from Python 3.14
    return any(i.offset in (jump.argval, after.offset) and i.opname in told for i in code)


@contextlib.contextmanager
def _as_before(model: nn.Module) -> Iterator[None]:
    """Undo what a forward does: setting attributes of its module, counting in buffers, drawing."""
    attributes = [
        (module, {name: dict(v) if isinstance(v, dict) else v for name, v in vars(module).items()})
        for module in model.modules()
    ]
    usual = [buffer for buffer in model.buffers() if not nn.parameter.is_lazy(buffer)]
    buffers = [(buffer, buffer._version, buffer.detach().clone()) for buffer in usual]
    try:
        with random_state_kept(model.parameters()):
            yield
    finally:
        for module, kept in attributes:
            for name in vars(module).keys() - kept.keys():
                del vars(module)[name]
            for name, value in kept.items():
                if isinstance(value, dict) and isinstance(vars(module).get(name), dict):
                    vars(module)[name].clear()
                    vars(module)[name].update(value)
                else:
                    vars(module)[name] = value
        with torch.no_grad():
            for buffer, version, value in buffers:
                if buffer._version != version:
                    buffer.copy_(value)
