"""What products in bfloat16 cost in accuracy: the same networks on Fashion-MNIST in both precisions.

Usage: python bench/bf16_accuracy.py [epochs [seeds]]. Needs the four IDX files; see `initcore.datasets`.

Each seed starts both from the same weights and shows them the same batches. The difference of a pair is what
bfloat16 did to it; that of two seeds is the noise that it stands in.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

import initcore as ic

WIDTHS, BATCH = (256, 128), 64


def curve(data: ic.datasets.Dataset, precision: str, seed: int, epochs: int) -> list[float]:
    """Return the accuracy on the test set after each epoch."""
    layers = [ic.Dense(width, activation="relu") for width in WIDTHS] + [ic.Dense(data.outputs)]
    model = ic.Sequential(layers, input_shape=(data.features,), seed=seed, precision=precision)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    test = (data.x_test, data.y_test)
    history = model.fit(
        data.x_train, data.y_train, batch_size=BATCH, epochs=epochs, validation_data=test, verbose=0
    )
    return history.history["val_accuracy"]


def spelled(accuracies: NDArray[np.float64]) -> str:
    """Return the mean over the seeds and its standard error, in percent."""
    error = accuracies.std(ddof=1) / np.sqrt(len(accuracies))
    return f"{100 * accuracies.mean():6.2f} +- {100 * error:4.2f}"


def main(epochs: int = 8, seeds: int = 5) -> None:
    """Print the accuracy after each epoch: fp32, bf16, and their difference in pairs of one seed."""
    data = ic.datasets.fashion_mnist()
    found = {
        precision: np.array([curve(data, precision, seed, epochs) for seed in range(seeds)])
        for precision in ("fp32", "bf16")
    }
    print(
        f"{data.name}, {'-'.join(map(str, (data.features, *WIDTHS, data.outputs)))}, {seeds} seeds, percent"
    )
    print("epoch             fp32             bf16    bf16 - fp32")
    for epoch in range(epochs):
        strict, fast = (found[precision][:, epoch] for precision in ("fp32", "bf16"))
        print(f"{epoch + 1:5}   {spelled(strict)}   {spelled(fast)}   {spelled(fast - strict)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
