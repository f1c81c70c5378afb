"""What the cells of a table say of its grain: P-codes, codes of sites, coordinates, keys, rosters.

It can only make a table finer than declared (DESIGN 3.2, 3.8), so where it is in doubt it says the finer. It
goes by values: a new header hides nothing; some headers add evidence. Every cell counts; none is repeated.

Most of it asks one question: do the units that the declaration knows tell the rows apart? Those units are
what the identifying columns and the dataset's key say together. Where they do, as in a district's figures by
month, an id on each row is the number of a record. Where several rows share a unit, it is the id of
something finer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from dtm_sharing.detect import pcodes
from dtm_sharing.detect.columns import CODE, NO_CODE, UUID, WHOLE, Column, column_of, distinct, joined, pairs
from dtm_sharing.detect.units import (
    REPEATS,
    SLIP,
    SPARE,
    Table,
    answers_say,
    by_place,
    has_each,
    is_finer,
    repeats,
    table_of,
    telling,
    unit_in,
    words,
)
from dtm_sharing.model import Dataset, Grain, GrainEvidence

_PARENTS = {"parent", "submission"}


def grain_evidence(
    frame: Any, dataset: Dataset, identifies: Mapping[str, Grain]
) -> tuple[GrainEvidence, ...]:
    """What the cells say of what one row stands for, finest first.

    Args:
        frame: text, columns named by ``Header.key``; any eager frame that narwhals knows.
        dataset: what is declared: its grain, its key, and the country in its id.
        identifies: keys of the columns whose values tell units of a grain apart, and that grain.

    Returns:
        What the identifying columns and P-codes say, also where that is no finer than declared, so that the
        table can be judged again under another declaration; of all else what is finer. No cell value.
    """
    import narwhals as nw

    source = nw.from_native(frame, eager_only=True)
    if not len(source):
        return ()
    columns = {name: column_of(name, source[name]) for name in source.columns}
    known = {key: grain for key, grain in identifies.items() if key in columns}
    grains = {dataset.grain}
    named = any(grain is Grain.SITE and columns[key].named.any() for key, grain in known.items())
    if named and dataset.grain.depth < Grain.SITE.depth:
        grains.add(Grain.SITE)  # and once it is by site: are there households in the sites?
    tables = [table_of(columns, replace(dataset, grain=each), known, len(source)) for each in grains]
    found = {each for table in tables for finder in _FINDERS for each in finder(table)}
    return tuple(sorted(found, key=lambda each: (-each.grain.depth, each.why, each.column or "")))


# ------------------------------------------------------------------------------------- what places say


def _identified(table: Table) -> Iterator[GrainEvidence]:
    """Columns that tell units apart by the policy: of places always, of people where several share a site.

    What is finer than declared needs one that is named and no more, as with P-codes. So do people in a table
    of areas that names no site; beside sites, those of the table by site count.
    """
    areas = table.declared.depth < Grain.SITE.depth and not any(
        grain is Grain.SITE and table.columns[key].named.any() for key, grain in table.identifies.items()
    )
    best: dict[Grain, tuple[int, str]] = {}
    for key, grain in table.identifies.items():
        column = table.columns[key]
        shown = areas or grain.depth <= Grain.SITE.depth or is_finer(table, column.at)
        enough = 1 if grain.depth > table.declared.depth else SPARE
        if shown and column.distinct >= enough and column.named.any():
            best[grain] = max(best.get(grain, (0, "")), (column.distinct, key))
    for grain, (count, key) in best.items():
        tells = f"tells {count:,} units by {grain} apart" if count > 1 else f"names a unit by {grain}"
        yield GrainEvidence(grain, f"column {key!r} {tells}", key)


def _pcodes(table: Table) -> Iterator[GrainEvidence]:
    """The deepest P-code of the dataset's own country; a single one is enough."""
    patterns = pcodes.by_level(table.dataset)
    for grain in sorted(patterns, key=lambda each: -each.depth):
        found = {
            key: count
            for key, column in table.columns.items()
            if column.codes.any() and (count := column.cells(column.like(patterns[grain])))
        }
        if found:
            key = max(found, key=lambda each: (found[each], each))
            why = f"{found[key]:,} cells of column {key!r} are P-codes as deep as {grain}"
            yield GrainEvidence(grain, why, key)
            return


def _codes_for_areas(table: Table) -> Iterator[GrainEvidence]:
    """Codes under the header of an area that are no P-codes: whatever the header says, they are of sites.

    Where the P-codes of the country are not known here, those that stand once each.
    """
    known = bool(pcodes.by_level(table.dataset))
    proper = pcodes.under_areas(table.dataset)
    for key, grain in table.identifies.items():
        column = table.columns[key]
        if grain.depth < Grain.SITE.depth and column.mostly_codes:
            odd = column.like(CODE) & ~column.like(NO_CODE) & ~column.like(proper)
            count, cells = int(odd.sum()), column.cells(odd)
            if count >= SPARE and 2 * cells > column.filled and (known or count == cells):
                why = f"column {key!r}, declared by {grain}, holds {count:,} codes that are no P-codes"
                yield GrainEvidence(Grain.SITE, why, key)


