"""Every layer: its gradients against finite differences, its modes, its tensors, its errors."""

import numpy as np
import pytest
import reference

import initcore as ic

# A name, and layers that show one kind of layer at work on inputs of four numbers.
STACKS = {
    "dense": lambda: [ic.Dense(3)],
    "dense without bias": lambda: [ic.Dense(3, use_bias=False)],
    "two dense": lambda: [ic.Dense(6, activation="tanh"), ic.Dense(3)],
    "fused slope": lambda: [
        ic.Dense(6, activation="sigmoid"),
        ic.Dense(5, activation="sigmoid"),
        ic.Dense(2),
    ],
    "slope from input": lambda: [ic.Dense(6, activation="gelu"), ic.Dense(5, activation="silu"), ic.Dense(2)],
    "activation layers": lambda: [
        ic.Dense(6),
        ic.layers.Activation("tanh"),
        ic.layers.Activation("softplus"),
    ],
    "softmax": lambda: [ic.Dense(5, activation="softmax")],
    "log_softmax": lambda: [ic.Dense(5, activation="log_softmax"), ic.Dense(2)],
    "prelu": lambda: [ic.Dense(5, activation="prelu"), ic.Dense(2)],
    "rrelu": lambda: [ic.Dense(5, activation="rrelu"), ic.Dense(2)],
    "dropout": lambda: [ic.Dense(6, activation="tanh"), ic.layers.Dropout(0.4), ic.Dense(2)],
    "batch normalization": lambda: [
        ic.Dense(6),
        ic.layers.BatchNormalization(),
        ic.layers.Activation("tanh"),
    ],
    "normalization first": lambda: [ic.layers.BatchNormalization(), ic.Dense(2)],
    "flatten": lambda: [ic.layers.Flatten(), ic.Dense(3)],
    "residual": lambda: [ic.layers.Residual([ic.Dense(7, activation="tanh"), ic.Dense(4)]), ic.Dense(2)],
    "residual after activation": lambda: [
        ic.Dense(5, activation="tanh"),
        ic.layers.Residual([ic.Dense(5, activation="sigmoid")]),
        ic.Dense(2),
    ],
    "residual with shortcut": lambda: [
        ic.layers.Residual([ic.Dense(6, activation="gelu")], shortcut=[ic.Dense(6)]),
        ic.layers.Activation("sigmoid"),
    ],
    "residual of nothing": lambda: [ic.layers.Residual([]), ic.Dense(2)],
    "residual in residual": lambda: [
        ic.layers.Residual(
            [ic.Dense(4), ic.layers.Residual([ic.layers.Dropout(0.2), ic.Dense(4, activation="tanh")])]
        )
    ],
}
every_stack = pytest.mark.parametrize("layers", STACKS.values(), ids=STACKS.keys())
modes = pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])


def build(layers, dtype="float64", seed=0):
    return ic.Sequential(layers(), input_shape=(4,), seed=seed, dtype=dtype)


@modes
@every_stack
def test_gradients_agree_with_finite_differences(layers, training, isa, rng):
    model = build(layers)
    for array in (*model.parameters.values(), *model.state.values()):
        array += rng.uniform(0.05, 0.4, array.shape)  # off the symmetric start; variances stay positive
    x = rng.normal(size=(5, 4))
    dy = rng.normal(size=(5, *model.output_shape))
    state = {name: array.copy() for name, array in model.state.items()}

    def loss():
        for name, array in state.items():
            model.state[name][...] = array
        return float((model.forward(x, training=training, step=1) * dy).sum())

    loss()
    dx = model.backward(dy)
    gradients = {name: array.copy() for name, array in model.gradients.items()}

    def at(array):
        def f(values):
            before = array.copy()
            array[...] = values
            result = loss()
            array[...] = before
            return result

        return f

    np.testing.assert_allclose(dx, reference.gradient(at(x), x), rtol=2e-6, atol=2e-7)
    for name, array in model.parameters.items():
        expected = reference.gradient(at(array), array)
        np.testing.assert_allclose(gradients[name], expected, rtol=2e-6, atol=2e-7, err_msg=name)


@every_stack
def test_float32_follows_float64(layers, isa, rng):
    exact, fast = build(layers), build(layers, "float32")
    for name, array in exact.parameters.items():
        fast.parameters[name][...] = array
    x = rng.normal(size=(7, 4))
    np.testing.assert_allclose(fast.predict(x), exact.predict(x), rtol=2e-5, atol=2e-6)


@every_stack
def test_predict_is_forward_at_inference_in_any_batches(layers, rng):
    model = build(layers, "float32")
    x = rng.normal(size=(23, 4)).astype(np.float32)
    whole = model.forward(x)
    for batch_size in (1, 5, 23, 100):
        np.testing.assert_array_equal(model.predict(x, batch_size=batch_size), whole)


def test_dense_is_the_formula(isa, rng):
    model = ic.Sequential([ic.Dense(3, activation="tanh")], input_shape=(4,), dtype="float64")
    x = rng.normal(size=(6, 4))
    w, b = model.parameters["dense/kernel"], model.parameters["dense/bias"]
    b[...] = rng.normal(size=3)
    np.testing.assert_allclose(model.predict(x), np.tanh(x @ w + b), rtol=1e-14)


