"""A table as a password-protected workbook: XlsxWriter, then msoffcrypto-tool. Why these: decision 0002."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from xml.parsers.expat import ExpatError

import msoffcrypto
import python_calamine
from msoffcrypto import exceptions as office
from xlsxwriter import Workbook
from xlsxwriter.exceptions import XlsxWriterException
from xlsxwriter.packager import Packager
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from dtm_sharing.errors import PackageUnsafe
from dtm_sharing.package.password import Password
from dtm_sharing.package.table import BLOCK, Row, Table

MOST_ROWS, MOST_COLUMNS = 1_048_576, 16_384  # of an xlsx worksheet, its header row included
SHEET = "data"
CREATED = datetime(2000, 1, 1)  # noqa: DTZ001 - the format has no zone; fixed: same table, same bytes

# What msoffcrypto-tool and the OLE reader below it raise on bytes that are no encrypted workbook.
_BROKEN = (
    office.FileFormatError,
    office.ParseError,
    office.DecryptionError,
    office.InvalidKeyError,
    ExpatError,
    LookupError,
    OSError,
    ValueError,
    struct.error,
)

# ---------------------------------------------------------------------------------------------- writing


def seal(table: Table, password: Password) -> bytes:
    """The table as an encrypted workbook (ECMA-376 Agile, AES-CBC, SHA-512 spun 100,000 times).

    The content key has 128 random bits, whatever the header's 256 says: that is how the library fills it.
    """
    out = io.BytesIO()
    try:
        msoffcrypto.OfficeFile(io.BytesIO(write(table))).encrypt(password.reveal(), out)
    except office.EncryptionError as error:
        raise PackageUnsafe("The workbook cannot be encrypted: package it again") from error
    return out.getvalue()


def write(table: Table) -> bytes:
    """The table as a plain workbook in memory: one sheet, keys in row 1, nothing that runs or points away.

    Raises:
        PackageUnsafe: it does not fit into a worksheet.
    """
    if table.height >= MOST_ROWS or len(table.columns) > MOST_COLUMNS:
        raise PackageUnsafe(
            f"The table of {table.height:,} rows and {len(table.columns):,} columns does not fit into a "
            f"worksheet ({MOST_ROWS - 1:,} and {MOST_COLUMNS:,}): share it as a document, or in parts"
        )
    out = io.BytesIO()
    book = _Workbook(
        out,
        {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        },
    )
    book.set_properties({"created": CREATED})
    sheet = book.add_worksheet(SHEET)
    try:
        sheet.put(0, table.columns)
        for number, row in enumerate(table.rows(), start=1):
            sheet.put(number, row)
        book.close()
        sheet.fh.close()  # XlsxWriter's objects hold each other, so that half a gigabyte would linger
    except XlsxWriterException as error:
        raise PackageUnsafe(f"The workbook cannot be written: {type(error).__name__}") from error
    return out.getvalue()


class _Sheet(Worksheet):  # type: ignore[misc]
    """XlsxWriter's sheet in its constant_memory mode, each row written as it comes, but without its file.

    XlsxWriter spills those rows to a temporary file in plain text. A killed task would leave it behind, and a
    full disk would break it. Here they wait in memory, as bytes. A test compares the result with XlsxWriter's
    own, byte for byte.
    """

    # What XlsxWriter must escape or mark; its own code does so. All else is written directly, 3 times faster.
    _special = re.compile(r'[<>&"\x00-\x1f\ufffe\uffff]|_x[0-9A-Fa-f]{4}_|^\s|\s$')

    def _initialize(self, init_data: dict[str, Any]) -> None:
        super()._initialize(init_data)
        self.constant_memory = True
        self.row_data_fh = self.fh = io.StringIO()
        self.blocks: list[bytes] = []
        self.letters: list[str] = []

    def put(self, row: int, cells: Iterable[str | float]) -> None:
        """Write one row, counted from 0, after all rows above it. Blank cells are left out."""
        last = -1
        for column, cell in enumerate(cells):
            if cell == "":
                continue
            last = column
            write = self._write_string if isinstance(cell, str) else self._write_number
            # It returns -1 or -2 for what does not fit or was cut, and raises nothing.
            if write(row, column, cell):
                raise PackageUnsafe(f"Row {row}, column {column + 1}: the cell does not fit into a worksheet")
        if last < 0:
            self._write_string(row, 0, "")  # so that a blank row is a row
        if row % BLOCK == 0:
            self._cut()

    def _cut(self) -> None:
        self.blocks.append(self.row_data_fh.getvalue().encode())
        self.row_data_fh.seek(0)
        self.row_data_fh.truncate()

    def _write_cell(self, row: int, col: int, cell: Any) -> None:
        text = getattr(cell, "string", None)
        if text is None or self._special.search(text):
            super()._write_cell(row, col, cell)
            return
        while col >= len(self.letters):
            self.letters.append(xl_col_to_name(len(self.letters)))
        self.fh.write(f'<c r="{self.letters[col]}{row + 1}" t="inlineStr"><is><t>{text}</t></is></c>')

    @staticmethod
    def _escape_control_characters(data: str) -> str:
        # XlsxWriter takes a text of the form <r>…</r> for its own rich text and would write it unescaped: a
        # cell could add cells and formulas. With an escaped first sign it is text, and reads back the same.
        escaped = str(Worksheet._escape_control_characters(data))  # noqa: SLF001
        return f"_x003C_{escaped[1:]}" if escaped.startswith("<r>") else escaped

    def _opt_reopen(self) -> None:
        self.fh = self.row_data_fh

    def _set_xml_writer(self, filename: Any) -> None:
        self.fh, self.internal_fh = filename, False

    def _write_optimized_sheet_data(self) -> None:
        self._cut()
        self._xml_start_tag("sheetData")
        self.fh.flush()
        self.blocks.reverse()
        while self.blocks:
            self.fh.buffer.write(self.blocks.pop())
        self._xml_end_tag("sheetData")


class _Part(io.TextIOWrapper):
    """A part of the workbook as bytes in memory; XlsxWriter's own would hold it three times."""

    def __init__(self) -> None:
        self._bytes = io.BytesIO()
        super().__init__(self._bytes, encoding="utf-8", newline="")

    def getvalue(self) -> memoryview:
        self.flush()
        return self._bytes.getbuffer()


