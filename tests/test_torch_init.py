"""`initcore.torch.init` stands in for ``torch.nn.init``: signatures, errors, laws, and what it has beyond."""

import inspect
import math
import pickle
import random
import warnings

import numpy as np
import pytest

import initcore as ic
from initcore import layouts

torch = pytest.importorskip("torch", reason="stands in for a live torch.nn.init")
pytestmark = pytest.mark.peers
from torch.nn import init as theirs  # noqa: E402

from initcore.apply import named  # noqa: E402
from initcore.torch import init as ours  # noqa: E402
from initcore.torch import schemes, tensors  # noqa: E402

FUNCTIONS = [name for name in theirs.__all__ if name != "calculate_gain"]
CURRENT = [name for name in FUNCTIONS if name.endswith("_")]
DEPRECATED = [name for name in FUNCTIONS if not name.endswith("_")]
REAL = ["float32", "float64", "float16", "bfloat16"]
ARGUMENTS = {"constant_": (0.5,), "sparse_": (0.3,)}
RANDOM = [name for name in CURRENT if "generator" in inspect.signature(getattr(theirs, name)).parameters]
SHAPES = {"dirac_": (6, 4, 3, 5), "eye_": (6, 4), "sparse_": (60, 40)}


def called(module, name, tensor, **named):
    return getattr(module, name)(tensor, *ARGUMENTS.get(name, ()), **named)


def empty(name, dtype="float32"):
    return torch.full(SHAPES.get(name, (60, 40)), math.nan, dtype=getattr(torch, dtype))


# The form


@pytest.mark.parametrize("name", theirs.__all__)
def test_every_function_has_the_arguments_of_its_namesake(name):
    mine = list(inspect.signature(getattr(ours, name)).parameters.values())
    yours = list(inspect.signature(getattr(theirs, name)).parameters.values())
    assert [(p.name, p.default, p.kind) for p in mine[: len(yours)]] == [
        (p.name, p.default, p.kind) for p in yours
    ]
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in mine[len(yours) :])


def test_nothing_of_the_original_is_missing():
    assert set(theirs.__all__) <= set(ours.__all__)
    assert ours._calculate_fan_in_and_fan_out(torch.empty(4, 3, 2)) == (6, 8)
    assert ours._no_grad_fill_ is theirs._no_grad_fill_
    with pytest.raises(AttributeError):
        ours.lecun_cauchy_  # noqa: B018
    namespace = {}
    exec("from initcore.torch.init import *", namespace)
    assert set(ours.__all__) <= set(namespace) and set(ours.__all__) <= set(dir(ours))


@pytest.mark.parametrize("name", DEPRECATED)
def test_old_names_warn_as_they_did(name):
    with pytest.warns(FutureWarning) as mine:
        called(ours, name, empty(name + "_")) if name not in ("constant", "sparse") else getattr(ours, name)(
            empty(name + "_"), 0.5
        )
    with pytest.warns(FutureWarning) as yours:
        called(theirs, name, empty(name + "_")) if name not in ("constant", "sparse") else getattr(
            theirs, name
        )(empty(name + "_"), 0.5)
    assert str(mine[0].message) == str(yours[0].message) and mine[0].filename == __file__


