"""What an organization holds, as the ledger says it: now, as it stood at any size, and until it changes."""

from __future__ import annotations

import sqlite3
import uuid
from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy

from dtm_sharing.errors import LedgerAltered, StoreFailed, UsageProblem
from dtm_sharing.model import Delivery, DispatchState, Finding, Grain, Holding, Method, Receipt
from dtm_sharing.stores import ledger_rows as rows
from dtm_sharing.stores.ledger_disclosures import Held, HoldingsChanged
from support.ledgers import (
    COORDINATOR,
    LEASE,
    NOW,
    TABLE,
    announce,
    dispatch,
    event,
    intend,
    open_ledger,
    publication,
    publish,
    tamper,
)

LATER = NOW + timedelta(days=40)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def opened(path):
    return open_ledger(path)


def send(opened, number=0, delivery=Delivery.SENT, **changes):
    key = intend(opened, dispatch(opened, number, **changes)).key
    claim = opened.claim(key, NOW, LEASE)
    if delivery is not None:
        opened.conclude(claim, Receipt(delivery, "A sentence."), NOW)
    return key


def key_of(opened):
    (found,) = {each.key for each in opened.disclosures("public")}
    return found


# --------------------------------------------------------------------------------------- what counts as held


def test_nothing_is_held_of_an_empty_ledger(opened):
    assert opened.held("scpa") == Held((), 0)
    opened.record(event())
    assert opened.held("scpa") == opened.held("scpa", before=1) == Held((), 1)


def test_a_holding_says_what_a_relation_is_judged_by_and_which_entry_says_so(opened):
    opened.record(event())
    send(opened, grain=Grain.ADMIN2)
    assert opened.held("scpa").holdings == (
        Holding(
            dataset=TABLE.dataset,
            round=TABLE.round,
            grain=Grain.ADMIN2,
            indicators=("hiv-status", "site-id"),
            holder="scpa",
            since=date(2026, 11, 3),
            entry=1,
        ),
    )
    assert b"dispatch.intent" in opened.entries()[1].body


def finds(finding):
    return lambda opened, key: opened.settle(key, finding, COORDINATOR, "Called.", LATER)


def recalls(opened, key):
    opened.recall(key, COORDINATOR, "They wrote that no copy is left.", LATER)


def calls_off_and_recalls(opened, key):
    finds(Finding.CANCELLED)(opened, key)
    recalls(opened, key)


# How far it came, what a person found then, and whether they may have it.
STOOD = {
    "intended": ("new", None, True),
    "being sent": (None, None, True),
    "sent": (Delivery.SENT, None, True),
    "not taken for now": (Delivery.NOT_SENT, None, True),
    "of unknown outcome": (Delivery.OUTCOME_UNKNOWN, None, True),
    "failed": (Delivery.FAILED, None, False),
    "failed, and was there after all": (Delivery.FAILED, finds(Finding.ARRIVED), True),
    "of unknown outcome, and arrived": (Delivery.OUTCOME_UNKNOWN, finds(Finding.ARRIVED), True),
    "of unknown outcome, and did not arrive": (Delivery.OUTCOME_UNKNOWN, finds(Finding.NOT_ARRIVED), False),
    "of unknown outcome, and called off": (Delivery.OUTCOME_UNKNOWN, finds(Finding.CANCELLED), True),
    "cut off while it was sent, and called off": (None, finds(Finding.CANCELLED), True),
    "called off, and recalled": (Delivery.OUTCOME_UNKNOWN, calls_off_and_recalls, False),
    "cut off, and did not arrive": (None, finds(Finding.NOT_ARRIVED), False),
    "called off before it was sent": ("new", finds(Finding.CANCELLED), False),
    "failed, and called off": (Delivery.FAILED, finds(Finding.CANCELLED), False),
    "not taken for now, and called off": (Delivery.NOT_SENT, finds(Finding.CANCELLED), False),
    "recalled": (Delivery.SENT, recalls, False),
    "of unknown outcome, and recalled": (Delivery.OUTCOME_UNKNOWN, recalls, False),
}


@pytest.mark.parametrize("case", STOOD)
def test_it_is_held_from_the_intent_on_until_a_person_says_that_it_is_not(opened, case):
    delivery, found, held = STOOD[case]
    key = intend(opened, dispatch(opened)).key if delivery == "new" else send(opened, delivery=delivery)
    if found:
        found(opened, key)
    assert bool(opened.held("scpa").holdings) is held
    assert opened.find(key)[1].may_reach is held
    opened.verify()


