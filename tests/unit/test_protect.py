"""Columns are left out as the decision says; rows, their order and the given frame stay as they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import narwhals as nw
import pandas as pd
import pyarrow as pa
import pytest

from dtm_sharing.errors import GateDenied, Undecided, UsageProblem
from dtm_sharing.model import Grain, Outcome, ReleasableForm
from dtm_sharing.protect import (
    SMALLEST_GROUP,
    Sums,
    aggregate,
    by_content,
    drop_at_collection,
    keep,
    releasable,
)
from support.rules import (
    CONFIDENTIAL,
    LOW,
    PUBLIC,
    SECRET,
    column,
    dataset,
    decided,
    holding,
    policy,
    relation,
)

CELLS = {"site": ["S3", "S1", "S2"], "children": ["1", "", "2"], "phone": ["07", "08", "09"]}


def frame(*columns: str) -> pd.DataFrame:
    return pd.DataFrame({each: CELLS[each] for each in columns}, index=[7, 3, 5])


# --------------------------------------------------------------------------------------- at collection


def test_columns_dropped_at_collection_go_with_their_continuations() -> None:
    declared = dataset(
        [
            column("site"),
            column("phone", continued_by=["Whose?"]),
            column("name"),
            column("type", continued_by=["Whose?"]),
        ],
        drop_at_collection=("phone", "name"),
    )
    table = pd.DataFrame({"phone": ["1"], "site": ["2"], "phone: Whose?": ["3"], "type: Whose?": ["4"]})
    left, dropped = drop_at_collection(declared, table)
    assert list(left.columns) == ["site", "type: Whose?"]
    assert dropped == ("phone", "phone: Whose?")


def test_nothing_is_dropped_where_nothing_has_to_go() -> None:
    left, dropped = drop_at_collection(
        dataset([column("site")], drop_at_collection=("phone",)), frame("site")
    )
    pd.testing.assert_frame_equal(left, frame("site"))
    assert dropped == ()


def test_all_may_have_to_go() -> None:
    declared = dataset([column("phone")], drop_at_collection=("phone",))
    left, dropped = drop_at_collection(declared, frame("phone"))
    assert (list(left.columns), dropped) == ([], ("phone",))


# -------------------------------------------------------------------------------------- releasable form


def test_rows_that_nothing_names_stand_in_the_order_of_what_they_say() -> None:
    table = pd.DataFrame({"children": ["2", "1", "1"], "site": ["b", "b", "a"]})
    before = table.copy()
    for given in (table, pa.Table.from_pandas(table)):
        said = nw.from_native(by_content(given), eager_only=True)
        assert said.rows() == [("1", "a"), ("1", "b"), ("2", "b")]
    pd.testing.assert_frame_equal(table, before)


def test_the_releasable_form_keeps_rows_and_their_order() -> None:
    table = frame("children", "site")
    left = releasable(decided(policy(), "site", "children"), table)
    pd.testing.assert_frame_equal(left, frame("site"))


def test_an_allowed_table_is_its_own_releasable_form() -> None:
    left = releasable(decided(policy(), "site", "children", audience=LOW), frame("site", "children"))
    pd.testing.assert_frame_equal(left, frame("site", "children"))


def test_the_frame_that_was_given_is_not_changed() -> None:
    table, before = frame("site", "children"), frame("site", "children")
    left = releasable(decided(policy(), "site", "children"), table)
    left.loc[7, "site"] = "changed"
    kept = keep(table, ["site"])
    kept["site"] = "changed"
    dropped, _ = drop_at_collection(dataset([column("children")], drop_at_collection=("children",)), table)
    dropped.loc[7, "site"] = "changed"
    pd.testing.assert_frame_equal(table, before)


def test_a_table_that_holds_something_secret_goes_nowhere_in_any_form() -> None:
    with pytest.raises(GateDenied) as error:
        releasable(decided(policy(), "phone", "site"), frame("site", "phone"))
    assert str(error.value) == (
        "Denied: tst/sites for public goes nowhere in any form until collection drops 'phone', because "
        "Secret enters no pathway."
    )
    both = policy({"site": PUBLIC, "name": SECRET, "phone": SECRET})
    with pytest.raises(GateDenied, match="drops 'name', 'phone', because"):
        releasable(decided(both, "site", "name", "phone"), frame("site", "phone"))


def test_what_is_secret_only_together_is_taken_apart() -> None:
    rules = policy(
        {"site": PUBLIC, "children": PUBLIC, "phone": PUBLIC},
        relations=[relation("pair", ["children"], ["phone"], level=SECRET)],
    )
    left = releasable(decided(rules, "site", "children", "phone"), frame("site", "children", "phone"))
    pd.testing.assert_frame_equal(left, frame("site", "phone"))


def test_all_secret_columns_are_named_where_there_is_no_form() -> None:
    with pytest.raises(GateDenied, match="until collection drops 'phone', because"):
        releasable(decided(policy(), "children", "phone"), frame("children", "phone"))


def test_secret_holds_a_table_back_before_its_gaps_are_known() -> None:
    with pytest.raises(Undecided, match="no releasable form before its gaps are closed"):
        releasable(decided(policy(), "site", "phone", "mystery"), frame("site", "phone"))


def test_a_table_without_a_releasable_form_goes_nowhere() -> None:
    with pytest.raises(GateDenied, match="tst/sites for public has no releasable form"):
        releasable(decided(policy(), "children"), frame("children"))


@pytest.mark.parametrize("columns", [("site", "children", "phone"), ("site",), ()])
@pytest.mark.parametrize("decided_on", [("site", "children"), ("site", "children", "type")])
def test_a_frame_other_than_the_one_decided_on_is_refused(
    columns: tuple[str, ...], decided_on: tuple[str, ...]
) -> None:
    rules = policy({"site": PUBLIC, "children": CONFIDENTIAL, "phone": SECRET, "type": PUBLIC})
    with pytest.raises(UsageProblem, match="has other columns than the decision on tst/sites for public"):
        releasable(decided(rules, *decided_on), frame(*columns))


def test_a_column_that_nobody_decided_on_does_not_slip_through_an_allowed_decision() -> None:
    with pytest.raises(UsageProblem):
        releasable(decided(policy(), "site"), frame("site", "phone"))


def test_what_is_secret_beside_what_is_held_is_left_out_like_anything_else() -> None:
    rules = policy(
        {"site": PUBLIC, "children": PUBLIC, "phone": PUBLIC},
        relations=[relation("pair", ["children"], ["phone"], level=SECRET)],
    )
    decision = decided(rules, "site", "children", held=[holding("phone")])
    pd.testing.assert_frame_equal(releasable(decision, frame("site", "children")), frame("site"))


def test_sums_are_no_form_that_only_leaves_out_columns() -> None:
    by_site = {Grain.SITE: CONFIDENTIAL, Grain.NATIONAL: PUBLIC}
    rules = policy(
        {"site": by_site, "children": by_site}, additive=["children"], identifies={"site": Grain.SITE}
    )
    decision = decided(rules, "site", "children")
    assert [each.aggregate_to for each in decision.forms] == [Grain.NATIONAL]
    with pytest.raises(GateDenied, match="has no releasable form"):
        releasable(decision, frame("site", "children"))


# -------------------------------------------------------------------------------------------- aggregate

NAMED = ("site", "district", "province", "children", "tents")
SUMMED = ReleasableForm(
    ("site", "province"), (), ("district", "children", "tents"), Grain.ADMIN2, ("district",)
)
ALL_IN_ONE = ReleasableForm(("site", "district", "province", "tents"), (), ("children",), Grain.NATIONAL)
RULES = policy(
    dict.fromkeys([*NAMED, "phone", "name"], PUBLIC),
    additive=["children", "tents"],
    identifies={"site": Grain.SITE, "name": Grain.SITE},
)
DECLARED = RULES.datasets["tst/sites"]


def counted(cells: Iterable[tuple[str, str, str]]) -> pd.DataFrame:
    """A row per site: district, children, tents; the last column of the frame comes before its district."""
    rows = [(f"S{n}", tents, district, "P", children) for n, (district, children, tents) in enumerate(cells)]
    return pd.DataFrame(rows, columns=["site", "tents", "district", "province", "children"])


def summed(*cells: tuple[str, str, str], form: ReleasableForm = SUMMED) -> Sums:
    return aggregate(form, counted(cells), DECLARED, RULES)


def total(*cells: str) -> str:
    """The sum of these cells."""
    table = pd.DataFrame({"site": [f"S{n}" for n in range(len(cells))], "children": list(cells)})
    found = aggregate(ALL_IN_ONE, table, DECLARED, RULES).frame
    return str(found["children"].item())


def test_counts_are_summed_up_per_unit_in_the_order_of_units_and_of_the_frames_columns() -> None:
    found = summed(
        ("Lam", "1", "10"),
        ("Gor", "2", "20"),
        ("Lam", "3", "30"),
        ("Gor", "4", "40"),
        ("Lam", "5", "50"),
        ("Gor", "6", "60"),
    )
    pd.testing.assert_frame_equal(
        found.frame,
        pd.DataFrame({"tents": ["120", "90"], "district": ["Gor", "Lam"], "children": ["12", "9"]}),
    )
    assert found.left_out == 0


def test_a_unit_of_fewer_than_three_rows_is_left_out_and_counted() -> None:
    three = [("A", "1", "1")] * 3
    found = summed(*three, ("B", "5", "5"), ("B", "5", "5"), ("C", "9", "9"))
    assert (list(found.frame["district"]), found.left_out) == (["A"], 2)
    assert SMALLEST_GROUP == 3
    assert "9" not in repr(found)


def test_a_site_that_is_asked_each_month_is_one_site() -> None:
    sites = [
        ("a", "A"),
        ("b", "A"),
        ("c", "A"),
        ("d", "B"),
        ("d", "B"),
        ("d", "B"),
        ("", "C"),
        ("", "C"),
        ("", "C"),
    ]
    table = pd.DataFrame(
        [(site, district, "1", "5") for site, district in sites],
        columns=["site", "district", "tents", "children"],
    )
    found = aggregate(SUMMED, table, DECLARED, RULES)
    assert (list(found.frame["district"]), found.left_out) == (["A"], 2)


def test_where_nothing_says_which_site_a_row_is_nothing_is_summed_up() -> None:
    counts = {"children": ["1"] * 9}
    unsaid = {"no column": {}, "blank": {"site": [""] * 9}, "words": {"site": ["N/A", "-", "unknown"] * 3}}
    for more in unsaid.values():
        with pytest.raises(Undecided) as error:
            aggregate(ALL_IN_ONE, pd.DataFrame(counts | more), DECLARED, RULES)
        assert str(error.value) == (
            "Undecided: no column of tst/sites tells one site from another, so nobody can say of how many a "
            "sum would tell: declare which indicator does (identifies: site)."
        )


def test_a_key_does_not_say_of_how_many_sites_a_sum_is() -> None:
    """One site asked three months has three keys, whether or not one of its columns is the site's ID."""
    months = pd.DataFrame({"site": ["a"] * 3, "phone": ["1", "2", "3"], "children": ["4"] * 3})
    for key in (("site",), ("site", "phone"), ("phone",)):
        rules = replace(RULES, indicators={**RULES.indicators, "site": RULES.indicators["phone"]})
        with pytest.raises(Undecided, match="no column of tst/sites tells one site from another"):
            aggregate(ALL_IN_ONE, months, replace(DECLARED, key=key), rules)
        with pytest.raises(Undecided, match="no national unit of tst/sites has 3 different rows"):
            aggregate(ALL_IN_ONE, months, replace(DECLARED, key=key), RULES)


