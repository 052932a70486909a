"""Random numbers: the generator as published, and the same bits however they are asked for."""

import numpy as np
import pytest

from initcore import _core
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
