"""Which level a column has: DESIGN 3, rules 1 to 7, as tables that an expert can read and correct."""

from __future__ import annotations

from datetime import date

import pytest

from dtm_sharing.model import Grain, Level
from support.rules import assessment, classified, gap_kinds, levels_of, policy, relation, tightening
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

# Base level x what the operation and the assessment say of it. Nothing relaxes.
STRICTEST = """
| base         | operation    | assessment   | level        |
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

# When is an assessment of 2026-03-01, to be reviewed by 2026-09-30, relied upon?
IN_TIME = """
| on         | public column | secret column | missing             |
|------------|---------------|---------------|---------------------|
| 2026-02-28 | undecided     | Secret        | assessment-not-made |
| 2026-03-01 | Public        | Secret        | -                   |
| 2026-09-30 | Public        | Secret        | -                   |
| 2026-10-01 | undecided     | Secret        | lapsed-assessment   |
"""


def level(cell: str) -> Level | None:
    return None if cell == "undecided" else Level[cell.upper()]


@pytest.mark.parametrize("row", rows(BY_GRAIN), ids=name)
def test_the_grain_decides(row: Row) -> None:
    grain = Grain(row["grain"])
    declared = {grain: level(row["declared for that grain"])} if row["declared for that grain"] else {}
    others = dict.fromkeys(set(Grain) - {grain}, Level.PUBLIC)
    rules = policy({"children": {**others, **declared}}, dataset={"grain": grain})
    assert levels_of(classified(rules, "children")) == {"children": level(row["level"])}


@pytest.mark.parametrize("row", rows(STRICTEST), ids=name)
def test_the_strictest_wins(row: Row) -> None:
    said = {
        who: (tightening("children", Level[row[who].upper()]),) if row[who] else ()
        for who in ("operation", "assessment")
    }
    base = {Grain.SITE: level(row["base"])} if row["base"] else {}
    rules = policy(
        {"children": base},
        operation={"tightens": said["operation"]},
        assessment={"levels": said["assessment"]},
    )
    assert levels_of(classified(rules, "children")) == {"children": level(row["level"])}


@pytest.mark.parametrize("row", rows(TOGETHER), ids=name)
def test_some_indicators_are_more_sensitive_together(row: Row) -> None:
    grain = Grain(row["grain"])
    together = relation("armed", ["safety"], ["actors", "groups"], grains=[Grain.SITE, Grain.ADMIN2])
    levels = {each: {grain: Level.PUBLIC} for each in ("safety", "actors", "groups", "water")}
    found = classified(
        policy(levels, relations=[together], dataset={"grain": grain}), *words(row["columns in the table"])
    )
    raised = {key for key, each in levels_of(found).items() if each is Level.CONFIDENTIAL}
    assert raised == set(words(row["raised to Confidential"]))


@pytest.mark.parametrize("row", rows(IN_TIME), ids=name)
def test_an_assessment_counts_from_its_day_to_its_review(row: Row) -> None:
    made = assessment(assessed_on=date(2026, 3, 1), review_by=date(2026, 9, 30))
    found = classified(policy(assessments=[made]), "site", "phone", as_of=date.fromisoformat(row["on"]))
    assert levels_of(found) == {"site": level(row["public column"]), "phone": level(row["secret column"])}
    assert gap_kinds(found) == words(row["missing"])
