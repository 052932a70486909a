"""The precision of products: what is refused and when, what a network in bfloat16 computes, what it keeps."""

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import initcore as ic
from initcore import _core
from initcore.plan import Plan
from initcore.precision import PRECISIONS, check_precision

bf16 = pytest.mark.skipif(not _core.active_bf16(), reason="needs an instruction for products in bfloat16")


def network(precision=None, seed=0, widths=(64, 48), **options):
    layers = [ic.Dense(width, activation="tanh") for width in widths] + [ic.Dense(10)]
    return ic.Sequential(layers, input_shape=(80,), seed=seed, precision=precision, **options)


@pytest.fixture
def without_bf16():
    """Products in bfloat16 switched off."""
    _core.use_bf16("off")
    yield
    _core.use_bf16(os.environ.get("INITCORE_BF16", ""))


# What is refused


def test_the_default_is_the_precision_of_the_dtype():
    assert network().precision == "fp32"
    assert network(dtype="float64").precision == "fp64"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_precision_goes_with_its_dtype_alone(precision, dtype):
    if PRECISIONS[precision] != dtype:
        with pytest.raises(ValueError, match=rf"{precision}.*goes with dtype.*got '{dtype}'"):
            network(precision, dtype=dtype)


def test_an_unknown_precision_brings_the_list_and_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'bf16'") as error:
        network("bfp16")
    assert all(repr(name) in str(error.value) for name in PRECISIONS)


def test_where_there_is_no_bf16_it_is_refused_with_what_to_do(without_bf16, monkeypatch):
    assert ic.build_info()["bf16"] is None
    with pytest.raises(RuntimeError, match=r"INITCORE_BF16=off.*Leave precision away|processor"):
        network("bf16")
    monkeypatch.setattr(_core, "bf16", list)
    monkeypatch.setattr(_core, "compiled_bf16", lambda: ["some_instruction"])
    with pytest.raises(RuntimeError, match=r"processor has none .* some_instruction.*Leave precision away"):
        network("bf16")
    monkeypatch.setattr(_core, "compiled_bf16", list)
    with pytest.raises(RuntimeError, match="this build"):
        Plan(4, precision="bf16")
    with pytest.raises(RuntimeError, match="no product in bfloat16"):
        _core.matmul("nn", *np.ones((3, 1, 1), np.float32), bf16=True)


@pytest.mark.skipif(os.environ.get("INITCORE_BF16") == "off", reason="INITCORE_BF16=off leaves it out anyway")
def test_a_lesser_instruction_set_leaves_bf16_out(isa):
    assert bool(_core.active_bf16()) == bool(_core.bf16() and isa == _core.isas()[0])


def test_an_instruction_is_chosen_by_name_or_none_at_all():
    assert _core.choose_bf16(["first", "second"], "") == "first"
    assert _core.choose_bf16(["first", "second"], "second") == "second"
    assert _core.choose_bf16(["first"], "off") == _core.choose_bf16([], "") == ""
    with pytest.raises(RuntimeError, match="one of first, off on this machine, got 'third'"):
        _core.choose_bf16(["first"], "third")
    with pytest.raises(RuntimeError, match="one of off on this machine, got 'first'"):
        _core.choose_bf16([], "first")
    assert set(_core.bf16()) <= set(_core.compiled_bf16())


def test_all_who_ask_first_at_once_get_the_same_answer(without_bf16):
    _core.use_bf16("")
    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(lambda _: _core.active_bf16(), range(20)))
    assert answers == {_core.choose_bf16(_core.bf16(), "") if _core.active_isa() == _core.isas()[0] else ""}


@pytest.mark.parametrize("choice", ["off", *_core.bf16()])
def test_the_environment_chooses_the_instruction(choice):
    code = "import initcore; print(initcore.build_info()['bf16'])"
    environment = os.environ | {"INITCORE_BF16": choice, "INITCORE_ISA": ""}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert result.stdout.strip() == ("None" if choice == "off" else choice), result.stderr


