"""What the gate answers, what it says, and which form it would release."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from dtm_sharing import gate
from dtm_sharing.errors import GateDenied, Undecided, UsageProblem
from dtm_sharing.model import (
    Approved,
    Audience,
    Decision,
    Method,
    Outcome,
    ReleasableForm,
    RequestState,
    Role,
    Stage,
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
    pathway,
    policy,
    relation,
    source,
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
    decision = gate.decide(policy(digest="sha256:01"), table, EVERYONE)
    assert (decision.outcome, gap_kinds(decision)) == (UNDECIDED, ["other-policy"])


def test_a_dataset_that_the_policy_does_not_declare_is_a_usage_problem() -> None:
    table = replace(classified(policy(), "site"), dataset="tst/site")
    with pytest.raises(UsageProblem, match="did you mean tst/sites"):
        gate.decide(policy(), table, EVERYONE)


@pytest.mark.parametrize("change", [{"columns": ()}, {"rows": 0}, {"level": PUBLIC, "columns": None}])
def test_the_gate_does_not_believe_a_classification_that_says_nothing(change: dict[str, object]) -> None:
    table = classified(policy(), "site")
    if change.get("columns", ()) is None:  # a column without a level, in a table that claims to have one
        change = {**change, "columns": (replace(table.columns[0], level=None),)}
    decision = gate.decide(policy(), replace(table, **change), EVERYONE)
    assert (decision.outcome, gap_kinds(decision)) == (UNDECIDED, ["no-level"])


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
    assert everyone.releasable_form == ReleasableForm(("children",), ("children",), ("village", "site"))


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


# ------------------------------------------------------------------------------------------- pathways


def test_what_is_agreed_is_allowed_and_owes_encryption_method_recipient_and_purpose() -> None:
    decision = decided(policy(), *AGREED, audience=LOW)
    assert (decision.outcome, decision.level, decision.refused) == (ALLOW, CONFIDENTIAL, ())
    assert [each.kind for each in decision.obligations] == ["encrypt", "method", "recipient", "purpose"]
    said = " ".join(each.sentence for each in decision.obligations)
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
def test_a_request_that_a_person_refused_or_revoked_denies_every_column(state: RequestState) -> None:
    decision = decided(policy(request={"state": state, "validity": None}), *AGREED, audience=LOW)
    assert (decision.outcome, decision.releasable_form) == (DENY, None)
    assert set(refused(decision).values()) == {
        f"Data access request tst/request is {state} (request.yaml:1)."
    }


@pytest.mark.parametrize(
    "change",
    [{"state": RequestState.REQUESTED}, {"state": RequestState.EXPIRED}, {"validity": None}],
)
def test_a_request_that_nobody_approved_leaves_it_undecided(change: dict[str, object]) -> None:
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


@pytest.mark.parametrize(
    ("audience", "stage", "kinds"),
    [
        (LOW, Stage.COLLECTED, ["stage-not-reached"]),
        (LOW, Stage.CLEANED, []),
        (LOW, None, []),
        (MEDIUM, Stage.COLLECTED, []),
        (MEDIUM, Stage.CLEANED, []),
    ],
)
def test_low_urgency_waits_for_cleaned_data(
    audience: Audience, stage: Stage | None, kinds: list[str]
) -> None:
    assert gap_kinds(decided(policy(), *AGREED, audience=audience, stage=stage)) == kinds


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


def test_a_pathway_decision_ends_with_agreement_request_or_office() -> None:
    soon = Validity(YEAR.start, date(2026, 7, 1))
    leaving = [replace(each, in_office=soon) if each.id == "tst/partner-1" else each for each in PEOPLE]
    for rules in (
        policy(agreement={"validity": soon}),
        policy(request={"validity": soon}),
        policy(people=leaving),
    ):
        assert decided(rules, *AGREED, audience=LOW).expires == soon.until


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
    with pytest.raises(UsageProblem, match="The public has no agreement"):
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
    with pytest.raises(GateDenied, match=r"no form of this table that this audience may have\.$"):
        gate.approve(decided(policy(), "children"))


def test_an_undecided_table_is_not_approved_and_three_gaps_are_said() -> None:
    with pytest.raises(Undecided) as error:
        gate.approve(decided(policy(), "site", "p", "q", "r", "s", "t"))
    assert str(error.value).startswith("Undecided: tst/sites for public. No rule knows column 2, '")
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
    judged = replace(rules.indicators["children"], basis="Judgement.")
    rules = replace(rules, indicators={**rules.indicators, "children": judged})
    [refusal] = decided(rules, "site", "children").refused
    assert refusal.why == "Confidential: children, by site: Judgement (children.yaml:7)."


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
    with pytest.raises(UsageProblem, match="unprintable character"):
        gate.clearance(approved, "x\nexpires 9999-12-31", "ab")
