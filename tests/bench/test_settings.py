"""The environment of a measurement."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from initcore.bench import settings


@pytest.mark.parametrize("threads", [1, 2])
def test_what_holds_back_goes_and_threads_are_set(threads):
    base = {"HOME": "/", "OMP_NUM_THREADS": "7", **dict.fromkeys(settings.HOLD_BACK, "x")}
    found = settings.environment(base, threads)
    assert found["HOME"] == "/" and not found.keys() & set(settings.HOLD_BACK)
    assert {found[name] for name in settings.THREADS} == {str(threads)}
    assert base["OMP_NUM_THREADS"] == "7"
    settings.prepare(base, threads)
    assert base == found


def test_it_can_be_run_before_anything_is_imported():
    """Of the libraries, that is; they read the environment when they are imported."""
    code = (
        f"import os, runpy, sys; runpy.run_path({str(Path(settings.__file__))!r})['prepare'](os.environ); "
        "libraries = {'numpy', 'torch', 'jax', 'initcore'}; "
        "print(sorted(libraries & sys.modules.keys()), 'OPENBLAS_CORETYPE' in os.environ)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"OPENBLAS_CORETYPE": "Haswell"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == "[] False", done.stderr
