"""Leave columns out of a table, or sum its rows up, exactly as a decision or a dataset says.

Any frame that narwhals knows goes in, and the same kind comes out. Its columns are named by ``Header.key``.
The frame that was given is never changed. Where columns are left out, all rows stay, and their order as well,
unless it could tell which row is which (``by_content``).
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import MAX_PREC, Context, Decimal, localcontext
from typing import Any

from dtm_sharing.errors import GateDenied, Undecided, UsageProblem
from dtm_sharing.model import UNNAMED, Dataset, Decision, Level, Outcome, Policy, ReleasableForm

# A sum over one site is that site, and of two sites each can subtract its own. Three is also the least that
# the thresholds in use for small cells allow: 5 as a rule, 3 at the least, 10 in health.
SMALLEST_GROUP = 3

# Digits in one piece, or in groups of three by one separator; a point and decimals, but not three of them:
# "1.234" is 1234 to some. No sign: a count below zero is a code for something else.
_NUMBER = re.compile(r"(?:\d+|\d{1,3}([,'\u2019 ])\d{3}(?:\1\d{3})*)(?:\.(?!\d{3}$)\d+)?")
_GROUPING = str.maketrans("", "", ",'\u2019 ")


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
    form = decision.releasable_form
    secret = [each.header.key for each in columns if each.level is Level.SECRET]
    if doomed := form.drop_at_collection if form else secret:
        raise _nowhere(table, doomed)
    if set(_keys(_table(frame))) != {each.header.key for each in columns}:
        raise UsageProblem(
            f"The table at hand has other columns than the decision on {table}: classify and gate it again."
        )
    if decision.outcome is Outcome.ALLOW:
        return frame
    if form is None:
        raise GateDenied(f"Denied: {table} has no releasable form.")
    return keep(frame, form.keeps)


@dataclass(frozen=True, slots=True)
class Sums:
    """A table of sums, and how many units are not in it because too few rows would have been summed up."""

    frame: Any = field(repr=False)
    left_out: int


def aggregate(form: ReleasableForm, frame: Any, dataset: Dataset, policy: Policy) -> Sums:
    """Sum the counts of a table up per unit of a coarser grain, as a form says. Cells are text, as they came.

    Units are told apart by the columns ``form.by``; spaces and Unicode composition in their names do not
    count. A unit of fewer than ``SMALLEST_GROUP`` sites (or what else the dataset is by), by any one of the
    columns that identify these, is left out. Where one of its rows does not say how many (a blank cell), the
    unit does not either: a sum without it would be too small. Sums are exact, with as many decimals as the
    cells have. Rows come in the order of their units, columns in that of the frame.

    Raises:
        GateDenied: the table holds something Secret, so it goes nowhere in any form.
        Undecided: a cell that should be a count is none, a row does not say which unit it is in, no column
            identifies the sites, or no unit has enough. The sentence names the column and how many cells,
            never a cell.
        UsageProblem: the form is no aggregate, has another column than the frame, or sums what is no count.
    """
    import narwhals as nw

    if form.drop_at_collection:
        raise _nowhere(dataset.id, form.drop_at_collection)
    table = _table(keep(frame, form.keeps))
    columns = {key: _cells(table.get_column(key)) for key in _keys(table)}
    summed = _counts(form, dataset, policy)
    units = _units({key: columns[key] for key in form.by}, len(table))
    members = _members(frame, dataset, policy)
    rows = {
        unit: at
        for unit, at in sorted(units.items())
        if min(len({ids[each] for each in at if ids[each]}) for ids in members) >= SMALLEST_GROUP
    }
    if not rows:
        raise Undecided(
            f"Undecided: no {form.aggregate_to} unit of {dataset.id} has {SMALLEST_GROUP} different rows, so "
            "each sum would tell of a single one: sum up by a coarser grain."
        )
    found = {key: [unit[at] for unit in rows] for at, key in enumerate(form.by)}
    found |= {key: _totals(key, columns[key], rows.values()) for key in summed}
    sums = nw.from_dict({key: found[key] for key in columns}, backend=table.implementation)
    return Sums(sums.to_native(), len(units) - len(rows))


def _counts(form: ReleasableForm, dataset: Dataset, policy: Policy) -> list[str]:
    """The columns to sum up, each of which the policy says may be."""
    summed = [key for key in form.keeps if key not in form.by]
    additive = {each.name for each in dataset.columns if policy.indicators[each.indicator].additive}
    if form.aggregate_to is None or not summed or not additive.issuperset(summed):
        raise UsageProblem(
            f"This form of {dataset.id} is no aggregate, or sums up what is no count: take a form that the "
            "gate named for this dataset."
        )
    return summed


def _units(by: Mapping[str, Sequence[str]], rows: int) -> dict[tuple[str, ...], list[int]]:
    """Unit -> the places of its rows, from 0. Without a column that tells units apart, all are one."""
    for key, cells in by.items():
        if blank := sum(not cell for cell in cells):
            raise Undecided(
                f"Undecided: {blank} of {rows} rows do not say which unit they are in (column {key!r}), so "
                "its sum would be too small: fill them in."
            )
    units: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for at in range(rows):
        units[tuple(cells[at] for cells in by.values())].append(at)
    return units


def _members(frame: Any, dataset: Dataset, policy: Policy) -> list[list[str]]:
    """Of which site, household or person each row is: what a sum must not tell of a single one.

    By each column that identifies what the dataset is by; "" where a row does not say. Its key may name
    months or records, so it says nothing of it. Of a name only letters and digits count: it may be typed
    otherwise each time.
    """
    table = _table(frame)
    named = {each.name: policy.indicators[each.indicator].identifies for each in dataset.columns}
    telling = (key for key in _keys(table) if named.get(key) is dataset.grain)
    columns = [[_folded(cell) for cell in _cells(table.get_column(key))] for key in telling]
    if said := [ids for ids in columns if any(ids)]:
        return said
    raise Undecided(
        f"Undecided: no column of {dataset.id} tells one {dataset.grain} from another, so nobody can say of "
        f"how many a sum would tell: declare which indicator does (identifies: {dataset.grain})."
    )


def _folded(cell: str) -> str:
    if re.fullmatch(UNNAMED, cell):
        return ""
    signs = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", cell).casefold())
    return "".join(sign for sign in signs if unicodedata.category(sign)[0] in "LMN")


def _totals(key: str, cells: Sequence[str], units: Iterable[Sequence[int]]) -> list[str]:
    """Per unit the exact sum of a column, as text; "" where one of its cells is blank."""
    if wrong := sum(not _NUMBER.fullmatch(cell) for cell in cells if cell):
        raise Undecided(
            f"Undecided: {wrong} cells of column {key!r} are no number, so nothing can be summed up: write "
            'counts in digits, e.g. "1234", and leave blank what is not known.'
        )
    with localcontext(Context(prec=MAX_PREC)):  # exact, however long
        numbers = [Decimal(cell.translate(_GROUPING) or "NaN") for cell in cells]
        totals = [sum((numbers[at] for at in unit), Decimal()) for unit in units]
    return ["" if total.is_nan() else f"{total:f}" for total in totals]


def _cells(column: Any) -> list[str]:
    """The cells of a column as text without needless spaces; what is missing is blank."""
    cells = zip(column.to_list(), column.is_null().to_list(), strict=True)
    texts = ("" if missing else unicodedata.normalize("NFC", str(cell)) for cell, missing in cells)
    return [" ".join(text.split()) for text in texts]


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


def by_content(frame: Any) -> Any:
    """The frame with its rows in the order of what they say.

    For one in which nothing tells a row from another: in the order in which they came, row n would be row n
    of any other extract of the same table, and so say of which site it is.
    """
    table = _table(frame)
    return table.sort(*_keys(table)).to_native()


def _nowhere(table: str, doomed: Iterable[str]) -> GateDenied:
    return GateDenied(
        f"Denied: {table} goes nowhere in any form until collection drops {', '.join(map(repr, doomed))}, "
        "because Secret enters no pathway."
    )


def _table(frame: Any) -> Any:
    import narwhals as nw

    return nw.from_native(frame)


def _keys(table: Any) -> list[str]:
    return list(table.collect_schema().names())
