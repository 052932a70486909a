"""Where the residual branches of a PyTorch model are, and which tensor of them stands where.

In a trace of the model a residual connection is an addition of two values, of which one came through more
kernels than the other since they parted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from torch import nn

from initcore.apply.depth import Place
from initcore.torch import roles
from initcore.torch.tracing import composite, graph_of

_ADD = frozenset(("add", "iadd", "add_"))
_ATTENDS = frozenset(("softmax", "scaled_dot_product_attention", "multi_head_attention_forward"))
_SPELLED = (
    ("query", re.compile(r"(^|_)(q|query|queries)(_|$)|q_?proj")),
    ("key", re.compile(r"(^|_)(k|key|keys)(_|$)|k_?proj")),
    ("value", re.compile(r"(^|_)(v|value|values)(_|$)|v_?proj")),
)
_PACKED = re.compile(r"qkv|c_attn|in_proj|wqkv", re.IGNORECASE)


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
    return found


def _traced(model: nn.Module, prefix: str, found: dict[str, Place]) -> None:
    if not composite(model) or type(model).__module__ == "torch.nn.modules.transformer":
        return
    graph = None if isinstance(model, nn.ModuleList | nn.ModuleDict) else graph_of(model)
    if graph is None:
        for name, child in model.named_children():
            _traced(child, f"{prefix}{name}.", found)
        return
    modules = dict(model.named_modules())
    nodes = list(graph.nodes)
    kernels = sum(1 << i for i, node in enumerate(nodes) if _is_kernel(node, modules))
    before: dict[Any, int] = {}  # the nodes that a value comes from, itself included, as bits
    for i, node in enumerate(nodes):
        before[node] = 1 << i
        for source in node.all_input_nodes:
            before[node] |= before[source]
        sources = node.all_input_nodes
        if _name(node) in _ADD and len(sources) == 2:
            parted = [before[a] & ~before[b] for a, b in (sources, sources[::-1])]
            counts = [(side & kernels).bit_count() for side in parted]
            if counts[0] != counts[1]:
                side = counts.index(max(counts))
                branch = {other for j, other in enumerate(nodes[:i]) if parted[side] >> j & 1}
                _note(sources[side], branch, prefix, modules, found)


def _note(
    end: Any, branch: set[Any], prefix: str, modules: dict[str, nn.Module], found: dict[str, Place]
) -> None:
    """Say of every tensor of a branch, which ends with the node ``end``, where it stands."""
    kernels = [node for node in branch if _is_kernel(node, modules)]
    attends = any(_name(node) in _ATTENDS or _attends(node, modules) for node in branch)
    last, at_end = _back_to_kernels(end, branch, modules)
    title = _common(sorted(node.target for node in kernels), prefix)
    for node in branch:
        if node.op == "get_attr" and node in at_end:
            found.setdefault(prefix + node.target, Place(title, ("multiplier",)))
        if node.op != "call_module":
            continue
        module = modules[node.target]
        if isinstance(module, nn.MultiheadAttention):
            _of_attention(f"{prefix}{node.target}.", title, found)
            continue
        for name, _ in module.named_parameters(recurse=False):
            part = roles.of(module, name).role
            if part == "kernel":
                place = _kernel_roles(node.target, attends, node in last)
            elif part == "bias":
                place = ("branch_bias",)
            elif part == "scale" and node in at_end:
                place = ("last_scale",)
            else:
                continue
            found.setdefault(f"{prefix}{node.target}.{name}", Place(title, place))


def _back_to_kernels(end: Any, branch: set[Any], modules: dict[str, nn.Module]) -> tuple[set[Any], set[Any]]:
    """The kernels that a branch ends with, and what stands behind them."""
    last: set[Any] = set()
    behind: set[Any] = set()
    todo = [end]
    while todo:
        node = todo.pop()
        if node not in branch or node in last or node in behind:
            continue
        if _is_kernel(node, modules):
            last.add(node)
        else:
            behind.add(node)
            todo += node.all_input_nodes
    return last, behind


def _kernel_roles(target: str, attends: bool, last: bool) -> tuple[str, ...]:
    name = target.rpartition(".")[2]
    if not attends:
        return ("mlp_last",) if last else ("mlp_inner",)
    if last:
        return ("attention_output",)
    if _PACKED.search(name):
        return ("query", "key", "value")
    return (next((role for role, spelled in _SPELLED if spelled.search(name)), "inner"),)


def _of_transformer(layer: Any, prefix: str, found: dict[str, Place]) -> None:
    for name in ("self_attn", "multihead_attn"):
        if hasattr(layer, name):
            _of_attention(f"{prefix}{name}.", f"{prefix}{name}", found)
    for name, role in (("linear1", "mlp_inner"), ("linear2", "mlp_last")):
        found[f"{prefix}{name}.weight"] = Place(f"{prefix}linear1", (role,))
        found[f"{prefix}{name}.bias"] = Place(f"{prefix}linear1", ("branch_bias",))


def _of_attention(prefix: str, title: str, found: dict[str, Place]) -> None:
    """PyTorch's own attention: one packed projection or three, and the one behind."""
    found[f"{prefix}in_proj_weight"] = Place(title, ("query", "key", "value"))
    for letter, role in (("q", "query"), ("k", "key"), ("v", "value")):
        found[f"{prefix}{letter}_proj_weight"] = Place(title, (role,))
    found[f"{prefix}out_proj.weight"] = Place(title, ("attention_output",))


def _is_kernel(node: Any, modules: dict[str, nn.Module]) -> bool:
    if node.op != "call_module":
        return False
    module = modules[node.target]
    return isinstance(module, nn.MultiheadAttention) or any(
        roles.of(module, name).role == "kernel" for name in _tensors(module)
    )


def _tensors(module: nn.Module) -> Iterator[str]:
    for name, _ in module.named_parameters(recurse=False):
        yield name.removesuffix("_orig").removesuffix("_v")
    for name in getattr(module, "parametrizations", ()):
        yield name


def _attends(node: Any, modules: dict[str, nn.Module]) -> bool:
    return node.op == "call_module" and isinstance(modules[node.target], nn.MultiheadAttention | nn.Softmax)


def _name(node: Any) -> str:
    if node.op not in ("call_function", "call_method"):
        return ""
    return node.target if isinstance(node.target, str) else str(getattr(node.target, "__name__", ""))


def _common(targets: list[str], prefix: str) -> str:
    """What the names of a branch's kernels have in common: the module that they stand in, if there is one."""
    parts = [target.split(".")[:-1] for target in targets]
    shared = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return prefix + ".".join(shared) if shared else f"{prefix}{targets[0]}"
