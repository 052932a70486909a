"""What a comparison is saved as can be read back, and holds what was measured."""

import csv
import json

import pytest
from comparisons import EVERY_KIND, NAN, comparison, scheme


def test_json_holds_everything_and_no_nan(tmp_path):
    path = tmp_path / "results.json"
    EVERY_KIND.save_json(path)

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    read = json.loads(path.read_text(), parse_constant=refuse)
    assert [one["label"] for one in read["schemes"]] == [one.label for one in EVERY_KIND.schemes]
    for one, scheme_ in zip(read["schemes"], EVERY_KIND.schemes, strict=True):
        assert len(one["runs"]) == len(scheme_.runs)
        assert one["runs"][0]["score"] == list(scheme_.runs[0].score)
    assert read["settings"]["seeds"] == [0, 1, 2] and read["verdict"] == EVERY_KIND.verdict


def test_csv_has_a_row_for_each_epoch_of_each_run(tmp_path):
    path = tmp_path / "results.csv"
    result = comparison(scheme('a, "b"'), scheme("bad", loss=NAN))
    result.save_csv(path)
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 3 * 3
    assert rows[0]["scheme"] == 'a, "b"' and float(rows[0]["loss"]) == 1.0
    assert [row["loss"] for row in rows if row["scheme"] == "bad"][:3] == ["2.0", "", ""]


def test_the_table_has_a_line_for_each_scheme_and_the_verdict():
    lines = EVERY_KIND.table().splitlines()
    for one, line in zip(EVERY_KIND.schemes, lines[2:], strict=False):
        assert line.startswith(one.label)
    assert EVERY_KIND.verdict[0] in lines
    assert len({len(row) for row in [EVERY_KIND.columns(), *EVERY_KIND.rows()]}) == 1


def test_it_prints_as_the_table_and_shows_itself_in_a_line():
    assert str(EVERY_KIND) == EVERY_KIND.table() and len(repr(EVERY_KIND)) < 100


def test_schemes_are_found_by_label():
    assert EVERY_KIND["tiny"].label == "tiny"
    with pytest.raises(KeyError, match="tiny"):
        EVERY_KIND["titchy"]
