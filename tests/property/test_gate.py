"""What holds for every policy, table and day: the promises on which the rest of the house relies."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from itertools import chain, combinations
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dtm_sharing import classify, gate
from dtm_sharing.model import (
    Column,
    Decision,
    Grain,
    GrainEvidence,
    Holding,
    Level,
    Outcome,
    Policy,
    Relation,
    ReleasableForm,
    RequestState,
    Validity,
)
from support.rules import (
    EVERYONE,
    LOW,
    MEDIUM,
    PEOPLE,
    YEAR,
    classified,
    column,
    dataset,
    decided,
    holding,
    levels_of,
    overlay,
    policy,
    relation,
    tightening,
    waiver,
)

NAMES = ("a", "b", "c", "d", "e", "f")
OTHER = "If other, please specify"
GRAINS = (Grain.NATIONAL, Grain.ADMIN2, Grain.SITE)

levels = st.sampled_from(Level)
mostly_public = st.sampled_from([Level.PUBLIC, Level.PUBLIC, Level.PUBLIC, Level.CONFIDENTIAL, Level.SECRET])
orders = st.randoms(use_true_random=False)
every = settings(max_examples=100, deadline=None, derandomize=True)
Case = tuple[dict[str, Any], list[str], dict[str, Any]]


@st.composite
def relation_lists(draw: st.DrawFn) -> list[Relation]:
    groups = st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=2)
    together = st.lists(groups, min_size=2, max_size=2) | st.lists(groups, min_size=3, max_size=3)
    keys = st.just([]) | st.lists(st.sampled_from(NAMES), unique=True, max_size=2)
    grains = st.lists(st.sampled_from(GRAINS), unique=True, max_size=1)
    drawn = draw(st.lists(st.tuples(together, levels, keys, grains), min_size=1, max_size=4))
    return [
        relation(f"r{n}", *groups, level=level, keys=keys, grains=[*grains, Grain.SITE])
        for n, (groups, level, keys, grains) in enumerate(drawn)
    ]


@st.composite
def held(draw: st.DrawFn, most: int = 4) -> list[Holding]:
    indicators = st.lists(
        st.sampled_from((*NAMES, *NAMES, *NAMES, *NAMES, "strange")), unique=True, min_size=2, max_size=5
    )
    grains = st.sampled_from([Grain.SITE, Grain.SITE, *GRAINS])
    where = st.sampled_from(["tst/earlier", "tst/sites", "tst/earlier", "oth/far"])
    drawn = draw(st.lists(st.tuples(indicators, grains, where), min_size=1, max_size=most))
    return [
        holding(*names, grain=grain, dataset=where, entry=n) for n, (names, grain, where) in enumerate(drawn)
    ]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Arguments of ``policy``, the columns of a table, and arguments of ``decided``.

    One in five has something missing: an indicator without a level, a column that no rule knows, an agreed
    indicator that is not there, or a ledger that cannot be read. ``a`` has a continuation.
    """
    gaps = draw(st.integers(0, 4)) == 0
    level: st.SearchStrategy[Any] = mostly_public | st.none() if gaps else mostly_public
    shared = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=4))
    audience = draw(st.sampled_from([EVERYONE, LOW]))
    more = draw(st.lists(st.sampled_from((*NAMES, f"a: {OTHER}")), unique=True, min_size=1, max_size=5))
    missing = draw(st.sampled_from([["mystery"], []])) if gaps else []
    agreed = [] if gaps or audience == EVERYONE else shared
    table = list(dict.fromkeys([*agreed, *more, *missing]))
    tighter = draw(st.lists(st.tuples(st.sampled_from(NAMES), levels), max_size=1))
    columns = [column(each, continued_by=[OTHER] if each == "a" else []) for each in NAMES]
    relaxed = draw(st.lists(st.sampled_from(["r0", "r1", "r2"]), unique=True, max_size=2))
    waived = draw(st.sampled_from([(), ("tst/sites",), ("tst/sites", "tst/earlier")]))
    by_grain = {each: draw(level) for each in NAMES}
    arguments = {
        "levels": {
            each: {Grain.SITE: found, **dict.fromkeys(GRAINS[:2], draw(mostly_public))} if found else {}
            for each, found in by_grain.items()
        },
        "columns": columns,
        "datasets": [dataset(columns, id="tst/earlier")],
        "relations": draw(relation_lists()),
        "shared": tuple(shared),
        "overlays": [overlay(*(tightening(*each) for each in tighter))],
        "waivers": [waiver(*(f"relation:{each}" for each in relaxed), datasets=waived)],
        "identifies": draw(st.dictionaries(st.sampled_from(NAMES[:3]), st.sampled_from(GRAINS), max_size=2)),
        "additive": draw(st.lists(st.sampled_from(NAMES[2:]), unique=True)),
    }
    known = {
        "audience": audience,
        "held": None if gaps and draw(st.booleans()) else draw(held()),
    }
    return arguments, draw(st.permutations(table)), known


