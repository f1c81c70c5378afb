"""After a person's finding: what the next run of the pathway sends. Real stores, a real mail server."""

from __future__ import annotations

import json

import pytest

from dtm_sharing import pipeline, timeline
from dtm_sharing.errors import DispatchOpen
from dtm_sharing.model import Audience, DispatchState, Finding, Stage, Urgency
from support import mail
from support.ledgers import COORDINATOR
from support.spaces import Space, admitted, space

LOW = Audience("xyz/child-protection", Urgency.LOW)
MEDIUM = Audience("xyz/child-protection", Urgency.MEDIUM)
DROPS = {"content": mail.Do.DROP}  # the server takes the message and the line breaks: it may have left
REFUSES = {"RCPT": "550 no such user"}


def fails(here: Space, script: dict[str, object] | None = None, audience: Audience = LOW, **options: object):
    """A run that ends with open dispatches; the server is well again afterwards. Gives the table."""
    stores = here.stores()
    assert isinstance(here.server, mail.Scripted)
    here.server.script = DROPS if script is None else script
    ref = stores.ledger.registered("xyz/site-assessment", audience.urgency.stage, "7") or admitted(
        stores, audience.urgency.stage, **options
    )
    with pytest.raises(DispatchOpen):
        pipeline.share(ref, audience, stores)
    here.server.script = {}
    return ref


def settle(here: Space, finding: Finding, focal_point: str = "xyz/scpa-primary") -> str:
    ledger = here.stores().ledger
    (key,) = (
        each.dispatch.key
        for each in ledger.open_dispatches(here.clock())
        if each.dispatch.focal_point == focal_point
    )
    ledger.settle(key, finding, COORDINATOR, "Called.", here.clock())
    return key


@pytest.mark.parametrize("script", [DROPS, REFUSES], ids=["outcome unknown", "failed"])
def test_what_did_not_arrive_is_sent_again_once_under_another_key(tmp_path, script):
    with space(tmp_path) as here:
        ref = fails(here, script)
        before = len(here.messages())
        old = settle(here, Finding.NOT_ARRIVED)
        for _ in range(3):
            (sending,) = pipeline.share(ref, LOW, here.stores())
            assert sending.state is DispatchState.SENT
            assert sending.dispatch.key != old
        assert len(here.messages()) == before + 1
        assert here.messages()[-1].read_bytes().count(sending.dispatch.key.encode()) > 0
        assert here.stores().ledger.find(old)[1] is DispatchState.NOT_ARRIVED
        assert here.verified()


def test_the_extract_that_is_sent_again_is_packed_anew_with_its_own_intent(tmp_path):
    with space(tmp_path) as here:
        ref = fails(here)
        old = settle(here, Finding.NOT_ARRIVED)
        (sending,) = pipeline.share(ref, LOW, here.stores())
        first, _ = here.stores().ledger.find(old)
        assert sending.dispatch.artefact_path != first.artefact_path
        assert (sending.dispatch.columns, sending.dispatch.rows) == (first.columns, first.rows)
        assert here.events().count("dispatch.intent") == 2
        assert here.events().count("credential.issued") == 1  # the person's password is the same


def test_it_may_fail_to_arrive_any_number_of_times(tmp_path):
    with space(tmp_path) as here:
        keys = set()
        for _ in range(3):
            ref = fails(here)
            keys.add(settle(here, Finding.NOT_ARRIVED))
        (sending,) = pipeline.share(ref, LOW, here.stores())
        assert len({*keys, sending.dispatch.key}) == 4
        assert here.verified()


@pytest.mark.parametrize(
    ("finding", "state"),
    [(Finding.ARRIVED, DispatchState.SENT), (Finding.CANCELLED, DispatchState.TO_RECALL)],
)
def test_what_arrived_or_was_cancelled_is_never_sent_again_and_no_run_fails_for_it(tmp_path, finding, state):
    with space(tmp_path) as here:
        ref = fails(here)
        kept = len(here.messages())
        settle(here, finding)
        for _ in range(2):
            (sending,) = pipeline.share(ref, LOW, here.stores())
            assert sending.state is state
        here.clock.on(days=40)
        assert timeline.share_due(here.stores()) == ()
        assert len(here.messages()) == kept
        assert here.verified()


