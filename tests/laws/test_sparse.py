"""Sparse kernels: so many inputs to a unit, no other, chosen without preference."""

import math
import tracemalloc

import numpy as np
import pytest

import initcore as ic
from initcore.laws import Sparse, sparse
from initcore.layouts import Conv, Depthwise, Einsum, Packed

KEY = ic.Key(0) / "sparse"
LAYOUTS = [
    ("io", (3, 5, 4, 6)),
    (Conv("oi", groups=2), (6, 4, 3, 3)),
    (Depthwise("io"), (3, 3, 4, 9)),
    (Packed("io", (4, 2, 3)), (5, 9)),
    (Einsum("btd,dhk->bthk"), (5, 3, 4)),
]


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


@pytest.mark.parametrize(("layout", "shape"), LAYOUTS, ids=str)
@pytest.mark.parametrize("index", [(), (slice(None, None, -2), ..., slice(1, None, 3))])
def test_how_much_is_drawn_at_a_time_changes_no_bits(layout, shape, index, monkeypatch):
    results = set()
    for most in (1, 50, 300, 1 << 17):
        monkeypatch.setattr(sparse, "_AT_A_TIME", most)
        results.add(Sparse(nonzeros=5)(shape, KEY, layout=layout, index=index).tobytes())
    assert len(results) == 1


@pytest.mark.parametrize("layout", ["io", "oi", Einsum("btd,dhk->bthk")])
def test_memory_does_not_grow_much_beyond_the_tensor(layout):
    shape = (1000, 1000) if isinstance(layout, str) else (1000, 10, 100)
    out = np.ones(shape, "float32")
    tracemalloc.start()
    Sparse()(shape, KEY, layout=layout, out=out)
    grown = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert grown < 6e6  # of the 8e6 that a number of float64 for each weight would take, and several of these


def test_complex_weights_have_both_parts():
    """Alike and independent, so that no phase is preferred."""
    w = Sparse(stddev=2.0, nonzeros=50)((100, 2000), KEY, dtype="complex64")
    z = w[w != 0] / 2
    assert z.size == 100_000
    assert abs((abs(z) ** 2).mean() - 1) < 5 / math.sqrt(z.size)  # |z|^2 is exponential
    assert abs((z**2).mean()) < 5 * math.sqrt(2 / z.size)


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
