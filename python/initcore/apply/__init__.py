"""`initialize`: set all tensors of a model in one call, and say what was done and why.

A model comes as a list of `Parameter` (parameter.py) from the adapter that ``_ADAPTERS`` names. What a tensor
is for decides how it starts (roles.py), rules decide otherwise (rules.py), and a table says so (table.py).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from initcore.apply.bias import with_biases
from initcore.apply.decision import Decision, carry_out, check
from initcore.apply.depth import with_depth
from initcore.apply.parameter import Feeds, Parameter
from initcore.apply.roles import ROLES
from initcore.apply.rules import Rules, Scheme, decide
from initcore.apply.table import Row, Table
from initcore.apply.width import of_base, with_width
from initcore.random import Key, KeyLike
from initcore.residual import ResidualScheme

__all__ = ["ROLES", "Feeds", "Parameter", "Row", "Table", "initialize", "parameters"]

# The framework that one of the classes of a model comes from, and where its adapter is: functions
# ``parameters(model, activation)``; ``branches(model)``, for residual schemes; and ``calibrated(model, data,
# goal, start, training)``, for scales from data. The first that fits: a Keras model on PyTorch is a torch
# module too.
_ADAPTERS = {
    "initcore": "initcore.apply.sequential",
    "keras": "initcore.keras.model",
    "torch": "initcore.torch.module",
}

LSUV = "lsuv"


def initialize(
    model: Any,
    scheme: Scheme | Rules = "auto",
    seed: KeyLike = 0,
    *,
    activation: Any = None,
    data: Any = None,
    residual: str | ResidualScheme | None = None,
    mup: Any = None,
    optimizer: str = "adam",
) -> Table:
    """Set all tensors of a model, and return a table of what was done and why.

    All is decided before anything is changed. Each tensor's random numbers depend on the seed and its name
    alone: on no other layer, no order, no thread, and neither on the machine.

    Args:
        model: An initcore ``Sequential``, a ``torch.nn.Module``, or a Keras model that is built.
        scheme: ``"auto"``: for each tensor what its role asks for; for a kernel, the scheme that keeps the
            signal through the activation that it feeds. Or a name of `initcore.initializers`, a number or an
            initializer, which all kernels get, and the rest as by ``"auto"``; with the defaults of PyTorch
            and scikit-learn by name, biases get those of there too. Or rules: a mapping, or pairs,
            from where to such a scheme or to ``"keep"``; the first that fits counts, ``"auto"`` for what none
            fits. Where: a regular expression, searched for in the tensor's name; or a type of layer, for its
            weights but not its bias. What: also a pair of it and a layout, such as
            ``("auto", Packed("oi", 3))`` for query, key and value in one kernel. Or ``"lsuv"``: orthogonal
            kernels, then each scaled so that what it gives has variance 1 on ``data`` (Mishkin & Matas 2016,
            arXiv:1511.06422).
        seed: A whole number or a `Key`.
        activation: What those layers feed of which that cannot be found out: a name, an activation, any
            function of an array.
        data: A batch of inputs, for ``"lsuv"``: a tuple is several arguments, and for PyTorch a dict too.
        residual: A name or scheme of `initcore.residual`, such as ``"fixup"``: tensors of residual branches
            start smaller, by how many there are; kernels have the scheme's own law where ``scheme`` is
            ``"auto"``. What rules say stays; ``"auto"`` with a layout says the layout only. The table's notes
            tell what the model itself must have.
        mup: The base model of muP, narrower, whose learning rate was tuned; or its shapes by name. Every
            tensor starts as in it, and as `initcore.mup` says of its width; the table's ``learning_rates``
            say how the learning rates differ.
        optimizer: For ``mup``, the kind of optimizer: ``"sgd"``, ``"adam"`` ...

    Returns:
        A `Table`: print it, go through its rows, or take ``to_dict()``.

    Raises:
        TypeError, ValueError: A scheme is none, a rule is for no tensor, or a scheme and a tensor do not go
            together. The model is as it was then.

    >>> import initcore as ic
    >>> layers = [ic.Dense(8, activation="relu"), ic.Dense(8, activation="tanh"), ic.Dense(2)]
    >>> model = ic.Sequential(layers, input_shape=(4,))
    >>> ic.initialize(model, {"dense_1/": "keep", ic.Dense: "orthogonal", "bias": 0.1}, seed=1)
    tensor          shape  role    scheme                  std  why
    dense/kernel    4x8    kernel  orthogonal           0.3536  rule Dense
    dense/bias      8      bias    Constant(value=0.1)       0  rule 'bias'
    dense_1/kernel  8x8    kernel  -                            rule 'dense_1/': kept
    dense_1/bias    8      bias    -                            rule 'dense_1/': kept
    dense_2/kernel  8x2    kernel  orthogonal           0.3536  rule Dense
    dense_2/bias    2      bias    Constant(value=0.1)       0  rule 'bias'
    4 tensors set, 2 left as they were
    """
    if (scheme == LSUV) != (data is not None):
        raise ValueError(f"scheme {LSUV!r} needs data=, a batch of inputs, and no other scheme takes it")
    if scheme == LSUV and not (residual is None and mup is None):
        raise ValueError(f"{LSUV!r} makes all layers give variance 1: it would undo residual= and mup=")
    if scheme == LSUV:
        from initcore.apply import from_data

        return from_data.table(model, data, seed)
    key = Key.of(seed)
    tensors = parameters(model, activation)
    choices = decide(scheme, tensors)
    tensors = [
        tensor if choice.layout is None else replace(tensor, layout=choice.layout)
        for tensor, choice in zip(tensors, choices, strict=True)
    ]
    base = {tensor.name: tensor for tensor in tensors}
    if mup is not None:
        base = of_base(tensors, choices, mup if isinstance(mup, Mapping) else parameters(mup, activation))
    choices = with_biases(tensors, choices, base)
    notes: tuple[str, ...] = ()
    if residual is not None:
        choices, notes = with_depth(residual, tensors, choices, adapter_of(model).branches(model))
    rates = [1.0] * len(tensors)
    if mup is not None:
        choices, rates, more = with_width(tensors, choices, base, optimizer)
        notes += more
    decisions = [Decision(*parts) for parts in zip(tensors, choices, rates, strict=True)]
    for decision in decisions:
        check(decision, key)
    return Table(carry_out(decisions, key), notes)


def parameters(model: Any, activation: Any = None) -> list[Parameter]:
    """Return what is known about each tensor of a model, as `initialize` sees it.

    >>> import initcore as ic
    >>> model = ic.Sequential([ic.Dense(8, activation="relu")], input_shape=(4,))
    >>> [(tensor.name, tensor.role, str(tensor.feeds)) for tensor in parameters(model)]
    [('dense/kernel', 'kernel', 'relu'), ('dense/bias', 'bias', 'no activation')]
    """
    found: list[Parameter] = adapter_of(model).parameters(model, activation)
    return found


def adapter_of(model: Any) -> Any:
    """Return the module that knows models of this kind."""
    packages = {base.__module__.split(".")[0] for base in type(model).__mro__}
    for package, adapter in _ADAPTERS.items():
        if package in packages:
            return importlib.import_module(adapter)
    raise TypeError(
        "model must be an initcore Sequential, a torch.nn.Module or a Keras model, "
        f"got {type(model).__module__}.{type(model).__qualname__}"
    )
