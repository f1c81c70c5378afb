"""The columns of a table as what they hold: the different texts, and per row which one.

Each is looked at once, in Arrow; RE2 then sees every different text, and no cell twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from dtm_sharing.errors import TableUnreadable
from dtm_sharing.model import UNNAMED

FEWEST = 20  # rows; in fewer, figures of one length that are all different may be so by chance

_LETTERS_FIRST = r"[A-Za-z]{1,8}(?:[-_/.][A-Za-z]{1,8}){0,3}[-_/.]?[0-9][A-Za-z0-9]*(?:[-_/.][A-Za-z0-9]+)*"
_DIGITS_FIRST = r"[0-9]+[-_/]?[A-Za-z]{1,4}[-_/]?[0-9]+(?:[-_/.][A-Za-z0-9]+)*"
_GROUPS = r"[0-9]+(?:[-_/][0-9]+)+"  # of which dates and spans of years are none: see NO_CODE
_PADDED = r"0[0-9]{2,}"  # nobody writes a figure so
_LONG = r"[1-9][0-9]{8,}"  # more than any figure that a unit has
UUID = r"(?:uuid:)?[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4,12}-?){2,5}"
_MEMBER = rf"{UUID}[-_/][0-9]{{1,3}}"  # of a roster, numbered after the form that it is part of
CODE = f"{_LETTERS_FIRST}|{_DIGITS_FIRST}|{_GROUPS}|{_PADDED}|{_LONG}|{UUID}|{_MEMBER}"
_FIGURE = "[1-9][0-9]{4,7}"  # a code only if all are of one length and different
_DAY = "(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:[0-2][0-9]|3[01])"
_DATE = r"[0-9]{1,2}[-/_][0-9]{1,2}[-/_](?:[0-9]{2}|[0-9]{4})|[0-9]{4}[-/_][0-9]{1,2}(?:[-/_][0-9]{1,2})?"
_SPAN = r"[0-9]{1,4}[-/_][0-9]{1,4}"
NO_CODE = rf"{_DATE}|{_DAY}|{_SPAN}"
_AMOUNT = r"[-+~<>]?\s*[0-9](?:[0-9 .,']*[0-9])?\s*(?:[eE][-+]?[0-9]+|%)?"
_TIME = (
    r"[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}[Tt ][0-9].*|[0-9]{1,2}:[0-9]{2}(?::[0-9.]+)?"
    r"|[0-9]{1,2}[ -][A-Za-z]{3,9}[ -][0-9]{2,4}"
)
_PLAIN = r"[-+]?[0-9]{1,3}\.[0-9]{3,}"
_COMMA = r"[-+]?[0-9]{1,3},[0-9]{4,}"  # with three digits behind it, it may be one of thousands
_ANY = r"[-+]?[0-9]{1,3}(?:\.[0-9]+)?"
_ANGLE = (
    r"[NSEWnsew]?\s*[-+]?[0-9]{1,3}\s*°\s*[0-9]{1,2}(?:[.,][0-9]+)?\s*'"
    r"""\s*(?:[0-9]{1,2}(?:[.,][0-9]+)?\s*(?:"|'')\s*)?[NSEWnsew]?"""
)
_DEGREES = rf"(?:{_PLAIN}|{_COMMA})\s*°|[NSEWnsew]\s*{_ANY}\s*°|{_ANY}\s*°\s*[NSEWnsew]"  # 37.5° is a fever
_DECIMAL = f"{_PLAIN}|{_COMMA}|{_ANGLE}|{_DEGREES}"
_SRID = r"(?:(?i:srid)\s*=\s*[0-9]+\s*;\s*)?"  # PostGIS writes it before the point
_WKT = rf"{_SRID}(?i:point)\s*(?i:zm?|m)?\s*\(\s*{_ANY}\s+{_ANY}(?:\s+[-+]?[0-9.]+){{0,2}}\s*\)"
_POINT = (
    rf"{_PLAIN}[ ,;]+{_PLAIN}(?:[ ,;]+[-+]?[0-9.]+){{0,2}}|{_COMMA}[ ;]+{_COMMA}(?:[ ;]+[-+]?[0-9.,]+){{0,2}}"
    rf"|(?:{_ANGLE}|{_DEGREES})[ ,;]*(?:{_ANGLE}|{_DEGREES})|{_WKT}"
)
_NUMBER = r"[A-Za-z0-9]*(?:[-_/.][A-Za-z0-9]+)*"
_MORE = r"(?:\s+[A-Z]?[0-9]+)"
# "S 1", "SITE 001" and "NP 01 00" are codes with spaces; "Ward 12" is a name.
_SPACED = (
    rf"[A-Z]{{1,3}}\s+[0-9]{_NUMBER}{_MORE}*|[A-Z]{{2,3}}[0-9]+{_MORE}+"
    rf"|[A-Za-z]{{1,8}}\s+0[0-9]{_NUMBER}{_MORE}*"
)
# "Site NP0100001" is a code behind a word; "Block A12" is a name.
_WORD = r"[^\s0-9]+(?:\s+[-.:#])?\s+"
_BEHIND = rf"[A-Z]{{1,3}}[-_]?[A-Z]?[0-9]{{2,}}[A-Z]?[0-9]{_NUMBER}|[A-Z]{{2,3}}\s?[0-9]+{_MORE}+"
_LOOSE = rf"^\s*(?:{_SPACED}|{_WORD}(?:{_BEHIND}))\s*$"
# How else the signs of codes and of degrees are typed, in order; RE2. What does not show goes first.
_SPELLINGS = (
    (r"\p{Cf}+", ""),
    (r"[\p{Z}\s]+", " "),
    (r"[\p{Pd}\x{2212}]", "-"),
    (r"[\x{2018}\x{2019}\x{2032}\x{02B9}\x{02BC}]", "'"),
    (r"[\x{201C}\x{201D}]", '"'),
    (r"\x{066B}", "."),
)
# Zeros of Arabic, Persian, Devanagari, Bengali, Burmese, Khmer: each is followed by its other digits.
_ZEROS = (0x0660, 0x06F0, 0x0966, 0x09E6, 0x1040, 0x17E0)
_DIGITS = tuple(
    ("[" + "".join(chr(zero + digit) for zero in _ZEROS) + "]", str(digit)) for digit in range(10)
)
_OTHER_DIGIT = "[" + "".join(f"{chr(zero)}-{chr(zero + 9)}" for zero in _ZEROS) + "]"
WHOLE = r"[0-9]+(?:\.0)?"


@dataclass
class Column:
    """A column as the different texts in it, and per row which one; -1 is a blank cell."""

    key: str
    at: Any  # array of whole numbers
    texts: Any  # Arrow array of text
    _found: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def typed(self) -> Any:
        """The texts without what is not seen, or only typed otherwise."""
        import pyarrow.compute as pc

        texts = self.texts
        if not pc.all(pc.string_is_ascii(texts), min_count=0).as_py():
            # NFKC would make a letter of the one, and a space of the other
            texts = pc.replace_substring_regex(texts, r"[\x{00BA}\x{02DA}]", "°")
            texts = pc.utf8_normalize(texts, "NFKC")
            digits = pc.any(pc.match_substring_regex(texts, _OTHER_DIGIT), min_count=0).as_py()
            for spelled, sign in (*_SPELLINGS, *(_DIGITS if digits else ())):
                texts = pc.replace_substring_regex(texts, spelled, sign)
        return texts

    @cached_property
    def plain(self) -> Any:
        """The texts as they are compared with patterns: codes without spaces or a word before."""
        import pyarrow.compute as pc

        texts = self.typed
        if not pc.any(pc.match_substring(texts, " "), min_count=0).as_py():
            return texts
        loose = pc.match_substring_regex(texts, _LOOSE)
        if not pc.any(loose, min_count=0).as_py():
            return texts
        codes = pc.replace_substring_regex(texts.filter(loose), rf"^\s*{_WORD}({_BEHIND})\s*$", r"\1")
        return pc.replace_with_mask(texts, loose, pc.replace_substring_regex(codes, r"\s+", ""))

    @cached_property
    def units(self) -> Any:
        """Per row the number of what it names: no matter how it is typed; -1 is blank."""
        import numpy as np
        import pyarrow.compute as pc

        folded = pc.replace_substring_regex(self.typed, r"\s+", "")
        numbers, units = _numbered(pc.utf8_lower(pc.utf8_upper(folded)))
        return self.at if len(units) == self.distinct else np.where(self.at < 0, -1, numbers[self.at])

    def like(self, pattern: str) -> Any:
        """Which of the texts are, as a whole but for spaces around it, of this pattern (RE2)."""
        import pyarrow.compute as pc

        if pattern not in self._found:
            found = pc.match_substring_regex(self.plain, rf"^\s*(?:{pattern})\s*$")
            self._found[pattern] = found.to_numpy(zero_copy_only=False)
        return self._found[pattern]

    def only(self, texts: Any) -> Any:
        """Per row its text's number where that is one of ``texts``, else -1."""
        import numpy as np

        if not texts.any():
            return np.full(len(self.at), -1, self.at.dtype)
        return self.at if texts.all() else np.where(texts[self.at], self.at, -1)

    def cells(self, texts: Any) -> int:
        """How many cells hold one of ``texts``."""
        return int((self.only(texts) >= 0).sum()) if texts.any() else 0

    @cached_property
    def filled(self) -> int:
        return int((self.at >= 0).sum())

    @property
    def distinct(self) -> int:
        return len(self.texts)

    @cached_property
    def _shaped(self) -> bool:
        """Whether any text is of a shape that matters: for most columns the only look at their texts."""
        return bool(self.like(f"{CODE}|{_DECIMAL}|{_POINT}").any())

    @cached_property
    def codes(self) -> Any:
        """Which texts are codes: letters with digits, padded or very long numbers, UUIDs; no dates."""
        import numpy as np

        alone = self.distinct == self.filled >= FEWEST and self.like(_FIGURE).all()
        if alone and _one_length(self.plain) and not self.like(_DAY).all():
            return np.ones(self.distinct, bool)
        if not self._shaped or not self.like(CODE).any():
            return np.zeros(self.distinct, bool)
        return self.like(CODE) & ~self.like(NO_CODE)

    @cached_property
    def decimals(self) -> Any:
        import numpy as np

        return self.like(_DECIMAL) if self._shaped else np.zeros(self.distinct, bool)

    @cached_property
    def points(self) -> Any:
        import numpy as np

        return self.like(_POINT) if self._shaped else np.zeros(self.distinct, bool)

    @cached_property
    def named(self) -> Any:
        """Per row whether it names something: neither blank nor a word for a missing answer."""
        return self.only(~self.like(UNNAMED)) >= 0

    @cached_property
    def names(self) -> Any:
        """Which texts may name something, in any spelling: no figures, degrees, dates or missing answers."""
        return ~(self.like(f"{_AMOUNT}|{NO_CODE}|{_TIME}|{UNNAMED}") | self.decimals | self.points)

    @cached_property
    def mostly_figures(self) -> bool:
        return 2 * self.cells(self.like(_AMOUNT)) > self.filled

    @cached_property
    def mostly_codes(self) -> bool:
        return 2 * self.cells(self.codes) > self.filled


def column_of(key: str, series: Any) -> Column:
    """A column of a frame.

    Raises:
        TableUnreadable: a cell has no text: a number too long, or half a character.
    """
    try:
        cells = _texts(series)
    except (OverflowError, UnicodeError):  # the text of either quotes the cell
        raise TableUnreadable(
            f"Column {key!r} holds a number that is too long, or a broken character: correct it"
        ) from None
    return Column(key, *_numbered(cells))


def _texts(series: Any) -> Any:
    """The cells as an Arrow array of text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        cells = series.to_arrow()
        cells = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
        return cells if pa.types.is_large_string(cells.type) else pc.cast(cells, pa.large_string())
    except pa.ArrowException:  # a frame of an author, with cells of several kinds in a column
        return pa.array(["" if each is None else str(each) for each in series.to_list()], pa.large_string())


def _numbered(cells: Any) -> tuple[Any, Any]:
    """Per cell the number of its text, -1 where it is blank; and the different texts."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    coded = cells.dictionary_encode()
    texts = coded.dictionary
    indices = coded.indices if not coded.null_count else pc.fill_null(coded.indices, -1)
    at = indices.to_numpy(zero_copy_only=False)
    blank = pc.index(texts, pa.scalar("", texts.type)).as_py()
    if blank >= 0:
        at = np.where(at == blank, -1, at - (at > blank))
        texts = pa.concat_arrays([texts[:blank], texts[blank + 1 :]])
    return at, texts


def _one_length(texts: Any) -> bool:
    import pyarrow.compute as pc

    lengths = pc.min_max(pc.binary_length(texts)).as_py()
    return bool(lengths["min"] == lengths["max"])


# ----------------------------------------------------------------------------- numbers, one for each row


def joined(columns: Iterable[Column]) -> Any:
    """Per row the number of its combination of units; blank is one like any other."""
    first, *rest = columns
    ids = first.units + 1
    for column in rest:
        ids = pairs(ids, column.units + 1)
    return ids


def pairs(ids: Any, others: Any) -> Any:
    """One number for each pair of numbers, as small as can be."""
    import numpy as np

    width = int(others.max(initial=0)) + 1
    return np.unique(ids.astype(np.int64) * width + others, return_inverse=True)[1].astype(np.int64)


def distinct(ids: Any) -> int:
    """How many different numbers there are, -1 not counted."""
    import numpy as np

    return int(np.count_nonzero(np.bincount(ids[ids >= 0])))
