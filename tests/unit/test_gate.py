"""What the gate answers, what it says, and which form it would release."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from dtm_sharing import classify, gate
from dtm_sharing.errors import GateDenied, Undecided, UsageProblem
from dtm_sharing.gate.forms import ordered
from dtm_sharing.model import (
    Approved,
    Audience,
    Classification,
    Decision,
    Gap,
    Grain,
    GrainEvidence,
    Method,
    Outcome,
    Policy,
    ReleasableForm,
    RequestState,
    Role,
    Stage,
    TableProfile,
    Urgency,
    Validity,
)
from support.rules import (
    AGREEMENT,
    CONFIDENTIAL,
    DAY,
    EVERYONE,
    LOW,
    MEDIUM,
    PEOPLE,
    PUBLIC,
    SECRET,
    YEAR,
    assessment,
    classified,
    column,
    decided,
    focal_point,
    gap_kinds,
    holding,
    overlay,
    pathway,
    policy,
    relation,
    source,
    tightening,
)

ALLOW, DENY, UNDECIDED = Outcome.ALLOW, Outcome.DENY, Outcome.UNDECIDED
AGREED = ("site", "children")


def refused(decision: Decision) -> dict[str, str]:
    return {each.header.key: each.why for each in decision.refused}


def left_out(decision: Decision) -> tuple[str, ...]:
    assert decision.releasable_form is not None
    return decision.releasable_form.leave_out


# ------------------------------------------------------------------------------------------ the public


def test_a_public_table_is_allowed_with_nothing_to_do() -> None:
    decision = decided(policy(), "site")
    assert (decision.outcome, decision.level, decision.refused, decision.gaps) == (ALLOW, PUBLIC, (), ())
    assert (decision.obligations, decision.releasable_form) == ((), None)
    assert (decision.audience, decision.expires) == (EVERYONE, date(2026, 12, 31))


def test_one_row_is_a_table() -> None:
    assert decided(policy(), "site", rows=1).outcome is ALLOW


def test_each_confidential_and_secret_column_is_refused_with_its_reason() -> None:
    decision = decided(policy(), "site", "children", "phone")
    assert (decision.outcome, decision.level) == (DENY, SECRET)
    assert [each.level for each in decision.refused] == [CONFIDENTIAL, SECRET]
    assert refused(decision) == {
        "children": "Confidential: children, by site: basis of children (children.yaml:7).",
        "phone": "Secret: phone, by site: basis of phone (phone.yaml:7).",
    }
    assert decision.obligations == ()


def test_a_refusal_gives_all_reasons_that_are_as_strict_and_no_weaker_one() -> None:
    rules = policy(
        {"safety": PUBLIC, "actor": CONFIDENTIAL}, relations=[relation("pair", ["safety"], ["actor"])]
    )
    why = refused(decided(rules, "safety", "actor"))
    assert why["safety"] == "Confidential: why of pair (beside 'actor') (relations.yaml:3)."
    assert why["actor"] == (
        "Confidential: actor, by site: basis of actor (actor.yaml:7); "
        "why of pair (beside 'safety') (relations.yaml:3)."
    )


def test_the_releasable_form_leaves_out_what_is_refused_and_says_what_goes_at_collection() -> None:
    decision = decided(policy(), "phone", "site", "children")
    assert decision.releasable_form == ReleasableForm(("phone", "children"), ("phone",), ("site",))


def test_there_is_no_releasable_form_where_nothing_would_be_left() -> None:
    assert decided(policy(), "children", "phone").releasable_form is None


def test_gaps_come_first_and_what_is_refused_is_still_said() -> None:
    decision = decided(policy(), "site", "children", "mystery")
    assert (decision.outcome, decision.level) == (UNDECIDED, None)
    assert gap_kinds(decision) == ["unknown-column"]
    assert list(refused(decision)) == ["children"]
    assert (decision.releasable_form, decision.expires, decision.obligations) == (None, None, ())


def test_a_table_classified_under_other_files_is_undecided() -> None:
    table = classified(policy(), "site")
    decision = gate.decide(policy(digest="sha256:01"), table, EVERYONE, ())
    assert (decision.outcome, gap_kinds(decision)) == (UNDECIDED, ["other-policy"])
    assert decision.gaps[0].sentence == (
        "The table was classified under other policy files: classify it again."
    )


def test_a_dataset_that_the_policy_does_not_declare_is_a_usage_problem() -> None:
    table = replace(classified(policy(), "site"), dataset="tst/site")
    with pytest.raises(UsageProblem, match="There is no dataset 'tst/site': did you mean tst/sites"):
        gate.decide(policy(), table, EVERYONE, ())


@pytest.mark.parametrize("change", [{"columns": ()}, {"rows": 0}, {"level": PUBLIC, "columns": None}])
def test_the_gate_does_not_believe_a_classification_that_says_nothing(change: dict[str, object]) -> None:
    table = classified(policy(), "site")
    if change.get("columns", ()) is None:  # a column without a level, in a table that claims to have one
        change = {**change, "columns": (replace(table.columns[0], level=None),)}
    decision = gate.decide(policy(), replace(table, **change), EVERYONE, ())
    assert (decision.outcome, gap_kinds(decision)) == (UNDECIDED, ["no-level"])
    assert decision.gaps[0].sentence == ("The table has no level, and does not say why: classify it again.")


def test_every_rule_that_had_a_part_is_named_once_with_its_place() -> None:
    rules = policy({"safety": PUBLIC, "actor": PUBLIC}, relations=[relation("pair", ["safety"], ["actor"])])
    decision = decided(rules, "actor", "safety")
    assert decision.rules == (
        ("assessment:tst/risks", source("risks.yaml", 1)),
        ("classification:Confidential", source("classification.yaml")),
        ("indicator:actor@site", source("actor.yaml", 7)),
        ("indicator:safety@site", source("safety.yaml", 7)),
        ("operation:tst/flood", source("operation.yaml")),
        ("relation:pair", source("relations.yaml", 3)),
    )


def test_an_assessment_that_was_not_relied_upon_is_not_among_the_rules() -> None:
    old = assessment(id="tst/old", review_by=date(2026, 2, 1))
    decision = decided(policy(assessments=[old, assessment()]), "site", "mystery")
    assert [rule for rule, _ in decision.rules if rule.startswith("assessment")] == ["assessment:tst/risks"]


def test_a_decision_ends_with_the_first_thing_that_it_rests_on() -> None:
    ends = Validity(YEAR.start, date(2026, 7, 1))
    later = {"review_by": date(2026, 8, 1)}
    assert decided(policy(operation={"validity": ends}), "site").expires == ends.until
    assert decided(policy(assessment=later), "site", "children").expires == date(2026, 8, 1)
    open_end = policy(operation={"validity": Validity(YEAR.start, None)}, assessment=later)
    assert decided(open_end, "site").expires == date(2026, 8, 1)


def test_a_decision_ends_before_the_day_on_which_a_rule_begins_unless_it_has_begun() -> None:
    for begins, ends in ((DAY, date(2026, 12, 31)), (DAY + timedelta(days=1), DAY)):
        stricter = overlay(tightening("children", SECRET), validity=Validity(begins, None))
        assert decided(policy(overlays=[stricter]), "site").expires == ends
        again = assessment(id="tst/again", assessed_on=begins)
        assert decided(policy(assessments=[assessment(), again]), "site").expires == ends


# -------------------------------------------------------------------- relations in the releasable form


def test_only_one_group_of_a_relation_is_left_out_the_smaller_one() -> None:
    levels = dict.fromkeys(["actor", "men", "women", "site"], PUBLIC)
    rules = policy(levels, relations=[relation("pair", ["men", "women"], ["actor"])])
    decision = decided(rules, "men", "women", "actor", "site")
    assert list(refused(decision)) == ["men", "women", "actor"]
    assert decision.releasable_form == ReleasableForm(("actor",), (), ("men", "women", "site"))


def test_of_equally_small_groups_the_one_further_left_is_left_out() -> None:
    rules = policy({"safety": PUBLIC, "actor": PUBLIC}, relations=[relation("pair", ["safety"], ["actor"])])
    assert left_out(decided(rules, "actor", "safety")) == ("actor",)
    assert left_out(decided(rules, "safety", "actor")) == ("safety",)


def test_what_is_secret_together_is_no_form_for_a_partner_who_agreed_on_both() -> None:
    rules = policy(
        {"site": PUBLIC, "children": CONFIDENTIAL, "village": PUBLIC},
        relations=[relation("pair", ["site"], ["children"], level=SECRET)],
        shared=("village", "site", "children"),
    )
    decision = decided(rules, "village", "site", "children", audience=MEDIUM)
    assert list(refused(decision)) == ["site", "children"]
    assert decision.releasable_form is None  # the partner would get less than agreed
    everyone = decided(rules, "village", "site", "children")
    assert everyone.releasable_form == ReleasableForm(("children",), (), ("village", "site"))


def test_what_is_confidential_together_goes_together_where_both_are_agreed() -> None:
    rules = policy(
        {"safety": PUBLIC, "actor": PUBLIC, "site": PUBLIC},
        relations=[relation("pair", ["safety"], ["actor"])],
        shared=("safety", "actor"),
    )
    assert left_out(decided(rules, "safety", "actor", "site", audience=LOW)) == ("site",)


def test_what_is_refused_for_itself_may_already_break_a_relation() -> None:
    rules = policy(
        {"safety": PUBLIC, "actor": CONFIDENTIAL}, relations=[relation("pair", ["safety"], ["actor"])]
    )
    assert left_out(decided(rules, "safety", "actor")) == ("actor",)


def test_one_column_that_breaks_two_relations_is_better_than_two() -> None:
    rules = policy(
        dict.fromkeys("abc", PUBLIC),
        relations=[relation("one", ["a"], ["b"]), relation("two", ["b"], ["c"])],
    )
    assert left_out(decided(rules, "a", "b", "c")) == ("b",)


def test_a_relation_that_the_audience_may_have_is_not_broken() -> None:
    rules = policy(
        {"site": PUBLIC, "children": PUBLIC, "phone": SECRET},
        relations=[relation("fine", ["site"], ["children"], level=PUBLIC)],
    )
    assert left_out(decided(rules, "site", "children", "phone")) == ("phone",)


def test_beyond_what_can_be_searched_all_refused_columns_are_left_out() -> None:
    pairs = [(f"a{n}", f"b{n}") for n in range(13)]
    levels = dict.fromkeys(["site", *(each for pair in pairs for each in pair)], PUBLIC)
    relations = [relation(f"r{n}", [a], [b]) for n, (a, b) in enumerate(pairs)]
    searched = decided(policy(levels, relations=relations[:12]), *levels)
    assert left_out(searched) == tuple(a for a, _ in pairs[:12])
    beyond = decided(policy(levels, relations=relations), *levels)
    assert beyond.releasable_form is not None
    assert beyond.releasable_form.keeps == ("site",)


# --------------------------------------------------------------- forms that the engine was asked about


COARSE = (Grain.NATIONAL, Grain.ADMIN1, Grain.ADMIN2, Grain.SITE)
FROM_ADMIN2 = {each: CONFIDENTIAL if each is Grain.SITE else PUBLIC for each in COARSE}
AREAS = {"identifies": {"site": Grain.SITE, "district": Grain.ADMIN2, "country": Grain.NATIONAL}}


def counts(**changes: Any) -> Policy:
    """Children are Confidential by site and Public by district; districts, sites and a country are named."""
    named = dict.fromkeys(["site", "district", "country"], dict.fromkeys(COARSE, PUBLIC))
    return policy({**named, "children": FROM_ADMIN2}, additive=["children"], **{**AREAS, **changes})


def test_without_the_classification_step_no_form_is_named_and_nothing_else_changes() -> None:
    table = classified(counts(), "site", "district", "children")
    bare = gate.decide(counts(), table, EVERYONE, ())
    full = gate.decide(counts(), table, EVERYONE, (), classify.classify)
    assert (bare.forms, len(full.forms)) == ((), 3)
    assert replace(full, forms=()) == bare


def test_each_form_is_judged_by_the_step_that_was_given_under_the_same_policy_and_day() -> None:
    asked = []

    def strict(rules: Policy, profile: TableProfile, as_of: date) -> Classification:
        asked.append((rules, as_of, profile.rows, profile.stage, profile.round, profile.whole))
        found = classify.classify(rules, profile, as_of)
        return replace(found, gaps=(Gap("not-sure", "Not sure."),)) if profile.aggregated_to else found

    table = classified(counts(), "site", "district", "children", rows=9, round="4", whole=True)
    decision = gate.decide(counts(), replace(table, gaps=()), EVERYONE, (), strict)
    assert [each.aggregate_to for each in decision.forms] == [None]
    assert set(map(repr, asked)) == {repr((counts(), DAY, 9, Stage.CLEANED, "4", False))}


def test_an_allowed_or_undecided_table_is_not_asked_about_again() -> None:
    def never(*_: object) -> Classification:
        raise AssertionError

    for headers in (("site",), ("site", "children", "mystery"), ()):
        assert gate.decide(counts(), classified(counts(), *headers), EVERYONE, (), never).forms == ()


def test_sums_keep_what_tells_units_apart_and_leave_the_rest_out() -> None:
    summed = decided(counts(), "country", "site", "district", "children").forms
    assert summed[1:] == (
        ReleasableForm(
            ("site",), (), ("country", "district", "children"), Grain.ADMIN2, ("country", "district")
        ),
        ReleasableForm(("site", "district"), (), ("country", "children"), Grain.NATIONAL, ("country",)),
    )


def test_a_question_is_summed_up_without_its_continuation() -> None:
    columns = [column("site"), column("district"), column("children", continued_by=["If other"])]
    decision = decided(counts(columns=columns), "site", "district", "children", "children: If other")
    assert decision.forms[-1] == ReleasableForm(
        ("site", "district", "children: If other"), (), ("children",), Grain.NATIONAL
    )


def test_sums_that_are_refused_for_the_unit_that_they_name_are_not_offered() -> None:
    named = dict.fromkeys(["site", "district"], dict.fromkeys(COARSE, PUBLIC))
    secret = {**named, "district": dict.fromkeys(COARSE, SECRET), "children": FROM_ADMIN2}
    rules = policy(secret, additive=["children"], **AREAS)
    forms = decided(rules, "site", "district", "children").forms
    assert [each.aggregate_to for each in forms] == [None, Grain.NATIONAL]
    assert all(each.drop_at_collection == ("district",) for each in forms)


def test_a_count_without_a_level_for_the_coarser_unit_is_left_out_of_the_sums() -> None:
    named = dict.fromkeys(["site", "district"], dict.fromkeys(COARSE, PUBLIC))
    levels = {**named, "children": FROM_ADMIN2, "tents": CONFIDENTIAL}
    rules = policy(levels, additive=["children", "tents"], **AREAS)
    forms = decided(rules, "site", "district", "children", "tents").forms
    assert [each.keeps for each in forms] == [("site", "district"), ("district", "children"), ("children",)]


def test_where_no_column_tells_the_sites_apart_no_sums_are_named() -> None:
    """Nobody could say of how many a sum would tell; so they could not be published either."""
    levels = {"district": dict.fromkeys(COARSE, PUBLIC), "children": FROM_ADMIN2}
    forms = decided(policy(levels, additive=["children"], **AREAS), "district", "children").forms
    assert [(each.keeps, each.aggregate_to) for each in forms] == [(("district",), None)]


def test_a_table_that_was_summed_up_can_be_summed_up_further() -> None:
    levels = {
        **dict.fromkeys(["district"], dict.fromkeys(COARSE, PUBLIC)),
        "children": {**FROM_ADMIN2, Grain.ADMIN2: CONFIDENTIAL},
    }
    rules = policy(levels, additive=["children"], **AREAS)
    forms = decided(rules, "district", "children", aggregated_to=Grain.ADMIN2).forms
    assert [(each.keeps, each.aggregate_to) for each in forms] == [
        (("district",), None),
        (("children",), Grain.NATIONAL),
    ]


def test_a_table_that_was_summed_up_is_judged_as_what_it_is_in_each_form() -> None:
    levels = {"district": {**FROM_ADMIN2}, "children": dict.fromkeys(COARSE, CONFIDENTIAL)}
    forms = decided(policy(levels, **AREAS), "district", "children", aggregated_to=Grain.ADMIN2).forms
    assert forms == (ReleasableForm(("children",), (), ("district",)),)


def test_what_is_of_a_unit_already_is_not_summed_up_by_the_same_unit() -> None:
    named = dict.fromkeys(COARSE, PUBLIC)
    levels = {"district": named, "children": named, "water": dict.fromkeys(COARSE, CONFIDENTIAL)}
    rules = policy(levels, additive=["children"], dataset={"grain": Grain.ADMIN2}, **AREAS)
    forms = decided(rules, "district", "children", "water").forms
    assert [(each.keeps, each.aggregate_to) for each in forms] == [
        (("district", "children"), None),
        (("children",), Grain.NATIONAL),
    ]


def test_only_what_shows_a_finer_grain_is_left_out_to_come_back_to_the_declared_one() -> None:
    named = dict.fromkeys(COARSE, PUBLIC)
    rules = policy(
        {"district": named, "code": named, "children": FROM_ADMIN2}, dataset={"grain": Grain.ADMIN2}
    )
    evidence = (
        GrainEvidence(Grain.ADMIN2, "codes of districts", "district"),
        GrainEvidence(Grain.SITE, "codes of sites", "code"),
    )
    forms = decided(rules, "district", "code", "children", evidence=evidence).forms
    assert [each.keeps for each in forms] == [("district", "code"), ("district", "children")]


def test_forms_that_change_as_much_come_with_the_fewest_tables_then_the_finest_then_by_name() -> None:
    plain, named = ReleasableForm(("a",), (), ("b",)), ReleasableForm(("b",), (), ("a",))
    fine = ReleasableForm((), (), ("b",), Grain.ADMIN2)
    coarse = ReleasableForm((), (), ("b",), Grain.NATIONAL)
    less = ReleasableForm((), (), ("a", "b"))
    others = [replace(plain, without_tables=each) for each in (("tst/x",), ("tst/x", "tst/y"))]
    expected = (less, plain, named, fine, coarse, *others)
    assert ordered(reversed(expected)) == expected


def test_what_is_secret_only_beside_something_else_need_not_be_dropped_at_collection() -> None:
    rules = policy(
        {"site": PUBLIC, "safety": PUBLIC, "actor": PUBLIC},
        relations=[relation("pair", ["safety"], ["actor"], level=SECRET)],
    )
    beside = decided(rules, "site", "safety", held=[holding("actor")])
    assert beside.level is SECRET
    assert beside.forms == (ReleasableForm(("safety",), (), ("site",)),)
    together = decided(rules, "site", "safety", "actor")
    assert together.forms == (ReleasableForm(("safety",), (), ("site", "actor")),)
    one = policy({"site": PUBLIC, "safety": SECRET, "actor": PUBLIC}, relations=[*rules.relations.values()])
    assert decided(one, "site", "safety", "actor").forms == (
        ReleasableForm(("safety",), ("safety",), ("site", "actor")),
    )


def test_a_denial_says_by_what_grain_the_nearest_form_has_sums() -> None:
    with pytest.raises(GateDenied, match=r"form leaves out 1 columns and keeps 1\.$"):
        gate.approve(decided(counts(), "site", "children"))


# ------------------------------------------------------------------------------------------- pathways


def test_what_is_agreed_is_allowed_and_owes_encryption_method_recipient_and_purpose() -> None:
    decision = decided(policy(), *AGREED, audience=LOW)
    assert (decision.outcome, decision.level, decision.refused) == (ALLOW, CONFIDENTIAL, ())
    assert [each.kind for each in decision.obligations] == ["encrypt", "method", "recipient", "purpose"]
    said = " ".join(each.sentence for each in decision.obligations)
    assert said.startswith("Encrypt it with the recipient's own password, and send the password apart. ")
    assert "Send it by excel-email (partner.yaml:10)." in said
    assert "One message to tst/partner-1, primary of partner" in said
    assert "Only for: Plan services (request.yaml:1)." in said
    assert {
        ("agreement:tst/partner", source("partner.yaml", 1)),
        ("pathway:tst/partner/low", source("partner.yaml", 10)),
        ("request:tst/request", source("request.yaml")),
    } < set(decision.rules)


def test_a_public_extract_is_encrypted_on_a_pathway_all_the_same() -> None:
    decision = decided(policy(shared=["site"]), "site", audience=MEDIUM)
    assert (decision.level, decision.obligations[0].kind) == (PUBLIC, "encrypt")


def test_what_is_not_agreed_is_refused_even_if_public_and_secret_in_any_form() -> None:
    rules = policy({"site": PUBLIC, "children": CONFIDENTIAL, "phone": SECRET, "type": PUBLIC})
    decision = decided(rules, "type", *AGREED, "phone", audience=LOW)
    assert decision.outcome is DENY
    assert refused(decision) == {
        "type": "Not agreed: tst/partner/low does not share indicator type of tst/sites (partner.yaml:10).",
        "phone": "Secret: phone, by site: basis of phone (phone.yaml:7). Secret enters no pathway.",
    }
    assert decision.releasable_form == ReleasableForm(("type", "phone"), ("phone",), AGREED)


def test_secret_is_refused_even_where_an_agreement_lists_it() -> None:
    rules = policy(shared=["site", "phone"])
    decision = decided(rules, "site", "phone", audience=LOW)
    assert (decision.outcome, list(refused(decision))) == (DENY, ["phone"])
    assert decision.releasable_form is None


def test_a_column_that_no_rule_knows_is_refused_too_and_leaves_it_undecided() -> None:
    decision = decided(policy(), *AGREED, "mystery", audience=LOW)
    assert decision.outcome is UNDECIDED
    assert "does not share this column of" in refused(decision)["mystery"]


def test_a_dataset_that_the_pathway_does_not_share_is_refused_whole() -> None:
    shares = pathway(Urgency.LOW, *AGREED).shares
    elsewhere = pathway(Urgency.LOW, shares=(replace(shares[0], dataset="tst/other"),))
    decision = decided(policy(pathways=[elsewhere]), *AGREED, audience=LOW)
    assert (decision.outcome, list(refused(decision)), decision.releasable_form) == (DENY, list(AGREED), None)


@pytest.mark.parametrize("change", [{"indicators": ("site",)}, {"datasets": ("tst/other",)}])
def test_what_the_request_does_not_cover_is_refused_and_no_form_is_whole(change: dict[str, object]) -> None:
    decision = decided(policy(request=change), *AGREED, audience=LOW)
    assert (decision.outcome, decision.releasable_form) == (DENY, None)
    assert "Not asked for: data access request tst/request does not cover" in refused(decision)["children"]


@pytest.mark.parametrize("state", [RequestState.REFUSED, RequestState.REVOKED])
def test_a_request_that_a_person_refused_or_revoked_denies_every_column_and_says_why(
    state: RequestState,
) -> None:
    said_no = {"state": state, "validity": None}
    decision = decided(policy(request=said_no), *AGREED, audience=LOW)
    assert (decision.outcome, decision.forms) == (DENY, ())
    assert set(refused(decision).values()) == {
        f"Data access request tst/request is {state} (request.yaml:1)."
    }
    decision = decided(policy(request={**said_no, "reason": "No plan needs it."}), *AGREED, audience=LOW)
    assert set(refused(decision).values()) == {
        f"Data access request tst/request is {state}, because: No plan needs it (request.yaml:1)."
    }


@pytest.mark.parametrize(
    "change",
    [
        {"state": RequestState.REQUESTED},
        {"state": RequestState.EXPIRED},
        {"validity": None},
        {"decided_on": None},
        {"decided_on": DAY + timedelta(days=1)},
    ],
)
def test_a_request_that_nobody_approved_by_that_day_leaves_it_undecided(change: dict[str, object]) -> None:
    decision = decided(policy(request=change), *AGREED, audience=LOW)
    assert (decision.outcome, gap_kinds(decision)) == (UNDECIDED, ["request-not-approved"])


def test_an_approval_that_ended_is_a_gap_with_its_dates() -> None:
    ended = Validity(YEAR.start, DAY - timedelta(days=1))
    decision = decided(policy(request={"validity": ended}), *AGREED, audience=LOW)
    assert gap_kinds(decision) == ["request-not-valid"]
    assert "not valid on 2026-06-15, only from 2026-01-01 until 2026-06-14" in decision.gaps[0].sentence


def test_an_agreement_that_is_not_in_force_is_a_gap_with_its_dates() -> None:
    future = Validity(DAY + timedelta(days=1), None)
    decision = decided(policy(agreement={"validity": future}), *AGREED, audience=LOW)
    assert gap_kinds(decision) == ["agreement-not-in-force"]
    assert "not in force on 2026-06-15, only from 2026-06-16 until revoked" in decision.gaps[0].sentence


def test_an_approval_counts_from_the_day_on_which_it_was_decided() -> None:
    assert decided(policy(request={"decided_on": DAY}), *AGREED, audience=LOW).outcome is ALLOW
    tomorrow = DAY + timedelta(days=1)
    decision = decided(policy(request={"decided_on": tomorrow}), *AGREED, audience=LOW)
    assert decision.gaps[0].sentence == (
        "Data access request tst/request was not decided by 2026-06-15 but on 2026-06-16 (request.yaml:1): "
        "nothing is sent before that."
    )
    never = decided(policy(request={"decided_on": None}), *AGREED, audience=LOW)
    assert "by 2026-06-15 but on no day (request.yaml:1)" in never.gaps[0].sentence
    asked = decided(policy(request={"state": RequestState.REQUESTED}), *AGREED, audience=LOW)
    assert asked.gaps[0].sentence == (
        "Data access request tst/request is requested, not approved (request.yaml:1): decide it."
    )


SIGNED = {"iom": "tst/iom-1", "partner": "tst/partner-1"}


@pytest.mark.parametrize(
    ("signed", "unsigned"),
    [
        ({}, ["iom", "partner"]),
        ({"partner": "tst/partner-1"}, ["iom"]),
        ({"iom": "tst/iom-1"}, ["partner"]),
        ({"iom": "tst/nobody", "partner": "tst/partner-1"}, ["iom"]),
        ({"iom": "tst/partner-1", "partner": "tst/partner-1"}, ["iom"]),
        ({"iom": "tst/iom-1", "partner": "tst/iom-2"}, ["partner"]),
        ({**SIGNED, "other": "tst/nobody"}, []),
    ],
)
def test_each_side_has_to_sign_through_a_focal_point_of_its_own(
    signed: dict[str, str], unsigned: list[str]
) -> None:
    decision = decided(policy(agreement={"signed": signed}), *AGREED, audience=LOW)
    assert gap_kinds(decision) == ["agreement-not-signed"] * len(unsigned)
    for gap, side in zip(decision.gaps, unsigned, strict=True):
        assert f"lacks the signature of {side} by a focal point in office on 2026-01-01" in gap.sentence


@pytest.mark.parametrize("late", ["iom", "partner"])
def test_whoever_came_into_office_after_the_agreement_began_cannot_have_signed_it(late: str) -> None:
    def signed_by(span: Validity) -> Decision:
        people = [replace(each, in_office=span) if each.id == SIGNED[late] else each for each in PEOPLE]
        return decided(policy(people=people, assessments=[SOUND]), *AGREED, audience=LOW)

    day_after = YEAR.start + timedelta(days=1)
    assert gap_kinds(signed_by(Validity(day_after, None))) == ["agreement-not-signed"]
    assert gap_kinds(signed_by(Validity(YEAR.start, None))) == []
    assert gap_kinds(signed_by(Validity(date(2025, 1, 1), day_after))) == [], "who left since has signed"
    assert gap_kinds(signed_by(Validity(date(2025, 1, 1), date(2025, 12, 31)))) == ["agreement-not-signed"]


SOUND = assessment(coordinator="tst/iom-2")


@pytest.mark.parametrize(
    ("audience", "stage", "kinds"),
    [
        (LOW, Stage.COLLECTED, ["stage-not-reached"]),
        (LOW, Stage.CLEANED, []),
        (LOW, None, ["stage-unknown"]),
        (MEDIUM, None, []),
        (MEDIUM, Stage.COLLECTED, []),
        (MEDIUM, Stage.CLEANED, []),
    ],
)
def test_low_urgency_waits_for_cleaned_data(
    audience: Audience, stage: Stage | None, kinds: list[str]
) -> None:
    decision = decided(policy(), *AGREED, audience=audience, stage=stage)
    assert gap_kinds(decision) == kinds
    said = {
        "stage-not-reached": "this table is only collected (partner.yaml:10): wait until it is cleaned.",
        "stage-unknown": "this table does not say how far its cleaning has come (partner.yaml:10): name its "
        "stage.",
    }
    for gap in decision.gaps:
        assert gap.sentence == f"Pathway tst/partner/low sends what is cleaned, and {said[gap.kind]}"


def test_less_than_agreed_is_a_gap_also_if_only_the_continuation_is_there() -> None:
    rules = policy(columns=[column("site"), column("children", continued_by=["If other"])])
    decision = decided(rules, "site", "children: If other", audience=LOW)
    assert (decision.outcome, gap_kinds(decision)) == (UNDECIDED, ["agreed-indicator-absent"])
    assert "shares indicator children, and the table has no column of it" in decision.gaps[0].sentence


@pytest.mark.parametrize("method", [Method.PORTAL, Method.TELEPHONE])
def test_a_method_without_a_channel_is_a_gap(method: Method) -> None:
    path = pathway(Urgency.LOW, *AGREED, method=method)
    decision = decided(policy(pathways=[path]), *AGREED, audience=LOW)
    assert (decision.outcome, gap_kinds(decision)) == (UNDECIDED, ["no-channel"])
    assert f"asks for {method}" in decision.gaps[0].sentence
    assert decision.gaps[0].sentence.endswith(": agree on document-email or excel-email.")


def test_a_pathway_decision_ends_with_agreement_request_or_office() -> None:
    span = Validity(YEAR.start, date(2026, 8, 1))
    leaving = [replace(each, in_office=span) if each.id == "tst/partner-1" else each for each in PEOPLE]
    for rules in (
        policy(agreement={"validity": span}),
        policy(request={"validity": span}),
        policy(people=leaving),
    ):
        assert decided(rules, *AGREED, audience=LOW).expires == span.until
    sooner = policy(agreement={"validity": span}, assessment={"review_by": date(2026, 7, 20)})
    assert decided(sooner, *AGREED, audience=LOW).expires == date(2026, 7, 20)


def test_a_decision_on_what_never_ends_has_no_end() -> None:
    rules = policy(operation={"validity": Validity(YEAR.start, None)})
    table = replace(classified(rules, "site"), expires=None)
    assert gate.decide(rules, table, EVERYONE, ()).expires is None


def soon(days: int) -> Validity:
    return Validity(YEAR.start, DAY + timedelta(days=days))


@pytest.mark.parametrize(("days", "told"), [(0, True), (30, True), (31, False), (-1, False)])
def test_thirty_days_before_an_end_somebody_is_told(days: int, told: bool) -> None:
    leaving = [replace(each, in_office=soon(days)) if "partner-1" in each.id else each for each in PEOPLE]
    for kind, rules in {
        "agreement-ends": policy(agreement={"validity": soon(days)}),
        "request-ends": policy(request={"validity": soon(days)}),
        "focal-point-leaves": policy(people=leaving),
    }.items():
        [*notices] = decided(rules, *AGREED, audience=LOW).notices
        assert [(each.kind, each.on) for each in notices] == ([(kind, soon(days).until)] if told else [])


def test_notices_say_what_ends_when_and_what_to_do_the_soonest_first() -> None:
    rules = policy(
        agreement={"validity": soon(9)},
        request={"validity": soon(8)},
        people=[replace(each, in_office=soon(7)) if "partner-1" in each.id else each for each in PEOPLE],
        assessment={"review_by": soon(6).until},
    )
    decision = decided(rules, *AGREED, audience=LOW)
    assert [each.kind for each in decision.notices] == [
        "assessment-lapses",
        "focal-point-leaves",
        "request-ends",
        "agreement-ends",
    ]
    office, approval, agreement = (each.sentence for each in decision.notices[1:])
    assert office == (
        "The time in office of focal point tst/partner-1 (tst/partner-1:2) ends on 2026-06-22: partner has "
        "to name a successor in writing."
    )
    assert approval == (
        "The approval of data access request tst/request (request.yaml:1) ends on 2026-06-23: ask for a new "
        "one, or nothing more is sent."
    )
    assert agreement == (
        "Agreement tst/partner (partner.yaml:1) ends on 2026-06-24: sign it again, or nothing more is sent."
    )
    assert [each.kind for each in decided(rules, "site").notices] == ["assessment-lapses"]


def test_what_never_ends_is_not_announced() -> None:
    forever = Validity(YEAR.start, None)
    people = [replace(each, in_office=forever) for each in PEOPLE]
    rules = policy(agreement={"validity": forever}, request={"validity": forever}, people=people)
    assert decided(rules, *AGREED, audience=LOW).notices == ()


# ----------------------------------------------------------------------------------------- recipients


def sent_to(*destination: str, **in_office: Validity) -> list[str]:
    people = [
        *PEOPLE,
        focal_point("tst/partner-3", Role.SECONDARY),
    ]
    named = {f"tst/partner-{key[1:]}": span for key, span in in_office.items()}
    people = [replace(each, in_office=named.get(each.id, each.in_office)) for each in people]
    path = pathway(Urgency.LOW, *AGREED, destination=destination)
    return [each.id for each in gate.recipients(policy(people=people), path, DAY)]


OVER = Validity(YEAR.start, DAY - timedelta(days=1))


def test_each_focal_point_of_the_destination_in_office_gets_a_message_primary_first() -> None:
    assert sent_to("tst/partner-2", "tst/partner-1") == ["tst/partner-1", "tst/partner-2"]
    assert sent_to("tst/partner-3", "tst/partner-2") == ["tst/partner-3", "tst/partner-2"]
    assert sent_to("tst/partner-1", "tst/partner-2", p1=OVER) == ["tst/partner-2"]


def test_the_secondary_in_office_stands_in_where_nobody_of_the_destination_is() -> None:
    assert sent_to("tst/partner-1", p1=OVER) == ["tst/partner-2"]
    assert sent_to("tst/partner-1", p1=OVER, p2=OVER) == ["tst/partner-3"]


def test_nobody_stands_in_from_another_country() -> None:
    """An organization has one list of people; who is named for one country receives nothing of another."""
    elsewhere = replace(PEOPLE[4], id="oth/partner-2")
    people = [each for each in PEOPLE if each.organization != "partner"]
    people += [replace(PEOPLE[3], in_office=OVER), elsewhere]
    path = pathway(Urgency.LOW, "site", destination=("tst/partner-1",))
    assert gate.recipients(policy(people=people), path, DAY) == ()


def test_nobody_in_office_means_nobody_receives_it() -> None:
    gone = [replace(each, in_office=OVER) if "partner" in each.id else each for each in PEOPLE]
    decision = decided(policy(people=gone), *AGREED, audience=LOW)
    assert (decision.outcome, gap_kinds(decision)) == (UNDECIDED, ["no-focal-point"])
    assert "partner has to name a successor in writing" in decision.gaps[0].sentence
    assert sent_to() == []


# -------------------------------------------------------------------------------- audience and approval


def test_an_unknown_agreement_is_a_usage_problem_with_the_nearest_one() -> None:
    with pytest.raises(UsageProblem, match=r"no agreement 'tst/partners': did you mean tst/partner\?"):
        decided(policy(), "site", audience=Audience("tst/partners", Urgency.LOW))


def test_an_agreement_without_that_urgency_or_without_any_named_lists_its_pathways() -> None:
    rules = policy(pathways=[pathway(Urgency.LOW, *AGREED)])
    with pytest.raises(UsageProblem, match=r"has no pathway of medium urgency .*: name tst/partner/low"):
        decided(rules, "site", audience=MEDIUM)
    with pytest.raises(
        UsageProblem, match=r"needs an urgency .*: name tst/partner/low or tst/partner/medium"
    ):
        decided(policy(), "site", audience=Audience(AGREEMENT))


def test_agreement_pathway_and_request_of_an_audience() -> None:
    assert gate.agreement(policy(), LOW).id == AGREEMENT
    assert gate.pathway(policy(), MEDIUM).urgency is Urgency.MEDIUM
    assert gate.request(policy(), LOW).purpose == "Plan services"
    with pytest.raises(UsageProblem, match=r"^The public has no agreement: name one, with its urgency.$"):
        gate.pathway(policy(), EVERYONE)


def test_only_an_allowing_decision_is_approved() -> None:
    decision = decided(policy(), "site")
    assert gate.approve(decision) == Approved(decision)


def test_a_denial_counts_and_names_columns_and_says_what_would_go() -> None:
    levels = {"site": PUBLIC, **dict.fromkeys("abcd", CONFIDENTIAL)}
    with pytest.raises(GateDenied) as error:
        gate.approve(decided(policy(levels, shared=["site"]), *levels))
    assert str(error.value) == (
        "Denied: tst/sites for public, 4 of 5 columns are refused: 'a', 'b', 'c' and 1 more. "
        "The releasable form leaves out 4 columns and keeps 1."
    )


def test_a_denial_says_what_has_to_be_dropped_at_collection_first() -> None:
    with pytest.raises(GateDenied, match=r"nowhere in any form until collection drops 'phone'\.$"):
        gate.approve(decided(policy(), "site", "phone"))


def test_a_denial_says_so_if_there_is_no_form_to_release() -> None:
    with pytest.raises(GateDenied, match=r"\. There is no form of this table that this audience may have\.$"):
        gate.approve(decided(policy(), "children"))


def test_an_undecided_table_is_not_approved_and_three_gaps_are_said() -> None:
    with pytest.raises(Undecided) as error:
        gate.approve(decided(policy(), "site", "p", "q", "r", "s", "t"))
    assert str(error.value).startswith("Undecided: tst/sites for public. No rule knows column 2, '")
    assert "leave it out of the table. No rule knows column 3, '" in str(error.value)
    assert str(error.value).endswith(" And 2 more gaps.")
    assert "'r'" not in str(error.value).replace("column 4, 'r'", "")
    assert "'s'" not in str(error.value)


def test_three_columns_and_three_gaps_are_named_and_none_is_counted() -> None:
    levels = {"site": PUBLIC, **dict.fromkeys("abc", CONFIDENTIAL)}
    with pytest.raises(GateDenied, match=r"are refused: 'a', 'b', 'c'\. The"):
        gate.approve(decided(policy(levels, shared=["site"]), *levels))
    with pytest.raises(Undecided, match=r"leave it out of the table\.$"):
        gate.approve(decided(policy(), "site", "p", "q", "r"))


def test_one_gap_is_said_alone() -> None:
    with pytest.raises(Undecided, match=r"leave it out of the table\.$"):
        gate.approve(decided(policy(), "site", "p", audience=EVERYONE))


def test_a_denial_counts_the_columns_that_have_to_be_dropped_beyond_three() -> None:
    levels = {"site": PUBLIC, **dict.fromkeys("abcde", SECRET)}
    with pytest.raises(GateDenied, match=r"until collection drops 'a', 'b', 'c' and 2 more\.$"):
        gate.approve(decided(policy(levels, shared=["site"]), *levels))


def test_reasons_that_are_sentences_are_cited_without_a_second_full_stop() -> None:
    rules = policy()
    judged = replace(rules.indicators["children"], basis="Judgement by X.")
    rules = replace(rules, indicators={**rules.indicators, "children": judged})
    [refusal] = decided(rules, "site", "children").refused
    assert refusal.why == "Confidential: children, by site: Judgement by X (children.yaml:7)."


# ------------------------------------------------------------------------------------------- clearance


def test_a_clearance_is_for_these_bytes_at_this_path_until_this_day() -> None:
    approved = gate.approve(decided(policy(), "site"))
    assert gate.clearance(approved, "tst/sites/R 2/table.csv", "ab12") == (
        "dtm-sharing clearance v1\n"
        "audience public\n"
        "path tst/sites/R 2/table.csv\n"
        "artefact sha256:ab12\n"
        "policy sha256:00\n"
        "as-of 2026-06-15\n"
        "expires 2026-12-31\n"
    )


def test_a_clearance_of_a_decision_without_an_end_holds_for_its_day_only() -> None:
    decision = replace(decided(policy(), "site"), expires=None)
    assert gate.clearance(Approved(decision), "x", "ab").endswith("expires 2026-06-15\n")


def test_a_path_cannot_add_a_line_to_a_clearance() -> None:
    approved = gate.approve(decided(policy(), "site"))
    with pytest.raises(UsageProblem, match=r"^A public path has an unprintable character"):
        gate.clearance(approved, "x\nexpires 9999-12-31", "ab")
