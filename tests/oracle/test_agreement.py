"""The engine and a brute-force decision written from the guideline agree on thousands of random policies.

``DTM_ORACLE_CASES`` says how many, 3,000 where it is not set: ``DTM_ORACLE_CASES=100000 pytest tests/oracle``
A case that fails names its seed: ``random_policies.case(Random(seed))`` gives it again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtm_sharing import classify, gate
from dtm_sharing.model import Decision, Grain, Holding, Level, TableProfile
from oracle import decision as oracle
from support import random_policies
from support.random_policies import Case

MANY = 3000
CASES = int(os.environ.get("DTM_ORACLE_CASES", MANY))


def engine(case: Case) -> Decision:
    found = classify.classify(case.policy, case.table, case.day)
    return gate.decide(case.policy, found, case.audience, case.held)


def expected(case: Case) -> oracle.Answer:
    return oracle.decide(case.policy, case.table, case.audience, case.held, case.day)


def answer(decision: Decision) -> oracle.Answer:
    """What the engine says, in the oracle's words."""
    found = decision.classification
    return oracle.Answer(
        outcome=decision.outcome.value,
        levels={each.header.key: each.level.name if each.level else None for each in found.columns},
        refused=frozenset(each.header.key for each in decision.refused),
        gaps=frozenset((each.kind, each.column) for each in decision.gaps),
        rules={
            each.header.key: frozenset(
                (reason.rule, reason.level.name, reason.waiver) for reason in each.reasons
            )
            for each in found.columns
        },
        waivers=frozenset(decision.waivers),
        grain=found.grain.value,
        notices=frozenset((each.kind, each.on) for each in decision.notices if each.kind.endswith("-lapses")),
    )


def differences(ours: oracle.Answer, theirs: oracle.Answer) -> list[str]:
    found = []
    for name in ours.__dataclass_fields__:
        one, other = getattr(theirs, name), getattr(ours, name)
        if one == other:
            continue
        if isinstance(one, dict):
            keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
            one, other = {key: one.get(key) for key in keys}, {key: other.get(key) for key in keys}
        elif isinstance(one, frozenset):
            one, other = one - other, other - one
        found.append(f"{name}: the engine says {one}, the oracle {other}")
    return found


# Everything that a policy, a table or an audience can bring; the bulk run must meet each of them this often
# in 3,000 cases, or the agreement says nothing about it.
FEATURES = {
    "public: allow": 60,
    "public: deny": 60,
    "public: undecided": 60,
    "partner: allow": 60,
    "partner: deny": 60,
    "partner: undecided": 60,
    "an overlay raises": 60,
    "an overlay that another builds on raises": 20,
    "an assessment raises": 60,
    "a waiver relaxes": 60,
    "a waiver turns a refusal into an approval": 5,
    "a waiver names a rule that asks for Secret": 5,
    "a waiver whose signer had left": 5,
    "a waiver that is over or not begun": 10,
    "the data are finer than declared": 60,
    "the finer grain changes the outcome": 20,
    "aggregated by us": 30,
    "a relation inside the table": 60,
    "a relation beside what the audience holds": 30,
    "a relation that no key joins": 30,
    "an organization would read it beside what it was sent": 3,
    "two tables joined by way of a third": 5,
    "what the audience holds turns an approval into a refusal": 15,
    "a relation of three groups": 20,
    "Secret although something is missing": 20,
    "a Confidential extract is allowed": 30,
    "a request that was refused or revoked": 30,
    "soon to lapse: assessment-lapses": 30,
    "soon to lapse: waiver-lapses": 5,
    **dict.fromkeys(
        (
            f"gap: {kind}"
            for kind in (
                "no-columns",
                "empty-table",
                "unknown-column",
                "no-level",
                "absent-column",
                "operation-not-valid",
                "no-assessment",
                "lapsed-assessment",
                "assessment-not-made",
                "assessor-not-in-office",
                "context-changed",
                "holdings-unknown",
                "holding-unknown-indicator",
                "agreement-not-in-force",
                "request-not-approved",
                "request-not-valid",
                "stage-not-reached",
                "stage-unknown",
                "agreement-not-signed",
                "no-focal-point",
                "no-channel",
                "agreed-indicator-absent",
            )
        ),
        10,
    ),
}


