"""What holds for every policy, table and day: the promises on which the rest of the house relies."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from itertools import chain, combinations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dtm_sharing.model import Audience, Column, Decision, Grain, Level, Outcome, Policy, Relation, Validity
from support.rules import (
    EVERYONE,
    LOW,
    PEOPLE,
    YEAR,
    column,
    decided,
    levels_of,
    policy,
    relation,
    tightening,
)

NAMES = ("a", "b", "c", "d", "e", "f")
OTHER = "If other, please specify"

levels = st.sampled_from(Level)
mostly_public = st.sampled_from([Level.PUBLIC, Level.PUBLIC, Level.PUBLIC, Level.CONFIDENTIAL, Level.SECRET])
orders = st.randoms(use_true_random=False)
every = settings(max_examples=100, deadline=None, derandomize=True)
Case = tuple[dict[str, Any], list[str], Audience]


@st.composite
def relation_lists(draw: st.DrawFn) -> list[Relation]:
    groups = st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=2)
    drawn = draw(st.lists(st.tuples(st.lists(groups, min_size=2, max_size=3), levels), max_size=4))
    return [relation(f"r{n}", *groups, level=level) for n, (groups, level) in enumerate(drawn)]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Arguments of ``policy``, the columns of a table, and an audience.

    One in five has something missing: an indicator without a level, a column that no rule knows, or an
    agreed indicator that is not there. ``a`` has a continuation.
    """
    gaps = draw(st.integers(0, 4)) == 0
    level: st.SearchStrategy[Any] = mostly_public | st.just({}) if gaps else mostly_public
    shared = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=4))
    audience = draw(st.sampled_from([EVERYONE, LOW]))
    more = draw(st.lists(st.sampled_from((*NAMES, f"a: {OTHER}")), unique=True, max_size=5))
    missing = draw(st.sampled_from([["mystery"], []])) if gaps else []
    agreed = [] if gaps or audience == EVERYONE else shared
    table = list(dict.fromkeys([*agreed, *more, *missing]))
    tighter = draw(st.lists(st.tuples(st.sampled_from(NAMES), levels), max_size=1))
    arguments = {
        "levels": {each: draw(level) for each in NAMES},
        "columns": [column(each, continued_by=[OTHER] if each == "a" else []) for each in NAMES],
        "relations": draw(relation_lists()),
        "shared": tuple(shared),
        "operation": {"tightens": tuple(tightening(*each) for each in tighter)},
    }
    return arguments, draw(st.permutations(table)), audience


def allowed(decision: Decision) -> bool:
    return decision.outcome is Outcome.ALLOW


@every
@given(cases(), st.sampled_from((*NAMES, "mystery")))
def test_adding_a_column_never_turns_a_refusal_into_an_approval(case: Case, more: str) -> None:
    drawn, table, audience = case
    made, bigger = policy(**drawn), [*(each for each in table if each != more), more]
    if decided(made, *table, audience=audience).outcome is Outcome.DENY:
        assert not allowed(decided(made, *bigger, audience=audience))
    if table and audience == EVERYONE and not allowed(decided(made, *table)):
        assert not allowed(decided(made, *bigger))


@every
@given(cases(), orders)
def test_neither_the_order_of_columns_nor_of_files_matters(case: Case, order: random.Random) -> None:
    drawn, table, audience = case

    def shuffled(items: Any) -> Any:
        return order.sample(list(items), k=len(items))

    def summary(made: Policy, headers: list[str]) -> Any:
        decision = decided(made, *headers, audience=audience)
        form = decision.releasable_form
        return (
            decision.outcome,
            decision.level,
            levels_of(decision.classification),
            {each.header.key for each in decision.refused},
            sorted(each.kind for each in decision.gaps),
            {each.rule for found in decision.classification.columns for each in found.reasons},
            form and len(form.keeps),
        )

    columns: list[Column] = shuffled(drawn["columns"])
    again = {
        **drawn,
        "levels": dict(shuffled(drawn["levels"].items())),
        "columns": columns,
        "relations": [
            replace(each, groups=tuple(shuffled(each.groups))) for each in shuffled(drawn["relations"])
        ],
        "shared": shuffled(drawn["shared"]),
        "operation": {"tightens": tuple(shuffled(drawn["operation"]["tightens"]))},
    }
    assert summary(policy(**again), shuffled(table)) == summary(policy(**drawn), table)