@pytest.mark.parametrize(
    "names",
    [
        ("Ward 5 camp", "ward 5 Camp", "Ward-5 camp"),
        ("Ward 5 camp", "Ward  5 camp ", "Ward\u00a05\u200b camp"),
        ("Caf\u00e9 5", "CAFE\u0301 5", "caf\u00e9 \uff15"),
        ("Stra\u00dfe", "STRASSE", "strasse"),
        ("Ward 5 camp", "Ward 6 camp", ""),
        ("Ward 5 camp", "Ward 6 camp", "N/A"),
        ("Ward 5 camp", "Ward 6 camp", " - "),
    ],
)
def test_however_a_name_is_typed_and_whatever_else_names_it_a_site_is_one(names: tuple[str, ...]) -> None:
    """The column with the fewest sites counts: their IDs tell three, or their names do."""
    for site, name in ((("a", "b", "c"), names), (names, ("a", "b", "c"))):
        table = pd.DataFrame({"site": site, "name": name, "children": ["1"] * 3})
        with pytest.raises(Undecided, match="no national unit of tst/sites has 3 different rows"):
            aggregate(ALL_IN_ONE, table, DECLARED, RULES)
    told = pd.DataFrame({"site": list("abc"), "name": ["Ward 5", "Ward 6", "Ward 7"], "children": ["1"] * 3})
    for table in (told, told.assign(name="")):  # a column that says nothing at all is none
        assert aggregate(ALL_IN_ONE, table, DECLARED, RULES).frame["children"].item() == "3"
    marks = told.assign(name=["\u0915\u093e", "\u0915\u0940", "\u0915\u0941"])  # they differ in vowels only
    assert aggregate(ALL_IN_ONE, marks, DECLARED, RULES).frame["children"].item() == "3"


