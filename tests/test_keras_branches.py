"""Residual schemes on Keras models: which sums are residual connections, and what starts smaller."""

import os

import numpy as np
import pytest
import residual_forwards

import initcore as ic
from initcore import apply, residual

os.environ.setdefault("KERAS_BACKEND", "jax")  # what Keras imports by default is not there
keras = pytest.importorskip("keras", reason="looks for branches in models of a live Keras")
pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras's, on JAX
]
from initcore.keras.model import branches  # noqa: E402

L, ops = keras.layers, keras.ops


def array(tensor):
    return np.asarray(ops.convert_to_numpy(tensor))


def values(model, name):
    """The tensor that the table calls so."""
    found = {}
    for tensor in apply.parameters(model):
        for owner in tensor.owners:
            for variable in owner._trainable_variables:
                if tensor.name.rpartition("/")[2] == variable.name:
                    found[tensor.name] = array(variable)
    return found[name]


def model(forward):
    """A model of 4 features with dense layers a, b, c, d, an embedding, a normalization and a tensor p."""

    class Made(keras.Model):
        def __init__(self):
            super().__init__()
            for name in "abcd":
                setattr(self, name, L.Dense(4, name=name))
            self.t, self.norm = L.Embedding(9, 4, name="t"), L.LayerNormalization(name="norm")
            self.p = self.add_weight(shape=(4,), name="p", initializer="ones")

        def build(self, input_shape):
            for layer in (self.a, self.b, self.c, self.d, self.t, self.norm):
                layer.build((None, 4))

        def f(self, x):
            return relu_of(self.a, self.b, x)

        def call(self, x):
            return forward(self, x)

    made = Made()
    made.build((None, 4))
    return made


def relu_of(first, last, x):
    return last(ops.relu(first(x)))


NOT_RESIDUAL = {
    **residual_forwards.NOT_RESIDUAL,
    "a parameter first": lambda m, x: m.p + relu_of(m.a, m.b, x),
    "an embedding": lambda m, x: m.a(m.t(x)) + m.t(ops.flip(x, 0)),
    "what only its shape is of": lambda m, x: ops.relu(m.a(x)) + ops.zeros(ops.shape(x)),
    "logits of attention": lambda m, x: (q := m.a(x)) @ ops.transpose(m.b(x)) + q @ ops.transpose(m.p[None]),
}


@pytest.mark.parametrize("what", NOT_RESIDUAL)
def test_other_sums_are_no_branches(what):
    made = model(NOT_RESIDUAL[what])
    assert not [place for place in branches(made).values() if place.branch]
    with pytest.raises(ValueError, match="none was found"):
        ic.initialize(made, residual="fixup")


RESIDUAL = {
    **residual_forwards.RESIDUAL,
    "a layer's": lambda m, x: L.Add()([relu_of(m.a, m.b, x), x]),
    "a layer's of three": lambda m, x: L.Add()([m.norm(x), relu_of(m.a, m.b, x), x]),
}


@pytest.mark.parametrize("what", RESIDUAL)
def test_residual_connections(what):
    found = branches(model(RESIDUAL[what]))
    inside = {name: place.roles for name, place in found.items() if place.branch and "kernel" in name}
    assert inside == {"a/kernel": ("mlp_inner",), "b/kernel": ("mlp_last",)}


OUTPUTS = {
    **residual_forwards.OUTPUTS,
    "a head that others follow": (
        lambda m, x: ops.softmax(m.norm(m.a(x + relu_of(m.c, m.d, x))), axis=-1),
        {"a"},
    ),
}


@pytest.mark.parametrize("what", OUTPUTS)
def test_the_output_is_where_the_network_ends(what):
    forward, expected = OUTPUTS[what]
    made = model(forward)
    table = ic.initialize(made, residual="fixup")
    zeros = {row.name[0] for row in table if row.role == "kernel" and "output" in row.why}
    assert zeros == expected
    assert all((values(made, f"{name}/kernel") == 0).all() for name in expected)
    assert any("ends with" in note for note in table.notes) == (not expected)


@keras.saving.register_keras_serializable("initcore tests")
class LayerScale(L.Layer):
    """In front of or behind what goes through: only the first is a multiplier."""

    def build(self, shape):
        self.gamma = self.add_weight(shape=shape[-1:], name="gamma", initializer="ones")
        self.shift = self.add_weight(shape=shape[-1:], name="shift", initializer="ones")

    def call(self, x):
        return self.gamma * x + ops.expand_dims(self.shift, 0)


