"""The forwards of Keras models, subclassed ones too: what layers feed, and what stays as it was."""

import os

import numpy as np
import pytest
from reference_expectations import deviation_of_square

import initcore as ic
from initcore import apply, theory

os.environ.setdefault("KERAS_BACKEND", "jax")  # what Keras imports by default is not there
keras = pytest.importorskip("keras", reason="follows models of a live Keras")
pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras's, on JAX
]
from initcore.keras.forward import forwards  # noqa: E402

L, ops = keras.layers, keras.ops


def made(call, *shape, **parts):
    """A model with these parts, and one of 4 features called ``p``, whose call is ``call(self, x)``."""

    class Made(keras.Model):
        def __init__(self):
            super().__init__()
            for name, part in parts.items():
                setattr(self, name, part)
                if isinstance(part, L.Dense | L.LayerNormalization):
                    part.build((None, *(shape or (4,))))
            self.p = self.add_weight(shape=(4,), name="p", initializer="ones")

    Made.call = lambda self, x, training=None: call(self, x)
    model = Made()
    model(np.ones((3, *(shape or (4,))), np.float32))
    return model


def feeds(model):
    return {row.name: str(row.feeds) for row in apply.parameters(model) if row.role == "kernel"}


def dense(*names):
    return {name: L.Dense(4, name=name) for name in names}


CALLS = {
    "a function": (lambda m, x: ops.relu(m.a(x)), "relu"),
    "a function of two numbers": (lambda m, x: ops.maximum(m.a(x), 0.0), "Maximum"),
    "one with a number": (lambda m, x: ops.leaky_relu(m.a(x), negative_slope=0.2), "LeakyRelu"),
    "one behind a normalization": (lambda m, x: ops.gelu(m.norm(m.a(x)), approximate=False), "gelu"),
    "a scaled one": (lambda m, x: ops.tanh(2.0 * m.a(x)), "tanh"),
    "a variable first": (lambda m, x: ops.tanh(m.p + m.a(x)), "tanh"),
    "an array first": (lambda m, x: ops.tanh(ops.ones(4) + m.a(x)), "tanh"),
    "one that Keras computes": (lambda m, x: keras.activations.mish(m.a(x)), "mish"),
    "one that Keras converts for": (lambda m, x: keras.activations.hard_silu(m.a(x)), "HardSilu"),
    "halves": (lambda m, x: ops.glu(m.a(x)), "glu"),
    "a part of it": (lambda m, x: ops.tanh(ops.split(m.a(x), 2, axis=-1)[0]), "tanh"),
    "the end": (lambda m, x: m.a(x), "no activation"),
    "two": (lambda m, x: ops.tanh(m.a(x)) + ops.relu(m.a(x)), "unknown"),
    "a product": (lambda m, x: m.a(x) * m.b(x), "no activation"),
    "a gate": (lambda m, x: ops.silu(m.a(x)) * m.b(x), "swiglu"),
    "a gate of parts": (lambda m, x: ops.silu((u := ops.split(m.a(x), 2, axis=1))[0]) * u[1], "swiglu"),
    "a weight of its own input": (lambda m, x: (h := m.a(x)) * ops.sigmoid(m.b(h)), "no activation"),
    "values": (lambda m, x: m.a(x) if ops.sum(m.a(x)) > 0 else x, "unknown"),
}  # fmt: skip


@pytest.mark.parametrize("what", CALLS)
def test_what_a_call_makes_of_a_layer(what):
    call, expected = CALLS[what]
    assert feeds(made(call, **dense("a", "b"), norm=L.LayerNormalization()))["a/kernel"] == expected


def test_both_sides_of_a_gate():
    found = feeds(made(lambda m, x: ops.gelu(m.a(x)) * m.b(x), **dense("a", "b")))
    assert found["a/kernel"] == found["b/kernel"] != "gelu"
    own = {"a": L.Dense(4, "silu", name="a"), "b": L.Dense(4, name="b")}
    assert set(feeds(made(lambda m, x: m.a(x) * m.b(x), **own)).values()) == {"swiglu"}


GATES = {
    "swiglu": lambda m, x: ops.silu(m.u(x)) * m.v(x),
    "geglu": lambda m, x: m.v(x) * ops.gelu(m.u(x), approximate=False),
    "reglu": lambda m, x: (y := ops.split(m.uv(x), 2, axis=-1))[0] * ops.relu(y[1]),
    "glu": lambda m, x: ops.glu(m.uv(x)),
}


@pytest.mark.parametrize("name", GATES)
def test_inputs_of_second_moment_1_give_such_a_product(name):
    """All u and v are independent: the inputs are at right angles."""
    n = 256
    parts = {"u": L.Dense(n, name="u"), "v": L.Dense(n, name="v"), "uv": L.Dense(2 * n, name="uv")}
    model = made(GATES[name], n, **parts)
    table = ic.initialize(model, seed=1)
    used = [row for row in table if f"through {name}" in row.why]
    assert {row.name for row in used} in ({"u/kernel", "v/kernel"}, {"uv/kernel"})
    y = ops.convert_to_numpy(model(n**0.5 * np.eye(n, dtype=np.float32))).astype(float)
    assert (y**2).mean() == pytest.approx(1, abs=5 * deviation_of_square(theory.GATED[name]) / n)


