"""Biases that come with a scheme of kernels, where that is what another library does by default.

To add one: a line in ``_OF``, from the scheme's name to the law of the bias by the kernel's fans.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from initcore import layouts
from initcore.apply.parameter import Parameter
from initcore.apply.roles import Choice
from initcore.laws import Initializer, SklearnBias, TorchLinearBias, Zeros
from initcore.layouts import Fans

_OF: Mapping[str, Callable[[Fans], Initializer]] = {
    **dict.fromkeys(
        ("torch_linear_default", "torch_conv_default"), lambda fans: TorchLinearBias(fans.fan_in)
    ),
    "sklearn_default": lambda fans: SklearnBias(*fans),
    "sklearn_logistic_default": lambda fans: SklearnBias(*fans, "logistic"),
}


def with_biases(
    tensors: Sequence[Parameter], choices: Sequence[Choice], base: Mapping[str, Parameter]
) -> list[Choice]:
    """Return how the tensors start, with the bias of each layer as its kernel's scheme has it.

    That is for layers of one kernel, where neither a rule nor the layer says how the bias starts. ``base``
    has the kernels whose fans count, by name: with muP, the bias starts as in the base model.
    """
    kernels: dict[int, list[tuple[Parameter, Choice]]] = {}
    for tensor, choice in zip(tensors, choices, strict=True):
        if tensor.role in ("kernel", "recurrent"):
            for owner in tensor.owners:
                kernels.setdefault(id(owner), []).append((tensor, choice))

    def of(tensor: Parameter, choice: Choice) -> Choice:
        found = kernels.get(id(tensor.owners[0]), []) if tensor.owners else []
        usual = tensor.role == "bias" and choice.by == "auto" and choice.initializer == Zeros()
        if not usual or len(found) != 1 or found[0][1].scheme not in _OF:
            return choice
        kernel, chosen = base[found[0][0].name], found[0][1]
        law = _OF[chosen.scheme](layouts.of(kernel.whole).fans(kernel.shape))
        return replace(choice, initializer=law, why=f"comes with {chosen.scheme}")

    return [of(tensor, choice) for tensor, choice in zip(tensors, choices, strict=True)]
