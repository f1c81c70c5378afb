"""The ledger's database, against real files and real processes."""

from __future__ import annotations

import json
import sqlite3
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dtm_sharing import ledger
from dtm_sharing.errors import LedgerAltered, StoreFailed, UsageProblem
from dtm_sharing.model import Delivery, DispatchState, Method, Receipt, Stage
from dtm_sharing.stores.database import Ledger
from dtm_sharing.stores.ledger_tables import make_file
from dtm_sharing.stores.outbox import Claim, DispatchBusy
from support.ledgers import (
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
    repeatable,
    tamper,
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
    one = intend(opened, dispatch(opened, number, **changes), now=now)
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
    tamper(path, "UPDATE meta SET format = 3")


def first_format(path):
    open_ledger(path)
    tamper(path, "UPDATE meta SET format = 1", "DROP TABLE decision", "DROP TABLE policy_bundle")


NOT_LEDGERS = {
    "missing": (lambda _: None, False, "there is no ledger at"),
    "empty": (lambda path: write(path, b""), True, "is not a ledger"),
    "garbage": (lambda path: write(path, b"garbage" * 999), True, "not a database"),
    "a folder": (lambda path: path.mkdir(parents=True), True, "did not do what was asked"),
    "in a file": (lambda path: path.parent.write_bytes(b""), True, "cannot be made"),
    "another program's": (other_database, True, "is not a ledger"),
    "another program's, to be read": (other_database, False, "is not a ledger"),
    "of a newer format": (newer_format, True, "has format 3; this version reads 2"),
    "of the first format": (first_format, True, "has format 1; this version reads 2"),
}


@pytest.mark.parametrize("case", NOT_LEDGERS)
def test_what_is_not_a_ledger_is_said_to_be_none_and_left_alone(path, case):
    prepare, create, sentence = NOT_LEDGERS[case]
    prepare(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreFailed, match=sentence):
        open_ledger(path, create=create)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_nothing_is_left_where_a_ledger_could_not_be_made(path):
    def fails(_):
        raise StoreFailed("full")

    with pytest.raises(StoreFailed, match="full"):
        make_file(path, fails)
    assert list(path.parent.iterdir()) == []


def test_whoever_makes_the_ledger_first_has_made_it(path):
    open_ledger(path).record(event())
    make_file(path, lambda file: file.write_ahead())
    assert open_ledger(path).verify().size == 1


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
        replace(one, type="release.stopped"),
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
    [
        "dispatch.intent",
        "dispatch.sent",
        "dispatch.late_attempt",
        "dispatch.recalled",
        "release.announced",
        "release.published",
        "release.recalled",
        "release.put_late",
        "release.approved",
        "release.denied",
        "release.undecided",
        "policy.adopted",
        "table.registered",
    ],
)
def test_what_changes_a_row_is_not_recorded_by_hand(opened, kind):
    with pytest.raises(UsageProblem, match="not recorded by hand"):
        opened.record(replace(event(), type=kind))
    assert opened.entries() == ()


def test_entries_of_one_type_are_found(opened):
    opened.record_all((event(), replace(event(), type="release.stopped")))
    assert [each.seq for each in opened.entries("release.stopped")] == [1]


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
    with pytest.raises(sqlite3.IntegrityError, match=r"append-only|without gaps"):
        connection.execute(statement.format(table))
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ledger_head",
        "UPDATE ledger_head SET size = 0",
        "INSERT INTO ledger_entry SELECT 7, 'x', '', '', '', NULL, NULL, NULL, body, body FROM ledger_entry",
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
    first = intend(opened, dispatch(opened))
    again = intend(opened, replace(dispatch(opened), artefact_sha256="00" * 32), now=LATER)
    assert again == first
    assert types(opened) == ["dispatch.intent"]
    assert opened.find("none") is None


def test_the_key_of_a_dispatch_is_the_same_for_retries_and_for_nothing_else(opened, tmp_path):
    same = {
        "agreement": "npl/child-protection/low",
        "dataset": TABLE.dataset,
        "round_": TABLE.round,
        "extract": "ab" * 32,
        "focal_point": "npl/scpa-primary",
        "method": Method.EXCEL_EMAIL,
    }
    others = [
        {"agreement": "npl/child-protection/medium"},
        {"dataset": "npl/other"},
        {"round_": "2026-11"},
        {"extract": "00" * 32},
        {"focal_point": "npl/scpa-secondary"},
        {"method": Method.DOCUMENT_EMAIL},
        {"resend": 1},
    ]
    keys = [opened.dispatch_key(**{**same, **each}) for each in [{}, *others]]
    assert len(set(keys)) == len(keys)
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
    ended = {DispatchState.SENT}
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
        intend(opened, dispatch(opened, key="k1"))
    assert opened.find("k1") is None


