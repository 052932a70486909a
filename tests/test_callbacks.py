"""Callbacks against a model that plays back given logs; the decisions also against Keras's own callbacks."""

import csv
import io
import math
import os

import numpy as np
import pytest

from initcore import weights
from initcore.callbacks import (
    HOOKS,
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    Monitor,
    ProgressBar,
    ReduceLROnPlateau,
    TerminateOnNaN,
)


class FakeModel:
    """The least that a callback may ask of a model. `train` plays back logs instead of learning."""

    def __init__(self, learning_rate=0.1):
        self.parameters = {
            "dense/kernel": np.zeros((2, 3), np.float32),
            "dense/bias": np.zeros(3, np.float32),
        }
        self.state = {"norm/mean": np.zeros(3, np.float32)}
        self.learning_rate = learning_rate
        self.stop_training = False

    @property
    def tensors(self):
        return {**self.parameters, **self.state}

    def get_weights(self):
        return list(self.tensors.values())  # no copies: a callback must not count on them

    def set_weights(self, values):
        for array, value in zip(self.tensors.values(), values, strict=True):
            array[...] = value

    def save_weights(self, path):
        weights.save(path, self.tensors)

    def train(self, logs_of_epochs, callbacks, batches=2, **params):
        """Call the hooks as a trainer does; in epoch k every weight is k."""
        history = History()
        params = {"epochs": len(logs_of_epochs), "steps": batches, **params}
        listeners = CallbackList(callbacks, self, params, history=history)
        self.stop_training = False
        listeners.on_train_begin({})
        for epoch, logs in enumerate(logs_of_epochs):
            listeners.on_epoch_begin(epoch, {})
            self.set_weights([epoch] * len(self.tensors))
            for batch in range(batches):
                if listeners.needs_batches:
                    listeners.on_train_batch_begin(batch, {})
                    listeners.on_train_batch_end(batch, dict(logs))
                listeners.on_progress(batch + 1, batches, dict(logs))
            listeners.on_epoch_end(epoch, dict(logs))
            if self.stop_training:
                break
        listeners.on_train_end({})
        return history


def losses(*values):
    return [{"loss": value} for value in values]


# --- the list -----------------------------------------------------------------------------------------------


def test_hooks_come_in_order_to_every_callback():
    seen = []
    hooks = {name: lambda *args, name=name, **kw: seen.append(name) for name in HOOKS}
    FakeModel().train(losses(1, 2), [LambdaCallback(**hooks)], batches=1)
    epoch = [
        "on_epoch_begin",
        "on_train_batch_begin",
        "on_train_batch_end",
        "on_progress",
        "on_epoch_end",
    ]
    assert seen == ["on_train_begin", *epoch, *epoch, "on_train_end"]


@pytest.mark.parametrize("hook", HOOKS)
def test_the_list_hands_every_hook_on(hook):
    seen = []
    first = LambdaCallback(**{hook: lambda *args: seen.append(("first", args))})
    second = LambdaCallback(**{hook: lambda *args: seen.append(("second", args))})
    getattr(CallbackList([first, second]), hook)(1, 2)
    assert seen == [("first", (1, 2)), ("second", (1, 2))]


def test_only_a_batch_hook_makes_the_training_stop_at_every_batch():
    class OnBatch(Callback):
        def on_train_batch_end(self, batch, logs=None):
            pass

    batchwise = [OnBatch(), LambdaCallback(on_train_batch_begin=print), ModelCheckpoint("x", save_freq=2)]
    others = [
        *(EarlyStopping(), ModelCheckpoint("x"), CSVLogger("x"), ReduceLROnPlateau(), TerminateOnNaN()),
        *(ProgressBar(), History(), LearningRateScheduler(float), LambdaCallback(on_epoch_end=print)),
    ]
    for callback in batchwise:
        assert CallbackList([History(), callback]).needs_batches, callback
    for callback in others:
        assert not CallbackList(callback).needs_batches, callback
    assert CallbackList([History(), ProgressBar()]).shows_progress
    assert not CallbackList([History(), EarlyStopping()]).shows_progress


