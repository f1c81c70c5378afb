"""Decision tables that an expert can read, as test cases."""

from __future__ import annotations

Row = dict[str, str]


def rows(table: str) -> list[Row]:
    """The rows of a Markdown table: heading -> cell, both trimmed; ``-`` stands for nothing."""
    lines = [line.strip().strip("|").split("|") for line in table.strip().splitlines()]
    heads = [cell.strip() for cell in lines[0]]
    cells = [[cell.strip() for cell in line] for line in lines[2:]]
    assert cells, "a table without rows tests nothing"
    assert all(len(row) == len(heads) for row in cells), "a row has more or fewer cells than there are heads"
    return [
        {head: "" if cell == "-" else cell for head, cell in zip(heads, row, strict=True)} for row in cells
    ]


def words(cell: str) -> list[str]:
    """The comma-separated words of a cell."""
    return [word.strip() for word in cell.split(",") if word.strip()]


def name(row: Row) -> str:
    """A test id that is the row itself."""
    return " | ".join(cell or "-" for cell in row.values())
