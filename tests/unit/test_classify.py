"""How columns are told apart, which level each gets, and what is said where something is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from dtm_sharing.classify import classify, identify
from dtm_sharing.classify import dataset as declared_dataset
from dtm_sharing.errors import TableUnreadable, UsageProblem
from dtm_sharing.model import Classification, Grain, GrainEvidence, Header, Level, TableProfile, Validity
from support.rules import (
    CONFIDENTIAL,
    DATASET,
    DAY,
    PEOPLE,
    PUBLIC,
    SECRET,
    YEAR,
    assessment,
    classified,
    column,
    dataset,
    gap_kinds,
    levels_of,
    overlay,
    policy,
    relation,
    source,
    tightening,
    waiver,
)

BY_HOUSEHOLD = GrainEvidence(Grain.HOUSEHOLD, "40 rows stand for 20 units by site")
OTHER = "If other, please specify"
SITES = dataset(
    [
        column("1.1 Site", "site"),
        column("1.3 Site Type", "type", continued_by=[OTHER, "If yes, who?"]),
        column("2.1 Families \N{LATIN SMALL LETTER E WITH ACUTE}", "idps", spellings=["2.1 Familles"]),
        column("10.1 Security", "security", continued_by=[OTHER]),
    ]
)


def keys(*headers: str) -> list[str]:
    return [each.key for each in identify(headers, SITES)]


# ------------------------------------------------------------------------------------------- identify


def test_a_declared_header_is_found_whatever_its_case_and_spaces() -> None:
    assert identify([" 1.1  SITE\n", "2.1 familles"], SITES) == (
        Header(1, "1.1 Site", None, "1.1 Site"),
        Header(2, SITES.columns[2].name, None, SITES.columns[2].name),
    )


def test_decomposed_and_composed_letters_are_the_same() -> None:
    assert keys("1.1 Site", "2.1 FAMILIES E\N{COMBINING ACUTE ACCENT}")[1] == SITES.columns[2].name


def test_a_continuation_belongs_to_the_question_before_it() -> None:
    found = identify(["1.3 Site Type", OTHER.upper(), "If yes, who?", "10.1 Security", OTHER], SITES)
    assert found[1] == Header(2, OTHER, "1.3 Site Type", f"1.3 Site Type: {OTHER}")
    assert [each.key for each in found[2:]] == [
        "1.3 Site Type: If yes, who?",
        "10.1 Security",
        f"10.1 Security: {OTHER}",
    ]


@pytest.mark.parametrize("before", ["1.1 Site", "something new", ""])
def test_a_continuation_after_anything_else_is_not_resolved(before: str) -> None:
    last = identify(["1.3 Site Type", before, OTHER], SITES)[2]
    assert last == Header(3, OTHER, None, OTHER)


def test_a_continuation_that_the_question_before_it_does_not_declare_is_not_resolved() -> None:
    assert keys("10.1 Security", "If yes, who?")[1] == "If yes, who?"


def test_a_continuation_in_the_first_column_is_not_resolved() -> None:
    assert keys(OTHER, "1.1 Site")[0] == OTHER


def test_headers_that_we_wrote_ourselves_are_found_again_in_any_order() -> None:
    written = [f"10.1 Security: {OTHER}", "1.1 Site", f"1.3 Site Type: {OTHER}"]
    found = identify(written, SITES)
    assert [each.key for each in found] == written
    assert [each.question for each in found] == ["10.1 Security", None, "1.3 Site Type"]


def test_an_unknown_header_keeps_its_text_and_a_blank_one_is_named_by_its_position() -> None:
    assert keys("1.1 Site", " Some  Thing ", " \n ")[1:] == ["Some Thing", "column 3 (no header)"]


def test_a_row_in_which_nothing_is_declared_may_be_data_and_is_not_repeated() -> None:
    found = identify(["Ninawa", "0770 123", "Ninawa"], SITES)
    assert [each.key for each in found] == [f"column {n} (unknown)" for n in (1, 2, 3)]


def test_a_row_of_which_fewer_than_half_is_declared_keeps_only_what_is_declared() -> None:
    """A pivoted frame has cells for names, and a row of data may hold a declared name by chance."""
    assert keys("1.1 Site", "Ninawa", "0770 123", "Ninawa") == [
        "1.1 Site",
        *(f"column {n} (unknown)" for n in (2, 3, 4)),
    ]
    assert keys("1.1 Site", "2.1 Familles", "Ninawa", "0770 123")[2:] == ["Ninawa", "0770 123"]
    assert keys("1.1 Site", "2.1 Familles", "Ninawa", "0770 123", "12")[4] == "column 5 (unknown)"


def test_of_a_frame_that_an_author_made_no_unknown_text_is_kept():
    found = identify(["1.1 Site", "2.1 Familles", "0770 123", ""], SITES, keep_unknown=False)
    assert [each.key for each in found][2:] == ["column 3 (unknown)", "column 4 (unknown)"]
    assert [each.key for each in found][:2] == keys("1.1 Site", "2.1 Familles")


def test_no_headers_are_no_columns() -> None:
    assert identify([], SITES) == ()


def test_all_repeated_columns_are_named_with_their_positions_in_one_sentence() -> None:
    headers = ["1.1 Site", "2.1 Familles", "1.1 site", "x", SITES.columns[2].name, "x", "1.1 Site"]
    with pytest.raises(TableUnreadable) as error:
        identify(headers, SITES)
    assert "'1.1 Site' is in columns 1 and 3 and 7; '2.1 Families \xe9' is in columns 2 and 5" in str(
        error.value
    )
    assert str(error.value).endswith(
        "'x' is in columns 4 and 6. Rename or remove the repeats, so that each column has one meaning."
    )


def test_the_same_continuation_twice_after_one_question_is_a_repeat() -> None:
    with pytest.raises(
        TableUnreadable, match=r"'1.3 Site Type: If other, please specify' is in columns 2 and 3"
    ):
        identify(["1.3 Site Type", OTHER, OTHER], SITES)


# --------------------------------------------------------------------------------------------- levels


def test_every_rule_that_has_a_say_is_a_reason_strictest_first() -> None:
    rules = policy(
        {"children": PUBLIC, "actor": PUBLIC},
        relations=[relation("pair", ["children"], ["actor"])],
        overlays=[overlay(tightening("children", CONFIDENTIAL))],
        assessment={
            "levels": (tightening("children", SECRET), tightening("children", SECRET, Grain.HOUSEHOLD))
        },
    )
    children, actor = classified(rules, "children", "actor").columns
    assert [(each.rule, each.level, str(each.source)) for each in children.reasons] == [
        ("assessment:tst/risks/children@site", SECRET, "tighter.yaml:5"),
        ("overlay:tst/tense/children@site", CONFIDENTIAL, "tighter.yaml:5"),
        ("relation:pair", CONFIDENTIAL, "relations.yaml:3"),
        ("indicator:children@site", PUBLIC, "children.yaml:7"),
    ]
    assert (children.level, children.indicator) == (SECRET, "children")
    assert (actor.level, actor.reasons[0].why) == (CONFIDENTIAL, "why of pair (beside 'children')")


def test_a_tightening_cannot_relax() -> None:
    rules = policy(overlays=[overlay(tightening("children", PUBLIC))])
    assert levels_of(classified(rules, "children")) == {"children": CONFIDENTIAL}


def test_outside_its_operations_time_a_table_is_undecided_and_overlays_still_count() -> None:
    over = Validity(YEAR.start, DAY - timedelta(days=1))
    rules = policy(operation={"validity": over}, overlays=[overlay(tightening("site", CONFIDENTIAL))])
    found = classified(rules, "site")
    assert (found.level, levels_of(found), gap_kinds(found)) == (
        None,
        {"site": CONFIDENTIAL},
        ["operation-not-valid"],
    )


# ------------------------------------------------------------------------------------------- overlays


def test_what_an_overlay_builds_on_counts_under_both_names_with_the_sources_of_the_tightenings() -> None:
    far = replace(tightening("site", SECRET), source=source("far.yaml", 8))
    elsewhere = {"operations": ("tst/other",), "validity": Validity(date(2020, 1, 1), date(2020, 1, 2))}
    chain = [
        overlay(tightening("children", SECRET), id="tst/a", builds_on=("tst/b",)),
        overlay(id="tst/b", builds_on=("tst/c",), **elsewhere),
        overlay(far, id="tst/c", **elsewhere),
    ]
    for overlays in (chain, chain[::-1]):
        site, children = classified(policy(overlays=overlays), "site", "children").columns
        assert [(each.rule, str(each.source)) for each in site.reasons] == [
            ("overlay:tst/a+tst/c/site@site", "far.yaml:8"),
            ("indicator:site@site", "site.yaml:7"),
        ]
        assert children.reasons[0].rule == "overlay:tst/a/children@site"


def test_two_overlays_in_force_that_build_on_the_same_one_each_say_so_once() -> None:
    ground = overlay(tightening("site", SECRET), id="tst/ground", countries=("XYZ",))
    both = [overlay(id=f"tst/{name}", builds_on=("tst/left", "tst/ground")) for name in ("one", "two")]
    left = overlay(id="tst/left", builds_on=("tst/ground",), countries=("XYZ",))
    [site] = classified(policy(overlays=[ground, left, *both]), "site").columns
    assert [each.rule for each in site.reasons] == [
        "overlay:tst/one+tst/ground/site@site",
        "overlay:tst/two+tst/ground/site@site",
        "indicator:site@site",
    ]


def test_a_waiver_knows_nothing_of_what_is_tightened_later_in_what_an_overlay_builds_on() -> None:
    ground = overlay(id="tst/ground", countries=("XYZ",))
    here = overlay(tightening("site", CONFIDENTIAL), id="tst/a", builds_on=("tst/ground",))
    signed = waiver("overlay:tst/a/site@site")
    assert levels_of(classified(policy(overlays=[ground, here], waivers=[signed]), "site")) == {
        "site": PUBLIC
    }
    later = replace(ground, tightens=(tightening("site", CONFIDENTIAL),))
    for overlays in ([later, here], [later, replace(here, id="tst/b"), here]):
        found = classified(policy(overlays=overlays, waivers=[signed]), "site")
        assert levels_of(found) == {"site": CONFIDENTIAL}


def test_overlays_that_build_on_each_other_end() -> None:
    """A cycle is an error of the policy files; the engine has no part in finding it, and does not hang."""
    cycle = [
        overlay(tightening("site", SECRET), id="tst/a", builds_on=("tst/b",)),
        overlay(id="tst/b", builds_on=("tst/a", "tst/b"), countries=("XYZ",)),
    ]
    [site] = classified(policy(overlays=cycle), "site").columns
    assert [each.rule for each in site.reasons] == ["overlay:tst/a/site@site", "indicator:site@site"]


# -------------------------------------------------------------------------------------------- waivers


def test_a_waived_reason_keeps_its_rule_and_says_by_whom_it_is_relaxed_from_what_until_when_and_why() -> None:
    found = classified(policy(waivers=[waiver("indicator:children@site")]), "site", "children")
    [reason] = found.columns[1].reasons
    assert (reason.rule, str(reason.source), reason.level, reason.waiver) == (
        "indicator:children@site",
        "children.yaml:7",
        PUBLIC,
        "tst/agreed",
    )
    assert reason.why == (
        "children, by site: basis of children; relaxed from Confidential by waiver tst/agreed until "
        "2026-07-31: the ministry publishes it"
    )
    assert (found.level, found.expires) == (PUBLIC, date(2026, 7, 31))


def test_the_strictest_of_the_other_reasons_wins_over_a_waived_one() -> None:
    rules = policy(
        waivers=[waiver("indicator:children@site")], overlays=[overlay(tightening("children", CONFIDENTIAL))]
    )
    [children] = classified(rules, "children").columns
    assert [(each.rule, each.level, each.waiver) for each in children.reasons] == [
        ("overlay:tst/tense/children@site", CONFIDENTIAL, None),
        ("indicator:children@site", PUBLIC, "tst/agreed"),
    ]
    assert children.level is CONFIDENTIAL


def test_a_waiver_relaxes_overlays_assessments_and_relations_by_their_rules() -> None:
    rules = policy(
        {"safety": PUBLIC, "actor": PUBLIC},
        overlays=[overlay(tightening("safety", CONFIDENTIAL))],
        assessment={"levels": (tightening("actor", CONFIDENTIAL),)},
        relations=[relation("pair", ["safety"], ["actor"])],
        waivers=[
            waiver("overlay:tst/tense/safety@site", "assessment:tst/risks/actor@site", "relation:pair"),
        ],
    )
    found = classified(rules, "safety", "actor")
    assert levels_of(found) == {"safety": PUBLIC, "actor": PUBLIC}
    assert {each.waiver for column_ in found.columns for each in column_.reasons} == {None, "tst/agreed"}


@pytest.mark.parametrize("level", [PUBLIC, CONFIDENTIAL])
def test_what_is_secret_is_never_relaxed_whatever_the_file_says(level: Level) -> None:
    rules = policy(waivers=[waiver("indicator:phone@site", level=level)])
    [phone] = classified(rules, "phone").columns
    assert (phone.level, phone.reasons[0].waiver) == (SECRET, None)


def test_of_two_tightenings_under_one_rule_a_waiver_relaxes_only_what_is_not_secret() -> None:
    twice = overlay(tightening("site", CONFIDENTIAL), tightening("site", SECRET))
    rules = policy(overlays=[twice], waivers=[waiver("overlay:tst/tense/site@site")])
    [site] = classified(rules, "site").columns
    assert [(each.level, each.waiver) for each in site.reasons] == [
        (SECRET, None),
        (PUBLIC, None),
        (PUBLIC, "tst/agreed"),
    ]
    assert site.level is SECRET


@pytest.mark.parametrize("level", [CONFIDENTIAL, SECRET])
def test_a_waiver_that_is_not_lower_than_the_rule_does_nothing(level: Level) -> None:
    found = classified(policy(waivers=[waiver("indicator:children@site", level=level)]), "children")
    assert (found.level, found.columns[0].reasons[0].waiver) == (CONFIDENTIAL, None)
    assert found.expires == date(2026, 12, 31)


@pytest.mark.parametrize(
    "changes",
    [
        {"coordinator": "tst/iom-expert"},
        {"validity": Validity(date(2026, 6, 1), None)},
        {"signed_on": DAY + timedelta(days=1)},
        {"signed_on": YEAR.start - timedelta(days=1)},
        {"operation": "tst/other"},
        {"datasets": ("tst/other",)},
    ],
    ids=["signed twice by one person", "without an end", "signed later", "not in office", "there", "that"],
)
def test_a_waiver_that_no_checked_policy_would_have_or_that_is_of_elsewhere_relaxes_nothing(
    changes: dict[str, object],
) -> None:
    rules = policy(waivers=[waiver("indicator:children@site", **changes)])
    assert levels_of(classified(rules, "children")) == {"children": CONFIDENTIAL}


@pytest.mark.parametrize("person", ["tst/iom-1", "tst/iom-expert"])
def test_a_waiver_counts_only_if_both_were_in_office_when_they_signed(person: str) -> None:
    before = Validity(YEAR.start, date(2026, 5, 19))
    people = [replace(each, in_office=before) if each.id == person else each for each in PEOPLE]
    rules = policy(waivers=[waiver("indicator:children@site")], people=people)
    assert levels_of(classified(rules, "children")) == {"children": CONFIDENTIAL}


def test_of_two_waivers_for_one_rule_the_stricter_counts_whatever_the_order() -> None:
    """No checked policy has them; whoever makes one by hand must not gain by the order."""
    both = [
        waiver("indicator:children@site", id="tst/a"),
        waiver("indicator:children@site", id="tst/b", level=CONFIDENTIAL),
    ]
    for waivers in (both, both[::-1]):
        assert levels_of(classified(policy(waivers=waivers), "children")) == {"children": CONFIDENTIAL}


def test_a_waiver_by_site_does_not_relax_a_table_that_the_data_show_to_be_finer() -> None:
    rules = policy(
        {"children": {Grain.SITE: CONFIDENTIAL, Grain.HOUSEHOLD: CONFIDENTIAL}},
        waivers=[waiver("indicator:children@site")],
    )
    assert classified(rules, "children").level is PUBLIC
    assert classified(rules, "children", evidence=(BY_HOUSEHOLD,)).level is CONFIDENTIAL


def test_a_waiver_by_household_does_not_relax_what_stands_by_site() -> None:
    """Such a table shows the sites too: what they ask for counts as soon as households ask for less."""
    rules = policy(
        {"children": {Grain.SITE: CONFIDENTIAL, Grain.HOUSEHOLD: CONFIDENTIAL}},
        waivers=[waiver("indicator:children@household")],
    )
    found = classified(rules, "children", evidence=(BY_HOUSEHOLD,))
    assert [(each.rule, each.level) for each in found.columns[0].reasons] == [
        ("indicator:children@site", CONFIDENTIAL),
        ("indicator:children@household", PUBLIC),
    ]
    assert found.level is CONFIDENTIAL


# ---------------------------------------------------------------------------------------------- grain


def test_where_the_data_are_finer_the_finer_level_counts_and_the_reason_says_why() -> None:
    rules = policy({"children": {Grain.SITE: CONFIDENTIAL, Grain.HOUSEHOLD: SECRET}})
    found = classified(rules, "children", evidence=(BY_HOUSEHOLD,))
    [children] = found.columns
    assert (found.grain, found.level, found.evidence) == (Grain.HOUSEHOLD, SECRET, (BY_HOUSEHOLD,))
    assert [each.rule for each in children.reasons] == ["indicator:children@household"]
    assert children.reasons[0].why == (
        "children, by household (declared by site, but 40 rows stand for 20 units by site): basis of children"
    )


def test_all_that_is_finer_than_declared_is_said_finest_first_and_nothing_else() -> None:
    evidence = (
        GrainEvidence(Grain.ADMIN2, "P-codes"),
        GrainEvidence(Grain.SITE, "codes"),
        GrainEvidence(Grain.HOUSEHOLD, "rows"),
        GrainEvidence(Grain.HOUSEHOLD, "points"),
    )
    rules = policy(
        {"site": dict.fromkeys(Grain, PUBLIC)},
        dataset={"grain": Grain.ADMIN2},
    )
    for each in (evidence, evidence[::-1]):
        found = classified(rules, "site", evidence=each)
        assert found.evidence == each
        assert (
            "by household (declared by admin2, but points; rows; codes):" in found.columns[0].reasons[0].why
        )


def test_without_a_level_for_what_the_data_show_a_column_is_undecided_and_the_gap_says_why() -> None:
    found = classified(policy(), "site", evidence=(BY_HOUSEHOLD,))
    assert (found.level, gap_kinds(found)) == (None, ["no-level"])
    assert (
        "no level at grain household (declared by site, but 40 rows stand for 20 units by site) (site.yaml:7)"
        in found.gaps[0].sentence
    )


def test_evidence_of_nothing_finer_changes_nothing() -> None:
    coarse = (GrainEvidence(Grain.ADMIN1, "P-codes"), GrainEvidence(Grain.SITE, "names"))
    plain, with_it = (classified(policy(), "site", "children", evidence=each) for each in ((), coarse))
    assert with_it == replace(plain, evidence=coarse)


def test_what_is_asked_for_at_the_declared_grain_still_counts_where_the_data_are_finer() -> None:
    """Detection raises, never lowers: also where a rule stands at the coarser grain only, or is odd."""
    levels = {Grain.SITE: CONFIDENTIAL, Grain.HOUSEHOLD: PUBLIC}
    rules = policy(
        {"odd": levels, "tense": {**levels, Grain.SITE: PUBLIC}, "a": levels | {Grain.SITE: PUBLIC}},
        overlays=[overlay(tightening("tense", CONFIDENTIAL))],
        relations=[relation("pair", ["a"], ["tense"])],
    )
    found = classified(rules, "odd", "tense", "a", evidence=(BY_HOUSEHOLD,))
    assert set(levels_of(found).values()) == {CONFIDENTIAL}
    assert [each.rule for each in found.columns[0].reasons] == [
        "indicator:odd@site",
        "indicator:odd@household",
    ]
    assert found.columns[2].reasons[0].rule == "relation:pair"


def test_a_table_that_we_summed_up_is_declared_by_that_grain_and_the_data_still_have_a_say() -> None:
    rules = policy({"children": {Grain.ADMIN2: PUBLIC, Grain.SITE: CONFIDENTIAL}})
    found = classified(rules, "children", aggregated_to=Grain.ADMIN2)
    assert (found.grain, found.level, found.aggregated_to) == (Grain.ADMIN2, PUBLIC, Grain.ADMIN2)
    sites = (GrainEvidence(Grain.SITE, "codes of sites"),)
    found = classified(rules, "children", aggregated_to=Grain.ADMIN2, evidence=sites)
    assert (found.grain, found.level) == (Grain.SITE, CONFIDENTIAL)
    assert "by site (aggregated to admin2, but codes of sites)" in found.columns[0].reasons[0].why


# ------------------------------------------------------------------------------------- what lapses soon


def notices(found: Classification) -> list[tuple[str, date]]:
    return [(each.kind, each.on) for each in found.notices]


def test_an_assessment_and_a_waiver_that_lapse_soon_are_said_the_first_first() -> None:
    rules = policy(waivers=[waiver("indicator:children@site")], assessment={"review_by": date(2026, 8, 2)})
    found = classified(rules, "children", as_of=date(2026, 7, 20))
    assert notices(found) == [
        ("waiver-lapses", date(2026, 7, 31)),
        ("assessment-lapses", date(2026, 8, 2)),
    ]
    assert "Waiver tst/agreed ends on 2026-07-31 (agreed.yaml:1)" in found.notices[0].sentence
    assert "Risk assessment tst/risks is to be reviewed by 2026-08-02 (risks.yaml:1)" in (
        found.notices[1].sentence
    )
    assert found.gaps == ()


def test_a_waiver_that_touches_nothing_here_is_no_notice() -> None:
    rules = policy(waivers=[waiver("indicator:children@site")])
    assert notices(classified(rules, "site", as_of=date(2026, 7, 20))) == []
    assert notices(classified(rules, "site", as_of=date(2026, 8, 10))) == []


def test_a_waiver_that_lapsed_is_named_for_thirty_days_unless_another_took_its_place() -> None:
    ended = waiver("indicator:children@site", "indicator:phone@site")
    rules = policy(waivers=[ended])
    for day, said in ((date(2026, 8, 1), 1), (date(2026, 8, 30), 1), (date(2026, 8, 31), 0)):
        found = classified(rules, "children", as_of=day)
        assert notices(found) == [("waiver-lapsed", date(2026, 7, 31))] * said
        assert levels_of(found) == {"children": CONFIDENTIAL}
    assert notices(classified(rules, "phone", as_of=date(2026, 8, 1))) == []
    span = Validity(date(2026, 8, 1), date(2026, 12, 31))
    rules = policy(waivers=[ended, waiver("indicator:children@site", id="tst/again", validity=span)])
    assert notices(classified(rules, "children", as_of=date(2026, 8, 1))) == []


def test_an_assessment_with_a_successor_in_force_is_no_notice() -> None:
    old = assessment(id="tst/old", review_by=DAY + timedelta(days=3))
    new = assessment(assessed_on=date(2026, 3, 1))
    found = classified(policy(assessments=[old, new]), "site")
    assert (found.notices, found.expires) == ((), old.review_by)


def test_a_continuation_takes_the_class_of_its_question_also_from_a_relation() -> None:
    rules = policy(
        {"safety": PUBLIC, "actor": PUBLIC},
        columns=[column("safety"), column("actor", continued_by=[OTHER])],
        relations=[relation("pair", ["safety"], ["actor"])],
    )
    found = classified(rules, "safety", "actor", OTHER)
    assert set(levels_of(found).values()) == {CONFIDENTIAL}
    assert found.columns[0].reasons[0].why == f"why of pair (beside 'actor', 'actor: {OTHER}')"


def test_a_relation_names_three_columns_and_counts_the_rest() -> None:
    names = ["safety", "a", "b", "c", "d", "e"]
    rules = policy(dict.fromkeys(names, PUBLIC), relations=[relation("pair", ["safety"], names[1:])])
    why = classified(rules, *names).columns[0].reasons[0].why
    assert why == "why of pair (beside 'a', 'b', 'c' and 2 more)"
    why = classified(rules, *names[:4]).columns[0].reasons[0].why
    assert why == "why of pair (beside 'a', 'b', 'c')"


def test_a_relation_does_not_hold_without_one_of_its_groups_or_at_a_coarser_grain() -> None:
    levels = {"safety": PUBLIC, "actor": PUBLIC, "site": PUBLIC}
    pair = relation("pair", ["safety"], ["actor"])
    finer, coarser = (replace(pair, grains=(each,)) for each in (Grain.HOUSEHOLD, Grain.ADMIN2))
    assert classified(policy(levels, relations=[pair]), "safety", "site").level is PUBLIC
    assert classified(policy(levels, relations=[finer]), "safety", "actor").level is PUBLIC
    assert classified(policy(levels, relations=[coarser]), "safety", "actor").level is CONFIDENTIAL
    assert classified(policy(levels, relations=[pair]), "safety", "actor").level is CONFIDENTIAL


def test_a_relation_leaves_columns_outside_its_groups_and_unknown_ones_alone() -> None:
    levels = {"safety": PUBLIC, "actor": PUBLIC, "site": PUBLIC}
    rules = policy(levels, relations=[relation("pair", ["safety"], ["actor"])])
    found = classified(rules, "site", "what", "safety", "actor")
    assert levels_of(found) == {"site": PUBLIC, "what": None, "safety": CONFIDENTIAL, "actor": CONFIDENTIAL}


def test_the_classification_says_what_it_was_made_from() -> None:
    found = classified(policy(), "site", "children", rows=5, round="R2")
    assert (found.dataset, found.grain, found.rows, found.round) == (DATASET, Grain.SITE, 5, "R2")
    assert (found.level, found.gaps, found.expires) == (CONFIDENTIAL, (), date(2026, 12, 31))
    assert (found.policy_digest, found.as_of) == ("sha256:00", DAY)


# ----------------------------------------------------------------------------------------------- gaps


def test_an_unknown_dataset_is_a_usage_problem_with_the_nearest_id() -> None:
    with pytest.raises(UsageProblem, match=r"There is no dataset 'tst/site': did you mean tst/sites\?"):
        classify(policy(), TableProfile("tst/site", (), 1), DAY)
    with pytest.raises(UsageProblem, match=r"no dataset 'zzz'"):
        declared_dataset(policy(), "zzz")
    assert declared_dataset(policy(), DATASET).id == DATASET


def test_an_id_is_unknown_where_none_is_declared() -> None:
    with pytest.raises(UsageProblem, match="the policy declares no dataset"):
        declared_dataset(replace(policy(), datasets={}), DATASET)


def test_a_column_that_no_rule_knows_is_undecided_and_so_is_the_table() -> None:
    found = classified(policy(), "site", "mystery")
    assert levels_of(found) == {"site": PUBLIC, "mystery": None}
    assert (found.level, found.columns[1].indicator, found.columns[1].reasons) == (None, None, ())
    [gap] = found.gaps
    assert (gap.kind, gap.column) == ("unknown-column", "mystery")
    assert "column 2, 'mystery': declare it in dataset tst/sites (sites.yaml:1)" in gap.sentence


def test_a_continuation_that_is_not_its_questions_is_unknown() -> None:
    profile = TableProfile(DATASET, (Header(1, OTHER, "site", f"site: {OTHER}"),), 1)
    assert gap_kinds(classify(policy(), profile, DAY)) == ["unknown-column"]


def test_an_indicator_without_a_level_for_the_grain_is_undecided() -> None:
    found = classified(policy({"site": {Grain.ADMIN2: PUBLIC}}), "site")
    assert (found.level, levels_of(found)) == (None, {"site": None})
    assert (
        "Indicator site of column 'site' has no level at grain site (site.yaml:7)" in found.gaps[0].sentence
    )


def test_what_is_called_secret_stays_secret_even_without_a_level_for_the_grain() -> None:
    rules = policy(
        {"site": {Grain.ADMIN2: PUBLIC}, "type": {}},
        overlays=[overlay(tightening("site", SECRET), tightening("type", CONFIDENTIAL))],
    )
    found = classified(rules, "site", "type")
    assert levels_of(found) == {"site": SECRET, "type": None}
    assert (found.level, gap_kinds(found)) == (None, ["no-level", "no-level"])


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({"review_by": DAY - timedelta(days=1)}, "lapsed-assessment", "was to be reviewed by 2026-06-14"),
        ({"assessed_on": DAY + timedelta(days=1)}, "assessment-not-made", "is dated 2026-06-16, after"),
        ({"datasets": ("tst/other",)}, "no-assessment", "No risk assessment covers tst/sites"),
    ],
)
def test_without_an_assessment_in_force_all_but_secret_columns_are_undecided(
    changes: dict[str, object], kind: str, says: str
) -> None:
    found = classified(policy(assessment=changes), "site", "children", "phone")
    assert levels_of(found) == {"site": None, "children": None, "phone": SECRET}
    assert (found.level, found.expires, gap_kinds(found)) == (None, None, [kind])
    assert says in found.gaps[0].sentence


@pytest.mark.parametrize("day", [date(2026, 1, 1), date(2026, 12, 31)])
def test_an_assessment_may_be_relied_upon_from_its_day_to_its_review_day(day: date) -> None:
    assert classified(policy(), "site", as_of=day).gaps == ()


def test_tightenings_of_an_assessment_that_lapsed_have_no_say() -> None:
    lapsed = {"review_by": DAY - timedelta(days=1), "levels": (tightening("site", SECRET),)}
    assert levels_of(classified(policy(assessment=lapsed), "site")) == {"site": None}


def test_of_lapsed_assessments_the_last_one_made_is_named_whatever_the_order() -> None:
    early = assessment(id="tst/a", assessed_on=date(2025, 12, 1), review_by=date(2026, 5, 1))
    late = assessment(id="tst/b", review_by=date(2026, 4, 1))
    for both in ([early, late], [late, early]):
        assert "tst/b" in classified(policy(assessments=both), "site").gaps[0].sentence


def test_of_assessments_still_to_be_made_the_first_is_named_whatever_the_order() -> None:
    early = assessment(id="tst/a", assessed_on=date(2026, 8, 1))
    late = assessment(id="tst/b", assessed_on=date(2026, 9, 1))
    for both in ([early, late], [late, early]):
        assert "tst/a is dated 2026-08-01" in classified(policy(assessments=both), "site").gaps[0].sentence


def test_two_assessments_in_force_both_count_and_the_earlier_review_is_the_end() -> None:
    old = assessment(id="tst/old", review_by=date(2026, 7, 1), levels=(tightening("site", CONFIDENTIAL),))
    found = classified(policy(assessments=[old, assessment()]), "site")
    assert (found.level, found.expires) == (CONFIDENTIAL, date(2026, 7, 1))


def test_a_lapsed_assessment_beside_one_in_force_is_no_gap() -> None:
    old = assessment(id="tst/old", assessed_on=date(2025, 12, 1), review_by=date(2026, 2, 1))
    found = classified(policy(assessments=[old, assessment()]), "site")
    assert (found.gaps, found.expires) == ((), date(2026, 12, 31))


@pytest.mark.parametrize(
    ("person", "function"), [("tst/iom-1", "coordinator"), ("tst/iom-expert", "sectoral expert")]
)
def test_an_assessor_who_was_not_in_office_leaves_the_table_undecided(person: str, function: str) -> None:
    later = Validity(YEAR.start + timedelta(days=1), None)
    people = [replace(each, in_office=later) if each.id == person else each for each in PEOPLE]
    found = classified(policy(people=people), "site", "phone")
    assert (levels_of(found), gap_kinds(found)) == (
        {"site": None, "phone": SECRET},
        ["assessor-not-in-office"],
    )
    assert f"of 2026-01-01 names {person} as {function}, not in office that day" in found.gaps[0].sentence


def test_an_assessment_of_another_context_is_not_relied_upon_and_both_contexts_are_named() -> None:
    rules = policy(operation={"context": "conflict"}, assessment={"levels": (tightening("site", SECRET),)})
    found = classified(rules, "site", "children")
    assert (found.level, found.expires, gap_kinds(found)) == (None, None, ["context-changed"])
    assert levels_of(found) == {"site": SECRET, "children": None}  # what it tightens stands, to be safe
    assert "was made for a context of disaster (risks.yaml:1), and operation tst/flood is now in one of " in (
        found.gaps[0].sentence
    )
    assert "conflict (operation.yaml:1)" in found.gaps[0].sentence


def test_an_assessment_of_the_context_of_today_is_enough_beside_one_of_another() -> None:
    old = assessment(id="tst/old", context="conflict", review_by=date(2026, 7, 1))
    found = classified(policy(assessments=[old, assessment()]), "site")
    assert (found.gaps, found.expires) == ((), date(2026, 12, 31))


def test_a_lapsed_assessment_is_named_so_even_if_the_context_changed_too() -> None:
    rules = policy(operation={"context": "conflict"}, assessment={"review_by": DAY - timedelta(days=1)})
    assert gap_kinds(classified(rules, "site")) == ["lapsed-assessment"]


NO_ROWS = "The table has no rows, so nothing was judged: check how it was made."
NO_COLUMNS = "The table has no columns, so nothing was judged: check how it was read."
TO_COME = (
    "Risk assessment tst/risks is dated 2026-06-16, after 2026-06-15 (risks.yaml:1): nothing is decided "
    "before it is made."
)
NONE_MADE = (
    "No risk assessment covers tst/sites (sites.yaml:1): the coordinator and a sectoral expert make one "
    "before collection."
)
ABSENT = (
    "The table lacks column 'site', which tst/sites declares (sites.yaml:9): check whether the file is "
    "whole, or correct the declaration."
)
TO_REVIEW = (
    "Risk assessment tst/risks is to be reviewed by 2026-07-15 (risks.yaml:1): after that day nothing that "
    "it covers is decided until the coordinator and a sectoral expert repeat it."
)
TO_END = (
    "Waiver tst/agreed ends on 2026-07-15 (agreed.yaml:1): from the next day on the rules that it relaxes "
    "count in full."
)
ENDED = (
    "Waiver tst/agreed ended on 2026-06-10 (agreed.yaml:1): the rules that it relaxed count in full again."
)


@pytest.mark.parametrize(
    ("rules", "headers", "known", "sentence"),
    [
        ({}, ["site"], {"rows": 0}, NO_ROWS),
        ({}, [], {}, NO_COLUMNS),
        ({"assessment": {"assessed_on": DAY + timedelta(days=1)}}, ["site"], {}, TO_COME),
        ({"assessments": []}, ["site"], {}, NONE_MADE),
        ({}, ["children", "phone"], {"whole": True}, ABSENT),
    ],
)
def test_a_gap_says_what_is_missing_and_what_to_do(
    rules: dict[str, Any], headers: list[str], known: dict[str, Any], sentence: str
) -> None:
    found = classified(policy(**rules), *headers, **known)
    assert [each.sentence for each in found.gaps] == [sentence]
    assert found.whole is known.get("whole", False)


def test_a_notice_says_what_ends_and_what_to_do() -> None:
    def said(until: date, **rules: Any) -> list[str]:
        waived = waiver("indicator:children@site", validity=Validity(YEAR.start, until))
        return [each.sentence for each in classified(policy(waivers=[waived], **rules), "children").notices]

    soon = DAY + timedelta(days=30)
    assert said(soon, assessment={"review_by": soon}) == [TO_REVIEW, TO_END]
    assert said(date(2026, 6, 10)) == [ENDED]


def test_only_full_stops_and_blanks_go_from_the_end_of_what_is_cited() -> None:
    beside = replace(relation("near", ["site"], ["phone"]), why=" ... nor beside site X. ")
    found = classified(policy(relations=[beside]), "site", "phone")
    assert found.columns[0].reasons[0].why == " ... nor beside site X (beside 'phone')"
    stricter = overlay(replace(tightening("site", CONFIDENTIAL), why=" ... as by X. "))
    relaxed = waiver(f"overlay:{stricter.id}/site@site")
    [column_] = classified(policy(overlays=[stricter], waivers=[relaxed]), "site").columns
    [why] = [each.why for each in column_.reasons if each.waiver]
    assert why.startswith(" ... as by X; relaxed from Confidential by waiver ")


def test_an_empty_table_and_one_without_columns_are_undecided() -> None:
    assert gap_kinds(classified(policy(), "site", rows=0)) == ["empty-table"]
    assert classified(policy(), "site", rows=0).level is None
    nothing = classified(policy(), rows=0)
    assert (nothing.level, gap_kinds(nothing)) == (None, ["no-columns", "empty-table"])


def test_a_whole_table_must_have_every_declared_column_but_those_dropped_at_collection() -> None:
    rules = policy(
        columns=[
            column("site"),
            column("children", continued_by=[OTHER]),
            column("phone", continued_by=[OTHER]),
        ],
        dataset={"drop_at_collection": ("phone",)},
    )
    found = classified(rules, "site", whole=True)
    assert [(each.kind, each.column) for each in found.gaps] == [
        ("absent-column", "children"),
        ("absent-column", f"children: {OTHER}"),
    ]
    assert "lacks column 'children', which tst/sites declares (sites.yaml:9)" in found.gaps[0].sentence
    assert classified(rules, "site", "children", OTHER, whole=True).gaps == ()
    assert classified(rules, "site", "children", OTHER, "phone", OTHER, whole=True).level is SECRET
    assert classified(rules, "site").gaps == ()


def test_an_open_ended_operation_that_has_not_begun_is_named_as_such() -> None:
    found = classified(policy(operation={"validity": Validity(date(2026, 8, 1), None)}), "site")
    assert (
        "not valid on 2026-06-15, only from 2026-08-01 until revoked (operation.yaml:1)"
        in found.gaps[0].sentence
    )