def _codes(table: Table) -> Iterator[GrainEvidence]:
    """Codes that tell the rows of a declared area apart, under any header."""
    if found := _finer_codes(table):
        yield _most(found, "codes", table)


def _finer_codes(table: Table) -> dict[str, int]:
    """By column, how many codes it has that are of sites."""
    found: dict[str, int] = {}
    if table.declared.depth >= Grain.SITE.depth:
        return found
    places = by_place(table)
    for key, codes in _codes_of_sites(table):
        # Where each place has the same months, what differs on each row may be the number of the record.
        is_of_a_record = places and distinct(codes) == (codes >= 0).sum() and has_each(table)
        is_within_units = table.per_unit > 1 and is_finer(table, codes)
        if is_within_units or (places and not is_of_a_record and is_finer(places, codes)):
            found[key] = distinct(codes)
    return found


def _codes_of_sites(table: Table) -> Iterator[tuple[str, Any]]:
    """By column the numbers of its codes, but for P-codes of areas, and for ids of what is finer anyway."""
    areas = pcodes.of_areas(table.dataset)
    for key, column in table.columns.items():
        not_finer = table.identifies.get(key, table.declared).depth <= table.declared.depth
        if not_finer and column.codes.any() and (codes := column.codes & ~column.like(areas)).any():
            yield key, column.only(codes)


def _names(table: Table) -> Iterator[GrainEvidence]:
    """Names, codes or coordinates in any spelling that tell the rows of a declared area apart.

    Beside a place they may be those of its sites. Where no column says the place, they may be answers.
    """
    if table.declared.depth >= Grain.SITE.depth or (table.units is None and table.places is None):
        return
    coded = _finer_codes(table)
    views = [(_beside_finer_areas(table), False)] if table.per_unit > 1 else []
    if (places := by_place(table)) and not has_each(table):
        views.append((places, True))
    found = {}
    for view, on_each_row in views:
        for key, column in view.columns.items():
            if key in coded or key in table.identifies or not is_finer(view, column.at):
                continue
            names = column.only(column.names)
            if is_finer(view, names) and (not on_each_row or distinct(names) == table.rows):
                found[key] = distinct(names)
    if found:
        yield _most(found, "names", table)


def _most(found: Mapping[str, int], of: str, table: Table) -> GrainEvidence:
    """What the column says that has the most."""
    key = max(found, key=lambda each: (found[each], each))
    why = f"column {key!r} holds {found[key]:,} {of}, several for one unit by {table.declared}"
    return GrainEvidence(Grain.SITE, why, key)


def _beside_finer_areas(table: Table) -> Table:
    """The table as if it were declared by the finest areas that its columns name, or that its P-codes are of.

    Those say themselves that they are finer. What else tells rows apart may be their names.
    """
    levels = pcodes.by_level(table.dataset)
    finer = [each for each in Grain if table.declared.depth < each.depth < Grain.SITE.depth]
    codes = "|".join(levels[each] for each in finer if each in levels)
    areas = [
        column
        for key, column in table.columns.items()
        if (table.identifies.get(key) in finer and column.named.any())
        or (codes and column.mostly_codes and 2 * column.cells(column.like(codes)) > column.filled)
    ]
    if not areas:
        return table
    at = joined(areas)
    units, places = (at if each is None else pairs(each, at) for each in (table.units, table.places))
    return replace(table, units=units, places=places)


def _points(table: Table) -> Iterator[GrainEvidence]:
    """Coordinates that tell the rows of a unit apart: two columns of them, or one of ODK's geopoints."""
    by_site = table.declared.depth >= Grain.SITE.depth
    if table.declared.depth > Grain.SITE.depth or (by_site and table.units is None):
        return
    views = [table] if table.per_unit > 1 else []
    by_place_too = [*views, each] if not by_site and (each := by_place(table)) else views
    points = {
        key
        for key, each in table.columns.items()
        if (texts := each.points).any() and any(is_finer(view, each.only(texts)) for view in by_place_too)
    }
    # A record has a number, but no place of its own. Two columns may be shares of each month.
    views = views if table.added is not None and has_each(table) else by_place_too
    two = {
        key
        for key, each in table.columns.items()
        if _is_coordinate(each) and any(is_finer(view, each.at) for view in views)
    }
    named = sorted(points)[:1] or (sorted(two)[:2] if len(two) > 1 else [])
    if named:
        grain = Grain.HOUSEHOLD if by_site else Grain.SITE
        columns = " and ".join(map(repr, named))
        why = f"coordinates in column {columns} differ within one unit by {table.declared}"
        yield GrainEvidence(grain, why, named[0])


