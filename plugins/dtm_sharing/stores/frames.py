"""Reading tables: CSV and XLSX files, and the frames that an author's cleaning function returns.

Every cell is text exactly as it stands: blanks are "", and "NA", "None" or "Unknown" are answers, not gaps.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dtm_sharing import detect
from dtm_sharing.classify import identify
from dtm_sharing.errors import TableUnreadable
from dtm_sharing.model import Dataset, Grain, Header, Policy, Stage, TableProfile
from dtm_sharing.stores import regular

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

BLOCK = 1 << 24  # bytes that Arrow parses at a time; a row must fit
EXACT = 10**15  # Excel keeps 15 digits: a whole number below this is written without exponent
OLE = b"\xd0\xcf\x11\xe0"  # begins an .xls file, and an encrypted .xlsx file
SEALED = "EncryptedPackage".encode("utf-16-le")  # in the latter: the name of the stream with its content
ZIP = b"PK\x03\x04"  # begins an .xlsx file
MOST_CELLS = 50_000_000  # of a workbook's sheet, blank ones included: all are in memory at the same time
_DIMENSION = re.compile(rb'<dimension ref="[A-Z]+[0-9]+:([A-Z]+)([0-9]+)"')


@dataclass(frozen=True, slots=True)
class Table:
    """A table read from a file. Columns are named by ``Header.key``; cells are text.

    ``whole``: its header stood in the dataset's ``header_row``, as in a file from the field. A file with
    its header in row 1 is one that we wrote, and may be a part of the dataset.
    """

    frame: pd.DataFrame = field(repr=False)
    headers: tuple[Header, ...]
    whole: bool


def read_table(path: Path, dataset: Dataset) -> Table:
    """Read a CSV or XLSX file of this dataset.

    The header is in ``dataset.header_row`` or in row 1: whichever holds more of the declared columns. Where
    both are row 1 the file counts as whole, so that an absent column is noticed. Wholly blank rows at the
    end, and columns at the right with neither header nor cell, are no data.

    Raises:
        TableUnreadable: one sentence that says what is wrong, where, and what to do. It quotes no cell.
    """
    source = _open(path, dataset)
    row, names = _find_header(path, source.head(dataset.header_row), dataset)
    columns = source.below(row, len(names))
    while names and not names[-1] and _is_blank(columns[-1]):
        names, columns = names[:-1], columns[:-1]
    headers = _headers(names, dataset, str(path), keep_unknown=True)
    _refuse_second_header(path, columns, headers, dataset)
    return Table(_frame(columns, headers), headers, whole=row == dataset.header_row)


def name_columns(frame: pd.DataFrame, dataset: Dataset) -> tuple[pd.DataFrame, tuple[Header, ...]]:
    """Name the columns of a frame by ``Header.key``; they may be keys already, or headers as in the file.

    What no declaration knows is named by its position alone, ``column 5 (unknown)``: the author of the frame
    may have made headers of cells, as ``get_dummies`` and ``pivot`` do.

    Raises:
        TableUnreadable: it is no pandas frame, or two of its columns cannot be told apart.
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise TableUnreadable(
            f"The table of {dataset.id} is a {type(frame).__name__}: return a pandas DataFrame instead"
        )
    headers = _headers_of(frame, dataset, keep_unknown=False)
    return frame.set_axis([header.key for header in headers], axis="columns"), headers


