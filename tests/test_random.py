"""Random numbers: the generator as published, and the same bits however they are asked for."""

import numpy as np
import pytest

from initcore import _core
from initcore.plan import Plan
from initcore.random import Key

# Known answers of Random123 (kat_vectors, philox4x32-10): counter, key, result.
KNOWN = [
    ("00000000" * 4, "00000000" * 2, "6627e8d5e169c58dbc57ac4c9b00dbd8"),
    ("ffffffff" * 4, "ffffffff" * 2, "408f276d41c83b0ea20bc7c66d5451fd"),
    ("243f6a8885a308d313198a2e03707344", "a4093822299f31d0", "d16cfe0994fdcceb5001e42024126ea1"),
]


def words(text):
    return [int(text[i : i + 8], 16) for i in range(0, len(text), 8)]


@pytest.mark.parametrize("counter, key, answer", KNOWN)
def test_one_block_is_as_published(counter, key, answer, isa):
    assert _core.random_philox(words(counter), words(key)) == words(answer)


def test_bits_are_the_blocks_in_their_order(isa):
    key, step = 0x299F31D0A4093822, 0x0370734413198A2E
    bits = np.zeros(1000, np.uint32)
    _core.random_bits(bits, key, step=step)
    for i in [0, 1, 15, 16, 63, 64, 500, 999]:
        block = i // 64 * 16 + i % 16
        counter = [block, 0, step & 0xFFFFFFFF, step >> 32]
        word = _core.random_philox(counter, [key & 0xFFFFFFFF, key >> 32])[i % 64 // 16]
        assert bits[i] == word


def test_keys_name_streams():
    key = Key(0)
    assert key / "a" / "b" == key / "a/b"
    assert len({key, key / "a", key / "a/b", Key(1), Key(1) / "a"}) == 5
    assert len({(key / f"layer {i}").word for i in range(1000)}) == 1000
    assert Key.of(3) == Key(3) and Key.of(key) is key


@pytest.mark.parametrize("n", [0, 1, 2, 1000])
def test_permutation_is_one(n):
    order = Key(0).permutation(n)
    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(n))
    assert n < 3 or not np.array_equal(order, Key(0).permutation(n, step=1))


def test_permutations_are_equally_likely():
    n, draws = 4, 12_000
    counts = np.zeros([n] * n)
    for step in range(draws):
        counts[tuple(Key(0).permutation(n, step=step))] += 1
    expected = draws / 24
    chi_square = ((counts[counts > 0] - expected) ** 2 / expected).sum()
    assert (counts > 0).sum() == 24
    assert abs(chi_square - 23) < 5 * np.sqrt(2 * 23)  # mean and variance of chi square with 23 degrees