def test_where_every_unit_is_too_small_nothing_is_left_to_give() -> None:
    with pytest.raises(Undecided) as error:
        summed(("A", "1", "1"), ("A", "1", "1"), ("B", "1", "1"))
    assert str(error.value) == (
        "Undecided: no admin2 unit of tst/sites has 3 different rows, so each sum would tell of a single "
        "one: sum up by a coarser grain."
    )
    with pytest.raises(Undecided, match="no national unit of tst/sites has 3 different rows"):
        total("1", "2")


def test_all_rows_are_one_unit_where_nothing_has_to_tell_units_apart() -> None:
    found = summed(*[("A", "1", "1"), ("B", "2", "2"), ("C", "3", "3")], form=ALL_IN_ONE)
    pd.testing.assert_frame_equal(found.frame, pd.DataFrame({"children": ["6"]}))


@pytest.mark.parametrize(
    ("cells", "sum_"),
    [
        (("0", "0", "0"), "0"),
        (("1", "002", "3"), "6"),
        (("80 418", "1", "1"), "80420"),
        (("80\u00a0418", "1\u202f000", " 2 "), "81420"),
        (("1,234,567", "1'000", "1\u2019000"), "1236567"),
        (("12.0", "1", "1"), "14.0"),
        (("0.1", "0.2", "0.25"), "0.55"),
        (("1234.5", "1,234.5", "1"), "2470.0"),
        (("٣", "٤", "1"), "8"),
        (("1" * 40, "2", "0"), "1" * 39 + "3"),
        (("1", "", "2"), ""),
        (("1", "  ", "2"), ""),
        (("", "", ""), ""),
    ],
)
def test_numbers_as_people_write_them_are_summed_exactly(cells: tuple[str, ...], sum_: str) -> None:
    assert total(*cells) == sum_


