"""What people sign: assessments, requests, agreements with their pathways, waivers."""

from __future__ import annotations

from collections.abc import Iterator

from dtm_sharing.model import (
    Agreement,
    Assessment,
    DataAccessRequest,
    Pathway,
    Policy,
    RequestState,
    Validity,
    Waiver,
)
from dtm_sharing.review.loosened.loosening import Loosening, lasts, listed, longer, others, same, wider
from dtm_sharing.review.loosened.rules import lower, strictest

# --------------------------------------------------------------------------------------------- assessments


def assessments(old: Policy, new: Policy) -> Iterator[Loosening]:
    for id_, before in sorted(old.assessments.items()):
        after = new.assessments.get(id_)
        if after is not None:
            for sentence in _assessed_more(before, after, old):
                yield Loosening(f"assessment:{id_}", sentence, after.source)
        for dataset in before.datasets:
            levels = strictest(before.levels)
            for each in _relied_upon(new, before, dataset):
                yield from lower(f"assessment:{id_}", levels, strictest(each.levels))


def _relied_upon(new: Policy, before: Assessment, dataset: str) -> list[Assessment]:
    """Those by which a dataset is decided in its days: the one of its id, and what takes its place."""
    covering = [each for each in new.assessments.values() if dataset in each.datasets]
    same_days = [
        each for each in covering if each.id == before.id and not longer(_days_of(each), _days_of(before))
    ]
    return same_days or covering


def _days_of(made: Assessment) -> Validity:
    return Validity(made.assessed_on, made.review_by)


def _assessed_more(before: Assessment, after: Assessment, old: Policy) -> Iterator[str]:
    if after.review_by > before.review_by:
        yield f"It may be relied upon until {after.review_by}, once until {before.review_by}."
    if after.assessed_on < before.assessed_on:
        yield f"It may be relied upon from {after.assessed_on}, once from {before.assessed_on}."
    if (after.operation, after.context) != (before.operation, before.context):
        yield f"It is of {after.operation} in {after.context}, once {before.operation} in {before.context}."
    if more := (set(after.datasets) - set(before.datasets)) & set(old.datasets):
        yield f"It covers more datasets: {listed(more)}."
    yield from others("The coordinator who assessed", before.coordinator, after.coordinator)
    yield from others("The sectoral expert who assessed", before.sectoral_expert, after.sectoral_expert)


# ------------------------------------------------------------------------------------------------ requests


def requests(old: Policy, new: Policy) -> Iterator[Loosening]:
    for id_ in same(old.requests, new.requests):
        for sentence in _asked_more(old.requests[id_], new.requests[id_]):
            yield Loosening(f"request:{id_}", sentence, new.requests[id_].source)


def _asked_more(before: DataAccessRequest, after: DataAccessRequest) -> Iterator[str]:
    if after.organization != before.organization:
        yield f"It is of {after.organization}, once of {before.organization}."
    if after.purpose != before.purpose:
        yield "It is for another purpose (purpose)."
    if longer(before.validity, after.validity):
        yield lasts(before.validity, after.validity)
    if after.state is RequestState.APPROVED is not before.state:
        yield f"It is {after.state}, once {before.state}."
    if after.decided_on and (before.decided_on is None or after.decided_on < before.decided_on):
        yield f"It was decided on {after.decided_on}, once on {before.decided_on or 'no day'}."
    for name in ("datasets", "indicators"):
        if more := set(getattr(after, name)) - set(getattr(before, name)):
            yield f"It is for more {name}: {listed(more)}."


# ---------------------------------------------------------------------------------------------- agreements


def agreements(old: Policy, new: Policy) -> Iterator[Loosening]:
    for id_ in same(old.agreements, new.agreements):
        before, after = old.agreements[id_], new.agreements[id_]
        for sentence in _agreed_more(before, after):
            yield Loosening(f"agreement:{id_}", sentence, after.source)
        for path in after.pathways:
            for sentence in _shared_more(before, path):
                yield Loosening(f"pathway:{path.id}", sentence, path.source)


def _agreed_more(before: Agreement, after: Agreement) -> Iterator[str]:
    if after.organization != before.organization:
        yield f"It is with {after.organization}, once with {before.organization}."
    if after.request != before.request:
        yield f"It rests on the request {after.request}, once on {before.request}."
    if longer(before.validity, after.validity):
        yield lasts(before.validity, after.validity)
    for side in sorted(after.signed):
        yield from others(f"Who signed for {side}", before.signed.get(side), after.signed[side])


def _shared_more(agreement: Agreement, after: Pathway) -> Iterator[str]:
    before = agreement.pathway(after.urgency)
    if more := set(after.destination) - set(before.destination if before else ()):
        yield f"It goes to more people: {listed(more)}."
    if before is None:
        return
    # Of two methods, or of two timelines, none is the stricter: what was agreed counts (DESIGN 3.10).
    if after.method is not before.method:
        yield f"It goes by {after.method}, once by {before.method}."
    if (after.monthly, after.within_days) != (before.monthly, before.within_days):
        yield f"It goes {after.timeline}, once {before.timeline}."
    once, now = _promised(before), _promised(after)
    for dataset in sorted(now):
        if more := now[dataset] - once.get(dataset, set()):
            yield f"It shares more of {dataset}: {listed(more)}."


def _promised(path: Pathway) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for share in path.shares:
        found.setdefault(share.dataset, set()).update(share.indicators)
    return found


# ------------------------------------------------------------------------------------------------- waivers


def waivers(old: Policy, new: Policy) -> Iterator[Loosening]:
    for id_ in same(old.waivers, new.waivers):
        for sentence in _waived_more(old.waivers[id_], new.waivers[id_]):
            yield Loosening(new.waivers[id_].rule, sentence, new.waivers[id_].source)


def _waived_more(before: Waiver, after: Waiver) -> Iterator[str]:
    if longer(before.validity, after.validity):
        yield lasts(before.validity, after.validity)
    if after.signed_on < before.signed_on:
        yield f"It is signed on {after.signed_on}, once on {before.signed_on}."
    if more := set(after.relaxes) - set(before.relaxes):
        yield f"It relaxes more rules: {listed(more)}."
    if after.level < before.level:
        yield f"What it relaxes counts as {after.level.label}, once as {before.level.label}."
    if after.operation != before.operation:
        yield f"It is for {after.operation}, once for {before.operation}."
    if wider(before.datasets, after.datasets):
        yield f"It is for more datasets: {listed(after.datasets) or 'all'}."
    yield from others("The coordinator who signed", before.coordinator, after.coordinator)
    yield from others("The sectoral expert who signed", before.sectoral_expert, after.sectoral_expert)
