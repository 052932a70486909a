"""A file of weights comes back as it went, whatever its arrays looked like, or is refused with a reason."""

import json
import os
import random
import signal
import stat
import struct
import subprocess
import sys
import time

import numpy as np
import pytest

from initcore import weights

LAYOUTS = {  # safetensors.numpy writes the memory as it lies, so each of these has gone wrong there
    "C": lambda a: a,
    "Fortran": np.asfortranarray,
    "transposed": lambda a: a.T,
    "strided": lambda a: a[:, ::2],
    "reversed": lambda a: a[::-1, ::-1],
    "broadcast": lambda a: np.broadcast_to(a[:1], (5, a.shape[1])),
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "scalar": lambda a: a[0, 0].reshape(()),
    "empty": lambda a: a[:0],
    "unaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(a.shape),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.safetensors"


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
@pytest.mark.parametrize("dtype", weights.DTYPES.values(), ids=str)
def test_every_array_comes_back_as_it_went(layout, dtype, path, rng):
    array = layout(rng.integers(0, 100, (6, 8)).astype(dtype))
    weights.save(path, {"a/b": array, "c": np.arange(3)})
    back, _ = weights.load(path)
    assert set(back) == {"a/b", "c"}
    assert back["a/b"].dtype == dtype
    assert back["a/b"].shape == array.shape
    np.testing.assert_array_equal(back["a/b"], array)
    assert back["a/b"].flags.writeable
    assert back["a/b"].flags.c_contiguous


def test_bits_of_floats_survive(path):
    odd = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, 1.7976931348623157e308])
    weights.save(path, {"odd": odd})
    assert weights.load(path)[0]["odd"].tobytes() == odd.tobytes()


def test_metadata_come_back_and_equal_content_gives_equal_bytes(path):
    metadata = {"epoch": 3, "names": ["ä", "b"], "deep": {"rate": 0.1, "none": None}}
    weights.save(path, {"b": np.ones(2), "a": np.zeros(3, np.float32)}, metadata)
    first = path.read_bytes()
    assert weights.load(path)[1] == metadata
    weights.save(path, {"a": np.zeros(3, np.float32), "b": np.ones(2)}, dict(reversed(metadata.items())))
    assert path.read_bytes() == first


def test_files_are_safetensors_both_ways(path):
    numpy_io = pytest.importorskip("safetensors.numpy")
    kernel = np.arange(6, dtype=np.float32).reshape(2, 3)
    weights.save(path, {"kernel": kernel})
    np.testing.assert_array_equal(numpy_io.load_file(path)["kernel"], kernel)
    numpy_io.save_file({"kernel": kernel}, path, {"format": "pt"})
    back, metadata = weights.load(path)
    np.testing.assert_array_equal(back["kernel"], kernel)
    assert metadata == {"format": "pt"}


@pytest.mark.parametrize(
    ("tensors", "metadata", "words"),
    [
        ({"": np.ones(1)}, {}, "name"),
        ({"a\nb": np.ones(1)}, {}, "printable"),
        ({"x" * (weights.MAX_NAME + 1): np.ones(1)}, {}, str(weights.MAX_NAME)),
        ({3: np.ones(1)}, {}, "name"),
        ({"__metadata__": np.ones(1)}, {}, "__metadata__"),
        ({"c": np.ones(1, np.complex64)}, {}, "float32"),
        ({"o": np.array([None])}, {}, "object"),
        ({"a": np.ones(1)}, {"loss": float("nan")}, "JSON"),
        ({"a": np.ones(1)}, {"long": "x" * weights.MAX_HEADER}, str(weights.MAX_HEADER)),
    ],
)
def test_what_cannot_be_stored_is_refused_before_the_file_is_touched(tensors, metadata, words, path):
    weights.save(path, {"old": np.ones(1)})
    before = path.read_bytes()
    with pytest.raises(ValueError, match=words):
        weights.save(path, tensors, metadata)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_load_into_fills_views_and_leaves_everything_alone_when_something_does_not_fit(path):
    weights.save(path, {"a": np.arange(4.0), "b": np.ones((2, 2), np.float32), "extra": np.ones(1)})
    flat = np.zeros(8)
    target = {"a": flat[:4], "b": np.zeros((2, 3), np.float32), "c": flat[4:]}
    with pytest.raises(ValueError, match="does not fit") as caught:
        weights.load_into(path, target)
    for fault in ("'c' is missing", "'extra' is unexpected", "'b' must be float32 (2, 3), is float32 (2, 2)"):
        assert fault in str(caught.value)
    assert not flat.any()
    assert not target["b"].any()

    weights.save(path, {"a": np.arange(4.0), "c": np.arange(4.0) * 2}, {"epoch": 1})
    assert weights.load_into(path, {"a": flat[:4], "c": flat[4:]}) == {"epoch": 1}
    np.testing.assert_array_equal(flat, [0, 1, 2, 3, 0, 2, 4, 6])


