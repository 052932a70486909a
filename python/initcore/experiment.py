"""The experiment: one network, started in several ways, trained from several seeds, and compared."""

from __future__ import annotations

import dataclasses
import math
import os
import platform
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initcore import callbacks, candidates, datasets, losses, verdict
from initcore._validate import check_count, check_number
from initcore.comparison import Comparison
from initcore.datasets import Dataset
from initcore.info import build_info, get_num_threads, set_num_threads
from initcore.layers import Dense
from initcore.model import Sequential
from initcore.runs import Run, Scheme
from initcore.statistics import moments

Progress = Callable[[int, int, str], None]

_SAMPLE = 256  # examples by which signal, gradient and dead units are measured

# For each task: the loss, and the metric whose value is the score.
_LOSS = {
    "classification": "sparse_categorical_crossentropy",
    "binary": "binary_crossentropy",
    "regression": "mean_squared_error",
}
_SCORE = {"classification": "accuracy", "binary": "accuracy", "regression": "r2"}
_SCORE_NAME = {"accuracy": "accuracy", "r2": "R2"}


@dataclass(frozen=True)
class _Experiment:
    """What is the same for all runs."""

    data: Dataset
    layers: tuple[int, ...]
    activation: Any
    initializer: Any
    optimizer: Any
    loss: Any
    epochs: int
    batch_size: int


def compare(
    dataset: str | Dataset = "digits",
    layers: Sequence[int] = (64, 64, 64, 64),
    activation: Any = "relu",
    schemes: Sequence[Any] | None = None,
    *,
    vary: str = "initializer",
    initializer: Any = "auto",
    optimizer: Any = "adam",
    loss: Any = None,
    epochs: int = 20,
    batch_size: int = 32,
    seeds: int | Sequence[int] = 5,
    target: float | None = None,
    n_jobs: int | None = None,
    folder: str | os.PathLike[str] | None = None,
    verbose: int | str = "auto",
    progress: Progress | None = None,
) -> Comparison:
    """Train one network in several ways, from several seeds each, and compare them.

    A network of ``Dense`` layers with a linear last one. Every scheme gets the same data, the same seeds, and
    so the same order of examples. The result does not depend on ``n_jobs``.

    Args:
        dataset: A name from ``initcore.datasets.names()``, or a `Dataset`.
        layers: Units of the hidden layers, first to last.
        activation: Of the hidden layers: a name or an object.
        schemes: What to compare: names, ``"name:number"`` (standard deviation, constant, learning rate),
            objects, or pairs ``(label, object)``. None: the usual ones of what is varied.
        vary: ``"initializer"`` (of all kernels), ``"optimizer"`` or ``"activation"``.
        initializer: Of all kernels, unless that is varied.
        optimizer: A name, ``"name:learning rate"`` or an object, unless that is varied.
        loss: A name or an object; None takes the usual one for the data's task.
        epochs: How often each network sees the data.
        batch_size: Examples per step.
        seeds: How many seeds, from 0 on, or which.
        target: Score to which epochs are counted: accuracy in [0, 1], or R2 for a regression. None takes nine
            tenths of the way from chance to the best scheme's score.
        n_jobs: How many networks are trained at a time. None: as many as threads compute.
        folder: Where the data set's files are, for one that lies in files.
        verbose: 1 to count the runs on standard error, 0 not to, ``"auto"`` to do so on a terminal.
        progress: Called instead, as ``progress(done, total, label)`` after each run, from the calling thread.

    Raises:
        ValueError, TypeError: An argument does not hold what is said above; nothing has been trained then.

    >>> result = compare(schemes=["zeros", "he_normal"], layers=(32,), epochs=10, seeds=2)
    >>> result["he_normal"].score.mean > 0.8 > 0.2 > result["zeros"].score.mean
    True
    """
    pairs = candidates.labelled(vary, schemes)
    data = dataset if isinstance(dataset, Dataset) else datasets.load(dataset, folder)
    experiment = _Experiment(
        data=data,
        layers=tuple(check_count("units of a layer", units) for units in layers),
        activation=candidates.make("activation", activation),
        initializer=candidates.make("initializer", initializer),
        optimizer=candidates.make("optimizer", optimizer),
        loss=losses.get(_LOSS[data.task] if loss is None else loss),
        epochs=check_count("epochs", epochs),
        batch_size=check_count("batch_size", batch_size),
    )
    if target is not None:
        check_number("target", target)
    each = range(check_count("seeds", seeds)) if hasattr(seeds, "__index__") else seeds
    numbers = [check_count("seed", seed, low=0) for seed in each]
    if not numbers or len(set(numbers)) < len(numbers):
        raise ValueError(f"seeds must be different whole numbers, at least one, got {seeds!r}")
    jobs = get_num_threads() if n_jobs is None else check_count("n_jobs", n_jobs)
    trials = {label: dataclasses.replace(experiment, **{vary: thing}) for label, thing in pairs}
    for trial in trials.values():
        _model(trial, numbers[0])  # whatever is wrong is said before anything is trained

    started = time.perf_counter()
    if progress is None and (sys.stderr.isatty() if verbose == "auto" else verbose):
        progress = _count
    runs = _run_all(trials, numbers, jobs, progress)
    described = {label: _describe(thing) for label, thing in pairs}
    results = tuple(
        Scheme(label, described[label], tuple(runs[label, seed] for seed in numbers)) for label, _ in pairs
    )
    settings = _settings(experiment, vary, numbers) | {"seconds": time.perf_counter() - started, "jobs": jobs}
    return Comparison(results, settings, _target(results, settings) if target is None else target)


