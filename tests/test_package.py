"""The package's own namespace: what is imported when it is first asked for looks like all the rest."""

import subprocess
import sys

import pytest

import initcore

LATE = sorted(initcore._LATE)


def fresh(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_not_every_program_needs_waits():
    modules = {f"initcore.{name}" for name in [*LATE, "experiment", "bench", "figures", "weights"]}
    assert fresh(f"import sys, initcore; print({modules!r} & sys.modules.keys())") == "set()"


@pytest.mark.parametrize("name", LATE)
def test_it_comes_when_it_is_asked_for(name):
    assert name in fresh("import initcore; print(dir(initcore))")
    assert name in fresh(f"import initcore; print(initcore.{name})")
    assert name in fresh(
        f"from initcore import {name}; import initcore; print(initcore.{name} is {name}, {name})"
    )


def test_every_public_name_is_there():
    assert not [name for name in initcore.__all__ if not hasattr(initcore, name)]
    assert set(initcore.__all__) <= set(dir(initcore))


def test_another_name_is_an_error():
    with pytest.raises(AttributeError, match="has no attribute 'compares'"):
        initcore.compares  # noqa: B018
