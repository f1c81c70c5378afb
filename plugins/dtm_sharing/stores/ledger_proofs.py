"""Checkpoints and proofs out of the stored hashes: each reads a handful of rows, whatever the size."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from dtm_sharing import ledger
from dtm_sharing.errors import LedgerAltered
from dtm_sharing.model import Entry
from dtm_sharing.stores import ledger_tables as tables


def frontier(connection: Connection) -> ledger.Frontier:
    """The tree as it stands. On PostgreSQL the lock on this row is what lines the writers up."""
    query = sa.select(tables.head.c.size, tables.head.c.frontier).with_for_update()
    size, peaks = connection.execute(query).one()
    if not (isinstance(peaks, bytes) and isinstance(size, int) and len(peaks) == 32 * size.bit_count()):
        raise LedgerAltered("the ledger's head was altered; run the ledger's verification")
    return ledger.Frontier(size, tuple(peaks[i : i + 32] for i in range(0, len(peaks), 32)))


def kept(connection: Connection, path: Iterable[ledger.Range]) -> dict[int, bytes]:
    """The stored hashes that a path needs, in one query.

    Raises:
        LedgerAltered: one is not there.
    """
    ids = {each for leaves in path for each in ledger.kept_in(leaves)}
    query = sa.select(tables.node.c.id, tables.node.c.hash).where(tables.node.c.id.in_(ids))
    found = {row.id: row.hash for row in connection.execute(query)}
    if len(found) != len(ids):
        raise LedgerAltered("hashes of the ledger's tree are missing; run the ledger's verification")
    return found


def newest_note(connection: Connection, *, covering: int) -> str | None:
    """The newest checkpoint, if it covers the entry of this number."""
    last = _newest(connection)
    return str(last["note"]) if last and last["size"] > covering else None


def _newest(connection: Connection) -> RowMapping | None:
    query = sa.select(tables.checkpoint).order_by(tables.checkpoint.c.size.desc()).limit(1)
    return connection.execute(query).mappings().first()


def sign(connection: Connection, origin: str, signing_key: str, now: datetime) -> str | None:
    """Sign the tree as it stands and keep the note; the kept one again if nothing was added since.

    Raises:
        LedgerAltered: the tree does not extend the newest checkpoint. Then nothing is signed.
    """
    tree, last = frontier(connection), _newest(connection)
    if last:
        _check_extends(connection, last, origin, ledger.verifier_key(signing_key), tree)
        if last["size"] == tree.size:
            return str(last["note"])
    if tree.size == 0:
        return None
    made = ledger.Checkpoint(origin, tree.size, tree.root)
    note = ledger.sign_checkpoint(made, signing_key)
    row = {"size": made.size, "root": made.root, "note": note, "signed_at": ledger.timestamp(now)}
    connection.execute(tables.checkpoint.insert().values(**row))
    return note


def _check_extends(
    connection: Connection, last: RowMapping, origin: str, verifier_key: str, tree: ledger.Frontier
) -> None:
    """A ledger that signs two stories is worth nothing (C2SP tlog-checkpoint), so look before signing."""
    ours = ledger.signed_by(last["note"], verifier_key)  # the key may have been rotated since
    old = ledger.read_checkpoint(last["note"], verifier_key if ours else None)
    if old != ledger.Checkpoint(origin, last["size"], last["root"]) or old.size > tree.size:
        raise LedgerAltered(
            f"nothing was signed: the ledger has {tree.size} entries, "
            f"and its last checkpoint, of {last['size']}, does not fit"
        )
    path = ledger.consistency_path(old.size, tree.size)
    proof = ledger.prove(path, kept(connection, path))
    ledger.verify_consistency(old.size, tree.size, old.root, tree.root, proof)


def prove(connection: Connection, entry: Entry, note: str) -> ledger.Proof:
    """The proof that an entry is under a checkpoint; verified here, before anyone is given it.

    Raises:
        LedgerAltered: the ledger cannot prove its own entry.
    """
    checkpoint = ledger.read_checkpoint(note)
    path = ledger.inclusion_path(entry.seq, checkpoint.size)
    hashes = ledger.prove(path, kept(connection, path))
    leaf = ledger.leaf_hash(entry.body)
    if ledger.root_from_inclusion(leaf, entry.seq, checkpoint.size, hashes) != checkpoint.root:
        raise LedgerAltered(f"entry {entry.seq} cannot be proved against the checkpoint", entry.seq)
    return ledger.Proof(entry.seq, hashes, note)
