"""The ledger's rows: how a dispatch, a publication and a table become rows, and what an entry says of each.

A row can be edited by whoever holds the file, an entry cannot. So the entry holds in the open what its
partner may see, and a salted commitment to everything else that stands in the row.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Table

from dtm_sharing import ledger
from dtm_sharing.errors import LedgerAltered, UsageProblem
from dtm_sharing.model import (
    Delivery,
    Disclosure,
    Dispatch,
    DispatchState,
    Entry,
    Finding,
    Level,
    Method,
    Publication,
    Stage,
    TableRef,
    Urgency,
)
from dtm_sharing.stores import ledger_tables as tables

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
}
AFTER_DELIVERY: Mapping[Delivery, str] = {
    Delivery.SENT: "dispatch.sent",
    Delivery.FAILED: "dispatch.failed",
    Delivery.NOT_SENT: "dispatch.deferred",
    Delivery.OUTCOME_UNKNOWN: "dispatch.outcome_unknown",
}
# A person's finding: the event that says so, and the state that follows.
AFTER_FINDING: Mapping[Finding, tuple[str, DispatchState]] = {
    Finding.ARRIVED: ("dispatch.reconciled", DispatchState.SENT),
    Finding.NOT_ARRIVED: ("dispatch.voided", DispatchState.NOT_ARRIVED),
    Finding.CANCELLED: ("dispatch.voided", DispatchState.CANCELLED),
}
FINDINGS = tuple(sorted({kind for kind, _ in AFTER_FINDING.values()}))
MOVES = frozenset({*STATE_AFTER, *FINDINGS})  # all that changes the state of a row
VOID = frozenset({DispatchState.NOT_ARRIVED, DispatchState.CANCELLED})
# Types that stand for a change of a row; an entry of one without its row would be a lie.
RESERVED = frozenset({*MOVES, "dispatch.late_attempt", "table.registered"})
FOLLOWED = ("dispatch.", "release.announced", "release.published")  # their subject is the key of a row

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
    "rows",
    "method",
    "focal_point",
    "policy_digest",
    "artefact_path",
    "artefact_sha256",
)


@dataclass(frozen=True, slots=True)
class Projection:
    """Rows that an event type makes: which fields its entry shows, and to which it only commits.

    Column names and small counts can be sensitive, so they are sealed; bare hashes are searchable, so
    digests are sealed as well (notes on the ledger's privacy: ``docs/decisions``). ``person``: the columns
    with organization and id of the focal point whom the entry names by a random id.
    """

    event_types: tuple[str, ...]
    table: Table
    shown: tuple[str, ...]
    sealed: tuple[str, ...]
    person: tuple[str, str] | None = None

    def data(
        self, row: Mapping[str, Any], salts: Mapping[str, bytes], ledger_salt: bytes, pid: str | None
    ) -> dict[str, Any]:
        """What the entry of a row says; made when it is written, and again when it is verified."""
        seals = {name: ledger.commitment(str(row[name]).encode(), salts[name]).hex() for name in self.sealed}
        data = {name: row[name] for name in self.shown} | {"sealed": seals}
        if "columns" in self.sealed:
            data["columns_id"] = keyed_id(ledger_salt, "columns", row["columns"])
        if self.person:
            data["person"] = pid
        return data


DISPATCH = Projection(
    ("dispatch.intent",),
    tables.dispatch,
    # The entry goes with the message as a receipt: it shows what the message's own text says, and no more.
    shown=("agreement", "method"),
    sealed=(
        "urgency",
        "purpose",
        "dataset",
        "round",
        "level",
        "columns",
        "rows",
        "focal_point",
        "policy_digest",
        "artefact_path",
        "artefact_sha256",
    ),
    person=("organization", "focal_point"),
)
PUBLICATION = Projection(
    ("release.announced",),
    tables.disclosure,
    shown=("agreement", "urgency", "purpose", "dataset", "round", "level", "method", "focal_point"),
    sealed=("columns", "rows", "policy_digest", "artefact_path", "artefact_sha256"),
)
TABLE = Projection(
    ("table.registered",),
    tables.registered_table,
    shown=("dataset", "stage", "round", "number"),
    sealed=("path", "sha256", "rows"),
)
FINDING = Projection(
    FINDINGS,
    tables.finding,
    shown=("finding", "by_organization"),
    sealed=("by_focal_point", "reason"),  # what a person writes may name people
    person=("by_organization", "by_focal_point"),
)
PROJECTIONS = (DISPATCH, PUBLICATION, TABLE, FINDING)


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
    envelope = json.loads(body)
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


def state_after(event_type: str, data: Mapping[str, Any]) -> DispatchState:
    """The state that an event of ``MOVES`` leads to; of what was voided, its finding says which."""
    if event_type in FINDINGS:
        return AFTER_FINDING[Finding(data["finding"])][1]
    return STATE_AFTER[event_type]


def is_disclosed(before: DispatchState | None, state: DispatchState) -> bool:
    """Whether a dispatch stands among the disclosures: also where what may have left was voided.

    That a person found it not to have arrived is an answer to an auditor, and no reason to say nothing.
    """
    return state.is_held or (state in VOID and before is not None and before.is_held)


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
        "columns": _columns_text(dispatch.columns),
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
        "columns": _columns_text(publication.columns),
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
                "columns": tuple(json.loads(row["columns"])),
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
    values = {name: row[name] for name in (*EXTRACT, "entry") if name != "artefact_path"}
    try:
        return Disclosure(
            **values
            | {
                "sent_at": datetime.fromisoformat(row["sent_at"]),
                "urgency": Urgency(row["urgency"]) if row["urgency"] else None,
                "level": Level[row["level"].upper()],
                "columns": tuple(json.loads(row["columns"])),
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


def _columns_text(columns: tuple[str, ...]) -> str:
    return ledger.canonical_json(list(columns)).decode()


def _unreadable(kind: str) -> LedgerAltered:
    return LedgerAltered(f"a {kind} in the ledger's database cannot be read; run the ledger's verification")
