"""Every way to alter the file of a ledger, and what each of them is found by."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from dtm_sharing import ledger
from dtm_sharing.errors import LedgerAltered, SharingError, StoreFailed
from dtm_sharing.model import Delivery, Finding, Receipt
from dtm_sharing.stores.ledger_rows import EXTRACT
from dtm_sharing.stores.outbox import Claim
from support.ledgers import (
    COORDINATOR,
    LEASE,
    NOW,
    ORIGIN,
    TABLE,
    VERIFIER_KEY,
    announce,
    decide,
    dispatch,
    event,
    intend,
    open_ledger,
    publication,
    publish,
    read,
    tamper,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def opened(path):
    return open_ledger(path)


def claimed(opened, number=0, **changes):
    one = intend(opened, dispatch(opened, number, **changes))
    claim = opened.claim(one.key, NOW, LEASE)
    assert isinstance(claim, Claim)
    return claim


def sent(opened, number=0):
    claim = claimed(opened, number)
    opened.conclude(claim, Receipt(Delivery.SENT, "The server took the message."), NOW)
    return claim.key


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A ledger with everything in it, 30 entries, checkpoints at 16 and 30; entry 3 is an intent."""
    path = tmp_path_factory.mktemp("template") / "ledger.db"
    opened = open_ledger(path)
    opened.record_all(event(n, organization=("a", "b", None)[n % 3]) for n in range(3))
    key = sent(opened)  # entries 3, 4, 5
    opened.register(TABLE, NOW)  # 6
    publish(opened, publication())  # 7, 8
    claimed(opened, 1)  # 9, 10
    failed = claimed(opened, 2)  # 11, 12
    opened.conclude(failed, Receipt(Delivery.FAILED, "Refused."), NOW)  # 13
    announced = announce(opened, publication(artefact_sha256="00" * 32))  # 14
    intend(opened, dispatch(opened, 3))  # 15
    held = opened.checkpoint(NOW)
    receipt = opened.receipt(key)
    unknown = claimed(opened, 4)  # 16, 17
    opened.conclude(unknown, Receipt(Delivery.OUTCOME_UNKNOWN, "The line broke."), NOW)  # 18
    opened.settle(unknown.key, Finding.NOT_ARRIVED, COORDINATOR, "Called: nothing there.", NOW)  # 19
    decide(opened)  # 20, 21
    opened.recall(json.loads(announced.body)["subject"], COORDINATOR, "Not put there.", NOW + LEASE)  # 22
    opened.record_all(event(n, organization="a") for n in range(104, 111))
    opened.checkpoint(NOW)
    assert opened.verify(VERIFIER_KEY, held, receipt).size == 30
    opened.close()
    return path, held, receipt


@pytest.fixture
def busy(template, tmp_path):
    """A copy of the template to alter, with a checkpoint and a receipt for entry 3 that were kept outside."""
    path, held, receipt = template
    copy = tmp_path / "ledger" / "ledger.db"
    copy.parent.mkdir()
    return Path(shutil.copy(path, copy)), held, receipt


def sets_body(seq, what="'scpa', 'SCPA'"):
    return (
        f"UPDATE ledger_entry SET body = CAST(replace(CAST(body AS TEXT), {what}) AS BLOB) WHERE seq = {seq}"
    )


def rehash(path, seq):
    (body,) = read(path, f"SELECT body FROM ledger_entry WHERE seq = {seq}")[0]
    tamper(path, f"UPDATE ledger_entry SET leaf_hash = x'{ledger.leaf_hash(body).hex()}' WHERE seq = {seq}")
    return ledger.leaf_hash(body).hex()


def edits_body_and_leaf(path):
    tamper(path, sets_body(4))
    rehash(path, 4)


def edits_body_leaf_and_leaf_node(path):
    tamper(path, sets_body(4))
    leaf = rehash(path, 4)
    tamper(path, f"UPDATE ledger_node SET hash = x'{leaf}' WHERE id = {ledger.stored_index(0, 4)}")


