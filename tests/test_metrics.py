"""Metrics against plain NumPy, on every instruction set."""

import numpy as np
import pytest

from initcore import losses, metrics
from initcore.plan import Plan

every_metric = pytest.mark.parametrize("name", metrics.names())
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)


def average(values, weight):
    return (values * weight).sum() / weight.sum()


def ranks(y, p):
    """Place of entry y[i] in row i, best first, equal ones in order; beyond all if a NaN is there."""
    place = np.array(
        [np.flatnonzero(np.argsort(-row, kind="stable") == c)[0] for row, c in zip(p, y, strict=True)]
    )
    return np.where(np.isnan(p).any(1), p.shape[1], place)


def top(k):
    def share(y, p, w):
        y = y if y.ndim == 1 else y.argmax(1)
        return average(ranks(y, p) < min(k, p.shape[1]), w)

    return share


def binary(y, p, w):
    return average((np.where(np.isnan(p), y <= 0.5, p > 0.5) == (y > 0.5)).mean(1), w)


def accuracy(y, p, w):
    return binary(y, p, w) if p.shape[1] == 1 and y.ndim == 2 else top(1)(y, p, w)


def r2(y, p, w):
    w = w[:, None]
    spread = (w * (y - (w * y).sum(0) / w.sum()) ** 2).sum(0)
    return np.mean(1 - (w * (y - p) ** 2).sum(0) / spread)


REFERENCE = {
    "accuracy": accuracy,
    "binary_accuracy": binary,
    "top_k_accuracy": top(metrics.TopKAccuracy().k),
    "mean_absolute_error": lambda y, p, w: average(np.abs(y - p).mean(1), w),
    "mean_squared_error": lambda y, p, w: average(((y - p) ** 2).mean(1), w),
    "root_mean_squared_error": lambda y, p, w: np.sqrt(average(((y - p) ** 2).mean(1), w)),
    "r2_score": r2,
}
RANKING = {"accuracy", "top_k_accuracy"}


def examples(name, dtype, rng):
    """Targets and predictions of several shapes, rounded so that there are ties."""
    for n, columns in [(1, 2), (3, 1), (40, 1), (37, 3), (20, 10), (9, 40)]:
        p = np.round(rng.uniform(0, 1, (n, columns)), 1).astype(dtype)
        if name in RANKING and columns > 1:
            yield rng.integers(0, columns, n).astype(np.int32), p
        if name in RANKING or name == "binary_accuracy":
            yield np.round(rng.uniform(0, 1, (n, columns))).astype(dtype), p
        elif n > 1:
            yield rng.normal(0, 1, (n, columns)).astype(dtype), p


@dtypes
@every_metric
def test_metrics_are_their_definition(name, dtype, isa, rng):
    metric = metrics.get(name)
    for y, p in examples(name, dtype, rng):
        weight = rng.uniform(0.1, 2, len(p)).astype(dtype)
        wide = p.astype(np.float64), weight.astype(np.float64)
        y64 = y if y.dtype.kind == "i" else y.astype(np.float64)
        ones = np.ones(len(p))
        assert metric(y, p) == pytest.approx(REFERENCE[name](y64, wide[0], ones), rel=1e-9, abs=1e-12)
        assert metric(y, p, weight) == pytest.approx(REFERENCE[name](y64, *wide), rel=1e-9, abs=1e-12)


@every_metric
def test_batches_of_any_size_add_up(name, isa, rng):
    metric = metrics.get(name)
    for y, p in examples(name, np.float64, rng):
        n, columns = p.shape
        plan = Plan(4, np.dtype(np.float64))
        prediction, weight = plan.batch(columns), plan.batch()
        target = plan.batch(*y.shape[1:], dtype=y.dtype)
        total = plan.fixed(metric.total_size(columns), dtype=np.float64)
        metric.lower(plan, prediction, target, weight, total)
        plan.build()
        weights = rng.uniform(0.1, 2, n)
        for first in range(0, n, 4):
            rows = slice(first, min(n, first + 4))
            m = rows.stop - first
            prediction.array[:m], target.array[:m], weight.array[:m] = p[rows], y[rows], weights[rows]
            prediction.array[m:] = np.nan
            plan.run(["metrics"], m)
        assert metric.result(total.array) == pytest.approx(metric(y, p, weights), rel=1e-12)


def test_of_several_largest_predictions_the_first_counts(isa):
    p = np.zeros((3, 4), np.float32)
    accuracy = metrics.get("accuracy")
    assert accuracy([0, 0, 0], p) == 1
    assert accuracy([1, 1, 3], p) == 0
    assert accuracy(np.eye(4)[[0, 1, 0]], p) == pytest.approx(2 / 3)
    assert metrics.TopKAccuracy(k=2)([0, 1, 2], p) == pytest.approx(2 / 3)


