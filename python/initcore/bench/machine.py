"""What a measurement was made on, and with: the head of its report."""

from __future__ import annotations

import datetime
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
    """Return what the processor calls itself.

    >>> len(cpu_name()) > 0
    True
    """
    try:
        for line in _CPU_INFO.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    except OSError:
        pass  # another system: ask Python
    return platform.processor() or platform.machine()


def describe() -> dict[str, Any]:
    """Return the processor, the day and the versions; of a library that is not installed, None."""
    return {
        "cpu": cpu_name(),
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