def test_each_state_has_its_case_above_and_each_move_is_weighed():
    assert {each for each in rows.MOVES if each in rows.REACHING} == {
        "dispatch.intent",
        "dispatch.attempt",
        "dispatch.sent",
        "dispatch.deferred",
        "dispatch.outcome_unknown",
        "dispatch.reconciled",
        "release.announced",
        "release.published",
        "release.put_late",
    }
    for kind, state in rows.STATE_AFTER.items():
        assert (kind in rows.REACHING) is state.may_reach
    for kind, state in rows.AFTER_FINDING.values():
        assert (kind in rows.REACHING) is state.may_reach


# What a person said meanwhile, what the late try reports, and whether they may have it then.
LATE = {
    "called off, and was sent": (finds(Finding.CANCELLED), Delivery.SENT, True),
    "called off, and failed": (finds(Finding.CANCELLED), Delivery.FAILED, True),  # it takes a recall
    "did not arrive, and was sent": (finds(Finding.NOT_ARRIVED), Delivery.SENT, True),
    "did not arrive, and may have left": (finds(Finding.NOT_ARRIVED), Delivery.OUTCOME_UNKNOWN, True),
    "did not arrive, and failed": (finds(Finding.NOT_ARRIVED), Delivery.FAILED, False),
    "did not arrive, and was not taken": (finds(Finding.NOT_ARRIVED), Delivery.NOT_SENT, False),
    "recalled, and was sent": (recalls, Delivery.SENT, True),
    "recalled, and failed": (recalls, Delivery.FAILED, False),
}


@pytest.mark.parametrize("case", LATE)
def test_what_leaves_late_is_held_until_it_is_recalled(opened, case):
    said, delivery, held = LATE[case]
    key = intend(opened, dispatch(opened)).key
    claim = opened.claim(key, NOW, LEASE)
    said(opened, key)
    before = opened.held("scpa")
    state = opened.conclude(claim, Receipt(delivery, "A sentence."), LATER)
    assert opened.find(key) == (dispatch(opened), state)
    assert bool(opened.held("scpa").holdings) is state.may_reach is held
    assert opened.held("scpa", before=before.size) == before
    opened.verify()
    if held:
        assert [each.state for each in opened.disclosures()] == [DispatchState.TO_RECALL]
        recalls(opened, key)
        assert opened.held("scpa").holdings == ()
        opened.verify()


@pytest.mark.parametrize("delivery", [Delivery.FAILED, Delivery.NOT_SENT])
def test_what_an_earlier_try_sent_after_all_is_for_a_person_to_find_out(opened, delivery):
    key = intend(opened, dispatch(opened, method=Method.PORTAL)).key
    first = opened.claim(key, NOW, LEASE)
    second = opened.claim(key, NOW + LEASE, LEASE)
    opened.conclude(second, Receipt(delivery, "A sentence."), NOW + LEASE)
    assert opened.conclude(first, Receipt(Delivery.SENT, "Taken."), LATER) is DispatchState.OUTCOME_UNKNOWN
    assert opened.held("scpa").holdings != ()
    assert opened.claim(key, LATER, LEASE) is DispatchState.OUTCOME_UNKNOWN
    opened.verify()


def test_what_left_late_is_a_change_of_what_they_hold(opened):
    key = intend(opened, dispatch(opened)).key
    claim = opened.claim(key, NOW, LEASE)
    opened.settle(key, Finding.NOT_ARRIVED, COORDINATOR, "Called.", LATER)
    seen = opened.held("scpa").size
    opened.conclude(claim, Receipt(Delivery.SENT, "Taken."), LATER)
    with pytest.raises(HoldingsChanged):
        intends(opened, seen=seen)


def test_everybody_holds_what_was_published_or_is_about_to_be(opened):
    announce(opened, publication())
    held = opened.held("public").holdings
    assert [(each.holder, each.indicators, each.entry) for each in held] == [
        ("public", ("district", "site-id"), 0)
    ]
    publish(opened, publication())
    assert opened.held("public").holdings == held == opened.held("scpa").holdings
    opened.recall(key_of(opened), COORDINATOR, "Taken off the site.", LATER)
    assert opened.held("public").holdings == opened.held("scpa").holdings == ()