class _Packager(Packager):  # type: ignore[misc]
    def _filename(self, xml_filename: str) -> Any:
        if not xml_filename.startswith("xl/worksheets/"):
            return super()._filename(xml_filename)
        part = _Part()
        self.filenames.append((part, xml_filename, True))  # True: bytes, not text
        return part


class _Workbook(Workbook):  # type: ignore[misc]
    worksheet_class = _Sheet

    def _get_packager(self) -> _Packager:
        return _Packager()


# ---------------------------------------------------------------------------------- reopening, checking


def opens_with(content: bytes, password: str) -> bool:
    """Whether the workbook's own verifier takes this password. Nothing of it is decrypted.

    Raises:
        PackageUnsafe: it is not an encrypted workbook at all.
    """
    try:
        file = msoffcrypto.OfficeFile(io.BytesIO(content))
        if not file.is_encrypted():
            raise PackageUnsafe("The workbook is not encrypted: it must not leave")
        file.load_key(password=password, verify_password=True)
    except office.InvalidKeyError:
        return False
    except _BROKEN as error:
        raise PackageUnsafe(
            "The workbook does not open as an encrypted workbook: package it again"
        ) from error
    return True


def unseal(content: bytes, password: Password) -> Iterator[Row]:
    """Header and rows of an encrypted workbook, after a look at everything else that is in it.

    Raises:
        PackageUnsafe: it is not encrypted, the password or the integrity check fails, or it holds more than
            one visible sheet of plain cells.
    """
    plain = io.BytesIO()
    try:
        file = msoffcrypto.OfficeFile(io.BytesIO(content))
        if not file.is_encrypted():
            raise PackageUnsafe("The workbook is not encrypted: it must not leave")
        file.load_key(password=password.reveal(), verify_password=True)
        file.decrypt(plain, verify_integrity=True)
    except _BROKEN as error:
        raise PackageUnsafe("The workbook does not open with its password: package it again") from error
    for leak in leaks(plain):
        raise PackageUnsafe(f"The workbook holds more than a table: {leak}")
    yield from _read(plain)


