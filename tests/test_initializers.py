"""Initializers: every one has the law it promises, in every shape, dtype and layout."""

import math

import numpy as np
import pytest
from reference_laws import possible

import initcore as ic
from initcore import activations, initializers
from initcore.initializers import NAMED, VarianceScaling, get, name_of, names
from initcore.laws import truncated_stddev

KEY = ic.Key(0) / "initializers"
every = pytest.mark.parametrize("row", NAMED, ids=lambda row: row.name)
scaled = [row for row in NAMED if isinstance(row.law, VarianceScaling)]
every_scaled = pytest.mark.parametrize("row", scaled, ids=lambda row: row.name)
dtypes = pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
shapes = pytest.mark.parametrize(
    "shape", [(1, 1), (3, 5), (64, 7), (0, 4), (4, 0), (3, 3, 4, 5), (5, 2, 2), (2, 0, 3)], ids=str
)

# Fourth moment over the squared second: what the error of a measured variance depends on.
KURTOSIS = {"normal": 3.0, "uniform": 1.8, "truncated_normal": 2.37}


@every
@dtypes
@shapes
@pytest.mark.parametrize("layout", ["io", "oi"])
def test_every_law_in_every_form(row, shape, dtype, layout):
    if not possible(row.law, shape, layout):
        with pytest.raises(ValueError, match="as many inputs as outputs"):
            row.law(shape, KEY, dtype=dtype, layout=layout)
        return
    whole = row.law(shape, KEY, dtype=dtype, layout=layout)
    assert whole.shape == shape and whole.dtype == dtype and whole.flags.c_contiguous
    assert np.isfinite(whole).all()
    assert np.array_equal(whole, row.law(shape, KEY, dtype=dtype, layout=layout))
    for index in [(slice(1, None),), (..., slice(0, 1)), (slice(None), slice(None, None, -1))]:
        assert np.array_equal(row.law(shape, KEY, dtype=dtype, layout=layout, index=index), whole[index])
    memory = np.full((*shape, 2), np.nan, dtype)
    out = memory[..., 0]
    assert row.law(shape, KEY, layout=layout, out=out) is out
    assert np.array_equal(out, whole) and np.isnan(memory[..., 1]).all()


@every
def test_one_object_gives_other_weights_under_another_key(row):
    a, b = row.law((30, 30), KEY / "a"), row.law((30, 30), KEY / "b")
    without_chance = initializers.Constant | initializers.Identity | initializers.Bilinear | initializers.ZerO
    constant = isinstance(row.law, without_chance)
    assert np.array_equal(a, b) == constant
    assert np.array_equal(row.law((5, 5), 7), row.law((5, 5), ic.Key(7)))


@every_scaled
@pytest.mark.parametrize("shape, layout", [((400, 150), "io"), ((400, 150), "oi"), ((3, 3, 60, 110), "io")])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_variance_is_scale_over_fan(row, shape, layout, dtype):
    law = row.law
    fan_in, fan_out = ic.fans(shape, layout)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[law.mode]
    w = law(shape, KEY, dtype=dtype, layout=layout).astype(float)
    error = math.sqrt((KURTOSIS[law.distribution] - 1) / w.size)
    assert w.var() * fan == pytest.approx(law.scale, rel=5 * error)
    assert abs(w.mean()) < 5 * w.std() / math.sqrt(w.size)
    bound = {"uniform": math.sqrt(3), "truncated_normal": 2 / truncated_stddev(2), "normal": 7}
    assert abs(w).max() <= bound[law.distribution] * law.stddev(shape, layout) * (1 + 1e-6)


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg", "fan_geo_avg"])
def test_modes_divide_by_their_fan(mode):
    means = {"fan_in": 8.0, "fan_out": 2.0, "fan_avg": 5.0, "fan_geo_avg": 4.0}
    assert VarianceScaling(3.0, mode).stddev((8, 2)) == pytest.approx(math.sqrt(3 / means[mode]), rel=1e-15)


@pytest.mark.parametrize("stddev_of", ["result", "parent"])
@pytest.mark.parametrize("cut", [0.5, 1, 2, 3])
def test_a_truncated_normal_has_the_deviation_asked_for(cut, stddev_of):
    n = 400_000
    law = initializers.TruncatedNormal(1.0, 0.5, -cut, cut, stddev_of=stddev_of)
    w = law((n,), KEY, dtype="float64")
    parent = 0.5 / truncated_stddev(cut) if stddev_of == "result" else 0.5
    expected = parent * truncated_stddev(cut)
    assert w.std() == pytest.approx(expected, rel=5 * math.sqrt(2 / n) / 2)  # kurtosis below the normal's 3
    assert abs(w.mean() - 1) < 5 * expected / math.sqrt(n)
    assert cut * parent * 0.99 < abs(w - 1).max() <= cut * parent * (1 + 1e-12)


