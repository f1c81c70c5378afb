"""What the public may have: DESIGN 3, rules 4, 7 and 9, as tables that an expert can read and correct."""

from __future__ import annotations

import pytest

from support.rules import CONFIDENTIAL, PUBLIC, SECRET, decided, policy, relation
from support.tables import Row, name, rows, words

# site, type: Public. children: Confidential. phone: Secret. safety x (police, army): Confidential together.
# mystery: no rule knows it.
AS_IT_IS = """
| columns of the table           | outcome   | refused              | leave out      | first drop at collection |
|--------------------------------|-----------|----------------------|----------------|--------------------------|
| site                           | allow     | -                    | -              | -                        |
| site, type                     | allow     | -                    | -              | -                        |
| site, safety                   | allow     | -                    | -              | -                        |
| site, police, army             | allow     | -                    | -              | -                        |
| site, children                 | deny      | children             | children       | -                        |
| site, phone                    | deny      | phone                | phone          | phone                    |
| phone, site, children          | deny      | phone, children      | phone,children | phone                    |
| site, safety, police           | deny      | safety, police       | safety         | -                        |
| site, police, safety           | deny      | police, safety       | police         | -                        |
| site, police, safety, army     | deny      | police, safety, army | safety         | -                        |
| children                       | deny      | children             | nothing left   | -                        |
| phone, children                | deny      | phone, children      | nothing left   | -                        |
| safety, police                 | deny      | safety, police       | safety         | -                        |
| mystery                        | undecided | -                    | -              | -                        |
| site, mystery                  | undecided | -                    | -              | -                        |
| site, mystery, children, phone | undecided | children, phone      | -              | -                        |
| -                              | undecided | -                    | -              | -                        |
"""  # noqa: E501 (a table is read across)

RULES = policy(
    {
        "site": PUBLIC,
        "type": PUBLIC,
        "children": CONFIDENTIAL,
        "phone": SECRET,
        "safety": PUBLIC,
        "police": PUBLIC,
        "army": PUBLIC,
    },
    relations=[relation("armed", ["safety"], ["police", "army"])],
)


@pytest.mark.parametrize("row", rows(AS_IT_IS), ids=name)
def test_a_table_is_judged_as_it_is(row: Row) -> None:
    table = words(row["columns of the table"])
    decision = decided(RULES, *table)
    assert decision.outcome == row["outcome"]
    assert [each.header.key for each in decision.refused] == words(row["refused"])
    form = decision.releasable_form
    if form is None:
        assert row["leave out"] in {"", "nothing left"}
        assert not row["first drop at collection"]
    else:
        assert list(form.leave_out) == words(row["leave out"])
        assert list(form.drop_at_collection) == words(row["first drop at collection"])
        assert list(form.keeps) == [key for key in table if key not in form.leave_out]


def test_a_table_without_rows_is_undecided() -> None:
    assert decided(RULES, "site", rows=0).outcome == "undecided"
