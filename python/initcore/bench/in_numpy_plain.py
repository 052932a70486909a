"""A training step in NumPy as it is usually written: clear, in whole arrays, with new ones at each step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from initcore.bench.networks import BETA_1, BETA_2, EPSILON, RATE, Workload, data, kernels

Array = NDArray[np.float32]


class PlainNumPy:
    """ReLU and Adam, the parameters as a list of arrays."""

    name, module = "NumPy, plain", "numpy"

    def __init__(self, work: Workload, threads: int) -> None:
        self.work = work
        self.x, self.y = data(work)
        self.p: list[Array] = [
            array for kernel in kernels(work) for array in (kernel, np.zeros(kernel.shape[1], np.float32))
        ]
        self.m, self.v = ([np.zeros_like(p) for p in self.p] for _ in range(2))
        self.steps = 0
        self.rng = np.random.default_rng(1)

    @staticmethod
    def offers(work: Workload) -> bool:
        """Return whether it can do this work."""
        plain = (work.activation, work.optimizer, work.precision) == ("relu", "adam", "fp32")
        return plain and not work.dropout and not work.normalization

    def run(self, epochs: int) -> None:
        """Go through the data that many times."""
        for _ in range(epochs):
            for index in self.rng.permutation(len(self.x)).reshape(-1, self.work.batch):
                self.step(self.x[index], self.y[index])

    def step(self, x: Array, y: NDArray[np.int64]) -> None:
        """Take one step on this batch."""
        w, b = self.p[::2], self.p[1::2]
        a = [x]
        for i in range(len(w) - 1):
            a.append(np.maximum(a[i] @ w[i] + b[i], 0))
        z = a[-1] @ w[-1] + b[-1]
        e = np.exp(z - z.max(axis=1, keepdims=True))
        d = e / e.sum(axis=1, keepdims=True)
        d[np.arange(len(d)), y] -= 1
        d /= len(d)
        gradients: list[Array] = []
        for i in reversed(range(len(w))):
            gradients[:0] = [a[i].T @ d, d.sum(axis=0)]
            if i:
                d = (d @ w[i].T) * (a[i] > 0)
        self.steps += 1
        rate, correction = RATE / (1 - BETA_1**self.steps), (1 - BETA_2**self.steps) ** -0.5
        for p, g, m, v in zip(self.p, gradients, self.m, self.v, strict=True):
            m += (1 - BETA_1) * (g - m)
            v += (1 - BETA_2) * (g * g - v)
            p -= rate * m / (np.sqrt(v) * correction + EPSILON)
