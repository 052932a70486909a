"""A training step in initcore, as its users write it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from initcore import layers, optimizers
from initcore._optimizer import Optimizer
from initcore.bench.networks import RATE, Workload, data
from initcore.info import set_num_threads
from initcore.model import Sequential

_OPTIMIZERS: dict[str, Callable[[float], Optimizer]] = {
    "adam": optimizers.Adam,
    "sgd": optimizers.SGD,
    "rmsprop": optimizers.RMSprop,
    "adagrad": partial(optimizers.Adagrad, initial_accumulator_value=0.0),
}


class Initcore:
    """A model that is fitted, one epoch after the other."""

    name, module = "initcore", "initcore"

    def __init__(self, work: Workload, threads: int) -> None:
        set_num_threads(threads)
        stack: list[layers.Layer] = []
        for units in work.widths[1:-1]:
            if work.normalization:
                stack += [
                    layers.Dense(units),
                    layers.BatchNormalization(),
                    layers.Activation(work.activation),
                ]
            else:
                stack.append(layers.Dense(units, activation=work.activation))
            if work.dropout:
                stack.append(layers.Dropout(work.dropout))
        stack.append(layers.Dense(work.widths[-1]))
        self.model = Sequential(stack, input_shape=(work.widths[0],), seed=0, precision=work.precision)
        self.model.compile(_OPTIMIZERS[work.optimizer](RATE), "sparse_categorical_crossentropy")
        self.x, self.y = data(work)
        self.batch = work.batch

    @staticmethod
    def offers(work: Workload) -> bool:
        """Return whether it can do this work."""
        return True

    def run(self, epochs: int) -> None:
        """Go through the data that many times."""
        self.model.fit(self.x, self.y, batch_size=self.batch, epochs=epochs, verbose=0)


class StrictInitcore(Initcore):
    """The same with products in float32, whatever the workload says."""

    name = "initcore fp32"

    def __init__(self, work: Workload, threads: int) -> None:
        super().__init__(replace(work, precision="fp32"), threads)