def renumbers(path, *, rebuild):
    tamper(
        path,
        "DELETE FROM ledger_checkpoint",
        "DELETE FROM ledger_entry WHERE seq = 25",
        "UPDATE ledger_entry SET seq = -seq WHERE seq > 25",
        "UPDATE ledger_entry SET seq = -seq - 1 WHERE seq < 0",
        rebuild=rebuild,
    )


def exchanges_a_policy_file(path):
    """Both files of it are whole and agree with each other, but not with the digest that the entry says."""
    other = b"kind: relations"
    digest = hashlib.sha256(other).hexdigest()
    tamper(
        path,
        f"UPDATE policy_bundle SET sha256 = '{digest}' WHERE sha256 = "
        "(SELECT sha256 FROM policy_file WHERE rowid = 3)",
        f"UPDATE policy_file SET content = x'{other.hex()}', sha256 = '{digest}' WHERE rowid = 3",
    )


def does(*statements, rebuild=False):
    return lambda path: tamper(path, *statements, rebuild=rebuild)


SEEN_IN_THE_FILE = {
    # ---- entries and tree
    "body edited": (does(sets_body(4)), 4),
    "body no longer JSON, rehashed": (
        does(
            "DELETE FROM ledger_checkpoint", "UPDATE ledger_entry SET body = 'x' WHERE seq = 4", rebuild=True
        ),
        4,
    ),
    "body and leaf edited": (edits_body_and_leaf, 4),
    "body, leaf and leaf node edited": (edits_body_leaf_and_leaf_node, 4),
    "inner node edited": (does("UPDATE ledger_node SET hash = zeroblob(32) WHERE id = 6"), 0),
    "node removed": (does("DELETE FROM ledger_node WHERE id = 9"), 4),
    "last node removed": (does("DELETE FROM ledger_node WHERE id = (SELECT max(id) FROM ledger_node)"), 28),
    "node added": (does("INSERT INTO ledger_node VALUES (9999, zeroblob(32))"), None),
    "entry removed": (does("DELETE FROM ledger_entry WHERE seq = 25"), 25),
    "entry removed, others renumbered": (lambda path: renumbers(path, rebuild=False), 25),
    "entry removed, renumbered, rebuilt": (lambda path: renumbers(path, rebuild=True), 25),
    "last entry removed": (does("DELETE FROM ledger_entry WHERE seq = 29"), 29),
    "entries swapped": (
        does(
            "UPDATE ledger_entry SET seq = -1 WHERE seq = 25",
            "UPDATE ledger_entry SET seq = 25 WHERE seq = 26",
            "UPDATE ledger_entry SET seq = 26 WHERE seq = -1",
        ),
        25,
    ),
    "all entries removed": (does("DELETE FROM ledger_entry", "DELETE FROM ledger_node"), 0),
    "head's size edited": (does("UPDATE ledger_head SET size = 29"), 29),
    "head's frontier edited": (does("UPDATE ledger_head SET frontier = zeroblob(128)"), None),
    "body edited, tree rebuilt, checkpoints kept": (
        does(sets_body(4, "'fence\":1', 'fence\":7'"), rebuild=True),
        None,
    ),
    "cut back below a stored checkpoint": (does("DELETE FROM ledger_entry WHERE seq > 27", rebuild=True), 28),
    # ---- what is indexed says another thing than the body
    "type in the index": (does("UPDATE ledger_entry SET event_type = 'dispatch.note' WHERE seq = 5"), 5),
    "organization in the index": (does("UPDATE ledger_entry SET organization = 'other' WHERE seq = 5"), 5),
    "time in the index": (does("UPDATE ledger_entry SET occurred_at = '2027' WHERE seq = 5"), 5),
    "key in the index": (does("UPDATE ledger_entry SET row_key = NULL WHERE seq = 5"), 5),
    # ---- checkpoints
    "checkpoint's root edited": (
        does("UPDATE ledger_checkpoint SET root = zeroblob(32) WHERE size = 16"),
        None,
    ),
    "checkpoint of another ledger": (
        does("UPDATE ledger_checkpoint SET note = replace(note, 'dtm.example', 'x.example')"),
        None,
    ),
    # ---- rows of a dispatch
    **{
        f"dispatch: {name}": (
            does(f"UPDATE dispatch SET {name} = {value} WHERE focal_point = 'npl/scpa-0'"),
            entry,
        )
        for name, value, entry in [
            ("organization", "'other'", 3),
            ("agreement", "'other'", 3),
            ("urgency", "'medium'", 3),
            ("purpose", "'other'", 3),
            ("dataset", "'other'", 3),
            ("round", "'other'", 3),
            ("level", "'Public'", 3),
            ("columns", "'[]'", 3),
            ("indicators", "'[]'", 3),
            ("grain", "'admin2'", 3),
            ("rows", "37", 3),
            ("method", "'portal'", 3),
            ("focal_point", "'npl/other'", 3),
            ("policy_digest", "'other'", 3),
            ("artefact_path", "'other'", 3),
            ("artefact_sha256", "'other'", 3),
            ("state", "'new'", 5),
            ("fence", "0", 5),
            ("lease_until", "'2030'", 5),
        ]
    },
    "dispatch: lease of one being sent": (
        does("UPDATE dispatch SET lease_until = '2020' WHERE focal_point = 'npl/scpa-1'"),
        10,
    ),
    "dispatch: state made up": (does("UPDATE dispatch SET state = 'x' WHERE focal_point = 'npl/scpa-0'"), 5),
    "dispatch removed": (does("DELETE FROM dispatch WHERE focal_point = 'npl/scpa-3'"), 15),
    "dispatch made up": (
        does(
            "CREATE TABLE t AS SELECT * FROM dispatch LIMIT 1",
            "UPDATE t SET key = 'k', state = 'new'",
            "INSERT INTO dispatch SELECT * FROM t",
        ),
        None,
    ),
    # ---- disclosures
    **{
        f"disclosure: {name}": (
            does(f"UPDATE disclosure SET {name} = {value} WHERE organization = 'scpa'"),
            5,
        )
        for name, value in [
            ("organization", "'other'"),
            ("columns", "'[]'"),
            ("indicators", "'[]'"),
            ("grain", "'admin2'"),
            ("rows", "37"),
            ("focal_point", "NULL"),
            ("artefact_sha256", "'other'"),
            ("sent_at", "'2025'"),
            ("state", "'acknowledged'"),
            ("entry", "4"),
        ]
    },
    "disclosure removed": (does("DELETE FROM disclosure WHERE organization = 'scpa'"), 5),
    "disclosure of what failed": (
        does(
            f"INSERT INTO disclosure SELECT key, {', '.join(EXTRACT)}, '2026', 'sent', 13 FROM dispatch "
            "WHERE state = 'failed'"
        ),
        13,
    ),
    "disclosure made up": (
        does(
            "CREATE TABLE t AS SELECT * FROM disclosure LIMIT 1",
            "UPDATE t SET key = 'k'",
            "INSERT INTO disclosure SELECT * FROM t",
        ),
        None,
    ),
    "publication: columns": (does("UPDATE disclosure SET columns = '[]' WHERE organization = 'public'"), 7),
    "publication: indicators": (
        does("UPDATE disclosure SET indicators = '[]' WHERE organization = 'public'"),
        7,
    ),
    "publication: grain": (does("UPDATE disclosure SET grain = 'admin2' WHERE organization = 'public'"), 7),
    "publication: an agreement": (
        does("UPDATE disclosure SET agreement = 'x' WHERE method = 'publication'"),
        7,
    ),
    "publication: state": (does("UPDATE disclosure SET state = 'sending' WHERE entry = 8"), 8),
    "publication removed": (does("DELETE FROM disclosure WHERE entry = 8"), 7),
    "publication: recall": (does("UPDATE disclosure SET state = 'sent' WHERE state = 'recalled'"), 22),
    "publication: entry of its recall": (does("UPDATE disclosure SET entry = 14 WHERE entry = 22"), 22),
    # ---- decisions
    **{
        f"decision: {name}": (does(f"UPDATE decision SET {name} = {value}"), 21)
        for name, value in [
            ("agreement", "'npl/other'"),
            ("urgency", "'medium'"),
            ("policy_digest", "'sha256:00'"),
            ("as_of", "'2026-11-04'"),
            ("ledger_size", "1"),
            ("profile", "replace(profile, 'Site ID', 'Site id')"),
            ("answer", "replace(answer, 'deny', 'allow')"),
        ]
    },
    "decision: for everyone": (does("UPDATE decision SET agreement = NULL, urgency = NULL"), 21),
    "decision: answer in other JSON": (does("UPDATE decision SET answer = answer || ' '"), 21),
    "decision: nonsense": (does("UPDATE decision SET profile = '{}'"), None),
    "decision: key": (does("UPDATE decision SET key = 'x'"), 21),
    "decision removed": (does("DELETE FROM decision"), 21),
    "decision made up": (
        does(
            "CREATE TABLE t AS SELECT * FROM decision",
            "UPDATE t SET key = 'k'",
            "INSERT INTO decision SELECT * FROM t",
        ),
        None,
    ),
    "decisions dropped": (does("DROP TABLE decision"), None),
    # ---- policies
    "policy: a file's content": (
        does("UPDATE policy_file SET content = CAST('kind: x' AS BLOB) WHERE rowid = 3"),
        20,
    ),
    "policy: a file's content and its sum": (exchanges_a_policy_file, 20),
    "policy: a file's content as text": (
        does("UPDATE policy_file SET content = CAST(content AS TEXT) WHERE rowid = 3"),
        20,
    ),
    "policy: the name of a file's content": (
        does(
            "UPDATE policy_bundle SET sha256 = 'x' WHERE sha256 = "
            "(SELECT sha256 FROM policy_file WHERE rowid = 3)",
            "UPDATE policy_file SET sha256 = 'x' WHERE rowid = 3",
        ),
        20,
    ),
    "policy: a file removed": (does("DELETE FROM policy_file WHERE rowid = 3"), 20),
    "policy: a file left out": (does("DELETE FROM policy_bundle WHERE rowid = 3"), 20),
    "policy: a file renamed": (does("UPDATE policy_bundle SET name = 'x.yaml' WHERE rowid = 3"), 20),
    "policy: a file put in": (
        does("INSERT INTO policy_bundle SELECT digest, 'x.yaml', sha256 FROM policy_bundle LIMIT 1"),
        20,
    ),
    "policy: a file of no policy": (does("INSERT INTO policy_file VALUES ('x', x'00')"), None),
    "policy removed": (does("DELETE FROM policy_bundle"), 20),
    "policy made up": (
        does("INSERT INTO policy_bundle SELECT 'sha256:00', name, sha256 FROM policy_bundle"),
        None,
    ),
    # ---- the rest
    "table: digest": (does("UPDATE registered_table SET sha256 = 'x'"), 6),
    "table: round": (does("UPDATE registered_table SET round = 'x'"), 6),
    "table removed": (does("DELETE FROM registered_table"), 6),
    "person exchanged": (
        does("UPDATE person SET focal_point = 'npl/other' WHERE focal_point = 'npl/scpa-0'"),
        3,
    ),
    "person's id edited": (does("UPDATE person SET pid = 'x' WHERE focal_point = 'npl/scpa-0'"), 3),
    "salt of a seal edited": (does("UPDATE sealed_field SET salt = zeroblob(32) WHERE ref LIKE '%/rows'"), 3),
    "seal removed": (does("DELETE FROM sealed_field WHERE ref LIKE '%/purpose'"), 3),
    "seals dropped": (does("DROP TABLE sealed_field"), None),
    "checkpoints dropped": (does("DROP TABLE ledger_checkpoint"), None),
    "salt of the keys edited": (does("UPDATE meta SET salt = zeroblob(32)"), 3),
    "origin edited": (does("UPDATE meta SET origin = 'x'"), 0),
}


