"""The ledger's database: every entry, and what stands beside it. Protocol and formats: ``docs/decisions``."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dtm_sharing.errors import UsageProblem
from dtm_sharing.model import Entry, Event, Stage, TableRef
from dtm_sharing.stores import ledger_proofs as proofs
from dtm_sharing.stores import ledger_rows as rows
from dtm_sharing.stores import ledger_tables as tables
from dtm_sharing.stores.ledger_audit import Verified, audit
from dtm_sharing.stores.ledger_book import entry_of, one
from dtm_sharing.stores.ledger_decisions import Decisions
from dtm_sharing.stores.ledger_policies import Policies
from dtm_sharing.stores.ledger_projections import TABLE
from dtm_sharing.stores.outbox import Outbox


class Ledger(Outbox, Policies, Decisions):
    """A ledger in a SQLite file. How it is opened: ``Book``."""

    # ------------------------------------------------------------------------------ tables of the rounds

    def register(self, ref: TableRef, now: datetime) -> None:
        """Record that a stage of a round has this table. The newest one again changes nothing."""
        table = tables.registered_table
        with self._file.writing() as connection:
            newest = one(connection, _registered_query(ref.dataset, ref.stage, ref.round))
            if newest and newest["sha256"] == ref.sha256:
                return
            number = newest["number"] + 1 if newest else 0
            key = rows.keyed_id(self._salt, "table", ref.dataset, ref.stage, ref.round, ref.sha256, number)
            values = {**asdict(ref), "stage": ref.stage.value, "key": key, "number": number}
            connection.execute(table.insert().values(**values))
            data = self._seal(connection, TABLE, values)
            self._append(connection, key, Event("table.registered", key, now, None, data))

    def registered(self, dataset: str, stage: Stage, round_: str) -> TableRef | None:
        """The newest table of a stage of a round, if there is one."""
        with self._file.reading() as connection:
            row = one(connection, _registered_query(dataset, stage, round_))
        return rows.to_ref(row) if row else None

    def rounds(self, dataset: str, stage: Stage) -> tuple[tuple[TableRef, datetime], ...]:
        """The newest table of every round that has reached a stage, and when it first did; by round."""
        table, entry = tables.registered_table, tables.entry
        query = (
            sa.select(table, entry.c.occurred_at)
            .join(entry, entry.c.event_id == table.c.key)
            .where(table.c.dataset == dataset, table.c.stage == stage.value)
            .order_by(table.c.round, table.c.number)
        )
        with self._file.reading() as connection:
            found = connection.execute(query).mappings().all()
        reached = {row["round"]: row["occurred_at"] for row in reversed(found)}
        newest = {row["round"]: rows.to_ref(row) for row in found}
        return tuple((ref, datetime.fromisoformat(reached[round_])) for round_, ref in newest.items())

    # ---------------------------------------------------------------------------- checkpoints, receipts

    def checkpoint(self, now: datetime) -> str | None:
        """Sign the ledger as it is: a note to give away, for whoever holds it can show later alterations.

        Returns: the signed note, the earlier one if nothing was added; None for an empty ledger, or without
        a signing key.

        Raises:
            LedgerAltered: the ledger does not extend its last checkpoint. Then nothing is signed.
        """
        if self._signing_key is None:
            return None
        with self._file.writing() as connection:
            return proofs.sign(connection, self._origin, self._signing_key, now)

    def receipt(self, key: str, now: datetime | None = None) -> str:
        """A ``tlog-proof@v1`` that the intent of this dispatch is in the ledger; goes with the package.

        A checkpoint is signed, at ``now``, if the newest one does not cover the entry.

        Raises:
            UsageProblem: there is no such dispatch, or no key to sign with.
            LedgerAltered: the ledger cannot prove its own entry.
        """
        return self._prove(self._intent(key), now or self._clock())

    def entry_bytes(self, key: str) -> bytes:
        """The exact bytes that ``receipt`` proves: ``entry.json`` beside the package."""
        return self._intent(key).body

    def receipt_files(self, key: str, now: datetime) -> tuple[tuple[str, str, bytes], ...]:
        """Entry and receipt as (name, media type, content), to go with the package. Raises as ``receipt``."""
        intent = self._intent(key)
        return (
            ("entry.json", "application/json", intent.body),
            ("entry.tlog-proof", "text/plain", self._prove(intent, now).encode()),
        )

    def newest_checkpoint(self) -> str | None:
        """The newest signed note, as it is kept: to give away. None if none was signed yet. Needs no key."""
        with self._file.reading() as connection:
            return proofs.newest_note(connection, covering=-1)

    def _intent(self, key: str) -> Entry:
        with self._file.reading() as connection:
            found = entry_of(connection, rows.event_id(key, "dispatch.intent"))
        if found is None:
            raise UsageProblem(f"the ledger knows no dispatch {key}")
        return found

    def _prove(self, entry: Entry, now: datetime) -> str:
        with self._file.reading() as connection:
            note = proofs.newest_note(connection, covering=entry.seq)
        note = note or self.checkpoint(now)
        if note is None:
            raise UsageProblem(
                "a receipt needs a checkpoint, but the ledger was opened without its signing key"
            )
        with self._file.reading() as connection:
            return proofs.prove(connection, entry, note).text

    def verify(
        self, verifier_key: str | None = None, checkpoint: str | None = None, receipt: str | None = None
    ) -> Verified:
        """Prove the ledger unaltered: every entry, hash, number, checkpoint, and the rows drawn from them.

        Args:
            verifier_key: checks the signatures of the checkpoints, the one given included.
            checkpoint: one that somebody outside has kept. Only such a one shows a tree rebuilt as a whole.
            receipt: likewise, and it names the entry.

        Raises:
            LedgerAltered: it is altered; ``entry`` is the number of the first entry that is wrong.
            StoreFailed: the file cannot be read.
        """
        with self._file.reading() as connection:
            return audit(connection, verifier_key, checkpoint, receipt)


def _registered_query(dataset: str, stage: Stage, round_: str) -> sa.Select[Any]:
    table = tables.registered_table
    return (
        sa.select(table)
        .where(table.c.dataset == dataset, table.c.stage == stage.value, table.c.round == round_)
        .order_by(table.c.number.desc())
        .limit(1)
    )