def test_load_into_wants_the_same_dtype(path):
    weights.save(path, {"a": np.ones(2)})
    with pytest.raises(ValueError, match=r"'a' must be float32 \(2,\), is float64 \(2,\)"):
        weights.load_into(path, {"a": np.zeros(2, np.float32)})


def test_a_file_cut_anywhere_is_refused(path):
    weights.save(path, {"kernel": np.arange(12.0).reshape(3, 4), "bias": np.ones(4, np.float32)}, {"a": 1})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="must be a safetensors file"):
            weights.load(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(ValueError, match="must be a safetensors file"):
        weights.load(path)


def test_a_changed_byte_is_noticed_or_harmless(path):
    tensors = {"kernel": np.arange(12.0), "bias": np.ones(4, np.float32)}
    weights.save(path, tensors, {"a": 1})
    whole = path.read_bytes()
    unnoticed = 0
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x04]) + whole[at + 1 :])
        try:
            back, _ = weights.load(path)
        except ValueError:
            continue
        unnoticed += 1  # a space in the padding, a letter of the metadata's keys or values
        for name, array in tensors.items():
            np.testing.assert_array_equal(back[name], array)
    assert unnoticed < 40


def hostile(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(shape, offsets, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


HOSTILE = {
    "empty": b"",
    "not one of these at all": b"\x89HDF\r\n\x1a\n" + b"\0" * 100,
    "header of 2**63 bytes": hostile({}, length=2**63),
    "header longer than allowed": hostile(b" " * (weights.MAX_HEADER + 1)),
    "header longer than the file": hostile({}, length=1000),
    "not JSON": hostile(b"{"),
    "not UTF-8": hostile(b"\xff\xfe{}"),
    "a list": hostile([]),
    "deep nesting": hostile(b"[" * 200_000),
    "deep nesting in an object": hostile(b'{"a":' * 100_000),
    "name twice": hostile(b'{"a":%b,"a":%b}' % ((json.dumps(entry([1], [0, 4])).encode(),) * 2), b"1234"),
    "terabytes declared": hostile({"a": entry([2**40], [0, 2**42])}),
    "a size beyond 64 bits": hostile({"a": entry([10**30], [0, 4])}, b"1234"),
    "a product that wraps around": hostile({"a": entry([2**32, 2**32], [0, 0])}),
    "negative size": hostile({"a": entry([-1], [0, 4])}, b"1234"),
    "fractional size": hostile({"a": entry([1.0], [0, 4])}, b"1234"),
    "true as size": hostile({"a": entry([True], [0, 4])}, b"1234"),
    "shape is text": hostile({"a": entry("1", [0, 4])}, b"1234"),
    "too many dimensions": hostile({"a": entry([1] * 100, [0, 4])}, b"1234"),
    "unknown dtype": hostile({"a": entry([1], [0, 4], "F128")}, b"1234"),
    "dtype is a list": hostile({"a": entry([1], [0, 4], [])}, b"1234"),
    "gap": hostile({"a": entry([1], [0, 4]), "b": entry([1], [8, 12])}, b"123456789012"),
    "overlap": hostile({"a": entry([1], [0, 4]), "b": entry([1], [0, 4])}, b"1234"),
    "overlap and gap": hostile(
        {"a": entry([1], [0, 4]), "b": entry([1], [4, 8]), "c": entry([1], [4, 8])}, b"1" * 12
    ),
    "backwards": hostile({"a": entry([1], [4, 0])}, b"1234"),
    "offsets missing": hostile({"a": {"dtype": "F32", "shape": [1]}}, b"1234"),
    "one offset": hostile({"a": entry([1], [0])}, b"1234"),
    "infinite offset": hostile(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,1e999]}}', b"1234"),
    "NaN": hostile(b'{"a":NaN}'),
    "entry is a number": hostile({"a": 1}),
    "name with a line break": hostile({"a\nb": entry([1], [0, 4])}, b"1234"),
    "no name": hostile({"": entry([1], [0, 4])}, b"1234"),
    "metadata is a list": hostile({"__metadata__": [1]}),
    "metadata is a number": hostile({"__metadata__": 1}),
    "our metadata is no object": hostile({"__metadata__": {"initcore": "[]"}}),
    "our metadata is a number": hostile({"__metadata__": {"initcore": 1}}),
    "our metadata lack a part": hostile({"__metadata__": {"initcore": '{"sha256": ""}'}}),
    "our metadata of other types": hostile({"__metadata__": {"initcore": '{"sha256": 1, "metadata": 2}'}}),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_refused_with_a_sentence(content, path):
    path.write_bytes(content)
    target = np.zeros(1, np.float32)
    for read in (weights.load, lambda path: weights.load_into(path, {"a": target})):
        with pytest.raises(ValueError, match=r"must be a safetensors file, but it") as caught:
            read(path)
        assert len(str(caught.value)) < 1000
    assert target == 0


def test_huge_files_are_refused_before_memory_is_asked_for(path):
    size = 1 << 40  # a sparse file: it takes no room on the disk
    head = hostile({"a": entry([size], [0, size], "U8")})
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + size)
    with pytest.raises(ValueError, match="max_bytes"):
        weights.load(path)
    with pytest.raises(ValueError, match="does not fit"):
        weights.load_into(path, {"a": np.zeros(3, np.uint8)})


