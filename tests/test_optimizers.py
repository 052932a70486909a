"""Every optimizer against the reference: every instruction set, both dtypes, any number of threads."""

import dataclasses

import numpy as np
import pytest
import reference_optimizers as reference
from numpy.testing import assert_allclose, assert_array_equal

from initcore import _core, _optimizer, optimizers, schedules
from initcore.optimizers import SGD, Adam, RMSprop
from initcore.plan import Plan

# Every row of the compiled table is reached by one of these.
SETTINGS = {name: optimizers.get(name) for name in optimizers.names()} | {
    "rmsprop centered": RMSprop(centered=True),
    "rmsprop momentum": RMSprop(momentum=0.9),
    "rmsprop centered momentum": RMSprop(centered=True, momentum=0.9),
}
every_optimizer = pytest.mark.parametrize("optimizer", SETTINGS.values(), ids=SETTINGS.keys())
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
STEPS = 20


def gradients_of(rng, n, dtype, steps=STEPS):
    return rng.normal(0, 1, (steps, n)).astype(dtype)


def run(optimizer, w, gradients, tensors=()):
    w = w.copy()
    state = optimizer.init(w.size, w.dtype)
    for g in gradients:
        optimizer.step(w, g, state, tensors=tensors)
    return w


def tolerance(dtype):
    """Every step rounds a few times, by at most an ulp of numbers around 1."""
    return {"rtol": 0, "atol": STEPS * 8 * np.finfo(dtype).eps}


def test_settings_reach_every_compiled_rule():
    assert {o.rule["name"] for o in SETTINGS.values()} == {row["name"] for row in _core.optimizers()}


@every_dtype
@every_optimizer
def test_steps_follow_the_definition(optimizer, dtype, isa, rng):
    optimizer = dataclasses.replace(optimizer, learning_rate=0.01)
    atol = STEPS * 8 * np.finfo(dtype).eps
    if optimizer.rule["name"].startswith("rmsprop_centered"):
        atol *= 100  # the first variances are small differences of large numbers
    for n in (0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 1000):
        w, gradients = rng.normal(0, 1, n).astype(dtype), gradients_of(rng, n, dtype)
        wanted = reference.run(optimizer, w.astype(np.float64), gradients.astype(np.float64))
        assert_allclose(run(optimizer, w, gradients), wanted, rtol=0, atol=atol)


@every_optimizer
def test_weights_decay_apart_from_the_gradient(optimizer, isa, rng):
    optimizer = dataclasses.replace(optimizer, weight_decay=0.1, learning_rate=0.5)
    w = rng.normal(0, 1, 100)
    wanted = reference.run(optimizer, w, np.zeros((3, 100)))
    assert_allclose(wanted, w * (1 - 0.05) ** 3, rtol=1e-14)
    assert_allclose(run(optimizer, w, np.zeros((3, 100))), wanted, rtol=1e-14)


@pytest.mark.parametrize("size", [1, 2, 3])
@every_optimizer
def test_a_quadratic_falls_to_its_minimum(optimizer, size):
    """f(w) = sum(c w^2) / 2, from 1: after many steps with a falling rate, w is near 0."""
    curvature = np.linspace(0.5, 2, size)
    w = np.ones(size)
    rate = schedules.CosineDecay(optimizer.learning_rate if optimizer == SETTINGS["adadelta"] else 0.03, 2000)
    optimizer = dataclasses.replace(optimizer, learning_rate=rate)
    state = optimizer.init(size, np.float64)
    for _ in range(2000):
        optimizer.step(w, curvature * w, state)
    assert np.abs(w).max() < 0.05


def flat(rng, sizes):
    offsets = np.cumsum([0, *sizes])
    return int(offsets[-1]), [(f"t{i}", int(offsets[i]), size) for i, size in enumerate(sizes)]


