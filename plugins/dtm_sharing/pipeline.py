"""The straight path: policy, classify, gate, protect, package, deliver, ledger, in this order and no other.

Airflow tasks and the command line call these functions. Each may be called again after a crash at any line:
what was recorded is found again, and nothing leaves twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from dtm_sharing import classify, deliver, expectations, gate, ledger, package, protect, records
from dtm_sharing.errors import DispatchOpen, PackageUnsafe, Undecided, UsageProblem
from dtm_sharing.model import (
    PUBLIC,
    Approved,
    Audience,
    Classification,
    Decision,
    Disclosure,
    Dispatch,
    DispatchState,
    FocalPoint,
    Grain,
    GrainEvidence,
    Holding,
    Level,
    Method,
    Notice,
    Outcome,
    Package,
    Policy,
    Publication,
    ReleasableForm,
    Stage,
    TableProfile,
    TableRef,
)
from dtm_sharing.stores import frames, rounds
from dtm_sharing.stores.ledger_disclosures import HoldingsChanged

if TYPE_CHECKING:
    from email.message import EmailMessage

    import pandas as pd

    from dtm_sharing.deliver import Channel
    from dtm_sharing.package import Password
    from dtm_sharing.stores.credentials import Credentials
    from dtm_sharing.stores.database import Ledger
    from dtm_sharing.stores.ledger_disclosures import Held
    from dtm_sharing.stores.objects import ObjectStore
    from dtm_sharing.stores.publisher import Publisher

log = logging.getLogger("dtm_sharing")

_T = TypeVar("_T")
_DISTURBED = 4  # times that others may come in between before a task gives up for now

LEASE = timedelta(minutes=15)  # longer than three times what one message may take on the line


@dataclass(frozen=True, slots=True)
class Stores:
    """All that the path reads from and writes to. ``now`` gives the time, with its zone."""

    policy: Policy
    restricted: ObjectStore
    publisher: Publisher
    clearance_key: str = field(repr=False)
    ledger: Ledger
    credentials: Credentials
    channel: Channel
    sender: str
    message_domain: str
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Sending:
    """One focal point's part of a pathway run, and how it stands."""

    dispatch: Dispatch
    state: DispatchState
    detail: str


@dataclass(frozen=True, slots=True)
class _Case:
    """A table of a round, and what the gate decided on it beside what its audience holds.

    ``key``: the columns that tell one row from another.
    """

    ref: TableRef
    table: pd.DataFrame
    key: tuple[str, ...]
    held: Held
    profile: TableProfile
    decision: Decision


# ------------------------------------------------------------------------ what a cleaning stage puts out


def admit(
    frame: pd.DataFrame, dataset: str, stage: Stage, round_: str, stores: Stores
) -> tuple[TableRef, Classification]:
    """Take the table of a cleaning stage into the restricted store, tagged with its levels.

    At collection the dataset's ``drop_at_collection`` columns go, and the ledger says how many went. A table
    that cannot be decided is kept and tagged so: the gate will block it and say why.

    Raises:
        UsageProblem: no such dataset, or what is given cannot name a round.
        TableUnreadable: its columns cannot be told apart.
    """
    declared = classify.dataset(stores.policy, dataset)
    rounds.check_round(round_)
    named, _ = frames.name_columns(frame, declared)
    dropped: tuple[str, ...] = ()
    if stage is Stage.COLLECTED:
        named, dropped = protect.drop_at_collection(declared, named)
        named, _ = frames.name_columns(named, declared)  # positions count in the table that is kept
    profile = frames.profile_frame(named, stores.policy, declared, stage=stage, round_=round_, whole=True)
    labelled = classify.classify(stores.policy, profile, stores.now().date())
    _warn(labelled.notices)
    ref = rounds.put_table(stores.restricted, named, labelled)
    stores.ledger.keep_policy(stores.policy, stores.now())
    stores.ledger.record(records.classified(labelled, declared.grain, len(dropped), stores.now()))
    stores.ledger.register(ref, stores.now())
    return ref, labelled


# ------------------------------------------------------------------------------------- to the public


