"""What a terminal sees, what a file sees, and when a broken loss ends the training."""

import io
import math
import sys
import threading

import pytest

from initcore.callbacks import ProgressBar, TerminateOnNaN


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_training_ends_at_once_when_the_loss_is_no_number(bad, capsys, model):
    assert model.train([1, bad, 1], TerminateOnNaN()).epoch == [0, 1]
    assert (
        capsys.readouterr().out == f"The loss became {bad} within the first 1 of 2 batches: training ends\n"
    )
    with pytest.raises(RuntimeError, match=f"loss became {bad}"):
        model.train([1, bad, 1], TerminateOnNaN(raise_error=True), batches=0)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("verbose", "lines"), [(0, 0), (1, 2), (2, 2)])
def test_a_stream_that_is_no_terminal_gets_a_line_per_epoch(verbose, lines, model):
    stream = io.StringIO()
    model.train([{"loss": 0.5, "accuracy": 1e-7}] * 2, ProgressBar(verbose, stream))
    assert len(stream.getvalue().splitlines()) == lines
    assert "\r" not in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
    if lines:
        assert stream.getvalue().startswith("Epoch 1/2 - ")
        assert stream.getvalue().endswith("s - loss: 0.5000 - accuracy: 1.000e-07\n")


@pytest.mark.parametrize("rich_is_there", [True, False])
def test_a_terminal_gets_a_bar_that_is_gone_at_the_end(rich_is_there, monkeypatch, model):
    if rich_is_there:
        pytest.importorskip("rich", reason="draws the bar")
    else:
        monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    model.train([0.5], ProgressBar(1, stream, interval=0), batches=4)
    text = stream.getvalue()
    assert "3/4" in text
    assert "Epoch 1/1 - " in text.splitlines()[-1]
    assert text.endswith("loss: 0.5000\n")


def test_an_interrupted_bar_leaves_the_terminal_as_it_was():
    bar, stream, before = ProgressBar(1, Terminal()), sys.stdout, threading.active_count()
    bar.on_train_begin()
    bar.on_epoch_begin(0)
    bar.on_progress(1, 2, {"loss": 1.0})
    assert "1/2" in bar.stream.getvalue()
    assert bar.stream.getvalue().rfind("\x1b[?25h") >= bar.stream.getvalue().rfind("\x1b[?25l")
    assert sys.stdout is stream
    assert threading.active_count() == before


def test_the_bar_is_not_drawn_at_every_batch(model):
    stream = Terminal()
    model.train([0.5], ProgressBar(1, stream, interval=1e9), batches=1000)
    assert stream.getvalue().count("/1000") < 5  # rich draws what it starts and ends with too