@every_dtype
@pytest.mark.parametrize("clip", _optimizer.CLIPS)
@pytest.mark.parametrize("amount", [0.3, 1e3])
def test_clipping_follows_the_definition(clip, amount, dtype, isa, rng):
    sizes = [1, 0, 17, 5000, 64]
    n, tensors = flat(rng, sizes)
    w, gradients = rng.normal(0, 1, n).astype(dtype), gradients_of(rng, n, dtype, 3)
    before = gradients.copy()
    for optimizer in (SGD(0.1), Adam(0.1)):
        optimizer = dataclasses.replace(optimizer, **{clip: amount})
        wanted = reference.run(optimizer, w.astype(np.float64), gradients.astype(np.float64), sizes)
        assert_allclose(run(optimizer, w, gradients, tensors), wanted, **tolerance(dtype))
    assert_array_equal(gradients, before)


@every_optimizer
@pytest.mark.parametrize("clip", [None, *_optimizer.CLIPS])
def test_a_plan_computes_the_bits_of_the_steps(optimizer, clip, isa, rng):
    n, tensors = flat(rng, [5, 4099, 100])
    rate = schedules.ExponentialDecay(0.1, 10, 0.5)
    optimizer = dataclasses.replace(optimizer, learning_rate=rate, **({clip: 0.5} if clip else {}))
    w, g = rng.normal(0, 1, n).astype(np.float32), gradients_of(rng, n, np.float32, 1)[0]
    planned, state, plan = w.copy(), optimizer.init(n), Plan(batch_size=2)
    optimizer.lower(
        plan,
        plan.view(planned),
        plan.view(g),
        [plan.view(slot) for slot in state.slots],
        plan.view(state.scalars) if optimizer.scalars else None,
        tensors,
    )
    plan.build()
    for first in (1, 6):  # in two runs, the second of which goes on where the first one ended
        plan.run(["update"], rows=10, step=first, learning_rates=optimizer.learning_rates(first, 5))
    assert_array_equal(planned, run(optimizer, w, [g] * 10, tensors))
    assert (planned != w).any()


@every_dtype
@every_optimizer
def test_a_vector_of_many_blocks_takes_the_steps_of_its_parts(optimizer, dtype, isa, rng):
    """Blocks are gone through forwards in one step and backwards in the next: none twice, none not at all."""
    w = rng.normal(0, 1, 50_003).astype(dtype)
    gradients = gradients_of(rng, w.size, dtype, 3)
    parts = zip(np.split(w, [4096, 45_056]), np.split(gradients, [4096, 45_056], axis=1), strict=True)
    wanted = [run(optimizer, part, np.ascontiguousarray(of_part)) for part, of_part in parts]
    assert_array_equal(run(optimizer, w, gradients), np.concatenate(wanted))


@every_dtype
@every_optimizer
def test_threads_do_not_change_a_bit(optimizer, dtype, rng):
    n = 100_003
    w, gradients = rng.normal(0, 1, n).astype(dtype), gradients_of(rng, n, dtype, 2)
    optimizer = dataclasses.replace(optimizer, global_clipnorm=1.0)
    before = _core.num_threads()
    try:
        results = []
        for threads in (1, 2, 5):
            _core.set_num_threads(threads)
            results.append(run(optimizer, w, gradients))
    finally:
        _core.set_num_threads(before)
    assert_array_equal(results[0], results[1])
    assert_array_equal(results[0], results[2])


@every_optimizer
@pytest.mark.parametrize("clip", [None, "clipvalue"])
def test_a_nan_gradient_makes_its_own_weight_nan(optimizer, clip, isa, rng):
    w, gradients = np.ones(100, np.float32), gradients_of(rng, 100, np.float32, 3)
    gradients[1, 37] = np.nan
    optimizer = dataclasses.replace(optimizer, **({clip: 0.5} if clip else {}))
    result = run(optimizer, w, gradients)
    assert np.isnan(result[37])
    assert np.isfinite(np.delete(result, 37)).all()


