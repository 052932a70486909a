"""Laws of random numbers: their distribution, and that an element depends on key, step and number alone."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest

from initcore import _core
from initcore.random import Key

KEY = Key(0) / "tests"
GOLDEN = Path(__file__).with_name("golden_random.json")

# Every law as (out, first element, step) -> None, and the distribution function it follows.
LAWS = {
    "uniform": lambda out, offset=0, step=0: _core.random_uniform(
        out, KEY.word, low=-1, high=2, step=step, offset=offset, strides=[1]
    ),
    "normal": lambda out, offset=0, step=0: _core.random_normal(
        out, KEY.word, mean=0, stddev=1, step=step, offset=offset, strides=[1]
    ),
    "truncated_normal": lambda out, offset=0, step=0: _core.random_truncated_normal(
        out, KEY.word, mean=0, stddev=1, low=-2, high=2, step=step, offset=offset, strides=[1]
    ),
    "upper_tail": lambda out, offset=0, step=0: _core.random_truncated_normal(
        out, KEY.word, mean=0, stddev=1, low=6, high=math.inf, step=step, offset=offset, strides=[1]
    ),
    "lopsided": lambda out, offset=0, step=0: _core.random_truncated_normal(
        out, KEY.word, mean=0, stddev=1, low=-0.5, high=3, step=step, offset=offset, strides=[1]
    ),
    "bernoulli": lambda out, offset=0, step=0: _core.random_bernoulli(
        out, KEY.word, probability=0.3, value=2, step=step, offset=offset, strides=[1]
    ),
}

above = np.vectorize(lambda z: math.erfc(z / math.sqrt(2)) / 2, otypes=[float])  # P(Z > z)


def normal_within(low, high):
    """The distribution function of a normal law cut at these bounds, as differences of upper tails."""
    total = float(above(low) - above(high))
    return lambda z: (above(low) - above(z)) / total


DISTRIBUTION = {
    "uniform": lambda x: (x + 1) / 3,
    "normal": normal_within(-math.inf, math.inf),
    "truncated_normal": normal_within(-2, 2),
    "upper_tail": normal_within(6, math.inf),
    "lopsided": normal_within(-0.5, 3),
}

every_law = pytest.mark.parametrize("law", LAWS)
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def drawn(law, n, dtype, **where):
    out = np.full(n, np.nan, dtype)
    LAWS[law](out, **where)
    return out


@dtypes
@every_law
def test_the_bits_are_those_of_the_golden_file(law, dtype, isa):
    """To change them on purpose: run this file, and say so in the change log."""
    entry = json.loads(GOLDEN.read_text())[f"{np.dtype(dtype)} {law}"]
    assert [float(x).hex() for x in drawn(law, 4, dtype)] == entry["first"]
    assert [float(x).hex() for x in drawn(law, 2, dtype, offset=10**15, step=7)] == entry["far"]
    assert hashlib.sha256(drawn(law, 10_007, dtype).tobytes()).hexdigest() == entry["sha256"]


@dtypes
@every_law
def test_a_slice_has_the_bits_of_the_whole(law, dtype, isa):
    whole = drawn(law, 10_007, dtype)
    for first in [0, 1, 15, 31, 32, 63, 64, 1000, 4095]:
        for n in [0, 1, 7, 64, 65, 5000]:
            assert drawn(law, n, dtype, offset=first).tobytes() == whole[first : first + n].tobytes()


@dtypes
@every_law
def test_threads_do_not_change_the_bits(law, dtype):
    before = _core.num_threads()
    try:
        results = set()
        for threads in [1, 2, 3, 8]:
            _core.set_num_threads(threads)
            results.add(drawn(law, 100_003, dtype).tobytes())
    finally:
        _core.set_num_threads(before)
    assert len(results) == 1


@dtypes
@every_law
def test_steps_and_keys_part(law, dtype):
    a, b = drawn(law, 1000, dtype), drawn(law, 1000, dtype, step=1)
    assert (a != b).mean() > 0.2


@dtypes
@pytest.mark.parametrize("name", DISTRIBUTION)
def test_values_follow_the_distribution(name, dtype):
    """Kolmogorov-Smirnov: beyond 2.2 / sqrt(n) with probability 2 exp(-2 * 2.2^2) = 1.2e-4."""
    n = 50_000
    x = np.sort(drawn(name, n, dtype).astype(float))
    f = DISTRIBUTION[name](x)
    steps = np.arange(n + 1) / n
    assert max((steps[1:] - f).max(), (f - steps[:-1]).max()) * math.sqrt(n) < 2.2


@dtypes
def test_moments_of_the_normal_law(dtype):
    n = 2_000_000
    z = drawn("normal", n, dtype).astype(float)
    # Standard errors of the first four moments of a normal law, times sqrt(n).
    for power, moment, error in [
        (1, 0, 1),
        (2, 1, math.sqrt(2)),
        (3, 0, math.sqrt(15)),
        (4, 3, math.sqrt(96)),
    ]:
        assert abs((z**power).mean() - moment) < 5 * error / math.sqrt(n)
    far = 2 * float(above(4))
    assert abs((abs(z) > 4).sum() - n * far) < 5 * math.sqrt(n * far)


def polar(words):
    """What the normal law makes of the words of its elements: places j and j + 16 of 32 are a point."""
    width = 8 * words.itemsize
    first, second = words.reshape(-1, 2, 16).swapaxes(0, 1)
    k = first >> words.dtype.type(1)
    most = words.dtype.type((1 << (width - 1)) - 1)
    near = k > most // 2  # to 1
    u = np.where(near, -((most - k) + 0.5), k + 0.5) * 0.5 ** (width - 1)
    radius = np.sqrt(-2 * np.where(near, np.log1p(np.minimum(u, 0)), np.log(abs(u))))
    fraction = (second << words.dtype.type(2) | words.dtype.type(2)).view(f"int{width}")
    angle = fraction * 0.5**width * (np.pi / 2)
    minus, swap = second >> words.dtype.type(width - 1) == 1, (second >> words.dtype.type(width - 2)) & 1 == 1
    x, y = np.where(minus, -1, 1) * np.cos(angle), np.sin(angle)
    return (radius * np.stack([np.where(swap, y, x), np.where(swap, x, y)])).swapaxes(0, 1).ravel()


@pytest.mark.parametrize("dtype, bits", [(np.float32, np.uint32), (np.float64, np.uint64)])
def test_a_normal_value_is_what_its_words_say(dtype, bits, isa):
    """So all rates are right, in the tails and near the mean: the words are uniform."""
    n = 1 << 20
    words = np.empty(n, bits)
    _core.random_bits(words, KEY.word)
    z, expected = drawn("normal", n, dtype).astype(float), polar(words)
    assert np.all(abs(z / expected - 1) <= 4 * float(np.finfo(dtype).eps))
    assert abs(z).max() > 4.7


@dtypes
def test_uniform_stays_below_high(dtype):
    """Rounding low + u (high - low) would reach high here."""
    high = 1 + 4 * float(np.finfo(dtype).eps)
    x = np.full(10_000, np.nan, dtype)
    _core.random_uniform(x, 0, low=1, high=high)
    assert x.min() == 1 and x.max() < high
    _core.random_uniform(x, 0, low=3, high=3)
    assert np.all(x == 3)


@dtypes
@pytest.mark.parametrize("probability", [0, 2**-32, 0.3, 1 - 2**-32, 1])
def test_bernoulli(dtype, probability, isa):
    n = 100_000
    x = np.full(n, np.nan, dtype)
    _core.random_bernoulli(x, KEY.word, probability=probability, value=4)
    assert set(np.unique(x)) <= {0, 4}
    error = math.sqrt(probability * (1 - probability) * n)
    assert abs((x == 4).sum() - probability * n) <= 5 * error + 0.01
    if probability in (0, 1):
        assert np.all(x == 4 * probability)


@pytest.mark.parametrize(
    "low, high", [(-2, 2), (-9, 9), (0, 1), (-1, 0), (2, 2.001), (-40, -8.9), (8.9, math.inf)]
)
@dtypes
def test_truncation_keeps_its_bounds(dtype, low, high, isa):
    x = np.full(10_000, np.nan, dtype)
    _core.random_truncated_normal(x, 0, mean=0, stddev=1, low=low, high=high)
    assert dtype(low) <= x.min() < x.max() <= dtype(high)


def freeze():
    golden = {}
    for dtype in (np.float32, np.float64):
        for law in LAWS:
            golden[f"{np.dtype(dtype)} {law}"] = {
                "first": [float(x).hex() for x in drawn(law, 4, dtype)],
                "far": [float(x).hex() for x in drawn(law, 2, dtype, offset=10**15, step=7)],
                "sha256": hashlib.sha256(drawn(law, 10_007, dtype).tobytes()).hexdigest(),
            }
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    freeze()