@dtypes
@every_metric
def test_nan_is_never_right(name, dtype, isa):
    metric = metrics.get(name)
    p = np.full((2, 3), np.nan, dtype)
    y = np.eye(3)[:2]
    found = metric(y, p)
    assert found == 0 or np.isnan(found)
    if name in RANKING:
        assert metric([0, 1], p) == 0
        assert metric([0, 1], np.array([[1, 0, np.nan], [0, 1, 0]], dtype)) == 0.5
        assert metrics.TopKAccuracy(k=9)([0, 1], p) == 0
    elif name == "binary_accuracy":
        assert found == 0


def test_r2_of_constant_targets_is_one_or_zero(isa):
    r2_score = metrics.get("r2_score")
    assert r2_score([2.0, 2.0], [2.0, 2.0]) == 1
    assert r2_score([2.0, 2.0], [2.0, 3.0]) == 0


def test_r2_keeps_its_digits_far_from_zero(isa, rng):
    y = rng.normal(0, 1, (1000, 2))
    p = y + rng.normal(0, 0.3, y.shape)
    far = metrics.get("r2_score")(y + 2.0**27, p + 2.0**27)
    assert far == pytest.approx(metrics.get("r2_score")(y, p), rel=1e-6)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.0])
def test_logits_are_judged_at_the_threshold_of_their_probability(threshold, isa, rng):
    z = rng.normal(0, 2, (50, 1)).astype(np.float32)
    y = np.round(rng.uniform(0, 1, (50, 1))).astype(np.float32)
    for cls in (metrics.Accuracy, metrics.BinaryAccuracy):
        metric = cls(threshold=threshold)
        total = np.zeros(2)
        plan = Plan(50)
        metric.lower(
            plan, plan.view(z, per_row=1), plan.view(y, per_row=1), None, plan.view(total), logits=True
        )
        plan.build()
        plan.run(["metrics"], 50)
        expected = metric(y, 1 / (1 + np.exp(-z.astype(np.float64))))
        assert metric.result(total) == pytest.approx(expected)


def test_accuracy_of_margins_has_its_threshold_at_zero():
    loss = losses.get("hinge")
    accuracy = metrics.get("accuracy", loss)
    assert accuracy(loss.targets([0, 1, 1], 1), [-0.5, 0.2, -0.2]) == pytest.approx(2 / 3)
    assert metrics.get("accuracy", losses.get("binary_crossentropy")) == metrics.get("accuracy")


def test_get_takes_names_aliases_and_metrics():
    for name in metrics.names():
        metric = metrics.get(name)
        assert metric.name == name
        assert metrics.get(metric) is metric
        for alias in metric.aliases:
            assert metrics.get(alias) == metric
    with pytest.raises(ValueError, match="Did you mean 'accuracy'"):
        metrics.get("acuracy")
    with pytest.raises(ValueError, match="at least 1"):
        metrics.TopKAccuracy(k=0)
    with pytest.raises(ValueError, match="must lie in"):
        metrics.BinaryAccuracy(threshold=2)


@pytest.mark.parametrize("name", [n for n in metrics.names() if n not in RANKING])
def test_class_numbers_are_refused_where_values_are_needed(name):
    plan = Plan(2)
    with pytest.raises(ValueError, match="class numbers; use 'accuracy'"):
        metrics.get(name).lower(plan, plan.batch(3), plan.batch(dtype=np.int32), None, plan.fixed(2))


@every_metric
def test_no_rows_give_nan(name):
    metric = metrics.get(name)
    assert np.isnan(metric(np.zeros((0, 2)), np.zeros((0, 2))))


@pytest.mark.peers
def test_metrics_are_those_of_scikit_learn(rng):
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the oracle")
    y, p, w = rng.normal(0, 1, (30, 3)), rng.normal(0, 1, (30, 3)), rng.uniform(0, 2, 30)
    assert metrics.get("r2_score")(y, p, w) == pytest.approx(sklearn.r2_score(y, p, sample_weight=w))
    classes = rng.integers(0, 3, 30)
    ours = metrics.TopKAccuracy(k=2)(classes, p, w)
    assert ours == pytest.approx(sklearn.top_k_accuracy_score(classes, p, k=2, sample_weight=w))
    assert metrics.get("mae")(y, p, w) == pytest.approx(sklearn.mean_absolute_error(y, p, sample_weight=w))
