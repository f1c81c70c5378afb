"""What holds for every policy, table, audience and day: on whole random policies.

``test_gate.py`` looks closely at small shapes. Here everything is there at once: overlays that build on each
other, waivers, assessments, evidence of a finer grain, relations across what is held, agreements. Each
property says how often it was really asked, because a property of nothing always holds. A seed repeats a
case; ``DTM_RULES_CASES`` says how many, 300 where it is not set.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest

from dtm_sharing import classify, gate
from dtm_sharing.model import (
    PUBLIC,
    Classification,
    Decision,
    Grain,
    GrainEvidence,
    Level,
    Outcome,
    Overlay,
    Policy,
    Relation,
    RequestState,
    Source,
    TableProfile,
    Tightening,
    Validity,
)
from support import random_policies
from support.random_policies import Case, headers

CASES = int(os.environ.get("DTM_RULES_CASES", "300"))
HERE = Source("stricter.yaml", 1, 1)


def cases(about: str, count: int = CASES) -> Iterator[tuple[Random, Case]]:
    for seed in range(count):
        rng = Random(f"{about} {seed}")
        yield rng, random_policies.case(rng)


def labelled(case: Case) -> Classification:
    return classify.classify(case.policy, case.table, case.day)


def decided(case: Case, *, forms: bool = False) -> Decision:
    return gate.decide(
        case.policy, labelled(case), case.audience, case.held, classify.classify if forms else None
    )


def allowed(case: Case) -> bool:
    return decided(case).outcome is Outcome.ALLOW


def levels(decision: Decision) -> dict[str, Level | None]:
    return {each.header.key: each.level for each in decision.classification.columns}


def refused(decision: Decision) -> set[str]:
    return {each.header.key for each in decision.refused}


def within(case: Case, **changes: Any) -> Case:
    return replace(case, policy=replace(case.policy, **changes))


# --------------------------------------------------------------------------------------------- stricter


def one(rng: Random, items: Mapping[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """The same with one of them changed."""
    if not items:
        return dict(items)
    chosen = rng.choice(sorted(items))
    return {**items, chosen: change(items[chosen])}


def higher(level: Level) -> Level:
    return Level(min(level + 1, Level.SECRET))


def at_hand(rng: Random, case: Case) -> str:
    """An indicator of the table, so that a change of it matters; any, if the table has none."""
    there = [each.indicator for each in labelled(case).columns if each.indicator]
    return rng.choice(there or sorted(case.policy.indicators))


def level_raised(rng: Random, case: Case) -> Case:
    chosen = case.policy.indicators[at_hand(rng, case)]
    grain = labelled(case).grain if rng.random() < 0.5 else rng.choice(list(Grain))
    levels = {**chosen.levels, **({grain: higher(chosen.levels[grain])} if grain in chosen.levels else {})}
    return within(case, indicators={**case.policy.indicators, chosen.id: replace(chosen, levels=levels)})


def level_taken_away(rng: Random, case: Case) -> Case:
    chosen, gone = case.policy.indicators[at_hand(rng, case)], labelled(case).grain
    levels = {grain: level for grain, level in chosen.levels.items() if grain != gone}
    return within(case, indicators={**case.policy.indicators, chosen.id: replace(chosen, levels=levels)})


def overlay_added(rng: Random, case: Case) -> Case:
    grain = labelled(case).grain if rng.random() < 0.5 else rng.choice(list(Grain))
    tighter = Tightening(at_hand(rng, case), grain, rng.choice(list(Level)), "new", HERE)
    added = Overlay(
        "added", random_policies.COUNTRIES, (), (), Validity(date.min, None), (), (tighter,), "new", HERE
    )
    return within(case, overlays={**case.policy.overlays, "added": added})


def overlay_built_upon(rng: Random, case: Case) -> Case:
    """One that held in another place or time now holds here as well."""
    if not case.policy.overlays:
        return case
    below = (rng.choice(sorted(case.policy.overlays)),)
    added = Overlay(
        "added", random_policies.COUNTRIES, (), (), Validity(date.min, None), below, (), "new", HERE
    )
    return within(case, overlays={**case.policy.overlays, "added": added})


def relation_added(rng: Random, case: Case) -> Case:
    names = rng.sample(random_policies.NAMES, 3)
    level = rng.choice(list(Level))
    added = Relation("added", ((names[0],), tuple(names[1:])), tuple(Grain), level, "new", HERE)
    return within(case, relations={**case.policy.relations, "added": added})


def relation_raised(rng: Random, case: Case) -> Case:
    return within(
        case,
        relations=one(rng, case.policy.relations, lambda each: replace(each, level=higher(each.level))),
    )


def relation_widened(rng: Random, case: Case) -> Case:
    """At every grain, with a further indicator in a group, and whatever key joins the tables."""

    def change(each: Relation) -> Relation:
        more = (*each.groups[0], rng.choice(random_policies.NAMES))
        return replace(each, grains=tuple(Grain), groups=(more, *each.groups[1:]), keys=())

    return within(case, relations=one(rng, case.policy.relations, change))


def waiver_removed(rng: Random, case: Case) -> Case:
    gone = rng.choice(sorted(case.policy.waivers)) if case.policy.waivers else None
    return within(case, waivers={key: each for key, each in case.policy.waivers.items() if key != gone})


def waiver_narrowed(rng: Random, case: Case) -> Case:
    return within(
        case, waivers=one(rng, case.policy.waivers, lambda each: replace(each, relaxes=each.relaxes[1:]))
    )


def tightening_raised(rng: Random, case: Case) -> Case:
    def change(each: Any) -> Any:
        key = "levels" if hasattr(each, "levels") else "tightens"
        return replace(each, **{key: tuple(replace(t, level=higher(t.level)) for t in getattr(each, key))})

    if rng.random() < 0.5:
        return within(case, overlays=one(rng, case.policy.overlays, change))
    return within(case, assessments=one(rng, case.policy.assessments, change))


def shortened(span: Validity) -> Validity:
    end = span.until or span.start + timedelta(days=1000)
    return Validity(span.start, span.start + (end - span.start) / 2)


def date_shortened(rng: Random, case: Case) -> Case:
    """Of anything that has to be in force. An overlay is not: it tightens for as long as it holds."""
    part = rng.choice(("operations", "agreements", "requests", "waivers", "focal_points", "organizations"))
    if part == "requests":
        return within(case, requests={
            key: replace(each, validity=shortened(each.validity) if each.validity else None)
            for key, each in case.policy.requests.items()
        })  # fmt: skip
    if part in ("focal_points", "organizations"):
        people = {
            key: replace(each, in_office=shortened(each.in_office))
            for key, each in case.policy.focal_points.items()
        }
        organizations = {
            key: replace(each, focal_points=tuple(people[person.id] for person in each.focal_points))
            for key, each in case.policy.organizations.items()
        }
        return within(case, focal_points=people, organizations=organizations)
    items: Mapping[str, Any] = getattr(case.policy, part)
    change = {part: one(rng, items, lambda each: replace(each, validity=shortened(each.validity)))}
    return within(case, **change)


def assessment_shortened(_: Random, case: Case) -> Case:
    """All that cover the table: where one of two is left, it is what counts, and it may ask for less."""
    covering = {
        key: replace(each, review_by=each.assessed_on + (each.review_by - each.assessed_on) / 2)
        for key, each in case.policy.assessments.items()
        if case.table.dataset in each.datasets
    }
    return within(case, assessments={**case.policy.assessments, **covering})


def request_refused(rng: Random, case: Case) -> Case:
    state = rng.choice([each for each in RequestState if each is not RequestState.APPROVED])
    approved = {
        key: replace(each, state=state, reason="no")
        for key, each in case.policy.requests.items()
        if each.state is RequestState.APPROVED
    }
    return within(case, requests={**case.policy.requests, **approved})


def request_cut(rng: Random, case: Case) -> Case:
    out = at_hand(rng, case)
    cut = {
        key: replace(each, indicators=tuple(name for name in each.indicators if name != out))
        for key, each in case.policy.requests.items()
    }
    return within(case, requests=cut)


def context_turned(_: Random, case: Case) -> Case:
    """The operation's context, where no overlay asks for a context: all assessments are of another one."""
    if any(each.contexts for each in case.policy.overlays.values()):
        return case
    return within(
        case,
        operations={key: replace(each, context="unheard of") for key, each in case.policy.operations.items()},
    )


