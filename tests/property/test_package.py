"""Whatever text a table holds, it reads back the same, or the table is refused; and no CSV cell runs."""

from __future__ import annotations

import io
import re

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dtm_sharing.package import document, table, workbook

every = settings(max_examples=150, deadline=None, derandomize=True)
# Surrogates are no text, and Excel's format has no form for the two last code points that all readers take.
OVERLAPPING = re.compile("_x[0-9A-Fa-f]{4}_x[0-9A-Fa-f]{4}_")  # XlsxWriter escapes only the first
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), max_size=12)
markup = st.text(st.sampled_from("<>/rtcvf&;\"'=+-@_xX0041 \t\r\n\0,1"), max_size=16)
cells = st.one_of(texts, markup, st.just("")).filter(lambda cell: not OVERLAPPING.search(cell))
grids = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=6)
)


def prepared(grid: list[list[str]]) -> table.Table:
    frame = pd.DataFrame(grid, columns=[f"c{n}" for n in range(len(grid[0]))], dtype="str")
    return table.prepare(frame, tuple(frame.columns), len(frame))


@every
@example([["<r></r>"]])
@example([["<r>"]])
@example([["_x0041_"], [""]])
@given(grids)
def test_a_workbook_reads_back_the_same_and_holds_nothing_else(grid: list[list[str]]) -> None:
    plain = io.BytesIO(workbook.write(prepared(grid)))
    assert list(workbook.leaks(plain)) == []
    assert [list(row) for row in workbook._read(plain)][1:] == grid


@every
@given(grids)
def test_a_csv_reads_back_the_same_but_for_its_guards(grid: list[list[str]]) -> None:
    guarded, count = document.guard(prepared(grid))
    rows = [list(row) for row in document.read(document.write(guarded))][1:]
    risky = [[document.is_risky(cell) for cell in row] for row in grid]
    assert rows == [
        [f"'{cell}" if runs else cell for cell, runs in zip(row, marks, strict=True)]
        for row, marks in zip(grid, risky, strict=True)
    ]
    assert count == sum(map(sum, risky))
    assert not any(document.is_risky(cell) for row in rows for cell in row)


@every
@given(st.sampled_from("=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20"), texts)
def test_only_signs_digits_and_separators_escape_the_guard(sign: str, rest: str) -> None:
    if document.is_risky(sign + rest):
        return
    assert sign in "+-"
    assert set(rest) <= set("0123456789 .,()/+-eE%")
    assert rest.lower().count("e") <= 1


@pytest.mark.parametrize("cell", ["+A1", "-A1", "+1+e", "-e5", "=1", "@1", "+cmd|x", "-1E5:A1"])
def test_what_refers_to_a_cell_or_calls_is_guarded(cell: str) -> None:
    assert document.is_risky(cell)
