"""Kernels that compute a short-time Fourier transform. To add a window: a row of WINDOWS."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from initcore._validate import check_number, choose
from initcore.laws.matrices import Elements, MatrixLaw
from initcore.layouts import Sizes
from initcore.random import Key

# Sums of a_j (-1)^j cos(2 pi j n / length): Harris 1978, doi:10.1109/PROC.1978.10837.
WINDOWS: dict[str, tuple[float, ...]] = {
    "rectangular": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
}


@dataclass(frozen=True)
class STFT(MatrixLaw):
    """A convolution along time that gives the real or imaginary part of windowed Fourier transforms.

    As Keras's ``STFT``: a kernel (frame, 1, n // 2 + 1) in layout ``"io"`` has output k at frequency k / n.
    Use two, for the two parts; with layout ``Depthwise()`` every channel is transformed. A slice costs what
    its elements do, and the window and n cosines.

    Args:
        side: ``"real"`` or ``"imag"``.
        window: One of `WINDOWS`.
        scaling: Divide by the root of the sum of the window's squares: ``"density"``; by its sum:
            ``"spectrum"``; or by nothing: None.
        periodic: Whether the window is one period, as for spectra, or symmetric.
        gain: Multiplies the weights.

    Raises:
        ValueError: when called, for another shape than one frame of one channel into two outputs or more, or
            a window of nothing but 0.

    >>> frame = np.cos(2 * np.pi * np.arange(8) / 8)
    >>> real = STFT("real", "rectangular", scaling=None)((8, 1, 5), key=0, dtype="float64")
    >>> np.round(frame @ real[:, 0], 12) + 0.0
    array([0., 4., 0., 0., 0.])
    """

    side: Literal["real", "imag"] = "real"
    window: str = "hann"
    scaling: Literal["density", "spectrum"] | None = "density"
    periodic: bool = False
    gain: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        choose("side", self.side, {"real": 1, "imag": 1})
        choose("window", self.window, WINDOWS)
        if self.scaling is not None:
            choose("scaling", self.scaling, {"density": 1, "spectrum": 1})
        check_number("gain", self.gain)

    def _check(self, sizes: Sizes) -> None:
        if len(sizes.window) != 1 or sizes.inputs != 1 or sizes.outputs < 2:
            raise ValueError(
                "a short-time Fourier transform has a window of one axis, one input and two outputs or more, "
                f"got window {sizes.window}, {sizes.inputs} inputs and {sizes.outputs} outputs"
            )

    def _fill(self, to: NDArray[Any], chosen: Elements, key: Key) -> None:
        (frame,), n = chosen.sizes.window, 2 * (chosen.sizes.outputs - 1)
        turn = [2 * math.pi * i / n for i in range(n)]  # math's, since NumPy's have other bits elsewhere
        wave = [math.cos(x) for x in turn] if self.side == "real" else [-math.sin(x) for x in turn]
        weights = np.array(self._window(frame)) * self.gain
        (time,) = chosen.at.window
        np.copyto(to, np.array(wave)[time * chosen.at.output % n] * weights[time], casting="same_kind")

    def _window(self, frame: int) -> list[float]:
        """The window's values, scaled."""
        period = frame if self.periodic else max(frame - 1, 1)
        values = [
            math.fsum(
                a * (-1) ** j * math.cos(2 * math.pi * j * i / period)
                for j, a in enumerate(WINDOWS[self.window])
            )
            for i in range(frame)
        ]
        values = values if frame > 1 else [1.0] * frame
        if self.scaling == "density":
            scale = math.sqrt(math.fsum(value * value for value in values))
        else:
            scale = math.fsum(values) if self.scaling else 1.0
        if scale == 0:
            raise ValueError(
                f"a {self.window} window of {frame} is 0 everywhere: take more, or periodic=True"
            )
        return [value / scale for value in values]
