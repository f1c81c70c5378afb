"""Every recorded decision, made again from the ledger: as recorded, or named."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dtm_sharing import policy as policies
from dtm_sharing.errors import GateDenied, StoreFailed
from dtm_sharing.pipeline import publish
from dtm_sharing.review.replay import replay
from dtm_sharing.stores.database import Ledger
from support.ledgers import tamper
from support.replays import fill
from support.spaces import Space, admitted

MANY, SOME = 1000, 60


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> Path:
    """A ledger of some decisions for several audiences, beside what these came to hold."""
    path = tmp_path_factory.mktemp("replay") / "ledger.db"
    fill(path, SOME).close()  # whole in its one file, so that it can be copied
    return path


@pytest.fixture
def path(filled, tmp_path) -> Path:
    """A copy of one's own, to be altered."""
    copy = tmp_path / "ledger.db"
    copy.write_bytes(filled.read_bytes())
    return copy


def run(path, **options):
    ledger = Ledger(path, create=False)
    asked, holders = [], set()

    def policy_of(digest):
        asked.append(digest)
        return policies.parse(ledger.policy_files(digest))

    def held_by(organization, size, people):
        holders.add(organization)
        return ledger.held(organization, size, people).holdings

    recorded = ledger.decisions()
    found = list(replay(recorded, policy_of, held_by, **options))
    assert len(asked) == len(set(asked))  # each policy is read once
    assert holders <= {"public", "scpa"}
    return found, holders


def differing(path):
    return [
        (each.recorded.entry, [str(one) for one in each.differences])
        for each in run(path)[0]
        if each.differences
    ]


def test_a_thousand_decisions_come_out_as_recorded(tmp_path):
    path = tmp_path / "ledger.db"
    fill(path, MANY)
    found, holders = run(path)
    assert len(found) == MANY
    assert holders == {"public", "scpa"}
    assert [each for each in found if each.differences] == []
    outcomes = {each.recorded.record.answer["outcome"] for each in found}
    assert outcomes == {"allow", "deny", "undecided"}
    raised = [
        each
        for each in found
        if "relation:safety-and-armed-actors" in json.dumps(each.recorded.record.answer)
    ]
    assert raised  # holdings had a part in some


