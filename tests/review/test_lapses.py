"""What is due: what ends, who has to act, and what is not missed because something follows it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from dtm_sharing.model import Grain, RequestState, Role, Validity
from dtm_sharing.review.lapses import lapses
from support import rules
from support.rules import CONFIDENTIAL, PUBLIC, SECRET, focal_point, policy, tightening

DAY = date(2026, 6, 15)
ADMIN2 = Grain.ADMIN2
LATER = Validity(date(2026, 1, 1), date(2030, 12, 31))
PEOPLE = tuple(replace(each, in_office=LATER) for each in rules.PEOPLE)
LASTING = {
    "people": PEOPLE,
    "operation": {"validity": LATER},
    "assessment": {"review_by": LATER.until},
    "request": {"validity": LATER},
    "agreement": {"validity": LATER},
}


def until(end, start=date(2026, 1, 1)):
    return Validity(start, end)


def lasting(**changes):
    """A policy in which nothing ends before 2030, but for what is changed."""
    return policy({"site": PUBLIC, "children": PUBLIC}, **{**LASTING, **changes})


def due(rules_, within=30, day=DAY, passwords=(), **options):
    return lapses(rules_, day, within, passwords, **options)


def kinds(rules_, **options):
    return [(each.kind, each.id, each.on) for each in due(rules_, **options)]


def test_where_nothing_ends_nothing_is_due():
    assert due(lasting()) == ()


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"assessment": {"review_by": date(2026, 7, 15)}}, ("assessment", "tst/risks")),
        ({"operation": {"validity": until(date(2026, 7, 15))}}, ("operation", "tst/flood")),
        ({"request": {"validity": until(date(2026, 7, 15))}}, ("request", "tst/request")),
        ({"agreement": {"validity": until(date(2026, 7, 15))}}, ("agreement", "tst/partner")),
        (
            {"waivers": [rules.waiver("relation:x", validity=until(date(2026, 7, 15)))]},
            ("waiver", "tst/agreed"),
        ),
        (
            {"overlays": [rules.overlay(tightening("site", SECRET), validity=until(date(2026, 7, 15)))]},
            ("overlay", "tst/tense"),
        ),
    ],
    ids=lambda each: each[0] if isinstance(each, tuple) else "",
)
def test_each_kind_is_due_from_the_first_day_on_which_it_is_within_sight(change, kind):
    ends = date(2026, 7, 15)
    assert kinds(lasting(**change)) == [(*kind, ends)]
    assert kinds(lasting(**change), within=29) == []
    assert kinds(lasting(**change), within=0, day=ends) == [(*kind, ends)]  # the last day itself
    [found] = due(lasting(**change), day=ends)
    assert not found.has_lapsed(ends)
    assert found.has_lapsed(date(2026, 7, 16))
    assert found.source is not None
    assert str(ends) in found.sentence


@pytest.mark.parametrize("days", [1, 400])
def test_what_blocks_is_missed_for_as_long_as_nothing_follows(days):
    rules_ = lasting(
        assessment={"review_by": DAY - timedelta(days)}, agreement={"validity": until(DAY - timedelta(days))}
    )
    assert [each.kind for each in due(rules_)] == ["agreement", "assessment"]
    assert all(each.has_lapsed(DAY) for each in due(rules_))


def test_waivers_and_overlays_that_ended_are_told_for_a_while_only():
    waiver = rules.waiver("relation:x", validity=until(date(2026, 5, 20)))
    overlay = rules.overlay(tightening("site", SECRET), validity=until(date(2026, 5, 20)))
    rules_ = lasting(waivers=[waiver], overlays=[overlay])
    assert [each.kind for each in due(rules_)] == ["overlay", "waiver"]
    assert due(rules_, within=20) == ()


def test_they_are_sorted_by_date():
    rules_ = lasting(
        assessment={"review_by": date(2026, 7, 1)},
        agreement={"validity": until(date(2026, 6, 20))},
        request={"validity": until(date(2026, 6, 19))},
    )
    assert [each.on for each in due(rules_)] == [date(2026, 6, 19), date(2026, 6, 20), date(2026, 7, 1)]


# ------------------------------------------------------------------------------------------------ successors


def test_an_assessment_that_was_repeated_is_not_missed():
    old = rules.assessment(review_by=date(2026, 6, 30))
    new = rules.assessment(id="tst/again", assessed_on=date(2026, 6, 10), review_by=LATER.until)
    assert kinds(lasting(assessments=[old, new])) == []
    too_late = replace(new, assessed_on=date(2026, 7, 2))  # a day on which nothing is decided
    assert kinds(lasting(assessments=[old, too_late])) != []
    assert kinds(lasting(assessments=[old, replace(new, datasets=("tst/other",))])) != []


def test_what_lapsed_long_before_it_was_repeated_is_missed_no_more():
    old = rules.assessment(review_by=date(2026, 3, 31))
    new = rules.assessment(id="tst/again", assessed_on=date(2026, 6, 10), review_by=LATER.until)
    assert kinds(lasting(assessments=[old, new])) == []


def test_of_several_that_lapsed_the_last_one_is_missed():
    old = rules.assessment(review_by=date(2026, 3, 31))
    newer = rules.assessment(id="tst/again", assessed_on=date(2026, 2, 1), review_by=date(2026, 5, 31))
    assert kinds(lasting(assessments=[old, newer])) == [("assessment", "tst/again", date(2026, 5, 31))]


def test_an_older_assessment_with_a_later_review_takes_the_place_of_none():
    """Nothing is decided once the last one made has lapsed: so it is due, whatever was made before."""
    older = rules.assessment(id="tst/first", review_by=LATER.until)
    last = rules.assessment(assessed_on=date(2026, 2, 1), review_by=date(2026, 6, 30))
    assert kinds(lasting(assessments=[older, last])) == [("assessment", last.id, last.review_by)]


def repeated(*kept, old=(), **changes):
    """An assessment that ends on the last of June, and a later one; with stricter levels of their own."""
    return lasting(
        assessments=[
            rules.assessment(review_by=date(2026, 6, 30), levels=old),
            rules.assessment(
                id="tst/again", assessed_on=date(2026, 6, 10), review_by=LATER.until, levels=kept
            ),
        ],
        **changes,
    )


def test_what_only_the_earlier_assessment_made_stricter_is_missed():
    old = (
        tightening("site", SECRET),
        tightening("children", CONFIDENTIAL),
        tightening("site", SECRET, ADMIN2),
    )
    [found] = due(repeated(tightening("children", CONFIDENTIAL), tightening("site", CONFIDENTIAL), old=old))
    assert (found.kind, found.id, found.on) == ("level", "tst/risks", date(2026, 6, 30))
    # By admin2 it has no level of its own: then it is undecided, which is not looser.
    assert "with it goes what no later one makes as strict: site at site Secret. Write" in found.sentence
    assert found.who == ("primary of iom", "sectoral-expert of iom")
    assert due(repeated(*old, old=old)) == ()


def test_what_something_else_makes_as_strict_does_not_go_with_the_assessment():
    old = (tightening("site", CONFIDENTIAL),)
    overlay = rules.overlay(tightening("site", SECRET), validity=LATER)
    assert kinds(repeated(old=old)) == [("level", "tst/risks", date(2026, 6, 30))]
    assert kinds(repeated(old=old, overlays=[overlay])) == []
    assert kinds(repeated(old=old, overlays=[replace(overlay, contexts=("conflict",))])) != []
    ended = replace(overlay, validity=until(date(2026, 6, 30)))  # both go on one day
    assert [each.kind for each in due(repeated(old=old, overlays=[ended]))] == ["level", "overlay"]
    made = {**LASTING, "assessments": repeated(old=old).assessments.values()}
    del made["assessment"]
    stricter_already = policy({"site": SECRET, "children": PUBLIC}, **made)
    assert kinds(stricter_already) == []
    unheld = repeated(old=old)
    [table] = unheld.datasets.values()
    others = tuple(each for each in table.columns if each.indicator != "site")
    assert kinds(replace(unheld, datasets={table.id: replace(table, columns=others)})) == []
    third = rules.assessment(id="tst/third", review_by=LATER.until, levels=old)
    both = repeated(old=old)
    assert kinds(replace(both, assessments={**both.assessments, third.id: third})) == []


def test_stricter_levels_are_missed_from_the_day_when_their_end_is_in_sight_for_a_while():
    rules_ = repeated(old=(tightening("site", SECRET),))
    ends = date(2026, 6, 30)
    for day, told in {
        ends - timedelta(31): False,
        ends - timedelta(20): True,
        ends: True,
        ends + timedelta(30): True,
        ends + timedelta(31): False,
    }.items():
        assert ("level" in [each.kind for each in due(rules_, day=day)]) is told, day


def test_where_nothing_is_decided_afterwards_no_level_is_missed_beside_the_assessment():
    lapsed = lasting(
        assessment={"review_by": date(2026, 6, 30), "levels": (tightening("site", SECRET),)},
    )
    assert [each.kind for each in due(lapsed)] == ["assessment"]


def test_an_agreement_that_was_signed_again_is_not_missed():
    rules_ = lasting(agreement={"validity": until(date(2026, 6, 30))})
    [old] = rules_.agreements.values()
    new = replace(old, id="tst/again", validity=Validity(date(2026, 7, 1), LATER.until))
    assert kinds(replace(rules_, agreements={old.id: old, new.id: new})) == []
    gap = replace(new, validity=Validity(date(2026, 7, 2), LATER.until))
    assert kinds(replace(rules_, agreements={old.id: old, gap.id: gap})) != []
    other = replace(new, organization="another")
    assert kinds(replace(rules_, agreements={old.id: old, other.id: other})) != []
    less = replace(new, pathways=())
    assert kinds(replace(rules_, agreements={old.id: old, less.id: less})) != []
    ended = replace(old, id="tst/first", validity=until(date(2026, 2, 28)))
    assert [each.id for each in due(replace(rules_, agreements={old.id: old, ended.id: ended}))] == [old.id]


def test_a_request_ends_unmissed_with_the_agreement_that_rests_on_it():
    both = {
        "request": {"validity": until(date(2026, 6, 30))},
        "agreement": {"validity": until(date(2026, 6, 30))},
    }
    assert [each.kind for each in due(lasting(**both))] == ["agreement"]
    revoked = {"state": RequestState.REVOKED, "validity": until(date(2026, 6, 30))}
    ended = {"validity": until(date(2026, 6, 14))}
    assert [each.kind for each in due(lasting(request=revoked, agreement=ended))] == ["agreement"]


@pytest.mark.parametrize("state", [each for each in RequestState if each is not RequestState.APPROVED])
def test_an_agreement_in_force_on_a_request_that_is_not_approved_is_told(state):
    [found] = due(lasting(request={"state": state, "decided_on": date(2026, 5, 4)}))
    assert (found.kind, found.id, found.on) == ("request", "tst/request", date(2026, 5, 3))
    assert found.sentence.startswith(
        f"The data access request is {state}, not approved, so tst/partner sends nothing: "
    )
    assert found.has_lapsed(DAY)
    assert found.who == ("primary of iom", "primary of partner")
    # An agreement that is not in force sends nothing anyway.
    for span in (until(date(2027, 1, 1), date(2026, 8, 1)), until(date(2026, 6, 14))):
        made = due(lasting(request={"state": state}, agreement={"validity": span}))
        assert "request" not in [each.kind for each in made]


@pytest.mark.parametrize(
    ("dates", "first"),
    [
        ({"decided_on": date(2026, 6, 16)}, "2026-06-16"),
        ({"validity": until(date(2026, 12, 31), date(2026, 7, 1))}, "2026-07-01"),
        ({"decided_on": None}, "9999-12-31"),
        ({"validity": None}, "9999-12-31"),
    ],
)
def test_so_is_one_on_a_request_that_is_approved_only_later(dates, first):
    [found] = due(lasting(request=dates))
    assert f"is not approved before {first}, so tst/partner sends nothing" in found.sentence
    assert found.on == date(2025, 12, 31)
    assert due(lasting(request={"decided_on": DAY})) == ()


def test_an_approval_that_has_ended_is_told_once():
    assert kinds(lasting(request={"validity": until(date(2026, 6, 1))})) == [
        ("request", "tst/request", date(2026, 6, 1))
    ]
    expired = {"state": RequestState.EXPIRED, "validity": until(date(2026, 6, 1))}
    assert kinds(lasting(request=expired)) == [("request", "tst/request", date(2026, 6, 1))]


def test_an_operation_without_datasets_may_end():
    rules_ = lasting(operation={"validity": until(date(2026, 6, 30))})
    assert [each.kind for each in due(rules_)] == ["operation"]
    assert due(replace(rules_, datasets={}, agreements={})) == ()


def leaving(*others, end=date(2026, 6, 30)):
    stay = [each for each in PEOPLE if each.id != "tst/partner-1"]
    return lasting(people=[*stay, focal_point("tst/partner-1", Role.PRIMARY, until(end)), *others])


def test_a_focal_point_who_leaves_without_a_successor_is_due_by_title_and_not_by_name():
    [found] = due(leaving())
    assert (found.kind, found.id, found.on) == ("focal-point", "tst/partner-1", date(2026, 6, 30))
    assert found.who == ("primary of iom", "secondary of partner")


@pytest.mark.parametrize(
    ("id_", "role", "start", "missed"),
    [
        ("tst/partner-3", Role.PRIMARY, date(2026, 7, 1), False),
        ("tst/partner-3", Role.PRIMARY, date(2026, 7, 2), True),  # nobody for a day
        ("tst/partner-3", Role.SECONDARY, date(2026, 7, 1), True),
        ("xyz/partner-3", Role.PRIMARY, date(2026, 7, 1), True),  # another country
    ],
)
def test_a_successor_has_the_same_role_from_the_next_day(id_, role, start, missed):
    successor = replace(focal_point("tst/partner-3", role, Validity(start, LATER.until)), id=id_)
    assert bool(due(leaving(successor))) is missed


def test_of_several_who_left_one_is_missed():
    gone = focal_point("tst/partner-0", Role.PRIMARY, until(date(2026, 2, 1)))
    assert [each.id for each in due(leaving(gone))] == ["tst/partner-1"]


# ----------------------------------------------------------------------------------------------- whom to tell


def test_who_signed_and_is_gone_is_replaced_by_whoever_has_the_role_now():
    stay = [each for each in PEOPLE if each.id != "tst/iom-1"]
    new = replace(
        focal_point("tst/iom-9", Role.PRIMARY, Validity(date(2026, 6, 1), LATER.until)), title="New one"
    )
    old = focal_point("tst/iom-1", Role.PRIMARY, until(date(2026, 5, 31)))
    rules_ = lasting(people=[*stay, old, new], assessment={"review_by": date(2026, 6, 30)})
    [found] = due(rules_)
    assert found.who == ("New one", "sectoral-expert of iom")


def test_the_coordinator_of_another_country_is_not_told():
    abroad = replace(PEOPLE[0], id="xyz/iom-1", title="Coordinator of Xyz")
    rules_ = lasting(people=[*PEOPLE, abroad], agreement={"validity": until(date(2026, 6, 30))})
    assert due(rules_)[0].who == ("primary of iom", "primary of partner")


def test_where_nobody_is_in_office_the_organization_is_told():
    people = [each for each in PEOPLE if each.id not in {"tst/partner-1", "tst/partner-2"}]
    gone = focal_point("tst/partner-1", Role.PRIMARY, until(date(2026, 5, 1)))
    rules_ = lasting(people=[*people, gone], agreement={"validity": until(date(2026, 6, 30))})
    agreement = next(each for each in due(rules_) if each.kind == "agreement")
    assert agreement.who == ("primary of iom", "partner (nobody is in office)")


# ------------------------------------------------------------------------------------------------- passwords


@dataclass(frozen=True)
class Made:
    focal_point: str
    channel: str
    created_at: datetime


def test_a_password_of_the_last_days_of_the_calendar_is_due_on_the_last_one():
    made = Made("tst/partner-1", "excel-email", datetime(9999, 12, 30, tzinfo=UTC))
    [found] = [each for each in due(lasting(), day=date.max, passwords=[made]) if each.kind == "password"]
    assert found.on == date.max


def test_a_password_is_due_by_its_age():
    made = Made("tst/partner-1", "excel-email", datetime(2026, 1, 10, tzinfo=UTC))
    [found] = due(lasting(), passwords=[made])
    assert (found.kind, found.on) == ("password", date(2026, 7, 9))
    assert (found.who, found.source) == (("primary of iom",), None)
    assert due(lasting(), passwords=[made], rotate_after=365) == ()
    assert due(lasting(), passwords=[made], rotate_after=30)[0].has_lapsed(DAY)