@pytest.mark.parametrize("attack", SEEN_IN_THE_FILE)
def test_an_alteration_is_seen_in_the_file_itself(busy, attack):
    path, _, _ = busy
    alter, entry = SEEN_IN_THE_FILE[attack]
    alter(path)
    with pytest.raises(LedgerAltered) as altered:
        open_ledger(path, signing_key=None).verify()
    assert altered.value.entry == entry, altered.value
    assert altered.value.exit_code == 2


NO_TRACE = "DELETE FROM ledger_checkpoint"
SEEN_FROM_OUTSIDE = {
    # An attempt's try is no column of a row: nothing in the file contradicts the new tree.
    "edited, rebuilt": (
        does(NO_TRACE, sets_body(4, "'recover\":false', 'recover\":true'"), rebuild=True),
        None,
        None,
    ),
    "edited where a receipt was given, rebuilt": (
        does(
            NO_TRACE,
            sets_body(3, "'recordedtime\":\"2026', 'recordedtime\":\"2027'"),
            "UPDATE ledger_entry SET recorded_at = replace(recorded_at, '2026', '2027') WHERE seq = 3",
            rebuild=True,
        ),
        None,
        3,
    ),
    "cut back, rebuilt": (
        does(
            NO_TRACE,
            "DELETE FROM ledger_entry WHERE seq > 14",
            "DELETE FROM sealed_field WHERE ref LIKE (SELECT key FROM dispatch WHERE state = 'new') || '%'",
            "DELETE FROM dispatch WHERE state = 'new'",
            *(
                f"DELETE FROM {table} WHERE {column} LIKE "
                "(SELECT row_key FROM finding WHERE finding = 'not-arrived') || '%'"
                for table, column in [("sealed_field", "ref"), ("dispatch", "key"), ("disclosure", "key")]
            ),
            *(
                f"DELETE FROM sealed_field WHERE substr(ref, 1, 36) IN (SELECT key FROM {made})"
                for made in ("finding", "decision")
            ),
            *(
                f"DELETE FROM {table} WHERE true"
                for table in ("finding", "decision", "policy_bundle", "policy_file")
            ),
            "UPDATE disclosure SET state = 'sending', entry = 14 WHERE state = 'recalled'",
            rebuild=True,
        ),
        15,
        None,
    ),
}


