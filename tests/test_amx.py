"""Products through AMX tiles: what is left of the tiles, and what happens when they are lost.

That the products are right, tests/test_gemm.py sees: on tiles, or where there are none, on emulated ones.
"""

import re
import shutil
import subprocess

import emulated_amx
import numpy as np
import pytest
from emulated_amx import COMPILER, NAME, compiled, library, matmul

from initcore import _core

obstacle = emulated_amx.obstacle()
emulated = pytest.mark.skipif(obstacle is not None, reason=obstacle or "")
has_kernel = pytest.mark.skipif(
    NAME not in _core.compiled_bf16() or not COMPILER or not shutil.which("objdump"),
    reason="needs this kernel, a C++ compiler and objdump",
)


@pytest.fixture
def lose():
    """Let tiles be lost; returns how often they were."""
    yield library().lose
    library().lose(0, False, False)


@emulated
@pytest.mark.parametrize("to_older", [False, True], ids=["to zero", "to what they held before"])
def test_what_is_lost_is_computed_again(lose, to_older, rng):
    """Also on top of what c holds, which must not be added twice."""
    a, b = (rng.normal(size=shape).astype(np.float32) for shape in ((70, 300), (300, 90)))
    start = rng.normal(size=(70, 90)).astype(np.float32)
    expected, c = start.copy(), start.copy()
    matmul("nn", a, b, expected, accumulate=True)
    lose(211, False, to_older)  # more than a block of sums takes, and no multiple of it
    matmul("nn", a, b, c, accumulate=True)
    assert lose(0, False, False) > 3
    np.testing.assert_array_equal(c, expected)


@emulated
@pytest.mark.parametrize("exponent", [0, -64], ids=["ordinary", "subnormal"])
@pytest.mark.parametrize("shape", [(70, 300, 90), (1, 1, 1), (33, 513, 16)], ids=str)
def test_where_tiles_are_always_lost_the_same_bits_come_without_them(lose, shape, exponent, rng):
    m, k, n = shape
    a, b = (np.ldexp(rng.normal(size=size), exponent).astype(np.float32) for size in ((m, k), (k, n)))
    least = np.abs(a[:, :1] * b[:1].astype(np.float64)).min()  # of the products
    assert (least < np.finfo(np.float32).tiny) == (exponent < 0)
    expected, c = np.full((2, m, n), np.nan, np.float32)
    matmul("nn", a, b, expected)
    lose(1, False, False)
    matmul("nn", a, b, c)
    assert lose(0, False, False) > 3
    np.testing.assert_array_equal(c, expected)


@emulated
def test_the_self_test_passes_where_tiles_are_kept():
    assert library().self_test()


@emulated
@pytest.mark.parametrize("to_older", [False, True])
def test_the_self_test_fails_where_tiles_are_lost_while_others_run(lose, to_older):
    lose(0, True, to_older)
    assert not library().self_test()
    assert lose(0, False, False) > 0


@emulated
def test_the_configuration_of_another_library_is_put_back():
    c = np.zeros(1, np.float32)
    assert library().foreign_configuration_survives(c.ctypes.data)
    assert c == 1


@emulated
@pytest.mark.parametrize("rounds", [0, 1, 15, 16, 17, 100])
def test_every_sum_of_the_roof_has_every_round(rounds, rng):
    values = rng.integers(0, 100, library().roof_sums()).astype(np.float32)
    expected = values + 2 * 0.75 * rounds  # exact
    library().roof_multiply_add(values.ctypes.data, 0.75, rounds)
    np.testing.assert_array_equal(values, expected)


@has_kernel
def test_no_function_leaves_tiles_behind(tmp_path):
    """Each one that configures tiles keeps what was configured before, and releases them."""
    code = subprocess.run(
        ["objdump", "--disassemble", "--no-show-raw-insn", compiled(tmp_path / "kernel.o", "-O3")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    functions = [re.findall(r"\t(\w+)", body) for body in re.split(r"\n\w+ <.*>:\n", code)[1:]]
    assert any("tdpbf16ps" in body for body in functions)
    configuring = [body for body in functions if "ldtilecfg" in body]
    assert len(configuring) >= 3  # the product, the roof, the self-test
    for body in configuring:
        assert "tilerelease" in body and "sttilecfg" in body[: body.index("ldtilecfg")]
