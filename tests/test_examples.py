"""Every example in a docstring gives what it says. Runs those of the package that is installed."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import initcore

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(initcore.__path__, "initcore.")
    if not module.name.endswith("._core")
)


@pytest.mark.parametrize("name", ["initcore", *MODULES])
def test_examples(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # examples may write files
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        # A bridge to a framework is tried where that is installed.
        if (error.name or "initcore").split(".")[0] == "initcore":
            raise
        pytest.skip(f"needs {error.name}")
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0, capsys.readouterr().out


def chosen_by_name():
    """Whatever a name of a registry stands for, and what the package itself exports."""
    registries = ("losses", "metrics", "optimizers", "regularizers", "initializers")
    for registry in (getattr(initcore, name) for name in registries):
        for name in registry.names():
            found = registry.get(name) if name != "auto" else registry.auto
            yield found if callable(found) and inspect.isfunction(found) else type(found)
    for module in (initcore, initcore.layers, initcore.callbacks):
        for name in module.__all__:
            found = getattr(module, name)
            if inspect.isclass(found) or inspect.isfunction(found):
                yield found


BASES = ("Layer", "CallbackList", "Monitor")  # nobody makes one
NAMED = {found.__name__: found for found in chosen_by_name() if found.__name__ not in BASES}


@pytest.mark.parametrize("name", sorted(NAMED))
def test_what_users_name_says_what_it_is_and_has_an_example(name):
    text = inspect.getdoc(NAMED[name])
    assert text and len(text.splitlines()[0]) > 10
    assert ">>>" in text, f"{name} has no example"
