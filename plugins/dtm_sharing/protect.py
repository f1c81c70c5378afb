"""Leave columns out of a table, exactly as a decision or a dataset says. Rows and their order stay.

Any frame that narwhals knows goes in, and the same kind comes out. Its columns are named by ``Header.key``.
The frame that was given is never changed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from dtm_sharing.errors import GateDenied, Undecided, UsageProblem
from dtm_sharing.model import Dataset, Decision, Level, Outcome


def drop_at_collection(dataset: Dataset, frame: Any) -> tuple[Any, tuple[str, ...]]:
    """Leave out what the dataset drops at collection, with the continuations of those questions.

    Secret enters no pathway, so it goes before the table is stored (DESIGN 3.9).

    Returns:
        The frame, and the keys of the columns that were there and are gone, in their order.
    """
    doomed = {
        key
        for column in dataset.columns
        if column.name in dataset.drop_at_collection
        for key in (column.name, *(f"{column.name}: {text}" for text in column.continued_by))
    }
    table = _table(frame)
    dropped = tuple(key for key in _keys(table) if key in doomed)
    return table.drop(*dropped).to_native(), dropped


def releasable(decision: Decision, frame: Any) -> Any:
    """The form of the table that the decision's audience may have; the whole table where it is allowed.

    Raises:
        GateDenied: the table holds something Secret, so it goes nowhere in any form; or it has no
            releasable form.
        Undecided: the decision is.
        UsageProblem: the frame is not the table that was decided on.
    """
    table = f"{decision.classification.dataset} for {decision.audience}"
    if decision.outcome is Outcome.UNDECIDED:
        raise Undecided(f"Undecided: {table} has no releasable form before its gaps are closed.")
    columns = decision.classification.columns
    secret = [each.header.key for each in columns if each.level is Level.SECRET]
    form = decision.releasable_form
    if secret:
        doomed = ", ".join(map(repr, form.drop_at_collection if form else secret))
        raise GateDenied(
            f"Denied: {table} goes nowhere in any form until collection drops {doomed}, because Secret "
            "enters no pathway."
        )
    if set(_keys(_table(frame))) != {each.header.key for each in columns}:
        raise UsageProblem(
            f"The table at hand has other columns than the decision on {table}: classify and gate it again."
        )
    if decision.outcome is Outcome.ALLOW:
        return frame
    if form is None:
        raise GateDenied(f"Denied: {table} has no releasable form.")
    return keep(frame, form.keeps)


def keep(frame: Any, keys: Collection[str]) -> Any:
    """The frame with these columns only, in the frame's own order.

    Raises:
        UsageProblem: no column would be left, or one of ``keys`` is not in the frame.
    """
    table = _table(frame)
    present = _keys(table)
    absent = [key for key in keys if key not in present]
    if absent or not keys:
        what = f"lacks {', '.join(map(repr, absent))}" if absent else "would have no columns left"
        raise UsageProblem(f"The table {what}: keep columns that it has.")
    return table.select([key for key in present if key in keys]).to_native()


def _table(frame: Any) -> Any:
    import narwhals as nw

    return nw.from_native(frame)


def _keys(table: Any) -> list[str]:
    return list(table.collect_schema().names())
