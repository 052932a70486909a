"""Where the residual branches of a PyTorch model are, and which tensor of them stands where.

Which sums of a traced forward are residual connections, sums.py tells; here it is said what that means for
the tensors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from torch import nn

from initcore.apply.depth import Place
from initcore.residual import Part
from initcore.torch import roles
from initcore.torch.sums import Branch
from initcore.torch.sums import branches as of_sums
from initcore.torch.tracing import called, composite, graph_of

_MULTIPLIES = frozenset(("mul", "imul", "mul_", "multiply"))
_RESHAPES = frozenset(
    ("view", "reshape", "unsqueeze", "expand", "expand_as", "getitem", "to", "type_as", "float")
)
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
    return _in_parts(found)


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
    sums = set()
    for branch in of_sums(nodes, lambda node, role: _has(node, role, modules)):
        _note(branch, prefix, modules, found)
        sums.add(branch.sum)
    if not prefix:
        _note_output(nodes[-1], sums, modules, found)


def _note(branch: Branch, prefix: str, modules: dict[str, nn.Module], found: dict[str, Place]) -> None:
    """Say of every tensor of a branch where it stands."""
    kernels = [node for node in branch.nodes if _has(node, "kernel", modules)]
    attends = any(called(node) in _ATTENDS or _attends(node, modules) for node in branch.nodes)
    last, at_end = _back_to_kernels(branch.end, modules, lambda node: node not in branch.nodes)
    title = _title(
        sorted(node.target for node in kernels), prefix, {place.branch for place in found.values()}
    )

    def note(name: str, *places: str) -> None:
        found.setdefault(prefix + name, Place(title, places))

    for node in branch.nodes:
        if node.op == "get_attr" and node in at_end and _is_factor(node):
            note(node.target, "multiplier")
        if node.op != "call_module":
            continue
        module = modules[node.target]
        if isinstance(module, nn.MultiheadAttention):
            _of_attention(module, f"{prefix}{node.target}.", title, found)
            continue
        for name, role in _roles(module):
            full = f"{node.target}.{name}"
            if role == "kernel":
                note(full, *_kernel_roles(node.target, attends, node in last))
            elif role == "bias":
                note(full, "branch_bias")
            elif role == "scale" and node in at_end:
                note(full, "last_scale")
            elif role == "other" and node in at_end and name in _factors(module):
                note(full, "multiplier")


def _note_output(end: Any, sums: set[Any], modules: dict[str, nn.Module], found: dict[str, Place]) -> None:
    """Say which kernels the network ends with: those that no residual connection leads around."""

    def is_other(node: Any) -> bool:
        return node in sums or (node.op == "call_module" and composite(modules[node.target]))

    for node in _back_to_kernels(end, modules, is_other)[0]:
        tensors = list(_roles(module := modules[node.target]))
        if not (isinstance(module, nn.MultiheadAttention) or any(role == "recurrent" for _, role in tensors)):
            for name, role in tensors:
                if role == "kernel":
                    found.setdefault(f"{node.target}.{name}", Place("", ("output",)))


def _back_to_kernels(
    end: Any, modules: dict[str, nn.Module], is_other: Callable[[Any], bool]
) -> tuple[set[Any], set[Any]]:
    """The kernels that ``end`` comes from, and what stands behind them; not beyond nodes that are other."""
    last: set[Any] = set()
    behind: set[Any] = set()
    todo = [end]
    while todo:
        node = todo.pop()
        if node in last or node in behind:
            continue
        if _has(node, "kernel", modules):
            last.add(node)
        elif not is_other(node):
            behind.add(node)
            todo += node.all_input_nodes
    return last, behind


def _is_factor(node: Any) -> bool:
    """Whether a value is what others are multiplied by, reshaped perhaps."""
    return any(
        called(user) in _MULTIPLIES or (called(user) in _RESHAPES and _is_factor(user)) for user in node.users
    )


def _factors(module: nn.Module) -> set[str]:
    """The tensors that a module multiplies what goes through it by."""
    graph = graph_of(module)
    return (
        {node.target for node in graph.nodes if node.op == "get_attr" and _is_factor(node)}
        if graph
        else set()
    )


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
    part: Part = "decoder" if isinstance(layer, nn.TransformerDecoderLayer) else "encoder"
    for name in ("self_attn", "multihead_attn"):
        if hasattr(layer, name):
            _of_attention(getattr(layer, name), f"{prefix}{name}.", f"{prefix}{name}", found, part)
    for name, role in (("linear1", "mlp_inner"), ("linear2", "mlp_last")):
        found[f"{prefix}{name}.weight"] = Place(f"{prefix}linear1", (role,), part)
        found[f"{prefix}{name}.bias"] = Place(f"{prefix}linear1", ("branch_bias",), part)


def _of_attention(
    module: nn.Module, prefix: str, title: str, found: dict[str, Place], part: Part = "encoder"
) -> None:
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
            found.setdefault(prefix + name, Place(title, places[name], part))


def _in_parts(found: dict[str, Place]) -> dict[str, Place]:
    """Tell the decoder's tensors where the names in a model speak of an encoder and a decoder."""
    of_part = {
        part: {name for name in found if re.search(rf"(^|[._]){part}([._]|$)", name)}
        for part in ("encoder", "decoder")
    }
    if not all(of_part.values()):
        return found
    return {
        name: replace(place, part="decoder") if name in of_part["decoder"] else place
        for name, place in found.items()
    }


def _has(node: Any, role: str, modules: dict[str, nn.Module]) -> bool:
    if node.op != "call_module":
        return False
    return any(its == role for _, its in _roles(modules[node.target]))


def _roles(module: nn.Module) -> Iterator[tuple[str, str]]:
    """The tensors of a module, by the names that they have for it, and their roles."""
    names = [
        name.removesuffix("_orig").removesuffix("_v") for name, _ in module.named_parameters(recurse=False)
    ]
    for name in dict.fromkeys([*names, *getattr(module, "parametrizations", ())]):
        yield name, roles.of(module, name).role


def _attends(node: Any, modules: dict[str, nn.Module]) -> bool:
    return node.op == "call_module" and isinstance(modules[node.target], nn.MultiheadAttention | nn.Softmax)


def _title(targets: list[str], prefix: str, taken: set[str]) -> str:
    """The module that all kernels of a branch stand in, if no other branch is called so; or one of them."""
    parts = [target.split(".")[:-1] for target in targets]
    shared = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    title = prefix + ".".join(shared)
    return title if shared and title not in taken else f"{prefix}{targets[0]}"
