"""Data to try things on. To add a set: a function that returns a `Dataset`, and a row of `DATASETS`.

The digits come with the package. Fashion-MNIST and MNIST are read from a folder of IDX files, or fetched once
with pooch (the extra ``data``) when asked for, never at import.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from initcore._validate import choose
from initcore.dataset import Dataset
from initcore.generators import blobs, regression_with_outliers, teacher, two_spirals, xor
from initcore.idx import read_idx
from initcore.image_files import FASHION_MNIST, IMAGE_FILES, MNIST, find_files, read_images

__all__ = [
    "DATASETS",
    "Dataset",
    "blobs",
    "digits",
    "fashion_mnist",
    "find",
    "load",
    "mnist",
    "names",
    "read_idx",
    "regression_with_outliers",
    "teacher",
    "two_spirals",
    "xor",
]


def digits() -> Dataset:
    """Return the UCI optical digits: 1797 images of 8 x 8 pixels, ten classes. Works offline.

    Pixels 0..16 are divided by 16. The split is fixed: of each class, in the order of the file, the first and
    every fourth after it are for testing. Both parts share their 13 writers: new writers are harder.
    E. Alpaydin, C. Kaynak 1998, doi:10.24432/C50P49, CC BY 4.0.

    >>> digits()
    Dataset('digits', classification, 1343 + 454 rows, 64 features, 10 outputs)
    """
    with (resources.files("initcore") / "data" / "digits.npz").open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        x, y = arrays["x"].astype(np.float32) / 16, arrays["y"].astype(np.int64)
    test = _every_fourth_of_each_class(y)
    return Dataset(
        x[~test],
        y[~test],
        x[test],
        y[test],
        task="classification",
        name="digits",
        source="UCI optical digits, E. Alpaydin and C. Kaynak 1998, doi:10.24432/C50P49, CC BY 4.0",
        scaling="pixels / 16, in [0, 1]",
        image_shape=(8, 8),
        class_names=tuple("0123456789"),
    )


def fashion_mnist(folder: str | os.PathLike[str] | None = None, *, dtype: str = "float32") -> Dataset:
    """Return Fashion-MNIST: 60000 + 10000 images of 28 x 28 pixels, ten kinds of clothing.

    Read from ``folder`` if given, which holds the four IDX files, packed or not, in either spelling. Without
    it: from the Debian package ``dataset-fashion-mnist``, else from the cache, else fetched into the cache
    with pooch and checked by hash. Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747, MIT licence.

    Args:
        folder: Where the files are.
        dtype: ``"float32"``: pixels divided by 255. ``"uint8"``: as in the files.

    Raises:
        FileNotFoundError: The files are nowhere, and pooch is not installed to fetch them.
        ValueError: A file is damaged.
    """
    return read_images(FASHION_MNIST, folder, dtype)


def mnist(folder: str | os.PathLike[str] | None = None, *, dtype: str = "float32") -> Dataset:
    """Return MNIST: 60000 + 10000 images of handwritten digits, 28 x 28 pixels.

    Found, read and fetched as `fashion_mnist` is. LeCun, Cortes, Burges 1998.
    """
    return read_images(MNIST, folder, dtype)


DATASETS: dict[str, Callable[..., Dataset]] = {
    "digits": digits,
    "fashion-mnist": fashion_mnist,
    "mnist": mnist,
    "two-spirals": two_spirals,
    "xor": xor,
    "blobs": blobs,
    "regression-with-outliers": regression_with_outliers,
    "teacher": teacher,
}


def names() -> list[str]:
    """Return the names that `load` knows."""
    return list(DATASETS)


def load(name: str, folder: str | os.PathLike[str] | None = None) -> Dataset:
    """Return the data set called ``name``, read from ``folder`` if it is one that lies in files.

    Raises:
        ValueError: There is no such data set, or it takes no folder.
    """
    name = name.replace("_", "-") if isinstance(name, str) else name
    make = choose("dataset", name, DATASETS)
    if folder is None:
        return make()
    if name not in IMAGE_FILES:
        raise ValueError(f"dataset {name!r} takes no folder; {', '.join(map(repr, IMAGE_FILES))} do")
    return make(folder)


def find(name: str, folder: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the folder from which ``name`` can be read without fetching it, or None.

    >>> find("mnist", "/no/such/folder") is None
    True
    """
    return find_files(choose("dataset", name.replace("_", "-"), IMAGE_FILES), folder)


def _every_fourth_of_each_class(y: NDArray[np.int64]) -> NDArray[np.bool_]:
    chosen = np.zeros(len(y), bool)
    for label in np.unique(y):
        chosen[np.flatnonzero(y == label)[::4]] = True
    return chosen
