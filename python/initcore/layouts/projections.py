"""Layouts of packed projections, einsum layers and embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise

from initcore._validate import check_count
from initcore.layouts.base import Axis, Fans, Layout, Part, Role, divide, one_or_several, window_axes
from initcore.layouts.convolutions import Conv, Order, check_axes, check_order
from initcore.random import Shape, check_shape


@dataclass(frozen=True)
class Packed(Layout):
    """Maps of the same inputs, packed side by side: query, key and value, or the gates of a recurrent layer.

    ``"io"``: (\\*window, in, sum of out), as in Keras. ``"oi"``: (sum of out, in, \\*window), as in PyTorch.

    Args:
        order: ``"io"`` or ``"oi"``.
        parts: How many maps of the same size, or how many outputs each of them has.
        heads: In how many blocks one after another all of them lie, each with the same share of every map:
            the heads of an attention whose outputs are (heads, 3, size), as in GPT-NeoX and BLOOM.

    >>> Packed("oi", 3).fans((3 * 64, 64))
    Fans(fan_in=64, fan_out=64)
    >>> grouped_query = Packed("oi", (64, 16, 16))
    >>> [part.stop - part.start for part in grouped_query.split((96, 64))]
    [64, 16, 16]
    >>> Packed("oi", 3, heads=4).fans((192, 64)), Packed("oi", 3).fans((192, 64, 1, 1))
    (Fans(fan_in=64, fan_out=64), Fans(fan_in=64, fan_out=64))
    """

    order: Order = "io"
    parts: int | tuple[int, ...] = 3
    heads: int = 1

    def __post_init__(self) -> None:
        check_order(self.order)
        object.__setattr__(self, "parts", one_or_several("parts", self.parts))
        check_count("heads", self.heads)
        if self.heads > 1 and not isinstance(self.parts, int):
            raise ValueError(f"of several heads, parts must be one whole number, got {self.parts}")

    def axes(self, shape: tuple[int, ...]) -> list[Axis]:
        if not isinstance(self.parts, int) and len(set(self.parts)) > 1:
            raise ValueError(f"the maps of {self} have different sizes: ask `split` for each of them")
        return self._axes(shape)

    def check(self, shape: Shape) -> None:
        self._axes(check_shape(shape))

    def _axes(self, shape: tuple[int, ...]) -> list[Axis]:
        io = self.order == "io"
        check_axes(self, shape, "(*window, in, outputs of all)" if io else "(outputs of all, in, *window)")
        window, inputs = (shape[:-2], shape[-2]) if io else (shape[2:], shape[1])
        packed = shape[self.axis]
        if isinstance(self.parts, int):
            count = self.parts
            outputs = divide(packed, count * self.heads, "the number of packed outputs")
        else:
            count, outputs = len(self.parts), self.parts[0]
            if sum(self.parts) != packed:
                raise ValueError(f"parts must add up to the {packed} packed outputs, got {self.parts}")
        out: Axis = [("map", count), ("output", outputs)]
        if self.heads > 1:
            out = [("output", self.heads), *out]
        ends: list[Axis] = [[("input", inputs)], out]
        return [*window_axes(window), *ends] if io else [*ends[::-1], *window_axes(window)]

    @property
    def axis(self) -> int:
        """The axis that the outputs lie on."""
        return -1 if self.order == "io" else 0

    @property
    def count(self) -> int:
        """How many maps there are."""
        return self.parts if isinstance(self.parts, int) else len(self.parts)

    def of_outputs(self, shape: Shape) -> list[int]:
        """Return the number of the map that each of the outputs belongs to.

        >>> Packed("oi", 3, heads=2).of_outputs((12, 5)), Packed("io", (2, 1)).of_outputs((5, 3))
        ([0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2], [0, 0, 1])
        """
        self.check(shape)
        outputs = check_shape(shape)[self.axis]
        one = outputs // (self.count * self.heads)
        sizes = (one,) * self.count if isinstance(self.parts, int) else self.parts
        return [number for number, size in enumerate(sizes) for _ in range(size)] * self.heads

    def split(self, shape: Shape) -> tuple[Part, ...]:
        self.check(shape)
        if isinstance(self.parts, int) or len(set(self.parts)) == 1:
            return ()
        bounds = pairwise(accumulate(self.parts, initial=0))
        axis = self.axis % len(check_shape(shape))
        return tuple(Part(axis, start, stop, Conv(self.order)) for start, stop in bounds)


@dataclass(frozen=True)
class Einsum(Layout):
    """The weights of an einsum, or any tensor of which you say what its axes are.

    Args:
        equation: Of inputs and weights, such as ``"btd,dhk->bthk"``. What the weights share with the inputs
            only is summed (inputs), with the result only: outputs, with both: a map each.
        in_axes, out_axes, batch_axes: Instead of an equation: the axes of the weights that are these. The
            others are a window.

    >>> Einsum("btd,dhk->bthk").fans((512, 8, 64)), Einsum("bthk,hkd->btd").fans((8, 64, 512))
    (Fans(fan_in=512, fan_out=512), Fans(fan_in=512, fan_out=512))
    >>> Einsum(in_axes=(1,), out_axes=(2,), batch_axes=(0,)).fans((8, 512, 64))  # experts
    Fans(fan_in=512, fan_out=64)
    """

    equation: str | None = None
    in_axes: tuple[int, ...] = ()
    out_axes: tuple[int, ...] = ()
    batch_axes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("in_axes", "out_axes", "batch_axes"):
            axes = getattr(self, name)
            object.__setattr__(self, name, (axes,) if isinstance(axes, int) else tuple(axes))
        axes = (*self.in_axes, *self.out_axes, *self.batch_axes)
        if (self.equation is None) == (not axes):
            raise ValueError("give an equation, or the axes that are inputs, outputs and batch")
        if self.equation is not None:
            _roles_of(self.equation)

    def axes(self, shape: tuple[int, ...]) -> list[Axis]:
        if self.equation is not None:
            roles = _roles_of(self.equation)
            if len(shape) != len(roles):
                raise ValueError(f"weights of {self.equation!r} have {len(roles)} axes, got shape {shape}")
            return [[(role, size)] for role, size in zip(roles, shape, strict=True)]
        given: list[tuple[Role, tuple[int, ...]]] = [
            ("map", self.batch_axes),
            ("input", self.in_axes),
            ("output", self.out_axes),
        ]
        found: dict[int, Role] = {}
        for role, axes in given:
            for axis in axes:
                if not -len(shape) <= axis < len(shape) or axis % len(shape) in found:
                    raise ValueError(f"{self} names other axes than shape {shape} has, or one of them twice")
                found[axis % len(shape)] = role
        return [[(found.get(axis, "window"), size)] for axis, size in enumerate(shape)]


def _roles_of(equation: str) -> list[Role]:
    """Return what each axis of the weights is."""
    left, arrow, result = equation.replace(" ", "").partition("->")
    inputs, comma, weights = left.partition(",")
    letters = weights.isalpha() and len(set(weights)) == len(weights)
    if not (arrow and comma and letters):
        raise ValueError(f"equation must look like 'btd,dhk->bthk', got {equation!r}")
    if alone := [letter for letter in weights if letter not in inputs and letter not in result]:
        raise ValueError(f"{alone[0]!r} is in the weights of {equation!r} only: it is no input and no output")
    roles: dict[tuple[bool, bool], Role] = {
        (True, False): "input",
        (False, True): "output",
        (True, True): "map",
    }
    return [roles[letter in inputs, letter in result] for letter in weights]


@dataclass(frozen=True)
class Embedding(Layout):
    """A table of which each input looks up one row: (entries, size).

    A unit of the result is one number of the table, not a sum over it: fan_in is 1. Where the table is also
    the last layer's kernel (tied), it is that layer's fans that matter: layout ``"oi"``.

    >>> Embedding().fans((50_000, 512))
    Fans(fan_in=1, fan_out=512)
    """

    def axes(self, shape: tuple[int, ...]) -> list[Axis]:
        if len(shape) != 2:
            raise ValueError(f"an embedding has two axes, (entries, size), got shape {shape}")
        return [[("input", shape[0])], [("output", shape[1])]]

    def fans(self, shape: Shape) -> Fans:
        return Fans(1, self.sizes(shape).outputs)
