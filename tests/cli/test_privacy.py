"""No cell value reaches stdout or stderr, whatever is asked and whatever goes wrong.

Every data cell of the tables below holds the canary, and so do the head rows above the header.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.policies import HEADERS

CANARY = "CANARY"
PLUGINS = Path(__file__).parents[2] / "plugins"

QUESTIONS = [
    ("classify",),
    ("gate", "--audience", "public"),
    ("gate", "--audience", "xyz/child-protection"),
    ("gate", "--audience", "xyz/child-protection", "--urgency", "medium", "--stage", "collected"),
    ("gate", "--audience", "nobody"),
    ("explain", "--column", "5"),
    ("explain", "--column", "Security provider"),
    ("explain", "--column", "If other, please specify"),
    ("explain", "--column", "none such"),
    ("explain", "--column", "5", "--audience", "public"),
    ("explain", "--column", "7", "--audience", "xyz/child-protection", "--stage", "cleaned"),
]


def lines(*rows: str) -> bytes:
    return "\r\n".join(rows).encode()


WHOLE = ",".join(f'"{each}"' for each in HEADERS)
ROW = ",".join(f"{CANARY}-{each}" for each in range(len(HEADERS)))

TABLES = {
    "sound": lines(ROW, ROW, WHOLE, ROW, ROW),
    "header in row 1": lines(WHOLE, ROW),
    "unknown column": lines(ROW, ROW, f"{WHOLE},Shoe size", f"{ROW},{CANARY}"),
    "no header": lines(ROW, ROW, ROW, ROW, ROW),
    "header one row too low": lines(ROW, ROW, ROW, WHOLE, ROW),
    "header one row too high": lines(ROW, WHOLE, ROW, ROW),
    "a row too long": lines(ROW, ROW, WHOLE, f"{ROW},{CANARY}"),
    "a row too short": lines(ROW, ROW, WHOLE, f"{CANARY},{CANARY}"),
    "an open quote": lines(ROW, ROW, WHOLE, f'"{ROW}', ROW),
    "a quote in a cell": lines(ROW, ROW, WHOLE, ROW.replace(f"{CANARY}-3", f'{CANARY}"3'), ROW),
    "another encoding": lines(ROW, ROW, WHOLE, ROW) + "CANARY-é".encode("latin-1"),
    "UTF-16": lines(ROW, ROW, WHOLE, ROW).decode().encode("utf-16"),
    "a NUL": lines(ROW, ROW, WHOLE, ROW.replace("-3", "\0")),
    "header twice": lines(ROW, ROW, f"{WHOLE},District", f"{ROW},{CANARY}"),
    "a column without header": lines(ROW, ROW, f"{WHOLE},", f"{ROW},{CANARY}"),
    "semicolons": lines(ROW, ROW, WHOLE, ROW).replace(b",", b";"),
    "no rows": lines(ROW, ROW, WHOLE),
    "formulas": lines(ROW, ROW, WHOLE, ROW.replace(CANARY, f"=1+{CANARY}")),
    "a workbook by name": b"PK\x03\x04" + ROW.encode(),
}


@pytest.mark.parametrize("name", TABLES)
def test_no_answer_and_no_error_holds_a_cell(judge, tmp_path, name):
    path = tmp_path / "round.csv"
    path.write_bytes(TABLES[name])
    assert CANARY.encode() in TABLES[name].replace(b"\0", b"")
    for command, *options in QUESTIONS:
        for form in ("table", "json"):
            answer = judge(command, path, *options, "--format", form)
            assert CANARY not in answer.out + answer.err, f"{command} {options} {form}"
            assert answer.out or answer.err
            assert "bug" not in answer.err


def test_the_tables_reach_every_kind_of_answer(judge, tmp_path):
    """Else the test above would look at errors only, and prove little."""
    codes = set()
    for content in TABLES.values():
        path = tmp_path / "round.csv"
        path.write_bytes(content)
        codes.add(judge("gate", path, "--audience", "public").code)
    assert codes == {1, 2, 4}


@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_a_broken_workbook_tells_nothing_of_its_inside(judge, tmp_path, suffix):
    from xlsxwriter import Workbook

    path = tmp_path / "round.xlsx"
    with Workbook(path) as book:
        sheet = book.add_worksheet(CANARY)
        for row, cells in enumerate((ROW.split(","), ROW.split(","), HEADERS, ROW.split(","))):
            sheet.write_row(row, 0, cells)
    for content in (path.read_bytes(), path.read_bytes()[:-200], path.read_bytes()[:100]):
        (tmp_path / f"broken{suffix}").write_bytes(content)
        answer = judge("classify", tmp_path / f"broken{suffix}")
        assert CANARY not in answer.out + answer.err
        assert "bug" not in answer.err


def test_a_bug_anywhere_below_tells_no_cell(table, policies):
    """The worst case: a library fails, in a real process, and quotes the row in its error."""
    code = """
import sys
from dtm_sharing.stores import frames
def fail(*_arguments, **_options):
    raise ValueError("could not convert 'CANARY-77' in row CANARY-78")
frames._frame = fail
from dtm_sharing.cli import main
sys.exit(main())
"""
    usual = ["--dataset", "xyz/site-assessment", "--policies", str(policies)]
    done = subprocess.run(
        [sys.executable, "-c", code, "classify", str(table(cell=lambda *_: CANARY)), *usual],
        env={**os.environ, "PYTHONPATH": str(PLUGINS)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("This is a bug: ValueError at ")
    assert CANARY not in done.stdout + done.stderr
