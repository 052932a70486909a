"""Orthogonal matrices: as orthogonal as rounding allows, by the Haar measure, the same bits from any part."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest

from initcore import _core
from initcore.random import Key

KEY = Key(0) / "orthogonal"
GOLDEN = Path(__file__).with_name("golden_orthogonal.json")
SHAPES = [(1, 1), (1, 7), (7, 1), (5, 5), (31, 33), (33, 32), (64, 100), (130, 40), (2, 3, 4), (3, 2, 7, 5)]

DTYPES = "float32", "float64", "complex64", "complex128"

dtypes = pytest.mark.parametrize("dtype", DTYPES)
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def entries(dtype):
    """What the golden file says of one dtype."""
    small, large = KEY.orthogonal((3, 4), dtype=dtype), KEY.orthogonal((100, 70), 2, dtype=dtype, step=7)
    return {
        "first": [float(x).hex() for x in small.view(small.real.dtype).ravel()],
        "sha256": hashlib.sha256(large.tobytes()).hexdigest(),
    }


@dtypes
def test_the_bits_are_those_of_the_golden_file(dtype, isa):
    """To change them on purpose: run this file, and say so in the change log."""
    assert entries(dtype) == json.loads(GOLDEN.read_text())[dtype]


def error(w):
    """Root of the mean squared error of w w^T - 1, by rows, and its largest element."""
    w = w.astype(np.complex128 if np.iscomplexobj(w) else np.float64)
    w = w if w.shape[-2] <= w.shape[-1] else w.swapaxes(-1, -2)
    away = abs(w @ w.swapaxes(-1, -2).conj() - np.eye(w.shape[-2]))
    return math.sqrt((away**2).sum(axis=(-1, -2)).max() / w.shape[-2]), away.max()


@dtypes
@shapes
def test_the_shorter_side_is_orthonormal(shape, dtype, isa):
    """Errors of a few roundings: a vector that is rounded makes another reflection, but an exact one."""
    eps = float(np.finfo(dtype).eps)
    assert max(error(KEY.orthogonal(shape, dtype=dtype))) < 10 * eps
    assert max(error(KEY.orthogonal(shape, 4, dtype=dtype) / 4)) < 10 * eps


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.peers
def test_it_is_no_worse_than_lapack(dtype):
    torch = pytest.importorskip("torch", reason="compares with PyTorch's matrices, which come from LAPACK")
    theirs = error(torch.nn.init.orthogonal_(torch.empty(500, 500, dtype=getattr(torch, dtype))).numpy())
    ours = error(KEY.orthogonal((500, 500), dtype=dtype))
    assert ours[0] < 2 * theirs[0] and ours[1] < 2 * theirs[1]


PARTS = [
    (..., 0),
    (..., 0, slice(None)),
    (..., -1, slice(None)),
    (..., slice(2, 5), slice(1, None, 3)),
    (..., slice(None, None, -2), slice(None)),
    (..., slice(None, None, -1), slice(None, None, -3)),
    (..., slice(3, 3), slice(None)),
    (0, ..., slice(None)),
]


@shapes
@pytest.mark.parametrize("part", PARTS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_a_part_has_the_bits_of_the_whole(shape, part, dtype, isa):
    whole = KEY.orthogonal(shape, dtype=dtype)
    assert KEY.orthogonal(shape, dtype=dtype, index=part).tobytes() == whole[part].tobytes()


def test_a_part_may_be_of_panels_that_come_late():
    shape = (1100, 1200)
    whole, rows = KEY.orthogonal(shape), (slice(1015, 1060, 3), slice(None))
    assert np.array_equal(KEY.orthogonal(shape, index=rows), whole[rows])


@dtypes
def test_threads_do_not_change_the_bits(dtype):
    before = _core.num_threads()
    try:
        results = set()
        for threads in [1, 2, 3, 8]:
            _core.set_num_threads(threads)
            results.add(KEY.orthogonal((200, 300), dtype=dtype).tobytes())
    finally:
        _core.set_num_threads(before)
    assert len(results) == 1


def test_out_may_have_any_strides():
    for out in [
        np.full((2, 6, 4), np.nan, order="F"),
        np.full((4, 6, 8), np.nan, np.float32)[::2, :, ::-2],
        np.full((2, 6, 4), np.nan, ">f8"),
    ]:
        assert KEY.orthogonal((2, 6, 4), out=out) is out
        assert np.array_equal(out, KEY.orthogonal((2, 6, 4), dtype=out.dtype))


N, DRAWS = 8, 20_000


@pytest.fixture(scope="module")
def many():
    return KEY.orthogonal((DRAWS, N, N), dtype="float64")


def test_elements_have_the_moments_of_a_sphere(many):
    """x^2 of a point on the sphere is Beta(1/2, (n - 1)/2): means of x^2, x^4 1/n, 3/(n (n + 2))."""
    for power, mean, square in [(1, 0, 1 / N), (2, 1 / N, 3 / (N * (N + 2))), (4, 3 / (N * (N + 2)), None)]:
        square = square or 105 / (N * (N + 2) * (N + 4) * (N + 6))
        off = abs((many**power).mean(0) - mean) / math.sqrt((square - mean**2) / DRAWS)
        assert off.max() < 5.5  # of 64 elements: probability 2.4e-6


def test_no_direction_is_preferred(many):
    """u^T Q v is a coordinate of a point on the sphere for any unit u, v: Kolmogorov-Smirnov on its angle."""
    u, v = np.linspace(-1, 2, N), np.cos(np.arange(N))
    x = np.sort(np.einsum("i,kij,j->k", u / np.linalg.norm(u), many, v / np.linalg.norm(v)))
    grid = np.linspace(0, math.pi, 4001)
    law = np.cumsum(np.sin(grid) ** (N - 2))
    f = np.interp(np.arccos(-x), grid, (law - law[0] / 2) / law[-1])
    steps = np.arange(DRAWS + 1) / DRAWS
    assert max((steps[1:] - f).max(), (f - steps[:-1]).max()) * math.sqrt(DRAWS) < 2.5  # 7e-6


def test_traces_of_powers_are_those_of_the_haar_measure(many):
    """Diaconis & Shahshahani 1994, theorem 4: tr Q^k has mean 1 for even k, else 0, and variance k.

    So do the eigenvalues repel each other: n independent phases would give variance n for every k.
    """
    power = np.broadcast_to(np.eye(N), many.shape)
    for k in range(1, 5):
        power = power @ many
        trace = np.trace(power, axis1=1, axis2=2)
        mean = 1 - k % 2
        assert abs(trace.mean() - mean) < 5 * math.sqrt(k / DRAWS)
        assert abs(((trace - mean) ** 2).mean() - k) < 5 * k * math.sqrt(2 / DRAWS) * 1.2
    signs = np.linalg.det(many)
    assert abs(signs.mean()) < 5 / math.sqrt(DRAWS) and np.allclose(abs(signs), 1)


def test_unitary_matrices_follow_the_haar_measure():
    """Diaconis & Shahshahani 1994, theorem 1: tr U^k has mean 0, |tr U^k|^2 mean k, (tr U^k)^2 mean 0."""
    many = KEY.orthogonal((DRAWS, N, N), dtype="complex128")
    power = np.broadcast_to(np.eye(N), many.shape)
    for k in range(1, 5):
        power = power @ many
        trace = np.trace(power, axis1=1, axis2=2)
        assert abs(trace.mean()) < 5 * math.sqrt(k / DRAWS)
        assert abs((abs(trace) ** 2).mean() - k) < 5 * k / math.sqrt(DRAWS)
        assert abs((trace**2).mean()) < 5 * k * math.sqrt(2 / DRAWS)
    phase = np.sort(np.angle(np.linalg.det(many)) / (2 * math.pi) + 0.5)  # uniform
    assert abs(phase - np.arange(DRAWS) / DRAWS).max() * math.sqrt(DRAWS) < 2.5
    away = abs((abs(many) ** 2).mean(0) - 1 / N) / math.sqrt((2 / (N * (N + 1)) - 1 / N**2) / DRAWS)
    assert away.max() < 5.5


@pytest.mark.parametrize(
    "failure, call",
    [
        (ValueError, lambda: KEY.orthogonal((3,))),
        (ValueError, lambda: KEY.orthogonal(3)),
        (ValueError, lambda: KEY.orthogonal((3, 3), np.nan)),
        (TypeError, lambda: KEY.orthogonal((3, 3), "1")),
        (IndexError, lambda: KEY.orthogonal((3, 3), index=(0, 3))),
    ],
)
def test_what_cannot_be_is_refused(failure, call):
    with pytest.raises(failure):
        call()


def test_nothing_to_draw():
    assert KEY.orthogonal((0, 3)).shape == (0, 3)
    assert KEY.orthogonal((0, 3, 3)).shape == (0, 3, 3)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({dtype: entries(dtype) for dtype in DTYPES}, indent=1) + "\n")