def allowed(decision: Decision) -> bool:
    return decision.outcome is Outcome.ALLOW


@every
@given(cases(), st.sampled_from((*NAMES, "mystery")))
def test_adding_a_column_never_turns_a_refusal_into_an_approval(case: Case, more: str) -> None:
    drawn, table, known = case
    made, bigger = policy(**drawn), [*(each for each in table if each != more), more]
    if decided(made, *table, **known).outcome is Outcome.DENY:
        assert not allowed(decided(made, *bigger, **known))
    if table and known["audience"] == EVERYONE and not allowed(decided(made, *table)):
        assert not allowed(decided(made, *bigger))


@every
@given(cases(), orders)
def test_neither_the_order_of_columns_nor_of_files_nor_of_holdings_matters(
    case: Case, order: random.Random
) -> None:
    drawn, table, known = case

    def shuffled(items: Any) -> Any:
        return order.sample(list(items), k=len(items))

    def summary(made: Policy, headers: list[str], known: dict[str, Any]) -> Any:
        decision = decided(made, *headers, **known)
        form = decision.releasable_form
        return (
            decision.outcome,
            decision.level,
            levels_of(decision.classification),
            {each.header.key for each in decision.refused},
            sorted(each.kind for each in decision.gaps),
            {each.rule for found in decision.classification.columns for each in found.reasons},
            decision.waivers,
            form and len(form.keeps),
            {(each.aggregate_to, len(each.keeps)) for each in decision.forms},
        )

    columns: list[Column] = shuffled(drawn["columns"])
    again = {
        **drawn,
        "levels": dict(shuffled(drawn["levels"].items())),
        "columns": columns,
        "relations": [
            replace(each, groups=tuple(shuffled(each.groups)), keys=tuple(shuffled(each.keys)))
            for each in shuffled(drawn["relations"])
        ],
        "shared": shuffled(drawn["shared"]),
        "waivers": shuffled(drawn["waivers"]),
    }
    shuffled_held = {**known, "held": known["held"] and shuffled(known["held"])}
    assert summary(policy(**again), shuffled(table), shuffled_held) == summary(policy(**drawn), table, known)


@every
@given(cases(), st.sampled_from(NAMES), levels, st.booleans())
def test_a_stricter_level_never_allows_more(case: Case, name: str, level: Level, assessed: bool) -> None:
    drawn, table, known = case
    if assessed:
        covered = {"datasets": ("tst/sites", "tst/earlier")}
        stricter = {**drawn, "assessment": {**covered, "levels": (tightening(name, level),)}}
    else:
        before = drawn["levels"][name]
        raised = {grain: max(level, each) for grain, each in before.items()}
        stricter = {**drawn, "levels": {**drawn["levels"], name: raised}}
    before_, after = (decided(policy(**each), *table, **known) for each in (drawn, stricter))
    assert allowed(before_) or not allowed(after)
    for key, found in levels_of(before_.classification).items():
        now = levels_of(after.classification)[key]
        assert found is None or now is None or now >= found


@every
@given(cases(), relation_lists(), st.booleans())
def test_another_relation_or_a_waiver_less_never_allows_more(
    case: Case, more: list[Relation], waived: bool
) -> None:
    drawn, table, known = case
    added = [replace(each, id=f"more-{each.id}") for each in more]
    stricter = {**drawn, "relations": [*drawn["relations"], *added]}
    if not waived:
        stricter["waivers"] = []
    if not allowed(decided(policy(**drawn), *table, **known)):
        assert not allowed(decided(policy(**stricter), *table, **known))


@every
@given(cases(), held(most=6), orders)
def test_who_holds_more_is_never_allowed_more(case: Case, more: list[Holding], order: random.Random) -> None:
    drawn, table, known = case
    made, before = policy(**drawn), known["held"] or []
    both = order.sample([*before, *more], k=len(before) + len(more))
    if not allowed(decided(made, *table, **{**known, "held": before})):
        assert not allowed(decided(made, *table, **{**known, "held": both}))
    if allowed(decided(made, *table, **{**known, "held": None})):
        assert allowed(decided(made, *table, **{**known, "held": [each for each in both if declared(each)]}))


