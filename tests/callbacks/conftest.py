"""A model for the callbacks: the least that they may ask of one."""

import numpy as np
import pytest

from initcore import weights
from initcore.callbacks import CallbackList, History


class FakeModel:
    """Plays back logs instead of learning."""

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
        """Call the hooks as a trainer does; in epoch k every weight is k. A number stands for a loss."""
        logs_of_epochs = [logs if isinstance(logs, dict) else {"loss": logs} for logs in logs_of_epochs]
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


@pytest.fixture
def model():
    return FakeModel()
