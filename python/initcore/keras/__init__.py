"""For users of Keras: an initializer for every scheme of ours, and `initialize` for whole models.

>>> import keras
>>> from initcore.keras import HeNormal, Orthogonal, initialize
>>> layer = keras.layers.Dense(8, kernel_initializer=HeNormal(seed=1))

The classes are named as the schemes (``initcore.initializers.names()``), and as the laws and functions there
that have no such name (``PriorBias``, ``ChronoBias`` ...); they take the numbers of the law by
keyword, by position what Keras's own of that name takes, and go with a saved model under the package name
"initcore".
"""

from __future__ import annotations

from typing import Any

from initcore.apply import initialize, named
from initcore.apply.from_data import lsuv, standardize
from initcore.keras.initializer import Initializer, of_law, subclass
from initcore.keras.roles import register

# Classes, so that a saved model and a pickle find them here.
_CLASSES = {named.class_name(name): subclass(name) for name in named.ROWS}
_CLASSES |= {title: of_law(title) for title in named.laws()}
globals().update(_CLASSES)

__all__ = ["Initializer", "initialize", "lsuv", "register", "standardize", *_CLASSES]


def __getattr__(name: str) -> Any:
    """Say so if there is no such initializer."""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
