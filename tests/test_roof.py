"""The roof: that its loops do what they say on every instruction set, and the form of what is measured."""

import json
import math

import numpy as np
import pytest

from initcore import _core, optimizers, roof

DTYPES = ["float32", "float64"]
SIZES = [0, 1, 3, 4, 7, 8, 15, 16, 17, 63, 64, 127, 128, 129, 300]  # around one and eight vectors
dtypes = pytest.mark.parametrize("dtype", DTYPES)


@pytest.fixture(params=[1, 2])
def threads(request):
    before = _core.num_threads()
    _core.set_num_threads(request.param)
    yield request.param
    _core.set_num_threads(before)


def some(rng, shape, dtype):
    return rng.uniform(0.5, 1, shape).astype(dtype)


@dtypes
@pytest.mark.parametrize("rounds", [0, 1, 2, 37])
def test_every_sum_has_every_round(dtype, rounds, threads, isa, rng):
    """So 2 * size * rounds operations were done: none is left out by the compiler."""
    values = some(rng, (threads, _core.roof_sums(dtype)), dtype)
    expected = values.astype(np.float64)
    for _ in range(rounds):
        expected = expected * 0.75 + 0.25
    _core.roof_multiply_add(values, 0.75, 0.25, rounds)
    # Each round halves an earlier error at least by 3/4 and adds one rounding: less than four in all.
    assert abs(values - expected).max() <= 4 * np.finfo(dtype).eps
    assert _core.roof_sums(dtype) >= 8


@dtypes
@pytest.mark.parametrize("n", SIZES)
def test_memory_is_read_and_written(dtype, n, threads, isa, rng):
    x, b, c, g = (some(rng, (threads, n), dtype) for _ in range(4))
    eps = np.finfo(dtype).eps
    out, a = np.full(threads, np.nan, dtype), np.full((threads, n), np.nan, dtype)
    _core.roof_sum(x, out, 1)
    assert abs(out - x.sum(axis=1, dtype=np.float64)).max() <= max(n, 1) ** 2 * eps  # n terms, sums below n
    _core.roof_triad(a, b, c, 0.5, 2)
    np.testing.assert_allclose(a, b + 0.5 * c.astype(np.float64), rtol=2 * eps)
    vectors = [some(rng, (threads, n), dtype) for _ in range(3)]
    expected = [(v.astype(np.float64) * 0.5 + g) * 0.5 + g for v in vectors]
    _core.roof_update(*vectors, g, 0.5, 2)
    np.testing.assert_allclose(vectors, expected, rtol=4 * eps)


def test_wrong_arrays_are_refused():
    f = np.ones((1, 8), np.float32)
    with pytest.raises(ValueError, match="a row of values must have"):
        _core.roof_multiply_add(f, 0.5, 1, 1)
    with pytest.raises(ValueError, match="one shape"):
        _core.roof_triad(f.copy(), f, np.ones((2, 8), np.float32), 0.5, 1)
    with pytest.raises(ValueError, match="share memory"):
        _core.roof_triad(f, f, f.copy(), 0.5, 1)
    with pytest.raises(ValueError, match="share memory"):
        _core.roof_update(f, f.copy(), f.copy(), f, 0.5, 1)
    with pytest.raises(ValueError, match="two axes"):
        _core.roof_sum(f[0].copy(), np.ones(1, np.float32), 1)
    with pytest.raises(ValueError, match="passes must be"):
        _core.roof_sum(f, np.ones(1, np.float32), -1)
    with pytest.raises(ValueError, match="dtype must be"):
        _core.roof_sums("int8")


def test_every_figure_is_there_and_positive(threads, isa):
    found = roof.measure(threads, seconds=0.01)
    assert found.isa == isa and found.threads == threads
    assert found.gflops.keys() == {*DTYPES, *(["bf16"] if _core.active_bf16() else [])}
    assert [level.name for level in found.levels] == ["L1", "L2", "L3", "DRAM"]
    sizes = [level.size for level in found.levels]
    assert sizes == sorted(sizes) and sizes[0] >= 4096
    figures = [*found.gflops.values(), *(v for e in found.levels for v in (e.read, e.triad, e.update))]
    assert all(math.isfinite(figure) and figure > 0 for figure in figures)
    assert json.loads(json.dumps(found.to_dict()))["levels"][0]["name"] == "L1"


def test_a_measurement_leaves_the_number_of_threads():
    before = _core.num_threads()
    roof.measure(before + 1, seconds=0)
    assert _core.num_threads() == before
    with pytest.raises(ValueError, match="threads must be"):
        roof.measure(0)