def test_a_class_instead_of_a_callback_is_refused():
    with pytest.raises(TypeError, match=r"Callback, got <class .*History'>\. Call it"):
        CallbackList([History])
    with pytest.raises(TypeError, match="got 'early_stopping'"):
        CallbackList(["early_stopping"])


def test_a_history_among_the_callbacks_is_filled_once():
    history = History()
    listeners = CallbackList([history], FakeModel(), {"epochs": 1}, history=history)
    listeners.on_train_begin({})
    listeners.on_epoch_end(0, {"loss": 1.0})
    assert history.history == {"loss": [1.0]}
    assert history.params == {"epochs": 1}


def test_history_holds_what_callbacks_added_and_goes_on_in_a_second_training():
    schedule = LearningRateScheduler(lambda epoch: 0.5**epoch)
    history = FakeModel().train(losses(3.0, 2.0), schedule)
    assert history.history == {"loss": [3.0, 2.0], "learning_rate": [1.0, 0.5]}
    assert history.epoch == [0, 1]
    history.on_train_begin()
    history.on_epoch_end(0, {"loss": 1.0})
    assert history.history["loss"] == [3.0, 2.0, 1.0]
    assert history.epoch == [0]


# --- monitors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("monitor", "sign"),
    [
        ("val_loss", -1),
        ("loss", -1),
        ("accuracy", 1),
        ("val_binary_accuracy", 1),
        ("r2", 1),
        ("val_rmse", -1),
    ],
)
def test_the_name_tells_which_way_is_better(monitor, sign):
    assert Monitor(monitor, "auto").sign == sign
    assert Monitor(monitor, "max").sign == 1


def test_a_name_that_does_not_tell_and_a_wrong_mode_are_refused():
    with pytest.raises(ValueError, match="mode must be 'min' or 'max' for monitor='weather'"):
        EarlyStopping("weather")
    with pytest.raises(ValueError, match="mode must be one of 'auto', 'min', 'max', got 'least'"):
        EarlyStopping(mode="least")


def test_a_figure_that_nobody_logs_is_an_error_that_names_the_others():
    with pytest.raises(
        ValueError, match=r"one of 'loss', 'accuracy', got 'val_loss'.*'loss'.*validation_data"
    ):
        FakeModel().train([{"loss": 1.0, "accuracy": 0.5}], EarlyStopping())


def test_epochs_without_validation_are_passed_over():
    logs = [{"loss": 1.0}, {"loss": 1.0, "val_loss": 1.0}] * 3
    stopping = EarlyStopping(patience=1)
    FakeModel().train(logs, stopping, validation_freq=2)
    assert stopping.stopped_epoch == 3


def test_nan_is_never_the_best():
    stopping = EarlyStopping("loss", patience=2, restore_best_weights=True)
    model = FakeModel()
    model.train(losses(math.nan, 2.0, math.nan, 1.0, math.nan, 3.0), stopping)
    assert (stopping.best, stopping.best_epoch) == (1.0, 3)
    assert model.parameters["dense/kernel"][0, 0] == 3


def test_early_stopping_gives_the_best_weights_back_with_state():
    model = FakeModel()
    history = model.train(losses(3, 1, 2, 2, 2), EarlyStopping("loss", patience=2, restore_best_weights=True))
    assert history.epoch == [0, 1, 2, 3]
    for array in model.tensors.values():
        np.testing.assert_array_equal(array, 1)


def test_early_stopping_starts_anew_in_a_second_training():
    stopping = EarlyStopping("loss", patience=1)
    model = FakeModel()
    assert model.train(losses(1, 2, 3), stopping).epoch == [0, 1]
    assert model.train(losses(3, 2, 1), stopping).epoch == [0, 1, 2]


