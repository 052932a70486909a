"""What the libraries may use: as many threads as were asked for, and the best kernels of this processor.

They read these variables when they are first imported. So this file needs only the standard library, and
whoever measures calls `prepare` before anything else, or starts a process with what `environment` returns.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "INITCORE_NUM_THREADS")

# Settings that would keep a library from the best kernels of this processor.
HOLD_BACK = (
    "OPENBLAS_CORETYPE",  # "Haswell" halves the speed of NumPy's products on a processor with AVX-512
    "OPENBLAS_L2_SIZE",
    "NPY_DISABLE_CPU_FEATURES",
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "MKL_ENABLE_INSTRUCTIONS",
)


def environment(base: Mapping[str, str], threads: int) -> dict[str, str]:
    """Return an environment in which every library computes in ``threads`` threads, at its best.

    >>> environment({"OPENBLAS_CORETYPE": "Haswell"}, 1)["OPENBLAS_NUM_THREADS"]
    '1'
    """
    result = {name: value for name, value in base.items() if name not in HOLD_BACK}
    result |= dict.fromkeys(THREADS, str(threads))
    eigen = "false" if threads == 1 else "true"
    result["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={eigen} intra_op_parallelism_threads={threads}"
    result |= {
        "JAX_PLATFORMS": "cpu",
        "NPROC": str(threads),
    }  # the flags alone leave JAX a thread per processor
    return result


def prepare(variables: MutableMapping[str, str], threads: int = 1) -> None:
    """Make an environment such a one, before any of the libraries is imported."""
    wanted = environment(variables, threads)
    for name in set(variables) - wanted.keys():
        del variables[name]
    variables.update(wanted)
