"""A training step in PyTorch: modules, and the fused optimizer where there is one.

Rows come by `index_select`, which takes a third to a seventh of the time of ``x[index]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

from initcore.bench.interleaved import optional
from initcore.bench.networks import (
    BETA_1,
    BETA_2,
    BN_EPSILON,
    BN_MOMENTUM,
    EPSILON,
    RATE,
    RHO,
    Workload,
    data,
)


class PyTorch:
    """An eager model."""

    name, module = "PyTorch", "torch"

    def __init__(self, work: Workload, threads: int) -> None:
        torch = self.torch = optional("torch")
        torch.set_num_threads(threads)
        nn, optim = torch.nn, torch.optim
        act = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU}[work.activation]
        parts: list[Any] = []
        for i, (m, n) in enumerate(work.pairs):
            parts.append(nn.Linear(m, n))
            if i < len(work.pairs) - 1:
                if work.normalization:
                    parts.append(nn.BatchNorm1d(n, eps=BN_EPSILON, momentum=1 - BN_MOMENTUM))
                parts.append(act())
                if work.dropout:
                    parts.append(nn.Dropout(work.dropout))
        self.model = nn.Sequential(*parts)
        parameters = list(self.model.parameters())
        self.optimizer = {
            "adam": lambda: optim.Adam(parameters, RATE, (BETA_1, BETA_2), EPSILON, fused=True),
            "sgd": lambda: optim.SGD(parameters, RATE, fused=True),
            "rmsprop": lambda: optim.RMSprop(parameters, RATE, RHO, EPSILON, foreach=True),
            "adagrad": lambda: optim.Adagrad(parameters, RATE, eps=EPSILON, fused=True),
        }[work.optimizer]()
        x, y = data(work)
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        self.batch = work.batch
        # Without autocast where there is nothing to cast: a disabled one costs 10 us a step.
        in_bf16 = work.precision == "bf16"
        self.cast: Any = torch.autocast("cpu", torch.bfloat16) if in_bf16 else nullcontext()

    @staticmethod
    def offers(work: Workload) -> bool:
        """Return whether it can do this work."""
        return True

    def batches(self) -> Iterator[tuple[Any, Any]]:
        """Yield inputs and labels in a new random order; the labels are few, and gathered at once."""
        order = self.torch.randperm(len(self.x))
        for index, y in zip(order.split(self.batch), self.y[order].split(self.batch), strict=True):
            yield self.x.index_select(0, index), y

    def run(self, epochs: int) -> None:
        """Go through the data that many times."""
        cross_entropy = self.torch.nn.functional.cross_entropy
        for _ in range(epochs):
            for x, y in self.batches():
                self.optimizer.zero_grad(set_to_none=True)
                with self.cast:
                    loss = cross_entropy(self.model(x), y)
                loss.backward()
                self.optimizer.step()


class CompiledPyTorch(PyTorch):
    """The gradients as one function that torch.compile turns into C++, then the fused optimizer.

    That needs a C++ compiler and some seconds for each network. Its modes gained nothing. With the
    optimizer's step compiled as well, 20-32-16-2 took 0.9 times as long, 784-128-10 1.5 times.
    """

    name = "torch.compile"

    @staticmethod
    def offers(work: Workload) -> bool:
        """Return whether it can do this work; moving statistics cannot be written under `torch.func.grad`."""
        return work.precision == "fp32" and not work.normalization

    def __init__(self, work: Workload, threads: int) -> None:
        super().__init__(work, threads)
        torch, model = self.torch, self.model
        self.parameters = dict(model.named_parameters())

        def loss(parameters: Any, x: Any, y: Any) -> Any:
            z = torch.func.functional_call(model, parameters, (x,))
            return torch.nn.functional.cross_entropy(z, y)

        compiled = torch.compile(torch.func.grad(loss), fullgraph=True, options={"cpp_wrapper": True})
        self.gradients = torch.no_grad()(compiled)

    def run(self, epochs: int) -> None:
        """Go through the data that many times."""
        for _ in range(epochs):
            for x, y in self.batches():
                gradients = self.gradients(self.parameters, x, y)
                for name, parameter in self.parameters.items():
                    parameter.grad = gradients[name]
                self.optimizer.step()
