"""Reading tables: what comes through untouched, and what each kind of broken file gets."""

from __future__ import annotations

import csv
import io
import os
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import msoffcrypto
import pandas as pd
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from dtm_sharing.errors import TableUnreadable
from dtm_sharing.model import Column, Dataset, Grain, Level, Source, Stage
from dtm_sharing.stores import frames
from support.rules import indicator, policy

SOURCE = Source("xyz/datasets/sites.yaml", 1, 1)
OTHER = "If other, please specify"
CANARY = "CANARY-7411"
HEADER = ["Site ID", "Site type", OTHER, "Women", "Provider", OTHER]
KEYS = ["Site ID", "Site type", f"Site type: {OTHER}", "Women", "Provider", f"Provider: {OTHER}"]
TOTALS = ["1,234", "SITE MANAGEMENT", "", "", "", ""]
TITLE = ["Round 2", "", "", "", "", ""]
ROW = ["S1", "Other", "under a bridge", "5", "Unknown", ""]


def column(name: str, *, continued: bool = False) -> Column:
    return Column(name, (), "any", (OTHER,) if continued else (), SOURCE)


DATASET = Dataset(
    id="xyz/sites",
    title="Sites",
    operation="xyz/flood",
    component="SA",
    grain=Grain.SITE,
    key=("Site ID",),
    header_row=3,
    encoding="utf-8",
    columns=(
        replace(column("Site ID"), indicator="site"),
        column("Site type", continued=True),
        column("Women"),
        column("Provider", continued=True),
    ),
    drop_at_collection=(),
    source=SOURCE,
)
INDICATOR = indicator("any", Level.PUBLIC)
RULES = replace(
    policy(), indicators={"any": INDICATOR, "site": replace(INDICATOR, id="site", identifies=Grain.SITE)}
)


def as_csv(rows: list[list[str]], **options: Any) -> str:
    out = io.StringIO()
    csv.writer(out, **options).writerows(rows)
    return out.getvalue()


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., frames.Table]:
    """Read a CSV file with this content."""

    def read(content: str | bytes, dataset: Dataset = DATASET) -> frames.Table:
        path = tmp_path / "round.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return frames.read_table(path, dataset)

    return read


def cells(table: frames.Table) -> list[list[str]]:
    return table.frame.to_numpy().tolist()


# --------------------------------------------------------------------------------------- what is read


def test_a_raw_file_has_its_header_in_the_declared_row_and_is_whole(read: Any) -> None:
    table = read(as_csv([TOTALS, TITLE, HEADER, ROW]))
    assert table.whole
    assert list(table.frame.columns) == KEYS == [header.key for header in table.headers]
    assert cells(table) == [ROW]


def test_a_file_of_ours_has_its_header_in_row_1_and_may_be_a_part(read: Any) -> None:
    table = read(as_csv([KEYS[:3], ROW[:3], ROW[:3], ROW[:3]]))
    assert not table.whole
    assert list(table.frame.columns) == KEYS[:3]
    assert len(table.frame) == 3


def test_where_both_rows_hold_declared_names_the_fuller_one_is_the_header(read: Any) -> None:
    table = read(as_csv([["Site type", "", "", "", "", ""], TITLE, HEADER, ROW]))
    assert table.whole
    assert cells(table) == [ROW]


def test_a_header_row_may_hold_as_many_unknown_columns_as_declared_ones(read: Any) -> None:
    new = ["Tents", "Blankets", "Wells", "Schools", "Roads", "Shops"]
    table = read(as_csv([TOTALS * 2, TITLE * 2, HEADER + new, ROW * 2]))
    assert list(table.frame.columns) == KEYS + new


def test_where_both_rows_hold_as_many_declared_names_the_declared_row_is_the_header(read: Any) -> None:
    table = read(as_csv([["Site ID", "Women"], ["", ""], ["Women", "Site ID"], ["5", "S1"]]))
    assert table.whole
    assert cells(table) == [["5", "S1"]]


def test_a_header_in_row_1_by_declaration_counts_as_whole(read: Any) -> None:
    table = read(as_csv([HEADER, ROW]), replace(DATASET, header_row=1))
    assert table.whole
    assert cells(table) == [ROW]


