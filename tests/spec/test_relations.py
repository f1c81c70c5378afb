"""What the audience already holds counts: DESIGN 3, rule 7, as tables that an expert can read and correct."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from dtm_sharing import classify, gate
from dtm_sharing.model import (
    Audience,
    Classification,
    Decision,
    Grain,
    Holding,
    Level,
    Policy,
    Share,
    Urgency,
)
from support.rules import (
    AGREEMENT,
    LOW,
    PUBLIC,
    SECRET,
    classified,
    column,
    dataset,
    decided,
    gap_kinds,
    holding,
    levels_of,
    pathway,
    policy,
    relation,
    source,
    waiver,
)
from support.tables import Row, name, rows, words

# Feelings of safety x armed actors (soldiers or police): Confidential together, by site and by admin2 area,
# where two tables share the site or the district. Each of them alone is Public.
BESIDE_WHAT_IS_PUBLIC = """
| columns of the table          | already public           | at grain | outcome | raised to Confidential |
|-------------------------------|--------------------------|----------|---------|------------------------|
| site, safety                  | -                        | -        | allow   | -                      |
| site, safety                  | site, soldiers           | site     | deny    | safety                 |
| site, safety                  | site, police, water      | site     | deny    | safety                 |
| site, soldiers                | site, safety             | site     | deny    | soldiers               |
| site, soldiers, police, water | site, safety             | site     | deny    | soldiers, police       |
| district, safety              | site, district, soldiers | site     | deny    | safety                 |
| site, safety                  | site, soldiers           | household | deny   | safety                 |
| site, district, safety        | district, soldiers       | admin2   | deny    | safety                 |
| site, safety                  | site, safety             | site     | allow   | -                      |
| site, soldiers                | site, police             | site     | allow   | -                      |
| site, water                   | site, safety, soldiers   | site     | allow   | -                      |
| site, safety                  | site, water              | site     | allow   | -                      |
| site, safety                  | soldiers                 | site     | allow   | -                      |
| safety                        | site, soldiers           | site     | allow   | -                      |
| site, safety                  | district, soldiers       | site     | allow   | -                      |
| site, safety                  | site, soldiers           | admin1   | allow   | -                      |
| site, safety                  | site, soldiers           | national | allow   | -                      |
| site, safety, soldiers        | -                        | -        | deny    | safety, soldiers       |
"""

# Sex x age x ethnicity: Secret together by site, because three answers point at a person. No key is named,
# so all tables of a country can be put side by side.
THREE_TOGETHER = """
| columns of the table  | one table held | another one held | outcome | raised to Secret      |
|-----------------------|----------------|------------------|---------|-----------------------|
| sex                   | -              | -                | allow   | -                     |
| sex                   | age            | -                | allow   | -                     |
| sex                   | age            | age              | allow   | -                     |
| sex                   | age            | ethnicity        | deny    | sex                   |
| sex                   | age, ethnicity | -                | deny    | sex                   |
| sex, age              | ethnicity      | -                | deny    | sex, age              |
| sex, age              | sex            | -                | allow   | -                     |
| sex, age, ethnicity   | -              | -                | deny    | sex, age, ethnicity   |
"""

# It does not matter in which round it came, and when; what lies in another country does not matter.
WHICH_AND_WHEN = """
| dataset held    | round | since      | outcome |
|-----------------|-------|------------|---------|
| tst/earlier     | 1     | 2026-06-14 | deny    |
| tst/earlier     | 1     | 2026-06-15 | deny    |
| tst/earlier     | 7     | 2019-01-01 | deny    |
| tst/sites       | 1     | 2026-05-04 | deny    |
| tst/never-heard | 1     | 2026-05-04 | deny    |
| oth/earlier     | 1     | 2026-05-04 | allow   |
| oth/sites       | 1     | 2026-05-04 | allow   |
"""

# What everyone gets, each organization gets too, and reads it beside what it alone was sent. Under its
# agreement it may have what is Confidential; what would be Secret nobody may have. Two organizations are not
# taken to read together.
READ_BY_AN_ORGANIZATION = """
| published now | the relation asks for | one organization holds | another one holds | outcome |
|---------------|-----------------------|------------------------|-------------------|---------|
| site, safety  | Confidential          | site, soldiers         | -                 | allow   |
| site, safety  | Secret                | site, soldiers         | -                 | deny    |
| site, safety  | Secret                | site, water            | -                 | allow   |
| site, water   | Secret                | site, soldiers         | site, safety      | allow   |
| site, water   | Secret                | site, soldiers, safety | -                 | allow   |
"""

# Two tables that share no key are joined by a third that has both keys: here a list of sites by district.
BY_WAY_OF_A_THIRD = """
| published now    | held                      | the third table          | outcome |
|------------------|---------------------------|--------------------------|---------|
| site, safety     | district, soldiers        | -                        | allow   |
| site, safety     | district, soldiers        | site, district           | deny    |
| site, safety     | district, soldiers        | site, water              | allow   |
| site, safety     | soldiers                  | site, district           | allow   |
| safety, water    | district, soldiers        | site, district           | allow   |
"""

# It does not matter in which order three tables leave: the last one is refused, be it the list of places.
THE_LAST_OF_THREE = """
| held first             | then                   | the last                 | outcome |
|------------------------|------------------------|--------------------------|---------|
| site, safety           | district, soldiers     | site, district           | deny    |
| site, safety           | site, district         | district, soldiers       | deny    |
| district, soldiers     | site, safety           | site, district           | deny    |
| district, soldiers     | site, district         | site, safety             | deny    |
| site, district         | site, safety           | district, soldiers       | deny    |
| site, district         | district, soldiers     | site, safety             | deny    |
| site, safety           | district, water        | site, district           | allow   |
| site, safety, soldiers | district, water        | site, district           | allow   |
| site, safety           | district, soldiers     | site, water              | allow   |
| site, safety           | district, soldiers     | site, district, water    | deny    |
"""

# A list of places may be coarser than what it puts side by side. Where two are put side by side already, a
# list that brings more to them is refused as well.
A_LIST_OF_PLACES = """
| relation by | held                                               | published now  | by        | outcome |
|-------------|----------------------------------------------------|----------------|-----------|---------|
| site        | site, safety / district, soldiers                  | site, district | site      | deny    |
| household   | site, safety / district, soldiers                  | site, district | site      | deny    |
| household   | site, safety / district, water                     | site, district | site      | allow   |
| household   | site, safety / district, soldiers                  | site, safety   | site      | allow   |
| site        | site, safety / site, soldiers                      | site, district | site      | allow   |
| site        | site, safety / site, soldiers / district, water    | site, district | site      | allow   |
| site        | site, safety / site, soldiers / district, soldiers | site, district | site      | deny    |
"""

# A relation that holds by district. Who has a finer table has the coarser one as well: it only needs to be
# summed up. So it does not matter which of two halves leaves first.
EITHER_ORDER = """
| held               | held by | published now      | by     | outcome |
|--------------------|---------|--------------------|--------|---------|
| district, soldiers | admin2  | district, safety   | admin2 | deny    |
| district, soldiers | site    | district, safety   | admin2 | deny    |
| district, soldiers | admin2  | district, safety   | site   | deny    |
| district, soldiers | site    | district, safety   | site   | deny    |
| district, soldiers | admin1  | district, safety   | site   | allow   |
| district, soldiers | site    | district, safety   | admin1 | allow   |
"""

# Where the ledger cannot be read, only what no relation could raise any further is decided. A table that
# somebody received with an indicator that the policy no longer declares could be anything.
NOT_KNOWN = """
| columns of the table   | held               | outcome   | missing                   |
|------------------------|--------------------|-----------|---------------------------|
| site, water            | cannot be read     | allow     | -                         |
| site, safety           | cannot be read     | undecided | holdings-unknown          |
| site, soldiers         | cannot be read     | undecided | holdings-unknown          |
| site, safety, soldiers | cannot be read     | deny      | -                         |
| site, water            | site, old-question | allow     | -                         |
| site, safety           | site, old-question | undecided | holding-unknown-indicator |
| site, safety           | old-question       | undecided | holding-unknown-indicator |
"""

# A waiver of 2026-06-01 to 2026-07-31 lets the relation count as Public. It has to cover both tables, or what
# is waived for one would let out, in one order, what is refused in the other.
WAIVED = """
| waiver covers          | on         | table held  | outcome | waivers that had a part |
|------------------------|------------|-------------|---------|-------------------------|
| all datasets           | 2026-06-15 | tst/earlier | allow   | tst/agreed              |
| tst/sites, tst/earlier | 2026-06-15 | tst/earlier | allow   | tst/agreed              |
| tst/sites              | 2026-06-15 | tst/earlier | deny    | -                       |
| tst/earlier            | 2026-06-15 | tst/earlier | deny    | -                       |
| tst/sites              | 2026-06-15 | tst/sites   | allow   | tst/agreed              |
| all datasets           | 2026-06-15 | tst/unheard | deny    | -                       |
| all datasets           | 2026-07-31 | tst/earlier | allow   | tst/agreed              |
| all datasets           | 2026-08-01 | tst/earlier | deny    | -                       |
| all datasets           | 2026-05-31 | tst/earlier | deny    | -                       |
"""

ARMED = relation(
    "armed",
    ["safety"],
    ["soldiers", "police"],
    grains=[Grain.SITE, Grain.ADMIN2],
    keys=["site", "district"],
)
LEVELS = dict.fromkeys(["site", "district", "safety", "soldiers", "police", "water"], PUBLIC)
RULES = policy(LEVELS, relations=[ARMED])


def raised(decision: Decision, level: Level) -> list[str]:
    return [key for key, each in levels_of(decision.classification).items() if each is level]


@pytest.mark.parametrize("row", rows(BESIDE_WHAT_IS_PUBLIC), ids=name)
def test_a_table_is_judged_beside_what_the_audience_holds(row: Row) -> None:
    """What is harmless alone is refused to those who could put it beside what they already have."""
    held = []
    if row["already public"]:
        grain = Grain(row["at grain"])
        held = [holding(*words(row["already public"]), holder="public", grain=grain)]
    decision = decided(RULES, *words(row["columns of the table"]), held=held)
    assert decision.outcome == row["outcome"]
    assert raised(decision, Level.CONFIDENTIAL) == words(row["raised to Confidential"])
    assert [each.header.key for each in decision.refused] == words(row["raised to Confidential"])


@pytest.mark.parametrize("row", rows(THREE_TOGETHER), ids=name)
def test_several_tables_can_complete_a_relation(row: Row) -> None:
    """A relation is complete as soon as the audience would have a part of each group, from wherever."""
    rules = policy(
        dict.fromkeys(["sex", "age", "ethnicity"], PUBLIC),
        relations=[relation("person", ["sex"], ["age"], ["ethnicity"], level=SECRET)],
    )
    held = [
        holding(*words(row[which]), dataset=f"tst/{which.split()[0]}")
        for which in ("one table held", "another one held")
        if row[which]
    ]
    decision = decided(rules, *words(row["columns of the table"]), held=held)
    assert decision.outcome == row["outcome"]
    assert raised(decision, SECRET) == words(row["raised to Secret"])


@pytest.mark.parametrize("row", rows(WHICH_AND_WHEN), ids=name)
def test_neither_round_nor_time_matters(row: Row) -> None:
    """What somebody once received, they have: only a recorded recall takes it out of the ledger's answer."""
    held = holding(
        "site",
        "soldiers",
        dataset=row["dataset held"],
        round=row["round"],
        since=date.fromisoformat(row["since"]),
    )
    assert decided(RULES, "site", "safety", held=[held]).outcome == row["outcome"]


