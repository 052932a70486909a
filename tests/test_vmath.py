"""The elementary functions of cpp/kernels/vmath.h: accuracy, limits, and that their loops are vectorized."""

import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from initcore import _core

CPP = Path(__file__).parents[1] / "cpp"
Wide = np.longdouble


def erf(x):
    return np.array([math.erf(v) for v in x.astype(float)], Wide)


def normal_cdf(x):
    """From math.erfc at the nearest double, corrected for the distance to it: its slope is known."""
    t = -x / np.sqrt(Wide(2))
    near = t.astype(float)
    at_near = np.array([math.erfc(v) for v in near], Wide)
    return (at_near - 2 / np.sqrt(Wide(math.pi)) * np.exp(-(near.astype(Wide) ** 2)) * (t - near)) / 2


# function: reference, domain for float32, domain for float64 (where the result is a normal number), largest
# error in units in the last place: the same facts as in vmath.h. The reference of the last two is math.erf,
# itself wrong by up to 1 ulp in float64.
TABLE = {
    "exp": (np.exp, (-87, 88.7), (-708, 709.7), 1.2),
    "expm1": (np.expm1, (-120, 88.7), (-800, 709.7), 2.5),
    "log": (np.log, (0, 3.4e38), (0, 1.7e308), 1),
    "log1p": (np.log1p, (-1, 3.4e38), (-1, 1.7e308), 1),
    "softplus": (lambda x: np.logaddexp(Wide(0), x), (-87, 1e4), (-708, 1e4), 2),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), (-87, 1e4), (-708, 1e4), 2.5),
    "tanh": (np.tanh, (-30, 30), (-30, 30), 2),
    "normal_cdf": (normal_cdf, (-12.9, 12.9), (-37, 37), 5),
    "erf": (erf, (-7, 7), (-7, 7), 2),
}

# At -inf, 0 and inf.
LIMITS = {
    "exp": (0, 1, math.inf),
    "expm1": (-1, 0, math.inf),
    "log": (math.nan, -math.inf, math.inf),
    "log1p": (math.nan, 0, math.inf),
    "softplus": (0, math.log(2), math.inf),
    "sigmoid": (0, 0.5, 1),
    "tanh": (-1, 0, 1),
    "normal_cdf": (0, 0.5, 1),
    "erf": (-1, 0, 1),
}

every_function = pytest.mark.parametrize("name", _core.functions())
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def run(name, x):
    y = np.full_like(x, np.nan)
    _core.function(name, x, y)
    return y


def sample(rng, low, high, dtype, n=30_000):
    """Points all over the domain, around 0 and 1, and of every size."""
    size = np.exp(rng.uniform(-30, math.log(max(-low, high)), n)) * rng.choice([-1, 1], n)
    x = np.concatenate([rng.uniform(low, high, n), rng.normal(0, 1, n), rng.normal(1, 0.3, n), size]).astype(
        dtype
    )
    return x[(x > low) & (x < high)]


def test_the_table_knows_every_function():
    assert list(TABLE) == list(LIMITS) == _core.functions()


@every_dtype
@every_function
def test_error_is_as_stated(name, dtype, isa, rng):
    reference, single, double, bound = TABLE[name]
    x = sample(rng, *(single if dtype == np.float32 else double), dtype)
    expected = reference(x.astype(Wide))
    ulp = np.spacing(np.abs(expected).astype(dtype)).astype(Wide)
    error = np.abs(run(name, x).astype(Wide) - expected) / ulp
    assert error.max() <= bound, f"{error.max():.2f} ulp at {x[error.argmax()]}"


@every_dtype
@every_function
def test_limits(name, dtype, isa):
    y = run(name, np.array([-math.inf, 0, math.inf], dtype))
    np.testing.assert_allclose(y, LIMITS[name], rtol=2 * np.finfo(dtype).eps)


@every_dtype
@every_function
@pytest.mark.parametrize("n", [1, 3, 17, 64])
def test_nan_gives_nan_in_every_lane(name, dtype, n, isa):
    for i in range(n):
        x = np.full(n, 0.5, dtype)
        x[i] = np.nan
        assert (np.isnan(run(name, x)) == (np.arange(n) == i)).all()


@every_dtype
@pytest.mark.parametrize("name", ["log", "log1p"])
def test_logarithm_of_less_than_nothing_is_nan(name, dtype, isa):
    start = 0 if name == "log" else -1
    assert run(name, np.array([start], dtype)) == -math.inf
    assert np.isnan(run(name, np.array([np.nextafter(start, -9, dtype=dtype), -2, -1e30], dtype))).all()


@every_dtype
def test_results_below_the_normal_range_are_rounded_not_flushed(dtype, isa):
    info = np.finfo(dtype)
    x = np.linspace(np.log(info.smallest_subnormal) + 1, np.log(info.tiny), 1000).astype(dtype)
    for name in "exp", "softplus", "sigmoid":
        off = np.abs(run(name, x).astype(Wide) - np.exp(x.astype(Wide)))
        assert (off <= 1.01 * info.smallest_subnormal).all()
    tiny = np.array([info.smallest_subnormal, info.tiny / 3], dtype)
    np.testing.assert_allclose(run("log", tiny), np.log(tiny.astype(Wide)), rtol=2 * info.eps)
    for name in "expm1", "log1p", "tanh":
        np.testing.assert_array_equal(run(name, tiny), tiny)


@every_dtype
@every_function
def test_an_element_does_not_depend_on_its_place(name, dtype, isa, rng):
    """The vector loop and its remainder give the same bits."""
    x = np.abs(rng.normal(0, 2, 67)).astype(dtype)
    alone = np.concatenate([run(name, x[i : i + 1]) for i in range(len(x))])
    np.testing.assert_array_equal(run(name, x), alone)


@pytest.mark.skipif(not shutil.which("g++"), reason="needs g++ to look at the code it generates")
@pytest.mark.parametrize("family", ["functions", "activations", "row_activations"])
@pytest.mark.parametrize("row", [r for r in _core.build()["isa_flags"].split("; ") if r.startswith("x86")])
def test_loops_are_vectorized(family, row, tmp_path):
    """No call, and packed arithmetic in every loop over elements that computes more than a copy."""
    target = tmp_path / "kernels.s"
    flags = [*_core.build()["flags"].split(), *row.split("|")[2].split()]
    source = CPP / "kernels" / f"{family}.cpp"
    command = [
        "g++",
        "-std=gnu++20",
        "-O3",
        "-S",
        "-DINITCORE_ISA=here",
        f"-I{CPP}",
        *flags,
        source,
        "-o",
        target,
    ]
    subprocess.run([*map(str, command)], check=True)
    functions = re.split(r"\n(?=_Z\w+:\n)", target.read_text())[1:]
    assert len(functions) >= 2 * {"functions": len(_core.functions())}.get(family, 5)
    for text in functions:
        name = text.split(":")[0]
        assert set(re.findall(r"call\s+(\w+)", text)) <= {"memset", "memcpy", "memmove"}, name
        packed, scalar = (
            len(re.findall(rf"\tv?f?n?m?(?:add|sub|mul|div)\w*{kind}[sd]\t", text)) for kind in "ps"
        )
        assert packed or not scalar, name