def test_what_is_shown_of_a_table_holds_no_cell(read: Any) -> None:
    assert CANARY not in repr(read(as_csv([TOTALS, TITLE, HEADER, [CANARY, *ROW[1:]]])))


def test_cells_are_text_untouched(read: Any) -> None:
    rows = [
        ["NA", "None", "Unknown", "nan", "null", "N/A"],
        ["00012", " 5 ", "1e5", "TRUE", "-", "1,234"],
        ["काठमाडौं", 'say "yes"', "two\nli\rnes", "=1+1", "\u2028", "é"],
        ["", "", "", "", "", "x"],
    ]
    table = read(as_csv([TOTALS, TITLE, HEADER, *rows]))
    assert cells(table) == rows
    assert {str(dtype) for dtype in table.frame.dtypes} == {"str"}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.text("ab ,\"\n'é;\t", max_size=5), min_size=6, max_size=6).filter(any), max_size=6),
    # csv writes a bare \n into a file of other line ends, so there it has to quote everything
    st.sampled_from([(csv.QUOTE_MINIMAL, "\n"), (csv.QUOTE_MINIMAL, "\r\n"), (csv.QUOTE_ALL, "\r")]),
)
def test_whatever_is_written_is_read_back(
    tmp_path_factory: Any, rows: list[list[str]], form: tuple[Any, str]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "round.csv"
    path.write_bytes(as_csv([TOTALS, TITLE, HEADER, *rows], quoting=form[0], lineterminator=form[1]).encode())
    assert cells(frames.read_table(path, DATASET)) == rows


def test_pandas_reads_the_same_from_a_plain_file(tmp_path: Path) -> None:
    path = tmp_path / "round.csv"
    path.write_text(as_csv([KEYS, *([f"S{n}", "Other, or none", "", str(n), "NA", ""] for n in range(999))]))
    bare = pd.read_csv(path, dtype=str, keep_default_na=False)
    pd.testing.assert_frame_equal(frames.read_table(path, DATASET).frame, bare)


def test_line_breaks_in_head_rows_do_not_move_the_header(read: Any) -> None:
    head = ["totals\nof\r\nall", "", "", "", "", ""]
    broken = [name.replace("Site type", "Site\ntype") for name in HEADER]
    table = read(as_csv([head, TITLE, broken, ROW]))
    assert list(table.frame.columns) == KEYS
    assert cells(table) == [ROW]


def test_a_header_alone_gives_no_rows(read: Any) -> None:
    table = read(as_csv([TOTALS, TITLE, HEADER]))
    assert table.frame.shape == (0, 6)
    assert frames.profile(table, RULES, DATASET).rows == 0


def test_blank_rows_at_the_end_are_dropped_and_those_between_stay(read: Any) -> None:
    blank = [""] * 6
    table = read(as_csv([TOTALS, TITLE, HEADER, ROW, blank, ROW, blank, blank]) + "\n\n")
    assert cells(table) == [ROW, blank, ROW]


def test_columns_at_the_right_without_header_and_cells_are_dropped(read: Any) -> None:
    table = read(as_csv([[*row, "", ""] for row in (TOTALS, TITLE, HEADER, ROW)]))
    assert list(table.frame.columns) == KEYS


def test_a_column_with_cells_but_no_header_stays_as_an_unknown_one(read: Any) -> None:
    table = read(
        as_csv([[*row, last] for row, last in ((TOTALS, ""), (TITLE, ""), (HEADER, ""), (ROW, "x"))])
    )
    assert table.frame.shape == (1, 7)
    assert table.headers[-1].key not in KEYS


def test_one_column_keeps_its_blank_cells(read: Any) -> None:
    assert cells(read("Site ID\na\n\nb\n")) == [["a"], [""], ["b"]]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252", "utf-16-le"])
def test_the_declared_encoding_is_used(read: Any, encoding: str) -> None:
    row = ["S1", "Café", *ROW[2:]]
    table = read(as_csv([TOTALS, TITLE, HEADER, row]).encode(encoding), replace(DATASET, encoding=encoding))
    assert cells(table) == [row]


@pytest.mark.parametrize(("written", "declared"), [("utf-8-sig", "utf-8"), ("utf-16", "utf-16-le")])
def test_a_byte_order_mark_is_no_part_of_the_header(read: Any, written: str, declared: str) -> None:
    content = as_csv([KEYS, ROW]).encode(written)
    assert list(read(content, replace(DATASET, encoding=declared)).frame.columns) == KEYS


def test_a_cell_may_reach_over_the_blocks_that_are_read_at_a_time(
    read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "BLOCK", 128)
    rows = [["S1", "a\nb, c\n" * 9, "", "5", 'say "x"', ""], ROW, ROW] * 9
    assert cells(read(as_csv([TOTALS, TITLE, HEADER, *rows]))) == rows


@pytest.mark.parametrize(
    ("body", "pair"),
    {
        "": True,
        "a,b\n": True,
        '"a","b, c"\r\n"d\n","e"': True,
        '"say ""x""","""","",""': True,
        '"a': False,
        '"a"b,c': False,
        'a"b"': False,
        '"a" ,b': False,
        '"a""': False,
    }.items(),
)
def test_quotes_as_in_rfc_4180_are_recognised_at_once(body: str, pair: bool) -> None:
    assert frames._quotes_pair(memoryview(body.encode())) is pair


def test_a_quote_inside_an_unquoted_cell_is_a_character(read: Any) -> None:
    assert cells(read('Site ID,Women\nS1,5" pipe\nS2,"a ""b"" c"\n')) == [
        ["S1", '5" pipe'],
        ["S2", 'a "b" c'],
    ]


# ------------------------------------------------------------------------------------- broken CSV files


GOOD = as_csv([TOTALS, TITLE, HEADER, ROW, ROW])
BROKEN = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\n", "is empty"),
    "no declared column": (
        as_csv([[CANARY, "b"]] * 4),
        r"no header of xyz/sites stands in row 3, .* row 1; at least half .*: check",
    ),
    "data with a declared name in it": (
        as_csv([TOTALS, TITLE, [CANARY, "Women", CANARY, "Yes", "Yes", "x"], ROW]),
        "no header of xyz/sites stands in row 3",
    ),
    "semicolons": (GOOD.replace('"', "").replace(",", ";"), r"separated by commas\?"),
    "too short": ("a,b\n", "stands in row 3"),
    "too few cells": (GOOD + f"{CANARY},x\n", "row 6 has 2 cells but the header has 6"),
    "too many cells": (GOOD + f"{CANARY},2,3,4,5,6,7\n" + GOOD, "row 6 has 7 cells but the header has 6"),
    "comma at the end": (GOOD + "1,2,3,4,5,6,\n", "row 6 has 7 cells"),
    "ragged after two lines in one cell": (GOOD + '"a\nb",2,3,4,5,6\n1,2\n', "row 7 has 2 cells"),
    "quote never closed": (GOOD + f'"{CANARY},2,3,4,5,6\n1,2,3,4,5,6\n', "quotes are broken in .* row 6"),
    "quote closed too late": (
        GOOD + f'"{CANARY},2,3,4,5,6\n"x",2,3,4,5,6\n',
        "quotes are broken in .* row 6",
    ),
    "text after the quote": (GOOD + f'1,"{CANARY}" x,3,4,5,6\n', "quotes are broken in .* row 6"),
    "quote never closed in the head": (f'1,"{CANARY}\n' + GOOD, "quotes are broken in .* row 1"),
    "repeated column": (
        as_csv([TOTALS, TITLE, [*HEADER, "Women"], [*ROW, CANARY]]),
        r"'Women' is in columns 4 and 7",
    ),
    "another header among the data": (
        as_csv(
            [TOTALS, TITLE, HEADER, ROW, ["Women", "Site ID", *HEADER[2:3], "Provider", "Site type", ""], ROW]
        ),
        "2 rows below the header stands another one",
    ),
    "not UTF-8": (
        GOOD.encode() + f"{CANARY}é,2,3,4,5,6".encode("cp1252"),
        f"byte {len(GOOD) + 11} is not utf-8.*cp1252",
    ),
    "UTF-16": (
        GOOD.encode("utf-16"),
        "byte 0 is not utf-8; set utf-16 as encoding: in xyz/datasets/sites.yaml",
    ),
    "UTF-16 without mark": (GOOD.encode("utf-16-le"), "character 1 is a NUL.*set utf-16"),
    "NUL": (GOOD + "\0,2,3,4,5,6\n", f"character {len(GOOD)} is a NUL"),
    "workbook by another name": (b"PK\x03\x04" + bytes(40), "Excel workbook under the name of a CSV"),
}


