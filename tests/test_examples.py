"""Every example in a docstring gives what it says. Runs those of the package that is installed."""

import doctest
import importlib
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
