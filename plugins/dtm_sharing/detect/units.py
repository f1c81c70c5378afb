"""The units that a table's declaration knows, and whether some ids tell rows apart within them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from dtm_sharing.detect.columns import WHOLE, Column, distinct, joined, pairs
from dtm_sharing.model import Dataset, Grain

SPARE = 2  # so many more codes than units, and they are no slip: one row that stands twice is a duplicate
REPEATS = 2.0  # rows per unit, on average, from which a key repeats by design; less are duplicates

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

    @property
    def declared(self) -> Grain:
        return self.dataset.grain

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
    return Table(
        columns=columns,
        dataset=dataset,
        identifies=known,
        rows=rows,
        units=joined([*places, *explains]) if told else None,
        places=where,
        named=np.logical_or.reduce([each.named for each in places[:1] or key] or [np.ones(rows, bool)]),
    )


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
    """The column with the fewest units of this grain, and the coarser ones that have no more of them."""
    candidates = [columns[key] for key, each in known.items() if each is grain and _tells(columns[key])]
    least = min(candidates, key=lambda each: (each.distinct, each.key), default=None)
    if least is None:
        coarser = [grain_ for grain_ in known.values() if grain_.depth < grain.depth]
        return _identifying(columns, known, max(coarser, key=lambda each: each.depth)) if coarser else []
    above = [columns[key] for key, each in known.items() if each.depth < grain.depth]
    return [least, *(each for each in above if each.distinct <= least.distinct)]


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
        return apart >= REPEATS * shared and distinct(ids) >= REPEATS
    more = distinct(ids) - (1 if table.places is None else distinct(table.places[rows]))
    return apart - shared >= SPARE and more >= SPARE and is_nested(at, table.places)


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
