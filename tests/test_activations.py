"""Every activation against its own formula: values, slopes, limits, layouts, threads, errors."""

import math
import pickle

import numpy as np
import pytest

from initcore import _core, activations

ALL = activations.names()
OVER_ROWS = ["softmax", "log_softmax"]
KINDS = [name for name in ALL if name not in OVER_ROWS]

every_activation = pytest.mark.parametrize("name", ALL)
every_elementwise = pytest.mark.parametrize("name", KINDS)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])

# Around the vector widths, one unit of work, several units; 0 as well.
LENGTHS = [0, 1, 3, 8, 15, 16, 17, 64, 1000, 4097]

FUNCTIONS = {
    name: getattr(np, name)
    for name in ("where", "maximum", "minimum", "exp", "log", "log1p", "expm1", "tanh", "abs", "clip")
} | {
    "erf": lambda x: np.array([math.erf(v) for v in x.ravel()]).reshape(x.shape),
    "sum": lambda x: x.sum(-1, keepdims=True),
}


def formula(f, x):
    """The documented formula in float64."""
    return np.asarray(
        eval(f.formula, {"__builtins__": {}}, FUNCTIONS | f.parameters | {"x": np.asarray(x, float)})
    )


def sample(rng, n, dtype):
    return rng.normal(0, 3, n).astype(dtype)


def altered(f):
    """The same function with other values of its parameters."""
    return f.with_parameters(**{name: value * 1.5 for name, value in f.parameters.items()})


# Values


@pytest.mark.parametrize("change", [lambda f: f, altered], ids=["default", "altered"])
@every_dtype
@every_activation
def test_value_is_the_formula(name, dtype, change, isa, rng):
    f = change(activations.get(name))
    eps = np.finfo(dtype).eps
    for n in LENGTHS[name in OVER_ROWS :]:
        x = sample(rng, n, dtype)
        y = f(x)
        assert y.dtype == dtype and y.shape == x.shape
        # Roundings of the formula's terms, of the size of x and 1, and of the reference's own digits.
        np.testing.assert_allclose(y, formula(f, x), rtol=16 * eps, atol=16 * eps)


@every_elementwise
def test_left_tail_keeps_its_digits(name, isa):
    """A relative bound, against a form of the function in which nothing cancels."""
    f = activations.get(name)
    if name in ("gelu", "gelu_tanh", "mish"):
        x = np.linspace(-9, -4, 500, dtype=np.float32)
        expected = formula(f, x) if name == "mish" else None
        if name == "gelu":
            expected = [v * math.erfc(-v / math.sqrt(2)) / 2 for v in x.astype(float)]
        if name == "gelu_tanh":
            u = math.sqrt(2 / math.pi) * (x.astype(float) + 0.044715 * x.astype(float) ** 3)
            expected = x / (1 + np.exp(-2 * u))
        # The exponent, up to 70, is the result of up to four roundings by one part in 2^24.
        np.testing.assert_allclose(f(x), expected, rtol=128 * 2.0**-23)
    else:
        x = np.concatenate([np.linspace(-80, -4, 500), -np.exp(np.linspace(-80, 0, 100))]).astype(np.float32)
        wide = np.longdouble
        expected = eval(f.formula, {"__builtins__": {}}, FUNCTIONS | f.parameters | {"x": x.astype(wide)})
        np.testing.assert_allclose(f(x), np.asarray(expected, float), rtol=1e-6, atol=1e-45)


@every_dtype
@every_elementwise
def test_infinity_gives_the_limit(name, dtype, isa):
    f = activations.get(name)
    largest = np.finfo(dtype).max
    for x, near in (-math.inf, -largest), (math.inf, largest):
        limit = f(dtype(near))
        assert not np.isnan(limit) and not np.isnan(f.slope(dtype(x)))
        if abs(limit) < 10:
            assert f(dtype(x)) == pytest.approx(limit, abs=1e-7)
        else:
            assert f(dtype(x)) == math.copysign(math.inf, limit)


@every_dtype
@every_activation
def test_nan_reaches_the_result(name, dtype, isa):
    y = activations.get(name)(np.array([[1, 2], [np.nan, 3]], dtype))
    assert np.isnan(y[1, 0]) and not np.isnan(y[0]).any()


# Slopes


@pytest.mark.parametrize("change", [lambda f: f, altered], ids=["default", "altered"])
@every_elementwise
def test_slope_is_the_difference_quotient(name, change, isa, rng):
    f = change(activations.get(name))
    x = sample(rng, 2000, np.float64)
    h = 1e-5
    x = x[np.abs(x - np.round(x)) > 2 * h]  # every kink of the list is at a whole number
    quotient = (formula(f, x + h) - formula(f, x - h)) / (2 * h)
    # h^2 f''' / 6, and two roundings of f over 2 h.
    tolerance = 1e-9 * (1 + np.abs(formula(f, x)))
    assert (np.abs(f.slope(x) - quotient) <= tolerance).all()