def features(case: Case, found: oracle.Answer) -> Iterator[str]:
    """What this case exercises. Asked of the oracle: the engine has no say in how well it is examined."""
    policy, who = case.policy, "public" if case.audience.agreement is None else "partner"
    yield f"{who}: {found.outcome}"
    yield from (f"gap: {kind}" for kind, _ in found.gaps)
    yield from (f"soon to lapse: {kind}" for kind, _ in found.notices)
    rules = {rule for each in found.rules.values() for rule, _, _ in each}
    for rule in rules:
        kind, _, rest = rule.partition(":")
        if kind == "overlay":
            yield "an overlay raises"
            if "+" in rest:
                yield "an overlay that another builds on raises"
        elif kind == "assessment":
            yield "an assessment raises"
        elif kind == "relation" and len(policy.relations[rest].groups) > 2:
            yield "a relation of three groups"
    yield from _of_waivers(case, found)
    yield from _of_grain(case, found)
    yield from _of_relations(case, found, rules)
    if found.gaps and "SECRET" in found.levels.values():
        yield "Secret although something is missing"
    if found.outcome == "allow" and "CONFIDENTIAL" in found.levels.values():
        yield "a Confidential extract is allowed"
    if case.audience.agreement is not None:
        request = policy.requests[policy.agreements[case.audience.agreement].request]
        if request.state in ("refused", "revoked"):
            yield "a request that was refused or revoked"


def _of_waivers(case: Case, found: oracle.Answer) -> Iterator[str]:
    policy = case.policy
    if found.waivers:
        yield "a waiver relaxes"
        if found.outcome == "allow" and expected(replace(case, policy=replace(policy, waivers={}))).refused:
            yield "a waiver turns a refusal into an approval"
    mine = [
        each
        for each in policy.waivers.values()
        if each.operation == policy.datasets[case.table.dataset].operation
    ]
    secret = {rule for each in found.rules.values() for rule, level, _ in each if level == "SECRET"}
    if any(secret.intersection(each.relaxes) for each in mine):
        yield "a waiver names a rule that asks for Secret"
    asked = {rule for each in found.rules.values() for rule, _, _ in each}
    idle = [each for each in mine if asked.intersection(each.relaxes) and each.id not in found.waivers]
    for each in idle:
        if not policy.focal_points[each.sectoral_expert].in_office.covers(each.signed_on):
            yield "a waiver whose signer had left"
        elif not each.validity.covers(case.day):
            yield "a waiver that is over or not begun"


def _of_grain(case: Case, found: oracle.Answer) -> Iterator[str]:
    declared = case.table.aggregated_to or case.policy.datasets[case.table.dataset].grain
    if case.table.aggregated_to:
        yield "aggregated by us"
    if found.grain != declared:
        yield "the data are finer than declared"
        if found.outcome != expected(replace(case, table=replace(case.table, evidence=()))).outcome:
            yield "the finer grain changes the outcome"


def _of_relations(case: Case, found: oracle.Answer, rules: set[str]) -> Iterator[str]:
    alone = expected(replace(case, held=()))
    related = {rule for rule in rules if rule.startswith("relation:")}
    inside = {rule for each in alone.rules.values() for rule, _, _ in each if rule.startswith("relation:")}
    if inside:
        yield "a relation inside the table"
    if related - inside:
        yield "a relation beside what the audience holds"
        if alone.outcome == "allow" and found.outcome == "deny":
            yield "what the audience holds turns an approval into a refusal"
    anyhow = {key: replace(each, keys=()) for key, each in case.policy.relations.items()}
    if expected(replace(case, policy=replace(case.policy, relations=anyhow))).rules != found.rules:
        yield "a relation that no key joins"
    if case.audience.agreement is None and case.held is not None:
        public = tuple(each for each in case.held if each.holder == "public")
        if expected(replace(case, held=public)).rules != found.rules:
            yield "an organization would read it beside what it was sent"
    with patch.object(oracle, "keys_in_reach", _direct_keys):
        if expected(case).rules != found.rules:
            yield "two tables joined by way of a third"


def _direct_keys(relation: Any, in_table: set[str], *_: Any) -> set[str]:
    return {each for each in relation.keys if each in in_table}


