"""Activations and slopes beside those of a live PyTorch and Keras."""

import numpy as np
import pytest

from initcore import activations

pytestmark = pytest.mark.peers

# Ours: how PyTorch spells it (torch.nn.functional), where the name differs or needs arguments.
TORCH = {
    "identity": ("dropout", {"training": False}),
    "hard_sigmoid": ("hardsigmoid", {}),
    "hard_tanh": ("hardtanh", {}),
    "hard_swish": ("hardswish", {}),
    "gelu_tanh": ("gelu", {"approximate": "tanh"}),
    "softplus": ("softplus", {"threshold": 1000}),  # PyTorch's default is linear above 20
    "softmax": ("softmax", {"dim": -1}),
    "log_softmax": ("log_softmax", {"dim": -1}),
    "exponential": None,  # not there
    "step": None,
    "prelu": None,  # takes a tensor: below
}


@pytest.fixture
def x(rng):
    """No kinks: there the peers differ among themselves."""
    return rng.normal(0, 3, (40, 33))


def close(ours, theirs, dtype):
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(ours, theirs, rtol=64 * eps, atol=64 * eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [name for name in activations.names() if TORCH.get(name, ()) is not None])
def test_like_torch(name, dtype, isa, x, rng):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    spelling, arguments = TORCH.get(name, (name, {}))
    f = activations.get(name)
    x, dy = x.astype(dtype), rng.normal(0, 1, x.shape).astype(dtype)
    tensor = torch.tensor(x, requires_grad=True)
    y = getattr(torch.nn.functional, spelling)(tensor, **arguments)
    y.backward(torch.tensor(dy))
    close(f(x), y.detach().numpy(), dtype)
    # PyTorch rounds its 1/6 to single precision, in double precision too.
    close(f.backward(dy, x), tensor.grad.numpy(), np.float32 if name == "hard_sigmoid" else dtype)


def test_prelu_like_torch(x):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    y = torch.nn.functional.prelu(torch.tensor(x), torch.tensor([0.25], dtype=torch.float64))
    close(activations.get("prelu")(x), y.numpy(), np.float64)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # Keras's own
def test_like_keras(x, monkeypatch):
    pytest.importorskip("torch", reason="is Keras's backend here")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="compares with Keras")
    compared = []
    for name in activations.names():
        theirs = getattr(keras.activations, name, None)
        if theirs is None or name == "leaky_relu":  # negative_slope there is 0.2
            continue
        compared.append(name)
        arguments = {"approximate": False} if name == "gelu" else {}
        y = keras.ops.convert_to_numpy(theirs(keras.ops.convert_to_tensor(x.astype(np.float32)), **arguments))
        close(activations.get(name)(x.astype(np.float32)), y, np.float32)
    assert len(compared) > 10
