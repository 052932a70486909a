"""The same training step in other libraries: an MLP with ReLU, softmax cross-entropy and Adam, one thread.

Each class is made for one network and batch size and offers `run(epochs)`, which goes through the same data
that many times, in batches of a new random order, and returns when it is done. Each is written as its own
community would for speed: buffers kept and reused, `lax.scan` under jit, the fused optimizer. A new one is
named in `PEERS` at the end; `module` is what must be installed.
"""

from __future__ import annotations

import itertools

import numpy as np

RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
ROWS = 8192  # of the data set


def data(widths, rows=ROWS, seed=0):
    """Return random inputs and labels for a network of these widths."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, widths[0])).astype(np.float32), rng.integers(0, widths[-1], rows)


def parameters(widths, seed=0):
    """Return He-initialized kernels and zero biases."""
    rng = np.random.default_rng(seed)
    kernels = [
        (rng.normal(size=(m, n)) * np.sqrt(2 / m)).astype(np.float32) for m, n in itertools.pairwise(widths)
    ]
    return kernels, [np.zeros(n, np.float32) for n in widths[1:]]


class Initcore:
    name = "initcore"

    def __init__(self, widths, batch):
        import initcore as ic

        ic.set_num_threads(1)
        hidden = [ic.Dense(n, activation="relu") for n in widths[1:-1]]
        self.model = ic.Sequential([*hidden, ic.Dense(widths[-1])], input_shape=(widths[0],), seed=0)
        self.model.compile(ic.optimizers.Adam(RATE), "sparse_categorical_crossentropy")
        self.x, self.y = data(widths)
        self.batch = batch
        self.run(1)

    def run(self, epochs):
        self.model.fit(self.x, self.y, batch_size=self.batch, epochs=epochs, verbose=0)


class NumPy:
    name, module = "NumPy", "numpy"

    def __init__(self, widths, batch):
        self.x, self.y = data(widths)
        self.batch = batch
        kernels, biases = parameters(widths)
        shapes = [a.shape for pair in zip(kernels, biases, strict=True) for a in pair]
        sizes = [int(np.prod(s)) for s in shapes]
        total = sum(sizes)
        self.w, self.g, self.m, self.v, self.s, self.u = (np.zeros(total, np.float32) for _ in range(6))
        cuts = np.cumsum([0, *sizes])

        def views(flat):
            return [flat[a:b].reshape(s) for (a, b), s in zip(itertools.pairwise(cuts), shapes, strict=True)]

        self.p, self.dp = views(self.w), views(self.g)
        for view, value in zip(
            self.p, [a for pair in zip(kernels, biases, strict=True) for a in pair], strict=True
        ):
            view[...] = value
        self.a = [np.empty((batch, n), np.float32) for n in widths]
        self.d = [np.empty((batch, n), np.float32) for n in widths]
        self.rows = np.arange(batch)
        self.t = 0
        self.rng = np.random.default_rng(1)

    def run(self, epochs):
        for _ in range(epochs):
            for index in self.rng.permutation(len(self.x)).reshape(-1, self.batch):
                self.step(index)

    def step(self, index):
        a, d, p, dp = self.a, self.d, self.p, self.dp
        layers = len(a) - 1
        np.take(self.x, index, axis=0, out=a[0], mode="clip")
        for i in range(layers):
            np.matmul(a[i], p[2 * i], out=a[i + 1])
            a[i + 1] += p[2 * i + 1]
            if i < layers - 1:
                np.maximum(a[i + 1], 0, out=a[i + 1])
        z, dz = a[-1], d[-1]
        np.subtract(z, z.max(axis=1, keepdims=True), out=dz)
        np.exp(dz, out=dz)
        dz /= dz.sum(axis=1, keepdims=True)
        dz[self.rows, self.y[index]] -= 1
        dz *= 1 / self.batch
        for i in reversed(range(layers)):
            np.matmul(a[i].T, d[i + 1], out=dp[2 * i])
            np.sum(d[i + 1], axis=0, out=dp[2 * i + 1])
            if i:
                np.matmul(d[i + 1], p[2 * i].T, out=d[i])
                d[i] *= a[i] > 0
        self.adam()

    def adam(self):
        w, g, m, v, s, u = self.w, self.g, self.m, self.v, self.s, self.u
        self.t += 1
        m *= BETA_1
        np.multiply(g, 1 - BETA_1, out=s)
        m += s
        v *= BETA_2
        np.multiply(g, g, out=s)
        s *= 1 - BETA_2
        v += s
        np.multiply(v, 1 / (1 - BETA_2**self.t), out=s)
        np.sqrt(s, out=s)
        s += EPSILON
        np.multiply(m, RATE / (1 - BETA_1**self.t), out=u)
        u /= s
        w -= u


class PyTorch:
    name, module = "PyTorch", "torch"

    def __init__(self, widths, batch):
        import torch

        torch.set_num_threads(1)
        self.torch = torch
        layers = []
        for m, n in itertools.pairwise(widths):
            layers += [torch.nn.Linear(m, n), torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*layers[:-1])
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=RATE, fused=True)
        x, y = data(widths)
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        self.batch = batch

    def run(self, epochs):
        torch = self.torch
        for _ in range(epochs):
            for index in torch.randperm(len(self.x)).view(-1, self.batch):
                self.optimizer.zero_grad(set_to_none=True)
                loss = torch.nn.functional.cross_entropy(self.model(self.x[index]), self.y[index])
                loss.backward()
                self.optimizer.step()


class JAX:
    name, module = "JAX", "jax"

    def __init__(self, widths, batch):
        import jax
        import jax.numpy as jnp

        self.jax = jax
        x, y = data(widths)
        x, y = jnp.asarray(x), jnp.asarray(y)
        kernels, biases = parameters(widths)
        weights = [(jnp.asarray(w), jnp.asarray(b)) for w, b in zip(kernels, biases, strict=True)]
        first, second = (jax.tree.map(jnp.zeros_like, weights) for _ in range(2))
        self.state = (weights, first, second, jnp.zeros(()))

        def loss(weights, x, y):
            for i, (w, b) in enumerate(weights):
                x = x @ w + b
                if i < len(weights) - 1:
                    x = jax.nn.relu(x)
            return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1).mean()

        def step(state, index):
            weights, m, v, t = state
            g = jax.grad(loss)(weights, x[index], y[index])
            t = t + 1
            m = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, m, g)
            v = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, v, g)
            c1, c2 = 1 / (1 - BETA_1**t), 1 / (1 - BETA_2**t)
            weights = jax.tree.map(
                lambda w, m, v: w - RATE * (m * c1) / (jnp.sqrt(v * c2) + EPSILON), weights, m, v
            )
            return (weights, m, v, t), None

        def epoch(state, key):
            order = jax.random.permutation(key, len(x)).reshape(-1, batch)
            return jax.lax.scan(step, state, order)[0]

        self.epoch = jax.jit(epoch, donate_argnums=0)
        self.key = jax.random.key(0)

    def run(self, epochs):
        jax = self.jax
        for _ in range(epochs):
            self.key, key = jax.random.split(self.key)
            self.state = self.epoch(self.state, key)
        jax.block_until_ready(self.state)


class ScikitLearn:
    name, module = "scikit-learn", "sklearn"

    def __init__(self, widths, batch):
        from sklearn.neural_network import MLPClassifier

        self.model = MLPClassifier(tuple(widths[1:-1]), batch_size=batch, learning_rate_init=RATE, alpha=0.0)
        self.x, self.y = data(widths)
        self.classes = np.arange(widths[-1])
        self.run(1)

    def run(self, epochs):
        for _ in range(epochs):
            self.model.partial_fit(self.x, self.y, classes=self.classes)


PEERS = NumPy, PyTorch, JAX, ScikitLearn
