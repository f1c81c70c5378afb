"""What the gate says of a table beside what is held: sentences, levels, waivers, gaps, tables together."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta

import pytest

from dtm_sharing import classify, gate
from dtm_sharing.errors import GateDenied
from dtm_sharing.model import (
    Classification,
    Decision,
    Grain,
    GrainEvidence,
    Holding,
    Outcome,
    Policy,
    Reason,
    ReleasableForm,
    Validity,
)
from support.rules import (
    CONFIDENTIAL,
    DAY,
    EVERYONE,
    LOW,
    PUBLIC,
    SECRET,
    YEAR,
    classified,
    column,
    dataset,
    decided,
    gap_kinds,
    holding,
    levels_of,
    policy,
    relation,
    source,
    waiver,
)

PAIR = relation("pair", ["safety"], ["actor"])
LEVELS = dict.fromkeys(["site", "safety", "actor"], PUBLIC)
RULES = policy(LEVELS, relations=[PAIR])


def why(decision: Decision, key: str) -> str:
    [reason] = reasons(decision, key)
    return reason.why


def reasons(decision: Decision, key: str) -> list[Reason]:
    [found] = [each for each in decision.classification.columns if each.header.key == key]
    return [each for each in found.reasons if each.rule.startswith("relation:")]


# ------------------------------------------------------------------------------ by way of another table

BY_PLACE = replace(PAIR, level=SECRET, keys=("site", "district"))
PLACES = dict.fromkeys(["site", "district", "zone", "household", "safety", "actor"], PUBLIC)
SITES = {"holder": "partner", "dataset": "tst/sites-by-district"}


@pytest.mark.parametrize(
    ("sites_are", "actors_are"), [("public", "partner"), ("partner", "public"), ("partner", "partner")]
)
def test_an_organization_finds_its_way_through_what_is_public_and_what_it_alone_has(
    sites_are: str, actors_are: str
) -> None:
    held = [holding("site", "district", **{**SITES, "holder": sites_are})]
    held += [holding("district", "actor", holder=actors_are)]
    rules = policy(PLACES, relations=[BY_PLACE])
    assert decided(rules, "site", "safety", held=held).outcome == "deny"


def test_nobody_finds_a_way_through_what_another_organization_has() -> None:
    held = [holding("site", "district", **SITES), holding("district", "actor", holder="another")]
    assert decided(policy(PLACES, relations=[BY_PLACE]), "site", "safety", held=held).outcome == "allow"


def test_a_list_of_places_tells_nothing_to_an_organization_that_has_it_already() -> None:
    rules = policy(PLACES, relations=[BY_PLACE])
    held = [holding("site", "safety"), holding("district", "actor", holder="partner")]
    assert decided(rules, "site", "district", held=held).outcome == "deny"
    held.append(holding("site", "district", **SITES))
    assert decided(rules, "site", "district", held=held).outcome == "allow"


def test_every_way_on_is_followed_and_no_other() -> None:
    """From the table's two keys one way leads on to the zone, the other to the household."""
    keys = ("site", "district", "zone", "household")
    rules = policy(PLACES, relations=[replace(BY_PLACE, keys=keys)])
    ways = [holding("site", "zone", dataset="tst/a"), holding("district", "household", dataset="tst/b")]
    for there in ("zone", "household"):
        held = [*ways, holding(there, "actor")]
        assert decided(rules, "site", "district", "safety", held=held).outcome == "deny"
    held = [ways[0], holding("household", "actor")]
    assert decided(rules, "site", "district", "safety", held=held).outcome == "allow"


def test_a_list_of_places_may_go_without_one_of_its_keys() -> None:
    held = [holding("site", "safety"), holding("district", "actor")]
    levels = {**PLACES, "water": PUBLIC}
    decision = decided(policy(levels, relations=[BY_PLACE]), "water", "site", "district", held=held)
    assert [(each.leave_out, each.keeps) for each in decision.forms] == [(("site",), ("water", "district"))]


