"""Weights of rows and classes."""

import numpy as np
import pytest

from initcore.losses import class_weights, row_weights


def test_a_dict_weighs_the_classes_it_names():
    np.testing.assert_array_equal(class_weights({0: 2.0, 7: 5.0}, [0, 1, 0]), [2, 1, 2])
    np.testing.assert_array_equal(class_weights({np.int64(-1): 3.0}, [-1, 1]), [3, 1])


def test_a_sequence_has_one_weight_for_each_class():
    np.testing.assert_array_equal(class_weights([2.0, 0.5], [[1], [0]]), [0.5, 2])
    with pytest.raises(ValueError, match="one weight for each class"):
        class_weights([1.0, 2.0], [0, 2])


def test_balanced_gives_every_class_the_same_sum(rng):
    y = rng.choice([0, 1, 4], 1000, p=[0.7, 0.2, 0.1])
    weight = class_weights("balanced", y)
    assert weight.sum() == pytest.approx(len(y))
    for c in (0, 1, 4):
        assert weight[y == c].sum() == pytest.approx(len(y) / 3)


def test_one_hot_rows_are_classes():
    np.testing.assert_array_equal(class_weights({2: 9.0}, np.eye(3)), [1, 1, 9])


def test_both_weights_multiply():
    weight = row_weights([0, 1, 1], [1.0, 2.0, 0.0], {1: 3.0}, np.float64)
    np.testing.assert_array_equal(weight, [1, 6, 0])
    assert row_weights([0, 1]) is None
    assert class_weights(None, [0, 1]) is None
    assert row_weights([0.5, 1.5], [1, 2]).dtype == np.float32


def test_no_rows_have_no_weights():
    assert row_weights([], [], "balanced").shape == (0,)


@pytest.mark.parametrize(
    ("sample_weight", "class_weight", "message"),
    [
        ([1, -1], None, "sample_weight must be finite and not negative, got -1"),
        ([1, np.nan], None, "sample_weight must be finite and not negative, got nan"),
        ([0, 0], None, "at least one positive weight"),
        ([1, 2, 3], None, r"shape \(2,\), got \(3,\)"),
        (None, {0: -1.0}, "class_weight must be finite and not negative, got -1"),
        (None, {0: 0.0, 1: 0.0}, "at least one class"),
        (None, [0.0, 0.0], "at least one class"),
        ([0, 1], {1: 0.0}, "positive somewhere"),
        (None, "balance", "'balanced', got 'balance'"),
    ],
)
def test_weights_that_make_no_sense_are_refused(sample_weight, class_weight, message):
    with pytest.raises(ValueError, match=message):
        row_weights([0, 1], sample_weight, class_weight)


def test_keys_and_targets_must_be_class_numbers():
    with pytest.raises(TypeError, match="got the key 'a'"):
        class_weights({"a": 1.0}, [0])
    with pytest.raises(ValueError, match="class numbers or one-hot"):
        class_weights("balanced", [0.5, 1.0])


@pytest.mark.peers
def test_balanced_is_that_of_scikit_learn(rng):
    sklearn = pytest.importorskip("sklearn.utils.class_weight", reason="scikit-learn is the oracle")
    y = rng.choice([0, 1, 4], 100, p=[0.7, 0.2, 0.1])
    np.testing.assert_allclose(class_weights("balanced", y), sklearn.compute_sample_weight("balanced", y))