def test_a_subclassed_model_is_as_one_of_a_graph():
    def call(m, x):
        x = ops.relu(m.first(x))
        return m.head(m.blocks(x))

    inner = keras.Input((4,))
    block = keras.Model(inner, L.Dense(4, name="up")(inner), name="block")
    parts = {
        "first": L.Dense(4, name="first"),
        "blocks": keras.Sequential([block, L.Dropout(0.5), L.Lambda(lambda x: ops.tanh(x))], name="blocks"),
        "head": L.Dense(2, activation="softmax", name="head"),
    }
    found = feeds(made(call, **parts))
    assert found == {"first/kernel": "relu", "blocks/block/up/kernel": "tanh", "head/kernel": "no activation"}


@pytest.mark.parametrize("activation", [None, "relu"])
def test_what_cannot_be_followed_is_told(activation):
    class Branching(L.Layer):
        def __init__(self):
            super().__init__()
            self.up = L.Dense(4, name="up")
            self.body = keras.Sequential(
                [L.Dense(4, name="in"), L.ReLU(), L.Dense(4, name="out")], name="body"
            )

        def call(self, x):
            return self.body(self.up(x)) if ops.sum(x) > -1e9 else x

    model = made(lambda m, x: m.b(m.branching(ops.relu(m.a(x)))), **dense("a", "b"), branching=Branching())
    model.build((None, 4))
    table = ic.initialize(model, activation=activation)
    assert table["a/kernel"].scheme == table["branching/body/in/kernel"].scheme == "he_normal"
    for name in ("branching/up/kernel", "branching/body/out/kernel"):
        if activation is None:
            assert "Branching cannot be followed" in table[name].why and "activation=" in table[name].why
        else:
            assert table[name].scheme == "he_normal"
    assert "model ends" in table["b/kernel"].why


def test_several_inputs():
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = L.Dense(4, name="a"), L.Dense(4, name="b")

        def call(self, x, y):
            return ops.tanh(self.a(x)) + ops.relu(self.b(y))

    class Built(Two):
        def build(self, x_shape, y_shape):
            self.a.build(x_shape), self.b.build(y_shape)

    x = np.ones((2, 3), np.float32)
    for kind in (Two, Built):
        model = kind()
        model(x, x)
        assert feeds(model) == {"a/kernel": "tanh", "b/kernel": "relu"}
    a, b = keras.Input((None, 4), name="x"), keras.Input((4,), name="y")
    graph = keras.Model({"x": a, "y": [b]}, L.Dense(4, activation="tanh")(L.Add()([a, b])))
    assert list(feeds(graph).values()) == ["tanh"]
    inside = made(
        lambda m, x: ops.relu(m.b(m.graph({"x": x, "y": [x[:, 0]]}))), 5, 4, **dense("b"), graph=graph
    )
    assert list(feeds(inside).values()) == ["relu", "tanh"]


def test_without_shapes_the_table_says_what_to_do():
    class Unknown(keras.Model):
        def __init__(self):
            super().__init__()
            self.a = self.add_weight(shape=(4, 4), name="a")
            self.built = True

        def call(self, x):
            return ops.relu(x @ self.a)

    with pytest.raises(ValueError, match=r"build\(input_shape\)"):
        ic.initialize(Unknown(), residual="fixup")
    with pytest.raises(ValueError, match="must be built"):
        ic.initialize(keras.Sequential([L.Dense(3)]))


def test_losses_and_other_ends_of_a_call():
    def call(m, x):
        y = m.a(x)
        m.add_loss(ops.mean(y**2))
        return {"y": ops.relu(y), "both": (x, y)}

    model = made(call, a=L.Dense(4, activity_regularizer="l2", name="a"))
    assert feeds(model) == {"a/kernel": "relu"}


def test_layers_around_others():
    layers = [
        L.TimeDistributed(L.Dense(4)),
        L.ReLU(),
        L.SpectralNormalization(L.Dense(4)),
        L.Activation("tanh"),
    ]
    assert list(feeds(keras.Sequential([keras.Input((5, 4)), *layers])).values()) == ["relu", "tanh"]
    alone = L.Dense(4)
    alone.build((None, 4))
    assert feeds(alone) == {"kernel": "no activation"}


def test_the_model_is_as_before():
    def call(m, x):
        m.last = x * m.p
        return m.norm(m.drop(m.a(m.last)))

    parts = {**dense("a"), "norm": L.BatchNormalization(), "drop": L.Dropout(0.5, seed=1)}
    model = made(call, **parts)
    graph = keras.Sequential([keras.Input((4,)), model, L.ReLU()])
    kept = [(vars(layer), dict(vars(layer))) for layer in graph._flatten_layers()]
    calls = [[len(layer._inbound_nodes), len(layer._outbound_nodes)] for layer in graph._flatten_layers()]
    values = [np.asarray(ops.convert_to_numpy(value)) for value in graph.variables]
    symbol, variable = dict(vars(keras.KerasTensor)), dict(vars(keras.Variable))
    for one in (model, graph):
        assert len(forwards(one)[0].steps) > 4
    assert all(now.keys() == before.keys() and all(now[k] is before[k] for k in now) for now, before in kept)
    assert calls == [[len(one._inbound_nodes), len(one._outbound_nodes)] for one in graph._flatten_layers()]
    for value, before in zip(graph.variables, values, strict=True):
        assert np.array_equal(np.asarray(ops.convert_to_numpy(value)), before)
    assert symbol == dict(vars(keras.KerasTensor)) and variable == dict(vars(keras.Variable))
