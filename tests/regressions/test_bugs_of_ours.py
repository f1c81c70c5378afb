"""Bugs that random policies and broken files found in this engine, each in its smallest form."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from dtm_sharing.model import Grain, GrainEvidence, Level, Outcome, Validity
from support.rules import (
    CONFIDENTIAL,
    DAY,
    PUBLIC,
    YEAR,
    assessment,
    decided,
    levels_of,
    overlay,
    policy,
    tightening,
    waiver,
)


def test_a_waiver_for_the_finer_grain_says_nothing_of_the_declared_one() -> None:
    """Detection raises, never lowers: with the waiver, what looked like households was less sensitive."""
    both = {Grain.SITE: CONFIDENTIAL, Grain.HOUSEHOLD: CONFIDENTIAL}
    rules = policy({"children": both}, waivers=[waiver("indicator:children@household")])
    assert levels_of(decided(rules, "children").classification) == {"children": CONFIDENTIAL}
    seen = (GrainEvidence(Grain.HOUSEHOLD, "rows repeat"),)
    found = decided(rules, "children", evidence=seen).classification
    assert levels_of(found) == {"children": CONFIDENTIAL}
    everything = waiver("indicator:children@household", "indicator:children@site")
    waived = policy({"children": both}, waivers=[everything])
    found = decided(waived, "children", evidence=seen).classification
    assert levels_of(found) == {"children": PUBLIC}


@pytest.mark.parametrize("begins", [1, 5, 40])
def test_a_decision_ends_before_something_stricter_begins(begins: int) -> None:
    """A clearance was good until the end of the year, and an overlay of next week stood in the files."""
    start = DAY + timedelta(days=begins)
    tighter = tightening("site", CONFIDENTIAL)
    later = Validity(start, None)
    for rules in (
        policy(overlays=[overlay(tighter, validity=later)]),
        policy(assessments=[assessment(), assessment(id="tst/new", assessed_on=start, levels=(tighter,))]),
    ):
        decision = decided(rules, "site")
        assert (decision.outcome, decision.expires) == (Outcome.ALLOW, start - timedelta(days=1))
        assert decided(rules, "site", as_of=start).outcome is Outcome.DENY
    elsewhere = policy(overlays=[overlay(tighter, validity=later, countries=("XYZ",))])
    assert decided(elsewhere, "site").expires == YEAR.until


def test_there_is_a_last_day_of_the_calendar() -> None:
    """To say thirty days ahead what ends, thirty days were added to a day with no thirty days after it."""
    for_ever = Validity(YEAR.start, date.max)
    rules = policy(
        waivers=[waiver("indicator:children@site", validity=for_ever)],
        assessment={"review_by": date.max},
        operation={"validity": for_ever},
        agreement={"validity": for_ever},
        request={"validity": for_ever},
    )
    assert decided(rules, "site", "children", as_of=date.max).outcome is Outcome.ALLOW


def test_sums_that_turn_out_to_be_finer_are_not_summed_to_what_they_claim_to_be() -> None:
    """A form said to leave a column out, and would only have passed if the rows were summed up as well."""
    everywhere = dict.fromkeys(Grain, Level.PUBLIC)
    rules = policy(
        {
            "district": everywhere,
            "water": everywhere,
            "children": {**everywhere, Grain.SITE: CONFIDENTIAL},
            "type": everywhere,
        },
        identifies={"district": Grain.ADMIN2},
        additive=["children", "water"],
    )
    seen = (GrainEvidence(Grain.SITE, "rows repeat"),)
    decision = decided(
        rules, "district", "water", "children", "type", evidence=seen, aggregated_to=Grain.ADMIN2
    )
    assert decision.outcome is Outcome.DENY
    assert [(each.aggregate_to, each.keeps) for each in decision.forms] == [
        (None, ("district", "water", "type")),
        (Grain.NATIONAL, ("water", "children")),
    ]