def publish(
    ref: TableRef, stores: Stores, *, releasable: bool = False, aggregate_to: Grain | None = None
) -> Publication:
    """Publish a table of a round: as it is, in its releasable form, or summed up by a coarser unit.

    Args:
        ref: the table.
        stores: where everything is.
        releasable: without the columns that the gate's decision names.
        aggregate_to: in the form of the decision that has sums by this grain.

    Raises:
        GateDenied, Undecided, PackageUnsafe: nothing is put anywhere; the refusal stands in the ledger.
        UsageProblem: there is nothing to sum up, for the table may be published as it is.
        HoldingsChanged: other tables kept being published meanwhile: try again.
    """

    def announce() -> tuple[Approved, Package, Publication]:
        case = _case(ref, PUBLIC, stores)
        if aggregate_to is not None:
            case = _aggregated(case, aggregate_to, stores)
        elif releasable:
            case = _released(case, stores)
        approved = _approve(case, stores)
        artefact = _artefact(approved, case, None, stores)
        publication = _publication(approved, artefact, ref, stores.now())
        if aggregate_to is not None:
            _check_first_sums(publication, case, stores)
        stores.ledger.announce(publication, seen=case.held.size)
        return approved, artefact, publication

    approved, artefact, publication = _undisturbed(announce)
    clearance = gate.clearance(approved, publication.path, artefact.sha256)
    signed = ledger.sign_note(clearance, stores.clearance_key)
    stores.publisher.put(publication.path, artefact.content, signed, stores.now().date())
    stores.ledger.publish(publication)
    return publication


def _publication(approved: Approved, artefact: Package, ref: TableRef, now: datetime) -> Publication:
    decision = approved.decision
    leaves = gate.as_holding(decision.classification, PUBLIC)
    summed = decision.classification.aggregated_to
    return Publication(
        dataset=ref.dataset,
        round=ref.round,
        path="/".join([ref.dataset, ref.round, *([summed] if summed else []), artefact.filename]),
        columns=artefact.columns,
        indicators=leaves.indicators,
        grain=leaves.grain,
        rows=artefact.rows,
        level=decision.level or Level.SECRET,
        policy_digest=decision.classification.policy_digest,
        artefact_sha256=artefact.sha256,
        published_at=now,
    )


# ------------------------------------------------------------------------------------ to a focal point


def share(
    ref: TableRef, audience: Audience, stores: Stores, *, reached: Collection[str] | None = None
) -> tuple[Sending, ...]:
    """Send one round's agreed extract to each focal point of a pathway, once.

    Args:
        ref: the table.
        audience: the pathway.
        stores: where everything is.
        reached: ids of focal points; nobody else gets it. None: whoever is in office on the day of the
            decision.

    Raises:
        GateDenied, Undecided, PackageUnsafe: nothing is sent; the refusal stands in the ledger.
        HoldingsChanged: the organization kept being sent other tables meanwhile: nothing is sent, try again.
        DispatchOpen: a message is not known to have been taken. The sentence says which and why, ``retry``
            whether one of them may be tried again. What was sent, or may have been, is not sent again.
    """

    def intend() -> tuple[tuple[Dispatch, FocalPoint], ...]:
        case = _released(_case(ref, audience, stores), stores)
        approved = _approve(case, stores)
        day = approved.decision.classification.as_of  # not today: it may be past midnight by now
        in_office = gate.recipients(stores.policy, gate.pathway(stores.policy, audience), day)
        people = [each for each in in_office if reached is None or each.id in reached]
        prepared = [_prepare(approved, case, person, stores) for person in people]
        dispatches = stores.ledger.intend(prepared, stores.now(), seen=case.held.size)
        return tuple(zip(dispatches, people, strict=True))

    sendings = tuple(_send(dispatch, person, stores) for dispatch, person in _undisturbed(intend))
    _settle(sendings)
    return sendings


def _prepare(approved: Approved, case: _Case, person: FocalPoint, stores: Stores) -> Dispatch:
    """The dispatch for this person: as an earlier try recorded it, else packaged and checked."""
    audience, ref = approved.decision.audience, case.ref
    pathway = gate.pathway(stores.policy, audience)
    method = pathway.method
    key = stores.ledger.current_key(
        agreement=str(audience),
        dataset=ref.dataset,
        round_=ref.round,
        extract=frames.digest(case.table),
        focal_point=person.id,
        method=method,
    )
    if (found := stores.ledger.find(key)) is not None:
        return found[0]
    held = stores.credentials.password_for(person.id, method, stores.now())
    if held.created:
        stores.ledger.record(held.credential.event("issued", person.organization, stores.now()))
    artefact = _artefact(approved, case, (method, held.password), stores)
    path = f"outbox/{key}/{artefact.filename}"
    stores.restricted.put(path, artefact.content)
    leaves = gate.as_holding(approved.decision.classification, audience)
    return Dispatch(
        key=key,
        organization=person.organization,
        agreement=gate.agreement(stores.policy, audience).id,
        urgency=pathway.urgency,
        purpose=gate.request(stores.policy, audience).purpose,
        dataset=ref.dataset,
        round=ref.round,
        level=approved.decision.level or Level.SECRET,
        columns=artefact.columns,
        indicators=leaves.indicators,
        grain=leaves.grain,
        rows=artefact.rows,
        method=method,
        focal_point=person.id,
        policy_digest=stores.policy.digest,
        artefact_path=path,
        artefact_sha256=artefact.sha256,
    )