@pytest.mark.parametrize("gain", [1.0, 2.5])
@pytest.mark.parametrize("layout", ["io", "oi"])
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (3, 5), (64, 64), (3, 3, 4, 20), (6, 2, 3)])
def test_orthogonal_keeps_lengths(shape, layout, gain):
    w = initializers.Orthogonal(gain)(shape, KEY, dtype="float64", layout=layout)
    w = w.reshape(-1, shape[-1]) if layout == "io" else w.reshape(shape[0], -1)
    w = w if w.shape[0] >= w.shape[1] else w.T
    assert np.abs(w.T @ w - gain**2 * np.eye(w.shape[1])).max() < 1e-14 * gain**2 * len(w)


def test_orthogonal_prefers_no_direction():
    """Signs fixed by R: without that the diagonal of Q would be of one sign only."""
    corners = [initializers.Orthogonal()((3, 3), ic.Key(i))[0, 0] for i in range(400)]
    assert abs(np.mean(corners)) < 5 * math.sqrt(1 / 3 / 400)  # E q^2 = 1/3


@pytest.mark.parametrize("layout, shape", [("io", (3, 5, 4, 4)), ("oi", (4, 4, 3, 5))])
def test_identity_passes_a_signal_on(layout, shape):
    w = initializers.Identity(2.0)(shape, KEY, layout=layout)
    centre = w[1, 2] if layout == "io" else w[:, :, 1, 2]
    assert np.array_equal(centre, 2 * np.eye(4, dtype=np.float32)) and w.sum() == 8


def test_get_takes_names_aliases_numbers_and_objects():
    for row in NAMED:
        for name in (row.name, *row.aliases):
            assert get(name) is row.law
        assert get(name_of(row.law)) == row.law and get(row.law) is row.law
    assert get(0.5) == initializers.Constant(0.5) and get(0) == initializers.Constant(0)
    assert names() == [row.name for row in NAMED]
    spoken = [name for row in NAMED for name in (row.name, *row.aliases)]
    assert len(set(spoken)) == len(spoken)


@every_scaled
def test_a_constructor_stands_for_each_scheme(row):
    if row.name != "variance_scaling":
        for name in (row.name, *(a for a in row.aliases if "_" in a)):
            constructor = getattr(initializers, name.title().replace("_", ""))
            assert constructor() == row.law and row.source in constructor.__doc__


def test_an_unknown_name_hears_all_names():
    with pytest.raises(ValueError) as error:
        get("He_normal")
    assert all(repr(name) in str(error.value) for name in names())
    assert "Did you mean 'he_normal'?" in str(error.value)


@pytest.mark.parametrize(
    "error, call",
    [
        (TypeError, lambda: get(None)),
        (TypeError, lambda: get(True)),
        (TypeError, lambda: get(initializers.HeNormal)),
        (ValueError, lambda: initializers.Constant(math.nan)),
        (TypeError, lambda: initializers.Constant("0")),
        (ValueError, lambda: initializers.Constant(1e39)((2,), 0)),
        (ValueError, lambda: initializers.RandomUniform(1, 0)),
        (ValueError, lambda: initializers.RandomNormal(0, -1)),
        (ValueError, lambda: initializers.TruncatedNormal(low=2)),
        (ValueError, lambda: initializers.TruncatedNormal(stddev_of="all")),
        (ValueError, lambda: VarianceScaling(0.0)),
        (ValueError, lambda: VarianceScaling(1.0, "fan")),
        (ValueError, lambda: VarianceScaling(1.0, "fan_in", "cauchy")),
        (ValueError, lambda: VarianceScaling()((10,), 0)),
        (ValueError, lambda: VarianceScaling()((10, 10), 0, layout="hw")),
        (ValueError, lambda: initializers.Zeros()((10, 10), 0, layout="hw")),
        (ValueError, lambda: initializers.Orthogonal()((10,), 0)),
        (ValueError, lambda: initializers.Identity()(3, 0)),
        (TypeError, lambda: initializers.Zeros()((2, 2), "key")),
        (TypeError, lambda: initializers.Zeros()((2, 2), 0, dtype="int64")),
        (ValueError, lambda: initializers.Zeros()((-2, 2), 0)),
        (ValueError, lambda: ic.fans((3,))),
        (TypeError, lambda: ic.fans("io")),
    ],
)
def test_what_cannot_be_is_refused(error, call):
    with pytest.raises(error):
        call()


