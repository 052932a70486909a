"""Products through AMX tiles where there are none: the kernel as it is compiled, above tile_emulator.cpp."""

import ctypes
import functools
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from initcore import _core

NAME = "amx_bf16"
ROOT = Path(__file__).parents[1]
KERNEL = ROOT / "cpp" / "kernels" / "bf16" / f"{NAME}.cpp"
OTHERS = ROOT / "cpp" / "bf16_self_test.cpp", ROOT / "tests" / "tile_emulator.cpp"
COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
LAYOUTS = ("nn", "nt", "tn")  # as Layout in gemm.h counts them


def obstacle() -> str | None:
    """Say why tiles cannot be emulated here, if they cannot."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return "tiles are emulated on Linux on x86-64 only"
    if "amx_tile" in Path("/proc/cpuinfo").read_text():
        return "this processor has tiles: the tests of the kernels in _core run on them"
    if "avx512_bf16" not in _core.bf16():
        return "what surrounds the tile instructions needs AVX512_BF16"
    return None if COMPILER else "needs a C++ compiler"


def flags(name: str = NAME) -> list[str]:
    """Return the flags that CMake compiles a kernel with."""
    row = next(row for row in _core.build()["bf16_flags"].split("; ") if row.startswith(f"{name} "))
    return row.split("|")[2].split()


def compiled(target: Path, level: str = "-O2") -> Path:
    """Compile the kernel with the flags that CMake gives it."""
    row = next(row for row in _core.build()["bf16_flags"].split("; ") if row.startswith(f"{NAME} "))
    command = [COMPILER, "-std=gnu++20", level, "-fPIC", "-Wno-psabi", *row.split("|")[2].split()]
    command += [f"-DINITCORE_ISA={NAME}", f"-I{ROOT / 'cpp'}", "-c", KERNEL, "-o", target]
    subprocess.run(command, check=True)
    return target


@functools.cache
def library() -> ctypes.CDLL:
    """Compile kernel and emulator, once."""
    with tempfile.TemporaryDirectory() as folder:
        kernel, target = compiled(Path(folder) / "kernel.o"), Path(folder) / "emulated.so"
        command = [COMPILER, "-std=gnu++20", "-O2", "-fPIC", "-shared", "-march=x86-64-v3", "-pthread"]
        subprocess.run([*command, f"-I{ROOT / 'cpp'}", *OTHERS, kernel, "-o", target], check=True)
        loaded = ctypes.CDLL(str(target))
    pointer, index, flag = ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_bool
    loaded.product.argtypes = [ctypes.c_int, *[index] * 3, pointer, index, *[pointer] * 2, flag]
    loaded.product.argtypes += [pointer, flag, flag, pointer, index]
    loaded.roof_multiply_add.argtypes = [pointer, ctypes.c_float, index]
    loaded.lose.argtypes = [ctypes.c_long, flag, flag]
    loaded.foreign_configuration_survives.argtypes = [pointer]
    for function in (loaded.product, loaded.self_test, loaded.foreign_configuration_survives):
        function.restype = flag
    loaded.roof_sums.restype, loaded.lose.restype = index, ctypes.c_long
    return loaded


def matmul(layout, a, b, c, accumulate=False, bias=None, activation=None, slope=None, y=None):
    """Do what _core.matmul does, with relu for any activation."""
    k = a.shape[0 if layout == "tn" else 1]
    y = None if y is None else np.ascontiguousarray(y)
    released = library().product(
        LAYOUTS.index(layout), *c.shape, k, at(a), a.shape[1], at(b), at(c), accumulate, at(bias),
        activation is not None, slope is not None, at(y), _core.num_threads(),
    )  # fmt: skip
    assert released, "the tiles outlive the call"


def at(array):
    """Return where the elements of an array are."""
    if array is None:
        return None
    assert array.flags.c_contiguous and array.dtype == np.float32
    return array.ctypes.data
