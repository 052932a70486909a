"""Who trains beside us. To add one: a module like these with a class of its kind, and its name in PEERS.

`name` is what it is called, `module` what must be installed, `offers(work)` whether it can do the work. Made
for a workload and a number of threads, `run(epochs)` goes through the same data that many times, in batches
of a new random order each time, and returns when it is done. Each is written as its own community would for
speed; NumPy also as it is usually written.
"""

from __future__ import annotations

from typing import Protocol

from initcore.bench.in_initcore import Initcore, StrictInitcore
from initcore.bench.in_jax import JAX
from initcore.bench.in_numpy import NumPy
from initcore.bench.in_numpy_plain import PlainNumPy
from initcore.bench.in_sklearn import ScikitLearn
from initcore.bench.in_torch import CompiledPyTorch, PyTorch
from initcore.bench.networks import Workload

__all__ = ["IN_BF16", "PATIENT", "PEERS", "Contestant", "Initcore"]


class Contestant(Protocol):
    """What the modules in_... have."""

    name: str
    module: str

    def __init__(self, work: Workload, threads: int) -> None:
        """Make a network and its data."""

    @staticmethod
    def offers(work: Workload) -> bool:
        """Return whether it can do this work."""

    def run(self, epochs: int) -> None:
        """Go through the data that many times."""


PEERS: tuple[type[Contestant], ...] = (NumPy, PlainNumPy, PyTorch, JAX, ScikitLearn)
IN_BF16: tuple[type[Contestant], ...] = (StrictInitcore, PyTorch)
PATIENT = (*PEERS, CompiledPyTorch)  # where there is time