def _send(dispatch: Dispatch, person: FocalPoint, stores: Stores) -> Sending:
    """Send what is recorded, unless it was sent, or may have been.

    The message is made before the claim: what fails until then has certainly not left.
    """
    found = stores.ledger.find(dispatch.key)
    if found is not None and found[1] not in _UNSETTLED:
        return Sending(dispatch, found[1], _SETTLED)
    message = _message(dispatch, person, stores)
    claim = stores.ledger.claim(dispatch.key, stores.now(), LEASE)
    if isinstance(claim, DispatchState):
        return Sending(dispatch, claim, _SETTLED)
    receipt = stores.channel.send(message)
    return Sending(dispatch, stores.ledger.conclude(claim, receipt, stores.now()), receipt.detail)


_UNSETTLED = {DispatchState.NEW, DispatchState.SENDING}
_SETTLED = "An earlier try or a person settled it."
# A person's finding ends a dispatch in the middle of a run as well: the next try takes another key.
_DONE = {
    DispatchState.SENT,
    DispatchState.ACKNOWLEDGED,
    DispatchState.CANCELLED,
    DispatchState.RECALLED,
    DispatchState.TO_RECALL,
}
_AGAIN = {DispatchState.NEW, DispatchState.NOT_ARRIVED}


def _message(dispatch: Dispatch, person: FocalPoint, stores: Stores) -> EmailMessage:
    return deliver.compose(
        dispatch,
        package.recorded(dispatch, stores.restricted.get(dispatch.artefact_path)),
        person,
        sender=stores.sender,
        message_domain=stores.message_domain,
        date=stores.now(),
        attachments=stores.ledger.receipt_files(dispatch.key, stores.now()),
    )


def _settle(sendings: tuple[Sending, ...]) -> None:
    open_ = [each for each in sendings if each.state not in _DONE]
    if open_:
        said = " ".join(f"{each.dispatch.focal_point}: {each.state}. {each.detail}" for each in open_)
        raise DispatchOpen(
            f"{len(open_)} of {len(sendings)} messages are not known to have been taken. {said}",
            retry=any(each.state in _AGAIN for each in open_),
        )


# ------------------------------------------------------------------------------------------- the pieces


def _undisturbed(decide_and_record: Callable[[], _T]) -> _T:
    """Decide, and decide again where what the audience holds grew before the decision was recorded.

    Two pathways to one organization begin at the same moment when a round arrives, so this is no rare case.
    """
    for _ in range(_DISTURBED):
        try:
            return decide_and_record()
        except HoldingsChanged:
            log.info("what the audience holds has changed meanwhile; deciding again")
    return decide_and_record()


def _case(ref: TableRef, audience: Audience, stores: Stores) -> _Case:
    """A round's table as it is, judged under today's policy beside what the audience holds today.

    The policy is kept before anything is decided by it. A ledger that cannot be read stops everything here:
    nobody knows what they hold, so nothing is decided.
    """
    stores.ledger.keep_policy(stores.policy, stores.now())
    holder = _holder(audience, stores)
    held = stores.ledger.held(holder, people=stores.policy.people_of(holder))
    try:
        table = rounds.get_table(stores.restricted, ref)
    except Undecided:
        _record_stop("untagged-table", ref, audience, stores)
        raise
    return _judged(ref, table, audience, held, stores, whole=True)


def _holder(audience: Audience, stores: Stores) -> str:
    return str(PUBLIC) if audience == PUBLIC else gate.agreement(stores.policy, audience).organization


def _judged(  # noqa: PLR0913 - all that a decision is made of
    ref: TableRef,
    table: pd.DataFrame,
    audience: Audience,
    held: Held,
    stores: Stores,
    *,
    whole: bool = False,
    form: ReleasableForm | None = None,
    known: Iterable[GrainEvidence] = (),
) -> _Case:
    """Classified as it is today, tags of another day decide nothing, and judged by the gate.

    ``known``: what the whole table said of its grain, and what still holds of this form of it.
    """
    declared = classify.dataset(stores.policy, ref.dataset)
    summed = form.aggregate_to if form else None
    profile = frames.profile_frame(
        table, stores.policy, declared, stage=ref.stage, round_=ref.round, whole=whole, aggregated_to=summed
    )
    profile = replace(profile, evidence=tuple(dict.fromkeys((*known, *profile.evidence))))
    labelled = classify.classify(stores.policy, profile, stores.now().date())
    decision = gate.decide(stores.policy, labelled, audience, held.holdings, classify.classify)
    key = form.by if form and summed else declared.key
    return _Case(ref, table, key, held, profile, decision)


