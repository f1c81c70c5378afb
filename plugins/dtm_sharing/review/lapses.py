"""What ends soon, or has ended and is missed: who has to act, and by which day. It changes no outcome.

What has ended and has a successor is not missed: an assessment that was repeated, an agreement that was
signed again, a focal point whose office somebody else holds. What it alone made stricter is missed all the
same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from dtm_sharing.model import (
    IOM,
    Agreement,
    Assessment,
    DataAccessRequest,
    FocalPoint,
    Operation,
    Overlay,
    Policy,
    RequestState,
    Role,
    Source,
    Tightening,
    Validity,
    Waiver,
    country_of,
)

ROTATE_AFTER = 180  # days that a password lives; DESIGN 6: rotated by date and by turnover
_DAY = timedelta(days=1)


def _moved(day: date, by: timedelta) -> date:
    """The day so much later or earlier; where the calendar ends, its last or first day."""
    try:
        return day + by
    except OverflowError:
        return date.max if by > timedelta(0) else date.min


class PasswordAge(Protocol):
    """What may be known of a password without opening it."""

    @property
    def focal_point(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Lapse:
    """``on``: the last day on which it holds. ``who``: titles of those who must act; no names of people."""

    on: date
    kind: str
    id: str
    sentence: str
    who: tuple[str, ...]
    source: Source | None

    def has_lapsed(self, as_of: date) -> bool:
        return self.on < as_of


@dataclass(frozen=True, slots=True)
class _Day:
    """The policy on the day on which somebody asks, and how far ahead."""

    policy: Policy
    as_of: date
    within: timedelta

    @property
    def last(self) -> date:
        return _moved(self.as_of, self.within)

    def is_due(self, end: date | None) -> bool:
        """Whether it ends by the last day asked about, however long ago that was."""
        return end is not None and end <= self.last

    def was_lately(self, end: date | None) -> bool:
        """Whether it is due and ended no longer ago than one looks ahead: nobody misses it for ever."""
        return end is not None and self.is_due(end) and _moved(self.as_of, -self.within) <= end

    def after(self, end: date) -> date:
        """The first day on which a successor is needed, and today at the earliest."""
        return max(_moved(end, _DAY), self.as_of)

    def follows(self, other: tuple[Validity, str], ending: tuple[date, str]) -> bool:
        """Whether something else takes the place of what ends; of several that ended, the last is missed."""
        span, id_ = other
        over = span.until is not None and span.until < self.as_of and (span.until, id_) > ending
        return span.covers(self.after(ending[0])) or over

    def titles(self, organization: str, country: str, *roles: Role) -> tuple[str, ...]:
        """Who holds these offices on the day, in this country; the organization, where nobody does."""
        people = [
            each
            for each in self.policy.focal_points.values()
            if each.organization == organization
            and each.role in roles
            and each.in_office.covers(self.as_of)
            and country_of(each.id) == country
        ]
        named = self.policy.organizations.get(organization)
        found = tuple(dict.fromkeys(each.title for each in people))
        return found or (f"{named.name if named else organization} (nobody is in office)",)

    def coordinator(self, country: str) -> tuple[str, ...]:
        return self.titles(IOM, country, Role.PRIMARY)


def lapses(
    policy: Policy,
    as_of: date,
    within: int,
    passwords: Iterable[PasswordAge],
    rotate_after: int = ROTATE_AFTER,
) -> tuple[Lapse, ...]:
    """All that lapses until ``within`` days after ``as_of``, or has lapsed and is missed, by date.

    Args:
        policy: the one in force.
        as_of: the day on which somebody asks.
        within: how many days ahead to look.
        passwords: those that live now.
        rotate_after: how many days after it was made a password is to be changed.
    """
    day = _Day(policy, as_of, timedelta(days=within))
    found = [
        *_assessments(day),
        *_stricter_levels(day),
        *_waivers(day),
        *_overlays(day),
        *_operations(day),
        *_agreements(day),
        *_requests(day),
        *_unapproved(day),
        *_people(day),
        *_passwords(day, passwords, timedelta(days=rotate_after)),
    ]
    return tuple(sorted(found, key=lambda each: (each.on, each.kind, each.id)))


# -------------------------------------------------------------------------------------------- what ends


def _assessments(day: _Day) -> Iterator[Lapse]:
    policy = day.policy
    for each in policy.assessments.values():
        missed = [
            id_ for id_ in each.datasets if id_ in policy.datasets and not _assessed_anew(day, each, id_)
        ]
        if day.is_due(each.review_by) and missed:
            sentence = (
                f"The risk assessment is to be reviewed by {each.review_by}; after that day nothing of "
                f"{', '.join(missed)} is decided until it is repeated."
            )
            who = (*_still(day, each.coordinator), *_still(day, each.sectoral_expert))
            yield Lapse(each.review_by, "assessment", each.id, sentence, who, each.source)


def _stricter_levels(day: _Day) -> Iterator[Lapse]:
    """What an assessment that was repeated made stricter and a later one does not: it goes without a word."""
    for each in day.policy.assessments.values():
        if not day.was_lately(each.review_by):
            continue
        going = dict.fromkeys(one for id_ in each.datasets for one in _going(day, each, id_))
        if going:
            named = ", ".join(f"{one.indicator} at {one.grain} {one.level.label}" for one in going)
            sentence = (
                f"The risk assessment is to be reviewed by {each.review_by}, and was repeated; with it goes "
                f"what no later one makes as strict: {named}. Write it into the later one, or let it go "
                "knowingly."
            )
            who = (*_still(day, each.coordinator), *_still(day, each.sectoral_expert))
            yield Lapse(each.review_by, "level", each.id, sentence, who, each.source)


def _going(day: _Day, lapsing: Assessment, dataset: str) -> Iterator[Tightening]:
    """Of a dataset that is decided from then on, by another assessment, what nothing else makes as strict."""
    policy, then = day.policy, day.after(lapsing.review_by)
    declared = policy.datasets.get(dataset)
    staying = [
        each for each in policy.assessments.values() if each.id != lapsing.id and each.covers(dataset, then)
    ]
    if declared is None or not staying or not _assessed_anew(day, lapsing, dataset):
        return
    operation = policy.operations[declared.operation]
    others = [one for each in staying for one in each.levels]
    for overlay in policy.overlays.values():
        if overlay.holds(operation, then):
            others += [one for each in policy.foundations(overlay) for one in each.tightens]
    held = {column.indicator for column in declared.columns}
    for each in lapsing.levels:
        same = [one.level for one in others if (one.indicator, one.grain) == (each.indicator, each.grain)]
        own = policy.indicators[each.indicator].levels.get(each.grain, each.level)
        if each.indicator in held and max([own, *same]) < each.level:
            yield each


def _assessed_anew(day: _Day, lapsing: Assessment, dataset: str) -> bool:
    """Whether a later assessment covers the dataset from then on; an older one knows less."""
    return any(
        day.follows((Validity(each.assessed_on, each.review_by), each.id), (lapsing.review_by, lapsing.id))
        for each in day.policy.assessments.values()
        if each.assessed_on > lapsing.assessed_on and dataset in each.datasets
    )


def _still(day: _Day, person: str) -> tuple[str, ...]:
    """The title of a person who is in office; else of whoever has that person's role now."""
    known = day.policy.focal_points[person]
    if known.in_office.covers(day.as_of):
        return (known.title,)
    return day.titles(known.organization, country_of(known.id), known.role)


