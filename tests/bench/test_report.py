"""What is printed and drawn of a run. The results are made up."""

import json

import pytest
from results import results

from initcore.bench import report, tables

FOUND = results()


def test_the_text_has_every_entry_the_roof_and_what_is_missing():
    text = report.text(FOUND)
    assert text.startswith("Test CPU <1> (any), 1 thread each, 2001-02-03; NumPy 1.2\n")
    for word in ("240 GFLOP/s float32", "DRAM", "us per step", "2.00x", "0.50x", "30x", "50 %"):
        assert word in text, word
    assert all(entry["name"] in text for entry in FOUND["entries"])
    assert text.endswith("not installed: JAX")


def test_the_head_names_whom_the_entries_measure():
    assert "Elsewhere" not in tables.head(FOUND)
    without = {key: FOUND[key] for key in ("machine", "threads")}
    assert tables.head(without).endswith("; NumPy 1.2, Elsewhere 3"), "it is not known who is measured"


def test_a_busy_machine_is_told():
    busy = {**FOUND, "machine": {**FOUND["machine"], "load": 2.5}}
    assert "load 2.5" in report.text(busy) and "load" not in report.text(FOUND)


def test_a_table_has_a_mean_below_several_and_empty_cells_for_who_does_not_take_part():
    rows = list(tables.table(FOUND["entries"][:2]))
    assert rows[0] == ["", "initcore", "of roof", "NumPy", "Other"]
    assert rows[2] == ["20-32-16-2, batch 32", "50", "50 %", "0.50x", ""]
    assert rows[3] == ["geometric mean", "", "50 %", "1.00x", "30x"]
    assert [row[0] for row in tables.table(FOUND["entries"][2:3])] == ["", "relu"]


def test_a_second_table_tells_what_the_roof_allows():
    rows = list(tables.at_the_roof(FOUND["entries"]))
    assert rows[0] == ["", "initcore", "NumPy", "Other", "initcore fp32"]
    assert rows[2] == ["20-32-16-2, batch 32", "25", "1.00x", "", ""], "half the time, twice the ratio"
    assert not list(tables.at_the_roof(FOUND["entries"][2:4])), "there is no roof"
    assert "at the roof" in report.text(FOUND)


def test_a_page_gets_a_table_of_markdown():
    lines = report.markdown(FOUND, "training step").splitlines()
    assert lines[1] == "| --- | --- | --- | --- | --- |" and len(lines) == 5


@pytest.mark.parametrize(
    "value, text", [(0.1234, "0.123"), (96.14, "96.1"), (998.0, "998"), (2399.6, "2400"), (22100, "22100")]
)
def test_figures(value, text):
    assert tables.figure(value) == text


def test_everything_is_written(tmp_path):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    report.save(FOUND, tmp_path / "new")
    assert json.loads((tmp_path / "new" / "bench.json").read_text()) == FOUND
    assert (tmp_path / "new" / "bench.png").read_bytes().startswith(b"\x89PNG")


def test_another_precision_is_printed_and_not_drawn_beside_float32():
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    from initcore.bench import picture

    *strict, fast = FOUND["entries"]
    assert fast["precision"] == "bf16" and "1.70x" in report.text(FOUND)
    assert picture.draw(FOUND) == picture.draw({**FOUND, "entries": strict})


def test_a_run_without_peers_can_be_drawn():
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    from initcore.bench import picture

    for entries in ([], FOUND["entries"][3:]):
        assert picture.draw({**FOUND, "entries": entries}).startswith(b"\x89PNG")
