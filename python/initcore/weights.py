"""Tensors in a file: safetensors, written atomically, read without trusting a byte of it.

The format: 8 bytes of header length, a JSON header (name -> dtype, shape, offsets), the tensors' bytes.
Nothing in it is ever executed; a file that is torn, altered or hostile is a ValueError that says why. To
allow another dtype, add its row to `DTYPES`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NoReturn

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from initcore._files import write_atomically

DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "I64": np.dtype(np.int64),
    "I32": np.dtype(np.int32),
    "I16": np.dtype(np.int16),
    "I8": np.dtype(np.int8),
    "U64": np.dtype(np.uint64),
    "U32": np.dtype(np.uint32),
    "U16": np.dtype(np.uint16),
    "U8": np.dtype(np.uint8),
    "BOOL": np.dtype(np.bool_),
}
MAX_HEADER = 1 << 20  # bytes; some ten thousand tensors, and no more JSON than that to parse
MAX_NAME = 256  # characters
MAX_RANK = 32  # dimensions; what every NumPy can hold
_OURS = "initcore"  # the key of the header's metadata that holds ours, as JSON


def save(
    path: str | os.PathLike[str],
    tensors: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write ``tensors`` and ``metadata`` (anything JSON can hold) to ``path``, atomically.

    Arrays of any layout and byte order are taken. The same content gives the same bytes, and a checksum of
    it is stored. An existing file is replaced in one step and keeps its permissions.

    Raises:
        TypeError: the metadata are not JSON.
        ValueError: a name or a dtype cannot be stored. No file is touched.

    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.safetensors")
    >>> save(path, {"dense/kernel": np.eye(2)}, {"epoch": 3})
    >>> load(path)
    ({'dense/kernel': array([[1., 0.],
           [0., 1.]])}, {'epoch': 3})
    """
    plain = {_check_name(name): _plain(name, array) for name, array in tensors.items()}
    ours = {"sha256": _digest(plain), "metadata": dict(metadata or {})}
    data = safetensors.numpy.save(plain, {_OURS: json.dumps(ours, allow_nan=False, sort_keys=True)})
    length = int.from_bytes(data[:8], "little")
    if length > MAX_HEADER:
        raise ValueError(f"names and metadata must fit in {MAX_HEADER} bytes, these take {length}")
    write_atomically(path, data)


