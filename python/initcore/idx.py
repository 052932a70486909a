"""The IDX format of MNIST and its kin: a big-endian header (type, dimensions), then the elements.

Files come from anywhere, so nothing in the header is believed before the bytes are there: every check that
fails is a ValueError naming the file and what is wrong with it.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

# Third byte of a file -> its elements. http://yann.lecun.com/exdb/mnist/, "the IDX file format".
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

_MOST_DIMENSIONS = 4  # images with channels
_PIECE = 1 << 20  # read this much at a time, so that memory grows with what is there, not what is claimed


def read_idx(path: str | os.PathLike[str], *, max_bytes: int = 1 << 30) -> NDArray[Any]:
    """Return the array in an IDX file, packed with gzip or not.

    Args:
        path: The file.
        max_bytes: Refuse a file whose elements take more than this, unpacked.

    Raises:
        ValueError: The file is no IDX file, is cut short, has bytes left over, or is too large.
        FileNotFoundError: There is no such file.
    """
    path = Path(path)
    with open(path, "rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        try:
            if packed:
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    return _read(unpacked, path, max_bytes)
            return _read(raw, path, max_bytes)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path} is damaged: {error}") from error


def _read(file: BinaryIO | gzip.GzipFile, path: Path, max_bytes: int) -> NDArray[Any]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES:
        raise ValueError(f"{path} is not an IDX file: it starts with the bytes {magic.hex(' ') or '(none)'}")
    ndim = magic[3]
    if not 1 <= ndim <= _MOST_DIMENSIONS:
        raise ValueError(f"{path} must have 1 to {_MOST_DIMENSIONS} dimensions, its header says {ndim}")
    header = file.read(4 * ndim)
    if len(header) < 4 * ndim:
        raise ValueError(f"{path} is cut short: its header ends early")
    shape = struct.unpack(f">{ndim}I", header)
    dtype = np.dtype(TYPES[magic[2]])
    size = math.prod(shape) * dtype.itemsize
    if size > max_bytes:
        raise ValueError(f"{path} claims {size} bytes, shape {shape}; at most {max_bytes} are accepted")
    elements = _read_exactly(file, size)
    if len(elements) < size:
        raise ValueError(f"{path} is cut short: shape {shape} needs {size} bytes, it has {len(elements)}")
    if file.read(1):
        raise ValueError(f"{path} has bytes left over after the {size} that shape {shape} needs")
    return np.frombuffer(elements, dtype).astype(dtype.newbyteorder("="), copy=False).reshape(shape)


def _read_exactly(file: BinaryIO | gzip.GzipFile, size: int) -> bytearray:
    elements = bytearray()
    while len(elements) < size:
        piece = file.read(min(_PIECE, size - len(elements)))
        if not piece:
            break
        elements += piece
    return elements
