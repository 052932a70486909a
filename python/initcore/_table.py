"""Rows as text in aligned columns."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table: columns of numbers to the right, others to the left.

    >>> print(aligned(["layer", "variance"], [["dense", "0.5"], ["dense_1", "12.25"]]))
    layer    variance
    dense         0.5
    dense_1     12.25
    """
    grid = [list(header), *(list(row) for row in rows)]
    columns = list(zip(*grid, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [bool(rows) and all(_is_number(cell) for cell in column[1:]) for column in columns]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in grid
    )


def _is_number(cell: str) -> bool:
    """Whether a cell is a number, or stands for one that is not there."""
    try:
        float(cell)
    except ValueError:
        return cell in ("", "-")
    return True
