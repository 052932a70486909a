"""Batch normalization."""

from __future__ import annotations

import math
from dataclasses import dataclass

from initcore._validate import check_number
from initcore.activations import Activation as Function
from initcore.initializers import Ones, Zeros
from initcore.layers.base import Context, Layer, Lowered, Shape, Slope, Tensor
from initcore.plan import Buffer


@dataclass(frozen=True)
class BatchNormalization(Layer):
    """Give each unit mean 0 and variance 1 over the batch, then a learned scale and shift.

    In training the statistics are the batch's, and moving averages of them are kept:
    ``moving = momentum * moving + (1 - momentum) * batch``. At inference the moving averages are used. The
    variance is the biased one in both places. Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1.

    PyTorch's ``momentum`` is ``1 - momentum`` here, and its moving variance is the unbiased one.

    Args:
        momentum: Share of the old moving average that is kept, in [0, 1].
        epsilon: Added to the variance. Positive.

    Raises:
        ValueError: ``momentum`` or ``epsilon`` lies outside.

    >>> import initcore as ic
    >>> model = ic.Sequential([ic.layers.BatchNormalization()], input_shape=(2,))
    >>> list(model.parameters), list(model.state)  # doctest: +NORMALIZE_WHITESPACE
    (['batch_normalization/gamma', 'batch_normalization/beta'],
     ['batch_normalization/moving_mean', 'batch_normalization/moving_variance'])
    """

    momentum: float = 0.99
    epsilon: float = 1e-3

    def __post_init__(self) -> None:
        object.__setattr__(self, "momentum", check_number("momentum", self.momentum, low=0, high=1))
        object.__setattr__(self, "epsilon", check_number("epsilon", self.epsilon, low=0, open_low=True))

    @property
    def kind(self) -> str:
        return "batch_normalization"

    def tensors(self, input_shape: Shape, feeds: Function) -> dict[str, Tensor]:
        units = (math.prod(input_shape),)
        return {
            "gamma": Tensor(units, Ones(), role="scale", layer=self),
            "beta": Tensor(units, Zeros(), role="shift", layer=self),
        }

    def variables(self, input_shape: Shape) -> dict[str, Tensor]:
        units = (math.prod(input_shape),)
        return {"moving_mean": Tensor(units, Zeros()), "moving_variance": Tensor(units, Ones())}

    def lower(self, context: Context, x: Buffer, input_shape: Shape, needs_dx: bool) -> Lowered:
        y = context.like(x)
        gamma = context.parameter("gamma")
        moving = {name: context.variable(name) for name in ("moving_mean", "moving_variance")}
        gradients = {"dgamma": context.gradient("gamma"), "dbeta": context.gradient("beta")}
        affine = {"x": x, "gamma": gamma, "beta": context.parameter("beta"), "y": y, "epsilon": self.epsilon}
        if context.training:
            batch = {name: context.plan.fixed(x.columns) for name in ("mean", "inverse")}
            context.forward("batch_norm_forward", **affine, **batch, **moving, momentum=self.momentum)
        else:
            context.forward("batch_norm_inference", **affine, **moving)

        def backward(dy: Buffer, below: Slope | None) -> Buffer:
            dx = context.like(x)
            common = {"dy": dy, "x": x, "gamma": gamma, "dx": dx, **gradients}
            if context.training:
                context.backward("batch_norm_backward", **common, **batch)
            else:
                context.backward("batch_norm_inference_backward", **common, **moving, epsilon=self.epsilon)
            return context.times_slope(dx, below)

        return Lowered(y, backward)
