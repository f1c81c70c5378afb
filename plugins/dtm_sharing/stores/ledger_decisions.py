"""Every decision of the gate, with all that it was made of, so that it can be made again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from dtm_sharing import ledger, records
from dtm_sharing.errors import LedgerAltered, UsageProblem
from dtm_sharing.model import DecisionRecord, Entry, Event, Outcome
from dtm_sharing.stores import ledger_rows as rows
from dtm_sharing.stores import ledger_tables as tables
from dtm_sharing.stores.ledger_audit import check_row
from dtm_sharing.stores.ledger_book import Book, entry_of, one, size
from dtm_sharing.stores.ledger_projections import DECISION


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision as its entry tells of it, and with it the row that holds all that it was made of.

    ``subject``: dataset and round. ``altered``: why the row is not what the entry commits to; with it there
    may be no ``record``, since a row that is gone, or that cannot be read, gives none.
    """

    entry: int
    subject: str
    audience: str
    policy_digest: str
    as_of: date
    record: DecisionRecord | None
    altered: LedgerAltered | None = None


class Decisions(Book):
    """What was decided, for whom, and on what grounds."""

    def record_decision(self, record: DecisionRecord, now: datetime) -> Entry:
        """Append a decision. The same one of the same moment again gives the entry that it already has.

        The entry shows counts and kinds, and commits to profile, answer and ledger size beside it.

        Raises:
            UsageProblem: the ledger does not keep the policy, or was never of that size: then nobody could
                decide so again.
        """
        row = rows.decision_row(record)
        event_id = rows.keyed_id(self._salt, "decision", ledger.timestamp(now), row)
        with self._file.writing() as connection:
            if found := entry_of(connection, event_id):
                return found
            bundle = tables.policy_bundle.c.digest
            if not connection.execute(sa.select(bundle).where(bundle == record.policy_digest)).first():
                raise UsageProblem(
                    f"the ledger does not keep the policy {record.policy_digest}: keep it first"
                )
            if not 0 <= record.ledger_size <= size(connection):
                raise UsageProblem(f"the ledger never had {record.ledger_size} entries")
            row["key"] = event_id
            connection.execute(tables.decision.insert().values(**row))
            data = self._seal(connection, DECISION, row)
            kind = records.DECISIONS[Outcome(record.answer["outcome"])]
            subject = f"{record.profile.dataset}/{record.profile.round}"
            return self._append(connection, event_id, Event(kind, subject, now, None, data))

    def decisions(self) -> tuple[Recorded, ...]:
        """Every decision in order, as many as there are entries of them, each held against its entry.

        Raises:
            LedgerAltered: an entry cannot be read, or there are decisions without one.
        """
        entry, key = tables.entry.c, tables.decision.c.key
        query = sa.select(tables.entry).where(entry.event_type.in_(DECISION.event_types))
        strange = sa.select(sa.func.count()).where(key.not_in(sa.select(entry.event_id)))
        with self._file.reading() as connection:
            if count := connection.execute(strange).scalar_one():
                raise LedgerAltered(
                    f"the ledger's database has {count} decisions of which no entry tells; run the ledger's "
                    "verification"
                )
            entries = connection.execute(query.order_by(entry.seq)).mappings()
            return tuple(_recorded(connection, each, self._salt) for each in entries.all())


def _recorded(connection: Connection, entry: RowMapping, salt: bytes) -> Recorded:
    try:
        body = json.loads(entry["body"])
        told = body["subject"], body["data"]["audience"], body["data"]["policy_digest"]
        as_of = date.fromisoformat(body["data"]["as_of"])
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerAltered(
            f"entry {entry['seq']} was altered: it is none of a decision; run the ledger's verification",
            entry["seq"],
        ) from error
    altered = None
    try:
        check_row(connection, DECISION, entry, body, salt)
    except LedgerAltered as problem:
        altered = problem
    except (ValueError, KeyError, TypeError, AttributeError):  # SQLite keeps anything in any column
        altered = LedgerAltered("its row has not the form that we write", entry["seq"])
    return Recorded(entry["seq"], *told, as_of, _record(connection, body["id"], altered), altered)


def _record(connection: Connection, key: str, altered: LedgerAltered | None) -> DecisionRecord | None:
    """What the row holds. Only of an altered one it may be nothing."""
    row = one(connection, sa.select(tables.decision).where(tables.decision.c.key == key))
    try:
        record = None if row is None else rows.to_decision(dict(row))
    except LedgerAltered:
        if altered is None:
            raise
        return None
    return record if record is None or isinstance(record.answer, dict) else None
