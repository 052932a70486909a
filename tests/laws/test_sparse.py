"""Sparse kernels: so many inputs to a unit, no other, chosen without preference."""

import math

import numpy as np
import pytest

import initcore as ic
from initcore.laws import Sparse
from initcore.layouts import Conv, Packed

KEY = ic.Key(0) / "sparse"


@pytest.mark.parametrize("count", [0, 1, 15, 40, 50])
def test_every_unit_sums_so_many_inputs(count):
    w = Sparse(nonzeros=count)((40, 30), KEY)
    assert set(np.count_nonzero(w, axis=0)) == {min(count, 40)}


@pytest.mark.parametrize("sparsity", [0, 0.1, 0.5, 0.99, 1])
@pytest.mark.parametrize("rows", [1, 7, 40])
def test_sparsity_rounds_up_to_whole_zeros(sparsity, rows):
    w = Sparse(sparsity=sparsity)((rows, 30), KEY)
    assert set(np.count_nonzero(w == 0, axis=0)) == {math.ceil(sparsity * rows)}


def test_units_are_those_of_every_map():
    layout = Conv("oi", groups=2)
    w = Sparse(nonzeros=4)((6, 5, 3, 3), KEY, layout=layout)
    assert set(np.count_nonzero(w.reshape(6, -1), axis=1)) == {4}
    packed = Sparse(nonzeros=4)((9, 20), KEY, layout=Packed("oi", (4, 3, 2)))
    assert set(np.count_nonzero(packed, axis=1)) == {4}


def test_no_input_is_preferred():
    """How often each of 30 inputs is among the 6: binomial with p = 1/5 over 3000 units."""
    w = Sparse(nonzeros=6)((30, 3000), KEY)
    often = np.count_nonzero(w, axis=1)
    assert (abs(often - 600) < 5 * math.sqrt(3000 * 0.2 * 0.8)).all()


def test_the_same_inputs_in_every_dtype():
    a, b = (Sparse()((100, 20), KEY, dtype=dtype) for dtype in ("float32", "float64"))
    assert np.array_equal(a, b.astype("float32"))


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (ValueError, {"nonzeros": 5, "sparsity": 0.5}),
        (ValueError, {"nonzeros": -1}),
        (TypeError, {"nonzeros": 0.5}),
        (ValueError, {"sparsity": 1.5}),
        (ValueError, {"stddev": -1}),
        (TypeError, {"gain": "relu"}),
    ],
)
def test_what_cannot_be_is_refused(error, arguments):
    with pytest.raises(error):
        Sparse(**arguments)
