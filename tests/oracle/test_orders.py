"""Tables that leave one after the other: in whatever order, all of them leave, or never all of them.

Small worlds, so that every order is tried: three tables, three keys, one relation, at grains that differ,
with and without a waiver. In each step the engine and the oracle say the same.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from itertools import permutations
from random import Random

import pytest

from dtm_sharing import classify
from dtm_sharing.model import PUBLIC, Grain, Holding, Level, Policy, Stage, TableProfile
from oracle.test_agreement import answer, differences, engine, expected
from support.random_policies import Case
from support.rules import DAY, column, dataset, holding, policy, relation, waiver

WORLDS = int(os.environ.get("DTM_ORACLE_CASES", "3000")) // 20
KEYS, SAID = ("k1", "k2", "k3"), ("a", "b", "c")
GRAINS = (Grain.ADMIN2, Grain.SITE, Grain.HOUSEHOLD)


@dataclass(frozen=True)
class World:
    policy: Policy
    tables: tuple[tuple[str, tuple[str, ...]], ...]  # dataset, its indicators


def world(rng: Random, *, waived: bool) -> World:
    named = (*KEYS, *SAID)
    tables = tuple((f"tst/d{at}", tuple(rng.sample(named, rng.randint(1, 4)))) for at in range(3))
    datasets = [
        dataset([column(each) for each in there], id=id_, grain=rng.choice(GRAINS), key=there[:1])
        for id_, there in tables
    ]
    groups = [["a"], ["b"], *([["c"]] if rng.random() < 0.4 else [])]
    if rng.random() < 0.2:
        groups[0].append("k1")
    one = relation(
        "r",
        *groups,
        level=Level.CONFIDENTIAL if waived else Level.SECRET,
        keys=rng.sample(KEYS, rng.randint(0, 3)),
        grains=[rng.choice(GRAINS)],
    )
    signed = waiver("relation:r", datasets=tuple(rng.sample([id_ for id_, _ in tables], rng.randint(1, 3))))
    made = policy(
        {each: dict.fromkeys(Grain, Level.PUBLIC) for each in named},
        columns=[column(each) for each in named],
        datasets=datasets,
        relations=[one],
        waivers=[signed] if waived else [],
    )
    return World(made, tables)


def all_leave(of: World, order: tuple[int, ...]) -> bool:
    held: list[Holding] = []
    for at in order:
        id_, there = of.tables[at]
        declared = of.policy.datasets[id_]
        profile = TableProfile(id_, classify.identify(there, declared), 3, Stage.CLEANED)
        case = Case(of.policy, profile, PUBLIC, tuple(held), DAY)
        ours = expected(case)
        assert differences(ours, answer(engine(case))) == []
        if ours.outcome != "allow":
            return False
        held.append(replace(holding(*there), dataset=id_, grain=declared.grain, entry=len(held)))
    return True


@pytest.mark.parametrize("waived", [False, True], ids=["no waiver", "a waiver"])
def test_it_does_not_matter_in_which_order_three_tables_leave(waived: bool) -> None:
    left = 0
    for seed in range(WORLDS):
        of = world(Random(seed), waived=waived)
        found = {order: all_leave(of, order) for order in permutations(range(3))}
        assert len({*found.values()}) == 1, f"seed {seed}: {found}"
        left += all(found.values())
    assert WORLDS // 10 < left < WORLDS
