"""A module's forward as `initcore.apply` reads it: what each of its steps does, and to which tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from initcore.apply.graph import Node, Tensor
from initcore.apply.parameter import Parts
from initcore.torch import roles, splits
from initcore.torch.tracing import LOOKS, called, composite, graph_of

# What functions and methods do, by name.
_DOES = {
    "add": ("add", "iadd", "add_"),
    "multiply": ("mul", "imul", "mul_", "multiply"),
    "part": (
        *("chunk", "split", "unbind", "getitem", "narrow"),
        *("contiguous", "float", "to", "half", "type"),
    ),
    "reshape": ("view", "reshape", "unsqueeze", "expand", "expand_as", "getitem", "to", "type_as", "float"),
    "mix": (
        *("matmul", "bmm", "mm", "baddbmm", "addmm", "einsum", "linear", "bilinear", "embedding"),
        *("conv1d", "conv2d", "conv3d", "softmax"),
        *("scaled_dot_product_attention", "multi_head_attention_forward"),
    ),
    "attend": ("softmax", "scaled_dot_product_attention", "multi_head_attention_forward"),
}

TRANSFORMERS = {
    "encoder": (nn.TransformerEncoder, nn.TransformerEncoderLayer),
    "decoder": (nn.TransformerDecoder, nn.TransformerDecoderLayer, nn.Transformer),
}


@dataclass(eq=False)
class Step(Node):
    """A node, and the one of `torch.fx` that it is."""

    traced: Any = None


def steps(graph: Any, model: nn.Module, prefix: str = "") -> list[Step]:
    """Return the graph of a module's forward, whose names begin with ``prefix``.

    >>> model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    >>> [(step.name, step.has("kernel")) for step in steps(graph_of(model), model)]
    [('', False), ('0', True), ('1', False), ('', False)]
    """
    modules = dict(model.named_modules())
    parts = splits.of(graph, modules)
    made: dict[Any, Step] = {}
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
                made[node, "encoder"] = Step(inputs[:1], does=frozenset({"encoder"}))
                inputs = (made[node, "encoder"], *inputs[1:])
            does |= {part for part, kinds in TRANSFORMERS.items() if isinstance(module, kinds)}
        called_so = name.rpartition(".")[2]
        made[node] = Step(inputs, name, frozenset(does), tensors, called_so, traced=node)
    return list(made.values())


def _tensors(module: nn.Module, prefix: str, parts: Parts | None) -> Iterator[Tensor]:
    """The tensors of a module, by the names that they have for it, and their roles."""
    if isinstance(module, nn.MultiheadAttention):
        yield from of_attention(module, prefix)
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
    nodes = steps(graph, module) if graph is not None else []
    return {node.name for node in nodes if node.has("value") and node.multiplies()}


def of_attention(module: nn.Module, prefix: str) -> Iterator[Tensor]:
    """Yield the kernels of PyTorch's own attention: one packed projection or three, and the one behind."""
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