# -------------------------------------------------------------------------------- what it stands beside


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"holder": "public"}, "tst/earlier, round 1, which is public since 2026-05-04 (ledger entry 7)"),
        ({"entry": None}, "tst/earlier, round 1, which is to leave with it"),
        ({"entry": 0}, "tst/earlier, round 1, which is public since 2026-05-04 (ledger entry 0)"),
        ({"round": ""}, "tst/earlier, which is public since 2026-05-04 (ledger entry 7)"),
    ],
)
def test_a_reason_names_the_table_its_holder_and_the_ledger_entry(
    change: dict[str, object], sentence: str
) -> None:
    decision = decided(RULES, "site", "safety", held=[holding("actor", **change)])
    assert why(decision, "safety") == f"why of pair (beside actor of {sentence})"
    assert reasons(decision, "safety")[0].source == source("relations.yaml", 3)
    assert (decision.level, levels_of(decision.classification)["site"]) == (CONFIDENTIAL, PUBLIC)
    assert ("relation:pair", source("relations.yaml", 3)) in decision.rules


def test_a_reason_names_the_organization_that_would_read_beside_what_it_holds() -> None:
    rules = policy(LEVELS, relations=[replace(PAIR, level=SECRET)])
    decision = decided(rules, "site", "safety", held=[holding("actor", holder="partner")])
    beside = "tst/earlier, round 1, which partner holds since 2026-05-04 (ledger entry 7)"
    assert why(decision, "safety") == f"why of pair (beside actor of {beside})"


def test_the_first_three_tables_are_named_and_the_others_counted() -> None:
    held = [
        holding("actor", round=str(n), since=date(2026, 5, 1) + timedelta(days=n), entry=n) for n in range(5)
    ]
    named = "; ".join(
        f"actor of tst/earlier, round {n}, which is public since 2026-05-0{n + 1} (ledger entry {n})"
        for n in range(3)
    )
    said = why(decided(RULES, "safety", held=random.Random(3).sample(held, k=5)), "safety")
    assert said == f"why of pair (beside {named}; 2 more tables)"
    assert "more" not in why(decided(RULES, "safety", held=held[:3]), "safety")


def test_a_table_that_went_to_several_focal_points_is_one_table_known_by_its_first_entry() -> None:
    held = [holding("actor", entry=9), holding("actor", entry=8), holding("actor", entry=10)]
    assert why(decided(RULES, "safety", held=held), "safety").count("tst/earlier") == 1
    assert "(ledger entry 8)" in why(decided(RULES, "safety", held=held), "safety")


def test_three_indicators_of_a_table_are_named_and_the_others_counted() -> None:
    many = [f"actor{n}" for n in range(5)]
    rules = policy(dict.fromkeys(["safety", *many], PUBLIC), relations=[relation("pair", ["safety"], many)])
    said = why(decided(rules, "safety", held=[holding(*reversed(many), "safety", "x")]), "safety")
    assert said.startswith("why of pair (beside actor0 and actor1 and actor2 and 2 more of tst/earlier")


def test_columns_of_the_table_are_named_beside_the_tables_that_complete_it() -> None:
    rules = policy(
        dict.fromkeys("abcdefg", PUBLIC), relations=[relation("three", ["a"], ["b", "d", "e", "f"], ["c"])]
    )
    decision = decided(rules, "a", "b", held=[holding("c")])
    assert why(decision, "a").startswith("why of three (beside 'b'; c of tst/earlier, round 1")
    assert why(decision, "b").startswith("why of three (beside 'a'; c of tst/earlier, round 1")
    wide = decided(rules, "a", "b", "d", "e", "f", held=[holding("c")])
    assert why(wide, "a").startswith("why of three (beside 'b', 'd', 'e' and 1 more; c of")


def test_a_column_does_not_stand_beside_a_table_that_says_the_same() -> None:
    rules = policy(dict.fromkeys("abc", PUBLIC), relations=[relation("three", ["a"], ["b"], ["c"])])
    held = [holding("a", dataset="tst/a", entry=1), holding("c", dataset="tst/c", entry=2)]
    decision = decided(rules, "a", "b", held=held)
    assert "tst/a" not in why(decision, "a")
    assert "(beside 'b'; c of tst/c" in why(decision, "a")
    assert "(beside 'a'; a of tst/a" in why(decision, "b")
    assert "; c of tst/c" in why(decision, "b")


