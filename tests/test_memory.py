"""The memory of a training is what `fit` says it is, and does not grow with the epochs."""

import itertools
import tracemalloc

import numpy as np
import pytest

import initcore as ic

WIDTHS, BATCH = (100, 300, 200, 10), 250


def fitted(optimizer, rows, epochs):
    """Train from nothing; return the bytes that are left, and the most there were, data not counted."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(rows, WIDTHS[0])).astype(np.float32), rng.integers(0, WIDTHS[-1], rows)
    tracemalloc.start()
    hidden = [ic.Dense(n, activation="relu") for n in WIDTHS[1:-1]]
    model = ic.Sequential([*hidden, ic.Dense(WIDTHS[-1])], input_shape=(WIDTHS[0],), seed=0)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)
    left, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return left, most


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "amsgrad"])
@pytest.mark.parametrize("rows", [1000, 20_000])
def test_memory_is_the_stated_formula(optimizer, rows):
    fitted(optimizer, 500, 1)  # what is imported and cached on first use
    parameters = sum(m * n + n for m, n in itertools.pairwise(WIDTHS))
    slots = ic.optimizers.get(optimizer).slots
    network = 4 * (parameters * (2 + slots) + BATCH * (WIDTHS[0] + 2 * sum(WIDTHS[1:])))
    left, most = fitted(optimizer, rows, 2)
    assert network < left < network + 16 * rows + 100_000
    assert network < most < network + 48 * rows + 100_000
    more_epochs, _ = fitted(optimizer, rows, 5)
    assert abs(more_epochs - left) < 20_000  # History, which grows by a few numbers an epoch