def test_nobody_holds_what_another_organization_got_but_everyone_reads_beside_it(opened):
    send(opened)
    send(opened, 1, organization="other")
    publish(opened, publication())
    assert [(each.holder, each.entry) for each in opened.held("scpa").holdings] == [
        ("scpa", 0),
        ("public", 6),
    ]
    assert [each.holder for each in opened.held("other").holdings] == ["other", "public"]
    assert [each.holder for each in opened.held("public").holdings] == ["scpa", "other", "public"]


def test_a_late_message_of_a_task_that_woke_up_moves_nothing(opened):
    key = intend(opened, dispatch(opened)).key
    claim = opened.claim(key, NOW, LEASE)
    opened.settle(key, Finding.ARRIVED, COORDINATOR, "Called.", LATER)
    held = opened.held("scpa").holdings
    opened.conclude(claim, Receipt(Delivery.FAILED, "Refused."), LATER)
    assert opened.held("scpa").holdings == held != ()


# ----------------------------------------------------------------------------------- as the ledger stood then


def test_what_was_held_at_any_size_is_what_was_said_then(opened):
    """Every kind of move, and after each entry the answer of that moment: asked later, it is the same."""
    said = [opened.held("scpa"), opened.held("public")]

    def look():
        said.extend((opened.held("scpa"), opened.held("public")))

    keys = {}
    for number, delivery in enumerate((*Delivery, None)):
        keys[delivery] = intend(opened, dispatch(opened, number)).key
        look()
        claim = opened.claim(keys[delivery], NOW, LEASE)
        look()
        if delivery:
            opened.conclude(claim, Receipt(delivery, "A sentence."), NOW)
            look()
    announce(opened, publication())
    look()
    publish(opened, publication())
    look()
    opened.settle(keys[Delivery.OUTCOME_UNKNOWN], Finding.NOT_ARRIVED, COORDINATOR, "Called.", LATER)
    look()
    opened.settle(keys[Delivery.FAILED], Finding.ARRIVED, COORDINATOR, "Called.", LATER)
    look()
    opened.recall(keys[Delivery.SENT], COORDINATOR, "In writing.", LATER)
    look()
    opened.recall(key_of(opened), COORDINATOR, "In writing.", LATER)
    look()
    for at, now in enumerate(said):
        holder = ("scpa", "public")[at % 2]
        assert opened.held(holder, before=now.size) == now
    assert len({len(each.holdings) for each in said}) > 3
    assert {each.size for each in said} == {*range(opened.size + 1)}


def test_a_size_that_the_ledger_never_had_is_refused(opened):
    opened.record(event())
    for before in (-1, 2):
        with pytest.raises(UsageProblem, match=f"never had {before}"):
            opened.held("scpa", before=before)


# ---------------------------------------------------------------------------------------- what cannot be read

