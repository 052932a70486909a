"""Training, evaluation: whole epochs in the executor, with callbacks between them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from initcore import losses, metrics, optimizers
from initcore._row_weights import row_weights
from initcore._validate import check_count, check_number
from initcore.callbacks import CallbackList, History
from initcore.network import Network, Objective, Program
from initcore.optimizers import State

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
    """A network that can be compiled, fitted and evaluated."""

    optimizer: Any
    objective: Objective | None

    def prepare(
        self,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        class_weight: Any = None,
        allow_nonfinite: bool = False,
    ) -> Data:
        """Return data checked and converted, or raise before anything is changed."""
        loss = self._compiled().loss
        examples = self._examples(x)
        if y is None:
            raise ValueError("y must be given: the targets, one for each example of x")
        if len(examples) != len(y):
            raise ValueError(f"x and y must have the same length, got {len(examples)} and {len(y)}")
        targets = loss.targets(y, self.output_shape[0] if self.output_shape else 1, self.dtype)
        if not allow_nonfinite:
            for name, array in (("x", examples), ("y", targets)):
                if array.dtype.kind == "f" and not np.isfinite(array).all():
                    bad = int(np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))[0])
                    raise ValueError(
                        f"{name} must be finite, but row {bad} holds NaN or infinity. Clean it, or give "
                        "allow_nonfinite=True to train on it all the same."
                    )
        weight = row_weights(y, sample_weight, class_weight, self.dtype)
        return Data(examples, targets, weight)

    def _compiled(self) -> Objective:
        objective = self.objective
        if objective is None:
            raise RuntimeError("the model has no loss yet: call model.compile(optimizer=..., loss=...) first")
        return objective

    def _program(self, data: Data, batch_size: int, training: bool) -> Program:
        """Return the plan for such data, built on first use."""
        key = (training, batch_size, data.y.shape[1:], data.y.dtype, data.w is not None)
        if key not in self._programs:
            self._programs[key] = self.objective_program(
                self._compiled(),
                batch_size,
                data.y.shape[1:] or (1,),
                data.y.dtype,
                data.w is not None,
                self.optimizer if training else None,
                self._optimizer_state,
            )
        return self._programs[key]

    _programs: dict[Any, Program]
    _optimizer_state: State

    def _reset_optimizer(self) -> None:
        self._optimizer_state = self.optimizer.init(self._parameters.flat.size, self.dtype)
        self._programs = {}
        self._step = 0

    def _logs(self, program: Program) -> dict[str, float]:
        """Return the means of loss and metrics over what has run since the totals were cleared."""
        objective = self._compiled()
        totals = {name: buffer.array for name, buffer in program.totals.items()}
        logs = {"loss": objective.loss.result(totals["loss"])}
        logs.update({name: metric.result(totals[name]) for name, metric in objective.metrics.items()})
        return logs

    def _clear(self, program: Program) -> None:
        for buffer in program.totals.values():
            assert buffer.array is not None
            buffer.array[:] = 0

    def run_epoch(
        self, data: Data, batch_size: int, order: Array, callbacks: CallbackList
    ) -> dict[str, float]:
        """Train on all of ``data`` once, in the order given; return the means of loss and metrics."""
        program = self._program(data, batch_size, training=True)
        core = program.plan.core
        total = -(-len(data) // batch_size)
        rates = self._learning_rates(total)
        self._clear(program)
        core.start(
            ["gather", "forward", "loss", "metrics", "backward", "update"],
            len(data),
            inputs=data.inputs(),
            order=order,
            learning_rates=rates,
            step=self._step + 1,
        )
        done, begun = 0, -1
        first = self._step
        while done < total:
            if callbacks.needs_batches and begun < done:
                callbacks.on_train_batch_begin(done, {})
                begun = done
            before = done
            done = core.advance(1 if callbacks.needs_batches else total, _SLICE)
            self._step = first + done
            if done == before:
                continue
            if callbacks.needs_batches:
                callbacks.on_train_batch_end(before, self._logs(program))
                if self.stop_training:
                    break
            if done < total and callbacks.shows_progress:
                callbacks.on_progress(done, total, self._logs(program))
                if self.stop_training:
                    break
        return self._logs(program)

    stop_training: bool = False

    def run_evaluation(self, data: Data, batch_size: int) -> dict[str, float]:
        """Return the means of loss and metrics over ``data``, at inference."""
        program = self._program(data, batch_size, training=False)
        self._clear(program)
        program.plan.run(["gather", "forward", "loss", "metrics"], len(data), inputs=data.inputs())
        return self._logs(program)

    def _learning_rates(self, count: int) -> Array:
        if self._learning_rate is not None:
            return np.full(count, self._learning_rate)
        return np.ascontiguousarray(self.optimizer.learning_rates(self._step + 1, count), np.float64)

    _learning_rate: float | None = None

    @property
    def learning_rate(self) -> float:
        """The rate of the next step. Set it to override the optimizer's own from then on."""
        return float(self._learning_rates(1)[0])

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate = check_number("learning_rate", value, low=0)

    def fit(
        self,
        x: Any,
        y: Any,
        batch_size: int = 32,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Sequence[Any] = (),
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        allow_nonfinite: bool = False,
    ) -> History:
        """Train for ``epochs`` epochs; return the history of loss and metrics.

        Whole epochs run natively, with the GIL released. Ctrl-C raises KeyboardInterrupt within about 0.1 s;
        the parameters are then those after the last whole step, and ``model.history`` holds the epochs that
        were finished.

        Args:
            x: Examples ``(n, *input_shape)``: floats, integers, or bytes (uint8), which are read as
                ``x / 255``.
            y: Targets, as the loss wants them.
            batch_size: Examples per step; the last batch of an epoch may be smaller.
            epochs: Number of the last epoch.
            verbose: 0 silent, 1 a progress bar, 2 a line per epoch; "auto" is 1 on a terminal, else 2.
            callbacks: Callbacks, see ``initcore.callbacks``.
            validation_split: Share of the data, from its end, that is kept for validation.
            validation_data: ``(x, y)`` or ``(x, y, sample_weight)``; goes before ``validation_split``.
            shuffle: Whether each epoch goes through the data in a new order, which depends on the model's
                seed and the epoch's number alone.
            class_weight: Weight by class: a dict (missing classes count 1), a sequence, or "balanced".
            sample_weight: Weight by example, ``(n,)``.
            initial_epoch: Number of epochs already done.
            allow_nonfinite: Train even if the data holds NaN or infinity.

        Raises:
            ValueError, TypeError: Data or arguments do not fit; nothing has been changed then.

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
        split = check_number("validation_split", validation_split, low=0, high=1, open_high=True)
        data = self.prepare(x, y, sample_weight, class_weight, allow_nonfinite)
        validation = None
        if validation_data is not None:
            if len(validation_data) not in (2, 3):
                raise ValueError("validation_data must be (x, y) or (x, y, sample_weight)")
            weight = validation_data[2] if len(validation_data) == 3 else None
            inputs, targets = validation_data[:2]
            validation = self.prepare(inputs, targets, weight, allow_nonfinite=allow_nonfinite)
        elif split > 0:
            kept = len(data) - int(len(data) * split)
            data, validation = data.part(0, kept), data.part(kept, len(data))
        if len(data) == 0:
            raise ValueError("x must have at least one example to train on, got none")
        size = min(batch_size, len(data))
        self.history = History()
        loud = (
            (1 if sys.stdout.isatty() else 2) if verbose == "auto" else check_count("verbose", verbose, low=0)
        )
        params = {"epochs": epochs, "steps": -(-len(data) // size), "verbose": loud}
        listeners = CallbackList(callbacks, self, params, history=self.history, verbose=loud)
        with self._exclusive():
            self.stop_training = False
            listeners.on_train_begin({})
            logs: dict[str, float] = {}
            for epoch in range(initial_epoch, epochs):
                listeners.on_epoch_begin(epoch, {})
                order = np.arange(len(data))
                if shuffle:
                    order = (self.key / f"shuffle/{epoch}").permutation(len(data))
                logs = self.run_epoch(data, size, order, listeners)
                if validation is not None and len(validation):
                    evaluated = self.run_evaluation(validation, min(max(size, 256), len(validation)))
                    logs.update({f"val_{name}": value for name, value in evaluated.items()})
                listeners.on_epoch_end(epoch, logs)
                if self.stop_training:
                    break
            listeners.on_train_end(logs)
        return self.history

    history: History

    def evaluate(
        self,
        x: Any,
        y: Any,
        batch_size: int = 256,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Return loss and metrics on data the model is not trained on here.

        Returns:
            The loss alone if there are no metrics, else a list of the loss and each metric in the order of
            ``compile``; a dict by name with ``return_dict=True``.

        >>> import initcore as ic
        >>> model = ic.Sequential([ic.Dense(1, kernel_initializer="ones")], input_shape=(2,))
        >>> model.compile(loss="mse")
        >>> model.evaluate([[1.0, 2.0]], [[5.0]])
        4.0
        """
        data = self.prepare(x, y, sample_weight, class_weight, allow_nonfinite=True)
        with self._exclusive():
            logs = self.run_evaluation(data, min(check_count("batch_size", batch_size), max(len(data), 1)))
        if return_dict:
            return logs
        return logs["loss"] if len(logs) == 1 else list(logs.values())

    def _compile(self, optimizer: Any, loss: Any, measured: Sequence[Any]) -> None:
        chosen = optimizers.get(optimizer)
        objective = Objective(losses.get(loss), {})
        for entry in measured:
            metric = metrics.get(entry, objective.loss)
            objective.metrics[entry if isinstance(entry, str) else metric.name] = metric
        self.optimizer, self.objective = chosen, objective
        self._learning_rate = None
        self._reset_optimizer()
