"""The ledger's database: every entry, and the outbox that never sends one message twice.

State and entry change in one transaction, so that neither can be without the other. What may have left is
never sent again without a person. Protocol, formats and measurements: ``docs/decisions``.
"""

from __future__ import annotations

import functools
import itertools
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from dtm_sharing import ledger
from dtm_sharing.errors import LedgerAltered, StoreFailed, UsageProblem
from dtm_sharing.model import (
    Disclosure,
    Dispatch,
    DispatchState,
    Entry,
    Event,
    Finding,
    FocalPoint,
    Method,
    Publication,
    Receipt,
    Stage,
    TableRef,
)
from dtm_sharing.stores import ledger_proofs as proofs
from dtm_sharing.stores import ledger_rows as rows
from dtm_sharing.stores import ledger_tables as tables
from dtm_sharing.stores.ledger_audit import Verified, audit
from dtm_sharing.stores.ledger_rows import Standing
from dtm_sharing.stores.ledger_tables import LedgerFile, make_file, sqlite_path

# Channels that cannot be asked afterwards whether they have a message. The others are: recover, then look.
OPAQUE = frozenset({Method.EXCEL_EMAIL, Method.DOCUMENT_EMAIL, Method.TELEPHONE})


class DispatchBusy(StoreFailed):
    """Another try of the same dispatch is at work and its lease holds. Try again later."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to make one attempt. ``recover``: an earlier one was cut off; look before sending."""

    key: str
    fence: int
    recover: bool = False


