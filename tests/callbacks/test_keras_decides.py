"""Early stopping and plateau reduction decide as Keras's own callbacks do, whatever the figures do."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

from initcore.callbacks import EarlyStopping, ReduceLROnPlateau


def import_keras():
    os.environ.setdefault("KERAS_BACKEND", "numpy")  # what Keras imports by default is not there
    return pytest.importorskip("keras", reason="Keras decides what its callbacks mean")


class Model:
    """What Keras's callbacks ask of a model, and what ours do. Its one weight is the number of the epoch."""

    def __init__(self):
        self.optimizer = SimpleNamespace(learning_rate=1.0)
        self.stop_training, self.metrics, self.epoch = False, [], 0

    @property
    def learning_rate(self):
        return self.optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        self.optimizer.learning_rate = value

    def get_weights(self):
        return [np.array(self.epoch)]

    def set_weights(self, values):
        self.epoch = int(values[0])


def random_figures(rng):
    """A metric that wanders, in steps of 1/64: exact in float32, in which Keras compares."""
    return np.cumsum(rng.integers(-8, 8, 30)) / 64


def play(callback, figures):
    """Return the rate after every epoch until the callback ends it, and the epoch whose weights are left."""
    model, rates = Model(), []
    callback.set_model(model)
    callback.on_train_begin({})
    for model.epoch, value in enumerate(figures):
        callback.on_epoch_begin(model.epoch, {})
        callback.on_epoch_end(model.epoch, {"figure": float(value)})
        rates.append(model.learning_rate)
        if model.stop_training:
            break
    callback.on_train_end({})
    return rates, model.epoch


@pytest.mark.peers
def test_early_stopping_decides_as_keras_does(rng):
    keras, ends = import_keras(), set()
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
        figures = random_figures(rng)
        played = play(ours, figures)
        assert played == play(theirs, figures)
        ends.add(len(played[0]))
        assert (ours.stopped_epoch, ours.best_epoch) == (theirs.stopped_epoch, theirs.best_epoch)
    assert len(ends) > 10  # they did stop, at many different epochs


@pytest.mark.peers
def test_reduce_on_plateau_decides_as_keras_does(rng):
    keras, reductions = import_keras(), []
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
        figures = random_figures(rng)
        played = play(ours, figures)
        assert played == play(theirs, figures)
        reductions.append(len(set(played[0])) - 1)
    assert min(reductions) == 0
    assert max(reductions) > 3
