"""Biases from priors and means: what a layer then says before it has seen an input."""

import math

import numpy as np
import pytest

from initcore.laws import LogPriorBias, PriorBias, SklearnBias, TargetMeanBias, TorchLinearBias, Values


@pytest.mark.parametrize("p", [1e-6, 0.01, 0.3, 0.5, 0.99])
def test_a_sigmoid_starts_at_the_prior(p):
    b = PriorBias(p)((5,), 0, dtype="float64")
    assert 1 / (1 + np.exp(-b)) == pytest.approx(p, rel=1e-13)


def test_the_prior_of_retinanet():
    assert PriorBias().value == pytest.approx(-4.59511985, abs=1e-8)  # -log(0.99 / 0.01)


def test_a_softmax_starts_at_the_frequencies_and_the_loss_at_their_entropy():
    counts = np.array([500, 300, 150, 49, 1])
    logits = LogPriorBias(counts)((5,), 0, dtype="float64")
    share = np.exp(logits) / np.exp(logits).sum()
    assert share == pytest.approx(counts / 1000, rel=1e-14)
    loss = -(counts / 1000) @ np.log(share)
    entropy = -(counts / 1000) @ np.log(counts / 1000)
    assert loss == pytest.approx(entropy, rel=1e-14) and loss < math.log(5)


def test_smoothing_gives_absent_classes_a_share():
    assert LogPriorBias([3, 0], smoothing=1.0).values == pytest.approx([math.log(0.8), math.log(0.2)])


def test_a_regression_starts_at_the_mean(rng):
    y = rng.normal(5, 2, (100, 3))
    assert TargetMeanBias(y)((3,), 0, dtype="float64") == pytest.approx(y.mean(axis=0), rel=1e-14)
    assert TargetMeanBias(y[:, 0])((1,), 0, dtype="float64") == pytest.approx([y[:, 0].mean()], rel=1e-14)


def test_biases_of_the_peers():
    assert TorchLinearBias(64).maxval == 0.125
    assert SklearnBias(40, 10).maxval == pytest.approx(math.sqrt(6 / 50))
    assert SklearnBias(40, 10, "logistic").maxval == pytest.approx(math.sqrt(2 / 50))


def test_slices_of_values():
    law = Values((1.0, 2.0, 3.0, 4.0))
    for index in [slice(1, 3), slice(None, None, -2), 2, ..., (..., slice(3, 4)), slice(0, 0)]:
        assert np.array_equal(law((4,), 0, index=index), np.array(law.values)[index])


@pytest.mark.parametrize(
    ("error", "words", "call"),
    [
        (ValueError, "probability", lambda: PriorBias(0)),
        (ValueError, "probability", lambda: PriorBias(1)),
        (ValueError, "positive frequency", lambda: LogPriorBias([3, 0])),
        (ValueError, "vector", lambda: LogPriorBias([[1, 2]])),
        (ValueError, "vector", lambda: LogPriorBias([])),
        (ValueError, "vector", lambda: LogPriorBias([1, -1])),
        (ValueError, "each value", lambda: TargetMeanBias([math.nan, 1])),
        (ValueError, "samples", lambda: TargetMeanBias([])),
        (ValueError, "samples", lambda: TargetMeanBias(3.0)),
        (ValueError, "one element per value", lambda: Values((1.0, 2.0))((3,), 0)),
        (ValueError, "at most", lambda: Values((1e39,))((1,), 0)),
        (ValueError, "fan_in", lambda: TorchLinearBias(0)),
        (ValueError, "fan_in", lambda: SklearnBias(0, 0)),
    ],
)
def test_what_cannot_be_is_refused(error, words, call):
    with pytest.raises(error, match=words):
        call()
