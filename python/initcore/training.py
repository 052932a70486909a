"""Training, evaluation: whole epochs in the executor, with callbacks between them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from initcore import losses, optimizers
from initcore import metrics as known_metrics
from initcore._optimizer import Optimizer, State
from initcore._row_weights import ClassWeight, row_weights
from initcore._targets import numbers
from initcore._validate import check_count, check_number
from initcore.callbacks import Callback, CallbackList, History
from initcore.layers.base import Layer, Shape
from initcore.losses import Loss
from initcore.metrics import Metric
from initcore.network import Network
from initcore.program import Objective, Program
from initcore.random import Key

Array = NDArray[Any]

# Native code hands over to Python at least this often (seconds): Ctrl-C is heard, progress is shown.
_SLICE = 0.1


@dataclass
class Data:
    """Examples ready for the executor: inputs, targets, and their weights or None."""

    x: Array
    y: Array
    w: Array | None

    def __len__(self) -> int:
        return len(self.x)

    def inputs(self) -> dict[str, Array]:
        """Return the arrays by slot of the plan."""
        arrays = {"x": self.x, "y": self.y.reshape(len(self), -1)}
        return arrays if self.w is None else {**arrays, "w": self.w.reshape(-1, 1)}

    def part(self, start: int, stop: int) -> Data:
        """Return the examples in [start, stop)."""
        return Data(self.x[start:stop], self.y[start:stop], None if self.w is None else self.w[start:stop])


class Trainer(Network):
    """A network that can be compiled, fitted and evaluated.

    Attributes:
        optimizer, objective: What `compile` chose; None before.
        history: What the last `fit` recorded, also one that was interrupted.
        stop_training: Set it in a callback to end the training.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        input_shape: Shape,
        seed: int | Key,
        dtype: np.dtype[Any],
        precision: str | None,
    ) -> None:
        super().__init__(layers, input_shape, seed, dtype, precision)
        self.optimizer: Optimizer | None = None
        self.objective: Objective | None = None
        self.history = History()
        self.stop_training = False
        self._optimizer_state: State | None = None
        self._own_rate: float | None = None  # set by hand, in place of the optimizer's

    def _forget(self) -> None:
        super()._forget()
        self._training = False
        self._rates: Array | None = None  # those of the epoch that runs, one for each batch

    def compile(
        self,
        optimizer: str | Optimizer = "adam",
        loss: str | Loss = "mean_squared_error",
        metrics: str | Metric | Sequence[str | Metric] = (),
    ) -> None:
        """Choose optimizer, loss and metrics. The optimizer starts anew; the parameters stay.

        Args:
            optimizer: A name from ``initcore.optimizers.names()`` or an optimizer object.
            loss: A name from ``initcore.losses.names()`` or a loss object.
            metrics: Names from ``initcore.metrics.names()`` or metric objects; figures are logged by these
                names.

        Raises:
            ValueError: A name is unknown, or two metrics have the same.

        >>> import initcore as ic
        >>> model = ic.Sequential([ic.Dense(3)], input_shape=(2,))
        >>> model.compile(ic.optimizers.SGD(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
        """
        chosen = optimizers.get(optimizer)
        objective = Objective(losses.get(loss), {})
        for entry in [metrics] if isinstance(metrics, str | Metric) else metrics:
            metric = known_metrics.get(entry, objective.loss)
            name = entry if isinstance(entry, str) else metric.name
            if name in objective.metrics:
                raise ValueError(f"metrics must have different names, got {name!r} twice")
            objective.metrics[name] = metric
        self.optimizer, self.objective = chosen, objective
        self._optimizer_state = chosen.init(self._parameters.flat.size, self.dtype)
        self._programs = {}
        self._step = 0
        self._own_rate = None

    @property
    def learning_rate(self) -> float:
        """The rate of the next step. Set it to override the optimizer's own from then on.

        Raises:
            ValueError: The rate is negative, NaN or infinite.
            RuntimeError: The model is not compiled.
        """
        return float(self._learning_rates(1)[0])

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._own_rate = check_number("learning_rate", value, low=0)
        if self._rates is not None:
            self._rates[:] = self._own_rate

    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike,
        batch_size: int = 32,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Callback | Iterable[Callback] = (),
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: ClassWeight | None = None,
        sample_weight: ArrayLike | None = None,
        initial_epoch: int = 0,
        allow_nonfinite: bool = False,
    ) -> History:
        """Train for ``epochs`` epochs; return the history of loss and metrics.

        Whole epochs run natively, with the GIL released. Ctrl-C raises KeyboardInterrupt within about 0.1 s;
        the parameters are then those after the last whole step, and ``model.history`` holds the epochs that
        were finished.

        A step allocates nothing. Beside the data, a network of dense layers takes ``itemsize * (parameters *
        (2 + slots of the optimizer) + batch_size * (inputs + 2 * outputs of all layers))`` bytes, and up to
        16 for each example (its place in the order, its target), 48 while an order is drawn.

        Args:
            x: Examples ``(n, *input_shape)``: floats, integers, or bytes (uint8), which are read as
                ``x / 255``.
            y: Targets, as the loss wants them.
            batch_size: Examples per step; the last batch of an epoch may be smaller.
            epochs: Number of the last epoch, counted from 1.
            verbose: 0 silent, 1 a progress bar, 2 a line per epoch; "auto" is 1 on a terminal, else 2.
            callbacks: Callbacks, see ``initcore.callbacks``.
            validation_split: Share of the data, from its end, that is kept for validation.
            validation_data: ``(x, y)`` or ``(x, y, sample_weight)``; goes before ``validation_split``.
            shuffle: Whether each epoch goes through the data in a new order, which depends on the model's
                seed and the number of steps since ``compile`` alone.
            class_weight: Weight by class: a dict (missing classes count 1), a sequence, or "balanced".
            sample_weight: Weight by example, ``(n,)``.
            initial_epoch: Number of epochs already done.
            allow_nonfinite: Train even if the data holds NaN or infinity.

        Raises:
            ValueError, TypeError: Data or arguments do not fit; nothing has been changed then.
            RuntimeError: The model is not compiled, or is being trained already.

        >>> import initcore as ic
        >>> data = ic.datasets.digits()
        >>> model = ic.Sequential([ic.Dense(32, activation="relu"), ic.Dense(10)], input_shape=(64,), seed=0)
        >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        >>> history = model.fit(data.x_train, data.y_train, epochs=10, verbose=0)
        >>> history.history["accuracy"][-1] > 0.9
        True
        """
        batch_size = check_count("batch_size", batch_size)
        epochs = check_count("epochs", epochs, low=0)
        initial_epoch = check_count("initial_epoch", initial_epoch, low=0)
        split = check_number("validation_split", validation_split, low=0, high=1, open_high=True)
        verbose = _verbosity(verbose)
        data = self._prepare(x, y, sample_weight, class_weight, allow_nonfinite)
        validation = None
        if validation_data is not None:
            validation = self._prepare_validation(validation_data, allow_nonfinite)
        elif split > 0:
            kept = len(data) - int(len(data) * split)
            data, validation = data.part(0, kept), data.part(kept, len(data))
        size = min(batch_size, len(data))
        params = {"epochs": epochs, "steps": -(-len(data) // size), "verbose": verbose}
        history = History()
        with self._exclusive, self._training_once():
            listeners = CallbackList(callbacks, self, params, history=history, verbose=verbose)
            self.history, self.stop_training = history, False
            listeners.on_train_begin({})
            logs: dict[str, float] = {}
            key = self.key / "shuffle"
            for epoch in range(initial_epoch, epochs):
                listeners.on_epoch_begin(epoch, {})
                order = key.permutation(len(data), step=self._step) if shuffle else np.arange(len(data))
                logs = self._run_epoch(data, size, order, listeners)
                if validation is not None and len(validation):
                    evaluated = self._run_evaluation(validation, max(size, 256))
                    logs.update({f"val_{name}": value for name, value in evaluated.items()})
                listeners.on_epoch_end(epoch, logs)
                if self.stop_training:
                    break
            listeners.on_train_end(logs)
        return history

    def evaluate(
        self,
        x: ArrayLike,
        y: ArrayLike,
        batch_size: int = 256,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        return_dict: bool = False,
    ) -> float | list[float] | dict[str, float]:
        """Return loss and metrics on data the model is not trained on here.

        Returns:
            The loss alone if there are no metrics, else a list of the loss and each metric in the order of
            ``compile``; a dict by name with ``return_dict=True``.

        Raises:
            ValueError, TypeError: Data or arguments do not fit.
            RuntimeError: The model is not compiled.

        >>> import initcore as ic
        >>> model = ic.Sequential([ic.Dense(1, kernel_initializer="ones")], input_shape=(2,))
        >>> model.compile(loss="mse")
        >>> model.evaluate([[1.0, 2.0]], [[5.0]])
        4.0
        """
        batch_size = check_count("batch_size", batch_size)
        data = self._prepare(x, y, sample_weight, class_weight, allow_nonfinite=True)
        with self._exclusive:
            logs = self._run_evaluation(data, batch_size)
        if return_dict:
            return logs
        return logs["loss"] if len(logs) == 1 else list(logs.values())

    def _prepare(
        self,
        x: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        allow_nonfinite: bool = False,
    ) -> Data:
        """Return data checked and converted, or raise before anything is changed."""
        loss = self._compiled()[0].loss
        examples = self._examples(x)
        given = None if y is None else numbers("targets", y)
        if given is None or given.ndim == 0:
            raise ValueError(f"y must be given: the targets, one for each example of x; got {y!r}")
        if len(examples) != len(given):
            raise ValueError(f"x and y must have the same length, got {len(examples)} and {len(given)}")
        if len(examples) == 0:
            raise ValueError("x must have at least one example, got none")
        targets = loss.targets(given, self.output_shape[0] if self.output_shape else 1, self.dtype)
        if not allow_nonfinite:
            for name, array in (("x", examples), ("y", targets)):
                if array.dtype.kind == "f" and not _all_finite(array):
                    bad = int(np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))[0])
                    raise ValueError(
                        f"{name} must be finite, but row {bad} holds NaN or infinity. Clean it, or give "
                        "allow_nonfinite=True to train on it all the same."
                    )
        return Data(examples, targets, row_weights(given, sample_weight, class_weight, self.dtype))

    def _prepare_validation(self, validation: Any, allow_nonfinite: bool) -> Data:
        if not isinstance(validation, tuple | list) or len(validation) not in (2, 3):
            got = f"{len(validation)} of them" if isinstance(validation, tuple | list) else type(validation)
            raise ValueError(f"validation_data must be (x, y) or (x, y, sample_weight), got {got}")
        weight = validation[2] if len(validation) == 3 else None
        try:
            return self._prepare(validation[0], validation[1], weight, allow_nonfinite=allow_nonfinite)
        except (TypeError, ValueError) as error:
            raise type(error)(f"validation_data: {error}") from None

    @contextmanager
    def _training_once(self) -> Iterator[None]:
        if self._training:
            raise RuntimeError("this model is being trained already: fit was called from its own callback")
        self._training = True
        try:
            yield
        finally:
            self._training, self._rates = False, None

    def _compiled(self) -> tuple[Objective, Optimizer, State]:
        if self.objective is None or self.optimizer is None or self._optimizer_state is None:
            raise RuntimeError("the model has no loss yet: call model.compile(optimizer=..., loss=...) first")
        return self.objective, self.optimizer, self._optimizer_state

    def _learning_rates(self, count: int) -> Array:
        if self._own_rate is not None:
            return np.full(count, self._own_rate)
        return self._compiled()[1].learning_rates(self._step + 1, count)

    def _objective_plan(self, data: Data, batch_size: int, training: bool) -> Program:
        """Return the plan that trains on such data, or measures on it, built on first use."""
        objective, optimizer, state = self._compiled()
        columns, dtype, weighted = data.y.shape[1:] or (1,), data.y.dtype, data.w is not None
        steps = (optimizer, state) if training else ()

        def build(rows: int) -> Program:
            return self._objective_program(objective, rows, columns, dtype, weighted, *steps)

        # A batch of training is a step, so its size must be this one; elsewhere a larger plan serves as well.
        facts = (columns, dtype, weighted, batch_size if training else None)
        return self._program("train" if training else "evaluate", facts, batch_size, build)

    def _run_epoch(
        self, data: Data, batch_size: int, order: Array, callbacks: CallbackList
    ) -> dict[str, float]:
        """Train on all of ``data`` once, in the order given; return the means of loss and metrics."""
        program = self._objective_plan(data, batch_size, training=True)
        core = program.plan.core
        total = -(-len(data) // batch_size)
        first = self._step
        self._rates = self._learning_rates(total)
        program.clear_sums()
        core.start(
            ["gather", "forward", "loss", "metrics", "backward", "update"],
            len(data),
            inputs=data.inputs(),
            order=order,
            learning_rates=self._rates,
            step=first + 1,
        )
        each_batch = callbacks.needs_batches
        done, begun = 0, -1
        while done < total and not (done and self.stop_training):
            if each_batch and begun < done:
                callbacks.on_train_batch_begin(done, {})
                begun = done
            before = done
            done = core.advance(1 if each_batch else total, _SLICE)
            self._step = first + done
            if done == before:
                continue
            if each_batch:
                callbacks.on_train_batch_end(before, self._logs(program))
            if done < total and callbacks.shows_progress and not self.stop_training:
                callbacks.on_progress(done, total, self._logs(program))
        return self._logs(program)

    def _run_evaluation(self, data: Data, batch_size: int) -> dict[str, float]:
        """Return the means of loss and metrics over ``data``, at inference."""
        program = self._objective_plan(data, min(batch_size, len(data)), training=False)
        program.clear_sums()
        program.plan.run(["gather", "forward", "loss", "metrics"], len(data), inputs=data.inputs())
        return self._logs(program)

    def _logs(self, program: Program) -> dict[str, float]:
        """Return the means of loss and metrics over what has run since the totals were cleared."""
        objective = self._compiled()[0]
        sums = program.sums
        figures = {name: metric.result(sums[name]) for name, metric in objective.metrics.items()}
        return {"loss": objective.loss.result(sums["loss"]), **figures}


def _verbosity(verbose: int | str) -> int:
    if verbose == "auto":
        return 1 if sys.stdout.isatty() else 2
    if verbose not in (0, 1, 2):
        raise ValueError(f"verbose must be 0, 1, 2 or 'auto', got {verbose!r}")
    return int(verbose)


def _all_finite(array: Array) -> bool:
    if np.isfinite(np.vdot(array, array)):  # one pass at memory speed, and no array as large as the data
        return True
    return bool(np.isfinite(array).all())
