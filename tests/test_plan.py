"""The plan and its executor: batches, segments, resuming, what a run is given, what is refused."""

import gc
import weakref

import numpy as np
import pytest

from initcore import _core, optimizers
from initcore.plan import Plan, aligned_empty


def copying(batch_size, columns=3, dtype=np.float32):
    """A plan that gathers "x", and adds each batch's sums to a total."""
    plan = Plan(batch_size, np.dtype(dtype))
    x = plan.batch(columns)
    sums, total = plan.fixed(columns), plan.fixed(columns)
    plan.add("gather", "gather", slot="x", out=x)
    plan.add("sum", "column_sum", x=x, out=sums)
    plan.add("sum", "add", a=total, b=sums, y=total)
    plan.build()
    return plan, x, total


# Buffers


def test_buffers_start_on_cache_lines_and_do_not_overlap():
    plan = Plan(3)
    shapes = [(1,), (5,), (16,), (17,)]
    buffers = [plan.batch(*s) for s in shapes] + [plan.fixed(*s, dtype=np.float64) for s in shapes]
    plan.build()
    for i, buffer in enumerate(buffers):
        assert buffer.array.ctypes.data % 64 == 0
        assert not buffer.array.any()
        buffer.array[...] = i
    assert all((buffer.array == i).all() for i, buffer in enumerate(buffers))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_aligned_memory_is_zero_and_on_a_cache_line(size):
    array = aligned_empty(size, np.float64)
    assert array.shape == (size,) and array.ctypes.data % 64 == 0 and not array.any()


def test_arrays_live_as_long_as_the_plan():
    owned = np.full((2, 3), 2.0, np.float32)
    core = _core.Plan(2)
    core.add("run", *(_core.Operand(owned, 1) for _ in range(3)))
    alive, view = weakref.ref(owned), owned[:]
    del owned, view
    gc.collect()
    assert alive() is not None
    core.start(["run"], 2)
    assert core.advance(1, 1.0) == 1
    assert (alive() == 4).all()
    del core
    gc.collect()
    assert alive() is None


def test_inputs_live_as_long_as_the_run():
    plan, x, _ = copying(2)
    data = np.ones((2, 3), np.float32)
    alive = weakref.ref(data)
    plan.core.start(["gather"], 2, inputs={"x": data})
    del data
    gc.collect()
    assert plan.core.advance(1, 1.0) == 1 and (x.array == 1).all()
    plan.core.start(["gather"], 0)
    gc.collect()
    assert alive() is None


# Batches


