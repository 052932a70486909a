"""Formulas have the value that Python gives them, in buffers of their own."""

import numpy as np
import pytest

from initcore.bench.formulas import erf, evaluation

FORMULAS = [
    "+x",
    "-x",
    "x >= 0",
    "2 * 3 + x * (1 / 4)",
    "x * (y - x) * (x + y * y) - (x - y) * (x * x - y)",
    "((x > 0) & (y < 1)) * x + (x < y)",
    "minimum(maximum(x, y), 1) + tanh(x * tanh(y * y))",
    "where(x > y, x * 2, y)",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_is_evaluated(formula, rng):
    x, y = rng.normal(size=(2, 50)).astype("f")
    names, given, out = {"x": x, "y": y}, (x.copy(), y.copy()), np.full(50, np.nan, "f")
    call = evaluation(formula, names, out)
    call()
    call()
    functions = {name: getattr(np, name) for name in ("minimum", "maximum", "tanh", "where")}
    assert np.allclose(out, eval(formula, functions | names), rtol=1e-6)
    assert np.array_equal(x, given[0]) and np.array_equal(y, given[1])


def test_erf_may_run_in_place(rng):
    x = rng.normal(size=100).astype("f")
    y, z = np.empty_like(x), x.copy()
    erf(x, y)
    erf(z, z)
    assert (y == z).all() and (np.sign(y) == np.sign(x)).all()
