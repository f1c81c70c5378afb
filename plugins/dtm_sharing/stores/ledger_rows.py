"""The ledger's rows: how a dispatch, a publication, a decision and a table become rows, and back.

What an entry says of each stands in ``ledger_projections``.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import RowMapping

from dtm_sharing import ledger
from dtm_sharing.errors import LedgerAltered, UsageProblem
from dtm_sharing.model import (
    Audience,
    DecisionRecord,
    Delivery,
    Disclosure,
    Dispatch,
    DispatchState,
    Entry,
    Finding,
    Grain,
    GrainEvidence,
    Header,
    Holding,
    Level,
    Method,
    Publication,
    Stage,
    TableProfile,
    TableRef,
    Urgency,
)
from dtm_sharing.records import DECISIONS

_NAMESPACE = uuid.UUID("9a4c9f3e-52a1-4b0e-8d3e-6f2f4a1d7c55")  # ours, drawn once; it is part of the format

STATE_AFTER: Mapping[str, DispatchState] = {
    "dispatch.intent": DispatchState.NEW,
    "dispatch.attempt": DispatchState.SENDING,
    "dispatch.sent": DispatchState.SENT,
    "dispatch.deferred": DispatchState.NEW,
    "dispatch.failed": DispatchState.FAILED,
    "dispatch.outcome_unknown": DispatchState.OUTCOME_UNKNOWN,
    "release.announced": DispatchState.SENDING,
    "release.published": DispatchState.SENT,
    "release.put_late": DispatchState.TO_RECALL,  # it was recalled, and its bytes were put all the same
}
AFTER_DELIVERY: Mapping[Delivery, str] = {
    Delivery.SENT: "dispatch.sent",
    Delivery.FAILED: "dispatch.failed",
    Delivery.NOT_SENT: "dispatch.deferred",
    Delivery.OUTCOME_UNKNOWN: "dispatch.outcome_unknown",
}
# A person's finding about a dispatch: the event that says so, and the state that follows.
AFTER_FINDING: Mapping[Finding, tuple[str, DispatchState]] = {
    Finding.ARRIVED: ("dispatch.reconciled", DispatchState.SENT),
    Finding.NOT_ARRIVED: ("dispatch.voided", DispatchState.NOT_ARRIVED),
    Finding.CANCELLED: ("dispatch.voided", DispatchState.CANCELLED),
    Finding.RECALLED: ("dispatch.recalled", DispatchState.RECALLED),
}
PUBLICATION_RECALLED = "release.recalled"
LATE_ATTEMPT = "dispatch.late_attempt"
# By a late attempt which reports that it left, or may have, the state moves only where it hides that.
_LEFT = frozenset({Delivery.SENT.value, Delivery.OUTCOME_UNKNOWN.value})
_AFTER_LATE: Mapping[DispatchState, DispatchState] = {
    DispatchState.NEW: DispatchState.OUTCOME_UNKNOWN,
    DispatchState.FAILED: DispatchState.OUTCOME_UNKNOWN,
    DispatchState.NOT_ARRIVED: DispatchState.TO_RECALL,
    DispatchState.CANCELLED: DispatchState.TO_RECALL,
    DispatchState.RECALLED: DispatchState.TO_RECALL,
}
FINDINGS = tuple(sorted({PUBLICATION_RECALLED, *(kind for kind, _ in AFTER_FINDING.values())}))
MOVES = frozenset({*STATE_AFTER, *FINDINGS})  # all that changes the state of a row
BEGINNINGS = frozenset({"dispatch.intent", "release.announced"})  # the first move of each row
# After these, whoever the row is for has it, may have it, or will have it if nobody intervenes. After any
# other, it takes the whole history of the row to say: what was called off may have left before, or since.
REACHING = frozenset(
    {kind for kind, state in STATE_AFTER.items() if state.may_reach}
    | {kind for kind, state in AFTER_FINDING.values() if state.may_reach}
)
# By these somebody may come to hold what they did not hold before: what had failed can turn out to be there.
GROWING = frozenset({*BEGINNINGS, AFTER_FINDING[Finding.ARRIVED][0], LATE_ATTEMPT, "release.put_late"})
TAKEN_BACK = frozenset({DispatchState.NOT_ARRIVED, DispatchState.RECALLED})
# Types that stand for a row or a change of one; an entry of one without its row would be a lie.
RESERVED = frozenset({*MOVES, *DECISIONS.values(), LATE_ATTEMPT, "table.registered", "policy.adopted"})
# The subject of these is the key of a row.
FOLLOWED = ("dispatch.", "release.announced", "release.published", "release.put_late", PUBLICATION_RECALLED)

PUBLIC_ORGANIZATION = "public"
PUBLICATION_METHOD = "publication"

EXTRACT = (
    "organization",
    "agreement",
    "urgency",
    "purpose",
    "dataset",
    "round",
    "level",
    "columns",
    "indicators",
    "grain",
    "rows",
    "method",
    "focal_point",
    "policy_digest",
    "artefact_path",
    "artefact_sha256",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a dispatch stands, and since when. ``overdue``: whoever was sending it has not come back.

    ``found_by`` (id of a focal point) and ``reason`` are of the finding that ended it, if a person did.
    """

    dispatch: Dispatch
    state: DispatchState
    since: datetime
    overdue: bool
    found_by: str | None
    reason: str | None


