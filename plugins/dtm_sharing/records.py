"""What the ledger keeps of each step: counts and outcomes; in an entry no column, no person, no value.

A decision's whole answer, with columns and rules, stands beside the ledger, and its entry commits to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dtm_sharing.model import (
    Audience,
    Classification,
    ColumnLevel,
    Decision,
    DecisionRecord,
    Event,
    Grain,
    Level,
    Outcome,
    Policy,
    ReleasableForm,
    Source,
    Stage,
    TableProfile,
    TableRef,
)

DECISIONS: Mapping[Outcome, str] = {
    Outcome.ALLOW: "release.approved",
    Outcome.DENY: "release.denied",
    Outcome.UNDECIDED: "release.undecided",
}


# --------------------------------------------------------------------------------------- a decision


def decision(decided: Decision, profile: TableProfile, ledger_size: int) -> DecisionRecord:
    """All that a decision was made of. ``ledger_size``: when what the audience holds was read."""
    return DecisionRecord(
        profile=profile,
        audience=decided.audience,
        policy_digest=decided.classification.policy_digest,
        as_of=decided.classification.as_of,
        ledger_size=ledger_size,
        answer=answer(decided),
    )


def answer(decided: Decision) -> dict[str, Any]:
    """A decision as JSON of ours, the same for the same decision: replayed, it must come out equal.

    It has no sentence: a better wording is no other decision. ``rules`` are those of no column in particular.
    """
    judged = decided.classification
    of_columns = {each.rule for column in judged.columns for each in column.reasons}
    return {
        "outcome": decided.outcome.value,
        "level": _label(decided.level),
        "grain": judged.grain.value,
        "columns": [_column(each) for each in judged.columns],
        "refused": [each.header.key for each in decided.refused],
        "gaps": sorted([each.kind, each.column or ""] for each in decided.gaps),
        "obligations": [each.kind for each in decided.obligations],
        "forms": [_form(each) for each in decided.forms],
        "rules": [_cited(*each) for each in sorted(decided.rules) if each[0] not in of_columns],
        "waivers": sorted(decided.waivers),
        "expires": None if decided.expires is None else decided.expires.isoformat(),
        "policy_digest": judged.policy_digest,
        "as_of": judged.as_of.isoformat(),
    }


def _column(judged: ColumnLevel) -> dict[str, Any]:
    cited = sorted({(each.rule, each.source) for each in judged.reasons})
    return {
        "key": judged.header.key,
        "level": _label(judged.level),
        "rules": [_cited(*each) for each in cited],
        "waivers": sorted({each.waiver for each in judged.reasons if each.waiver}),
    }


def _form(form: ReleasableForm) -> dict[str, Any]:
    return {
        "leave_out": list(form.leave_out),
        "drop_at_collection": list(form.drop_at_collection),
        "keeps": list(form.keeps),
        "aggregate_to": form.aggregate_to.value if form.aggregate_to else None,
        "by": list(form.by),
        "without_tables": list(form.without_tables),
    }


def _cited(rule: str, source: Source) -> list[str]:
    return [rule, str(source)]


def _label(level: Level | None) -> str | None:
    return None if level is None else level.label


def decided(record: DecisionRecord) -> dict[str, Any]:
    """What the entry of a decision shows: counts and kinds, no column and no value."""
    return {
        **_asked(record.profile.stage, record.audience),
        "columns": len(record.answer["columns"]),
        "refused": len(record.answer["refused"]),
        "gaps": sorted({kind for kind, _ in record.answer["gaps"]}),
        "policy_digest": record.policy_digest,
        "as_of": record.as_of.isoformat(),
    }


# ----------------------------------------------------------------------------- what is no decision


_STOPPED = {
    "untagged-table": "release.stopped",
    "unsummed-table": "release.stopped",
    "second-sums": "release.withheld",
    "unsafe-artefact": "release.withheld",
}


def stopped(why: str, ref: TableRef, audience: Audience, policy: Policy, now: datetime) -> Event:
    """What the ledger keeps of a table that was stopped before the gate's decision, or withheld after it."""
    return Event(
        type=_STOPPED[why],
        subject=f"{ref.dataset}/{ref.round}",
        occurred_at=now,
        organization=None,
        data={
            **_asked(ref.stage, audience),
            "gaps": [why],
            "policy_digest": policy.digest,
            "as_of": now.date().isoformat(),
        },
    )


def _asked(stage: Stage | None, audience: Audience) -> dict[str, Any]:
    """Of which stage and for whom a release was asked for."""
    agreement = {"agreement": audience.agreement} if audience.agreement else {}
    return {"audience": str(audience), "stage": stage.value if stage else None, **agreement}


def classified(labelled: Classification, declared: Grain, dropped: int, now: datetime) -> Event:
    """What the ledger keeps of a classification: how many columns have which level, and by which grain.

    Args:
        labelled: the classification.
        declared: the dataset's grain; the classification's is finer where the data say so.
        dropped: how many columns went at collection.
        now: when.
    """
    levels = Counter(column.level.label if column.level else "undecided" for column in labelled.columns)
    return Event(
        type="classification.assigned",
        subject=f"{labelled.dataset}/{labelled.round}",
        occurred_at=now,
        organization=None,
        data={
            "stage": str(labelled.stage),
            "grain": labelled.grain.value,
            "declared_grain": declared.value,
            "columns": dict(levels),
            "dropped_at_collection": dropped,
            "policy_digest": labelled.policy_digest,
        },
    )
