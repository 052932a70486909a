"""The values of Keras's tensors, whichever backend has them."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray


def values_of(tensor: Any) -> NDArray[Any]:
    """Return an array of its own of what a tensor or variable holds.

    >>> values_of(keras.ops.ones(2))
    array([1., 1.], dtype=float32)
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras's own, on its way to NumPy
        return np.array(keras.ops.convert_to_numpy(tensor))