def test_exactly_three_of_anything_are_named_and_nothing_is_counted() -> None:
    many = ["x", "y", "z"]
    rules = policy(dict.fromkeys(["safety", *many], PUBLIC), relations=[relation("pair", ["safety"], many)])
    said = why(decided(rules, "safety", held=[holding(*many)]), "safety")
    assert "(beside x and y and z of tst/earlier" in said


def test_tables_that_differ_in_what_other_relations_ask_are_counted_together() -> None:
    rules = policy(
        {**LEVELS, "water": PUBLIC}, relations=[PAIR, relation("other", ["safety"], ["water"], level=PUBLIC)]
    )
    held = [holding("actor", round="1", entry=1), holding("actor", "water", round="2", entry=2)]
    found = {each.rule: each.why for each in reasons(decided(rules, "safety", held=held), "safety")}
    assert "actor of tst/earlier, round 1," in found["relation:pair"]
    assert "actor of tst/earlier, round 2," in found["relation:pair"]
    assert "round 1," not in found["relation:other"]


def test_what_is_to_leave_comes_after_what_was_received_on_the_same_day() -> None:
    held = [holding("actor", entry=None), holding("actor", entry=10**9), holding("actor", round="2", entry=3)]
    said = why(decided(RULES, "safety", held=held), "safety")
    assert said.index("entry 3)") < said.index("entry 1000000000)")
    assert "leave with it" not in said  # it is a table that they have already


def test_a_reason_that_is_a_sentence_is_cited_without_its_full_stop() -> None:
    rules = policy(LEVELS, relations=[replace(PAIR, why="It tells on soldiers. ")])
    assert why(decided(rules, "safety", held=[holding("actor")]), "safety").startswith(
        "It tells on soldiers (beside actor of"
    )


def test_only_full_stops_and_blanks_go_from_the_end_of_what_is_cited() -> None:
    rules = policy(LEVELS, relations=[replace(PAIR, why=" ... nor beside site X. ")])
    said = why(decided(rules, "safety", held=[holding("actor")]), "safety")
    assert said.startswith(" ... nor beside site X (beside actor of ")


def test_what_holds_in_the_table_itself_is_not_said_again() -> None:
    decision = decided(RULES, "safety", "actor", held=[holding("actor")])
    assert why(decision, "safety") == "why of pair (beside 'actor')"


def test_a_relation_raises_and_never_lowers() -> None:
    rules = policy({"safety": SECRET, "actor": PUBLIC}, relations=[PAIR])
    decision = decided(rules, "safety", held=[holding("actor")])
    assert (decision.level, levels_of(decision.classification)) == (SECRET, {"safety": SECRET})
    assert [each.level for each in reasons(decision, "safety")] == [CONFIDENTIAL]
    weak = replace(RULES, relations={"pair": replace(PAIR, level=PUBLIC)})
    assert decided(weak, "safety", held=[holding("actor")]).outcome is Outcome.ALLOW


def test_reasons_come_strictest_first_as_they_do_from_the_classification() -> None:
    rules = policy(LEVELS, relations=[PAIR, relation("other", ["safety"], ["actor"], level=SECRET)])
    [safety] = decided(rules, "safety", held=[holding("actor")]).classification.columns
    assert [each.rule for each in safety.reasons] == [
        "relation:other",
        "relation:pair",
        "indicator:safety@site",
    ]


def test_an_undecided_column_is_raised_to_secret_only() -> None:
    lapsed = {"review_by": DAY - timedelta(days=1)}
    for level, found in ((CONFIDENTIAL, None), (SECRET, SECRET)):
        rules = policy(LEVELS, relations=[replace(PAIR, level=level)], assessment=lapsed)
        decision = decided(rules, "safety", held=[holding("actor")])
        assert (decision.outcome, decision.level) == (Outcome.UNDECIDED, None)
        assert levels_of(decision.classification) == {"safety": found}


def test_a_continuation_is_raised_with_its_question() -> None:
    columns = [column("site"), column("safety", continued_by=["If other"]), column("actor")]
    rules = policy(LEVELS, columns=columns, relations=[PAIR])
    decision = decided(rules, "safety", "safety: If other", held=[holding("actor")])
    assert [each.level for each in decision.classification.columns] == [CONFIDENTIAL, CONFIDENTIAL]