@pytest.mark.parametrize("script", [DROPS, REFUSES], ids=["outcome unknown", "failed"])
def test_the_monthly_run_sends_what_did_not_arrive_and_not_what_was_cancelled(tmp_path, script):
    with space(tmp_path) as here:
        fails(here, script)
        old = settle(here, Finding.NOT_ARRIVED)
        here.clock.on(days=10)
        (sending,) = timeline.share_due(here.stores())
        assert (sending.state, sending.dispatch.key != old) == (DispatchState.SENT, True)
        assert timeline.share_due(here.stores()) == ()
    other = tmp_path / "other"
    other.mkdir()
    with space(other) as here:
        fails(here, script)
        settle(here, Finding.CANCELLED)
        here.clock.on(days=10)
        assert timeline.share_due(here.stores()) == ()


def test_what_did_not_arrive_does_not_hold_up_the_next_round_of_the_month(tmp_path):
    with space(tmp_path) as here:
        fails(here)
        settle(here, Finding.CANCELLED)
        stores = here.stores()
        (sending,) = timeline.share_in_time(admitted(stores, round_="8"), LOW, stores)
        assert sending.state is DispatchState.SENT


def test_a_finding_about_one_person_sends_nothing_to_another(tmp_path):
    with space(tmp_path) as here:
        ref = fails(here, audience=MEDIUM)
        settle(here, Finding.NOT_ARRIVED, "xyz/scpa-primary")
        kept = len(here.messages())
        with pytest.raises(DispatchOpen, match=r"1 of 2 .*xyz/scpa-secondary: outcome-unknown"):
            pipeline.share(ref, MEDIUM, here.stores())
        assert len(here.messages()) == kept + 1
        assert b"primary@scpa.example.org" in here.messages()[-1].read_bytes()
        settle(here, Finding.CANCELLED, "xyz/scpa-secondary")
        sendings = pipeline.share(ref, MEDIUM, here.stores())
        assert [each.state for each in sendings] == [DispatchState.SENT, DispatchState.TO_RECALL]
        assert len(here.messages()) == kept + 1


def test_a_finding_in_the_middle_of_a_run_asks_for_another_try(tmp_path):
    """The task has chosen the key that a person settles a moment later: it must not pass for sent."""
    with space(tmp_path) as here:
        stores = here.stores()
        ref = fails(here)
        ledger = stores.ledger
        find = ledger.find

        def settled_meanwhile(key):
            found = find(key)
            if found and found[1] is DispatchState.OUTCOME_UNKNOWN:
                ledger.settle(key, Finding.NOT_ARRIVED, COORDINATOR, "Called.", here.clock())
            return found

        ledger.find = settled_meanwhile  # type: ignore[method-assign]
        with pytest.raises(DispatchOpen) as problem:
            pipeline.share(ref, LOW, stores)
        assert problem.value.retry
        (sending,) = pipeline.share(ref, LOW, here.stores())
        assert sending.state is DispatchState.SENT


def test_the_disclosures_say_what_a_person_found(tmp_path):
    with space(tmp_path) as here:
        ref = fails(here)
        settle(here, Finding.NOT_ARRIVED)
        pipeline.share(ref, LOW, here.stores())
        ledger = here.stores().ledger
        assert [each.state.value for each in ledger.disclosures("scpa")] == ["not-arrived", "sent"]
        findings = [json.loads(each.body)["data"] for each in ledger.entries("dispatch.voided")]
        assert [each["finding"] for each in findings] == ["not-arrived"]


def test_medium_urgency_is_sent_again_as_well(tmp_path):
    with space(tmp_path) as here:
        ref = fails(here, audience=MEDIUM)
        assert ref.stage is Stage.COLLECTED
        for person in ("xyz/scpa-primary", "xyz/scpa-secondary"):
            settle(here, Finding.NOT_ARRIVED, person)
        assert {each.state for each in pipeline.share(ref, MEDIUM, here.stores())} == {DispatchState.SENT}
