"""Passwords of focal points: one for each person and channel, encrypted at rest, in a file of their own.

A file password must be found again for the next extract, so that it cannot be hashed. It is sealed with
AES-256-GCM under a key that comes from outside and is never stored beside it.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dtm_sharing.errors import StoreFailed, UsageProblem
from dtm_sharing.model import Event
from dtm_sharing.package import Password, generate_password

WORDS = 7  # enough for every form: a zip needs seven, a workbook six
KEY_BYTES = 32
_NONCE_BYTES = 12
_BUSY_SECONDS = 30.0
_CHECK = b"dtm-sharing/credentials/v1"

# One live password for each person and channel, whoever races. A revoked one keeps its row, not its words.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS key_check (one INTEGER PRIMARY KEY CHECK (one = 1), sealed BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS credential (
    credential_id TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    focal_point TEXT NOT NULL,
    channel TEXT NOT NULL,
    sealed BLOB,
    created_at TEXT NOT NULL,
    revoked_at TEXT,
    used INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (credential_id, version),
    UNIQUE (focal_point, channel, version),
    CHECK ((sealed IS NULL) = (revoked_at IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS one_live ON credential (focal_point, channel) WHERE revoked_at IS NULL;
"""


@dataclass(frozen=True, slots=True)
class Credential:
    """What may be known of a password: no word of it. ``used`` counts the artefacts that it was given for.

    ``credential_id`` is random, the same for all versions of one person and channel.
    """

    credential_id: str
    version: int
    focal_point: str
    channel: str
    created_at: datetime
    revoked_at: datetime | None
    used: int

    def event(self, what: str, organization: str, now: datetime) -> Event:
        """What the ledger keeps when a password is issued, told, rotated or revoked: which one, no word."""
        data = {"version": self.version, "channel": self.channel}
        return Event(f"credential.{what}", self.credential_id, now, organization, data)


@dataclass(frozen=True, slots=True)
class Held:
    """A live password. ``created``: by this very call, so that the ledger must hear of it."""

    credential: Credential
    password: Password
    created: bool


