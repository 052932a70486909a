"""LSUV and standardization of a model: what they reach, what they cost, and what they refuse."""

import numpy as np
import pytest

import initcore as ic
from initcore import data_dependent
from initcore.data_dependent import lsuv, standardize

ACTIVATIONS = ["relu", "tanh", "sigmoid", "gelu", "prelu", "rrelu", "softmax", "selu", None]


def network(activation="relu", dtype="float64", depth=6):
    layers = [ic.Dense(32, activation) for _ in range(depth)]
    return ic.Sequential([*layers, ic.Dense(3)], input_shape=(10,), dtype=dtype)


def pre_activations(model, x):
    """By NumPy, layer after layer, for a network of Dense layers."""
    found = {}
    for name, layer in zip(model.stack.names, model.layers, strict=True):
        w, b = model.parameters[f"{name}/kernel"], model.parameters[f"{name}/bias"]
        found[name] = x @ w + b
        x = layer.function(found[name])
    return found


@pytest.fixture
def x(rng):
    return rng.normal(2, 3, size=(300, 10))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("per", ["layer", "unit"])
@pytest.mark.parametrize("center", [False, True])
def test_lsuv_reaches_the_variance_that_was_asked_for(activation, per, center, x):
    model = network(activation)
    done = lsuv(model, x, per=per, center=center, variance=2.0, tolerance=1e-3)
    assert done.converged and len(done) == len(model.layers)
    for row, z in zip(done, pre_activations(model, x).values(), strict=True):
        around = None if per == "layer" and not center else 0
        variance = z.var(axis=0) if per == "unit" else np.mean((z - z.mean(axis=around)) ** 2)
        np.testing.assert_allclose(variance, 2, rtol=1.001e-3)
        assert row.after == pytest.approx(np.mean(variance)) and row.error <= 1e-3
        assert row.mean == pytest.approx(np.abs(z.mean(axis=0)).max(), abs=1e-12)
        if center:
            assert row.mean < 1e-12


def test_one_scaling_is_enough_without_a_bias(x):
    """A product is linear: a layer is run to measure it, and once more to see that it is right."""
    assert {row.forwards for row in lsuv(network(), x)} == {2}


def test_a_layer_that_is_right_is_left_alone(x):
    model = network()
    lsuv(model, x, tolerance=1e-6)
    before = model._parameters.flat.copy()
    again = lsuv(model, x, start=None)
    assert {row.forwards for row in again} == {1}
    np.testing.assert_array_equal(model._parameters.flat, before)


def test_each_layer_runs_alone(x, monkeypatch):
    """L layers cost L times a layer's forward for each iteration, not L times the network's."""
    rows = []
    run = data_dependent.Plan.run
    monkeypatch.setattr(
        data_dependent.Plan, "run", lambda self, *a, **k: (rows.append(self), run(self, *a, **k))
    )
    for depth in (4, 16):
        rows.clear()
        done = lsuv(network(depth=depth), x)
        products = [op.name for plan in rows for op in plan.operations].count("matmul")
        assert products == sum(row.forwards for row in done) == 2 * (depth + 1)


def test_biases_make_it_iterate_and_it_says_so_if_it_does_not_arrive(x):
    def spread():
        model = network(None)
        model.parameters["dense/bias"][...] = np.linspace(-0.9, 0.9, 32)
        return model

    done = lsuv(spread(), x, tolerance=1e-3)
    assert done.converged and done[0].forwards > 2
    short = lsuv(spread(), x, tolerance=1e-3, max_iterations=1)
    assert not short.converged and short[0].forwards == 2 and "not within tolerance" in repr(short)


def test_lsuv_starts_from_orthogonal_kernels_unless_told(x):
    model = network(None)
    lsuv(model, x)
    w = model.parameters["dense_1/kernel"]
    scaled = w.T @ w
    np.testing.assert_allclose(scaled, scaled[0, 0] * np.eye(32), atol=1e-12 * scaled[0, 0])
    kept, law = network(None), network(None)
    before = kept.parameters["dense_1/kernel"].copy()
    lsuv(kept, x, start=None)
    ratio = kept.parameters["dense_1/kernel"] / before
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-12)
    lsuv(law, x, start="he_normal")
    assert not np.allclose(law.parameters["dense_1/kernel"], w)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_lsuv_is_deterministic(dtype, x):
    one, two = network(dtype=dtype), network(dtype=dtype)
    assert lsuv(one, x) == lsuv(two, x)
    np.testing.assert_array_equal(one._parameters.flat, two._parameters.flat)


