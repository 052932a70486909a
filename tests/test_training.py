"""fit, evaluate, predict: what they compute, what input they take, and how they stop."""

import os
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import initcore as ic


def model_for(x, outputs=3, dtype="float32", seed=0, hidden=(16,), activation="tanh"):
    layers = [ic.Dense(n, activation=activation) for n in hidden]
    return ic.Sequential([*layers, ic.Dense(outputs)], input_shape=x.shape[1:], seed=seed, dtype=dtype)


@pytest.fixture
def blobs(rng):
    """Three separable clouds: inputs (90, 5) and class numbers."""
    y = np.arange(90) % 3
    return (rng.normal(size=(3, 5)) * 3)[y] + rng.normal(size=(90, 5)), y


def numpy_training(x, y, w1, b1, w2, b2, rate, epochs, batch, orders):
    """Plain gradient descent on softmax cross-entropy of a tanh network, in float64."""
    losses = []
    for epoch in range(epochs):
        total = 0.0
        for start in range(0, len(x), batch):
            rows = orders[epoch][start : start + batch]
            a, t = x[rows], y[rows]
            h = np.tanh(a @ w1 + b1)
            z = h @ w2 + b2
            p = np.exp(z - z.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            total += -np.log(p[np.arange(len(t)), t]).sum()
            dz = p.copy()
            dz[np.arange(len(t)), t] -= 1
            dz /= len(t)
            dh = dz @ w2.T * (1 - h**2)
            w2 -= rate * h.T @ dz
            b2 -= rate * dz.sum(axis=0)
            w1 -= rate * a.T @ dh
            b1 -= rate * dh.sum(axis=0)
        losses.append(total / len(x))
    return losses


@pytest.mark.parametrize("batch_size", [1, 7, 32, 90, 1000])
def test_fit_is_the_textbook_loop(isa, blobs, batch_size):
    x, y = blobs
    model = model_for(x, dtype="float64")
    start = [array.copy() for array in model.parameters.values()]
    model.compile(ic.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    history = model.fit(x, y, batch_size=batch_size, epochs=3, verbose=0, shuffle=False)
    order = np.arange(len(x))
    losses = numpy_training(x, y, *start, 0.1, 3, min(batch_size, len(x)), [order] * 3)
    np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-10)
    for array, expected in zip(model.parameters.values(), start, strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_training_is_reproducible_by_seed_whatever_the_threads(isa, rng, threads):
    x, y = rng.normal(size=(300, 200)).astype(np.float32), rng.integers(0, 3, 300)

    def train(threads, seed):
        before = ic.get_num_threads()
        ic.set_num_threads(threads)
        model = model_for(x, hidden=(300, 100), seed=seed)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(x, y, batch_size=128, epochs=2, verbose=0)
        ic.set_num_threads(before)
        return history.history, b"".join(array.tobytes() for array in model.get_weights())

    assert train(threads, 5) == train(1, 5)
    assert train(1, 6)[1] != train(1, 5)[1]


def test_shuffling_visits_every_example_once_in_new_orders():
    seen = []

    class Watch(ic.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(self.model.parameters["dense/kernel"][0, 0].item())

    # With rate 1 and loss mean|w x - y|, one weight, the sum of signs shows that each example came once.
    model = ic.Sequential([ic.Dense(1, use_bias=False, kernel_initializer="zeros")], input_shape=(1,))
    model.compile(ic.optimizers.SGD(1.0), "mae")
    model.fit(np.ones((90, 1)), np.full((90, 1), 1e6), batch_size=1, epochs=2, verbose=0, callbacks=[Watch()])
    assert seen == [90, 180]
    orders = [(ic.Key(0) / "shuffle").permutation(90, step=step) for step in (0, 90)]
    assert all(sorted(order) == list(range(90)) for order in orders)
    assert (orders[0] != orders[1]).any()


def test_fits_one_after_another_are_one_long_fit(blobs):
    x, y = blobs

    def train(*epochs):
        model = model_for(x)
        model.compile("adam", "sparse_categorical_crossentropy")
        for n in epochs:
            model.fit(x, y, epochs=n, verbose=0)
        return model.parameters["dense/kernel"].tobytes()

    assert train(1, 1, 2) == train(4)


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x.astype(np.float64),
        lambda x: x.astype(">f4"),
        lambda x: x.astype(np.float16).astype(np.float32),
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x[::-1][::-1],
        lambda x: x.tolist(),
    ],
    ids=["float64", "big-endian", "float16 values", "Fortran", "strided", "reversed twice", "list"],
)
def test_any_layout_and_dtype_of_input_gives_the_same(blobs, convert):
    x, y = blobs
    x = x.astype(np.float16).astype(np.float32)

    def train(data):
        model = model_for(x)
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(data, y, epochs=2, verbose=0)
        return model.parameters["dense/kernel"].copy()

    np.testing.assert_array_equal(train(convert(x)), train(x))


def test_read_only_input_works_and_input_is_never_changed(blobs):
    x, y = (np.array(a) for a in blobs)
    before = x.tobytes(), y.tobytes()
    x.flags.writeable = y.flags.writeable = False
    model = model_for(x)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=1, verbose=0)
    assert (x.tobytes(), y.tobytes()) == before


