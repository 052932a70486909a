"""Targets: what is converted, and what the refusal of the rest says."""

import numpy as np
import pytest

from initcore import losses

mse, sparse = losses.get("mean_squared_error"), losses.get("sparse_categorical_crossentropy")
binary, categorical = losses.get("binary_crossentropy"), losses.get("categorical_crossentropy")
hinge = losses.get("hinge")


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, ">i4", np.float16, np.float32, np.float64])
def test_class_numbers_of_any_dtype_become_int32(dtype):
    for y in (np.array([0, 1, 1], dtype), np.array([[0], [1], [1]], dtype)):
        targets = sparse.targets(y, 3)
        assert targets.dtype == np.int32
        assert targets.flags.c_contiguous
        np.testing.assert_array_equal(targets, [0, 1, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_become_columns_of_the_dtype(dtype):
    y = np.asfortranarray(np.arange(6).reshape(2, 3))
    targets = mse.targets(y, 3, dtype)
    assert targets.dtype == dtype
    assert targets.flags.c_contiguous
    np.testing.assert_array_equal(targets, y)
    assert mse.targets([1, 2], 1, dtype).shape == (2, 1)


def test_the_input_is_left_alone():
    y = np.array([0.0, 1.0], np.float32)
    np.testing.assert_array_equal(hinge.targets(y, 1), [[-1], [1]])
    np.testing.assert_array_equal(y, [0, 1])
    np.testing.assert_array_equal(hinge.targets([-1, 1], 1), [[-1], [1]])


@pytest.mark.parametrize(
    ("loss", "y", "columns", "message"),
    [
        (sparse, [0, 3], 3, r"from 0 to 2.*got values from 0 to 3"),
        (sparse, [-1, 0], 3, r"from 0 to 2.*got values from -1 to 0"),
        (sparse, [0, 1], 1, "'binary_crossentropy'"),
        (sparse, np.eye(3), 3, "'categorical_crossentropy'"),
        (sparse, [0, 1.5], 3, r"whole class numbers, got 1\.5"),
        (sparse, [0, np.nan], 3, "whole class numbers, got nan"),
        (sparse, np.zeros((2, 2)), 3, r"shape \(n,\) or \(n, 1\), got \(2, 2\)"),
        (categorical, [0, 1], 3, "'sparse_categorical_crossentropy'"),
        (categorical, [[-1, 2]], 2, "at least 0, got values from -1 to 2"),
        (mse, [0, 1], 3, r"\(n, 3\), got \(2,\).*'sparse_categorical_crossentropy'"),
        (mse, np.zeros((2, 4)), 3, r"\(n, 3\), got \(2, 4\)"),
        (binary, [0, 1, 2], 1, r"in \[0, 1\], got values from 0 to 2.*'sparse_categorical_crossentropy'"),
        (binary, [0, np.nan], 1, r"in \[0, 1\]"),
        (hinge, [0, 2], 1, "-1 and 1, or 0 and 1, got values such as 0, 2"),
        (hinge, [-1, 0, 1], 1, "-1 and 1, or 0 and 1, got values such as -1, 0, 1"),
    ],
)
def test_wrong_targets_are_refused_with_a_hint(loss, y, columns, message):
    with pytest.raises(ValueError, match=message):
        loss.targets(y, columns)


@pytest.mark.parametrize("y", [["cat", "dog"], [1j, 0], [None, 1]], ids=str)
def test_targets_that_are_no_numbers_are_refused(y):
    for name in losses.names():
        with pytest.raises(TypeError, match="targets must hold real numbers"):
            losses.get(name).targets(y, 2)
