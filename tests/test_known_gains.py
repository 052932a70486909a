"""The table of gains, and PyTorch's numbers against a live PyTorch."""

import math
import subprocess
import sys

import pytest

import initcore as ic
from initcore import activations, theory


def test_every_activation_has_a_row():
    table = ic.gain_table()
    names = [name for name in activations.names() if "softmax" not in name] + list(theory.GATED)
    assert [row.name for row in table] == names == theory.with_gain()
    for row in table:
        gain = theory.gain(row.name)
        assert (row.forward, row.backward) == (gain.forward, gain.backward)
        assert row.critical is None or row.critical == theory.critical(row.name)
    text = repr(table).splitlines()
    assert len(text) == len(table) + 1
    for row, line in zip(table, text[1:], strict=True):
        assert line.split()[:2] == [row.name, f"{row.forward:.6f}"]


def test_a_table_of_some():
    assert [row.name for row in ic.gain_table("swiglu", "relu")] == ["swiglu", "relu"]
    with pytest.raises(ValueError, match="Did you mean 'relu'"):
        ic.gain_table("rely")
    with pytest.raises(ValueError, match="whole rows"):
        ic.gain_table("softmax")


def test_a_table_of_functions():
    leaky, plain = activations.get("leaky_relu", negative_slope=0.5), activations.get("tanh")
    table = ic.gain_table(math.erf, leaky, plain, theory.Gated("tanh"), None)
    assert [row.name for row in table] == ["erf", "leaky_relu(0.5)", "tanh", "tanh(u) * v", "identity"]
    assert [row.torch for row in table] == [None, math.sqrt(2 / 1.25), 5 / 3, None, 1.0]
    assert [row.critical is None for row in table] == [False, False, False, True, False]


def test_pytorchs_numbers_that_are_gains():
    """The others are not: that is what the table shows."""
    same = {row.name for row in ic.gain_table() if row.torch == pytest.approx(row.forward, rel=1e-9)}
    assert same == {"identity", "relu", "leaky_relu"}


@pytest.mark.parametrize(("name", "a"), [("gelu", 0.01), ("Tanh", 0.01), ("leaky", 0.01)])
def test_what_pytorch_has_no_number_for_is_a_sentence(name, a):
    with pytest.raises(ValueError, match="must be one of 'linear'"):
        theory.torch_gain(name, a)


def test_pytorchs_default_for_layers_is_a_third_of_the_variance():
    """In nn.Linear, a = sqrt(5) makes the bound, gain * sqrt(3 / fan_in), just 1 / sqrt(fan_in)."""
    assert theory.torch_gain("leaky_relu", math.sqrt(5)) * math.sqrt(3) == pytest.approx(1)


@pytest.mark.parametrize("a", [True, "x", [1], None])
def test_a_slope_is_a_number(a):
    with pytest.raises(TypeError, match="a must be a number"):
        theory.torch_gain("leaky_relu", a)


@pytest.mark.peers
def test_torch_gain_is_that_of_pytorch():
    calculate_gain = pytest.importorskip("torch", reason="compares with PyTorch").nn.init.calculate_gain
    for name in theory.TORCH_GAINS:
        assert theory.torch_gain(name) == calculate_gain(name)
    for a in (0.0, 0.01, 0.2, 1.0, math.sqrt(5), 10):
        assert theory.torch_gain("leaky_relu", a) == calculate_gain("leaky_relu", a)
    assert theory.torch_gain("leaky_relu") == calculate_gain("leaky_relu")
    for row in ic.gain_table():
        if row.torch is None:
            with pytest.raises(ValueError, match="nsupported"):
                calculate_gain(row.name)


def test_the_table_is_a_function_of_the_package_whatever_came_first():
    code = (
        "import initcore as i; t = i.theory; print(len(i.gain_table('relu')), t.gain_table is i.gain_table)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["1", "True"], done.stderr