# --------------------------------------------------------------------------------------------- agreement


def test_engine_and_brute_force_agree_and_nothing_stays_unasked() -> None:
    met: Counter[str] = Counter()
    disagree: list[str] = []
    for seed in range(CASES):
        case = random_policies.case(Random(seed))
        ours = expected(case)
        disagree += [f"seed {seed}: {each}" for each in differences(ours, answer(engine(case)))]
        if len(disagree) > 20:
            break
        met.update(set(features(case, ours)))
    assert not disagree, "\n".join(disagree)
    print("".join(f"\n{number:7d}  {feature}" for feature, number in sorted(met.items())))
    assert met.keys() <= FEATURES.keys(), "a feature that nobody demands could vanish unseen"
    if CASES < MANY:
        return  # of so few, chance decides which features they have
    rare = {each: met[each] for each, least in FEATURES.items() if met[each] < least * CASES // MANY}
    assert not rare, "too rare to prove anything; let random_policies draw them more often"


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False))
def test_engine_and_brute_force_agree_on_what_hypothesis_finds(rng: Random) -> None:
    case = random_policies.case(rng)
    assert differences(expected(case), answer(engine(case))) == []


def test_tables_that_leave_together_are_each_judged_beside_the_others() -> None:
    """The oracle knows nothing of going together: each table is judged as if the audience held the others."""
    raised = 0
    for seed in range(CASES // 6):
        rng = Random(seed)
        case = random_policies.case(rng)
        tables = [case.table]
        for _ in range(rng.randint(1, 2)):
            other = random_policies.profile(rng, case.policy, case.audience)
            if other.dataset not in {each.dataset for each in tables}:
                tables.append(other)
        classified = [classify.classify(case.policy, each, case.day) for each in tables]
        decisions = gate.decide_together(case.policy, classified, case.audience, case.held)
        assert len(decisions) == len(tables)
        for position, table in enumerate(tables):
            beside = tuple(
                held(case, each, found.grain)
                for each, found in zip(
                    tables, (expected(replace(case, table=t)) for t in tables), strict=True
                )
                if each is not tables[position]
            )
            known = None if case.held is None else (*case.held, *beside)
            ours = expected(replace(case, table=table, held=known))
            assert differences(ours, answer(decisions[position])) == [], f"seed {seed}, table {position}"
            raised += ours.rules != expected(replace(case, table=table)).rules
    assert raised >= CASES // 300


def held(case: Case, table: TableProfile, grain: str) -> Holding:
    """The table as something that the audience will have."""
    dataset = case.policy.datasets[table.dataset]
    found = [oracle.indicator_of_header(dataset, each, case.policy) for each in table.headers]
    return Holding(
        dataset=table.dataset,
        round=table.round or "",
        grain=Grain(grain),
        indicators=tuple(each for each in found if each is not None),
        holder="public",
        since=case.day,
        entry=None,
    )


# ------------------------------------------------------------------------------ a comparison that can fail


def _without(*kinds: str) -> Callable[[Case], Case]:
    return lambda case: replace(case, policy=replace(case.policy, **{kind: {} for kind in kinds}))


def _all_secret(case: Case) -> Case:
    indicators = {
        key: replace(each, levels=dict.fromkeys(each.levels, Level.SECRET))
        for key, each in case.policy.indicators.items()
    }
    return replace(case, policy=replace(case.policy, indicators=indicators))


OVERLOOKED: dict[str, Callable[[Case], Case]] = {
    "the day": lambda case: replace(case, day=case.day + timedelta(days=400)),
    "what the audience holds": lambda case: replace(case, held=()),
    "what the data say of the grain": lambda case: replace(case, table=replace(case.table, evidence=())),
    "waivers": _without("waivers"),
    "overlays": _without("overlays"),
    "relations": _without("relations"),
    "assessments": _without("assessments"),
    "levels": _all_secret,
}


@pytest.mark.parametrize("change", OVERLOOKED.values(), ids=OVERLOOKED)
def test_the_comparison_notices_an_engine_that_overlooks(change: Callable[[Case], Case]) -> None:
    cases = [random_policies.case(Random(seed)) for seed in range(200)]
    noticed = [each for each in cases if differences(expected(each), answer(engine(change(each))))]
    assert len(noticed) >= 5
