"""Numbers that anybody can check with NumPy: a small sigmoid network, and what equal weights do."""

import numpy as np
import pytest

import initcore as ic

X = [[0.5, 0.2, 0.1]]
W1, B1 = [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], [0.1, 0.2]
W2, B2 = [[0.7, 0.8], [0.9, 1.0]], [0.3, 0.4]

# 37 hidden units are full vectors and a tail on every instruction set; 50 rows in batches of 16 leave a
# smaller last one.
HIDDEN, ROWS, BATCH = 37, 50, 16


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-7), ("float64", 1e-15)])
def test_two_sigmoid_layers_give_what_numpy_gives(dtype, tolerance, isa):
    layers = [ic.Dense(2, activation="sigmoid"), ic.Dense(2, activation="sigmoid")]
    model = ic.Sequential(layers, input_shape=(3,), dtype=dtype)
    for array, value in zip(model.parameters.values(), (W1, B1, W2, B2), strict=True):
        array[...] = value
    # NumPy's own float64. Its float32 is 0.8e-7 from that, ours at most as much, to either side.
    x, w1, b1, w2, b2 = (np.asarray(value) for value in (X, W1, B1, W2, B2))
    expected = sigmoid(sigmoid(x @ w1 + b1) @ w2 + b2)
    for y in (model.forward(X), model.predict(X)):
        assert y.dtype == dtype
        np.testing.assert_allclose(y, expected, rtol=0, atol=tolerance)


def train(initializer, activation, optimizer, dtype="float32"):
    """Return the parameters of the hidden layer and the one after it, before and after training."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(ROWS, 5)), rng.integers(0, 3, ROWS)
    layers = [
        ic.Dense(HIDDEN, activation=activation, kernel_initializer=initializer),
        ic.Dense(3, kernel_initializer=initializer),
    ]
    model = ic.Sequential(layers, input_shape=(5,), seed=1, dtype=dtype)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    before = [array.copy() for array in model.parameters.values()]
    model.fit(x, y, batch_size=BATCH, epochs=3, verbose=0)
    return before, list(model.parameters.values())


def units(parameters):
    """Return one row per hidden unit: the weights that come in, the bias, the weights that go out."""
    w1, b1, w2, _ = parameters
    return np.concatenate([w1.T, b1[:, None], w2], axis=1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu"])
def test_equal_weights_keep_hidden_units_identical_bit_for_bit(activation, dtype, isa):
    before, after = train(ic.initializers.Constant(0.1), activation, "adam", dtype)
    assert (units(before)[0] != units(after)[0]).all()  # it did learn
    for unit in units(after)[1:]:
        assert unit.tobytes() == units(after)[0].tobytes()


@pytest.mark.parametrize("optimizer", ic.optimizers.names())
def test_no_optimizer_parts_what_starts_equal(optimizer, isa):
    _, after = train(ic.initializers.Constant(0.1), "tanh", optimizer)
    assert np.isfinite(units(after)).all()
    assert len(np.unique(units(after), axis=0)) == 1


@pytest.mark.parametrize("initializer", ["glorot_uniform", "he_normal", "orthogonal"])
def test_random_weights_part_the_units(initializer, isa):
    before, after = train(initializer, "tanh", "adam")
    for parameters in (before, after):
        assert len(np.unique(units(parameters), axis=0)) == HIDDEN
    moved = units(after) - units(before)
    assert len(np.unique(moved, axis=0)) == HIDDEN  # each goes a way of its own