@pytest.mark.parametrize(
    "cell",
    [
        *["-", "many", "NaN", "nan", "inf", "1e3", "-5", "+5", "1.234", "12.345", "1,5", "1,23", "12,34,567"],
        *["1 23", "1,234 567", "0x1F", "1_000", "½", "²", "3.", ".5", "dnk", "1/2", "10%", "1,234.567"],
    ],
)
def test_what_is_no_number_is_never_summed_and_never_quoted(cell: str) -> None:
    with pytest.raises(
        Undecided, match=r"1 cells of column 'children' are no number.* blank what is not"
    ) as error:
        total("1", cell, "2")
    assert f"{cell!r}" not in str(error.value)
    assert f" {cell} " not in str(error.value).replace(" - ", " ")


def test_a_cell_that_is_no_number_counts_in_a_unit_that_is_left_out_as_well() -> None:
    with pytest.raises(Undecided, match="2 cells of column 'tents' are no number"):
        summed(*[("A", "1", "1")] * 3, ("B", "1", "x"), ("B", "1", "y"))


def test_a_count_that_nobody_gave_leaves_its_units_sum_blank_and_no_other() -> None:
    found = summed(("A", "", "1"), *[("A", "1", "1")] * 2, *[("B", "2", "2")] * 3)
    assert list(found.frame["children"]) == ["", "6"]
    assert list(found.frame["tents"]) == ["3", "6"]


def test_spaces_and_composition_do_not_make_another_unit_but_letters_do() -> None:
    found = summed(("São  Luís", "1", "1"), (" São Luís ", "1", "1"), ("Sa\u0303o Luís", "1", "1"))
    assert list(found.frame["district"]) == ["São Luís"]
    assert summed(*[("a", "1", "1")] * 3, ("A", "1", "1")).left_out == 1


def test_a_row_that_does_not_say_where_it_is_leaves_every_sum_undecided() -> None:
    with pytest.raises(
        Undecided, match=r"1 of 4 rows do not say which unit they are in \(column 'district'\)"
    ):
        summed(*[("A", "1", "1")] * 3, (" ", "1", "1"))


def test_units_are_told_apart_by_all_columns_that_name_them() -> None:
    form = ReleasableForm(("site", "tents"), (), ("district", "province", "children"), Grain.ADMIN2)
    form = replace(form, by=("district", "province"))
    table = pd.DataFrame(
        {
            "site": list("abcdef"),
            "province": ["P"] * 3 + ["Q"] * 3,
            "district": ["D"] * 6,
            "children": list("123456"),
        }
    )
    found = aggregate(form, table, DECLARED, RULES).frame
    assert found.to_dict("list") == {
        "province": ["P", "Q"],
        "district": ["D", "D"],
        "children": ["6", "15"],
    }


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
def test_missing_values_are_blank(missing: object) -> None:
    table = pd.DataFrame({"site": list("abc"), "children": pd.Series(["1", missing, "2"], dtype="object")})
    assert list(aggregate(ALL_IN_ONE, table, DECLARED, RULES).frame["children"]) == [""]


