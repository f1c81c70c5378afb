"""What a change of the policy lets out, and what it stops: for whom, from when, by which rule."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date

import pytest

from dtm_sharing import classify, gate
from dtm_sharing.model import Grain, Outcome, Stage, TableProfile, Urgency, Validity
from dtm_sharing.review.cases import Kind
from dtm_sharing.review.differences import Change, differences
from support import rules
from support.rules import CONFIDENTIAL, DAY, PUBLIC, SECRET, policy, relation, tightening

# Every grain has a level, so that only what a test changes is undecided.
ALL = dict.fromkeys(Grain, PUBLIC)
PROTECTED = {**ALL, **dict.fromkeys((Grain.SITE, Grain.HOUSEHOLD, Grain.INDIVIDUAL), CONFIDENTIAL)}
HIDDEN = dict.fromkeys(Grain, SECRET)
LEVELS = {"site": ALL, "district": ALL, "children": PROTECTED, "safety": ALL, "armed": ALL, "phone": HIDDEN}
PAIR = relation("pair", ["safety"], ["armed"], grains=(Grain.SITE, Grain.ADMIN2))


def rules_of(levels=LEVELS, **changes):
    return policy(levels, **{"relations": [PAIR], **changes})


def found(old, new, change=Change.ALLOWED, as_of=DAY):
    return [each for each in differences(old, new, as_of) if each.change is change]


def alone(these):
    """Columns that change alone: header text and audience."""
    return {
        (each.case.texts[0], str(each.recipient.audience)) for each in these if each.case.kind is Kind.COLUMN
    }


# ----------------------------------------------------------------------------------------- nothing, something


def test_a_policy_does_not_differ_from_itself():
    assert differences(rules_of(), rules_of(), DAY) == ()


def test_lines_that_moved_and_sentences_that_were_rewritten_are_no_difference():
    old = rules_of()
    moved = {
        id_: replace(each, source=replace(each.source, line=99), basis="said otherwise")
        for id_, each in old.indicators.items()
    }
    assert differences(old, replace(old, indicators=moved, digest="sha256:11"), DAY) == ()


def test_a_lower_level_lets_a_column_out_to_the_public_and_names_the_rule_in_both_files():
    new = rules_of({**LEVELS, "children": ALL})
    these = found(rules_of(), new)
    assert alone(these) == {("children", "public")}
    first = next(each for each in these if each.case.kind is Kind.COLUMN)
    assert (first.since, first.until) == (DAY, date(2026, 12, 31))  # all of it ends with the year
    assert first.grains == (
        Grain.SITE,
        Grain.HOUSEHOLD,
        Grain.INDIVIDUAL,
        Grain.INCIDENT,
    )  # the last by the way
    assert "indicator:children@site (old children.yaml:7, new children.yaml:7)" in map(str, first.causes)
    assert first.unjustified
    assert (first.before.outcome, first.after.outcome) == (Outcome.DENY, Outcome.ALLOW)
    assert "children.yaml:7" in first.before.why
    assert not found(rules_of(), new, Change.REFUSED)


def test_the_way_back_is_refused_and_needs_no_waiver():
    these = found(rules_of({**LEVELS, "children": ALL}), rules_of(), Change.REFUSED)
    assert alone(these) == {("children", "public")}
    assert not any(each.unjustified for each in these)


def test_a_level_is_compared_at_grains_that_a_table_may_be_summed_up_to_or_turn_out_to_have():
    strict = {**LEVELS, "district": {**ALL, Grain.ADMIN1: CONFIDENTIAL}}
    [one] = [each for each in found(rules_of(strict), rules_of()) if each.case.kind is Kind.COLUMN]
    assert (one.case.texts, one.grains) == (("district",), (Grain.ADMIN1,))


def test_what_becomes_undecided_does_not_leave_any_more():
    fewer = {**LEVELS, "district": {grain: level for grain, level in ALL.items() if grain is not Grain.SITE}}
    these = found(rules_of(), rules_of(fewer), Change.REFUSED)
    assert ("district", "public") in alone(these)
    assert {each.after.outcome for each in these} == {Outcome.UNDECIDED}


# -------------------------------------------------------------------------------------------------- from when


def test_a_loosening_that_begins_next_month_is_shown_with_its_date():
    until = rules.overlay(
        tightening("district", CONFIDENTIAL), validity=Validity(rules.YEAR.start, date(2026, 8, 31))
    )
    always = replace(until, validity=rules.YEAR)
    these = found(rules_of(overlays=[always]), rules_of(overlays=[until]))
    [one] = [each for each in these if each.case.kind is Kind.COLUMN]
    assert (one.since, one.until) == (date(2026, 9, 1), date(2026, 12, 31))
    assert any(cause.rule == "overlay:tst/tense/district@site" for cause in one.causes)


def test_what_was_otherwise_in_the_past_is_no_difference():
    begun = rules.overlay(
        tightening("district", CONFIDENTIAL), validity=Validity(date(2026, 1, 1), date(2026, 3, 31))
    )
    assert differences(rules_of(overlays=[begun]), rules_of(), DAY) == ()
    assert differences(rules_of(overlays=[begun]), rules_of(), date(2026, 3, 31))


def test_an_assessment_that_is_prolonged_lets_out_what_would_have_lapsed():
    long = rules_of(operation={"validity": Validity(rules.YEAR.start, None)})
    assessed = rules_of(
        operation={"validity": Validity(rules.YEAR.start, None)}, assessment={"review_by": date(2027, 6, 30)}
    )
    these = found(long, assessed)
    assert {(each.since, each.until) for each in these} == {(date(2027, 1, 1), date(2027, 6, 30))}
    assert ("district", "public") in alone(these)


# ---------------------------------------------------------------------------------------------------- waivers


def test_a_waiver_of_the_new_policy_justifies_what_it_alone_lets_out():
    waiver = rules.waiver("indicator:children@site")
    these = found(rules_of(), rules_of(waivers=[waiver]))
    [one] = [each for each in these if each.case.kind is Kind.COLUMN]
    assert (one.since, one.until) == (DAY, date(2026, 7, 31))  # as long as the waiver
    assert one.waivers == ("tst/agreed",)
    assert not any(each.unjustified for each in these)
    assert any(cause.rule == "waiver:tst/agreed" for cause in one.causes)


def test_a_waiver_does_not_justify_a_rule_that_was_dropped_beside_it():
    tense = rules.overlay(tightening("children", CONFIDENTIAL))
    waiver = rules.waiver("indicator:children@site")
    these = found(rules_of(overlays=[tense]), rules_of(waivers=[waiver]))
    assert alone(these) == {("children", "public")}
    assert all(each.unjustified for each in these)


def test_a_waiver_that_was_there_before_justifies_nothing_new():
    waiver = rules.waiver("indicator:children@site")
    tense = rules.overlay(tightening("children", CONFIDENTIAL))
    these = found(rules_of(overlays=[tense], waivers=[waiver]), rules_of(waivers=[waiver]))
    assert these
    assert all(each.unjustified for each in these)


# -------------------------------------------------------------------------------------------------- relations


def test_a_relation_that_is_dropped_lets_out_the_columns_together_and_one_beside_the_other():
    these = found(rules_of(), rules_of(relations=[]))
    assert alone(these) == set()
    together = [each for each in these if each.case.kind is Kind.TOGETHER]
    assert {(each.case.texts, str(each.recipient.audience)) for each in together} == {
        (("safety", "armed"), "public")
    }
    assert set(together[0].grains) == {
        Grain.SITE,
        Grain.ADMIN2,
        Grain.ADMIN3,
        Grain.HOUSEHOLD,
        Grain.INDIVIDUAL,
        Grain.INCIDENT,
    }
    beside = {(each.case.texts, each.case.held) for each in these if each.case.kind is Kind.BESIDE}
    assert beside == {
        (("safety",), ((rules.DATASET, ("armed",)),)),
        (("armed",), ((rules.DATASET, ("safety",)),)),
    }
    assert {cause.rule for cause in together[0].causes} == {"relation:pair"}


def test_an_indicator_that_leaves_a_group_lets_out_its_own_pairs_only():
    wide = relation("pair", ["safety", "district"], ["armed"])
    these = found(rules_of(relations=[wide]), rules_of(relations=[relation("pair", ["safety"], ["armed"])]))
    assert {each.case.texts for each in these if each.case.kind is Kind.TOGETHER} == {("district", "armed")}


def test_of_a_wide_relation_every_indicator_is_tried():
    many = {f"i{number}": ALL for number in range(40)}
    groups = ([f"i{n}" for n in range(20)], [f"i{n}" for n in range(20, 40)])
    narrower = (groups[0], groups[1][:-1])
    old = policy(many, shared=("i0",), relations=[relation("wide", *groups)])
    new = policy(many, shared=("i0",), relations=[relation("wide", *narrower)])
    these = found(old, new)
    assert {each.case.texts for each in these if each.case.kind is Kind.TOGETHER} == {("i0", "i39")}


def test_a_key_that_joins_no_more_lets_out_what_is_beside_it():
    by_site = relation("pair", ["safety"], ["armed"], keys=["site", "district"])
    by_district = relation("pair", ["safety"], ["armed"], keys=["district"])
    these = found(rules_of(relations=[by_site]), rules_of(relations=[by_district]))
    assert {(each.case.kind, each.case.texts, each.case.keys) for each in these} == {
        (Kind.BESIDE, ("safety",), ("site",)),
        (Kind.BESIDE, ("armed",), ("site",)),
    }


def test_a_key_that_is_undecided_itself_hides_nothing_of_what_it_joins():
    levels = {**LEVELS, "site": {grain: level for grain, level in ALL.items() if grain is not Grain.SITE}}
    by_site = relation("pair", ["safety"], ["armed"], keys=["site"])
    these = found(rules_of(levels, relations=[by_site]), rules_of(levels, relations=[]))
    beside = [each for each in these if each.case.kind is Kind.BESIDE and each.case.keys == ("site",)]
    assert {each.case.texts for each in beside} == {("safety",), ("armed",)}
    assert all(Grain.SITE in each.grains for each in beside)


def test_a_column_that_is_a_relation_by_itself_is_no_set():
    alone_ = relation("alone", ["safety"], ["safety"])
    these = differences(rules_of(relations=[alone_]), rules_of(relations=[]), DAY)
    assert {each.case.kind for each in these} == {Kind.COLUMN, Kind.TABLE}


def test_a_relation_is_tried_across_the_datasets_of_a_country():
    other = rules.dataset([rules.column("armed")], id="tst/actors", key=("armed",))
    columns = [rules.column(each) for each in LEVELS if each != "armed"]
    old, new = (rules_of(columns=columns, datasets=[other], relations=related) for related in ([PAIR], []))
    these = found(old, new)
    assert {(each.case.dataset, each.case.texts, each.case.held) for each in these} == {
        (rules.DATASET, ("safety",), (("tst/actors", ("armed",)),)),
        ("tst/actors", ("armed",), ((rules.DATASET, ("safety",)),)),
    }


# --------------------------------------------------------------------------------------------------- pathways


def test_an_indicator_that_a_pathway_shares_now_is_let_out_to_it():
    these = found(rules_of(), rules_of(shared=("site", "children", "district")))
    assert alone(these) == {("district", str(rules.LOW)), ("district", str(rules.MEDIUM))}
    assert {cause.rule for each in these for cause in each.causes} >= {f"pathway:{rules.LOW}"}


def test_a_new_agreement_is_newly_allowed():
    new = rules_of()
    old = replace(new, agreements={})
    these = found(old, new)
    assert alone(these) == {
        (column, str(audience)) for column in ("site", "children") for audience in (rules.LOW, rules.MEDIUM)
    }
    assert {cause.rule for each in these for cause in each.causes} == {f"agreement:{rules.AGREEMENT}"}
    assert alone(found(new, old, Change.REFUSED)) == alone(these)


def test_the_same_agreement_with_another_organization_is_let_out_to_it():
    old = rules_of()
    people = [*rules.PEOPLE, rules.focal_point("tst/other-1", rules.Role.PRIMARY)]
    changed = {"organization": "other", "signed": {"iom": "tst/iom-1", "other": "tst/other-1"}}
    paths = [rules.pathway(Urgency.LOW, "site", "children", destination=("tst/other-1",))]
    new = rules_of(people=people, agreement=changed, pathways=paths, request={"organization": "other"})
    assert {each.recipient.organization for each in found(old, new)} == {"other"}
    assert {each.recipient.organization for each in found(old, new, Change.REFUSED)} == {"partner"}


def test_another_recipient_of_the_same_organization_is_told_but_is_no_new_answer():
    paths = [rules.pathway(Urgency.LOW, "site", destination=("tst/partner-2",))]
    old = rules_of(pathways=[rules.pathway(Urgency.LOW, "site")])
    these = differences(old, rules_of(pathways=paths), DAY)
    assert {each.change for each in these} == {Change.REWORDED}
    assert any("to tst/partner-2" in term for each in these for term in each.after.terms)


# --------------------------------------------------------------------------------------------------- datasets


def test_a_new_dataset_is_newly_allowed():
    other = rules.dataset([rules.column("district")], id="tst/more", key=("district",))
    these = found(rules_of(), rules_of(datasets=[other]))
    assert {(each.case.dataset, each.case.texts) for each in these} == {("tst/more", ("district",))}
    assert {cause.rule for each in these for cause in each.causes} == {"dataset:tst/more"}


def test_a_column_that_is_declared_now_is_let_out():
    columns = [rules.column(each) for each in LEVELS]
    old = rules_of(columns=columns[1:])
    assert ("site", "public") in alone(found(old, rules_of(columns=columns)))


def test_a_sensitive_header_that_becomes_a_spelling_of_a_harmless_column_is_found():
    columns = [rules.column(each) for each in LEVELS if each != "phone"]
    disguised = [replace(each, spellings=("phone",)) if each.name == "district" else each for each in columns]
    these = found(rules_of(), rules_of(columns=disguised))
    assert ("phone", "public") in alone(these)


def test_a_header_that_nobody_knew_and_that_is_a_spelling_now_is_let_out():
    columns = [rules.column(each) for each in LEVELS]
    spelled = [replace(each, spellings=("Zila",)) if each.name == "district" else each for each in columns]
    these = found(rules_of(columns=columns), rules_of(columns=spelled))
    assert alone(these) == {("Zila", "public")}
    assert differences(rules_of(columns=spelled), rules_of(columns=spelled), DAY) == ()


# ---------------------------------------------------------------------------------------- against brute force


def brute(old, new, day, audience):
    """The columns that alone get through under ``new`` and not under ``old``: asked one by one."""

    def lets_through(rules_, name):
        header = classify.identify([name], rules_.datasets[rules.DATASET])
        profile = TableProfile(rules.DATASET, header, 50, stage=Stage.CLEANED)
        decision = gate.decide(rules_, classify.classify(rules_, profile, day), audience, ())
        return not decision.refused and {each.kind for each in decision.gaps} <= {"agreed-indicator-absent"}

    names = [each.name for each in old.datasets[rules.DATASET].columns]
    return {name for name in names if lets_through(new, name) and not lets_through(old, name)}


@pytest.mark.parametrize("seed", range(6))
def test_whatever_single_columns_show_is_among_the_differences(seed):
    chance = random.Random(seed)

    def some_policy():
        levels = {name: {grain: chance.choice(tuple(rules.Level)) for grain in Grain} for name in LEVELS}
        span = Validity(date(2026, 1, 1), date(2026, chance.randint(7, 12), 28))
        tense = rules.overlay(tightening("site", chance.choice(tuple(rules.Level))), validity=span)
        shared = chance.sample(sorted(LEVELS), 3)
        asked = {"indicators": tuple(LEVELS)}
        return rules_of(levels, overlays=[tense], shared=shared, request=asked)

    old, new = some_policy(), some_policy()
    these = found(old, new)
    for day in (DAY, date(2026, 9, 1), date(2026, 12, 1), date(2027, 2, 1)):
        for audience in (rules.EVERYONE, rules.LOW, rules.MEDIUM):
            named = {
                each.case.texts[0]
                for each in these
                if each.case.kind is Kind.COLUMN
                and each.recipient.audience == audience
                and each.since <= day <= (each.until or date.max)
                and Grain.SITE in each.grains
            }
            assert named == brute(old, new, day, audience)


def test_progress_is_told_to_the_end():
    told = []
    differences(rules_of(), rules_of(), DAY, lambda done, of: told.append((done, of)))
    assert told[-1] == (3, 3)  # one dataset; the public and two pathways
