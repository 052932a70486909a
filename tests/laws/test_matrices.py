"""Laws without chance: every weight has the value that the papers give it."""

import math

import numpy as np
import pytest

import initcore as ic
from initcore.laws import Bilinear, DeltaOrthogonal, Identity, ZerO
from initcore.layouts import Conv, ConvTransposed, Depthwise, Packed


@pytest.mark.parametrize(
    ("layout", "shape", "window"),
    [("io", (3, 5, 4, 6), (1, 2)), ("oi", (6, 4, 3, 5), (1, 2)), ("io", (7, 4, 6), (3,)), ("oi", (5, 4), ())],
)
def test_identity_passes_a_signal_on(layout, shape, window):
    w = Identity(2.0)(shape, 0, layout=layout)
    centre = w[window] if layout == "io" else w[(..., *window)].T
    assert np.array_equal(centre, 2 * np.eye(*centre.shape)) and w.sum() == 2 * min(centre.shape)


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("window", [(3,), (3, 5), (3, 3, 3)])
def test_a_grouped_identity_convolution_changes_nothing(groups, window, rng):
    """Dirac: run over a signal, circular, with the groups side by side."""
    channels = 6
    w = Identity()((channels, channels // groups, *window), 0, layout=Conv("oi", groups=groups))
    x = rng.normal(size=(channels, *[6] * len(window)))
    y = np.zeros_like(x)
    each = channels // groups
    for o in range(channels):
        for i in range(each):
            for place in np.ndindex(window):
                shift = [size // 2 - k for k, size in zip(place, window, strict=True)]
                axes = tuple(range(len(window)))
                y[o] += w[(o, i, *place)] * np.roll(x[o // each * each + i], shift, axes)
    assert np.array_equal(x, y)


def test_identity_of_what_is_packed():
    w = Identity()((9, 4), 0, layout=Packed("oi", (4, 2, 3)))
    assert np.array_equal(w, np.concatenate([np.eye(4), np.eye(2, 4), np.eye(3, 4)]))


def test_recurrent_identity_keeps_the_state():
    """Le, Jaitly & Hinton 2015: with relu and no input, a state stays what it is, for any number of steps."""
    w, h = Identity()((20, 20), 0), np.linspace(0, 1, 20, dtype="float32")
    start = h
    for _ in range(1000):
        h = np.maximum(h @ w, 0)
    assert np.array_equal(h, start)


def hadamard(order):
    """Sylvester's construction, as it is defined."""
    h = np.ones((1, 1))
    for _ in range(order):
        h = np.block([[h, h], [h, -h]])
    return h


@pytest.mark.parametrize("inputs, outputs", [(1, 1), (1, 2), (3, 4), (3, 5), (7, 8), (5, 33), (8, 8), (9, 4)])
@pytest.mark.parametrize("layout", ["io", "oi"])
def test_zero_is_algorithm_1(inputs, outputs, layout):
    shape = (inputs, outputs) if layout == "io" else (outputs, inputs)
    w = ZerO(3.0)(shape, 0, dtype="float64", layout=layout)
    w = w.T if layout == "io" else w
    order = math.ceil(math.log2(outputs))
    expected = (
        np.eye(outputs, inputs)
        if outputs <= inputs
        else np.eye(outputs, 2**order) @ (hadamard(order) / 2 ** (order / 2)) @ np.eye(2**order, inputs)
    )
    assert np.allclose(w, 3 * expected, rtol=1e-15, atol=0)


def test_zero_of_a_convolution_stands_at_the_centre():
    w = ZerO()((3, 3, 4, 8), 0)
    assert np.array_equal(w[1, 1], ZerO()((4, 8), 0)) and np.count_nonzero(w) == 32


def test_zero_breaks_the_symmetry_that_widening_by_identity_leaves():
    """Units of a layer that widens differ; with the identity those beyond the inputs would all be 0."""
    assert np.linalg.matrix_rank(ZerO()((16, 64), 0)) == 16
    assert (np.abs(ZerO()((16, 64), 0)).sum(axis=0) > 0).all()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 8])
def test_bilinear_is_the_filter_of_long_et_al(size):
    factor = (size + 1) // 2
    middle = factor - 1 if size % 2 else factor - 0.5
    one = 1 - abs(np.arange(size) - middle) / factor
    w = Bilinear()((size, size, 2, 2), 0, dtype="float64", layout=ConvTransposed("io"))
    assert np.allclose(w[:, :, 0, 0], np.outer(one, one), rtol=1e-15)
    assert np.array_equal(w[..., 0, 0], w[..., 1, 1]) and not w[..., 0, 1].any() and not w[..., 1, 0].any()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bilinear_interpolates(scale):
    """A ramp enlarged is a ramp, away from the ends."""
    size = 2 * scale - scale % 2
    w = Bilinear()((size, 1, 1), 0, dtype="float64", layout=ConvTransposed("io", stride=scale))[:, 0, 0]
    x = np.arange(10.0)
    y = np.zeros(scale * 9 + size)
    for i, value in enumerate(x):
        y[i * scale : i * scale + size] += value * w
    inner = y[2 * scale : -2 * scale]
    assert np.allclose(np.diff(inner), 1 / scale)


def test_bilinear_of_every_channel_of_its_own():
    w = Bilinear(2.0)((5, 1, 4, 4), 0, layout=ConvTransposed("oi", groups=5))
    assert np.array_equal(w[0], w[4]) and w[0].sum() == pytest.approx(2 * 4)


@pytest.mark.parametrize(
    ("layout", "shape"),
    [
        (Conv("io"), (5, 3, 4)),
        (Conv("oi"), (6, 4, 3, 3)),
        (Conv("oi"), (4, 4, 3, 3, 3)),
        (Depthwise(), (3, 8, 1)),
    ],
    ids=str,
)
def test_delta_orthogonal_keeps_the_norm_of_any_signal(layout, shape, rng):
    """Xiao et al. 2018: a circular convolution by it is an isometry, times the gain."""
    w = layout.maps(DeltaOrthogonal(1.5)(shape, ic.Key(0), "float64", layout))
    maps, *window, inputs, _ = w.shape
    axes = range(1, len(window) + 1)
    for one in range(maps):
        x = rng.normal(size=(inputs, *[7] * len(window)))
        y = 0
        for place in np.ndindex(*window):
            shifted = np.roll(x, [-k for k in place], tuple(axes))
            y = y + np.tensordot(w[(one, *place)], shifted, axes=(0, 0))
        assert np.linalg.norm(y) == pytest.approx(1.5 * np.linalg.norm(x), rel=1e-13)