def profile_frame(  # noqa: PLR0913 - each of the last is a fact that the frame cannot tell
    frame: pd.DataFrame,
    policy: Policy,
    dataset: Dataset,
    *,
    stage: Stage | None = None,
    round_: str | None = None,
    whole: bool = False,
    aggregated_to: Grain | None = None,
) -> TableProfile:
    """What a decision may know of a frame; its columns are keys or headers as in the file.

    They are kept as they are: an author's frame goes through ``name_columns`` first. What was declared when
    that was done, and is no more, is known by its name.

    Every cell is looked at for what it says of the grain (``detect.grain_evidence``); none is kept.

    Raises:
        TableUnreadable: as ``name_columns``.
    """
    headers = _headers_of(frame, dataset, keep_unknown=True)
    named = frame.set_axis([header.key for header in headers], axis="columns")
    declared = replace(dataset, grain=aggregated_to or dataset.grain)
    evidence = detect.grain_evidence(named, declared, _identifying(policy, dataset, headers))
    return TableProfile(
        dataset.id, headers, len(frame), stage, round_, whole, evidence, aggregated_to=aggregated_to
    )


def profile(
    table: Table,
    policy: Policy,
    dataset: Dataset,
    *,
    stage: Stage | None = None,
    round_: str | None = None,
) -> TableProfile:
    """What a decision may know of a table that was read from a file: as ``profile_frame``."""
    evidence = detect.grain_evidence(table.frame, dataset, _identifying(policy, dataset, table.headers))
    return TableProfile(dataset.id, table.headers, len(table.frame), stage, round_, table.whole, evidence)


def _identifying(policy: Policy, dataset: Dataset, headers: Iterable[Header]) -> dict[str, Grain]:
    """The columns that tell units of a grain apart, by key; a "please specify" beside one does not."""
    indicators = {column.name: policy.indicators[column.indicator] for column in dataset.columns}
    return {
        header.key: grain
        for header in headers
        if header.question is None
        and header.name in indicators
        and (grain := indicators[header.name].identifies)
    }


def digest(frame: pd.DataFrame) -> str:
    """SHA-256 of what a frame holds: its columns' names and order, and every cell as text.

    It is a function of the data and of nothing else: no tag, no policy, no file. It never goes into an entry
    or a log: of a small table it could be guessed.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {
        str(name): pc.fill_null(pa.array(frame[name].astype("str")).cast(pa.large_string()), "")
        for name in frame.columns
    }
    total = hashlib.sha256()
    table = pa.table(columns).combine_chunks()
    with pa.ipc.new_stream(_Hashed(total), table.schema) as stream:
        stream.write_table(table)
    return total.hexdigest()


class _Hashed(io.RawIOBase):
    """A file that keeps nothing: what is written goes into a hash. A large table in memory twice is dear."""

    def __init__(self, total: hashlib._Hash) -> None:
        self.total = total

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.total.update(data)
        return len(data)


# -------------------------------------------------------------------------------------------- headers


def _find_header(path: Path, head: list[list[str]], dataset: Dataset) -> tuple[int, list[str]]:
    """The number of the header row and its cells: of the two, the row with more declared columns."""
    found = {row: _declared(head[row - 1], dataset) for row in (dataset.header_row, 1) if row <= len(head)}
    row = max(found, key=found.__getitem__, default=0)
    if not row or not found[row]:
        commas = any(len(cells) > 1 for cells in head)
        hint = "" if commas else " (are its cells separated by commas?)"
        raise TableUnreadable(
            f"{path}: no header of {dataset.id} stands in row {dataset.header_row}, where it should be, nor "
            f"in row 1{hint}; at least half of its cells must be declared: check the file, or header_row in "
            f"{dataset.source.file}"
        )
    return row, head[row - 1]


def _declared(cells: Sequence[str], dataset: Dataset) -> int:
    """How many different cells are declared columns; 0 where fewer than half of the filled ones are.

    A row of data may hold a declared name by chance. Repeats are left out: elsewhere they are an error.
    """
    names = {column.name for column in dataset.columns}
    filled = [folded for cell in cells if (folded := " ".join(cell.casefold().split()))]
    once = list(dict.fromkeys(filled))
    headers = identify(once, dataset)
    known = {
        text
        for text, header in zip(once, headers, strict=True)
        if header.name in names or header.question is not None
    }
    return len(known) if 2 * sum(text in known for text in filled) >= len(filled) else 0


def _refuse_second_header(
    path: Path, columns: Sequence[pa.ChunkedArray], headers: Sequence[Header], dataset: Dataset
) -> None:
    """A header among the data begins another table, whose columns may stand in another order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = pa.array([name for each in dataset.columns for name in (each.name, *each.spellings)])
    for header, column in zip(headers, columns, strict=True):
        if header.key in dataset.key:
            found = pc.indices_nonzero(pc.is_in(column, value_set=names.cast(column.type)))
            if len(found):
                raise TableUnreadable(
                    f"{path}: {found[0].as_py() + 1} rows below the header stands another one; its columns "
                    "may be in another order, so keep one table in a file"
                )


