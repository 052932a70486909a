"""Every loss against its formula, its gradient against finite differences, on every instruction set."""

import numpy as np
import pytest
import reference_losses as reference

from initcore import _core, losses
from initcore.plan import Plan

every_kernel = pytest.mark.parametrize("row", losses.KERNELS.values(), ids=losses.KERNELS.keys())
every_loss = pytest.mark.parametrize("name", losses.names())
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)

# Rows and columns around the vector widths, where short rows are computed side by side, and 0 and 1.
SHAPES = [
    (0, 3),
    (1, 1),
    (7, 1),
    (33, 1),
    (1, 3),
    (16, 2),
    (19, 10),
    (5, 15),
    (5, 16),
    (9, 31),
    (6, 33),
    (3, 130),
]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)

# Losses whose predictions must be positive; the others take any number.
POSITIVE = {"binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"}
POSITIVE |= {"poisson", "kl_divergence"}


def example(row, shape, dtype, rng):
    """Predictions and targets that are in every loss's domain, and parameters that are no defaults."""
    n, columns = shape
    prediction = rng.uniform(0.02, 0.98, shape) if row["name"] in POSITIVE else rng.normal(0, 3, shape)
    if row["classes"]:
        target = rng.integers(0, columns, n).astype(np.int32)
    else:
        target = rng.uniform(0, 1, shape).astype(dtype)
    parameters = [0.7 * default or 0.1 for default, _, _ in row["parameters"].values()]
    return prediction.astype(dtype), target, parameters


def tolerance(dtype, *magnitudes):
    """Rounding of the few dozen operations behind a value, beside the largest number that goes in or out."""
    largest = max([1, *(np.abs(m).max() for m in magnitudes if m.size)])
    return float(64 * np.finfo(dtype).eps * largest)


def run(row, prediction, target, parameters, weight=None, batch=None):
    """Total and gradient, through a plan with the given batch size."""
    n, columns = prediction.shape
    batch = batch or max(n, 1)
    plan = Plan(batch, prediction.dtype)
    p, g = plan.batch(columns), plan.batch(columns)
    t = plan.batch(dtype=np.int32) if row["classes"] else plan.batch(columns)
    w = None if weight is None else plan.batch()
    total = plan.fixed(losses.TOTAL_SIZE, dtype=np.float64)
    plan.add(
        "loss",
        "loss",
        number=row["number"],
        prediction=p,
        target=t,
        weight=w,
        total=total,
        gradient=g,
        parameters=parameters,
    )
    plan.build()
    gradient = np.full_like(prediction, np.nan)
    for first in range(0, n, batch):
        rows = slice(first, min(n, first + batch))
        m = rows.stop - rows.start
        p.array[:m], t.array[:m], g.array[:] = prediction[rows], target[rows], np.nan
        if weight is not None:
            w.array[:m] = weight[rows]
        plan.run(["loss"], m)
        gradient[rows] = g.array[:m]
        assert np.isnan(g.array[m:]).all(), "wrote past the batch"
    return total.array.copy(), gradient


@every_kernel
def test_every_kernel_belongs_to_one_loss(row):
    loss = losses.get(row["name"].removesuffix("_logits"))
    for parameter, (default, _, _) in row["parameters"].items():
        assert getattr(loss, parameter) == default


@shapes
@dtypes
@every_kernel
def test_values_are_the_formula(row, dtype, shape, isa, rng):
    prediction, target, parameters = example(row, shape, dtype, rng)
    values = np.full(len(prediction), np.nan)
    _core.loss(row["number"], prediction, target, None, None, values, parameters)
    expected = reference.evaluate(row, prediction, target, parameters)
    np.testing.assert_allclose(values, expected, rtol=0, atol=tolerance(dtype, prediction, expected))
    total, _ = run(row, prediction, target, parameters)
    n = len(prediction)
    assert total[1] == n
    assert total[0] == pytest.approx(expected.sum(), abs=(n + 1) * tolerance(dtype, prediction, expected))
    if n:
        assert total[2] == pytest.approx(total[0] / n, rel=1e-15)


