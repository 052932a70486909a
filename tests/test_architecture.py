"""The rules of the structure: who may know whom, how large a file may be, what must not be there at all.

A new Python module takes its place in ORDER. The reasons stand in CONTRIBUTING.md.
"""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import initcore

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "python" / "initcore"
CPP = sorted((ROOT / "cpp").rglob("*.h")) + sorted((ROOT / "cpp").rglob("*.cpp"))
KERNELS = [path for path in CPP if path.is_relative_to(ROOT / "cpp" / "kernels")]
PYTHON = sorted(path for path in PACKAGE.rglob("*.py"))
TEXTS = [*CPP, *PYTHON, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "bench").rglob("*.py"))]

# A module may import only what stands to its left, or in an earlier line; those of a folder may import each
# other. "__init__" is the package itself.
ORDER = """
    _core _validate _table info precision
    formats indices shards random destination layouts _fans
    quadrature activations callables gains correlations meanfield gated_gains stability criticality
    known_gains theory calibration
    laws initializers residual mup
    dataset _files weights _targets _row_weights statistics
    plan roof
    losses metrics
    _schedule cycles schedules plateau regularizers
    _optimizer optimizers
    vector program layers network
    callbacks training model data_dependent
    apply
    torch keras jax
    idx image_files generators datasets
    candidates runs verdict figures report comparison experiment presets
    bench
    commands cli __main__
    __init__
""".split()  # noqa: SIM905


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Modules of the package that a file imports, wherever in the file it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}: import by full name"
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "initcore" else []
            )
            names += [node.module or ""]
        else:
            continue
        found |= {full.split(".")[1] for full in names if full.startswith("initcore.")}
    return found


# Who knows whom


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_imports_go_one_way(path):
    module = module_of(path)
    assert module in ORDER, f"give {module} its place in ORDER"
    wrong = {other for other in imported(path) - {module} if ORDER.index(other) >= ORDER.index(module)}
    assert not wrong, (
        f"{module} may import only what stands before it in ORDER, not {', '.join(sorted(wrong))}"
    )


def test_only_bindings_know_python():
    others = [path for path in CPP if path.parent.name != "bindings"]
    assert others
    for path in others:
        assert not re.search(r"pybind11|Python\.h|\bPy[A-Z]\w*\(", path.read_text()), name(path)


@pytest.mark.parametrize("path", KERNELS, ids=name)
def test_kernels_are_loops(path):
    """No objects of the standard library, no allocation, no exceptions: a kernel cannot fail."""
    code = re.sub(r"//.*", "", path.read_text())
    headers = re.findall(r"#include <(.*?)>", code)
    allowed = {"cstddef", "cstdint", "cstring", "limits", "type_traits", "utility"}
    # Instructions that compilers know by no other name: for bfloat16, and for the part of a vector.
    named = path.parent.name == "bf16" or path.name == "vector.h"
    assert set(headers) <= (allowed | {"immintrin.h"} if named else allowed), headers
    for word in (
        "new ",
        "malloc",
        "throw",
        "try {",
        "std::vector",
        "std::string",
        "std::function",
        "thread_local",
    ):
        assert word not in code, word
    if path.parent.name != "bf16":
        intrinsics = re.findall(r"\b_mm\w+", code)
        assert all(named and "mask" in word for word in intrinsics), "loops or vector types, no intrinsics"
    includes = re.findall(r'#include "(.*?)"', code)
    assert not [other for other in includes if other.startswith("bindings/") or other == "threads.h"]


def test_bindings_reach_kernels_through_the_table():
    families = re.findall(r"FAMILY\((\w+), ", (ROOT / "cpp" / "kernels.h").read_text())
    assert len(families) == len(set(families)) > 1
    sources = {path.stem for path in KERNELS if path.suffix == ".cpp" and path.parent.name != "bf16"}
    assert sources == set(families), "a kernel source is a family of kernels.h"
    in_bf16 = {path.stem for path in KERNELS if path.suffix == ".cpp" and path.parent.name == "bf16"}
    rows = re.search(r"set\(BF16_ROWS (.*?)\)", (ROOT / "CMakeLists.txt").read_text(), re.S)
    assert rows and in_bf16 == set(re.findall(r'"(\w+) ', rows[1])), "one in bf16/ is a row of BF16_ROWS"


