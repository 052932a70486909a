"""What a data set is: rows to learn from, rows to judge by, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Task = Literal["classification", "binary", "regression"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples to learn from and examples to judge by.

    Args:
        x_train: Inputs, ``(n, features)``: one example a row. Floats, or uint8 as the files have it.
        y_train: Labels ``0 .. classes - 1`` as int64 ``(n,)``; for a regression floats ``(n, outputs)``.
        x_test: As ``x_train``, other examples.
        y_test: As ``y_train``, for ``x_test``.
        task: ``"classification"``, ``"binary"`` (labels 0 and 1) or ``"regression"``.
        name: What to call it.
        source: Where it comes from, and its licence.
        scaling: What was done to the inputs.
        image_shape: The shape of a row that is an image, else None.
        class_names: What the labels mean, if they have names.

    Raises:
        ValueError: The arrays do not fit together, or ``task`` is none of the above.
    """

    x_train: NDArray[Any]
    y_train: NDArray[Any]
    x_test: NDArray[Any]
    y_test: NDArray[Any]
    task: Task
    name: str
    source: str
    scaling: str = "as they come"
    image_shape: tuple[int, ...] | None = None
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.task not in get_args(Task):
            raise ValueError(f"task must be one of {', '.join(map(repr, get_args(Task)))}, got {self.task!r}")
        for part, x, y in (("train", self.x_train, self.y_train), ("test", self.x_test, self.y_test)):
            if x.ndim != 2 or len(x) != len(y) or len(x) == 0:
                raise ValueError(
                    f"x_{part} must have shape (n, features) and y_{part} n rows, n > 0; "
                    f"got {x.shape} and {y.shape}"
                )
        if self.x_train.shape[1] != self.x_test.shape[1]:
            raise ValueError(
                f"x_train and x_test must have as many features, got {self.x_train.shape[1]} "
                f"and {self.x_test.shape[1]}"
            )

    @property
    def features(self) -> int:
        """Columns of the inputs."""
        return int(self.x_train.shape[1])

    @property
    def classes(self) -> int:
        """How many classes there are; 0 for a regression."""
        if self.task == "regression":
            return 0
        return int(max(self.y_train.max(), self.y_test.max())) + 1

    @property
    def outputs(self) -> int:
        """How many units the last layer of a network for it needs."""
        if self.task == "classification":
            return self.classes
        return 1 if self.task == "binary" or self.y_train.ndim == 1 else int(self.y_train.shape[1])

    @property
    def chance(self) -> float:
        """Accuracy, on the test rows, of always answering the most frequent class of the training rows."""
        if self.task == "regression":
            return float("nan")
        most = int(np.bincount(self.y_train).argmax())
        return float(np.mean(self.y_test == most))

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name!r}, {self.task}, {len(self.x_train)} + {len(self.x_test)} rows, "
            f"{self.features} features, {self.outputs} outputs)"
        )
