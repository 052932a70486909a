"""The log reads back as what was logged."""

import csv
import math

import numpy as np
import pytest

from initcore.callbacks import CSVLogger


def read(path, **options):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, **options))


def test_csv_reads_back_exactly_and_goes_on(tmp_path, model):
    path = tmp_path / "new" / "log.csv"
    first = [{"loss": 1 / 3, "name": 'with "quotes", commas\nand lines'}, {"loss": np.float32(0.1)}]
    model.train(first, CSVLogger(path))
    rows = read(path)
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert float(rows[0]["loss"]) == 1 / 3
    assert rows[0]["name"] == 'with "quotes", commas\nand lines'
    assert np.float32(rows[1]["loss"]) == np.float32(0.1)
    assert rows[1]["name"] == rows[0]["val_loss"] == "NA"

    path.write_bytes(path.read_bytes()[:-1])  # as a crash may leave it: the last line is not ended
    model.train([{"val_loss": 2.0, "loss": math.nan}], CSVLogger(path, append=True))
    rows = read(path)
    assert len(rows) == 3
    assert rows[2]["val_loss"] == "2.0"
    assert math.isnan(float(rows[2]["loss"]))
    model.train([1], CSVLogger(path))
    assert len(read(path)) == 1


def test_csv_has_the_separator_that_was_asked_for(tmp_path, model):
    path = tmp_path / "log.csv"
    model.train([{"loss": 1.5, "val_loss": 2}], CSVLogger(path, separator=";", append=True))
    assert path.read_text() == "epoch;loss;val_loss\n0;1.5;2\n"
    for wrong in ("", ", ", "\n", 3):
        with pytest.raises(ValueError, match="separator must be one character"):
            CSVLogger(path, separator=wrong)


def test_csv_says_when_a_figure_has_no_column(tmp_path, model):
    with pytest.warns(UserWarning, match="no column for accuracy"):
        model.train([{"loss": 1}, {"loss": 1, "accuracy": 1}], CSVLogger(tmp_path / "log.csv"))
