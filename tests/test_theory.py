"""The theory under one name."""

import inspect

from initcore import theory


def test_everything_is_there_once():
    public = {n for n, found in vars(theory).items() if n[0] != "_" and not inspect.ismodule(found)}
    assert public - {"annotations"} == set(theory.__all__) and len(theory.__all__) == len(set(theory.__all__))
