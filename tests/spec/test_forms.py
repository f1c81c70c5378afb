"""What a refusal offers instead: the nearest forms that the gate would allow, as tables to read and correct.

A form is written as what is left: ``keeps site, water``; summed up ``by admin2: district, children``; or with
tables that stay behind: ``keeps site, safety without tst/armed``. ``/`` stands between two forms, the nearer
one first. Each of them is judged again here, as what it would be.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dtm_sharing import classify, gate
from dtm_sharing.model import (
    Decision,
    Grain,
    GrainEvidence,
    Holding,
    Level,
    Outcome,
    Policy,
    ReleasableForm,
)
from support.rules import (
    CONFIDENTIAL,
    EVERYONE,
    LOW,
    PUBLIC,
    SECRET,
    classified,
    column,
    dataset,
    decided,
    holding,
    policy,
    relation,
)
from support.tables import Row, name, rows, words

# safety x (soldiers, police): Confidential together. children: Confidential. phone: Secret. The rest: Public.
LEAVE_OUT = """
| columns of the table            | already public         | forms                        |
|---------------------------------|------------------------|------------------------------|
| site, children                  | -                      | keeps site                   |
| site, phone                     | -                      | keeps site                   |
| site, safety, soldiers          | -                      | keeps site, soldiers         |
| site, soldiers, safety          | -                      | keeps site, safety           |
| site, safety, soldiers, police  | -                      | keeps site, soldiers, police |
| site, safety                    | soldiers               | keeps site                   |
| site, soldiers, police          | safety                 | keeps site                   |
| site, safety, soldiers          | safety                 | keeps site, safety           |
| site, safety, soldiers          | soldiers               | keeps site, soldiers         |
| site, soldiers, safety          | police                 | keeps site, soldiers         |
| site, safety, soldiers          | safety, soldiers       | keeps site                   |
| site, safety, soldiers, water   | safety, police, phone  | keeps site, water            |
| site, safety, children          | soldiers               | keeps site                   |
| site, safety                    | water                  | -                            |
| safety                          | soldiers               | -                            |
| children, phone                 | -                      | -                            |
"""

# Columns that tell units apart: province (admin1), district (admin2), site. Counts: children, tents. What is
# no count: water. children are Confidential by site and by admin3, Public from admin2 on; tents are Public;
# water is Confidential by site, and nobody has said what it is by anything else. Where no column tells the
# sites apart, nobody can say of how many a sum would tell: there are none.
SUM_UP = """
| columns of the table                     | forms |
|------------------------------------------|-------|
| site, district, province, children       | keeps site, district, province / by admin2: district, province, children / by admin1: province, children / by national: children |
| site, district, province, children, tents| keeps site, district, province, tents / by admin2: district, province, children, tents / by admin1: province, children, tents / by national: children, tents |
| site, district, children                 | keeps site, district / by admin2: district, children / by national: children |
| site, province, children                 | keeps site, province / by admin1: province, children / by national: children |
| site, children                           | keeps site / by national: children |
| district, children, water                | keeps district |
| site, district, water                    | keeps site, district |
| children                                 | -     |
| water                                    | -     |
| site, district, tents                    | -     |
"""  # noqa: E501 (a table is read across)

# The dataset is declared by admin2. A column whose cells look like codes of sites makes its rows sites;
# without that column they are what was declared, unless the rows as a whole still say otherwise.
WHAT_THE_CELLS_SAY = """
| columns of the table      | cells that look like sites | forms                                             |
|---------------------------|----------------------------|---------------------------------------------------|
| district, code, children  | code                       | keeps district, code / keeps district, children / by admin2: district, children / by national: children |
| district, code, children  | code, all rows             | keeps district, code / by admin2: district, children / by national: children |
| district, children        | all rows                   | keeps district / by admin2: district, children / by national: children |
| district, children        | district                   | keeps district / keeps children / by national: children |
"""  # noqa: E501 (a table is read across)

# Tables that are to be published together; safety x soldiers is Confidential together, and so is children.
TOGETHER = """
| first table            | second table   | third table    | forms of the first table                                     |
|------------------------|----------------|----------------|--------------------------------------------------------------|
| site, safety           | site, soldiers | -              | keeps site, safety without tst/second / keeps site           |
| site, safety           | site, soldiers | site, water    | keeps site, safety without tst/second / keeps site           |
| site, safety           | site, water    | site, soldiers | keeps site, safety without tst/third / keeps site            |
| site, safety           | site, soldiers | site, soldiers | keeps site, safety without tst/second, tst/third / keeps site |
| site, safety, children | site, soldiers | -              | keeps site, safety without tst/second / keeps site           |
| site, children         | site, soldiers | -              | keeps site                                                   |
| safety                 | site, soldiers | -              | keeps safety without tst/second                              |
| site, water            | site, soldiers | site, safety   | -                                                            |
| children               | site, soldiers | site, safety   | -                                                            |
"""  # noqa: E501 (a table is read across)

ARMED = relation("armed", ["safety"], ["soldiers", "police"])
LEVELS = {
    **dict.fromkeys(["site", "safety", "soldiers", "police", "water"], PUBLIC),
    "children": CONFIDENTIAL,
    "phone": SECRET,
}
COARSE = (Grain.NATIONAL, Grain.ADMIN1, Grain.ADMIN2, Grain.ADMIN3, Grain.SITE)
FROM_ADMIN2 = {each: CONFIDENTIAL if each.depth > Grain.ADMIN2.depth else PUBLIC for each in COARSE}
EVERYWHERE = dict.fromkeys(COARSE, PUBLIC)


def said(form: ReleasableForm) -> str:
    keeps = ", ".join(form.keeps)
    summed = f"by {form.aggregate_to}: {keeps}" if form.aggregate_to else f"keeps {keeps}"
    return f"{summed} without {', '.join(form.without_tables)}" if form.without_tables else summed


def forms(cell: str) -> list[str]:
    return [each.strip() for each in cell.split("/ ")] if cell else []


def check_each_again(
    rules: Policy, decision: Decision, held: Sequence[Holding], evidence: Sequence[GrainEvidence] = ()
) -> None:
    """Every form that is named passes, judged as the table that it would be."""
    columns = {each.header.key: each for each in decision.classification.columns}
    for form in decision.forms:
        assert {*form.keeps, *form.leave_out} == set(columns)
        assert not set(form.keeps) & set(form.leave_out)
        assert set(form.by) <= set(form.keeps)
        left = [
            each
            for each in evidence
            if (each.column in form.keeps) or (each.column is None and not form.aggregate_to)
        ]
        again = decided(rules, *form.keeps, held=held, evidence=tuple(left), aggregated_to=form.aggregate_to)
        assert again.outcome is Outcome.ALLOW


@pytest.mark.parametrize("row", rows(LEAVE_OUT), ids=name)
def test_the_fewest_columns_are_left_out(row: Row) -> None:
    """What the audience holds cannot be taken back, so what stands beside it has to go from the table."""
    rules = policy(LEVELS, relations=[ARMED])
    held = [holding(*words(row["already public"]))] if row["already public"] else []
    decision = decided(rules, *words(row["columns of the table"]), held=held)
    assert [said(each) for each in decision.forms] == forms(row["forms"])
    assert (decision.outcome is Outcome.DENY) or not decision.forms
    check_each_again(rules, decision, held)


@pytest.mark.parametrize("row", rows(SUM_UP), ids=name)
def test_counts_can_be_summed_up_by_a_coarser_unit(row: Row) -> None:
    """What is too sensitive by site may be harmless by district; sums are offered where units can be told."""
    rules = policy(
        {
            **dict.fromkeys(["site", "district", "province", "tents"], EVERYWHERE),
            "children": FROM_ADMIN2,
            "water": {Grain.SITE: CONFIDENTIAL},
        },
        identifies={"site": Grain.SITE, "district": Grain.ADMIN2, "province": Grain.ADMIN1},
        additive=["children", "tents"],
    )
    decision = decided(rules, *words(row["columns of the table"]))
    assert [said(each) for each in decision.forms] == forms(row["forms"])
    assert all(set(each.by) <= {"district", "province"} for each in decision.forms)
    check_each_again(rules, decision, ())


@pytest.mark.parametrize("row", rows(WHAT_THE_CELLS_SAY), ids=name)
def test_without_what_made_it_finer_a_table_is_as_fine_as_declared(row: Row) -> None:
    """A code of sites in a table of districts can be left out; what the rows show cannot."""
    rules = policy(
        {"district": EVERYWHERE, "code": EVERYWHERE, "children": FROM_ADMIN2},
        identifies={"district": Grain.ADMIN2},
        additive=["children"],
        dataset={"grain": Grain.ADMIN2},
    )
    evidence = [
        GrainEvidence(Grain.SITE, "it looks like sites", None if each == "all rows" else each)
        for each in words(row["cells that look like sites"])
    ]
    decision = decided(rules, *words(row["columns of the table"]), evidence=tuple(evidence))
    assert decision.classification.grain is Grain.SITE
    assert [said(each) for each in decision.forms] == forms(row["forms"])
    check_each_again(rules, decision, (), evidence)


@pytest.mark.parametrize("row", rows(TOGETHER), ids=name)
def test_a_table_may_go_if_another_stays_behind(row: Row) -> None:
    """Of tables that are to leave together, the fewest stay behind that would let the others go whole."""
    names = ("tst/sites", "tst/second", "tst/third")
    columns = [column(each) for each in LEVELS]
    rules = policy(LEVELS, relations=[ARMED], datasets=[dataset(columns, id=each) for each in names[1:]])
    cells = [row["first table"], row["second table"], row["third table"]]
    tables = {of: words(cell) for of, cell in zip(names, cells, strict=True) if cell}
    together = [classified(rules, *headers, of=of) for of, headers in tables.items()]
    first, *_ = gate.decide_together(rules, together, EVERYONE, (), classify.classify)
    assert [said(each) for each in first.forms] == forms(row["forms of the first table"])
    for form in first.forms:
        left = [each for each in together[1:] if each.dataset not in form.without_tables]
        held = [gate.as_holding(each, EVERYONE) for each in left]
        assert decided(rules, *form.keeps, held=held).outcome is Outcome.ALLOW


def test_a_partner_gets_exactly_what_was_agreed_or_nothing() -> None:
    """No form of an extract lacks an indicator that Table B lists, and sums by district list other ones."""
    rules = policy(
        {"site": EVERYWHERE, "district": EVERYWHERE, "children": {**FROM_ADMIN2, Grain.SITE: Level.SECRET}},
        identifies={"site": Grain.SITE, "district": Grain.ADMIN2},
        additive=["children"],
        shared=["site", "district", "children"],
    )
    decision = decided(rules, "site", "district", "children", audience=LOW)
    assert (decision.outcome, decision.forms) == (Outcome.DENY, ())
    everyone = decided(rules, "site", "district", "children")
    assert [said(each) for each in everyone.forms] == [
        "keeps site, district",
        "by admin2: district, children",
        "by national: children",
    ]
