"""Operations that move and join arrays: every dtype, tail and instruction set, any number of threads."""

import numpy as np
import pytest

from initcore import _core
from initcore.plan import Plan

DTYPES = [np.float32, np.float64]
SOURCES = [np.float32, np.float64, np.uint8]
# Around one and four vectors of every instruction set, a unit of columns, and a grain of 4096 elements.
COLUMNS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 130]
ROWS = [1, 2, 7, 33]
dtypes = pytest.mark.parametrize("dtype", DTYPES)


def some(source, shape, rng):
    return (
        rng.integers(0, 256, shape, np.uint8) if source == np.uint8 else rng.normal(size=shape).astype(source)
    )


def run(operation, rows, dtype, output, run_arguments=None, **arguments):
    """Run one operation on ``rows`` rows; return its output, which is poisoned first."""
    plan = Plan(rows, np.dtype(dtype))
    arguments[output].fill(np.nan if arguments[output].dtype.kind == "f" else -1)
    operands = {
        name: plan.view(value, per_row=int(value.ndim > 1)) if isinstance(value, np.ndarray) else value
        for name, value in arguments.items()
    }
    plan.add("run", operation, **operands)
    plan.build()
    plan.run(["run"], rows, **(run_arguments or {}))
    return arguments[output]


def gather(data, order, dtype):
    y = np.empty((len(data) if order is None else len(order), data.shape[1]), dtype)
    given = {"inputs": {"x": data}, "order": order}
    return run(
        "gather", len(y), y.dtype if y.dtype.kind == "f" else np.float32, "out", given, slot="x", out=y
    )


@dtypes
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("ordered", [False, True])
def test_gather_picks_rows_and_converts(dtype, source, ordered, isa, rng):
    scale = 1 / 255 if source == np.uint8 else 1
    for n in ROWS:
        for columns in COLUMNS:
            data = some(source, (n + 5, columns), rng)
            order = rng.integers(0, len(data), n) if ordered else None
            y = gather(data[:n] if order is None else data, order, dtype)
            expected = data[range(n) if order is None else order].astype(np.float64) * scale
            # Of a conversion alone nothing is lost but what the dtype cannot hold; bytes are scaled besides.
            error = 2 * np.finfo(dtype).eps * abs(expected) if source == np.uint8 else 0
            assert (abs(y - expected.astype(dtype)) <= error).all()


def test_bytes_reach_0_and_1_exactly(isa):
    for dtype in DTYPES:
        assert gather(np.array([[0, 255]], np.uint8), None, dtype).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("columns", [1, 3])
def test_labels_are_gathered_as_they_are(columns, isa, rng):
    labels = rng.integers(-(2**31), 2**31 - 1, (9, columns)).astype(np.int32)
    order = rng.permutation(9)
    np.testing.assert_array_equal(gather(labels, order, np.int32), labels[order])


@dtypes
def test_column_sum_adds_up_every_column(dtype, isa, rng):
    for n in [*ROWS, 500]:
        for columns in COLUMNS:
            x, y = rng.normal(size=(n, columns)).astype(dtype), np.empty(columns, dtype)
            run("column_sum", n, dtype, "out", x=x, out=y)
            # Higham 2002, equation 4.4: a sum of n terms errs by at most n eps times the sum of sizes.
            bound = n * np.finfo(dtype).eps * abs(x.astype(np.float64)).sum(axis=0)
            assert (abs(y - x.astype(np.float64).sum(axis=0)) <= bound).all()


@dtypes
@pytest.mark.parametrize("name, function", [("add", np.add), ("multiply", np.multiply)])
def test_elementwise_operations_round_once(name, function, dtype, isa, rng):
    for shape in [(n, c) for n in ROWS for c in COLUMNS] + [(1, 4095), (1, 4097), (3, 3000)]:
        a, b = (rng.normal(size=shape).astype(dtype) for _ in "ab")
        np.testing.assert_array_equal(
            run(name, len(a), dtype, "y", a=a, b=b, y=np.empty(shape, dtype)), function(a, b)
        )


@dtypes
def test_the_output_may_be_an_operand(dtype, isa, rng):
    a, b = (rng.normal(size=(3, 67)).astype(dtype) for _ in "ab")
    expected = a + b
    plan = Plan(3, np.dtype(dtype))
    y = plan.view(a, per_row=1)
    plan.add("run", "add", a=y, b=plan.view(b, per_row=1), y=y)
    plan.build()
    plan.run(["run"], 3)
    np.testing.assert_array_equal(a, expected)


@dtypes
def test_bits_do_not_depend_on_the_number_of_threads(dtype, isa, rng):
    n, columns = 701, 1003  # large enough for several threads
    a, b = (rng.normal(size=(n, columns)).astype(dtype) for _ in "ab")
    order = rng.permutation(n)

    def results():
        return [
            gather(a, order, dtype).tobytes(),
            run("column_sum", n, dtype, "out", x=a, out=np.empty(columns, dtype)).tobytes(),
            run("add", n, dtype, "y", a=a, b=b, y=np.empty_like(a)).tobytes(),
            run("multiply", n, dtype, "y", a=a, b=b, y=np.empty_like(a)).tobytes(),
        ]

    before, found = _core.num_threads(), []
    try:
        for threads in (1, 2, 3, 5):
            _core.set_num_threads(threads)
            found.append(results())
    finally:
        _core.set_num_threads(before)
    assert found == found[:1] * 4


@pytest.mark.parametrize(
    "operation, shapes, words",
    [
        ("column_sum", {"x": (2, 3), "out": (4,)}, ["one element per column"]),
        ("add", {"a": (2, 3), "b": (2, 4), "y": (2, 3)}, ["same shape", "(2, 4)"]),
        ("multiply", {"a": (2, 3), "b": (2, 3), "y": (3, 3)}, ["same shape", "(3, 3)"]),
    ],
)
def test_shapes_that_do_not_fit_are_refused(operation, shapes, words):
    plan = Plan(2)
    views = {name: plan.view(np.zeros(shape, np.float32)) for name, shape in shapes.items()}
    plan.add("run", operation, **views)
    with pytest.raises(ValueError) as error:
        plan.build()
    assert all(word in str(error.value) for word in words), error.value


def test_dtypes_that_do_not_fit_are_refused():
    plan = Plan(2)
    x, out = plan.view(np.zeros((2, 3), np.float32)), plan.view(np.zeros(3))
    plan.add("run", "column_sum", x=x, out=out)
    with pytest.raises(ValueError, match="out must be float32, got float64"):
        plan.build()
