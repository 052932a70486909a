"""Files written while the model trains."""

import pytest

from initcore import weights
from initcore.callbacks import ModelCheckpoint


def test_a_checkpoint_of_every_epoch_with_its_figures_in_the_name(tmp_path, model):
    checkpoint = ModelCheckpoint(
        tmp_path / "new" / "{epoch:02d}-{loss:.1f}.safetensors", save_weights_only=True
    )
    model.train([3, 2], checkpoint)
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["01-3.0.safetensors", "02-2.0.safetensors"]
    assert weights.load(tmp_path / "new" / names[0])[0]["norm/mean"][0] == 0
    assert weights.load(tmp_path / "new" / names[1])[0]["norm/mean"][0] == 1


def test_only_the_best_is_kept(tmp_path, capsys, model):
    path = tmp_path / "best"
    model.train([3, 1, 2], ModelCheckpoint(path, "loss", verbose=1, save_best_only=True))
    assert weights.load(path)[0]["norm/mean"][0] == 1
    assert capsys.readouterr().out.count("saved to") == 2
    path.unlink()
    threshold = ModelCheckpoint(path, "loss", save_best_only=True, initial_value_threshold=0.5)
    model.train([3, 1, 2], threshold)
    assert not path.exists()


def test_checkpoints_between_batches_count_on_over_epochs(tmp_path, model):
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}-{batch}", save_freq=2)
    model.train([1, 1], checkpoint, batches=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-2", "2-1", "2-3"]


def test_a_model_that_can_save_itself_does_unless_only_weights_are_wanted(tmp_path, model):
    model.save = lambda path: path.write_text("whole")
    model.train([1], ModelCheckpoint(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "whole"
    model.train([1], ModelCheckpoint(tmp_path / "file", save_weights_only=True))
    assert weights.load(tmp_path / "file")


def test_a_name_that_cannot_be_filled_in_is_an_error(tmp_path, model):
    with pytest.raises(ValueError, match=r"filepath may use the fields epoch, loss, got .*val_loss"):
        model.train([1], ModelCheckpoint(tmp_path / "{val_loss}"))
    for wrong in (0, "batch", 1.5):
        with pytest.raises((TypeError, ValueError), match="save_freq must be"):
            ModelCheckpoint("x", save_freq=wrong)
