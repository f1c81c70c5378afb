"""The ledger's tables, and how its SQLite file is opened.

Statements are written with SQLAlchemy Core so that PostgreSQL can take them as they are. What is SQLite's
alone stands in this file: pragmas, triggers, locking, file modes.
"""

from __future__ import annotations

import os
import random
import secrets
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from dtm_sharing.errors import StoreFailed, UsageProblem

LOCK_SECONDS = 60  # how long a writer waits for its turn
SQLITE_BUSY = 5

_tables = MetaData()
_BigKey = BigInteger().with_variant(Integer, "sqlite")  # only an INTEGER key is SQLite's own row number

# Moments are the RFC 3339 texts of the entries: text order is time order, and nothing is rounded.
meta = Table(
    "meta",
    _tables,
    Column("id", Integer, primary_key=True),
    Column("format", Integer, nullable=False),
    Column("origin", Text, nullable=False),
    Column(
        "salt", LargeBinary, nullable=False
    ),  # keys and ids are HMACs under it, so that none can be guessed
)

entry = Table(
    "ledger_entry",
    _tables,
    Column("seq", _BigKey, primary_key=True, autoincrement=False),  # from the head: a sequence leaves gaps
    Column("event_id", Text, nullable=False, unique=True),
    Column("event_type", Text, nullable=False),
    Column("occurred_at", Text, nullable=False),
    Column("recorded_at", Text, nullable=False),
    Column("organization", Text),
    Column("organization_seq", BigInteger),
    Column("row_key", Text),  # of the dispatch or publication that the entry is about
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("ledger_entry_organization", "organization", "organization_seq", unique=True),
    Index("ledger_entry_row", "row_key", "seq"),
    Index("ledger_entry_type", "event_type", "seq"),
    # What an organization holds follows from its entries: all that it takes is here, so no body is read.
    Index("ledger_entry_moves", "organization", "row_key", "seq", "event_type", "occurred_at"),
)

node = Table(
    "ledger_node",
    _tables,
    Column("id", _BigKey, primary_key=True, autoincrement=False),  # tlog.StoredHashIndex
    Column("hash", LargeBinary, nullable=False),
)

head = Table(
    "ledger_head",
    _tables,
    Column("id", Integer, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),  # roots of the perfect subtrees, 32 bytes each
)