def _waivers(day: _Day) -> Iterator[Lapse]:
    for each in _lately(day, day.policy.waivers.values()):
        end = each.validity.until or date.max
        sentence = f"The waiver ends on {end}; from the next day on {', '.join(each.relaxes)} count in full."
        who = (*_still(day, each.coordinator), *_still(day, each.sectoral_expert))
        yield Lapse(end, "waiver", each.id, sentence, who, each.source)


def _lately(day: _Day, waivers: Iterable[Waiver]) -> Iterator[Waiver]:
    return (each for each in waivers if day.was_lately(each.validity.until))


def _overlays(day: _Day) -> Iterator[Lapse]:
    for each in day.policy.overlays.values():
        end = each.validity.until
        if end is not None and day.was_lately(end):
            sentence = (
                f"The overlay ends on {end}; from the next day on its stricter levels count no more, nor "
                "those that it builds on: prolong it, or let it end knowingly."
            )
            yield Lapse(end, "overlay", each.id, sentence, _of_overlay(day, each), each.source)


def _of_overlay(day: _Day, overlay: Overlay) -> tuple[str, ...]:
    """The coordinators of the operations for which it holds while it holds."""
    day_of_it = min(day.as_of, overlay.validity.until or day.as_of)
    held = (each for each in day.policy.operations.values() if overlay.holds(each, day_of_it))
    titles = (title for each in held for title in day.coordinator(country_of(each.id)))
    return tuple(dict.fromkeys(titles)) or ("DTM Coordinator",)


def _operations(day: _Day) -> Iterator[Lapse]:
    for each in day.policy.operations.values():
        end = each.validity.until
        if end is not None and day.is_due(end) and _has_datasets(day, each):
            sentence = f"The operation ends on {end}; after that day none of its datasets is decided."
            yield Lapse(
                end, "operation", each.id, sentence, day.coordinator(country_of(each.id)), each.source
            )


def _has_datasets(day: _Day, operation: Operation) -> bool:
    return any(each.operation == operation.id for each in day.policy.datasets.values())


def _agreements(day: _Day) -> Iterator[Lapse]:
    for each in day.policy.agreements.values():
        end = each.validity.until
        if end is not None and day.is_due(end) and not _agreed_anew(day, each, end):
            sentence = (
                f"The agreement ends on {end}; after that day nothing is sent: sign it again, or let it end."
            )
            yield Lapse(
                end, "agreement", each.id, sentence, _both(day, each.organization, each.id), each.source
            )


