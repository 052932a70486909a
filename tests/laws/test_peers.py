"""Beside live PyTorch, Keras, JAX and scikit-learn: exactly where nothing is random, by moments where it is.

Two measured deviations of n weights with fourth moment k differ, relatively, by 6 standard errors of
sqrt((k - 1) / 2 n) at most, once in 5e8 checks.
"""

import math

import numpy as np
import pytest
from reference_laws import promise

import initcore as ic
from initcore.initializers import NAMED, SklearnDefault, SklearnLogisticDefault, TorchLinearDefault, get
from initcore.laws import (
    DeltaOrthogonal,
    Identity,
    Orthogonal,
    SklearnBias,
    Sparse,
    TorchLinearBias,
    TruncatedNormal,
    VarianceScaling,
)
from initcore.layouts import Conv, Depthwise, Einsum

pytestmark = pytest.mark.peers
KEY = ic.Key(0) / "peers"
SCALED = [row for row in NAMED if isinstance(row.law, VarianceScaling)]
every_scaled = pytest.mark.parametrize("row", SCALED, ids=lambda row: row.name)
shapes = pytest.mark.parametrize("shape", [(300, 200), (3, 3, 50, 60)])


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="compares with a live PyTorch")


@pytest.fixture
def keras(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    return pytest.importorskip("keras", reason="compares with a live Keras")


@pytest.fixture
def jax():
    return pytest.importorskip("jax", reason="compares with a live JAX")


def agree(ours, theirs, promised):
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    assert ours.shape == theirs.shape
    error = math.sqrt((promised.fourth - 1) / ours.size / 2)
    assert ours.std() == pytest.approx(theirs.std(), rel=6 * error)
    if math.isfinite(promised.high):  # both reach the same bound, up to the sparseness of draws near it
        assert abs(ours).max() == pytest.approx(abs(theirs).max(), rel=1e-2)


# Random laws


@every_scaled
@shapes
def test_scaled_laws_of_keras(row, shape, keras):
    law = row.law
    distribution = {"normal": "untruncated_normal"}.get(law.distribution, law.distribution)
    theirs = keras.initializers.VarianceScaling(law.scale, law.mode, distribution, seed=0)(shape)
    agree(law(shape, KEY), theirs, promise(law, shape, "io"))


@every_scaled
@shapes
def test_scaled_laws_of_jax(row, shape, jax):
    law = row.law
    theirs = jax.nn.initializers.variance_scaling(law.scale, law.mode, law.distribution)
    agree(law(shape, KEY), theirs(jax.random.key(0), shape), promise(law, shape, "io"))


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("he_normal", lambda init, w: init.kaiming_normal_(w)),
        ("he_uniform", lambda init, w: init.kaiming_uniform_(w)),
        ("glorot_normal", lambda init, w: init.xavier_normal_(w)),
        ("glorot_uniform", lambda init, w: init.xavier_uniform_(w)),
        ("torch_linear_default", lambda init, w: init.kaiming_uniform_(w, a=math.sqrt(5))),
    ],
)
@pytest.mark.parametrize("shape", [(300, 200), (60, 50, 3, 3)])
def test_scaled_laws_of_torch(name, call, shape, torch):
    theirs = call(torch.nn.init, torch.empty(shape)).numpy()
    agree(get(name)(shape, KEY, layout="oi"), theirs, promise(get(name), shape, "oi"))


def test_the_parent_of_a_truncated_normal_is_what_torch_keras_and_jax_mean(torch, keras, jax):
    shape = (300, 200)
    ours = TruncatedNormal(0.0, 1.0, stddev_of="parent")(shape, KEY)
    promised = promise(TruncatedNormal(0.0, 0.8796256610342398), shape, "io")
    agree(ours, torch.nn.init.trunc_normal_(torch.empty(shape), 0, 1, -2, 2).numpy(), promised)
    agree(ours, keras.initializers.TruncatedNormal(0.0, 1.0, seed=0)(shape), promised)
    agree(ours, jax.nn.initializers.truncated_normal(1.0)(jax.random.key(0), shape), promised)


