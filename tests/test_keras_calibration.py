"""LSUV and standardization of Keras models, and `initialize` with data."""

import os

import numpy as np
import pytest

import initcore as ic

os.environ.setdefault("KERAS_BACKEND", "jax")  # what Keras imports by default is not there
keras = pytest.importorskip("keras", reason="calibrates models of a live Keras")
pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras's, on JAX
]
from initcore.keras import lsuv, standardize  # noqa: E402

L, ops = keras.layers, keras.ops
X = np.random.default_rng(0).normal(1, 3, (64, 8, 8, 4)).astype(np.float32)


def network():
    return keras.Sequential(
        [
            keras.Input((8, 8, 4)),
            L.Conv2D(6, 3, groups=2, activation="relu"),
            L.DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
            L.Conv2DTranspose(6, 3, activation="tanh"),
            L.SeparableConv2D(5, 3),
            L.BatchNormalization(),
            L.Flatten(),
            L.Dense(20, activation="gelu"),
            L.Dropout(0.5, seed=1),
            L.Reshape((4, 5)),
            L.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de"),
            L.Reshape((4, 6)),
            L.TimeDistributed(L.Dense(7)),
        ]
    )


NAMES = [
    *("conv2d", "depthwise_conv2d", "conv2d_transpose", "separable_conv2d", "dense", "einsum_dense"),
    "time_distributed/dense",
]


def outputs(model, x=X):
    """What every layer with a kernel gives, before its activation and with units last."""
    found = {}
    for layer in model.layers:
        inner = layer.layer if isinstance(layer, L.TimeDistributed) else layer
        own = getattr(inner, "activation", None)
        if any("kernel" in variable.name for variable in layer.trainable_variables):
            inner.activation = None
            z = np.asarray(ops.convert_to_numpy(layer(x)), np.float64)
            inner.activation = own
            found[layer.name] = z.reshape(-1, 6 if isinstance(layer, L.EinsumDense) else z.shape[-1])
        x = layer(x)
    return list(found.values())


def copied(model):
    return [np.array(ops.convert_to_numpy(variable)) for variable in model.variables]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("per", ["layer", "unit"])
@pytest.mark.parametrize("center", [False, True])
def test_every_layer_gives_variance_1(per, center):
    model = network()
    done = lsuv(model, X, per=per, center=center, tolerance=0.01)
    assert done.converged and [row.name for row in done] == NAMES
    for z in outputs(model):
        around = z - (z.mean(axis=0) if center or per == "unit" else z.mean())
        variance = np.mean(around**2, axis=0 if per == "unit" else None)
        assert np.allclose(variance, 1, rtol=0.02)
        assert not center or np.abs(z.mean(axis=0)).max() < 2e-3


def test_standardized_units():
    model = network()
    state = [np.array(ops.convert_to_numpy(one)) for one in model.non_trainable_variables]
    standardize(model, X)
    for z in outputs(model):
        assert np.abs(z.mean(axis=0)).max() < 2e-3 and np.abs(z.std(axis=0) - 1).max() < 2e-3
    moved = [np.array(ops.convert_to_numpy(one)) for one in model.non_trainable_variables]
    assert same(state, moved)


def test_in_training_statistics_and_seeds_stay():
    model = network()
    state = [np.array(ops.convert_to_numpy(one)) for one in model.non_trainable_variables]
    assert standardize(model, X, training=True).converged  # both passes drop the same
    assert same(state, [np.array(ops.convert_to_numpy(one)) for one in model.non_trainable_variables])


def test_what_cannot_be_changes_nothing():
    model = network()
    before, attributes = copied(model), [vars(layer).keys() for layer in model._flatten_layers()]
    with pytest.raises(ValueError, match="finite"):
        lsuv(model, X * np.nan)
    with pytest.raises(ValueError, match="incompatible"):
        lsuv(model, np.ones((2, 5)))
    with pytest.raises(ValueError, match="reach no"):
        lsuv(keras.Sequential([keras.Input((5, 3)), L.LSTM(4)]), np.ones((2, 5, 3)))
    with pytest.raises(ValueError, match="bias"):
        lsuv(keras.Sequential([keras.Input((3,)), L.Dense(3, use_bias=False)]), X[:, 0, 0, :3], center=True)
    assert same(before, copied(model))
    assert attributes == [vars(layer).keys() for layer in model._flatten_layers()]


