"""What a partner may have: DESIGN 3, rules 9 to 11, as tables that an expert can read and correct."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from dtm_sharing import gate
from dtm_sharing.model import Method, RequestState, Stage, Urgency, Validity
from support.rules import (
    CONFIDENTIAL,
    LOW,
    MEDIUM,
    PEOPLE,
    PUBLIC,
    SECRET,
    decided,
    gap_kinds,
    pathway,
    policy,
)
from support.tables import Row, name, rows, words

# Table B shares site and children (monthly) and children alone (at once), for one dataset.
# site, type: Public. children, safety: Confidential. phone: Secret.
EXACTLY_WHAT_IS_LISTED = """
| urgency | columns of the table        | outcome   | refused      | leave out    |
|---------|-----------------------------|-----------|--------------|--------------|
| low     | site, children              | allow     | -            | -            |
| low     | children, site              | allow     | -            | -            |
| low     | site, children, type        | deny      | type         | type         |
| low     | site, children, safety      | deny      | safety       | safety       |
| low     | site, phone, children       | deny      | phone        | phone        |
| low     | type, children, site, phone | deny      | type, phone  | type, phone  |
| low     | site                        | undecided | -            | -            |
| low     | children                    | undecided | -            | -            |
| low     | type                        | undecided | type         | -            |
| low     | site, children, mystery     | undecided | mystery      | -            |
| low     | -                           | undecided | -            | -            |
| medium  | children                    | allow     | -            | -            |
| medium  | site, children              | deny      | site         | site         |
| medium  | children, phone             | deny      | phone        | phone        |
"""

# The paper on which a pathway rests, each part valid from 2026-03-01 (the assessment from 2026-02-01).
# It is 2026-06-15. A request without an end was never approved for a time.
PAPER = """
| agreement until | request   | request until | assessed until | focal point until | outcome   | missing                |
|-----------------|-----------|---------------|----------------|-------------------|-----------|------------------------|
| 2026-12-31      | approved  | 2026-12-31    | 2026-12-31     | 2026-12-31        | allow     | -                      |
| 2026-06-15      | approved  | 2026-06-15    | 2026-06-15     | 2026-06-15        | allow     | -                      |
| 2026-06-14      | approved  | 2026-12-31    | 2026-12-31     | 2026-12-31        | undecided | agreement-not-in-force |
| 2026-12-31      | approved  | 2026-06-14    | 2026-12-31     | 2026-12-31        | undecided | request-not-valid      |
| 2026-12-31      | approved  | 2026-12-31    | 2026-06-14     | 2026-12-31        | undecided | lapsed-assessment      |
| 2026-12-31      | approved  | 2026-12-31    | 2026-12-31     | 2026-06-14        | undecided | no-focal-point         |
| 2026-12-31      | requested | -             | 2026-12-31     | 2026-12-31        | undecided | request-not-approved   |
| 2026-12-31      | expired   | 2026-12-31    | 2026-12-31     | 2026-12-31        | undecided | request-not-approved   |
| 2026-12-31      | approved  | -             | 2026-12-31     | 2026-12-31        | undecided | request-not-approved   |
| 2026-12-31      | refused   | -             | 2026-12-31     | 2026-12-31        | deny      | -                      |
| 2026-12-31      | revoked   | 2026-12-31    | 2026-12-31     | 2026-12-31        | deny      | -                      |
| 2026-06-14      | refused   | -             | 2026-06-14     | 2026-06-14        | undecided | lapsed-assessment, agreement-not-in-force, no-focal-point |
"""  # noqa: E501 (a table is read across)

# Who signed for whom, and since when that person is (was) a focal point. The agreement is valid from
# 2026-03-01: whoever took office later cannot have signed it.
SIGNED = """
| for iom | who took office | for partner | and took office | outcome   |
|---------|-----------------|-------------|-----------------|-----------|
| iom     | 2026-01-01      | partner     | 2026-01-01      | allow     |
| iom     | 2026-03-01      | partner     | 2026-03-01      | allow     |
| iom     | 2026-03-02      | partner     | 2026-01-01      | undecided |
| iom     | 2026-01-01      | partner     | 2026-03-02      | undecided |
| -       | -               | partner     | 2026-01-01      | undecided |
| iom     | 2026-01-01      | -           | -               | undecided |
| partner | 2026-01-01      | partner     | 2026-01-01      | undecided |
| iom     | 2026-01-01      | iom         | 2026-01-01      | undecided |
| -       | -               | -           | -               | undecided |
"""

# The request was made on 2026-01-01. It is 2026-06-15.
ASKED = """
| state     | decided on | valid            | outcome   | why refused    |
|-----------|------------|------------------|-----------|----------------|
| requested | -          | -                | undecided | -              |
| approved  | 2026-06-15 | until 2026-06-15 | allow     | -              |
| approved  | 2026-06-16 | until 2026-12-31 | undecided | -              |
| approved  | -          | until 2026-12-31 | undecided | -              |
| approved  | 2026-03-01 | until 2026-06-14 | undecided | -              |
| approved  | 2026-03-01 | -                | undecided | -              |
| refused   | 2026-03-01 | -                | deny      | no plan needs it |
| expired   | 2026-03-01 | until 2026-12-31 | undecided | -              |
| revoked   | 2026-03-01 | until 2026-12-31 | deny      | it was passed on |
"""

# It is 2026-06-15. What ends is told of from 30 days before, while it still holds.
ENDS_SOON = """
| what ends                 | on         | outcome   | told of            |
|---------------------------|------------|-----------|--------------------|
| agreement                 | 2026-07-16 | allow     | -                  |
| agreement                 | 2026-07-15 | allow     | agreement-ends     |
| agreement                 | 2026-06-15 | allow     | agreement-ends     |
| agreement                 | 2026-06-14 | undecided | -                  |
| request                   | 2026-07-16 | allow     | -                  |
| request                   | 2026-07-15 | allow     | request-ends       |
| request                   | 2026-06-14 | undecided | -                  |
| focal point               | 2026-07-15 | allow     | focal-point-leaves |
| focal point               | 2026-06-14 | undecided | -                  |
| assessment                | 2026-07-15 | allow     | assessment-lapses  |
| assessment                | 2026-06-14 | undecided | -                  |
"""

PRACTICE = """
| urgency | stage     | method         | outcome   | missing           |
|---------|-----------|----------------|-----------|-------------------|
| low     | cleaned   | excel-email    | allow     | -                 |
| low     | not known | excel-email    | undecided | stage-unknown     |
| low     | collected | excel-email    | undecided | stage-not-reached |
| low     | cleaned   | portal         | undecided | no-channel        |
| medium  | collected | document-email | allow     | -                 |
| medium  | cleaned   | document-email | allow     | -                 |
| medium  | not known | document-email | allow     | -                 |
| medium  | collected | telephone      | undecided | no-channel        |
"""

# Who gets a message, primary first. The partner has a primary, a secondary and a field officer (a secondary
# too); "to" is Table B's destination.
WHOM = """
| to                   | in office                   | one message each to   |
|----------------------|-----------------------------|-----------------------|
| primary              | primary, secondary, officer | primary               |
| secondary, primary   | primary, secondary, officer | primary, secondary    |
| officer, secondary   | primary, secondary, officer | officer, secondary    |
| primary, secondary   | secondary, officer          | secondary             |
| primary              | secondary, officer          | secondary             |
| primary              | officer                     | officer               |
| officer              | primary                     | -                     |
| primary              | -                           | -                     |
"""

LEVELS = {"site": PUBLIC, "type": PUBLIC, "children": CONFIDENTIAL, "safety": CONFIDENTIAL, "phone": SECRET}
TODAY = date(2026, 6, 15)
START = date(2026, 3, 1)


@pytest.mark.parametrize("row", rows(EXACTLY_WHAT_IS_LISTED), ids=name)
def test_exactly_what_is_listed_leaves(row: Row) -> None:
    paths = [pathway(Urgency.LOW, "site", "children"), pathway(Urgency.MEDIUM, "children")]
    audience = {"low": LOW, "medium": MEDIUM}[row["urgency"]]
    decision = decided(
        policy(LEVELS, pathways=paths), *words(row["columns of the table"]), audience=audience, as_of=TODAY
    )
    assert decision.outcome == row["outcome"]
    assert [each.header.key for each in decision.refused] == words(row["refused"])
    form = decision.releasable_form
    assert list(form.leave_out if form else ()) == words(row["leave out"])


def until(cell: str) -> Validity:
    return Validity(START, date.fromisoformat(cell))


@pytest.mark.parametrize("row", rows(PAPER), ids=name)
def test_no_paper_no_extract(row: Row) -> None:
    in_office = until(row["focal point until"])
    people = [replace(each, in_office=in_office) if "partner" in each.id else each for each in PEOPLE]
    rules = policy(
        LEVELS,
        people=people,
        agreement={"validity": until(row["agreement until"])},
        request={
            "state": RequestState(row["request"]),
            "validity": until(row["request until"]) if row["request until"] else None,
        },
        assessment={
            "assessed_on": date(2026, 2, 1),
            "review_by": date.fromisoformat(row["assessed until"]),
        },
    )
    decision = decided(rules, "site", "children", audience=LOW, as_of=TODAY)
    assert (decision.outcome, gap_kinds(decision)) == (row["outcome"], words(row["missing"]))


@pytest.mark.parametrize("row", rows(SIGNED), ids=name)
def test_both_sides_sign(row: Row) -> None:
    """An agreement binds nobody before a focal point of each side has signed it."""
    sides = (("iom", "for iom", "who took office"), ("partner", "for partner", "and took office"))
    signed = {side: f"tst/{row[who]}-2" for side, who, _ in sides if row[who]}
    since = {f"tst/{row[who]}-2": date.fromisoformat(row[day]) for _, who, day in sides if row[who]}
    people = [
        replace(each, in_office=Validity(since.get(each.id, each.in_office.start), None)) for each in PEOPLE
    ]
    rules = policy(LEVELS, people=people, agreement={"signed": signed, "validity": Validity(START, None)})
    decision = decided(rules, "site", "children", audience=LOW, as_of=TODAY)
    assert decision.outcome == row["outcome"]
    assert set(gap_kinds(decision)) == ({"agreement-not-signed"} if decision.gaps else set())


@pytest.mark.parametrize("row", rows(ASKED), ids=name)
def test_somebody_approved_the_request(row: Row) -> None:
    """Only what somebody approved, by that day and for that day, is sent; a refusal says why."""
    rules = policy(
        LEVELS,
        request={
            "state": RequestState(row["state"]),
            "decided_on": date.fromisoformat(row["decided on"]) if row["decided on"] else None,
            "validity": until(row["valid"].removeprefix("until ")) if row["valid"] else None,
            "reason": row["why refused"],
        },
    )
    decision = decided(rules, "site", "children", audience=LOW, as_of=TODAY)
    assert decision.outcome == row["outcome"]
    assert len(decision.refused) == (2 if row["why refused"] else 0)
    assert all(row["why refused"] in each.why for each in decision.refused)


@pytest.mark.parametrize("row", rows(ENDS_SOON), ids=name)
def test_nobody_is_surprised_by_an_end(row: Row) -> None:
    """Thirty days before an agreement, an approval, an office or an assessment ends, the decision says so."""
    last, what = until(row["on"]), row["what ends"]
    changed = {
        "agreement": {"agreement": {"validity": last}},
        "request": {"request": {"validity": last}},
        "assessment": {"assessment": {"review_by": last.until}},
    }.get(what, {})
    people = [each for each in PEOPLE if each.id != "tst/partner-2"]  # nobody to stand in
    if what == "focal point":
        people = [replace(each, in_office=last) if each.id == "tst/partner-1" else each for each in people]
    agreement_from_march = {"agreement": {"validity": Validity(START, None)}}
    rules = policy(LEVELS, people=people, **{**agreement_from_march, **changed})
    decision = decided(rules, "site", "children", audience=LOW, as_of=TODAY)
    assert decision.outcome == row["outcome"]
    assert [each.kind for each in decision.notices] == words(row["told of"])


def test_before_any_of_it_is_valid_nothing_leaves() -> None:
    rules = policy(LEVELS, agreement={"validity": Validity(START, None)})
    early = START - timedelta(days=1)
    assert decided(rules, "site", "children", audience=LOW, as_of=early).outcome == "undecided"
    assert decided(rules, "site", "children", audience=LOW, as_of=START).outcome == "allow"


@pytest.mark.parametrize("row", rows(PRACTICE), ids=name)
def test_the_right_stage_by_a_method_that_exists(row: Row) -> None:
    urgency = Urgency(row["urgency"])
    path = pathway(urgency, "site", "children", method=Method(row["method"]))
    stage = None if row["stage"] == "not known" else Stage(row["stage"])
    audience = LOW if urgency is Urgency.LOW else MEDIUM
    decision = decided(policy(LEVELS, pathways=[path]), "site", "children", audience=audience, stage=stage)
    assert (decision.outcome, gap_kinds(decision)) == (row["outcome"], words(row["missing"]))


@pytest.mark.parametrize("row", rows(WHOM), ids=name)
def test_to_focal_points_in_office(row: Row) -> None:
    ids = {"primary": "tst/partner-1", "secondary": "tst/partner-2", "officer": "tst/partner-3"}
    over = Validity(START, TODAY - timedelta(days=1))
    officer = replace(PEOPLE[-1], id=ids["officer"])
    there = {ids[word] for word in words(row["in office"])}
    people = [
        replace(each, in_office=over) if "partner" in each.id and each.id not in there else each
        for each in (*PEOPLE, officer)
    ]
    path = pathway(Urgency.LOW, "site", destination=tuple(ids[word] for word in words(row["to"])))
    found = gate.recipients(policy(LEVELS, people=people), path, TODAY)
    assert [each.id for each in found] == [ids[word] for word in words(row["one message each to"])]
