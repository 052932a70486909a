"""The networks whose training is measured, and their data. To add one: a row of NETWORKS."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE, BETA_1, BETA_2, RHO, EPSILON = 1e-3, 0.9, 0.999, 0.9, 1e-8  # of all optimizers
BN_MOMENTUM, BN_EPSILON = 0.99, 1e-3


@dataclass(frozen=True)
class Workload:
    """An MLP with softmax cross-entropy, and how it is trained. Its work is one training step.

    Attributes:
        widths: Of all layers, input and classes included.
        batch: Examples per step.
        activation: Of the hidden layers: ``"relu"``, ``"tanh"``, ``"sigmoid"`` or ``"gelu"``.
        optimizer: ``"adam"``, ``"sgd"``, ``"rmsprop"`` or ``"adagrad"``.
        dropout: Share of each hidden layer's outputs that is left out.
        normalization: Whether hidden layers normalize over the batch before the activation.
        precision: Of the products: ``"fp32"`` or ``"bf16"``, in which PyTorch casts automatically.
        rows: Examples of the data set, a multiple of the batch; an epoch goes through all.
        epochs: How many of them make one timing.
    """

    widths: tuple[int, ...]
    batch: int
    activation: str = "relu"
    optimizer: str = "adam"
    dropout: float = 0.0
    normalization: bool = False
    precision: str = "fp32"
    rows: int = 8192
    epochs: int = 1

    @property
    def name(self) -> str:
        """What it is called: "784-128-10, batch 32"."""
        return f"{'-'.join(map(str, self.widths))}, batch {self.batch}"

    @property
    def steps(self) -> int:
        """Steps of one timing."""
        return self.epochs * self.rows // self.batch

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Inputs and outputs of each layer."""
        return list(itertools.pairwise(self.widths))

    @property
    def parameters(self) -> int:
        """Kernels and biases."""
        return sum(m * n + n for m, n in self.pairs)

    @property
    def flops(self) -> int:
        """Operations of a step's products: output, gradient of the kernel, and of the input after layer 1."""
        return sum(2 * self.batch * m * n * (3 if i else 2) for i, (m, n) in enumerate(self.pairs))


# Epochs: as many as make small what comes once in a training, such as a look for NaN in the data.
NETWORKS = (
    Workload((784, 128, 10), 32, epochs=2),
    Workload((784, 128, 64, 10), 64, epochs=2),
    Workload((20, 32, 16, 2), 32, epochs=4),
    Workload((784, 512, 512, 10), 128, rows=4096),
    Workload((784, 1024, 1024, 1024, 10), 256, rows=1024),
)


LARGE = NETWORKS[3:]  # whose steps are products above all


def data(work: Workload) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return random inputs and labels."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(work.rows, work.widths[0])).astype(np.float32)
    return x, rng.integers(0, work.widths[-1], work.rows)


def kernels(work: Workload) -> list[NDArray[Any]]:
    """Return He-initialized kernels."""
    rng = np.random.default_rng(1)
    return [(rng.normal(size=pair) * np.sqrt(2 / pair[0])).astype(np.float32) for pair in work.pairs]
