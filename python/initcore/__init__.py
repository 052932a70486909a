"""Start neural networks right on a CPU: initialization, fast training, comparison, diagnosis."""

import importlib
import sys
import typing

from initcore._core import __version__

if typing.TYPE_CHECKING:
    from initcore import (
        activations,
        callbacks,
        data_dependent,
        datasets,
        initializers,
        layers,
        layouts,
        losses,
        metrics,
        mup,
        optimizers,
        regularizers,
        residual,
        schedules,
        theory,
    )
    from initcore._fans import fans
    from initcore.apply import initialize
    from initcore.experiment import compare
    from initcore.info import build_info, get_num_threads, set_num_threads
    from initcore.layers import Activation, BatchNormalization, Dense, Dropout, Flatten, Input, Residual
    from initcore.model import Sequential
    from initcore.random import Key
    from initcore.shards import shard
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


# Where a public name comes from; what is not here is a module itself.
_HOME = {
    **dict.fromkeys(
        ("Activation", "BatchNormalization", "Dense", "Dropout", "Flatten", "Input", "Residual"), "layers"
    ),
    **dict.fromkeys(("build_info", "get_num_threads", "set_num_threads"), "info"),
    "Key": "random",
    "Sequential": "model",
    "compare": "experiment",
    "fans": "_fans",
    "gain_table": "theory",
    "initialize": "apply",
    "shard": "shards",
}


def __getattr__(name: str) -> typing.Any:
    """Import what is asked for, when it first is: `import initcore` alone imports next to nothing."""
    if name not in __all__:
        raise AttributeError(
            f"module 'initcore' has no attribute {name!r}", name=name, obj=sys.modules[__name__]
        )
    module = importlib.import_module(f"initcore.{_HOME.get(name, name)}")
    globals()[name] = found = getattr(module, name) if name in _HOME else module
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