def outcome(call):
    """The type and words of the error, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            call()
            error = None
        except Exception as raised:
            error = type(raised), str(raised)
    return error, [(w.category, str(w.message)) for w in caught]


WRONG = [
    *[(name, torch.empty(shape)) for name in CURRENT for shape in [(), (3,), (2, 2), (2,) * 3, (2,) * 6]],
    *[(name, torch.empty(4, 0, 2)) for name in CURRENT],
    *[(name, torch.zeros(4, 4, dtype=torch.int64)) for name in CURRENT],
    *[(name, torch.zeros(4, 4, dtype=torch.complex64)) for name in CURRENT],
    *[(name, torch.zeros(1).expand(4, 4)) for name in RANDOM],
    *[(name, torch.empty(4, 4, device="meta")) for name in CURRENT],
]


@pytest.mark.parametrize("name, tensor", WRONG, ids=lambda value: str(getattr(value, "shape", value)))
def test_errors_and_warnings_are_theirs(name, tensor):
    yours = outcome(lambda: called(theirs, name, tensor.clone() if tensor.stride() != (0, 0) else tensor))
    assert outcome(lambda: called(ours, name, tensor)) == yours


@pytest.mark.parametrize(
    "call",
    [
        lambda init: init.uniform_(torch.empty(3), 1, 0),
        lambda init: init.normal_(torch.empty(3), 0, -1),
        lambda init: init.kaiming_normal_(torch.empty(3, 3), mode="fan"),
        lambda init: init.kaiming_uniform_(torch.empty(3, 3), a="steep"),
        lambda init: init.kaiming_normal_(torch.empty(0, 3)),
        lambda init: init.dirac_(torch.empty(5, 2, 2), groups=2),
        lambda init: init.trunc_normal_(torch.empty(3), 5.0, 1.0),
        lambda init: init.xavier_normal_(torch.empty(0, 0)),
        lambda init: init.uniform_(torch.empty(3), "0"),
        lambda init: init.uniform_(torch.empty(3, dtype=torch.float16), -1e5, 1e5),
        lambda init: init.uniform_(torch.empty(3, dtype=torch.float16), -6e4, 6e4),
        lambda init: init.calculate_gain("leaky_relu", True),
        lambda init: init.calculate_gain("leaky_relu", [0.1]),
    ],
)
def test_wrong_arguments_hear_what_they_heard(call):
    assert outcome(lambda: call(ours)) == outcome(lambda: call(theirs))


def test_gains():
    for name in ["linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]:
        assert ours.calculate_gain(name) == theirs.calculate_gain(name)
    assert ours.calculate_gain("leaky_relu", 10) == theirs.calculate_gain("leaky_relu", 10)
    assert ours.calculate_gain("gelu") == ic.theory.gain("gelu").forward
    for word in ("r" * random.Random(0).randint(5, 9), "Relu", ""):
        with pytest.raises(ValueError, match=r"^Unsupported nonlinearity"):
            ours.calculate_gain(word)


# The values


def distance(x, cdf):
    """Kolmogorov's: the largest distance of the empirical distribution from ``cdf``."""
    x = np.sort(np.asarray(x, float).ravel())
    n, p = x.size, cdf(x)
    return max(np.max(np.arange(1, n + 1) / n - p), np.max(p - np.arange(n) / n)), n


def agrees(x, cdf):
    """At 1e-9: P(distance > t / sqrt(n)) is at most 2 exp(-2 t^2) (Massart 1990)."""
    d, n = distance(x, cdf)
    return d < math.sqrt(math.log(2e9) / 2 / n)


def normal_cdf(mean, std):
    erf = np.vectorize(math.erf)
    return lambda x: (1 + erf((x - mean) / std / math.sqrt(2))) / 2


def uniform_cdf(a, b):
    return lambda x: np.clip((x - a) / (b - a), 0, 1)


def test_the_distance_tells_laws_apart():
    x = np.random.default_rng(0).normal(size=100_000)
    assert (
        agrees(x, normal_cdf(0, 1))
        and not agrees(x, normal_cdf(0, 1.06))
        and not agrees(x, normal_cdf(0.05, 1))
    )


@pytest.mark.parametrize("shape", [(300, 200), (30, 20, 5, 5)])
@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
@pytest.mark.parametrize("gain", [None, 1.7])
def test_laws_that_follow_fans(shape, mode, gain):
    fan = dict(
        zip(("fan_in", "fan_out"), theirs._calculate_fan_in_and_fan_out(torch.empty(shape)), strict=True)
    )
    std = (gain or math.sqrt(2 / (1 + 0.3**2))) / math.sqrt(fan[mode])
    assert agrees(ours.kaiming_normal_(torch.empty(shape), 0.3, mode, gain=gain), normal_cdf(0, std))
    bound = math.sqrt(3) * std
    assert agrees(ours.kaiming_uniform_(torch.empty(shape), 0.3, mode, gain=gain), uniform_cdf(-bound, bound))
    std = (gain or 1) * math.sqrt(2 / sum(fan.values()))
    bound = math.sqrt(3) * std
    assert agrees(ours.xavier_normal_(torch.empty(shape), gain or 1), normal_cdf(0, std))
    assert agrees(ours.xavier_uniform_(torch.empty(shape), gain or 1), uniform_cdf(-bound, bound))


