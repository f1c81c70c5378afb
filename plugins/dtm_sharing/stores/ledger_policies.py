"""The policies that decisions were made under, file by file, so that each decision can be made again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from dtm_sharing.errors import LedgerAltered, UsageProblem
from dtm_sharing.model import Event, Policy
from dtm_sharing.policy import digest as digest_of
from dtm_sharing.stores import ledger_rows as rows
from dtm_sharing.stores import ledger_tables as tables
from dtm_sharing.stores.ledger_book import Book, size

ADOPTED = "policy.adopted"


class Policies(Book):
    """Every policy that was ever in force here."""

    def keep_policy(self, policy: Policy, now: datetime) -> None:
        """Keep a policy's files and record that it is in force from now on. The newest one: nothing changes.

        Raises:
            UsageProblem: its files are not those of its digest, so nobody could decide by them again.
        """
        with self._file.reading() as connection:
            if _newest(connection) == policy.digest:
                return
        if digest_of(policy.files) != policy.digest:
            raise UsageProblem(f"the policy {policy.digest} does not come with its files: read it anew")
        with self._file.writing() as connection:
            if (before := _newest(connection)) == policy.digest:
                return
            _keep(connection, policy)
            data = {"policy_digest": policy.digest, "files": len(policy.files), "replaces": before}
            # Not by its time: what replaces a policy that replaced it is a new adoption at any moment.
            event_id = rows.keyed_id(self._salt, ADOPTED, policy.digest, size(connection))
            self._append(connection, event_id, Event(ADOPTED, "policies", now, None, data))

    def policy_files(self, digest: str) -> dict[str, bytes]:
        """The files of a policy that was once in force, by name, for ``policy.parse``.

        Raises:
            UsageProblem: the ledger keeps no such policy.
            LedgerAltered: what it keeps are not its files any more.
        """
        with self._file.reading() as connection:
            return read_bundle(connection, digest)

    def policy_in_force(self, day: date) -> str | None:
        """Digest of the policy adopted last until the end of a day, in UTC; None: there was none yet."""
        with self._file.reading() as connection:
            return _newest(connection, before=(day + timedelta(days=1)).isoformat())


def read_bundle(connection: Connection, digest: str) -> dict[str, bytes]:
    """As ``policy_files``."""
    bundle, file = tables.policy_bundle, tables.policy_file
    query = (
        sa.select(bundle.c.name, bundle.c.sha256, file.c.content)
        .join(file, file.c.sha256 == bundle.c.sha256, isouter=True)
        .where(bundle.c.digest == digest)
    )
    found = connection.execute(query).all()
    if not found:
        raise UsageProblem(f"the ledger keeps no policy {digest}")
    files: dict[str, bytes] = {}
    for name, sha256, content in found:
        if not isinstance(name, str) or not isinstance(content, bytes) or _sha256(content) != sha256:
            raise LedgerAltered(f"a file of the policy {digest} was altered or removed")
        files[name] = content
    if digest_of(files) != digest:
        raise LedgerAltered(f"the files kept of the policy {digest} do not give its digest: one was altered")
    return files


def adoptions(connection: Connection) -> Iterator[tuple[int, str]]:
    """Every adoption: number of the entry, and the digest."""
    entry = tables.entry.c
    query = sa.select(entry.seq, entry.body).where(entry.event_type == ADOPTED).order_by(entry.seq)
    for seq, body in connection.execute(query):
        yield seq, _digest_in(body)


def _newest(connection: Connection, before: str | None = None) -> str | None:
    """The digest adopted last; ``before``: a moment, as the entries write it, or the beginning of one."""
    entry = tables.entry.c
    query = sa.select(entry.body).where(entry.event_type == ADOPTED)
    if before is not None:
        query = query.where(entry.occurred_at < before)
    body = connection.execute(query.order_by(entry.seq.desc()).limit(1)).scalar()
    return None if body is None else _digest_in(body)


def _digest_in(body: bytes) -> str:
    try:
        return str(json.loads(body)["data"]["policy_digest"])
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerAltered(
            "the adoption of a policy cannot be read; run the ledger's verification"
        ) from error


def _keep(connection: Connection, policy: Policy) -> None:
    bundle, file = tables.policy_bundle, tables.policy_file
    if connection.execute(sa.select(bundle.c.digest).where(bundle.c.digest == policy.digest)).first():
        return  # in force once before
    sums = {name: _sha256(content) for name, content in policy.files.items()}
    kept = {*connection.execute(sa.select(file.c.sha256)).scalars()}
    new = {sums[name]: content for name, content in policy.files.items() if sums[name] not in kept}
    if new:
        connection.execute(file.insert(), [{"sha256": each, "content": new[each]} for each in new])
    lines = [{"digest": policy.digest, "name": name, "sha256": sums[name]} for name in policy.files]
    connection.execute(bundle.insert(), lines)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