@pytest.mark.parametrize("clip", ["clipnorm", "global_clipnorm"])
def test_a_nan_norm_makes_all_its_weights_nan(clip, isa):
    w, g = np.ones(10, np.float32), np.ones((1, 10), np.float32)
    g[0, 2] = np.nan
    result = run(SGD(**{clip: 1.0}), w, g, [("a", 0, 5), ("b", 5, 5)])
    assert_array_equal(np.isnan(result), [True] * 5 + [clip == "global_clipnorm"] * 5)


@every_dtype
def test_norms_neither_overflow_nor_vanish_in_float32(dtype, isa):
    for size in (1e-30, 1e30):
        g = np.full((1, 100), size, dtype)
        result = run(SGD(1.0, global_clipnorm=size), np.zeros(100, dtype), g)
        assert_allclose(result, -size / 10, rtol=1e-5)


def test_schedules_count_finished_updates_from_zero():
    asked = []

    def rate(step):
        asked.append(step)
        return 0.5 / (1 + step)

    assert_allclose(SGD(rate).learning_rates(1, 3), [0.5, 0.25, 0.5 / 3])
    assert asked == [0, 1, 2]
    assert_allclose(SGD(schedules.StepDecay(1.0, 2)).learning_rates(2, 3), [1, 0.1, 0.1])
    assert_array_equal(SGD(0.25).learning_rates(7, 2), [0.25, 0.25])


@pytest.mark.parametrize("rate", [-0.1, np.nan, np.inf])
def test_a_schedule_that_gives_no_rate_is_refused_before_anything_changes(rate):
    w, sgd = np.ones(3), SGD(lambda step: 0.1 if step < 2 else rate)
    state = sgd.init(3, np.float64)
    sgd.step(w, w.copy(), state)
    before = w.copy()
    with pytest.raises(ValueError, match="after 2 updates"):
        sgd.learning_rates(2, 5)
    sgd.step(w, np.zeros(3), state)
    with pytest.raises(ValueError, match="learning rates must lie"):
        sgd.step(w, before, state)
    assert_array_equal(w, before)
    assert state.step == 2


@pytest.mark.parametrize("name", optimizers.names())
def test_a_name_gives_the_optimizer_and_an_optimizer_itself(name):
    optimizer = optimizers.get(name)
    assert optimizers.get(optimizer) is optimizer
    assert optimizer.source and len(optimizer.slot_names) == optimizer.slots


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="Did you mean 'adam'") as error:
        optimizers.get("Adam")
    assert all(repr(name) in str(error.value) for name in optimizers.names())


@every_optimizer
def test_settings_out_of_range_are_refused(optimizer):
    for name in (*optimizer.rule["hyperparameters"], "learning_rate", "weight_decay", *_optimizer.CLIPS):
        for value in (-0.1, np.nan, np.inf):
            with pytest.raises(ValueError, match=name):
                dataclasses.replace(optimizer, **{name: value})
        with pytest.raises(TypeError, match=name):
            dataclasses.replace(optimizer, **{name: "high"})


def test_only_one_way_of_clipping():
    with pytest.raises(ValueError, match="clipnorm and global_clipnorm"):
        Adam(clipnorm=1, global_clipnorm=1)


def test_nesterov_needs_momentum():
    with pytest.raises(ValueError, match="momentum"):
        SGD(nesterov=True)


def test_arrays_that_do_not_fit_are_refused_and_nothing_changes():
    adam = Adam()
    w, state = np.ones(10, np.float32), adam.init(10)
    read_only = w.copy()
    read_only.flags.writeable = False
    for parameters, gradients, error in [
        (w, np.ones(9, np.float32), ValueError),
        (w, np.ones(10), TypeError),
        (w[::2], np.ones(5, np.float32), TypeError),
        (read_only, np.ones(10, np.float32), ValueError),
        (np.ones(11, np.float32), np.ones(11, np.float32), ValueError),
        (np.ones(10, np.int32), np.ones(10, np.int32), TypeError),
    ]:
        with pytest.raises(error):
            adam.step(parameters, gradients, state)
    assert state.step == 0 and not any(slot.any() for slot in state.slots)
    assert_array_equal(w, 1)
