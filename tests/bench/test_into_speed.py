"""The page of all figures, from made-up runs; what its parts select; that a run says what the page needs."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import into_speed
import pytest
from results import entry, results

ROOT = Path(__file__).parents[2]
BENCHMARKS = [
    f"bench/{path.name}::{node.name}"
    for path in sorted((ROOT / "bench").glob("bench_*.py"))
    for node in ast.parse(path.read_text()).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith("bench_")
]

LAYOUT = {
    "layout": "nt",
    "aim": 0.75,
    "products": 144,
    "of_roof": 0.82,
    "least_of_roof": 0.6,
    "ratios": {"NumPy": 1.42},
    "least_ratios": {"NumPy": 1.09},
    "below": ["32x784x512-nt 60 %", "32x64x64-nt 64 %"],
    "slower": [],
}
CURVE = {
    "axis": "batch",
    "us per step": {"1": 50.0, "2": 60.0, "4": 200.0},
    "step / operations": {"1 to 2": 0.6, "2 to 4": 1.67},
}
FOUND = {
    "training.py::bench_step[784-128-10, batch 32]": entry(
        "784-128-10, batch 32", {"NumPy": 2.0}, of_roof=0.5
    ),
    "training.py::bench_optimizer[sgd-a]": entry("a", {"JAX": 1.5}, "training step with sgd"),
    "training.py::bench_optimizer[adagrad-a]": entry("a", {"JAX": 1.6}, "training step with adagrad"),
    "training.py::bench_dropout[a]": {},
    "training.py::bench_bf16[a]": entry("a", {}, missing=["PyTorch"]),
    "gemm.py::bench_sweep[nt]": LAYOUT,
    "gemm.py::bench_every_size[nn-1]": entry("1", {"NumPy": 0.5}, "every size", "GFLOP/s"),
    "gemm.py::bench_every_size[nn-2]": entry("2", {"NumPy": 8.0}, "every size", "GFLOP/s"),
    "scaling.py::bench_growth[batch]": CURVE,
    "scaling.py::bench_threads[a]": {**entry("a", {"one": 1.9}, "threads"), "threads": 2},
    "start.py::bench_import": {"what": "import", "value": 47.1, "unit": "ms", "aim": 80},
}


def run(threads=1, found=FOUND, load=0.1):
    about = {**results()["machine"], "load": load}
    named = [{"fullname": f"bench/bench_{name}", "extra_info": info} for name, info in found.items()]
    return {"initcore": {"machine": about, "threads": threads}, "benchmarks": named}


def test_the_page_has_every_figure_below_the_command_that_makes_it():
    text = into_speed.page([run()])
    assert "Test CPU <1> (any), 1 thread each, 2001-02-03; NumPy 1.2." in text
    for expression, row in {
        "training and bench_step": "| 784-128-10, batch 32 | 50 | 50 % | 2.00x |",
        "training and optimizer": "| sgd: a | 50 | 1.50x |",
        "training and bf16": "| a | 50 |",
        "gemm and sweep": "| nt | 144 | 82 % | 60 % | 1.42x | 1.09x |",
        "gemm and every_size": "| every size | 2 | 2.00x | 0.50x | 1 |",
        "scaling and growth": "| batch | 50 at 1, 200 at 4 | 1.67 | 2 to 4 |",
        "scaling and threads": "| a | 95 | 2 | 50 | 1.90x |",
        "start": "| import | 47.1 ms | 80 ms |",
    }.items():
        _, _, behind = text.partition(f'`pytest bench -k "{expression}"`')
        assert row in behind.partition("\n## ")[0].splitlines(), expression
    assert "| nt | 32x784x512-nt 60 %, 32x64x64-nt 64 % | none |" in text


def test_what_was_not_measured_is_left_out_and_named():
    text = into_speed.page([run()])
    (told,) = re.findall(r"Not measured in this run: (.*)\.", text)
    shown = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert sorted([*shown, *told.split("; ")]) == sorted(part.title for part in into_speed.PARTS)
    assert "Training step with dropout" in told, "it has no figures"
    assert "Not installed: JAX, PyTorch." in into_speed.page(
        [run(found={**FOUND, "losses.py::bench_a": entry("a", {}, missing=["JAX"])})]
    )


def test_nothing_measured_is_a_page_without_tables():
    assert "|" not in into_speed.page([run(found={})])


def test_runs_on_one_thread_and_on_two_stand_below_each_other():
    step = {name: info for name, info in FOUND.items() if "bench_step" in name}
    text = into_speed.page([run(), run(2, step, load=3.5)])
    one, two = (
        f'{setting}pytest bench -k "training and bench_step"' for setting in ("", "INITCORE_BENCH_THREADS=2 ")
    )
    assert text.index(f"`{one}`") < text.index(f"`{two}`") < text.index("## Training step with")
    assert text.count("INITCORE_BENCH_THREADS") == 1 and text.count("## Training step\n") == 1
    assert text.count("Other programs were running") == 1 and "load 3.5" in text


def test_every_part_selects_benchmarks_and_none_twice():
    selected = [name for part in into_speed.PARTS for name in into_speed.chosen(part, BENCHMARKS)]
    assert all(into_speed.chosen(part, BENCHMARKS) for part in into_speed.PARTS)
    assert len(selected) == len(set(selected))


def test_it_takes_what_pytest_writes(tmp_path, monkeypatch, capsys):
    """Selecting as pytest does, and the words of the machine."""
    environment = os.environ | {"PYTHONPATH": str(Path(into_speed.tables.__file__).parents[2])}
    target, expression = tmp_path / "run.json", into_speed.PARTS[-1].expression
    command = [
        sys.executable,
        "-m",
        "pytest",
        "bench",
        "-k",
        f"{expression} and wheel",
        f"--benchmark-json={target}",
    ]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.setattr(into_speed, "PAGE", tmp_path / "speed.md")
    monkeypatch.setattr(into_speed, "ROOT", tmp_path)
    into_speed.main([str(target)])
    assert "| wheel of" in (tmp_path / "speed.md").read_text()
    assert "speed.md" in capsys.readouterr().out


def test_another_file_is_refused(tmp_path):
    (tmp_path / "old.json").write_text(json.dumps({"benchmarks": []}))
    with pytest.raises(SystemExit, match=r"old\.json must be what pytest bench --benchmark-json writes"):
        into_speed.main([str(tmp_path / "old.json")])