STRICTER = (
    level_raised,
    level_taken_away,
    overlay_added,
    overlay_built_upon,
    relation_added,
    relation_raised,
    relation_widened,
    waiver_removed,
    waiver_narrowed,
    tightening_raised,
    date_shortened,
    assessment_shortened,
    request_refused,
    request_cut,
    context_turned,
)


@pytest.mark.parametrize("change", STRICTER, ids=lambda each: each.__name__)
def test_a_stricter_policy_never_allows_more(change: Callable[[Random, Case], Case]) -> None:
    stopped = 0
    for rng, case in cases(change.__name__):
        stricter = change(rng, case)
        before, after = decided(case), decided(stricter)
        assert not (after.outcome is Outcome.ALLOW and before.outcome is not Outcome.ALLOW)
        assert refused(before) <= refused(after) | {
            key for key, level in levels(after).items() if level is None
        }
        for key, level in levels(after).items():
            was = levels(before)[key]
            assert level is None or was is None or level >= was
        stopped += before.outcome is Outcome.ALLOW and after.outcome is not Outcome.ALLOW
    rare = (relation_raised, waiver_removed, waiver_narrowed, tightening_raised, overlay_built_upon)
    assert stopped or change in rare or CASES < 300, "no approval was ever stopped by this"


# ------------------------------------------------------------------------------ more columns, more evidence


