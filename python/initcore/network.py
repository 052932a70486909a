"""A network's arrays, and its plans: where layers, loss, metrics and optimizer are lowered into one list."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from initcore import activations
from initcore._optimizer import Optimizer, State
from initcore._targets import numbers
from initcore._validate import check_count
from initcore.activations import Activation
from initcore.layers import activation as activation_layer
from initcore.layers.base import Context, Layer, Lowered, Shape, Slope, Tensor
from initcore.layers.container import Stack
from initcore.losses import TOTAL_SIZE, Loss
from initcore.plan import Buffer, Plan
from initcore.precision import check_precision
from initcore.program import Objective, Program, Trace, array_of
from initcore.random import Key
from initcore.vector import Vector

Array = NDArray[Any]


class Exclusive:
    """One thread at a time: plans share the network's arrays. A callback is in the thread of `fit`."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise RuntimeError("this model is in use by another thread; give each thread a model of its own")

    def __exit__(self, *error: object) -> None:
        self._lock.release()


class Network:
    """Layers with their arrays. `Sequential` adds training to it."""

    def __init__(
        self,
        layers: Sequence[Layer],
        input_shape: Shape,
        seed: int | Key,
        dtype: np.dtype[Any],
        precision: str | None,
    ) -> None:
        self._precision = check_precision(precision, dtype)
        self.stack = Stack(layers)
        self.input_shape = input_shape
        self.dtype = dtype
        self.key = Key.of(seed)
        self.output_shape = self.stack.output_shape(input_shape)
        self.tensors: dict[str, Tensor] = self.stack.tensors(input_shape, activations.get(None))
        variables = self.stack.variables(input_shape)
        self._parameters = Vector({name: t.shape for name, t in self.tensors.items()}, dtype)
        self._gradients = Vector({name: t.shape for name, t in self.tensors.items()}, dtype)
        self._state = Vector({name: t.shape for name, t in variables.items()}, dtype)
        for vector, tensors in ((self._parameters, self.tensors), (self._state, variables)):
            for name, tensor in tensors.items():
                tensor.initializer(tensor.shape, self.key / name, dtype=dtype.name, out=vector.views[name])
        self._step = 0  # optimizer steps taken, which also numbers the random streams of a step
        self._forwards = 0  # the same for loops of one's own, which do not say when they take a step
        self._forget()

    def _forget(self) -> None:
        """Start without plans; they are built again when they are needed."""
        self._programs: dict[str, tuple[Hashable, Program]] = {}
        self._last: tuple[Program, int, int] | None = None  # what `backward` goes back through: rows, step
        self._exclusive = Exclusive()

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle holds: arrays and settings, no plans."""
        passing = ("_programs", "_last", "_exclusive")
        return {name: value for name, value in self.__dict__.items() if name not in passing}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    @property
    def precision(self) -> str:
        """In what precision products are computed: ``"fp32"``, ``"fp64"`` or ``"bf16"``.

        Set it to compute on in another, on a machine that lacks the one that a saved model was made for.

        Raises:
            ValueError: The name is unknown, or goes with another dtype.
            RuntimeError: This machine has no instruction for it.
        """
        return self._precision

    @precision.setter
    def precision(self, value: str) -> None:
        self._precision = check_precision(value, self.dtype)
        self._programs, self._last = {}, None

    @property
    def parameters(self) -> dict[str, Array]:
        """The trained tensors by name, "layer/tensor": writable views of one flat vector.

        Both ``model.parameters["dense/bias"][...] = b`` and ``model.parameters["dense/bias"] = b`` change
        the model. ``copy.deepcopy(model.parameters)`` is a plain dict of copies.
        """
        return self._parameters.views

    @property
    def gradients(self) -> dict[str, Array]:
        """The gradients that the last `backward` or training step left, named as the parameters."""
        return self._gradients.views

    @property
    def state(self) -> dict[str, Array]:
        """The tensors that are kept but not trained, such as moving means: writable views."""
        return self._state.views

    def _context(self, plan: Plan, training: bool) -> Context:
        return Context(
            plan,
            training,
            self._parameters.buffers(plan),
            self._gradients.buffers(plan),
            self._state.buffers(plan),
            self.key,
        )

    def _program(self, kind: str, facts: Hashable, rows: int, build: Callable[[int], Program]) -> Program:
        """Return the last plan of this kind, or build one if it was for other facts or fewer rows."""
        known, program = self._programs.get(kind, (None, None))
        if program is None or known != facts or program.plan.batch_size < rows:
            program = build(rows)
            self._programs[kind] = facts, program
        return program

    def _fuses(self, loss: Loss) -> bool:
        """Return whether the output activation is computed together with the loss."""
        name = self._output_activation().name
        return name == loss.fused_with and loss.uses_logits(name)

    def _output_activation(self) -> Activation:
        return self.stack.output_activation() or activations.get(None)

    def _gathered(self, plan: Plan, slot: str, shape: Shape, dtype: np.dtype[Any] | None = None) -> Buffer:
        """Return a buffer that the plan's segment "gather" fills with the batch's rows of ``slot``."""
        rows = plan.batch(*shape, dtype=dtype, name=slot)
        plan.add("gather", "gather", slot=slot, out=rows)
        return rows

    def _objective_program(
        self,
        objective: Objective,
        batch_size: int,
        target_shape: Shape,
        target_dtype: np.dtype[Any],
        weighted: bool,
        optimizer: Optimizer | None = None,
        optimizer_state: State | None = None,
    ) -> Program:
        """Return a plan that computes loss and metrics of a batch, and takes a step if there is an optimizer.

        Segments: "gather", "forward", "loss", "metrics", and with an optimizer "backward", "update".
        """
        training = optimizer is not None
        plan = Plan(batch_size, self.dtype, self.precision)
        context = self._context(plan, training)
        x = self._gathered(plan, "x", self.input_shape)
        target = self._gathered(plan, "y", target_shape, target_dtype)
        weight = self._gathered(plan, "w", (1,)) if weighted else None

        fused = self._fuses(objective.loss)
        stack = self.stack.without_activation() if fused else self.stack
        lowered = stack.lower(context, x, self.input_shape, False)
        program = Program(plan, lowered.y)
        logits = objective.loss.uses_logits(self._output_activation().name)
        gradient = context.like(lowered.y) if training else None
        program.totals["loss"] = plan.fixed(TOTAL_SIZE, dtype=np.float64)
        objective.loss.lower(plan, lowered.y, target, weight, program.totals["loss"], gradient, logits=logits)
        activation = objective.loss.fused_with if logits else None
        output = lowered.y
        if fused and not all(activation in m.takes_logits_of for m in objective.metrics.values()):
            beside = replace(context, segment="metrics")
            output = activation_layer.lower(beside, self._output_activation(), lowered.y).y
        for name, metric in objective.metrics.items():
            total = plan.fixed(metric.total_size(math.prod(self.output_shape)), dtype=np.float64)
            program.totals[name] = total
            takes = activation in metric.takes_logits_of
            metric.lower(plan, lowered.y if takes else output, target, weight, total, logits=takes)
        if gradient is not None:
            lowered.backward(context.times_slope(gradient, lowered.slope), None)
        for name, tensor in self.tensors.items():
            if tensor.regularizer is not None:
                tensor.regularizer.lower(
                    plan,
                    context.parameters[name],
                    context.gradients[name] if training else None,
                    program.totals["loss"],
                    segment="update" if training else "loss",
                )
        if optimizer is not None and optimizer_state is not None:
            optimizer.lower(
                plan,
                plan.view(self._parameters.flat),
                plan.view(self._gradients.flat),
                [plan.view(slot) for slot in optimizer_state.slots],
                plan.view(optimizer_state.scalars) if optimizer.scalars else None,
                self._parameters.places,
            )
        plan.build()
        return program

    def _watched_program(self, rows: int, training: bool) -> Program:
        """Return a plan of "forward" and "backward" that keeps what every layer makes of a batch."""
        plan = Plan(rows, self.dtype, self.precision)
        context = self._context(plan, training)
        outputs: dict[str, Buffer] = {}
        gradients: dict[str, Buffer] = {}

        def watch(name: str, part: Lowered) -> Lowered:
            outputs[name] = part.y

            def backward(dy: Buffer, below: Slope | None) -> Buffer | None:
                gradients[name] = dy
                return part.backward(dy, below)

            return Lowered(part.y, backward, part.slope)

        x = self._gathered(plan, "x", self.input_shape)
        lowered = self.stack.lower_each(context, x, self.input_shape, True, watch)
        dy = context.like(lowered.y)
        dx = lowered.backward(context.times_slope(dy, lowered.slope), None)
        plan.build()
        return Program(plan, lowered.y, dx, dy, outputs=outputs, output_gradients=gradients)

    def _inference_program(self, rows: int) -> Program:
        """Return a plan of "forward" at inference."""
        plan = Plan(rows, self.dtype, self.precision)
        x = self._gathered(plan, "x", self.input_shape)
        lowered = self.stack.lower(self._context(plan, False), x, self.input_shape, False)
        plan.add("deliver", "deliver", slot="y", x=lowered.y)
        plan.build()
        return Program(plan, lowered.y)

    def forward(self, x: ArrayLike, training: bool = False, step: int | None = None) -> Array:
        """Return the network's output for ``x``, and keep what `backward` needs.

        Args:
            x: Examples, ``(n, *input_shape)``.
            training: Whether dropout, batch normalization and the like work as in training.
            step: Number, from 1, of the random streams that dropout and the like draw from. By default
                every call takes new ones; the same number gives the same ones again.

        Returns:
            ``(n, *output_shape)``, a new array.

        Raises:
            ValueError, TypeError: ``x`` does not fit.

        >>> import numpy as np, initcore as ic
        >>> model = ic.Sequential([ic.Dense(2, kernel_initializer="ones")], input_shape=(3,))
        >>> model.forward([[1, 2, 3]])
        array([[6., 6.]], dtype=float32)
        >>> model.backward([[1, 0]])
        array([[1., 1., 1.]], dtype=float32)
        >>> model.gradients["dense/kernel"]
        array([[1., 0.],
               [2., 0.],
               [3., 0.]], dtype=float32)
        """
        data = self._examples(x)
        with self._exclusive:
            if step is None:
                self._forwards += 1
            number = self._forwards if step is None else check_count("step", step)
            kind = "forward in training" if training else "forward"
            program = self._program(
                kind, None, max(len(data), 1), lambda rows: self._watched_program(rows, training)
            )
            program.plan.run(["gather", "forward"], len(data), inputs={"x": data}, step=number)
            self._last = program, len(data), number
            return self._rows(program.y, len(data))

    def backward(self, dy: ArrayLike) -> Array:
        """Return the gradient with respect to the input of the last `forward`; `gradients` gets the others.

        Args:
            dy: Gradient of your loss with respect to the output of that forward, of the same shape.

        Raises:
            RuntimeError: There was no forward.
            ValueError, TypeError: ``dy`` does not fit.
        """
        if self._last is None:
            raise RuntimeError("backward needs a forward before it: call model.forward(x) first")
        program, rows, step = self._last
        assert program.dy is not None and program.dx is not None, "a plan of forward has both"
        gradient = numbers("dy", dy)
        expected = (rows, *self.output_shape)
        if gradient.shape != expected:
            raise ValueError(f"dy must have the shape of the last output, {expected}, got {gradient.shape}")
        with self._exclusive:
            array_of(program.dy)[:rows] = gradient
            program.plan.run(["backward"], rows, step=step)
            return self._rows(program.dx, rows)

    def trace(self, x: ArrayLike, dy: ArrayLike | None = None, training: bool = False) -> list[Trace]:
        """Return what every layer makes of ``x``, and of the gradient ``dy`` if one is given.

        >>> import initcore as ic
        >>> model = ic.Sequential([ic.Dense(4, "relu"), ic.Dense(2)], input_shape=(3,), seed=0)
        >>> [(t.name, t.output.shape) for t in model.trace([[1, 2, 3]])]
        [('dense', (1, 4)), ('dense_1', (1, 2))]
        """
        y = self.forward(x, training)
        if dy is not None:
            self.backward(dy)
        assert self._last is not None, "there was a forward"
        program = self._last[0]
        gradients = program.output_gradients if dy is not None else {}
        return [
            Trace(
                name,
                self._rows(buffer, len(y)),
                self._rows(gradients[name], len(y)) if name in gradients else None,
            )
            for name, buffer in program.outputs.items()
        ]

    def predict(self, x: ArrayLike, batch_size: int = 256) -> Array:
        """Return the network's output at inference for ``x``, ``batch_size`` examples at a time.

        Raises:
            ValueError, TypeError: ``x`` does not fit.

        >>> import initcore as ic
        >>> model = ic.Sequential([ic.Dense(2, kernel_initializer="ones")], input_shape=(3,))
        >>> model.predict([[1, 2, 3], [4, 5, 6]])
        array([[ 6.,  6.],
               [15., 15.]], dtype=float32)
        """
        data = self._examples(x)
        rows = min(check_count("batch_size", batch_size), max(len(data), 1))
        out = np.empty((len(data), math.prod(self.output_shape)), self.dtype)
        with self._exclusive:
            program = self._program("predict", None, rows, self._inference_program)
            program.plan.run(["gather", "forward", "deliver"], len(data), inputs={"x": data, "y": out})
        return out.reshape(len(data), *self.output_shape)

    def _rows(self, buffer: Buffer, rows: int) -> Array:
        return array_of(buffer)[:rows].reshape(rows, *buffer.shape[1:]).copy()

    def _examples(self, x: ArrayLike) -> Array:
        """Return ``x`` as a C-contiguous ``(n, columns)`` array of a dtype that the gather reads."""
        data = numbers("x", x)
        if data.dtype.char not in "fdB":  # float32, float64, uint8
            data = data.astype(self.dtype)
        if data.ndim == 1 and self.input_shape == (1,):
            data = data[:, None]
        if data.shape[1:] != self.input_shape:
            wanted = ", ".join(map(str, self.input_shape))
            hint = ""
            if data.shape == self.input_shape:
                hint = " For a single example write x[None]."
            elif math.prod(data.shape[1:]) == math.prod(self.input_shape):
                hint = f" Its examples have as many numbers: write x.reshape(-1, {wanted})."
            raise ValueError(f"x must have shape (n, {wanted}), got {data.shape}.{hint}")
        if not data.dtype.isnative:
            data = data.astype(data.dtype.newbyteorder("="))
        return np.ascontiguousarray(data.reshape(len(data), math.prod(self.input_shape)))
