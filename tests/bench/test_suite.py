"""The run of a minute, made short: form and completeness, never a time."""

import json
import os
import subprocess
import sys
from functools import partial
from itertools import count

import pytest

from initcore import _core
from initcore.bench import draws, entries, interleaved, machine, report, suite
from initcore.bench.networks import Workload
from initcore.bench.peers import PEERS

# What is quick enough for a test. Every other entry runs once in bench/, under --benchmark-disable.
QUICK = ["products", "random"]


@pytest.fixture(scope="module")
def found():
    told = []
    result = suite.run(2, 0.0, QUICK, lambda *state: told.append(state))
    return result, told


def test_every_entry_of_the_parts_is_there(found):
    result, _ = found
    assert {entry["group"] for entry in result["entries"]} == {"product m x n x k", "random numbers"}
    assert len(result["entries"]) == len(entries.PRODUCTS) + len(draws.LAWS)
    for entry in result["entries"]:
        assert entry["ratios"].keys() >= {"NumPy"} and all(value > 0 for value in entry["values"].values())
        assert ("PyTorch" in entry["missing"]) != ("PyTorch" in entry["ratios"])
    products = [entry for entry in result["entries"] if entry["gflops"]]
    assert len(products) == len(entries.PRODUCTS)
    assert all(entry["of_roof"] > 0 and entry["intensity"] > 1 for entry in products)


def test_products_in_bf16_are_told_as_such_or_left_out(monkeypatch):
    work = Workload((6, 9, 3), batch=32, rows=32)
    monkeypatch.setitem(suite.PARTS, "bf16", (1, [partial(entries.training_in_bf16, work)]))
    if _core.active_bf16():
        (entry,) = suite.run_here(1, 0.0, ["bf16"], lambda *_: None)["entries"]
        assert entry["precision"] == "bf16" and "bf16" in entry["group"]
        assert "initcore fp32" in entry["ratios"] and entry["of_roof"] > 0
    monkeypatch.setattr(_core, "active_bf16", str)
    assert suite.run_here(1, 0.0, ["bf16"], lambda *_: None)["entries"] == []


def test_it_says_on_what_it_was_measured(found):
    result, _ = found
    assert json.loads(json.dumps(result)) == result
    assert result["threads"] == result["roof"]["threads"] == 2
    about = result["machine"]
    assert about == {**machine.describe(), "date": about["date"], "load": about["load"]}
    assert len(about["date"]) == 10 and about["load"] >= 0
    assert about["cpu"] in report.text(result)
    assert {peer.name for peer in PEERS} - {"NumPy, plain"} <= about["libraries"].keys()


@pytest.mark.parametrize(
    "told, name",
    [
        ("model name\t: Some CPU 7\ncpu family : 6\n\nmodel name\t: Some CPU 7\n", "Some CPU 7"),
        ("model name : Some CPU\ncpu family : 26\nmodel : 2\n", "Some CPU, family 26 model 2"),
        ("BogoMIPS : 50\n", None),
        (None, None),
    ],
)
def test_the_processor_has_a_name(monkeypatch, tmp_path, told, name):
    monkeypatch.setattr(machine, "_CPU_INFO", tmp_path / "cpuinfo")
    if told is not None:
        (tmp_path / "cpuinfo").write_text(told)
    assert machine.cpu_name() == name if name else machine.cpu_name()


def test_progress_counts_to_the_end(found):
    result, told = found
    total = len(result["entries"]) + 1
    assert [state[:2] for state in told] == [(done, total) for done in range(total)]
    assert told[0][2] == "roof" and told[1][2] == "product nn 32 128 784"


@pytest.mark.parametrize("late, given", [(0, 1), (100, 0)])
def test_entries_share_the_time_that_is_left_by_their_weights(monkeypatch, late, given):
    shares = []

    def measure(entry, seconds, rounds):
        shares.append(seconds)
        return interleaved.measure(entry, 0, 1)

    asked = count()
    monkeypatch.setattr(suite, "perf_counter", lambda: sum(shares) + (late if next(asked) else 0))
    monkeypatch.setattr(suite, "measure", measure)
    monkeypatch.setattr(suite.roof, "measure", partial(_noting, shares, suite.roof.measure))
    suite.run_here(1, 60.0, QUICK, lambda *_: None)
    assert sum(shares) == pytest.approx(60 * given)
    products, random = (suite.PARTS[name][0] for name in QUICK)
    assert shares[1] / products == pytest.approx(shares[-1] / random)


def _noting(shares, measure, threads, seconds):
    shares.append(seconds)
    return measure(threads, 0)


def test_the_peers_get_an_environment_that_lets_them_be_quick(monkeypatch):
    """The one who asks may have imported NumPy with settings that hold it back."""
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    seen = {}

    class Child:
        def __init__(self, command, env, **_):
            seen.update(env)
            raise OSError("stop here")

    monkeypatch.setattr(suite.subprocess, "Popen", Child)
    with pytest.raises(OSError, match="stop here"):
        suite.run(3)
    assert "OPENBLAS_CORETYPE" not in seen and seen["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize(
    "arguments, word",
    [
        ((0,), "threads must be"),
        ((1, -1.0), "seconds must lie"),
        ((1, 1.0, ["product"]), "Did you mean 'products'"),
    ],
)
def test_a_wrong_question_is_answered_before_anything_runs(arguments, word):
    with pytest.raises(ValueError, match=word):
        suite.run(*arguments)


def test_a_child_that_fails_is_an_error(monkeypatch):
    monkeypatch.setenv("INITCORE_ISA", "none such")
    with pytest.raises(RuntimeError, match="ended with 1"):
        suite.run(1, 0.0, ["random"])


def test_a_child_that_a_signal_ended_is_told_by_the_signals_name(monkeypatch, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(RuntimeError, match=r"was ended by signal 9 \(Killed\)$"):
        suite.run(1, 0.0, ["random"])


def test_what_a_library_prints_is_not_taken_for_results():
    code = (
        "from initcore.bench import __main__, suite\n"
        "suite.run_here = lambda *_: print('noise') or {'entries': []}\n"
        "__main__.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "[1, 0, []]"], env=os.environ, capture_output=True, text=True, timeout=60
    )
    assert [json.loads(line) for line in done.stdout.splitlines()] == [{"entries": []}], done.stderr
    assert "noise" in done.stderr


def test_an_entry_that_takes_no_time_to_speak_of_has_rounds_all_the_same():
    entry = interleaved.Entry("g", "n", interleaved.rate("1/s", 1), lambda: None, {})
    assert suite.measure(entry, 0, 1).ratios == {}