def declared(each: Holding) -> bool:
    return "strange" not in each.indicators


@every
@given(cases())
def test_what_was_received_does_not_speak_against_receiving_it_again(case: Case) -> None:
    drawn, table, known = case
    made = policy(**drawn)
    decision = decided(made, *table, **known)
    if allowed(decision):
        again = [*(known["held"] or []), gate.as_holding(decision.classification, known["audience"])]
        if known["held"] is not None:
            assert allowed(decided(made, *table, **{**known, "held": again}))
        assert allowed(decided(made, *table, **known))


@every
@given(cases(), st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
def test_of_two_tables_both_may_leave_together_exactly_if_each_may_after_the_other(
    case: Case, other: list[str]
) -> None:
    drawn, table, known = case
    made = policy(**drawn)
    tables = [classified(made, *table), classified(made, *other)]
    together = gate.decide_together(made, tables, EVERYONE, known["held"], classify.classify)
    assert len(together) == 2
    for at, decision in enumerate(together):
        after = gate.as_holding(tables[1 - at], EVERYONE)
        beside = None if known["held"] is None else [*known["held"], after]
        assert decision == gate.decide(made, tables[at], EVERYONE, beside, classify.classify)


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
    signed = span["office"].start <= span["agreement"].start
    assert allowed(decision) == (signed and all(each.covers(day) for each in span.values()))
    if allowed(decision):
        assert decision.expires is not None
        assert allowed(decided(made, "site", "children", audience=LOW, as_of=decision.expires))
        next_day = decision.expires + timedelta(days=1)
        assert not allowed(decided(made, "site", "children", audience=LOW, as_of=next_day))


@every
@given(
    spans,
    st.sampled_from(["agreement", "request", "operation", "review", "office", "waiver"]),
    st.integers(1, 4000),
)
def test_after_any_end_date_no_path_allows(span: Validity, what: str, days: int) -> None:
    """To neither audience where it concerns both, and at neither urgency."""
    over = span.until + timedelta(days=days) if span.until else YEAR.start
    sound = Validity(date(2020, 1, 1), None)
    ends = Validity(sound.start, span.until)
    partner = ends if what == "office" else sound
    made = policy(
        {"site": Level.PUBLIC, "children": Level.CONFIDENTIAL if what == "waiver" else Level.PUBLIC},
        people=[replace(each, in_office=partner if "partner" in each.id else sound) for each in PEOPLE],
        agreement={"validity": ends if what == "agreement" else sound},
        request={"validity": ends if what == "request" else sound, "decided_on": sound.start},
        operation={"validity": ends if what == "operation" else sound},
        assessment={
            "assessed_on": sound.start,
            "review_by": ends.until if what == "review" else date(2099, 1, 1),
        },
        waivers=[waiver("indicator:children@site", signed_on=sound.start, validity=ends)],
    )
    public = what in {"operation", "review", "waiver"}
    for audience in (EVERYONE, LOW, MEDIUM):
        concerned = public if audience == EVERYONE else what != "waiver"
        assert ends.until is not None
        before, after = (
            decided(made, "site", "children", audience=audience, as_of=day) for day in (ends.until, over)
        )
        assert allowed(before)
        assert allowed(after) != concerned


@every
@given(
    st.fixed_dictionaries(
        {
            "state": st.sampled_from(RequestState),
            "decided_on": st.none() | st.dates(date(2026, 1, 1), date(2026, 12, 31)),
            "validity": st.none() | spans,
        }
    ),
    st.dates(date(2026, 1, 1), date(2026, 12, 31)),
)
def test_only_an_approval_of_that_day_or_earlier_that_still_holds_allows(
    request: dict[str, Any], day: date
) -> None:
    decision = decided(policy(request=request), "site", "children", audience=LOW, as_of=day)
    decided_on, validity = request["decided_on"], request["validity"]
    approved = request["state"] is RequestState.APPROVED and decided_on is not None and decided_on <= day
    assert allowed(decision) == (approved and validity is not None and validity.covers(day))


@every
@given(cases())
def test_the_releasable_form_is_allowed_and_no_larger_form_is(case: Case) -> None:
    """Larger: with all the keys by which it can be joined. That a key goes is no way, see ``forms``."""
    drawn, table, known = case
    made = policy(**drawn)
    decision = decided(made, *table, **known)
    form = decision.releasable_form
    keys = {key for each in drawn["relations"] for key in each.keys}
    smaller = chain.from_iterable(combinations(table, n) for n in range(1, len(table)))
    possible = [kept for kept in smaller if allowed(decided(made, *kept, **known))]
    if decision.outcome is not Outcome.DENY:
        assert form is None
    elif form is None:
        assert keys or known["held"] is None or not possible
    else:
        assert allowed(decided(made, *form.keeps, **known))
        assert {*form.keeps, *form.leave_out} == set(table)
        assert set(form.drop_at_collection) <= set(form.leave_out)
        if not keys and known["held"] is not None:
            assert len(form.keeps) == max(len(kept) for kept in possible)


pieces = st.lists(
    st.builds(
        GrainEvidence,
        st.sampled_from(Grain),
        st.just("the cells say so"),
        st.none() | st.sampled_from(NAMES),
    ),
    max_size=2,
)


@every
@given(cases(), pieces, st.sampled_from([Grain.SITE, Grain.ADMIN2]))
def test_every_form_that_is_named_is_allowed_when_it_is_made(
    case: Case, evidence: list[GrainEvidence], grain: Grain
) -> None:
    drawn, table, known = case
    made = policy(**drawn, dataset={"grain": grain})
    found = tuple(each for each in evidence if each.column is None or each.column in table)
    decision = decided(made, *table, **known, evidence=found)
    for form in decision.forms:
        left = [each for each in found if each.column in form.keeps or not (each.column or form.aggregate_to)]
        made_of = {"evidence": tuple(left), "aggregated_to": form.aggregate_to}
        again = decided(made, *form.keeps, **known, **made_of)
        assert allowed(again)
        assert again.forms == ()
        assert {*form.keeps, *form.leave_out} == set(table)
        assert_sums(form, made, decision)
    assert decision.outcome is Outcome.DENY or not decision.forms
    assert len(set(decision.forms)) == len(decision.forms)


def assert_sums(form: ReleasableForm, made: Policy, decision: Decision) -> None:
    """Only counts are summed up, by a coarser unit that a column tells apart, or by country."""
    if form.aggregate_to is None:
        assert form.by == ()
        return
    columns = {
        each.header.key: made.indicators[str(each.indicator)] for each in decision.classification.columns
    }
    assert form.aggregate_to.depth < decision.classification.grain.depth
    assert all(columns[key].additive for key in form.keeps if key not in form.by)
    assert set(form.keeps) - set(form.by)
    told = {columns[key].identifies for key in form.by}
    assert all(each is not None and each.depth <= form.aggregate_to.depth for each in told)
    assert form.aggregate_to in {*told, Grain.NATIONAL}


@every
@given(cases())
def test_secret_is_never_allowed_and_never_kept(case: Case) -> None:
    drawn, table, known = case
    decision = decided(policy(**drawn), *table, **known)
    found = levels_of(decision.classification)
    secret = {key for key, level in found.items() if level is Level.SECRET}
    assert not (secret and allowed(decision))
    alone = {each for each, level in drawn["levels"].items() if level.get(Grain.SITE) is Level.SECRET}
    assert decision.releasable_form is None or alone.isdisjoint(decision.releasable_form.keeps)
    assert secret <= {each.header.key for each in decision.refused}


@every
@given(cases(), st.integers(0, 9))
def test_zero_columns_or_zero_rows_never_allow(case: Case, rows: int) -> None:
    drawn, table, known = case
    made = policy(**drawn)
    assert decided(made, **known, rows=rows).outcome is Outcome.UNDECIDED
    assert decided(made, *table, **known, rows=0).outcome is Outcome.UNDECIDED


@every
@given(cases())
def test_the_same_input_gives_the_same_decision(case: Case) -> None:
    drawn, table, known = case
    first, second = (decided(policy(**drawn), *table, **known) for _ in range(2))
    assert first == second
    assert len(set(first.rules)) == len(first.rules)
    assert list(first.rules) == sorted(first.rules)


@every
@given(cases())
def test_outcome_gaps_and_refusals_agree(case: Case) -> None:
    drawn, table, known = case
    decision = decided(policy(**drawn), *table, **known)
    assert (decision.outcome is Outcome.UNDECIDED) == bool(decision.gaps)
    assert allowed(decision) == (not decision.gaps and not decision.refused)
    assert bool(decision.obligations) == (allowed(decision) and known["audience"] != EVERYONE)
    assert any(each.kind == "encrypt" for each in decision.obligations) == bool(decision.obligations)