def test_a_pipe_or_a_folder_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="not a regular file"):
        weights.load(tmp_path / "pipe")
    with pytest.raises(OSError, match="directory"):
        weights.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        weights.load(tmp_path / "nothing")


def test_permissions_and_links_stay(path):
    weights.save(path, {"a": np.ones(1)})
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    path.chmod(0o640)
    link = path.with_name("link")
    link.symlink_to(path.name)
    weights.save(link, {"a": np.zeros(1)})
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert weights.load(path)[0]["a"] == 0


@pytest.mark.parametrize("call", ["fsync", "replace", "fchmod"])
def test_a_failing_disk_leaves_the_old_file_and_nothing_else(call, path, monkeypatch):
    weights.save(path, {"a": np.ones(1)})

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(OSError, match="No space"):
            weights.save(path, {"a": np.zeros(1)})
    assert weights.load(path)[0]["a"] == 1
    assert os.listdir(path.parent) == [path.name]


CHILD = """
import sys, numpy as np
from initcore import weights
print("ready", flush=True)
for number in range(1, 1_000_000):
    weights.save(sys.argv[1], {"a": np.full(200_000, number, np.float32), "b": np.full(3, number)})
"""


def test_a_process_killed_while_it_saves_leaves_a_whole_file(path):
    """Twelve children, each killed at a random moment. Before and after it, what is there is of one piece."""
    weights.save(path, {"a": np.zeros(200_000, np.float32), "b": np.zeros(3)})
    moments = random.Random(0)
    for _ in range(12):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE)
        with child:
            assert child.stdout.readline() == b"ready\n"
            for end in (False, True):
                time.sleep(moments.uniform(0.0, 0.03))
                if end:
                    child.send_signal(signal.SIGKILL)
                    child.wait()
                tensors, _ = weights.load(path)
                assert len(np.unique(np.concatenate([tensors["a"], tensors["b"]]))) == 1
