"""Decisions in the ledger: all that they were made of comes back, and none can be changed unseen."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from dtm_sharing import gate, records
from dtm_sharing.errors import LedgerAltered, UsageProblem
from dtm_sharing.model import PUBLIC, Audience, Grain, GrainEvidence, Level, TableProfile, Urgency
from support import rules
from support.ledgers import NOW, VERIFIER_KEY, decide, decision, event, open_ledger, read, tamper
from support.policies import sample_policy

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def opened(path):
    return open_ledger(path)


def body(entry):
    return json.loads(entry.body)


def test_an_entry_shows_counts_and_kinds_and_commits_to_the_rest(opened, path):
    entry = decide(opened)
    envelope = body(entry)
    data = envelope["data"]
    assert (envelope["type"], envelope["subject"]) == (
        "dtm-sharing.release.denied",
        "npl/site-assessment/2026-10",
    )
    assert {name: data[name] for name in data if name != "sealed"} == {
        "audience": "npl/child-protection/low",
        "agreement": "npl/child-protection",
        "stage": "cleaned",
        "columns": 2,
        "refused": 1,
        "gaps": ["lapsed-assessment", "unknown-column"],
        "policy_digest": sample_policy().digest,
        "as_of": "2026-11-03",
    }
    assert set(data["sealed"]) == {"profile", "ledger_size", "answer"}
    for hidden in ("Site ID", "indicator:", "every row"):
        assert hidden not in entry.body.decode()
    assert len(read(path, "SELECT * FROM sealed_field")) == 3


@pytest.mark.parametrize("outcome", ["allow", "deny", "undecided"])
def test_the_outcome_is_the_entry_s_type(opened, outcome):
    kinds = {"allow": "release.approved", "deny": "release.denied", "undecided": "release.undecided"}
    entry = decide(opened, decision(outcome))
    assert opened.entries(kinds[outcome]) == (entry,)
    assert opened.verify(VERIFIER_KEY).size == 2


RECORDS = {
    "to a pathway": {},
    "to everyone": {"audience": PUBLIC},
    "of medium urgency": {"audience": Audience("npl/child-protection", Urgency.MEDIUM)},
    "of a bare profile": {"profile": TableProfile("npl/x", (), 0)},
    "of a whole table": {
        "profile": replace(
            decision().profile,
            whole=True,
            aggregated_to=None,
            evidence=(GrainEvidence(Grain.HOUSEHOLD, "the table as a whole"),),
        )
    },
    "of a later ledger": {"ledger_size": 1},
}


@pytest.mark.parametrize("case", RECORDS)
def test_what_was_recorded_comes_back_with_the_number_of_its_entry(opened, case):
    record = decision(**RECORDS[case])
    entry = decide(opened, record)
    [recorded] = opened.decisions()
    assert (recorded.entry, recorded.record, recorded.altered) == (entry.seq, record, None)
    subject = f"{record.profile.dataset}/{record.profile.round}"
    assert (recorded.subject, recorded.audience) == (subject, str(record.audience))
    assert (recorded.policy_digest, recorded.as_of) == (record.policy_digest, record.as_of)
    assert opened.verify().size == 2


def test_decisions_come_in_order(opened):
    made = [decide(opened, decision(outcome), LATER) for outcome in ("deny", "undecided", "allow")]
    opened.record(event())
    assert [(each.entry, each.record.answer["outcome"]) for each in opened.decisions()] == [
        (made[0].seq, "deny"),
        (made[1].seq, "undecided"),
        (made[2].seq, "allow"),
    ]
    assert opened.entries("release.denied") == (made[0],)


def test_the_same_decision_of_the_same_moment_is_one_entry_and_of_another_moment_another(opened):
    first = decide(opened)
    assert decide(opened) == first
    assert opened.size == 2
    assert decide(opened, now=LATER) != first
    others = [
        replace(decision(), ledger_size=1),
        replace(decision(), audience=PUBLIC),
        replace(decision(), as_of=LATER.date() + timedelta(days=1)),
        replace(decision(), profile=replace(decision().profile, rows=39)),
        decision("allow"),
    ]
    entries = {decide(opened, each).seq for each in others}
    assert len(entries) == len(others)
    assert opened.verify().size == 3 + len(others)


def test_a_decision_that_nobody_could_make_again_is_not_recorded(opened):
    with pytest.raises(UsageProblem, match="does not keep the policy"):
        opened.record_decision(decision(), NOW)
    opened.keep_policy(sample_policy(), NOW)
    for size in (-1, 2):
        with pytest.raises(UsageProblem, match=f"never had {size} entries"):
            opened.record_decision(decision(ledger_size=size), NOW)
    with pytest.raises(UsageProblem, match=r"float at \$\.answer|float at"):
        opened.record_decision(decision(answer={**decision().answer, "share": 0.5}), NOW)
    assert opened.decisions() == ()
    assert opened.size == 1


@pytest.mark.parametrize(
    "change",
    ["profile = '{'", "profile = '{}'", "as_of = 'x'", "urgency = 'x'", "answer = '['", "answer = 7"],
)
def test_a_decision_that_cannot_be_read_is_told_with_its_entry(opened, path, change):
    entry = decide(opened)
    opened.close()
    tamper(path, f"UPDATE decision SET {change}")
    [recorded] = open_ledger(path).decisions()
    assert (recorded.entry, recorded.record) == (entry.seq, None)
    assert isinstance(recorded.altered, LedgerAltered)
    assert recorded.as_of == NOW.date()


def test_a_decision_whose_row_is_gone_is_still_one(opened, path):
    entries = [decide(opened), decide(opened, now=LATER)]
    opened.close()
    tamper(path, f"DELETE FROM decision WHERE key = '{entries[0].event_id}'")
    first, second = open_ledger(path).decisions()
    assert (first.entry, first.record) == (entries[0].seq, None)
    assert "in the table decision was removed" in str(first.altered)
    assert (second.record, second.altered) == (decision(), None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("profile = replace(profile, '38', '39')", "profile"),
        ("ledger_size = 1", "ledger_size"),
        ("answer = replace(answer, 'deny', 'allow')", "answer"),
        ("agreement = NULL, urgency = NULL", "audience"),
        ("as_of = '2026-11-04'", "as_of"),
    ],
)
def test_a_decision_whose_row_is_not_what_the_entry_commits_to_is_told(opened, path, change, field):
    decide(opened)
    opened.close()
    tamper(path, f"UPDATE decision SET {change}")
    [recorded] = open_ledger(path).decisions()
    assert recorded.record is not None
    assert recorded.record != decision()
    assert f"{field} is not what was recorded" in str(recorded.altered)


def test_a_decision_whose_seal_was_removed_is_told(opened, path):
    decide(opened)
    opened.close()
    tamper(path, "DELETE FROM sealed_field")
    [recorded] = open_ledger(path).decisions()
    assert "the seal on profile of entry 1 was removed" in str(recorded.altered)


def test_decisions_without_an_entry_and_entries_of_none_are_no_decisions(opened, path):
    decide(opened)
    opened.close()
    tamper(path, "UPDATE decision SET key = 'another'")
    with pytest.raises(LedgerAltered, match="1 decisions of which no entry tells; run the ledger"):
        open_ledger(path).decisions()
    tamper(path, "DELETE FROM decision", "UPDATE ledger_entry SET body = '{}' WHERE seq = 1")
    with pytest.raises(LedgerAltered, match="entry 1 was altered"):
        open_ledger(path).decisions()


# ------------------------------------------------------------------------------------------- the answer

HEADERS = ("site", "children")


def decided(levels=None, audience=rules.LOW, **changes):
    policy = rules.policy(levels, **changes)
    return gate.decide(policy, rules.classified(policy, *HEADERS), audience, ())


def test_an_answer_says_level_and_rules_of_each_column_and_no_sentence():
    found = records.answer(decided({"site": rules.PUBLIC, "children": rules.CONFIDENTIAL}, rules.EVERYONE))
    assert found["outcome"] == "deny"
    assert (found["level"], found["grain"]) == ("Confidential", "site")
    assert [each["key"] for each in found["columns"]] == ["site", "children"]
    assert found["columns"][1]["level"] == "Confidential"
    assert ["indicator:children@site", "children.yaml:7"] in found["columns"][1]["rules"]
    assert found["refused"] == ["children"]
    assert (found["gaps"], found["waivers"]) == ([], [])
    assert (found["as_of"], found["policy_digest"]) == ("2026-06-15", "sha256:00")
    assert "basis of" not in json.dumps(found)


def test_an_answer_is_json_that_the_ledger_can_keep_and_gives_back():
    for audience in (rules.LOW, rules.EVERYONE):
        answer = records.answer(decided(audience=audience))
        assert json.loads(json.dumps(answer)) == answer


def test_gaps_name_their_column_and_obligations_their_kind():
    unknown = records.answer(decided({"site": rules.PUBLIC}, rules.EVERYONE))
    assert (unknown["outcome"], unknown["level"]) == ("undecided", None)
    assert unknown["gaps"] == [["unknown-column", unknown["columns"][1]["key"]]]
    allowed = records.answer(decided(shared=("site", "children")))
    assert (allowed["outcome"], allowed["gaps"]) == ("allow", [])
    assert {"encrypt", "method", "recipient", "purpose"} <= set(allowed["obligations"])


def test_the_order_of_reasons_and_rules_makes_no_other_answer():
    judged = decided({"site": rules.PUBLIC, "children": rules.CONFIDENTIAL})
    columns = tuple(
        replace(each, reasons=tuple(reversed(each.reasons))) for each in judged.classification.columns
    )
    other = replace(
        judged,
        classification=replace(judged.classification, columns=columns),
        rules=tuple(reversed(judged.rules)),
        gaps=tuple(reversed(judged.gaps)),
    )
    assert records.answer(other) == records.answer(judged)


def test_every_part_of_a_decision_that_counts_makes_another_answer():
    judged = decided({"site": rules.PUBLIC, "children": rules.CONFIDENTIAL}, rules.EVERYONE)
    classified = judged.classification
    raised = replace(classified.columns[0], level=Level.SECRET)
    others = [
        replace(judged, waivers=("tst/waiver",)),
        replace(judged, expires=None),
        replace(judged, refused=()),
        replace(judged, rules=judged.rules[1:]),
        replace(judged, classification=replace(classified, columns=(raised, *classified.columns[1:]))),
        replace(judged, classification=replace(classified, grain=Grain.ADMIN2)),
        replace(judged, classification=replace(classified, policy_digest="sha256:01")),
    ]
    answers = [json.dumps(records.answer(each)) for each in (judged, *others)]
    assert len({*answers}) == len(answers)
