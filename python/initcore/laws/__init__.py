"""The laws that weights are drawn from: frozen dataclasses, called as ``init(shape, key)``. See base.py."""

from initcore.laws.base import Initializer
from initcore.laws.bias import LogPriorBias, PriorBias, SklearnBias, TargetMeanBias, TorchLinearBias, Values
from initcore.laws.constant import Constant, Ones, Zeros
from initcore.laws.fourier import STFT
from initcore.laws.matrices import Bilinear, Identity, ZerO
from initcore.laws.orthogonal import DeltaOrthogonal, Orthogonal
from initcore.laws.recurrent import ChronoBias, ForgetGateBias
from initcore.laws.scaling import VarianceScaling
from initcore.laws.sparse import Sparse
from initcore.laws.spread import RandomNormal, RandomUniform, TruncatedNormal, truncated_stddev

__all__ = [
    "STFT",
    "Bilinear",
    "ChronoBias",
    "Constant",
    "DeltaOrthogonal",
    "ForgetGateBias",
    "Identity",
    "Initializer",
    "LogPriorBias",
    "Ones",
    "Orthogonal",
    "PriorBias",
    "RandomNormal",
    "RandomUniform",
    "SklearnBias",
    "Sparse",
    "TargetMeanBias",
    "TorchLinearBias",
    "TruncatedNormal",
    "Values",
    "VarianceScaling",
    "ZerO",
    "Zeros",
    "truncated_stddev",
]