@pytest.mark.parametrize(
    "shape, layout, expected",
    [
        ((7, 3), "io", (7, 3)),
        ((7, 3), "oi", (3, 7)),
        ((5, 2, 3), "io", (10, 15)),
        ((4, 2, 3, 3), "oi", (18, 36)),
    ],
)
def test_fans(shape, layout, expected):
    assert ic.fans(shape, layout) == expected


@pytest.mark.parametrize("name", activations.names())
def test_auto_keeps_the_signal(name):
    f = activations.get(name)
    law = initializers.auto(name)
    assert law == initializers.auto(f) == get("auto", name)
    if law == initializers.GlorotUniform():
        assert name in ("identity", "softmax", "log_softmax")
    elif name == "selu":
        assert law == initializers.LecunNormal()
    else:
        assert law.mode == "fan_in" and law.distribution == "normal"
        assert law.scale == pytest.approx(ic.theory.gain(f).forward ** 2, rel=1e-10)


def test_auto_of_what_it_knows_by_heart():
    assert get("auto", "relu") == initializers.HeNormal()
    assert get("auto") == initializers.GlorotUniform()
    assert initializers.auto(lambda z: 2 * z).scale == pytest.approx(0.25)
    with pytest.raises(ValueError, match="relu"):
        initializers.auto("rellu")


# Live peers. Two measured deviations of laws with kurtosis k agree within 5 sqrt(2) standard errors
# sqrt((k - 1) / n) / 2 of their relative difference.

PEER_SHAPE = (300, 200)


def agree(ours, theirs, law):
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    assert ours.shape == theirs.shape
    error = math.sqrt((KURTOSIS[law.distribution] - 1) / ours.size) / 2
    assert ours.std() == pytest.approx(theirs.std(), rel=5 * math.sqrt(2) * error)
    if law.distribution != "normal":  # both reach the same bound, up to the sparseness of draws near it
        assert abs(ours).max() == pytest.approx(abs(theirs).max(), rel=1e-2)


@pytest.mark.peers
@every_scaled
@pytest.mark.parametrize("shape", [PEER_SHAPE, (3, 3, 50, 60)])
def test_agrees_with_keras(row, shape, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    keras = pytest.importorskip("keras", reason="compares with a live Keras")
    law = row.law
    distribution = {"normal": "untruncated_normal"}.get(law.distribution, law.distribution)
    theirs = keras.initializers.VarianceScaling(law.scale, law.mode, distribution, seed=0)(shape)
    agree(law(shape, KEY), theirs, law)


@pytest.mark.peers
@pytest.mark.parametrize(
    "name, call",
    [
        ("he_normal", lambda init, w: init.kaiming_normal_(w)),
        ("he_uniform", lambda init, w: init.kaiming_uniform_(w)),
        ("glorot_normal", lambda init, w: init.xavier_normal_(w)),
        ("glorot_uniform", lambda init, w: init.xavier_uniform_(w)),
    ],
)
@pytest.mark.parametrize("shape", [PEER_SHAPE, (60, 50, 3, 3)])
def test_agrees_with_torch(name, call, shape):
    torch = pytest.importorskip("torch", reason="compares with a live PyTorch")
    theirs = call(torch.nn.init, torch.empty(shape)).numpy()
    agree(get(name)(shape, KEY, layout="oi"), theirs, get(name))
    assert ic.fans(shape, layout="oi") == torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))


@pytest.mark.peers
def test_the_parent_of_a_truncated_normal_is_what_torch_and_keras_mean(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    keras = pytest.importorskip("keras", reason="compares with a live Keras")
    torch = pytest.importorskip("torch", reason="compares with a live PyTorch")
    ours = initializers.TruncatedNormal(0.0, 1.0, stddev_of="parent")(PEER_SHAPE, KEY)
    bounded = VarianceScaling(1.0, "fan_in", "truncated_normal")
    agree(ours, torch.nn.init.trunc_normal_(torch.empty(PEER_SHAPE), 0, 1, -2, 2).numpy(), bounded)
    agree(ours, keras.initializers.TruncatedNormal(0.0, 1.0, seed=0)(PEER_SHAPE), bounded)
