"""Start neural networks right on a CPU: initialization, fast training, comparison, diagnosis."""

import importlib
import typing

from initcore import (
    activations,
    callbacks,
    initializers,
    layers,
    layouts,
    losses,
    metrics,
    optimizers,
    regularizers,
)
from initcore._core import __version__
from initcore.fans import fans
from initcore.info import build_info, get_num_threads, set_num_threads
from initcore.layers import Activation, BatchNormalization, Dense, Dropout, Flatten, Input, Residual
from initcore.model import Sequential
from initcore.random import Key
from initcore.shards import shard

if typing.TYPE_CHECKING:
    from initcore import data_dependent, datasets, mup, residual, schedules, theory
    from initcore.apply import initialize
    from initcore.experiment import compare
    from initcore.theory import gain_table

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
    "data_dependent",
    "datasets",
    "fans",
    "gain_table",
    "get_num_threads",
    "initialize",
    "initializers",
    "layers",
    "layouts",
    "losses",
    "metrics",
    "mup",
    "optimizers",
    "regularizers",
    "residual",
    "schedules",
    "set_num_threads",
    "shard",
    "theory",
]


# Name -> the module that it comes from; the module itself where the two are the same.
_LATE = {
    "compare": "experiment",
    "data_dependent": "data_dependent",
    "datasets": "datasets",
    "gain_table": "theory",
    "initialize": "apply",
    "mup": "mup",
    "residual": "residual",
    "schedules": "schedules",
    "theory": "theory",
}


def __getattr__(name: str) -> typing.Any:
    """Import what not every program needs when it is first asked for, not with `import initcore`."""
    if name not in _LATE:
        raise AttributeError(f"module 'initcore' has no attribute {name!r}")
    module = importlib.import_module(f"initcore.{_LATE[name]}")
    globals()[name] = found = module if name == _LATE[name] else getattr(module, name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