def _read(plain: io.BytesIO) -> Iterator[Row]:
    plain.seek(0)
    try:
        with python_calamine.CalamineWorkbook.from_filelike(plain) as book:
            sheets = [(each.name, each.visible) for each in book.sheets_metadata]
            if sheets != [(SHEET, python_calamine.SheetVisibleEnum.Visible)]:
                raise PackageUnsafe("The workbook has not exactly one visible sheet")
            for row in book.get_sheet_by_name(SHEET).iter_rows():
                yield tuple(row)  # type: ignore[arg-type]  # no cell of ours is a date or a boolean
    except python_calamine.CalamineError as error:
        raise PackageUnsafe("The workbook cannot be read back: package it again") from error


# Everything that a workbook of ours consists of. What else there may be (macros, links, comments, queries,
# printer settings, a second sheet…) is not worth a list: it does not belong there.
_PARTS = {
    "[Content_Types].xml",
    "_rels/.rels",
    "docProps/app.xml",
    "docProps/core.xml",
    "xl/_rels/workbook.xml.rels",
    "xl/styles.xml",
    "xl/theme/theme1.xml",
    "xl/workbook.xml",
    "xl/worksheets/sheet1.xml",
}
_NAMING = re.compile(rb"<(?:\w+:)?(?:creator|lastModifiedBy|Manager|Company)\b[^>]*>[^<]")
_POINTING = re.compile(rb'TargetMode="External"|<definedName|<externalReference|state="(?:veryH|h)idden"')
# In XML "<" stands for nothing but a tag. Around the rows there are these elements, in them cells only.
_AROUND = re.compile(
    rb"<(?!\?|/?(?:worksheet|dimension|sheetViews?|sheetFormatPr|sheetData|pageMargins|row|c|v|is|t)[ />])"
)
_IN_ROWS = re.compile(rb"<[^cirtv/]|<row [^>]*hidden")
_OVERLAP = 64


def leaks(plain: io.BytesIO) -> Iterator[str]:
    """What a plain workbook holds beside one table of cells, in words with no content of it."""
    try:
        with zipfile.ZipFile(plain) as book:
            names = book.namelist()
            if len(names) != len(_PARTS) or set(names) != _PARTS:
                yield "there are parts in it that a table does not need"
                return
            if _NAMING.search(book.read("docProps/core.xml") + book.read("docProps/app.xml")):
                yield "it names an author, an editor or a company"
            if any(_POINTING.search(book.read(name)) for name in names if "sheet1" not in name):
                yield "it points to other files, defines names or hides a sheet"
            if not _is_plain_sheet(book):
                yield "its sheet has formulas, links, hidden rows or columns, or things drawn on it"
    except (zipfile.BadZipFile, KeyError) as error:
        raise PackageUnsafe("The workbook cannot be read back: package it again") from error


def _is_plain_sheet(book: zipfile.ZipFile) -> bool:
    # In blocks, for a sheet can be half a gigabyte; each starts with the end of the one before.
    with book.open("xl/worksheets/sheet1.xml") as part:
        block = part.read(1 << 20)
        head, start, rest = block.partition(b"<sheetData>")
        if not start or _AROUND.search(head):
            return False
        while rest:
            rows, end, after = rest.partition(b"</sheetData>")
            if _IN_ROWS.search(rows):
                return False
            if end:
                return not _AROUND.search(after + part.read())
            more = part.read(1 << 20)
            rest = rows[-_OVERLAP:] + more if more else b""
    return False
