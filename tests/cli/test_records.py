"""audit and ledger verify, on real ledgers."""

from __future__ import annotations

import csv
import io
import sqlite3
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dtm_sharing import ledger as notes
from dtm_sharing.model import (
    Delivery,
    Dispatch,
    Event,
    Grain,
    Level,
    Method,
    Receipt,
    Urgency,
)
from dtm_sharing.stores.database import Ledger
from support.ledgers import intend, publication, publish
from support.policies import write_policies

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
SIGNING_KEY = notes.signing_key("ledger.example.org/xyz", bytes(range(32)))
SHA256 = "ab" * 32
DATASET, ROUND = "xyz/site-assessment", "2026-11"


def send(ledger: Ledger, when: datetime = NOW, **changes) -> str:
    """One extract, from intent to the mail server's yes. Gives the dispatch's key."""
    columns = changes.pop("columns", ("Site ID", "Child-headed households"))
    person = changes.pop("focal_point", "xyz/scpa-primary")
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{columns}/{person}"))
    dispatch = Dispatch(
        key=key,
        organization="scpa",
        agreement="xyz/child-protection",
        urgency=Urgency.LOW,
        purpose="Plan child protection services per site",
        dataset=DATASET,
        round=ROUND,
        level=Level.CONFIDENTIAL,
        columns=columns,
        indicators=("child-headed-households", "site-id"),
        grain=Grain.SITE,
        rows=3,
        method=Method.EXCEL_EMAIL,
        focal_point=person,
        policy_digest="sha256:cd",
        artefact_path="outbox/1/extract.xlsx",
        artefact_sha256=SHA256,
    )
    intend(ledger, replace(dispatch, **changes), now=when)
    claim = ledger.claim(key, when, timedelta(minutes=15), 1)
    ledger.conclude(claim, Receipt(Delivery.SENT, "The mail server took it.", "1"), when)
    return key


@pytest.fixture
def ledger(tmp_path) -> Ledger:
    return Ledger(tmp_path / "ledger.db", signing_key=SIGNING_KEY)


@pytest.fixture
def path(ledger, tmp_path):
    """The file of the ledger."""
    return tmp_path / "ledger.db"


@pytest.fixture
def audit(cli, path, policies):
    def call(organization, *options):
        usual = ("--ledger", path, "--policies", policies)
        return cli("audit", "--organization", organization, *usual, *options)

    return call


# ------------------------------------------------------------------------------------------------- audit


def test_audit_says_all_that_one_must_answer_for(audit, ledger):
    key = send(ledger)
    answer = audit("scpa", "--format", "json")
    assert (answer.code, answer.err) == (0, "")
    [found] = answer.json
    entry = found.pop("entry")
    assert found == {
        "sent_at": "2026-11-22T10:00:00+00:00",
        "organization": "scpa",
        "agreement": "xyz/child-protection",
        "urgency": "low",
        "purpose": "Plan child protection services per site",
        "dataset": "xyz/site-assessment",
        "round": "2026-11",
        "level": "Confidential",
        "columns": ["Site ID", "Child-headed households"],
        "indicators": ["child-headed-households", "site-id"],
        "grain": "site",
        "rows": 3,
        "method": "excel-email",
        "focal_point": "xyz/scpa-primary",
        "policy_digest": "sha256:cd",
        "artefact_sha256": SHA256,
        "state": "sent",
        "key": key,
    }
    assert b"dispatch.sent" in ledger.entries()[entry].body


def test_audit_as_a_table_has_the_same_facts_in_80_columns(audit, ledger):
    send(ledger)
    answer = audit("scpa")
    assert answer.code == 0
    assert answer.out.startswith("scpa: 1 disclosure.")
    text = " ".join(answer.out.split())
    for fact in (
        "2026-11-22T10:00:00+00:00",
        "xyz/site-assessment",
        "2026-11",
        "Site ID",
        "Child-headed households",
        "rows 3",
        "Plan child protection services per site",
        "xyz/child-protection",
        "low",
        "excel-email",
        "xyz/scpa-primary",
        "Confidential",
        "sha256:cd",
        SHA256,
        "sent",
        "entry",
    ):
        assert fact in text
    assert max(map(len, answer.out.splitlines())) <= 80


def test_nothing_is_left_out_because_it_is_zero(audit, ledger):
    send(ledger, rows=0)
    assert "rows           0" in audit("scpa").out