@pytest.mark.parametrize("row", rows(READ_BY_AN_ORGANIZATION), ids=name)
def test_what_is_published_is_judged_beside_what_each_organization_was_sent(row: Row) -> None:
    """Nothing is published that would tell an organization, beside what it holds, what is Secret."""
    rules = policy(LEVELS, relations=[replace(ARMED, level=Level[row["the relation asks for"].upper()])])
    held = [
        holding(*words(row[which]), holder=which.split()[0])
        for which in ("one organization holds", "another one holds")
        if row[which]
    ]
    columns = words(row["published now"])
    assert decided(rules, *columns, held=held).outcome == row["outcome"]
    assert decided(rules, *columns, held=list(reversed(held))).outcome == row["outcome"]


@pytest.mark.parametrize("row", rows(BY_WAY_OF_A_THIRD), ids=name)
def test_tables_are_joined_by_way_of_a_third(row: Row) -> None:
    """Two tables belong together as soon as the audience has anything that leads from one to the other."""
    held = [holding(*words(row[which])) for which in ("held", "the third table") if row[which]]
    assert decided(RULES, *words(row["published now"]), held=held).outcome == row["outcome"]


@pytest.mark.parametrize("row", rows(THE_LAST_OF_THREE), ids=name)
def test_the_order_in_which_three_tables_leave_does_not_matter(row: Row) -> None:
    """A table that only leads from one held table to another is what completes the relation."""
    held = [holding(*words(row[which])) for which in ("held first", "then")]
    decision = decided(RULES, *words(row["the last"]), held=held)
    assert decision.outcome == row["outcome"]
    for form in decision.forms:
        assert decided(RULES, *form.keeps, held=held).outcome == "allow"