BROKEN = {
    "UPDATE dispatch SET indicators = '['": LedgerAltered,
    "UPDATE dispatch SET indicators = 7": LedgerAltered,
    "UPDATE dispatch SET grain = 'x'": LedgerAltered,
    "UPDATE dispatch SET grain = 'national'": LedgerAltered,
    "UPDATE dispatch SET indicators = '[]'": LedgerAltered,
    "UPDATE dispatch SET dataset = 'npl/another'": LedgerAltered,
    "UPDATE dispatch SET round = 'another'": LedgerAltered,
    "UPDATE dispatch SET organization = 'other'": LedgerAltered,
    "DELETE FROM sealed_field": LedgerAltered,
    "DELETE FROM dispatch": LedgerAltered,
    "UPDATE ledger_entry SET occurred_at = 'x'": LedgerAltered,
    "UPDATE ledger_entry SET occurred_at = '2030-01-01T00:00:00.000000Z'": LedgerAltered,
    "UPDATE ledger_entry SET organization = 'other'": LedgerAltered,
    "UPDATE ledger_entry SET organization = NULL": LedgerAltered,
    "UPDATE ledger_entry SET row_key = NULL": LedgerAltered,
    "UPDATE ledger_entry SET row_key = NULL WHERE seq = 1": LedgerAltered,
    "UPDATE ledger_entry SET row_key = 'x' WHERE seq = 0": LedgerAltered,
    "UPDATE ledger_entry SET event_type = 'release.withheld'": LedgerAltered,
    "UPDATE ledger_entry SET event_type = 'release.withheld', row_key = NULL": LedgerAltered,
    "UPDATE ledger_entry SET event_type = 'dispatch.failed' WHERE seq = 2": LedgerAltered,
    "UPDATE ledger_entry SET event_type = 'dispatch.recalled' WHERE seq = 2": LedgerAltered,
    "UPDATE ledger_entry SET event_type = 'dispatch.x' WHERE seq = 2": LedgerAltered,
    "UPDATE ledger_entry SET event_type = 'release.announced' WHERE seq = 0": LedgerAltered,
    "DELETE FROM ledger_entry": LedgerAltered,
    "DELETE FROM ledger_entry; UPDATE ledger_head SET size = 0": LedgerAltered,
    "DELETE FROM ledger_entry WHERE seq = 2": LedgerAltered,
    "DELETE FROM ledger_entry WHERE seq = 1; UPDATE ledger_head SET size = 2": LedgerAltered,
    "UPDATE ledger_head SET size = 2": LedgerAltered,
    "DROP TABLE dispatch": StoreFailed,
    # The entry does not speak of it any more, and its salt is gone: nobody can vouch for the row.
    "UPDATE ledger_entry SET body = CAST(json_remove(CAST(body AS TEXT), '$.data.sealed.grain') AS BLOB); "
    "DELETE FROM sealed_field WHERE ref LIKE '%/grain'": LedgerAltered,
    "UPDATE ledger_entry SET body = CAST('{' AS BLOB)": LedgerAltered,
    "UPDATE ledger_entry SET body = CAST('[]' AS BLOB)": LedgerAltered,
    """UPDATE ledger_entry SET body = CAST('{"data": {}}' AS BLOB)""": LedgerAltered,
    """UPDATE ledger_entry SET body = CAST('{"data": 7}' AS BLOB)""": LedgerAltered,
    "UPDATE ledger_entry SET body = CAST(json_set(CAST(body AS TEXT), '$.data', 7) AS BLOB)": LedgerAltered,
    "DELETE FROM ledger_entry WHERE event_type = 'dispatch.intent'": LedgerAltered,
}


@pytest.mark.parametrize("attack", BROKEN)
def test_what_cannot_be_read_is_never_taken_for_nothing(opened, path, attack):
    send(opened)
    opened.close()
    tamper(path, *attack.split("; "))
    with pytest.raises(BROKEN[attack]):
        open_ledger(path).held("scpa")


NOT_HELD = {
    "its organization": "UPDATE dispatch SET organization = 'other' WHERE key = '{key}'",
    "a later move says nothing": "UPDATE ledger_entry SET event_type = 'dispatch.voided', "
    "body = CAST(json_set(CAST(body AS TEXT), '$.type', 'dtm-sharing.dispatch.voided', '$.data', 7) AS BLOB) "
    "WHERE seq = 3",
    "a later move is another's": "UPDATE ledger_entry SET organization = NULL WHERE seq = 3",
    "a later move is of no row": "UPDATE ledger_entry SET row_key = NULL WHERE seq = 3",
    "a later move is a late attempt": "UPDATE ledger_entry SET event_type = 'dispatch.late_attempt' "
    "WHERE seq = 3",
    "a later move is a failure": "UPDATE ledger_entry SET event_type = 'dispatch.failed' WHERE seq = 3",
    "a later move is a recall": "UPDATE ledger_entry SET event_type = 'dispatch.recalled' WHERE seq = 3",
}


@pytest.mark.parametrize("attack", NOT_HELD)
@pytest.mark.parametrize("holder", ["scpa", "public"])
def test_what_was_there_after_all_is_not_made_to_have_failed(opened, path, attack, holder):
    key = send(opened, delivery=Delivery.FAILED)
    opened.settle(key, Finding.ARRIVED, COORDINATOR, "Called.", LATER)
    opened.close()
    tamper(path, NOT_HELD[attack].format(key=key))
    with pytest.raises(LedgerAltered):
        open_ledger(path).held(holder)


def test_an_organization_s_half_is_not_made_another_s(opened, path):
    """Public is judged organization by organization: nobody else holds what completes it."""
    send(opened)
    key = send(opened, 1)
    opened.close()
    tamper(path, f"UPDATE dispatch SET organization = 'other' WHERE key = '{key}'")
    with pytest.raises(LedgerAltered, match="organization is not what was recorded"):
        open_ledger(path).held("public")


# ------------------------------------------------------------------------------- under another id