def keyed_id(salt: bytes, *parts: Any) -> str:
    """A UUIDv5 over an HMAC of the parts: the same for the same parts, and nothing to anyone else."""
    digest = hmac.new(salt, ledger.canonical_json(list(parts)), hashlib.sha256).hexdigest()
    return str(uuid.uuid5(_NAMESPACE, digest))


def event_id(key: str, event_type: str, fence: int = 0) -> str:
    """The id of a dispatch's event: the same whenever the same step is recorded again.

    Raises:
        UsageProblem: the key is no UUID.
    """
    try:
        return str(uuid.uuid5(uuid.UUID(key), f"{event_type}/{fence}"))
    except ValueError as error:
        raise UsageProblem("the key of a dispatch is a UUID, as dispatch_key makes it") from error


def entry_columns(body: bytes) -> dict[str, Any]:
    """The columns of ``ledger_entry`` that repeat what the body says, for queries."""
    return _columns_of(json.loads(body))


def _columns_of(envelope: Mapping[str, Any]) -> dict[str, Any]:
    event_type = str(envelope["type"]).removeprefix(ledger.TYPE_PREFIX)
    return {
        "event_id": envelope["id"],
        "event_type": event_type,
        "occurred_at": envelope["time"],
        "recorded_at": envelope["recordedtime"],
        "organization": envelope.get("organization"),
        "organization_seq": envelope.get("organizationseq"),
        "row_key": envelope["subject"] if event_type.startswith(FOLLOWED) else None,
    }


def read_entry(row: RowMapping) -> dict[str, Any]:
    """What an entry says, once the columns that were asked for beside its body are what it says.

    Raises:
        LedgerAltered: one of them is not, or it is no entry that we wrote.
    """
    try:
        envelope: dict[str, Any] = json.loads(row["body"])
        said = _columns_of(envelope)
        wrong = [name for name, value in said.items() if name in row and row[name] != value]
    except (ValueError, KeyError, TypeError, AttributeError):
        wrong = ["body"]
    if wrong:
        raise altered(row["seq"], f"its column {wrong[0]} is not what was recorded")
    return envelope


def altered(seq: int, what: str) -> LedgerAltered:
    return LedgerAltered(f"entry {seq} was altered: {what}; run the ledger's verification", seq)


def state_after(before: DispatchState | None, event_type: str, data: Mapping[str, Any]) -> DispatchState:
    """The state that an event of ``MOVES``, or a late attempt, leads to from the state before it.

    Where a person found so, the finding says which. But only a recall undoes anything: what may have left and
    is called off stays with them until then, and so does what leaves after a finding or a recall.
    """
    if event_type == LATE_ATTEMPT:
        stood = DispatchState(before or "")  # an attempt without an intent is no ledger of ours: ValueError
        return _AFTER_LATE.get(stood, stood) if data["delivery"] in _LEFT else stood
    if event_type in FINDINGS:
        state = AFTER_FINDING[Finding(data["finding"])][1]
        called_off = state is DispatchState.CANCELLED and before is not None and before.is_held
        return DispatchState.TO_RECALL if called_off else state
    return STATE_AFTER[event_type]