# What a file may be


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_a_file_is_one_idea(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= 400, f"{len(lines)} lines are two ideas"
    if lines:
        assert lines[0].startswith(("// ", '"""', 'r"""', "#pragma once")), (
            "the first line says what the file is"
        )
    assert path.stem not in {"utils", "util", "helpers", "common", "misc"} and not re.search(
        r"_impl$|_v\d", path.stem
    )


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_nothing_is_left_undone(path):
    unfinished = "TO" + "DO", "FIX" + "ME", "XX" + "X:", "Not" + 'ImplementedError("later'
    text = path.read_text()
    assert not [word for word in unfinished if word in text]


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_a_function_does_something(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            body = [
                n for n in node.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))
            ]
            protocol = any(
                isinstance(n, ast.Expr) and n.value.value is ... for n in node.body if n not in body
            )
            hook = ast.get_docstring(node)  # one that does nothing says so
            assert (body and not all(isinstance(n, ast.Pass) for n in body)) or hook or protocol, node.name


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_data_never_becomes_code(path):
    """No pickles, no eval, no shell, no import by a name from a file."""
    tree = ast.parse(path.read_text())
    modules = {
        full.split(".")[0]
        for node in ast.walk(tree)
        for full in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not modules & {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "imp", "yaml"}
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {call.id for call in calls if isinstance(call, ast.Name)}
    assert not names & {"eval", "exec", "compile", "__import__"}
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "shell"):
            assert isinstance(node.value, ast.Constant) and node.value.value is False


def test_no_flag_loosens_arithmetic_or_ties_to_one_machine():
    text = re.sub(r"#.*", "", (ROOT / "CMakeLists.txt").read_text())
    for flag in (
        "-march=native",
        "-ffast-math",
        "-Ofast",
        "-funsafe-math",
        "-ffinite-math",
        "-flto",
        "OpenMP::",
    ):
        assert flag not in text


# What is public


PUBLIC = [getattr(initcore, public) for public in initcore.__all__ if not public.startswith("__")]


def test_public_names_exist_once_and_in_order():
    assert len(initcore.__all__) == len(set(initcore.__all__))
    names = {
        n for n in vars(initcore) if not n.startswith("_") and not inspect.ismodule(getattr(initcore, n))
    }
    assert names <= set(initcore.__all__)


@pytest.mark.parametrize(
    "public",
    [p for p in PUBLIC if inspect.isclass(p) or inspect.isfunction(p)],
    ids=lambda p: p.__name__,
)
def test_a_public_function_or_class_is_documented_with_an_example(public):
    text = inspect.getdoc(public) or ""
    if inspect.isclass(public):
        text += "".join(inspect.getdoc(m) or "" for n, m in vars(public).items() if not n.startswith("_"))
    assert ">>>" in text


REGISTRIES = sorted(
    module
    for module in {module_of(path) for path in PYTHON}
    - {"__init__", "torch", "keras", "jax"}  # may be missing
    if {"get", "names"} <= vars(importlib.import_module(f"initcore.{module}")).keys()
)


@pytest.mark.parametrize("registry", REGISTRIES)
def test_every_name_of_a_registry_is_documented(registry):
    module = importlib.import_module(f"initcore.{registry}")
    classes = {key.lower(): value for key, value in vars(module).items() if inspect.isclass(value)}
    for entry in module.names():
        named = classes.get(entry.replace("_", "")) or module.get(entry)
        assert inspect.getdoc(named) or getattr(named, "formula", None), entry


@pytest.mark.parametrize("registry", REGISTRIES)
def test_an_unknown_name_brings_the_list_and_the_nearest(registry):
    module = importlib.import_module(f"initcore.{registry}")
    first = next(iter(module.names()))
    with pytest.raises(ValueError) as error:
        module.get(first.upper() + "_")
    assert all(repr(entry) in str(error.value) for entry in module.names())
    assert f"Did you mean {first!r}?" in str(error.value)
