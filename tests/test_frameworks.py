"""The page on PyTorch, Keras and JAX."""

import doctest
import os
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")  # what Keras imports by default is not there
PAGE = Path(__file__).parent.parent / "docs" / "frameworks.md"


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_page_on_frameworks_is_true():
    for name in ("torch", "keras", "jax"):
        pytest.importorskip(name, reason="runs the examples for all three")
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failures, examples = doctest.testfile(str(PAGE), module_relative=False, optionflags=options)
    assert examples > 30 and failures == 0
