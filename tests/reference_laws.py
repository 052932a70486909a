"""What tests of initializers share: which tensors a law has, and what its moments are."""

from initcore import layouts
from initcore.laws import DeltaOrthogonal


def possible(law, shape, layout):
    """Whether there is such a tensor: delta-orthogonal maps do not narrow."""
    layout = layouts.of(layout)
    if not isinstance(law, DeltaOrthogonal):
        return True
    sizes = [
        part.layout.sizes((*shape[: part.axis], part.stop - part.start, *shape[part.axis + 1 :]))
        for part in layout.split(shape)
    ] or [layout.sizes(shape)]
    return all(size.inputs <= size.outputs for size in sizes)