def test_absolute_bounds_are_those_of_torch(torch):
    theirs = torch.nn.init.trunc_normal_(torch.empty(300, 200), 0.5, 1.0, -1.0, 2.5).numpy()
    law = TruncatedNormal(0.5, 1.0, -1.0, 2.5, bounds="absolute", stddev_of="parent")
    ours = law((300, 200), KEY)
    assert ours.mean() == pytest.approx(theirs.mean(), abs=6 * math.sqrt(2 / 60_000))
    assert ours.std() == pytest.approx(theirs.std(), rel=6 * math.sqrt(1 / 60_000))
    assert abs(ours.min() - theirs.min()) < 0.01 and abs(ours.max() - theirs.max()) < 0.01


def test_the_defaults_of_torch_layers_with_their_bias(torch):
    torch.manual_seed(0)
    for layer in (torch.nn.Linear(400, 300), torch.nn.Conv2d(16, 500, 5, groups=4)):
        shape = tuple(layer.weight.shape)
        fan_in = ic.fans(shape, "oi").fan_in
        law, theirs = TorchLinearDefault(), layer.weight.detach().numpy()
        agree(law(shape, KEY, layout="oi"), theirs, promise(law, shape, "oi"))
        bound = TorchLinearBias(fan_in).maxval
        assert 0.95 * bound < float(layer.bias.detach().abs().max()) <= bound * (1 + 1e-6)


@pytest.mark.parametrize("activation", ["relu", "logistic"])
def test_the_defaults_of_scikit_learn_with_their_bias(activation):
    network = pytest.importorskip("sklearn.neural_network", reason="compares with a live scikit-learn")
    model = network.MLPClassifier(activation=activation)
    model._random_state = np.random.RandomState(0)
    kernel, bias = model._init_coef(300, 200, np.float64)
    law = SklearnLogisticDefault() if activation == "logistic" else SklearnDefault()
    agree(law((300, 200), KEY), kernel, promise(law, (300, 200), "io"))
    bound = SklearnBias(300, 200, activation).maxval
    assert 0.9 * bound < abs(bias).max() <= bound


# Laws without chance, and the structure of the others


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("shape", [(12, 4, 3), (6, 5, 3, 4), (24, 7, 2, 3, 5)])
def test_dirac_of_torch(groups, shape, torch):
    theirs = torch.nn.init.dirac_(torch.empty(shape), groups).numpy()
    assert np.array_equal(Identity()(shape, 0, layout=Conv("oi", groups=groups)), theirs)


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3)])
def test_eye_of_torch_and_keras(shape, torch, keras):
    assert np.array_equal(Identity()(shape, 0, layout="oi"), torch.nn.init.eye_(torch.empty(shape)).numpy())
    assert np.array_equal(Identity(2.0)(shape, 0), np.asarray(keras.initializers.Identity(2.0)(shape)))


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.93])
def test_sparse_of_torch(sparsity, torch):
    shape = (70, 400)
    theirs = torch.nn.init.sparse_(torch.empty(shape), sparsity).numpy()
    ours = Sparse(sparsity=sparsity, stddev=0.01)(shape, KEY)
    assert set(np.count_nonzero(ours, axis=0)) == set(np.count_nonzero(theirs, axis=0))
    n = np.count_nonzero(ours)
    assert ours[ours != 0].std() == pytest.approx(theirs[theirs != 0].std(), rel=6 * math.sqrt(1 / n))


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (2, 3, 4, 30)])
def test_orthogonal_sides_are_those_of_torch_keras_and_jax(shape, torch, keras, jax):
    def lengths(w, columns):
        w = np.asarray(w, "float64").reshape((-1, shape[-1]) if columns else (shape[0], -1))
        return np.sort(np.linalg.svd(w, compute_uv=False))

    ours = lengths(Orthogonal(2.0)(shape, KEY), True)
    assert ours == pytest.approx(lengths(keras.initializers.Orthogonal(2.0, seed=0)(shape), True), rel=1e-5)
    theirs = jax.nn.initializers.orthogonal(2.0)(jax.random.key(0), shape)
    assert ours == pytest.approx(lengths(theirs, True), rel=1e-5)
    ours = lengths(Orthogonal(2.0)(shape, KEY, layout="oi"), False)
    assert ours == pytest.approx(lengths(torch.nn.init.orthogonal_(torch.empty(shape), 2.0), False), rel=1e-5)


