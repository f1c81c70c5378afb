"""What the ledger keeps of each step, as events: counts and outcomes; no column, no person, no value."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from dtm_sharing.model import Audience, Classification, Decision, Event, Outcome, Policy, TableRef

_EVENTS = {
    Outcome.ALLOW: "release.approved",
    Outcome.DENY: "release.denied",
    Outcome.UNDECIDED: "release.undecided",
}


def decided(decision: Decision, ref: TableRef, now: datetime) -> Event:
    """What the ledger keeps of a decision: counts and rules, no column and no value."""
    return Event(
        type=_EVENTS[decision.outcome],
        subject=f"{ref.dataset}/{ref.round}",
        occurred_at=now,
        organization=None,
        data={
            **_asked(ref, decision.audience),
            "columns": len(decision.classification.columns),
            "refused": len(decision.refused),
            "gaps": sorted({gap.kind for gap in decision.gaps}),
            "policy_digest": decision.classification.policy_digest,
            "as_of": decision.classification.as_of.isoformat(),
        },
    )


_STOPPED = {"release.undecided": "untagged-table", "release.withheld": "unsafe-artefact"}


def stopped(kind: str, ref: TableRef, audience: Audience, policy: Policy, now: datetime) -> Event:
    """What the ledger keeps of a table that was stopped before the gate's decision, or after it."""
    return Event(
        type=kind,
        subject=f"{ref.dataset}/{ref.round}",
        occurred_at=now,
        organization=None,
        data={
            **_asked(ref, audience),
            "gaps": [_STOPPED[kind]],
            "policy_digest": policy.digest,
            "as_of": now.date().isoformat(),
        },
    )


def _asked(ref: TableRef, audience: Audience) -> dict[str, str]:
    """Of which stage and for whom a release was asked for."""
    agreement = {"agreement": audience.agreement} if audience.agreement else {}
    return {"audience": str(audience), "stage": ref.stage.value, **agreement}


def classified(labelled: Classification, dropped: int, now: datetime) -> Event:
    """What the ledger keeps of a classification: how many columns have which level."""
    levels = Counter(column.level.label if column.level else "undecided" for column in labelled.columns)
    return Event(
        type="classification.assigned",
        subject=f"{labelled.dataset}/{labelled.round}",
        occurred_at=now,
        organization=None,
        data={
            "stage": str(labelled.stage),
            "columns": dict(levels),
            "dropped_at_collection": dropped,
            "policy_digest": labelled.policy_digest,
        },
    )
