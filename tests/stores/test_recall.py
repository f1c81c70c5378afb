"""A recorded recall: the only way to undo. What it takes, what it says, and what nobody can change in it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from dtm_sharing import ledger as notes
from dtm_sharing.errors import LedgerAltered, UsageProblem
from dtm_sharing.model import Delivery, DispatchState, Finding, Receipt
from dtm_sharing.stores.ledger_disclosures import HoldingsChanged
from dtm_sharing.stores.outbox import DispatchBusy
from support.ledgers import (
    COORDINATOR,
    LEASE,
    NOW,
    VERIFIER_KEY,
    announce,
    dispatch,
    intend,
    open_ledger,
    publication,
    publish,
    read,
    tamper,
)

REASON = "Letter of Amina Example, +000 2000001: no copy is left"
LATER = NOW + timedelta(days=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def opened(path):
    return open_ledger(path)


def send(opened, delivery=Delivery.SENT, number=0):
    key = intend(opened, dispatch(opened, number)).key
    claim = opened.claim(key, NOW, LEASE)
    if delivery:
        opened.conclude(claim, Receipt(delivery, "A sentence."), NOW)
    return key


def published(opened):
    publish(opened, publication())
    return opened.disclosures("public")[0].key


def announced(opened):
    announce(opened, publication())
    return opened.disclosures("public")[0].key


def found(opened, finding, delivery=Delivery.OUTCOME_UNKNOWN):
    key = send(opened, delivery)
    opened.settle(key, finding, COORDINATOR, "Called.", NOW)
    return key


def recall(opened, key, now=LATER, reason=REASON):
    opened.recall(key, COORDINATOR, reason, now)


def last(opened):
    return json.loads(opened.entries()[-1].body)


HELD = {
    "sent": send,
    "of unknown outcome": lambda opened: send(opened, Delivery.OUTCOME_UNKNOWN),
    "cut off while it was sent": lambda opened: send(opened, None),
    "called off when it may have left": lambda opened: found(opened, Finding.CANCELLED),
    "of unknown outcome, and arrived": lambda opened: found(opened, Finding.ARRIVED),
    "published": published,
    "announced": announced,
}


@pytest.mark.parametrize("case", HELD)
def test_what_is_held_is_recalled_and_still_shown_as_such(opened, case):
    key = HELD[case](opened)
    [before] = opened.disclosures()
    size = opened.size
    recall(opened, key)
    [shown] = opened.disclosures()
    assert (shown.key, shown.state, shown.entry) == (key, DispatchState.RECALLED, size)
    assert (shown.sent_at, shown.columns) == (before.sent_at, before.columns)
    assert opened.held(shown.organization).holdings == ()
    kind = "release.recalled" if shown.method == "publication" else "dispatch.recalled"
    entry = last(opened)
    assert (entry["type"], entry["subject"]) == (f"dtm-sharing.{kind}", key)
    assert entry["organization"] == shown.organization
    assert opened.verify(VERIFIER_KEY).size == size + 1


def recalled(opened):
    key = send(opened)
    recall(opened, key)
    return key


def recalled_publication(opened):
    key = published(opened)
    recall(opened, key)
    return key


NOT_HELD = {
    "new": lambda opened: intend(opened, dispatch(opened)).key,
    "failed": lambda opened: send(opened, Delivery.FAILED),
    "not-arrived": lambda opened: found(opened, Finding.NOT_ARRIVED),
    "cancelled": lambda opened: found(opened, Finding.CANCELLED, Delivery.FAILED),
    "recalled": recalled,
    "recalled, and public": recalled_publication,
}


@pytest.mark.parametrize("case", NOT_HELD)
def test_what_nobody_holds_is_not_recalled(opened, case):
    key = NOT_HELD[case](opened)
    size = opened.size
    with pytest.raises(UsageProblem, match="nobody holds it"):
        recall(opened, key)
    assert opened.size == size


def test_what_the_ledger_does_not_know_is_not_recalled(opened):
    with pytest.raises(UsageProblem, match="knows no dispatch and no publication"):
        recall(opened, dispatch(opened).key)
    assert opened.entries() == ()


def test_while_a_task_is_sending_nobody_recalls(opened):
    key = send(opened, None)
    with pytest.raises(DispatchBusy, match="is being sent"):
        recall(opened, key, now=NOW)
    recall(opened, key, now=NOW + LEASE)


@pytest.mark.parametrize("reason", ["", " \n", "\udcff"])
def test_a_recall_without_a_reason_is_none(opened, reason):
    key = send(opened)
    with pytest.raises(UsageProblem, match="reason"):
        recall(opened, key, reason=reason)
    assert opened.find(key)[1] is DispatchState.SENT


def test_neither_reason_nor_person_is_in_an_entry(opened, path):
    recall(opened, send(opened), reason=f" {REASON}\n")
    entry = last(opened)["data"]
    assert {name: entry[name] for name in entry if name != "sealed"} == {
        "fence": 1,
        "finding": "recalled",
        "by_organization": "iom",
        "person": opened.pid("iom", COORDINATOR.id),
    }
    written = b"".join(each.body for each in opened.entries()).decode()
    for secret in ("Amina", "2000001", COORDINATOR.id, "no copy"):
        assert secret not in written
    [(kept,)] = read(path, "SELECT reason FROM finding")
    [(salt,)] = read(path, "SELECT salt FROM sealed_field WHERE ref = (SELECT key FROM finding) || '/reason'")
    assert kept == REASON
    assert notes.commitment(kept.encode(), salt).hex() == entry["sealed"]["reason"]


def test_what_arrived_by_a_person_s_word_may_be_recalled_by_another_s(opened):
    key = send(opened, Delivery.OUTCOME_UNKNOWN)
    opened.settle(key, Finding.ARRIVED, COORDINATOR, "Called.", NOW)
    recall(opened, key)
    [standing] = opened.dispatches(LATER)
    assert (standing.state, standing.reason, standing.since) == (DispatchState.RECALLED, REASON, LATER)
    assert opened.verify(VERIFIER_KEY).size == 5


def test_what_was_recalled_is_never_sent_again_by_itself(opened):
    key = recalled(opened)
    assert intend(opened, dispatch(opened)).key == key
    assert opened.claim(key, LATER, LEASE) is DispatchState.RECALLED
    assert opened.open_dispatches(LATER) == ()


@pytest.mark.parametrize("make", [announced, published])
def test_what_was_recalled_is_not_published_again(opened, make):
    recall(opened, make(opened))
    size = opened.size
    with pytest.raises(UsageProblem, match="was recalled"):
        announce(opened, publication())
    assert opened.size == size
    assert opened.disclosures("public")[0].state is DispatchState.RECALLED
    publish(opened, publication(artefact_sha256="00" * 32))  # corrected
    assert opened.verify().size == size + 2


@pytest.mark.parametrize("make", [announced, published])
def test_what_was_put_after_its_recall_is_public_until_it_is_recalled_again(opened, make):
    """Whoever says "published" has put the bytes: to refuse alone would leave a file that nobody holds."""
    key = make(opened)
    for number in range(2):
        seen = opened.size
        recall(opened, key)
        assert opened.held("public").holdings == ()
        for _ in range(number + 1):
            with pytest.raises(UsageProblem, match="take it down, and record its recall again"):
                opened.publish(publication())
        assert opened.disclosures("public")[0].state is DispatchState.TO_RECALL
        assert [each.holder for each in opened.held("public").holdings] == ["public"]
        intended = [dispatch(opened)]
        with pytest.raises(HoldingsChanged):
            opened.intend(intended, NOW, seen=seen)
        with pytest.raises(UsageProblem, match="was recalled"):
            announce(opened, publication())
        opened.verify()
    recall(opened, key)
    assert opened.held("public").holdings == ()
    opened.verify()


def test_while_somebody_may_be_putting_a_publication_nobody_recalls_it(opened):
    key = announced(opened)
    size = opened.size
    with pytest.raises(DispatchBusy, match=r"is being put into the public store: .* 15 minutes after"):
        recall(opened, key, now=NOW + LEASE - timedelta(microseconds=1))
    assert opened.size == size
    opened.publish(publication())
    recall(opened, key, now=NOW)
    opened.verify()


def test_a_sender_that_wakes_up_after_the_recall_is_kept_and_what_it_sent_is_to_be_recalled(opened):
    key = intend(opened, dispatch(opened)).key
    claim = opened.claim(key, NOW, LEASE)
    recall(opened, key, now=NOW + LEASE)
    assert opened.conclude(claim, Receipt(Delivery.SENT, "Taken."), LATER) is DispatchState.TO_RECALL
    assert last(opened)["type"] == "dtm-sharing.dispatch.late_attempt"
    assert opened.verify().size == 4
    recall(opened, key)
    assert opened.find(key)[1] is DispatchState.RECALLED
    assert [each.state for each in opened.disclosures()] == [DispatchState.RECALLED]
    assert opened.conclude(claim, Receipt(Delivery.SENT, "Taken."), LATER) is DispatchState.RECALLED  # again
    assert opened.verify().size == 5


SEEN = {
    "state of the dispatch": "UPDATE dispatch SET state = 'sent'",
    "state of the disclosure": "UPDATE disclosure SET state = 'sent' WHERE organization = 'scpa'",
    "state of the publication": "UPDATE disclosure SET state = 'sent' WHERE organization = 'public'",
    "day of the publication": "UPDATE disclosure SET sent_at = '2027' WHERE organization = 'public'",
    "disclosure removed": "DELETE FROM disclosure WHERE organization = 'scpa'",
    "publication removed": "DELETE FROM disclosure WHERE organization = 'public'",
    "reason": "UPDATE finding SET reason = 'another'",
    "finder": "UPDATE finding SET by_focal_point = 'npl/iom-secondary'",
    "of what": "UPDATE finding SET row_key = 'x'",
    "finding removed": "DELETE FROM finding",
    "of which the other": "UPDATE finding SET row_key = (SELECT min(row_key) FROM finding)",
}


@pytest.mark.parametrize("attack", SEEN)
def test_an_altered_recall_is_seen(opened, path, attack):
    recall(opened, send(opened))
    recall(opened, published(opened))
    opened.verify()
    opened.close()
    tamper(path, SEEN[attack])
    with pytest.raises(LedgerAltered):
        open_ledger(path).verify()
