"""Columns are left out as the decision says; rows, their order and the given frame stay as they are."""

from __future__ import annotations

import narwhals as nw
import pandas as pd
import pyarrow as pa
import pytest

from dtm_sharing.errors import GateDenied, Undecided, UsageProblem
from dtm_sharing.protect import drop_at_collection, keep, releasable
from support.rules import CONFIDENTIAL, LOW, PUBLIC, SECRET, column, dataset, decided, policy, relation

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
    with pytest.raises(GateDenied, match=r"nowhere in any form until collection drops 'phone',"):
        releasable(decided(policy(), "site", "phone"), frame("site", "phone"))


def test_only_what_has_to_be_dropped_is_named_where_two_columns_are_secret_together() -> None:
    rules = policy(
        {"site": PUBLIC, "children": PUBLIC, "phone": PUBLIC},
        relations=[relation("pair", ["children"], ["phone"], level=SECRET)],
    )
    with pytest.raises(GateDenied, match="until collection drops 'children', because"):
        releasable(decided(rules, "site", "children", "phone"), frame("site", "children", "phone"))


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
