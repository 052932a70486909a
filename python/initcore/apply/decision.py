"""What was decided for one tensor: checked, carried out, told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from initcore.apply.parameter import Parameter
from initcore.apply.roles import Choice
from initcore.apply.scaled import Scaled
from initcore.apply.table import Row
from initcore.formats import drawn_in
from initcore.initializers import name_of
from initcore.laws import Initializer, VarianceScaling
from initcore.layouts import Packed
from initcore.random import Key


@dataclass(frozen=True)
class Decision:
    """How one tensor starts."""

    tensor: Parameter
    choice: Choice
    learning_rate: float = 1.0

    def carry_out(self, key: Key) -> float | None:
        """Set the tensor, from the random stream that has its name; return what `Parameter.fill` does."""
        if self.choice.initializer is None:
            return None
        return self.tensor.fill(self.choice.initializer, key / self.tensor.name, self.tensor.layout)

    def row(self, came: float | None = None) -> Row:
        """Return the line of the table; ``came`` is what carrying the decision out returned."""
        law, tensor = self.choice.initializer, self.tensor
        notes = [self.choice.why]
        if isinstance(tensor.layout, Packed) and tensor.feeds.parts and self.choice.layout is None and law:
            notes.append(f"the forward splits it into {tensor.feeds.parts}")
        if tensor.aliases:
            notes.append(f"one tensor with {', '.join(tensor.aliases)}")
        if came is not None:
            notes.append("but the model computes another tensor from what was drawn: std is that one's")
        return Row(
            tensor.name,
            None if tensor.lazy else tensor.shape,
            tensor.dtype,
            tensor.role,
            "-" if law is None else title(law),
            came if law is None or came is not None else self._promised(law),
            "; ".join(notes),
            self.learning_rate,
        )

    def _promised(self, law: Initializer) -> float | None:
        """The standard deviation that the law has; where it has none to state, that of what was drawn."""
        tensor = self.tensor
        found = law.deviation(tensor.shape, tensor.layout, drawn_in(tensor.dtype))
        return tensor.measure() if found is None else found


def title(law: Initializer) -> str:
    """Return what a law is called: its name if it has one."""
    if isinstance(law, Scaled):
        return f"{title(law.law)} x {', '.join(f'{factor:.4g}' for factor in law.factors)}"
    name = name_of(law)
    if isinstance(law, VarianceScaling) and "(" in name:
        return f"{law.distribution}, {law.scale * law.gain**2:.5g} / {law.mode}"
    return name


def check(decision: Decision, key: Key) -> None:
    """Raise what setting the tensor would raise, before anything is changed."""
    law, tensor = decision.choice.initializer, decision.tensor
    if law is None:
        return
    nothing: dict[str, Any] = {"index": (slice(0, 0),)} if tensor.shape else {}
    dtype = drawn_in(tensor.dtype)
    if dtype == "bfloat16":  # of which NumPy may have no arrays
        dtype = "float32"
    try:
        law(tensor.shape, key / tensor.name, dtype, tensor.layout, **nothing)
    except ValueError as error:
        raise ValueError(f"{tensor.name}, a {tensor.role}, cannot start as {law!r}: {error}") from None


def carry_out(decisions: Sequence[Decision], key: Key) -> list[Row]:
    """Set all tensors, or none, and tell: what may refuse a value, a parametrization, comes first."""
    came: dict[str, float | None] = {}
    changed = [decision for decision in decisions if decision.choice.initializer is not None]
    undo = [remember() for decision in changed if (remember := decision.tensor.remember)]
    try:
        for decision in sorted(changed, key=lambda decision: decision.tensor.remember is None):
            came[decision.tensor.name] = decision.carry_out(key)
    except BaseException:
        for bring_back in undo:
            bring_back()
        raise
    return [decision.row(came.get(decision.tensor.name)) for decision in decisions]
