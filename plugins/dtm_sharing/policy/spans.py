"""Spans of days in policy files, both ends included. A day that has a fault of its own is None here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from dtm_sharing.policy.files import PersonPart
from dtm_sharing.policy.problems import Problem, quoted
from dtm_sharing.policy.shape import Document, Path


def both(one: object, other: object) -> bool:
    return one is not None and other is not None


def in_order(document: Document, part: Any, path: Path, early: str, late: str) -> Iterator[Problem]:
    first, last = getattr(part, early), getattr(part, late)
    if both(first, last) and last < first:
        yield document.problem((*path, late), f"{quoted(late)} is before {quoted(early)}")


def in_office(person: PersonPart, day: date) -> bool:
    since, until = person.in_office_from, person.in_office_until
    return (since is None or since <= day) and (until is None or day <= until)


def overlap(one: tuple[date | None, date | None], other: tuple[date | None, date | None]) -> bool:
    """Whether there is a day in both (first day, last day); a last day of None means without end.

    A first day of None has a fault of its own: then nothing is said of the two.
    """
    if one[0] is None or other[0] is None:
        return False
    return one[0] <= (other[1] or date.max) and other[0] <= (one[1] or date.max)
