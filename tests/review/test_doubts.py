"""What is valid in a policy and wants a second look: how far off an end is, and what joins tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from dtm_sharing.model import Grain, RequestState, Validity
from dtm_sharing.review.doubts import MEANINGS, doubts
from dtm_sharing.stores.policies import read_policies
from support import rules
from support.loading import ROOT
from support.rules import DAY, policy

START = date(2026, 1, 1)
FAR = ("far-off-end", "far-off-review", "relation-key-not-identifying")


def found(of, kinds=FAR, as_of=DAY):
    return [each for each in doubts(of, as_of) if each.kind in kinds]


def lasting(days):
    return Validity(START, START + timedelta(days=days))


def reviewed(days):
    return policy(assessment={"assessed_on": START, "review_by": START + timedelta(days=days)})


def waived(days):
    return policy(waivers=[rules.waiver("indicator:children@site", validity=lasting(days))])


def agreed(days):
    return policy(agreement={"validity": lasting(days)})


def asked(days):
    return policy(request={"validity": lasting(days)})


LONGEST = {
    "assessment": (reviewed, 366, "far-off-review", "tst/risks"),
    "waiver": (waived, 366, "far-off-end", "waiver tst/agreed"),
    "agreement": (agreed, 3 * 366, "far-off-end", "agreement tst/partner"),
    "request": (asked, 3 * 366, "far-off-end", "request tst/request"),
}


@pytest.mark.parametrize("paper", LONGEST)
def test_what_lasts_longer_than_it_should_is_doubted(paper):
    make, most, kind, named = LONGEST[paper]
    assert found(make(most)) == []
    [one] = found(make(most + 1))
    assert one.kind == kind
    assert named in one.sentence
    assert str(START + timedelta(days=most + 1)) in one.sentence


@pytest.mark.parametrize("paper", LONGEST)
def test_what_is_over_is_not_doubted_for_having_been_long(paper):
    make, most, _, _ = LONGEST[paper]
    ends = START + timedelta(days=most + 1)
    assert len(found(make(most + 1), as_of=ends)) == 1
    assert found(make(most + 1), as_of=ends + timedelta(days=1)) == []


def test_what_never_ends_is_too_long():
    [one] = found(policy(agreement={"validity": Validity(START, None)}))
    assert "agreement tst/partner never ends" in one.sentence


@pytest.mark.parametrize("state", [each for each in RequestState if each is not RequestState.APPROVED])
def test_a_request_that_nothing_rests_on_is_not_doubted(state):
    assert found(policy(request={"validity": lasting(2000), "state": state})) == []


def test_a_key_of_a_relation_that_tells_no_unit_from_another_is_doubted():
    pair = rules.relation("pair", ["children"], ["phone"], keys=["site", "children"])
    plain = policy(relations=[pair])
    assert [each.sentence.split(",")[0] for each in found(plain)] == [
        "relation pair joins tables by children",
        "relation pair joins tables by site",
    ]
    assert {each.source for each in found(plain)} == {pair.source}
    told = policy(relations=[pair], identifies={"site": Grain.SITE, "children": Grain.HOUSEHOLD})
    assert found(told) == []
    assert found(policy(relations=[replace(pair, keys=())])) == []


def test_every_kind_has_a_meaning():
    assert set(FAR) <= set(MEANINGS)
    assert all(each.endswith(".") for each in MEANINGS.values())


def test_our_own_policies_leave_nothing_of_this_to_doubt():
    ours = read_policies(Path(ROOT) / "policies")
    assert found(ours, MEANINGS, date(2026, 11, 22)) == []