def test_what_its_people_received_for_it_under_another_id_counts(opened):
    send(opened, 0)
    send(opened, 1, organization="other")
    publish(opened, publication())
    size = opened.size
    assert opened.held("renamed").holdings == opened.held("renamed", people={"npl/x"}).holdings
    held = opened.held("renamed", people={"npl/scpa-0", "npl/scpa-7"}).holdings
    assert [each.holder for each in held] == ["scpa", "public"]
    assert opened.held("renamed", before=0, people={"npl/scpa-0"}).holdings == ()
    send(opened, 7, organization="other")  # said later, it changes nothing of then
    assert opened.held("renamed", before=size, people={"npl/scpa-0", "npl/scpa-7"}).holdings == held
    held = opened.held("renamed", people={"npl/scpa-7"}).holdings
    assert [each.holder for each in held] == ["other", "public", "other"]


def test_what_goes_to_its_earlier_id_meanwhile_is_a_change(opened):
    send(opened, 0)
    seen = opened.held("renamed", people={"npl/scpa-0"}).size
    send(opened, 7)
    with pytest.raises(HoldingsChanged, match="what renamed or scpa holds changed"):
        intends(opened, 0, seen=seen, organization="renamed", key=str(uuid.uuid4()))


def test_what_was_intended_under_an_earlier_id_is_found_again_beside_new_ones(opened):
    first = intend(opened, dispatch(opened))
    more = [first, dispatch(opened, 1, organization="renamed")]
    assert opened.intend(more, LATER, seen=opened.size) == tuple(more)


# ------------------------------------------------------------------------------- decided and then changed


def intends(opened, number=1, seen=0, **changes):
    return opened.intend([dispatch(opened, number, **changes)], NOW, seen=seen)


# What happens between reading what scpa holds and intending to send more: does scpa hold more now?
MEANWHILE = {
    "nothing": (lambda _: None, False),
    "an event": (lambda opened: opened.record(event(organization="scpa")), False),
    "another dispatch to them": (lambda opened: intend(opened, dispatch(opened, 7)), True),
    "a publication": (lambda opened: announce(opened, publication()), True),
    "a dispatch to others": (lambda opened: intend(opened, dispatch(opened, 7, organization="x")), False),
}


@pytest.mark.parametrize("case", MEANWHILE)
def test_an_intent_stands_only_while_they_hold_what_was_decided_upon(opened, case):
    happens, refused = MEANWHILE[case]
    opened.record(event())
    seen = opened.held("scpa").size
    happens(opened)
    size = opened.size
    if refused:
        with pytest.raises(
            HoldingsChanged, match="what scpa holds changed while this was decided"
        ) as problem:
            intends(opened, seen=seen)
        assert problem.value.retry
        assert opened.size == size
    else:
        intends(opened, seen=seen)
        assert opened.size == size + 1
    intends(opened, seen=opened.held("scpa").size)  # decided again, it stands
    opened.verify()


@pytest.mark.parametrize("delivery", [Delivery.SENT, Delivery.FAILED])
def test_what_was_on_its_way_already_is_no_change_when_it_moves(opened, delivery):
    key = intend(opened, dispatch(opened)).key
    seen = opened.held("scpa").size
    opened.conclude(opened.claim(key, NOW, LEASE), Receipt(delivery, "A sentence."), NOW)
    assert intends(opened, seen=seen)


def test_that_something_is_there_after_all_is_a_change(opened):
    key = send(opened, delivery=Delivery.FAILED)
    seen = opened.held("scpa").size
    opened.settle(key, Finding.ARRIVED, COORDINATOR, "Called.", LATER)
    with pytest.raises(HoldingsChanged):
        intends(opened, seen=seen)


@pytest.mark.parametrize("finding", [Finding.NOT_ARRIVED, Finding.CANCELLED])
def test_that_they_hold_less_makes_no_decision_wrong(opened, finding):
    key = send(opened, delivery=Delivery.OUTCOME_UNKNOWN)
    seen = opened.held("scpa").size
    opened.settle(key, finding, COORDINATOR, "Called.", LATER)
    assert intends(opened, seen=seen)


def test_a_publication_is_refused_where_anybody_holds_more(opened):
    seen = opened.held("public").size
    intend(opened, dispatch(opened))
    with pytest.raises(HoldingsChanged, match="what public holds changed"):
        opened.announce(publication(), seen=seen)
    seen = opened.held("public").size
    opened.announce(publication(), seen=seen)
    with pytest.raises(HoldingsChanged, match="what public holds changed"):
        opened.announce(publication(artefact_sha256="00" * 32), seen=seen)
    assert len(opened.disclosures("public")) == 1


