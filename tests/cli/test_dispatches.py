"""dispatch list and dispatch settle, and ledger checkpoint, on real ledgers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from dtm_sharing import ledger as notes
from dtm_sharing.model import Delivery, DispatchState, Method, Receipt
from dtm_sharing.stores.database import Ledger
from support.ledgers import (
    ORIGIN,
    SIGNING_KEY,
    VERIFIER_KEY,
    announce,
    dispatch,
    intend,
    publication,
    publish,
)
from support.policies import IOM, patched, sample_files, write_policies

BEFORE = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)  # so that every lease has run out
BY = "xyz/iom-secondary"  # in office since 2026 and without an end: the day of the test does not matter
REASON = "Called Amina on +000 2000001"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path):
    return Ledger(path, signing_key=SIGNING_KEY)


def send(ledger, number=0, delivery=Delivery.OUTCOME_UNKNOWN, when=BEFORE, **changes):
    """One dispatch, to the end of its try; ``delivery`` None: the try is cut off."""
    key = intend(ledger, dispatch(ledger, number, **changes), now=when).key
    claim = ledger.claim(key, when, timedelta(minutes=15))
    if delivery:
        ledger.conclude(claim, Receipt(delivery, "A sentence."), when)
    return key


@pytest.fixture
def listed(cli, path, policies):
    def call(*options):
        return cli("dispatch", "list", "--ledger", path, "--policies", policies, *options)

    return call


@pytest.fixture
def settle(cli, path, policies):
    def call(key, finding="not-arrived", *, by=BY, reason=REASON):
        usual = ("--ledger", path, "--policies", policies)
        return cli("dispatch", "settle", key, "--as", finding, "--by", by, "--reason", reason, *usual)

    return call


# ------------------------------------------------------------------------------------------------- list


def test_the_list_says_all_that_one_needs_to_act(listed, ledger):
    key = send(ledger)
    answer = listed("--format", "json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.json == [
        {
            "key": key,
            "state": "outcome-unknown",
            "dataset": "npl/site-assessment",
            "round": "2026-10",
            "organization": "scpa",
            "pathway": "npl/child-protection/low",
            "method": "excel-email",
            "focal_point": "npl/scpa-0",
            "since": "2026-01-31T08:00:00+00:00",
            "overdue": False,
            "found_by": None,
            "reason": None,
        }
    ]


def test_the_list_as_a_table_has_the_same_facts_in_80_columns(listed, ledger):
    key = send(ledger, delivery=None)
    answer = listed()
    assert answer.code == 0
    assert answer.out.startswith("1 dispatch.\n")
    text = " ".join(answer.out.split())
    assert "sending npl/site-assessment 2026-10 2026-01-31T08:00:00+00:00" in text
    for fact in (f"key {key}", "pathway npl/child-protection/low", "focal point npl/scpa-0", "overdue yes"):
        assert fact in text
    assert "None" not in text
    assert max(map(len, answer.out.splitlines())) <= 80


def test_open_leaves_out_what_has_come_to_its_end(listed, ledger, settle):
    keys = {delivery: send(ledger, number, delivery) for number, delivery in enumerate([*Delivery, None])}
    settled = send(ledger, 9)
    settle(settled)
    found = {each["key"]: each["state"] for each in listed("--open", "--format", "json").json}
    assert set(found) == {key for delivery, key in keys.items() if delivery is not Delivery.SENT}
    assert listed("--open").out.startswith("4 open of 6 dispatches.\n")
    assert len(listed("--format", "json").json) == 6
    assert {state for state in DispatchState if state.is_open} == set(found.values())


def test_what_is_overdue_is_what_was_cut_off(listed, ledger):
    cut_off = send(ledger, 0, None)
    at_work = send(ledger, 1, None, when=datetime.now(UTC))
    overdue = {each["key"]: each["overdue"] for each in listed("--format", "json").json}
    assert overdue == {cut_off: True, at_work: False}


def test_the_list_of_one_organization(listed, ledger):
    send(ledger)
    other = send(ledger, 1, organization="gone")
    assert [each["key"] for each in listed("--organization", "gone", "--format", "json").json] == [other]
    assert listed("--organization", "scpa").out.startswith("scpa: 1 dispatch.\n")
    assert listed("--organization", "iom").out == "iom: 0 dispatches.\n"
    answer = listed("--organization", "scpaa")
    assert (answer.code, answer.out) == (1, "")
    assert "did you mean scpa" in answer.err


def test_an_empty_outbox_is_an_answer(listed, ledger):
    assert listed().out == "0 dispatches.\n"
    assert listed("--open", "--format", "json").json == []


def test_listing_changes_nothing(listed, ledger):
    send(ledger)
    before = len(ledger.entries())
    listed()
    assert len(ledger.entries()) == before


# ----------------------------------------------------------------------------------------------- settle


@pytest.mark.parametrize(
    ("finding", "state", "shown"),
    [
        ("arrived", "sent", "It counts as received."),
        ("not-arrived", "not-arrived", "The next run of its pathway sends it again"),
        ("cancelled", "to-recall", "counts as held until `dispatch recall`"),
    ],
)
def test_a_finding_is_recorded_and_says_what_comes_next(settle, ledger, listed, finding, state, shown):
    key = send(ledger)
    answer = settle(key, finding)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"{key} to npl/scpa-0: outcome-unknown, now {state}.\n")
    assert shown in answer.out
    [line] = listed("--format", "json").json
    assert (line["state"], line["found_by"], line["reason"]) == (state, BY, REASON)
    assert ledger.verify(VERIFIER_KEY).size == 4


def test_audit_shows_what_was_voided_as_such(settle, ledger, cli, path, policies):
    settle(send(ledger, 0), "not-arrived")
    settle(send(ledger, 1), "cancelled")
    settle(send(ledger, 2, Delivery.FAILED), "cancelled")  # it never left, so it is no disclosure
    answer = cli(
        "audit", "--organization", "scpa", "--ledger", path, "--policies", policies, "--format", "json"
    )
    assert sorted(each["state"] for each in answer.json) == ["not-arrived", "to-recall"]


def test_the_reason_is_in_no_entry(settle, ledger, path):
    settle(send(ledger))
    bodies = b"".join(each.body for each in ledger.entries())
    assert b"Amina" not in bodies
    assert BY.encode() not in bodies
    entry = json.loads(ledger.entries()[-1].body)
    assert entry["type"] == "dtm-sharing.dispatch.voided"
    assert entry["data"]["person"] == ledger.pid("iom", BY)


def test_the_reference_in_the_subject_of_the_mail_is_enough(settle, ledger):
    key = send(ledger)
    assert settle(key[:8].upper()).code == 0
    assert ledger.find(key)[1] is DispatchState.NOT_ARRIVED


@pytest.mark.parametrize("given", ["", "0", "00000000", "f" * 36])
def test_a_key_that_no_dispatch_has_is_a_failure(settle, ledger, given):
    send(ledger)
    answer = settle(given)
    assert (answer.code, answer.out) == (1, "")
    assert "There is no dispatch" in answer.err


def test_a_reference_that_two_dispatches_share_is_settled_for_neither(settle, ledger):
    for end in "12":
        send(ledger, int(end), key=f"0f8fad5b-d9cb-469f-a165-70867728950{end}")
    answer = settle("0f8fad5b")
    assert answer.code == 1
    assert "2 of them begin with '0f8fad5b'" in answer.err
    assert settle("0f8fad5b-d9cb-469f-a165-708677289501").code == 0
    assert len(ledger.open_dispatches(BEFORE)) == 1


STRANGERS = {
    "the recipient": ("xyz/scpa-primary", "did you mean"),
    "nobody": ("xyz/nobody", "There is no focal point of iom"),
    "nobody at all": ("", "There is no focal point of iom"),
}


@pytest.mark.parametrize("who", STRANGERS)
def test_only_a_focal_point_of_our_side_may_find_so(settle, ledger, who):
    by, sentence = STRANGERS[who]
    key = send(ledger)
    answer = settle(key, by=by)
    assert (answer.code, answer.out) == (1, "")
    assert sentence in answer.err
    assert ledger.find(key)[1] is DispatchState.OUTCOME_UNKNOWN


def test_whoever_takes_no_data_settles_none_and_is_told_who_may(settle, recall, ledger):
    expert = "xyz/iom-protection-expert"
    unknown, sent = send(ledger), send(ledger, 1, Delivery.SENT)
    for answer in (settle(unknown, by=expert), recall(sent, by=expert)):
        assert (answer.code, answer.out) == (1, "")
        said = " ".join(answer.err.split())
        assert f"{expert} is sectoral-expert (xyz/focal_points/iom.yaml:" in said
        assert "who takes no data: have xyz/iom-primary or xyz/iom-secondary sign for it." in said
    assert ledger.find(unknown)[1] is DispatchState.OUTCOME_UNKNOWN
    assert settle(unknown, by=COORDINATOR).code == 0


def test_of_our_side_only_who_may_settle_is_proposed(settle, ledger):
    answer = settle(send(ledger), by="xyz/iom-protection-exper")
    assert answer.code == 1
    assert "There is no focal point of iom" in answer.err
    assert "xyz/iom-protection-expert?" not in answer.err


def test_who_has_left_finds_nothing(settle, ledger, policies):
    stays = "mobile: '+000 1000002', in_office_from: 2026-01-01"
    files = patched(sample_files(), IOM, stays, f"{stays}, in_office_until: 2026-02-01")
    write_policies(policies, {IOM: files[IOM]})
    key = send(ledger)
    answer = settle(key)
    assert answer.code == 1
    assert "xyz/iom-secondary is not in office" in answer.err
    assert ledger.find(key)[1] is DispatchState.OUTCOME_UNKNOWN


def test_what_is_being_sent_or_was_sent_is_not_settled(settle, ledger):
    at_work = send(ledger, 0, None, when=datetime.now(UTC))
    sent = send(ledger, 1, Delivery.SENT)
    for key, sentence in ((at_work, "is being sent"), (sent, "has come to its end")):
        answer = settle(key)
        assert (answer.code, answer.out) == (1, "")
        assert sentence in answer.err
    assert settle(send(ledger, 2, None)).code == 0  # its sender is gone


def test_a_reason_of_blanks_is_none(settle, ledger):
    key = send(ledger)
    assert settle(key, reason=" \t").code == 1
    assert ledger.find(key)[1] is DispatchState.OUTCOME_UNKNOWN


def test_a_reason_cannot_command_the_terminal(settle, ledger, listed):
    settle(send(ledger), reason="a\x1b[2Jb\x07")
    assert "\x1b" not in listed().out + listed("--format", "json").out


def test_a_dispatch_by_another_channel_is_settled_like_one_by_mail(settle, ledger):
    key = send(ledger, 0, None, method=Method.PORTAL)
    assert settle(key).code == 0


def test_a_recall_settles_nothing(settle, ledger):
    answer = settle(send(ledger), "recalled")
    assert (answer.code, answer.out) == (1, "")
    assert "'recalled' is not one of" in answer.err


# ----------------------------------------------------------------------------------------------- recall

COORDINATOR = "xyz/iom-primary"


@pytest.fixture
def recall(cli, path, policies):
    ends = ", in_office_until: 2027-12-31}\n  - {id: xyz/iom-secondary"  # the day of the test does not matter
    files = patched(sample_files(), IOM, ends, ends.replace(", in_office_until: 2027-12-31", ""))
    write_policies(policies, {IOM: files[IOM]})

    def call(key, *, by=BY, reason="Letter of Amina: all copies are deleted"):
        usual = ("--ledger", path, "--policies", policies)
        return cli("dispatch", "recall", key, "--by", by, "--reason", reason, *usual)

    return call


@pytest.fixture
def audit(cli, path, policies):
    def call(organization):
        usual = ("--ledger", path, "--policies", policies, "--format", "json")
        return cli("audit", "--organization", organization, *usual).json

    return call


def test_a_dispatch_is_recalled_and_audit_goes_on_showing_it(recall, ledger, audit, listed):
    key = send(ledger, delivery=Delivery.SENT)
    answer = recall(key[:8].upper())
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"{key} to npl/scpa-0: sent, now recalled.\n")
    assert "No relation is judged by it any more" in answer.out
    assert "may be anywhere" not in answer.out
    assert [(each["key"], each["state"]) for each in audit("scpa")] == [(key, "recalled")]
    [line] = listed("--format", "json").json
    assert (line["state"], line["found_by"]) == ("recalled", BY)
    assert ledger.held("scpa").holdings == ()
    assert ledger.verify(VERIFIER_KEY).size == 4
    assert b"Amina" not in b"".join(each.body for each in ledger.entries())


def test_a_publication_is_recalled_by_the_key_that_audit_shows_and_the_coordinator_signs(
    recall, ledger, audit
):
    publish(ledger, publication())
    [shown] = audit("public")
    refused = recall(shown["key"])
    assert (refused.code, refused.out) == (1, "")
    assert "xyz/iom-secondary is secondary" in refused.err
    answer = recall(shown["key"], by=COORDINATOR)
    assert (answer.code, answer.err) == (0, "")
    assert "npl/site-assessment, round 2026-10, to everyone: sent, now recalled." in answer.out
    assert "Copies of what was public may be anywhere" in answer.out
    assert audit("public")[0]["state"] == "recalled"
    assert ledger.verify(VERIFIER_KEY).size == 3


def test_what_is_only_announced_can_be_recalled(recall, ledger, audit):
    announce(ledger, publication())
    assert recall(audit("public")[0]["key"], by=COORDINATOR).code == 0


@pytest.mark.parametrize("given", ["", "0", "00000000", "f" * 36])
def test_what_nobody_sent_or_published_is_not_recalled(recall, ledger, given):
    send(ledger)
    answer = recall(given)
    assert (answer.code, answer.out) == (1, "")
    assert "There is no dispatch or publication" in answer.err


def test_what_nobody_holds_is_not_recalled(recall, ledger):
    failed = send(ledger, 0, Delivery.FAILED)
    sent = send(ledger, 1, Delivery.SENT)
    at_work = send(ledger, 2, None, when=datetime.now(UTC))
    assert recall(sent).code == 0
    for key, sentence in ((failed, "nobody holds it"), (sent, "nobody holds it"), (at_work, "is being sent")):
        answer = recall(key)
        assert (answer.code, answer.out) == (1, "")
        assert sentence in answer.err


@pytest.mark.parametrize("who", STRANGERS)
def test_only_a_focal_point_of_our_side_may_recall(recall, ledger, who):
    by, sentence = STRANGERS[who]
    key = send(ledger, delivery=Delivery.SENT)
    answer = recall(key, by=by)
    assert (answer.code, answer.out) == (1, "")
    assert sentence in answer.err
    assert ledger.find(key)[1] is DispatchState.SENT


def test_whoever_takes_no_data_recalls_none(recall, ledger, audit):
    key = send(ledger, delivery=Delivery.SENT)
    publish(ledger, publication())
    for each in (key, audit("public")[0]["key"]):
        answer = recall(each, by="xyz/iom-protection-expert")
        assert (answer.code, answer.out) == (1, "")
        assert "xyz/iom-protection-expert is sectoral-expert" in answer.err
        assert "who takes no data" in " ".join(answer.err.split())
    assert ledger.find(key)[1] is DispatchState.SENT


def test_a_recall_without_a_reason_is_none(recall, ledger):
    key = send(ledger, delivery=Delivery.SENT)
    assert recall(key, reason=" \t").code == 1
    assert ledger.find(key)[1] is DispatchState.SENT


def test_the_help_of_recall_says_that_copies_may_be_anywhere(cli):
    said = " ".join(cli("dispatch", "recall", "--help").out.split())
    assert "Copies of what was public may be anywhere" in said
    assert "the coordinator signs" in said


# ------------------------------------------------------------------------------------------- checkpoint


def test_the_newest_checkpoint_is_printed_byte_for_byte(cli, ledger, path):
    send(ledger)
    ledger.checkpoint(BEFORE)
    send(ledger, 1)
    newest = ledger.checkpoint(BEFORE)
    ledger.record_all(())
    answer = cli("ledger", "checkpoint", "--ledger", path)
    assert (answer.code, answer.out, answer.err) == (0, newest, "")
    assert notes.read_checkpoint(answer.out, VERIFIER_KEY).size == 6


def test_a_checkpoint_in_a_file_is_what_verify_takes(cli, ledger, path, tmp_path):
    send(ledger)
    newest = ledger.checkpoint(BEFORE)
    send(ledger, 1)
    kept = tmp_path / "mail" / "checkpoint.txt"
    answer = cli("ledger", "checkpoint", "--ledger", path, "--output", kept)
    assert answer.out == f"{kept}: checkpoint of {ORIGIN}, over 3 of 6 entries.\n"
    assert kept.read_text("utf-8") == newest
    assert [each.name for each in kept.parent.iterdir()] == ["checkpoint.txt"]
    verify = ("ledger", "verify", "--key", VERIFIER_KEY, "--checkpoint", kept)
    assert cli(*verify, "--ledger", path).code == 0
    other = Ledger(tmp_path / "other.db", signing_key=SIGNING_KEY)
    send(other, 5)
    assert cli(*verify, "--ledger", tmp_path / "other.db").code == 2


def test_without_a_checkpoint_none_is_written(cli, ledger, path, tmp_path):
    send(ledger)
    answer = cli("ledger", "checkpoint", "--ledger", path, "--output", tmp_path / "checkpoint")
    assert (answer.code, answer.out) == (1, "")
    assert "no checkpoint yet" in answer.err
    assert not (tmp_path / "checkpoint").exists()


def test_a_checkpoint_that_cannot_be_written_is_a_failure(cli, ledger, path, tmp_path):
    send(ledger)
    ledger.checkpoint(BEFORE)
    (tmp_path / "file").touch()
    answer = cli("ledger", "checkpoint", "--ledger", path, "--output", tmp_path / "file" / "checkpoint")
    assert answer.code == 1
    assert "the checkpoint cannot be written" in answer.err


# --------------------------------------------------------------------------- ledger key, without a terminal


def test_a_key_that_is_set_is_printed_and_nothing_is_asked(cli, ledger, path, monkeypatch):
    monkeypatch.setenv("DTM_SHARING_LEDGER_KEY", VERIFIER_KEY)
    answer = cli("ledger", "key", "--ledger", path)
    assert (answer.code, answer.out) == (0, f"{VERIFIER_KEY}\n")
    assert "nothing shows whether this is its key" in answer.err
    send(ledger)
    ledger.checkpoint(BEFORE)
    answer = cli("ledger", "key", "--ledger", path)
    assert (answer.code, answer.out, answer.err) == (0, f"{VERIFIER_KEY}\n", "")


@pytest.mark.parametrize("given", ["nonsense", notes.verifier_key(notes.signing_key(ORIGIN, bytes(32)))])
def test_a_key_that_is_not_the_ledger_s_is_not_printed(cli, ledger, path, monkeypatch, given):
    send(ledger)
    ledger.checkpoint(BEFORE)
    monkeypatch.setenv("DTM_SHARING_LEDGER_KEY", given)
    answer = cli("ledger", "key", "--ledger", path)
    assert (answer.code, answer.out) == (1, "")
    assert "bug" not in answer.err
