"""The straight path: policy, classify, gate, protect, package, deliver, ledger, in this order and no other.

Airflow tasks and the command line call these functions. Each may be called again after a crash at any line:
what was recorded is found again, and nothing leaves twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dtm_sharing import classify, deliver, expectations, gate, ledger, package, protect, records
from dtm_sharing.errors import DispatchOpen, PackageUnsafe, Undecided
from dtm_sharing.model import (
    PUBLIC,
    Approved,
    Audience,
    Classification,
    Decision,
    Dispatch,
    DispatchState,
    FocalPoint,
    Level,
    Method,
    Outcome,
    Package,
    Policy,
    Publication,
    Stage,
    TableRef,
)
from dtm_sharing.stores import frames, rounds

if TYPE_CHECKING:
    from email.message import EmailMessage

    import pandas as pd

    from dtm_sharing.deliver import Channel
    from dtm_sharing.package import Password
    from dtm_sharing.stores.credentials import Credentials
    from dtm_sharing.stores.database import Ledger
    from dtm_sharing.stores.objects import ObjectStore
    from dtm_sharing.stores.publisher import Publisher

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
    profile = frames.profile_frame(named, declared, stage=stage, round_=round_, whole=True)
    labelled = classify.classify(stores.policy, profile, stores.now().date())
    ref = rounds.put_table(stores.restricted, named, labelled)
    stores.ledger.record(records.classified(labelled, len(dropped), stores.now()))
    stores.ledger.register(ref, stores.now())
    return ref, labelled


# ------------------------------------------------------------------------------------- to the public


def publish(ref: TableRef, stores: Stores, *, releasable: bool = False) -> Publication:
    """Publish a table of a round, as it is or in its releasable form.

    Raises:
        GateDenied, Undecided, PackageUnsafe: nothing is put anywhere; the refusal stands in the ledger.
    """
    table, labelled = _table(ref, PUBLIC, stores)
    decision = gate.decide(stores.policy, labelled, PUBLIC)
    if releasable:
        table, decision = _released(decision, table, ref, stores)
    approved = _approve(decision, ref, stores)
    artefact = _artefact(approved, table, ref, None, stores)
    publication = _publication(approved, artefact, ref, stores.now())
    clearance = gate.clearance(approved, publication.path, artefact.sha256)
    signed = ledger.sign_note(clearance, stores.clearance_key)
    stores.ledger.announce(publication)
    stores.publisher.put(publication.path, artefact.content, signed, stores.now().date())
    stores.ledger.publish(publication)
    return publication


def _publication(approved: Approved, artefact: Package, ref: TableRef, now: datetime) -> Publication:
    return Publication(
        dataset=ref.dataset,
        round=ref.round,
        path=f"{ref.dataset}/{ref.round}/{artefact.filename}",
        columns=artefact.columns,
        rows=artefact.rows,
        level=approved.decision.level or Level.SECRET,
        policy_digest=approved.decision.classification.policy_digest,
        artefact_sha256=artefact.sha256,
        published_at=now,
    )


# ------------------------------------------------------------------------------------ to a focal point


def share(ref: TableRef, audience: Audience, stores: Stores) -> tuple[Sending, ...]:
    """Send one round's agreed extract to each focal point of a pathway, once.

    Raises:
        GateDenied, Undecided, PackageUnsafe: nothing is sent; the refusal stands in the ledger.
        DispatchOpen: a message is not known to have been taken. The sentence says which and why, ``retry``
            whether one of them may be tried again. What was sent, or may have been, is not sent again.
    """
    table, labelled = _table(ref, audience, stores)
    extract, decision = _released(gate.decide(stores.policy, labelled, audience), table, ref, stores)
    approved = _approve(decision, ref, stores)
    people = gate.recipients(stores.policy, gate.pathway(stores.policy, audience), stores.now().date())
    sendings = tuple(
        _send(_prepare(approved, extract, ref, person, stores), person, stores) for person in people
    )
    _settle(sendings)
    return sendings


def _prepare(
    approved: Approved, extract: pd.DataFrame, ref: TableRef, person: FocalPoint, stores: Stores
) -> Dispatch:
    """The dispatch for this person: as an earlier try recorded it, else packaged, checked and recorded."""
    audience = approved.decision.audience
    pathway = gate.pathway(stores.policy, audience)
    method = pathway.method
    key = stores.ledger.current_key(
        agreement=str(audience),
        dataset=ref.dataset,
        round_=ref.round,
        extract=frames.digest(extract),
        focal_point=person.id,
        method=method,
    )
    if (found := stores.ledger.find(key)) is not None:
        return found[0]
    held = stores.credentials.password_for(person.id, method, stores.now())
    if held.created:
        stores.ledger.record(held.credential.event("issued", person.organization, stores.now()))
    artefact = _artefact(approved, extract, ref, (method, held.password), stores)
    path = f"outbox/{key}/{artefact.filename}"
    stores.restricted.put(path, artefact.content)
    dispatch = Dispatch(
        key=key,
        organization=person.organization,
        agreement=gate.agreement(stores.policy, audience).id,
        urgency=pathway.urgency,
        purpose=gate.request(stores.policy, audience).purpose,
        dataset=ref.dataset,
        round=ref.round,
        level=approved.decision.level or Level.SECRET,
        columns=artefact.columns,
        rows=artefact.rows,
        method=method,
        focal_point=person.id,
        policy_digest=stores.policy.digest,
        artefact_path=path,
        artefact_sha256=artefact.sha256,
    )
    return stores.ledger.intend(dispatch, stores.now())


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
_DONE = {DispatchState.SENT, DispatchState.ACKNOWLEDGED, DispatchState.CANCELLED}
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


def _table(ref: TableRef, audience: Audience, stores: Stores) -> tuple[pd.DataFrame, Classification]:
    """A round's table, classified under today's policy: tags of another day decide nothing."""
    try:
        table = rounds.get_table(stores.restricted, ref)
    except Undecided:
        _record_stop("release.undecided", ref, audience, stores)
        raise
    return table, _label(table, ref, stores, whole=True)


def _artefact(
    approved: Approved,
    table: pd.DataFrame,
    ref: TableRef,
    sealed: tuple[Method, Password] | None,
    stores: Stores,
) -> Package:
    """The finished artefact, reopened and held against the decision; ``sealed`` None: for the public."""
    try:
        artefact, reopened = package.build_and_reopen(approved, table, *(sealed or (None, None)))
        expectations.check(approved, reopened, stores.policy.datasets[ref.dataset].key)
    except PackageUnsafe:
        _record_stop("release.withheld", ref, approved.decision.audience, stores)
        raise
    return artefact


def _record_stop(kind: str, ref: TableRef, audience: Audience, stores: Stores) -> None:
    stores.ledger.record(records.stopped(kind, ref, audience, stores.policy, stores.now()))


def _label(frame: pd.DataFrame, ref: TableRef, stores: Stores, *, whole: bool) -> Classification:
    declared = classify.dataset(stores.policy, ref.dataset)
    profile = frames.profile_frame(frame, declared, stage=ref.stage, round_=ref.round, whole=whole)
    return classify.classify(stores.policy, profile, stores.now().date())


def _released(
    decision: Decision, table: pd.DataFrame, ref: TableRef, stores: Stores
) -> tuple[pd.DataFrame, Decision]:
    """The releasable form of a table, and the gate's decision on that form as it is."""
    if decision.outcome is Outcome.UNDECIDED or decision.releasable_form is None:
        return table, decision
    if decision.releasable_form.drop_at_collection:
        _approve(decision, ref, stores)  # always refuses: what is Secret stops the table in every form
    form = protect.releasable(decision, table)
    labelled = _label(form, ref, stores, whole=False)
    return form, gate.decide(stores.policy, labelled, decision.audience)


def _approve(decision: Decision, ref: TableRef, stores: Stores) -> Approved:
    """Record the gate's decision, whatever it is, and go on only with an approval."""
    stores.ledger.record(records.decided(decision, ref, stores.now()))
    return gate.approve(decision)
