"""Fans counted from what layers compute, not from what their axes are called."""

import numpy as np

from initcore.layouts import Conv, ConvTransposed, Depthwise, Einsum


def count(layout, shape):
    """Return (fan_in, fan_out), or None for a layout that this knows nothing about.

    At each position of the coarser grid, every element of a convolution's kernel links one input with one
    output. So fan_in is the number of links per output, and fan_out that per input.
    """
    if isinstance(layout, Einsum) and layout.equation and "." not in layout.equation:
        return _of_einsum(layout.equation, shape)
    if isinstance(layout, Conv | ConvTransposed | Depthwise):
        inputs, outputs, inputs_per_position, outputs_per_position = _channels(layout, shape)
        links = np.prod(shape)
        return links / (outputs * outputs_per_position), links / (inputs * inputs_per_position)
    return None


def _channels(layout, shape):
    """Channels on both sides, and how many positions they have to one of the coarser grid."""
    io = layout.order == "io"
    if isinstance(layout, Depthwise):
        return (
            (shape[-2], shape[-2] * shape[-1], 1, 1)
            if io
            else (shape[0] // (layout.multiplier or 1), shape[0], 1, 1)
        )
    window = len(shape) - 2
    steps = np.prod(layout.stride) if isinstance(layout.stride, tuple) else layout.stride**window
    if isinstance(layout, Conv):
        inputs, outputs = (shape[-2], shape[-1]) if io else (shape[1], shape[0])
        return inputs * layout.groups, outputs, steps, 1
    inputs, outputs = (shape[-1], shape[-2]) if io else (shape[0], shape[1])
    return inputs, outputs * layout.groups, 1, steps


def _of_einsum(equation, shape):
    """Run it: with inputs of one only, to see what is summed; with one input, to see what that feeds."""
    left, _ = equation.split("->")
    inputs, weights = left.split(",")
    size = dict(zip(weights, shape, strict=True))
    x = np.ones([size.get(letter, 1) for letter in inputs])
    summed = np.einsum(equation, x, np.ones(shape))
    x[...] = 0
    x.flat[0] = 1
    fed = np.einsum(equation, x, np.ones(shape))
    return summed.flat[0], np.count_nonzero(fed)