def import_keras():
    os.environ.setdefault("KERAS_BACKEND", "numpy")  # what Keras imports by default is not there
    return pytest.importorskip("keras", reason="Keras decides what its callbacks mean")


class KerasModel:
    """What Keras's own callbacks ask of a model."""

    class Optimizer:
        learning_rate = 1.0

    def __init__(self):
        self.optimizer, self.stop_training, self.metrics, self.epoch = self.Optimizer(), False, [], 0

    def get_weights(self):
        return [np.array(self.epoch)]

    def set_weights(self, values):
        self.epoch = int(values[0])


def random_figures(rng):
    """A metric that wanders, in steps of 1/64: exact in float32, in which Keras compares."""
    return np.cumsum(rng.integers(-8, 8, 30)) / 64


def play(model, callback, figures, name, set_epoch):
    callback.set_model(model)
    callback.on_train_begin({})
    trace = []
    for epoch, value in enumerate(figures):
        callback.on_epoch_begin(epoch, {})
        set_epoch(epoch)
        callback.on_epoch_end(epoch, {name: float(value)})
        trace.append((epoch, getattr(model, "learning_rate", None) or model.optimizer.learning_rate))
        if model.stop_training:
            break
    callback.on_train_end({})
    return trace


def compare_with_keras(theirs, ours, figures, name):
    keras_model, model = KerasModel(), FakeModel(learning_rate=1.0)
    their_trace = play(keras_model, theirs, figures, name, lambda epoch: setattr(keras_model, "epoch", epoch))
    our_trace = play(model, ours, figures, name, lambda epoch: model.set_weights([epoch] * 3))
    assert our_trace == their_trace
    assert model.parameters["dense/bias"][0] == keras_model.epoch
    return len(our_trace)


@pytest.mark.peers
def test_early_stopping_decides_as_keras_does(rng):
    keras = import_keras()
    ends = set()
    for _ in range(300):
        mode = str(rng.choice(["min", "max"]))
        options = {
            "patience": int(rng.integers(0, 6)),
            "min_delta": int(rng.integers(0, 8)) / 64,
            "baseline": None if rng.random() < 0.5 else int(rng.integers(-32, 32)) / 64,
            "restore_best_weights": bool(rng.random() < 0.5),
            "start_from_epoch": int(rng.integers(0, 5)),
        }
        theirs = keras.callbacks.EarlyStopping("figure", mode=mode, **options)
        ours = EarlyStopping("figure", mode=mode, **options)
        ends.add(compare_with_keras(theirs, ours, random_figures(rng), "figure"))
        assert (ours.stopped_epoch, ours.best_epoch) == (theirs.stopped_epoch, theirs.best_epoch)
    assert len(ends) > 10  # they did stop, at many different epochs


@pytest.mark.peers
def test_reduce_on_plateau_decides_as_keras_does(rng):
    keras = import_keras()
    for _ in range(300):
        mode = str(rng.choice(["min", "max"]))
        options = {
            "factor": float(rng.choice([0.5, 0.25])),
            "patience": int(rng.integers(0, 6)),
            "min_delta": int(rng.integers(0, 8)) / 64,
            "cooldown": int(rng.integers(0, 4)),
            "min_lr": float(rng.choice([0.0, 0.125, 0.1875])),
        }
        theirs = keras.callbacks.ReduceLROnPlateau("figure", mode=mode, **options)
        ours = ReduceLROnPlateau("figure", mode=mode, **options)
        compare_with_keras(theirs, ours, random_figures(rng), "figure")


# --- learning rates -----------------------------------------------------------------------------------------


def test_the_schedule_may_look_at_the_rate():
    history = FakeModel(0.8).train(losses(1, 1, 1), LearningRateScheduler(lambda epoch, rate: rate / 2))
    assert history.history["learning_rate"] == [0.4, 0.2, 0.1]