def test_beside_others_a_table_is_judged_by_every_grain_that_it_can_be_summed_up_to() -> None:
    """Which half leaves first, the finer or the coarser one, does not matter."""
    levels = {each: dict.fromkeys(Grain, PUBLIC) for each in LEVELS}
    found = (GrainEvidence(Grain.SITE, "codes of sites"),)

    def outcome(*grains: Grain, at: Grain) -> Outcome:
        pair = replace(PAIR, grains=grains)
        rules = policy(levels, relations=[pair], dataset={"grain": Grain.ADMIN2})
        return decided(rules, "safety", evidence=found, held=[holding("actor", grain=at)]).outcome

    assert outcome(Grain.ADMIN2, Grain.SITE, at=Grain.SITE) is Outcome.DENY
    assert outcome(Grain.ADMIN3, at=Grain.ADMIN3) is Outcome.DENY
    assert outcome(Grain.ADMIN2, at=Grain.ADMIN2) is Outcome.DENY
    assert outcome(Grain.ADMIN1, at=Grain.ADMIN1) is Outcome.DENY
    assert outcome(Grain.ADMIN1, at=Grain.NATIONAL) is Outcome.ALLOW
    assert outcome(Grain.HOUSEHOLD, at=Grain.HOUSEHOLD) is Outcome.ALLOW


def test_sums_are_judged_by_the_grain_that_they_were_made_for() -> None:
    levels = {each: dict.fromkeys(Grain, PUBLIC) for each in LEVELS}
    rules = policy(levels, relations=[PAIR])
    assert decided(rules, "safety", held=[holding("actor")]).outcome is Outcome.DENY
    summed = decided(rules, "safety", held=[holding("actor")], aggregated_to=Grain.ADMIN2)
    assert summed.outcome is Outcome.ALLOW


# ------------------------------------------------------------------------------------------------- waivers


def waived(*held: Holding, table: tuple[str, ...] = ("safety",), **change: object) -> Decision:
    earlier = dataset([column(each) for each in LEVELS], id="tst/earlier")
    signed = waiver("relation:pair", **change)
    rules = policy(LEVELS, relations=[PAIR], waivers=[signed], datasets=[earlier])
    return decided(rules, *table, held=held)


def test_a_waived_relation_says_so_with_its_waiver_which_bounds_the_decision() -> None:
    decision = waived(holding("actor"))
    assert (decision.outcome, decision.level) == (Outcome.ALLOW, PUBLIC)
    [reason] = reasons(decision, "safety")
    assert (reason.level, reason.waiver) == (PUBLIC, "tst/agreed")
    assert reason.why.endswith(
        "(ledger entry 7)); relaxed from Confidential by waiver tst/agreed until 2026-07-31: "
        "the ministry publishes it"
    )
    assert decision.waivers == ("tst/agreed",)
    assert ("waiver:tst/agreed", source("agreed.yaml", 1)) in decision.rules
    assert decision.expires == date(2026, 7, 31)


def test_a_waiver_that_relaxes_beside_what_is_held_is_announced_before_it_ends_and_once() -> None:
    ending = Validity(YEAR.start, DAY + timedelta(days=30))
    decision = waived(holding("actor"), validity=ending)
    assert [(each.kind, each.on) for each in decision.notices] == [("waiver-lapses", ending.until)]
    assert decision.notices[0].sentence == (
        "Waiver tst/agreed (agreed.yaml:1) ends on 2026-07-15: from the next day on the rules that it "
        "relaxes count in full."
    )
    both = waived(holding("actor"), table=("safety", "actor"), validity=ending)
    assert len(both.notices) == 1
    later = Validity(YEAR.start, DAY + timedelta(days=31))
    assert waived(holding("actor"), validity=later).notices == ()
    assert waived(validity=ending).notices == ()


def test_a_waiver_that_had_no_part_is_not_named_and_bounds_nothing() -> None:
    decision = waived()
    assert (decision.waivers, decision.expires) == ((), date(2026, 12, 31))