@pytest.mark.parametrize("row", rows(A_LIST_OF_PLACES), ids=name)
def test_a_list_of_places_is_what_completes_a_relation(row: Row) -> None:
    """A table that only leads from one held table to another is judged by what it puts side by side."""
    finest = Grain(row["relation by"])
    rules = policy(
        {each: dict.fromkeys(Grain, PUBLIC) for each in LEVELS},
        relations=[replace(ARMED, grains=(finest,))],
        dataset={"grain": Grain(row["by"])},
    )
    held = [holding(*words(each), grain=finest) for each in row["held"].split(" / ")]
    assert decided(rules, *words(row["published now"]), held=held).outcome == row["outcome"]


@pytest.mark.parametrize("row", rows(EITHER_ORDER), ids=name)
def test_a_finer_table_counts_as_the_coarser_one_that_it_can_be_summed_up_to(row: Row) -> None:
    """A relation counts at its grains and at every finer one, of the table at hand as of those held."""
    rules = policy(
        {each: dict.fromkeys(Grain, PUBLIC) for each in LEVELS},
        relations=[replace(ARMED, grains=(Grain.ADMIN2,))],
        dataset={"grain": Grain(row["by"])},
    )
    held = [holding(*words(row["held"]), grain=Grain(row["held by"]))]
    assert decided(rules, *words(row["published now"]), held=held).outcome == row["outcome"]


