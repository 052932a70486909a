"""Functions of arrays, of numbers and of tensors, as functions of arrays."""

import math

import numpy as np
import pytest

from initcore import activations, theory
from initcore.callables import vectorized

Z = np.linspace(-3, 3, 14).reshape(2, 7)


@pytest.mark.parametrize(
    ("function", "same"),
    [
        (np.tanh, np.tanh),
        (math.tanh, np.tanh),
        (lambda x: x if x > 0 else 0.1 * x, lambda x: np.where(x > 0, x, 0.1 * x)),
        (lambda x: 1 if x > 0 else 0, lambda x: (x > 0).astype(float)),  # whole numbers, of a jump
        (lambda x: x.astype(np.float32), lambda x: x.astype(np.float32)),
        (lambda x: (x > 0).tolist(), lambda x: x > 0),
    ],
)
def test_a_function_of_arrays_or_numbers(function, same):
    found = vectorized(function)(Z)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, same(Z), rtol=1e-15)  # NumPy and math differ in last bits


@pytest.mark.parametrize(
    "wrong", [np.sum, lambda x: "x", lambda x: None, lambda: 1.0, lambda x: x[0], math.gcd, lambda x: [x, x]]
)
def test_another_callable_is_refused(wrong):
    with pytest.raises(
        TypeError, match="an activation must map an array of numbers to one of the same shape"
    ):
        vectorized(wrong)


def test_a_function_of_whole_rows_is_refused():
    with pytest.raises(TypeError, match="softmax looks at whole rows"):
        vectorized(softmax)


def softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)


@pytest.mark.peers
@pytest.mark.parametrize("name", ["GELU", "PReLU", "ELU"])
def test_a_module_of_pytorch(name):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    module = getattr(torch.nn, name)()
    expected = module(torch.tensor(Z, dtype=torch.float32)).detach().numpy()
    # roundings in single precision of terms as large as Z, which may cancel
    np.testing.assert_allclose(vectorized(module)(Z), expected, rtol=0, atol=4 * 3 * 2**-23)


@pytest.mark.peers
def test_a_function_of_jax_is_compiled_once():
    jax = pytest.importorskip("jax", reason="compares with JAX")
    shapes = []

    def gelu(x):
        shapes.append(x.shape)
        return jax.nn.gelu(x, approximate=False)

    gain = theory.gain(gelu)
    assert gain.forward == pytest.approx(theory.gain("gelu").forward, rel=1e-6)
    assert gain.backward == pytest.approx(theory.gain("gelu").backward, rel=1e-4)  # single precision
    assert len(set(shapes)) <= 3
    assert theory.gain(math.tanh).forward == pytest.approx(theory.gain("tanh").forward)  # it knows no arrays
    with pytest.raises(ValueError, match="second moment"):  # and no warning
        theory.gain(np.sqrt)
    np.testing.assert_allclose(vectorized(gelu)(Z), activations.get("gelu")(Z), atol=4 * 3 * 2**-23)
