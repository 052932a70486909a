"""Data sets: what they promise, and that a hostile file gets a sentence, not memory."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from initcore import datasets, image_files
from initcore.idx import TYPES, read_idx

GENERATED = [name for name in datasets.names() if name != "digits" and name not in image_files.IMAGE_FILES]


def idx(array, code=0x08):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()


def test_digits_are_all_there_and_split_by_class():
    data = datasets.digits()
    assert len(data.x_train) + len(data.x_test) == 1797
    assert data.features == 64 and data.outputs == data.classes == 10 and data.image_shape == (8, 8)
    assert data.x_train.min() == 0 and data.x_train.max() == 1
    counts = np.bincount(data.y_test) / np.bincount(np.concatenate([data.y_train, data.y_test]))
    assert np.all(np.abs(counts - 0.25) < 0.01)


@pytest.mark.peers
def test_digits_are_those_of_scikit_learn():
    peer = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed").load_digits()
    ours = datasets.digits()
    rows = np.concatenate([ours.x_train, ours.x_test]) * 16
    labels = np.concatenate([ours.y_train, ours.y_test])

    def ordered(x, y):
        table = np.column_stack([y, x])
        return table[np.lexsort(table.T[::-1])]

    np.testing.assert_array_equal(ordered(rows, labels), ordered(peer.data, peer.target))


@pytest.mark.parametrize("name", GENERATED)
def test_generators_repeat_themselves_and_follow_the_seed(name):
    make = datasets.DATASETS[name]
    first, again, other = make(200, seed=1), make(200, seed=1), make(200, seed=2)
    assert len(first.x_train) + len(first.x_test) == 200
    np.testing.assert_array_equal(first.x_train, again.x_train)
    np.testing.assert_array_equal(first.y_test, again.y_test)
    assert not np.array_equal(first.x_train, other.x_train)
    assert first.name == name and first.x_train.dtype == np.float32


@pytest.mark.parametrize("name", GENERATED)
def test_noise_spreads_the_rows_or_the_targets(name):
    calm, noisy = (datasets.DATASETS[name](400, noise=noise, seed=3) for noise in (0.0, 1.0))
    assert np.std(noisy.x_train) + np.std(noisy.y_train) > np.std(calm.x_train) + np.std(calm.y_train) - 0.05
    assert not (np.array_equal(calm.x_train, noisy.x_train) and np.array_equal(calm.y_train, noisy.y_train))


@pytest.mark.parametrize("bad", [{"n": 2}, {"noise": -1}, {"seed": -1}, {"noise": float("nan")}])
@pytest.mark.parametrize("name", GENERATED)
def test_generators_refuse_nonsense(name, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        datasets.DATASETS[name](**bad)


def test_xor_has_no_line_but_its_product_tells():
    data = datasets.xor(1000, noise=0.1)
    assert np.array_equal(data.x_train.prod(axis=1) < 0, data.y_train == 1)
    line = np.linalg.lstsq(np.c_[data.x_train, np.ones(750)], data.y_train - 0.5, rcond=None)[0]
    assert np.all(np.abs(line) < 0.1)


def test_outliers_are_in_the_training_targets_only():
    data = datasets.regression_with_outliers(2000, noise=0, outliers=0.2)
    rule = np.linalg.lstsq(data.x_test, data.y_test, rcond=None)[0]
    np.testing.assert_allclose(data.x_test @ rule, data.y_test, atol=1e-5)
    off = np.abs(data.x_train @ rule - data.y_train) > 1e-3
    assert 0.15 < off.mean() < 0.25


def test_teacher_has_every_task():
    assert datasets.teacher(400).y_train.std() == pytest.approx(1, abs=0.2)
    binary = datasets.teacher(400, task="binary")
    assert binary.outputs == 1 and set(np.unique(binary.y_train)) == {0, 1}
    many = datasets.teacher(400, task="classification", classes=4)
    assert many.outputs == 4


def test_unknown_name_gets_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'digits'"):
        datasets.load("digit")
    with pytest.raises(ValueError, match="takes no folder"):
        datasets.load("digits", "somewhere")
    assert datasets.load("two_spirals").name == "two-spirals"


def test_a_dataset_whose_parts_do_not_fit_is_refused():
    x, y = np.zeros((4, 2), np.float32), np.zeros(4, np.int64)
    with pytest.raises(ValueError, match="task"):
        datasets.Dataset(x, y, x, y, task="guess", name="", source="")
    with pytest.raises(ValueError, match="x_test"):
        datasets.Dataset(x, y, x, y[:3], task="binary", name="", source="")
    with pytest.raises(ValueError, match="features"):
        datasets.Dataset(x, y, x[:, :1], y, task="binary", name="", source="")


# IDX files.


@pytest.mark.parametrize("code", TYPES)
@pytest.mark.parametrize("shape", [(0,), (5,), (2, 3), (2, 0, 4), (2, 3, 4)])
def test_reads_what_was_written(code, shape, tmp_path, rng):
    array = rng.integers(0, 100, shape).astype(TYPES[code])
    for name, data in (("a", idx(array, code)), ("a.gz", gzip.compress(idx(array, code)))):
        (tmp_path / name).write_bytes(data)
        read = read_idx(tmp_path / name)
        assert read.dtype.isnative and read.shape == shape
        np.testing.assert_array_equal(read, array)


GOOD = idx(np.arange(6, dtype=np.uint8).reshape(2, 3))
HOSTILE = {
    "empty": b"",
    "three bytes": GOOD[:3],
    "text": b"hello, I am not IDX",
    "unknown type": b"\0\0\x07\x01\0\0\0\0",
    "no dimensions": b"\0\0\x08\x00",
    "255 dimensions": b"\0\0\x08\xff" + b"\0\0\0\1" * 255,
    "header cut": GOOD[:10],
    "payload cut": GOOD[:-1],
    "a byte too many": GOOD + b"\0",
    "claims 2^96 bytes": b"\0\0\x08\x03" + b"\xff" * 12,
    "claims 1 GiB, has 9": b"\0\0\x08\x01\x3f\xff\xff\xff" + bytes(9),
}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_refused_without_memory(data, pack, tmp_path):
    path = tmp_path / "hostile"
    path.write_bytes(pack(data))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="hostile"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_gzip_bomb_is_read_no_further_than_its_header_says(tmp_path):
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(GOOD + bytes(64 << 20)))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="left over"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "damage", [lambda z: z[:-9], lambda z: z[:12] + b"\xff\xff" + z[14:], lambda z: z[:2]]
)
def test_damaged_gzip_is_a_sentence(damage, tmp_path):
    path = tmp_path / "damaged"
    path.write_bytes(damage(gzip.compress(GOOD * 50)))
    with pytest.raises(ValueError, match="damaged"):
        read_idx(path)


def test_larger_than_the_caller_wants_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(GOOD)
    with pytest.raises(ValueError, match="at most 5"):
        read_idx(tmp_path / "a", max_bytes=5)


# Folders of IDX files.


def write_folder(folder, rng, *, dotted=False, packed=False):
    for part in image_files.PARTS:
        n = 12 if part.startswith("train") else 4
        array = rng.integers(0, 256, (n, 4, 5)) if "images" in part else np.arange(n) % 3
        data = idx(array.astype(np.uint8))
        name = part.replace("-idx", ".idx") if dotted else part
        (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(data) if packed else data)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("name", image_files.IMAGE_FILES)
def test_any_spelling_of_a_folder_is_read(name, dotted, packed, tmp_path, rng):
    write_folder(tmp_path, rng, dotted=dotted, packed=packed)
    assert datasets.find(name, tmp_path) == tmp_path
    data = datasets.load(name, tmp_path)
    assert data.x_train.shape == (12, 20) and data.x_test.shape == (4, 20) and data.image_shape == (4, 5)
    assert data.x_train.dtype == np.float32 and data.x_train.min() >= 0 and data.x_train.max() <= 1
    raw = datasets.DATASETS[name](tmp_path, dtype="uint8")
    np.testing.assert_allclose(raw.x_test / 255, data.x_test, atol=1e-7)


def test_a_folder_without_the_files_names_what_is_missing(tmp_path, rng):
    write_folder(tmp_path, rng)
    (tmp_path / image_files.PARTS[2]).unlink()
    with pytest.raises(FileNotFoundError, match=f"missing: {image_files.PARTS[2]}$"):
        datasets.fashion_mnist(tmp_path)


def test_images_and_labels_must_fit(tmp_path, rng):
    write_folder(tmp_path, rng)
    (tmp_path / image_files.PARTS[1]).write_bytes(idx(np.zeros(11, np.uint8)))
    with pytest.raises(ValueError, match="train"):
        datasets.mnist(tmp_path)
    with pytest.raises(ValueError, match="dtype"):
        datasets.mnist(tmp_path, dtype="int8")


def test_nowhere_and_no_pooch_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(__import__("sys").modules, "pooch", None)
    if image_files.MNIST.installed.exists():
        pytest.skip("MNIST is installed")
    with pytest.raises(FileNotFoundError, match=r"initcore\[data\]"):
        datasets.mnist()


def test_fetched_files_are_checked_by_hash(tmp_path, monkeypatch, rng):
    class Pooch:
        @staticmethod
        def retrieve(url, known_hash, fname, path):
            path.mkdir(parents=True, exist_ok=True)
            (path / fname).write_bytes(gzip.compress(GOOD))
            return path / fname

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(__import__("sys").modules, "pooch", Pooch)
    nowhere = {**vars(image_files.FASHION_MNIST), "installed": tmp_path / "nowhere"}
    with pytest.raises(ValueError, match="sha256"):
        image_files.read_images(image_files.ImageFiles(**nowhere), None, "float32")


def test_the_installed_fashion_mnist_is_the_real_one():
    folder = image_files.FASHION_MNIST.installed
    if datasets.find("fashion-mnist", folder) is None:
        pytest.skip("the Debian package dataset-fashion-mnist is not installed")
    for part, expected in zip(image_files.PARTS, image_files.FASHION_MNIST.unpacked, strict=True):
        image_files.check_sha256(folder / f"{part}.gz", expected)
    data = datasets.fashion_mnist()
    assert data.x_train.shape == (60000, 784) and np.all(np.bincount(data.y_test) == 1000)