@pytest.mark.parametrize("attack", SEEN_FROM_OUTSIDE)
def test_a_tree_that_was_rebuilt_is_seen_with_a_checkpoint_or_a_receipt_held_outside(busy, attack):
    path, held, receipt = busy
    alter, by_checkpoint, by_receipt = SEEN_FROM_OUTSIDE[attack]
    alter(path)
    opened = open_ledger(path, signing_key=None)
    opened.verify(VERIFIER_KEY)  # nothing in the file itself shows it: that is what makes this test one
    with pytest.raises(LedgerAltered) as altered:
        opened.verify(VERIFIER_KEY, held)
    assert altered.value.entry == by_checkpoint
    with pytest.raises(LedgerAltered) as altered:
        opened.verify(VERIFIER_KEY, receipt=receipt)
    assert altered.value.entry == (by_receipt if by_receipt is not None else by_checkpoint)


def test_a_receipt_for_an_entry_that_is_gone_names_it(busy, tmp_path):
    _, _, receipt = busy
    short = open_ledger(tmp_path / "short.db")
    short.record(event())
    with pytest.raises(LedgerAltered, match="is gone") as altered:
        short.verify(receipt=receipt)
    assert altered.value.entry == 3


def test_a_checkpoint_that_somebody_else_signed_is_refused(busy):
    path, held, _ = busy
    forged = ledger.sign_checkpoint(ledger.read_checkpoint(held), ledger.signing_key(ORIGIN, bytes(32)))
    opened = open_ledger(path)
    assert opened.verify(checkpoint=forged)  # without a key the signature is not looked at
    with pytest.raises(LedgerAltered, match="no signature by the key"):
        opened.verify(VERIFIER_KEY, forged)
    tamper(
        path,
        "DELETE FROM ledger_checkpoint WHERE size = 30",
        f"UPDATE ledger_checkpoint SET note = '{forged}'",
    )
    with pytest.raises(LedgerAltered, match="no signature by the key"):
        opened.verify(VERIFIER_KEY)


