"""Start neural networks right on a CPU: initialization, fast training, comparison, diagnosis."""

from initcore import (
    activations,
    callbacks,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
    schedules,
    theory,
)
from initcore._core import __version__
from initcore.compare import compare
from initcore.fans import fans
from initcore.info import build_info, get_num_threads, set_num_threads
from initcore.layers import Activation, BatchNormalization, Dense, Dropout, Flatten, Input, Residual
from initcore.model import Sequential
from initcore.random import Key

__all__ = [
    "Activation",
    "BatchNormalization",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "Key",
    "Residual",
    "Sequential",
    "__version__",
    "activations",
    "build_info",
    "callbacks",
    "compare",
    "datasets",
    "fans",
    "get_num_threads",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "regularizers",
    "schedules",
    "set_num_threads",
    "theory",
]
