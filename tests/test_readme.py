"""What README.md and the pages of docs/ show runs, and says what it does."""

import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.S):
        exec(compile(block, "README.md", "exec"), names)
    assert names["accuracy"] > 0.9
    assert "he_normal" in capsys.readouterr().out
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert np.isfinite(names["w"]).all()


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", TEXT))))
def test_what_the_readme_links_to_is_there(link):
    assert (ROOT / link).exists()