def test_a_file_whose_pages_are_broken_is_a_sentence(busy):
    path, _, _ = busy
    content = bytearray(path.read_bytes())
    for page in range(4096, len(content), 4096):
        content[page : page + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(StoreFailed, match="did not do what was asked"):
        open_ledger(path).verify()


def test_a_ledger_longer_than_a_page_is_verified_page_by_page(opened, monkeypatch):
    monkeypatch.setattr("dtm_sharing.stores.ledger_audit.PAGE", 7)
    for n in range(12):
        sent(opened, n)
        opened.checkpoint(NOW)
    assert opened.verify(VERIFIER_KEY).checkpoints == 12
    assert opened.verify().size == 36


UNREADABLE = {
    "UPDATE dispatch SET state = 'x'": lambda opened, key: opened.claim(key, NOW, LEASE),
    "UPDATE dispatch SET level = 7": lambda opened, key: opened.find(key),
    "UPDATE disclosure SET columns = '['": lambda opened, _: opened.disclosures(),
    "UPDATE registered_table SET sha256 = 1, stage = 'x'": lambda opened, _: opened.registered(
        *anywhere(opened)
    ),
    "UPDATE ledger_head SET frontier = 7": lambda opened, _: opened.record(event()),
    "UPDATE ledger_head SET size = 5": lambda opened, _: opened.checkpoint(NOW),
}


def anywhere(opened):
    """Where a table's stage can be read although it is none: ask for that very word."""
    return TABLE.dataset, type("Stage", (), {"value": "x"}), TABLE.round


@pytest.mark.parametrize("attack", UNREADABLE)
def test_a_row_that_cannot_be_read_is_a_sentence(path, opened, attack):
    key = sent(opened)
    opened.register(TABLE, NOW)
    tamper(path, attack)
    with pytest.raises(LedgerAltered, match="run the ledger's verification"):
        UNREADABLE[attack](opened, key)
    with pytest.raises(LedgerAltered):
        opened.verify()


def cells(path):
    for (table,) in read(path, "SELECT name FROM sqlite_master WHERE type = 'table'"):
        for _, column, *_ in read(path, f"PRAGMA table_info({table})"):
            yield table, column


# What nothing hangs on: numbers of single rows, and when a checkpoint was signed (its note has no time).
NO_EVIDENCE = {("meta", "id"), ("ledger_head", "id"), ("ledger_checkpoint", "signed_at")}


@pytest.mark.parametrize("value", ["NULL", "7", "-1", "0.5", "'x'", "x'ff'", "x''", "'{}'"])
def test_no_cell_of_the_database_can_be_changed_unseen(busy, value):
    """In one row, of every column of every table: never unseen, and never more than a sentence."""
    path, held, _ = busy
    whole = path.read_bytes()
    unseen, tried = [], 0
    for table, column in cells(path):
        path.write_bytes(whole)
        try:
            last = f"(SELECT max(rowid) FROM {table})"
            tamper(path, f'UPDATE {table} SET "{column}" = {value} WHERE rowid = {last}')
        except sqlite3.IntegrityError:  # NULL where none may be
            continue
        changed = read(path, f'SELECT rowid FROM {table} WHERE "{column}" IS {value}')
        tried += bool(changed)
        try:
            open_ledger(path, signing_key=None).verify(VERIFIER_KEY, held)
        except SharingError:
            continue
        unseen.append((table, column))
    assert set(unseen) <= NO_EVIDENCE
    assert tried > 5
