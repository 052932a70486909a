"""Schemes for residual networks: the papers' formulas, and what they do to a deep network."""

import copy
import inspect
import math
import pickle

import numpy as np
import pytest

import initcore as ic
from initcore import residual

DEPTHS = [1, 2, 6, 18, 96]


def made():
    """Every scheme, at some depth."""
    for name, scheme in residual.SCHEMES.items():
        first = next(iter(inspect.signature(scheme).parameters), None)
        yield scheme(16) if first and name != "skip_init" else scheme()


@pytest.mark.parametrize("scheme", list(made()), ids=lambda scheme: scheme.name)
def test_every_role_has_a_factor(scheme):
    assert scheme.name in residual.SCHEMES and scheme.source and scheme.skip >= 1
    assert all(0 <= scheme.factor(role) <= 1 for role in residual.ROLES)
    assert any(scheme.factor(role) != 1 for role in residual.ROLES)
    ic.initializers.get(scheme.base)
    assert copy.deepcopy(scheme) == scheme == pickle.loads(pickle.dumps(scheme))
    with pytest.raises(ValueError, match="Did you mean 'query'"):
        scheme.factor("Query")


@pytest.mark.parametrize("n", DEPTHS)
def test_the_formulas_of_the_papers(n):
    """Each in the form of an equation that the factor solves."""
    for m in (2, 3, 4):  # Fixup: eta * (factor^(m - 1))^2 * L = eta
        assert residual.fixup(n, m).factor("inner") ** (2 * m - 2) * n == pytest.approx(1)
    assert residual.fixup(n, 1).factor("last") == 0 == residual.fixup(n).factor("output")
    encoder, decoder = residual.t_fixup(n), residual.t_fixup(n, "decoder")
    assert decoder.factor("value") ** 4 * 9 * n == pytest.approx(1)
    assert encoder.factor("mlp_inner") ** 4 * n == pytest.approx(0.67**4)
    assert encoder.factor("embedding") == decoder.factor("embedding") == decoder.factor("mlp_last")
    for scheme in residual.deepnorm(n), residual.deepnorm(decoder=n):
        assert scheme.skip**4 == pytest.approx(2 * n) and scheme.factor("value") ** -4 == pytest.approx(8 * n)
    assert residual.gpt2(n).factor("mlp_last") ** 2 * 2 * n == pytest.approx(1)


def test_deepnorm_of_an_encoder_with_a_decoder():
    """Six and six layers, as the paper's base model."""
    encoder, decoder = (residual.deepnorm(6, 6, part) for part in ("encoder", "decoder"))
    assert math.log(encoder.skip / 0.81) == pytest.approx(5 * math.log(6) / 16)
    assert math.log(encoder.factor("mlp_inner") / 0.87) == pytest.approx(-5 * math.log(6) / 16)
    assert decoder.skip**4 == pytest.approx(18) and decoder.factor("value") ** 4 == pytest.approx(1 / 72)
    assert encoder.factor("query") == decoder.factor("key") == 1


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: residual.fixup(0), "branches must be at least 1"),
        (lambda: residual.fixup(2.5), "branches must be a whole number"),
        (lambda: residual.gpt2(3, 0), "branches_per_layer must be at least 1"),
        (lambda: residual.t_fixup(3, "encodr"), "Did you mean 'encoder'"),
        (lambda: residual.deepnorm(), "at least 1 layer"),
        (lambda: residual.deepnorm(2, 2), "part must be"),
        (lambda: residual.deepnorm(2, part="decoder"), "must be one of 'encoder'"),
        (lambda: residual.skip_init(-1), "multiplier must lie in"),
        (lambda: residual.ResidualScheme("mine", {"lst": 0.0}), "Did you mean 'last'"),
    ],
)
def test_a_wrong_argument_is_a_sentence(wrong, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        wrong()


ROLE = {"residual/dense/kernel": "inner", "residual/dense_1/kernel": "last"}


def deep(depth, activation, scheme):
    """A residual network with the scheme applied."""
    blocks = [ic.Residual([ic.Dense(64, activation), ic.Dense(64)]) for _ in range(depth)]
    model = ic.Sequential(blocks, input_shape=(64,), dtype="float64")
    for name, w in model.parameters.items():
        if role := ROLE.get("residual/" + name.split("/", 1)[1]):
            w *= scheme.factor(role)
    return model


@pytest.mark.parametrize("depth", [1, 20])
def test_fixup_starts_as_the_identity(depth, rng):
    x = rng.normal(size=(8, 64))
    model = deep(depth, "relu", residual.fixup(depth))
    np.testing.assert_array_equal(model.forward(x), x)
    np.testing.assert_array_equal(model.backward(x), x)  # the Jacobian, too


def test_gpt2_bounds_the_signal_at_any_depth(rng):
    """(1 + 1 / N)**N is at most e, where without the factor it is 2**N."""
    x = rng.normal(size=(64, 64))
    for depth in (4, 64):
        y = deep(depth, None, residual.gpt2(depth, branches_per_layer=1)).forward(x)
        growth = (1 + 1 / depth) ** depth
        # of one input: each layer adds 2 x.Ax / (sqrt(N) x.x) to the logarithm, whose variance is 4 / (64 N)
        spread = math.sqrt(4 / 64)
        assert abs(math.log(np.mean(y**2) / growth)) < 6 * spread
    plain = deep(64, None, residual.rezero()).forward(x)
    assert np.mean(plain**2) > 1e6


def test_zero_gamma_starts_as_the_identity(rng):
    blocks = [ic.Residual([ic.Dense(8), ic.BatchNormalization()]) for _ in range(5)]
    model = ic.Sequential(blocks, input_shape=(8,))
    for name, w in model.parameters.items():
        if name.endswith("gamma"):
            w *= residual.zero_gamma().factor("last_scale")
    x = rng.normal(size=(4, 8)).astype(np.float32)
    np.testing.assert_array_equal(model.forward(x), x)
