"""Data sets that make themselves: the same rows for the same arguments. To add one: a function like these.

Each takes ``n`` (rows in all, a quarter of them to test on), ``noise`` and ``seed``; inputs are of order one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initcore._validate import check_count, check_number
from initcore.dataset import Dataset, Task


def two_spirals(n: int = 2000, noise: float = 0.05, seed: int = 0) -> Dataset:
    """Return two interleaved spirals in the plane, a turn and a half each: easy to see, hard to learn.

    After Lang & Witbrock 1988, "Learning to tell two spirals apart". ``noise`` is the standard deviation of
    what is added to both coordinates, in units of the largest radius.

    >>> two_spirals(400)
    Dataset('two-spirals', binary, 300 + 100 rows, 2 features, 1 outputs)
    """
    rng = _start(n, noise, seed)
    y = _shuffled_labels(n, 2, rng)
    radius = np.sqrt(rng.uniform(0.02, 1, n))  # as many points near the middle as far out, by area
    angle = 3 * math.pi * radius + math.pi * y
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    x += rng.normal(0, noise, x.shape)
    return _dataset("two-spirals", "binary", x * math.sqrt(2), y)


def xor(n: int = 1000, noise: float = 0.2, seed: int = 0) -> Dataset:
    """Return four clouds around (+-1, +-1); the label is 1 where the signs differ: no line parts them.

    After Minsky & Papert 1969, "Perceptrons". ``noise`` is the standard deviation of a cloud.

    >>> xor(100)
    Dataset('xor', binary, 75 + 25 rows, 2 features, 1 outputs)
    """
    rng = _start(n, noise, seed)
    corner = _shuffled_labels(n, 4, rng)
    x = np.stack([corner % 2, corner // 2], axis=1) * 2.0 - 1.0
    x += rng.normal(0, noise, x.shape)
    return _dataset("xor", "binary", x, (corner % 2) ^ (corner // 2))


def blobs(
    n: int = 1000, noise: float = 0.5, seed: int = 0, *, classes: int = 3, features: int = 2
) -> Dataset:
    """Return one cloud for each class, its middle drawn from N(0, 1) in every coordinate.

    ``noise`` is the standard deviation of a cloud.

    >>> blobs(400, classes=5, features=20).outputs
    5
    """
    rng = _start(n, noise, seed)
    check_count("classes", classes, low=2)
    middles = rng.normal(size=(classes, check_count("features", features)))
    y = _shuffled_labels(n, classes, rng)
    x = middles[y] + rng.normal(0, noise, (n, features))
    return _dataset("blobs", "classification", x, y)


def regression_with_outliers(
    n: int = 1000, noise: float = 0.1, seed: int = 0, *, features: int = 5, outliers: float = 0.1
) -> Dataset:
    """Return a linear rule plus noise, where some training targets are off by about 10: for robust losses.

    ``y = x w + N(0, noise^2)`` with unit-variance ``x w``; a fraction ``outliers`` of the *training* targets
    has N(0, 10^2) added. The test rows have none, so they judge what was learnt of the rule.

    >>> regression_with_outliers().y_train.shape
    (750, 1)
    """
    rng = _start(n, noise, seed)
    check_number("outliers", outliers, low=0, high=1)
    x = rng.normal(size=(n, check_count("features", features)))
    w = rng.normal(size=features)
    y = x @ (w / np.linalg.norm(w)) + rng.normal(0, noise, n)
    train = _train_rows(n)
    y[:train] += rng.normal(0, 10, train) * (rng.random(train) < outliers)
    return _dataset("regression-with-outliers", "regression", x, y[:, None])


def teacher(
    n: int = 2000,
    noise: float = 0.05,
    seed: int = 0,
    *,
    features: int = 10,
    hidden: int = 20,
    task: Task = "regression",
    classes: int = 3,
) -> Dataset:
    """Return inputs from N(0, 1) and what a fixed random tanh network answers to them.

    A network with ``hidden`` or more units can learn it, so what is missing at the end is training's fault.
    Targets of a regression have about unit variance, and ``noise`` is the standard deviation of what is added
    to them; for ``task="binary"`` the answer is whether they lie above the median, for ``"classification"``
    which of ``classes`` outputs is the largest.

    >>> teacher(400, features=20, task="binary")
    Dataset('teacher', binary, 300 + 100 rows, 20 features, 1 outputs)
    """
    rng = _start(n, noise, seed)
    outputs = check_count("classes", classes, low=2) if task == "classification" else 1
    x = rng.normal(size=(n, check_count("features", features)))
    inner = rng.normal(size=(features, check_count("hidden", hidden))) * (1.5 / math.sqrt(features))
    outer = rng.normal(size=(hidden, outputs))
    z = np.tanh(x @ inner) @ outer
    z /= z.std()
    z += rng.normal(0, noise, z.shape)
    if task == "regression":
        return _dataset("teacher", task, x, z)
    return _dataset("teacher", task, x, z.argmax(1) if outputs > 1 else z[:, 0] > np.median(z))


def _start(n: int, noise: float, seed: int) -> np.random.Generator:
    check_count("n", n, low=8)
    check_number("noise", noise, low=0)
    return np.random.default_rng(check_count("seed", seed, low=0))


def _shuffled_labels(n: int, classes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.permutation(np.arange(n, dtype=np.int64) % classes)


def _train_rows(n: int) -> int:
    return n - n // 4


def _dataset(name: str, task: Task, x: NDArray[Any], y: NDArray[Any]) -> Dataset:
    train = _train_rows(len(x))
    x = x.astype(np.float32)
    y = y.astype(np.float32 if task == "regression" else np.int64)
    return Dataset(
        x[:train], y[:train], x[train:], y[train:], task=task, name=name, source=f"initcore.datasets.{name}"
    )