class Reshaped(LayerScale):
    """The same, by what is computed of its tensors without what goes through."""

    def call(self, x):
        return ops.cast(ops.reshape(self.gamma, (1, -1)), x.dtype) * x + self.shift


def scaled_block(own):
    x = keras.Input((4,))
    if own:
        y = own(name="scale")(L.Dense(4, name="b")(L.Dense(4, activation="relu", name="a")(x)))
        return keras.Model(x, L.Add()([x, y]))
    return model(lambda m, x: x + m.p * relu_of(m.a, m.b, x))


@pytest.mark.parametrize("own", [LayerScale, Reshaped, None])
@pytest.mark.parametrize("name", list(residual.SCHEMES))
def test_only_what_multiplies_is_a_multiplier(name, own):
    made = scaled_block(own)
    if name == "zero_gamma":
        with pytest.raises(ValueError, match="a normalization at the end"):
            ic.initialize(made, residual=name)
        return
    table = ic.initialize(made, residual=name)
    scale = "scale/gamma" if own else "p"
    expected = {"fixup": 1.0, "rezero": 0.0, "skip_init": 0.0}.get(name)
    assert table[scale].changed == (expected is not None)
    if expected is not None:
        assert (values(made, scale) == expected).all() and "not known" not in table[scale].why
    assert not own or not table["scale/shift"].changed


def resnet():
    def block(x, width, stride=1):
        skip = L.Conv2D(width, 1, stride)(x) if stride > 1 else x
        y = L.Conv2D(width, 3, stride, padding="same", use_bias=False)(x)
        y = L.Activation("relu")(L.BatchNormalization()(y))
        y = L.BatchNormalization()(L.Conv2D(width, 3, padding="same", use_bias=False)(y))
        return L.ReLU()(L.Add()([y, skip]))

    image = keras.Input((8, 8, 3))
    x = L.Conv2D(8, 3, padding="same")(image)
    for width, stride in ((8, 1), (12, 2), (12, 1)):
        x = block(x, width, stride)
    return keras.Model(image, L.Dense(5)(L.GlobalAveragePooling2D()(x)))


def test_a_residual_network_with_projections():
    made = resnet()
    places = {name: place.roles[0] for name, place in branches(made).items() if place.branch}
    kernels = {name: role for name, role in places.items() if name.endswith("kernel")}
    assert list(kernels.values()).count("mlp_inner") == list(kernels.values()).count("mlp_last") == 3
    assert len(kernels) == 6 and "conv2d/kernel" not in kernels  # nor the projection
    ic.initialize(made, residual="zero_gamma")
    scales = [array(layer.gamma) for layer in made.layers if isinstance(layer, L.BatchNormalization)]
    assert [float(scale.mean()) for scale in scales] == [1, 0] * 3
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    table = ic.initialize(made, residual="fixup")
    assert table["conv2d_1/kernel"].std == pytest.approx((2 / 72) ** 0.5 * 3**-0.5)
    assert (array(made(x)) == 0).all()  # the network's output