@pytest.mark.parametrize("shape", [(100_000,), (100, 50, 20)])
def test_laws_of_given_numbers(shape):
    assert agrees(ours.uniform_(torch.empty(shape), -3, 5), uniform_cdf(-3, 5))
    assert agrees(ours.normal_(torch.empty(shape), 2, 0.3), normal_cdf(2, 0.3))


@pytest.mark.parametrize(
    "mean, std, a, b", [(0, 1, -2, 2), (0, 0.02, -2, 2), (1, 2, -0.5, 4), (0, 1, 2, 3), (0, 1, 11, 12)]
)
def test_truncated_normal_within_bounds(mean, std, a, b):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x = ours.trunc_normal_(torch.empty(100_000, dtype=torch.float64), mean, std, a, b)
    assert a <= x.min() and x.max() <= b
    if a < 10:  # beyond that the difference of the cdf's is nothing but rounding
        cdf = normal_cdf(mean, std)
        low, high = cdf(np.array([a, b], float))
        assert agrees(x, lambda x: (cdf(x) - low) / (high - low))


@pytest.mark.parametrize(
    "dtype, least", [("float32", 5000), ("float64", 9900), ("float16", 3000), ("bfloat16", 1000)]
)
def test_truncated_normal_keeps_many_values_and_no_heap_at_the_bounds(dtype, least):
    x = ours.trunc_normal_(torch.empty(10_000, dtype=getattr(torch, dtype)), std=0.1)
    assert len(torch.unique(x)) > least and not (x.abs() >= 2).any()
    x = ours.trunc_normal_(torch.empty(100_000, dtype=getattr(torch, dtype)), std=0.01).double()
    assert abs(x.mean()) < 6 * 0.01 / math.sqrt(x.numel()) and x.std() == pytest.approx(0.01, rel=0.015)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_where_torch_has_it(dtype):
    x = ours.normal_(torch.empty(50_000, dtype=getattr(torch, dtype)), 1, 2)
    assert agrees(x.real, normal_cdf(1, math.sqrt(2))) and agrees(x.imag, normal_cdf(0, math.sqrt(2)))
    assert ours.xavier_normal_(torch.empty(30, 20, dtype=x.dtype)).imag.std() > 0


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (20, 2, 3, 4), (2, 3, 4, 5), (1, 1)])
@pytest.mark.parametrize("gain", [1, 2.5])
def test_orthogonal(shape, gain, dtype):
    w = ours.orthogonal_(torch.empty(shape, dtype=getattr(torch, dtype)), gain).double().reshape(shape[0], -1)
    w = w if w.shape[0] <= w.shape[1] else w.T
    exact = {"float64": 1e-14, "float32": 1e-6, "float16": 2e-3, "bfloat16": 2e-2}[dtype]
    assert torch.allclose(w @ w.T, gain**2 * torch.eye(len(w), dtype=w.dtype), atol=exact * gain**2 * 4)


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("shape", [(6, 4, 3), (12, 2, 4, 5), (6, 8, 2, 3, 3), (6, 4, 0)])
def test_dirac_is_theirs(shape, groups):
    expected = outcome(lambda: theirs.dirac_(torch.empty(shape), groups))
    assert outcome(lambda: ours.dirac_(torch.empty(shape), groups)) == expected
    if expected[0] is None:
        assert torch.equal(ours.dirac_(torch.empty(shape), groups), theirs.dirac_(torch.empty(shape), groups))


@pytest.mark.parametrize("sparsity", [0, 0.1, 0.33, 0.9, 1])
def test_sparse_columns(sparsity):
    x = ours.sparse_(torch.empty(100, 500), sparsity, std=0.2)
    assert ((x == 0).sum(dim=0) == math.ceil(sparsity * 100)).all()
    if 0 < sparsity < 1:  # no row is preferred: a binomial count
        share = math.ceil(sparsity * 100) / 100
        counts = (x == 0).sum(dim=1).double()
        assert (counts - 500 * share).abs().max() < 6 * math.sqrt(500 * share * (1 - share))
        assert agrees(x[x != 0], normal_cdf(0, 0.2))


# Where it is written