class Credentials:
    """The store. ``key``: 32 bytes. ``choose`` picks a word: ``secrets.choice``, and nothing weaker."""

    def __init__(
        self, path: Path, key: bytes, choose: Callable[[Sequence[str]], str] = secrets.choice
    ) -> None:
        """Open the file, or make it, readable for its owner only.

        Raises:
            UsageProblem: the key is not the one that the file was made with.
            StoreFailed: the file cannot be opened or made.
        """
        if len(key) != KEY_BYTES:
            raise UsageProblem(f"The key of the credentials must be {KEY_BYTES} bytes")
        self._path, self._cipher, self._choose = path, AESGCM(key), choose
        self._create()

    def __repr__(self) -> str:
        return f"Credentials({str(self._path)!r})"

    def password_for(self, focal_point: str, channel: str, now: datetime) -> Held:
        """The live password of this person for this channel, made on first use. Its use is counted."""
        with self._transaction() as database:
            if created := _live(database, focal_point, channel) is None:
                self._issue(database, focal_point, channel, now)
            database.execute(
                "UPDATE credential SET used = used + 1 "
                "WHERE focal_point = ? AND channel = ? AND revoked_at IS NULL",
                (focal_point, channel),
            )
            return self._held(database, focal_point, channel, created=created)

    def look_up(self, focal_point: str, channel: str) -> Held | None:
        """The live password, if there is one: to tell it to its person. That is no use, and makes none."""
        with self._transaction() as database:
            if _live(database, focal_point, channel) is None:
                return None
            return self._held(database, focal_point, channel, created=False)

    def rotate(self, focal_point: str, channel: str, now: datetime) -> Held:
        """A new password in place of the live one. Artefacts sent before still open with the old one."""
        with self._transaction() as database:
            _revoke(database, focal_point, channel, now)
            self._issue(database, focal_point, channel, now)
            return self._held(database, focal_point, channel, created=True)

    def revoke(self, focal_point: str, now: datetime) -> tuple[Credential, ...]:
        """End all live passwords of a person who leaves (turnover); the next use makes new ones."""
        with self._transaction() as database:
            return _revoke(database, focal_point, None, now)

    def history(self, focal_point: str) -> tuple[Credential, ...]:
        """Every version that this person ever had, oldest first within a channel."""
        query = "SELECT * FROM credential WHERE focal_point = ? ORDER BY channel, version"
        with self._transaction() as database:
            return tuple(_credential(row) for row in database.execute(query, (focal_point,)))

    # ------------------------------------------------------------------------------------------- inside

    def _create(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # SQLite gives its journal the mode of the database, so that goes first.
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            self._path.chmod(0o600)
        except OSError as error:
            raise StoreFailed(f"{self._path} cannot be opened or made: {error.strerror}") from error
        with self._transaction() as database:
            for statement in _SCHEMA.split(";"):
                database.execute(statement)
            check = self._seal(_CHECK, b"check")
            database.execute("INSERT INTO key_check VALUES (1, ?) ON CONFLICT DO NOTHING", (check,))
            sealed = database.execute("SELECT sealed FROM key_check").fetchone()["sealed"]
            self._open(sealed, b"check")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own with the write lock held: tasks and threads wait for each other."""
        try:
            connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
            with closing(connection) as database:
                database.row_factory = sqlite3.Row
                database.execute("PRAGMA synchronous = FULL")
                database.execute("PRAGMA secure_delete = ON")  # what is revoked is overwritten
                database.execute("BEGIN IMMEDIATE")
                try:
                    yield database
                except BaseException:
                    database.execute("ROLLBACK")
                    raise
                database.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreFailed(f"{self._path}: the credentials cannot be read or written: {error}") from error

    def _issue(self, database: sqlite3.Connection, focal_point: str, channel: str, now: datetime) -> None:
        query = (
            "SELECT credential_id, version FROM credential WHERE focal_point = ? AND channel = ? "
            "ORDER BY version DESC"
        )
        last = database.execute(query, (focal_point, channel)).fetchone()
        identity, version = (last["credential_id"], last["version"] + 1) if last else (str(uuid.uuid4()), 1)
        words = generate_password(WORDS, self._choose).reveal().encode()
        sealed = self._seal(words, _bound(identity, version, focal_point, channel))
        database.execute(
            "INSERT INTO credential (credential_id, version, focal_point, channel, sealed, created_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (identity, version, focal_point, channel, sealed, _moment(now)),
        )

    def _held(self, database: sqlite3.Connection, focal_point: str, channel: str, *, created: bool) -> Held:
        row = _live(database, focal_point, channel)
        if row is None:
            raise StoreFailed(f"{self._path}: a password that was just written is not there")
        bound = _bound(row["credential_id"], row["version"], focal_point, channel)
        return Held(_credential(row), Password(self._open(row["sealed"], bound).decode()), created)

    def _seal(self, plain: bytes, bound: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, bound)

    def _open(self, sealed: bytes, bound: bytes) -> bytes:
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)
        except (InvalidTag, ValueError) as error:
            raise UsageProblem(
                f"{self._path} does not open with this key, or was altered: give the master secret that it "
                "was made with"
            ) from error


def live(path: Path) -> tuple[Credential, ...]:
    """What may be known of the live passwords without their key: whose, for which channel, how old.

    Raises:
        StoreFailed: the file cannot be read, or is another program's.
    """
    query = "SELECT * FROM credential WHERE revoked_at IS NULL ORDER BY focal_point, channel"
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        with closing(connection) as database:
            database.row_factory = sqlite3.Row
            return tuple(_credential(row) for row in database.execute(query))
    except (sqlite3.Error, ValueError, TypeError) as error:
        raise StoreFailed(f"{path}: the credentials cannot be read: {error}") from error


def _live(database: sqlite3.Connection, focal_point: str, channel: str) -> sqlite3.Row | None:
    query = "SELECT * FROM credential WHERE focal_point = ? AND channel = ? AND revoked_at IS NULL"
    row: sqlite3.Row | None = database.execute(query, (focal_point, channel)).fetchone()
    return row


def _revoke(
    database: sqlite3.Connection, focal_point: str, channel: str | None, now: datetime
) -> tuple[Credential, ...]:
    """End the live password of this person for this channel, or for all (``channel`` None)."""
    update = (
        "UPDATE credential SET revoked_at = ?, sealed = NULL "
        "WHERE revoked_at IS NULL AND focal_point = ? AND channel = coalesce(?, channel) RETURNING *"
    )
    rows = database.execute(update, (_moment(now), focal_point, channel)).fetchall()
    return tuple(_credential(row) for row in rows)


def _credential(row: sqlite3.Row) -> Credential:
    return Credential(
        credential_id=row["credential_id"],
        version=row["version"],
        focal_point=row["focal_point"],
        channel=row["channel"],
        created_at=datetime.fromisoformat(row["created_at"]),
        revoked_at=datetime.fromisoformat(row["revoked_at"]) if row["revoked_at"] else None,
        used=row["used"],
    )


def _bound(identity: str, version: int, focal_point: str, channel: str) -> bytes:
    """What a sealed password is tied to: moved to another row, it does not open."""
    return "\0".join(("credential", identity, str(version), focal_point, channel)).encode()


def _moment(now: datetime) -> str:
    if now.tzinfo is None:
        raise UsageProblem("A time without a zone was given: give it with its zone")
    return now.astimezone(UTC).isoformat()
