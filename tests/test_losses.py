"""Losses against their formulas, and their gradients against finite differences."""

import numpy as np
import pytest

from initcore import losses, metrics
from initcore.plan import Plan


def test_a_plan_adds_up_batches_of_any_size(isa, rng):
    z = rng.normal(0, 2, (7, 3)).astype(np.float32)
    classes = rng.integers(0, 3, 7).astype(np.int32)
    loss, accuracy = losses.get("sparse_categorical_crossentropy"), metrics.get("accuracy")
    plan = Plan(batch_size=4)
    prediction, target = plan.batch(3), plan.batch(dtype="int32")
    gradient = plan.batch(3)
    total, right = plan.fixed(losses.TOTAL_SIZE, dtype="float64"), plan.fixed(2, dtype="float64")
    loss.lower(plan, prediction, target, None, total, gradient, logits=True)
    accuracy.lower(plan, prediction, target, None, right, logits=True)
    plan.build()
    for rows in (slice(0, 4), slice(4, 7)):
        n = rows.stop - rows.start
        prediction.array[:n], target.array[:n] = z[rows], classes[rows]
        gradient.array[:] = np.nan
        plan.run(["loss", "metrics"], n)
        np.testing.assert_allclose(
            gradient.array[:n],
            losses.SparseCategoricalCrossentropy(from_logits=True).gradient(classes[rows], z[rows]),
        )
    whole = losses.SparseCategoricalCrossentropy(from_logits=True)(classes, z)
    assert loss.result(total.array) == pytest.approx(whole, rel=1e-12)
    z64 = z.astype(float)
    expected = -(z64 - np.log(np.exp(z64).sum(1, keepdims=True)))[np.arange(7), classes].mean()
    assert whole == pytest.approx(expected, rel=1e-6)
    assert total.array[1] == 7
    assert accuracy.result(right.array) == (z.argmax(1) == classes).mean()
