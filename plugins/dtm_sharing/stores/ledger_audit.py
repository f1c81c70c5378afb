"""Proving a ledger unaltered: everything that can be recomputed from the entries' bytes is, and compared.

Passes over one snapshot, a page at a time: entries with their tree; checkpoints; rows drawn from the
entries; policies that were in force. An altered body is named before anything that follows from it. What no
look at the file alone can show is a tree that was rebuilt as a whole: for that, a checkpoint or a receipt
kept outside is compared.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import MultipleResultsFound, NoResultFound

from dtm_sharing import ledger
from dtm_sharing.errors import LedgerAltered, UsageProblem
from dtm_sharing.stores import ledger_rows as rows
from dtm_sharing.stores import ledger_tables as tables
from dtm_sharing.stores.ledger_policies import adoptions, read_bundle
from dtm_sharing.stores.ledger_projections import DISPATCH, PROJECTIONS, PUBLICATION, Projection

PAGE = 1000  # entries read at a time


@dataclass(frozen=True, slots=True)
class Verified:
    """What was proved: so many entries, the root over them, and how many checkpoints agree with it."""

    size: int
    root: bytes
    checkpoints: int


def audit(
    connection: Connection, verifier_key: str | None, checkpoint: str | None, receipt: str | None
) -> Verified:
    """Verify the ledger behind a connection. Arguments and errors as in ``Ledger.verify``."""
    if missing := {*tables.entry.metadata.tables} - {*sa.inspect(connection).get_table_names()}:
        raise LedgerAltered(f"the table {min(missing)} was removed from the ledger's database")
    try:
        return _audit(connection, verifier_key, checkpoint, receipt)
    except (TypeError, ValueError, KeyError, AttributeError, NoResultFound, MultipleResultsFound) as error:
        # SQLite keeps anything in any column, so a row may hold what none of ours can.
        raise LedgerAltered("a row of the ledger's database has not the form that we write") from error


def _audit(
    connection: Connection, verifier_key: str | None, checkpoint: str | None, receipt: str | None
) -> Verified:
    meta = connection.execute(sa.select(tables.meta)).mappings().one()
    held = [note for note in (checkpoint, receipt and ledger.read_proof(receipt).checkpoint) if note]
    frontier = _check_entries(connection, meta["origin"])
    if receipt:
        _check_receipt(connection, receipt, frontier.size)
    notes = _check_stored_checkpoints(connection, meta["origin"], verifier_key, frontier.size)
    for note in held:
        _check_checkpoint(connection, note, meta["origin"], verifier_key, frontier.size)
    disclosed = sum(_check_projection(connection, each, meta["salt"]) for each in PROJECTIONS)
    _count(connection, tables.disclosure, disclosed, "rows in the table disclosure")
    _check_policies(connection)
    return Verified(frontier.size, frontier.root, notes)


# ----------------------------------------------------------------------------------- entries and tree


@dataclass(slots=True)
class _Tree:
    """How far the recomputation has come."""

    origin: str
    frontier: ledger.Frontier = field(default_factory=ledger.Frontier)
    organizations: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))


def _check_entries(connection: Connection, origin: str) -> ledger.Frontier:
    size, peaks = connection.execute(sa.select(tables.head.c.size, tables.head.c.frontier)).one()
    tree = _Tree(origin)
    while page := _page(connection, tables.entry, tables.entry.c.seq, tree.frontier.size, PAGE):
        first = ledger.stored_count(tree.frontier.size)
        nodes = iter(_page(connection, tables.node, tables.node.c.id, first, 2 * len(page) + 64))
        for row in page:
            _check_entry(row, tree, nodes)
    count = tree.frontier.size
    if count != size:
        raise LedgerAltered(
            f"the ledger's head says {size} entries, but there are {count}: some were removed or put in",
            min(count, size),
        )
    if b"".join(tree.frontier.peaks) != peaks:
        raise LedgerAltered(f"the ledger's head is not that of its {size} entries")
    _count(connection, tables.node, ledger.stored_count(size), "stored hashes")
    return tree.frontier


def _page(
    connection: Connection, table: sa.Table, key: sa.Column[Any], start: int, length: int
) -> list[RowMapping]:
    query = sa.select(table).where(key >= start).order_by(key).limit(length)
    return list(connection.execute(query).mappings())


def _count(connection: Connection, table: sa.Table, expected: int, what: str) -> None:
    found = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    if found != expected:
        raise LedgerAltered(f"the ledger should have {expected} {what}, but has {found}")


def _check_entry(row: RowMapping, tree: _Tree, nodes: Iterator[RowMapping]) -> None:
    seq = tree.frontier.size
    if row["seq"] != seq:
        raise LedgerAltered(f"entry {seq} is missing from the ledger", seq)
    leaf = ledger.leaf_hash(rows.to_entry(row).body)
    if leaf != row["leaf_hash"]:
        raise LedgerAltered(f"entry {seq} was altered: its text does not have its hash", seq)
    start = ledger.stored_count(seq)
    tree.frontier, added = tree.frontier.append(leaf)
    for level, expected in enumerate(added):
        node = next(nodes, None)
        if node is None or (node["id"], node["hash"]) != (start + level, expected):
            below = seq + 1 - (1 << level)
            where = f"entry {seq}" if level == 0 else f"one of the entries {below} to {seq}"
            raise LedgerAltered(f"{where} was altered: the stored hash over it is another", below)
    _check_envelope(row, seq, tree)


def _check_envelope(row: RowMapping, seq: int, tree: _Tree) -> None:
    try:
        envelope, said = json.loads(row["body"]), rows.entry_columns(row["body"])
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerAltered(f"entry {seq} is not an entry of this format", seq) from error
    schema = f"{ledger.SCHEMA}{ledger.FORMAT}"
    if envelope.get("source") != tree.origin or envelope.get("dataschema") != schema:
        raise LedgerAltered(f"entry {seq} is of another ledger or another format", seq)
    for name, value in said.items():
        if row[name] != value:
            raise LedgerAltered(f"entry {seq} was altered: its column {name} is not what its text says", seq)
    organization = said["organization"]
    if organization is None:
        return
    expected = tree.organizations[organization]
    if said["organization_seq"] != expected:
        raise LedgerAltered(
            f"entry {seq} is number {said['organization_seq']} of its organization, where number {expected} "
            "comes next: an entry was taken out or put in",
            seq,
        )
    tree.organizations[organization] = expected + 1


# ---------------------------------------------------------------------------------------- checkpoints


def _check_stored_checkpoints(
    connection: Connection, origin: str, verifier_key: str | None, size: int
) -> int:
    start = count = 0
    while page := _page(connection, tables.checkpoint, tables.checkpoint.c.size, start, PAGE):
        for row in page:
            made = _check_checkpoint(connection, row["note"], origin, verifier_key, size)
            if (made.size, made.root) != (row["size"], row["root"]):
                raise LedgerAltered(f"the stored checkpoint of size {row['size']} was altered")
        count += len(page)
        start = page[-1]["size"] + 1
    return count


def _check_checkpoint(
    connection: Connection, note: str, origin: str, verifier_key: str | None, size: int
) -> ledger.Checkpoint:
    """Compare with the tree at that size; the stored hashes were verified before."""
    made = ledger.read_checkpoint(note, verifier_key)
    if made.origin != origin:
        raise LedgerAltered(f"the checkpoint is of the ledger {made.origin}, but this is {origin}")
    if made.size > size:
        raise LedgerAltered(
            f"a checkpoint was signed over {made.size} entries, but the ledger has {size}: some were removed",
            size,
        )
    ids = ledger.kept_in((0, made.size))
    query = sa.select(tables.node.c.id, tables.node.c.hash).where(tables.node.c.id.in_(ids))
    kept = {each.id: each.hash for each in connection.execute(query)}
    if ledger.range_root((0, made.size), kept) != made.root:
        raise LedgerAltered(
            f"the ledger is not the one whose checkpoint was signed over {made.size} entries: "
            "some of them were rewritten"
        )
    return made


def _check_receipt(connection: Connection, receipt: str, size: int) -> None:
    """A receipt leads from its entry to a signed root: the ledger's own entry must lead there as well."""
    proof = ledger.read_proof(receipt)
    made = ledger.read_checkpoint(proof.checkpoint)
    if proof.index >= size:
        raise LedgerAltered(f"entry {proof.index}, for which a receipt was given, is gone", proof.index)
    query = sa.select(tables.entry.c.leaf_hash).where(tables.entry.c.seq == proof.index)
    leaf = connection.execute(query).scalar_one()
    if ledger.root_from_inclusion(leaf, proof.index, made.size, proof.hashes) != made.root:
        raise LedgerAltered(
            f"entry {proof.index} was altered: it is not the one for which the receipt was given", proof.index
        )


