"""A frame that may be packaged: rows of text and numbers, checked before the first byte is written."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dtm_sharing.errors import PackageUnsafe

if TYPE_CHECKING:
    import pandas as pd

Cell = str | int | float
Row = tuple[Cell, ...]

BLOCK = 1000  # rows that are Python objects at the same time, so that memory stays flat
LONGEST_TEXT = 32_767  # UTF-16 units: what a spreadsheet cell holds; the rest it cuts without a word
MOST_DIGITS = 10**15  # Excel keeps 15 digits: a longer number is an identifier, and is written as text


@dataclass(frozen=True, slots=True)
class Table:
    """Column keys in order, and cells: ``str`` (blank is ``""``), or ``int``/``float`` in number columns."""

    columns: tuple[str, ...]
    height: int
    series: tuple[pd.Series[Any], ...] = field(repr=False)

    def rows(self) -> Iterator[Row]:
        """The rows in order, without the header."""
        for start in range(0, self.height, BLOCK):
            yield from zip(*(each.iloc[start : start + BLOCK].tolist() for each in self.series), strict=True)


def prepare(frame: pd.DataFrame, columns: tuple[str, ...], rows: int) -> Table:
    """``frame`` as a table, if it has exactly these columns, in this order, and this many rows.

    Raises:
        PackageUnsafe: other columns or rows, nothing at all, or a cell that cannot be written unchanged.
    """
    if not columns or not rows:
        raise PackageUnsafe("The approved table is empty: there is nothing to package")
    if len(set(columns)) != len(columns):
        raise PackageUnsafe("Two approved columns have the same name: name the columns apart")
    if [*frame.columns] != [*columns]:
        raise PackageUnsafe(
            f"The table at hand, of {frame.shape[1]} columns, has not exactly the {len(columns)} approved "
            "columns in their order: judge this table again, then package it"
        )
    if len(frame) != rows:
        raise PackageUnsafe(
            f"The table at hand has {len(frame)} rows, but {rows} were approved: "
            "judge this table again, then package it"
        )
    return Table(columns, rows, tuple(_cells(n, frame.iloc[:, n - 1]) for n in range(1, len(columns) + 1)))


def text(cell: Cell) -> str:
    """A cell as text. A whole number has no decimal point: Excel knows only one kind of number."""
    if isinstance(cell, str):
        return cell
    return str(int(cell)) if cell == int(cell) else repr(cell)


def _cells(position: int, column: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd
    from pandas.api import types

    dtype = column.dtype
    if types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype) and not types.is_complex_dtype(dtype):
        return pd.Series(_numbers(position, column.astype(object).tolist()), dtype=object)
    if not isinstance(dtype, pd.StringDtype):
        kind = types.infer_dtype(column, skipna=True) if types.is_object_dtype(dtype) else "other"
        if kind not in {"string", "empty"}:
            raise PackageUnsafe(f"Column {position} holds neither text nor numbers: turn its cells into text")
    try:
        texts = column.fillna("").reset_index(drop=True).astype("str")
    except UnicodeEncodeError:  # its text shows a part of the cell
        raise PackageUnsafe(
            f"Column {position} holds half a character (a lone surrogate): clean the text"
        ) from None
    _refuse_long(position, texts)
    return texts


def _refuse_long(position: int, column: pd.Series[Any]) -> None:
    # A character outside the BMP counts twice, so what is longer than half of the limit is counted exactly.
    for row, each in column[column.str.len() > LONGEST_TEXT // 2].items():
        if len(str(each).encode("utf-16-le", "surrogatepass")) > 2 * LONGEST_TEXT:
            raise PackageUnsafe(
                f"Row {int(str(row)) + 1}, column {position}: the text is longer than the {LONGEST_TEXT:,} "
                "characters that a spreadsheet keeps: shorten it, or leave the column out"
            )


def _numbers(position: int, values: list[object]) -> list[Cell]:
    import pandas as pd

    cells: list[Cell] = []
    for row, value in enumerate(values, start=1):
        if pd.isna(value):  # type: ignore[call-overload]
            cells.append("")
            continue
        number = value if isinstance(value, int) else float(value)  # type: ignore[arg-type]
        if isinstance(number, float) and not math.isfinite(number):
            raise PackageUnsafe(f"Row {row}, column {position}: an infinite number cannot be written")
        cells.append(_number(number))
    return cells


def _number(number: float) -> Cell:
    if isinstance(number, int):
        return number if abs(number) < MOST_DIGITS else str(number)
    # XlsxWriter writes 16 digits, so that is what every form of the same table says.
    return float(f"{number:.16G}")
