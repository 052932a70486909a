"""The theory under one name, and the page on it."""

import doctest
import inspect
from pathlib import Path

from initcore import theory

PAGE = Path(__file__).parent.parent / "docs" / "theory.md"


def test_everything_is_there_once():
    public = {n for n, found in vars(theory).items() if n[0] != "_" and not inspect.ismodule(found)}
    assert public - {"annotations"} == set(theory.__all__) and len(theory.__all__) == len(set(theory.__all__))


def test_the_page_on_theory_is_true():
    failures, examples = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert examples > 25
    assert failures == 0