INDICES = [
    0,
    -1,
    ...,
    (),
    slice(None),
    slice(2, 5),
    slice(None, None, -1),
    slice(5, 2),
    (slice(1, 6, 2), 3),
    (..., 2),
    (2, ..., slice(1, 4)),
    (slice(None), slice(None), slice(None, None, -2)),
    (6, 4, 5),
    (slice(3, 4), slice(None), slice(None)),
    (slice(1, 3), slice(1, 3), slice(1, 3)),
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_a_part_is_drawn_alone(index):
    key = Key(0) / "part"
    for shape in [(7, 5, 6), (70, 50, 60)]:
        whole = key.normal(shape)
        part = key.normal(shape, index=index)
        assert part.shape == whole[index].shape
        assert np.array_equal(part, whole[index])


def test_a_part_of_more_than_memory_holds():
    part = Key(0).uniform((10**6, 10**6, 10**5), index=(-1, -1, slice(-3, None)))
    assert part.shape == (3,)
    empty = Key(0).uniform((0, 5), index=(slice(None), 2))
    assert empty.shape == (0,)


def test_order_of_calls_does_not_matter():
    a, b = Key(0) / "a", Key(0) / "b"
    first = [a.normal((9,)), b.normal((9,))]
    second = [b.normal((9,)), a.normal((9,))][::-1]
    assert np.array_equal(first, second)
    assert not np.array_equal(first[0], first[1])


def outs(shape):
    """Arrays to fill, of every kind that is not plain: strided, reversed, Fortran, float16, foreign bytes."""
    yield np.full(shape, np.nan, np.float32)
    yield np.full((shape[0] * 2, shape[1]), np.nan, np.float32)[::2]
    yield np.full(shape, np.nan, np.float32)[::-1]
    yield np.full(shape, np.nan, np.float32, order="F")
    yield np.full(shape, np.nan, np.float16)
    yield np.full(shape, np.nan, np.float32).astype(">f4")
    yield np.frombuffer(bytearray(4 * shape[0] * shape[1] + 1), np.uint8)[1:].view(np.float32).reshape(shape)


def test_a_shape_may_be_an_array():
    for shape in (np.array([3, 4]), np.array([3, 4], np.uint8), [np.int32(3), np.int64(4)]):
        assert np.array_equal(Key(0).normal(shape), Key(0).normal((3, 4)))
    assert Key(0).normal(np.array(5)).shape == Key(0).normal(np.int16(5)).shape == (5,)


def test_out_is_filled_in_place():
    expected = Key(0).normal((6, 4))
    for out in outs((6, 4)):
        assert Key(0).normal((6, 4), out=out) is out
        assert np.array_equal(out, expected.astype(out.dtype))


def test_float16_is_float32_rounded_and_keeps_the_bounds():
    x = Key(0).uniform((100_000,), 1, 1.01, dtype="float16")
    assert x.dtype == np.float16 and x.min() >= 1 and x.max() < np.float16(1.01)


@pytest.mark.parametrize(
    "error, call",
    [
        (TypeError, lambda: Key("0")),
        (TypeError, lambda: Key(0.5)),
        (TypeError, lambda: Key(True)),
        (ValueError, lambda: Key(-1)),
        (TypeError, lambda: Key(0) / None),
        (TypeError, lambda: Key.of("name")),
        (TypeError, lambda: Key(0).normal("3")),
        (TypeError, lambda: Key(0).normal((2.5,))),
        (TypeError, lambda: Key(0).normal(np.array([2.5]))),
        (TypeError, lambda: Key(0).normal(np.array([[2, 3]]))),
        (ValueError, lambda: Key(0).normal((-1, 2))),
        (ValueError, lambda: Key(0).normal((2**40, 2**40))),
        (TypeError, lambda: Key(0).normal(3, dtype="int32")),
        (TypeError, lambda: Key(0).normal(3, out=np.zeros(3, np.uint16))),
        (TypeError, lambda: Key(0).normal(3, dtype=object)),
        (TypeError, lambda: Key(0).normal(3, dtype="float33")),
        (TypeError, lambda: Key(0).normal(3, out=[0.0, 0.0, 0.0])),
        (ValueError, lambda: Key(0).normal(3, out=np.zeros(4, np.float32))),
        (TypeError, lambda: Key(0).normal(3, out=np.zeros(3, np.int32))),
        (IndexError, lambda: Key(0).normal(3, index=3)),
        (IndexError, lambda: Key(0).normal(3, index=(0, 0))),
        (TypeError, lambda: Key(0).normal(3, index=[0, 1])),
        (TypeError, lambda: Key(0).normal(3, index=True)),
        (TypeError, lambda: Key(0).normal(3, index=(None,))),
        (ValueError, lambda: Key(0).normal(3, stddev=-1)),
        (ValueError, lambda: Key(0).normal(3, mean=np.nan)),
        (ValueError, lambda: Key(0).normal(3, stddev=1e38)),
        (ValueError, lambda: Key(0).uniform(3, 2, 1)),
        (ValueError, lambda: Key(0).uniform(3, 0, 1e5, dtype="float16")),
        (ValueError, lambda: Key(0).truncated_normal(3, low=1, high=1)),
        (ValueError, lambda: Key(0).truncated_normal(3, low=10, high=11)),
        (ValueError, lambda: Key(0).truncated_normal(3, low=np.nan)),
    ],
)
def test_what_cannot_be_is_refused(error, call):
    with pytest.raises(error):
        call()


def test_a_read_only_array_is_refused_and_untouched():
    out = np.zeros(3, np.float32)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="writable"):
        Key(0).normal(3, out=out)
    assert not out.any()


def plan_run(add, columns, rows, step):
    """The buffer (full of NaN before) after one batch of `rows` examples out of 8."""
    plan = Plan(batch_size=8)
    buffer = plan.batch(columns)
    add(plan, buffer)
    plan.build()
    buffer.array[:] = np.nan
    plan.core.start(["forward"], rows, step=step)
    while plan.core.advance(plan.core.total, 0.1) < plan.core.total:
        pass
    return buffer.array.copy()


@pytest.mark.parametrize("rows", [1, 5, 8])
def test_a_plan_draws_anew_for_each_step(rows, isa):
    word = (Key(0) / "noise").word

    def add(plan, buffer):
        plan.add("forward", "random_uniform", out=buffer, key=word, low=-1.0, high=1.0)

    for step in [1, 2]:
        got = plan_run(add, 33, rows, step)
        expected = (Key(0) / "noise").uniform((8, 33), -1, 1, step=step)
        assert np.array_equal(got[:rows], expected[:rows])
        assert np.isnan(got[rows:]).all()


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.9])
def test_a_dropout_mask_keeps_the_mean(rate, isa):
    def add(plan, buffer):
        plan.add("forward", "dropout_mask", mask=buffer, key=Key(0).word, rate=rate)

    n = 8 * 5000
    mask = plan_run(add, 5000, 8, step=3)
    assert set(np.unique(mask)) <= {np.float32(0), np.float32(1 / (1 - rate))}
    assert abs((mask == 0).sum() - rate * n) <= 5 * np.sqrt(rate * (1 - rate) * n)
    assert np.array_equal(mask, plan_run(add, 5000, 8, step=3))
    assert rate == 0 or not np.array_equal(mask, plan_run(add, 5000, 8, step=4))
    assert np.array_equal(mask[:3], plan_run(add, 5000, 3, step=3)[:3])