@pytest.mark.parametrize(
    "change",
    [
        {"relaxes": ("relation:other", "indicator:safety@site")},
        {"level": CONFIDENTIAL},
        {"level": SECRET},
        {"operation": "tst/other"},
        {"signed_on": DAY + timedelta(days=1)},
        {"coordinator": "tst/iom-expert"},  # the same person twice
        {"signed_on": YEAR.start - timedelta(days=1)},  # nobody was in office
        {"validity": Validity(YEAR.start, None)},  # it would never end
        {"validity": Validity(YEAR.start, DAY - timedelta(days=1))},
    ],
)
def test_a_waiver_that_is_not_sound_relaxes_nothing(change: dict[str, object]) -> None:
    signed = replace(waiver("relation:pair"), **change)
    earlier = dataset([column(each) for each in LEVELS], id="tst/earlier")
    rules = policy(LEVELS, relations=[PAIR], waivers=[signed], datasets=[earlier])
    decision = decided(rules, "safety", held=[holding("actor")])
    assert (decision.outcome, decision.waivers) == (Outcome.DENY, ())


def test_no_waiver_relaxes_what_is_secret_together() -> None:
    earlier = dataset([column(each) for each in LEVELS], id="tst/earlier")
    rules = policy(
        LEVELS,
        relations=[replace(PAIR, level=SECRET)],
        waivers=[waiver("relation:pair")],
        datasets=[earlier],
    )
    assert decided(rules, "safety", held=[holding("actor")]).level is SECRET


def test_of_several_waivers_the_strictest_counts_then_the_last_id() -> None:
    pair = replace(PAIR, level=CONFIDENTIAL)
    both = [waiver("relation:pair", id=id_) for id_ in ("tst/b", "tst/a")]
    earlier = dataset([column(each) for each in LEVELS], id="tst/earlier")
    rules = policy(LEVELS, relations=[pair], waivers=both, datasets=[earlier])
    assert decided(rules, "safety", held=[holding("actor")]).waivers == ("tst/b",)


def test_what_is_waived_in_the_table_is_not_waived_beside_another_one() -> None:
    alone = waived(table=("safety", "actor"), datasets=("tst/sites",))
    assert (alone.outcome, alone.waivers) == (Outcome.ALLOW, ("tst/agreed",))
    beside = waived(holding("safety"), table=("safety", "actor"), datasets=("tst/sites",))
    assert (beside.outcome, beside.waivers) == (Outcome.DENY, ("tst/agreed",))
    assert [(each.level, each.waiver) for each in reasons(beside, "actor")] == [
        (CONFIDENTIAL, None),
        (PUBLIC, "tst/agreed"),
    ]
    assert reasons(beside, "actor")[0].why.startswith("why of pair (beside 'safety'; safety of tst/earlier")


def test_a_waiver_is_for_every_table_that_a_relation_is_read_in() -> None:
    """Also for one that adds no group: else the order in which they leave would decide."""
    own = holding("actor", dataset="tst/sites")
    assert waived(own, datasets=("tst/sites",)).outcome is Outcome.ALLOW
    assert waived(own, holding("safety"), datasets=("tst/sites",)).outcome is Outcome.DENY
    assert waived(own, holding("actor"), datasets=("tst/sites",)).outcome is Outcome.DENY


LISTED = dict.fromkeys(("site", "name", "actor", "safety"), PUBLIC)


def by_way_of(*waived: str) -> tuple[Outcome, ...]:
    """Outcomes of three tables, each the last; the lists of sites with their names are the third."""
    tables = {"tst/one": ("site", "safety"), "tst/two": ("name", "actor"), "tst/three": ("site", "name")}
    rules = policy(
        LISTED,
        relations=[replace(PAIR, keys=("site", "name"))],
        waivers=[waiver("relation:pair", datasets=waived)],
        datasets=[dataset([column(one) for one in named], id=id_) for id_, named in tables.items()],
    )
    found = []
    for last, named in tables.items():
        held = [holding(*tables[each], dataset=each) for each in tables if each != last]
        found.append(decided(rules, *named, held=held, of=last).outcome)
    return tuple(found)


def test_a_waiver_is_for_the_table_on_the_way_as_well() -> None:
    assert by_way_of("tst/one", "tst/two") == (Outcome.DENY,) * 3
    assert by_way_of("tst/one", "tst/two", "tst/three") == (Outcome.ALLOW,) * 3


