"""The layers. To add one: a frozen dataclass like its neighbours, in a file of its own, named here."""

from initcore.layers.activation import Activation
from initcore.layers.base import Layer
from initcore.layers.container import Residual
from initcore.layers.dense import Dense
from initcore.layers.dropout import Dropout
from initcore.layers.normalization import BatchNormalization
from initcore.layers.shape import Flatten, Input

__all__ = [
    "Activation",
    "BatchNormalization",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "Layer",
    "Residual",
]