def _model(experiment: _Experiment, seed: int) -> Sequential:
    """Return the network before training."""
    hidden = [
        Dense(units, activation=experiment.activation, kernel_initializer=experiment.initializer)
        for units in experiment.layers
    ]
    last = Dense(experiment.data.outputs, kernel_initializer=experiment.initializer)
    model = Sequential([*hidden, last], input_shape=(experiment.data.features,), seed=seed)
    model.compile(experiment.optimizer, experiment.loss, [_SCORE[experiment.data.task]])
    return model


def _run_all(
    trials: dict[str, _Experiment],
    seeds: Sequence[int],
    jobs: int,
    progress: Progress | None,
) -> dict[tuple[str, int], Run]:
    """Train all, ``jobs`` at a time, each in one thread: training releases the GIL."""
    runs: dict[tuple[str, int], Run] = {}
    stop = threading.Event()
    with _threads(1 if jobs > 1 else None), ThreadPoolExecutor(jobs, "initcore-compare") as pool:
        try:
            futures = {
                pool.submit(_run, trial, seed, stop): (label, seed)
                for label, trial in trials.items()
                for seed in seeds
            }
            for done, future in enumerate(as_completed(futures), 1):
                runs[futures[future]] = future.result()
                if progress:
                    progress(done, len(futures), "{} seed {}".format(*futures[future]))
        except BaseException:  # Ctrl-C above all: do not train on for nobody
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return runs


def _count(done: int, total: int, label: str) -> None:
    end = "\n" if done == total else ""
    print(f"\r\x1b[Ktrained {done}/{total}: {label}", end=end, file=sys.stderr, flush=True)


@contextmanager
def _threads(n: int | None) -> Iterator[None]:
    before = get_num_threads()
    if n is not None:
        set_num_threads(n)
    try:
        yield
    finally:
        set_num_threads(before)


class _Stop(callbacks.Callback):
    """Ends the training after the epoch in which the event was set."""

    def __init__(self, event: threading.Event) -> None:
        super().__init__()
        self._event = event

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self._event.is_set():
            self.model.stop_training = True