@every
@given(cases(), st.sampled_from(NAMES), levels, st.booleans())
def test_a_stricter_level_never_allows_more(case: Case, name: str, level: Level, overlay: bool) -> None:
    drawn, table, audience = case
    if overlay:
        stricter = {**drawn, "assessment": {"levels": (tightening(name, level),)}}
    else:
        before = drawn["levels"][name]
        raised = {Grain.SITE: max(level, before)} if before else {}
        stricter = {**drawn, "levels": {**drawn["levels"], name: raised}}
    before_, after = (decided(policy(**each), *table, audience=audience) for each in (drawn, stricter))
    assert allowed(before_) or not allowed(after)
    for key, found in levels_of(before_.classification).items():
        now = levels_of(after.classification)[key]
        assert found is None or now is None or now >= found


spans = st.tuples(st.integers(0, 300), st.integers(0, 365)).map(
    lambda days: Validity(YEAR.start + timedelta(days=days[0]), YEAR.start + timedelta(days=sum(days)))
)


@every
@given(
    st.fixed_dictionaries(dict.fromkeys(("agreement", "request", "operation", "assessed", "office"), spans)),
    st.integers(-10, 700).map(lambda days: YEAR.start + timedelta(days=days)),
)
def test_a_pathway_allows_on_the_days_on_which_everything_is_in_force_and_on_no_other(
    span: dict[str, Validity], day: date
) -> None:
    made = policy(
        people=[
            replace(
                each, in_office=span["office"] if "partner" in each.id else Validity(date(2020, 1, 1), None)
            )
            for each in PEOPLE
        ],
        agreement={"validity": span["agreement"]},
        request={"validity": span["request"]},
        operation={"validity": span["operation"]},
        assessment={"assessed_on": span["assessed"].start, "review_by": span["assessed"].until},
    )
    decision = decided(made, "site", "children", audience=LOW, as_of=day)
    assert allowed(decision) == all(each.covers(day) for each in span.values())
    if allowed(decision):
        assert decision.expires is not None
        assert allowed(decided(made, "site", "children", audience=LOW, as_of=decision.expires))
        next_day = decision.expires + timedelta(days=1)
        assert not allowed(decided(made, "site", "children", audience=LOW, as_of=next_day))


@every
@given(cases())
def test_the_releasable_form_is_allowed_and_no_larger_form_is(case: Case) -> None:
    drawn, table, audience = case
    made = policy(**drawn)
    decision = decided(made, *table, audience=audience)
    form = decision.releasable_form
    smaller = chain.from_iterable(combinations(table, n) for n in range(1, len(table)))
    possible = [kept for kept in smaller if allowed(decided(made, *kept, audience=audience))]
    if decision.outcome is not Outcome.DENY:
        assert form is None
    elif form is None:
        assert not possible
    else:
        assert allowed(decided(made, *form.keeps, audience=audience))
        assert len(form.keeps) == max(len(kept) for kept in possible)
        assert {*form.keeps, *form.leave_out} == set(table)
        assert set(form.drop_at_collection) <= set(form.leave_out)


@every
@given(cases())
def test_secret_is_never_allowed_and_never_kept(case: Case) -> None:
    drawn, table, audience = case
    decision = decided(policy(**drawn), *table, audience=audience)
    found = levels_of(decision.classification)
    secret = {key for key, level in found.items() if level is Level.SECRET}
    assert not (secret and allowed(decision))
    alone = {each for each, level in drawn["levels"].items() if level is Level.SECRET}
    assert decision.releasable_form is None or alone.isdisjoint(decision.releasable_form.keeps)
    assert secret <= {each.header.key for each in decision.refused}


@every
@given(cases(), st.integers(0, 9))
def test_zero_columns_or_zero_rows_never_allow(case: Case, rows: int) -> None:
    drawn, table, audience = case
    made = policy(**drawn)
    assert decided(made, audience=audience, rows=rows).outcome is Outcome.UNDECIDED
    assert decided(made, *table, audience=audience, rows=0).outcome is Outcome.UNDECIDED


@every
@given(cases())
def test_the_same_input_gives_the_same_decision(case: Case) -> None:
    drawn, table, audience = case
    first, second = (decided(policy(**drawn), *table, audience=audience) for _ in range(2))
    assert first == second
    assert len(set(first.rules)) == len(first.rules)
    assert list(first.rules) == sorted(first.rules)


@every
@given(cases())
def test_outcome_gaps_and_refusals_agree(case: Case) -> None:
    drawn, table, audience = case
    decision = decided(policy(**drawn), *table, audience=audience)
    assert (decision.outcome is Outcome.UNDECIDED) == bool(decision.gaps)
    assert allowed(decision) == (not decision.gaps and not decision.refused)
    assert bool(decision.obligations) == (allowed(decision) and audience != EVERYONE)
    assert any(each.kind == "encrypt" for each in decision.obligations) == bool(decision.obligations)
