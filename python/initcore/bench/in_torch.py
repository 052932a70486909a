"""A training step in PyTorch: modules, and the fused optimizer where there is one."""

from __future__ import annotations

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
    """An eager model, batches by index."""

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
            "rmsprop": lambda: optim.RMSprop(parameters, RATE, RHO, EPSILON),
            "adagrad": lambda: optim.Adagrad(parameters, RATE, eps=EPSILON, fused=True),
        }[work.optimizer]()
        x, y = data(work)
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        self.batch = work.batch
        self.cast = torch.autocast("cpu", torch.bfloat16, enabled=work.precision == "bf16")

    @staticmethod
    def offers(work: Workload) -> bool:
        """Return whether it can do this work."""
        return True

    def run(self, epochs: int) -> None:
        """Go through the data that many times."""
        torch = self.torch
        for _ in range(epochs):
            for index in torch.randperm(len(self.x)).view(-1, self.batch):
                self.optimizer.zero_grad(set_to_none=True)
                with self.cast:
                    loss = torch.nn.functional.cross_entropy(self.model(self.x[index]), self.y[index])
                loss.backward()
                self.optimizer.step()


class CompiledPyTorch(PyTorch):
    """The same, compiled by torch.compile, which needs a C++ compiler and a minute for each network."""

    name = "torch.compile"

    @staticmethod
    def offers(work: Workload) -> bool:
        """Return whether it can do this work."""
        return work.precision == "fp32"

    def __init__(self, work: Workload, threads: int) -> None:
        super().__init__(work, threads)
        torch = self.torch

        def loss(index: Any) -> Any:
            return torch.nn.functional.cross_entropy(self.model(self.x[index]), self.y[index])

        self.loss = torch.compile(loss, fullgraph=True)

    def run(self, epochs: int) -> None:
        """Go through the data that many times."""
        for _ in range(epochs):
            for index in self.torch.randperm(len(self.x)).view(-1, self.batch):
                self.optimizer.zero_grad(set_to_none=True)
                self.loss(index).backward()
                self.optimizer.step()