@dataclass(frozen=True, slots=True)
class Move:
    """An entry that moved a row. ``entry``: with its body."""

    entry: RowMapping
    before: DispatchState | None
    state: DispatchState


def history(entries: Iterable[RowMapping]) -> Iterator[Move]:
    """What moved a row, of all entries about it, in their order. A late attempt may have moved nothing."""
    state = None
    for each in entries:
        kind = each["event_type"]
        after = state_after(state, kind, json.loads(each["body"])["data"])
        if kind in MOVES or after is not state:
            yield Move(each, state, after)
        state = after


def is_disclosed(before: DispatchState | None, state: DispatchState) -> bool:
    """Whether a row stands among the disclosures: also where what may have left was voided or recalled.

    That a person found it not to have arrived is an answer to an auditor, and no reason to say nothing.
    """
    return state.is_held or (state in TAKEN_BACK and before is not None and before.is_held)


# ------------------------------------------------------------------------------------ values and rows


def to_entry(row: RowMapping) -> Entry:
    if not isinstance(row["body"], bytes):  # SQLite keeps text in a column of bytes if told to
        raise LedgerAltered(f"entry {row['seq']} was altered: its text is not bytes", row["seq"])
    return Entry(row["seq"], row["event_id"], row["body"], row["leaf_hash"])


def dispatch_row(dispatch: Dispatch) -> dict[str, Any]:
    """As text and numbers only: what is in the row is what its entry commits to."""
    return {name: getattr(dispatch, name) for name in ("key", *EXTRACT)} | {
        "urgency": dispatch.urgency.value,
        "level": dispatch.level.label,
        "method": dispatch.method.value,
        "columns": _text(list(dispatch.columns)),
        "indicators": _text(list(dispatch.indicators)),
        "grain": dispatch.grain.value,
    }


def publication_row(publication: Publication) -> dict[str, Any]:
    return {
        "organization": PUBLIC_ORGANIZATION,
        "agreement": None,
        "urgency": None,
        "purpose": PUBLICATION_METHOD,
        "dataset": publication.dataset,
        "round": publication.round,
        "level": publication.level.label,
        "columns": _text(list(publication.columns)),
        "indicators": _text(list(publication.indicators)),
        "grain": publication.grain.value,
        "rows": publication.rows,
        "method": PUBLICATION_METHOD,
        "focal_point": None,
        "policy_digest": publication.policy_digest,
        "artefact_path": publication.path,
        "artefact_sha256": publication.artefact_sha256,
    }


def state(row: RowMapping) -> DispatchState:
    try:
        return DispatchState(row["state"])
    except ValueError as error:
        raise _unreadable("dispatch") from error


