"""`initcore.keras`: what a layer is called on, so that its forward can be followed."""

import os

import numpy as np
import pytest

import initcore as ic

os.environ.setdefault("KERAS_BACKEND", "jax")  # what Keras imports by default is not there
keras = pytest.importorskip("keras", reason="works with a live Keras")
pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras's, on JAX
    pytest.mark.filterwarnings("ignore:Layer .* looks like it has unbuilt state:UserWarning"),
]
L, ops = keras.layers, keras.ops
X = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")


class Block(keras.layers.Layer):
    """A residual branch, by a call that its subclasses have."""

    def __init__(self):
        super().__init__()
        self.up, self.down = L.Dense(8), L.Dense(8)


class Given(Block):
    def call(self, x, c):
        return x + self.down(ops.relu(self.up(x + c)))


class Beside(Block):
    def call(self, x, c):
        return x + self.down(ops.relu(self.up(c)))


class GivenByName(Block):
    def call(self, x, *, c, scale=1.0):
        return x + self.down(ops.relu(self.up(x + c))) * scale


class Branching(Block):
    def call(self, x):
        if float(ops.sum(x)) > 0:
            x = x * 2
        return x + self.down(ops.relu(self.up(x)))


class OnTime(Block):
    """As a diffusion model: one number for each example."""

    def call(self, x, t):
        return x + self.down(ops.relu(self.up(x + t[:, None])))


class Translates(keras.Model):
    """An encoder and a decoder, of other lengths."""

    def __init__(self):
        super().__init__()
        self.embed, self.encoder, self.decoder = L.Embedding(9, 8), Given(), L.MultiHeadAttention(2, 4)

    def call(self, source, target):
        x, y = self.embed(source), self.embed(target)
        return y + self.decoder(y, self.encoder(x, x))


def single(block):
    class Model(keras.Model, block):
        __init__, call = block.__init__, block.call

    return Model()


def last(table):
    return [row.name for row in table if "mlp last" in row.why]


@pytest.mark.parametrize(
    ("kind", "args", "named"),
    [(Given, (X, X), {}), (GivenByName, (X,), {"c": X}), (OnTime, (X, X[:, 0]), {})],
    ids=["given", "by_name", "on_time"],
)
def test_calls_with_more_required_arguments_are_followed(kind, args, named):
    model = single(kind)
    model(*args, **named)
    table = ic.initialize(model, residual="fixup")
    assert len(last(table)) == 1 and not [note for note in table.notes if "not looked into" in note]
    assert ic.initialize(model)[table[0].name].scheme == "he_normal"


def test_what_an_encoder_and_a_decoder_take():
    model = Translates()
    model(np.ones((2, 7), int), np.ones((2, 4), int))
    table = ic.initialize(model, residual="gpt2")
    halves = [row.name for row in table if "x 0.7071" in row.why]
    assert len(halves) == 2 and any("attention_output" in name for name in halves)


def test_shapes_of_other_sizes_are_found_among_the_parts():
    model = single(Beside)
    model(X, np.ones((6, 3), np.float32))
    assert model.up.kernel.shape == (3, 8)
    assert model._build_shapes_dict == {"input_shape": (6, 8)}  # which does not fit the second argument
    assert ic.initialize(model)["dense/kernel"].scheme == "he_normal"


def test_errors_of_residual_schemes_have_the_reason():
    model = single(Branching)
    model(X)
    why = [row.why for row in ic.initialize(model) if row.role == "kernel"]
    assert all("cannot be followed" in one and "its build" not in one for one in why)
    with pytest.raises(ValueError, match=r"not looked into: the call of Model cannot be followed: .*symbol"):
        ic.initialize(model, residual="fixup")


def test_tables_say_which_parts_were_not_looked_into():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.blocks = [Branching(), L.Dense(8)]

        def call(self, x):
            return x + self.blocks[1](self.blocks[0](x))

    model = Model()
    model(X)
    assert "the call of Branching cannot be followed" in ic.initialize(model, residual="gpt2").notes[-1]


class Language(keras.Model):
    """Whose output's kernel is the embedding, by a product with its transpose."""

    def __init__(self, product, words=11):
        super().__init__()
        self.words, self.positions, self.dense = L.Embedding(words, 8), L.Embedding(4, 8), L.Dense(8)
        self.product = product

    def call(self, x):
        y = self.dense(self.words(x) + self.positions(ops.arange(4)))
        return self.product(y, self.words)


PRODUCTS = {
    "matmul": lambda y, words: ops.matmul(y, ops.transpose(words.embeddings)),
    "operator": lambda y, words: y @ ops.transpose(words.embeddings),
    "einsum": lambda y, words: ops.einsum("btd,vd->btv", y, words.embeddings),
    "converted": lambda y, words: ops.matmul(y, ops.cast(ops.transpose(words.embeddings), "float32")),
}


@pytest.mark.parametrize("words", [11, 20_000])  # few, and more than are compared one by one
@pytest.mark.parametrize("product", list(PRODUCTS))
def test_embeddings_are_known_that_the_output_is_multiplied_by(product, words):
    model = Language(PRODUCTS[product], words)
    model(np.ones((2, 4), int))
    table = ic.initialize(model)
    row, other = table["embedding/embeddings"], table["embedding_1/embeddings"]
    assert row.std == pytest.approx(8**-0.5) and "logits of variance 1" in row.why
    assert other.std == 1 and "logits" not in other.why


def test_embeddings_that_are_only_read_by_a_product():
    model = Language(lambda y, words: y + ops.one_hot(ops.argmax(y, -1), 11) @ words.embeddings)
    model(np.ones((2, 4), int))
    assert ic.initialize(model)["embedding/embeddings"].std == 1
