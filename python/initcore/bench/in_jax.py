"""A training step in JAX: a whole epoch is one `lax.scan` under jit, with its buffers donated.

NumPy draws the order, and that is timed too: `jax.random.permutation` sorts, which took half of the time of
20-32-16-2. Labels are one-hot from the start: no element is looked up, or scattered in the slope.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from initcore.bench.interleaved import optional
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


class JAX:
    """The state goes round: weights, slots, moving statistics, number of the step, random key.

    Kernels are stored (outputs, inputs), for which its products are a little quicker.
    """

    name, module = "JAX", "jax"

    def __init__(self, work: Workload, threads: int) -> None:
        jax = self.jax = optional("jax")
        jnp = optional("jax.numpy")
        zeros, tree = jnp.zeros_like, jax.tree
        x, labels = map(jnp.asarray, data(work))
        y = jax.nn.one_hot(labels, work.widths[-1])
        weights = [{"w": jnp.asarray(w.T.copy()), "b": jnp.zeros(w.shape[1])} for w in kernels(work)]
        moving = []
        if work.normalization:
            for layer in weights[:-1]:
                layer |= {"scale": zeros(layer["b"]) + 1, "shift": zeros(layer["b"])}
                moving.append((zeros(layer["b"]), zeros(layer["b"])))
        slots = [tree.map(zeros, weights) for _ in range({"adam": 2, "sgd": 0}.get(work.optimizer, 1))]
        # Random bits by the quicker of its generators.
        self.state = (weights, slots, moving, zeros(1.0), jax.random.key(1, impl="unsafe_rbg"))
        act = {
            "relu": jax.nn.relu,
            "tanh": jnp.tanh,
            "sigmoid": jax.nn.sigmoid,
            "gelu": lambda x: jax.nn.gelu(x, approximate=False),
        }[work.activation]

        def loss(weights: Any, moving: Any, key: Any, x: Any, y: Any) -> Any:
            seen = []
            for i, layer in enumerate(weights):
                x = x @ layer["w"].T + layer["b"]
                if i == len(weights) - 1:
                    break
                if work.normalization:
                    mean, variance = x.mean(0), x.var(0)
                    seen.append((mean, variance))
                    x = (x - mean) / jnp.sqrt(variance + BN_EPSILON) * layer["scale"] + layer["shift"]
                x = act(x)
                if work.dropout:
                    keep = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - work.dropout, x.shape)
                    x = jnp.where(keep, x / (1 - work.dropout), 0)
            moving = tree.map(lambda old, new: BN_MOMENTUM * old + (1 - BN_MOMENTUM) * new, moving, seen)
            return -(y * jax.nn.log_softmax(x)).sum(axis=1).mean(), moving

        def scaled(w: Any, g: Any, v: Any) -> Any:
            return w - RATE * g / (jnp.sqrt(v) + EPSILON)

        def update(weights: Any, g: Any, slots: Any, t: Any) -> Any:
            if work.optimizer == "sgd":
                return tree.map(lambda w, g: w - RATE * g, weights, g), []
            if work.optimizer == "adagrad":
                v = tree.map(lambda v, g: v + g * g, slots[0], g)
                return tree.map(scaled, weights, g, v), [v]
            if work.optimizer == "rmsprop":
                v = tree.map(lambda v, g: RHO * v + (1 - RHO) * g * g, slots[0], g)
                return tree.map(scaled, weights, g, v), [v]
            m = tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, slots[0], g)
            v = tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, slots[1], g)
            c1, c2 = 1 / (1 - BETA_1**t), 1 / (1 - BETA_2**t)
            new = tree.map(lambda w, m, v: w - RATE * (m * c1) / (jnp.sqrt(v * c2) + EPSILON), weights, m, v)
            return new, [m, v]

        def step(state: Any, index: Any) -> Any:
            weights, slots, moving, t, key = state
            part = jax.random.fold_in(key, t.astype(int)) if work.dropout else key
            g, moving = jax.grad(loss, has_aux=True)(weights, moving, part, x[index], y[index])
            weights, slots = update(weights, g, slots, t + 1)
            return (weights, slots, moving, t + 1, key), None

        def epoch(state: Any, order: Any) -> Any:
            return jax.lax.scan(step, state, order)[0]

        self.epoch = jax.jit(epoch, donate_argnums=0)
        self.work, self.rng = work, np.random.default_rng(1)

    @staticmethod
    def offers(work: Workload) -> bool:
        """Return whether it can do this work."""
        return work.precision == "fp32"

    def run(self, epochs: int) -> None:
        """Go through the data that many times."""
        for _ in range(epochs):
            order = self.rng.permutation(self.work.rows).astype(np.int32)
            self.state = self.epoch(self.state, order.reshape(-1, self.work.batch))
        self.jax.block_until_ready(self.state)