def test_standardize_is_the_papers_equation(x):
    """g = 1 / std(t), b = -mean(t) / std(t), t = x . v / |v|: Salimans & Kingma 2016, equations 5 and 6."""
    model = ic.Sequential([ic.Dense(5, "relu")], input_shape=(10,), dtype="float64")
    v = model.parameters["dense/kernel"].copy()
    model.parameters["dense/bias"][...] = 7  # replaced
    done = standardize(model, x)
    t = x @ v / np.linalg.norm(v, axis=0)
    np.testing.assert_allclose(
        model.parameters["dense/kernel"], v / np.linalg.norm(v, axis=0) / t.std(axis=0)
    )
    np.testing.assert_allclose(model.parameters["dense/bias"], -t.mean(axis=0) / t.std(axis=0))
    assert done.converged and done[0].mean < 1e-12


def blocks(**more):
    body = [ic.Dense(16, "tanh"), ic.BatchNormalization(), ic.Dropout(0.5), ic.Dense(8)]
    shortcut = [ic.Dense(8)]
    first, second = (
        ic.Residual(body, shortcut),
        ic.Residual([ic.Dense(8, "relu"), ic.Residual([ic.Dense(8)])]),
    )
    return ic.Sequential([ic.Flatten(), first, second, ic.Dense(2, "softmax")], input_shape=(2, 5), **more)


@pytest.mark.parametrize("training", [False, True])
def test_branches_are_walked_too(training, x):
    model = blocks(dtype="float64")
    state = {name: array.copy() for name, array in model.state.items()}
    done = lsuv(model, x.reshape(-1, 2, 5), training=training)
    kernels = [name.removesuffix("/kernel") for name in model.parameters if name.endswith("/kernel")]
    assert [row.name for row in done] == kernels and len(kernels) == 6 and done.converged
    for name, array in model.state.items():
        np.testing.assert_array_equal(array, state[name])
    if not training:  # the same as a forward pass of the whole model makes of it
        again = lsuv(model, x.reshape(-1, 2, 5), start=None)
        assert {row.forwards for row in again} == {1}
        z = model.trace(x.reshape(-1, 2, 5))[-2].output @ model.parameters["dense/kernel"]
        assert again[-1].before == pytest.approx(z.var())


def test_a_deep_sigmoid_network_keeps_its_signal(x):
    plain, model = network("sigmoid", depth=30), network("sigmoid", depth=30)
    plain_spread = np.std(plain.predict(x), axis=0).max()
    lsuv(model, x, start="orthogonal", center=True)
    assert np.std(model.predict(x), axis=0).max() > 0.5 > 1e3 * plain_spread


def with_nan(x):
    x = x.copy()
    x[3, 2] = np.nan
    return x


WRONG = [
    ("x must be finite", lambda m, x: lsuv(m, with_nan(x))),
    ("at least one example", lambda m, x: lsuv(m, x[:0])),
    ("x must have shape", lambda m, x: lsuv(m, x[:, :3])),
    ("do not vary over these 50 examples", lambda m, x: lsuv(m, np.ones_like(x[:50]), center=True)),
    ("32 of the 32 units do not vary", lambda m, x: lsuv(m, x[:1], per="unit")),
    ("dense cannot be scaled", lambda m, x: lsuv(m, x, start="zeros")),
    ("initializer 'orthogonl' is not known", lambda m, x: lsuv(m, x, start="orthogonl")),
    ("Did you mean 'layer'", lambda m, x: lsuv(m, x, per="layr")),
    ("variance must lie in", lambda m, x: lsuv(m, x, variance=0)),
    ("tolerance must lie in", lambda m, x: lsuv(m, x, tolerance=0)),
    ("max_iterations must be at least 1", lambda m, x: lsuv(m, x, max_iterations=0)),
]


@pytest.mark.parametrize(("sentence", "call"), WRONG, ids=[sentence for sentence, _ in WRONG])
def test_what_is_refused_leaves_the_model_as_it_was(sentence, call, x):
    model = network()
    before = model._parameters.flat.copy()
    with pytest.raises(ValueError, match=sentence):
        call(model, x)
    np.testing.assert_array_equal(model._parameters.flat, before)


def test_a_failure_in_a_later_layer_leaves_the_model_as_it_was(x):
    layers = [ic.Dense(8, "relu"), ic.Dense(8, "relu", use_bias=False), ic.Dense(1)]
    model = ic.Sequential(layers, input_shape=(10,))
    model.parameters["dense_2/kernel"][0] = np.inf
    before = model._parameters.flat.copy()
    with pytest.raises(ValueError, match="dense_2 must be finite"):
        lsuv(model, x, start=None)
    with pytest.raises(ValueError, match="dense_1 has no bias"):
        standardize(model, x)
    np.testing.assert_array_equal(model._parameters.flat, before)
    assert len(model.predict(x)) == len(x)  # it is not locked