def altered(path, entry, change):
    """Change the recorded answer of one decision, as whoever holds the file can."""
    ledger = Ledger(path, create=False)
    answer = dict(next(each for each in ledger.decisions() if each.entry == entry).record.answer)
    before = json.dumps(answer, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    key = next(each.event_id for each in ledger.entries() if each.seq == entry)
    ledger.close()
    text = json.dumps(change(json.loads(before)), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    tamper(path, f"UPDATE decision SET answer = '{text}' WHERE key = '{key}'")


def not_as_recorded(entry, field):
    row = f"the row of entry {entry} in the table decision was altered"
    return f"record: recorded in entry {entry}, now {row}: {field} is not what was recorded"


def test_a_decision_whose_row_was_removed_is_not_left_out(path):
    entries = [each.recorded.entry for each in run(path)[0]]
    tamper(path, "DELETE FROM decision WHERE rowid IN (SELECT max(rowid) FROM decision)")
    found = run(path)[0]
    assert [each.recorded.entry for each in found] == entries
    [(entry, [difference])] = differing(path)
    gone = f"now the row of entry {entry} in the table decision was removed"
    assert difference == f"record: recorded in entry {entry}, {gone}"


def test_a_profile_that_was_altered_is_found_where_the_answer_stays_the_same(path):
    tamper(path, "UPDATE decision SET profile = replace(profile, '\"rows\":38', '\"rows\":39')")
    found = differing(path)
    assert len(found) == SOME
    assert all(not_as_recorded(entry, "profile") in each for entry, each in found)


@pytest.mark.parametrize(
    ("field", "before", "after"),
    [
        ("profile", '"rows":38', '"rows":"38"'),
        ("profile", '"headers":[[1,', '"headers":[["x",'),
        ("answer", '"columns":[', '"columns":[7,'),
        ("answer", '"outcome":', '"other":'),
    ],
)
def test_a_row_with_what_no_row_of_ours_holds_is_a_difference(path, field, before, after):
    tamper(path, f"UPDATE decision SET {field} = replace({field}, '{before}', '{after}')")
    found = differing(path)
    assert len(found) == SOME
    assert all(each[0].startswith("record: recorded in entry ") for _, each in found)


def test_what_the_pipeline_decided_comes_out_as_recorded(tmp_path):
    place = Space(tmp_path)
    stores = place.stores()
    ref = admitted(stores, round_="7")
    with pytest.raises(GateDenied):
        publish(ref, stores)
    publish(ref, stores, releasable=True)
    place.clock.on(days=31)
    publish(admitted(stores, round_="8", rows=7), stores, releasable=True)
    found, _ = run(tmp_path / "ledger.db")
    assert [each.recorded.record.answer["outcome"] for each in found] == ["deny", "allow", "allow"]
    assert [each for each in found if each.differences] == []


def test_an_altered_answer_is_named_with_its_entry_and_field(path):
    entry = next(
        each.recorded.entry for each in run(path)[0] if each.recorded.record.answer["outcome"] == "deny"
    )
    altered(path, entry, lambda answer: {**answer, "outcome": "allow", "refused": []})
    [(found, differences)] = differing(path)
    assert found == entry
    assert "outcome: recorded allow, now deny" in differences
    assert any(each.startswith("refused: recorded nothing, now ") for each in differences)


def test_an_altered_column_is_named_by_its_key(path):
    entry = run(path)[0][0].recorded.entry

    def lower(answer):
        answer["columns"][0]["level"] = "Secret"
        return answer

    altered(path, entry, lower)
    assert differing(path) == [
        (entry, [not_as_recorded(entry, "answer"), "columns / Site ID / level: recorded Secret, now Public"])
    ]


def test_columns_in_another_order_are_named(path):
    entry = run(path)[0][0].recorded.entry
    altered(path, entry, lambda answer: {**answer, "columns": answer["columns"][::-1]})
    [(found, [first, difference])] = differing(path)
    assert (found, first) == (entry, not_as_recorded(entry, "answer"))
    assert difference.startswith("columns / order: recorded Individuals, District, Site ID, now Site ID")


def test_a_policy_whose_files_were_altered_is_named_for_every_decision_under_it(path):
    tamper(path, "UPDATE policy_file SET content = x'00' WHERE rowid = (SELECT min(rowid) FROM policy_file)")
    found = differing(path)
    assert found
    assert all(len(each) == 1 and each[0].startswith("policy: recorded sha256:") for _, each in found)


def test_another_answer_of_the_engine_is_found(filled, monkeypatch):
    from dtm_sharing.review import replay as module

    plain = module.gate.decide

    def mended(*arguments, **options):
        decision = plain(*arguments, **options)
        return replace(decision, expires=None)

    monkeypatch.setattr(module.gate, "decide", mended)
    named = {name.split(":")[0] for _, each in differing(filled) for name in each}
    assert named == {"expires"}


def test_holdings_that_cannot_be_read_are_a_difference_and_no_agreement(filled):
    ledger = Ledger(filled, create=False)

    def unreadable(_organization, _size, _people):
        raise StoreFailed("the ledger cannot be read")

    recorded = ledger.decisions()[:3]
    found = list(replay(recorded, lambda digest: policies.parse(ledger.policy_files(digest)), unreadable))
    assert [len(each.differences) for each in found] == [1, 1, 1]
    assert "cannot be read" in str(found[0].differences[0])


def test_progress_is_told_to_the_end(filled):
    told = []
    run(filled, progress=lambda done, of: told.append((done, of)))
    assert told[0] == (0, SOME)
    assert told[-1] == (SOME, SOME)


def test_days_go_on_in_the_made_up_ledger(filled):
    days = [each.as_of for each in Ledger(filled, create=False).decisions()]
    assert max(days) - min(days) >= timedelta(days=19)
