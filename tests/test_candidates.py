"""How the things compared are spelled, and that a wrong spelling gets a sentence."""

import pytest

import initcore as ic
from initcore import candidates


@pytest.mark.parametrize("kind", candidates.VARIED)
def test_the_usual_candidates_of_every_kind_can_be_made(kind):
    pairs = candidates.labelled(kind, None)
    assert [label for label, _ in pairs] == list(candidates.VARIED[kind].default)


def test_every_initializer_that_takes_a_number_starts_as_it_says():
    for name, number in (("normal", 0.5), ("truncated_normal", 0.5), ("uniform", 0.5), ("constant", 0.5)):
        w = candidates.make("initializer", f"{name}:{number}")((200, 200), ic.Key(0))
        spread = {"uniform": 0.5 / 3**0.5, "constant": 0.0}.get(name, 0.5)
        assert w.std() == pytest.approx(spread, rel=0.02, abs=1e-7)
    with pytest.raises(ValueError, match="Did you mean 'normal'"):
        candidates.make("initializer", "norml:1")


def test_a_number_is_the_learning_rate_of_an_optimizer_and_the_parameter_of_an_activation():
    assert candidates.make("optimizer", "adam:0.5").learning_rate == 0.5
    assert candidates.make("activation", "leaky_relu:0.3") != candidates.make("activation", "leaky_relu")


def test_names_objects_and_pairs_are_candidates():
    law = ic.initializers.RandomNormal(0.0, 0.5)
    pairs = candidates.labelled("initializer", ["zeros", law, ("mine", law), ("half", "normal:0.5"), "auto"])
    assert [label for label, _ in pairs] == ["zeros", repr(law), "mine", "half", "auto"]
    assert pairs[1][1] is law and pairs[3][1] == law


@pytest.mark.parametrize(
    "kind, names, match",
    [
        ("colour", None, "vary must be one of"),
        ("initializer", ["he_norml"], "Did you mean 'he_normal'"),
        ("initializer", ["normal:big"], "name:number"),
        ("initializer", ["zeros", "zeros"], "twice"),
        ("initializer", [], "none"),
        ("optimizer", ["adam:-1"], "learning rate"),
        ("activation", ["relu:1"], "takes no number"),
    ],
)
def test_a_wrong_spelling_is_a_sentence(kind, names, match):
    with pytest.raises(ValueError, match=match):
        candidates.labelled(kind, names)
