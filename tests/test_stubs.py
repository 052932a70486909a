"""The types of the compiled module, in _core.pyi, are those of the module.

The file is generated: CONTRIBUTING.md has the command. CI generates it anew and compares; this test needs no
generator, so that whoever forgets hears of it at once.
"""

import ast
import re
from pathlib import Path

import initcore
from initcore import _core

STUB = ast.parse((Path(initcore.__file__).parent / "_core.pyi").read_text())


def in_stub(scope: ast.Module | ast.ClassDef) -> dict[str, list[str]]:
    """Functions of a scope, with the names of their arguments."""
    functions = (node for node in scope.body if isinstance(node, ast.FunctionDef))
    return {f.name: [a.arg for a in f.args.args if a.arg != "self"] for f in functions}


def in_module(scope: object) -> dict[str, list[str]]:
    """The same from the first lines of the docstrings, which pybind11 writes."""
    found = {}
    for name, value in vars(scope).items():
        signature = re.match(rf"{name}\((.*)\) -> ", getattr(value, "__doc__", None) or "")
        if signature:
            text, brackets = signature[1], 1
            while brackets:  # the innermost ones first
                text, brackets = re.subn(r"\[[^\[\]]*\]|\{[^{}]*\}", "", text)
            found[name] = [a for a in re.findall(r"(\w+): ", text) if a != "self"]
    return found


def test_functions_and_their_arguments_are_listed():
    assert in_stub(STUB) == in_module(_core)


def test_methods_and_their_arguments_are_listed():
    classes = {node.name: in_stub(node) for node in STUB.body if isinstance(node, ast.ClassDef)}
    assert classes.keys() == {name for name, value in vars(_core).items() if isinstance(value, type)}
    for name, stub in classes.items():
        properties = {key for key, value in vars(getattr(_core, name)).items() if isinstance(value, property)}
        assert {key: value for key, value in stub.items() if key not in properties} == in_module(
            getattr(_core, name)
        )
