"""Which level a column has: DESIGN 3, rules 1 to 7, as tables that an expert can read and correct."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pandas as pd
import pytest

from dtm_sharing.detect import grain_evidence
from dtm_sharing.model import Grain, GrainEvidence, Level, Validity
from support.rules import (
    DATASET,
    PEOPLE,
    YEAR,
    assessment,
    classified,
    dataset,
    gap_kinds,
    levels_of,
    overlay,
    policy,
    relation,
    tightening,
    waiver,
)
from support.tables import Row, name, rows, words

# A protection indicator, as Table A has it: children without parents.
BY_GRAIN = """
| grain      | declared for that grain | level        |
|------------|-------------------------|--------------|
| national   | Public                  | Public       |
| admin1     | Confidential            | Confidential |
| admin3     | Confidential            | Confidential |
| site       | Confidential            | Confidential |
| household  | Secret                  | Secret       |
| individual | Secret                  | Secret       |
| incident   | Secret                  | Secret       |
| admin2     | -                       | undecided    |
"""

# Base level x what an overlay and the assessment say of it.
STRICTEST = """
| base         | overlay      | assessment   | level        |
|--------------|--------------|--------------|--------------|
| Public       | -            | -            | Public       |
| Public       | Confidential | -            | Confidential |
| Public       | -            | Confidential | Confidential |
| Public       | Confidential | Secret       | Secret       |
| Confidential | -            | -            | Confidential |
| Confidential | Public       | Public       | Confidential |
| Confidential | Secret       | Public       | Secret       |
| Secret       | -            | -            | Secret       |
| Secret       | Public       | Confidential | Secret       |
| -            | Confidential | Confidential | undecided    |
| -            | Secret       | -            | Secret       |
"""

# Feelings of safety (Public alone) x armed actors or armed groups (Public alone): Confidential together, at
# site level and in admin2 areas.
TOGETHER = """
| grain  | columns in the table       | raised to Confidential |
|--------|----------------------------|------------------------|
| site   | safety                     | -                      |
| site   | actors                     | -                      |
| site   | actors, groups             | -                      |
| site   | safety, water              | -                      |
| site   | safety, actors             | safety, actors         |
| site   | groups, safety             | safety, groups         |
| site   | safety, water, groups      | safety, groups         |
| site   | safety, actors, groups     | safety, actors, groups |
| admin2 | safety, actors             | safety, actors         |
| admin1 | safety, actors             | -                      |
"""

# A waiver to Public names the rule of the indicator's base level, that of an overlay, or both.
WAIVED = """
| base         | overlay      | waived             | level        |
|--------------|--------------|--------------------|--------------|
| Confidential | -            | -                  | Confidential |
| Confidential | -            | indicator          | Public       |
| Confidential | Confidential | indicator          | Confidential |
| Public       | Confidential | overlay            | Public       |
| Confidential | Confidential | indicator, overlay | Public       |
| Secret       | -            | indicator          | Secret       |
| Confidential | Secret       | overlay            | Secret       |
| Public       | -            | indicator          | Public       |
| -            | Confidential | overlay            | undecided    |
"""

# A waiver of a Confidential rule, signed on 2026-05-20, for 2026-06-01 until 2026-07-31: for all tables of
# the operation, for this one or for another.
WAIVER_IN_TIME = """
| on         | coordinator in office        | expert in office             | for        | level        |
|------------|------------------------------|------------------------------|------------|--------------|
| 2026-05-31 | all year                     | all year                     | all        | Confidential |
| 2026-06-01 | all year                     | all year                     | all        | Public       |
| 2026-07-31 | all year                     | all year                     | all        | Public       |
| 2026-08-01 | all year                     | all year                     | all        | Confidential |
| 2026-06-15 | until 2026-05-20             | all year                     | all        | Public       |
| 2026-06-15 | until 2026-05-19             | all year                     | all        | Confidential |
| 2026-06-15 | all year                     | from 2026-05-20              | all        | Public       |
| 2026-06-15 | all year                     | from 2026-05-21              | all        | Confidential |
| 2026-06-15 | all year                     | all year                     | this table | Public       |
| 2026-06-15 | all year                     | all year                     | another    | Confidential |
"""

# An overlay of 2026-04-01 until 2026-06-30 makes sites Confidential. The operation is tst/flood, in country
# TST, a disaster.
OVERLAYS = """
| on         | countries | operations           | contexts           | level        |
|------------|-----------|----------------------|--------------------|--------------|
| 2026-03-31 | TST       | -                    | -                  | Public       |
| 2026-04-01 | TST       | -                    | -                  | Confidential |
| 2026-06-30 | TST       | -                    | -                  | Confidential |
| 2026-07-01 | TST       | -                    | -                  | Public       |
| 2026-05-01 | XYZ       | -                    | -                  | Public       |
| 2026-05-01 | XYZ, TST  | -                    | -                  | Confidential |
| 2026-05-01 | -         | tst/flood            | -                  | Confidential |
| 2026-05-01 | -         | tst/drought          | -                  | Public       |
| 2026-05-01 | -         | -                    | disaster           | Confidential |
| 2026-05-01 | -         | -                    | conflict           | Public       |
| 2026-05-01 | -         | -                    | conflict, disaster | Confidential |
| 2026-05-01 | TST       | tst/flood            | disaster           | Confidential |
| 2026-05-01 | TST       | tst/flood            | conflict           | Public       |
| 2026-05-01 | TST       | tst/drought          | disaster           | Public       |
| 2026-05-01 | XYZ       | tst/flood            | disaster           | Public       |
"""

# Overlays A, B and C make one indicator each (a, b, c) Confidential. A and B are of this operation, C is of
# another country.
BUILDS_ON = """
| A builds on | B builds on | C builds on | A is in force | B is in force | Confidential |
|-------------|-------------|-------------|---------------|---------------|--------------|
| -           | -           | -           | yes           | yes           | a, b         |
| C           | -           | -           | yes           | yes           | a, b, c      |
| C           | -           | -           | no            | yes           | b            |
| B           | C           | -           | yes           | no            | a, b, c      |
| B           | C           | -           | no            | no            | -            |
| B           | -           | C           | yes           | no            | a, b         |
| -           | -           | A, B        | no            | no            | -            |
| B           | A           | -           | yes           | no            | a, b         |
| B, C        | C           | A           | no            | yes           | b, c, a      |
"""

# The grain that is declared, or that we summed the table up to, x the grains that its cells show.
FINER = """
| declared | summed up to | the data show     | counts as  |
|----------|--------------|-------------------|------------|
| site     | -            | -                 | site       |
| site     | -            | admin2            | site       |
| site     | -            | site              | site       |
| site     | -            | household         | household  |
| site     | -            | household, admin1 | household  |
| admin2   | -            | site, individual  | individual |
| admin2   | -            | admin3            | admin3     |
| national | -            | incident          | incident   |
| site     | admin2       | -                 | admin2     |
| site     | admin2       | admin1, admin2    | admin2     |
| site     | admin2       | site              | site       |
| site     | national     | admin1            | admin1     |
"""

# What is in a table of the country with the P-codes MW… . A zone has six districts; each row names both.
SEEN = """
| declared | its key         | rows                | what else is in the table                | counts as  |
|----------|-----------------|---------------------|------------------------------------------|------------|
| admin2   | district        | one per district    | P-codes of districts                     | admin2     |
| admin2   | district        | one per district    | the coordinates of each                  | admin2     |
| admin2   | district        | one per district    | one P-code of the third level            | admin3     |
| admin1   | zone            | one per district    | P-codes of districts                     | admin2     |
| admin2   | district        | one row twice       | figures                                  | admin2     |
| admin2   | district        | two rows twice      | figures                                  | site       |
| admin2   | district        | two rows twice      | the same in both                         | admin2     |
| admin2   | district        | three per district  | figures                                  | site       |
| admin2   | district        | three per district  | row numbers                              | site       |
| admin2   | district        | three per district  | a code on each row                       | site       |
| admin2   | district        | three per district  | coordinates of each row                  | site       |
| admin2   | district        | three per district  | the same three answers in every district | admin3     |
| admin2   | district        | three per district  | the same three codes in every district   | admin3     |
| admin2   | district        | three per district  | the same answers, and a name on each row | site       |
| admin2   | district, month | one per month       | a code on each row                       | admin2     |
| admin2   | district, month | one per month       | a point on each row                      | site       |
| admin2   | district, month | months of their own | figures                                  | admin2     |
| admin2   | district, month | months of their own | a code on each row                       | site       |
| site     | site            | one per site        | a form's id on each row                  | site       |
| site     | form            | one per site        | a form's id on each row                  | site       |
| site     | site            | some sites twice    | a form's id on each row                  | site       |
| site     | site            | most sites twice    | a form's id on each row                  | household  |
| site     | site            | one site ten times  | figures                                  | household  |
| site     | site            | four per site       | figures                                  | household  |
| site     | form            | four per site       | a form's id on each row                  | household  |
| site     | site            | four per site       | a form's id, and a member's on each row  | individual |
"""

# An assessment of 2026-03-01, made for a disaster, to be reviewed by 2026-09-30.
IN_TIME = """
| on         | context of today | public column | secret column | missing             |
|------------|------------------|---------------|---------------|---------------------|
| 2026-02-28 | disaster         | undecided     | Secret        | assessment-not-made |
| 2026-03-01 | disaster         | Public        | Secret        | -                   |
| 2026-09-30 | disaster         | Public        | Secret        | -                   |
| 2026-10-01 | disaster         | undecided     | Secret        | lapsed-assessment   |
| 2026-02-28 | conflict         | undecided     | Secret        | assessment-not-made |
| 2026-03-01 | conflict         | undecided     | Secret        | context-changed     |
| 2026-05-01 | conflict         | undecided     | Secret        | context-changed     |
| 2026-05-01 | mixed            | undecided     | Secret        | context-changed     |
| 2026-10-01 | conflict         | undecided     | Secret        | lapsed-assessment   |
"""

# An assessment of 2026-03-01 calls the column Public; another one, made later, Confidential.
TWICE = """
| on         | the first by | the second made | by         | the column   | missing             |
|------------|--------------|-----------------|------------|--------------|---------------------|
| 2026-05-31 | 2026-12-31   | 2026-06-01      | 2026-09-30 | Public       | -                   |
| 2026-06-01 | 2026-12-31   | 2026-06-01      | 2026-09-30 | Confidential | -                   |
| 2026-09-30 | 2026-12-31   | 2026-06-01      | 2026-09-30 | Confidential | -                   |
| 2026-10-01 | 2026-12-31   | 2026-06-01      | 2026-09-30 | undecided    | lapsed-assessment   |
| 2026-10-01 | 2026-12-31   | 2026-03-01      | 2026-09-30 | undecided    | lapsed-assessment   |
| 2026-10-01 | 2026-09-30   | 2026-06-01      | 2026-12-31 | Confidential | -                   |
| 2026-10-01 | 2026-09-30   | 2026-10-02      | 2026-12-31 | undecided    | lapsed-assessment   |
"""

# An assessment that is to be reviewed by 2026-09-30, and a waiver to Public until 2026-07-31.
IN_GOOD_TIME = """
| on         | said                               | level        |
|------------|------------------------------------|--------------|
| 2026-06-30 | -                                  | Public       |
| 2026-07-01 | waiver-lapses                      | Public       |
| 2026-07-31 | waiver-lapses                      | Public       |
| 2026-08-01 | waiver-lapsed                      | Confidential |
| 2026-08-30 | waiver-lapsed                      | Confidential |
| 2026-08-31 | assessment-lapses                  | Confidential |
| 2026-09-30 | assessment-lapses                  | Confidential |
| 2026-10-01 | -                                  | undecided    |
"""


# Of each row, by its number: its district; in tables of sites, its site too.
DISTRICTS = {
    "one per district": range(12),
    "one row twice": [*range(12), 0],
    "two rows twice": [*range(12), 0, 1],
    "three per district": [row // 3 for row in range(36)],
    "one per month": [row // 3 for row in range(36)],
    "months of their own": [row // 3 for row in range(36)],
}
OF_SITES = {
    "one per site": range(144),
    "some sites twice": [row % 120 for row in range(144)],
    "most sites twice": [row % 80 for row in range(144)],
    "one site ten times": [max(0, row - 9) for row in range(144)],
    "four per site": [row // 4 for row in range(144)],
}


def made_up(kind: str) -> dict[str, list[str]]:
    """The places of a table: twelve districts in two zones, and where it has them their months or sites."""
    sites = OF_SITES.get(kind)
    numbers = [site // 12 for site in sites] if sites is not None else DISTRICTS[kind]
    columns = {
        "zone": [f"Zone {number // 6}" for number in numbers],
        "district": [f"District {chr(65 + number)}" for number in numbers],
    }
    if sites is not None:
        columns["site"] = [f"Camp {site}" for site in sites]
    if kind == "one per month":
        columns["month"] = [f"2026-{row % 3 + 1:02}" for row in range(36)]
    if kind == "months of their own":
        columns["month"] = [f"{1990 + row}-01" for row in range(36)]
    return columns


def on_each(**made: Callable[[int], str]) -> Callable[[int], dict[str, list[str]]]:
    return lambda total: {key: [cell(row) for row in range(total)] for key, cell in made.items()}


FORM = "{:08x}-0000-4000-8000-000000000000"
WHAT_ELSE = {
    "figures": on_each(idps=lambda row: str(row * 37 % 101)),
    "row numbers": on_each(a=lambda row: str(row + 1)),
    "P-codes of districts": on_each(a=lambda row: f"MW1{row + 1:02}"),
    "one P-code of the third level": on_each(a=lambda row: "MW10104" if row == 3 else f"MW1{row + 1:02}"),
    "the coordinates of each": on_each(a=lambda row: f"-13.{5000 + row}", b=lambda row: f"34.{5000 + row}"),
    "coordinates of each row": on_each(a=lambda row: f"-13.{5000 + row}", b=lambda row: f"34.{5000 + row}"),
    "a code on each row": on_each(a=lambda row: f"S{row + 1:03}"),
    "the same in both": on_each(idps=lambda row: str(row % 12)),
    "a point on each row": on_each(a=lambda row: f"-13.{5000 + row} 34.{5000 + row}"),
    "the same three answers in every district": on_each(age=lambda row: ("0-17", "18-59", "60+")[row % 3]),
    "the same answers, and a name on each row": on_each(
        age=lambda row: ("0-17", "18-59", "60+")[row % 3], a=lambda row: f"Camp of {row}"
    ),
    "the same three codes in every district": on_each(a=lambda row: f"F{row % 3}"),
    "a form's id on each row": on_each(form=FORM.format),
    "a form's id, and a member's on each row": on_each(
        form=lambda row: FORM.format(row // 4), member=lambda row: f"{FORM.format(row // 4)}-{row % 4 + 1}"
    ),
}


def in_office(cell: str) -> Validity:
    kind, day = cell.split()
    if kind == "until":
        return Validity(YEAR.start, date.fromisoformat(day))
    return Validity(date.fromisoformat(day), None) if kind == "from" else YEAR


def level(cell: str) -> Level | None:
    return None if cell == "undecided" else Level[cell.upper()]


@pytest.mark.parametrize("row", rows(BY_GRAIN), ids=name)
def test_the_grain_decides(row: Row) -> None:
    """The level is the one that is declared for what a row stands for; without one, nothing is decided."""
    grain = Grain(row["grain"])
    declared = {grain: level(row["declared for that grain"])} if row["declared for that grain"] else {}
    others = dict.fromkeys(set(Grain) - {grain}, Level.PUBLIC)
    rules = policy({"children": {**others, **declared}}, dataset={"grain": grain})
    assert levels_of(classified(rules, "children")) == {"children": level(row["level"])}


@pytest.mark.parametrize("row", rows(STRICTEST), ids=name)
def test_the_strictest_wins(row: Row) -> None:
    """The strictest of all that is asked for counts; overlays and assessments can only tighten."""
    said = {
        who: (tightening("children", Level[row[who].upper()]),) if row[who] else ()
        for who in ("overlay", "assessment")
    }
    base = {Grain.SITE: level(row["base"])} if row["base"] else {}
    rules = policy(
        {"children": base},
        overlays=[overlay(*said["overlay"])],
        assessment={"levels": said["assessment"]},
    )
    assert levels_of(classified(rules, "children")) == {"children": level(row["level"])}


@pytest.mark.parametrize("row", rows(TOGETHER), ids=name)
def test_some_indicators_are_more_sensitive_together(row: Row) -> None:
    """A relation raises the columns of its groups where a table has one of each."""
    grain = Grain(row["grain"])
    together = relation("armed", ["safety"], ["actors", "groups"], grains=[Grain.SITE, Grain.ADMIN2])
    levels = {each: {grain: Level.PUBLIC} for each in ("safety", "actors", "groups", "water")}
    found = classified(
        policy(levels, relations=[together], dataset={"grain": grain}), *words(row["columns in the table"])
    )
    raised = {key for key, each in levels_of(found).items() if each is Level.CONFIDENTIAL}
    assert raised == set(words(row["raised to Confidential"]))


@pytest.mark.parametrize("row", rows(WAIVED), ids=name)
def test_a_waiver_relaxes_one_rule_and_nothing_secret(row: Row) -> None:
    """It relaxes the rules that it names and no others, and never what is Secret."""
    rules_of = {"indicator": "indicator:children@site", "overlay": "overlay:tst/tense/children@site"}
    tightens = [tightening("children", Level[row["overlay"].upper()])] if row["overlay"] else []
    rules = policy(
        {"children": {Grain.SITE: level(row["base"])} if row["base"] else {}},
        overlays=[overlay(*tightens)],
        waivers=[waiver(*(rules_of[each] for each in words(row["waived"])))],
    )
    assert levels_of(classified(rules, "children")) == {"children": level(row["level"])}


@pytest.mark.parametrize("row", rows(WAIVER_IN_TIME), ids=name)
def test_a_waiver_counts_in_its_time_with_two_people_who_could_sign_it(row: Row) -> None:
    """Coordinator and sectoral expert must both be in office on the day that they sign; what becomes of
    them later does not matter."""
    office = {"tst/iom-1": row["coordinator in office"], "tst/iom-expert": row["expert in office"]}
    people = [replace(each, in_office=in_office(office.get(each.id, "all year"))) for each in PEOPLE]
    datasets = {"all": (), "this table": (DATASET,), "another": ("tst/other",)}[row["for"]]
    rules = policy(waivers=[waiver("indicator:children@site", datasets=datasets)], people=people)
    assessed_by_others = assessment(coordinator="tst/iom-2", sectoral_expert="tst/partner-1")
    rules = replace(rules, assessments={assessed_by_others.id: assessed_by_others})
    found = classified(rules, "children", as_of=date.fromisoformat(row["on"]))
    assert levels_of(found) == {"children": level(row["level"])}


@pytest.mark.parametrize("row", rows(OVERLAYS), ids=name)
def test_an_overlay_holds_in_its_time_where_each_of_its_lists_names_the_operation(row: Row) -> None:
    """A list that it does not have leaves it open."""
    lists = {each: tuple(words(row[each])) for each in ("countries", "operations", "contexts")}
    span = Validity(date(2026, 4, 1), date(2026, 6, 30))
    rules = policy(overlays=[overlay(tightening("site", Level.CONFIDENTIAL), validity=span, **lists)])
    found = classified(rules, "site", as_of=date.fromisoformat(row["on"]))
    assert levels_of(found) == {"site": level(row["level"])}


@pytest.mark.parametrize("row", rows(BUILDS_ON), ids=name)
def test_an_overlay_counts_with_all_that_it_builds_on(row: Row) -> None:
    """It brings them into its own time and place, whatever theirs are; it never goes round for ever."""
    ended = Validity(YEAR.start, YEAR.start)
    overlays = [
        overlay(
            tightening(each.lower(), Level.CONFIDENTIAL),
            id=each,
            builds_on=tuple(words(row[f"{each} builds on"])),
            countries=("XYZ",) if each == "C" else (),
            validity=ended if row.get(f"{each} is in force") == "no" else YEAR,
        )
        for each in "ABC"
    ]
    rules = policy(dict.fromkeys("abc", Level.PUBLIC), overlays=overlays)
    found = classified(rules, *"abc")
    tight = {key for key, each in levels_of(found).items() if each is Level.CONFIDENTIAL}
    assert tight == set(words(row["Confidential"]))


@pytest.mark.parametrize("row", rows(FINER), ids=name)
def test_the_finer_of_the_declared_and_the_found_grain_counts(row: Row) -> None:
    """What the cells show can only make a table finer; a table that we summed up is declared by that."""
    rules = policy({"site": dict.fromkeys(Grain, Level.PUBLIC)}, dataset={"grain": Grain(row["declared"])})
    found = classified(
        rules,
        "site",
        evidence=tuple(GrainEvidence(Grain(each), "some cells") for each in words(row["the data show"])),
        aggregated_to=Grain(row["summed up to"]) if row["summed up to"] else None,
    )
    [reason] = found.columns[0].reasons
    assert (found.grain, reason.rule) == (Grain(row["counts as"]), f"indicator:site@{row['counts as']}")


@pytest.mark.parametrize("row", rows(SEEN), ids=name)
def test_what_the_cells_show_of_the_grain(row: Row) -> None:
    """A table is finer than declared where its cells tell rows apart that are one unit by the declaration."""
    places = {"zone": Grain.ADMIN1, "district": Grain.ADMIN2, "site": Grain.SITE}
    columns = made_up(row["rows"]) | WHAT_ELSE[row["what else is in the table"]](
        len(made_up(row["rows"])["zone"])
    )
    declared = dataset([], id="mwi/x", grain=Grain(row["declared"]), key=tuple(words(row["its key"])))
    found = grain_evidence(pd.DataFrame(columns, dtype="str"), declared, places)
    grains = [declared.grain, *(each.grain for each in found)]
    assert max(grains, key=lambda each: each.depth) is Grain(row["counts as"])


@pytest.mark.parametrize("row", rows(IN_TIME), ids=name)
def test_an_assessment_counts_from_its_day_to_its_review_in_its_context(row: Row) -> None:
    """In another context nobody has weighed the risks. What is Secret stays so without an assessment."""
    made = assessment(assessed_on=date(2026, 3, 1), review_by=date(2026, 9, 30))
    rules = policy(assessments=[made], operation={"context": row["context of today"]})
    found = classified(rules, "site", "phone", as_of=date.fromisoformat(row["on"]))
    assert levels_of(found) == {"site": level(row["public column"]), "phone": level(row["secret column"])}
    assert gap_kinds(found) == words(row["missing"])


@pytest.mark.parametrize("row", rows(TWICE), ids=name)
def test_the_last_assessment_made_decides_how_long_anything_is_decided(row: Row) -> None:
    """While several are in force the stricter level counts. Once the last one made has lapsed nothing is
    decided, though an older one is still in time: it does not know what was found since."""
    day = date.fromisoformat
    first = assessment(id="tst/risks-1", assessed_on=date(2026, 3, 1), review_by=day(row["the first by"]))
    second = assessment(
        id="tst/risks-2",
        assessed_on=day(row["the second made"]),
        review_by=day(row["by"]),
        levels=(tightening("site", Level.CONFIDENTIAL),),
    )
    for made in ([first, second], [second, first]):
        found = classified(policy(assessments=made), "site", as_of=day(row["on"]))
        assert levels_of(found) == {"site": level(row["the column"])}
        assert gap_kinds(found) == words(row["missing"])


@pytest.mark.parametrize("row", rows(IN_GOOD_TIME), ids=name)
def test_what_lapses_is_said_a_month_ahead_and_holds_until_then(row: Row) -> None:
    """Thirty days ahead every decision that rests on it says so; for thirty days after its end a waiver is
    still named where it is missed."""
    rules = policy(waivers=[waiver("indicator:children@site")], assessment={"review_by": date(2026, 9, 30)})
    found = classified(rules, "children", as_of=date.fromisoformat(row["on"]))
    assert [each.kind for each in found.notices] == words(row["said"])
    assert levels_of(found) == {"children": level(row["level"])}