def test_audit_as_csv_has_one_row_per_disclosure(audit, ledger):
    send(ledger)
    send(ledger, focal_point="xyz/scpa-secondary")
    rows = list(csv.DictReader(io.StringIO(audit("scpa", "--format", "csv").out)))
    assert [row["focal_point"] for row in rows] == ["xyz/scpa-primary", "xyz/scpa-secondary"]
    assert rows[0]["columns"] == "Site ID; Child-headed households"
    assert list(rows[0]) == list(audit("scpa", "--format", "json").json[0])


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"])  # noqa: RUF001 - meant
def test_no_cell_of_the_csv_is_a_formula(audit, ledger, start):
    send(ledger, purpose=f"{start}HYPERLINK(1)", columns=(f"{start}1+1", "Site ID"))
    out = audit("scpa", "--format", "csv").out
    [row] = csv.DictReader(io.StringIO(out, newline=""))
    assert (row["purpose"], row["columns"]) == (f"'{start}HYPERLINK(1)", f"'{start}1+1; Site ID")
    assert row["rows"] == "3"


def test_audit_of_one_year(audit, ledger):
    send(ledger, datetime(2025, 12, 31, 23, 59, tzinfo=UTC))
    send(ledger, datetime(2026, 1, 1, tzinfo=UTC), focal_point="xyz/scpa-secondary")
    sent = [each["sent_at"] for each in audit("scpa", "--year", 2026, "--format", "json").json]
    assert sent == ["2026-01-01T00:00:00+00:00"]
    assert len(audit("scpa", "--format", "json").json) == 2


def test_who_received_nothing_is_told_so(audit):
    answer = audit("scpa")
    assert (answer.code, answer.out, answer.err) == (0, "scpa: received nothing.\n", "")
    assert audit("scpa", "--format", "json").json == []
    assert audit("scpa", "--format", "csv").out.startswith("sent_at,organization,")
    assert audit("scpa", "--year", 2020).out == "scpa in 2020: received nothing.\n"


def test_an_organization_that_nobody_knows_is_a_failure_with_the_nearest_id(audit, ledger):
    answer = audit("scpaa")
    assert (answer.code, answer.out) == (1, "")
    assert "did you mean scpa" in answer.err


def test_an_organization_that_only_the_ledger_knows_can_be_asked_for(audit, ledger):
    send(ledger, organization="gone")
    assert audit("gone", "--year", 2020).code == 0
    assert "did you mean gone" in audit("gonne").err


def test_what_was_received_is_told_although_the_policy_does_not_load(cli, path, ledger, policies):
    send(ledger)
    write_policies(policies, {"relations.yaml": b"kind: nonsense"})
    usual = ("--ledger", path, "--policies", policies)
    assert cli("audit", "--organization", "scpa", *usual).code == 0
    assert cli("audit", "--organization", "other", *usual).code == 3


def test_public_lists_what_was_published(audit, ledger):
    publish(ledger, publication(dataset=DATASET, round=ROUND, columns=("Site ID",), published_at=NOW))
    [found] = audit("public", "--format", "json").json
    assert (found["dataset"], found["columns"], found["level"]) == (DATASET, ["Site ID"], "Public")
    assert (found["agreement"], found["urgency"], found["focal_point"]) == (None, None, None)
    plainly = audit("public").out
    assert "None" not in plainly
    assert f"entry          {found['entry']}" in plainly
    assert audit("public", "--format", "csv").code == 0


def test_nothing_published_yet_is_an_answer(audit):
    assert audit("public").out == "public: received nothing.\n"


# ----------------------------------------------------------------------------------------------- verify


def test_an_unaltered_ledger_verifies_with_its_size_and_root(cli, path, ledger):
    send(ledger)
    answer = cli("ledger", "verify", "--ledger", path, "--format", "json")
    size = len(ledger.entries())
    root = notes.read_checkpoint(ledger.checkpoint(NOW)).root.hex()
    assert (answer.code, answer.json) == (0, {"size": size, "root": root, "checkpoints": 0})
    plainly = cli("ledger", "verify", "--ledger", path)
    assert plainly.code == 0
    assert plainly.out.startswith(f"The ledger is unaltered: {size} entries, 1 checkpoint.\nroot {root}\n")


def test_an_empty_ledger_verifies(cli, path):
    assert cli("ledger", "verify", "--ledger", path).code == 0


