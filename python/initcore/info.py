"""What this build is, and how many threads it uses.

To tell more: another key in :func:`build_info`.
"""

from __future__ import annotations

from typing import Any

from initcore import _core
from initcore._validate import check_count


def build_info() -> dict[str, Any]:
    """Tell how initcore was compiled and what it uses on this machine.

    Put it at the head of a log: it says what the numbers below it were computed with.

    Returns:
        A dictionary that can be written as JSON (an unlimited quota is ``None``):

        * ``version``, ``compiler``, ``build_type``, ``flags``; ``isa_flags``: those of each instruction set;
        * ``compiled_isas``: the instruction sets with kernels of their own, best first; ``isas``: those that
          this machine runs; ``active_isa``: the one in use (``INITCORE_ISA`` chooses another at import);
        * ``bf16``: the instruction that computes products for ``precision="bf16"``, ``None`` where there is
          none or ``INITCORE_BF16=off`` (a name chooses another at import); ``compiled_bf16``, ``bf16_flags``:
          those there are kernels for, best first, and their flags;
        * ``threads``: how many compute; ``workers``: how many of them have been started (all but the caller);
          ``threads_refused``: whether the system has refused to start one;
        * ``limits``: what the default number follows from (``hardware``, ``affinity``, ``quota`` of the
          control groups, ``environment``).

    Example:
        >>> info = build_info()
        >>> info["active_isa"] in info["isas"]
        True
    """
    limits: dict[str, Any] = _core.cpu_limits()
    if limits["quota"] == float("inf"):
        limits["quota"] = None
    pool = _core.pool_state()
    return {
        **_core.build(),
        "compiled_isas": _core.compiled_isas(),
        "isas": _core.isas(),
        "active_isa": _core.active_isa(),
        "compiled_bf16": _core.compiled_bf16(),
        "bf16": _core.active_bf16() or None,
        "threads": _core.num_threads(),
        "workers": pool["workers"],
        "threads_refused": pool["refused"],
        "limits": limits,
    }


def get_num_threads() -> int:
    """Return how many threads compute, the caller included.

    Unless :func:`set_num_threads` has been called, that is ``INITCORE_NUM_THREADS``, or else
    ``OMP_NUM_THREADS``, or else the number of processors, but at most what the affinity mask and the control
    groups' quota allow.

    Example:
        >>> get_num_threads() >= 1
        True
    """
    return _core.num_threads()


def set_num_threads(n: int) -> None:
    """Let ``n`` threads compute, the caller included, from the next operation on, in the whole process.

    Results do not depend on it, not by a bit. Small operations run in one thread whatever it is.

    Args:
        n: at least 1. More than there are processors is slower, not faster.

    Raises:
        TypeError: ``n`` is not a whole number.
        ValueError: it is less than 1.

    Example:
        >>> before = get_num_threads()
        >>> set_num_threads(1)
        >>> get_num_threads()
        1
        >>> set_num_threads(before)
    """
    _core.set_num_threads(check_count("n", n))