@pytest.mark.parametrize("row", rows(NOT_KNOWN), ids=name)
def test_what_nobody_knows_is_never_allowed(row: Row) -> None:
    """If nobody can say what the audience holds, nothing leaves that could be read together with it."""
    unread = row["held"] == "cannot be read"
    held = None if unread else [holding(*words(row["held"]))]
    decision = decided(RULES, *words(row["columns of the table"]), held=held)
    assert (decision.outcome, gap_kinds(decision)) == (row["outcome"], words(row["missing"]))


@pytest.mark.parametrize("row", rows(WAIVED), ids=name)
def test_a_waiver_covers_all_tables_that_it_lets_be_read_together(row: Row) -> None:
    """A waiver relaxes a relation only between tables that it covers, on its days, and it is named."""
    everything = row["waiver covers"] == "all datasets"
    signed = waiver("relation:armed", datasets=() if everything else tuple(words(row["waiver covers"])))
    columns = [column(each) for each in LEVELS]
    rules = policy(LEVELS, relations=[ARMED], waivers=[signed], datasets=[dataset(columns, id="tst/earlier")])
    held = [holding("site", "soldiers", dataset=row["table held"])]
    decision = decided(rules, "site", "safety", held=held, as_of=date.fromisoformat(row["on"]))
    assert decision.outcome == row["outcome"]
    assert list(decision.waivers) == words(row["waivers that had a part"])


