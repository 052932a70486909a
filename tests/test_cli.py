"""The command line: what it prints where, what it writes, and its exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("click", reason="the command line needs click")
pytest.importorskip("rich", reason="the command line needs rich")
pytest.importorskip("matplotlib", reason="the pictures need matplotlib")

from click.testing import CliRunner

from initcore import build_info, candidates, datasets, presets, theory
from initcore.commands import initcore

QUICK = ["compare", "--layers", "8", "--epochs", "1", "--seeds", "2"]


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(initcore, arguments)


def test_compare_prints_a_table_and_writes_page_json_and_csv(call, tmp_path):
    result = call(*QUICK)
    assert result.exit_code == 0, result.output
    for label in candidates.VARIED["initializer"].default:
        assert label in result.stdout
    folder = tmp_path / "initcore-compare"
    assert {path.name for path in folder.iterdir()} == {"report.html", "results.json", "results.csv"}
    assert json.loads((folder / "results.json").read_text())["settings"]["epochs"] == 1


def test_json_is_all_of_standard_output(call, tmp_path):
    result = call(*QUICK, "--json", "--schemes", "zeros,normal:0.1")
    assert [one["label"] for one in json.loads(result.stdout)["schemes"]] == ["zeros", "normal:0.1"]
    assert list(tmp_path.iterdir()) == []
    result = call(*QUICK, "--json", "--schemes", "zeros", "--out", "there")
    assert json.loads(result.stdout) and (tmp_path / "there" / "report.html").exists()


def test_every_option_reaches_the_experiment(call):
    result = call(
        *(
            "compare",
            "--dataset",
            "two-spirals",
            "--layers",
            "6,5",
            "--activation",
            "tanh",
            "--vary",
            "optimizer",
        ),
        *("--schemes", "sgd:0.1,lion", "--initializer", "he_normal", "--loss", "hinge", "--epochs", "2"),
        *("--batch-size", "64", "--seeds", "4,7", "--target", "0.6", "--jobs", "1", "--json"),
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    settings = found["settings"]
    assert (
        settings["network"] == "2-6-5-1" and settings["dataset"] == "two-spirals" and settings["epochs"] == 2
    )
    assert settings["seeds"] == [4, 7] and settings["batch_size"] == 64 and settings["jobs"] == 1
    assert settings["loss"] == "hinge" and "anh" in settings["activation"] and found["target"] == 0.6
    assert [one["label"] for one in found["schemes"]] == ["sgd:0.1", "lion"]


def test_learning_rate_goes_to_the_optimizer(call):
    result = call(*QUICK, "--schemes", "auto", "--learning-rate", "0.125", "--json")
    assert "0.125" in json.loads(result.stdout)["settings"]["optimizer"]
    assert call(*QUICK, "--optimizer", "sgd:0.1", "--learning-rate", "0.1").exit_code == 2
    assert call(*QUICK, "--vary", "optimizer", "--learning-rate", "0.1").exit_code == 2


def test_a_preset_can_be_changed(call):
    result = call(
        "compare", "--preset", "optimizers", "--dataset", "digits", "--epochs", "1", "--seeds", "1", "--json"
    )
    found = json.loads(result.stdout)
    assert (
        found["settings"]["network"] == "64-128-64-10" and found["settings"]["epochs"] == 1 and found["known"]
    )


@pytest.mark.parametrize(
    "wrong, word",
    [
        (["--dataset", "digit"], "digits"),
        (["--schemes", "he_norml"], "he_normal"),
        (["--layers", "8,x"], "N,N"),
        (["--seeds", "0"], "seeds"),
        (["--preset", "nothing"], "initializers"),
        (["--epochs", "many"], "integer"),
        (["--colour"], "colour"),
    ],
)
def test_a_wrong_question_ends_with_2_and_a_sentence(call, wrong, word):
    result = call(*QUICK, *wrong)
    assert result.exit_code == 2 and word in result.stderr and "Traceback" not in result.output


def test_what_does_not_work_ends_with_1_and_a_sentence(call, tmp_path):
    missing = call(*QUICK, "--dataset", "fashion-mnist", "--folder", str(tmp_path))
    assert missing.exit_code == 1 and "t10k" in missing.stderr
    (tmp_path / "file").write_text("")
    unwritable = call(*QUICK, "--schemes", "zeros", "--out", "file/inside")
    assert unwritable.exit_code == 1 and "--out must be a folder" in unwritable.stderr
    assert not unwritable.stdout  # it was said before the training, not after


def test_help_shows_every_choice_and_examples(call):
    text = call("compare", "--help").stdout
    for choice in [*presets.names(), *candidates.VARIED, *datasets.names()]:
        assert choice in "".join(text.split())
    assert "initcore compare --" in text
    assert "compare" in call("--help").stdout and "initcore info" in call("info", "--help").stdout


def test_info_is_build_info(call):
    found = json.loads(call("info", "--json").stdout)
    ours = json.loads(json.dumps(build_info()))
    changes = {"workers", "threads_refused"}
    assert {key: value for key, value in found.items() if key in ours and key not in changes} == {
        key: value for key, value in ours.items() if key not in changes
    }
    text = call("info").stdout
    assert all(key in text for key in ours)


def test_theory_is_the_gain_of_every_activation(call):
    rows = json.loads(call("theory", "--json").stdout)
    assert len(rows) > 10
    for row in rows:
        assert row["forward"] == pytest.approx(theory.gain(row["activation"]).forward)
    text = call("theory", "gelu", "relu").stdout
    assert "1.53353" in text and "1.41421" in text and len(text.splitlines()) == 3
    assert call("theory", "gelo").exit_code == 2 and call("theory", "softmax").exit_code == 2


def test_theory_gains_is_the_gain_table(call):
    table = theory.gain_table()
    assert call("theory", "--gains").stdout == f"{table!r}\n"
    rows = json.loads(call("theory", "--gains", "--json").stdout)
    assert [row["activation"] for row in rows] == [row.name for row in table]
    for row, expected in zip(rows, table, strict=True):
        assert row["torch"] == expected.torch
        assert row["stability"]["slope"] == expected.stability.slope
        assert row["critical"] == (expected.critical and expected.critical._asdict())
    few = call("theory", "--gains", "swiglu", "gelu").stdout
    assert len(few.splitlines()) == 3 and "PyTorch" in few
    wrong = call("theory", "--gains", "swiglo")
    assert wrong.exit_code == 2 and "Did you mean 'swiglu'" in wrong.stderr
    assert "--gains" in call("theory", "--help").stdout


def test_bench_prints_a_table_or_json_and_writes_both(call, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(presets.__file__).parents[1]))  # a relative one is of elsewhere
    quick = "bench", "--only", "random", "--seconds", "0"
    table = call(*quick, "--output", "there")
    assert table.exit_code == 0, table.output
    assert "GFLOP/s" in table.stdout and "NumPy" in table.stdout and "truncated_normal" in table.stdout
    assert {path.name for path in (tmp_path / "there").iterdir()} == {"bench.json", "bench.png"}
    found = json.loads(call(*quick, "--json", "--threads", "2").stdout)
    assert found["threads"] == 2 and len(found["entries"]) == 3


def test_bench_refuses_what_it_does_not_have(call, tmp_path):
    wrong = call("bench", "--only", "trainings")
    assert wrong.exit_code == 2 and "Did you mean 'training'?" in wrong.stderr
    (tmp_path / "file").write_text("")
    assert call("bench", "--output", "file").exit_code == 2
    unwritable = call("bench", "--output", "file/inside")
    assert unwritable.exit_code == 1 and "--output must be a folder" in unwritable.stderr


def run(*code, **more):
    return subprocess.run([sys.executable, *code], capture_output=True, text=True, timeout=120, **more)


def test_python_m_initcore_is_the_command():
    done = run("-m", "initcore", "info", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["version"] == build_info()["version"]
    wrong = run("-m", "initcore", "compare", "--dataset", "digit", "--json")
    assert wrong.returncode == 2 and wrong.stdout == ""


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_a_missing_extra_is_a_sentence(missing):
    done = run("-c", f"import sys; sys.modules['{missing}'] = None\nfrom initcore.cli import main; main()")
    assert done.returncode == 1 and "initcore[cli]" in done.stderr and "Traceback" not in done.stderr


def test_importing_the_package_loads_nothing_heavy():
    done = run(
        "-c",
        "import sys, initcore; print(sys.modules.keys() & {'click', 'rich', 'matplotlib', 'pooch'})",
    )
    assert done.stdout.strip() == "set()", done.stderr
