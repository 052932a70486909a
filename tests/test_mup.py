"""muP: the table of the paper, and that networks of any width then move as a narrow one does."""

import math
from dataclasses import replace

import numpy as np
import pytest

import initcore as ic
from initcore import layouts, mup
from initcore.apply import parameters

R = 8  # by what the width has grown

# Yang et al. 2022, table 3: role, shapes, variance
# against the base model, learning rates with SGD and Adam.
TABLE = [
    ("input", (784, 64 * R), (784, 64), 1, R, 1),
    ("vector", (64 * R,), (64,), 1, R, 1),
    ("hidden", (64 * R, 32 * R), (64, 32), 1 / R, 1, 1 / R),
    ("output", (64 * R, 10), (64, 10), 1 / R**2, 1 / R, 1 / R),
    ("fixed", (10,), (10,), 1, 1, 1),
    ("fixed", (), (), 1, 1, 1),
]


@pytest.mark.parametrize(("role", "shape", "base", "variance", "sgd", "adam"), TABLE)
def test_table_3_of_the_paper(role, shape, base, variance, sgd, adam):
    for optimizer, rate in ("sgd", sgd), ("adam", adam):
        found = mup.scaling(shape, base, optimizer)
        assert found.role == role and found.multiplier == 1
        assert found.stddev**2 == pytest.approx(variance) and found.learning_rate == pytest.approx(rate)
        if len(shape) == 2:  # the two ways of saying how it starts agree
            law = ic.initializers.LecunNormal()
            assert found.init * law.stddev(shape) == pytest.approx(found.stddev * law.stddev(base))


@pytest.mark.parametrize(("optimizer", "rate"), [("sgd", R), ("adam", 1)])
def test_table_8_of_the_paper(optimizer, rate):
    """A kernel k times as large behind a multiplier 1 / k is the same at k^2 or k times the learning rate."""
    shapes = (64 * R, 10), (64, 10)
    found, other = mup.scaling(*shapes, optimizer, output_multiplier=True), mup.scaling(*shapes, optimizer)
    assert found.stddev == 1 and found.multiplier == pytest.approx(1 / R) and found.learning_rate == rate
    k = 1 / found.multiplier
    assert found.init == pytest.approx(other.init * k) and found.stddev == pytest.approx(other.stddev * k)
    power = 2 if optimizer == "sgd" else 1
    assert found.learning_rate == pytest.approx(other.learning_rate * k**power)


def test_every_optimizer_is_of_one_family():
    assert list(mup.OPTIMIZERS) == sorted(mup.OPTIMIZERS, key=ic.optimizers.names().index)
    assert set(mup.OPTIMIZERS) == set(ic.optimizers.names())


@pytest.mark.parametrize(
    ("shape", "base", "layout", "role"),
    [
        ((512, 64, 3, 3), (128, 16, 3, 3), "oi", "hidden"),
        ((3, 3, 64, 512), (3, 3, 16, 128), "io", "hidden"),
        ((512, 3, 7, 7), (128, 3, 7, 7), "oi", "input"),
        ((10, 512), (10, 128), "oi", "output"),
        ((1000, 512), (1000, 128), layouts.Embedding(), "input"),
        ((3 * 512, 512), (3 * 128, 128), layouts.Packed("oi", 3), "hidden"),
    ],
)
def test_roles_follow_the_layout(shape, base, layout, role):
    found = mup.scaling(shape, base, layout=layout)
    assert found.role == role and found.learning_rate == (1 if role == "input" else 1 / 4)


@pytest.mark.parametrize(("optimizer", "rate"), [("sgd", R), ("adam", 1)])
@pytest.mark.parametrize("groups", [1, 16])
def test_more_maps_of_the_same_size_are_a_vector_of_maps(optimizer, rate, groups):
    shapes = (16 * R, groups, 3, 3), (16, groups, 3, 3)
    wide, base = (layouts.Conv("oi", shape[0] // groups) for shape in shapes)
    found = mup.scaling(*shapes, optimizer, wide, base_layout=base)
    assert found == mup.Scaling("vector", learning_rate=rate)


def test_hidden_kernels_may_grow_by_different_factors():
    assert mup.scaling((256, 64), (64, 32), "sgd").learning_rate == pytest.approx(2 / 4)
    assert mup.scaling((256, 64), (64, 32), "adam").learning_rate == pytest.approx(1 / 4)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: mup.scaling((4, 4), (4,)), "as many axes"),
        (lambda: mup.scaling((4, 4), (2, 2), "Adam"), "Did you mean 'adam'"),
        (lambda: mup.scaling((4, 0), (2, 2)), "no fans"),
        (lambda: mup.scaling((4,), (0,)), "size in the base model must be at least 1"),
        (lambda: mup.scaling((4, 4), (2, 2), layout="ii"), "layout must be one of"),
        (lambda: mup.scalings({"a": (4, 4)}, {"b": (2, 2)}), "only one has 'a'"),
        (lambda: mup.scalings({"a": (4, 4)}, {"a": (2,)}), "a: a tensor has as many axes"),
        (lambda: mup.attention_scale(0, 4), "head_size must be at least 1"),
    ],
)
def test_a_wrong_argument_is_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


WIDTHS = [64, 128, 256, 512, 1024]


def network(width, seed):
    layers = [ic.Dense(width, "relu"), ic.Dense(width, "relu"), ic.Dense(4)]
    return ic.Sequential(layers, input_shape=(10,), seed=seed)


