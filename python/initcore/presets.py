"""Classic experiments, each one call, with what is known of them. To add one: a row of `PRESETS`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from initcore import datasets
from initcore._validate import choose
from initcore.comparison import Comparison
from initcore.dataset import Dataset
from initcore.experiment import compare
from initcore.image_files import IMAGE_FILES


@dataclass(frozen=True)
class Preset:
    """An experiment: data sets (the first that is there is taken), arguments of `compare`, what is known."""

    title: str
    data: tuple[str, ...]
    arguments: Mapping[str, Any]
    known: tuple[str, ...]


_IMAGES = ("mnist", "fashion-mnist", "digits")

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "initializers": Preset(
            "Initializers on 784-128-10: Adam, 10 epochs, batches of 32",
            _IMAGES,
            {"layers": (128,), "optimizer": "adam:0.001", "epochs": 10, "batch_size": 32, "seeds": 3},
            (
                "On MNIST, zeros stays at 11.35 %, the share of the most frequent digit; the others reach "
                "about 97.8 %.",
            ),
        ),
        "optimizers": Preset(
            "Optimizers on 784-128-64-10: 5 epochs, batches of 64",
            _IMAGES,
            {"vary": "optimizer", "layers": (128, 64), "epochs": 5, "batch_size": 64, "seeds": 3},
            (
                "On MNIST, the loss after each epoch is 1.02, 0.39, 0.33, 0.30, 0.27 with SGD and 0.38, "
                "0.19, 0.14, 0.11, 0.09 with Adam: Adam's falls fastest, SGD's slowest.",
            ),
        ),
        "activations": Preset(
            "Activations on 10-10-1: a regression, Adam, 100 epochs, batches of 32",
            ("teacher",),
            {
                "vary": "activation",
                "layers": (10,),
                "optimizer": "adam:0.001",
                "epochs": 100,
                "batch_size": 32,
            },
            ("The data are made by a tanh network: there is no figure to find again, and tanh fits best.",),
        ),
        "binary": Preset(
            "Initializers on 20-32-16-1: two classes, 20 epochs, batches of 32",
            ("teacher-binary",),
            {"layers": (32, 16), "optimizer": "adam:0.001", "epochs": 20, "batch_size": 32},
            ("Zeros stays near one half, which is chance; random weights of a sensible size learn.",),
        ),
    }
)

# Data sets of presets that need arguments.
_MADE: dict[str, Callable[[], Dataset]] = {
    "teacher": lambda: datasets.teacher(features=10),
    "teacher-binary": lambda: datasets.teacher(4000, features=20, hidden=10, task="binary"),
}


def names() -> list[str]:
    """Return the names of the presets."""
    return list(PRESETS)


def run_preset(name: str, folder: str | os.PathLike[str] | None = None, **changes: Any) -> Comparison:
    """Run the preset called ``name`` and return its comparison, which tells what is known of the experiment.

    Args:
        name: One of `names()`.
        folder: Where to look for the images, if they are not where `datasets.find` looks.
        changes: Arguments of `compare` that take the place of the preset's own.

    Raises:
        ValueError: There is no such preset.
    """
    preset = choose("preset", name, PRESETS)
    notes = [preset.title + "."]
    dataset = changes.pop("dataset", None)
    if dataset is None:
        chosen = next(one for one in preset.data if one not in IMAGE_FILES or datasets.find(one, folder))
        if chosen != preset.data[0]:
            notes.append(
                f"{preset.data[0]} is not on this machine, so this is on {chosen}; its figures differ, their "
                f"order should not."
            )
        make = _MADE.get(chosen, lambda: datasets.load(chosen, folder if chosen in IMAGE_FILES else None))
        dataset = make()
    elif isinstance(dataset, str):
        dataset = datasets.load(dataset, folder)
    result = compare(dataset, **{**preset.arguments, **changes})
    return dataclasses.replace(result, notes=tuple(notes), known=(*preset.known, *_ours(result)))


def _ours(result: Comparison) -> list[str]:
    """Return what this run found, in the form in which it is known."""
    here = f"Here, on {result.settings['dataset']}"
    if result.settings["vary"] == "optimizer":
        losses = {
            one.label: [f"{mean:.2f}" for mean, _, _ in one.over_epochs("loss")] for one in result.schemes
        }
        return [f"{here}, {label}: {', '.join(values)}." for label, values in losses.items()]
    return [
        f"{here}: {', '.join(f'{one.label} {result.context.words(one.score)}' for one in result.schemes)}."
    ]