def load(
    path: str | os.PathLike[str], *, max_bytes: int = 1 << 34
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return the tensors and the metadata of a safetensors file. The arrays are new and writable.

    Files that other programs wrote are read too; their metadata are strings.

    Args:
        path: A file that `save`, or any safetensors writer, made.
        max_bytes: A larger file is refused before memory for it is asked for.

    Raises:
        OSError: there is no such file, or it may not be read.
        ValueError: it is not a safetensors file, is truncated or altered, or is too large.
    """
    with _opened(path) as reader:
        if reader.size > max_bytes:
            reader.refuse(f"it has {reader.size} bytes and max_bytes is {max_bytes}")
        return reader.tensors(), reader.metadata


def load_into(path: str | os.PathLike[str], tensors: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Fill ``tensors`` from a file that holds exactly these names, shapes and dtypes; return its metadata.

    Everything is compared, and read, before the first array is changed.

    Raises:
        OSError: there is no such file, or it may not be read.
        ValueError: the file does not fit (the message lists what is missing, unexpected and different), or
            is not a valid file.
    """
    with _opened(path) as reader:
        reader.check_fits({name: (array.dtype, array.shape) for name, array in tensors.items()})
        new = reader.tensors()
        for name, array in tensors.items():
            np.copyto(array, new[name], casting="equiv")
        return reader.metadata


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[_Reader]:
    def without_waiting(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NONBLOCK)  # a pipe would make open() wait for its writer

    with open(path, "rb", opener=without_waiting) as file:
        yield _Reader(path, file)


class _Reader:
    """An open safetensors file whose header has been parsed and checked against the file's length."""

    def __init__(self, path: str | os.PathLike[str], file: BinaryIO):
        self.path = os.fspath(path)
        self.file = file
        status = os.fstat(file.fileno())
        self.size = status.st_size
        if not stat.S_ISREG(status.st_mode):
            self.refuse("it is not a regular file")
        self.head = self._read_head()
        self.layout, foreign, ours = self._parse(self.head[8:])
        self.digest: str | None = ours.get("sha256")
        self.metadata: dict[str, Any] = ours.get("metadata", foreign)

    def refuse(self, why: str) -> NoReturn:
        raise ValueError(f"{self.path!r} must be a safetensors file, but {why}")

    def _read_head(self) -> bytes:
        start = self.file.read(8)
        if len(start) < 8:
            self.refuse(f"it ends after {len(start)} of the 8 bytes of the header's length")
        length = int.from_bytes(start, "little")
        if length > MAX_HEADER:
            self.refuse(f"its header would have {length} bytes; the limit is {MAX_HEADER}")
        if length > self.size - 8:
            self.refuse(f"it ends inside its header: {self.size - 8} of {length} bytes are there")
        return start + self.file.read(length)

    def _parse(
        self, header: bytes
    ) -> tuple[dict[str, tuple[np.dtype[Any], tuple[int, ...]]], dict[str, str], dict[str, Any]]:
        """Return name -> (dtype, shape), the metadata as they stand, and our part of them."""
        try:
            entries = _strict_json(header.decode())
            foreign = dict(entries.pop("__metadata__", {}))
            ours = _strict_json(foreign[_OURS]) if _OURS in foreign else {}
            if ours and not (isinstance(ours["sha256"], str) and isinstance(ours["metadata"], dict)):
                raise TypeError("metadata of another type")
            layout, end = {}, 0
            for name, entry in entries.items():
                shape = tuple(entry["shape"])
                if len(shape) > MAX_RANK or not all(type(n) is int and 0 <= n < 1 << 63 for n in shape):
                    raise ValueError("a shape that no array has")
                layout[_check_name(name)] = DTYPES[entry["dtype"]], shape
                end = max(end, entry["data_offsets"][1])
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            self.refuse(f"its header cannot be understood ({type(error).__name__}: {str(error)[:200]})")
        declared = sum(dtype.itemsize * math.prod(shape) for dtype, shape in layout.values())
        present = self.size - len(self.head)
        if not declared == end == present:
            self.refuse(f"its header declares {max(declared, end)} bytes of tensors and {present} are there")
        return layout, foreign, ours

    def check_fits(self, expected: Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]]) -> None:
        """Raise ValueError unless the file holds exactly ``expected``."""
        faults = [f"{name!r} is missing" for name in expected if name not in self.layout]
        faults += [f"{name!r} is unexpected" for name in self.layout if name not in expected]
        for name, (dtype, shape) in expected.items():
            found_dtype, found_shape = self.layout.get(name, (dtype, shape))
            if (found_dtype, found_shape) != (dtype, shape):
                faults.append(f"{name!r} must be {dtype} {shape}, is {found_dtype} {found_shape}")
        if faults:
            raise ValueError(f"{self.path!r} does not fit: " + "; ".join(faults))

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Read all tensors. The library checks that they neither overlap nor leave gaps."""
        try:
            flat: Any = safetensors.deserialize(self.head + self.file.read(self.size - len(self.head)))  # type: ignore[no-untyped-call]
        except safetensors.SafetensorError as error:
            self.refuse(f"its header cannot be understood ({error})")
        found = {name: bytes(entry["data"]) for name, entry in flat}
        arrays = {
            name: np.frombuffer(found[name], dtype.newbyteorder("<")).astype(dtype).reshape(shape)
            for name, (dtype, shape) in self.layout.items()
        }
        if self.digest is not None and self.digest != _digest(arrays):
            self.refuse("its checksum does not match: the tensors were altered after they were saved")
        return arrays


def _check_name(name: object) -> str:
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise ValueError(f"a tensor's name must be 1 to {MAX_NAME} printable characters, got {name!r:.300}")
    if name == "__metadata__":
        raise ValueError("a tensor's name must not be '__metadata__', which the format keeps for itself")
    return name


def _plain(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return ``array`` as the library needs it: it writes the memory as it lies, strides or not.

    https://github.com/huggingface/safetensors/issues/825. Not `np.ascontiguousarray`: that turns a scalar
    into a vector.
    """
    array = np.asarray(array)
    dtype = array.dtype.newbyteorder("=")
    if dtype not in DTYPES.values():
        raise ValueError(
            f"{name!r} must have one of the dtypes {', '.join(map(str, DTYPES.values()))}, got {dtype}"
        )
    return np.asarray(array, dtype, order="C")


def _digest(tensors: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of names, dtypes, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name]
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name} {array.dtype.name} {array.shape}\n".encode())
        digest.update(little.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _strict_json(text: str) -> dict[str, Any]:
    """Parse a JSON object in which no key comes twice and every number is one."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) < len(pairs):
            raise ValueError("a key comes twice")
        return result

    def constant(value: str) -> NoReturn:
        raise ValueError(f"{value} is not JSON")

    result = json.loads(text, object_pairs_hook=unique, parse_constant=constant)
    if not isinstance(result, dict):
        raise TypeError("not an object")
    return result
