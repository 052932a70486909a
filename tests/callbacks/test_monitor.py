"""What counts as an improvement, and what early stopping makes of it."""

import math

import numpy as np
import pytest

from initcore import metrics
from initcore.callbacks import EarlyStopping, Monitor


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


@pytest.mark.parametrize("name", metrics.names())
def test_the_name_of_every_metric_tells(name):
    Monitor(name, "auto")


def test_a_name_that_does_not_tell_and_a_wrong_mode_are_refused():
    with pytest.raises(ValueError, match="mode must be 'min' or 'max' for monitor='weather'"):
        EarlyStopping("weather")
    with pytest.raises(ValueError, match="mode must be one of 'auto', 'min', 'max', got 'least'"):
        EarlyStopping(mode="least")


def test_a_figure_that_nobody_logs_is_an_error_that_names_the_others(model):
    with pytest.raises(
        ValueError, match=r"one of 'loss', 'accuracy', got 'val_loss'.*'loss'.*validation_data"
    ):
        model.train([{"loss": 1.0, "accuracy": 0.5}], EarlyStopping())


def test_epochs_without_validation_are_passed_over(model):
    logs = [{"loss": 1.0}, {"loss": 1.0, "val_loss": 1.0}] * 3
    stopping = EarlyStopping(patience=1)
    model.train(logs, stopping, validation_freq=2)
    assert stopping.stopped_epoch == 3


def test_nan_is_never_the_best(model):
    stopping = EarlyStopping("loss", patience=2, restore_best_weights=True)
    model.train([math.nan, 2.0, math.nan, 1.0, math.nan, 3.0], stopping)
    assert (stopping.best, stopping.best_epoch) == (1.0, 3)
    assert model.parameters["dense/kernel"][0, 0] == 3


def test_early_stopping_gives_the_best_weights_back_with_state(model):
    history = model.train([3, 1, 2, 2, 2], EarlyStopping("loss", patience=2, restore_best_weights=True))
    assert history.epoch == [0, 1, 2, 3]
    for array in model.tensors.values():
        np.testing.assert_array_equal(array, 1)


def test_early_stopping_starts_anew_in_a_second_training(model):
    stopping = EarlyStopping("loss", patience=1)
    assert model.train([1, 2, 3], stopping).epoch == [0, 1]
    assert model.train([3, 2, 1], stopping).epoch == [0, 1, 2]