def test_bytes_are_read_as_shares_of_255(rng):
    x = rng.integers(0, 256, (40, 6), dtype=np.uint8)
    model = model_for(x)
    np.testing.assert_allclose(model.predict(x), model.predict(x / np.float32(255)), rtol=1e-5, atol=1e-6)


def test_validation_split_is_the_last_part_and_data_goes_before_it(blobs):
    x, y = blobs
    model = model_for(x)
    model.compile(ic.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=1, verbose=0, validation_split=0.2)
    expected = model.evaluate(x[72:], y[72:], return_dict=True)
    assert history.history["val_loss"] == [pytest.approx(expected["loss"], rel=1e-6)]
    assert history.history["val_accuracy"] == [expected["accuracy"]]
    history = model.fit(x, y, epochs=1, verbose=0, validation_split=0.2, validation_data=(x[:9], y[:9]))
    expected = model.evaluate(x[:9], y[:9], return_dict=True)
    assert history.history["val_loss"] == [pytest.approx(expected["loss"], rel=1e-6)]


def test_sample_weights_equal_repetition(blobs, rng):
    x, y = blobs
    times = rng.integers(0, 3, len(x))

    def train(x, y, **kwargs):
        model = model_for(x, dtype="float64")
        model.compile(ic.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        model.fit(x, y, batch_size=len(x), epochs=3, verbose=0, shuffle=False, **kwargs)
        return model.parameters["dense/kernel"].copy()

    weighted = train(x, y, sample_weight=times * len(x) / times.sum())
    np.testing.assert_allclose(weighted, train(np.repeat(x, times, axis=0), np.repeat(y, times)), rtol=1e-9)


def test_class_weight_is_a_sample_weight(blobs):
    x, y = blobs
    x, y = x[:50], y[:50]
    for spec in ({0: 3.0, 2: 0.5}, [3.0, 1.0, 0.5], "balanced"):
        weights = (
            {"balanced": 50 / (3 * np.bincount(y))}.get(spec, [3.0, 1.0, 0.5])
            if spec == "balanced"
            else [3.0, 1.0, 0.5]
        )
        model = model_for(x)
        model.compile("adam", "sparse_categorical_crossentropy")
        expected = model.evaluate(x, y, sample_weight=np.asarray(weights)[y])
        assert model.evaluate(x, y, class_weight=spec) == pytest.approx(expected, rel=1e-6)


def test_evaluate_does_not_depend_on_the_batch_size(blobs):
    x, y = blobs
    model = model_for(x)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    whole = model.evaluate(x, y, batch_size=90)
    for batch_size in (1, 7, 64):
        np.testing.assert_allclose(model.evaluate(x, y, batch_size=batch_size), whole, rtol=1e-6)


def test_softmax_output_is_fused_and_gives_the_same_as_logits(blobs):
    x, y = blobs
    weights = []
    for activation in (None, "softmax"):
        model = ic.Sequential(
            [ic.Dense(3, activation=activation, kernel_initializer="glorot_normal")], input_shape=(5,)
        )
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(x * 1e3, y, epochs=2, verbose=0)
        weights.append(model.parameters["dense/kernel"].copy())
    np.testing.assert_array_equal(*weights)
    np.testing.assert_allclose(model.predict(x).sum(axis=1), 1, rtol=1e-6)


def test_regularizers_add_to_gradient_and_loss(blobs):
    x, y = blobs
    l2 = 0.05

    def build(regularizer):
        layers = [ic.Dense(3, kernel_regularizer=regularizer, kernel_initializer="he_normal")]
        model = ic.Sequential(layers, input_shape=(5,), dtype="float64")
        model.compile(ic.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        return model

    plain, penalized = build(None), build(ic.regularizers.L2(l2))
    kernel = plain.parameters["dense/kernel"].copy()
    histories = [m.fit(x, y, batch_size=90, epochs=1, verbose=0, shuffle=False) for m in (plain, penalized)]
    losses = [h.history["loss"][0] for h in histories]
    assert losses[1] - losses[0] == pytest.approx(l2 * (kernel**2).sum(), rel=1e-9)
    difference = plain.parameters["dense/kernel"] - penalized.parameters["dense/kernel"]
    np.testing.assert_allclose(difference, 0.1 * 2 * l2 * kernel, rtol=1e-8)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"x": np.zeros((9, 4))}, ["(n, 5)", "(9, 4)"]),
        ({"x": np.zeros(5)}, ["(n, 5)", "x[None]"]),
        ({"x": np.zeros((9, 5), complex)}, ["real", "complex"]),
        ({"x": np.zeros((9, 5), object)}, ["real", "object"]),
        ({"x": np.zeros((8, 5))}, ["same length", "8", "9"]),
        ({"x": np.zeros((0, 5)), "y": np.zeros(0, int)}, ["at least one"]),
        ({"x": np.full((9, 5), np.nan)}, ["finite", "row 0", "allow_nonfinite"]),
        ({"y": np.full(9, 3)}, ["3"]),
        ({"y": np.full(9, -1)}, ["-1"]),
        ({"y": np.arange(9) % 3 + 1}, ["write y - 1"]),
        ({"y": None}, ["y must be given"]),
        ({"y": 1}, ["y must be given", "1"]),
        ({"y": np.array(list("abcabcabc"))}, ["real numbers", "np.unique"]),
        ({"x": np.full((9, 5), "1")}, ["x must hold real numbers", "<U1"]),
        ({"x": [[1.0] * 5] * 8 + [[1.0]]}, ["x must be one array"]),
        ({"x": np.ma.masked_equal(np.zeros((9, 5)), 0)}, ["x", "masked"]),
        ({"batch_size": 0}, ["batch_size", "at least 1"]),
        ({"epochs": -1}, ["epochs"]),
        ({"initial_epoch": -1}, ["initial_epoch", "at least 0"]),
        ({"verbose": 3}, ["verbose", "'auto'", "3"]),
        ({"validation_data": np.zeros((9, 5))}, ["validation_data", "(x, y)"]),
        ({"validation_data": (np.zeros((9, 4)), np.zeros(9))}, ["validation_data: x", "(9, 4)"]),
        ({"validation_split": 1.0}, ["validation_split", "[0, 1)"]),
        ({"sample_weight": np.ones(8)}, ["sample_weight"]),
        ({"sample_weight": np.zeros(9)}, ["sample_weight"]),
        ({"callbacks": [ic.callbacks.EarlyStopping]}, ["Call it"]),
    ],
)
def test_bad_input_is_refused_before_anything_is_changed(change, words):
    model = model_for(np.zeros((9, 5)))
    model.compile("adam", "sparse_categorical_crossentropy")
    before = [array.copy() for array in model.get_weights()]
    arguments = {"x": np.zeros((9, 5)), "y": np.zeros(9, int), "verbose": 0, **change}
    with pytest.raises((ValueError, TypeError)) as error:
        model.fit(**arguments)
    assert all(word in str(error.value) for word in words), error.value
    for array, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_nonfinite_data_is_trained_on_if_asked(blobs):
    x, y = blobs
    x[0, 0] = np.inf
    model = model_for(x)
    model.compile("sgd", "sparse_categorical_crossentropy")
    history = model.fit(x, y, epochs=1, verbose=0, allow_nonfinite=True)
    assert len(history.history["loss"]) == 1


