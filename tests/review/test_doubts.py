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
from support.rules import CONFIDENTIAL, DAY, PUBLIC, SECRET, policy

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
def test_how_long_a_request_that_is_not_approved_was_to_last_is_not_doubted(state):
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


# -------------------------------------------------------------------------------- levels, upside down


def upside_down(**changes):
    return found(policy(**changes), {"coarser-is-stricter"})


def test_an_indicator_that_is_stricter_by_a_coarser_grain_is_doubted():
    levels = {Grain.NATIONAL: PUBLIC, Grain.ADMIN2: SECRET, Grain.ADMIN3: CONFIDENTIAL, Grain.SITE: PUBLIC}
    other, one = upside_down(levels={"site": PUBLIC, "children": levels})
    assert (str(one.source), str(other.source)) == ("children.yaml:7", "children.yaml:7")
    assert (
        "children is Secret at grain admin2 and only Confidential at admin3, Public at site:" in one.sentence
    )
    assert "children is Confidential at grain admin3 and only Public at site:" in other.sentence


def test_levels_that_are_as_strict_or_stricter_by_a_finer_grain_are_not():
    levels = {Grain.ADMIN2: PUBLIC, Grain.SITE: CONFIDENTIAL, Grain.HOUSEHOLD: CONFIDENTIAL}
    assert upside_down(levels={"site": PUBLIC, "children": levels}) == []


def test_an_indicator_that_no_dataset_has_is_not_doubted():
    levels = {"site": PUBLIC, "children": {Grain.ADMIN2: SECRET, Grain.SITE: PUBLIC}}
    tighter = rules.overlay(rules.tightening("children", SECRET))
    only = {"columns": [rules.column("site")], "shared": ("site",)}
    assert upside_down(levels=levels, overlays=[tighter], **only) == []


BY_TWO = {each: {Grain.ADMIN2: PUBLIC, Grain.SITE: PUBLIC} for each in ("site", "children")}
COARSE = rules.tightening("children", CONFIDENTIAL, Grain.ADMIN2)
FINE = rules.tightening("children", CONFIDENTIAL)


@pytest.mark.parametrize("paper", ["overlay", "assessment"])
def test_a_tightening_of_a_coarser_grain_alone_is_doubted(paper):
    def made(*tightens):
        if paper == "overlay":
            return {"overlays": [rules.overlay(*tightens)]}
        return {"assessment": {"levels": tightens}}

    [one] = upside_down(levels=BY_TWO, **made(COARSE))
    assert one.source == COARSE.source
    assert "children is Confidential at grain admin2 and only Public at site:" in one.sentence
    assert upside_down(levels=BY_TWO, **made(COARSE, FINE)) == []
    assert upside_down(levels=BY_TWO, **made(FINE)) == []
    # By admin3 it has no level of its own, so it is undecided; and what adds nothing takes nothing away.
    assert upside_down(levels=BY_TWO, **made(replace(COARSE, grain=Grain.ADMIN3))) == []
    assert upside_down(levels=BY_TWO, **made(replace(COARSE, level=PUBLIC))) == []


def test_what_an_overlay_builds_on_counts_and_what_is_over_does_not():
    base = rules.overlay(FINE, id="tst/base")
    above = rules.overlay(COARSE, builds_on=("tst/base",))
    assert upside_down(levels=BY_TWO, overlays=[base, above]) == []
    assert len(upside_down(levels=BY_TWO, overlays=[base, replace(above, builds_on=())])) == 1
    over = replace(above, builds_on=(), validity=Validity(START, DAY - timedelta(days=1)))
    assert upside_down(levels=BY_TWO, overlays=[over]) == []
    made = {"levels": (COARSE,), "review_by": DAY - timedelta(days=1)}
    assert upside_down(levels=BY_TWO, assessment=made) == []


# --------------------------------------------------------------------------------------- says nothing

SAID = "Sites could be recognised"
WEIGHED = {"impact": {"vulnerable_groups": SAID}, "risk_of_sharing": SAID, "risk_of_not_sharing": SAID}


@pytest.mark.parametrize("text", ["-", "n/a", "", "None yet", "- - - -", "1 2 3 4", "..."])
@pytest.mark.parametrize(
    ("field", "named"),
    [
        ("impact", "impact on vulnerable groups"),
        ("risk_of_sharing", "risk of sharing"),
        ("risk_of_not_sharing", "risk of not sharing"),
    ],
)
def test_a_text_of_an_assessment_that_says_nothing_is_doubted(field, named, text):
    changed = {"vulnerable_groups": text} if field == "impact" else text
    [one] = found(policy(assessment={**WEIGHED, field: changed}), {"says-nothing"})
    assert f"tst/risks says nothing of the {named}: weigh it" in one.sentence


def test_three_words_in_any_script_say_something():
    made = {**WEIGHED, "risk_of_sharing": "Ménages trop visibles", "risk_of_not_sharing": "لا تصل المساعدة"}
    assert found(policy(assessment=made), {"says-nothing"}) == []


def test_what_is_said_of_a_risk_that_was_assessed_anew_is_history():
    lapsed = {"risk_of_sharing": "-", "review_by": DAY - timedelta(days=1)}
    assert found(policy(assessment=lapsed), {"says-nothing"}) == []


# ------------------------------------------------------------------------------------ a request, not approved


def test_an_agreement_on_a_request_that_is_not_approved_is_doubted_by_both_names():
    [one] = found(policy(request={"state": RequestState.REVOKED}), {"request-lapsed"})
    assert one.sentence.startswith(
        "tst/request: The data access request is revoked, not approved, so tst/par"
    )
    assert found(policy(), {"request-lapsed"}) == []


def test_every_kind_has_a_meaning():
    assert set(FAR) <= set(MEANINGS)
    assert all(each.endswith(".") for each in MEANINGS.values())


def test_our_own_policies_leave_nothing_of_this_to_doubt():
    ours = read_policies(Path(ROOT) / "policies")
    assert found(ours, MEANINGS, date(2026, 11, 22)) == []
