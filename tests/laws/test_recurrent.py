"""Biases of gates, and recurrent kernels gate by gate."""

import math

import numpy as np
import pytest

import initcore as ic
from initcore.laws import ChronoBias, ForgetGateBias, Orthogonal
from initcore.layouts import Packed

KEY = ic.Key(0) / "recurrent"


@pytest.mark.parametrize(
    ("order", "forget", "gate", "gates"), [("ifco", "f", 1, 4), ("fgio", "f", 0, 4), ("rzn", "z", 1, 3)]
)
def test_forget_gates_start_open_and_no_other(order, forget, gate, gates):
    b = ForgetGateBias(2.0, order, forget)((gates * 5,), KEY)
    assert np.array_equal(b.reshape(gates, 5), 2 * np.eye(gates)[:, [gate]] * np.ones(5))


def test_keras_packs_two_vectors_of_a_gru():
    b = ForgetGateBias(1.0, "zrh", "z")((2, 9), KEY)
    assert np.array_equal(b, [[1] * 3 + [0] * 6] * 2)


@pytest.mark.parametrize("longest", [3, 100, 784])
def test_chrono_spreads_the_times_evenly(longest):
    """exp of the forget bias is uniform from 1 to longest - 1: by its first two moments."""
    units = 20_000
    b = ChronoBias(longest)((4 * units,), KEY, dtype="float64")
    i, f, c, o = b.reshape(4, units)
    assert np.array_equal(i, -f) and not c.any() and not o.any()
    u = (np.exp(f) - 1) / (longest - 2)
    assert -1e-12 <= u.min() < 1e-3 and 1 - 1e-3 < u.max() <= 1
    assert abs(u.mean() - 1 / 2) < 5 * math.sqrt(1 / 12 / units)
    assert abs((u**2).mean() - 1 / 3) < 5 * math.sqrt(4 / 45 / units)


def test_chrono_gives_the_time_scale_that_its_paper_says():
    """A gate at sigmoid(log(T - 1)) is 1 - 1/T: what it keeps falls to 1/e in T steps, about."""
    b = ChronoBias(50)((400,), KEY, dtype="float64")[100:200]
    scale = 1 / (1 - 1 / (1 + np.exp(-b)))
    assert scale.min() >= 2 and scale.max() <= 50


def test_without_an_input_gate_only_the_forget_gate_is_biased():
    b = ChronoBias(50, "zrh", forget="z", input="")((9,), KEY).reshape(3, 3)
    assert (b[0] > 0).all() and not b[1:].any()


@pytest.mark.parametrize("law", [ForgetGateBias(1.5), ChronoBias(20)], ids=str)
def test_slices_have_the_bits_of_the_whole(law):
    whole = law((2, 40), KEY)
    for index in [(slice(1), slice(7, 33, 5)), (..., slice(None, None, -1)), (1,), (..., 12), (slice(0, 0),)]:
        assert np.array_equal(law((2, 40), KEY, index=index), whole[index])


@pytest.mark.parametrize(("order", "shape", "gates"), [("io", (20, 80), 4), ("oi", (60, 20), 3)])
def test_orthogonal_per_gate(order, shape, gates):
    w = Orthogonal()(shape, KEY, "float64", Packed(order, gates))
    matrices = np.split(w, gates, axis=1 if order == "io" else 0)
    for q in matrices:
        assert np.abs(q @ q.T - np.eye(20)).max() < 1e-13
    assert not np.array_equal(matrices[0], matrices[1])


@pytest.mark.parametrize(
    ("error", "words", "call"),
    [
        (ValueError, "multiple of 4", lambda: ForgetGateBias()((10,), 0)),
        (ValueError, "last axis", lambda: ForgetGateBias()((), 0)),
        (ValueError, "gates 'ifco'", lambda: ForgetGateBias(forget="z")),
        (ValueError, "one for each gate", lambda: ForgetGateBias(order="iffo")),
        (ValueError, "gates 'zrh'", lambda: ChronoBias(10, "zrh", "z")),
        (ValueError, "longest", lambda: ChronoBias(2)),
        (ValueError, "value", lambda: ForgetGateBias(math.nan)),
    ],
)
def test_what_cannot_be_is_refused(error, words, call):
    with pytest.raises(error, match=words):
        call()