class Ledger:
    """A ledger in a SQLite file.

    Args:
        location: path, or ``sqlite:///path``. A new file is made with mode 0600, its folder with 0700.
        create: False: the ledger must be there already.
        clock: the time of recording, with its zone.
        random_bytes: that many unpredictable bytes, for nonces and salts.
        signing_key: ``PRIVATE+KEY+…``; without it there are no checkpoints and no receipts.
        origin: the name of a new ledger; the signing key's name by default.

    Raises:
        StoreFailed: the file is missing, unreadable, or not a ledger.
        UsageProblem: the key signs for another ledger, or the URL is not SQLite's.
    """

    def __init__(  # noqa: PLR0913 - the edges of a store: place, time, chance and key
        self,
        location: str | Path,
        *,
        create: bool = True,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        signing_key: str | None = None,
        origin: str | None = None,
    ) -> None:
        self._clock = clock
        self._random = random_bytes
        self._signing_key = signing_key
        self._verifier_key = ledger.verifier_key(signing_key) if signing_key else None
        name = ledger.key_name(self._verifier_key) if self._verifier_key else None
        path = sqlite_path(location)
        if not os.access(path, os.F_OK):
            if not create:
                raise StoreFailed(f"there is no ledger at {path}; check the path, or run a round first")
            make_file(path, functools.partial(self._fill, origin or name))
        self._file = LedgerFile(path)
        self._origin, self._salt = self._meta()
        if name and name != self._origin:
            raise UsageProblem(f"the signing key is for the ledger {name}, but this is {self._origin}")

    def _fill(self, origin: str | None, file: LedgerFile) -> None:
        name = origin or f"dtm-sharing.example.org/{self._random(8).hex()}"
        salt = self._random(ledger.SALT_BYTES)
        file.write_ahead()
        with file.writing() as connection:
            file.make_tables(connection)
            connection.execute(
                tables.meta.insert().values(id=1, format=ledger.FORMAT, origin=name, salt=salt)
            )
            connection.execute(tables.head.insert().values(id=1, size=0, frontier=b""))

    def _meta(self) -> tuple[str, bytes]:
        """Origin and salt. A database of another program is found out and left as it is."""
        path = self._file.path
        with self._file.reading() as connection:
            ours = set(sa.inspect(connection).get_table_names()) >= {tables.meta.name, tables.entry.name}
            found = _one(connection, sa.select(tables.meta)) if ours else None
        if found is None:
            raise StoreFailed(
                f"{path} is not a ledger; the ledger needs a file of its own, so check the path"
            )
        if found["format"] != ledger.FORMAT:
            raise StoreFailed(f"{path} has format {found['format']}; this version reads {ledger.FORMAT}")
        return found["origin"], found["salt"]

    @property
    def origin(self) -> str:
        """The ledger's name, first line of its checkpoints and ``source`` of its entries."""
        return self._origin

    @property
    def size(self) -> int:
        """How many entries it has."""
        with self._file.reading() as connection:
            return int(connection.execute(sa.select(tables.head.c.size)).scalar_one())

    def close(self) -> None:
        """Let go of the file, so that it is whole and can be copied. Any later use opens it again."""
        self._file.close()

    # ----------------------------------------------------------------------------------------- events

    def record(self, event: Event) -> Entry:
        """Append an event. The same event again changes nothing and gives the entry it already has.

        Raises:
            UsageProblem: the event holds what an entry cannot, or is one that only a dispatch may cause.
        """
        return self.record_all((event,))[0]

    def record_all(self, events: Iterable[Event]) -> tuple[Entry, ...]:
        """Append several in one transaction: all of them, or none. One fsync, so it is as quick as one."""
        events = tuple(events)
        for event in events:
            if event.type in rows.RESERVED:
                raise UsageProblem(
                    f"{event.type} is not recorded by hand; use intend, claim, conclude, settle, publish or "
                    "register"
                )
        with self._file.writing() as connection:
            return tuple(self._append(connection, self._event_id(event), event) for event in events)

    def entries(self, event_type: str | None = None) -> tuple[Entry, ...]:
        """The entries in order; those of one type, e.g. ``release.denied``, if it is given."""
        query = sa.select(tables.entry).order_by(tables.entry.c.seq)
        if event_type:
            query = query.where(tables.entry.c.event_type == event_type)
        with self._file.reading() as connection:
            return tuple(rows.to_entry(row) for row in connection.execute(query).mappings())

    def _event_id(self, event: Event) -> str:
        return rows.keyed_id(
            self._salt,
            "event",
            event.type,
            event.subject,
            ledger.timestamp(event.occurred_at),
            event.organization,
            dict(event.data),
        )

    def _append(self, connection: Connection, event_id: str, event: Event) -> Entry:
        """The one place where the ledger grows. A replay, known by its id, is a no-op."""
        if found := _entry_of(connection, event_id):
            return found
        stamp = ledger.Stamp(
            event_id=event_id,
            origin=self._origin,
            recorded_at=self._clock(),
            organization_seq=_next_organization_seq(connection, event.organization),
            nonce=self._random(ledger.NONCE_BYTES),
        )
        body = ledger.entry_body(event, stamp)
        frontier = proofs.frontier(connection)
        entry = Entry(frontier.size, event_id, body, ledger.leaf_hash(body))
        grown, added = frontier.append(entry.leaf_hash)
        first = ledger.stored_count(frontier.size)
        connection.execute(
            tables.entry.insert().values(
                seq=entry.seq, leaf_hash=entry.leaf_hash, body=body, **rows.entry_columns(body)
            )
        )
        connection.execute(
            tables.node.insert(), [{"id": first + i, "hash": each} for i, each in enumerate(added)]
        )
        connection.execute(tables.head.update().values(size=grown.size, frontier=b"".join(grown.peaks)))
        return entry

    # --------------------------------------------------------------------------------------- dispatches

    def dispatch_key(  # noqa: PLR0913 - all that makes a dispatch that one and no other
        self,
        *,
        agreement: str,
        dataset: str,
        round_: str,
        extract: str,
        focal_point: str,
        method: Method,
        resend: int = 0,
    ) -> str:
        """The key of this extract for this person: the same for every retry, another for a resend.

        Args:
            agreement: agreement and urgency, as ``str(audience)`` writes them.
            dataset: its id.
            round_: the round.
            extract: digest of the extract's names and cells, so that corrected data are another dispatch and
                an edited policy file is not.
            focal_point: id of the recipient.
            method: how it is sent.
            resend: how many times a person has decided to send it again.

        Returns: a UUIDv5 over an HMAC under the ledger's salt, so that it tells an outsider nothing.
        """
        table = [dataset, round_, extract]
        return rows.keyed_id(self._salt, "dispatch", agreement, table, focal_point, method, resend)

    def current_key(  # noqa: PLR0913 - as dispatch_key
        self,
        *,
        agreement: str,
        dataset: str,
        round_: str,
        extract: str,
        focal_point: str,
        method: Method,
    ) -> str:
        """The key under which this extract goes to this person now: ``dispatch_key`` with its resend number.

        That is the number of dispatches of it that a person found not to have arrived. All who ask before
        somebody finds so again get the same key; what was cancelled keeps its key, and is never sent.
        """
        numbered = functools.partial(
            self.dispatch_key,
            agreement=agreement,
            dataset=dataset,
            round_=round_,
            extract=extract,
            focal_point=focal_point,
            method=method,
        )
        keys = (numbered(resend=number) for number in itertools.count())
        with self._file.reading() as connection:
            return next(key for key in keys if not _did_not_arrive(connection, key))

    def intend(self, dispatch: Dispatch, now: datetime) -> Dispatch:
        """Record that this is to be sent, before anything is (T1).

        Returns: the dispatch as recorded; an earlier one with this key stays as it is, with its artefact.

        Raises:
            UsageProblem: the key is no UUID.
        """
        values = rows.dispatch_row(dispatch)
        with self._file.writing() as connection:
            if found := _one(connection, _dispatch_query(dispatch.key)):
                return rows.to_dispatch(found)
            connection.execute(
                tables.dispatch.insert().values(**values, state=DispatchState.NEW.value, fence=0)
            )
            data = self._seal(connection, rows.DISPATCH, values)
            event = Event("dispatch.intent", dispatch.key, now, dispatch.organization, data)
            self._append(connection, rows.event_id(dispatch.key, event.type, 0), event)
        return dispatch

    def find(self, key: str) -> tuple[Dispatch, DispatchState] | None:
        """The dispatch of this key and how it stands, if it was ever intended."""
        with self._file.reading() as connection:
            row = _one(connection, _dispatch_query(key))
        return (rows.to_dispatch(row), rows.state(row)) if row else None

    def claim(
        self, key: str, now: datetime, lease: timedelta, try_number: int | None = None
    ) -> Claim | DispatchState:
        """Take the right to send it now (T2).

        Returns: a claim that must be concluded; or a state, and then there is nothing to send. Where an
        earlier try by mail or telephone was cut off, that is "outcome unknown": it may have left.

        Raises:
            DispatchBusy: another try is at work.
            UsageProblem: there is no dispatch of this key.
        """
        with self._file.writing() as connection:
            row = _needed(connection, key)
            state = rows.state(row)
            if state not in {DispatchState.NEW, DispatchState.SENDING}:
                return state
            recover = state is DispatchState.SENDING
            if recover and ledger.timestamp(now) < row["lease_until"]:
                raise DispatchBusy(f"dispatch {key} is being sent by another try; try again after its lease")
            if recover and row["method"] in OPAQUE:
                data = {"fence": row["fence"], "detail": "The try was cut off; the message may have left."}
                return self._advance(connection, row, "dispatch.outcome_unknown", now, data)
            claim = Claim(key, row["fence"] + 1, recover)
            data = {
                "fence": claim.fence,
                "recover": recover,
                "lease_until": ledger.timestamp(now + lease),
                **({} if try_number is None else {"try_number": try_number}),
            }
            self._advance(connection, row, "dispatch.attempt", now, data)
            return claim

    def settle(self, key: str, finding: Finding, by: FocalPoint, reason: str, now: datetime) -> DispatchState:
        """Record what a person found out about a dispatch, and give the state that it is in from now on.

        It ends the dispatch. After ``NOT_ARRIVED`` the next run of the pathway sends it under another key;
        after ``CANCELLED`` nobody does. A task that still waits for the mail server changes nothing any more.

        Args:
            key: of a dispatch whose outcome is unknown, that failed, that is waiting (but not to say that it
                arrived), or whose sending was cut off.
            finding: what was found.
            by: who found it, or decided it.
            reason: how they know, in their words. It stays beside the ledger; an entry only commits to it.
            now: when.

        Raises:
            DispatchBusy: a task is sending it, and its lease holds.
            UsageProblem: there is no such dispatch, it has come to its end, or there is no reason.
        """
        words = rows.one_line(reason)
        with self._file.writing() as connection:
            row = _needed(connection, key)
            _check_may_settle(row, finding, now)
            tables.finding.create(connection, checkfirst=True)
            found = {
                "key": key,
                "finding": finding.value,
                "by_organization": by.organization,
                "by_focal_point": by.id,
                "reason": words,
            }
            connection.execute(tables.finding.insert().values(**found))
            data = {"fence": row["fence"], **self._seal(connection, rows.FINDING, found)}
            kind, _ = rows.AFTER_FINDING[finding]
            return self._advance(connection, row, kind, now, data)

    def conclude(self, claim: Claim, receipt: Receipt, now: datetime) -> DispatchState:
        """Record what came of an attempt (T3), and give the state that the dispatch is in now.

        An attempt that is no longer the valid one changes no state: ``dispatch.late_attempt`` says what it
        reported, for the person who finds out.
        """
        data: dict[str, Any] = {"fence": claim.fence, "detail": receipt.detail}
        if receipt.remote_id is not None:
            data["remote_id"] = receipt.remote_id
        kind = rows.AFTER_DELIVERY[receipt.delivery]
        with self._file.writing() as connection:
            row = _needed(connection, claim.key)
            state = rows.state(row)
            if _entry_of(connection, rows.event_id(claim.key, kind, claim.fence)):
                return state
            if state is DispatchState.SENDING and row["fence"] == claim.fence:
                return self._advance(connection, row, kind, now, data)
            late = Event(
                "dispatch.late_attempt",
                claim.key,
                now,
                row["organization"],
                {**data, "delivery": receipt.delivery.value},
            )
            self._append(connection, rows.event_id(claim.key, late.type, claim.fence), late)
            return state

    def _advance(
        self, connection: Connection, row: RowMapping, kind: str, now: datetime, data: Mapping[str, Any]
    ) -> DispatchState:
        """Append what happened to a dispatch, and move its row and its disclosure along."""
        key, state = row["key"], rows.state_after(kind, data)
        event = Event(kind, key, now, row["organization"], data)
        entry = self._append(connection, rows.event_id(key, kind, data["fence"]), event)
        moved = {"state": state.value, "fence": data["fence"], "lease_until": data.get("lease_until")}
        _update(connection, tables.dispatch, key, moved)
        connection.execute(tables.disclosure.delete().where(tables.disclosure.c.key == key))
        if rows.is_disclosed(rows.state(row), state):
            extract = {name: row[name] for name in ("key", *rows.EXTRACT)}
            # It left when the machine says that it may have, not when a person found out.
            held = _held(state, entry) | {"sent_at": _last_move(connection, key, rows.STATE_AFTER)}
            connection.execute(tables.disclosure.insert().values(**extract, **held))
        return state

    def dispatches(self, now: datetime, organization: str | None = None) -> tuple[Standing, ...]:
        """Every dispatch, or those to one organization, and how each stands; the longest unchanged first."""
        query = sa.select(tables.dispatch).order_by(tables.dispatch.c.key)
        if organization is not None:
            query = query.where(tables.dispatch.c.organization == organization)
        moment = ledger.timestamp(now)
        with self._file.reading() as connection:
            found = connection.execute(query).mappings().all()
            since = {row["key"]: _last_move(connection, row["key"], rows.MOVES) for row in found}
            findings = _findings(connection)
        standings = (rows.standing(row, since[row["key"]], moment, findings.get(row["key"])) for row in found)
        return tuple(sorted(standings, key=lambda each: each.since))

    def open_dispatches(self, now: datetime) -> tuple[Standing, ...]:
        """What somebody still has to see to: new, being sent, failed, or of unknown outcome."""
        return tuple(each for each in self.dispatches(now) if each.state.is_open)

    # ------------------------------------------------------------------------- publications, disclosures

    def announce(self, publication: Publication) -> Entry:
        """Record that a table is about to go to everyone, before its bytes are put.

        From here on the public counts as holding it, even if the next line is never reached. The same
        publication again changes nothing, and to put the same bytes again is harmless.
        """
        with self._file.writing() as connection:
            return self._announce(connection, publication, self._publication_key(publication))

    def publish(self, publication: Publication) -> Entry:
        """Record that a table went to everyone. The same one again changes nothing."""
        key = self._publication_key(publication)
        now = publication.published_at
        with self._file.writing() as connection:
            announced = self._announce(connection, publication, key)
            kind = "release.published"
            event = Event(kind, key, now, rows.PUBLIC_ORGANIZATION, {"announced": announced.seq})
            entry = self._append(connection, rows.event_id(key, kind), event)
            values = _held(rows.STATE_AFTER[kind], entry)
            _update(connection, tables.disclosure, key, values)
        return entry

    def _publication_key(self, publication: Publication) -> str:
        each = publication
        return rows.keyed_id(
            self._salt, "publication", each.dataset, each.round, each.path, each.artefact_sha256
        )

    def _announce(self, connection: Connection, publication: Publication, key: str) -> Entry:
        (kind,) = rows.PUBLICATION.event_types
        event_id = rows.event_id(key, kind)
        if found := _entry_of(connection, event_id):
            return found
        row = {"key": key, **rows.publication_row(publication)}
        data = self._seal(connection, rows.PUBLICATION, row)
        event = Event(kind, key, publication.published_at, rows.PUBLIC_ORGANIZATION, data)
        entry = self._append(connection, event_id, event)
        held = _held(rows.STATE_AFTER[kind], entry)
        connection.execute(tables.disclosure.insert().values(**row, **held))
        return entry

    def disclosures(self, organization: str | None = None, year: int | None = None) -> tuple[Disclosure, ...]:
        """What an organisation received, or may have: ``state`` says which. In the order of time.

        "public" is the organisation of what was published. ``year`` is counted in UTC.
        """
        query = sa.select(tables.disclosure)
        if organization is not None:
            query = query.where(tables.disclosure.c.organization == organization)
        if year is not None:
            sent_at = tables.disclosure.c.sent_at
            query = query.where(sent_at >= f"{year:04d}-", sent_at < f"{year + 1:04d}-")
        query = query.order_by(tables.disclosure.c.sent_at, tables.disclosure.c.entry)
        with self._file.reading() as connection:
            return tuple(rows.to_disclosure(row) for row in connection.execute(query).mappings())

    # ------------------------------------------------------------------------------ tables of the rounds

    def register(self, ref: TableRef, now: datetime) -> None:
        """Record that a stage of a round has this table. The newest one again changes nothing."""
        table = tables.registered_table
        with self._file.writing() as connection:
            newest = _one(connection, _registered_query(ref.dataset, ref.stage, ref.round))
            if newest and newest["sha256"] == ref.sha256:
                return
            number = newest["number"] + 1 if newest else 0
            key = rows.keyed_id(self._salt, "table", ref.dataset, ref.stage, ref.round, ref.sha256, number)
            values = {**asdict(ref), "stage": ref.stage.value, "key": key, "number": number}
            connection.execute(table.insert().values(**values))
            data = self._seal(connection, rows.TABLE, values)
            self._append(connection, key, Event("table.registered", key, now, None, data))

    def registered(self, dataset: str, stage: Stage, round_: str) -> TableRef | None:
        """The newest table of a stage of a round, if there is one."""
        with self._file.reading() as connection:
            row = _one(connection, _registered_query(dataset, stage, round_))
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

    # ------------------------------------------------------------------------------------------- people

    def pid(self, organization: str, focal_point: str) -> str:
        """The random id by which entries name a focal point; made on first use."""
        with self._file.writing() as connection:
            return self._pid(connection, organization, focal_point)

    def _pid(self, connection: Connection, organization: str, focal_point: str) -> str:
        table = tables.person
        query = sa.select(table.c.pid).where(
            table.c.organization == organization, table.c.focal_point == focal_point
        )
        if found := connection.execute(query).scalar():
            return str(found)
        pid = self._random(16).hex()
        connection.execute(table.insert().values(pid=pid, organization=organization, focal_point=focal_point))
        return pid

    def _seal(
        self, connection: Connection, projection: rows.Projection, row: Mapping[str, Any]
    ) -> dict[str, Any]:
        """An entry's data for a row: what may stand there in the open, and salted commitments to the rest."""
        salts = {field: self._random(ledger.SALT_BYTES) for field in projection.sealed}
        connection.execute(
            tables.sealed_field.insert(),
            [{"ref": f"{row['key']}/{field}", "salt": salt} for field, salt in salts.items()],
        )
        pid = self._pid(connection, *(row[each] for each in projection.person)) if projection.person else None
        return projection.data(row, salts, self._salt, pid)

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
            found = _entry_of(connection, rows.event_id(key, "dispatch.intent"))
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


