"""Sequential: layers one after another, with everything one does to a model."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from initcore import _core
from initcore._validate import choose
from initcore.initializers import name_of
from initcore.layers.base import Layer, Shape
from initcore.layers.container import Stack
from initcore.layers.shape import Input
from initcore.random import Key
from initcore.training import Trainer

_DTYPES: dict[str, np.dtype[Any]] = {"float32": np.dtype(np.float32), "float64": np.dtype(np.float64)}


class Sequential(Trainer):
    """A network of layers one after another.

    Args:
        layers: The layers, first to last.
        input_shape: Shape of one example; not needed if the first layer is an ``Input``.
        seed: Where all randomness comes from: initial parameters, shuffling, dropout. An int or a ``Key``.
        dtype: ``"float32"`` or ``"float64"``.
        precision: Of matrix products. By default that of the dtype, strictly. ``"bf16"``, which
            ``build_info()["bf16"]`` must name an instruction for, rounds what is multiplied to bfloat16 (8
            significant bits) and adds up in float32; all else stays float32: parameters, gradients,
            activations, loss and optimizer. About what Keras calls ``mixed_bfloat16``.

    Raises:
        ValueError: Shapes do not fit each other, or dtype or precision is another.
        RuntimeError: This machine has no instruction for the precision.

    >>> import initcore as ic
    >>> model = ic.Sequential([ic.Dense(16, activation="relu"), ic.Dense(2)], input_shape=(4,), seed=0)
    >>> model.summary()
    layer     output   parameters   kernel starts as
    dense     (16,)            80   he_normal
    dense_1   (2,)             34   glorot_uniform
    114 parameters, float32, seed 0
    >>> precision = "bf16" if ic.build_info()["bf16"] else None  # where there is an instruction for it
    >>> fast = ic.Sequential([ic.Dense(2)], input_shape=(4,), seed=0, precision=precision)
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        input_shape: Shape | Sequence[int] | int | None = None,
        seed: int | Key = 0,
        dtype: DTypeLike = "float32",
        precision: str | None = None,
    ) -> None:
        layers = Stack(layers).layers
        if input_shape is None:
            if not (layers and isinstance(layers[0], Input)):
                raise ValueError(
                    "input_shape must be given: the shape of one example, such as input_shape=(784,), or "
                    "an Input((784,)) as the first layer"
                )
            input_shape = layers[0].shape
        shape = Input(input_shape).shape  # type: ignore[arg-type]
        name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
        self.seed = seed
        super().__init__(layers, shape, seed, choose("dtype", name, _DTYPES), precision)

    @property
    def layers(self) -> Sequence[Layer]:
        """The layers, first to last."""
        return self.stack.layers

    def __repr__(self) -> str:
        names = ", ".join(type(layer).__name__ for layer in self.layers)
        return f"<Sequential of {names}: {self.count_params():,} parameters, {self.dtype.name}>"

    def get_weights(self) -> list[NDArray[Any]]:
        """Return copies of all parameters, then of all state.

        >>> import initcore as ic
        >>> model = ic.Sequential([ic.Dense(2)], input_shape=(3,))
        >>> [array.shape for array in model.get_weights()]
        [(3, 2), (2,)]
        """
        return [array.copy() for array in (*self.parameters.values(), *self.state.values())]

    def set_weights(self, values: Sequence[NDArray[Any]]) -> None:
        """Set what `get_weights` returns.

        Raises:
            ValueError: Number or shapes differ; nothing is changed then.
        """
        targets = {**self.parameters, **self.state}
        if len(values) != len(targets):
            raise ValueError(f"weights must be {len(targets)} arrays, got {len(values)}")
        for (name, array), value in zip(targets.items(), values, strict=True):
            if np.shape(value) != array.shape:
                raise ValueError(f"{name} must have shape {array.shape}, got {np.shape(value)}")
        arrays = [np.asarray(value, self.dtype) for value in values]
        for target, array in zip(targets.values(), arrays, strict=True):
            target[...] = array

    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Write parameters and state to a safetensors file, whole or not at all.

        >>> import initcore as ic
        >>> saved, other = (ic.Sequential([ic.Dense(2)], input_shape=(3,), seed=seed) for seed in (1, 2))
        >>> saved.save_weights("model.safetensors")
        >>> other.load_weights("model.safetensors")
        >>> (other.predict([[1, 2, 3]]) == saved.predict([[1, 2, 3]])).all()
        np.True_
        """
        from initcore import weights  # and with it safetensors: not before a file is written

        weights.save(path, {**self.parameters, **self.state}, {"format": "initcore weights"})

    def load_weights(self, path: str | os.PathLike[str]) -> None:
        """Read what `save_weights` wrote.

        Raises:
            ValueError: Names, shapes or dtypes are not this model's; nothing is changed then.
        """
        from initcore import weights

        weights.load_into(path, {**self.parameters, **self.state})

    def count_params(self) -> int:
        """Return the number of trained numbers."""
        return sum(array.size for array in self.parameters.values())

    def summary(self) -> None:
        """Print each layer's output shape, number of parameters, and how its kernel starts."""
        header = ("layer", "output", "parameters", "kernel starts as")
        rows = []
        for name, layer, shape in self.stack.places(self.input_shape):
            own = {key: array for key, array in self.parameters.items() if key.startswith(name + "/")}
            kernels = [self.tensors[key].initializer for key in own if key.rsplit("/", 1)[-1] == "kernel"]
            starts = ", ".join(dict.fromkeys(name_of(kernel) for kernel in kernels))
            count = sum(math.prod(array.shape) for array in own.values())
            rows.append((name, str(layer.output_shape(shape)), f"{count:,}", starts))
        widths = [max(len(row[i]) for row in (header, *rows)) for i in range(4)]
        for row in (header, *rows):
            left, out, count_text, starts = row
            line = f"{left:<{widths[0]}}   {out:<{widths[1]}}   {count_text:>{widths[2]}}   {starts}"
            print(line.rstrip())
        rounded = f", products in bf16 by {_core.active_bf16() or 'none'}" if self.precision == "bf16" else ""
        print(f"{self.count_params():,} parameters, {self.dtype.name}{rounded}, seed {self.seed}")