def test_the_order_of_rows_does_not_matter_and_the_frame_that_was_given_stays() -> None:
    cells = [(district, str(n), "1") for n in range(4) for district in ("B", "A", "C")]
    table, before = counted(cells), counted(cells)
    upside_down = table.iloc[::-1]
    pd.testing.assert_frame_equal(
        aggregate(SUMMED, table, DECLARED, RULES).frame, aggregate(SUMMED, upside_down, DECLARED, RULES).frame
    )
    pd.testing.assert_frame_equal(table, before)


def test_an_arrow_table_comes_out_as_one() -> None:
    table = pa.table(
        {"site": list("abc"), "district": ["A"] * 3, "tents": ["1"] * 3, "children": ["1", "2", None]}
    )
    found = aggregate(SUMMED, table, DECLARED, RULES).frame
    assert found == pa.table({"district": ["A"], "tents": ["3"], "children": [""]})


def test_a_table_with_something_secret_is_not_summed_up_either() -> None:
    form = replace(SUMMED, drop_at_collection=("phone",))
    with pytest.raises(
        GateDenied, match="tst/sites goes nowhere in any form until collection drops 'phone',"
    ):
        summed(*[("A", "1", "1")] * 3, form=form)


@pytest.mark.parametrize(
    "change",
    [
        {"aggregate_to": None},
        {"keeps": ("district", "children", "province")},  # nobody said that a province can be summed up
        {"keeps": ("district",)},
    ],
)
def test_what_is_no_aggregate_is_not_summed_up(change: dict[str, Any]) -> None:
    with pytest.raises(
        UsageProblem, match="or sums up what is no count: take a form that the gate named for"
    ):
        summed(*[("A", "1", "1")] * 3, form=replace(SUMMED, **change))


def test_a_form_of_another_table_is_refused() -> None:
    with pytest.raises(UsageProblem, match="The table lacks 'age'"):
        summed(*[("A", "1", "1")] * 3, form=replace(SUMMED, keeps=("district", "children", "age")))


def test_what_the_gate_offers_can_be_made_and_is_allowed_when_it_is_made() -> None:
    public = {Grain.SITE: PUBLIC, Grain.ADMIN2: PUBLIC}
    levels = {
        "site": public,
        "district": public,
        "children": {Grain.SITE: CONFIDENTIAL, Grain.ADMIN2: PUBLIC},
    }
    told = {"site": Grain.SITE, "district": Grain.ADMIN2}
    rules = policy(levels, identifies=told, additive=["children"])
    decision = decided(rules, "site", "district", "children")
    form = next(each for each in decision.forms if each.aggregate_to)
    table = pd.DataFrame({"site": list("abc"), "district": ["D"] * 3, "children": list("123")})
    made = aggregate(form, table, rules.datasets["tst/sites"], rules).frame
    assert made.to_dict("list") == {"district": ["D"], "children": ["6"]}
    assert decided(rules, *made.columns, aggregated_to=form.aggregate_to).outcome is Outcome.ALLOW


# ------------------------------------------------------------------------------------------------- keep


def test_keep_leaves_the_order_of_the_frame() -> None:
    assert list(keep(frame("phone", "site", "children"), ["children", "phone"]).columns) == [
        "phone",
        "children",
    ]


def test_keep_refuses_what_is_not_there_and_to_keep_nothing() -> None:
    with pytest.raises(UsageProblem, match="The table lacks 'type', 'age': keep columns that it has"):
        keep(frame("site"), ["site", "type", "age"])
    with pytest.raises(UsageProblem, match="would have no columns left"):
        keep(frame("site"), [])


def test_other_frames_come_out_as_they_went_in() -> None:
    table = pa.table(CELLS)
    assert keep(table, ["site"]) == pa.table({"site": CELLS["site"]})
    left, dropped = drop_at_collection(dataset([column("phone")], drop_at_collection=("phone",)), table)
    assert isinstance(left, pa.Table)
    assert (left.column_names, dropped) == (["site", "children"], ("phone",))


def test_a_narwhals_frame_comes_out_as_what_it_wraps() -> None:
    assert list(keep(nw.from_native(frame("site", "phone")), ["site"]).columns) == ["site"]
