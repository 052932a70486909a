"""Residual schemes applied to models of this package."""

import numpy as np
import pytest

import initcore as ic
from initcore import residual
from initcore.apply import depth, sequential


def network(blocks=4, width=16):
    def block():
        return ic.Residual([ic.Dense(width, activation="relu"), ic.Dense(width), ic.BatchNormalization()])

    layers = [ic.Dense(width), *(block() for _ in range(blocks)), ic.Dense(3)]
    return ic.Sequential(layers, input_shape=(5,))


ABOUT_MULTIPLIERS = ("rezero", "skip_init")  # of which no layer of this package has one


@pytest.mark.parametrize("name", sorted(set(residual.SCHEMES) - set(ABOUT_MULTIPLIERS)))
def test_every_scheme_scales_the_tensors_of_the_branches(name):
    model, plain = network(), network()
    table = ic.initialize(model, residual=name, seed=2)
    scheme = depth.resolve(name, sequential.branches(model))["encoder"](2)
    base = "auto" if scheme.base == "auto" else scheme.base
    ic.initialize(plain, base, seed=2)
    for row in table:
        array, before = model.parameters[row.name], plain.parameters[row.name]
        inside = row.name.startswith("residual")
        role = {"kernel": "mlp_last" if "dense_1/" in row.name else "mlp_inner", "scale": "last_scale"}.get(
            row.role
        )
        if row.name == "dense_1/kernel":
            role = "output"
        factor = scheme.factor(role) if role and (inside or role == "output") else 1.0
        if base == "auto" or row.role == "kernel":
            assert np.allclose(array, factor * before, rtol=1e-6), row
        assert row.std == pytest.approx(factor * before.std(), rel=0.35, abs=1e-9) or row.role != "kernel"
    assert table.notes == tuple(f"{name} needs {need}" for need in scheme.needs)
    assert all(note in str(table) for note in table.notes)


@pytest.mark.parametrize("name", ABOUT_MULTIPLIERS)
def test_a_scheme_of_multipliers_needs_some(name):
    with pytest.raises(ValueError, match=r"must have .*a learned multiplier of each branch"):
        ic.initialize(network(), residual=name)
    with pytest.raises(ValueError, match=r"last scale .*must have a normalization at the end of each branch"):
        block = ic.Residual([ic.Dense(5)])
        ic.initialize(ic.Sequential([block], input_shape=(5,)), residual="zero_gamma")


def test_a_network_that_ends_with_a_block_has_no_output():
    blocks = [ic.Residual([ic.Dense(5, "relu"), ic.Dense(5)]) for _ in range(2)]
    table = ic.initialize(ic.Sequential([ic.Dense(5), *blocks], input_shape=(5,)), residual="fixup")
    assert table["dense/kernel"].scheme != "zeros" == table["residual_1/dense_1/kernel"].scheme
    assert any("ends with" in note for note in table.notes)


def test_the_depth_is_the_models():
    for blocks in (1, 4, 16):
        table = ic.initialize(network(blocks), residual="fixup")
        kernel = table["residual/dense/kernel"]
        assert kernel.std == pytest.approx(np.sqrt(2 / 16) * blocks**-0.5)
        assert table["residual/dense_1/kernel"].scheme == table["dense_1/kernel"].scheme == "zeros"
    table = ic.initialize(network(), residual=residual.fixup(9, 3))
    assert table["residual/dense/kernel"].std == pytest.approx(np.sqrt(2 / 16) * 9**-0.25)


def test_rules_stand_above_it_and_names_below():
    model = network()
    table = ic.initialize(model, {"residual/dense_1/kernel": "orthogonal"}, residual="fixup")
    assert table["residual/dense_1/kernel"].scheme == "orthogonal"
    assert table["residual_1/dense_1/kernel"].scheme == "zeros"
    table = ic.initialize(model, "orthogonal", residual="gpt2")
    assert table["residual/dense/kernel"].scheme == "orthogonal"
    assert "orthogonal x 0.5" in table["residual/dense_1/kernel"].scheme  # 4 branches


def test_a_model_of_zero_gamma_is_its_shortcut():
    model = ic.Sequential([ic.Residual([ic.Dense(5), ic.BatchNormalization()])], input_shape=(5,))
    x = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    ic.initialize(model, residual="zero_gamma")
    assert np.array_equal(model.predict(x), x)


@pytest.mark.parametrize(
    "words, call",
    [
        ("branches", lambda: ic.initialize(ic.Sequential([ic.Dense(3)], input_shape=(2,)), residual="fixup")),
        ("Did you mean 'fixup'", lambda: ic.initialize(network(), residual="Fixup")),
        ("residual", lambda: ic.initialize(network(), "lsuv", data=np.ones((3, 5)), residual="fixup")),
    ],
)
def test_what_cannot_be_is_refused(words, call):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("name", list(residual.SCHEMES))
def test_a_function_in_place_of_a_scheme(name):
    with pytest.raises(TypeError, match=rf"residual='{name}', or call it, residual=ic.residual.{name}\("):
        ic.initialize(ic.Sequential([ic.Dense(2)], input_shape=(2,)), residual=residual.SCHEMES[name])
    with pytest.raises(TypeError, match="must be a name or a scheme"):
        ic.initialize(ic.Sequential([ic.Dense(2)], input_shape=(2,)), residual=3)