@shapes
@every_kernel
def test_gradients_are_finite_differences_of_the_weighted_mean(row, shape, isa, rng):
    prediction, target, parameters = example(row, shape, np.float64, rng)
    n, columns = shape
    weight = rng.uniform(0, 2, n)
    _, gradient = run(row, prediction, target, parameters, weight)
    step = 1e-6
    lost = 4 * tolerance(np.float64, reference.evaluate(row, prediction, target, parameters)) / step
    for j in range(columns):
        above, below = prediction.copy(), prediction.copy()
        above[:, j] += step
        below[:, j] -= step
        change = reference.evaluate(row, above, target, parameters)
        change -= reference.evaluate(row, below, target, parameters)
        expected = weight * change / (2 * step * max(n, 1))
        np.testing.assert_allclose(gradient[:, j], expected, rtol=1e-5, atol=1e-8 + lost / max(n, 1))


@shapes
@every_kernel
def test_float32_gradients_are_those_of_float64(row, shape, isa, rng):
    prediction, target, parameters = example(row, shape, np.float32, rng)
    wide = target if row["classes"] else target.astype(np.float64)
    _, gradient = run(row, prediction, target, parameters)
    _, expected = run(row, prediction.astype(np.float64), wide, parameters)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=tolerance(np.float32, expected))


@every_kernel
def test_whole_weights_are_repetitions(row, isa, rng):
    for shape in [(21, 1), (21, 3), (21, 40)]:
        prediction, target, parameters = example(row, shape, np.float64, rng)
        weight = rng.integers(0, 4, shape[0]).astype(np.float64)
        repeats = weight.astype(int)
        total, gradient = run(row, prediction, target, parameters, weight)
        again, repeated = run(row, prediction.repeat(repeats, 0), target.repeat(repeats, 0), parameters)
        assert total[0] == pytest.approx(again[0], rel=1e-12)
        assert total[1] == shape[0]
        once = np.flatnonzero(repeats)
        first = np.cumsum(repeats)[once] - repeats[once]
        expected = repeated[first] * weight[once, None] * repeats.sum() / shape[0]
        np.testing.assert_allclose(gradient[once], expected, rtol=1e-12, atol=1e-15)
        assert not gradient[repeats == 0].any()


@dtypes
@every_kernel
def test_batches_of_any_size_add_up(row, dtype, isa, rng):
    for shape in [(23, 1), (23, 10), (23, 50)]:
        prediction, target, parameters = example(row, shape, dtype, rng)
        whole, gradient = run(row, prediction, target, parameters)
        for batch in (1, 4, 16):
            total, parts = run(row, prediction, target, parameters, batch=batch)
            assert total[:2] == pytest.approx(whole[:2], rel=1e-6)
            scale = np.full(23, batch / 23)
            scale[23 - 23 % batch :] = (23 % batch) / 23
            np.testing.assert_allclose(parts * scale[:, None], gradient, rtol=1e-5, atol=1e-7)


@every_kernel
def test_bits_do_not_depend_on_the_number_of_threads(row, isa, rng):
    before = _core.num_threads()
    try:
        for shape in [(100_001, 1), (20_001, 10), (601, 300)]:
            prediction, target, parameters = example(row, shape, np.float32, rng)
            weight = rng.uniform(0, 2, shape[0]).astype(np.float32)
            results = []
            for threads in (1, 2, 3):
                _core.set_num_threads(threads)
                results.append(run(row, prediction, target, parameters, weight))
            for total, gradient in results[1:]:
                np.testing.assert_array_equal(total, results[0][0])
                np.testing.assert_array_equal(gradient, results[0][1])
    finally:
        _core.set_num_threads(before)


