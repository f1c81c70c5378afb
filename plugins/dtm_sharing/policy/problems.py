"""What is wrong with a policy file: where, and one plain sentence."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

_LONGEST_QUOTE = 60
_LONGEST_WORD = 200  # a longer one is no misspelled id, and to compare it would take long


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One fault. ``file`` is relative to the policy folder; line and column are counted from 1.

    The sentence quotes ids, keys, dates and column names, never what is written about a person.
    """

    file: str
    line: int
    column: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.sentence}"


def quoted(value: object) -> str:
    """The value between quotes, on one line and not too long."""
    text = "".join(char if char.isprintable() else " " for char in str(value))
    return f"'{text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + '…'}'"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like this one, if any is."""
    by_lower = {each.lower(): each for each in sorted(known)}
    close = difflib.get_close_matches(word[:_LONGEST_WORD].lower(), by_lower)
    return by_lower[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` where one of the known words is close, else nothing."""
    close = nearest(word, known)
    return f" (did you mean {quoted(close)}?)" if close else ""


def instead(word: str, known: Iterable[str]) -> str:
    """The nearest known word, or all of them where none is near: for short closed lists."""
    known = tuple(known)
    return did_you_mean(word, known) or f"; write one of {', '.join(known)}"
