"""What the tensors of PyTorch's own layers are for, and of which linear maps they consist.

To add a layer of PyTorch: a function from the module to its tensors' parts, and a line in ``_LAYERS``. Layers
of one's own: `register`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from initcore.apply import kinds
from initcore.apply.kinds import Kinds
from initcore.apply.parameter import Feeds
from initcore.laws import Constant, RandomNormal
from initcore.layouts import Conv, ConvTransposed, Einsum, Embedding, LayoutLike, Packed


@dataclass(frozen=True)
class Part(kinds.Part):
    """What one tensor of a module is for."""

    layout: LayoutLike = "oi"


_OTHER = Part("other")
_ATTENTION = Feeds(None, how="attention")
_GATES = Feeds(None, how="goes into gates")


def of(module: nn.Module, name: str) -> kinds.Part:
    """Return what the tensor ``name`` of ``module`` is for.

    >>> of(nn.Conv2d(8, 8, 3, groups=4), "weight").layout
    Conv(order='oi', groups=4, stride=(1, 1))
    >>> of(nn.LSTM(3, 4), "weight_hh_l0").role, of(nn.LayerNorm(4), "weight").role
    ('recurrent', 'scale')
    """
    return KINDS.of(module, name)


def register(kind: type[nn.Module], **tensors: Any) -> None:
    """Say what the tensors of a layer of one's own are for, so that `initialize` knows what to do.

    Args:
        kind: The layer's class; its subclasses are meant too.
        **tensors: For each tensor by name its role, out of `initcore.apply.ROLES`; or a pair of role and
            layout, where that is not PyTorch's ``"oi"``.

    Raises:
        TypeError, ValueError: It is no class of modules, or there is no such role or layout.

    >>> import torch
    >>> class Conv1D(nn.Module):  # as in GPT-2: x @ weight + bias
    ...     def __init__(self, inputs, outputs):
    ...         super().__init__()
    ...         self.weight = nn.Parameter(torch.empty(inputs, outputs))
    ...         self.bias = nn.Parameter(torch.empty(outputs))
    >>> register(Conv1D, weight=("kernel", "io"), bias="bias")
    >>> of(Conv1D(2, 3), "weight").layout
    'io'
    """
    KINDS.register(kind, tensors)


def _dense(module: Any, name: str) -> Part:
    return Part("kernel") if name == "weight" else _bias(name)


def _bilinear(module: Any, name: str) -> Part:
    return Part("kernel", Einsum(in_axes=(1, 2), out_axes=(0,))) if name == "weight" else _bias(name)


def _convolution(module: Any, name: str) -> Part:
    kind = ConvTransposed if module.transposed else Conv
    return Part("kernel", kind("oi", module.groups, module.stride)) if name == "weight" else _bias(name)


def _embedding(module: Any, name: str) -> Part:
    row = module.padding_idx
    return Part("embedding", Embedding(), zero_row=row) if name == "weight" else _OTHER


def _normalization(module: Any, name: str) -> Part:
    return Part({"weight": "scale", "bias": "shift"}.get(name, "other"))


def _prelu(module: Any, name: str) -> Part:
    return Part("slope", start=Constant(module.init))


def _attention(module: Any, name: str) -> Part:
    if name == "in_proj_weight":
        return Part("kernel", Packed("oi", 3), _ATTENTION)
    if name in ("q_proj_weight", "k_proj_weight", "v_proj_weight"):
        return Part("kernel", "oi", _ATTENTION)
    if name in ("bias_k", "bias_v"):  # a token more, which has the size of the others
        return Part("other", start=RandomNormal(0.0, module.embed_dim**-0.5))
    return Part("bias")


def _recurrent(module: Any, name: str) -> Part:
    """One layer after another, or a cell: weight_ih_l0, weight_hh_l0_reverse, weight_hh, bias_ih ..."""
    mode = getattr(module, "mode", type(module).__name__)
    gates = {"LSTM": 4, "GRU": 3}.get(mode.removesuffix("Cell"), 1)
    packed = Packed("oi", gates)
    if name.startswith("weight_ih"):
        plain = getattr(module, "nonlinearity", "")
        return Part("kernel", packed, Feeds(None, how=f"with the state into {plain}") if plain else _GATES)
    if name.startswith("weight_hh"):
        return Part("recurrent", packed)
    if name.startswith("weight_hr"):
        return Part("kernel", "oi", Feeds(None, how="the state"))
    return Part("gate bias" if gates == 4 and name.startswith("bias_ih") else "bias")


def _bias(name: str) -> Part:
    return Part("bias" if name == "bias" else "other")


_LAYERS: tuple[tuple[Any, Callable[[Any, str], Part]], ...] = (
    (nn.Linear, _dense),
    (nn.Bilinear, _bilinear),
    (nn.modules.conv._ConvNd, _convolution),
    ((nn.Embedding, nn.EmbeddingBag), _embedding),
    (
        (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm),
        _normalization,
    ),
    (nn.PReLU, _prelu),
    (nn.MultiheadAttention, _attention),
    ((nn.RNNBase, nn.RNNCellBase), _recurrent),
)


def _known(module: Any, name: str) -> Part:
    parts = next((parts for kind, parts in _LAYERS if isinstance(module, kind)), None)
    return parts(module, name) if parts else _OTHER


KINDS = Kinds(nn.Module, _OTHER, _known)