def _headers_of(frame: pd.DataFrame, dataset: Dataset, *, keep_unknown: bool) -> tuple[Header, ...]:
    names = [str(name) for name in frame.columns]
    return _headers(names, dataset, f"The table of {dataset.id}", keep_unknown=keep_unknown)


def _headers(names: Sequence[str], dataset: Dataset, table: str, *, keep_unknown: bool) -> tuple[Header, ...]:
    try:
        return identify(names, dataset, keep_unknown=keep_unknown)
    except TableUnreadable as error:
        raise TableUnreadable(f"{table}: {error}") from error


# ------------------------------------------------------------------------------------- frames of text


def _frame(columns: Sequence[pa.ChunkedArray], headers: Sequence[Header]) -> pd.DataFrame:
    import pyarrow as pa

    table = pa.table(list(columns), names=[header.key for header in headers])
    frame: pd.DataFrame = table.slice(0, _rows(columns)).to_pandas()
    return frame


def _rows(columns: Sequence[pa.ChunkedArray]) -> int:
    """The number of rows up to the last one that holds anything."""
    import pyarrow.compute as pc

    rows = len(columns[0])
    if not rows or any(column[-1].as_py() for column in columns):
        return rows
    held = (pc.indices_nonzero(pc.not_equal(column, "")) for column in columns)
    return max((int(each[-1].as_py()) + 1 for each in held if len(each)), default=0)


def _is_blank(column: pa.ChunkedArray) -> bool:
    import pyarrow.compute as pc

    return not len(column) or bool(pc.max(pc.binary_length(column)).as_py() == 0)


# ----------------------------------------------------------------------------------------- files


class _Source(Protocol):
    def head(self, rows: int) -> list[list[str]]:
        """The first rows of the file, fewer if it has fewer."""

    def below(self, row: int, width: int) -> list[pa.ChunkedArray]:
        """What stands below a row of the head, as ``width`` columns of text."""


def _open(path: Path, dataset: Dataset) -> _Source:
    kind = path.suffix.lower()
    if kind not in {".csv", ".xlsx"}:
        raise TableUnreadable(f"{path}: only .csv and .xlsx files can be read as a table")
    try:
        content = regular.read(path)
    except FileNotFoundError as error:
        raise TableUnreadable(f"{path}: there is no such file") from error
    except IsADirectoryError as error:
        raise TableUnreadable(f"{path}: this is a folder, not a file") from error
    except OSError as error:
        raise TableUnreadable(f"{path}: the file cannot be read ({error.strerror})") from error
    if not content or content.isspace():
        raise TableUnreadable(f"{path}: the file is empty")
    return _Workbook(path, content) if kind == ".xlsx" else _Csv(path, _utf8(path, content, dataset))