def _released(case: _Case, stores: Stores) -> _Case:
    """The releasable form of a table, and the gate's decision on that form as it is; else the table itself.

    Its rows stand for what they stood for: a key that is left out makes them no coarser. Nor may their place
    tell what the key would have told. What is Secret stops a table in every form.
    """
    decision = case.decision
    form = decision.releasable_form
    if form is None or form.drop_at_collection:
        return case
    table = protect.releasable(decision, case.table)
    declared = classify.dataset(stores.policy, case.ref.dataset)
    if not {*declared.key}.issubset(form.keeps):
        table = protect.by_content(table)
    known = [each for each in case.profile.evidence if each.column is None or each.column in form.keeps]
    return _judged(case.ref, table, decision.audience, case.held, stores, form=form, known=known)


def _aggregated(case: _Case, grain: Grain, stores: Stores) -> _Case:
    """The form of a table that has sums by ``grain``, and the gate's decision on it; else the table."""
    decision = case.decision
    form = next((each for each in decision.forms if each.aggregate_to is grain), None)
    if decision.outcome is Outcome.ALLOW:
        raise UsageProblem(
            f"{case.ref.dataset}, round {case.ref.round}, may be published as it is: do not ask for sums by "
            f"{grain}"
        )
    if form is None or form.drop_at_collection:
        return case
    declared = classify.dataset(stores.policy, case.ref.dataset)
    try:
        sums = protect.aggregate(form, case.table, declared, stores.policy)
    except Undecided:
        _record_stop("unsummed-table", case.ref, decision.audience, stores)
        raise
    if sums.left_out:
        log.warning("%s units of %s are left out: sums of too few rows", sums.left_out, case.ref.dataset)
    return _judged(case.ref, sums.frame, decision.audience, case.held, stores, form=form)


def _check_first_sums(publication: Publication, case: _Case, stores: Stores) -> None:
    """Sums of a round leave once. The same ones again are nothing new.

    By another grain they would give back a unit of few sites, which is left out; of corrected rows they
    differ by what a single site says.
    """
    ref = case.ref
    finest = classify.dataset(stores.policy, ref.dataset).grain

    def of_sums(each: Holding | Disclosure) -> bool:
        return (each.dataset, each.round) == (ref.dataset, ref.round) and each.grain.depth < finest.depth

    published = [each for each in stores.ledger.disclosures(str(PUBLIC)) if each.state.is_held]
    if any(of_sums(each) and each.artefact_sha256 == publication.artefact_sha256 for each in published):
        return
    if first := next(filter(of_sums, case.held.holdings), None):
        _record_stop("second-sums", ref, PUBLIC, stores)
        raise Undecided(
            f"Undecided: sums of {ref.dataset}, round {ref.round}, by {first.grain} left already (ledger "
            f"entry {first.entry}), and what these differ by could be of a single {finest}. Sums of a round "
            "are published once: leave it at those."
        )


def _approve(case: _Case, stores: Stores) -> Approved:
    """Record the gate's decision, whatever it is, and go on only with an approval."""
    record = records.decision(case.decision, case.profile, case.held.size)
    stores.ledger.record_decision(record, stores.now())
    _warn(case.decision.notices)
    return gate.approve(case.decision)


def _artefact(
    approved: Approved, case: _Case, sealed: tuple[Method, Password] | None, stores: Stores
) -> Package:
    """The finished artefact, reopened and held against the decision; ``sealed`` None: for the public."""
    try:
        artefact, reopened = package.build_and_reopen(approved, case.table, *(sealed or (None, None)))
        expectations.check(approved, reopened, case.key)
    except PackageUnsafe:
        _record_stop("unsafe-artefact", case.ref, approved.decision.audience, stores)
        raise
    return artefact


def _record_stop(why: str, ref: TableRef, audience: Audience, stores: Stores) -> None:
    stores.ledger.record(records.stopped(why, ref, audience, stores.policy, stores.now()))


def _warn(notices: Iterable[Notice]) -> None:
    for each in notices:
        log.warning("%s", each.sentence)
