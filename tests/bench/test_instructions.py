"""The counts of instructions: what is compared, and what is said where they cannot be."""

import json

import instructions
import pytest

from initcore import _core

KEPT = json.loads(instructions.FILE.read_text())


@pytest.fixture
def counted(monkeypatch):
    """Steps that take so many times the instructions of the file."""

    def run(factor, *arguments):
        found = {name: round(factor * count) for name, count in KEPT["steps"].items()}
        monkeypatch.setattr(instructions, "measure", lambda: found)
        monkeypatch.setattr(instructions, "why_not", lambda kept, write: None)
        return instructions.main(list(arguments))

    return run


def test_the_file_has_every_step():
    assert KEPT["steps"].keys() == instructions.STEPS.keys() and min(KEPT["steps"].values()) > 1000


def test_more_instructions_fail_and_fewer_do_not(counted, capsys):
    assert counted(1.0) == counted(0.8) == counted(1 + instructions.TOLERANCE / 2) == 0
    assert "-20.0 %" in capsys.readouterr().out
    assert counted(1 + 2 * instructions.TOLERANCE) == 1
    assert "--write" in capsys.readouterr().out


def test_the_file_can_be_renewed(counted, monkeypatch, tmp_path):
    monkeypatch.setattr(instructions, "FILE", tmp_path / "new.json")
    assert counted(2.0, "--write") == 0
    found = json.loads((tmp_path / "new.json").read_text())
    assert found["steps"] == {name: 2 * count for name, count in KEPT["steps"].items()}
    assert found["compiler"] == _core.build()["compiler"]


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda m: m.setattr(instructions.shutil, "which", lambda name: None), "needs valgrind"),
        (lambda m: m.setattr(instructions, "ISA", "other"), "needs other"),
        (lambda m: m.setattr(_core, "build", lambda: {"compiler": "Other 1"}), "this build is of Other 1"),
    ],
)
def test_what_cannot_be_counted_has_a_reason(monkeypatch, capsys, change, reason):
    monkeypatch.setattr(instructions.shutil, "which", lambda name: name)
    monkeypatch.setattr(_core, "isas", lambda isas=[instructions.ISA]: isas)
    change(monkeypatch)
    assert instructions.main([]) == 0
    assert reason in capsys.readouterr().out
