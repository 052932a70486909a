"""Initializers: every one has the law it promises, in every shape, dtype and layout."""

import math
from dataclasses import replace

import numpy as np
import pytest
from reference_laws import in_formats, possible

import initcore as ic
from initcore import activations, initializers
from initcore.initializers import NAMED, VarianceScaling, get, name_of, names

KEY = ic.Key(0) / "initializers"
every = pytest.mark.parametrize("row", NAMED, ids=lambda row: row.name)
scaled = [row for row in NAMED if isinstance(row.law, VarianceScaling)]
every_scaled = pytest.mark.parametrize("row", scaled, ids=lambda row: row.name)
dtypes = pytest.mark.parametrize("dtype", in_formats())
shapes = pytest.mark.parametrize(
    "shape", [(1, 1), (3, 5), (64, 7), (0, 4), (4, 0), (3, 3, 4, 5), (5, 2, 2), (2, 0, 3)], ids=str
)


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
    memory = np.full((*shape, 2), np.nan, whole.dtype)
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
            with_gain = constructor(gain=3.0)
            assert (with_gain.scale, with_gain.mode) == (9, row.law.mode)
            assert with_gain.distribution == row.law.distribution
            assert constructor(mode="fan_geo_avg").mode == "fan_geo_avg"


def test_a_gain_may_be_an_activation():
    scale = ic.theory.gain("gelu").forward ** 2
    for gain in ("gelu", activations.get("gelu"), lambda z: activations.get("gelu")(z)):
        assert initializers.HeNormal(gain=gain).scale == pytest.approx(scale, rel=1e-9)
    with pytest.raises(ValueError, match="Did you mean 'gelu'"):
        initializers.HeNormal(gain="gellu")
    with pytest.raises(ValueError, match="gain"):
        initializers.HeNormal(gain=-1.0)


def test_an_unknown_name_hears_the_nearest_then_all_names():
    words = r"^initializer 'He_normal' is not known. Did you mean 'he_normal'\?"
    with pytest.raises(ValueError, match=words) as error:
        get("He_normal")
    with pytest.raises(ValueError, match="Did you mean 'kaiming'"):
        get("kaimng")
    assert all(repr(name) in str(error.value) for name in names())


@pytest.mark.parametrize("row", NAMED, ids=lambda row: row.name)
def test_rounding_does_not_take_a_name_away(row):
    if isinstance(row.law, VarianceScaling):
        gain = math.sqrt(row.law.scale)
        for law in (replace(row.law, scale=gain**2), replace(row.law, scale=1.0, gain=gain)):
            assert name_of(law) == name_of(row.law)
        for law in (replace(row.law, gain=1 + 1e-6), replace(row.law, mode="fan_geo_avg")):
            assert name_of(law) == repr(law)
    assert initializers.HeNormal(gain=3.0000000001).scale == 3.0000000001**2  # as it is


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