@pytest.mark.parametrize(("content", "sentence"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_gets_one_sentence_without_its_cells(read: Any, content: Any, sentence: str) -> None:
    with pytest.raises(TableUnreadable, match=sentence) as raised:
        read(content)
    assert "round.csv" in str(raised.value)
    assert "\n" not in str(raised.value)
    problem: BaseException | None = raised.value
    while problem:  # a log prints what stands behind an error, too
        assert CANARY not in str(problem)
        problem = problem.__cause__ or problem.__context__


def test_an_encoding_that_does_not_exist_is_named(read: Any) -> None:
    for encoding in ("utf-9", "base64"):
        with pytest.raises(
            TableUnreadable, match=rf"'{encoding}' is no text encoding; correct encoding: in xyz"
        ):
            read(GOOD, replace(DATASET, encoding=encoding))


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "endless.csv").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.csv")
    os.mkfifo(tmp_path / "pipe.xlsx")
    for name, sentence in {
        "none.csv": "there is no such file",
        "folder.csv": "this is a folder",
        "loop.csv": "cannot be read",
        "endless.csv": "cannot be read .it is a pipe or a device, not a file",
        "pipe.csv": "cannot be read .it is a pipe or a device, not a file",
        "pipe.xlsx": "cannot be read .it is a pipe or a device, not a file",
        "table.ods": r"only \.csv and \.xlsx",
        "table": r"only \.csv and \.xlsx",
    }.items():
        with pytest.raises(TableUnreadable, match=sentence):
            frames.read_table(tmp_path / name, DATASET)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "round.csv").touch(mode=0)
    with pytest.raises(TableUnreadable, match="cannot be read"):
        frames.read_table(tmp_path / "round.csv", DATASET)