# ----------------------------------------------------------------------------------- rows drawn from it


def _check_projection(connection: Connection, projection: Projection, salt: bytes) -> int:
    """Every entry that made a row still has it, as it was; and no row stands without its entry.

    Returns: how many of them are disclosures.
    """
    start = made = disclosed = 0
    while page := _first_entries(connection, projection, start):
        for entry in page:
            body = json.loads(entry["body"])
            row = check_row(connection, projection, entry, body, salt)
            if projection in (DISPATCH, PUBLICATION):
                disclosed += _check_state(connection, row, entry["seq"])
        made += len(page)
        start = page[-1]["seq"] + 1
    if projection is not PUBLICATION:
        _count(connection, projection.table, made, f"rows in the table {projection.table.name}")
    return disclosed


def _first_entries(connection: Connection, projection: Projection, start: int) -> list[RowMapping]:
    entry = tables.entry.c
    query = sa.select(tables.entry).where(entry.event_type.in_(projection.event_types), entry.seq >= start)
    return list(connection.execute(query.order_by(entry.seq).limit(PAGE)).mappings())


def check_row(
    connection: Connection,
    projection: Projection,
    entry: RowMapping,
    body: Mapping[str, Any],
    salt: bytes,
) -> RowMapping:
    """The row that an entry made, once everything in it is what the entry says or commits to.

    ``body``: what the entry says. ``salt``: the ledger's.

    Raises:
        LedgerAltered: the row is gone, or is not what was recorded; the sentence names its first such field.
    """
    seq, key, name = entry["seq"], body[projection.keyed_by], projection.table.name
    row = _row(connection, projection.table, key)
    if row is None:
        raise LedgerAltered(f"the row of entry {seq} in the table {name} was removed", seq)
    said = body["data"]
    salts, pid = _salts(connection, key, projection, seq), _pid(connection, projection, row)
    data = projection.data(dict(row), salts, salt, pid)
    wrong = [each for each in projection.sealed if data["sealed"][each] != said["sealed"].get(each)]
    wrong += [each for each in data if each != "sealed" and data[each] != said.get(each)]
    if "organization" in row and row["organization"] != body.get("organization"):
        wrong.append("organization")
    if projection.about and row[projection.about] != body["subject"]:
        wrong.append(projection.about)
    if wrong:
        raise LedgerAltered(
            f"the row of entry {seq} in the table {name} was altered: {wrong[0]} is not what was recorded",
            seq,
        )
    return row