# ------------------------------------------------------------------- the example of the guideline's spirit

X, Y = LOW, Audience("tst/other", Urgency.LOW)
PEOPLE_BY_SITE, GROUPS_BY_SITE = "tst/people", "tst/groups"


def two_partners() -> tuple[Policy, Classification, Classification]:
    """Both may have sex x age by site, and ethnicity by site; together the two are Secret."""
    levels = dict.fromkeys(["site", "sex-and-age", "ethnicity"], PUBLIC)
    shares = (
        Share(PEOPLE_BY_SITE, ("site", "sex-and-age"), source("partner.yaml", 12)),
        Share(GROUPS_BY_SITE, ("site", "ethnicity"), source("partner.yaml", 14)),
    )
    columns = [column(each) for each in levels]
    rules = policy(
        levels,
        datasets=[dataset(columns, id=each) for each in (PEOPLE_BY_SITE, GROUPS_BY_SITE)],
        relations=[relation("person", ["sex-and-age"], ["ethnicity"], level=SECRET, keys=["site"])],
        pathways=[pathway(Urgency.LOW, shares=shares)],
        request={
            "datasets": (PEOPLE_BY_SITE, GROUPS_BY_SITE),
            "indicators": tuple(levels),
        },
    )
    first = rules.agreements[AGREEMENT]
    other = replace(
        first, id="tst/other", pathways=(pathway(Urgency.LOW, shares=shares, id="tst/other/low"),)
    )
    rules = replace(rules, agreements={**rules.agreements, other.id: other})
    may = classified(rules, "site", "sex-and-age", of=PEOPLE_BY_SITE, round="1", as_of=date(2026, 5, 2))
    june = classified(rules, "site", "ethnicity", of=GROUPS_BY_SITE, round="2", as_of=date(2026, 6, 15))
    return rules, may, june


def test_who_got_sex_and_age_in_may_does_not_get_ethnicity_in_june_and_who_did_not_does() -> None:
    """Recipient memory: the same extract is refused to one organization and allowed to another."""
    rules, may, june = two_partners()
    for audience in (X, Y):
        assert gate.decide(rules, may, audience, (), classify.classify).outcome == "allow"
        assert gate.decide(rules, june, audience, (), classify.classify).outcome == "allow"
    sent = replace(gate.as_holding(may, X), holder="partner", entry=17)

    to_x = gate.decide(rules, june, X, [sent], classify.classify)
    assert (to_x.outcome, to_x.level, to_x.forms) == ("deny", SECRET, ())
    [refusal] = to_x.refused
    assert refusal.header.key == "ethnicity"
    assert refusal.why == (
        "Secret: why of person (beside sex-and-age of tst/people, round 1, which partner holds since "
        "2026-05-02 (ledger entry 17)) (relations.yaml:3). Secret enters no pathway."
    )

    to_y = gate.decide(rules, june, Y, (), classify.classify)
    assert (to_y.outcome, to_y.refused) == ("allow", ())


def test_what_went_to_one_organization_does_not_count_for_the_public_until_it_is_public() -> None:
    """The audience is judged by what it has itself; the ledger says what that is."""
    rules, _, june = two_partners()
    assert gate.decide(rules, june, Audience(), ()).outcome == "allow"
    published: Holding = holding("site", "sex-and-age", holder="public", dataset=PEOPLE_BY_SITE)
    for audience in (X, Y, Audience()):
        assert gate.decide(rules, june, audience, [published]).outcome == "deny"


def test_the_order_in_which_two_tables_leave_does_not_matter() -> None:
    """Whichever goes first, the second one is refused."""
    rules, may, june = two_partners()
    for first, second in ((may, june), (june, may)):
        assert gate.decide(rules, second, X, [gate.as_holding(first, X)]).outcome == "deny"
