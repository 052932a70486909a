"""Verdicts follow from the numbers: who is named, with which figures, and when noise is called noise."""

import pytest
from comparisons import EVERY_KIND, comparison, scheme

from initcore import verdict

CAUSE = {
    "zeros": ["chance", "kernel", "10.0 %"],
    "constant": ["chance", "equal"],
    "tiny": ["vanishes", "10¹²"],
    "huge": ["explodes", "10⁹"],
    "diverges": ["not finite", "epoch 2", "3 of 3"],
    "half dead": ["50%", "dead"],
    "good": ["highest", "90.0"],
    "as good": ["noise", "good"],
}


@pytest.mark.parametrize("label", CAUSE)
def test_each_outcome_is_told_with_its_figures(label):
    for word in CAUSE[label]:
        assert word in EVERY_KIND.verdicts[label]


def test_a_healthy_scheme_is_told_no_illness():
    for word in ("vanish", "explode", "dead", "chance", "equal", "finite"):
        assert word not in EVERY_KIND.verdicts["good"]


def test_the_whole_names_best_its_equals_and_those_at_chance():
    text = " ".join(EVERY_KIND.verdict)
    assert text.startswith("good")
    noise = next(sentence for sentence in EVERY_KIND.verdict if "noise" in sentence)
    assert "as good" in noise and "tiny" not in noise
    stuck = next(sentence for sentence in EVERY_KIND.verdict if "equal gradients" in sentence)
    assert "zeros" in stuck and "constant" in stuck and "tiny" not in stuck


def test_a_difference_beyond_noise_is_not_called_noise():
    clear = comparison(scheme("a", (0.9, 0.901, 0.899)), scheme("b", (0.88, 0.881, 0.879)))
    assert "more than noise" in clear.verdicts["b"]
    blurred = comparison(scheme("a", (0.9, 0.95, 0.85)), scheme("b", (0.88, 0.93, 0.83)))
    assert "within noise" in blurred.verdicts["b"]


def test_the_quickest_and_the_slowest_are_named_with_all_their_equals():
    result = comparison(scheme("a"), scheme("b"), scheme("c"), target=0.4)
    assert not any("quickest" in sentence for sentence in result.verdict)
    result = comparison(
        scheme("a", (0.95,) * 3), scheme("b", (0.96,) * 3), scheme("c", (0.9,) * 3), target=0.46
    )
    quickest = next(sentence for sentence in result.verdict if "quickest" in sentence)
    assert quickest.startswith("a and b are") and "c needs 3" in quickest


def test_who_is_behind_without_a_visible_cause_is_named_all_the_same():
    result = comparison(scheme("a", (0.9, 0.901, 0.899)), scheme("b", (0.8, 0.801, 0.799)))
    assert any(sentence.startswith("b ends lower") for sentence in result.verdict)


def test_one_seed_promises_nothing():
    one = comparison(scheme("a", (0.9,)), scheme("b", (0.89,)))
    assert any("One seed" in sentence for sentence in one.verdict)
    assert "noise" not in one.verdicts["b"]


def test_nobody_learnt_is_said():
    assert verdict.about_all([scheme("a", (0.1, 0.1))], EVERY_KIND.context)[0] == "No scheme learnt anything."


def test_regression_speaks_of_r2():
    result = comparison(scheme("a", (0.8, 0.82)), scheme("mean", (0.0, 0.0)), score="R2", chance=0.0)
    assert "R2 0.810" in result.verdicts["a"] and "chance" in result.verdicts["mean"]
    assert "R2" in " ".join(result.columns())
