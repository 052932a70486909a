"""The compiled module: what it needs, what it exports, what it does to the process that imports it."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import initcore as ic
from initcore import _core

LIBRARY = Path(_core.__file__)
CPP = Path(__file__).parents[1] / "cpp"
KERNELS = sorted((CPP / "kernels").glob("*.cpp"))
COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks for ELF files")


def run(code: str, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | env, capture_output=True, text=True, timeout=60
    )


def tool(*command: str | Path) -> str:
    if not shutil.which(str(command[0])):
        pytest.skip(f"needs {command[0]}")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# The shared object


@linux
def test_it_needs_only_what_every_system_has():
    needed = re.findall(r"NEEDED.*\[(.*?)\.so", tool("readelf", "--dynamic", LIBRARY))
    loader = [name for name in needed if name.startswith(("ld-linux", "ld64", "ld-musl"))]
    sanitizers = {"libasan", "libubsan", "libtsan"}
    assert set(needed) - set(loader) - sanitizers <= {"libc", "libm", "libstdc++", "libgcc_s"}


@linux
def test_the_loader_has_nothing_special_to_do():
    dynamic = tool("readelf", "--dynamic", "--wide", LIBRARY)
    for flag in ("STATIC_TLS", "TEXTREL", "RPATH", "RUNPATH"):
        assert flag not in dynamic
    stack = re.search(r"GNU_STACK.*", tool("readelf", "--program-headers", "--wide", LIBRARY))
    assert stack and "RWE" not in stack[0]


@linux
def test_one_name_leaves_the_module():
    names = [line.split()[-1] for line in tool("nm", "--dynamic", "--defined-only", LIBRARY).splitlines()]
    assert names == ["PyInit__core"]


@linux
def test_nothing_switches_the_process_to_flush_to_zero():
    # crtfastmath.o, which some flags link in, is the only code with this instruction.
    assert "ldmxcsr" not in tool("objdump", "--disassemble", LIBRARY)


def test_no_flag_ties_it_to_one_machine_or_loosens_arithmetic():
    build = _core.build()
    for flag in (
        "-march=native",
        "-mtune=native",
        "-ffast-math",
        "-Ofast",
        "-funsafe-math-optimizations",
        "-flto",
    ):
        assert flag not in build["flags"] + build["isa_flags"]


@linux
@pytest.mark.skipif(COMPILER is None, reason="needs a C++ compiler")
@pytest.mark.parametrize("source", KERNELS, ids=lambda path: path.stem)
def test_a_kernel_object_exports_its_table_alone(source, tmp_path):
    """A weak or a second symbol could be linked for another instruction set, and end a process there."""
    isa = _core.compiled_isas()[-1]
    row = next(row for row in _core.build()["isa_flags"].split("; ") if row.startswith(isa))
    assert_exports(source, row, source.stem, tmp_path)


@linux
@pytest.mark.skipif(COMPILER is None, reason="needs a C++ compiler")
@pytest.mark.parametrize("name", _core.compiled_bf16())
def test_so_does_one_of_products_in_bf16(name, tmp_path):
    row = next(row for row in _core.build()["bf16_flags"].split("; ") if row.startswith(name))
    assert_exports(CPP / "kernels" / "bf16" / f"{name}.cpp", row, "bf16", tmp_path)


@linux
@pytest.mark.skipif(COMPILER is None, reason="needs a C++ compiler")
@pytest.mark.parametrize(
    "source", [path for path in KERNELS if path.stem.startswith("random")], ids=lambda path: path.stem
)
def test_nothing_is_fused_where_the_bits_are_promised(source, tmp_path):
    """GCC 12 makes fused operations of neighbouring sums and differences even under -ffp-contract=off."""
    for row in _core.build()["isa_flags"].split("; "):
        isa, target = row.split()[0], tmp_path / "kernel.s"
        flags = [
            "-std=gnu++20",
            "-O3",
            "-fPIC",
            "-fopenmp-simd",
            "-fno-math-errno",
            "-fno-trapping-math",
            "-Wno-psabi",
        ]
        command = [COMPILER, *flags, "-ffp-contract=off", *row.split("|")[2].split()]
        command += [f"-DINITCORE_ISA={isa}", f"-I{CPP}", "-S", str(source), "-o", str(target)]
        subprocess.run(command, check=True)
        assert not re.search(r"^\s+v?fn?m(add|sub|la|ls)\w*\s", target.read_text(), re.M), isa


def assert_exports(source, row, symbol, tmp_path):
    isa = row.split()[0]
    flags = row.split("|")[2].split()
    target = tmp_path / "kernel.o"
    command = [
        COMPILER,
        "-std=gnu++20",
        "-O1",
        "-fPIC",
        "-fopenmp-simd",
        "-fvisibility=hidden",
        "-Wno-psabi",
        *flags,
    ]
    command += [f"-DINITCORE_ISA={isa}", f"-I{CPP}", "-c", str(source), "-o", str(target)]
    subprocess.run(command, check=True)
    symbols = [line.split()[-2:] for line in tool("nm", "--defined-only", "--demangle", target).splitlines()]
    exported = [name for kind, name in symbols if kind.isupper() or kind in "wv"]
    assert exported == [f"initcore::{isa}::{symbol}"]


# What an import does


SIDE_EFFECTS = """
import json, locale, os, random, signal, sys, warnings
import numpy as np

