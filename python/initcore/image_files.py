"""MNIST and its kin: four IDX files in a folder, or fetched once. To add a set: a row of `IMAGE_FILES`."""

from __future__ import annotations

import gzip
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from initcore.dataset import Dataset
from initcore.idx import read_idx

PARTS = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@dataclass(frozen=True)
class ImageFiles:
    """Where four IDX files lie, come from, and what they must be. Hashes are in the order of PARTS."""

    name: str
    title: str
    url: str
    installed: Path  # where the Debian package puts them
    packed: tuple[str, ...]  # hash of each .gz upstream, as pooch takes it
    unpacked: tuple[
        str, ...
    ]  # sha256 of each file's bytes, unpacked: Debian's are packed anew; () if not known
    source: str
    class_names: tuple[str, ...]


FASHION_MNIST = ImageFiles(
    name="fashion-mnist",
    title="Fashion-MNIST",
    url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    installed=Path("/usr/share/datasets/fashion-mnist"),
    packed=(  # https://github.com/zalandoresearch/fashion-mnist, README
        "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "md5:25c81989df183df01b3e8a0aad5dffbe",
        "md5:bef4ecab320f06d8554ea6380940ec79",
        "md5:bb300cfdad3c16e7a12a480ee83cd310",
    ),
    unpacked=(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    source="Fashion-MNIST, Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747, MIT",
    class_names=(
        *("T-shirt", "trouser", "pullover", "dress", "coat"),
        *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
    ),
)

MNIST = ImageFiles(
    name="mnist",
    title="MNIST",
    url="https://storage.googleapis.com/cvdf-datasets/mnist/",
    installed=Path("/usr/share/datasets/mnist"),
    packed=(
        "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
    unpacked=(),
    source="MNIST, LeCun, Cortes, Burges 1998, http://yann.lecun.com/exdb/mnist/",
    class_names=tuple("0123456789"),
)

IMAGE_FILES = {files.name: files for files in (FASHION_MNIST, MNIST)}


def find_files(files: ImageFiles, folder: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the folder that holds all four files: ``folder``, else the package's or the cache; or None."""
    for place in [files.installed, cache_folder(files)] if folder is None else [Path(folder)]:
        if all(_spelled(place, part) for part in PARTS):
            return place
    return None


def read_images(files: ImageFiles, folder: str | os.PathLike[str] | None, dtype: str) -> Dataset:
    """Return the data set in ``folder``, or found, or fetched; pixels as ``dtype``."""
    if dtype not in ("float32", "uint8"):
        raise ValueError(f"dtype must be 'float32' or 'uint8', got {dtype!r}")
    place = find_files(files, folder)
    if place is None and folder is not None:
        raise FileNotFoundError(
            f"{files.title} must be four files in {os.fspath(folder)!r}: {', '.join(PARTS)} (with or without "
            f".gz; '.idx' may stand for '-idx'); missing: "
            + ", ".join(part for part in PARTS if not _spelled(Path(folder), part))
        )
    place = place or _fetch(files)
    x_train, y_train, x_test, y_test = (read_idx(_spelled(place, part) or place / part) for part in PARTS)
    for x, y, what in ((x_train, y_train, "train"), (x_test, y_test, "t10k")):
        if x.ndim != 3 or y.shape != x.shape[:1] or x.dtype != np.uint8 or y.dtype != np.uint8:
            raise ValueError(
                f"{what} in {place} must be uint8 images (n, rows, columns) and uint8 labels (n,), "
                f"got {x.dtype} {x.shape} and {y.dtype} {y.shape}"
            )
    images = [x.reshape(len(x), -1) for x in (x_train, x_test)]
    if dtype == "float32":
        images = [np.multiply(x, np.float32(1 / 255), dtype=np.float32) for x in images]
    return Dataset(
        images[0],
        y_train.astype(np.int64),
        images[1],
        y_test.astype(np.int64),
        task="classification",
        name=files.name,
        source=files.source,
        scaling="pixels / 255, in [0, 1]" if dtype == "float32" else "pixels 0..255",
        image_shape=x_train.shape[1:],
        class_names=files.class_names,
    )


def cache_folder(files: ImageFiles) -> Path:
    """Return where fetched files are kept: in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "initcore" / files.name


def _spelled(folder: Path, part: str) -> Path | None:
    """Return the file for ``part`` under one of the names it goes by, or None."""
    for stem in (part, part.replace("-idx", ".idx")):
        for name in (stem, f"{stem}.gz"):
            if (folder / name).is_file():
                return folder / name
    return None


def _fetch(files: ImageFiles) -> Path:
    try:
        import pooch  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise FileNotFoundError(
            f"{files.title} is not on this machine: neither in {files.installed} (Debian package "
            f"dataset-{files.name}) nor in {cache_folder(files)}. Give folder=... with its four IDX files, "
            f"or install what fetches it: pip install 'initcore[data]'"
        ) from None
    place = cache_folder(files)
    for i, part in enumerate(PARTS):
        try:
            path = pooch.retrieve(f"{files.url}{part}.gz", files.packed[i], fname=f"{part}.gz", path=place)
        except OSError as error:
            raise FileNotFoundError(
                f"{files.title} is not on this machine, and could not be fetched: {error}. "
                f"Give folder=... with its four IDX files"
            ) from error
        if files.unpacked:
            check_sha256(Path(path), files.unpacked[i])
    return place


def check_sha256(path: Path, expected: str) -> None:
    """Raise ValueError unless ``path``, a .gz file, has the sha256 ``expected`` when unpacked."""
    found = hashlib.sha256()
    with gzip.open(path, "rb") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    if found.hexdigest() != expected:
        raise ValueError(f"{path} must have sha256 {expected} unpacked, has {found.hexdigest()}")
