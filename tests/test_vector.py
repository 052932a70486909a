"""Named tensors in one vector: reading, writing, and what must not be done to them."""

import copy
import pickle

import numpy as np
import pytest

from initcore.vector import Vector

SHAPES = {"kernel": (3, 5), "bias": (5,), "scale": ()}


@pytest.fixture(params=[np.float32, np.float64])
def vector(request):
    vector = Vector(SHAPES, np.dtype(request.param))
    for i, view in enumerate(vector.views.values()):
        view[...] = i + 1
    return vector


def test_every_tensor_starts_on_a_cache_line_of_one_vector(vector):
    assert list(vector.views) == list(SHAPES)
    for name, start, size in vector.places:
        view = vector.views[name]
        assert view.shape == SHAPES[name] and view.size == size and view.base is not None
        assert view.ctypes.data == vector.flat.ctypes.data + start * view.itemsize
        assert view.ctypes.data % 64 == 0


def test_assigning_to_a_name_writes_into_the_vector(vector):
    views = vector.views
    before = views["bias"]
    views["bias"] = [1, 2, 3, 4, 5]
    views["bias"] += 1
    views.update(kernel=np.full((3, 5), 7))
    views |= {"scale": 9}
    assert views["bias"] is before
    for name, start, size in vector.places:
        expected = {"kernel": [7] * 15, "bias": [2, 3, 4, 5, 6], "scale": [9]}[name]
        np.testing.assert_array_equal(vector.flat[start : start + size], expected)


@pytest.mark.parametrize(
    "change, error, words",
    [
        (lambda views: views.update(bias=np.zeros(4)), ValueError, ["bias", "(5,)", "(4,)"]),
        (lambda views: views.update(bias=0), ValueError, ["bias", "(5,)", "()"]),
        (lambda views: views.update(bais=np.zeros(5)), ValueError, ["'bais'", "'bias'"]),
        (lambda views: views.update(bias=["a"] * 5), ValueError, ["could not convert"]),
        (lambda views: views.pop("bias"), TypeError, ["stay"]),
        (lambda views: views.clear(), TypeError, ["stay"]),
        (lambda views: views.__delitem__("bias"), TypeError, ["stay"]),
        (lambda views: views.setdefault("other", np.zeros(1)), TypeError, ["stay"]),
    ],
)
def test_what_does_not_fit_is_refused(vector, change, error, words):
    before = vector.flat.copy()
    with pytest.raises(error) as caught:
        change(vector.views)
    assert all(word in str(caught.value) for word in words), caught.value
    np.testing.assert_array_equal(vector.flat, before)
    assert list(vector.views) == list(SHAPES)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
def test_a_copy_is_a_vector_of_its_own(vector, copied):
    other = copied(vector)
    assert other.places == vector.places and other.flat.dtype == vector.flat.dtype
    np.testing.assert_array_equal(other.flat, vector.flat)
    other.views["bias"] = np.zeros(5)
    assert not other.flat[other.places[1][1]] and vector.views["bias"].all()
    plain = copied(vector.views)
    assert type(plain) is dict and plain["bias"].all()
    plain["bias"] = plain.pop("kernel")  # no model's any more
