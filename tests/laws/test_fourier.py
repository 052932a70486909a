"""Kernels that transform: beside NumPy's transform of windowed frames, and a live Keras."""

import numpy as np
import pytest

import initcore as ic
from initcore.laws import STFT
from initcore.laws.fourier import WINDOWS
from initcore.layouts import Conv, Depthwise

IN_NUMPY = {"rectangular": np.ones, "hann": np.hanning, "hamming": np.hamming, "blackman": np.blackman}


def window(name, size, periodic):
    return IN_NUMPY[name](size + 1)[:-1] if periodic else IN_NUMPY[name](size)


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("scaling", [None, "density", "spectrum"])
def test_a_frame_is_transformed(name, periodic, scaling, rng):
    size = 16
    frame, values = rng.normal(size=size), window(name, size, periodic)
    values = values / {None: 1, "density": np.linalg.norm(values), "spectrum": values.sum()}[scaling]
    expected = np.fft.rfft(frame * values)
    law = {"window": name, "scaling": scaling, "periodic": periodic}
    shape = (size, 1, size // 2 + 1)
    real, imag = (STFT(side, **law)(shape, 0, dtype="float64")[:, 0] for side in ("real", "imag"))
    assert np.allclose(frame @ real + 1j * (frame @ imag), expected, rtol=0, atol=1e-13)


def test_a_frame_shorter_than_the_transform_is_padded(rng):
    frame = rng.normal(size=10)
    law = {"window": "rectangular", "scaling": None, "gain": 2.0}
    real, imag = (STFT(side, **law)((10, 1, 17), 0, dtype="float64")[:, 0] for side in ("real", "imag"))
    assert np.allclose(frame @ real + 1j * (frame @ imag), 2 * np.fft.rfft(frame, 32), rtol=0, atol=1e-13)


def test_every_channel_and_every_slice():
    whole = STFT("imag")((12, 3, 9), 0, layout=Depthwise())
    assert np.array_equal(whole[:, 0], whole[:, 2])
    assert np.array_equal(whole[:, :1], STFT("imag")((12, 1, 9), 0))
    for index in [(slice(3, 9, 2), ..., slice(None, None, -1)), (4,), (..., 5)]:
        assert np.array_equal(STFT("imag")((12, 3, 9), 0, layout=Depthwise(), index=index), whole[index])
    torch_like = STFT("imag")((9, 1, 12), 0, layout=Conv("oi"))
    assert np.array_equal(torch_like.transpose(2, 1, 0), whole[:, :1])


@pytest.mark.parametrize("shape", [(8, 2, 5), (8, 1, 1), (1, 5), (3, 3, 1, 5)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="one axis, one input and two outputs"):
        STFT()(shape, 0)


def test_a_window_of_nothing_is_refused():
    with pytest.raises(ValueError, match="0 everywhere"):
        STFT()((2, 1, 5), 0)
    assert np.isfinite(STFT(periodic=True)((2, 1, 5), 0)).all()


@pytest.mark.parametrize("arguments", [{"side": "left"}, {"window": "han"}, {"scaling": "none"}])
def test_other_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="must be one of"):
        STFT(**arguments)


@pytest.mark.peers
@pytest.mark.parametrize("side", ["real", "imag"])
@pytest.mark.parametrize("name", ["hann", "hamming", "blackman"])
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("scaling", [None, "density", "spectrum"])
def test_stft_of_keras(side, name, periodic, scaling, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras", reason="compares with a live Keras")
    pytest.importorskip("scipy", reason="gives Keras its windows")
    theirs = np.asarray(keras.initializers.STFT(side, name, scaling, periodic)((20, 1, 17), "float32"))
    ours = STFT(side, name, scaling, periodic)((20, 1, 17), ic.Key(0))
    assert np.allclose(ours, theirs, rtol=0, atol=3e-5 * abs(theirs).max())  # its angles are of float32
