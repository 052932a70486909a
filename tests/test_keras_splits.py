"""Kernels whose outputs a Keras model splits: query, key and value in one `Dense`, both sides of a gate."""

import os

import numpy as np
import pytest

import initcore as ic
from initcore import residual
from initcore.layouts import Packed

os.environ.setdefault("KERAS_BACKEND", "jax")  # what Keras imports by default is not there
keras = pytest.importorskip("keras", reason="initializes models of a live Keras")
pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras's, on JAX
]
from initcore.keras.model import branches, parameters  # noqa: E402

L, ops = keras.layers, keras.ops
WIDTH, HEADS = 16, 4


class Splits(keras.Model):
    """One kernel, and the parts that a function makes of what it gives."""

    def __init__(self, parts, outputs):
        super().__init__()
        self.parts, self.kernel, self.dropout = parts, L.Dense(outputs, name="kernel"), L.Dropout(0.0)

    def call(self, x):
        return self.parts(self, x)


def timm(m, x):
    b, n, c = ops.shape(x)
    qkv = ops.reshape(m.kernel(x), (b, n, 3, HEADS, c // HEADS))
    return ops.unstack(ops.transpose(qkv, (2, 0, 3, 1, 4)), axis=0)


def of_each_head(m, x):
    return ops.split(ops.reshape(m.kernel(x), (2, 5, HEADS, -1)), 3, axis=-1)


SPLIT = [
    (timm, 48),
    (lambda m, x: ops.split(m.kernel(x), 3, axis=-1), 48),
    (lambda m, x: ops.split(m.dropout(m.kernel(x)), [16, 24], axis=2), 32),
    (lambda m, x: ops.unstack(L.Reshape((5, 3, 16))(m.kernel(x)), axis=2), 48),
    (lambda m, x: ((y := m.kernel(x))[..., :24], y[..., 24:]), 40),
    (lambda m, x: ((y := ops.reshape(m.kernel(x), (2, 5, 2, 8)))[:, :, 0], y[:, :, 1]), 16),
    (of_each_head, 48),
    (lambda m, x: ((y := ops.reshape(m.kernel(x), (2, 5, HEADS, 2, 4)))[:, :, :, 0], y[:, :, :, 1]), 32),
]
NOT_SPLIT = [
    # rotary embeddings turn halves of each head, or pairs
    (lambda m, x: ops.split(ops.reshape(m.kernel(x), (2, 5, HEADS, 4)), 2, axis=-1), 16),
    (lambda m, x: ops.unstack(ops.reshape(m.kernel(x), (2, 5, HEADS, 2, 2)), axis=-1), 16),
    (lambda m, x: ops.split(ops.reshape(m.kernel(x), (2, 5, HEADS, 8)), [4, 6], axis=-1), 32),
    (lambda m, x: ops.split(m.kernel(x), 2, axis=0), 48),
    (lambda m, x: (m.kernel(x)[..., :8], ops.relu(m.kernel(x))), 16),
    (lambda m, x: ((y := m.kernel(x))[..., :16], y[..., 16:32]), 48),
    (lambda m, x: ((y := m.kernel(x))[:, 0], y[:, 1:]), 16),
]


def built(parts, outputs):
    model = Splits(parts, outputs)
    model(np.ones((2, 5, WIDTH), np.float32))
    return model


@pytest.mark.parametrize("parts, outputs", SPLIT + NOT_SPLIT)
def test_the_parts_are_those_that_the_call_makes(parts, outputs):
    model = built(parts, outputs)
    found = parameters(model)[0].layout
    if (parts, outputs) in NOT_SPLIT:
        assert found == "io"
        return
    model.kernel.kernel.assign(np.zeros((WIDTH, outputs)))  # every output is its own number
    model.kernel.bias.assign(np.arange(outputs))
    made = [np.unique(ops.convert_to_numpy(part)).tolist() for part in model(np.ones((2, 5, WIDTH)))]
    assert sorted(number for part in made for number in part) == list(range(outputs))
    assert isinstance(found, Packed) and found.count == len(made)
    assert made == [
        [i for i, j in enumerate(found.of_outputs((WIDTH, outputs))) if j == k] for k in range(len(made))
    ]


def test_each_part_is_a_map_of_its_own():
    model = built(timm, 48)
    table = ic.initialize(model, "orthogonal")
    for part in np.split(np.asarray(ops.convert_to_numpy(model.kernel.kernel), float), 3, axis=1):
        assert np.allclose(part @ part.T, np.eye(WIDTH), atol=1e-5)
    assert "3 " in table["kernel/kernel"].why


@pytest.mark.parametrize(
    "glu", [L.Lambda(lambda x: ops.glu(x)), L.Lambda(keras.activations.glu), L.Activation("glu"), "glu"]
)
def test_the_sides_of_a_gate(glu):
    first = [L.Dense(32, activation=glu)] if glu == "glu" else [L.Dense(32), glu]
    model = keras.Sequential([keras.Input((5, 16)), *first, L.Dense(3)])
    row = next(iter(ic.initialize(model)))
    assert "through glu" in row.why
    if isinstance(glu, L.Lambda):
        assert parameters(model)[0].layout == Packed("io", 2) and "2 maps" in row.why
    assert row.std == pytest.approx(ic.theory.gated_gain("glu") / 16**0.5)


def attention(forward):
    """A model with that forward, which ends with a kernel of its own."""
    model = Splits(forward, 48)
    model.out = L.Dense(WIDTH, name="out")
    model(np.ones((2, 5, WIDTH), np.float32))
    return model


def test_values_are_scaled_where_they_are():
    def block(m, x):
        q, k, v = ops.split(m.kernel(x), 3, axis=-1)
        y = ops.softmax(q @ ops.swapaxes(k, 1, 2)) @ v
        return x + m.out(y)

    model, plain = attention(block), attention(block)
    assert branches(model)["kernel/kernel"].roles == ("query", "key", "value")
    ic.initialize(model, residual="deepnorm")
    ic.initialize(plain, "glorot_normal")
    factors = (1, 1, residual.deepnorm(1).factor("value"))
    kernels = [
        np.split(np.asarray(ops.convert_to_numpy(one.kernel.kernel)), 3, axis=1) for one in (model, plain)
    ]
    for part, before, factor in zip(*kernels, factors, strict=True):
        assert np.allclose(part, before * factor, rtol=1e-5)


def values_of_heads(m, x):
    q, k, v = ops.split(ops.reshape(m.kernel(x), (-1, 5, HEADS, 12)), 3, axis=-1)
    return x + m.out(ops.reshape(ops.dot_product_attention(q, k, v), (-1, 5, WIDTH)))


@pytest.mark.parametrize("scheme", [residual.t_fixup(3), residual.deepnorm(3)])
def test_values_of_each_head_are_scaled(scheme):
    model, plain = attention(values_of_heads), attention(values_of_heads)
    ic.initialize(model, residual=scheme)
    ic.initialize(plain, "glorot_normal")
    now, before = (
        np.asarray(ops.convert_to_numpy(one.kernel.kernel)).reshape(WIDTH, HEADS, 3, -1)
        for one in (model, plain)
    )
    factors = np.array([1, 1, scheme.factor("value")], np.float32)[:, None]
    assert np.allclose(now, before * factors, rtol=1e-5)


@pytest.mark.parametrize("order", ["channels_last", "channels_first"])
def test_channels_of_a_convolution(order):
    axis = -1 if order == "channels_last" else 1

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.kernel = L.Conv2D(48, 1, data_format=order, name="kernel")
            self.out = L.Dense(WIDTH)

        def call(self, x):
            q, k, v = (
                ops.reshape(part if axis < 0 else ops.transpose(part, (0, 2, 3, 1)), (-1, 16, WIDTH))
                for part in ops.split(self.kernel(x), 3, axis=axis)
            )
            y = ops.reshape(self.out(ops.softmax(q @ ops.swapaxes(k, 1, 2)) @ v), (-1, 4, 4, WIDTH))
            return x + (y if axis < 0 else ops.transpose(y, (0, 3, 1, 2)))

    model = Model()
    model(np.ones((2, 4, 4, WIDTH) if axis < 0 else (2, WIDTH, 4, 4), np.float32))
    table = ic.initialize(model, residual=residual.t_fixup(3))
    assert parameters(model)[0].layout == Packed("io", 3)
    row = table["kernel/kernel"]
    assert (
        "query/key/value" in row.why and "3 maps" in row.why and row.scheme == "glorot_normal x 1, 1, 0.5091"
    )


@pytest.mark.parametrize(
    "f",
    [
        lambda y: ops.square(ops.relu(y)),
        lambda y: ops.relu(y) ** 2,
        lambda y: (z := ops.relu(y)) * z,
        lambda y: ops.square(L.ReLU()(y)),
    ],
)
def test_activations_one_after_another_are_one(f):
    x = keras.Input((16,))
    model = keras.Model(x, L.Dense(3)(f(L.Dense(8, name="up")(x))))
    row = ic.initialize(model)["up/kernel"]
    assert "of relu" in row.why
    assert row.std == pytest.approx(ic.theory.gain(lambda x: np.maximum(x, 0) ** 2).forward / 4, rel=1e-6)