def test_an_unknown_instruction_is_an_import_error_with_the_list():
    environment = os.environ | {"INITCORE_BF16": "by hand"}
    result = subprocess.run(
        [sys.executable, "-c", "import initcore"], env=environment, capture_output=True, text=True
    )
    message = result.stderr.strip().splitlines()[-1]
    assert message.startswith("ImportError: ") and "INITCORE_BF16" in message and "'by hand'" in message


# What is computed


@bf16
def test_gradients_are_near_those_of_fp32(rng):
    """Each rounding of an operand is at most 2^-9 of it; a gradient is made through six products.

    tanh and its slope carry an error on by a factor of at most 1 and 1 + |z|; with unit signals (He and
    Glorot keep them so) the relative errors of a product's operands add up: 2 of 2^-9 for each product, and
    errors of k terms with independent signs are smaller than their sum. So 6 products x 2 x 2^-9, in norm.
    """
    x, dy = rng.normal(size=(32, 80)).astype(np.float32), rng.normal(size=(32, 10)).astype(np.float32)
    strict, fast = network(), network("bf16")
    for model in (strict, fast):
        model.forward(x)
        model.backward(dy)
    for name, expected in strict.gradients.items():
        got = fast.gradients[name]
        error = np.linalg.norm(got - expected) / np.linalg.norm(expected)
        assert error <= 6 * 2 * 2.0**-9, name
        if name != "dense_2/bias":  # which is a sum of dy alone
            assert error > 0, name


@bf16
def test_all_but_the_operands_of_products_is_float32(rng):
    model = network("bf16")
    model.compile(ic.optimizers.SGD(2.0**-12), "mean_squared_error")
    before = {name: array.copy() for name, array in model.parameters.items()}
    x, y = rng.normal(size=(16, 80)).astype(np.float32), rng.normal(size=(16, 10)).astype(np.float32)
    model.fit(x, y, batch_size=16, epochs=1, verbose=0)
    for name, array in model.parameters.items():
        assert array.dtype == np.float32
        step = np.float32(2.0**-12) * model.gradients[name]
        np.testing.assert_array_equal(array, before[name] - step)  # far below what bfloat16 can tell apart
    bits = model.predict(x).view(np.uint32)
    assert (bits & 0xFFFF).any()


@bf16
def test_training_in_bf16_follows_fp32(rng):
    """The loss falls as far: a difference well below what was learned."""
    x = rng.normal(size=(512, 80)).astype(np.float32)
    y = np.argmax(x[:, :10] + 0.1 * rng.normal(size=(512, 10)), axis=1)
    losses = {}
    for precision in ("fp32", "bf16"):
        model = network(precision)
        model.compile("adam", "sparse_categorical_crossentropy")
        losses[precision] = model.fit(x, y, batch_size=64, epochs=8, verbose=0).history["loss"]
    first, last = losses["fp32"][0], losses["fp32"][-1]
    assert abs(losses["bf16"][-1] - last) < 0.05 * (first - last)
    assert losses["bf16"] != losses["fp32"]


@bf16
def test_a_network_in_bf16_is_copied_and_says_what_it_is(rng, capsys):
    model = network("bf16")
    x = rng.normal(size=(5, 80)).astype(np.float32)
    again = pickle.loads(pickle.dumps(model))
    assert again.precision == "bf16"
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    model.summary()
    assert f"products in bf16 by {_core.active_bf16()}" in capsys.readouterr().out


@bf16
def test_a_saved_network_goes_on_without_bf16(rng, without_bf16):
    _core.use_bf16("")
    saved, strict = pickle.dumps(network("bf16")), network()
    _core.use_bf16("off")
    model, x = pickle.loads(saved), rng.normal(size=(5, 80)).astype(np.float32)
    with pytest.raises(RuntimeError, match="INITCORE_BF16=off"):
        model.predict(x)
    with pytest.raises(RuntimeError):
        model.precision = "bf16"
    model.precision = "fp32"
    np.testing.assert_array_equal(model.predict(x), strict.predict(x))


def test_none_is_the_precision_of_every_dtype():
    for name in ("float32", "float64"):
        assert PRECISIONS[check_precision(None, np.dtype(name))] == name