def test_one_row_one_feature_one_class_and_no_epochs():
    model = ic.Sequential([ic.Dense(1, activation="sigmoid")], input_shape=(1,))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(np.ones(1), np.ones(1), batch_size=64, epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2
    assert model.fit(np.ones(1), np.ones(1), epochs=0, verbose=0).history == {}
    assert model.predict(np.ones((0, 1))).shape == (0, 1)


def test_a_model_in_use_by_another_thread_is_refused(rng):
    x, y = rng.normal(size=(20_000, 5)), rng.integers(0, 3, 20_000)
    model = model_for(x, hidden=(64, 64))
    model.compile("adam", "sparse_categorical_crossentropy")
    started = threading.Event()
    begun = ic.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: started.set())
    thread = threading.Thread(target=lambda: model.fit(x, y, epochs=30, verbose=0, callbacks=begun))
    thread.start()
    assert started.wait(60)
    with pytest.raises(RuntimeError, match="another thread"):
        model.predict(x)
    model.stop_training = True
    thread.join()


def test_models_in_threads_give_the_bits_of_models_alone(blobs):
    x, y = blobs

    def train(seed, results):
        model = model_for(x, seed=seed, hidden=(32,))
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(x, y, epochs=20, verbose=0)
        results[seed] = b"".join(array.tobytes() for array in model.get_weights())

    alone, together = {}, {}
    for seed in range(4):
        train(seed, alone)
    threads = [threading.Thread(target=train, args=(seed, together)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


CTRL_C = """
    import signal

    import numpy as np
    import initcore as ic
    # Whoever runs the tests in the background of a shell hands down that Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    x, y = np.random.default_rng(0).normal(size=(20_000, 64)), np.arange(20_000) % 3
    model = ic.Sequential([ic.Dense(256, activation="relu"), ic.Dense(3)], input_shape=(64,))
    model.compile("adam", "sparse_categorical_crossentropy")

    class Ready(ic.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            print("epoch", flush=True)

    try:
        model.fit(x, y, epochs=1_000_000, verbose=0, callbacks=[Ready()], batch_size={batch_size})
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    assert len(model.history.history["loss"]) >= 1
    assert all(np.isfinite(a).all() for a in model.get_weights())
    model.fit(x, y, epochs=2, verbose=0)
    assert len(model.history.history["loss"]) == 2 and np.isfinite(model.evaluate(x, y))
    print("trained on", flush=True)
"""


@pytest.mark.parametrize("batch_size", [32, 20_000])
def test_ctrl_c_stops_soon_with_history_and_sound_weights(batch_size):
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CTRL_C.format(batch_size=batch_size))],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "INITCORE_NUM_THREADS": "1"},
    )
    with child:
        for _ in range(2):  # the first epoch is in the history when the second ends
            assert child.stdout.readline() == "epoch\n"
        child.send_signal(signal.SIGINT)
        lines = [line for line in child.stdout.read().splitlines() if line != "epoch"]
    assert child.returncode == 0
    assert lines == ["interrupted", "trained on"]


def test_class_weights_and_accuracy_follow_the_labels_as_given(rng):
    """The hinge loss turns 0 and 1 into -1 and 1; who weighs class 0 means the label 0."""
    x = rng.normal(size=(50, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    model = ic.Sequential([ic.Dense(1)], input_shape=(4,), seed=0)
    model.compile("sgd", "hinge", metrics=["accuracy"])
    margins = model.predict(x)
    expected = ic.losses.Hinge()(y, margins, np.where(y == 0, 3.0, 1.0))
    history = model.fit(x, y, batch_size=50, epochs=1, verbose=0, class_weight={0: 3.0}).history
    assert history["loss"][0] == pytest.approx(expected, rel=1e-5)
    assert model.evaluate(x, y)[1] == pytest.approx(((model.predict(x)[:, 0] > 0) == y).mean())
