"""A training step in NumPy, written for speed: every operation writes into an array that exists."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initcore.bench.elementwise import in_numpy
from initcore.bench.formulas import erf
from initcore.bench.networks import (
    BETA_1,
    BETA_2,
    BN_EPSILON,
    BN_MOMENTUM,
    EPSILON,
    RATE,
    RHO,
    Workload,
    data,
    kernels,
)

Array = NDArray[Any]

# Elements that go through all operations of an optimizer's step before the next do, so that they stay in the
# cache: on 10 million parameters 1.5 ns each instead of 2.7. Half as many gain no more, and cost more calls.
_PIECE = 1 << 17


class NumPy:
    """Parameters, gradients and slots lie in one vector each; layers see views."""

    name, module = "NumPy", "numpy"

    def __init__(self, work: Workload, threads: int) -> None:
        self.work = work
        self.x, self.y = data(work)
        shapes: list[tuple[int, ...]] = []
        for layer, (m, n) in enumerate(work.pairs):
            shapes += [(m, n), (n,)]
            if work.normalization and layer < len(work.pairs) - 1:
                shapes += [(n,), (n,)]  # scale, shift
        sizes = [int(np.prod(shape)) for shape in shapes]
        cuts = np.cumsum([0, *sizes])
        self.w, self.g, self.m, self.v = (np.zeros(sum(sizes), np.float32) for _ in range(4))
        self.pieces = pieces(self.w, self.g, self.m, self.v)

        def layers(flat: Array) -> list[list[Array]]:
            views = [
                flat[a:b].reshape(shape)
                for (a, b), shape in zip(itertools.pairwise(cuts), shapes, strict=True)
            ]
            per = 4 if work.normalization else 2
            return [views[i : i + per] for i in range(0, len(views), per)]

        self.p, self.dp = layers(self.w), layers(self.g)
        for parts, kernel in zip(self.p, kernels(work), strict=True):
            parts[0][...] = kernel
            if len(parts) == 4:
                parts[2][...] = 1
        new = [[np.empty((work.batch, n), np.float32) for n in work.widths] for _ in range(7)]
        self.a, self.z, self.d, self.t, self.keep, self.normal, self.noise = new
        self.activations = [in_numpy(work.activation, z, a) for z, a in zip(self.z, self.a, strict=True)]
        self.moving = [np.zeros((2, n), np.float32) for n in work.widths]
        self.spread: list[Array] = [np.ones(n, np.float32) for n in work.widths]
        self.batch_rows = np.arange(work.batch)
        self.steps = 0
        self.rng = np.random.default_rng(1)

    @staticmethod
    def offers(work: Workload) -> bool:
        """Return whether it can do this work."""
        return work.precision == "fp32"

    def run(self, epochs: int) -> None:
        """Go through the data that many times."""
        for _ in range(epochs):
            for index in self.rng.permutation(len(self.x)).reshape(-1, self.work.batch):
                self.step(index)

    def step(self, index: Array) -> None:
        """Take one step on these rows."""
        a, d, last = self.a, self.d, len(self.p) - 1
        np.take(self.x, index, axis=0, out=a[0], mode="clip")
        for i, (w, b, *_) in enumerate(self.p):
            z = self.z[i + 1] if i < last else a[i + 1]
            np.matmul(a[i], w, out=z)
            z += b
            if i < last:
                if self.work.normalization:
                    self.normalize(i)
                self.activate(i + 1)
                if self.work.dropout:
                    self.drop(i + 1)
        z, dz = a[-1], d[-1]
        np.subtract(z, z.max(axis=1, keepdims=True), out=dz)
        np.exp(dz, out=dz)
        dz /= dz.sum(axis=1, keepdims=True)
        dz[self.batch_rows, self.y[index]] -= 1
        dz *= 1 / self.work.batch
        for i in reversed(range(last + 1)):
            dw, db = self.dp[i][:2]
            if i < last:
                if self.work.dropout:
                    d[i + 1] *= self.keep[i + 1]
                self.slope(i + 1)
                if self.work.normalization:
                    self.normalize_back(i)
            np.matmul(a[i].T, d[i + 1], out=dw)
            np.sum(d[i + 1], axis=0, out=db)
            if i:
                np.matmul(d[i + 1], self.p[i][0].T, out=d[i])
        self.steps += 1
        for piece in self.pieces:
            getattr(self, self.work.optimizer)(*piece)

    def activate(self, i: int) -> None:
        z, a, cdf = self.z[i], self.a[i], self.t[i]
        if self.work.activation != "gelu":
            self.activations[i]()
            return
        np.multiply(z, np.float32(0.5**0.5), out=cdf)  # kept for the slope
        erf(cdf, cdf)
        cdf += 1
        cdf *= 0.5
        np.multiply(z, cdf, out=a)

    def slope(self, i: int) -> None:
        """d *= activation's slope."""
        z, a, d, t = self.z[i], self.a[i], self.d[i], self.t[i]
        if self.work.activation == "relu":
            d *= z > 0
        elif self.work.activation == "gelu":  # t holds the normal distribution's function
            density = self.noise[i]
            np.multiply(z, z, out=density)
            density *= -0.5
            np.exp(density, out=density)
            density *= np.float32((2 * np.pi) ** -0.5)
            density *= z
            t += density
            d *= t
        else:
            y = a
            if self.work.dropout:  # what was left out has no slope, and the rest is scaled
                y = np.multiply(a, np.float32(1 - self.work.dropout), out=self.noise[i])
            np.multiply(y, y, out=t)
            np.subtract(1 if self.work.activation == "tanh" else y, t, out=t)
            d *= t

    def drop(self, i: int) -> None:
        self.rng.random(out=self.noise[i], dtype=np.float32)
        np.greater_equal(self.noise[i], self.work.dropout, out=self.keep[i])
        self.keep[i] *= np.float32(1 / (1 - self.work.dropout))
        self.a[i] *= self.keep[i]

    def normalize(self, i: int) -> None:
        z, h, moving = self.z[i + 1], self.normal[i + 1], self.moving[i + 1]
        mean = z.mean(axis=0)
        np.subtract(z, mean, out=h)
        variance = np.einsum("ij,ij->j", h, h)
        variance /= len(z)
        moving *= BN_MOMENTUM
        moving[0] += (1 - BN_MOMENTUM) * mean
        moving[1] += (1 - BN_MOMENTUM) * variance
        self.spread[i + 1] = 1 / np.sqrt(variance + np.float32(BN_EPSILON))
        h *= self.spread[i + 1]
        np.multiply(h, self.p[i][2], out=z)
        z += self.p[i][3]

    def normalize_back(self, i: int) -> None:
        d, h, t = self.d[i + 1], self.normal[i + 1], self.noise[i + 1]
        dscale, dshift = self.dp[i][2:]
        np.sum(d, axis=0, out=dshift)
        np.einsum("ij,ij->j", d, h, out=dscale)
        np.multiply(h, dscale / len(d), out=t)
        d -= dshift / len(d)
        d -= t
        d *= self.spread[i + 1] * self.p[i][2]

    def adam(self, w: Array, g: Array, m: Array, v: Array, s: Array) -> None:
        adam(self.steps, w, g, m, v, s)

    def sgd(self, w: Array, g: Array, m: Array, v: Array, s: Array) -> None:
        np.multiply(g, RATE, out=s)
        w -= s

    def rmsprop(self, w: Array, g: Array, m: Array, v: Array, s: Array) -> None:
        v *= RHO
        np.multiply(g, g, out=s)
        s *= 1 - RHO
        v += s
        scaled(w, g, v, s)

    def adagrad(self, w: Array, g: Array, m: Array, v: Array, s: Array) -> None:
        np.multiply(g, g, out=s)
        v += s
        scaled(w, g, v, s)


