"""`initcore.keras`: initializers that Keras saves and loads, and `initialize` on its models."""

import inspect
import itertools
import json
import os
import pickle
import random

import numpy as np
import pytest

import initcore as ic
from initcore import layouts
from initcore.apply import named
from initcore.initializers import NAMED

os.environ.setdefault("KERAS_BACKEND", "jax")  # what Keras imports by default is not there
keras = pytest.importorskip("keras", reason="works with a live Keras")
pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras's, on JAX
    pytest.mark.filterwarnings("ignore:Explicitly requested dtype float64:UserWarning"),
]
from initcore import keras as ours  # noqa: E402

every = pytest.mark.parametrize("name", list(named.ROWS))
L = keras.layers


def array(tensor):
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def make(name, **options):
    return getattr(ours, named.class_name(name))(**options)


# Initializers


@every
def test_every_scheme_is_a_class_that_draws_by_its_key(name):
    initializer = make(name, seed=5)
    law = named.ROWS[name].law
    for call in range(2):
        assert np.array_equal(array(initializer((4, 6))), law((4, 6), ic.Key(5) / call))
    again = make(name, seed=5, repeat=True)
    assert np.array_equal(array(again((4, 6))), array(again((4, 6))))
    assert type(initializer).__doc__ and isinstance(initializer, keras.initializers.Initializer)


@every
def test_configurations_come_back(name):
    initializer = make(name, seed=5, layout=layouts.Conv("io", groups=2))
    copies = [
        type(initializer).from_config(initializer.get_config()),
        initializer.clone(),
        keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(initializer)),
        keras.initializers.get(keras.initializers.serialize(initializer)),
    ]
    expected = array(initializer((4, 8)))
    for copy in copies:
        assert copy.law == initializer.law and copy.layout == initializer.layout
        assert np.array_equal(array(copy((4, 8))), expected)
    assert type(keras.initializers.get(f"initcore>{named.class_name(name)}")) is type(initializer)


LAWS = {  # numbers for each
    "ChronoBias": {"longest": 20.0},
    "LogPriorBias": {"frequencies": np.array([3, 1, 2, 4, 5, 6, 7, 8])},
    "SklearnBias": {"fan_in": 6, "fan_out": 8},
    "TargetMeanBias": {"targets": np.arange(24.0).reshape(3, 8)},
    "TorchLinearBias": {"fan_in": 6},
    "Values": {"values": list(range(8))},
}


@pytest.mark.parametrize("title", list(named.laws()))
def test_laws_without_a_name_are_classes_that_a_model_is_saved_with(title, tmp_path):
    numbers, shape = LAWS.get(title, {}), {"STFT": (8, 1, 5), "ZerO": (4, 8)}.get(title, (8,))
    initializer = getattr(ours, title)(seed=5, **numbers)
    expected = getattr(ic.initializers, title)(**numbers)(shape, ic.Key(5) / 0)
    assert np.array_equal(array(initializer(shape)), expected)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(initializer)))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(initializer) and np.array_equal(array(again(shape)), expected)
    by_position = getattr(ours, title)(*numbers.values())
    assert by_position.law == initializer.law
    if shape == (8,):
        model = keras.Sequential([keras.Input((2,)), L.Dense(8, bias_initializer=by_position)])
        model.save(tmp_path / "model.keras")
        assert keras.models.load_model(tmp_path / "model.keras").layers[0].bias_initializer.law == again.law


PEERS = [title for title in map(named.class_name, named.ROWS) if hasattr(keras.initializers, title)]


@pytest.mark.parametrize("title", PEERS)
def test_arguments_by_position_are_those_of_keras(title):
    kind, peer = getattr(ours, title), getattr(keras.initializers, title)
    parameters = inspect.signature(peer).parameters.values()
    theirs = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    values = {"seed": 3, "scale": 2.0, "mode": "fan_avg", "distribution": "uniform", "side": "imag"}
    values |= dict.fromkeys(("mean", "stddev", "gain", "value", "minval"), 0.25) | {"maxval": 0.5}
    given = list(itertools.takewhile(values.__contains__, theirs))
    by_position, by_name = kind(*map(values.get, given)), kind(**{name: values[name] for name in given})
    config = by_position.get_config()
    assert config == by_name.get_config() == {**config, **{name: values[name] for name in given}}
    assert by_position.law == by_name.law == pickle.loads(pickle.dumps(by_position)).law
    peer(*map(values.get, given))  # takes them too
    with pytest.raises(TypeError, match=title):
        kind(*[None] * (len(theirs) + 1))


