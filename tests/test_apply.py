"""`initialize` on this package's own models: rules, decisions before changes, keys, the table."""

import json

import numpy as np
import pytest

import initcore as ic
from initcore import initializers
from initcore.apply import ROLES, parameters
from initcore.initializers import NAMED


def network(seed=0, **how):
    layers = [
        ic.Dense(8, activation="relu", **how),
        ic.Residual([ic.Dense(8), ic.BatchNormalization(), ic.Activation("tanh")]),
        ic.Activation("prelu"),
        ic.Dense(3, activation="softmax"),
    ]
    return ic.Sequential(layers, input_shape=(5,), seed=seed)


def copied(model):
    return {name: array.copy() for name, array in model.parameters.items()}


def equal(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("how", [{}, {"kernel_initializer": "orthogonal", "bias_initializer": 0.5}])
def test_auto_is_how_a_model_with_that_seed_is_built(how):
    model = network(seed=1, **how)
    for array in model.parameters.values():
        array[...] = np.nan
    table = ic.initialize(model, seed=7)
    assert equal(model.parameters, network(seed=7, **how).parameters)
    assert [row.name for row in table] == list(model.parameters) and all(row.changed for row in table)


def test_each_role_is_known():
    roles = {tensor.name: tensor.role for tensor in parameters(network())}
    assert set(roles.values()) <= set(ROLES) and "other" not in roles.values()
    feeds = {tensor.name: str(tensor.feeds) for tensor in parameters(network()) if tensor.role == "kernel"}
    assert list(feeds.values()) == ["relu", "tanh", "no activation"]


ANY_SHAPE = [row for row in NAMED if row.name != "delta_orthogonal"]  # which refuses layers that narrow


@pytest.mark.parametrize("row", ANY_SHAPE, ids=lambda row: row.name)
def test_every_named_scheme_sets_the_kernels_and_only_them(row):
    model = network()
    table = ic.initialize(model, row.name, seed=3)
    for line in table:
        array = model.parameters[line.name]
        if line.role == "kernel":
            assert line.scheme == initializers.name_of(row.law)
            assert np.array_equal(array, row.law(array.shape, ic.Key(3) / line.name))
        else:
            assert line.scheme != initializers.name_of(row.law) or line.role in ("bias", "scale", "shift")


def test_a_layer_more_changes_no_other():
    def build(depth):
        layers = [ic.Dense(6, activation="relu") for _ in range(depth)]
        return ic.Sequential(layers, input_shape=(6,))

    short, long = build(2), build(4)
    ic.initialize(short, seed=5), ic.initialize(long, seed=5)
    assert all(np.array_equal(array, long.parameters[name]) for name, array in short.parameters.items())
    assert equal(short.parameters, {name: long.parameters[name] for name in short.parameters})


def test_the_first_rule_that_fits_counts():
    model = network()
    before = copied(model)
    rules = [("^dense/", "keep"), (ic.Dense, "he_uniform"), ("bias$", 0.25), ("alpha", 0.1)]
    table = ic.initialize(model, rules, seed=2)
    assert np.array_equal(before["dense/kernel"], model.parameters["dense/kernel"])
    assert not table["dense/kernel"].changed and not table["dense/bias"].changed
    assert table["residual/dense/kernel"].scheme == table["dense_1/kernel"].scheme == "he_uniform"
    assert (model.parameters["residual/dense/bias"] == 0.25).all()
    assert (model.parameters["activation/alpha"] == np.float32(0.1)).all()
    assert "rule 'bias$'" in table["dense_1/bias"].why
    assert table == ic.initialize(model, dict(rules), seed=2)


@pytest.mark.parametrize(
    "error, words, scheme",
    [
        (ValueError, ["he_normal", "Did you mean"], "He_normal"),
        (ValueError, ["'denze'", "'dense/"], {"denze": "zeros"}),
        (ValueError, ["'dense/bias'"], [("dense", "auto"), ("dense/bias", "zeros")]),
        (ValueError, ["Dropout", "'Dense'"], {ic.Dropout: "zeros"}),
        (ValueError, ["dense/bias", "axes"], {"dense": "he_normal"}),
        (ValueError, ["regular expression", "'('"], {"(": "zeros"}),
        (ValueError, ["he_normal", "nothing"], {"dense": "nothing"}),
        (TypeError, ["layer's type", "3"], {3: "zeros"}),
        (TypeError, ["pairs", "'a'"], ["a"]),
        (TypeError, ["initializer"], None),
        (ValueError, ["layout", "'oi'"], {"dense/kernel": ("zeros", "packed")}),
        (TypeError, ["pair of scheme and layout"], {"dense/kernel": ("zeros", "oi", 3)}),
    ],
)
def test_what_cannot_be_changes_nothing(error, words, scheme):
    model = network()
    before = copied(model)
    with pytest.raises(error) as raised:
        ic.initialize(model, scheme, seed=1)
    assert all(word in str(raised.value) for word in words), raised.value
    assert equal(before, model.parameters)


def test_only_models_are_initialized():
    with pytest.raises(TypeError, match=r"Sequential.*list"):
        ic.initialize([1, 2])


def test_the_table_tells_what_was_drawn():
    layers = [ic.Dense(400, activation=name) for name in ("relu", "gelu", "selu", None)]
    model = ic.Sequential(layers, input_shape=(300,))
    table = ic.initialize(model, {"dense_1/kernel": "orthogonal"}, seed=4)
    for row in table:
        drawn = model.parameters[row.name]
        assert row.shape == drawn.shape and row.dtype == drawn.dtype.name
        assert drawn.std() == pytest.approx(row.std, rel=6 / np.sqrt(2 * drawn.size))
    assert json.loads(json.dumps(table.to_dict()))["dense/kernel"]["shape"] == [300, 400]
    assert len(str(table).splitlines()) == len(table) + 2 and str(table) == repr(table)
    assert "keeps the signal through gelu" not in table["dense_1/kernel"].why
    with pytest.raises(KeyError):
        table["dense_9/kernel"]


def test_a_key_is_a_seed_too():
    one, other = network(), network()
    ic.initialize(one, seed=ic.Key(3) / "member")
    ic.initialize(other, seed=ic.Key(3))
    assert not np.array_equal(one.parameters["dense/kernel"], other.parameters["dense/kernel"])
    assert one.parameters["dense/kernel"][0, 0] == initializers.HeNormal()(
        (5, 8), ic.Key(3) / "member" / "dense/kernel", index=(0, 0)
    )


@pytest.mark.parametrize("name", [name for row in ANY_SHAPE for name in (row.name, *row.aliases)])
def test_biases_come_with_the_defaults_that_have_them(name):
    model = ic.Sequential([ic.Dense(100, activation="relu"), ic.Dense(100)], input_shape=(400,))
    table = ic.initialize(model, name)
    ours = {"torch": (1 / 3 / 400) ** 0.5, "sklearn": table["dense/kernel"].std}
    expected = ours.get(name.partition("_")[0], 0)
    assert table["dense/bias"].std == pytest.approx(expected)
    assert model.parameters["dense/bias"].std() == pytest.approx(expected, rel=0.25)
    if expected:
        assert ic.initialize(model, {"kernel": name}) != table  # said by a rule, but the biases are the same
        assert model.parameters["dense/bias"].std() == pytest.approx(expected, rel=0.25)
        assert ic.initialize(model, {"bias": 1.0, "kernel": name})["dense/bias"].std == 0


def test_biases_that_come_with_a_kernel_keep_their_size_under_mup():
    def network(width):
        return ic.Sequential([ic.Dense(width), ic.Dense(width)], input_shape=(width,))

    wide, base = (ic.initialize(network(64), "torch_linear_default", mup=network(n)) for n in (16, 64))
    assert wide["dense/bias"].std == 2 * base["dense/bias"].std > 0


def test_a_rule_may_say_of_which_maps_a_tensor_is_made():
    model = ic.Sequential([ic.Dense(24), ic.Dense(8)], input_shape=(8,))
    packed = ic.layouts.Packed("io", 3)
    table = ic.initialize(model, {"dense/kernel": ("orthogonal", packed)})
    for part in np.split(model.parameters["dense/kernel"].astype(float), 3, axis=1):
        assert np.allclose(part.T @ part, np.eye(8), atol=1e-6)
    assert "Packed" in table["dense/kernel"].why
    table = ic.initialize(model, [("dense/kernel", ("auto", packed))])
    assert table["dense/kernel"].std == pytest.approx((2 / 16) ** 0.5)