def test_no_waiver_is_needed_for_a_table_on_a_way_that_is_not_needed() -> None:
    tables = {
        id_: dataset([column("site"), column(each)], id=id_)
        for id_, each in (("tst/one", "safety"), ("tst/two", "actor"), ("tst/three", "name"))
    }
    rules = policy(
        LISTED,
        relations=[replace(PAIR, keys=("site", "name"))],
        waivers=[waiver("relation:pair", datasets=("tst/one", "tst/two"))],
        datasets=list(tables.values()),
    )
    held = [holding("site", "actor", dataset="tst/two"), holding("site", "name", dataset="tst/three")]
    decision = decided(rules, "site", "safety", held=held, of="tst/one")
    assert (decision.outcome, decision.waivers) == (Outcome.ALLOW, ("tst/agreed",))


# ------------------------------------------------------------------------------------------------ the gaps


def test_holdings_that_nobody_could_read_are_a_gap_that_names_the_relations() -> None:
    more = [relation(f"r{n}", ["safety"], ["actor"]) for n in range(4)]
    decision = decided(policy(LEVELS, relations=more), "safety", held=None)
    assert gap_kinds(decision) == ["holdings-unknown"]
    assert decision.gaps[0].sentence == (
        "What this audience already holds could not be read, and relation:r0, relation:r1, relation:r2 and 1 "
        "more may hold beside it: decide when the ledger can be read."
    )
    assert decision.forms == ()


def test_a_waived_relation_needs_to_know_what_is_held() -> None:
    signed = waiver("relation:pair", datasets=("tst/sites",))
    rules = policy(LEVELS, relations=[PAIR], waivers=[signed])
    assert gap_kinds(decided(rules, "safety", "actor", held=None)) == ["holdings-unknown"]
    assert gap_kinds(decided(RULES, "safety", "actor", held=None)) == []


@pytest.mark.parametrize(
    ("keys", "kinds"),
    [(("site",), []), (("site", "name"), ["holding-unknown-indicator"])],
    ids=["one key", "two keys"],
)
def test_what_nobody_knows_could_be_a_second_key_whatever_its_grain(
    keys: tuple[str, ...], kinds: list[str]
) -> None:
    """A table too coarse for the relation may lead from one to another, by a key that was renamed since."""
    rules = policy({**LEVELS, "site": PUBLIC, "name": PUBLIC}, relations=[replace(PAIR, keys=keys)])
    decision = decided(rules, "site", "safety", held=[holding("site", "gone", grain=Grain.NATIONAL)])
    assert gap_kinds(decision) == kinds


def test_an_unknown_indicator_is_a_gap_that_names_the_first_table_with_it() -> None:
    held = [
        holding("gone", "actor", entry=9, since=date(2026, 5, 5)),
        holding("gone", entry=8),
        holding("lost", grain=Grain.NATIONAL),
        holding("odd", dataset="oth/earlier"),
    ]
    decision = decided(RULES, "safety", held=held)
    assert gap_kinds(decision) == ["holding-unknown-indicator"]
    assert decision.gaps[0].sentence == (
        "The policy does not declare indicator gone of tst/earlier, round 1, which is public since "
        "2026-05-04 (ledger entry 8), so nobody can say what this table tells beside it: declare the "
        "indicator again, also in each relation that names what is called otherwise now."
    )
    assert gap_kinds(decided(RULES, "site", held=held)) == []
    coarser = policy(LEVELS, relations=[replace(PAIR, grains=(Grain.NATIONAL, Grain.SITE))])
    both = [holding("lost", grain=each, entry=n) for n, each in enumerate((Grain.SITE, Grain.NATIONAL))]
    [gap] = decided(coarser, "safety", held=both).gaps
    assert "(ledger entry 0)" in gap.sentence


# -------------------------------------------------------------------------------- tables that leave together


def two(first: list[str], second: list[str]) -> tuple[Policy, list[Classification]]:
    columns = [column(each) for each in LEVELS]
    rules = policy(LEVELS, relations=[PAIR], datasets=[dataset(columns, id="tst/second")])
    return rules, [classified(rules, *first), classified(rules, *second, of="tst/second", round="7")]


