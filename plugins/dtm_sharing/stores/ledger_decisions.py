"""Every decision of the gate, with all that it was made of, so that it can be made again."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from dtm_sharing import ledger, records
from dtm_sharing.errors import UsageProblem
from dtm_sharing.model import DecisionRecord, Entry, Event, Outcome
from dtm_sharing.stores import ledger_rows as rows
from dtm_sharing.stores import ledger_tables as tables
from dtm_sharing.stores.ledger_book import Book, entry_of, size
from dtm_sharing.stores.ledger_projections import DECISION


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

    def decisions(self) -> tuple[tuple[int, DecisionRecord], ...]:
        """Every decision in order, each with the number of its entry."""
        entry, decision = tables.entry.c, tables.decision
        query = sa.select(entry.seq, decision).join(decision, decision.c.key == entry.event_id)
        with self._file.reading() as connection:
            found = connection.execute(query.order_by(entry.seq)).mappings()
            return tuple((int(row["seq"]), rows.to_decision(dict(row))) for row in found)