def _row(connection: Connection, table: sa.Table, key: str) -> RowMapping | None:
    return connection.execute(sa.select(table).where(table.c.key == key)).mappings().first()


def _salts(connection: Connection, key: str, projection: Projection, seq: int) -> dict[str, bytes]:
    refs = {f"{key}/{each}": each for each in projection.sealed}
    query = sa.select(tables.sealed_field).where(tables.sealed_field.c.ref.in_(refs))
    salts = {refs[each["ref"]]: each["salt"] for each in connection.execute(query).mappings()}
    broken = [each for each in projection.sealed if len(salts.get(each, b"")) != ledger.SALT_BYTES]
    if broken:
        raise LedgerAltered(f"the seal on {broken[0]} of entry {seq} was removed", seq)
    return salts


def _pid(connection: Connection, projection: Projection, row: RowMapping) -> str | None:
    if projection.person is None:
        return None
    organization, focal_point = (row[each] for each in projection.person)
    query = sa.select(tables.person.c.pid).where(
        tables.person.c.organization == organization, tables.person.c.focal_point == focal_point
    )
    return connection.execute(query).scalar()


def _check_state(connection: Connection, row: RowMapping, seq: int) -> bool:
    """State, fence, lease and disclosure follow from the entries about this key, in their order.

    Returns: whether it is a disclosure.
    """
    entry = tables.entry.c
    query = sa.select(tables.entry).where(entry.row_key == row["key"]).order_by(entry.seq)
    moves = list(rows.history(connection.execute(query).mappings()))
    last, before, state = moves[-1].entry, moves[-1].before, moves[-1].state
    expected: dict[str, Any] = {"state": state.value}
    if "fence" in row:
        latest = next(each.entry for each in reversed(moves) if each.entry["event_type"] in rows.MOVES)
        data = json.loads(latest["body"])["data"]
        expected |= {"fence": data.get("fence", 0), "lease_until": data.get("lease_until")}
    for name, value in expected.items():
        if row[name] != value:
            raise LedgerAltered(
                f"the row of entry {seq} was altered: its {name} is not what entry {last['seq']} says",
                last["seq"],
            )
    disclosure = _row(connection, tables.disclosure, row["key"])
    if (disclosure is not None) != rows.is_disclosed(before, state):
        verb = "removed" if disclosure is None else "put in"
        raise LedgerAltered(f"the disclosure of entry {last['seq']} was {verb}", last["seq"])
    if disclosure is not None:
        left = next(each.entry for each in reversed(moves) if each.entry["event_type"] in rows.STATE_AFTER)
        _check_disclosure(row, disclosure, {"state": state.value, "sent_at": left["occurred_at"]}, last)
    return disclosure is not None


def _check_disclosure(
    row: RowMapping, disclosure: RowMapping, said: Mapping[str, str], last: RowMapping
) -> None:
    expected = {name: row[name] for name in rows.EXTRACT} | {**said, "entry": last["seq"]}
    for name, value in expected.items():
        if disclosure[name] != value:
            raise LedgerAltered(
                f"the disclosure of entry {last['seq']} was altered: {name} is not what was recorded",
                last["seq"],
            )


# ----------------------------------------------------------------------------------------------- policies


def _check_policies(connection: Connection) -> None:
    """Every policy that was adopted is kept, file by file, as it was; and no other is."""
    digests: set[str] = set()
    for seq, digest in adoptions(connection):
        if digest in digests:
            continue
        digests.add(digest)
        try:
            read_bundle(connection, digest)
        except (LedgerAltered, UsageProblem) as problem:
            raise LedgerAltered(
                f"what entry {seq} put in force is not kept as it was: {problem}", seq
            ) from None
    bundle, file = tables.policy_bundle.c, tables.policy_file
    kept = {*connection.execute(sa.select(bundle.digest).distinct()).scalars()}
    if strange := kept - digests:
        raise LedgerAltered(f"the ledger keeps {len(strange)} policies that were never in force")
    files = connection.execute(sa.select(sa.func.count(bundle.sha256.distinct()))).scalar_one()
    _count(connection, file, files, "files of policies")