# ----------------------------------------------------------------------------------------- workbooks


def workbook(path: Path, sheets: dict[str, list[list[Any]]], **state: str) -> Path:
    """An .xlsx file; ``state`` names the sheets that are hidden (``hide`` or ``very_hidden``)."""
    book = xlsxwriter.Workbook(path, {"strings_to_formulas": False})
    shown = {date: "dd.mm.yyyy", datetime: "dd.mm.yyyy hh:mm", time: "hh:mm"}
    formats = {kind: book.add_format({"num_format": form}) for kind, form in shown.items()}
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for at, row in enumerate(rows):
            for position, cell in enumerate(row):
                sheet.write(at, position, cell, formats.get(type(cell)))
        if name in state:
            getattr(sheet, state[name])()
        else:
            sheet.activate()
    book.close()
    return path


def test_a_workbook_gives_text_as_it_would_be_written(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        [5, 27.7172, 9841234567, 1e20, -0.5, 0],
        [date(2015, 6, 1), datetime(2015, 6, 1, 13, 5), time(13, 5), True, "NA", "00012"],  # noqa: DTZ001 - workbooks know no zone
        [" x\ny ", "None", "", "=text", "", "1,234"],
    ]
    path = workbook(tmp_path / "round.xlsx", {"Data": [TOTALS, TITLE, HEADER, *rows]})
    table = frames.read_table(path, DATASET)
    assert table.whole
    assert cells(table) == [
        ["5", "27.7172", "9841234567", "1e+20", "-0.5", "0"],
        ["2015-06-01", "2015-06-01 13:05:00", "13:05:00", "TRUE", "NA", "00012"],
        [" x\ny ", "None", "", "=text", "", "1,234"],
    ]
    assert {str(dtype) for dtype in table.frame.dtypes} == {"str"}


