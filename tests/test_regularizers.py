"""The penalties, their derivatives, and what they add to a plan's loss and gradients."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from initcore import _core, regularizers
from initcore.plan import Plan
from initcore.regularizers import L1, L1L2, L2

every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@every_dtype
@pytest.mark.parametrize("regularizer", [L1(0.1), L2(0.1), L1L2(0.1, 0.2), L1L2()])
@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 17, 10_000])
def test_penalty_and_derivative_are_the_formula(regularizer, n, dtype, isa, rng):
    w = rng.normal(0, 1, n).astype(dtype)
    w[::5] = 0
    wide, eps = w.astype(np.float64), np.finfo(dtype).eps
    l1, l2 = regularizer.l1, regularizer.l2
    assert_allclose(regularizer(w), l1 * np.abs(wide).sum() + l2 * (wide**2).sum(), rtol=1e-14, atol=0)
    gradient = regularizer.gradient(w)
    assert gradient.dtype == dtype
    assert_allclose(gradient, l1 * np.sign(wide) + 2 * l2 * wide, rtol=4 * eps, atol=eps)


def test_the_derivative_is_that_of_the_penalty(rng):
    w, step = rng.normal(0, 1, 6), 1e-6
    regularizer = L1L2(0.3, 0.2)
    for i in range(w.size):
        shift = step * (np.arange(w.size) == i)
        slope = (regularizer(w + shift) - regularizer(w - shift)) / (2 * step)
        assert slope == pytest.approx(regularizer.gradient(w)[i], abs=1e-8)


def test_a_plan_adds_to_the_loss_and_the_gradient(isa, rng):
    w, dw = rng.normal(0, 1, (5, 3)), rng.normal(0, 1, (5, 3))
    regularizer, before = L1L2(0.1, 0.2), dw.copy()
    plan = Plan(batch_size=4, dtype=np.dtype(np.float64))
    total = plan.fixed(3, dtype=np.float64)
    regularizer.lower(plan, plan.view(w), plan.view(dw), total)
    regularizer.lower(plan, plan.view(w), None, total, segment="loss")
    plan.build()
    total.array[:] = 1
    plan.run(["update"], rows=3)
    assert_allclose(dw, before + regularizer.gradient(w), rtol=1e-15)
    assert_allclose(total.array, [1 + 3 * regularizer(w), 1, 1 + regularizer(w)])
    changed = dw.copy()
    plan.run(["loss"], rows=4)
    assert_array_equal(dw, changed)
    assert_allclose(total.array[0], 1 + 7 * regularizer(w))


def test_threads_do_not_change_a_bit(rng):
    w = rng.normal(0, 1, 1_000_003).astype(np.float32)
    before = _core.num_threads()
    try:
        results = []
        for threads in (1, 2, 5):
            _core.set_num_threads(threads)
            results.append(L1L2(0.1, 0.1)(w))
    finally:
        _core.set_num_threads(before)
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("name", regularizers.names())
def test_a_name_gives_the_regularizer_and_a_regularizer_itself(name):
    regularizer = regularizers.get(name)
    assert regularizers.get(regularizer) is regularizer
    assert regularizer([1.0]) > 0


def test_none_is_no_regularizer():
    assert regularizers.get(None) is None


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="Did you mean 'l2'"):
        regularizers.get("L2")
    for value in (-1, np.nan, np.inf):
        with pytest.raises(ValueError, match="l2"):
            L2(value)
        with pytest.raises(ValueError, match="l1"):
            L1(value)
    with pytest.raises(TypeError, match="l1"):
        L1L2("a")


@pytest.mark.peers
def test_agrees_with_keras(rng, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    keras = pytest.importorskip("keras", reason="compares with a live Keras")
    w = rng.normal(0, 1, (30, 4)).astype(np.float32)
    for ours, theirs in [
        (L1(0.1), keras.regularizers.L1(0.1)),
        (L2(0.1), keras.regularizers.L2(0.1)),
        (L1L2(0.1, 0.2), keras.regularizers.L1L2(0.1, 0.2)),
    ]:
        assert ours(w) == pytest.approx(float(theirs(w)), rel=1e-5)
