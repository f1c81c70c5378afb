"""What a person found out about a dispatch: state, entry, disclosure, proof, and the key that follows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from dtm_sharing import ledger as notes
from dtm_sharing.errors import LedgerAltered, UsageProblem
from dtm_sharing.model import (
    Delivery,
    DispatchState,
    Event,
    Finding,
    Method,
    Receipt,
)
from dtm_sharing.stores.ledger_rows import EXTRACT
from dtm_sharing.stores.outbox import Claim, DispatchBusy
from support.ledgers import (
    COORDINATOR,
    LEASE,
    NOW,
    VERIFIER_KEY,
    dispatch,
    intend,
    open_ledger,
    read,
    tamper,
)

REASON = "Called Amina Example on +000 2000001: nothing in her inbox"
LATER = NOW + timedelta(days=1)
BASE = {
    "agreement": "npl/child-protection/low",
    "dataset": "npl/site-assessment",
    "round_": "2026-10",
    "extract": "ab" * 32,
    "focal_point": "npl/scpa-0",
    "method": Method.EXCEL_EMAIL,
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def opened(path):
    return open_ledger(path)


def new(opened, number=0):
    return intend(opened, dispatch(opened, number)).key


def sending(opened, number=0):
    key = new(opened, number)
    assert isinstance(opened.claim(key, NOW, LEASE), Claim)
    return key


def ended(delivery):
    def make(opened, number=0):
        key = sending(opened, number)
        opened.conclude(Claim(key, 1), Receipt(delivery, "A sentence."), NOW)
        return key

    return make


MADE = {
    DispatchState.NEW: new,
    DispatchState.SENDING: sending,
    DispatchState.SENT: ended(Delivery.SENT),
    DispatchState.FAILED: ended(Delivery.FAILED),
    DispatchState.OUTCOME_UNKNOWN: ended(Delivery.OUTCOME_UNKNOWN),
}
AFTER = {
    Finding.ARRIVED: (DispatchState.SENT, "dispatch.reconciled"),
    Finding.NOT_ARRIVED: (DispatchState.NOT_ARRIVED, "dispatch.voided"),
    Finding.CANCELLED: (DispatchState.CANCELLED, "dispatch.voided"),
}
# State before, finding: what audit shows of it afterwards, or None. All that may be settled is here.
SHOWN = {
    (DispatchState.OUTCOME_UNKNOWN, Finding.ARRIVED): "sent",
    (DispatchState.OUTCOME_UNKNOWN, Finding.NOT_ARRIVED): "not-arrived",
    (DispatchState.OUTCOME_UNKNOWN, Finding.CANCELLED): "to-recall",
    (DispatchState.SENDING, Finding.ARRIVED): "sent",
    (DispatchState.SENDING, Finding.NOT_ARRIVED): "not-arrived",
    (DispatchState.SENDING, Finding.CANCELLED): "to-recall",
    (DispatchState.FAILED, Finding.ARRIVED): "sent",
    (DispatchState.FAILED, Finding.NOT_ARRIVED): None,  # it never left, so nothing was disclosed
    (DispatchState.FAILED, Finding.CANCELLED): None,
    (DispatchState.NEW, Finding.NOT_ARRIVED): None,
    (DispatchState.NEW, Finding.CANCELLED): None,
}
MAY_HAVE_LEFT = {DispatchState.SENDING, DispatchState.OUTCOME_UNKNOWN}
CASES = [pytest.param(*case, id=" ".join(case)) for case in SHOWN]


def after(before, finding):
    """What is called off and may have left stays with them until it is recalled."""
    called_off = finding is Finding.CANCELLED and before in MAY_HAVE_LEFT
    return DispatchState.TO_RECALL if called_off else AFTER[finding][0]


def settle(opened, key, finding=Finding.NOT_ARRIVED, now=LATER, reason=REASON):
    return opened.settle(key, finding, COORDINATOR, reason, now)


def last(opened):
    return json.loads(opened.entries()[-1].body)


# --------------------------------------------------------------------------------------- what follows


@pytest.mark.parametrize(("before", "finding"), CASES)
def test_a_finding_moves_the_state_and_the_disclosure_and_is_proved(opened, before, finding):
    key = MADE[before](opened)
    state, kind = after(before, finding), AFTER[finding][1]
    assert settle(opened, key, finding) is state
    assert opened.find(key)[1] is state
    entry = last(opened)
    assert (entry["type"], entry["subject"], entry["organization"]) == (f"dtm-sharing.{kind}", key, "scpa")
    assert [each.state.value for each in opened.disclosures("scpa")] == [
        each for each in [SHOWN[before, finding]] if each
    ]
    assert opened.verify(VERIFIER_KEY).size == len(opened.entries())


@pytest.mark.parametrize(("before", "finding"), CASES)
def test_what_is_settled_is_settled(opened, before, finding):
    key = MADE[before](opened)
    state = settle(opened, key, finding)
    size = len(opened.entries())
    for again in AFTER:
        with pytest.raises(UsageProblem, match="come to its end"):
            settle(opened, key, again)
    assert opened.claim(key, LATER, LEASE) is state
    assert intend(opened, dispatch(opened), now=LATER).key == key
    assert (len(opened.entries()), opened.find(key)[1]) == (size, state)


def test_the_table_above_has_every_state_that_may_be_settled():
    settled = {before for before, _ in SHOWN}
    assert settled == {each for each in DispatchState if each.is_open}
    assert {*SHOWN} == {(b, f) for b in settled for f in AFTER} - {(DispatchState.NEW, Finding.ARRIVED)}


@pytest.mark.parametrize("before", MADE)
def test_a_recall_settles_nothing(opened, before):
    key = MADE[before](opened)
    with pytest.raises(UsageProblem, match="use recall"):
        settle(opened, key, Finding.RECALLED)
    assert opened.find(key)[1] is before


def test_what_has_certainly_not_left_cannot_have_arrived(opened):
    key = new(opened)
    with pytest.raises(UsageProblem, match="certainly not left"):
        settle(opened, key, Finding.ARRIVED)
    assert len(opened.entries()) == 1


@pytest.mark.parametrize("finding", AFTER)
def test_while_a_task_is_sending_nobody_settles(opened, finding):
    key = sending(opened)
    with pytest.raises(DispatchBusy, match="is being sent"):
        settle(opened, key, finding, now=NOW + LEASE - timedelta(microseconds=1))
    assert len(opened.entries()) == 2
    settle(opened, key, finding, now=NOW + LEASE)


@pytest.mark.parametrize("finding", AFTER)
def test_what_was_sent_is_not_unsent(opened, finding):
    key = MADE[DispatchState.SENT](opened)
    with pytest.raises(UsageProblem, match="come to its end"):
        settle(opened, key, finding)
    assert [each.state for each in opened.disclosures()] == [DispatchState.SENT]


def test_a_dispatch_that_nobody_intended_cannot_be_settled(opened):
    with pytest.raises(UsageProblem, match="knows no dispatch"):
        settle(opened, dispatch(opened).key)
    assert opened.entries() == ()


@pytest.mark.parametrize("finding", AFTER)
def test_a_sender_that_wakes_up_after_the_finding_is_kept_and_what_it_sent_is_held(opened, finding):
    key = sending(opened)
    settle(opened, key, finding)
    state = DispatchState.SENT if finding is Finding.ARRIVED else DispatchState.TO_RECALL
    assert opened.conclude(Claim(key, 1), Receipt(Delivery.SENT, "Taken."), LATER) is state
    assert [each.state for each in opened.disclosures()] == [state]
    assert last(opened)["type"] == "dtm-sharing.dispatch.late_attempt"
    assert last(opened)["data"]["delivery"] == "sent"
    assert opened.verify().size == 4


@pytest.mark.parametrize("before", [DispatchState.OUTCOME_UNKNOWN, DispatchState.FAILED])
def test_a_disclosure_is_of_the_day_on_which_it_left_not_of_the_day_of_the_call(opened, before):
    key = MADE[before](opened)
    new_year = datetime(2027, 1, 1, tzinfo=UTC)
    settle(opened, key, Finding.ARRIVED, now=new_year)
    (line,) = opened.disclosures("scpa", 2026)
    assert (line.sent_at, line.entry) == (NOW, 3)
    assert opened.disclosures("scpa", 2027) == ()
    assert opened.verify().size == 4


# ------------------------------------------------------------------------------------------- privacy


def test_neither_reason_nor_finder_is_in_an_entry(opened, path):
    key = MADE[DispatchState.OUTCOME_UNKNOWN](opened)
    settle(opened, key, reason=f"  {REASON}\n")
    entry = last(opened)["data"]
    pid = opened.pid("iom", "npl/iom-primary")
    assert {name: entry[name] for name in entry if name != "sealed"} == {
        "fence": 1,
        "finding": "not-arrived",
        "by_organization": "iom",
        "person": pid,
    }
    written = b"".join(each.body for each in opened.entries()).decode()
    for secret in ("Amina", "2000001", "npl/iom-primary", *REASON.split()[:2]):
        assert secret not in written
    # The reason is beside the ledger, and its salt shows that it is the one that was given.
    [(kept,)] = read(path, "SELECT reason FROM finding")
    [(salt,)] = read(path, "SELECT salt FROM sealed_field WHERE ref = (SELECT key FROM finding) || '/reason'")
    assert kept == REASON
    assert notes.commitment(kept.encode(), salt).hex() == entry["sealed"]["reason"]


@pytest.mark.parametrize("reason", ["", "  \n\t", "\udcff"], ids=["none", "blank", "no text"])
def test_a_finding_without_a_reason_is_none(opened, reason):
    key = MADE[DispatchState.OUTCOME_UNKNOWN](opened)
    with pytest.raises(UsageProblem, match="reason"):
        settle(opened, key, reason=reason)
    assert opened.find(key)[1] is DispatchState.OUTCOME_UNKNOWN
    assert len(opened.entries()) == 3


@pytest.mark.parametrize("kind", ["dispatch.reconciled", "dispatch.voided"])
def test_a_finding_is_not_recorded_by_hand(opened, kind):
    with pytest.raises(UsageProblem, match="not recorded by hand"):
        opened.record(Event(kind, "x", NOW, "scpa", {"finding": "cancelled"}))


# ------------------------------------------------------------------------------------- the next key


def carry(opened, key, delivery=Delivery.OUTCOME_UNKNOWN):
    """The dispatch of a key, as far as it gets."""
    intend(opened, dispatch(opened, key=key))
    opened.conclude(opened.claim(key, NOW, LEASE), Receipt(delivery, "A sentence."), NOW)


def test_the_key_stays_until_a_person_finds_that_it_did_not_arrive(opened):
    keys = [opened.dispatch_key(**BASE, resend=number) for number in range(4)]
    for number in range(3):
        assert opened.current_key(**BASE) == keys[number]
        intend(opened, dispatch(opened, key=keys[number]))
        assert opened.current_key(**BASE) == keys[number]
        carry(opened, keys[number])
        assert opened.current_key(**BASE) == keys[number]
        settle(opened, keys[number])
    assert opened.current_key(**BASE) == keys[3]
    assert opened.current_key(**BASE | {"focal_point": "npl/other"}) == opened.dispatch_key(
        **BASE | {"focal_point": "npl/other"}
    )
    assert opened.verify().size == 12


@pytest.mark.parametrize("finding", [Finding.ARRIVED, Finding.CANCELLED])
@pytest.mark.parametrize("resends", [0, 1])
def test_what_arrived_or_was_cancelled_keeps_its_key(opened, finding, resends):
    for number in range(resends + 1):
        key = opened.current_key(**BASE)
        carry(opened, key)
        settle(opened, key, finding if number == resends else Finding.NOT_ARRIVED)
    assert opened.current_key(**BASE) == key == opened.dispatch_key(**BASE, resend=resends)
    assert opened.claim(key, LATER, LEASE) is after(DispatchState.OUTCOME_UNKNOWN, finding)


def test_what_did_not_arrive_has_its_successor_also_where_it_left_late(opened):
    """The successor may have been sent by then: to go back to the first key would leave it open."""
    key = opened.current_key(**BASE)
    intend(opened, dispatch(opened, key=key))
    claim = opened.claim(key, NOW, LEASE)
    settle(opened, key)
    successor = opened.current_key(**BASE)
    assert successor == opened.dispatch_key(**BASE, resend=1)
    opened.conclude(claim, Receipt(Delivery.SENT, "Taken."), LATER)
    assert opened.current_key(**BASE) == successor


# ---------------------------------------------------------------------------------------- the outbox


def test_the_outbox_says_how_each_stands_since_when_and_who_found_so(opened):
    keys = {state: make(opened, n) for n, (state, make) in enumerate(MADE.items())}
    settle(opened, keys[DispatchState.OUTCOME_UNKNOWN], now=LATER)
    standings = {each.dispatch.key: each for each in opened.dispatches(NOW + LEASE)}
    assert {key: each.state for key, each in standings.items()} == {
        key: DispatchState.NOT_ARRIVED if state is DispatchState.OUTCOME_UNKNOWN else state
        for state, key in keys.items()
    }
    found = standings[keys[DispatchState.OUTCOME_UNKNOWN]]
    assert (found.since, found.found_by, found.reason) == (LATER, "npl/iom-primary", REASON)
    assert [each.since for each in standings.values()] == [NOW] * 4 + [LATER]
    assert [each.state for each in standings.values() if each.overdue] == [DispatchState.SENDING]
    assert not any(each.overdue for each in opened.dispatches(NOW))
    assert {each.found_by for each in standings.values() if each is not found} == {None}
    assert opened.dispatches(NOW, "scpa") == opened.dispatches(NOW)
    assert opened.dispatches(NOW, "other") == ()


def test_a_late_attempt_does_not_change_since_when(opened):
    key = sending(opened)
    settle(opened, key, now=NOW + LEASE)
    opened.conclude(Claim(key, 1), Receipt(Delivery.SENT, "Taken."), LATER)
    assert [each.since for each in opened.dispatches(LATER)] == [NOW + LEASE]


# ------------------------------------------------------------------------------ ledgers that were altered


SEEN = {
    "finding": "UPDATE finding SET finding = 'cancelled'",
    "reason": "UPDATE finding SET reason = 'another'",
    "finder": "UPDATE finding SET by_focal_point = 'npl/iom-secondary'",
    "finder's organization": "UPDATE finding SET by_organization = 'scpa'",
    "key": "UPDATE finding SET key = 'x'",
    "of what": "UPDATE finding SET row_key = 'x'",
    "removed": "DELETE FROM finding",
    "removed with its table": "DROP TABLE finding",
    "made up": "INSERT INTO finding VALUES ('x', 'y', 'arrived', 'iom', 'npl/iom-primary', 'x')",
    "seal": "DELETE FROM sealed_field WHERE ref LIKE '%/reason'",
    "state": "UPDATE dispatch SET state = 'cancelled'",
    "disclosure's state": "UPDATE disclosure SET state = 'sent'",
    "disclosure's day": "UPDATE disclosure SET sent_at = '2027-01-01T00:00:00.000000Z'",
    "disclosure removed": "DELETE FROM disclosure",
}


@pytest.mark.parametrize("attack", SEEN)
def test_an_altered_finding_is_seen(opened, path, attack):
    settle(opened, MADE[DispatchState.OUTCOME_UNKNOWN](opened))
    opened.close()
    tamper(path, SEEN[attack])
    with pytest.raises(LedgerAltered):
        open_ledger(path).verify()


def test_a_finder_exchanged_in_both_tables_is_seen(opened, path):
    settle(opened, MADE[DispatchState.OUTCOME_UNKNOWN](opened))
    opened.close()
    other = "npl/iom-secondary"
    tamper(
        path,
        f"UPDATE finding SET by_focal_point = '{other}'",
        f"UPDATE person SET focal_point = '{other}' WHERE organization = 'iom'",
    )
    with pytest.raises(LedgerAltered, match="by_focal_point") as altered:
        open_ledger(path).verify()
    assert altered.value.entry == 3


def test_a_disclosure_put_in_for_what_never_left_is_seen(opened, path):
    settle(opened, MADE[DispatchState.FAILED](opened), Finding.CANCELLED)
    opened.close()
    columns = ", ".join(EXTRACT)
    tamper(
        path,
        f"INSERT INTO disclosure (key, {columns}, sent_at, state, entry) "
        f"SELECT key, {columns}, '2026', 'cancelled', 3 FROM dispatch",
    )
    with pytest.raises(LedgerAltered, match="put in"):
        open_ledger(path).verify()