def test_a_workbook_and_a_csv_file_give_the_same_table(tmp_path: Path, read: Any) -> None:
    rows = [TOTALS, TITLE, HEADER, ROW, ["S2", *ROW[1:]], [""] * 6]
    path = workbook(tmp_path / "round.xlsx", {"Data": rows})
    table = frames.read_table(path, DATASET)
    pd.testing.assert_frame_equal(table.frame, read(as_csv(rows)).frame)
    assert table.headers == read(as_csv(rows)).headers


def test_rows_count_from_the_top_of_the_sheet(tmp_path: Path) -> None:
    path = workbook(tmp_path / "round.xlsx", {"Data": [[], [], HEADER, ROW]})
    assert cells(frames.read_table(path, DATASET)) == [ROW]


def test_a_workbook_of_ours_has_its_header_in_row_1(tmp_path: Path) -> None:
    table = frames.read_table(workbook(tmp_path / "ours.xlsx", {"Data": [KEYS, ROW]}), DATASET)
    assert not table.whole
    assert list(table.frame.columns) == KEYS


def test_a_workbook_with_a_header_alone_gives_no_rows(tmp_path: Path) -> None:
    assert frames.read_table(workbook(tmp_path / "h.xlsx", {"Data": [KEYS]}), DATASET).frame.shape == (0, 6)


def test_the_only_visible_sheet_is_read_and_hidden_ones_are_not(tmp_path: Path) -> None:
    sheets = {"Lists": [KEYS, [CANARY] * 6], "Data": [KEYS, ROW], "More": [KEYS, [CANARY] * 6]}
    path = workbook(tmp_path / "round.xlsx", sheets, Lists="hide", More="very_hidden")
    assert cells(frames.read_table(path, DATASET)) == [ROW]


