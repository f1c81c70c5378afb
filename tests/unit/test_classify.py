"""How columns are told apart, which level each gets, and what is said where something is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from dtm_sharing.classify import classify, identify
from dtm_sharing.classify import dataset as declared_dataset
from dtm_sharing.errors import TableUnreadable, UsageProblem
from dtm_sharing.model import Grain, Header, TableProfile, Validity
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
    policy,
    relation,
    tightening,
)

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


def test_no_headers_are_no_columns() -> None:
    assert identify([], SITES) == ()


def test_all_repeated_columns_are_named_with_their_positions_in_one_sentence() -> None:
    headers = ["1.1 Site", "2.1 Familles", "1.1 site", "x", SITES.columns[2].name, "x", "1.1 Site"]
    with pytest.raises(TableUnreadable) as error:
        identify(headers, SITES)
    assert "'1.1 Site' is in columns 1 and 3 and 7; '2.1 Families \xe9' is in columns 2 and 5" in str(
        error.value
    )
    assert "'x' is in columns 4 and 6" in str(error.value)


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
        operation={"tightens": (tightening("children", CONFIDENTIAL),)},
        assessment={
            "levels": (tightening("children", SECRET), tightening("children", SECRET, Grain.HOUSEHOLD))
        },
    )
    children, actor = classified(rules, "children", "actor").columns
    assert [(each.rule, each.level, str(each.source)) for each in children.reasons] == [
        ("assessment:tst/risks/children@site", SECRET, "tighter.yaml:5"),
        ("operation:tst/flood/children@site", CONFIDENTIAL, "tighter.yaml:5"),
        ("relation:pair", CONFIDENTIAL, "relations.yaml:3"),
        ("indicator:children@site", PUBLIC, "children.yaml:7"),
    ]
    assert (children.level, children.indicator) == (SECRET, "children")
    assert (actor.level, actor.reasons[0].why) == (CONFIDENTIAL, "why of pair (beside 'children')")


def test_a_tightening_cannot_relax() -> None:
    rules = policy(operation={"tightens": (tightening("children", PUBLIC),)})
    assert levels_of(classified(rules, "children")) == {"children": CONFIDENTIAL}


def test_a_tightening_of_an_operation_that_is_over_has_no_say() -> None:
    over = Validity(YEAR.start, DAY - timedelta(days=1))
    rules = policy(operation={"tightens": (tightening("site", SECRET),), "validity": over})
    found = classified(rules, "site")
    assert (found.level, levels_of(found), gap_kinds(found)) == (
        None,
        {"site": PUBLIC},
        ["operation-not-valid"],
    )


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


def test_a_relation_does_not_hold_without_one_of_its_groups_or_at_another_grain() -> None:
    levels = {"safety": PUBLIC, "actor": PUBLIC, "site": PUBLIC}
    pair = relation("pair", ["safety"], ["actor"])
    elsewhere = replace(pair, grains=(Grain.ADMIN2,))
    assert classified(policy(levels, relations=[pair]), "safety", "site").level is PUBLIC
    assert classified(policy(levels, relations=[elsewhere]), "safety", "actor").level is PUBLIC
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
        operation={"tightens": (tightening("site", SECRET), tightening("type", CONFIDENTIAL))},
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


def test_the_assessment_that_lapsed_last_is_named_whatever_the_order() -> None:
    early = assessment(id="tst/a", review_by=date(2026, 3, 1))
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
    old = assessment(id="tst/old", review_by=date(2026, 2, 1))
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
