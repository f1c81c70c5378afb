"""When a pathway sends: at once, or on the first of the month (Table B: timeline)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial

from dtm_sharing import gate
from dtm_sharing.errors import DispatchOpen, SharingError
from dtm_sharing.model import (
    Audience,
    Disclosure,
    Dispatch,
    DispatchState,
    Stage,
    TableRef,
    Urgency,
)
from dtm_sharing.pipeline import Sending, Stores, share


def datasets(audience: Audience, stores: Stores) -> tuple[str, ...]:
    """The datasets that a pathway shares something of."""
    return tuple(sorted({line.dataset for line in gate.pathway(stores.policy, audience).shares}))


def share_in_time(ref: TableRef, audience: Audience, stores: Stores) -> tuple[Sending, ...]:
    """``share``, but where a monthly pathway already had another round this month, a new one waits.

    A round that it had before does not wait: what is new in it are corrections, and ``share_due`` only asks
    for rounds that a focal point never had.

    Returns: nothing, where the round waits; ``share_due`` sends it on the first of the month.
    """
    if gate.pathway(stores.policy, audience).monthly and _waits(ref, audience, stores):
        return ()
    return share(ref, audience, stores)


def share_arrived(refs: Iterable[TableRef], audience: Audience, stores: Stores) -> tuple[Sending, ...]:
    """``share_in_time`` for each table that has just reached the pathway's stage; raises as ``share_due``."""
    return _each(partial(share_in_time, ref, audience, stores) for ref in refs)


def share_due(stores: Stores) -> tuple[Sending, ...]:
    """Send every low-urgency pathway the cleaned rounds that it has not had.

    A new agreement or a new focal point does not get what was cleaned before it: nobody agreed to that. One
    table that is refused holds up no other.

    Raises:
        SharingError: one was refused or is open.
        DispatchOpen: several were; the sentence has each one's own.
    """
    return _each(
        partial(share, ref, audience, stores, reached=reached) for audience, ref, reached in _due(stores)
    )


def _each(shares: Iterable[Callable[[], tuple[Sending, ...]]]) -> tuple[Sending, ...]:
    sendings: list[Sending] = []
    problems: list[SharingError] = []
    for share_one in shares:
        try:
            sendings += share_one()
        except SharingError as problem:
            problems.append(problem)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise DispatchOpen(" ".join(map(str, problems)), retry=any(each.retry for each in problems))
    return tuple(sendings)


def _due(stores: Stores) -> Iterator[tuple[Audience, TableRef, list[str]]]:
    """The pathways with a round that somebody waits for, and whom it reaches: in office when it was cleaned.

    Where nobody is in office it reaches nobody, and the gate says so.
    """
    for agreement_id, agreement in sorted(stores.policy.agreements.items()):
        path = agreement.pathway(Urgency.LOW)
        for line in path.shares if path else ():
            audience = Audience(agreement_id, Urgency.LOW)
            had = _had(audience, line.dataset, stores)
            people = gate.recipients(stores.policy, path, stores.now().date()) if path else ()
            for ref, cleaned in stores.ledger.rounds(line.dataset, Stage.CLEANED):
                reached = [each.id for each in people if each.in_office.covers(cleaned.date())]
                waits = not people or any((ref.round, each) not in had for each in reached)
                if agreement.validity.covers(cleaned.date()) and waits:
                    yield audience, ref, reached


def _waits(ref: TableRef, audience: Audience, stores: Stores) -> bool:
    now, received = stores.now(), _received(audience, ref.dataset, stores)
    this_month = {each.round for each in received if _month(each.sent_at) == _month(now)}
    return ref.round not in {each.round for each in received} and bool(this_month)


def _month(moment: datetime) -> tuple[int, int]:
    return moment.year, moment.month


def _had(audience: Audience, dataset: str, stores: Stores) -> set[tuple[str, str | None]]:
    """Rounds and the focal points who wait for them no more: they may have it, or somebody took it back."""
    organization = gate.agreement(stores.policy, audience).organization
    standings = stores.ledger.dispatches(stores.now(), organization)
    ended = [each.dispatch for each in standings if each.state in _NOT_AGAIN]
    received = _received(audience, dataset, stores)
    return {(each.round, each.focal_point) for each in received} | {
        (each.round, each.focal_point) for each in ended if _under(audience, dataset, each)
    }


_NOT_AGAIN = {DispatchState.CANCELLED, DispatchState.RECALLED, DispatchState.TO_RECALL}


def _received(audience: Audience, dataset: str, stores: Stores) -> list[Disclosure]:
    organization = gate.agreement(stores.policy, audience).organization
    states = {each for each in DispatchState if each.is_held} - _NOT_AGAIN
    held = (each for each in stores.ledger.disclosures(organization) if each.state in states)
    return [each for each in held if _under(audience, dataset, each)]


def _under(audience: Audience, dataset: str, each: Disclosure | Dispatch) -> bool:
    return (each.agreement, each.urgency, each.dataset) == (audience.agreement, audience.urgency, dataset)