def _run(experiment: _Experiment, seed: int, stop: threading.Event) -> Run:
    data, model = experiment.data, _model(experiment, seed)
    x, y = data.x_train[:_SAMPLE], data.y_train[:_SAMPLE]
    loss = experiment.loss
    if hasattr(loss, "from_logits"):
        loss = dataclasses.replace(loss, from_logits=True)  # the last layer is linear
    start = model.trace(x, loss.gradient(y, model.forward(x)))
    signal = [_variance(_inputs(x)), *(_variance(part.output) for part in start)]
    gradient = [_variance(part.gradient) for part in start if part.gradient is not None]
    started = time.perf_counter()
    history = model.fit(
        data.x_train,
        data.y_train,
        batch_size=experiment.batch_size,
        epochs=experiment.epochs,
        validation_data=(data.x_test, data.y_test),
        verbose=0,
        callbacks=[_Stop(stop)],
    ).history
    seconds = time.perf_counter() - started
    hidden = [part.output for part in model.trace(x)[:-1]]
    score = _SCORE[data.task]
    return Run(
        seed=seed,
        loss=tuple(history["loss"]),
        test_loss=tuple(history["val_loss"]),
        score=tuple(history[f"val_{score}"]),
        signal=tuple(signal),
        gradient=tuple(gradient),
        units=experiment.layers,
        distinct=_distinct_units(model)[: len(experiment.layers)],
        dead=tuple(float(np.mean(moments(output).zero == 1)) for output in hidden),
        rmse=_rmse(model, data) if data.task == "regression" else None,
        seconds=seconds,
    )


def _inputs(x: NDArray[Any]) -> NDArray[Any]:
    return x / 255 if x.dtype == np.uint8 else x


def _variance(x: NDArray[Any]) -> float:
    return moments(x).layer().variance


def _rmse(model: Sequential, data: Dataset) -> float:
    error = model.predict(data.x_test).astype(np.float64) - data.y_test.reshape(len(data.y_test), -1)
    return math.sqrt(float(np.mean(error**2)))


def _distinct_units(model: Sequential) -> tuple[int, ...]:
    """Return for each layer how many of its units differ in a weight or the bias, by a bit."""
    counts = []
    names = list(model.parameters)
    for name in names:
        if not name.endswith("/kernel"):
            continue
        bias = model.parameters[name.removesuffix("kernel") + "bias"]
        units = np.vstack([model.parameters[name], bias]).T + 0.0  # + 0.0: a zero has one sign
        counts.append(len({unit.tobytes() for unit in units}))
    return tuple(counts)


def _describe(thing: Any) -> str:
    text = thing if isinstance(thing, str) else repr(thing)
    return re.sub(r"\w+=(None|False)(, )?", "", text).replace(", )", ")")  # what is left out tells nothing


def _settings(experiment: _Experiment, vary: str, seeds: Sequence[int]) -> dict[str, Any]:
    data, info = experiment.data, build_info()
    same = {
        kind: "varied" if kind == vary else _describe(getattr(experiment, kind)) for kind in candidates.VARIED
    }
    return {
        "vary": vary,
        "dataset": data.name,
        "source": data.source,
        "scaling": data.scaling,
        "task": data.task,
        "train_rows": len(data.x_train),
        "test_rows": len(data.x_test),
        "network": "-".join(map(str, (data.features, *experiment.layers, data.outputs))),
        **same,
        "loss": experiment.loss.name,
        "score": _SCORE_NAME[_SCORE[data.task]],
        "chance": 0.0 if data.task == "regression" else data.chance,
        "epochs": experiment.epochs,
        "batch_size": experiment.batch_size,
        "seeds": list(seeds),
        "initcore": info["version"],
        "isa": info["active_isa"],
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def _target(schemes: Sequence[Scheme], settings: dict[str, Any]) -> float:
    first = verdict.best(schemes)
    chance: float = settings["chance"]
    if first is None:
        return chance
    return round(chance + 0.9 * max(first.score.mean - chance, 0), 3)
