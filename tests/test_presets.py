"""The classic experiments: the known shape of their answers, and that they say on which data they are."""

import numpy as np
import pytest
from test_datasets import write_folder

from initcore import datasets, presets

QUICK = {"epochs": 1, "seeds": 1, "schemes": None}


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_runs_and_prints_what_is_known_beside_what_is_found(name):
    images = presets.PRESETS[name].data[-1] == "digits"
    result = presets.run_preset(name, **QUICK, **({"dataset": "digits"} if images else {}))
    assert result.known[: len(presets.PRESETS[name].known)] == presets.PRESETS[name].known
    ours = " ".join(result.known[len(presets.PRESETS[name].known) :])
    assert all(one.label in ours for one in result.schemes) and result.settings["dataset"] in ours


def test_images_are_taken_from_the_first_place_that_has_them(tmp_path, rng, monkeypatch):
    write_folder(tmp_path, rng)
    assert presets.run_preset("initializers", tmp_path, **QUICK).settings["dataset"] == "mnist"
    monkeypatch.setattr(datasets, "find", lambda name, folder=None: None)
    result = presets.run_preset("initializers", **QUICK)
    assert result.settings["dataset"] == "digits" and "mnist" in " ".join(result.notes)


def test_activations_on_a_small_regression():
    result = presets.run_preset("activations", seeds=2)
    assert result.settings["network"] == "10-10-1" and result.settings["task"] == "regression"
    assert min(one.score.mean for one in result.schemes) > 0.3
    half = {one.label: np.mean([run.loss[9] for run in one.runs]) for one in result.schemes}
    assert half["tanh"] < half["sigmoid"]


def test_binary_classes():
    result = presets.run_preset("binary", seeds=2)
    assert result.settings["network"] == "20-32-16-1"
    assert result["zeros"].score.mean < 0.6 < result["glorot_uniform"].score.mean


def test_unknown_preset_gets_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'optimizers'"):
        presets.run_preset("optimiser")