def rewritten(path: Path, to: Path, pattern: bytes, by: bytes) -> Path:
    """A copy of a workbook with its list of sheets changed."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(to, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "xl/workbook.xml":
                assert re.search(pattern, content)
                content = re.sub(pattern, by, content)
            target.writestr(name, content)
    return to


def broken_workbooks(folder: Path) -> dict[Path, str]:
    good = workbook(folder / "good.xlsx", {"Data": [TOTALS, TITLE, HEADER, [CANARY, *ROW[1:]]]})
    content = good.read_bytes()
    sealed = io.BytesIO()
    with good.open("rb") as file:
        msoffcrypto.OfficeFile(file).encrypt("made-up-password", sealed)
    files = {
        "empty": (b"", "is empty"),
        "text": (GOOD.encode(), "no .xlsx file, or a damaged one"),
        "half": (content[: len(content) // 2], "no .xlsx file, or a damaged one"),
        "other zip": (b"PK\x05\x06" + bytes(18), "no .xlsx file, or a damaged one"),
        "sealed": (sealed.getvalue(), "has a password; save a copy without one"),
        "old": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1024), "an old .xls file"),
    }
    for name, (each, _) in files.items():
        (folder / f"{name}.xlsx").write_bytes(each)
    two = {CANARY: [KEYS, [CANARY] * 6], "Two": [KEYS, ROW]}
    return {folder / f"{name}.xlsx": sentence for name, (_, sentence) in files.items()} | {
        rewritten(good, folder / "none.xlsx", rb"<sheets>.*</sheets>", b"<sheets/>"): "has no sheet",
        workbook(folder / "two.xlsx", two): "there are 2 visible sheets; keep the one",
        workbook(folder / "bare.xlsx", {"Data": []}): "no header of xyz/sites",
        workbook(folder / "other.xlsx", {"Data": [[CANARY], [CANARY], [CANARY]]}): "no header of xyz/sites",
    }


def test_a_broken_workbook_gets_one_sentence_without_its_cells(tmp_path: Path) -> None:
    for path, sentence in broken_workbooks(tmp_path).items():
        with pytest.raises(TableUnreadable, match=sentence) as raised:
            frames.read_table(path, DATASET)
        assert path.name in str(raised.value)
        assert CANARY not in str(raised.value)


def test_a_workbook_with_a_cell_far_from_all_others_is_refused_before_it_fills_the_memory(
    tmp_path: Path,
) -> None:
    good = workbook(tmp_path / "good.xlsx", {"Data": [KEYS, ROW]})
    assert len(frames.read_table(good, DATASET).frame) == 1
    with xlsxwriter.Workbook(tmp_path / "far.xlsx") as book:
        sheet = book.add_worksheet("Data")
        sheet.write_row(0, 0, KEYS)
        sheet.write_string(1_048_575, 16_383, CANARY)
    with pytest.raises(TableUnreadable, match="reaches to cell XFD1048576; delete the rows"):
        frames.read_table(tmp_path / "far.xlsx", DATASET)


def test_a_workbook_that_shows_no_sheet_is_not_read(tmp_path: Path) -> None:
    good = workbook(tmp_path / "good.xlsx", {"Data": [KEYS, ROW]})
    hidden = rewritten(good, tmp_path / "hidden.xlsx", rb"<sheet name", rb'<sheet state="hidden" name')
    with pytest.raises(TableUnreadable, match="only hidden sheets"):
        frames.read_table(hidden, DATASET)


# ----------------------------------------------------------------------------- frames from an author


def test_columns_of_a_frame_are_named_by_key_and_the_frame_is_left_alone() -> None:
    frame = pd.DataFrame([ROW], columns=HEADER)
    named, headers = frames.name_columns(frame, DATASET)
    assert list(named.columns) == KEYS == [header.key for header in headers]
    assert list(frame.columns) == HEADER
    again, same = frames.name_columns(named, DATASET)
    assert list(again.columns) == KEYS
    assert same == headers


def test_what_an_author_made_headers_of_is_named_by_its_position_alone() -> None:
    """``get_dummies`` makes headers of cells, and of two questions with the same answers twice the same."""
    frame = pd.DataFrame([[*ROW, "1", "0", "1"]], columns=[*HEADER, CANARY, ("a", CANARY), CANARY])
    named, headers = frames.name_columns(frame, DATASET)
    unknown = [f"column {at} (unknown)" for at in range(len(KEYS) + 1, len(KEYS) + 4)]
    assert list(named.columns) == [*KEYS, *unknown] == [header.key for header in headers]
    assert CANARY not in str(headers)
    assert frames.profile_frame(named, RULES, DATASET).headers == headers
    assert frames.name_columns(named, DATASET)[1] == headers


def test_a_profile_of_a_frame_knows_no_cells() -> None:
    frame = pd.DataFrame([[CANARY, *ROW[1:]], ROW], columns=KEYS)
    found = frames.profile_frame(frame, RULES, DATASET, stage=Stage.CLEANED, round_="17", whole=True)
    assert (found.dataset, found.rows, found.stage, found.round, found.whole) == (
        "xyz/sites",
        2,
        Stage.CLEANED,
        "17",
        True,
    )
    assert [header.key for header in found.headers] == KEYS
    assert [(each.grain, each.column) for each in found.evidence] == [(Grain.SITE, "Site ID")]
    assert CANARY not in str(found)


def test_a_profile_of_a_file_says_whether_it_is_whole(read: Any) -> None:
    found = frames.profile(read(GOOD), RULES, DATASET, stage=Stage.COLLECTED, round_="R2")
    assert (found.rows, found.stage, found.round, found.whole) == (2, Stage.COLLECTED, "R2", True)
    assert not frames.profile(read(as_csv([KEYS, ROW])), RULES, DATASET).whole


def test_a_profile_says_what_the_cells_say_of_the_grain(read: Any) -> None:
    """By the indicators that the policy knows to identify units, whether from a file or from a frame."""
    households = [[f"S{row // 3}", *ROW[1:]] for row in range(30)]
    table = read(as_csv([TOTALS, TITLE, HEADER, *households]))
    found = frames.profile(table, RULES, DATASET).evidence
    assert [(each.grain, each.why) for each in found] == [
        (Grain.HOUSEHOLD, "30 rows stand for 10 units by site"),
        (Grain.SITE, "column 'Site ID' tells 10 units by site apart"),
    ]
    assert frames.profile_frame(table.frame, RULES, DATASET).evidence == found
    as_in_the_file = pd.DataFrame(households, columns=HEADER)
    assert frames.profile_frame(as_in_the_file, RULES, DATASET).evidence == found


def test_a_please_specify_beside_an_identifying_column_identifies_nothing() -> None:
    frame = pd.DataFrame([["North", "Other", "a"], ["South", "Other", "b"]], columns=KEYS[:3])
    known = replace(RULES, indicators={"any": INDICATOR, "site": replace(INDICATOR, identifies=Grain.ADMIN1)})
    swapped = replace(DATASET, columns=tuple(replace(each, indicator="site") for each in DATASET.columns))
    found = frames.profile_frame(frame, known, swapped).evidence
    assert [each.column for each in found] == ["Site ID"]


def test_a_frame_that_we_summed_up_is_judged_by_what_it_was_summed_up_to() -> None:
    frame = pd.DataFrame([["5", f"S{row}"] for row in range(30)], columns=["Women", "Provider"])
    plain = frames.profile_frame(frame, RULES, DATASET)
    assert (plain.aggregated_to, plain.evidence) == (None, ())
    summed = frames.profile_frame(frame, RULES, DATASET, aggregated_to=Grain.ADMIN2)
    assert summed.aggregated_to is Grain.ADMIN2
    assert [(each.grain, each.column) for each in summed.evidence] == [(Grain.SITE, "Provider")]


def test_a_frame_whose_columns_cannot_be_told_apart_is_refused() -> None:
    frame = pd.DataFrame([["1", "2"]], columns=["Women", "women"])
    uses: tuple[Callable[[], Any], ...] = (
        lambda: frames.name_columns(frame, DATASET),
        lambda: frames.profile_frame(frame, RULES, DATASET),
    )
    for use in uses:
        with pytest.raises(TableUnreadable, match=r"table of xyz/sites: .*'Women' is in columns 1 and 2"):
            use()


def test_what_is_no_frame_is_refused() -> None:
    for value in (None, [ROW], {"Site ID": ["S1"]}):
        with pytest.raises(TableUnreadable, match=r"is a \w+: return a pandas DataFrame"):
            frames.name_columns(value, DATASET)


# ---------------------------------------------------------------------------------------- real files


def real(name: str) -> Path:
    folder = Path(os.environ.get("DTM_REAL_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
    if not (folder / name).exists():
        pytest.skip("the real DTM files are not there; DTM_REAL_DATA names their folder")
    return folder / name


def declared_from(names: list[str]) -> Dataset:
    """A dataset with these columns, in which a name that repeats continues the column before it."""
    columns: list[Column] = []
    for name in names:
        if names.count(name) == 1:
            columns.append(column(name))
        elif name not in columns[-1].continued_by:
            columns[-1] = replace(columns[-1], continued_by=(*columns[-1].continued_by, name))
    return replace(DATASET, columns=tuple(columns))


@pytest.mark.real_data
def test_the_nepal_round_is_the_same_from_csv_and_from_xlsx() -> None:
    path = real("nepal_dtm_2015/CCCM_Nepal_DTM_R2.csv")
    with path.open(encoding="utf-8", newline="") as file:
        names = list(csv.reader(file))[2]
    nepal = declared_from(names)
    table = frames.read_table(path, nepal)
    assert table.frame.shape == (146, 180)
    assert table.whole
    assert len({header.key for header in table.headers}) == 180
    book = frames.read_table(real("nepal_dtm_2015/CCCM_Nepal_DTM_R2x.xlsx"), nepal)
    assert book.headers == table.headers
    different = (book.frame != table.frame).to_numpy().sum()
    assert different == 0


@pytest.mark.real_data
def test_a_file_without_header_row_is_refused() -> None:
    with pytest.raises(TableUnreadable, match="no header of xyz/sites"):
        frames.read_table(real("iraq_dtm_2014/DTM_Dataset_28092014.csv"), DATASET)
