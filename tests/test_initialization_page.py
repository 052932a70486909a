"""The page on initialization is true: its examples, its tables, and what it says the peers have."""

import doctest
import importlib.util
import inspect
import re
from functools import reduce
from pathlib import Path

import pytest

import initcore as ic
from initcore import initializers, layouts
from initcore.initializers import NAMED

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "initialization.md"


def script():
    spec = importlib.util.spec_from_file_location("tables", DOCS / "tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tables = script()
ROWS = [row for part in tables.FEATURES.values() for row in part]
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)


def quoted(cell):
    """The names in backticks, without arguments such as `gain=`."""
    return [name for name in re.findall(r"`([^`]+)`", cell) if "=" not in name]


def test_its_examples_run():
    failures, examples = doctest.testfile(str(PAGE), module_relative=False)
    assert examples > 30
    assert failures == 0


def test_its_tables_are_up_to_date():
    text = PAGE.read_text()
    assert tables.filled(text) == text, "run docs/tables.py"


@every_row
def test_our_names_are_there(row):
    for name in quoted(row.ours):
        reduce(getattr, name.split("."), ic)


def test_none_of_ours_is_missing():
    told = {name for row in ROWS for name in quoted(row.ours)}
    public = {name: getattr(initializers, name) for name in initializers.__all__ if name[0].isupper()}
    laws = {name for name, law in public.items() if inspect.isfunction(law) or inspect.isclass(law)}
    aliases = {name for name in laws if name.startswith(("Xavier", "Kaiming"))}
    assert laws - aliases - {"Fans", "Initializer", "Named"} <= {name.rpartition(".")[2] for name in told}
    kinds = {name for name, kind in vars(layouts).items() if inspect.isclass(kind)}
    kinds = {name for name in kinds if issubclass(getattr(layouts, name), layouts.Layout)} - {"Layout"}
    assert kinds == {name.removeprefix("layouts.") for name in told if name.startswith("layouts.")}


def test_every_named_initializer_has_its_row():
    text = PAGE.read_text()
    assert all(f"| `{row.name}` |" in text for row in NAMED)


def in_torch(torch):
    return torch.nn.init, lambda name: f"{name}_"


def in_keras(keras):
    return keras.initializers, lambda name: name.title().replace("_", "")


def in_jax(jax):
    return jax.nn.initializers, lambda name: name


@pytest.mark.peers
@pytest.mark.parametrize(("peer", "module"), [("torch", in_torch), ("keras", in_keras), ("jax", in_jax)])
def test_the_peers_have_what_the_page_says_and_not_what_it_denies(peer, module, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    found = pytest.importorskip(peer, reason=f"looks names up in a live {peer}")
    place, spelling = module(found)
    told = {name for row in ROWS for name in quoted(getattr(row, peer))}
    assert told and all(hasattr(place, name) for name in told)
    for row in ROWS:
        if not getattr(row, peer):
            ours = [name.rpartition(".")[2] for name in quoted(row.ours)]
            names = {spelling(re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()) for name in ours}
            assert not [name for name in names - told if hasattr(place, name)], row