def pieces(*vectors: Array) -> list[tuple[Array, ...]]:
    """Return views of all vectors, piece after piece, and with each a piece of memory to compute in."""
    size = len(vectors[0])
    s = np.empty(min(size, _PIECE), np.float32)
    return [(*(vector[i : i + _PIECE] for vector in vectors), s[: size - i]) for i in range(0, size, _PIECE)]


def scaled(w: Array, g: Array, v: Array, s: Array) -> None:
    """w -= rate * g / (sqrt(v) + epsilon)."""
    np.sqrt(v, out=s)
    s += EPSILON
    np.divide(g, s, out=s)
    s *= RATE
    w -= s


def adam(step: int, w: Array, g: Array, m: Array, v: Array, s: Array) -> None:
    """Take one step of Adam; ``s`` is overwritten. Its corrections become part of the rate and of epsilon."""
    m *= BETA_1
    np.multiply(g, 1 - BETA_1, out=s)
    m += s
    v *= BETA_2
    np.multiply(g, g, out=s)
    s *= 1 - BETA_2
    v += s
    correction = (1 - BETA_2**step) ** 0.5
    np.sqrt(v, out=s)
    s += EPSILON * correction
    np.divide(m, s, out=s)
    s *= RATE * correction / (1 - BETA_1**step)
    w -= s