# ------------------------------------------------------------------------------------ rows and values


def _one(connection: Connection, query: sa.Select[Any]) -> RowMapping | None:
    return connection.execute(query).mappings().first()


def _needed(connection: Connection, key: str) -> RowMapping:
    row = _one(connection, _dispatch_query(key))
    if row is None:
        raise UsageProblem(f"the ledger knows no dispatch {key}; it must be intended first")
    return row


def _dispatch_query(key: str) -> sa.Select[Any]:
    return sa.select(tables.dispatch).where(tables.dispatch.c.key == key)


def _did_not_arrive(connection: Connection, key: str) -> bool:
    row = _one(connection, _dispatch_query(key))
    return row is not None and rows.state(row) is DispatchState.NOT_ARRIVED


def _check_may_settle(row: RowMapping, finding: Finding, now: datetime) -> None:
    key, state = row["key"], rows.state(row)
    if not state.is_open:
        raise UsageProblem(f"dispatch {key} is {state}: it has come to its end, and nothing is to be settled")
    if state is DispatchState.SENDING and ledger.timestamp(now) < row["lease_until"]:
        raise DispatchBusy(
            f"dispatch {key} is being sent: what comes of it is known by {row['lease_until']}; settle it then"
        )
    if state is DispatchState.NEW and finding is Finding.ARRIVED:
        raise UsageProblem(f"dispatch {key} is new: it has certainly not left, so it cannot have arrived")


