"""The plateau rule: its decisions, and the same ones as Keras's and PyTorch's."""

import numpy as np
import pytest

from initcore.plateau import ReduceOnPlateau

RULES = [
    ReduceOnPlateau(0.5, patience=2),
    ReduceOnPlateau(0.5, patience=0),
    ReduceOnPlateau(0.5, patience=1),
    ReduceOnPlateau(0.5, patience=3, cooldown=2, min_lr=0.01),
    ReduceOnPlateau(0.1, patience=2, cooldown=1, mode="max", min_delta=0.05),
]
every_rule = pytest.mark.parametrize("rule", RULES, ids=repr)


def rates(rule, values, first=0.1):
    state = rule.init(first)
    result = []
    for value in values:
        state = rule.update(state, value)
        result.append(state.learning_rate)
    return result


def test_a_rate_falls_after_patience_and_rests_for_the_cooldown():
    rule = ReduceOnPlateau(0.5, patience=2, cooldown=1)
    assert rates(rule, [1, 1, 1, 1, 1, 1], 1.0) == [1, 1, 0.5, 0.5, 0.25, 0.25]
    assert rates(ReduceOnPlateau(0.5, patience=1, min_lr=0.4), [1, 1, 1, 1], 1.0) == [1, 0.5, 0.4, 0.4]


def test_nan_is_no_improvement():
    rule = ReduceOnPlateau(0.5, patience=1)
    assert rates(rule, [np.nan, 1.0, np.nan], 1.0) == [0.5, 0.5, 0.25]


@pytest.mark.parametrize(
    "settings",
    [{"factor": 1}, {"factor": 0}, {"patience": -1}, {"mode": "auto"}, {"min_delta": -1}, {"cooldown": -1}],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        ReduceOnPlateau(**settings)


@pytest.mark.peers
@every_rule
def test_agrees_with_keras(rule, rng, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    keras = pytest.importorskip("keras", reason="compares with a live Keras")

    class Model:
        class optimizer:
            learning_rate = 0.1

    callback = keras.callbacks.ReduceLROnPlateau(
        "loss", rule.factor, rule.patience, 0, rule.mode, rule.min_delta, rule.cooldown, rule.min_lr
    )
    callback.set_model(Model())
    callback.on_train_begin()
    values, wanted = rng.normal(0, 1, 60), []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {"loss": value})
        wanted.append(Model.optimizer.learning_rate)
    np.testing.assert_allclose(rates(rule, values), wanted, rtol=1e-6)


@pytest.mark.peers
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("cooldown", [0, 3])
def test_agrees_with_torch(mode, relative, cooldown, rng):
    torch = pytest.importorskip("torch", reason="compares with a live PyTorch")
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode, 0.9, 2, 0.01, "rel" if relative else "abs", cooldown, eps=0
    )
    values, wanted = rng.uniform(1, 2, 100), []
    for value in values:
        scheduler.step(value)
        wanted.append(optimizer.param_groups[0]["lr"])
    # PyTorch reduces when more than `patience` values were bad. It also ends a cooldown one value later.
    rule = ReduceOnPlateau(0.9, 3, mode, 0.01, cooldown and cooldown + 1, relative=relative)
    np.testing.assert_allclose(rates(rule, values), wanted, rtol=1e-12)