def to_dispatch(row: RowMapping) -> Dispatch:
    values = {name: row[name] for name in ("key", *EXTRACT)}
    try:
        return Dispatch(
            **values
            | {
                "urgency": Urgency(row["urgency"]),
                "level": Level[row["level"].upper()],
                "method": Method(row["method"]),
                **_contents(row),
            }
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable("dispatch") from error


def standing(row: RowMapping, since: str, now: str, finding: RowMapping | None) -> Standing:
    """``since`` and ``now`` as the entries write moments."""
    return Standing(
        to_dispatch(row),
        state(row),
        since=datetime.fromisoformat(since),
        overdue=row["lease_until"] is not None and row["lease_until"] <= now,
        found_by=finding["by_focal_point"] if finding else None,
        reason=finding["reason"] if finding else None,
    )


def to_disclosure(row: RowMapping) -> Disclosure:
    values = {name: row[name] for name in ("key", *EXTRACT, "entry") if name != "artefact_path"}
    try:
        return Disclosure(
            **values
            | {
                "sent_at": datetime.fromisoformat(row["sent_at"]),
                "urgency": Urgency(row["urgency"]) if row["urgency"] else None,
                "level": Level[row["level"].upper()],
                **_contents(row),
                "state": state(row),
            }
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable("disclosure") from error


def to_ref(row: RowMapping) -> TableRef:
    try:
        return TableRef(
            row["dataset"], Stage(row["stage"]), row["round"], row["path"], row["sha256"], row["rows"]
        )
    except ValueError as error:
        raise _unreadable("registered table") from error


def to_holding(row: RowMapping, since: str, entry: int) -> Holding:
    """``row`` of a dispatch or a publication; since which moment, and which entry says so."""
    try:
        return Holding(
            dataset=row["dataset"],
            round=row["round"],
            grain=Grain(row["grain"]),
            indicators=_indicators(row["indicators"]),
            holder=row["organization"],
            since=date.fromisoformat(since[: len("2026-01-01")]),
            entry=entry,
        )
    except (ValueError, TypeError) as error:
        raise _unreadable("dispatch or publication") from error


@functools.lru_cache(maxsize=1024)
def _indicators(text: str) -> tuple[str, ...]:
    """Read once, for thousands of extracts share one text."""
    return tuple(json.loads(text))


def decision_row(record: DecisionRecord) -> dict[str, Any]:
    """Without its key.

    Raises:
        UsageProblem: profile or answer hold what JSON of ours cannot.
    """
    return {
        "agreement": record.audience.agreement,
        "urgency": record.audience.urgency.value if record.audience.urgency else None,
        "policy_digest": record.policy_digest,
        "as_of": record.as_of.isoformat(),
        "ledger_size": record.ledger_size,
        "profile": _text(_profile_json(record.profile)),
        "answer": _text(dict(record.answer)),
    }


def to_decision(row: Mapping[str, Any]) -> DecisionRecord:
    try:
        return DecisionRecord(
            profile=_to_profile(json.loads(row["profile"])),
            audience=Audience(row["agreement"], Urgency(row["urgency"]) if row["urgency"] else None),
            policy_digest=row["policy_digest"],
            as_of=date.fromisoformat(row["as_of"]),
            ledger_size=row["ledger_size"],
            answer=json.loads(row["answer"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable("decision") from error


def _profile_json(profile: TableProfile) -> dict[str, Any]:
    return asdict(profile) | {
        "headers": [[each.position, each.name, each.question, each.key] for each in profile.headers],
        "evidence": [[each.grain, each.why, each.column] for each in profile.evidence],
    }


def _to_profile(value: Mapping[str, Any]) -> TableProfile:
    return TableProfile(
        **{
            **value,
            "headers": tuple(Header(*each) for each in value["headers"]),
            "stage": Stage(value["stage"]) if value["stage"] else None,
            "evidence": tuple(GrainEvidence(Grain(grain), *rest) for grain, *rest in value["evidence"]),
            "aggregated_to": Grain(value["aggregated_to"]) if value["aggregated_to"] else None,
        }
    )


def one_line(reason: str) -> str:
    """What a person gives as a reason, on one line.

    Raises:
        UsageProblem: there are no words in it, or it is not text.
    """
    words = " ".join(reason.split())
    if not words:
        raise UsageProblem("A finding needs its reason: say how it is known, e.g. who was called, and when")
    try:
        words.encode()
    except UnicodeEncodeError as error:
        raise UsageProblem("The reason is not text in UTF-8: check the terminal's encoding") from error
    return words


def _contents(row: RowMapping) -> dict[str, Any]:
    """What is in an extract, out of its row."""
    return {
        "columns": tuple(json.loads(row["columns"])),
        "indicators": tuple(json.loads(row["indicators"])),
        "grain": Grain(row["grain"]),
    }


def _text(value: Any) -> str:
    return ledger.canonical_json(value).decode()


def _unreadable(kind: str) -> LedgerAltered:
    return LedgerAltered(f"a {kind} in the ledger's database cannot be read; run the ledger's verification")