def _utf8(path: Path, content: bytes, dataset: Dataset) -> bytes:
    """The file's text as UTF-8 without byte order mark, read strictly in the dataset's encoding."""
    if content.startswith((ZIP, OLE)):
        raise TableUnreadable(f"{path}: this is an Excel workbook under the name of a CSV file; rename it")
    encoding, setting = dataset.encoding, f"encoding: in {dataset.source.file}"
    try:
        name = codecs.lookup(encoding).name
        text = content.decode(encoding)
    except LookupError as error:
        raise TableUnreadable(f"{path}: {encoding!r} is no text encoding; correct {setting}") from error
    except UnicodeDecodeError as error:
        text, offset = None, error.start  # raised below: the exception carries the whole file
    if text is None:
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        advice = "set utf-16" if wide else "set the file's own, e.g. cp1252,"
        raise TableUnreadable(
            f"{path}: byte {offset} is not {encoding}; {advice} as {setting}, or save the file as {encoding}"
        )
    if "\0" in text:
        raise TableUnreadable(
            f"{path}: character {text.index(chr(0))} is a NUL, so this is no text in {encoding}; if it is "
            f"UTF-16, set utf-16 as {setting}, or save the file as {encoding}"
        )
    if name == "utf-8":
        return content.removeprefix(codecs.BOM_UTF8)
    return text.removeprefix("\ufeff").encode()


class _Csv:
    """Commas and RFC 4180 quotes. Arrow reads the data; ``csv`` reads the head and finds what is broken."""

    def __init__(self, path: Path, content: bytes) -> None:
        self.path = path
        self.content = content
        self.ends: list[int] = []  # byte offset of the end of each row of the head

    def head(self, rows: int) -> list[list[str]]:
        cells: list[list[str]] = []
        read = 0

        def lines() -> Any:
            nonlocal read
            for line in io.TextIOWrapper(io.BytesIO(self.content), "utf-8", newline=""):
                read += len(line.encode())
                yield line

        reader = csv.reader(lines(), strict=True)
        while len(cells) < rows:
            try:
                cells.append(next(reader))
            except StopIteration:
                break
            except csv.Error as error:
                raise self._broken(len(cells) + 1) from error
            self.ends.append(read)
        return cells

    def below(self, row: int, width: int) -> list[pa.ChunkedArray]:
        import pyarrow as pa
        from pyarrow import csv as arrow

        body = memoryview(self.content)[self.ends[row - 1] :]
        names = [str(position) for position in range(width)]
        if not body.nbytes:
            return [pa.chunked_array([], pa.large_string()) for _ in names]
        if not _quotes_pair(body):
            self._check_rows(body, row, width)
        try:
            table = arrow.read_csv(
                pa.py_buffer(body),
                arrow.ReadOptions(use_threads=False, block_size=BLOCK, column_names=names),
                arrow.ParseOptions(newlines_in_values=True, ignore_empty_lines=width > 1),
                arrow.ConvertOptions(
                    check_utf8=False,  # it was decoded just now
                    column_types=dict.fromkeys(names, pa.large_string()),
                ),
            )
        except pa.ArrowInvalid:
            table = None  # its message quotes the row: say which row it is instead
        if table is None:
            self._check_rows(body, row, width)
            raise TableUnreadable(f"{self.path}: the rows below row {row} cannot be read as CSV")
        return list(table.columns)

    def _check_rows(self, body: memoryview, row: int, width: int) -> None:
        """Find the first row with broken quotes, or with more or fewer cells than the header."""
        text = io.TextIOWrapper(io.BytesIO(body), "utf-8", newline="")
        try:
            for cells in csv.reader(text, strict=True):
                row += 1
                if cells and len(cells) != width:
                    raise TableUnreadable(
                        f"{self.path}: row {row} has {len(cells)} cells but the header has {width}; "
                        "correct the row, or put quotes around a cell that holds a comma"
                    )
        except csv.Error as error:
            raise self._broken(row + 1) from error

    def _broken(self, row: int) -> TableUnreadable:
        return TableUnreadable(
            f"{self.path}: the quotes are broken in the row or cell that begins in row {row}; a cell in "
            "quotes must end with one, directly before a comma or the end of its row"
        )


