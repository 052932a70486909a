"""Every optimizer step by step against the live PyTorch, or Keras where PyTorch has no such one.

Arguments are mapped where the definitions agree; where they differ, the option under which they agree is
chosen and a comment says so.
"""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose

from initcore import optimizers
from initcore.optimizers import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Lion, Nadam, RMSprop

pytestmark = [
    pytest.mark.peers,
    # Keras on PyTorch, if another test file chose that backend.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
STEPS, SIZE = 200, 50

# Ours, the name of torch's class, its arguments beside lr.
TORCH = [
    (SGD(0.01), "SGD", {}),
    (SGD(0.01, momentum=0.9), "SGD", {"momentum": 0.9}),
    (SGD(0.01, momentum=0.9, nesterov=True), "SGD", {"momentum": 0.9, "nesterov": True}),
    (Adam(0.01), "Adam", {}),
    (Adam(0.01, beta_1=0.8, beta_2=0.9, epsilon=1e-3), "Adam", {"betas": (0.8, 0.9), "eps": 1e-3}),
    (Adam(0.01, amsgrad=True, beta_2=0.9), "Adam", {"amsgrad": True, "betas": (0.9, 0.9)}),
    (AdamW(0.01, weight_decay=0.1), "AdamW", {"weight_decay": 0.1}),
    (AdamW(0.01, amsgrad=True, weight_decay=0.01), "AdamW", {"amsgrad": True}),
    (Adamax(0.01), "Adamax", {}),
    (Nadam(0.01), "NAdam", {}),
    (Nadam(0.01, weight_decay=0.1), "NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    (RMSprop(0.01), "RMSprop", {"alpha": 0.9}),
    (RMSprop(0.01, rho=0.99, momentum=0.9), "RMSprop", {"momentum": 0.9}),
    # A larger epsilon: the first variances are differences of nearly equal numbers, rounded differently.
    (RMSprop(0.01, centered=True, epsilon=0.1), "RMSprop", {"alpha": 0.9, "centered": True, "eps": 0.1}),
    (
        RMSprop(0.01, centered=True, momentum=0.5, epsilon=0.1),
        "RMSprop",
        {"alpha": 0.9, "centered": True, "momentum": 0.5, "eps": 0.1},
    ),
    (Adagrad(0.01), "Adagrad", {"initial_accumulator_value": 0.1, "eps": 1e-8}),
    (Adagrad(0.01, initial_accumulator_value=0.0), "Adagrad", {"eps": 1e-8}),
    (Adadelta(1.0), "Adadelta", {"rho": 0.95}),
]

# Ours, the name of Keras's class, its arguments beside learning_rate and weight_decay.
KERAS = [
    (Lion(0.01), "Lion", {}),
    (Lion(0.01, beta_1=0.8, beta_2=0.9, weight_decay=0.1), "Lion", {"beta_1": 0.8, "beta_2": 0.9}),
    (SGD(0.01, momentum=0.9, nesterov=True, weight_decay=0.1), "SGD", {"momentum": 0.9, "nesterov": True}),
    # With an epsilon of 0 it does not matter where it stands.
    # Keras works out 1 - beta_2**t in float32, which loses digits if beta_2 is near 1.
    (Adam(0.01, beta_2=0.9, epsilon=0, weight_decay=0.1), "Adam", {"beta_2": 0.9, "epsilon": 0}),
    (Adamax(0.01, epsilon=0), "Adamax", {"epsilon": 0}),
    (Nadam(0.01, epsilon=0, momentum_decay=1), "Nadam", {"epsilon": 0}),
    (RMSprop(0.01, momentum=0.9, epsilon=0), "RMSprop", {"momentum": 0.9, "epsilon": 0}),
    (Adagrad(0.01, epsilon=0), "Adagrad", {"epsilon": 0}),
    (Adadelta(0.5), "Adadelta", {"epsilon": 1e-6}),
]


def test_every_optimizer_is_compared():
    compared = {type(ours).__name__ for ours, _, _ in TORCH + KERAS}
    assert compared == {type(optimizers.get(name)).__name__ for name in optimizers.names()}


def problem(rng, dtype):
    """Weights and, for each step, noise that is added to the gradient of a quadratic."""
    return rng.normal(0, 0.2, SIZE).astype(dtype), rng.normal(0, 0.5, (STEPS, SIZE)).astype(dtype)


def close(ours, theirs, step):
    assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6, err_msg=f"after step {step + 1}")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("ours", "name", "settings"), TORCH, ids=[repr(o) for o, _, _ in TORCH])
def test_steps_agree_with_torch(ours, name, settings, dtype, rng):
    torch = pytest.importorskip("torch", reason="compares with a live PyTorch")
    w, noise = problem(rng, dtype)
    other = torch.nn.Parameter(torch.from_numpy(w.copy()))
    theirs = getattr(torch.optim, name)([other], lr=ours.learning_rate, **settings)
    state = ours.init(SIZE, dtype)
    for step in range(STEPS):
        g = w + noise[step]  # the same gradient for both, so that differences do not feed on themselves
        ours.step(w, g, state)
        other.grad = torch.from_numpy(g)
        theirs.step()
        close(w, other.detach().numpy(), step)


@pytest.mark.parametrize(("ours", "name", "settings"), KERAS, ids=[repr(o) for o, _, _ in KERAS])
def test_steps_agree_with_keras(ours, name, settings, rng, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    keras = pytest.importorskip("keras", reason="compares with a live Keras")
    w, noise = problem(rng, np.float32)
    other = keras.Variable(w.copy())
    settings = settings | {"learning_rate": ours.learning_rate, "weight_decay": ours.weight_decay}
    theirs = getattr(keras.optimizers, name)(**settings)
    state = ours.init(SIZE)
    for step in range(STEPS):
        g = w + noise[step]
        ours.step(w, g, state)
        theirs.apply([keras.ops.convert_to_tensor(g)], [other])
        close(w, keras.ops.convert_to_numpy(other), step)


@pytest.mark.parametrize("clip", ["clipnorm", "clipvalue", "global_clipnorm"])
def test_clipping_agrees_with_keras(clip, rng, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    keras = pytest.importorskip("keras", reason="compares with a live Keras")
    ours = dataclasses.replace(SGD(0.1), **{clip: 0.5})
    theirs = keras.optimizers.SGD(0.1, **{clip: 0.5})
    w, noise = problem(rng, np.float32)
    parts = [keras.Variable(w[:20].copy()), keras.Variable(w[20:].copy())]
    state = ours.init(SIZE)
    for step in range(20):
        g = w + noise[step]
        ours.step(w, g, state, tensors=[("a", 0, 20), ("b", 20, 30)])
        theirs.apply([keras.ops.convert_to_tensor(g[:20]), keras.ops.convert_to_tensor(g[20:])], parts)
        close(w, np.concatenate([keras.ops.convert_to_numpy(p) for p in parts]), step)


def test_clipping_by_norm_agrees_with_torch(rng):
    torch = pytest.importorskip("torch", reason="compares with a live PyTorch")
    w, noise = problem(rng, np.float64)
    other = torch.nn.Parameter(torch.from_numpy(w.copy()))
    theirs = torch.optim.SGD([other], lr=0.1)
    ours = SGD(0.1, global_clipnorm=0.5)
    state = ours.init(SIZE, np.float64)
    for step in range(20):
        g = w + noise[step]
        ours.step(w, g, state)
        other.grad = torch.from_numpy(g.copy())
        torch.nn.utils.clip_grad_norm_([other], 0.5)  # divides by norm + 1e-6: a relative 1e-7 here
        theirs.step()
        close(w, other.detach().numpy(), step)