def test_a_column_more_never_turns_a_refusal_into_an_approval() -> None:
    asked = 0
    for rng, case in cases("columns"):
        declared = case.policy.datasets[case.table.dataset]
        there = {each.key for each in case.table.headers}
        more = [each.name for each in declared.columns if each.name not in there] or [random_policies.UNKNOWN]
        keys = [(each.name, each.question) for each in case.table.headers]
        keys.insert(rng.randint(0, len(keys)), (rng.choice(more), None))
        wider = replace(case, table=replace(case.table, headers=headers(keys), whole=False))
        part = replace(case, table=replace(case.table, whole=False))
        before = decided(part)
        nothing_asked = case.audience == PUBLIC and bool(there)
        if before.outcome is Outcome.DENY or (nothing_asked and before.outcome is Outcome.UNDECIDED):
            assert not allowed(wider)
            asked += 1
    assert asked >= CASES // 6


def test_what_the_data_say_of_the_grain_never_allows_more() -> None:
    finer = 0
    for rng, case in cases("evidence"):
        found = GrainEvidence(rng.choice(list(Grain)), "found")
        more = replace(case, table=replace(case.table, evidence=(*case.table.evidence, found)))
        before, after = decided(case), decided(more)
        if "no-level" in {each.kind for each in before.gaps}:
            continue  # nobody said what it is by the declared grain, which it turned out not to be
        assert after.outcome is not Outcome.ALLOW or before.outcome is Outcome.ALLOW
        for key, level in levels(after).items():
            was = levels(before)[key]
            assert level is None or was is None or level >= was
        finer += before.classification.grain != after.classification.grain
    assert finer >= CASES // 10


# ------------------------------------------------------------------------------------------------------ order


def shuffled(rng: Random, value: Any) -> Any:
    """The same with everything in another order in which order says nothing."""
    if isinstance(value, dict):
        return {key: value[key] for key in rng.sample(list(value), len(value))}
    return tuple(rng.sample(value, len(value)))