def _agreed_anew(day: _Day, ending: Agreement, end: date) -> bool:
    """Whether another one with the same organization shares all of its datasets from then on."""
    return any(
        day.follows((each.validity, each.id), (end, ending.id))
        for each in day.policy.agreements.values()
        if each.id != ending.id
        and each.organization == ending.organization
        and _datasets(ending) <= _datasets(each)
    )


def _datasets(agreement: Agreement) -> set[str]:
    return {share.dataset for path in agreement.pathways for share in path.shares}


def _both(day: _Day, organization: str, id_: str) -> tuple[str, ...]:
    country = country_of(id_)
    return (*day.coordinator(country), *day.titles(organization, country, Role.PRIMARY))


def _requests(day: _Day) -> Iterator[Lapse]:
    """Approvals on which an agreement rests that goes on; with the agreement, the request ends unmissed."""
    for each in day.policy.requests.values():
        end = each.validity.until if each.validity and each.state is RequestState.APPROVED else None
        if end is None or not day.is_due(end):
            continue
        resting = [
            agreement.id
            for agreement in day.policy.agreements.values()
            if agreement.request == each.id and agreement.validity.covers(day.after(end))
        ]
        if resting:
            sentence = (
                f"The approval of the data access request ends on {end}; after that day {', '.join(resting)} "
                "sends nothing: ask for a new one."
            )
            yield Lapse(
                end, "request", each.id, sentence, _both(day, each.organization, each.id), each.source
            )


def _unapproved(day: _Day) -> Iterator[Lapse]:
    """What agreements in force rest on although nobody approved it, or not for this day yet, or no more."""
    for each in day.policy.requests.values():
        missing = _not_approved(each, day.as_of)
        resting = [
            agreement
            for agreement in day.policy.agreements.values()
            if agreement.request == each.id and agreement.validity.covers(day.as_of)
        ]
        if missing and resting:
            named = ", ".join(agreement.id for agreement in resting)
            sentence = (
                f"The data access request {missing}, so {named} sends nothing: {_REMEDIES[each.state]}."
            )
            end = _missed_since(each, resting, day.as_of)
            yield Lapse(
                end, "request", each.id, sentence, _both(day, each.organization, each.id), each.source
            )


_REMEDIES = {
    RequestState.REQUESTED: "decide it",
    RequestState.APPROVED: "wait, or mend its dates",
    RequestState.REFUSED: "end that, or ask for a new one",
    RequestState.EXPIRED: "ask for a new one",
    RequestState.REVOKED: "end that, or ask for a new one",
}


def _not_approved(asked: DataAccessRequest, as_of: date) -> str | None:
    """What it is instead. Of an approval that has ended, the end is told (``_requests``)."""
    if asked.state is not RequestState.APPROVED:
        return f"is {asked.state}, not approved"
    begins = asked.validity.start if asked.validity else date.max
    first = max(begins, asked.decided_on or date.max)
    return f"is not approved before {first}" if first > as_of else None


def _missed_since(asked: DataAccessRequest, resting: Iterable[Agreement], as_of: date) -> date:
    """The day before the last that is known to have changed something: of a revocation nobody writes one."""
    ended = asked.validity.until if asked.validity else None
    known = [
        min(each.validity.start for each in resting),
        asked.decided_on or date.min,
        _moved(ended, _DAY) if ended else date.min,
    ]
    return _moved(max(each for each in known if each <= as_of), -_DAY)


# ---------------------------------------------------------------------------------------------- who goes


def _people(day: _Day) -> Iterator[Lapse]:
    for each in day.policy.focal_points.values():
        end = each.in_office.until
        if end is not None and day.is_due(end) and not _succeeded(day, each, end):
            sentence = (
                f"{each.id}, {each.title}, leaves office on {end}, and nobody follows as {each.role}: name a "
                "successor in writing."
            )
            country = country_of(each.id)
            others = tuple(
                title
                for title in day.titles(each.organization, country, Role.PRIMARY, Role.SECONDARY)
                if title != each.title
            )
            who = dict.fromkeys((*day.coordinator(country), *others))
            yield Lapse(end, "focal-point", each.id, sentence, tuple(who), each.source)


def _succeeded(day: _Day, leaving: FocalPoint, end: date) -> bool:
    """Whether somebody else has this role in this country from then on."""
    return any(
        day.follows((each.in_office, each.id), (end, leaving.id))
        for each in day.policy.focal_points.values()
        if each.id != leaving.id
        and (each.organization, each.role) == (leaving.organization, leaving.role)
        and country_of(each.id) == country_of(leaving.id)
    )


def _passwords(day: _Day, passwords: Iterable[PasswordAge], rotate_after: timedelta) -> Iterator[Lapse]:
    for each in passwords:
        end = _moved(each.created_at.date(), rotate_after)
        if day.is_due(end):
            made = each.created_at.date()
            sentence = (
                f"The {each.channel} password of {each.focal_point} is from {made}: rotate it by {end}."
            )
            who = day.coordinator(country_of(each.focal_point))
            yield Lapse(end, "password", f"{each.focal_point} {each.channel}", sentence, who, None)