def _last_move(connection: Connection, key: str, kinds: Iterable[str]) -> str:
    """When the last event of these kinds happened to a dispatch."""
    entry = tables.entry.c
    query = sa.select(entry.occurred_at).where(entry.row_key == key, entry.event_type.in_(list(kinds)))
    moment = connection.execute(query.order_by(entry.seq.desc()).limit(1)).scalar()
    if moment is None:
        raise LedgerAltered("a dispatch has no entry; run the ledger's verification")
    return str(moment)


def _findings(connection: Connection) -> dict[str, RowMapping]:
    if not tables.has_findings(connection):
        return {}
    found = connection.execute(sa.select(tables.finding)).mappings()
    return {row["key"]: row for row in found}


def _registered_query(dataset: str, stage: Stage, round_: str) -> sa.Select[Any]:
    table = tables.registered_table
    return (
        sa.select(table)
        .where(table.c.dataset == dataset, table.c.stage == stage.value, table.c.round == round_)
        .order_by(table.c.number.desc())
        .limit(1)
    )


def _entry_of(connection: Connection, event_id: str) -> Entry | None:
    row = _one(connection, sa.select(tables.entry).where(tables.entry.c.event_id == event_id))
    return rows.to_entry(row) if row else None


def _update(connection: Connection, table: sa.Table, key: str, values: Mapping[str, Any]) -> None:
    connection.execute(table.update().where(table.c.key == key).values(**values))


def _held(state: DispatchState, entry: Entry) -> dict[str, Any]:
    """What a disclosure says beyond the extract: that they have it, or may, since when, by which entry."""
    return {
        "state": state.value,
        "sent_at": rows.entry_columns(entry.body)["occurred_at"],
        "entry": entry.seq,
    }


def _next_organization_seq(connection: Connection, organization: str | None) -> int | None:
    if organization is None:
        return None
    numbers = tables.entry.c.organization_seq
    query = sa.select(sa.func.max(numbers)).where(tables.entry.c.organization == organization)
    last = connection.execute(query).scalar()
    return 0 if last is None else int(last) + 1