@pytest.mark.parametrize("shape", [(3, 4, 6), (5, 3, 4, 4), (3, 3, 1, 2, 7)])
def test_delta_orthogonal_of_jax(shape, jax):
    theirs = np.asarray(jax.nn.initializers.delta_orthogonal(2.0)(jax.random.key(0), shape))
    ours = DeltaOrthogonal(2.0)(shape, KEY)
    assert np.array_equal(ours != 0, theirs != 0)
    centre = tuple(size // 2 for size in shape[:-2])
    a, b = ours[centre], theirs[centre]
    assert a @ a.T == pytest.approx(4 * np.eye(len(a)), abs=1e-5)
    assert b @ b.T == pytest.approx(4 * np.eye(len(b)), abs=1e-5)


# Fans: where the peers know what the layer is, and where they guess from the shape


@pytest.mark.parametrize("shape", [(7, 3), (4, 2, 3), (60, 50, 3, 3), (2, 3, 4, 5, 6)])
def test_plain_fans(shape, torch, keras, jax):
    from jax._src.nn.initializers import _compute_fans
    from keras.src.initializers.random_initializers import compute_fans

    of_torch = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    assert ic.fans(shape, "oi") == of_torch
    assert ic.fans(shape, "io") == compute_fans(shape) == tuple(map(int, _compute_fans(shape)))


def test_fans_with_axes_named(jax, keras):
    from jax._src.nn.initializers import _compute_fans

    for axes in [((0,), (1, 2), ()), ((0, 1), (2,), ()), ((1,), (2,), (0,)), ((2,), (0,), ())]:
        ours = ic.fans((8, 64, 32), Einsum(in_axes=axes[0], out_axes=axes[1], batch_axes=axes[2]))
        assert ours == tuple(map(int, _compute_fans((8, 64, 32), *axes)))


def test_what_torch_guesses_wrong_from_a_shape(torch):
    """If one of these fails, PyTorch has learnt it: then say so in docs/initialization.md."""
    grouped = torch.nn.Conv2d(4, 4, 3, groups=4).weight
    assert torch.nn.init._calculate_fan_in_and_fan_out(grouped) == (9, 36)
    assert ic.fans(tuple(grouped.shape), Conv("oi", groups=4)) == (9, 9)
    transposed = torch.nn.ConvTranspose2d(16, 32, 4).weight
    assert torch.nn.init._calculate_fan_in_and_fan_out(transposed) == (512, 256)
    assert ic.fans(tuple(transposed.shape), ic.layouts.ConvTransposed("oi")) == (256, 512)
    packed = torch.nn.MultiheadAttention(64, 4).in_proj_weight
    assert torch.nn.init._calculate_fan_in_and_fan_out(packed) == (64, 192)
    assert ic.fans(tuple(packed.shape), ic.layouts.Packed("oi", 3)) == (64, 64)


def test_what_keras_guesses_wrong_from_a_shape(keras):
    """As above."""
    from keras.src.initializers.random_initializers import compute_fans

    assert compute_fans((3, 3, 64, 1)) == (576, 9)
    assert ic.fans((3, 3, 64, 1), Depthwise("io")) == (9, 9)
    assert compute_fans((4, 4, 32, 16)) == (512, 256)
    assert ic.fans((4, 4, 32, 16), ic.layouts.ConvTransposed("io")) == (256, 512)
