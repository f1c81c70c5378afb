"""Who receives, and by which address; and who stands in. Which field changed, never what stands in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from dtm_sharing import gate
from dtm_sharing.model import Agreement, FocalPoint, Pathway, Policy
from dtm_sharing.review.loosened.loosening import Loosening, longer, same, until

_DAY = timedelta(days=1)
_FIELDS = {
    "name": "name",
    "email": "e-mail address",
    "mobile": "mobile number",
    "organization": "organization",
    "role": "role",
}


def focal_points(old: Policy, new: Policy) -> Iterator[Loosening]:
    for id_ in same(old.focal_points, new.focal_points):
        after = new.focal_points[id_]
        for sentence in _reached_otherwise(old.focal_points[id_], after):
            yield Loosening(f"focal-point:{id_}", sentence, after.source)


def _reached_otherwise(before: FocalPoint, after: FocalPoint) -> Iterator[str]:
    for field, word in _FIELDS.items():
        once = getattr(before, field)
        if once and once != getattr(after, field):  # a name need not stand there, and is no other one then
            yield f"Another {word} stands there ({field})."
    # Whoever is in office receives, stands in, or makes what was signed then count.
    if longer(before.in_office, after.in_office):
        yield f"In office for a longer time: from {after.in_office.start} {until(after.in_office)}."


# --------------------------------------------------------------------------------------------- who stands in


def stand_ins(old: Policy, new: Policy) -> Iterator[Loosening]:
    """Where nobody of a destination is in office, it goes to somebody else: who did not receive it then."""
    for id_ in same(old.agreements, new.agreements):
        for path in new.agreements[id_].pathways:
            before = old.agreements[id_].pathway(path.urgency)
            last: dict[str, date | None] = {}
            first: dict[str, date] = {}
            for day, end in _spans(old, new, new.agreements[id_]):
                for person in _standing_in(new, path, day) - _receiving(old, before, day):
                    first.setdefault(person, day)
                    last[person] = end
            for person, day in sorted(first.items()):
                sentence = f"Nobody of its destination is in office on {day}: it goes to {person} instead."
                yield Loosening(f"pathway:{path.id}", sentence, path.source, ended=last[person])


def _receiving(policy: Policy, path: Pathway | None, day: date) -> set[str]:
    return {each.id for each in gate.recipients(policy, path, day)} if path else set()


def _standing_in(policy: Policy, path: Pathway, day: date) -> set[str]:
    return _receiving(policy, path, day) - set(path.destination)


def _spans(old: Policy, new: Policy, agreed: Agreement) -> Iterator[tuple[date, date | None]]:
    """The days of an agreement, parted where somebody of its organization comes into office or leaves it."""
    people = (
        each.in_office
        for policy in (old, new)
        for each in policy.focal_points.values()
        if each.organization == agreed.organization
    )
    turns = {agreed.validity.start}
    for each in people:
        turns.add(each.start)
        if each.until is not None and each.until < date.max:
            turns.add(each.until + _DAY)
    days = sorted(each for each in turns if agreed.validity.covers(each))
    ends = [*(day - _DAY for day in days[1:]), agreed.validity.until]
    yield from zip(days, ends, strict=False)  # no day at all, where it ends before it begins