@dtypes
@pytest.mark.parametrize(
    "row", [r for n, r in losses.KERNELS.items() if n.endswith("_logits")], ids=lambda r: r["name"]
)
def test_logits_of_any_size_give_finite_losses_and_gradients(row, dtype, isa):
    for columns in (1, 3, 100):
        prediction = np.full((4, columns), -1e4, dtype)
        prediction[[0, 1], 0] = 1e4
        prediction[3] = 1e4
        target = np.zeros((4, columns), dtype)
        target[[0, 2], 0] = target[[1, 3], -1] = 1
        if row["classes"]:
            target = target.argmax(1).astype(np.int32)
        for smoothing in (0, 0.1):
            total, gradient = run(row, prediction, target, [smoothing])
            expected = reference.evaluate(row, prediction, target, [smoothing]).sum()
            assert np.isfinite(total).all()
            assert np.isfinite(gradient).all()
            assert total[0] == pytest.approx(expected, rel=1e-5, abs=1e-5)


@dtypes
def test_a_class_masked_by_minus_infinity_is_impossible(dtype, isa):
    for columns in (3, 50):
        z = np.zeros((2, columns), dtype)
        z[:, 1] = -np.inf
        loss = losses.SparseCategoricalCrossentropy(from_logits=True)
        assert loss([0, 2], z) == pytest.approx(np.log(columns - 1), rel=1e-6)
        assert np.isfinite(loss.gradient([0, 2], z)).all()
        assert loss([1, 1], z) == np.inf


@pytest.mark.parametrize("columns", [3, 50])
@pytest.mark.parametrize("row", [r for r in losses.KERNELS.values() if r["classes"]], ids=lambda r: r["name"])
def test_a_class_that_is_no_column_gives_nan_in_its_row_only(row, columns, isa):
    prediction = np.full((3, columns), 0.5)
    target = np.array([0, columns, -1], np.int32)
    values = np.zeros(3)
    gradient = np.zeros_like(prediction)
    _core.loss(row["number"], prediction, target, None, gradient, values, [0.0])
    np.testing.assert_array_equal(np.isnan(values), [False, True, True])
    np.testing.assert_array_equal(np.isnan(gradient).any(1), [False, True, True])


@every_kernel
def test_nan_in_a_prediction_reaches_value_and_gradient(row, isa, rng):
    for shape in [(9, 1), (9, 3), (9, 70)]:
        prediction, target, parameters = example(row, shape, np.float32, rng)
        prediction[4, -1] = np.nan
        total, gradient = run(row, prediction, target, parameters)
        assert np.isnan(total[0])
        assert np.isnan(gradient[4, -1])
        assert np.isfinite(np.delete(gradient, 4, axis=0)).all()


def test_a_plan_refuses_operands_that_do_not_fit():
    number = losses.KERNELS["mean_squared_error"]["number"]

    def build(target_columns=3, total_size=losses.TOTAL_SIZE, number=number):
        plan = Plan(4)
        prediction, target = plan.batch(3), plan.batch(target_columns)
        total = plan.fixed(total_size, dtype=np.float64)
        plan.add(
            "loss",
            "loss",
            number=number,
            prediction=prediction,
            target=target,
            weight=None,
            total=total,
            gradient=None,
            parameters=[],
        )
        plan.build()

    build()
    for wrong in ({"target_columns": 2}, {"total_size": 2}, {"number": -1}, {"number": len(losses.KERNELS)}):
        with pytest.raises(ValueError):
            build(**wrong)


def test_get_takes_names_aliases_and_losses():
    for name in losses.names():
        loss = losses.get(name)
        assert loss.name == name
        assert losses.get(loss) is loss
        for alias in loss.aliases:
            assert losses.get(alias) == loss
    with pytest.raises(ValueError, match="Did you mean 'mean_squared_error'") as error:
        losses.get("mean_squared_eror")
    for name in losses.names():
        assert repr(name) in str(error.value)