class Block(L.Layer):
    """A transformer's, with attention of Keras's or, written out, of its own."""

    def __init__(self, width, own, **named):
        super().__init__(**named)
        self.own, self.width = own, width
        self.ln1, self.ln2 = L.LayerNormalization(), L.LayerNormalization()
        if own:
            self.q_proj, self.k_proj, self.v_proj, self.out = (L.Dense(width) for _ in range(4))
        else:
            self.attention = L.MultiHeadAttention(2, width // 2)
        self.up, self.down = L.Dense(4 * width, activation="gelu"), L.Dense(width)

    def attend(self, x):
        if not self.own:
            return self.attention(x, x)
        q, k, v = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        return self.out(ops.softmax(q @ ops.swapaxes(k, 1, 2) / self.width**0.5) @ v)

    def call(self, x):
        x = x + self.attend(self.ln1(x))
        return x + self.down(self.up(self.ln2(x)))


class Gpt(keras.Model):
    def __init__(self, depth=4, width=16, own=False):
        super().__init__()
        self.tokens, self.positions = L.Embedding(50, width), L.Embedding(8, width)
        self.blocks = [Block(width, own) for _ in range(depth)]
        self.norm, self.head = L.LayerNormalization(), L.Dense(50, use_bias=False)

    def call(self, i):
        x = self.positions(ops.arange(8)) + self.tokens(i)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def gpt(**how):
    made = Gpt(**how)
    made(np.zeros((2, 8), int))
    return made


@pytest.mark.parametrize("own", [False, True])
def test_a_transformer_of_ones_own(own):
    made = gpt(depth=3, own=own)
    roles = {name: place.roles for name, place in branches(made).items()}
    names = {
        name: owner for tensor in apply.parameters(made) for name, owner in [(tensor.name, tensor.owners[0])]
    }
    by_layer = {id(names[name]): role for name, role in roles.items() if tensor_is_kernel(name)}
    for block in made.blocks:
        inner = block.attention if not own else None
        query, key, value, out = (
            (block.q_proj, block.k_proj, block.v_proj, block.out)
            if own
            else (inner.query_dense, inner.key_dense, inner.value_dense, inner.output_dense)
        )
        assert by_layer[id(query)] == ("query",) and by_layer[id(key)] == ("key",)
        assert by_layer[id(value)] == ("value",) and by_layer[id(out)] == ("attention_output",)
        assert by_layer[id(block.up)] == ("mlp_inner",) and by_layer[id(block.down)] == ("mlp_last",)
    assert by_layer[id(made.head)] == ("output",)
    assert len({place.branch for place in branches(made).values() if place.branch}) == 6


def tensor_is_kernel(name):
    return name.endswith("/kernel")


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("name", ["gpt2", "t_fixup", "deepnorm", "fixup"])
def test_a_scheme_by_the_depth_of_the_model(name, own):
    made, plain = gpt(depth=4, own=own), gpt(depth=4, own=own)
    table = ic.initialize(made, residual=name, seed=1)
    scheme = {
        "gpt2": residual.gpt2(4),
        "t_fixup": residual.t_fixup(4),
        "deepnorm": residual.deepnorm(4),
        "fixup": residual.fixup(8, 2 if not own else 4),
    }[name]
    ic.initialize(plain, scheme.base, seed=1)
    for i in (0, 3):
        for role in ("up", "down"):
            kernel, before = (array(getattr(one.blocks[i], role).kernel) for one in (made, plain))
            factor = scheme.factor("mlp_inner" if role == "up" else "mlp_last")
            if not (name == "fixup" and role == "up"):
                assert np.allclose(kernel, before * factor, rtol=1e-6)
    assert {note.split(" needs ")[0] for note in table.notes} == ({name} if scheme.needs else set())
    tokens = table["embedding/embeddings"].std
    assert tokens == pytest.approx({"gpt2": 0.02, "t_fixup": 16**-0.5 * 36**-0.25}.get(name, 1.0))


def test_encoder_and_decoder_by_name():
    x = keras.Input((5, 16))
    parts = []
    for name, depth in (("encoder", 2), ("decoder", 4)):
        parts.append(keras.Sequential([Block(16, False, name=f"block_{i}") for i in range(depth)], name=name))
    made = keras.Model(x, parts[1](parts[0](x)))
    table = ic.initialize(made, residual="t_fixup")
    glorot = (2 / (16 + 64)) ** 0.5
    for name, scheme in (("encoder", residual.t_fixup(2)), ("decoder", residual.t_fixup(4, "decoder"))):
        assert table[f"{name}/block_1/dense/kernel"].std == pytest.approx(glorot * scheme.factor("mlp_inner"))


def test_layers_that_cannot_be_followed_leave_the_others():
    class Branching(keras.Model):
        def __init__(self):
            super().__init__()
            x = keras.Input((4,))
            self.body = keras.Model(x, x + L.Dense(4, name="b")(L.Dense(4, "relu", name="a")(x)), name="body")

        def call(self, x):
            return self.body(x) if ops.sum(x) > 0 else x

    made = Branching()
    made(np.ones((2, 4)))
    assert branches(made)["body/b/kernel"].roles == ("mlp_last",)
    with pytest.raises(ValueError, match="branch"):
        ic.initialize(keras.Sequential([keras.Input((4,)), L.Dense(3)]), residual="fixup")


def test_a_block_counts_as_often_as_it_is_run():
    def forward(m, x):
        for _ in range(9):
            x = x + m.b(ops.relu(m.a(x)))
        return x

    table = ic.initialize(model(forward), residual="gpt2")
    assert table["b/kernel"].std == pytest.approx(0.02 / 3)
