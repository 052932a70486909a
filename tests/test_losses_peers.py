"""Values and gradients of losses beside those of the live Keras and PyTorch."""

import os

import numpy as np
import pytest

from initcore import losses

pytestmark = pytest.mark.peers


def import_keras():
    os.environ.setdefault("KERAS_BACKEND", "numpy")
    return pytest.importorskip("keras", reason="Keras defines names, defaults and reductions")


def problem(name, rng):
    """Targets and predictions that every version of the loss takes."""
    n, columns = 12, 4
    if name == "sparse_categorical_crossentropy":
        return rng.integers(0, columns, n), rng.dirichlet(np.ones(columns), n)
    if name == "categorical_crossentropy":
        return np.eye(columns)[rng.integers(0, columns, n)], rng.dirichlet(np.ones(columns), n)
    if name in ("binary_crossentropy", "hinge"):
        return rng.integers(0, 2, (n, columns)).astype(float), rng.uniform(0.01, 0.99, (n, columns))
    return rng.uniform(0, 1, (n, columns)), rng.uniform(0.01, 0.99, (n, columns))


# Keras has no quantile loss; its label smoothing is for dense targets only.
KERAS = [
    losses.MeanSquaredError(),
    losses.MeanAbsoluteError(),
    losses.Huber(delta=0.3),
    losses.LogCosh(),
    losses.BinaryCrossentropy(from_logits=False, label_smoothing=0.1),
    losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
    losses.CategoricalCrossentropy(from_logits=False, label_smoothing=0.1),
    losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
    losses.SparseCategoricalCrossentropy(from_logits=False),
    losses.SparseCategoricalCrossentropy(from_logits=True),
    losses.Hinge(),
    losses.Poisson(),
    losses.KLDivergence(),
]


@pytest.mark.parametrize("loss", KERAS, ids=repr)
def test_values_are_those_of_keras(loss, rng):
    keras = import_keras()
    fields = {k: v for k, v in vars(loss).items() if hasattr(loss, k)}
    if isinstance(loss, losses.SparseCategoricalCrossentropy):
        del fields["label_smoothing"]
    theirs = getattr(keras.losses, type(loss).__name__)(**fields)
    y, p = problem(loss.name, rng)
    if fields.get("from_logits"):
        p = 2 * np.log(p)  # further out, Keras clips
    for weight in (None, rng.uniform(0, 2, len(p))):
        expected = theirs(y, p.astype(np.float32), sample_weight=weight)
        assert loss(y, p, weight) == pytest.approx(float(expected), rel=2e-5)


TORCH = {
    losses.MeanSquaredError(): lambda f, p, y: f.mse_loss(p, y),
    losses.MeanAbsoluteError(): lambda f, p, y: f.l1_loss(p, y),
    losses.Huber(delta=0.3): lambda f, p, y: f.huber_loss(p, y, delta=0.3),
    losses.BinaryCrossentropy(from_logits=False): lambda f, p, y: f.binary_cross_entropy(p, y),
    losses.BinaryCrossentropy(from_logits=True): lambda f, p, y: f.binary_cross_entropy_with_logits(p, y),
    losses.CategoricalCrossentropy(True, 0.1): lambda f, p, y: f.cross_entropy(p, y, label_smoothing=0.1),
    losses.SparseCategoricalCrossentropy(True, 0.1): lambda f, p, y: f.cross_entropy(
        p, y, label_smoothing=0.1
    ),
    losses.KLDivergence(): lambda f, p, y: f.kl_div(p.log(), y, reduction="batchmean"),
}


@pytest.mark.parametrize("loss", TORCH, ids=repr)
def test_gradients_are_those_of_pytorch(loss, rng):
    torch = pytest.importorskip("torch", reason="PyTorch differentiates on its own")
    y, p = problem(loss.name, rng)
    tensor = torch.tensor(p, requires_grad=True)
    value = TORCH[loss](torch.nn.functional, tensor, torch.tensor(y))
    value.backward()
    assert loss(y, p) == pytest.approx(value.item(), rel=1e-6)
    np.testing.assert_allclose(loss.gradient(y, p), tensor.grad.numpy(), rtol=1e-6, atol=1e-9)