@every_loss
def test_a_call_is_the_weighted_mean_and_its_gradient(name, rng):
    loss = losses.get(name)
    row = losses.KERNELS[name]
    for shape in [(6, 4), (5, 1)]:
        prediction, target, _ = example(row, shape, np.float32, rng)
        target = np.round(target)
        weight = rng.uniform(0, 2, shape[0])
        defaults = [default for default, _, _ in row["parameters"].values()]
        y = loss.targets(target, shape[1])
        expected = (weight * reference.evaluate(row, prediction, y, defaults)).mean()
        assert loss(target, prediction, weight) == pytest.approx(expected, rel=1e-5, abs=1e-6)
        assert loss.values(target, prediction, weight).shape == shape[:1]
        gradient = loss.gradient(target, prediction, weight)
        assert gradient.shape == shape
        assert gradient.dtype == prediction.dtype
        one_column = prediction[:, 0] if shape[1] == 1 else prediction
        assert loss.gradient(target, one_column, weight).shape == one_column.shape


@every_loss
def test_no_rows(name):
    loss = losses.get(name)
    nothing = np.zeros((0, 3), np.float32)
    y = np.zeros(0, int) if losses.KERNELS[name]["classes"] else nothing
    assert len(loss.targets(y, 3)) == 0
    assert loss.gradient(y, nothing).shape == (0, 3)
    with pytest.raises(ValueError, match="at least one row"):
        loss(y, nothing)
    assert np.isnan(loss.result(np.zeros(losses.TOTAL_SIZE)))


@pytest.mark.parametrize(
    "loss", [losses.get(n) for n in losses.names() if f"{n}_logits" in losses.KERNELS], ids=repr
)
def test_from_logits_follows_the_last_activation(loss):
    cls, fused = type(loss), loss.fused_with
    other = {"softmax": "sigmoid", "sigmoid": "softmax"}[fused]
    assert cls().uses_logits(fused), "the loss takes over the activation's work"
    assert cls(from_logits=False).uses_logits(fused)
    assert not cls().uses_logits(other), "probabilities of another kind"
    assert cls().uses_logits("identity")
    assert cls(from_logits=True).uses_logits("identity")
    assert not cls(from_logits=False).uses_logits("identity")
    with pytest.raises(ValueError, match="from_logits=True"):
        cls(from_logits=True).uses_logits(fused)
    with pytest.raises(ValueError, match="must be True, False or 'auto'"):
        cls(from_logits="yes")


@every_loss
def test_only_crossentropies_use_logits(name):
    assert losses.get(name).uses_logits("identity") == (f"{name}_logits" in losses.KERNELS)


def test_logits_where_probabilities_are_expected_are_refused():
    with pytest.raises(ValueError, match="from_logits=True"):
        losses.get("sparse_categorical_crossentropy")([0], [[3.0, -1.0]])
    with pytest.raises(ValueError, match=r"must be probabilities in \[0, 1\]"):
        losses.get("binary_crossentropy")([0], [np.nan])


def test_parameters_out_of_range_are_refused():
    for wrong in (
        lambda: losses.Huber(delta=0),
        lambda: losses.Quantile(q=1),
        lambda: losses.BinaryCrossentropy(label_smoothing=-0.1),
        lambda: losses.CategoricalCrossentropy(label_smoothing=2),
    ):
        with pytest.raises(ValueError, match="must lie in"):
            wrong()
    with pytest.raises(TypeError):
        losses.Huber(delta="1")


def test_arrays_that_do_not_fit_are_refused():
    mse = losses.get("mse")
    with pytest.raises(ValueError, match="same number of rows, got 3 and 2"):
        mse([[1.0], [2.0], [3.0]], [[1.0], [2.0]])
    with pytest.raises(ValueError, match="y_pred must have shape"):
        mse([1.0], np.zeros((1, 2, 3)))
    with pytest.raises(TypeError, match="real numbers"):
        mse([1.0], [1j])
    with pytest.raises(ValueError, match="sample_weight must have shape"):
        mse([1.0, 2.0], [1.0, 2.0], [1.0])
