"""What is listed, and what several parts of the list ask of two values: is the new one wider, or longer?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from dtm_sharing.model import Source, Validity


@dataclass(frozen=True, slots=True)
class Loosening:
    """A rule, paper or person by which more may leave, or by which it goes elsewhere.

    ``source`` is in the new policy; where ``gone``, in the old.
    ``ended``: the last day on which it matters, if one is set: what had ended already is no loss.
    """

    rule: str  # id of a rule, or <kind>:<id>
    sentence: str
    source: Source
    gone: bool = False
    ended: date | None = None


def longer(old: Validity | None, new: Validity | None) -> bool:
    """Whether ``new`` covers a day that ``old`` does not; None covers none."""
    if new is None:
        return False
    if old is None or new.start < old.start:
        return True
    return old.until is not None and (new.until is None or new.until > old.until)


def wider(old: Collection[str], new: Collection[str]) -> bool:
    """Whether ``new`` names what ``old`` does not, where to name nothing is to name everything."""
    return bool(old) and (not new or not set(new) <= set(old))


def same(one: Mapping[str, object], other: Mapping[str, object]) -> Iterator[str]:
    """The ids of what both policies have, in order."""
    return (id_ for id_ in sorted(one) if id_ in other)


# ------------------------------------------------------------------------------------------- in sentences


def listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def until(validity: Validity | None) -> str:
    return "without an end" if validity is None or validity.until is None else f"until {validity.until}"


def lasts(old: Validity | None, new: Validity | None) -> str:
    once = f"once from {old.start} {until(old)}" if old else "once at no time"
    return f"It holds for a longer time: from {new.start if new else ''} {until(new)}, {once}."


def others(who: str, old: str | None, new: str) -> Iterator[str]:
    """Where somebody else answers for a paper than before: the id, nothing of the person."""
    if new != old:
        yield f"{who} is {new}, once {old or 'nobody'}."
