"""The list hands every hook to every callback, and knows what they need."""

import pytest

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
    ProgressBar,
    ReduceLROnPlateau,
    TerminateOnNaN,
)


def test_hooks_come_in_order_to_every_callback(model):
    seen = []
    hooks = {name: lambda *args, name=name, **kw: seen.append(name) for name in HOOKS}
    model.train([1, 2], [LambdaCallback(**hooks)], batches=1)
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
            """Being there is enough."""

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


def test_a_history_among_the_callbacks_is_filled_once(model):
    history = History()
    listeners = CallbackList([history], model, {"epochs": 1}, history=history)
    listeners.on_train_begin({})
    listeners.on_epoch_end(0, {"loss": 1.0})
    assert history.history == {"loss": [1.0]}
    assert history.params == {"epochs": 1}


def test_history_holds_what_callbacks_added_and_goes_on_in_a_second_training(model):
    schedule = LearningRateScheduler(lambda epoch: 0.5**epoch)
    history = model.train([3.0, 2.0], schedule)
    assert history.history == {"loss": [3.0, 2.0], "learning_rate": [1.0, 0.5]}
    assert history.epoch == [0, 1]
    history.on_train_begin()
    history.on_epoch_end(0, {"loss": 1.0})
    assert history.history["loss"] == [3.0, 2.0, 1.0]
    assert history.epoch == [0]


def test_lambda_callback_knows_its_hooks():
    with pytest.raises(ValueError, match=r"Did you mean 'on_epoch_end'\?"):
        LambdaCallback(on_epoch_ends=print)
    with pytest.raises(TypeError, match="on_epoch_end must be a function, got 3"):
        LambdaCallback(on_epoch_end=3)
    assert not LambdaCallback(on_epoch_end=None).overrides("on_epoch_end")
