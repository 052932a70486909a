"""Loops without `fit`: the examples of the documentation, and gradients through two networks."""

import doctest
from pathlib import Path

import numpy as np
import pytest

import initcore as ic

PAGE = Path(__file__).parent.parent / "docs" / "custom_loops.md"


def test_the_page_on_custom_loops_is_true():
    failures, examples = doctest.testfile(str(PAGE), module_relative=False)
    assert examples > 20
    assert failures == 0


def two_networks(dtype, activation):
    first = [ic.Dense(5, activation=activation), ic.Dense(2)]
    second = [ic.Dense(7, activation=activation), ic.Dense(1)]
    return (
        ic.Sequential(first, input_shape=(3,), seed=1, dtype=dtype),
        ic.Sequential(second, input_shape=(2,), seed=2, dtype=dtype),
    )


@pytest.mark.parametrize("activation", ["tanh", "gelu", "sigmoid"])
def test_the_gradient_goes_through_the_second_network_into_the_first(activation, isa, rng):
    first, second = two_networks("float64", activation)
    z, dy = rng.normal(size=(6, 3)), rng.normal(size=(6, 1))

    def objective():
        return float(np.sum(dy * second.forward(first.forward(z))))

    objective()
    dz = first.backward(second.backward(dy))
    found = {name: gradient.copy() for name, gradient in first.gradients.items()}
    for array, gradient in [(z, dz), *((first.parameters[name], found[name]) for name in found)]:
        for index in np.ndindex(array.shape):
            kept, step = array[index], 1e-5
            array[index] = kept + step
            high = objective()
            array[index] = kept - step
            low = objective()
            array[index] = kept
            # step**2 of the difference itself, and 2**-52 / step of its rounding, times what is summed
            assert (high - low) / (2 * step) == pytest.approx(gradient[index], rel=1e-7, abs=1e-8)


def test_one_network_of_both_has_the_same_bits(isa, rng):
    """Two networks in a row are one: the way of the gradient between them loses nothing."""
    first, second = two_networks("float32", "tanh")
    layers = [ic.Dense(5, activation="tanh"), ic.Dense(2), ic.Dense(7, activation="tanh"), ic.Dense(1)]
    whole = ic.Sequential(layers, input_shape=(3,))
    parts = [*first.parameters.values(), *second.parameters.values()]
    for array, part in zip(whole.parameters.values(), parts, strict=True):
        array[...] = part
    z, dy = rng.normal(size=(20, 3)), rng.normal(size=(20, 1))
    np.testing.assert_array_equal(whole.forward(z), second.forward(first.forward(z)))
    np.testing.assert_array_equal(whole.backward(dy), first.backward(second.backward(dy)))
    parts = [*first.gradients.values(), *second.gradients.values()]
    for gradient, part in zip(whole.gradients.values(), parts, strict=True):
        np.testing.assert_array_equal(gradient, part)


@pytest.mark.parametrize("optimizer", [ic.optimizers.get(name) for name in ic.optimizers.names()])
def test_a_loop_of_ones_own_does_what_fit_does(optimizer, isa, rng):
    x, y = rng.normal(size=(40, 3)).astype(np.float32), rng.normal(size=(40, 1)).astype(np.float32)
    fitted, looped = (
        ic.Sequential([ic.Dense(6, activation="tanh"), ic.Dense(1)], input_shape=(3,), seed=3) for _ in "ab"
    )
    fitted.compile(optimizer, "mse")
    fitted.fit(x, y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    states = {name: optimizer.init(w.size, w.dtype) for name, w in looped.parameters.items()}
    for _ in range(2):
        for start in range(0, len(x), 16):
            error = looped.forward(x[start : start + 16], training=True) - y[start : start + 16]
            looped.backward(2 * error / error.size)
            for name, w in looped.parameters.items():
                optimizer.step(w, looped.gradients[name], states[name])
    for name, w in looped.parameters.items():
        np.testing.assert_allclose(w, fitted.parameters[name], rtol=1e-4, atol=1e-6)
