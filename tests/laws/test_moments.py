"""Every named law of random weights has the mean, variance, fourth moment and bounds that it promises."""

import math

import numpy as np
import pytest
from reference_laws import REAL, cut_normal, in_formats, keeps, normal, promise

import initcore as ic
from initcore.formats import FORMATS
from initcore.initializers import NAMED
from initcore.laws import (
    DeltaOrthogonal,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    Sparse,
    TruncatedNormal,
    VarianceScaling,
)
from initcore.layouts import Conv, ConvTransposed, Depthwise, Einsum, Packed

KEY = ic.Key(0) / "moments"
ABSOLUTE = {"bounds": "absolute"}
OF_PARENT = {"stddev_of": "parent"}
SHAPES = [
    ("io", (300, 100)),
    ("oi", (300, 100)),
    ("io", (3, 3, 40, 70)),
    (Conv("oi", groups=4), (160, 30, 9)),
    (Depthwise("io"), (5, 5, 500, 2)),
    (ConvTransposed("oi", stride=2), (40, 50, 4, 4)),
    (Packed("oi", 3), (300, 100)),
    (Einsum("btd,dhk->bthk"), (100, 8, 40)),
]
RANDOM = [row for row in NAMED if promise(row.law, (4, 4), "io")]
dtypes = pytest.mark.parametrize("dtype", in_formats())
real = pytest.mark.parametrize("dtype", in_formats(*REAL))


def test_the_laws_of_independent_weights_are_all_here():
    kinds = VarianceScaling | RandomNormal | RandomUniform | TruncatedNormal
    assert [row.name for row in RANDOM] == [row.name for row in NAMED if isinstance(row.law, kinds)]
    assert len(RANDOM) > 12


@pytest.mark.parametrize("row", RANDOM, ids=lambda row: row.name)
@pytest.mark.parametrize(("layout", "shape"), SHAPES, ids=str)
@dtypes
def test_moments_and_bounds(row, layout, shape, dtype):
    weights = row.law(shape, KEY / row.name, dtype=dtype, layout=layout)
    promised = promise(row.law, shape, layout)
    stddev = promised.stddev
    if isinstance(row.law, RandomUniform) and weights.dtype.kind == "c":  # whose bounds are either part's
        keeps(promised, weights.real)
        keeps(promised, weights.imag)
        stddev *= math.sqrt(2)
    else:
        keeps(promised, weights)
    assert row.law.deviation(shape, layout, dtype) == pytest.approx(stddev, rel=1e-9)


@pytest.mark.parametrize(
    "law",
    [
        RandomNormal(3.0, 0.5),
        VarianceScaling(1.0, "fan_out", "normal", gain=5 / 3),
        VarianceScaling(2.0, "fan_avg", "uniform", gain=0.5),
        VarianceScaling(0.7, "fan_in", "truncated_normal", gain=3),
    ],
    ids=str,
)
@dtypes
def test_numbers_of_ones_own(law, dtype):
    weights = law((300, 200), KEY / "own", dtype=dtype)
    keeps(promise(law, (300, 200), "io"), weights)


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg", "fan_geo_avg"])
def test_modes_divide_by_their_fan(mode):
    means = {"fan_in": 8.0, "fan_out": 2.0, "fan_avg": 5.0, "fan_geo_avg": 4.0}
    law = VarianceScaling(3.0, mode, gain=2.0)
    assert law.stddev((8, 2)) == pytest.approx(2 * math.sqrt(3 / means[mode]), rel=1e-15)


def test_a_fan_of_0_counts_as_1():
    assert VarianceScaling(3.0).stddev((0, 5)) == math.sqrt(3)
    assert VarianceScaling(3.0, "fan_out").stddev((1, 1), Conv("io", stride=1)) == math.sqrt(3)


def test_uniform_bounds_of_ones_own():
    for part in ("real", "imag"):
        w = RandomUniform(-1.0, 4.0)((300, 200), KEY, dtype="complex64")
        keeps(promise(RandomUniform(-1.0, 4.0), (300, 200), "io"), getattr(w, part))


@pytest.mark.parametrize("shape", [(40, 60), (60, 40), (64, 64)])
@real
def test_orthogonal_weights_are_those_of_points_on_a_sphere(shape, dtype):
    """Their even moments: 1 / n, 3 / n(n+2), ..., n the longer side; many matrices, nearly independent."""
    n, draws = max(shape), 25
    w = np.stack([Orthogonal(1.5)(shape, KEY / i, dtype=dtype) for i in range(draws)]).astype(float)
    assert Orthogonal(1.5).deviation(shape) == pytest.approx(1.5 / math.sqrt(n))
    second, fourth = 1 / n, 3 / (n * (n + 2))
    eighth = 105 / (n * (n + 2) * (n + 4) * (n + 6))
    z = w / 1.5
    assert (z**2).mean() == pytest.approx(second, rel=2 * 2.0 ** -FORMATS[dtype].digits)
    assert abs((z**4).mean() - fourth) < 6 * math.sqrt((eighth - fourth**2) / z.size)
    assert abs(z.mean()) < 6 * math.sqrt(second / z.size)


@pytest.mark.parametrize("law", [Sparse(), Sparse(nonzeros=7, gain=2.0), Sparse(sparsity=0.9, stddev=0.3)])
@dtypes
def test_sparse_weights_are_normal_where_they_are_not_0(law, dtype):
    w = law((300, 2000), KEY, dtype=dtype)
    kept = w[w != 0]
    assert kept.size == law.count(300) * 2000
    expected = law.stddev if law.stddev is not None else law.gain / math.sqrt(law.count(300))
    keeps(normal(0, expected), kept)
    whole = w.astype("complex128").std()
    assert law.deviation((300, 2000), dtype=dtype) == pytest.approx(whole, rel=6 / math.sqrt(kept.size))