def test_initialize_takes_data():
    model = network()
    table = ic.initialize(model, "lsuv", data=X, seed=3)
    assert [row.scheme for row in table if row.name.endswith("kernel")].count("lsuv") == len(NAMES)
    assert table["separable_conv2d/depthwise_kernel"].scheme == "orthogonal"
    assert table["conv2d/bias"].scheme == "zeros" and "variance" in table["conv2d/kernel"].why
    for z in outputs(model):
        assert z.var() == pytest.approx(1, rel=0.11)
    before = copied(model)
    with pytest.raises(ValueError, match="finite"):
        ic.initialize(model, "lsuv", data=X * np.inf)
    assert same(before, copied(model))


class Attends(keras.Model):
    """Attention, a layer used twice, a layer that nothing comes to, two inputs."""

    def __init__(self):
        super().__init__()
        self.attention, self.twice = L.MultiHeadAttention(2, 4), L.Dense(8, activation="tanh", name="twice")
        self.never = L.Dense(8, name="never")
        self.never.build((None, 8))

    def call(self, x, y, training=None):
        x = self.twice(self.twice(x)) + y
        return self.attention(x, x)


def test_the_table_says_what_was_not_scaled():
    x = np.random.default_rng(1).normal(1, 3, (64, 5, 8))
    model = Attends()
    model(x, x)
    table = ic.initialize(model, "lsuv", data=(x, x))
    scaled = {row.name for row in table if row.scheme == "lsuv"}
    assert scaled == {"twice/kernel", "multi_head_attention/attention_output/kernel"}
    assert np.var(ops.convert_to_numpy(model(x, x))) == pytest.approx(1, rel=0.11)
    for row in table:
        assert ("not scaled" in row.why) == (row.role == "kernel" and row.name not in scaled), row


class Cell(L.Layer):
    """Of a recurrent layer, with a dense layer as a part."""

    state_size = 8

    def __init__(self):
        super().__init__()
        self.inner = L.Dense(8)

    def build(self, shape):
        self.inner.build((None, 8 + shape[-1]))

    def call(self, x, states):
        h = ops.tanh(self.inner(ops.concatenate([x, states[0]], -1)))
        return h, [h]


def test_kernels_within_recurrent_layers_stay():
    model = keras.Sequential([keras.Input((5, 4)), L.RNN(Cell()), L.Dense(3)])
    assert [row.name for row in lsuv(model, X[:, 0, :5])] == ["dense"]


def test_channels_first():
    model, x = keras.Sequential([keras.Input((4, 8, 8)), L.Conv2D(6, 3, data_format="channels_first")]), X
    x = x.transpose(0, 3, 1, 2)
    assert lsuv(model, x, per="unit", tolerance=0.01).converged
    z = np.asarray(ops.convert_to_numpy(model(x)), np.float64)
    assert np.allclose(z.var(axis=(0, 2, 3)), 1, rtol=0.02)


def test_half_precision():
    model = keras.Sequential(
        [keras.Input((8,)), L.Dense(32, dtype="bfloat16"), L.Dense(32, dtype="bfloat16")]
    )
    x = np.random.default_rng(1).normal(1, 3, (64, 8)).astype(np.float32)
    assert lsuv(model, x).converged


def test_errors_are_in_our_words():
    """Keras puts its own around what is raised in a call, in bold."""
    model = keras.Sequential([keras.Input((3,)), L.Dense(3, activation="tanh", name="a")])
    with pytest.raises(ValueError, match=r"^a cannot be scaled: .*do not vary") as raised:
        ic.initialize(model, "lsuv", data=np.zeros((4, 3)))
    assert "\x1b" not in str(raised.value)
    with pytest.raises(ValueError, match=r"cannot be run on data=, a ndarray of shape \(2, 5\)"):
        ic.initialize(model, "lsuv", data=np.ones((2, 5)))
    row = ic.initialize(model, "lsuv", data=np.random.default_rng(0).normal(size=(99, 3)))["a/kernel"]
    assert "pre-activations" in row.why
    assert row.std == pytest.approx(ops.convert_to_numpy(model.layers[0].kernel).std(), rel=1e-5)