@pytest.mark.parametrize("rate", [math.nan, math.inf, -0.1])
def test_a_schedule_that_returns_no_rate_is_an_error(rate):
    model = FakeModel(0.5)
    with pytest.raises(ValueError, match="rate that schedule returns"):
        model.train(losses(1), LearningRateScheduler(lambda epoch: rate))
    assert model.learning_rate == 0.5


def test_errors_inside_a_schedule_are_not_swallowed():
    def schedule(epoch):
        raise TypeError("inside")

    with pytest.raises(TypeError, match="inside"):
        FakeModel().train(losses(1), LearningRateScheduler(schedule))
    with pytest.raises(TypeError, match="schedule must take"):
        LearningRateScheduler(lambda: 0.1)
    with pytest.raises(TypeError, match=r"function of the epoch, got 0\.1"):
        LearningRateScheduler(0.1)


def test_plateau_logs_the_rate_that_the_epoch_had():
    plateau = ReduceLROnPlateau("loss", factor=0.5, patience=1)
    assert FakeModel(0.8).train(losses(1, 1, 1), plateau).history["learning_rate"] == [0.8, 0.8, 0.4]


@pytest.mark.parametrize(
    "wrong", [{"factor": 1.0}, {"factor": 0}, {"patience": -1}, {"min_lr": -1}, {"cooldown": -1}]
)
def test_plateau_refuses_what_makes_no_sense(wrong):
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} must"):
        ReduceLROnPlateau(**wrong)


# --- NaN ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_training_ends_at_once_when_the_loss_is_no_number(bad, capsys):
    assert FakeModel().train(losses(1, bad, 1), TerminateOnNaN()).epoch == [0, 1]
    assert (
        capsys.readouterr().out == f"The loss became {bad} within the first 1 of 2 batches: training ends\n"
    )
    with pytest.raises(RuntimeError, match=f"loss became {bad}"):
        FakeModel().train(losses(1, bad, 1), TerminateOnNaN(raise_error=True), batches=0)


# --- files --------------------------------------------------------------------------------------------------


def test_a_checkpoint_of_every_epoch_with_its_figures_in_the_name(tmp_path):
    checkpoint = ModelCheckpoint(
        tmp_path / "new" / "{epoch:02d}-{loss:.1f}.safetensors", save_weights_only=True
    )
    model = FakeModel()
    model.train(losses(3, 2), checkpoint)
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["01-3.0.safetensors", "02-2.0.safetensors"]
    assert weights.load(tmp_path / "new" / names[0])[0]["norm/mean"][0] == 0
    assert weights.load(tmp_path / "new" / names[1])[0]["norm/mean"][0] == 1


def test_only_the_best_is_kept(tmp_path, capsys):
    path = tmp_path / "best"
    FakeModel().train(losses(3, 1, 2), ModelCheckpoint(path, "loss", verbose=1, save_best_only=True))
    assert weights.load(path)[0]["norm/mean"][0] == 1
    assert capsys.readouterr().out.count("saved to") == 2
    path.unlink()
    threshold = ModelCheckpoint(path, "loss", save_best_only=True, initial_value_threshold=0.5)
    FakeModel().train(losses(3, 1, 2), threshold)
    assert not path.exists()


def test_checkpoints_between_batches_count_on_over_epochs(tmp_path):
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}-{batch}", save_freq=2)
    FakeModel().train(losses(1, 1), checkpoint, batches=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-2", "2-1", "2-3"]


def test_a_model_that_can_save_itself_does_unless_only_weights_are_wanted(tmp_path):
    model = FakeModel()
    model.save = lambda path: path.write_text("whole")
    model.train(losses(1), ModelCheckpoint(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "whole"
    model.train(losses(1), ModelCheckpoint(tmp_path / "file", save_weights_only=True))
    assert weights.load(tmp_path / "file")


def test_a_name_that_cannot_be_filled_in_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"filepath may use the fields epoch, loss, got .*val_loss"):
        FakeModel().train(losses(1), ModelCheckpoint(tmp_path / "{val_loss}"))
    for wrong in (0, "batch", 1.5):
        with pytest.raises((TypeError, ValueError), match="save_freq must be"):
            ModelCheckpoint("x", save_freq=wrong)


def read(path, **options):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, **options))


