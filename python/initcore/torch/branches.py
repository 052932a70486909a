"""Where the residual branches of a PyTorch model are, and which tensor of them stands where.

By the graph of its forward, as `initcore.apply.branches` reads it; and PyTorch's own transformers.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from initcore.apply.branches import in_parts, note
from initcore.apply.depth import Found, Place
from initcore.residual import Part
from initcore.torch.forward import TRANSFORMERS, of_attention, steps
from initcore.torch.tracing import Untraceable, composite, trace


def branches(model: nn.Module) -> Found:
    """Return by name where the tensors of residual branches stand.

    >>> class Block(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.up, self.down = nn.Linear(4, 8), nn.Linear(8, 4)
    ...
    ...     def forward(self, x):
    ...         return x + self.down(self.up(x).relu())
    >>> {name: place.roles for name, place in branches(nn.Sequential(Block())).items()}["0.down.weight"]
    ('mlp_last',)
    """
    found: dict[str, Place] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
            _of_transformer(module, f"{name}." if name else "", found)
    unseen: list[str] = []
    _traced(model, "", found, unseen)
    return Found(in_parts(found), unseen)


def _traced(model: nn.Module, prefix: str, found: dict[str, Place], unseen: list[str]) -> None:
    if not composite(model) or type(model).__module__ == "torch.nn.modules.transformer":
        return
    why: list[str] = []
    if not isinstance(model, nn.ModuleList | nn.ModuleDict):
        try:
            graph = trace(model)
        except Untraceable as error:
            why = [str(error)]
        else:
            note(steps(graph, model, prefix), found, whole=not prefix)
            return
    inner: list[str] = []
    for name, child in model.named_children():
        _traced(child, f"{prefix}{name}.", found, inner)
    unseen += inner or why  # a part that cannot be traced is why the whole cannot


def _of_transformer(layer: Any, prefix: str, found: dict[str, Place]) -> None:
    part: Part = "decoder" if isinstance(layer, TRANSFORMERS["decoder"]) else "encoder"
    for name in ("self_attn", "multihead_attn"):
        if hasattr(layer, name):
            for tensor in of_attention(getattr(layer, name), f"{prefix}{name}."):
                found.setdefault(tensor.name, Place(f"{prefix}{name}", tensor.places, part, depth=2))
    for name, role in (("linear1", "mlp_inner"), ("linear2", "mlp_last")):
        found[f"{prefix}{name}.weight"] = Place(f"{prefix}linear1", (role,), part, depth=2)
        found[f"{prefix}{name}.bias"] = Place(f"{prefix}linear1", ("branch_bias",), part, depth=2)
