"""What a measurement was made on, and with: the head of its report."""

from __future__ import annotations

import datetime
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from initcore import _core

_CPU_INFO = Path("/proc/cpuinfo")
_DISTRIBUTIONS = {
    "NumPy": "numpy",
    "PyTorch": "torch",
    "JAX": "jax",
    "scikit-learn": "scikit-learn",
    "ONNX Runtime": "onnxruntime",
}


def cpu_name() -> str:
    """Return what the processor calls itself; where that has no number, its family and model too.

    >>> len(cpu_name()) > 0
    True
    """
    try:
        lines = _CPU_INFO.read_text().splitlines()
    except OSError:
        lines = []  # another system: ask Python
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = told.get("model name") or platform.processor() or platform.machine()
    if told.get("cpu family") and not any(letter.isdigit() for letter in name):
        name += f", family {told['cpu family']} model {told.get('model')}"
    return name


def describe() -> dict[str, Any]:
    """Return the processor, the day and the versions; of a library that is not installed, None.

    ``load`` is how many programs were running in the last minute: call this before anything is measured.
    """
    return {
        "cpu": cpu_name(),
        "load": round(os.getloadavg()[0], 1),
        "processors": _core.cpu_limits()["hardware"],
        "isa": _core.active_isa(),
        "date": datetime.date.today().isoformat(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "initcore": _core.__version__,
        "libraries": {name: _version(known) for name, known in _DISTRIBUTIONS.items()},
    }


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