def test_seeds_of_many_layers_differ():
    """Of 20 000 out of 10**9 some would be the same, by the birthday paradox: with probability 0.18; of
    these, with 2e-11. So many seeds out of 10**9 that are larger than that are impossible."""
    seeds = {ours.Zeros()._start for _ in range(20_000)}
    assert len(seeds) == 20_000 and max(seeds) > 10**9


def test_a_model_is_saved_and_loaded(tmp_path):
    drawn = ours.RandomNormal(stddev=0.2, seed=keras.random.SeedGenerator(1))
    layers = [
        keras.Input((8, 8, 4)),
        L.DepthwiseConv2D(3, depthwise_initializer=ours.HeNormal(seed=1, layout=layouts.Depthwise())),
        L.Flatten(),
        L.Dense(3, kernel_initializer=ours.Orthogonal(gain=2.0, seed=3), bias_initializer=drawn),
    ]
    model = keras.Sequential(layers)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for mine, other in zip(model.weights, loaded.weights, strict=True):
        assert np.array_equal(array(mine), array(other))
    assert loaded.layers[-1].kernel_initializer.law == ic.initializers.Orthogonal(2.0)
    assert loaded.layers[0].depthwise_initializer.layout == layouts.Depthwise()
    assert array(model.layers[0].kernel).std() == pytest.approx((2 / 9) ** 0.5, rel=0.5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float8_e4m3fn", "float8_e5m2"])
def test_all_floating_types(dtype):
    initializer = ours.LecunNormal(seed=1)
    expected = ours.LecunNormal(seed=1)((64, 64))
    tensor = initializer((64, 64), dtype=dtype)
    assert keras.backend.standardize_dtype(tensor.dtype) == dtype
    assert np.allclose(array(keras.ops.cast(tensor, "float32")), array(expected), rtol=0.15, atol=0.005)
    assert keras.backend.standardize_dtype(initializer((2, 2)).dtype) == keras.config.floatx()


def test_complex_numbers():
    w = array(ours.LecunNormal(seed=1)((200, 100), "complex64"))
    for part in (w.real, w.imag):
        assert part.std() == pytest.approx(np.sqrt(1 / 400), rel=6 / np.sqrt(2 * w.size))


def test_whole_numbers_only_where_they_are_asked_for():
    assert array(ours.Ones()((3,), "int32")).tolist() == [1, 1, 1]
    assert array(ours.Zeros()((2,), "bool")).tolist() == [False, False]
    with pytest.raises(ValueError, match="whole numbers"):
        ours.RandomNormal()((3,), "int32")


def test_one_object_gives_each_layer_other_weights():
    shared = ours.HeNormal(seed=1)
    model = keras.Sequential([keras.Input((8,)), *(L.Dense(8, kernel_initializer=shared) for _ in range(3))])
    kernels = [array(layer.kernel) for layer in model.layers]
    assert not any(np.array_equal(a, b) for i, a in enumerate(kernels) for b in kernels[:i])


def test_without_a_seed_keras_governs():
    state = random.getstate()
    try:
        drawn = []
        for _ in range(2):
            keras.utils.set_random_seed(7)
            drawn.append(array(ours.HeNormal()((4, 4))))
        assert np.array_equal(*drawn) and not np.array_equal(drawn[0], array(ours.HeNormal()((4, 4))))
    finally:
        random.setstate(state)
    first, second = (ours.HeNormal(seed=keras.random.SeedGenerator(3)) for _ in range(2))
    assert np.array_equal(array(first((3, 3))), array(second((3, 3))))
    assert not np.array_equal(array(first((3, 3))), array(make("he_normal", seed=3)((3, 3))))


@pytest.mark.parametrize(
    "error, call",
    [
        (ValueError, lambda: ours.HeNormal(seed=-1)),
        (TypeError, lambda: ours.HeNormal(1, seed=2)),
        (TypeError, lambda: ours.RandomNormal(0.0, mean=2)),
        (ValueError, lambda: ours.HeNormal(input_axes=0)),
        (TypeError, lambda: ours.HeNormal(seed="0")),
        (ValueError, lambda: ours.HeNormal(layout="hw")),
        (ValueError, lambda: ours.HeNormal(stdev=1)),
        (ValueError, lambda: ours.RandomNormal(stddev=-1)),
        (ValueError, lambda: ours.HeNormal()((3,))),
        (AttributeError, lambda: ours.HeCauchy),
    ],
)
def test_what_cannot_be_is_refused(error, call):
    with pytest.raises(error):
        call()


# Models


def functional():
    image = keras.Input((8, 8, 4))
    x = L.BatchNormalization()(L.Conv2D(6, 3, groups=2)(image))
    x = keras.activations.relu(x)
    x = L.Add()([x, L.DepthwiseConv2D(3, padding="same")(x)])
    x = L.Activation("gelu")(x)
    x = L.Conv2DTranspose(4, 2, strides=2, activation="tanh")(x)
    x = L.Dense(5, activation=lambda z: z**3)(L.GlobalAveragePooling2D()(x))
    return keras.Model(image, L.Dense(2, activation="softmax")(x))


def test_a_graph_tells_what_its_layers_feed():
    table = ic.initialize(functional(), seed=1)
    assert all(row.changed for row in table)
    kernels = [row for row in table if row.role == "kernel"]
    scales = [2.0, 1 / ic.theory.gain("gelu").forward ** -2, 1 / ic.theory.gain("tanh").forward ** -2, 1 / 15]
    fans = [9 * 2, 9, 4 * 6 / 4, 4]
    for row, scale, fan in zip(kernels, scales, fans, strict=False):
        assert row.std == pytest.approx((scale / fan) ** 0.5, rel=1e-5), row
    assert kernels[-1].scheme == "glorot_uniform" and "softmax" in kernels[-1].why


def test_numbers_do_not_hang_on_how_many_layers_there_were():
    one, other = functional(), functional()
    assert one.layers[-1].name != other.layers[-1].name  # Keras counts on
    first, second = ic.initialize(one, seed=4), ic.initialize(other, seed=4)
    assert first == second
    assert all(np.array_equal(array(a), array(b)) for a, b in zip(one.weights, other.weights, strict=True))
    expected = ic.initializers.GlorotUniform()((5, 2), ic.Key(4) / "dense_1/kernel")
    assert np.array_equal(array(one.layers[-1].kernel), expected)


@pytest.mark.parametrize("row", NAMED, ids=lambda row: row.name)
def test_every_named_scheme_sets_the_kernels(row):
    model = keras.Sequential([keras.Input((5,)), L.Dense(6, "relu"), L.Dense(6)])
    table = ic.initialize(model, row.name, seed=2)
    expected = row.law((5, 6), ic.Key(2) / "dense/kernel")
    assert np.array_equal(array(model.layers[0].kernel), expected)
    zero = (array(model.layers[0].bias) == 0).all()
    assert zero or f"comes with {row.name}" in table["dense/bias"].why


@pytest.mark.parametrize("kind, gates", [(L.LSTM, 4), (L.GRU, 3), (L.SimpleRNN, 1)])
def test_recurrent_layers_gate_by_gate(kind, gates):
    model = keras.Sequential([keras.Input((5, 6)), L.Bidirectional(kind(8)), L.PReLU(), L.Dense(3)])
    table = ic.initialize(model)
    cell = model.layers[0].forward_layer.cell
    for gate in np.split(array(cell.recurrent_kernel).astype(float), gates, axis=1):
        assert np.allclose(gate @ gate.T, np.eye(8), atol=1e-5)
    if gates == 4:
        assert array(cell.bias).tolist() == [0] * 8 + [1] * 8 + [0] * 16
    why = next(row.why for row in table if row.name.endswith("cell/kernel"))
    assert ("gates" in why) == (gates > 1) == ("with the state into tanh" not in why)
    assert {row.role for row in table} >= {"kernel", "recurrent", "slope"} and all(
        row.changed for row in table
    )


def test_attention_and_einsum_have_their_axes():
    query = keras.Input((5, 32))
    model = keras.Model(query, L.MultiHeadAttention(4, 8)(query, query))
    table = ic.initialize(model)
    for row in table:
        if row.role == "kernel":
            assert row.std == pytest.approx((2 / 64) ** 0.5)
            assert ("(attention)" in row.why) == ("attention_output" not in row.name)


def test_rules_and_tied_layers():
    shared = L.Dense(6, name="shared")
    a = keras.Input((6,))
    model = keras.Model(a, L.Dense(2, name="head")(shared(keras.activations.relu(shared(a)))))
    before = array(shared.bias)
    table = ic.initialize(model, {"head/bias": -1.0, "shared/bias": "keep", L.Dense: "orthogonal"})
    assert [row.name for row in table] == ["shared/kernel", "shared/bias", "head/kernel", "head/bias"]
    assert np.array_equal(before, array(shared.bias)) and (array(model.layers[-1].bias) == -1).all()
    kernel = array(shared.kernel).astype(float)
    assert np.allclose(kernel @ kernel.T, np.eye(6), atol=1e-5)


@pytest.mark.parametrize("tied", [True, False])
def test_an_embedding_that_is_the_output_too(tied):
    tokens = L.ReversibleEmbedding(50, 16, tie_weights=tied, name="tokens")
    i = keras.Input((5,), dtype="int32")
    model = keras.Model(i, tokens(L.Dense(16)(tokens(i)), reverse=True))
    table = ic.initialize(model)
    assert table["tokens/embeddings"].std == (0.25 if tied else 1.0)
    assert tied or table["tokens/reverse_embeddings"].std == pytest.approx((2 / 66) ** 0.5)


def test_half_precision_models():
    model = keras.Sequential([keras.Input((64,)), L.Dense(64, dtype="bfloat16")])
    ic.initialize(model)
    expected = ic.initializers.GlorotUniform()((64, 64), ic.Key(0) / "dense/kernel", "bfloat16")
    assert np.array_equal(array(model.layers[0].kernel.value), expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["he_uniform", "random_uniform", "truncated_normal", "sparse"])
def test_half_precisions_are_drawn_as_such(name, dtype):
    """Bounds that are rounded are kept: the numbers are not those of float32, rounded."""
    expected = ic.initializers.get(name)((64, 64), ic.Key(1) / 0, dtype)
    assert np.array_equal(array(make(name, seed=1)((64, 64), dtype)), expected)


def test_layers_of_ones_own_are_made_known():
    from initcore.keras import roles as adapter

    class Mine(L.Layer):
        def build(self, shape):
            self.w = self.add_weight(shape=(7, shape[-1]), name="w", initializer="ones")
            self.b = self.add_weight(shape=(7,), name="b", initializer="ones")

        def compute_output_shape(self, shape):
            return (*shape[:-1], 7)

        def call(self, x):
            return keras.ops.add(keras.ops.matmul(x, keras.ops.transpose(self.w)), self.b)

    x = keras.Input((5,))
    model = keras.Model(x, keras.activations.relu(Mine()(x)))
    assert not any(row.changed for row in ic.initialize(model))
    ours.register(Mine, w=("kernel", "oi"), b="bias")
    try:
        table = ic.initialize(model)
        assert table["mine/w"].std == pytest.approx((2 / 5) ** 0.5) and table["mine/b"].scheme == "zeros"
        with pytest.raises(ValueError, match="role"):
            ours.register(Mine, w="weights")
        with pytest.raises(TypeError, match="subclass of Layer"):
            ours.register(dict, w="kernel")
    finally:
        adapter.KINDS.registered.clear()
