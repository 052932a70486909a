"""Every callback in a real training."""

import csv
import math

import numpy as np
import pytest

import initcore as ic
from initcore import callbacks

ROWS, BATCH = 100, 16
STEPS = math.ceil(ROWS / BATCH)


def make(seed=0, learning_rate=0.05):
    layers = [ic.Dense(8, activation="tanh"), ic.BatchNormalization(), ic.Dense(1)]
    model = ic.Sequential(layers, input_shape=(3,), seed=seed)
    model.compile(ic.optimizers.SGD(learning_rate), "mse", metrics=["mae"])
    return model


@pytest.fixture
def data(rng):
    x = rng.normal(size=(ROWS, 3))
    return x, np.sin(x.sum(1, keepdims=True))


def fit(model, data, *listeners, epochs=4, **options):
    options = {"batch_size": BATCH, "verbose": 0, "validation_split": 0.3, **options}
    return model.fit(*data, epochs=epochs, callbacks=listeners, **options)


def keeping(model):
    """Return a dict, and a callback that fills it: epoch -> weights."""
    kept = {}
    return kept, callbacks.LambdaCallback(on_epoch_end=lambda n, logs: kept.update({n: model.get_weights()}))


def bits(arrays):
    return [array.tobytes() for array in arrays]


def test_stopping_at_every_batch_changes_no_bit(data):
    seen = []
    batchwise = callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: seen.append(batch),
        on_train_batch_end=lambda batch, logs: seen.append((batch, math.isfinite(logs["loss"]))),
    )
    model, native = make(), make()
    history = fit(model, data, batchwise, epochs=2, validation_split=0)
    assert history.history == fit(native, data, epochs=2, validation_split=0).history
    assert bits(model.get_weights()) == bits(native.get_weights())
    assert seen == [entry for batch in range(STEPS) for entry in (batch, (batch, True))] * 2


def test_the_best_weights_come_back(data):
    kept = {}
    model = make(learning_rate=0.1)
    keep = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: kept.update({epoch: model.get_weights()})
    )
    stopping = callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    history = fit(model, data, keep, stopping, epochs=200)
    assert len(history.epoch) < 200
    losses = history.history["val_loss"]
    assert stopping.best_epoch == int(np.argmin(losses)) == len(losses) - 3
    assert bits(model.get_weights()) == bits(kept[stopping.best_epoch])


def test_a_checkpoint_makes_another_model_the_same(data, tmp_path):
    model, other = make(), make(seed=1)
    path = tmp_path / "{epoch}.safetensors"
    fit(model, data, callbacks.ModelCheckpoint(path, save_weights_only=True))
    assert not np.array_equal(model.predict(data[0]), other.predict(data[0]))
    other.load_weights(tmp_path / "4.safetensors")
    assert bits(other.get_weights()) == bits(model.get_weights())
    np.testing.assert_array_equal(model.predict(data[0]), other.predict(data[0]))


def test_only_the_best_checkpoint_stays(data, tmp_path):
    kept = {}
    model = make(learning_rate=0.1)
    keep = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: kept.update({epoch: model.get_weights()})
    )
    best = callbacks.ModelCheckpoint(tmp_path / "best", save_best_only=True)
    history = fit(model, data, best, keep, epochs=10)
    model.load_weights(tmp_path / "best")
    assert bits(model.get_weights()) == bits(kept[int(np.argmin(history.history["val_loss"]))])


def test_weights_of_another_model_are_refused_whole(data, tmp_path):
    model = make()
    model.save_weights(tmp_path / "weights")
    other = ic.Sequential([ic.Dense(8), ic.Dense(2)], input_shape=(3,))
    before = bits(other.get_weights())
    with pytest.raises(ValueError, match="does not fit") as caught:
        other.load_weights(tmp_path / "weights")
    for name in set(model.parameters) | set(model.state):
        if name not in other.parameters:
            assert f"{name!r} is unexpected" in str(caught.value)
    assert bits(other.get_weights()) == before


def test_the_log_holds_the_history(data, tmp_path):
    schedule = callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    history = fit(make(), data, schedule, callbacks.CSVLogger(tmp_path / "log.csv"))
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == {"epoch", *history.history}
    for name, values in history.history.items():
        assert [float(row[name]) for row in rows] == values
    assert history.history["learning_rate"] == [0.1 / (epoch + 1) for epoch in range(4)]


def test_a_rate_of_zero_leaves_the_parameters_alone(data):
    model = make()
    fit(model, data, epochs=1)
    before = bits(model.parameters.values())
    fit(model, data, callbacks.LearningRateScheduler(lambda epoch: 0.0))
    assert bits(model.parameters.values()) == before


def test_a_plateau_lowers_the_rate(data):
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1e9)
    history = fit(make(learning_rate=0.25), data, plateau)
    assert history.history["learning_rate"] == [0.25, 0.25, 0.125, 0.0625]


def test_a_broken_loss_ends_the_training(data, capsys):
    broken = ic.Sequential([ic.Dense(8), ic.Dense(1)], input_shape=(3,))
    broken.compile(ic.optimizers.SGD(1e20), "mse")
    history = fit(broken, data, callbacks.TerminateOnNaN(), epochs=1000)
    assert len(history.epoch) < 1000
    assert "training ends" in capsys.readouterr().out


def test_progress_is_a_line_per_epoch(data, capsys):
    fit(make(), data, verbose=2, epochs=3)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for epoch, line in enumerate(lines):
        assert line.startswith(f"Epoch {epoch + 1}/3 - ")
        for name in ("loss", "mae", "val_loss", "val_mae"):
            assert f" {name}: " in line


def test_an_error_in_a_callback_leaves_a_model_that_can_be_trained(data):
    def fail(epoch, logs):
        raise RuntimeError("mine")

    model = make()
    with pytest.raises(RuntimeError, match="mine"):
        fit(model, data, callbacks.LambdaCallback(on_epoch_end=fail))
    assert len(fit(model, data).epoch) == 4