@every_elementwise
def test_single_and_double_precision_agree_on_the_slope(name, isa, rng):
    f = activations.get(name)
    for n in LENGTHS:
        x = sample(rng, n, np.float32)
        np.testing.assert_allclose(f.slope(x), f.slope(x.astype(float)), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", OVER_ROWS)
def test_backward_of_a_row_is_the_difference_quotient(name, isa, rng):
    f = activations.get(name)
    x, dy, direction = rng.normal(0, 2, (3, 5, 7))
    h = 1e-5
    quotient = (dy * (formula(f, x + h * direction) - formula(f, x - h * direction))).sum() / (2 * h)
    assert (f.backward(dy, x) * direction).sum() == pytest.approx(quotient, rel=1e-7)


@every_elementwise
def test_backward_is_dy_times_the_slope(name, rng):
    f = activations.get(name)
    x, dy = rng.normal(0, 2, (2, 4, 9))
    np.testing.assert_array_equal(f.backward(dy, x), dy * f.slope(x))


@every_elementwise
@every_dtype
def test_kernels_work_in_place(name, dtype, isa, rng):
    f = activations.get(name)
    x, dy = rng.normal(0, 2, (2, 1001)).astype(dtype)
    y = x.copy()
    _core.activation_forward(f.number, y, y, f.kernel_parameters)
    np.testing.assert_array_equal(y, f(x))
    dx = dy.copy()
    _core.activation_backward(f.number, dx, x, y, dx, f.kernel_parameters)
    np.testing.assert_array_equal(dx, f.backward(dy, x))


@every_activation
def test_number_of_threads_changes_no_bit(name, rng):
    f = activations.get(name)
    x, dy = rng.normal(0, 2, (2, 3000, 101)).astype(np.float32)
    before = _core.num_threads()
    results = []
    for threads in 1, 2, 3:
        _core.set_num_threads(threads)
        results.append((f(x).tobytes(), f.backward(dy, x).tobytes()))
    _core.set_num_threads(before)
    assert results[0] == results[1] == results[2]


# Input of every kind


@every_activation
def test_layout_and_type_of_the_input_do_not_matter(name, rng):
    f = activations.get(name)
    base = rng.integers(-4, 5, (6, 8)).astype(np.float64)
    expected = f(base)
    read_only = base.copy()
    read_only.flags.writeable = False
    for x in np.asfortranarray(base), base.astype(">f8"), base.astype(np.int8), base.tolist(), read_only:
        y = f(x)
        np.testing.assert_array_equal(y, expected)
        assert y.dtype == np.float64
    np.testing.assert_array_equal(f(base[::2, ::-1]), f(base[::2, ::-1].copy()))
    half = f(base.astype(np.float16))
    assert half.dtype == np.float32
    np.testing.assert_array_equal(half, f(base.astype(np.float32)))


@every_activation
def test_empty_arrays_stay_empty(name):
    f = activations.get(name)
    for shape in (0,), (3, 0), (0, 3):
        assert f(np.empty(shape)).shape == f.backward(np.empty(shape), np.empty(shape)).shape == shape


@pytest.mark.parametrize("bad", [[1 + 2j], np.array([object()]), ["a"], np.array(["2020-01-01"], "M8[D]")])
def test_what_is_no_real_number_is_refused(bad):
    with pytest.raises(TypeError, match="real numbers"):
        activations.get("relu")(bad)


# Names and parameters


def test_get_takes_names_aliases_objects_and_nothing():
    assert activations.get(None) == activations.get("linear") == activations.get("identity")
    assert activations.get("swish") == activations.get("silu")
    assert activations.get("hard_silu") == activations.get("hard_swish")
    for name in ALL:
        f = activations.get(name)
        assert activations.get(f) is f
        assert pickle.loads(pickle.dumps(f)) == f
        assert hash(f) == hash(activations.get(name))
        assert name in repr(f)


@pytest.mark.parametrize(
    ("bad", "hint"), [("Relu", "relu"), ("geluu", "gelu"), ("leakyrelu", "leaky_relu"), ("swsh", "swish")]
)
def test_an_unknown_name_gets_every_choice_and_the_nearest(bad, hint):
    with pytest.raises(ValueError) as error:
        activations.get(bad)
    assert f"Did you mean {hint!r}?" in str(error.value)
    assert all(repr(name) in str(error.value) for name in [bad, *ALL])


@pytest.mark.parametrize("bad", [3, ["relu"], np.tanh])
def test_what_is_no_name_is_refused(bad):
    with pytest.raises(ValueError, match="must be one of"):
        activations.get(bad)


@every_activation
def test_every_parameter_has_its_range(name):
    f = activations.get(name)
    for parameter in f.parameters:
        for bad in -0.1, math.nan, math.inf:
            with pytest.raises(ValueError, match=parameter):
                f.with_parameters(**{parameter: bad})
        with pytest.raises(TypeError, match=parameter):
            f.with_parameters(**{parameter: "1"})
    with pytest.raises(ValueError, match="nonsense"):
        f.with_parameters(nonsense=1.0)


def test_ranges_that_have_their_own_reason():
    with pytest.raises(ValueError, match="alpha"):
        activations.get("celu", alpha=0)
    with pytest.raises(ValueError, match="lower must not exceed upper"):
        activations.get("rrelu", lower=0.5)


@every_activation
def test_every_activation_says_what_it_is(name):
    f = activations.get(name)
    assert f.formula
    assert f.source or name in ("identity", "exponential")
    assert len(f.kernel_parameters) == _core.MAX_ACTIVATION_PARAMETERS


@pytest.mark.parametrize("name", OVER_ROWS)
def test_a_row_activation_says_what_it_cannot(name):
    f = activations.get(name)
    with pytest.raises(ValueError, match="backward"):
        f.slope([1.0])
    with pytest.raises(ValueError, match="whole rows"):
        f.gain  # noqa: B018
    with pytest.raises(ValueError, match="one axis"):
        f(1.0)


def test_backward_refuses_another_shape():
    with pytest.raises(ValueError, match="shape of x"):
        activations.get("relu").backward([1.0, 2.0], [[1.0], [2.0]])
