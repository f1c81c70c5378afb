"""An approved table becomes the artefact that may leave: written, encrypted, reopened and checked.

Bytes in memory only. There is no unencrypted form for an audience that has an agreement, whatever the
arguments; and an artefact that fails its own check is not handed out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from dtm_sharing.errors import PackageUnsafe
from dtm_sharing.model import PUBLIC, Approved, Dispatch, Level, Method, Outcome, Package
from dtm_sharing.package.password import Password, generate_password
from dtm_sharing.package.table import BLOCK, Cell, Row, Table, prepare, text

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = [
    "MINIMUM_WORDS",
    "Password",
    "build",
    "build_and_reopen",
    "generate_password",
    "recorded",
    "reopen",
]

# Seven words for a zip, whose key derivation makes a guess 64 to 280 times cheaper than a workbook's.
MINIMUM_WORDS = {Method.EXCEL_EMAIL: 6, Method.DOCUMENT_EMAIL: 7}


@dataclass(frozen=True, slots=True)
class Form:
    """How one method writes a table and reads it back. ``opens_with`` None: there is nothing to open."""

    filename: str  # neutral: it names no person, place or dataset
    media_type: str
    prepare: Callable[[Table], tuple[Table, int]]  # the table as it will read back, and the cells guarded
    write: Callable[[Table, Password | None], bytes]
    read: Callable[[bytes, Password | None], Iterator[Row]]  # the header first
    opens_with: Callable[[bytes, str], bool] | None


def build(
    approved: Approved, frame: pd.DataFrame, method: Method | None, password: Password | None
) -> Package:
    """The artefact of an approved table: CSV for the public (``method`` None), else the pathway's method.

    ``frame`` has exactly the approved columns, named by key and in order, and the approved rows. Its cells
    are text, or numbers where the column is of a number type.

    Raises:
        PackageUnsafe: the approval, the method and the password do not go together, the table is not the one
            approved, or the artefact does not pass its check. No sentence holds a cell or a password.
    """
    artefact, blocks = _build(approved, frame, method, password)
    for _ in blocks:
        pass
    return artefact


def build_and_reopen(
    approved: Approved, frame: pd.DataFrame, method: Method | None, password: Password | None
) -> tuple[Package, pd.DataFrame]:
    """``build``, and what its check read back, as ``reopen`` would give it: opened once, not twice."""
    artefact, blocks = _build(approved, frame, method, password)
    return artefact, _frame(blocks, artefact.columns)


def reopen(package: Package, password: Password | None) -> pd.DataFrame:
    """The table that an artefact holds, read from its bytes alone; every cell as text.

    Raises:
        PackageUnsafe: it does not open with this password, or holds more than a table.
    """
    form = next((each for each in _forms().values() if each.filename == package.filename), None)
    if form is None:
        raise PackageUnsafe("The artefact has a name that no artefact of ours has: build it again")
    rows = form.read(package.content, password)
    header = tuple(str(key) for key in next(rows, ()))
    return _frame(_blocks(rows), header)


def recorded(dispatch: Dispatch, content: bytes) -> Package:
    """The artefact that a dispatch recorded, from the bytes that were kept of it. It passed its check then.

    Raises:
        PackageUnsafe: these are other bytes, or the method has no artefact.
    """
    form = _forms().get(dispatch.method)
    digest = hashlib.sha256(content).hexdigest()
    if form is None or digest != dispatch.artefact_sha256:
        raise PackageUnsafe(
            f"{dispatch.key}: what was kept is not the artefact that was recorded (its SHA-256 differs): "
            "withdraw the dispatch and package it again"
        )
    return Package(
        filename=form.filename,
        media_type=form.media_type,
        content=content,
        sha256=digest,
        encrypted=form.opens_with is not None,
        rows=dispatch.rows,
        columns=dispatch.columns,
    )


def media_type(method: Method) -> str:
    """The media type of what is built for this method."""
    return _forms()[method].media_type


def _build(
    approved: Approved, frame: pd.DataFrame, method: Method | None, password: Password | None
) -> tuple[Package, Iterator[list[Row]]]:
    """The artefact, and the rows read back from it: it has passed its check when all of these are out."""
    form = _form(approved, method, password)
    classification = approved.decision.classification
    columns = tuple(column.header.key for column in classification.columns)
    table, guarded = form.prepare(prepare(frame, columns, classification.rows))
    content = form.write(table, password)
    if password and (form.opens_with is None or form.opens_with(content, f"{password.reveal()}x")):
        raise PackageUnsafe(f"{form.filename} opens with a wrong password: it must not leave")
    artefact = Package(
        filename=form.filename,
        media_type=form.media_type,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        encrypted=password is not None,
        rows=table.height,
        columns=columns,
        guarded=guarded,
    )
    return artefact, _blocks(_same(form.read(content, password), table))


# ------------------------------------------------------------------------------------------- what may be


def _form(approved: Approved, method: Method | None, password: Password | None) -> Form:
    decision = approved.decision
    levels = {column.level for column in decision.classification.columns}
    if decision.outcome is not Outcome.ALLOW or decision.refused or decision.gaps:
        raise PackageUnsafe("The decision does not allow this table: nothing is packaged")
    if None in levels or Level.SECRET in levels:
        raise PackageUnsafe("The table has a column that is Secret or undecided: it goes nowhere in any form")
    if decision.audience == PUBLIC:
        if method is not None or password is not None:
            raise PackageUnsafe("What is approved for the public has no method and no password")
        if levels != {Level.PUBLIC}:
            raise PackageUnsafe("The table has a column that is not Public: it cannot be published")
        return _forms()[None]
    form = _forms().get(method)
    if method is None or form is None:
        raise PackageUnsafe(f"There is no channel for {method or 'no method'}: nothing is packaged")
    if password is None:
        raise PackageUnsafe(f"{method} needs a password: there is no unencrypted path")
    if password.words < MINIMUM_WORDS[method]:
        raise PackageUnsafe(
            f"{method} needs a generated password of at least {MINIMUM_WORDS[method]} words: issue a new one"
        )
    return form


def _forms() -> dict[Method | None, Form]:
    from dtm_sharing.package import document, workbook

    return {
        None: Form(
            "table.csv",
            "text/csv",
            document.guard,
            lambda table, _: document.write(table),
            lambda content, _: document.read(content),
            None,
        ),
        Method.EXCEL_EMAIL: Form(
            "data.xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            lambda table: (table, 0),
            lambda table, password: workbook.seal(table, _given(password)),
            lambda content, password: workbook.unseal(content, _given(password)),
            workbook.opens_with,
        ),
        Method.DOCUMENT_EMAIL: Form(
            "data.zip",
            "application/zip",
            document.guard,
            lambda table, password: document.seal(table, _given(password)),
            lambda content, password: document.unseal(content, _given(password)),
            document.opens_with,
        ),
    }


def _given(password: Password | None) -> Password:
    if password is None:
        raise PackageUnsafe("An encrypted artefact opens only with its password: give it")
    return password


# ----------------------------------------------------------------------------------- what was read back


def _same(found: Iterator[Row], table: Table) -> Iterator[Row]:
    """The rows found below the header, as long as they are those of ``table``.

    Raises:
        PackageUnsafe: a row is missing, added or not the same. Text that reads as a number is not the same.
    """
    if next(found, None) != table.columns:
        raise PackageUnsafe("The artefact does not read back with the approved columns: build it again")
    number = 0
    for number, row in enumerate(table.rows(), start=1):
        if (back := next(found, None)) != row:
            raise PackageUnsafe(
                f"The artefact reads back otherwise {_where(number, row, back)}: clean it there"
            )
        yield row
    if next(found, None) is not None:
        raise PackageUnsafe(f"The artefact has more than the {number} approved rows: build it again")


def _where(number: int, row: Row, back: Row | None) -> str:
    if back is None or len(back) != len(row):
        return f"at row {number}"
    column = next(n for n, (one, other) in enumerate(zip(row, back, strict=True), start=1) if one != other)
    return f"at row {number}, column {column}"


def _blocks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    rows = iter(rows)
    while block := list(islice(rows, BLOCK)):
        yield block


def _frame(blocks: Iterable[list[Row]], header: tuple[str, ...]) -> pd.DataFrame:
    """Rows as a frame of text. Only one block of rows is Python objects at a time."""
    import pyarrow as pa

    columns: list[list[pa.Array]] = [[] for _ in header]
    for block in blocks:
        if any(len(row) != len(header) for row in block):
            raise PackageUnsafe("The artefact has rows of different lengths: build it again")
        for column, cells in zip(columns, zip(*block, strict=True), strict=True):
            column.append(_texts(cells))
    whole = [pa.chunked_array(column, pa.large_string()) for column in columns]
    frame: pd.DataFrame = pa.table(whole, names=list(header)).to_pandas()
    return frame


def _texts(cells: tuple[Cell, ...]) -> pa.Array:
    import pyarrow as pa

    try:  # nearly all columns are text already, and Arrow sees that faster than we do
        return pa.array(cells, pa.large_string())
    except pa.ArrowTypeError:
        return pa.array([text(cell) for cell in cells], pa.large_string())
