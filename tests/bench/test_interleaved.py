"""Turns, medians, ratios, units."""

import json

import pytest

from initcore.bench import interleaved
from initcore.bench.interleaved import OURS, ROOF, Entry, Result, Unit, measure, rate, time_per

SECONDS = Unit("s", lambda seconds: seconds)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until a call moves it."""
    now = [0.0]
    monkeypatch.setattr(interleaved, "perf_counter", lambda: now[0])

    def lasting(*seconds):
        """A call that takes these seconds in turn, the last ones for ever."""
        left = list(seconds)

        def call():
            now[0] += left.pop(0) if len(left) > 1 else left[0]

        return call

    return lasting


def test_the_median_of_each_is_what_counts(clock):
    # Two to warm up, then seven that count; a disturbance in two of them moves nothing.
    entry = Entry("g", "n", SECONDS, clock(9, 9, 1, 5, 1, 1, 50, 1, 1), {"b": clock(9, 9, 2)})
    assert measure(entry, seconds=0).seconds == {OURS: 1, "b": 2}


def test_they_are_compared_within_each_turn(clock):
    """A machine that is slow for half of the time is slow for all of them."""
    ours, other = (4, 4, 4, 1, 1, 1, 1), (8, 8, 8, 8, 2, 2, 2)  # one was disturbed in between
    entry = Entry("g", "n", SECONDS, clock(9, 9, *ours), {"b": clock(9, 9, *other)})
    result = measure(entry, seconds=0)
    assert result.ratios == {"b": 2.0} and result.seconds == {OURS: 1, "b": 8}


def test_they_take_turns():
    order = []
    calls = {name: lambda name=name: order.append(name) for name in "bc"}
    measure(Entry("g", "n", SECONDS, lambda: order.append("a"), calls), seconds=0, at_least=3)
    assert "".join(order).startswith("abcabc") and order.count("a") == order.count("b") == order.count("c")


def test_quick_calls_are_warmed_up_before_each_timing(clock):
    calls = {"quicker": clock(30e-6), "quick": clock(0.005), "slow": clock(1.0)}
    cost = 35 * 30e-6 + 2 * 0.005 + 1.0
    assert interleaved.plan_rounds(calls, 20.5 * cost) == ({"quicker": 34, "quick": 1, "slow": 0}, 20)
    assert interleaved.plan_rounds(calls, seconds=0)[1] == interleaved.ROUNDS[0]
    assert interleaved.plan_rounds(calls, seconds=1e9)[1] == interleaved.ROUNDS[1]
    cold = {"quick": clock(0.5, 0.001, 0.5, 0.001)}
    assert interleaved.turn(cold, {"quick": 1})["quick"] == pytest.approx(0.001)
    assert interleaved.turn(cold, {"quick": 0})["quick"] == pytest.approx(0.5)


def test_an_entry_becomes_ratios_and_a_part_of_the_roof(clock):
    entry = Entry("group", "name", SECONDS, clock(2.0), {"A": clock(6.0), "B": None}, clock(1.0))
    result = measure(entry, seconds=0)
    assert result.ratios == {"A": 3.0} and result.of_roof == 0.5 and result.missing == ["B"]
    info = json.loads(json.dumps(result.info()))
    assert info["values"] == {OURS: 2.0, "A": 6.0, ROOF: 1.0} and info["group"] == "group"
    assert result.value == 2.0 and entry.called("other").name == "other"
    assert Result("g", "n", SECONDS, [{OURS: 1.0, "A": 2.0}]).of_roof is None


@pytest.mark.parametrize(
    "unit, seconds, value",
    [
        (time_per("ns per element", 10), 1e-6, 100),
        (time_per("us per step", 4), 1e-3, 250),
        (time_per("ms", 1), 2, 2000),
        (rate("GB/s", 4), 2, 2),
    ],
)
def test_units(unit, seconds, value):
    assert unit.value(seconds) == pytest.approx(value)


def test_what_is_not_installed_is_none():
    assert interleaved.optional("json") is json
    assert interleaved.optional("surely_not_installed") is None