# ---------------------------------------------------------------------------- publications, disclosures


def test_a_publication_is_held_by_the_public_from_its_announcement_on(opened):
    announce(opened, publication())
    announce(opened, publication())
    (announced,) = opened.disclosures("public")
    assert announced.state is DispatchState.SENDING
    assert opened.verify().size == 1
    publish(opened, publication())
    publish(opened, replace(publication(), published_at=LATER))
    announce(opened, publication())
    (published,) = opened.disclosures("public")
    assert published == replace(announced, state=DispatchState.SENT, entry=1)
    assert (published.agreement, published.focal_point, published.method) == (None, None, "publication")
    assert types(opened) == ["release.announced", "release.published"]
    assert opened.verify().size == 2


def test_what_was_not_announced_is_not_published(opened):
    publish(opened, publication())
    with pytest.raises(UsageProblem, match="announce a publication first"):
        opened.publish(publication(artefact_sha256="00" * 32))
    assert types(opened) == ["release.announced", "release.published"]
    publish(opened, publication(artefact_sha256="00" * 32))
    assert len(opened.disclosures()) == 2
    assert opened.verify().size == 4


def test_disclosures_are_those_of_the_organization_and_of_the_year_in_utc(opened):
    new_year = datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    for number, moment in enumerate((NOW, new_year, new_year + timedelta(microseconds=1))):
        claim = claimed(opened, number, now=moment, organization=f"o{number % 2}")
        opened.conclude(claim, SENT, moment)
    publish(opened, publication())
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
    newest = [ref for ref, _ in opened.rounds(TABLE.dataset, Stage.CLEANED)]
    assert newest == [replace(TABLE, round="2026-09"), TABLE]
    assert len(opened.entries("table.registered")) == 5
    assert opened.verify().size == 5


# ------------------------------------------------------------------------------------------- privacy


def test_an_entry_holds_no_name_no_value_and_no_bare_hash(opened):
    key = sent(opened)
    opened.register(TABLE, NOW)
    publish(opened, publication())
    decide(opened)
    written = b"\n".join(each.body for each in opened.entries()).decode()
    one = dispatch(opened)
    for secret in (
        *one.columns,
        *one.indicators,
        *publication().columns,
        "Site ID",
        "indicator:site-id@site",
        "every row has",
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
    entries = [intend(opened, dispatch(opened, n)) and data(opened.entries()[-1]) for n in range(2)]
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
    one = intend(unsigned, dispatch(unsigned))
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
    assert len(read(path, "SELECT * FROM ledger_checkpoint")) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_checkpoint SET root = zeroblob(32)",
        "UPDATE ledger_checkpoint SET size = 9",
        "UPDATE ledger_checkpoint SET note = replace(note, 'example', 'exemple')",
        "DELETE FROM ledger_node WHERE id = 2",
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
    key = intend(opened, dispatch(opened)).key
    receipt = opened.receipt(key)
    assert ledger.verify_receipt(receipt, opened.entry_bytes(key), VERIFIER_KEY).size == 4
    opened.record_all(event(n) for n in range(3, 9))
    assert opened.receipt(key, LATER) == receipt  # a covering checkpoint serves
    later = opened.checkpoint(LATER)
    assert opened.receipt(key).endswith(later)
    ledger.verify_receipt(opened.receipt(key), opened.entry_bytes(key), VERIFIER_KEY)


def test_the_files_for_the_package_are_the_entry_and_its_receipt(opened):
    key = intend(opened, dispatch(opened)).key
    (entry, proof) = opened.receipt_files(key, NOW)
    assert entry == ("entry.json", "application/json", opened.entry_bytes(key))
    assert proof == ("entry.tlog-proof", "text/plain", opened.receipt(key).encode())


def test_no_receipt_is_given_that_does_not_verify(path, opened):
    key = intend(opened, dispatch(opened)).key
    opened.record(event())
    opened.checkpoint(NOW)
    body = "replace(CAST(body AS TEXT), 'npl', 'NPL')"
    for kept_as in (f"CAST({body} AS BLOB)", body):
        tamper(path, f"UPDATE ledger_entry SET body = {kept_as} WHERE seq = 0")
        with pytest.raises(LedgerAltered, match=r"cannot be proved|not bytes") as altered:
            opened.receipt(key)
        assert altered.value.entry == 0