def _quotes_pair(body: memoryview) -> bool:
    """Whether quotes begin and end cells as in RFC 4180; where they do not, Arrow guesses and says nothing.

    All at once in numpy: ``csv`` would take longer for this than Arrow takes to read the table.
    """
    import numpy as np

    data = np.frombuffer(body, np.uint8)
    quotes = np.flatnonzero(data == ord('"'))
    if len(quotes) % 2:
        return False
    opening, closing = quotes[::2], quotes[1::2]
    begins = _borders(data[opening - 1]) | (opening == 0)
    ends = _borders(data[(closing + 1) % len(data)]) | (closing == len(data) - 1)
    doubled = closing[:-1] + 1 == opening[1:]  # a quote within a cell is written twice
    begins[1:] |= doubled
    ends[:-1] |= doubled
    return bool(begins.all() and ends.all())


def _borders(data: Any) -> Any:
    """Which of these bytes separate cells."""
    return (data == ord(",")) | (data == ord("\n")) | (data == ord("\r"))


class _Workbook:
    """The one visible sheet of an .xlsx file."""

    def __init__(self, path: Path, content: bytes) -> None:
        import python_calamine as calamine

        why = "this is no .xlsx file, or a damaged one; save it again as .xlsx"
        if content.startswith(OLE):
            sealed = SEALED in content
            why = (
                "the workbook has a password; save a copy without one"
                if sealed
                else "save it as .xlsx: this is an old .xls file"
            )
        else:
            _refuse_far_cells(path, content)
            try:
                book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
                self.rows = book.get_sheet_by_name(_only_sheet(path, book)).to_python(skip_empty_area=False)
            except calamine.CalamineError:  # its message may quote a cell: raised below, without it
                pass
            else:
                return
        raise TableUnreadable(f"{path}: {why}")

    def head(self, rows: int) -> list[list[str]]:
        return [[_text(cell) for cell in row] for row in self.rows[:rows]]

    def below(self, row: int, width: int) -> list[pa.ChunkedArray]:
        import pyarrow as pa

        body = self.rows[row:]
        columns = (
            [cell if type(cell) is str else _text(cell) for cell in each] for each in zip(*body, strict=True)
        )
        filled = [pa.chunked_array([pa.array(cells, pa.large_string())]) for cells in columns]
        return filled or [pa.chunked_array([], pa.large_string()) for _ in range(width)]


def _refuse_far_cells(path: Path, content: bytes) -> None:
    """One cell far from all others makes a range that no memory holds; the reader would end the process."""
    with (
        suppress(
            zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError
        ),  # the reader says what is wrong
        zipfile.ZipFile(io.BytesIO(content)) as book,
    ):
        for name in (each for each in book.namelist() if each.startswith("xl/worksheets/")):
            with book.open(name) as part:
                found = _DIMENSION.search(part.read(1 << 16))
            if found and _columns(found[1]) * int(found[2]) > MOST_CELLS:
                raise TableUnreadable(
                    f"{path}: a sheet reaches to cell {(found[1] + found[2]).decode()}; delete the rows and "
                    "columns beyond the table, or save it as .csv"
                )


def _columns(letters: bytes) -> int:
    return sum((letter - 64) * 26**place for place, letter in enumerate(reversed(letters)))


def _only_sheet(path: Path, book: Any) -> str:
    """The name of the only visible sheet. Hidden ones are never read, because nobody checks them."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    visible = [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
    ]
    if len(visible) == 1:
        return str(visible[0])
    if visible:
        raise TableUnreadable(f"{path}: there are {len(visible)} visible sheets; keep the one with the table")
    hidden = "only hidden sheets, which are not read" if book.sheet_names else "no sheet"
    raise TableUnreadable(f"{path}: the workbook has {hidden}")


def _text(cell: Any) -> str:
    """A cell of a workbook as its reader would write it: 5, not 5.0; dates as ISO 8601."""
    match cell:
        case str():
            return cell
        case bool():
            return "TRUE" if cell else "FALSE"
        case float() if cell.is_integer() and abs(cell) < EXACT:
            return str(int(cell))
        case datetime():
            return cell.isoformat(" ")
        case date() | time():
            return cell.isoformat()
        case _:
            return str(cell)
