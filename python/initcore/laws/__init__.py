"""The laws that weights are drawn from: frozen dataclasses, called as ``init(shape, key)``. See base.py."""

from initcore.laws.base import Initializer
from initcore.laws.constant import Constant, Ones, Zeros
from initcore.laws.matrices import Identity, Orthogonal
from initcore.laws.scaling import VarianceScaling
from initcore.laws.spread import RandomNormal, RandomUniform, TruncatedNormal, truncated_stddev

__all__ = [
    "Constant",
    "Identity",
    "Initializer",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "truncated_stddev",
]
