"""Slow, plain, float64: what the library must agree with."""

import numpy as np


def gradient(f, x, step=1e-6):
    """Return the gradient of the scalar function f at x by central differences."""
    x = np.asarray(x, np.float64)
    result = np.empty_like(x)
    for i in np.ndindex(x.shape):
        moved = x.copy()
        moved[i] = x[i] + step
        up = f(moved)
        moved[i] = x[i] - step
        result[i] = (up - f(moved)) / (2 * step)
    return result