@pytest.mark.parametrize("name", CURRENT)
@pytest.mark.parametrize("dtype", REAL)
def test_in_place_under_autograd_whatever_the_strides(name, dtype):
    whole = torch.full((2, *SHAPES.get(name, (60, 40))), math.nan, dtype=getattr(torch, dtype)).transpose(
        1, 2
    )
    tensor = whole[0].transpose(0, 1)
    leaf = torch.nn.Parameter(tensor)
    before = leaf._version
    assert called(ours, name, leaf) is leaf and leaf.requires_grad and leaf.grad_fn is None
    assert leaf._version > before and not leaf.isnan().any() and whole[1].isnan().all()
    assert torch.equal(leaf.detach(), tensor)  # the memory is the same


@pytest.mark.parametrize("name", RANDOM)
def test_the_generator_governs(name):
    def drawn(generator=None):
        return called(ours, name, empty(name), generator=generator)

    generator = torch.Generator().manual_seed(3)
    first, second = drawn(generator), drawn(generator)
    assert not torch.equal(first, second)
    assert torch.equal(first, drawn(generator.manual_seed(3))) and torch.equal(second, drawn(generator))
    torch.manual_seed(3)
    assert torch.equal(first, drawn()) and torch.equal(second, drawn())
    with torch.random.fork_rng():
        drawn()


@pytest.mark.parametrize("name", ["normal_", "uniform_", "he_normal_"])
def test_what_is_no_generator_is_refused(name):
    with pytest.raises(TypeError, match=r"generator must be a torch.Generator.*got 3"):
        getattr(ours, name)(torch.empty(3, 4), generator=3)


@pytest.mark.parametrize("name", ["he_uniform_", "uniform_", "trunc_normal_", "sparse_"])
def test_bfloat16_is_the_same_where_numpy_cannot_see_it(name, monkeypatch):
    """As on another device: drawn as bfloat16, not rounded from float32, and then moved."""

    def drawn():
        w = torch.empty(40, 50, dtype=torch.bfloat16)
        numbers = (0.5,) if name == "sparse_" else ()
        return getattr(ours, name)(w, *numbers, generator=torch.Generator().manual_seed(3))

    seen = drawn()
    monkeypatch.setattr(tensors, "_visible", lambda tensor: False)
    assert torch.equal(drawn(), seen)


def test_tensors_with_ways_of_their_own_are_left_to_torch():
    heard = []

    class Heard(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            heard.append(function)
            return super().__torch_function__(function, types, args, kwargs or {})

    ours.kaiming_uniform_(torch.empty(3, 3).as_subclass(Heard))
    ours.normal_(torch.empty(3, 3).as_subclass(Heard))
    assert heard
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        fake = torch.empty(3, 3)
        assert ours.xavier_normal_(fake) is fake


# What is more


@pytest.mark.parametrize("name", schemes.NAMES)
def test_every_scheme_is_a_function(name):
    assert pickle.loads(pickle.dumps(getattr(ours, name))) is getattr(ours, name)
    row = named.ROWS[name.removesuffix("_")]
    torch.manual_seed(0)
    seed = int(torch.empty((), dtype=torch.int64).random_())
    torch.manual_seed(0)
    w = torch.empty(40, 30)  # delta-orthogonal layers do not narrow
    assert schemes.function(name)(w) is w
    assert np.array_equal(w.numpy(), row.law((40, 30), ic.Key(seed), layout="oi"))
    assert schemes.function(name)(torch.empty(40, 30, device="meta")).is_meta
    with pytest.raises(TypeError, match="floating"):
        schemes.function(name)(torch.empty(3, 3, dtype=torch.int32))
    assert getattr(ours, name).__doc__


def test_gain_and_layout_where_torch_has_none():
    w = ours.lecun_normal_(torch.empty(64, 1, 3, 3), gain=3.0, layout=layouts.Depthwise("oi"))
    assert agrees(w, normal_cdf(0, 1.0))
    w = ours.kaiming_normal_(
        torch.empty(600, 1, 3, 3), mode="fan_out", nonlinearity="linear", layout=layouts.Conv("oi", 600)
    )
    assert agrees(w, normal_cdf(0, 1 / 3))
    w = ours.xavier_uniform_(torch.empty(300, 100), layout=layouts.Packed("oi", 3))
    assert agrees(w, uniform_cdf(-math.sqrt(6 / 200), math.sqrt(6 / 200)))
    with pytest.raises(ValueError, match="layout"):
        ours.lecun_normal_(torch.empty(3, 3), layout="hw")