LEVELS = (
    roof.Level("L1", 1000, 4.0, 4.0, 4.0),
    roof.Level("L2", 10_000, 2.0, 2.0, 2.0),
    roof.Level("DRAM", 100_000, 1.0, 1.0, 1.0),
)


def test_the_roof_of_a_step_is_products_and_traffic():
    found = roof.Roof("any", 1, {"float32": 10.0, "float64": 5.0}, LEVELS)
    assert [found.level(size).name for size in (0, 1000, 1001, 10_000, 1e9)] == [
        "L1",
        "L1",
        "L2",
        "L2",
        "DRAM",
    ]
    assert found.step(5e9, 0) == 0.5
    assert found.step(0, 100) == pytest.approx(28 * 100 / 2e9)  # 1600 bytes of state: in L2
    assert found.step(0, 100, slots=0) == pytest.approx(12 * 100 / 4e9)  # 800: in L1


def test_the_system_may_not_tell_of_its_caches(monkeypatch, tmp_path):
    monkeypatch.setattr(roof, "_CACHES", tmp_path)
    assert roof._sizes().items() >= roof._USUAL.items()
    for index, (level, kind, size) in enumerate([("1", "Instruction", "7K"), ("2", "Unified", "3M?")]):
        folder = tmp_path / f"index{index}"
        folder.mkdir()
        for name, value in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(value + "\n")
    assert roof._sizes().items() >= roof._USUAL.items()
    (tmp_path / "index1" / "size").write_text("64K\n")
    assert roof._sizes()["L2"] == 64 << 10


@dtypes
def test_calls_of_the_roof_do_as_much_as_asked(dtype, monkeypatch):
    done = []
    monkeypatch.setattr(_core, "roof_multiply_add", lambda values, *rest: done.append((values, rest[-1])))
    roof.multiply_adds(1e8, 2, dtype)()
    ((values, rounds),) = done
    assert 2 * values.size * rounds == pytest.approx(1e8, rel=1e-3) and values.dtype == dtype


@pytest.mark.parametrize("name", optimizers.names())
@pytest.mark.parametrize("steps", [1, 4, 500])
def test_the_roof_of_an_optimizer_moves_its_bytes_in_its_memory(name, steps, threads, monkeypatch):
    done = []
    monkeypatch.setattr(_core, "roof_update", lambda *rest: done.append((rest[:4], rest[-1])))
    n, slots = 100_000, optimizers.get(name).slots
    roof.updates(n, steps, threads, slots)()
    ((vectors, passes),) = done
    reads, writes = len(vectors), len(vectors) - 1
    moved = passes * (reads + writes) * vectors[0].size
    assert moved == pytest.approx(steps * n * ((2 + slots) + (1 + slots)), rel=2e-3)  # whole cache lines
    memory = sum(vector.size for vector in vectors)
    assert memory == pytest.approx(
        n * (2 + slots), rel=2e-3 + 0.5 / passes * (slots != 2)
    )  # passes are whole
    assert len(vectors[0]) == threads


def test_no_page_of_a_measured_memory_is_the_one_that_all_untouched_ones_share(monkeypatch):
    """That one reads as zeros, from the nearest cache."""
    seen = []

    def keep(*arguments):
        seen.extend(value for value in arguments if isinstance(value, np.ndarray) and value.ndim == 2)

    for name in ("roof_sum", "roof_triad", "roof_update"):
        monkeypatch.setattr(_core, name, keep)
    roof._level("DRAM", 1 << 20, 2, 0)
    roof.updates(100_000)()
    assert len({id(array) for array in seen}) == 1 + 3 + 4 + 4
    assert all(array.all() for array in seen)


@pytest.mark.skipif(not _core.active_bf16(), reason="needs an instruction for products in bfloat16")
def test_the_roof_in_bf16_does_every_round(threads, monkeypatch):
    values = np.zeros((threads, _core.roof_sums("bf16")), np.float32)
    _core.roof_multiply_add_bf16(values, 0.75, 37)
    assert (values == 37 * 2 * 0.75).all()
    with pytest.raises(ValueError, match="a row of values must have"):
        _core.roof_multiply_add_bf16(np.zeros((1, 16), np.float32), 1, 1)
    done = []
    monkeypatch.setattr(_core, "roof_multiply_add_bf16", lambda *arguments: done.append(arguments))
    roof.multiply_adds(1e8, threads, "bf16")()
    (sums, _, rounds) = done[0]
    assert 4 * sums.size * rounds == pytest.approx(1e8, rel=1e-3)
