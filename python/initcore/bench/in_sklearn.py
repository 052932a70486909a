"""A training step in scikit-learn: an MLPClassifier that sees the data once more."""

from __future__ import annotations

import numpy as np

from initcore.bench.interleaved import optional
from initcore.bench.networks import RATE, Workload, data


class ScikitLearn:
    """It has two optimizers and three of the activations."""

    name, module = "scikit-learn", "sklearn"

    def __init__(self, work: Workload, threads: int) -> None:
        self.model = optional("sklearn.neural_network").MLPClassifier(
            work.widths[1:-1],
            activation={"sigmoid": "logistic"}.get(work.activation, work.activation),
            solver=work.optimizer,
            momentum=0.0,
            batch_size=work.batch,
            learning_rate_init=RATE,
            alpha=0.0,
        )
        self.x, self.y = data(work)
        self.classes = np.arange(work.widths[-1])

    @staticmethod
    def offers(work: Workload) -> bool:
        """Return whether it can do this work."""
        known = work.optimizer in ("adam", "sgd") and work.activation in ("relu", "tanh", "sigmoid")
        return known and not work.dropout and not work.normalization and work.precision == "fp32"

    def run(self, epochs: int) -> None:
        """Go through the data that many times."""
        for _ in range(epochs):
            self.model.partial_fit(self.x, self.y, classes=self.classes)
