"""The units that a table's declaration knows, and whether some ids tell rows apart within them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from dtm_sharing.detect.columns import WHOLE, Column, distinct, joined, pairs
from dtm_sharing.model import Dataset, Grain

SPARE = 2  # so many more codes than units, and they are no slip: one row that stands twice is a duplicate
REPEATS = 2.0  # rows per unit, on average, from which a key repeats by design; less are duplicates
MANY = 10  # different rows of one site: neither assessed so often, nor are so many sites of one name
SLIP = 0.1  # of the rows may name no unit; more of them are parts of others, as below merged cells
COMPLETE = 0.9  # of all places have each month, or whatever else the key adds to them
CHANCE = 10  # so many pairs of rows would have the same answer by chance, and have not: this is none
_ANSWERS = 3  # columns, at most, that say together what a row is: sex, age, and one more

_UNITS = {
    Grain.INDIVIDUAL: {"person", "individual", "ind", "member", "beneficiary", "roster"},
    Grain.HOUSEHOLD: {"hh", "household", "family"},
    Grain.INCIDENT: {"incident"},
}
_NUMBERED = {"id", "uuid", "code", "no", "number", "index", "pos"}


@dataclass(frozen=True, slots=True)
class Table:
    """The columns by key, the units that the declaration knows, and for each row which of them it is in."""

    columns: Mapping[str, Column]
    dataset: Dataset
    identifies: Mapping[str, Grain]
    rows: int
    units: Any  # per row the number of its unit; None: nobody can tell units apart
    places: Any  # the same by the identifying columns alone, without the key
    named: Any  # per row whether it names its place or, where places have no column, any part of its key
    once: Any  # per row whether it counts: of those that are the same in every column, the first
    added: Any  # per row the number of what the key says beside the place, as a month; None: nothing

    @property
    def declared(self) -> Grain:
        return self.dataset.grain

    @property
    def counted(self) -> Any:
        """Per row whether it must be told apart: one of those that are the same, and named where most are."""
        return self.once & self.named if 2 * self.named.sum() >= self.rows else self.once

    @property
    def per_unit(self) -> float:
        """Rows per unit; where nothing tells units apart, all rows are one."""
        return self.rows / max(1, 1 if self.units is None else distinct(self.units))


def table_of(columns: Mapping[str, Column], dataset: Dataset, known: Mapping[str, Grain], rows: int) -> Table:
    import numpy as np

    places = _identifying(columns, known, dataset.grain)
    where = joined(places) if places else None
    key = [columns[each] for each in dataset.key if each in columns]
    explains = [each for each in key if _explains(each, known.get(each.key), dataset.grain, where)]
    is_named = any(known[each.key] is dataset.grain for each in places) or (explains == key and bool(key))
    # Without a part of its key nobody can say of a table which of its rows belong together: rounds, for one.
    told = is_named and len(key) == len(dataset.key)
    units = joined([*places, *explains]) if told else None
    added = [each for each in explains if each.key not in known]
    is_placed = dataset.grain is Grain.NATIONAL or any(known[each.key] is dataset.grain for each in places)
    return Table(
        columns=columns,
        dataset=dataset,
        identifies=known,
        rows=rows,
        units=units,
        places=where,
        named=np.logical_or.reduce([each.named for each in places[:1] or key] or [np.ones(rows, bool)]),
        once=np.ones(rows, bool) if units is None else _once(columns.values(), units),
        added=joined(added) if added and told and is_placed else None,
    )


def _once(columns: Iterable[Column], units: Any) -> Any:
    """Per row whether none before it is the same in every column. It is quick where units have a row each."""
    import numpy as np

    once = np.ones(len(units), bool)
    rows, ids = np.arange(len(units)), units
    for column in columns:
        shared = np.bincount(ids)[ids] > 1
        rows, ids = rows[shared], ids[shared]
        if not len(rows):
            return once
        ids = pairs(ids, column.at[rows] + 1)
    once[rows] = False
    once[rows[np.unique(ids, return_index=True)[1]]] = True
    return once


def _explains(column: Column, grain: Grain | None, declared: Grain, places: Any) -> bool:
    """Whether a column of the key says what the rows are, and not only which record each is.

    The id of something finer than declared does not, nor does an id of which nobody says of what. Codes that
    recur in place after place are no ids: they are those of rounds or of answers.
    """
    if grain is not None:
        return grain.depth <= declared.depth
    unit = unit_in(column.key)
    if unit is not None:
        return unit.depth <= declared.depth
    if column.mostly_codes and is_nested(column.at, places):
        return False
    is_record_number = column.distinct == column.filled and column.like(WHOLE).all()
    return declared.depth < Grain.SITE.depth or not is_record_number


def _identifying(columns: Mapping[str, Column], known: Mapping[str, Grain], grain: Grain) -> list[Column]:
    """The column with the fewest units of this grain for what it names, and the coarser ones of no more."""
    candidates = telling(columns, known, grain)
    least = min(candidates, key=_units_per_row, default=None)
    if least is None:
        coarser = [grain_ for grain_ in known.values() if grain_.depth < grain.depth]
        return _identifying(columns, known, max(coarser, key=lambda each: each.depth)) if coarser else []
    above = [columns[key] for key, each in known.items() if each.depth < grain.depth]
    return [least, *(each for each in above if distinct(each.units) <= distinct(least.units))]


def telling(columns: Mapping[str, Column], known: Mapping[str, Grain], grain: Grain) -> list[Column]:
    """The columns that tell units of this grain apart."""
    return [columns[key] for key, each in known.items() if each is grain and _tells(columns[key])]


def _units_per_row(column: Column) -> tuple[float, int, str]:
    """Of the rows that name one: with blanks a column has fewer units only because it names fewer."""
    rows = int(column.named.sum())
    return distinct(column.units) / max(1, rows), -rows, column.key


def _tells(column: Column) -> bool:
    """Coordinates name no unit: several sites of one town may have the same."""
    return column.filled > 0 and not (column.decimals | column.points).any()


def is_finer(table: Table, at: Any) -> bool:
    """Whether these ids tell rows apart that the declared units leave together.

    They do so within a unit, and are more than there are places: the same few answers everywhere are none.
    From sites on it takes several per unit throughout: a site that was assessed twice is no household.
    """
    import numpy as np

    rows = at >= 0
    ids = at[rows]
    units = np.zeros(len(ids), np.int64) if table.units is None else table.units[rows]
    apart, shared = distinct(pairs(units, ids)), distinct(units)
    if table.declared.depth >= Grain.SITE.depth:
        several = apart >= REPEATS * shared or repeats(_first_of_each(table, at))
        return several and distinct(ids) >= REPEATS
    more = distinct(ids) - (1 if table.places is None else distinct(table.places[rows]))
    return apart - shared >= SPARE and more >= SPARE and is_nested(at, table.places)


def _first_of_each(table: Table, at: Any) -> Any:
    """The units of the rows that name theirs, once for each id in a unit."""
    import numpy as np

    rows = (at >= 0) & table.named
    units = np.zeros(len(at), np.int64) if table.units is None else table.units
    return units[rows][np.unique(pairs(units[rows], at[rows]), return_index=True)[1]]


def repeats(units: Any) -> bool:
    """Whether these rows are several for one unit by design: on average, for most units, or often for one."""
    import numpy as np

    counts = np.bincount(units)
    counts = counts[counts > 0]
    return bool(
        len(counts)
        and (counts.mean() >= REPEATS or 2 * (counts > 1).sum() > len(counts) or counts.max() >= MANY)
    )


def answers_say(table: Table) -> bool:
    """Whether answers that recur say what the rows of each unit are, as ages do; of up to three columns.

    They hardly ever stand twice in a unit, though they would if they fell on its rows by chance. A few rows
    cannot say so: that both sites of a district differ in some answer, in a few districts, is nothing rare.
    Figures are no answers: sites may be numbered in each district anew.
    """
    import numpy as np

    rows = table.counted
    units = np.unique(table.units[rows], return_inverse=True)[1]
    places = None if table.places is None else table.places[rows]
    shared = _twice(units)
    columns = [
        at
        for each in table.columns.values()
        if shared * _same(at := each.at[rows] + 1) >= CHANCE
        and not each.mostly_figures
        and (places is None or not is_nested(at, places))
    ]
    answers = np.zeros(len(units), np.int64)
    for _ in range(min(_ANSWERS, len(columns))):
        answers = min((pairs(answers, each) for each in columns), key=lambda each: _twice(_both(units, each)))
        by_chance = shared * _same(answers)
        if by_chance < CHANCE:
            return False
        if _twice(_both(units, answers)) <= by_chance / 20:
            return True
    return False


def _same(answers: Any) -> float:
    """The share of all pairs of rows that have the same answer."""
    return _twice(answers) / max(1.0, len(answers) * (len(answers) - 1) / 2)


def _twice(ids: Any) -> float:
    """How many pairs of rows have the same number."""
    import numpy as np

    few = ids.max(initial=0) < 64 * len(ids)
    counts = np.bincount(ids) if few else np.unique(ids, return_counts=True)[1]
    return float((counts * (counts - 1.0)).sum() / 2)


def _both(ids: Any, others: Any) -> Any:
    """As ``pairs``, but with gaps between the numbers: it is quicker, and they are only counted."""
    return ids * (int(others.max(initial=0)) + 1) + others


def by_place(table: Table) -> Table | None:
    """The table as if its key said no more than the place; None: it does not.

    A month tells a district's figures apart. So it does a district's sites, if each has its own.
    """
    import numpy as np

    if table.added is None:
        return None
    return replace(table, units=np.zeros(table.rows, np.int64) if table.places is None else table.places)


def has_each(table: Table) -> bool:
    """Whether each place has what its key adds, as the same months."""
    places = 1 if table.places is None else distinct(table.places)
    return distinct(table.units) >= COMPLETE * places * distinct(table.added)


def is_nested(at: Any, places: Any) -> bool:
    """Whether each of these ids stays in one place, by and large; where there are no places, it does."""
    if places is None:
        return True
    rows = at >= 0
    return bool(distinct(pairs(places[rows], at[rows])) < 2 * distinct(at))


# ------------------------------------------------------------------------------------------------ headers


def words(header: str) -> Sequence[str]:
    return re.findall(r"[^\W_]+", header.casefold())


def unit_in(header: str) -> Grain | None:
    """The grain that a header numbers: ``person_id``, ``HH no``; not ``number of persons`` or ``site_id``."""
    said = words(header)
    for grain, units in _UNITS.items():
        joined = any(word in {f"{unit}id" for unit in units} for word in said)
        if joined or any(
            (word in units and then in _NUMBERED) or (word == "id" and then in units)
            for word, then in pairwise(said)
        ):
            return grain
    return None