def _repeats(table: Table) -> Iterator[GrainEvidence]:
    """Several rows for one unit: they are parts of what the key names.

    Rows of an area are those of its sites, unless there are answers that recur in each and say what they are.
    """
    grains = tuple(Grain)
    if table.units is None or table.declared is grains[-1]:
        return
    rows, once = table.units[table.named], table.units[table.counted]
    area = table.declared.depth < Grain.SITE.depth
    if area and _spare(table) and _spare(beside := _beside_finer_areas(table)) and not answers_say(beside):
        why = f"{_stand_for(once, table)}, and no answers that recur in each say what they are"
        yield GrainEvidence(Grain.SITE, why)
    elif len(rows) and len(rows) >= REPEATS * distinct(rows):
        yield GrainEvidence(grains[table.declared.depth + 1], _stand_for(rows, table))
    elif not area and repeats(table.units[table.once & table.named]):
        yield GrainEvidence(grains[table.declared.depth + 1], _stand_for(once, table))


def _unnamed(table: Table) -> Iterator[GrainEvidence]:
    """Rows that name no unit: parts of one above them, as below merged cells. A few are a slip.

    Of areas those that are alone in a coarser one may be its totals. A person need not be named. Blank lines
    are one row.
    """
    import numpy as np

    grains = tuple(Grain)
    area = table.declared.depth < Grain.SITE.depth
    key = [table.columns[each] for each in table.dataset.key if each in table.columns]
    names = telling(table.columns, table.identifies, table.declared) or key
    if not names or len(key) < len(table.dataset.key) or table.declared.depth >= Grain.INDIVIDUAL.depth:
        return
    rows = table.once & ~np.logical_or.reduce([each.named for each in names])
    count = int(rows.sum())
    if area and table.units is not None:
        count -= distinct(table.units[rows])
    if count >= SPARE and count > SLIP * table.once.sum():
        finer = Grain.SITE if area else grains[table.declared.depth + 1]
        why = f"{rows.sum():,} of {table.once.sum():,} rows name no unit by {table.declared}"
        yield GrainEvidence(finer, why)


def _spare(table: Table) -> bool:
    """Whether there are more different rows than units, by more than a slip."""
    units = table.units[table.counted]
    return len(units) - distinct(units) >= SPARE


def _stand_for(units: Any, table: Table) -> str:
    return f"{len(units):,} rows stand for {distinct(units):,} units by {table.declared}"


def _numbered(table: Table) -> Iterator[GrainEvidence]:
    """Headers that number households, persons or incidents: whole words, and where several share a unit."""
    for key, column in table.columns.items():
        grain = unit_in(key)
        if grain and grain.depth > table.declared.depth and is_finer(table, column.at):
            why = f"column {key!r} numbers each {grain}, several for one unit by {table.declared}"
            yield GrainEvidence(grain, why, key)


def _rosters(table: Table) -> Iterator[GrainEvidence]:
    """Rows that share the id of a form, and have each their own: members of what the form is about."""
    if table.declared.depth >= Grain.INDIVIDUAL.depth or table.per_unit < REPEATS:
        return
    parents = [
        key
        for key, each in table.columns.items()
        if each.distinct >= SPARE
        and each.filled >= REPEATS * each.distinct
        and table.identifies.get(key, Grain.INDIVIDUAL).depth > table.declared.depth
        and (_PARENTS & set(words(key)) or each.like(UUID).all())
    ]
    found = [key for key in sorted(parents) if _have_own(table, table.columns[key])]
    if found:
        why = f"several rows share each id in column {found[0]!r}, and have each their own, as in a roster"
        yield GrainEvidence(Grain.INDIVIDUAL, why, found[0])


def _have_own(table: Table, parent: Column) -> bool:
    ids = (each for each in table.columns.values() if each.mostly_codes or each.like(WHOLE).all())
    return any(_numbers(each, parent) for each in ids)


def _numbers(column: Column, parent: Column) -> bool:
    """Whether a column tells nearly all rows apart that have a parent; a row may stand twice."""
    numbers = column.at[(column.at >= 0) & (parent.at >= 0)]
    return bool(2 * len(numbers) > parent.filled and 10 * distinct(numbers) >= 9 * len(numbers))


def _is_coordinate(column: Column) -> bool:
    """Degrees with three decimals or more; shares between 0 and 1 are written so too."""
    import pyarrow as pa
    import pyarrow.compute as pc

    decimal = column.decimals
    if not decimal.any() or 2 * column.cells(decimal) < column.filled:
        return False
    texts = column.plain.filter(pa.array(decimal))
    whole = pc.replace_substring_regex(texts, r"^[^0-9]*([0-9]+)(?:[.,]([0-9]+))?.*$", r"\1.\2")
    degrees = pc.cast(whole, pa.float64()).to_numpy()
    return bool(((degrees > 1) & (degrees <= 180)).any())


_FINDERS = (
    _identified,
    _pcodes,
    _codes_for_areas,
    _codes,
    _names,
    _points,
    _repeats,
    _unnamed,
    _numbered,
    _rosters,
)