def moved(width, optimizer, rate, scaled, seed):
    """How far each layer's outputs move in a few steps, as root mean squares: the coordinate check."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 10)), rng.normal(size=(32, 4))
    model = network(width, seed)
    factors = mup.scalings(model.parameters, network(WIDTHS[0], seed).parameters, optimizer)
    if not scaled:
        factors = dict.fromkeys(factors, mup.Scaling("fixed"))
    for name, w in model.parameters.items():
        w *= factors[name].init
    model.parameters["dense_2/kernel"][...] = (
        0  # as the paper advises: what it starts as vanishes in the limit
    )
    own = {
        name: replace(ic.optimizers.get(optimizer), learning_rate=rate * factor.learning_rate)
        for name, factor in factors.items()
    }
    states = {name: own[name].init(w.size, w.dtype) for name, w in model.parameters.items()}
    before = [trace.output for trace in model.trace(x)]
    for _ in range(4):
        error = model.forward(x) - y
        model.backward(2 * error / error.size)
        for name, w in model.parameters.items():
            own[name].step(w, model.gradients[name], states[name])
    return [np.sqrt(np.mean((t.output - b) ** 2)) for t, b in zip(model.trace(x), before, strict=True)]


@pytest.mark.parametrize(("optimizer", "rate"), [("sgd", 0.1), ("adam", 0.01)])
def test_coordinates_move_as_far_at_any_width(optimizer, rate):
    """With muP the slope of log(move) over log(width) is about 0 in every layer; without, in some layer not.

    In the limit of wide networks it is 0 exactly. Corrections are of the order of 1 / sqrt(width), an eighth
    at the narrowest, which over four doublings is a slope of 0.05.
    """

    def slopes(scaled):
        seeds = range(4)
        moves = [
            np.mean([moved(width, optimizer, rate, scaled, s) for s in seeds], axis=0) for width in WIDTHS
        ]
        return np.polyfit(np.log(WIDTHS), np.log(moves), 1)[0]

    with_mup, without = slopes(True), slopes(False)
    assert np.abs(with_mup).max() < 0.1, with_mup
    assert np.abs(without).max() > 0.4, without


def test_the_start_of_the_output_shrinks_with_the_width(rng):
    """By the law of large numbers: outputs start as 1 / sqrt(width) with muP."""
    x = rng.normal(size=(100, 10))
    sizes = []
    for width in (64, 1024):
        model = network(width, 1)
        factors = mup.scalings(model.parameters, network(64, 1).parameters)
        model.parameters["dense_2/kernel"] *= factors["dense_2/kernel"].init
        sizes.append(np.sqrt(np.mean(model.predict(x) ** 2)))
    # of four outputs of a random kernel each: a relative standard error of sqrt(1 / 8)
    assert math.log(sizes[0] / sizes[1], 16) == pytest.approx(0.5, abs=5 * math.sqrt(2 / 8) / math.log(16))


def test_groups_keep_the_product_of_rate_and_decay():
    shapes = {"a": (64, 64), "b": (4, 64), "c": (64, 64), "d": (64,)}
    factors = mup.scalings(shapes, {"a": (16, 16), "b": (4, 16), "c": (16, 16), "d": (16,)})
    found = mup.groups(shapes, factors, 0.1, weight_decay=0.01)
    assert [group["params"] for group in found] == [[shapes["a"], shapes["c"]], [shapes["b"], shapes["d"]]]
    assert [group["lr"] for group in found] == pytest.approx([0.025, 0.1])
    assert [group["lr"] * group["weight_decay"] for group in found] == pytest.approx([0.001, 0.001])
    with pytest.raises(ValueError, match="tensor must be one of 'a'"):
        mup.groups({"e": 1}, factors, 0.1)


@pytest.mark.peers
def test_tensors_of_pytorch_are_not_taken_for_another_layout():
    nn = pytest.importorskip("torch", reason="takes PyTorch's tensors").nn
    wide, base = (dict(nn.Sequential(nn.Linear(4, n)).named_parameters()) for n in (32, 8))
    for shapes in (wide, base), ({n: w.shape for n, w in wide.items()}, base):
        with pytest.raises(ValueError, match=r"0.weight: .*'oi'"):
            mup.scalings(*shapes)
    assert mup.scalings(wide, base, layout="oi")["0.weight"].role == "input"


@pytest.mark.peers
def test_a_model_of_pytorch_and_its_optimizer():
    torch = pytest.importorskip("torch", reason="takes PyTorch's modules")
    nn = torch.nn

    def network(width):
        middle = nn.MultiheadAttention(width, 4)
        return nn.Sequential(nn.Embedding(50, width), middle, nn.LayerNorm(width), nn.Linear(width, 3))

    models = network(256), network(64)
    layouts_too = mup.scalings(*(parameters(model) for model in models), "adamw")
    tensors = [dict(model.named_parameters()) for model in models]
    by_hand = {"0.weight": layouts.Embedding(), "3.weight": "oi", "1.out_proj.weight": "oi"}
    assert layouts_too == mup.scalings(
        *tensors, "adamw", by_hand | {"1.in_proj_weight": layouts.Packed("oi", 3)}
    )
    roles = {name: factors.role for name, factors in layouts_too.items() if factors.role != "vector"}
    assert roles.pop("3.bias") == "fixed" and list(roles.values()) == ["input", "hidden", "hidden", "output"]
    optimizer = torch.optim.AdamW(mup.groups(tensors[0], layouts_too, 1e-3, weight_decay=0.1))
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1e-3, 2.5e-4])