@pytest.mark.parametrize("rows", [1, 4, 5, 8, 11])
def test_the_last_batch_may_be_smaller(rows, isa, rng):
    plan, x, total = copying(4)
    data = rng.integers(0, 9, (rows, 3)).astype(np.float32)
    x.array[:] = np.nan
    plan.run(["gather", "sum"], rows, inputs={"x": data})
    assert plan.core.total == -(-rows // 4)
    np.testing.assert_array_equal(total.array, data.sum(axis=0))
    last = rows - 4 * (plan.core.total - 1)
    np.testing.assert_array_equal(x.array[:last], data[rows - last :])


def test_no_rows_are_no_batches():
    plan, x, total = copying(4)
    x.array[:] = 7
    plan.run(["gather", "sum"], 0, inputs={"x": np.zeros((0, 3), np.float32)}, order=np.zeros(0, np.int64))
    assert plan.core.total == 0 and (x.array == 7).all() and not total.array.any()


def test_the_order_says_which_rows_come_when(isa, rng):
    plan, x, _ = copying(4)
    data = rng.normal(size=(9, 3)).astype(np.float32)
    order = rng.permutation(9)
    plan.core.start(["gather"], 9, inputs={"x": data}, order=order)
    for first in range(0, 9, 4):
        plan.core.advance(1, 60.0)
        rows = order[first : first + 4]
        np.testing.assert_array_equal(x.array[: len(rows)], data[rows])


def test_segments_run_in_the_order_asked_for_and_empty_ones_do_nothing():
    plan, _, total = copying(2)
    data = np.ones((2, 3), np.float32)
    assert plan.core.operations("sum") == ["column_sum", "add"]
    assert plan.core.operations("metrics") == []
    plan.run(["metrics", "gather", "sum", "sum"], 2, inputs={"x": data})
    assert (total.array == 4).all()


def test_results_are_delivered_to_the_rows_they_belong_to(isa):
    plan = Plan(4)
    x = plan.batch(3)
    plan.add("gather", "gather", slot="x", out=x)
    plan.add("deliver", "deliver", slot="y", x=x)
    plan.build()
    data = np.arange(30, dtype=np.float32).reshape(10, 3)
    for order in (None, np.random.default_rng(0).permutation(10)):
        out = np.full_like(data, np.nan)
        plan.run(["gather", "deliver"], 10, inputs={"x": data, "y": out}, order=order)
        np.testing.assert_array_equal(out, data)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        plan.run(["gather", "deliver"], 10, inputs={"x": data, "y": out})


# Time


@pytest.mark.parametrize("rows", [700, 20])
def test_a_run_without_time_goes_on_where_it_stopped(rows, isa, rng):
    """Batches of 256 rows and more stop between two operations, smaller ones at their end."""
    plan, _, total = copying(rows)
    data = rng.integers(0, 9, (3 * rows - 1, 3)).astype(np.float32)
    plan.core.start(["gather", "sum"], len(data), inputs={"x": data})
    done = [plan.core.advance(3, 0.0)]
    while done[-1] < 3:
        done.append(plan.core.advance(3, 0.0))
    operations_per_call = 1 if rows >= 256 else 3
    assert len(done) == 9 / operations_per_call and done == sorted(done)
    np.testing.assert_array_equal(total.array, data.sum(axis=0))
    assert plan.core.advance(3, 1.0) == 3, "a run that is over stays over"
    np.testing.assert_array_equal(total.array, data.sum(axis=0))


def test_a_run_stops_inside_a_large_product_and_goes_on_there(isa, rng):
    rows, width = 200, 2000  # 8e8 multiply-adds
    plan = Plan(rows)
    x, y = plan.batch(width, name="x"), plan.batch(width)
    w = rng.normal(size=(width, width)).astype(np.float32)
    plan.add("forward", "matmul", layout="nn", a=x, b=plan.view(w), c=y)
    plan.build()
    x.array[:] = rng.normal(size=x.shape)
    wanted = np.empty(y.shape, np.float32)
    _core.matmul("nn", x.array, w, wanted)
    for _ in range(2):  # the second time after a run that was given up in the middle
        y.array[:] = np.nan
        plan.core.start(["forward"], rows)
        assert plan.core.advance(1, 0.0) == 0
        assert 0 < np.isnan(y.array).sum() < y.array.size
    assert plan.core.advance(1, 0.0) == 1
    np.testing.assert_array_equal(y.array, wanted)


@pytest.mark.parametrize("seconds", [np.inf, 1e300, 1.0])
def test_only_as_many_batches_as_asked_for(seconds):
    plan, _, total = copying(2)
    plan.core.start(["gather", "sum"], 6, inputs={"x": np.ones((6, 3), np.float32)})
    assert plan.core.advance(0, seconds) == 0
    assert plan.core.advance(2, seconds) == 2 and (total.array == 4).all()
    assert plan.core.advance(2**63 - 1, seconds) == 3 and (total.array == 6).all()


@pytest.mark.parametrize("seconds", [np.nan, -1.0, -np.inf])
def test_time_that_is_none_still_takes_a_step(seconds):
    plan, _, _ = copying(2)
    plan.core.start(["gather"], 4, inputs={"x": np.ones((4, 3), np.float32)})
    assert plan.core.advance(2, seconds) == 1


# Steps and rates


def test_each_batch_has_its_step_and_its_rate(isa):
    """SGD shows the rate, Adam the step: its bias correction is right for that number only."""
    rates = np.array([1.0, 0.25, 0.0625])
    for optimizer in (optimizers.SGD(), optimizers.Adam()):
        w, g = np.zeros(3), np.ones(3)
        state = optimizer.init(3, "float64")
        plan = Plan(2, np.dtype(np.float64))
        slots = [plan.view(slot) for slot in state.slots]
        scalars = plan.view(state.scalars) if optimizer.scalars else None
        optimizer.lower(plan, plan.view(w), plan.view(g), slots, scalars, [("w", 0, 3)])
        plan.build()
        plan.core.start(["update"], 5, learning_rates=rates, step=1)
        for batch in range(3):
            plan.core.advance(1, 60.0)
            # A constant gradient of 1 moves both by the rate alone.
            np.testing.assert_allclose(w, -rates[: batch + 1].sum(), rtol=1e-7)


# What is refused


@pytest.mark.parametrize(
    "change, words",
    [
        ({"order": np.array([0, 1, 2, 5])}, ["row for each example"]),
        ({"order": np.array([0, -1, 2, 3])}, ["negative"]),
        ({"order": np.array([0, 1, 2])}, ["order", "every example"]),
        ({"order": np.array([0, 1, 2, 3], np.int32)}, ["order", "int64", "int32"]),
        ({"rows": 6}, ["row for each example"]),
        ({"inputs": {"x": np.zeros((5, 6), np.float32)[:, ::2]}}, ["contiguous"]),
        ({"inputs": {"x": np.zeros(5, np.float32)}}, ["two axes"]),
        ({"inputs": {"x": np.zeros((5, 3), np.float16)}}, ["uint8", "float16"]),
        ({"inputs": {"x": np.zeros((5, 3), np.int64)}}, ["int32", "int64"]),
        ({"learning_rates": np.ones(1)}, ["learning_rates", "per batch"]),
        ({"learning_rates": np.ones(2, np.float32)}, ["learning_rates", "float64"]),
    ],
)
def test_what_does_not_fit_is_refused_and_the_run_before_goes_on(change, words):
    plan, x, _ = copying(2)
    data = np.arange(12, dtype=np.float32).reshape(4, 3)
    plan.core.start(["gather"], 4, inputs={"x": data})
    wrong = {"segments": ["gather"], "rows": 4, "inputs": {"x": np.zeros((5, 3), np.float32)}}
    with pytest.raises((ValueError, TypeError)) as error:
        plan.core.start(**{**wrong, **change})
    assert all(word in str(error.value) for word in words), error.value
    assert plan.core.advance(2, 60.0) == 2
    np.testing.assert_array_equal(x.array, data[2:])


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"z": np.zeros((4, 3), np.float32)},
        {"x": np.zeros((4, 2), np.float32)},
        {"x": np.zeros((4, 3), np.int32)},
    ],
)
def test_an_input_that_the_operation_cannot_read_is_refused_when_it_runs(inputs):
    plan, x, _ = copying(2)
    plan.run(["gather"], 4, inputs={"x": np.ones((4, 3), np.float32)})
    plan.core.start(["gather"], 4, inputs=inputs)  # what the last run was given is gone
    for _ in range(2):
        with pytest.raises(ValueError, match="an input of this run is missing"):
            plan.core.advance(2, 60.0)
    assert (x.array == 1).all()


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_has_at_least_one_row(batch_size):
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        _core.Plan(batch_size)


def test_an_operand_must_have_room_for_a_whole_batch():
    core = _core.Plan(4)
    full, short = (_core.Operand(np.zeros((rows, 3), np.float32), 1) for rows in (4, 3))
    core.column_sum("run", full, _core.Operand(np.zeros(3, np.float32), 0))
    with pytest.raises(ValueError, match=r"batch of 4.*\(3, 3\)"):
        core.column_sum("run", short, _core.Operand(np.zeros(3, np.float32), 0))
    with pytest.raises(ValueError, match=r"batch of 4.*\(3, 3\)"):
        core.gather("run", "x", short)


def test_an_operand_is_writable_and_contiguous():
    frozen = np.zeros((2, 2), np.float32)
    frozen.flags.writeable = False
    for array, word in [(frozen, "writable"), (np.zeros((2, 4), np.float32)[:, ::2], "contiguous")]:
        with pytest.raises(ValueError, match=word):
            _core.Operand(array, 0)


def test_an_operand_is_aligned_to_its_elements():
    odd = np.zeros(13, np.uint8)[1:].view(np.float32).reshape(1, 3)
    core = _core.Plan(1)
    with pytest.raises(ValueError, match="aligned"):
        core.add("run", *(_core.Operand(odd, 1) for _ in range(3)))
