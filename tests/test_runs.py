"""Statistics of runs, against NumPy and the definitions."""

import math

import numpy as np
import pytest
from comparisons import NAN, run, scheme

from initcore.runs import Spread, difference, finite_or_none


def test_spread_is_mean_and_sample_deviation(rng):
    values = rng.normal(size=7).tolist()
    spread = Spread.of(values)
    assert spread.mean == pytest.approx(np.mean(values)) and spread.std == pytest.approx(
        np.std(values, ddof=1)
    )


def test_one_value_has_no_spread_and_nan_is_not_hidden():
    assert math.isnan(Spread.of([1.0]).std)
    assert math.isnan(Spread.of([1.0, math.inf]).mean)


@pytest.mark.parametrize("n, m", [(3, 3), (5, 4), (20, 5)])
def test_noise_is_welchs_interval(n, m, rng):
    scipy_stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    a, b = rng.normal(1, 1, n), rng.normal(0, 2, m)
    shift, noise = difference(a.tolist(), b.tolist())
    interval = scipy_stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert shift - noise == pytest.approx(interval.low, rel=0.02, abs=0.02)
    assert shift + noise == pytest.approx(interval.high, rel=0.02, abs=0.02)


def test_chance_carries_a_difference_of_nothing_beyond_the_noise_in_one_of_twenty(rng):
    trials = 4000
    beyond = 0
    for _ in range(trials):
        shift, noise = difference(rng.normal(size=5).tolist(), rng.normal(size=5).tolist())
        beyond += abs(shift) > noise
    # Welch's test is a little conservative at n = 5: its size lies between 3.5 % and 5 %.
    error = 5 * math.sqrt(0.05 * 0.95 / trials)
    assert 0.035 - error < beyond / trials < 0.05 + error


def test_epochs_to_a_target_count_from_one_and_say_who_got_there():
    assert run(0, 0.9).epochs_to(0.45) == 2
    assert run(0, 0.9).epochs_to(0.95) is None
    assert scheme("s", (0.9, 0.9, 0.2)).epochs_to(0.45) == (2, 2)
    assert scheme("s", (0.2, 0.2)).epochs_to(0.45) == (None, 0)


def test_layers_are_averaged_geometrically_and_zero_stays_zero():
    one = scheme("s", (0.5,), signal=(1, 2, 0, 8))
    assert one.by_layer("signal") == pytest.approx((1, 2, 0, 8))


def test_curves_have_mean_lowest_and_highest():
    rows = scheme("s", (0.3, 0.6)).over_epochs("score")
    assert rows[-1] == pytest.approx((0.45, 0.3, 0.6))
    assert math.isnan(scheme("s", loss=NAN).over_epochs("loss")[1][0])


def test_numbers_that_json_lacks_become_none():
    assert finite_or_none({"a": [1.0, math.nan, (math.inf, "x")]}) == {"a": [1.0, None, [None, "x"]]}


def test_symmetry_needs_a_layer_that_could_differ():
    assert run(0, distinct=1).symmetric and not run(0, distinct=2).symmetric
