"""Expectations over the normal law by other means than the package's: what its quadrature must agree with."""

import math

import numpy as np

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)
_LEGENDRE = np.polynomial.legendre.legvander(_NODES, 39)
_INTERPOLATE = np.linalg.inv(_LEGENDRE)
_SLOPES = (
    np.polynomial.legendre.legvander(_NODES, 38) @ np.polynomial.legendre.legder(np.eye(40)) @ _INTERPOLATE
)
_EDGES = np.arange(-16.0, 17.0)  # every activation of the package has its kinks at whole numbers
Z = (_EDGES[:-1, None] + 0.5) + 0.5 * _NODES  # segments x nodes


def expected(values):
    """E[f(z)] from the values at `Z`: Gauss-Legendre with 40 nodes between whole numbers."""
    density = np.exp(-(Z**2) / 2) / math.sqrt(2 * math.pi)
    return float((values * density * 0.5 * _WEIGHTS).sum())


def slopes(values):
    """f'(z) at `Z` from the values there: that of the polynomial through those of a segment."""
    return values @ _SLOPES.T / 0.5


_X, _W = np.polynomial.hermite_e.hermegauss(120)


def correlated(f, q, c):
    """E[f(u) f(v)] for u, v normal with variance q and correlation c: Gauss-Hermite over the plane."""
    root, weights = math.sqrt(q), _W / _W.sum()
    u, v = root * _X[:, None], root * (c * _X[:, None] + math.sqrt(1 - c * c) * _X[None, :])
    return float((weights[:, None] * weights[None, :] * f(u) * f(v)).sum())


# The kernels of a gated pair


def deviation_of_square(gate: str) -> float:
    """The standard deviation of ``(f(u) v)**2`` for u and v as `theory.gated_gain` has them."""
    from initcore import activations, theory

    gain, f = theory.gated_gain(gate), activations.get(gate)
    fourth = 3 * gain**4 * expected(np.asarray(f(gain * Z), float) ** 4)
    return float((fourth - 1) ** 0.5)