def test_the_dispatches_of_one_decision_are_intended_all_or_none(opened):
    several = [dispatch(opened, number) for number in range(3)]
    seen = opened.size
    assert opened.intend(several, NOW, seen=seen) == tuple(several)
    assert len(opened.entries("dispatch.intent")) == 3
    assert opened.intend(several, LATER, seen=seen) == tuple(several)  # its own are found again
    more = [*several, dispatch(opened, 3)]
    assert opened.intend(more, LATER, seen=seen) == tuple(more)
    broken = [dispatch(opened, 4), dispatch(opened, 5, key="no UUID")]
    with pytest.raises(UsageProblem, match="UUID"):
        opened.intend(broken, NOW, seen=opened.size)
    assert len(opened.entries("dispatch.intent")) == 4
    assert opened.verify().size == 4


def test_what_was_found_again_needs_no_decision_and_what_comes_with_it_does(opened):
    first = intend(opened, dispatch(opened))
    seen = opened.size
    intend(opened, dispatch(opened, 7))
    assert opened.intend([first], NOW, seen=seen) == (first,)
    with pytest.raises(HoldingsChanged):
        opened.intend([first, dispatch(opened, 1)], NOW, seen=seen)


def test_dispatches_to_several_organizations_are_not_one_decision(opened):
    with pytest.raises(UsageProblem, match="one organization"):
        opened.intend([dispatch(opened), dispatch(opened, 1, organization="x")], NOW, seen=0)
    assert opened.entries() == ()
    assert opened.intend([], NOW, seen=0) == ()


def test_an_announcement_that_was_made_is_found_again_whatever_happened_since(opened):
    first = opened.announce(publication(), seen=0)
    announce(opened, publication(artefact_sha256="00" * 32))
    assert opened.announce(replace(publication(), published_at=LATER), seen=0) == first


# ----------------------------------------------------------------------------------------------------- speed


def test_ten_thousand_disclosures_are_read_in_a_few_dozen_questions(opened, path):
    """The database is filled by hand: what counts here is how it is read."""
    send(opened)
    opened.close()
    with sqlite3.connect(path) as connection:
        for trigger in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger[0]}")
        names = [each[1] for each in connection.execute("PRAGMA table_info(dispatch)") if each[1] != "key"]
        made = ", ".join(f'"{each}"' for each in names)
        count = "WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 30002) "
        connection.execute(
            f"INSERT INTO dispatch (key, {made}) {count} SELECT 'k' || (i / 3), {made} FROM n, dispatch "
            "WHERE i % 3 = 0"
        )
        kinds = (
            "CASE i % 3 WHEN 0 THEN 'dispatch.intent' WHEN 1 THEN 'dispatch.attempt' ELSE 'dispatch.sent' END"
        )
        connection.execute(
            f"INSERT INTO ledger_entry {count} SELECT i, 'e' || i, {kinds}, occurred_at, recorded_at, "
            "organization, i, 'k' || (i / 3), leaf_hash, body FROM n, ledger_entry WHERE seq = 0"
        )
        connection.execute(
            "UPDATE ledger_entry SET body = CAST(json_set(CAST(body AS TEXT), '$.id', event_id, '$.subject', "
            "row_key, '$.organizationseq', organization_seq, '$.type', 'dtm-sharing.' || event_type) "
            "AS BLOB) WHERE seq > 2"
        )
        connection.execute(
            f"INSERT INTO sealed_field (ref, salt) {count} SELECT 'k' || (i / 3) || substr(ref, 37), salt "
            "FROM n, sealed_field WHERE i % 3 = 0"
        )
        connection.execute("UPDATE ledger_head SET size = 30003")
    connection.close()
    again, asked = open_ledger(path), []

    def note(*given):
        asked.append(given[2])

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
    try:
        assert len(again.held("scpa").holdings) == 10_001
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", note)
    assert 20 < len(asked) < 50


def test_states_are_as_the_rows_say():
    """The model's word on it, which the cases above are about."""
    assert {each for each in DispatchState if each.may_reach} == {
        DispatchState.NEW,
        DispatchState.SENDING,
        DispatchState.SENT,
        DispatchState.ACKNOWLEDGED,
        DispatchState.OUTCOME_UNKNOWN,
        DispatchState.TO_RECALL,
    }