def reordered(rng: Random, made: Policy) -> Policy:
    def each(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
        return {
            key: replace(value, **{name: shuffled(rng, getattr(value, name)) for name in names})
            for key, value in shuffled(rng, dict(values)).items()
        }

    return replace(
        made,
        indicators=each(made.indicators, "levels", "names"),
        relations=each(made.relations, "groups", "grains", "keys"),
        operations=each(made.operations),
        datasets=each(made.datasets, "columns", "drop_at_collection"),
        assessments=each(made.assessments, "datasets", "levels"),
        organizations=each(made.organizations),
        focal_points=each(made.focal_points),
        requests=each(made.requests, "datasets", "indicators"),
        agreements=each(made.agreements, "pathways"),
        overlays=each(made.overlays, "countries", "operations", "contexts", "builds_on", "tightens"),
        waivers=each(made.waivers, "datasets", "relaxes"),
    )


def summary(decision: Decision) -> Any:
    return (
        decision.outcome,
        levels(decision),
        {each.header.key: set(each.reasons) for each in decision.classification.columns},
        refused(decision),
        {(each.kind, each.column) for each in decision.gaps},
        decision.rules,
        decision.waivers,
        decision.expires,
        {(each.kind, each.on) for each in decision.notices},
        [each.kind for each in decision.obligations],
        sorted(len(each.keeps) for each in decision.forms if each.aggregate_to is None),
    )


def test_neither_the_order_of_files_nor_of_anything_in_them_nor_of_columns_matters() -> None:
    forms = 0
    for rng, case in cases("order"):
        columns = shuffled(rng, case.table.headers)
        again = replace(
            case,
            policy=reordered(rng, case.policy),
            table=replace(
                case.table,
                headers=tuple(replace(each, position=n) for n, each in enumerate(columns, 1)),
                evidence=shuffled(rng, case.table.evidence),
            ),
            held=None if case.held is None else shuffled(rng, case.held),
        )
        one_way, other = decided(case, forms=True), decided(again, forms=True)
        assert plain(summary(one_way)) == plain(summary(other))
        forms += bool(one_way.forms)
    assert forms >= CASES // 30


def plain(found: Any) -> Any:
    """Without sentences: they name the columns that stand first. So do forms, of equally small changes."""
    outcome, level, reasons, *rest = found
    rules = {key: {(each.rule, each.level, each.waiver) for each in why} for key, why in reasons.items()}
    return outcome, level, rules, *rest


# ------------------------------------------------------------------------------------------------------- time


@dataclass(frozen=True)
class End:
    what: str
    last: date


def ends(case: Case) -> Iterator[End]:
    """The days after which, for each reason by itself, no path may allow this table for this audience."""
    made, dataset = case.policy, case.policy.datasets[case.table.dataset]
    covering = [each.review_by for each in made.assessments.values() if dataset.id in each.datasets]
    if covering:
        yield End("assessment", max(covering))
    operation = made.operations[dataset.operation]
    if operation.validity.until:
        yield End("operation", operation.validity.until)
    if case.audience.agreement is None:
        return
    agreement = made.agreements[case.audience.agreement]
    if agreement.validity.until:
        yield End("agreement", agreement.validity.until)
    validity = made.requests[agreement.request].validity
    if validity and validity.until:
        yield End("request", validity.until)
    people = [each.in_office for each in made.organizations[agreement.organization].focal_points]
    if all(each.until for each in people):
        yield End("office", max(each.until for each in people if each.until))


def test_after_any_end_no_path_allows() -> None:
    asked: dict[str, int] = {}
    for rng, case in cases("ends", CASES * 2):
        was = allowed(case)
        for end in ends(case):
            for after in (1, 2, 30, rng.randint(1, 5000)):
                later = replace(case, day=end.last + timedelta(days=after))
                assert not allowed(later), f"{end.what} ended on {end.last}, and {later.day} allows"
            asked[end.what] = asked.get(end.what, 0) + was
    assert asked.keys() == {"assessment", "operation", "agreement", "request", "office"}
    assert all(number >= CASES // 60 for number in asked.values()), asked


def stricter_later(rng: Random, case: Case) -> Case:
    """With an overlay, or an assessment, that begins some days later and says more of a column."""
    begins, grain = case.day + timedelta(days=rng.randint(1, 60)), labelled(case).grain
    tighter = (Tightening(at_hand(rng, case), grain, Level.SECRET, "new", HERE),)
    covering = [each for each in case.policy.assessments.values() if case.table.dataset in each.datasets]
    if covering and rng.random() < 0.5:
        later = replace(
            covering[0],
            id="later",
            assessed_on=begins,
            review_by=begins + timedelta(days=300),
            levels=tighter,
        )
        return within(case, assessments={**case.policy.assessments, "later": later})
    places = random_policies.COUNTRIES
    added = Overlay("later", places, (), (), Validity(begins, None), (), tighter, "new", HERE)
    return within(case, overlays={**case.policy.overlays, "later": added})


def turning_days(case: Case) -> set[date]:
    """Every day on which anything in the policy begins or ends, and the next."""
    made = case.policy
    spans = [each.validity for each in (*made.overlays.values(), *made.waivers.values())]
    spans += [each.validity for each in (*made.operations.values(), *made.agreements.values())]
    spans += [each.validity for each in made.requests.values() if each.validity]
    spans += [each.in_office for each in made.focal_points.values()]
    spans += [Validity(each.assessed_on, each.review_by) for each in made.assessments.values()]
    days = {day for span in spans for day in (span.start, span.until) if day}
    return days | {day + timedelta(days=1) for day in days}


def test_a_decision_holds_until_the_day_that_it_names_and_never_without_end() -> None:
    """A clearance is good until ``expires``: until then the same question must have the same answer."""
    asked = 0
    for rng, drawn in cases("expires", CASES * 2):
        case = stricter_later(rng, drawn)
        decision = decided(case)
        if decision.outcome is not Outcome.ALLOW:
            continue
        assert decision.expires is not None
        assert decision.expires >= case.day
        between = {day for day in turning_days(case) if case.day < day <= decision.expires}
        # Not earlier than need be either: on that day something ends, or on the next something begins.
        assert {decision.expires, decision.expires + timedelta(days=1)} & turning_days(case)
        for day in sorted({*between, decision.expires}):
            assert allowed(replace(case, day=day)), f"allowed until {decision.expires}, and not on {day}"
        asked += 1
    assert asked >= CASES // 15


def test_after_the_end_of_a_waiver_it_is_as_if_there_were_none() -> None:
    used = 0
    for _, case in cases("waivers", CASES * 2):
        decision = decided(case)
        for each in decision.waivers:
            until = case.policy.waivers[each].validity.until
            assert until is not None
            later = replace(case, day=until + timedelta(days=1))
            others = {key: waiver for key, waiver in case.policy.waivers.items() if key != each}
            assert levels(decided(later)) == levels(decided(within(later, waivers=others)))
            assert each not in decided(later).waivers
            used += 1
    assert used >= CASES // 30


# ------------------------------------------------------------------------------------------- what is held


def test_more_holdings_never_allow_more_and_a_recall_never_refuses_more() -> None:
    raised = 0
    for rng, case in cases("held", CASES * 2):
        if not case.held:
            continue
        recalled = rng.randrange(len(case.held))
        fewer = replace(case, held=case.held[:recalled] + case.held[recalled + 1 :])
        more, less = decided(case), decided(fewer)
        assert more.outcome is not Outcome.ALLOW or less.outcome is Outcome.ALLOW
        assert refused(less) <= refused(more)
        assert {each.kind for each in less.gaps} <= {each.kind for each in more.gaps}
        for key, level in levels(less).items():
            now = levels(more)[key]
            assert (level is None) == (now is None) or now is Level.SECRET
            assert level is None or now is None or now >= level
        raised += levels(less) != levels(more)
    assert raised >= CASES // 60


def test_what_nobody_could_read_never_allows_more_than_what_was_read() -> None:
    asked = 0
    for rng, case in cases("unread"):
        unread = replace(case, held=None)
        if allowed(unread):
            for _ in range(5):
                entry = random_policies.holding(rng, case.policy, case.table, case.day, 1)
                known = tuple(
                    each
                    for each in (*(case.held or ()), entry)
                    if set(each.indicators) <= set(case.policy.indicators)
                )
                assert allowed(replace(case, held=known))
            asked += 1
    assert asked >= CASES // 60


# --------------------------------------------------------------------------------- what is allowed, again


def test_what_is_allowed_is_allowed_again_also_to_those_who_have_it_already() -> None:
    asked = 0
    for _, case in cases("again", CASES * 2):
        decision = decided(case)
        if decision.outcome is not Outcome.ALLOW:
            continue
        assert decided(case) == decision
        assert case.held is not None or decision.audience
        mine = gate.as_holding(decision.classification, case.audience)
        if case.held is not None:
            assert allowed(replace(case, held=(*case.held, mine)))
        asked += 1
    assert asked >= CASES // 15


def formed(case: Case, decision: Decision, form: Any) -> TableProfile:
    """The table that a form would be: what the pipeline hands to the engine once the columns are gone."""
    kept = [each for each in case.table.headers if each.key in form.keeps]
    evidence = tuple(
        each
        for each in case.table.evidence
        if each.column in form.keeps or (each.column is None and form.aggregate_to is None)
    )
    return replace(
        case.table,
        headers=tuple(kept),
        evidence=evidence,
        whole=False,
        aggregated_to=form.aggregate_to or decision.classification.aggregated_to,
    )


def test_every_form_that_is_named_is_allowed() -> None:
    columns = sums = 0
    for _, case in cases("forms", CASES * 2):
        decision = decided(case, forms=True)
        assert not decision.forms or decision.outcome is Outcome.DENY
        for form in decision.forms:
            keys = {each.key for each in case.table.headers}
            assert {*form.keeps, *form.leave_out} == keys
            assert not set(form.keeps) & set(form.leave_out)
            assert set(form.drop_at_collection) <= set(form.leave_out)
            assert set(form.by) <= set(form.keeps)
            assert allowed(replace(case, table=formed(case, decision, form)))
            columns += form.aggregate_to is None
            sums += form.aggregate_to is not None
        assert len(set(decision.forms)) == len(decision.forms)
    assert columns >= CASES // 20
    assert sums >= CASES // 60


def test_where_no_form_of_fewer_columns_is_named_there_is_none() -> None:
    """Every smaller table is tried: there are few columns, and each is in or out."""
    asked = 0
    for _, case in cases("no form"):
        decision = decided(case, forms=True)
        keys = [each.key for each in case.table.headers]
        if decision.outcome is not Outcome.DENY or len(keys) > 6:
            continue
        possible = 0
        for bits in range(1, 2 ** len(keys) - 1):
            kept = {key for at, key in enumerate(keys) if bits >> at & 1}
            smaller = replace(
                case,
                table=replace(
                    case.table,
                    headers=tuple(each for each in case.table.headers if each.key in kept),
                    evidence=tuple(
                        each for each in case.table.evidence if not each.column or each.column in kept
                    ),
                    whole=False,
                ),
            )
            if allowed(smaller):
                possible = max(possible, len(kept))
        plain_forms = [len(each.keeps) for each in decision.forms if each.aggregate_to is None]
        assert max(plain_forms, default=0) == possible
        asked += 1
    assert asked >= CASES // 20


def test_tables_that_leave_together_leave_also_one_after_the_other() -> None:
    """If all are allowed together, then so is each once the audience has those that went before."""
    asked = 0
    for rng, case in cases("together", CASES * 2):
        other = random_policies.profile(rng, case.policy, case.audience)
        if case.held is None or other.dataset == case.table.dataset:
            continue
        both = [labelled(case), labelled(replace(case, table=other))]
        decisions = gate.decide_together(case.policy, both, case.audience, case.held)
        if any(each.outcome is not Outcome.ALLOW for each in decisions):
            continue
        for first, then in (both, reversed(both)):
            assert gate.decide(case.policy, first, case.audience, case.held).outcome is Outcome.ALLOW
            held = (*case.held, gate.as_holding(first, case.audience))
            assert gate.decide(case.policy, then, case.audience, held).outcome is Outcome.ALLOW
        asked += 1
    assert asked >= CASES // 60
