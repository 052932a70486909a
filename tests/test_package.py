"""The package's own namespace: what is imported when it is first asked for looks like all the rest."""

import ast
import importlib.util
import inspect
import subprocess
import sys

import pytest

import initcore

NAMES = sorted(set(initcore.__all__) - {"__version__"})


def fresh(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_what_is_not_asked_for_waits():
    asked = "import sys, initcore; print(sorted(m for m in sys.modules if m.startswith('initcore')))"
    assert fresh(asked).stdout.strip() == "['initcore', 'initcore._core']"


@pytest.mark.parametrize("name", NAMES)
def test_it_comes_when_it_is_asked_for(name):
    done = fresh(f"from initcore import {name}; import initcore; print(initcore.{name} is {name})")
    assert done.stdout.strip() == "True", done.stderr


def test_type_checkers_look_where_names_come_from():
    """They cannot follow ``__getattr__``, and take what they do not find for Any."""
    block = next(n for n in ast.parse(inspect.getsource(initcore)).body if isinstance(n, ast.If))
    seen = {alias.name: line.module for line in block.body for alias in line.names}
    homes = {name: f".{module}" for name, module in initcore._HOME.items()}
    assert seen == {name: f"initcore{homes.get(name, '')}" for name in NAMES}


def test_every_public_name_is_listed():
    assert set(initcore.__all__) <= set(dir(initcore))


@pytest.mark.parametrize("name", [n for n in NAMES if n in initcore._HOME])
def test_no_module_takes_the_place_of_a_name(name):
    """An import of ``initcore.name`` would put the module where the function or class is looked for."""
    assert importlib.util.find_spec(f"initcore.{name}") is None


def test_another_name_is_an_error_that_brings_the_nearest():
    with pytest.raises(AttributeError, match="has no attribute 'compares'"):
        initcore.compares  # noqa: B018
    assert "Did you mean: 'Sequential'?" in fresh("import initcore; initcore.Sequental").stderr
    assert "cannot import name 'Sequental'" in fresh("from initcore import Sequental").stderr
