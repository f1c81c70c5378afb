"""What is missing for an answer: one gap, and nothing leaves. Each sentence says what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

from dtm_sharing.gate import relations
from dtm_sharing.gate.held import Beside
from dtm_sharing.gate.refused import FOR_GOOD
from dtm_sharing.gate.terms import Terms
from dtm_sharing.model import (
    IOM,
    Agreement,
    Classification,
    DataAccessRequest,
    Gap,
    Method,
    Policy,
    RequestState,
    Stage,
    Validity,
)

CHANNELS = frozenset({Method.EXCEL_EMAIL, Method.DOCUMENT_EMAIL})  # what this version can deliver by


def gaps(
    policy: Policy, classification: Classification, terms: Terms | None, beside: Beside
) -> Iterator[Gap]:
    yield from classification.gaps
    if classification.policy_digest != policy.digest:
        yield Gap("other-policy", "The table was classified under other policy files: classify it again.")
    judged = classification.rows > 0 and classification.columns
    if not classification.gaps and not (judged and all(each.level for each in classification.columns)):
        yield Gap("no-level", "The table has no level, and does not say why: classify it again.")
    yield from relations.gaps(beside, classification)
    if terms is not None:
        yield from _agreement_gaps(policy, classification, terms.agreement)
        yield from _request_gaps(classification, terms.request)
        yield from _practice_gaps(classification, terms)


def _agreement_gaps(policy: Policy, classification: Classification, agreed: Agreement) -> Iterator[Gap]:
    """An agreement in force that both sides have signed, or nothing leaves (DESIGN 3.10)."""
    if not agreed.validity.covers(classification.as_of):
        yield Gap(
            "agreement-not-in-force",
            f"Agreement {agreed.id} is not in force on {classification.as_of}, only {_span(agreed.validity)} "
            f"({agreed.source}): sign it again before anything is sent.",
        )
    for side in (IOM, agreed.organization):
        signer = policy.focal_points.get(agreed.signed.get(side, ""))
        if (
            signer is None
            or signer.organization != side
            or not signer.in_office.covers(agreed.validity.start)
        ):
            yield Gap(
                "agreement-not-signed",
                f"Agreement {agreed.id} lacks the signature of {side} by a focal point in office on "
                f"{agreed.validity.start} ({agreed.source}): have it signed before anything is sent.",
            )


def _request_gaps(classification: Classification, asked: DataAccessRequest) -> Iterator[Gap]:
    """A request that somebody approved, for this day. One that was refused is no gap: all is refused."""
    as_of = classification.as_of
    if asked.state in FOR_GOOD:
        return
    if asked.state is not RequestState.APPROVED or asked.validity is None:
        yield Gap(
            "request-not-approved",
            f"Data access request {asked.id} is {asked.state}, not approved ({asked.source}): decide it.",
        )
    elif asked.decided_on is None or asked.decided_on > as_of:
        yield Gap(
            "request-not-approved",
            f"Data access request {asked.id} was not decided by {as_of} but "
            f"{f'on {asked.decided_on}' if asked.decided_on else 'on no day'} ({asked.source}): nothing is "
            "sent before that.",
        )
    elif not asked.validity.covers(as_of):
        yield Gap(
            "request-not-valid",
            f"The approval of data access request {asked.id} is not valid on {as_of}, only "
            f"{_span(asked.validity)} ({asked.source}): ask for a new one.",
        )


def _practice_gaps(classification: Classification, terms: Terms) -> Iterator[Gap]:
    path, stage = terms.pathway, classification.stage
    if path.urgency.stage is Stage.CLEANED and stage is not Stage.CLEANED:
        known = f"is only {stage}" if stage else "does not say how far its cleaning has come"
        yield Gap(
            "stage-not-reached" if stage else "stage-unknown",
            f"Pathway {path.id} sends what is {path.urgency.stage}, and this table {known} ({path.source}): "
            f"{'wait until it is cleaned' if stage else 'name its stage'}.",
        )
    if not terms.recipients:
        yield Gap(
            "no-focal-point",
            f"No focal point of pathway {path.id} is in office on {classification.as_of} ({path.source}): "
            f"{terms.agreement.organization} has to name a successor in writing.",
        )
    if path.method not in CHANNELS:
        yield Gap(
            "no-channel",
            f"Pathway {path.id} asks for {path.method}, and there is no channel for it yet "
            f"({path.source}): agree on {' or '.join(sorted(CHANNELS))}.",
        )
    present = {each.indicator for each in classification.columns if each.header.question is None}
    for indicator in terms.listed:
        if indicator not in present:
            yield Gap(
                "agreed-indicator-absent",
                f"Pathway {path.id} shares indicator {indicator}, and the table has no column of it "
                f"({path.source}): the recipient would get less than agreed.",
            )


def _span(validity: Validity) -> str:
    return f"from {validity.start} until {validity.until or 'revoked'}"