CUTS = [
    # arguments, then the parent that the result must come from, None where it is solved for
    ({}, None),
    ({"mean": 1.0, "stddev": 0.5, "low": -1.0, "high": 3.0}, None),
    ({"stddev": 1.0, "low": -0.01, "high": 0.01}, None),
    ({"stddev": 1.0, "low": 0.0, "high": math.inf}, None),
    ({"mean": 0.5, "stddev": 0.2, "low": 0.0, "high": 2.0, **ABSOLUTE}, None),
    ({"stddev": 1.15, "low": -2.0, "high": 2.0, **ABSOLUTE}, None),
    ({"mean": 2.0, "stddev": 0.4, "low": 1.5, "high": math.inf, **ABSOLUTE}, None),
    ({"stddev": 0.02, "low": -2.0, "high": 2.0, **ABSOLUTE}, None),
    ({"stddev": 1.0, **OF_PARENT}, (0, 1, -2, 2)),
    ({"mean": 1.0, "stddev": 0.5, "low": -1.0, "high": 3.0, **OF_PARENT}, (1, 0.5, 0.5, 2.5)),
    (
        {"mean": 1.0, "stddev": 3.0, **ABSOLUTE, **OF_PARENT},
        (1, 3, -2, 2),
    ),
    (
        {"mean": 9.0, "stddev": 3.0, **ABSOLUTE, **OF_PARENT},
        (9, 3, -2, 2),
    ),
]


@pytest.mark.parametrize(("arguments", "parent"), CUTS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_truncated_normal_is_what_it_says(arguments, parent, dtype):
    law = TruncatedNormal(**arguments)
    mean, stddev, low, high = law.parent()
    promised = cut_normal(mean, stddev, mean + low * stddev, mean + high * stddev)
    if parent:
        assert (mean, stddev, mean + low * stddev, mean + high * stddev) == pytest.approx(parent, rel=1e-15)
    else:
        assert promised.mean == pytest.approx(law.mean, abs=1e-11 * law.stddev)
        assert promised.stddev == pytest.approx(law.stddev, rel=1e-11)
    weights = law((200_000,), KEY / "cut", dtype=dtype)
    keeps(promised, weights)
    assert law.deviation((5,)) == pytest.approx(promised.stddev, rel=1e-11)
    if law.bounds == "absolute":
        assert law.low <= float(weights.min()) and float(weights.max()) <= law.high


@real
def test_absolute_bounds_hold_after_rounding(dtype):
    low, high = 0.1, 0.1 + 6 * 2.0 ** -FORMATS[dtype].digits  # about 30 numbers lie between
    weights = TruncatedNormal(0.1, 1.0, low, high, "absolute", "parent")((5000,), KEY, dtype=dtype)
    assert low <= float(weights.min()) < float(weights.max()) <= high


def test_complex_weights_are_cut_alike_on_both_sides():
    for law in (TruncatedNormal(low=-1.0), TruncatedNormal(bounds="absolute")):
        with pytest.raises(ValueError, match="alike on both sides"):
            law((3, 4), KEY, dtype="complex64")


@pytest.mark.parametrize("law", [Orthogonal(1.5), DeltaOrthogonal(1.5)], ids=str)
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_orthogonal_maps_are_unitary(law, dtype):
    """And by the Haar measure: no phase is preferred, so sums of many of them stay small."""
    w = np.stack([law((6, 9), KEY / i, dtype=dtype) for i in range(200)]).astype(complex)
    assert np.abs(w @ w.conj().transpose(0, 2, 1) - 2.25 * np.eye(6)).max() < 1e-5
    z = w / 1.5
    assert abs(z.mean()) < 6 * math.sqrt(1 / 9 / z.size)
    assert abs((z**2).mean()) < 6 * math.sqrt(2 / 90 / z.size)  # E |z|^4 = 2 / n (n + 1)


def test_a_deviation_of_0_is_the_mean():
    for bounds in ("relative", "absolute"):
        weights = TruncatedNormal(1.5, 0.0, -2.0, 2.0, bounds)((5,), KEY)
        assert (weights == 1.5).all()


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("low must be less", {"low": 2.0}),
        ("low must be less", {"low": math.nan}),
        ("bounds must be one of", {"bounds": "both"}),
        ("stddev_of must be one of", {"stddev_of": "all"}),
        ("mean must lie between", {"mean": 3.0, **ABSOLUTE}),
        ("mean must lie between", {"mean": 3.0, "stddev": 0.0, **ABSOLUTE}),
        (r"stddev must be less than 1.1547", {"stddev": 1.2, **ABSOLUTE}),
        (
            r"stddev must be less than 0.0998",
            {"mean": 0.1, "stddev": 0.2, "low": 0.0, "high": 1.0, **ABSOLUTE},
        ),
        (
            "stddev must be less than 1 ",
            {"mean": 1.0, "stddev": 1.5, "low": 0, "high": math.inf, **ABSOLUTE},
        ),
        ("within 9 standard deviations", {"low": 10.0, "high": 11.0, **OF_PARENT}),
        (
            "within 9 standard deviations",
            {"mean": 0.1, "stddev": 0.0995, "low": 0.0, "high": 1.0, **ABSOLUTE},
        ),
    ],
)
def test_cuts_that_cannot_be_are_refused(words, arguments):
    with pytest.raises(ValueError, match=words):
        TruncatedNormal(**arguments)