def state():
    tiny = np.float64(2.2250738585072014e-308)
    return {
        "subnormals": float(tiny * 0.25),
        "numpy": repr(np.random.get_state()), "python": hash(random.getstate()),
        "environment": dict(os.environ), "errors": np.geterr(), "locale": locale.setlocale(locale.LC_ALL),
        "signals": {str(s): str(signal.getsignal(s)) for s in signal.valid_signals()},
        "filters": repr(warnings.filters), "hook": repr(sys.excepthook),
        "threads": len(os.listdir("/proc/self/task")),
    }

before = state()
import initcore
from initcore import *
after = state()
print(json.dumps([key for key in before if before[key] != after[key]]))
heavy = {"torch", "jax", "sklearn", "keras", "matplotlib", "rich", "click", "scipy", "pandas"}
print(json.dumps(sorted(heavy & set(sys.modules))))
initcore.set_num_threads(2)
initcore._core.parallel_probe(1000)
print(state()["subnormals"] == before["subnormals"])
"""


@linux
def test_an_import_changes_nothing_and_brings_nothing_heavy():
    result = run(SIDE_EFFECTS)
    assert result.returncode == 0, result.stderr
    assert [json.loads(line.lower()) for line in result.stdout.splitlines()] == [[], [], True]


def test_the_module_leaves_the_interpreter_lock_to_the_interpreter():
    """Under a free-threaded Python the lock stays off."""
    asks = getattr(sys, "_is_gil_enabled", lambda: True)
    assert run(
        "import initcore, sys; print(getattr(sys, '_is_gil_enabled', lambda: True)())"
    ).stdout.strip() == str(asks())


# Which instruction set


@pytest.mark.parametrize("isa", _core.isas())
def test_the_environment_chooses_the_instruction_set(isa):
    result = run("import initcore; print(initcore.build_info()['active_isa'])", INITCORE_ISA=isa)
    assert result.stdout.strip() == isa, result.stderr


def test_the_best_instruction_set_is_the_default():
    result = run("import initcore; print(initcore.build_info()['active_isa'])", INITCORE_ISA="")
    assert result.stdout.strip() == _core.isas()[0]


def test_an_unknown_instruction_set_is_an_import_error_with_the_list():
    result = run("import initcore", INITCORE_ISA="mmx")
    assert result.returncode == 1
    message = result.stderr.strip().splitlines()[-1]
    assert message.startswith("ImportError") and "'mmx'" in message
    assert all(isa in message for isa in _core.isas())


def test_a_processor_below_the_baseline_is_told_so():
    with pytest.raises(RuntimeError, match="needs a CPU with one of") as error:
        _core.choose_isa([], "")
    assert all(isa in str(error.value) for isa in _core.compiled_isas())


def test_an_instruction_set_that_this_machine_lacks_is_refused():
    best = _core.compiled_isas()[0]
    with pytest.raises(RuntimeError, match=f"got '{best}'"):
        _core.choose_isa([isa for isa in _core.compiled_isas() if isa != best] or ["other"], best)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="levels of x86-64")
def test_x86_has_levels():
    assert ic.build_info()["compiled_isas"] == sorted(_core.compiled_isas(), reverse=True)
    assert len(_core.compiled_isas()) > 1