checkpoint = Table(
    "ledger_checkpoint",
    _tables,
    Column("size", _BigKey, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
    Column("signed_at", Text, nullable=False),
)


def _extract_columns(*, public: bool) -> tuple[Column[Any], ...]:
    """What a dispatch and a disclosure say of an extract; a publication has no agreement and no person."""
    return (
        Column("organization", Text, nullable=False),
        Column("agreement", Text, nullable=public),
        Column("urgency", Text, nullable=public),
        Column("purpose", Text, nullable=False),
        Column("dataset", Text, nullable=False),
        Column("round", Text, nullable=False),
        Column("level", Text, nullable=False),
        Column("columns", Text, nullable=False),  # canonical JSON
        Column("indicators", Text, nullable=False),  # canonical JSON
        Column("grain", Text, nullable=False),
        Column("rows", BigInteger, nullable=False),
        Column("method", Text, nullable=False),
        Column("focal_point", Text, nullable=public),
        Column("policy_digest", Text, nullable=False),
        Column("artefact_path", Text, nullable=False),
        Column("artefact_sha256", Text, nullable=False),
    )


dispatch = Table(
    "dispatch",
    _tables,
    Column("key", Text, primary_key=True),
    *_extract_columns(public=False),
    Column("state", Text, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("lease_until", Text),
    Index("dispatch_state", "state"),
    Index("dispatch_organization", "organization"),
)

disclosure = Table(
    "disclosure",
    _tables,
    Column("key", Text, primary_key=True),
    *_extract_columns(public=True),
    Column("sent_at", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("entry", BigInteger, nullable=False),
    Index("disclosure_organization", "organization", "sent_at"),
)

finding = Table(
    "finding",
    _tables,
    Column("key", Text, primary_key=True),  # id of the event that says so: what arrived may be recalled later
    Column("row_key", Text, nullable=False),  # of the dispatch or publication
    Column("finding", Text, nullable=False),
    Column("by_organization", Text, nullable=False),
    Column("by_focal_point", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

decision = Table(
    "decision",
    _tables,
    Column("key", Text, primary_key=True),  # id of the event that says so
    Column("agreement", Text),  # None: for everyone
    Column("urgency", Text),
    Column("policy_digest", Text, nullable=False),
    Column("as_of", Text, nullable=False),
    Column("ledger_size", BigInteger, nullable=False),  # when what the audience holds was read
    Column("profile", Text, nullable=False),  # canonical JSON
    Column("answer", Text, nullable=False),  # canonical JSON
)

# A policy's files, each apart, so that one which names people can be erased without the others.
policy_file = Table(
    "policy_file",
    _tables,
    Column("sha256", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

policy_bundle = Table(
    "policy_bundle",
    _tables,
    Column("digest", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
)

registered_table = Table(
    "registered_table",
    _tables,
    Column("key", Text, primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("round", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),  # 0 for the first table of this dataset, stage and round
    Index("registered_table_round", "dataset", "stage", "round", "number", unique=True),
)

person = Table(
    "person",
    _tables,
    Column("pid", Text, primary_key=True),  # random: entries name people by it alone
    Column("organization", Text, nullable=False),
    Column("focal_point", Text, nullable=False),
    Index("person_focal_point", "organization", "focal_point", unique=True),
)

sealed_field = Table(
    "sealed_field",
    _tables,
    Column("ref", Text, primary_key=True),  # <key>/<field>
    Column("salt", LargeBinary, nullable=False),
)


def _append_only() -> Iterator[str]:
    """Triggers against slips of the hand. Evidence is the tree and the checkpoints held outside."""
    for name, key in (("ledger_entry", "seq"), ("ledger_node", "id"), ("ledger_checkpoint", "size")):
        for change in ("UPDATE", "DELETE"):
            yield (
                f"CREATE TRIGGER {name}_no_{change.lower()} BEFORE {change} ON {name} "
                "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
            )
        # REPLACE deletes without firing the trigger above.
        yield (
            f"CREATE TRIGGER {name}_no_replace BEFORE INSERT ON {name} "  # noqa: S608 - names from above
            f"WHEN EXISTS (SELECT 1 FROM {name} WHERE {key} = NEW.{key}) "
            "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
        )
    yield (
        "CREATE TRIGGER ledger_entry_dense BEFORE INSERT ON ledger_entry "
        "WHEN NEW.seq <> (SELECT size FROM ledger_head) "
        "BEGIN SELECT RAISE(ABORT, 'ledger entries are numbered without gaps'); END"
    )
    yield (
        "CREATE TRIGGER ledger_head_grows BEFORE UPDATE ON ledger_head WHEN NEW.size <= OLD.size "
        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
    )
    yield (
        "CREATE TRIGGER ledger_head_stays BEFORE DELETE ON ledger_head "
        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
    )


class LedgerFile:
    """The SQLite file of a ledger: gives transactions, and turns SQLite's errors into our sentences.

    Connections are kept, because SQLite's last one to close costs several fsyncs. They are dropped when
    this process turns out to be a fork, or the file another one: no entry may go into a file that is gone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        engine = sa.create_engine(
            "sqlite+pysqlite://", creator=self._connect, hide_parameters=True, poolclass=QueuePool
        )
        sa.event.listen(engine, "begin", _begin)
        self._engine = engine
        self._reader = engine.execution_options(read_only=True)
        self._opened = self._identity()
        weakref.finalize(self, engine.dispose)

    def close(self) -> None:
        """Give the connections back; the next use opens new ones. The last to close folds the log in."""
        self._engine.dispose()

    def _identity(self) -> tuple[int, int, int]:
        try:
            found = self.path.stat()
        except OSError as error:
            raise StoreFailed(f"the ledger at {self.path} is gone: {error.strerror}") from error
        return os.getpid(), found.st_dev, found.st_ino

    def _keep_to_this_file(self) -> None:
        identity = self._identity()
        if identity != self._opened:
            # In a fork the connections are the parent's to close (SQLite: never use one across a fork).
            self._engine.dispose(close=identity[0] == self._opened[0])
            self._opened = identity

    def _connect(self) -> sqlite3.Connection:
        folder, log = self.path.parent, self.path.with_name(f"{self.path.name}-wal")
        writable = os.access(self.path, os.W_OK) and os.access(folder, os.W_OK)
        mode = "mode=rw" if writable else "mode=ro" if log.exists() else "mode=ro&immutable=1"
        uri = f"file:{quote(str(self.path.absolute()))}?{mode}"
        # isolation_level None: the driver begins nothing by itself, _begin does. The pool gives a connection
        # to one thread at a time.
        connection = sqlite3.connect(
            uri, uri=True, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA synchronous=FULL").close()  # a commit survives a power cut
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def make_tables(self, connection: Connection) -> None:
        _tables.create_all(connection)
        for trigger in _append_only():
            connection.exec_driver_sql(trigger)

    def write_ahead(self) -> None:
        """Let readers and a writer work at once (WAL). The file keeps the mode: it is set when it is made."""
        with self._sentences(), closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode=WAL").close()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that no other writer can interleave. Raises StoreFailed; nothing is then changed."""
        with self._transaction(self._engine) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees the ledger as it is at its begin, whoever appends meanwhile."""
        with self._transaction(self._reader) as connection:
            yield connection

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        self._keep_to_this_file()
        with self._sentences(), _opened(engine) as connection:
            yield connection
            connection.commit()

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            cause = str(getattr(error, "orig", None) or error)
            raise StoreFailed(f"the ledger at {self.path} did not do what was asked: {cause}") from error


def make_file(path: Path, fill: Callable[[LedgerFile], None]) -> None:
    """Make a ledger beside its place and put it there whole: nobody ever sees half of one.

    If another process was first, its ledger stays. The file has mode 0600, a new folder 0700.

    Raises:
        StoreFailed: the file cannot be made there.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        try:
            made = LedgerFile(draft)
            fill(made)
            made.close()
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
        _sync_folder(path.parent)
    except OSError as error:
        raise StoreFailed(f"the ledger cannot be made at {path}: {error.strerror}") from error


def _sync_folder(folder: Path) -> None:
    """The new name must survive a power cut as well, or the first entries go with it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sqlite_path(location: str | Path) -> Path:
    """The file of a plain path or of ``sqlite:///path``.

    Raises:
        UsageProblem: the URL is of another kind of database.
    """
    text = str(location)
    if "://" not in text:
        return Path(text)
    scheme, _, rest = text.partition("://")
    if scheme != "sqlite" or not rest.startswith("/") or rest == "/":
        raise UsageProblem(
            "this version keeps the ledger in a SQLite file: give a path, or sqlite:///path "
            f"(the scheme given is {scheme!r})"
        )
    return Path(rest[1:])


def _begin(connection: Connection) -> None:
    """Take the write lock at once: a deferred writer fails by the thousand when others write as well."""
    reading = connection.get_execution_options().get("read_only")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _opened(engine: Engine) -> Connection:
    """A connection in a transaction.

    SQLite answers "busy" without waiting while another process opens the file first or closes it last, so
    busy is tried again here, with some jitter, for as long as a writer may wait.
    """
    give_up = time.monotonic() + LOCK_SECONDS
    while True:
        connection = None
        try:
            connection = engine.connect()
            connection.begin()
        except (OperationalError, sqlite3.OperationalError) as error:
            if connection is not None:
                connection.close()
            if not _is_busy(error) or time.monotonic() > give_up:
                raise
            time.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - jitter, no secret
        else:
            return connection


def _is_busy(error: Exception) -> bool:
    code = getattr(getattr(error, "orig", None) or error, "sqlite_errorcode", 0)
    return code & 0xFF == SQLITE_BUSY
