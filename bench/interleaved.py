"""The timings of initcore.bench.interleaved under pytest-benchmark, which holds the clock for our side."""

from initcore.bench.interleaved import (
    OURS,
    Entry,
    Result,
    Unit,
    optional,
    plan_rounds,
    rate,
    repeat,
    time_per,
    turn,
)

__all__ = ["Entry", "Result", "Unit", "interleave", "optional", "rate", "time_per"]


def interleave(benchmark, entry, seconds):
    """Let all take turns for about `seconds`; return the result, or None under --benchmark-disable."""
    others, turns = entry.present, []

    def before_ours():
        turns.append(turn(others, warm_ups))
        repeat(entry.ours, warm_ups[OURS])

    calls = {OURS: entry.ours, **others}
    warm_ups, rounds = plan_rounds(calls, seconds) if benchmark.enabled else (dict.fromkeys(calls, 0), 1)
    benchmark.pedantic(entry.ours, setup=before_ours, rounds=rounds)
    if not benchmark.enabled:
        return None
    ours = benchmark.stats.stats.data  # in the order of the turns
    return entry.result([{OURS: mine, **theirs} for mine, theirs in zip(ours, turns, strict=True)])
