"""Sequential: its weights as a list, its metrics, and callbacks that use the model they watch."""

import numpy as np
import pytest

import initcore as ic


@pytest.fixture
def model():
    model = ic.Sequential([ic.Dense(8, activation="relu"), ic.Dense(3)], input_shape=(5,), seed=4)
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


@pytest.fixture
def data(rng):
    return rng.normal(size=(60, 5)).astype(np.float32), np.arange(60) % 3


@pytest.mark.parametrize(
    "last, words",
    [(np.zeros(4), ["(3,)", "(4,)"]), (["a", "b", "c"], ["could not convert"])],
)
def test_weights_are_set_all_or_none(model, last, words):
    before = model.get_weights()
    with pytest.raises(ValueError) as error:
        model.set_weights([array + 1 for array in before[:-1]] + [last])
    assert all(word in str(error.value) for word in words), error.value
    for array, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(array, old)
    model.set_weights([array + 1 for array in before])
    for array, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(array, old + 1)


def test_a_metric_may_stand_alone_but_not_twice(model, data):
    for metrics, names in (("accuracy", ["accuracy"]), (ic.metrics.get("accuracy"), ["accuracy"])):
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=metrics)
        assert list(model.evaluate(*data, return_dict=True)) == ["loss", *names]
    top = [ic.metrics.TopKAccuracy(1), ic.metrics.TopKAccuracy(2)]
    with pytest.raises(ValueError, match="'top_k_accuracy' twice"):
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=top)


def test_a_class_in_place_of_an_object_is_refused_with_the_remedy(model):
    for choice in ({"optimizer": ic.optimizers.Adam}, {"loss": ic.losses.MeanSquaredError}):
        with pytest.raises(ValueError, match=r"Call it: \w+\(\.\.\.\)"):
            model.compile(**choice)
    with pytest.raises(TypeError, match=r"Call it: Dense\(\.\.\.\)"):
        ic.Sequential([ic.Dense], input_shape=(5,))
    with pytest.raises(TypeError, match="list of layers, got Dense"):
        ic.Sequential(ic.Dense(3), input_shape=(5,))


def test_callbacks_may_evaluate_and_predict(model, data):
    class Look(ic.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.predict(data[0][:7])
            self.model.evaluate(*data, class_weight="balanced")

        def on_epoch_end(self, epoch, logs=None):
            logs["after"] = self.model.evaluate(*data)

    watched = model.fit(*data, epochs=3, verbose=0, callbacks=Look(), validation_data=data).history
    assert watched["after"] == watched["val_loss"]
    alone = ic.Sequential([ic.Dense(8, activation="relu"), ic.Dense(3)], input_shape=(5,), seed=4)
    alone.compile("sgd", "sparse_categorical_crossentropy")
    assert alone.fit(*data, epochs=3, verbose=0).history["loss"] == watched["loss"]


@pytest.mark.parametrize("hook", ["on_train_begin", "on_train_batch_end", "on_epoch_end"])
def test_fit_within_fit_is_refused(model, data, hook):
    again = ic.callbacks.LambdaCallback(**{hook: lambda *_: model.fit(*data, verbose=0)})
    with pytest.raises(RuntimeError, match="being trained already"):
        model.fit(*data, verbose=0, callbacks=again)
    assert len(model.fit(*data, verbose=0).epoch) == 1


def test_a_rate_set_between_batches_holds_from_the_next(model, data):
    """As in a search for the learning rate: with rate 0 after the first batch, nothing moves any more."""
    weights = []

    def freeze(batch, logs):
        weights.append(model.get_weights())
        model.learning_rate = 0.0

    start = model.get_weights()
    model.fit(
        *data, batch_size=20, verbose=0, callbacks=ic.callbacks.LambdaCallback(on_train_batch_end=freeze)
    )
    assert len(weights) == 3 and (weights[0][0] != start[0]).any()
    for later in weights[1:]:
        for array, first in zip(later, weights[0], strict=True):
            np.testing.assert_array_equal(array, first)


def test_stopping_before_the_first_batch_trains_one_epoch_at_most(model, data):
    stop = ic.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: setattr(model, "stop_training", True)
    )
    history = model.fit(*data, epochs=5, verbose=0, callbacks=stop).history
    assert len(history["loss"]) == 1 and np.isfinite(history["loss"][0])


OUTPUTS = {  # how losses with targets of their own want them: columns, last activation, targets from scores
    "binary_crossentropy": (1, "sigmoid", lambda z: z[:, 0] > 0),
    "hinge": (1, None, lambda z: np.sign(z[:, 0])),
    "poisson": (1, "softplus", lambda z: np.exp(z[:, 0] / 3)),
    "categorical_crossentropy": (3, "softmax", lambda z: np.eye(3)[z.argmax(axis=1)]),
    "sparse_categorical_crossentropy": (3, None, lambda z: z.argmax(axis=1)),
    "kl_divergence": (3, "softmax", lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)),
}


def learned(dtype="float32", activation="tanh", optimizer="adam", loss="mse"):
    """Return the share of the first epoch's loss that is left after the twentieth."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 6))
    columns, last, targets = OUTPUTS.get(loss, (1, None, lambda z: z[:, 0]))
    layers = [ic.Dense(12, activation=activation), ic.Dense(columns, activation=last)]
    model = ic.Sequential(layers, input_shape=(6,), seed=1, dtype=dtype)
    model.compile(optimizer, loss)
    losses = model.fit(x, targets(x @ rng.normal(size=(6, 3))), epochs=20, verbose=0).history["loss"]
    return losses[-1] / losses[0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ic.optimizers.names())
def test_every_optimizer_learns_in_fit(name, dtype):
    assert learned(dtype, optimizer=name) < 0.99


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ic.losses.names())
def test_every_loss_falls_in_fit(name, dtype):
    assert learned(dtype, loss=name) < 0.9


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ic.activations.names())
def test_a_network_of_every_activation_learns(name, dtype):
    assert learned(dtype, activation=name) < 0.95


def test_its_repr_tells_what_it_is(model):
    assert repr(model) == "<Sequential of Dense, Dense: 75 parameters, float32>"
