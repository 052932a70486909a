"""Which activation each module of a PyTorch model feeds: read from a trace of it, or from the order it has.

`torch.fx` runs the model's ``forward`` without numbers. Where that fails (a branch on values), its parts are
traced one by one, and what one part feeds in another is not known unless they stand in a ``Sequential``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.fx
from torch import nn

from initcore.apply.flow import merged, uses
from initcore.apply.functions import passes_on
from initcore.apply.parameter import Feeds, Function
from initcore.torch import functions
from initcore.torch.forward import Step, steps
from initcore.torch.tracing import composite, graph_of

# The output goes on through these as it is, or as what keeps its scale.
_PASS_MODULES = (
    nn.Dropout,
    nn.Identity,
    nn.Flatten,
    nn.modules.dropout._DropoutNd,
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
    nn.LocalResponseNorm,
    nn.Unflatten,
    nn.Upsample,
    nn.PixelShuffle,
    nn.PixelUnshuffle,
    nn.ZeroPad2d,
    nn.modules.padding._ConstantPadNd,
    nn.modules.padding._ReflectionPadNd,
    nn.modules.padding._ReplicationPadNd,
    nn.modules.pooling._MaxPoolNd,
    nn.modules.pooling._AvgPoolNd,
    nn.modules.pooling._AdaptiveMaxPoolNd,
    nn.modules.pooling._AdaptiveAvgPoolNd,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Functions and methods by name. The first kind passes its input on, as the modules above do.
_PASS = _words(
    """
    view reshape flatten unflatten permute transpose t contiguous squeeze unsqueeze expand repeat
    repeat_interleave clone to float half double type movedim swapaxes cat concat concatenate stack chunk
    split unbind getitem add iadd add_ sub isub sub_ neg mean max_pool1d max_pool2d max_pool3d
    max_pool2d_with_indices boolean_dispatch avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d
    adaptive_avg_pool2d adaptive_avg_pool3d dropout dropout1d dropout2d feature_dropout batch_norm layer_norm
    group_norm instance_norm rms_norm pad interpolate pixel_shuffle roll flip narrow select index_select
    """
)
_PRODUCTS = ("mul", "imul", "mul_")
_MIXES = _words(
    """
    matmul bmm mm linear conv1d conv2d conv3d einsum scaled_dot_product_attention softmax log_softmax baddbmm
    addmm cross_entropy mse_loss nll_loss sum norm normalize mul imul mul_ argmax topk
    multi_head_attention_forward embedding bilinear
    """
)


def of(model: nn.Module) -> dict[str, Feeds]:
    """Return, by module name, what the output of each module goes into.

    >>> class Block(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.up, self.down = nn.Linear(4, 8), nn.Linear(8, 4)
    ...
    ...     def forward(self, x):
    ...         return x + self.down(nn.functional.silu(self.up(x)))
    >>> {name: str(feeds) for name, feeds in of(nn.Sequential(Block(), nn.ReLU())).items()}
    {'1': 'no activation', '0.down': 'relu', '0.up': 'silu'}
    """
    found: dict[str, Feeds] = {}
    end = Feeds(None, how="the model ends there")
    if isinstance(model, nn.ModuleList | nn.ModuleDict):
        end = Feeds(known=False, how=f"{type(model).__name__} has no forward")
    _trace(model, "", end, found)
    return found


def _trace(model: nn.Module, prefix: str, after: Feeds, found: dict[str, Feeds]) -> None:
    if not composite(model):
        return
    whole = isinstance(model, nn.ModuleList | nn.ModuleDict | nn.MultiheadAttention)
    if whole or _of_part(model, "") is not None:
        _in_parts(model, prefix, after, found)
        return
    graph = graph_of(model)
    if graph is None:
        _in_parts(model, prefix, after, found)
        return
    modules = dict(model.named_modules())
    forward = steps(graph, model)
    used = uses(
        forward,
        lambda user, on: _through(user.traced, modules, on, after),
        lambda step: _function_of(step.traced, modules),
    )
    calls: dict[str, list[Step]] = {}  # a module may be called in several places
    for step in reversed(forward):
        if step.traced is not None and step.traced.op == "call_module":
            calls.setdefault(step.name, []).append(step)
    for name, steps_of in calls.items():
        parts = next((tensor.parts for tensor in steps_of[0].tensors if tensor.role == "kernel"), None)
        feeds = merged(use for step in steps_of for use in used[step])
        found[prefix + name] = replace(feeds, parts=parts)
        if composite(modules[name]):
            _in_parts(modules[name], f"{prefix}{name}.", found[prefix + name], found)


def _in_parts(model: nn.Module, prefix: str, after: Feeds, found: dict[str, Feeds]) -> None:
    """Look at the parts of a model one by one, from the last to the first."""
    follows = after
    for name, child in reversed(list(model.named_children())):
        if isinstance(model, nn.ModuleList | nn.ModuleDict | nn.MultiheadAttention):
            follows = after
        elif not isinstance(model, nn.Sequential):
            follows = _of_part(model, name) or Feeds(
                known=False, how=f"the forward of {type(model).__name__} cannot be traced"
            )
        found[prefix + name] = follows
        _trace(child, f"{prefix}{name}.", follows, found)
        follows = _before(child, follows)


def _of_part(model: nn.Module, name: str) -> Feeds | None:
    """What a part of one of PyTorch's own composite modules feeds."""
    if isinstance(model, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
        if name != "linear1":
            return Feeds(None, how="the residual stream")
        f = model.activation
        title = getattr(f, "__name__", type(f).__name__)
        known = functions.of_module(f) if isinstance(f, nn.Module) else functions.of_function(title, f)
        return Feeds(known, known=known is not None, how=type(model).__name__)
    if type(model).__module__.startswith("torch.nn.modules.transformer"):
        return Feeds(None, how="the residual stream")
    return None


def _before(child: nn.Module, follows: Feeds) -> Feeds:
    """What the module in front of ``child`` feeds, where ``child`` feeds ``follows``."""
    f: Function | None = "glu" if isinstance(child, nn.GLU) else functions.of_module(child)
    if f is not None and not passes_on(f):
        return Feeds(f)
    if f is not None or isinstance(child, _PASS_MODULES):
        return follows
    if isinstance(child, nn.Sequential):
        for inner in reversed(list(child)):
            follows = _before(inner, follows)
        return follows
    return Feeds(None, how=f"goes into {type(child).__name__}")


def _through(user: Any, modules: dict[str, nn.Module], on: Feeds, after: Feeds) -> Feeds:
    """What a value feeds that is used by ``user``, whose own values feed ``on``."""
    if user is None:  # of a step that PyTorch has no node for
        return on
    if user.op == "output":
        return after
    if user.op == "call_module":
        return _before(modules[user.target], on)
    name = _name(user)
    if name in _PASS:
        return on
    if name in (*_PRODUCTS, "truediv", "div", "div_") and not _of_two_nodes(user):
        return on  # by a number
    if name == "glu":
        return Feeds("glu")
    if name in _MIXES and not _squares(user):
        return Feeds(None, how=f"goes into {name}")
    f = _function_of(user, modules)
    if f is None:
        return Feeds(known=False, how=f"it goes through {name}")
    return on if passes_on(f) else Feeds(f)


def _name(node: Any) -> str:
    return node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))


def _function_of(node: Any, modules: dict[str, nn.Module]) -> Function | None:
    """The activation that a node is, if it is one."""
    if node is None:
        return None
    if node.op == "call_module":
        return functions.of_module(modules[node.target])
    if _squares(node):
        return functions.of_function("square", torch.square)
    call = getattr(torch.Tensor, _name(node), None) if node.op == "call_method" else node.target
    if node.op not in ("call_function", "call_method") or not callable(call):
        return None
    return functions.of_function(_name(node), call, *node.args[1:], **_plain(node.kwargs))


def _plain(named: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in named.items() if name not in ("input", "inplace")}


def _squares(node: Any) -> bool:
    """Whether a node multiplies a value by itself."""
    return _name(node) in _PRODUCTS and len(node.args) == 2 and node.args[0] is node.args[1]


def _of_two_nodes(user: Any) -> bool:
    return sum(isinstance(argument, torch.fx.Node) for argument in user.args) > 1
