"""A network's plans and copies: what metrics see, when they are built; never part of a copy."""

import copy
import pickle

import numpy as np
import pytest

import initcore as ic
from initcore import network


@pytest.fixture
def model():
    layers = [ic.Dense(8, activation="relu"), ic.BatchNormalization(), ic.Dropout(0.5), ic.Dense(3)]
    model = ic.Sequential(layers, input_shape=(5,), seed=4)
    model.compile("adam", "sparse_categorical_crossentropy", metrics="accuracy")
    return model


@pytest.fixture
def data(rng):
    return rng.normal(size=(60, 5)).astype(np.float32), np.arange(60) % 3


@pytest.fixture
def built(monkeypatch):
    """Batch sizes of the plans built so far."""
    sizes = []
    build = network.Plan.build

    def counted(plan):
        sizes.append(plan.batch_size)
        build(plan)

    monkeypatch.setattr(network.Plan, "build", counted)
    return sizes


def test_a_plan_serves_smaller_batches_too(model, data, built):
    x, y = data
    expected = {rows: model.predict(x[:rows]) for rows in (60, 7, 1)}
    assert built == [60]
    for rows, result in expected.items():
        np.testing.assert_array_equal(model.forward(x)[:rows], result)
        np.testing.assert_array_equal(model.forward(x[:rows]), result)
    assert built == [60, 60]
    for rows in (60, 30, 7):
        model.evaluate(x[:rows], y[:rows])
    assert built == [60, 60, 60]


def test_plans_are_used_again(model, data, built):
    x, y = data
    for _ in range(3):
        model.fit(x, y, batch_size=16, epochs=2, verbose=0, validation_split=0.5)
        model.forward(x, training=True)
        model.forward(x)
    assert len(built) == 4
    model.fit(x, y, batch_size=17, epochs=1, verbose=0)  # a batch is a step: this is another training
    assert built[4:] == [17]


def test_backward_goes_through_the_forward_that_was_last(model, data):
    x, _ = data
    dy = np.ones((len(x), 3), np.float32)
    model.forward(x, training=True)
    in_training = model.backward(dy)
    model.forward(x)
    expected = model.backward(dy)
    assert (in_training != expected).any()
    model.predict(x)
    np.testing.assert_array_equal(model.backward(dy), expected)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_goes_on_as_the_original_does(model, data, copied):
    x, y = data
    model.fit(x, y, epochs=2, verbose=0)
    model.backward(model.forward(x))
    other = copied(model)
    np.testing.assert_array_equal(other.predict(x), model.predict(x))
    assert other.history.history == model.history.history and other.history.model is other
    frozen = model.get_weights()
    histories = [m.fit(x, y, epochs=2, verbose=0).history for m in (other,)]
    for array, before in zip(model.get_weights(), frozen, strict=True):
        np.testing.assert_array_equal(array, before)
    histories.append(model.fit(x, y, epochs=2, verbose=0).history)
    assert histories[0] == histories[1]
    for array, same in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(array, same)


def test_a_copy_made_while_training_can_be_trained(model, data):
    x, y = data
    copies = []
    keep = ic.callbacks.LambdaCallback(on_train_batch_end=lambda b, logs: copies.append(copy.copy(model)))
    model.fit(x, y, epochs=1, verbose=0, callbacks=keep)
    assert len(copies[-1].fit(x, y, epochs=1, verbose=0).epoch) == 1


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda m, x: m.predict(x, batch_size=0), ValueError, ["batch_size", "at least 1"]),
        (lambda m, x: m.predict(x, batch_size=-1), ValueError, ["batch_size", "at least 1"]),
        (lambda m, x: m.predict(x, batch_size="8"), TypeError, ["batch_size", "whole"]),
        (lambda m, x: m.predict(x[0]), ValueError, ["(n, 5)", "x[None]"]),
        (lambda m, x: m.predict(x.reshape(-1, 5, 1)), ValueError, ["x.reshape(-1, 5)"]),
        (lambda m, x: m.forward(x, step=0), ValueError, ["step", "at least 1"]),
        (lambda m, x: m.backward(x), RuntimeError, ["forward"]),
        (lambda m, x: (m.forward(x), m.backward(x)), ValueError, ["(60, 3)", "(60, 5)"]),
        (lambda m, x: (m.forward(x), m.backward(np.zeros((60, 3), complex))), TypeError, ["dy", "complex"]),
    ],
)
def test_what_does_not_fit_is_refused(model, data, call, error, words):
    with pytest.raises(error) as caught:
        call(model, data[0])
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize("activation", ["sigmoid", "softmax", None])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_metrics_in_training_are_those_of_the_predictions(activation, dtype, isa, rng):
    """Also where the loss takes over the last activation, so that its input is what the plan has."""
    x = 3 * rng.normal(size=(50, 4))
    y = np.eye(3)[rng.integers(0, 3, 50)]
    model = ic.Sequential([ic.Dense(3, activation=activation)], input_shape=(4,), seed=0, dtype=dtype)
    loss = {"sigmoid": "binary_crossentropy", "softmax": "categorical_crossentropy", None: "mse"}[activation]
    # Without the order of ties: the rounding of softmax may make some.
    measured = [name for name in ic.metrics.names() if name != "top_k_accuracy"]
    model.compile(ic.optimizers.SGD(0.0), loss, metrics=measured)
    trained = model.fit(x, y, batch_size=16, verbose=0).history
    evaluated = model.evaluate(x, y, batch_size=7, return_dict=True)
    prediction = model.predict(x)
    tolerance = 100 * float(np.finfo(dtype).eps)
    for name in measured:
        expected = ic.metrics.get(name)(y, prediction)
        assert trained[name] == [pytest.approx(expected, rel=tolerance)], name
        assert evaluated[name] == pytest.approx(expected, rel=tolerance), name


def test_the_output_activation_is_computed_only_if_a_metric_needs_it(rng):
    model = ic.Sequential([ic.Dense(3, activation="softmax")], input_shape=(4,))
    for metrics, operations in [(["accuracy"], 1), (["mse"], 2), (["mse", "mae", "accuracy"], 4)]:
        model.compile("sgd", "categorical_crossentropy", metrics=metrics)
        model.evaluate(rng.normal(size=(5, 4)), np.eye(3)[[0, 1, 2, 0, 1]])
        _, program = model._programs["evaluate"]
        assert len(program.plan.core.operations("metrics")) == operations
