"""Shards: however a tensor is divided, its blocks drawn alone are the whole, bit for bit."""

import itertools
import math

import numpy as np
import pytest

import initcore as ic
from initcore import initializers
from initcore.shards import shard

MESHES = {1: (1, 1), 2: (2, 1), 3: (1, 3), 8: (2, 4), 64: (8, 8)}
SHAPES = (40, 24), (23, 37), (37, 37)


def whole_of(blocks, shape, mesh, **how):
    """A tensor put together from the blocks of all ranks, each element written once."""
    joined, written = np.zeros(shape, np.float32), np.zeros(shape, int)
    for rank in range(math.prod(mesh)):
        index = shard(shape, mesh, rank, **how)
        joined[index] = blocks(index)
        written[index] += 1
    assert np.all(written == 1)
    return joined


@pytest.mark.parametrize("ranks", MESHES)
@pytest.mark.parametrize("name", initializers.names())
def test_shards_join_to_the_whole(name, ranks):
    law, key = initializers.get(name), ic.Key(0) / name
    drawn = 0
    for shape in SHAPES:
        try:
            whole = law(shape, key)
        except ValueError:  # not a shape for this law
            continue
        joined = whole_of(lambda index, s=shape: law(s, key, index=index), shape, MESHES[ranks])
        assert joined.tobytes() == whole.tobytes()
        drawn += 1
    assert drawn or pytest.skip("a law of other shapes")


@pytest.mark.parametrize("ranks", MESHES)
@pytest.mark.parametrize("law", ["uniform", "normal", "truncated_normal", "orthogonal"])
def test_so_do_those_of_a_key(law, ranks):
    key = ic.Key(1) / law
    for shape in SHAPES:
        whole = getattr(key, law)(shape)
        joined = whole_of(lambda index, s=shape: getattr(key, law)(s, index=index), shape, MESHES[ranks])
        assert joined.tobytes() == whole.tobytes()


@pytest.mark.parametrize("uneven", ["balanced", "chunk"])
@pytest.mark.parametrize("size, ranks", [*itertools.product([0, 1, 7, 8, 9, 100], [1, 2, 3, 8, 64])])
def test_every_element_has_one_rank(size, ranks, uneven):
    blocks = [shard((size,), ranks, rank, uneven=uneven)[0] for rank in range(ranks)]
    assert blocks[0].start == 0 and blocks[-1].stop == size
    assert all(a.stop == b.start for a, b in itertools.pairwise(blocks))
    lengths = [b.stop - b.start for b in blocks]
    assert lengths == sorted(lengths, reverse=True) and lengths[0] == -(-size // ranks)
    if uneven == "balanced":
        assert lengths[0] - lengths[-1] <= 1


@pytest.mark.peers
def test_chunks_are_those_of_pytorch():
    torch = pytest.importorskip("torch", reason="compares with torch.chunk")
    for size, ranks in itertools.product([5, 9, 10, 64], [2, 3, 4, 8]):
        theirs = [part.tolist() for part in torch.arange(size).chunk(ranks)]
        numbers = list(range(size))
        ours = [numbers[shard(size, ranks, rank, uneven="chunk")[0]] for rank in range(ranks)]
        assert ours == theirs + [[]] * (ranks - len(theirs))


def test_axes_of_the_mesh_divide_what_they_are_told_to():
    assert shard((8, 6), (2, 2), 1, axes=(1, 0)) == (slice(4, 8), slice(0, 3))
    assert shard((8, 6), (2, 2), (1, 0), axes=(None, 0)) == (slice(0, 4), slice(0, 6))
    assert shard((8, 6), (2, 2), 3, axes=(0, 0)) == (slice(6, 8), slice(0, 6))
    assert shard((8, 6), 2, 1, axes=(-1,)) == (slice(0, 8), slice(3, 6))
    assert shard((8, 6, 4), 2, 0) == (slice(0, 4), slice(0, 6), slice(0, 4))


def test_shapes_and_ranks_may_be_arrays():
    expected = shard((10, 6), (4, 2), (2, 1))
    assert shard(np.array([10, 6]), np.array([4, 2]), np.array([2, 1])) == expected
    assert shard((10, 6), (4, 2), np.array(5)) == expected


@pytest.mark.parametrize(
    "error, call",
    [
        (ValueError, lambda: shard((4,), 2, 2)),
        (ValueError, lambda: shard((4,), 2, -1)),
        (TypeError, lambda: shard((4,), 2, 0.5)),
        (ValueError, lambda: shard((4,), (2, 2), 0)),
        (ValueError, lambda: shard((4, 4), (2, 2), (0, 2))),
        (ValueError, lambda: shard((4, 4), (2, 2), (0,))),
        (ValueError, lambda: shard((4, 4), (2, 2), 0, axes=(0,))),
        (ValueError, lambda: shard((4, 4), 2, 0, axes=(2,))),
        (ValueError, lambda: shard((4, 4), 2, 0, axes=(-3,))),
        (ValueError, lambda: shard((4, 4), 2, 0, uneven="even")),
        (ValueError, lambda: shard((4, 4), 0, 0)),
    ],
)
def test_what_cannot_be_is_refused(error, call):
    with pytest.raises(error):
        call()
