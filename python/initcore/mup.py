"""muP: scales that make a wider network behave as a narrow one, so that what was tuned on that one holds.

Maximal update parametrization, Yang et al. 2022, arXiv:2203.03466. In the standard parametrization the
updates of a wide network's layers grow or vanish with its width; with these factors all stay of one size, and
the best learning rate stays where it was.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from initcore import layouts
from initcore._validate import check_count, choose
from initcore.layouts import Layout, LayoutLike

Role: TypeAlias = Literal["input", "hidden", "output", "vector", "fixed"]
Tensors: TypeAlias = "Mapping[str, Any] | Iterable[Any]"

# Whether an optimizer's steps are in proportion to the gradient ("sgd"), or do not depend on its size
# ("adam").
OPTIMIZERS: Mapping[str, Literal["sgd", "adam"]] = {
    **dict.fromkeys(("sgd", "momentum", "nesterov"), "sgd"),
    **dict.fromkeys(("adam", "adamw", "amsgrad", "adamax", "nadam"), "adam"),
    **dict.fromkeys(("rmsprop", "adagrad", "adadelta", "lion"), "adam"),
}


@dataclass(frozen=True)
class Scaling:
    """What a tensor's start and learning rate are multiplied by.

    Attributes:
        role: Which of its fans grow with the width: of an ``"input"`` the fan-out, of a ``"hidden"`` one
            both, of an ``"output"`` the fan-in; a ``"vector"`` is a bias or scale that grows, or a kernel of
            more maps of the same size, as a depthwise one; ``"fixed"`` none.
        init: Factor on an initializer whose variance goes by 1 / fan_in, at the model's own fan-in.
        stddev: The same, as the ratio of the standard deviations of model and base model.
        learning_rate: Factor on the base model's learning rate. Decoupled weight decay, which an optimizer
            multiplies by the learning rate, is to be divided by it.
        multiplier: What the forward pass multiplies the layer's output by, beside its kernel.
    """

    role: Role
    init: float = 1.0
    stddev: float = 1.0
    learning_rate: float = 1.0
    multiplier: float = 1.0


def scaling(
    shape: Any,
    base_shape: Any,
    optimizer: str = "adam",
    layout: LayoutLike | None = None,
    output_multiplier: bool = False,
    base_layout: LayoutLike | None = None,
) -> Scaling:
    """Return the factors of one tensor, from its shape and that in a base model of another width.

    Yang et al. 2022, arXiv:2203.03466, table 3. With r_in and r_out, by what fan-in and fan-out have grown:

    ====================  ==============  ==================  ==================
    role                  input, vector   hidden              output
    ====================  ==============  ==================  ==================
    variance at start     1 / fan_in      1 / fan_in          1 / fan_in**2
    learning rate, SGD    r_out           r_out / r_in        1 / r_in
    learning rate, Adam   1               1 / r_in            1 / r_in
    ====================  ==============  ==================  ==================

    Args:
        shape: Of the model's tensor; or the tensor itself.
        base_shape: Of the same tensor in the base model, which was tuned.
        optimizer: A name out of `OPTIMIZERS`, as in `initcore.optimizers`.
        layout: Which axes are inputs and outputs, as in `initcore.fans`; by default what the tensor tells,
            else ``"io"``.
        output_multiplier: Whether the output's variance goes by 1 / base fan-in instead, and the forward pass
            divides by r_in: table 8, for a kernel that is tied to an embedding. The learning rate is then
            multiplied by r_in with SGD, by 1 with Adam.
        base_layout: In the base model, where it is another: groups may grow with the width.

    Raises:
        ValueError: the shapes have not as many axes, or the optimizer is not known; or it is PyTorch's tensor
            or its shape, which do not tell the layout, and none is given.

    >>> scaling((1024, 1024), (128, 128))
    Scaling(role='hidden', init=1.0, stddev=0.353..., learning_rate=0.125, multiplier=1.0)
    >>> scaling((1024, 10), (128, 10), "sgd")
    Scaling(role='output', init=0.353..., stddev=0.125, learning_rate=0.125, multiplier=1.0)
    >>> scaling((784, 1024), (784, 128), "sgd").learning_rate
    8.0
    """
    family = choose("optimizer", optimizer, OPTIMIZERS)
    sizes, base = _shape(shape), _shape(base_shape)
    if len(sizes) != len(base):
        raise ValueError(f"a tensor has as many axes in model and base model, got shapes {sizes} and {base}")
    if sizes == base:
        return Scaling("fixed")
    if len(sizes) == 1:
        grown = check_count("size", sizes[0]) / check_count("size in the base model", base[0])
        return Scaling("vector", learning_rate=grown if family == "sgd" else 1.0)
    if layout is None:
        layout, base_layout = _told(shape) or "io", base_layout or _told(base_shape)
    fans, base_fans = layouts.of(layout).fans(sizes), layouts.of(base_layout or layout).fans(base)
    if not all((*fans, *base_fans)):
        raise ValueError(f"a tensor of shape {sizes} has no fans to compare with those of {base}")
    r_in = fans.fan_in / base_fans.fan_in
    r_out = math.prod(sizes) / math.prod(base) / r_in  # the outputs of all maps together
    if r_in == 1:
        role: Role = "vector" if fans == base_fans else "input"
        return Scaling(role, learning_rate=r_out if family == "sgd" else 1.0)
    if not math.isclose(r_out, 1):
        rate = r_out / r_in if family == "sgd" else 1 / r_in
        return Scaling("hidden", stddev=r_in**-0.5, learning_rate=rate)
    if not output_multiplier:
        return Scaling("output", init=r_in**-0.5, stddev=1 / r_in, learning_rate=1 / r_in)
    rate = r_in if family == "sgd" else 1.0
    return Scaling("output", init=r_in**0.5, learning_rate=rate, multiplier=1 / r_in)


def scalings(
    model: Tensors,
    base: Tensors,
    optimizer: str = "adam",
    layout: LayoutLike | Mapping[str, LayoutLike] | None = None,
    output_multiplier: bool = False,
) -> dict[str, Scaling]:
    """Return the factors of every tensor of a model, from those of a base model of another width.

    The two must differ in width alone: in how many classes, inputs or layers there are, not.

    Args:
        model: Name -> shape, or tensor: ``model.parameters``; or what `initcore.apply.parameters` tells of a
            model of any framework.
        base: The same of the base model.
        optimizer: As in `scaling`.
        layout: As in `scaling`; or name -> layout, for those that are not as by default. By default what
            `initcore.apply.parameters` tells, else ``"io"``; for PyTorch's own tensors it must be given.
        output_multiplier: As in `scaling`.

    Raises:
        ValueError: the models have not the same names, or as `scaling`.

    >>> import initcore as ic
    >>> def network(width):
    ...     return ic.Sequential([ic.Dense(width, "relu"), ic.Dense(1)], input_shape=(4,))
    >>> model = network(256)
    >>> factors = scalings(model.parameters, network(64).parameters)
    >>> for name, w in model.parameters.items():
    ...     w *= factors[name].init
    >>> {name: f.learning_rate for name, f in factors.items()}  # doctest: +NORMALIZE_WHITESPACE
    {'dense/kernel': 1.0, 'dense/bias': 1.0, 'dense_1/kernel': 0.25, 'dense_1/bias': 1.0}
    """
    tensors, others = _by_name(model), _by_name(base)
    if set(tensors) != set(others):
        wrong = sorted(set(tensors) ^ set(others))
        raise ValueError(f"model and base model must have the same tensors, but only one has {wrong[0]!r}")
    found = {}
    for name, tensor in tensors.items():
        own = layout.get(name) if isinstance(layout, Mapping) else layout
        try:
            found[name] = scaling(tensor, others[name], optimizer, own, output_multiplier)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return found


def groups(
    tensors: Mapping[str, Any],
    factors: Mapping[str, Scaling],
    learning_rate: float,
    weight_decay: float | None = None,
) -> list[dict[str, Any]]:
    """Return tensors by learning rate, as the optimizers of PyTorch take them.

    Args:
        tensors: Name -> tensor: ``dict(model.named_parameters())``.
        factors: What `scalings` gives.
        learning_rate: Of the base model.
        weight_decay: Decoupled, as in AdamW, of the base model; it is divided so that its product with the
            learning rate stays. None for none.

    Raises:
        ValueError: a tensor has no factor.

    >>> factors = scalings({"w": (64, 64), "b": (64,)}, {"w": (16, 16), "b": (16,)})
    >>> groups({"w": "the kernel", "b": "the bias"}, factors, 0.01)
    [{'params': ['the kernel'], 'lr': 0.0025}, {'params': ['the bias'], 'lr': 0.01}]
    """
    by_rate: dict[float, list[Any]] = {}
    for name, tensor in tensors.items():
        by_rate.setdefault(choose("tensor", name, factors).learning_rate, []).append(tensor)
    found: list[dict[str, Any]] = []
    for factor, members in by_rate.items():
        found.append({"params": members, "lr": learning_rate * factor})
        if weight_decay is not None:
            found[-1]["weight_decay"] = weight_decay / factor
    return found


def attention_scale(head_size: int, base_head_size: int) -> float:
    """Return what products of queries and keys are multiplied by: sqrt(base_head_size) / head_size.

    Yang et al. 2022, arXiv:2203.03466, definition 4.1: 1 / d in place of 1 / sqrt(d), equal to that in the
    base model.

    Raises:
        TypeError, ValueError: a size is not a whole number from 1.

    >>> attention_scale(64, 64), attention_scale(256, 64)
    (0.125, 0.03125)
    """
    return math.sqrt(check_count("base_head_size", base_head_size)) / check_count("head_size", head_size)


def _by_name(tensors: Any) -> dict[str, Any]:
    return dict(tensors) if isinstance(tensors, Mapping) else {tensor.name: tensor for tensor in tensors}


def _told(tensor: Any) -> LayoutLike | None:
    """The layout that a tensor tells; those of PyTorch have something else of that name."""
    if any(kind.__module__ == "torch" for kind in type(tensor).__mro__):
        raise ValueError(
            "PyTorch's tensors do not tell which axes are inputs: give initcore.apply.parameters(model), or "
            "layout=, which is 'oi' for dense layers and convolutions without groups"
        )
    layout: LayoutLike | None = getattr(tensor, "layout", None)
    return layout if isinstance(layout, Layout | str) else None


def _shape(tensor: Any) -> tuple[int, ...]:
    """The shape of a tensor, or one that is given."""
    shape = getattr(tensor, "shape", tensor)
    return tuple(
        int(size) for size in np.atleast_1d(np.asarray(tuple(shape) if np.iterable(shape) else shape))
    )
