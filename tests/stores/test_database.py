"""The ledger's database, against real files and real processes."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dtm_sharing import ledger
from dtm_sharing.errors import LedgerAltered, StoreFailed, UsageProblem
from dtm_sharing.model import Delivery, DispatchState, Method, Receipt, Stage
from dtm_sharing.stores.database import Claim, DispatchBusy, Ledger
from dtm_sharing.stores.ledger_rows import EXTRACT
from support.ledgers import (
    LEASE,
    NOW,
    ORIGIN,
    SIGNING_KEY,
    TABLE,
    VERIFIER_KEY,
    dispatch,
    event,
    open_ledger,
    publication,
    repeatable,
)

SENT = Receipt(Delivery.SENT, "The server took the message.", "<7@dtm.example.org>")
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger" / "ledger.db"


@pytest.fixture
def opened(path):
    return open_ledger(path)


def types(opened):
    return [json.loads(each.body)["type"].rpartition("sharing.")[2] for each in opened.entries()]


def data(entry):
    return json.loads(entry.body)["data"]


def claimed(opened, number=0, now=NOW, **changes):
    one = opened.intend(dispatch(opened, number, **changes), now)
    claim = opened.claim(one.key, now, LEASE)
    assert isinstance(claim, Claim)
    return claim


def sent(opened, number=0, **changes):
    claim = claimed(opened, number, **changes)
    assert opened.conclude(claim, SENT, NOW) is DispatchState.SENT
    return claim.key


# ------------------------------------------------------------------------------------------ opening


def test_a_new_ledger_is_for_its_owner_alone(path):
    opened = open_ledger(path)
    with opened._file.writing():
        made = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert made == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_ledger_is_found_again_by_path_and_by_url(path):
    first = open_ledger(path)
    first.record(event())
    again = open_ledger(f"sqlite:///{path}", create=False)
    assert again.verify().size == 1
    assert again.origin == first.origin == ORIGIN


def test_a_ledger_without_a_key_draws_its_name(tmp_path):
    names = {Ledger(tmp_path / f"{n}.db", random_bytes=repeatable(str(n))).origin for n in range(2)}
    assert len(names) == 2
    assert all(each.startswith("dtm-sharing.example.org/") for each in names)


def write(path, content):
    path.parent.mkdir()
    path.write_bytes(content)


def other_database(path):
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE dag_run (id)")
    connection.close()


def newer_format(path):
    open_ledger(path)
    tamper(path, "UPDATE meta SET format = 2")


NOT_LEDGERS = {
    "missing": (lambda _: None, False, "there is no ledger at"),
    "empty, to be read": (lambda path: write(path, b""), False, "is not a ledger"),
    "garbage": (lambda path: write(path, b"garbage" * 999), True, "not a database"),
    "a folder": (lambda path: path.mkdir(parents=True), True, "did not do what was asked"),
    "in a file": (lambda path: path.parent.write_bytes(b""), True, "cannot be created"),
    "another program's": (other_database, True, "another program's database"),
    "another program's, to be read": (other_database, False, "another program's database"),
    "of a newer format": (newer_format, True, "has format 2; this version reads 1"),
}


@pytest.mark.parametrize("case", NOT_LEDGERS)
def test_what_is_not_a_ledger_is_said_to_be_none_and_left_alone(path, case):
    prepare, create, sentence = NOT_LEDGERS[case]
    prepare(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreFailed, match=sentence):
        open_ledger(path, create=create)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_an_empty_file_becomes_a_ledger_as_after_a_kill_while_it_was_made(path):
    write(path, b"")
    assert open_ledger(path).record(event()).seq == 0


@pytest.mark.parametrize(
    "url", ["postgresql://db.example.org/ledger", "sqlite://", "sqlite:///", "http://x/y"]
)
def test_a_url_of_another_kind_is_refused(url):
    with pytest.raises(UsageProblem, match="SQLite file") as refused:
        open_ledger(url)
    assert "example.org" not in str(refused.value)


def test_a_relative_url_is_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    open_ledger("sqlite:///here.db")
    assert (tmp_path / "here.db").exists()


def test_a_key_for_another_ledger_is_refused(path, opened):
    opened.record(event())
    with pytest.raises(UsageProblem, match=f"the key is for the ledger x.example.org.*{ORIGIN}|signing key"):
        open_ledger(path, signing_key=ledger.signing_key("x.example.org", bytes(32)))


# ------------------------------------------------------------------------------------------- events


def test_an_event_is_recorded_once_however_often_it_is_told(opened):
    first = opened.record(event())
    assert opened.record(event()) == first
    assert opened.record_all((event(), event(1), event(1))) == (
        first,
        *opened.entries()[1:],
        opened.entries()[1],
    )
    assert [each.seq for each in opened.entries()] == [0, 1]
    assert first.leaf_hash == ledger.leaf_hash(first.body)


def test_events_differ_by_type_subject_time_organization_and_data(opened):
    one = event()
    for other in (
        one,
        replace(one, type="release.approved"),
        replace(one, subject="other"),
        replace(one, occurred_at=LATER),
        replace(one, organization=None),
        replace(one, data={"n": 1}),
    ):
        opened.record(other)
    assert len(opened.entries()) == 6
    assert opened.verify().size == 6


def test_several_events_are_recorded_all_or_none(opened):
    opened.record(event())
    with pytest.raises(UsageProblem, match="float"):
        opened.record_all((event(1), event(2), event(3, share=0.5)))
    assert len(opened.entries()) == 1
    assert opened.verify().size == 1


def test_an_organization_s_entries_are_numbered_without_gaps(opened):
    opened.record_all(event(n, organization=name) for n in range(3) for name in ("a", "b", None))
    numbers = [
        (e.get("organization"), e.get("organizationseq"))
        for e in (json.loads(x.body) for x in opened.entries())
    ]
    assert numbers == [(name, n) if name else (None, None) for n in range(3) for name in ("a", "b", None)]


@pytest.mark.parametrize(
    "kind",
    ["dispatch.intent", "dispatch.sent", "dispatch.late_attempt", "release.published", "table.registered"],
)
def test_what_changes_a_row_is_not_recorded_by_hand(opened, kind):
    with pytest.raises(UsageProblem, match="not recorded by hand"):
        opened.record(replace(event(), type=kind))
    assert opened.entries() == ()


def test_entries_of_one_type_are_found(opened):
    opened.record_all((event(), replace(event(), type="release.approved")))
    assert [each.seq for each in opened.entries("release.approved")] == [1]


def test_no_two_entries_have_the_same_nonce(opened):
    opened.record_all(event(n) for n in range(20))
    assert len({json.loads(each.body)["nonce"] for each in opened.entries()}) == 20


TABLES = ["ledger_entry", "ledger_node", "ledger_checkpoint"]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM {0}",
        "UPDATE {0} SET rowid = rowid",
        "INSERT OR REPLACE INTO {0} SELECT * FROM {0}",
    ],
)
def test_the_database_refuses_a_slip_of_the_hand(path, opened, table, statement):
    opened.record(event())
    opened.checkpoint(NOW)
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement.format(table))
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ledger_head",
        "UPDATE ledger_head SET size = 0",
        "INSERT INTO ledger_entry SELECT seq + 7, 'x', '', '', '', NULL, NULL, NULL, leaf_hash, body FROM ledger_entry",
    ],
)
def test_the_database_refuses_a_shrunken_head_and_a_gap(path, opened, statement):
    opened.record(event())
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match=r"append-only|without gaps"):
        connection.execute(statement)
    connection.close()


# ---------------------------------------------------------------------------------------- dispatches


def test_a_dispatch_goes_from_intent_to_sent_and_is_disclosed(opened):
    key = sent(opened)
    assert types(opened) == ["dispatch.intent", "dispatch.attempt", "dispatch.sent"]
    assert opened.find(key) == (dispatch(opened), DispatchState.SENT)
    (line,) = opened.disclosures()
    assert (line.organization, line.sent_at, line.entry, line.state) == ("scpa", NOW, 2, DispatchState.SENT)
    assert (line.columns, line.rows, line.focal_point) == (("site-id", "hiv_status"), 38, "npl/scpa-0")
    assert data(opened.entries()[2]) == {
        "fence": 1,
        "detail": "The server took the message.",
        "remote_id": "<7@dtm.example.org>",
    }
    assert opened.claim(key, LATER, LEASE) is DispatchState.SENT
    assert opened.verify().size == 3


def test_a_retry_finds_the_dispatch_as_it_was_intended(opened):
    first = opened.intend(dispatch(opened), NOW)
    again = opened.intend(replace(dispatch(opened), artefact_sha256="00" * 32), LATER)
    assert again == first
    assert types(opened) == ["dispatch.intent"]
    assert opened.find("none") is None


def test_the_key_of_a_dispatch_is_the_same_for_retries_and_for_nothing_else(opened, tmp_path):
    same = {
        "agreement": "npl/child-protection/low",
        "ref": TABLE,
        "columns": ("a", "b"),
        "focal_point": "npl/scpa-primary",
        "method": Method.EXCEL_EMAIL,
    }
    others = [
        {"agreement": "npl/child-protection/medium"},
        {"ref": replace(TABLE, dataset="npl/other")},
        {"ref": replace(TABLE, round="2026-11")},
        {"ref": replace(TABLE, sha256="00" * 32)},
        {"columns": ("a",)},
        {"focal_point": "npl/scpa-secondary"},
        {"method": Method.DOCUMENT_EMAIL},
        {"resend": 1},
    ]
    keys = [opened.dispatch_key(**{**same, **each}) for each in [{}, *others]]
    assert len(set(keys)) == len(keys)
    assert opened.dispatch_key(**{**same, "ref": replace(TABLE, path="elsewhere")}) == keys[0]
    # Another ledger, another salt: nobody can compute the key from what it is made of.
    assert open_ledger(tmp_path / "other.db").dispatch_key(**same) != keys[0]


def test_while_one_try_sends_another_must_wait(opened):
    claim = claimed(opened)
    with pytest.raises(DispatchBusy, match="being sent by another try") as busy:
        opened.claim(claim.key, NOW + LEASE - timedelta(microseconds=1), LEASE)
    assert busy.value.exit_code == 1
    assert types(opened) == ["dispatch.intent", "dispatch.attempt"]


@pytest.mark.parametrize("method", [Method.EXCEL_EMAIL, Method.DOCUMENT_EMAIL, Method.TELEPHONE])
def test_a_try_that_was_cut_off_on_a_channel_that_cannot_be_asked_ends_in_outcome_unknown(opened, method):
    claim = claimed(opened, method=method)
    assert opened.claim(claim.key, NOW + LEASE, LEASE) is DispatchState.OUTCOME_UNKNOWN
    assert opened.claim(claim.key, NOW + 9 * LEASE, LEASE) is DispatchState.OUTCOME_UNKNOWN
    assert types(opened) == ["dispatch.intent", "dispatch.attempt", "dispatch.outcome_unknown"]
    assert [each.state for each in opened.disclosures("scpa")] == [DispatchState.OUTCOME_UNKNOWN]
    assert opened.verify().size == 3


def test_a_try_that_was_cut_off_on_a_channel_that_can_be_asked_is_taken_over(opened):
    claim = claimed(opened, method=Method.PORTAL)
    taken_over = opened.claim(claim.key, NOW + LEASE, LEASE, try_number=2)
    assert taken_over == Claim(claim.key, fence=2, recover=True)
    assert data(opened.entries()[-1])["try_number"] == 2
    # The first one wakes up: it changes nothing, and what it says is kept.
    assert opened.conclude(claim, SENT, LATER) is DispatchState.SENDING
    assert opened.conclude(taken_over, SENT, LATER) is DispatchState.SENT
    assert types(opened)[2:] == ["dispatch.attempt", "dispatch.late_attempt", "dispatch.sent"]
    assert opened.verify().size == 5


def test_a_try_that_comes_back_after_it_was_given_up_changes_nothing(opened):
    claim = claimed(opened)
    opened.claim(claim.key, NOW + LEASE, LEASE)
    assert opened.conclude(claim, SENT, LATER) is DispatchState.OUTCOME_UNKNOWN
    assert data(opened.entries()[-1])["delivery"] == "sent"
    assert opened.verify().size == 4


OUTCOMES = {
    Delivery.SENT: (DispatchState.SENT, "dispatch.sent", True),
    Delivery.FAILED: (DispatchState.FAILED, "dispatch.failed", False),
    Delivery.NOT_SENT: (DispatchState.NEW, "dispatch.deferred", False),
    Delivery.OUTCOME_UNKNOWN: (DispatchState.OUTCOME_UNKNOWN, "dispatch.outcome_unknown", True),
}


@pytest.mark.parametrize("delivery", Delivery)
def test_what_came_of_it_is_recorded_once(opened, delivery):
    state, kind, held = OUTCOMES[delivery]
    claim = claimed(opened)
    for _ in range(2):
        assert opened.conclude(claim, Receipt(delivery, "A sentence."), NOW) is state
    assert types(opened)[2:] == [kind]
    assert bool(opened.disclosures()) is held
    assert opened.verify().size == 3


def test_what_was_not_sent_may_be_tried_again_and_what_failed_may_not(opened):
    claim = claimed(opened)
    opened.conclude(claim, Receipt(Delivery.NOT_SENT, "Greylisted."), NOW)
    again = opened.claim(claim.key, LATER, LEASE)
    assert again == Claim(claim.key, fence=2)
    opened.conclude(again, Receipt(Delivery.FAILED, "Refused for good."), LATER)
    assert opened.claim(claim.key, LATER, LEASE) is DispatchState.FAILED
    assert opened.verify().size == 5


def test_who_is_being_sent_to_counts_as_holding_it(opened):
    claimed(opened)
    assert [each.state for each in opened.disclosures()] == [DispatchState.SENDING]


def test_open_dispatches_are_those_that_somebody_must_see_to(opened):
    states = {}
    for number, delivery in enumerate((*Delivery, None)):
        claim = claimed(opened, number)
        if delivery:
            opened.conclude(claim, Receipt(delivery, "A sentence."), NOW)
        states[claim.key] = opened.find(claim.key)[1]
    found = {each.dispatch.key: (each.state, each.overdue) for each in opened.open_dispatches(NOW)}
    ended = {DispatchState.SENT, DispatchState.FAILED}
    assert found == {key: (state, False) for key, state in states.items() if state not in ended}
    overdue = [each.state for each in opened.open_dispatches(NOW + LEASE) if each.overdue]
    assert overdue == [DispatchState.SENDING]


@pytest.mark.parametrize("act", ["claim", "conclude", "receipt", "entry_bytes"])
def test_a_dispatch_that_was_never_intended_is_not_known(opened, act):
    key = dispatch(opened).key
    with pytest.raises(UsageProblem, match="knows no dispatch"):
        {
            "claim": lambda: opened.claim(key, NOW, LEASE),
            "conclude": lambda: opened.conclude(Claim(key, 1), SENT, NOW),
            "receipt": lambda: opened.receipt(key),
            "entry_bytes": lambda: opened.entry_bytes(key),
        }[act]()
    assert opened.entries() == ()


def test_a_key_that_is_no_uuid_is_refused(opened):
    with pytest.raises(UsageProblem, match="UUID"):
        opened.intend(dispatch(opened, key="k1"), NOW)
    assert opened.find("k1") is None


# ---------------------------------------------------------------------------- publications, disclosures


def test_a_publication_is_held_by_the_public_from_its_announcement_on(opened):
    opened.announce(publication())
    opened.announce(publication())
    (announced,) = opened.disclosures("public")
    assert announced.state is DispatchState.SENDING
    assert opened.verify().size == 1
    opened.publish(publication())
    opened.publish(replace(publication(), published_at=LATER))
    opened.announce(publication())
    (published,) = opened.disclosures("public")
    assert published == replace(announced, state=DispatchState.SENT, entry=1)
    assert (published.agreement, published.focal_point, published.method) == (None, None, "publication")
    assert types(opened) == ["release.announced", "release.published"]
    assert opened.verify().size == 2


def test_a_publication_that_was_never_announced_is_announced(opened):
    opened.publish(publication())
    opened.publish(publication(artefact_sha256="00" * 32))
    assert types(opened) == ["release.announced", "release.published"] * 2
    assert len(opened.disclosures()) == 2


def test_disclosures_are_those_of_the_organization_and_of_the_year_in_utc(opened):
    new_year = datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    for number, moment in enumerate((NOW, new_year, new_year + timedelta(microseconds=1))):
        claim = claimed(opened, number, now=moment, organization=f"o{number % 2}")
        opened.conclude(claim, SENT, moment)
    opened.publish(publication())
    found = [each.sent_at.year for each in opened.disclosures(year=2026)]
    assert found == [2026, 2026, 2026]
    assert [each.sent_at.year for each in opened.disclosures("o0")] == [2026, 2027]
    assert [each.sent_at for each in opened.disclosures("o1", 2026)] == [new_year]
    assert opened.disclosures("o1", 2027) == opened.disclosures("nobody") == ()


# ---------------------------------------------------------------------------------- tables of the rounds


def test_the_newest_table_of_a_round_is_found(opened):
    assert opened.registered(TABLE.dataset, TABLE.stage, TABLE.round) is None
    corrected = replace(TABLE, sha256="00" * 32, rows=39)
    for each in (
        TABLE,
        TABLE,
        corrected,
        TABLE,
        replace(TABLE, round="2026-09"),
        replace(TABLE, stage=Stage.COLLECTED),
    ):
        opened.register(each, NOW)
    assert opened.registered(TABLE.dataset, TABLE.stage, TABLE.round) == TABLE
    assert opened.rounds(TABLE.dataset, Stage.CLEANED) == (replace(TABLE, round="2026-09"), TABLE)
    assert len(opened.entries("table.registered")) == 5
    assert opened.verify().size == 5


# ------------------------------------------------------------------------------------------- privacy


def test_an_entry_holds_no_name_no_value_and_no_bare_hash(opened):
    key = sent(opened)
    opened.register(TABLE, NOW)
    opened.publish(publication())
    written = b"\n".join(each.body for each in opened.entries()).decode()
    one = dispatch(opened)
    for secret in (
        *one.columns,
        *publication().columns,
        one.focal_point,
        one.purpose,
        one.artefact_path,
        one.artefact_sha256,
        one.policy_digest,
        publication().artefact_sha256,
        TABLE.sha256,
        '"rows"',
        ":38",
    ):
        held = [line for line in written.splitlines() if secret in line]
        assert not [line for line in held if secret != '"rows"' or '"rows":3' in line], secret
    assert key in written


def test_people_are_named_by_a_random_id_that_stays_theirs(opened, path):
    sent(opened)
    pid = opened.pid("scpa", "npl/scpa-0")
    assert data(opened.entries()[0])["person"] == pid == opened.pid("scpa", "npl/scpa-0")
    assert pid != opened.pid("scpa", "npl/scpa-1") != opened.pid("other", "npl/scpa-1")
    assert open_ledger(path.with_name("other.db")).pid("scpa", "npl/scpa-0") != pid


def test_the_same_columns_have_the_same_id_and_another_commitment(opened):
    entries = [opened.intend(dispatch(opened, n), NOW) and data(opened.entries()[-1]) for n in range(2)]
    assert entries[0]["columns_id"] == entries[1]["columns_id"]
    assert entries[0]["sealed"]["columns"] != entries[1]["sealed"]["columns"]


def test_a_salt_opens_the_commitment_to_the_artefact(opened, path):
    key = sent(opened)
    salt = read(path, f"SELECT salt FROM sealed_field WHERE ref = '{key}/artefact_sha256'")[0][0]
    committed = data(opened.entries()[0])["sealed"]["artefact_sha256"]
    assert ledger.commitment(b"cd" * 32, salt).hex() == committed


# ---------------------------------------------------------------------------------- checkpoint, receipt


def test_a_checkpoint_is_signed_once_per_size(opened):
    assert opened.checkpoint(NOW) is None
    opened.record(event())
    first = opened.checkpoint(NOW)
    assert opened.checkpoint(LATER) == first
    opened.record(event(1))
    second = ledger.read_checkpoint(opened.checkpoint(LATER), VERIFIER_KEY)
    verified = opened.verify(VERIFIER_KEY)
    assert second == ledger.Checkpoint(ORIGIN, 2, verified.root)
    assert verified.checkpoints == 2


def test_without_a_key_nothing_is_signed(path):
    unsigned = open_ledger(path, signing_key=None)
    one = unsigned.intend(dispatch(unsigned), NOW)
    assert unsigned.checkpoint(NOW) is None
    with pytest.raises(UsageProblem, match="without its signing key"):
        unsigned.receipt(one.key)


def test_nothing_is_signed_over_a_ledger_that_does_not_extend_its_last_checkpoint(path, opened):
    opened.record_all(event(n) for n in range(5))
    opened.checkpoint(NOW)
    tamper(
        path, "UPDATE ledger_entry SET body = replace(body, 'release', 'RELEASE') WHERE seq = 2", rebuild=True
    )
    opened.record(event(9))
    with pytest.raises(LedgerAltered, match="does not extend"):
        opened.checkpoint(LATER)
    assert opened.verify.__self__ is opened
    assert len(read(path, "SELECT * FROM ledger_checkpoint")) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_checkpoint SET root = zeroblob(32)",
        "UPDATE ledger_checkpoint SET size = 9",
        "UPDATE ledger_checkpoint SET note = replace(note, 'example', 'exemple')",
        "DELETE FROM ledger_node WHERE id = 0",
    ],
)
def test_nothing_is_signed_after_a_checkpoint_that_was_altered(path, opened, statement):
    opened.record_all(event(n) for n in range(3))
    opened.checkpoint(NOW)
    opened.record(event(3))
    tamper(path, statement)
    with pytest.raises(LedgerAltered):
        opened.checkpoint(LATER)
    with pytest.raises(LedgerAltered):
        opened.verify(VERIFIER_KEY)


def test_a_receipt_proves_the_intent_to_anyone_with_the_verifier_key(opened):
    opened.record_all(event(n) for n in range(3))
    key = opened.intend(dispatch(opened), NOW).key
    receipt = opened.receipt(key)
    assert ledger.verify_receipt(receipt, opened.entry_bytes(key), VERIFIER_KEY).size == 4
    opened.record_all(event(n) for n in range(3, 9))
    assert opened.receipt(key, LATER) == receipt  # a covering checkpoint serves
    later = opened.checkpoint(LATER)
    assert opened.receipt(key).endswith(later)
    ledger.verify_receipt(opened.receipt(key), opened.entry_bytes(key), VERIFIER_KEY)


def test_the_files_for_the_package_are_the_entry_and_its_receipt(opened):
    key = opened.intend(dispatch(opened), NOW).key
    (entry, proof) = opened.receipt_files(key, NOW)
    assert entry == ("entry.json", "application/json", opened.entry_bytes(key))
    assert proof == ("entry.tlog-proof", "text/plain", opened.receipt(key).encode())


def test_no_receipt_is_given_that_does_not_verify(path, opened):
    key = opened.intend(dispatch(opened), NOW).key
    opened.record(event())
    opened.checkpoint(NOW)
    tamper(path, "UPDATE ledger_entry SET body = replace(body, 'npl', 'NPL') WHERE seq = 0")
    with pytest.raises(LedgerAltered) as altered:
        opened.receipt(key)
    assert altered.value.entry == 0


# --------------------------------------------------------------------------------------- alterations


def read(path, query):
    connection = sqlite3.connect(path)
    rows = connection.execute(query).fetchall()
    connection.close()
    return rows


def tamper(path, *statements, rebuild=False):
    """What whoever holds the file can do: drop the triggers, change rows, even rebuild the whole tree."""
    connection = sqlite3.connect(path, isolation_level=None)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        assert connection.execute(statement).rowcount != 0, "the attack changed nothing"
    if rebuild:
        rebuild_tree(connection)
    connection.close()


def rebuild_tree(connection):
    frontier = ledger.Frontier()
    connection.execute("DELETE FROM ledger_node")
    for number, (seq, body) in enumerate(
        connection.execute("SELECT seq, CAST(body AS BLOB) FROM ledger_entry ORDER BY seq").fetchall()
    ):
        leaf = ledger.leaf_hash(body)
        first = ledger.stored_count(number)
        frontier, added = frontier.append(leaf)
        connection.execute(
            "UPDATE ledger_entry SET seq = ?, body = ?, leaf_hash = ? WHERE seq = ?",
            (number, body, leaf, seq),
        )
        connection.executemany(
            "INSERT INTO ledger_node VALUES (?, ?)", [(first + i, each) for i, each in enumerate(added)]
        )
    connection.execute(
        "UPDATE ledger_head SET size = ?, frontier = ?", (frontier.size, b"".join(frontier.peaks))
    )


@pytest.fixture
def busy(path):
    """A ledger with everything in it, 30 entries, checkpoints at 16 and 30; entry 3 is an intent."""
    opened = open_ledger(path)
    opened.record_all(event(n, organization=("a", "b", None)[n % 3]) for n in range(3))
    key = sent(opened)  # entries 3, 4, 5
    opened.register(TABLE, NOW)  # 6
    opened.publish(publication())  # 7, 8
    claimed(opened, 1)  # 9, 10
    failed = claimed(opened, 2)  # 11, 12
    opened.conclude(failed, Receipt(Delivery.FAILED, "Refused."), NOW)  # 13
    opened.announce(publication(artefact_sha256="00" * 32))  # 14
    opened.intend(dispatch(opened, 3), NOW)  # 15
    held = opened.checkpoint(NOW)
    receipt = opened.receipt(key)
    opened.record_all(event(n, organization="a") for n in range(100, 114))
    opened.checkpoint(NOW)
    assert opened.verify(VERIFIER_KEY, held, receipt).size == 30
    return path, held, receipt


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
        "DELETE FROM ledger_entry WHERE seq = 20",
        "UPDATE ledger_entry SET seq = -seq WHERE seq > 20",
        "UPDATE ledger_entry SET seq = -seq - 1 WHERE seq < 0",
        rebuild=rebuild,
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
    "node removed": (does("DELETE FROM ledger_node WHERE id = 9"), 5),
    "last node removed": (does("DELETE FROM ledger_node WHERE id = (SELECT max(id) FROM ledger_node)"), 28),
    "node added": (does("INSERT INTO ledger_node VALUES (9999, zeroblob(32))"), None),
    "entry removed": (does("DELETE FROM ledger_entry WHERE seq = 20"), 20),
    "entry removed, others renumbered": (lambda path: renumbers(path, rebuild=False), 20),
    "entry removed, renumbered, rebuilt": (lambda path: renumbers(path, rebuild=True), 20),
    "last entry removed": (does("DELETE FROM ledger_entry WHERE seq = 29"), 29),
    "entries swapped": (
        does(
            "UPDATE ledger_entry SET seq = -1 WHERE seq = 20",
            "UPDATE ledger_entry SET seq = 20 WHERE seq = 21",
            "UPDATE ledger_entry SET seq = 21 WHERE seq = -1",
        ),
        20,
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
    "publication: an agreement": (
        does("UPDATE disclosure SET agreement = 'x' WHERE method = 'publication'"),
        7,
    ),
    "publication: state": (does("UPDATE disclosure SET state = 'sending' WHERE entry = 8"), 8),
    "publication removed": (does("DELETE FROM disclosure WHERE entry = 8"), 7),
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


def test_a_ledger_longer_than_a_page_is_verified_page_by_page(opened, monkeypatch):
    monkeypatch.setattr("dtm_sharing.stores.ledger_audit.PAGE", 7)
    for n in range(12):
        sent(opened, n)
        opened.checkpoint(NOW)
    assert opened.verify(VERIFIER_KEY).checkpoints == 12
    assert opened.verify().size == 36


def test_a_row_that_cannot_be_read_is_a_sentence(path, opened):
    key = sent(opened)
    opened.register(TABLE, NOW)
    tamper(
        path,
        "UPDATE dispatch SET state = 'x', level = 'x'",
        "UPDATE disclosure SET columns = '['",
        "UPDATE registered_table SET stage = 'cleaned' WHERE 1",
    )
    for look in (lambda: opened.find(key), opened.disclosures, lambda: opened.claim(key, NOW, LEASE)):
        with pytest.raises(LedgerAltered, match="run the ledger's verification"):
            look()


# ------------------------------------------------------------------------------------------ processes

WORKER = Path(__file__).parents[1] / "support" / "ledger_worker.py"


def start(*arguments):
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'plugins'}:{root / 'tests'}"}
    return subprocess.Popen(
        [sys.executable, str(WORKER), *map(str, arguments)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_eight_processes_append_at_once_to_a_ledger_that_none_has_made_yet(path):
    workers = [start("append", path, f"w{n}", 15) for n in range(8)]
    ends = [(worker.communicate(timeout=120)[1], worker.returncode) for worker in workers]
    assert ends == [("", 0)] * 8
    opened = open_ledger(path)
    assert opened.verify().size == 8 * 15 * 2
    numbers = Counter(json.loads(each.body)["organization"] for each in opened.entries())
    assert numbers == {"scpa": 120, **{f"w{n}": 15 for n in range(8)}}


def test_no_kill_makes_a_dispatch_go_twice_or_be_forgotten(path, tmp_path):
    """Killed with SIGKILL after every kind of step; then left to finish."""
    channel, dispatches, hour = tmp_path / "channel", 12, 0
    channel.touch()
    for hour, lines in enumerate([1, 2, 3, 4, 6, 7, 9, 10, 11, 14, 15, 18]):
        worker = start("dispatch", path, channel, dispatches, hour)
        for _ in range(lines):
            worker.stdout.readline()
        worker.kill()
        worker.communicate(timeout=60)
    last = start("dispatch", path, channel, dispatches, hour + 1)
    assert (last.communicate(timeout=60)[1], last.returncode) == ("", 0)

    opened = open_ledger(path)
    taken = Counter(channel.read_text().split())
    states = {}
    for number in range(dispatches):
        key = dispatch(opened, number).key
        states[key] = opened.find(key)[1]
    assert max(taken.values()) == 1
    assert set(states.values()) <= {DispatchState.SENT, DispatchState.OUTCOME_UNKNOWN}
    assert Counter(states.values())[DispatchState.OUTCOME_UNKNOWN] > 0
    assert {key for key, state in states.items() if state is DispatchState.SENT} <= set(taken)
    assert set(taken) <= set(states)
    assert opened.verify().size == len(opened.entries())


def test_a_full_disk_is_a_sentence_and_what_was_recorded_stays(path):
    open_ledger(path)
    worker = start("fill", path, 300_000)
    said, trouble = worker.communicate(timeout=60)
    assert (worker.returncode, trouble) == (1, "")
    assert "did not do what was asked" in said
    opened = open_ledger(path)
    size = opened.verify().size
    assert size > 10
    assert opened.record(event(10**7)).seq == size


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_a_ledger_that_may_only_be_read_is_read_and_not_written(busy):
    path, held, _ = busy
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        look = as_nobody(path, held)
    finally:
        path.parent.chmod(0o700)
    assert look.stderr == ""
    assert look.stdout.split("\n")[:2] == ["30 5", "1"]
    assert "did not do what was asked" in look.stdout


def as_nobody(path, held):
    """Run as root, a file mode stops nobody: then look as another user."""
    code = (
        "import os, sys\n"
        "from dtm_sharing.stores.database import Ledger\n"
        "from support.ledgers import event, VERIFIER_KEY\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "opened = Ledger(sys.argv[1], create=False)\n"
        "print(opened.verify(VERIFIER_KEY, sys.argv[2]).size, len(opened.disclosures()))\n"
        "try: opened.record(event())\n"
        "except Exception as error: print(error.exit_code, error, sep='\\n')\n"
    )
    root = Path(__file__).parents[2]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{root / 'plugins'}:{root / 'tests'}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    # The temporary folders above are closed to others.
    for folder in list(path.parents)[1:]:
        if folder.stat().st_uid == os.getuid() and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    return subprocess.run(
        [sys.executable, "-c", code, str(path), held],
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )


def test_a_file_whose_pages_are_broken_is_a_sentence(busy):
    path, _, _ = busy
    content = bytearray(path.read_bytes())
    for page in range(4096, len(content), 4096):
        content[page : page + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(StoreFailed, match="did not do what was asked"):
        open_ledger(path).verify()
    assert SIGNING_KEY