def test_a_table_that_is_to_leave_is_seen_as_one_that_is_held() -> None:
    columns = [column("site", continued_by=["If other"]), column("safety"), column("actor")]
    rules = policy(LEVELS, columns=columns)
    table = classified(rules, "site", "site: If other", "safety", "mystery", round="7")
    assert gate.as_holding(table, LOW) == Holding(
        "tst/sites", "7", Grain.SITE, ("safety", "site"), "tst/partner/low", DAY, None
    )
    assert gate.as_holding(classified(rules, "site"), EVERYONE).round == ""
    assert gate.as_holding(table, EVERYONE).holder == "public"


def test_each_table_is_judged_as_if_the_audience_had_the_others() -> None:
    rules, tables = two(["site", "safety"], ["site", "actor"])
    first, second = gate.decide_together(rules, tables, EVERYONE, (), classify.classify)
    assert why(first, "safety") == (
        "why of pair (beside actor of tst/second, round 7, which is to leave with it)"
    )
    assert why(second, "actor") == "why of pair (beside safety of tst/sites, which is to leave with it)"
    assert first.forms == (
        ReleasableForm((), (), ("site", "safety"), without_tables=("tst/second",)),
        ReleasableForm(("safety",), (), ("site",)),
    )
    assert first.releasable_form == ReleasableForm(("safety",), (), ("site",))
    with pytest.raises(GateDenied, match="releasable form goes without tst/second, leaves out 0 col"):
        gate.approve(first)


def test_tables_that_do_not_complete_a_relation_are_judged_as_if_alone() -> None:
    rules, tables = two(["site", "safety"], ["site"])
    for decision, table in zip(gate.decide_together(rules, tables, EVERYONE, ()), tables, strict=True):
        assert decision == gate.decide(rules, table, EVERYONE, ())


def test_what_the_audience_holds_cannot_stay_behind() -> None:
    rules, tables = two(["site", "safety"], ["site", "actor"])
    first, _ = gate.decide_together(rules, tables, EVERYONE, [holding("actor")], classify.classify)
    assert first.forms == (ReleasableForm(("safety",), (), ("site",)),)


def test_without_the_ledger_tables_that_leave_together_are_undecided_too() -> None:
    rules, tables = two(["site", "safety"], ["site", "actor"])
    for decision in gate.decide_together(rules, tables, EVERYONE, None, classify.classify):
        assert (gap_kinds(decision), decision.forms) == (["holdings-unknown"], ())


def test_another_round_of_the_same_dataset_is_never_asked_to_stay_behind() -> None:
    rules, [table, _] = two(["site", "safety"], [])
    other = classified(rules, "site", "actor", round="2")
    first, _ = gate.decide_together(rules, [table, other], EVERYONE, (), classify.classify)
    assert first.forms == (ReleasableForm(("safety",), (), ("site",)),)


def test_beyond_what_can_be_searched_all_other_tables_stay_behind() -> None:
    names = [f"tst/t{n}" for n in range(7)]
    columns = [column(each) for each in LEVELS]
    rules = policy(LEVELS, relations=[PAIR], datasets=[dataset(columns, id=each) for each in names])
    tables = [classified(rules, "site", "safety"), classified(rules, "actor", of=names[0])]
    tables += [classified(rules, "site", of=each) for each in names[1:]]
    few, *_ = gate.decide_together(rules, tables[:7], EVERYONE, ())
    assert [each.without_tables for each in few.forms] == [("tst/t0",)]
    many, *_ = gate.decide_together(rules, tables, EVERYONE, ())
    assert [each.without_tables for each in many.forms] == [tuple(names)]
    with pytest.raises(GateDenied, match="goes without tst/t0 and tst/t1 and tst/t2 and"):
        gate.approve(many)


def test_no_tables_no_decisions() -> None:
    assert gate.decide_together(RULES, [], EVERYONE, ()) == ()


# -------------------------------------------------------------------------------- what is held, at scale


def test_the_order_of_what_is_held_changes_nothing() -> None:
    held = [
        holding(*("actor", "site")[: 1 + n // 20], dataset=f"tst/{n % 3}", round=str(n % 5), entry=n % 4)
        for n in range(40)
    ]
    decisions = {
        repr(decided(RULES, "site", "safety", held=random.Random(seed).sample(held, k=40)))
        for seed in range(5)
    }
    assert len(decisions) == 1
