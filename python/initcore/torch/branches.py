"""Where the residual branches of a PyTorch model are, and which tensor of them stands where.

By the graph of its forward, as `initcore.apply.branches` reads it; and PyTorch's own transformers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from initcore.apply.branches import in_parts, note
from initcore.apply.depth import Place
from initcore.apply.graph import Node, Tensor
from initcore.apply.parameter import Parts
from initcore.residual import Part
from initcore.torch import roles, splits
from initcore.torch.tracing import LOOKS, called, composite, graph_of

# What functions and methods do, by name.
_DOES = {
    "add": ("add", "iadd", "add_"),
    "multiply": ("mul", "imul", "mul_", "multiply"),
    "reshape": ("view", "reshape", "unsqueeze", "expand", "expand_as", "getitem", "to", "type_as", "float"),
    "mix": (
        *("matmul", "bmm", "mm", "baddbmm", "addmm", "einsum", "linear", "bilinear", "embedding"),
        *("conv1d", "conv2d", "conv3d", "softmax"),
        *("scaled_dot_product_attention", "multi_head_attention_forward"),
    ),
    "attend": ("softmax", "scaled_dot_product_attention", "multi_head_attention_forward"),
}

_TRANSFORMERS = {
    "encoder": (nn.TransformerEncoder, nn.TransformerEncoderLayer),
    "decoder": (nn.TransformerDecoder, nn.TransformerDecoderLayer, nn.Transformer),
}


def branches(model: nn.Module) -> dict[str, Place]:
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
    _traced(model, "", found)
    return in_parts(found)


def _traced(model: nn.Module, prefix: str, found: dict[str, Place]) -> None:
    if not composite(model) or type(model).__module__ == "torch.nn.modules.transformer":
        return
    graph = None if isinstance(model, nn.ModuleList | nn.ModuleDict) else graph_of(model)
    if graph is not None:
        note(_nodes(graph, model, prefix), found, whole=not prefix)
        return
    for name, child in model.named_children():
        _traced(child, f"{prefix}{name}.", found)


def _nodes(graph: Any, model: nn.Module, prefix: str) -> list[Node]:
    """The graph as `initcore.apply` has it."""
    modules = dict(model.named_modules())
    parts = splits.of(graph, modules)
    made: dict[Any, Node] = {}
    for node in graph.nodes:
        function = called(node)
        inputs = () if function in LOOKS else tuple(made[source] for source in node.all_input_nodes)
        does = {what for what, names in _DOES.items() if function in names}
        name = f"{prefix}{node.target}" if node.op in ("call_module", "get_attr") else ""
        tensors: tuple[Tensor, ...] = ()
        if node.op == "placeholder":
            does = {"input"}
        elif node.op == "get_attr":
            tensors = (Tensor(name, "value"),)
        elif node.op == "call_module":
            module = modules[node.target]
            tensors = tuple(_tensors(module, f"{name}.", parts.get(node.target)))
            does |= {"attend"} if isinstance(module, nn.MultiheadAttention | nn.Softmax) else set()
            does |= {"opaque"} if composite(module) else set()
            if isinstance(module, nn.Transformer):
                made[node, "encoder"] = Node(inputs[:1], does=frozenset({"encoder"}))
                inputs = (made[node, "encoder"], *inputs[1:])
            does |= {part for part, kinds in _TRANSFORMERS.items() if isinstance(module, kinds)}
        made[node] = Node(inputs, name, frozenset(does), tensors, name.rpartition(".")[2])
    return list(made.values())


def _tensors(module: nn.Module, prefix: str, parts: Parts | None) -> Iterator[Tensor]:
    """The tensors of a module, by the names that they have for it, and their roles."""
    if isinstance(module, nn.MultiheadAttention):
        yield from _of_attention(module, prefix)
        return
    names = [
        name.removesuffix("_orig").removesuffix("_v") for name, _ in module.named_parameters(recurse=False)
    ]
    for name in dict.fromkeys([*names, *getattr(module, "parametrizations", ())]):
        role = roles.of(module, name).role
        role = "multiplier" if role == "other" and name in _factors(module) else role
        yield Tensor(prefix + name, role, parts=parts)


def _factors(module: nn.Module) -> set[str]:
    """The tensors that a module multiplies what goes through it by."""
    graph = graph_of(module)
    nodes = _nodes(graph, module, "") if graph is not None else []
    return {node.name for node in nodes if node.has("value") and node.multiplies()}


def _of_transformer(layer: Any, prefix: str, found: dict[str, Place]) -> None:
    part: Part = "decoder" if isinstance(layer, _TRANSFORMERS["decoder"]) else "encoder"
    for name in ("self_attn", "multihead_attn"):
        if hasattr(layer, name):
            for tensor in _of_attention(getattr(layer, name), f"{prefix}{name}."):
                found.setdefault(tensor.name, Place(f"{prefix}{name}", tensor.places, part, depth=2))
    for name, role in (("linear1", "mlp_inner"), ("linear2", "mlp_last")):
        found[f"{prefix}{name}.weight"] = Place(f"{prefix}linear1", (role,), part, depth=2)
        found[f"{prefix}{name}.bias"] = Place(f"{prefix}linear1", ("branch_bias",), part, depth=2)


def _of_attention(module: nn.Module, prefix: str) -> Iterator[Tensor]:
    """PyTorch's own attention: one packed projection or three, and the one behind."""
    places = {
        "in_proj_weight": ("query", "key", "value"),
        "q_proj_weight": ("query",),
        "k_proj_weight": ("key",),
        "v_proj_weight": ("value",),
        "out_proj.weight": ("attention_output",),
    }
    for name, _ in module.named_parameters():
        if name in places:
            yield Tensor(prefix + name, "kernel", places[name])
