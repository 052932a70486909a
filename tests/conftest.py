"""Fixtures that every test file shares."""

import numpy as np
import pytest

from initcore import _core


@pytest.fixture(params=_core.isas())
def isa(request):
    """Each instruction set that this machine runs, in turn."""
    before = _core.active_isa()
    _core.use_isa(request.param)
    yield request.param
    _core.use_isa(before)


@pytest.fixture
def rng():
    return np.random.default_rng(0)
