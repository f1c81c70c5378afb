"""The book that a ledger is: a SQLite file to which entries are added, and the one place where it grows.

What is recorded in it, and the rows that go with it, are its chapters: ``outbox``, ``ledger_disclosures``,
``ledger_policies``, ``ledger_decisions``. ``database.Ledger`` is all of them together.
"""

from __future__ import annotations

import functools
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from dtm_sharing import ledger
from dtm_sharing.errors import StoreFailed, UsageProblem
from dtm_sharing.model import Entry, Event
from dtm_sharing.stores import ledger_proofs as proofs
from dtm_sharing.stores import ledger_rows as rows
from dtm_sharing.stores import ledger_tables as tables
from dtm_sharing.stores.ledger_projections import Projection
from dtm_sharing.stores.ledger_tables import LedgerFile, make_file, sqlite_path


class Book:
    """A ledger's file and entries; a ``Ledger`` is opened, never this alone.

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
            found = one(connection, sa.select(tables.meta)) if ours else None
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
            return size(connection)

    def close(self) -> None:
        """Let go of the file, so that it is whole and can be copied. Any later use opens it again."""
        self._file.close()

    # ----------------------------------------------------------------------------------------- events

    def record(self, event: Event) -> Entry:
        """Append an event. The same event again changes nothing and gives the entry it already has.

        Raises:
            UsageProblem: the event holds what an entry cannot, or is one that stands for a row of its own.
        """
        return self.record_all((event,))[0]

    def record_all(self, events: Iterable[Event]) -> tuple[Entry, ...]:
        """Append several in one transaction: all of them, or none. One fsync, so it is as quick as one."""
        events = tuple(events)
        for event in events:
            if event.type in rows.RESERVED:
                raise UsageProblem(
                    f"{event.type} is not recorded by hand, for a row goes with it: use record_decision, "
                    "keep_policy, register, or what moves a dispatch or a publication"
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
        if found := entry_of(connection, event_id):
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

    def _seal(self, connection: Connection, projection: Projection, row: Mapping[str, Any]) -> dict[str, Any]:
        """An entry's data for a row: what may stand there in the open, and salted commitments to the rest."""
        salts = {field: self._random(ledger.SALT_BYTES) for field in projection.sealed}
        connection.execute(
            tables.sealed_field.insert(),
            [{"ref": f"{row['key']}/{field}", "salt": salt} for field, salt in salts.items()],
        )
        pid = self._pid(connection, *(row[each] for each in projection.person)) if projection.person else None
        return projection.data(row, salts, self._salt, pid)

    # ----------------------------------------------------------------------------------------- people

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


# ------------------------------------------------------------------------------ what every chapter asks for


def one(connection: Connection, query: sa.Select[Any]) -> RowMapping | None:
    return connection.execute(query).mappings().first()


def size(connection: Connection) -> int:
    return int(connection.execute(sa.select(tables.head.c.size)).scalar_one())


def entry_of(connection: Connection, event_id: str) -> Entry | None:
    row = one(connection, sa.select(tables.entry).where(tables.entry.c.event_id == event_id))
    return rows.to_entry(row) if row else None


def update(connection: Connection, table: sa.Table, key: str, values: Mapping[str, Any]) -> None:
    connection.execute(table.update().where(table.c.key == key).values(**values))


def _next_organization_seq(connection: Connection, organization: str | None) -> int | None:
    if organization is None:
        return None
    numbers = tables.entry.c.organization_seq
    query = sa.select(sa.func.max(numbers)).where(tables.entry.c.organization == organization)
    last = connection.execute(query).scalar()
    return 0 if last is None else int(last) + 1
