"""`model.predict` of a 784-128-10 network with softmax: one row, and many. Float32.

Every side takes an array of NumPy's and returns probabilities.
"""

import numpy as np
import pytest
from interleaved import optional, time_per

import initcore as ic


def numpy_model(kernels, biases):
    (w1, w2), (b1, b2) = kernels, biases

    def predict(x):
        h = x @ w1
        h += b1
        np.maximum(h, 0, out=h)
        z = h @ w2
        z += b2
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(axis=1, keepdims=True)
        return z

    return predict


def torch_model(torch, kernels, biases):
    (w1, w2), (b1, b2) = ([torch.from_numpy(array) for array in arrays] for arrays in (kernels, biases))

    @torch.inference_mode()
    def predict(x):
        h = torch.addmm(b1, torch.from_numpy(x), w1).relu_()
        return torch.addmm(b2, h, w2).softmax(1).numpy()

    return predict


@pytest.mark.parametrize("rows", [1, 10_000], ids="{} rows".format)
def bench_predict(compare, rows):
    model = ic.Sequential(
        [ic.Dense(128, activation="relu"), ic.Dense(10, activation="softmax")], input_shape=(784,), seed=0
    )
    weights, torch = model.get_weights(), optional("torch")
    kernels, biases = weights[::2], weights[1::2]
    x = np.random.default_rng(0).standard_normal((rows, 784), np.float32)
    in_numpy = numpy_model(kernels, biases)
    in_torch = torch and torch_model(torch, kernels, biases)
    np.testing.assert_allclose(model.predict(x), in_numpy(x), rtol=1e-3, atol=1e-5)
    peers = {"NumPy": lambda: in_numpy(x), "PyTorch": torch and (lambda: in_torch(x))}
    compare("predict, 784-128-10", lambda: model.predict(x), peers, time_per("us per call", 1))
