"""A table as CSV, and as a password-protected document: CSV in a zip encrypted by AES-256."""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

import pyzipper

from dtm_sharing.errors import PackageUnsafe
from dtm_sharing.package.password import Password
from dtm_sharing.package.table import Row, Table, text

# A spreadsheet that opens a CSV takes a cell that begins like this for a formula (ASVS 5.0 1.2.10; the wide
# signs are those of East Asian keyboards). LibreOffice ran every one that began with "=".
RISKY = frozenset("=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20")
# "-5", "+3.2", "+254 700 000 000", "1e-5", "-": nothing to run, and an apostrophe would spoil it.
_NUMBER_LIKE = re.compile(r"[-+]?[0-9 .,()/+-]*(?:[0-9][eE][-+]?[0-9]+)?%?")

INNER = "data.csv"  # not encrypted, as every name in a zip: it says nothing
_FEW = 16 << 20  # bytes; above it speed counts more than size: level 1 is 5 times faster than level 6
_MOMENT = (2000, 1, 1, 0, 0, 0)  # readable without the password too

# ---------------------------------------------------------------------------------------------- writing


def is_risky(cell: str) -> bool:
    """Whether a spreadsheet that opens a CSV could take this text for something to run."""
    return cell != "" and cell[0] in RISKY and _NUMBER_LIKE.fullmatch(cell) is None


def guard(table: Table) -> tuple[Table, int]:
    """The table as text for a CSV, with an apostrophe before each text that would run; and how many got one.

    Raises:
        PackageUnsafe: a column's key would run.
    """
    if any(is_risky(key) for key in table.columns):
        raise PackageUnsafe("A column name begins like a formula: name the column otherwise")
    count = 0
    columns = []
    for each in table.series:
        column = each.map(text).astype("str") if each.dtype == object else each  # object: numbers
        suspects = column[column.str.slice(0, 1).isin(RISKY)]
        risky = suspects[suspects.map(is_risky).astype(bool)]
        if count_here := len(risky):
            column = column.mask(column.index.isin(risky.index), "'" + column)
            count += count_here
        columns.append(column)
    return replace(table, series=tuple(columns)), count


def write(table: Table, encoding: str = "utf-8") -> bytes:
    """RFC 4180 CSV of a guarded table, with the keys in the first row."""
    out = io.BytesIO()
    lines = io.TextIOWrapper(out, encoding, newline="")
    writer = csv.writer(lines)
    writer.writerow(table.columns)
    writer.writerows(table.rows())
    lines.flush()
    return out.getvalue()


def seal(table: Table, password: Password) -> bytes:
    """The table as CSV in a zip under AES-256. It begins with a byte order mark, for Excel."""
    content = write(table, "utf-8-sig")
    out = io.BytesIO()
    with pyzipper.AESZipFile(out, "w", encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(password.reveal().encode())
        archive.writestr(
            pyzipper.zipfile_aes.AESZipInfo(INNER, _MOMENT),
            content,
            compress_type=pyzipper.ZIP_DEFLATED,
            compresslevel=6 if len(content) <= _FEW else 1,
        )
    return out.getvalue()


# ---------------------------------------------------------------------------------- reopening, checking


def read(content: bytes, encoding: str = "utf-8") -> Iterator[Row]:
    """Header and rows of a CSV of ours."""
    return _lines(io.BytesIO(content), encoding)


def unseal(content: bytes, password: Password) -> Iterator[Row]:
    """Header and rows of an encrypted document; its integrity is known once the last row is out.

    Raises:
        PackageUnsafe: it does not hold exactly one entry of neutral name, encrypted by AES-256, or the
            password or the integrity check fails.
    """
    try:
        with pyzipper.AESZipFile(io.BytesIO(content)) as archive:
            _check_entry(archive)
            archive.setpassword(password.reveal().encode())
            with archive.open(INNER) as entry:
                yield from _lines(entry, "utf-8-sig")
    except (pyzipper.BadZipFile, RuntimeError, NotImplementedError, zlib.error, EOFError) as error:
        raise PackageUnsafe("The document does not open with its password: package it again") from error


def opens_with(content: bytes, password: str) -> bool:
    """Whether this password opens the document.

    A zip has only two bytes to know a wrong password by, so that one in 65,536 begins to open; then all is
    read, for the integrity check at its end knows for sure.

    Raises:
        PackageUnsafe: it is not an encrypted document at all.
    """
    try:
        with pyzipper.AESZipFile(io.BytesIO(content)) as archive:
            _check_entry(archive)
            archive.setpassword(password.encode())
            try:
                with archive.open(INNER) as entry:
                    while entry.read(1 << 20):
                        pass
            except (pyzipper.BadZipFile, RuntimeError, zlib.error, EOFError):
                return False
    except pyzipper.BadZipFile as error:
        raise PackageUnsafe("The document does not open as a zip: package it again") from error
    return True


def _check_entry(archive: pyzipper.AESZipFile) -> None:
    entries = archive.infolist()
    if [each.filename for each in entries] != [INNER] or archive.comment or entries[0].comment:
        raise PackageUnsafe("The document has not exactly one entry of neutral name")
    entry = entries[0]
    # Strength 3 is AES-256. Version 2 keeps no checksum of the plain text, which would tell on small files.
    encrypted = entry.flag_bits & 1 and entry.wz_aes_strength == 3 and entry.wz_aes_version == 2
    if not encrypted or entry.date_time != _MOMENT:
        raise PackageUnsafe("The document is not encrypted by AES-256, or tells when it was made")


def _lines(stream: IO[bytes], encoding: str) -> Iterator[Row]:
    try:
        for line in csv.reader(io.TextIOWrapper(stream, encoding, newline=""), strict=True):
            yield tuple(line)
    except (csv.Error, UnicodeDecodeError):
        raise PackageUnsafe("The CSV cannot be read back: package it again") from None