def alter(path, statement):
    """Change the file as somebody would who owns it: past the triggers."""
    with sqlite3.connect(path) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        assert connection.execute(statement).rowcount > 0
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entry SET body = CAST(replace(body, 'intent', 'intend') AS BLOB) WHERE seq = 1",
        "UPDATE ledger_entry SET leaf_hash = zeroblob(32) WHERE seq = 1",
        "DELETE FROM ledger_entry WHERE seq = 1",
    ],
)
def test_an_altered_ledger_is_exit_code_2_and_the_number_of_the_entry(cli, path, ledger, statement):
    ledger.record(Event("policy.loaded", "policy", NOW, None, {"digest": "sha256:cd"}))
    send(ledger)
    alter(path, statement)
    answer = cli("ledger", "verify", "--ledger", path)
    assert (answer.code, answer.out) == (2, ""), answer.err
    assert "entry 1 " in answer.err.replace(",", " ").replace(":", " ")


def test_a_checkpoint_kept_elsewhere_shows_a_ledger_that_was_written_anew(cli, tmp_path):
    first = Ledger(tmp_path / "first.db", signing_key=SIGNING_KEY)
    send(first)
    kept = tmp_path / "checkpoint"
    kept.write_text(first.checkpoint(NOW), encoding="utf-8")
    second = Ledger(tmp_path / "second.db", signing_key=SIGNING_KEY)
    send(second, rows=4)
    verify = ("ledger", "verify", "--checkpoint", kept, "--ledger")
    assert cli(*verify, tmp_path / "first.db").code == 0
    assert cli(*verify, tmp_path / "second.db").code == 2


def test_the_key_is_a_string_a_file_or_a_setting(cli, path, ledger, tmp_path, monkeypatch):
    send(ledger)
    ledger.checkpoint(NOW)
    right = notes.verifier_key(SIGNING_KEY)
    wrong = notes.verifier_key(notes.signing_key("ledger.example.org/xyz", bytes(32)))
    (tmp_path / "right.key").write_text(right + "\n")
    verify = ("ledger", "verify", "--ledger", path)
    assert cli(*verify, "--key", right).code == 0
    assert cli(*verify, "--key", tmp_path / "right.key").code == 0
    assert cli(*verify, "--key", wrong).code == 2
    monkeypatch.setenv("DTM_SHARING_LEDGER_KEY", wrong)
    assert cli(*verify).code == 2
    assert cli(*verify, "--key", right).code == 0


def test_a_receipt_that_a_recipient_kept_is_checked(cli, path, ledger, tmp_path):
    key = send(ledger)
    kept = tmp_path / "receipt"
    kept.write_text(ledger.receipt(key), encoding="utf-8")
    assert cli("ledger", "verify", "--ledger", path, "--receipt", kept).code == 0
    other = Ledger(tmp_path / "other.db", signing_key=SIGNING_KEY)
    send(other, rows=4)
    assert cli("ledger", "verify", "--ledger", tmp_path / "other.db", "--receipt", kept).code == 2


@pytest.mark.parametrize("option", ["--key", "--checkpoint", "--receipt"])
@pytest.mark.parametrize(
    "content", [None, b"", b"nonsense", b"\xff\xfe"], ids=["absent", "empty", "text", "bytes"]
)
def test_a_key_checkpoint_or_receipt_that_is_none_proves_nothing(
    cli, path, ledger, tmp_path, option, content
):
    send(ledger)
    ledger.checkpoint(NOW)
    given = tmp_path / "given"
    if content is not None:
        given.write_bytes(content)
    answer = cli("ledger", "verify", "--ledger", path, option, given)
    assert answer.code in {1, 2}
    assert answer.out == ""
    assert len(answer.err.splitlines()) == 1
    assert "bug" not in answer.err


@pytest.mark.parametrize("command", [("ledger", "verify"), ("audit", "--organization", "scpa")])
def test_a_ledger_that_is_not_there_is_a_failure_and_is_not_made(cli, tmp_path, command):
    answer = cli(*command, "--ledger", tmp_path / "none" / "ledger.db")
    assert (answer.code, answer.out) == (1, "")
    assert "ledger.db" in answer.err
    assert not (tmp_path / "none").exists()


def test_a_file_that_is_no_ledger_is_a_failure(cli, tmp_path):
    (tmp_path / "ledger.db").write_bytes(b"not a database at all, only text" * 100)
    answer = cli("ledger", "verify", "--ledger", tmp_path / "ledger.db")
    assert (answer.code, answer.out) == (1, "")
    assert "bug" not in answer.err


def test_without_a_place_for_the_ledger_the_variable_is_named(cli):
    answer = cli("ledger", "verify")
    assert (answer.code, answer.out) == (1, "")
    assert "DTM_SHARING_LEDGER" in answer.err


def test_reading_changes_nothing(cli, path, ledger, audit, tmp_path):
    send(ledger)
    before = len(ledger.entries())
    audit("scpa")
    cli("ledger", "verify", "--ledger", path)
    assert len(ledger.entries()) == before