def test_csv_reads_back_exactly_and_goes_on(tmp_path):
    path = tmp_path / "new" / "log.csv"
    first = [{"loss": 1 / 3, "name": 'with "quotes", commas\nand lines'}, {"loss": np.float32(0.1)}]
    FakeModel().train(first, CSVLogger(path))
    rows = read(path)
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert float(rows[0]["loss"]) == 1 / 3
    assert rows[0]["name"] == 'with "quotes", commas\nand lines'
    assert np.float32(rows[1]["loss"]) == np.float32(0.1)
    assert rows[1]["name"] == rows[0]["val_loss"] == "NA"

    path.write_bytes(path.read_bytes()[:-1])  # as a crash may leave it: the last line is not ended
    FakeModel().train([{"val_loss": 2.0, "loss": math.nan}], CSVLogger(path, append=True))
    rows = read(path)
    assert len(rows) == 3
    assert rows[2]["val_loss"] == "2.0"
    assert math.isnan(float(rows[2]["loss"]))
    FakeModel().train(losses(1), CSVLogger(path))
    assert len(read(path)) == 1


def test_csv_has_the_separator_that_was_asked_for(tmp_path):
    path = tmp_path / "log.csv"
    FakeModel().train([{"loss": 1.5, "val_loss": 2}], CSVLogger(path, separator=";", append=True))
    assert path.read_text() == "epoch;loss;val_loss\n0;1.5;2\n"
    for wrong in ("", ", ", "\n", 3):
        with pytest.raises(ValueError, match="separator must be one character"):
            CSVLogger(path, separator=wrong)


def test_csv_says_when_a_figure_has_no_column(tmp_path):
    with pytest.warns(UserWarning, match="no column for accuracy"):
        FakeModel().train([{"loss": 1}, {"loss": 1, "accuracy": 1}], CSVLogger(tmp_path / "log.csv"))


# --- functions, progress ------------------------------------------------------------------------------------


def test_lambda_callback_knows_its_hooks():
    with pytest.raises(ValueError, match=r"Did you mean 'on_epoch_end'\?"):
        LambdaCallback(on_epoch_ends=print)
    with pytest.raises(TypeError, match="on_epoch_end must be a function, got 3"):
        LambdaCallback(on_epoch_end=3)
    assert not LambdaCallback(on_epoch_end=None).overrides("on_epoch_end")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("verbose", "lines"), [(0, 0), (1, 2), (2, 2)])
def test_a_stream_that_is_no_terminal_gets_a_line_per_epoch(verbose, lines):
    stream = io.StringIO()
    FakeModel().train([{"loss": 0.5, "accuracy": 1e-7}] * 2, ProgressBar(verbose, stream))
    assert len(stream.getvalue().splitlines()) == lines
    assert "\r" not in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
    if lines:
        assert stream.getvalue().startswith("Epoch 1/2 - ")
        assert stream.getvalue().endswith("s - loss: 0.5000 - accuracy: 1.000e-07\n")


@pytest.mark.parametrize("rich_is_there", [True, False])
def test_a_terminal_gets_a_bar_that_is_gone_at_the_end(rich_is_there, monkeypatch):
    if rich_is_there:
        pytest.importorskip("rich", reason="draws the bar")
    else:
        monkeypatch.setitem(__import__("sys").modules, "rich.console", None)
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    FakeModel().train(losses(0.5), ProgressBar(1, stream), batches=4)
    text = stream.getvalue()
    assert "3/4" in text
    assert "Epoch 1/1 - " in text.splitlines()[-1]
    assert text.endswith("loss: 0.5000\n")
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h")  # the cursor is hidden as often as shown
