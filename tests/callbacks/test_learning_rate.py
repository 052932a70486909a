"""The rate follows the schedule, or the plateau."""

import math

import pytest

from initcore.callbacks import LearningRateScheduler, ReduceLROnPlateau


def test_the_schedule_may_look_at_the_rate(model):
    model.learning_rate = 0.8
    history = model.train([1, 1, 1], LearningRateScheduler(lambda epoch, rate: rate / 2))
    assert history.history["learning_rate"] == [0.4, 0.2, 0.1]


@pytest.mark.parametrize("rate", [math.nan, math.inf, -0.1])
def test_a_schedule_that_returns_no_rate_is_an_error(rate, model):
    model.learning_rate = 0.5
    with pytest.raises(ValueError, match="rate that schedule returns"):
        model.train([1], LearningRateScheduler(lambda epoch: rate))
    assert model.learning_rate == 0.5


def test_errors_inside_a_schedule_are_not_swallowed(model):
    def schedule(epoch):
        raise TypeError("inside")

    with pytest.raises(TypeError, match="inside"):
        model.train([1], LearningRateScheduler(schedule))
    with pytest.raises(TypeError, match="schedule must take"):
        LearningRateScheduler(lambda: 0.1)
    with pytest.raises(TypeError, match=r"function of the epoch, got 0\.1"):
        LearningRateScheduler(0.1)


def test_plateau_logs_the_rate_that_the_epoch_had(model):
    model.learning_rate = 0.8
    plateau = ReduceLROnPlateau("loss", factor=0.5, patience=1)
    assert model.train([1, 1, 1], plateau).history["learning_rate"] == [0.8, 0.8, 0.4]


@pytest.mark.parametrize(
    "wrong", [{"factor": 1.0}, {"factor": 0}, {"patience": -1}, {"min_lr": -1}, {"cooldown": -1}]
)
def test_plateau_refuses_what_makes_no_sense(wrong):
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} must"):
        ReduceLROnPlateau(**wrong)