def test_dropout_keeps_the_mean_and_drops_its_share():
    rate, n = 0.3, 200_000
    model = ic.Sequential([ic.layers.Dropout(rate)], input_shape=(n,), seed=3)
    y = model.forward(np.ones((1, n), np.float32), training=True)[0]
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / (1 - rate))}
    error = np.sqrt(rate * (1 - rate) / n)  # of a share of n independent draws
    assert abs((y == 0).mean() - rate) < 5 * error
    assert abs(y.mean() - 1) < 5 * error / (1 - rate)


def test_dropout_masks_differ_by_layer_and_step_and_agree_by_seed(rng):
    def run(seed):
        layers = [ic.layers.Dropout(0.5), ic.layers.Activation("identity"), ic.layers.Dropout(0.5)]
        model = ic.Sequential(layers, input_shape=(1000,), seed=seed)
        before = model.forward(np.ones((2, 1000), np.float32), training=True)
        first, _, second = (t.output for t in model.trace(np.ones((2, 1000)), training=True))
        assert (before != second).any()  # each step draws anew, unless it is told which one it is
        steps = [model.forward(np.ones((2, 1000)), training=True, step=n) for n in (1, 2, 1)]
        np.testing.assert_array_equal(steps[0], before)
        np.testing.assert_array_equal(steps[1], second)
        np.testing.assert_array_equal(steps[2], steps[0])
        return first, second

    first, second = run(0)
    again, _ = run(0)
    other, _ = run(1)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any() and ((first > 0) != (second > 0)).any()
    assert (first[0] != first[1]).any()


def test_batch_normalization_gives_mean_0_and_variance_1_in_training(isa, rng):
    model = ic.Sequential([ic.layers.BatchNormalization(epsilon=1e-9)], input_shape=(37,), dtype="float64")
    y = model.forward(1e3 + rng.normal(size=(50, 37)), training=True)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-11)
    np.testing.assert_allclose(y.var(axis=0), 1, rtol=1e-6)


def test_moving_statistics_are_averages_and_serve_at_inference(rng):
    layer = ic.layers.BatchNormalization(momentum=0.9, epsilon=1e-3)
    model = ic.Sequential([layer], input_shape=(5,), dtype="float64")
    mean, variance = np.zeros(5), np.ones(5)
    for _ in range(3):
        x = 2 + rng.normal(size=(20, 5))
        model.forward(x, training=True)
        mean = 0.9 * mean + 0.1 * x.mean(axis=0)
        variance = 0.9 * variance + 0.1 * x.var(axis=0)
    np.testing.assert_allclose(model.state["batch_normalization/moving_mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(model.state["batch_normalization/moving_variance"], variance, rtol=1e-12)
    np.testing.assert_allclose(model.predict(x), (x - mean) / np.sqrt(variance + 1e-3), rtol=1e-10)


def test_auto_initializer_follows_the_activation_that_is_fed():
    layers = [
        ic.Dense(50, activation="relu"),
        ic.Dense(50),
        ic.layers.BatchNormalization(),
        ic.layers.Activation("tanh"),
        ic.Dense(50),
        ic.Dense(3, activation="softmax"),
    ]
    model = ic.Sequential(layers, input_shape=(50,))
    scheme = {name: t.initializer for name, t in model.tensors.items() if name.endswith("kernel")}
    auto = ic.initializers.auto
    assert scheme["dense/kernel"] == auto(ic.activations.get("relu"))
    assert scheme["dense_1/kernel"] == auto(ic.activations.get("tanh"))
    assert scheme["dense_2/kernel"] == auto(ic.activations.get(None))
    assert scheme["dense_3/kernel"] == auto(ic.activations.get("softmax"))


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: ic.Dense(0), ["units", "at least 1", "0"]),
        (lambda: ic.Dense(2.5), ["units", "2.5"]),
        (lambda: ic.Dense(2, activation="Relu"), ["'relu'", "Did you mean"]),
        (lambda: ic.Dense(2, kernel_initializer="he_norml"), ["'he_normal'", "Did you mean"]),
        (lambda: ic.layers.Dropout(1), ["rate", "[0, 1)"]),
        (lambda: ic.layers.BatchNormalization(epsilon=0), ["epsilon", "(0"]),
        (lambda: ic.Sequential([ic.Dense(2)]), ["input_shape"]),
        (lambda: ic.Sequential([ic.Dense(2)], input_shape=(28, 28)), ["Flatten", "(28, 28)"]),
        (lambda: ic.Sequential([ic.Dense(2)] * 2, input_shape=(2,)), ["same object", "Dense"]),
        (lambda: ic.Sequential(["dense"], input_shape=(2,)), ["layers", "dense"]),
        (lambda: ic.Sequential([ic.Dense(2)], input_shape=(2,), dtype="float16"), ["float32", "float16"]),
        (
            lambda: ic.Sequential([ic.layers.Residual([ic.Dense(3)])], input_shape=(2,)),
            ["(3,)", "(2,)", "shortcut"],
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(make, words):
    with pytest.raises((ValueError, TypeError)) as error:
        make()
    assert all(word in str(error.value) for word in words), error.value
