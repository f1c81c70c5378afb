"""What a table says beside what its audience already holds (guideline: Relational).

``classify`` has judged the table by itself. Here every relation is judged again, of the table together with
all tables that can be put beside it: of the same country, at one of the relation's grains or finer, joined by
one of its keys, be it by way of a third. When they were received does not matter. What is published is read
by each organization beside what it alone was sent, which may be Confidential; only what would be Secret
counts there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from dtm_sharing.gate.held import NAMED, Beside, Seen, earliest, more, table
from dtm_sharing.model import (
    Classification,
    ColumnLevel,
    Gap,
    Grain,
    Holding,
    Level,
    Reason,
    Relation,
    Waiver,
)

_Columns = Mapping[str, Sequence[ColumnLevel]]  # by indicator


@dataclass(frozen=True, slots=True)
class Together:
    """A relation that holds of a table beside others, or of it alone, and the level that it then asks for.

    ``own``: its groups that the table itself says something of, by number. None: it leads from one of the
    others to another.
    """

    relation: Relation
    own: frozenset[int]
    level: Level
    waiver: Waiver | None
    beside: tuple[Seen, ...]


# ------------------------------------------------------------------------------------------ what is raised


def raised(beside: Beside, classification: Classification) -> Classification:
    """The classification with a reason for each column that says more beside what is held."""
    columns = _by_indicator(classification.columns)
    reasons: dict[str, list[Reason]] = defaultdict(list)
    for relation in _touched(beside, classification, columns):
        found = together(beside, relation, classification, columns)
        if found is not None and found.beside:
            waiver = found.waiver.id if found.waiver else None
            for indicators, why in _sentences(found, columns, beside.tables):
                reason = Reason(relation.rule, relation.source, why, found.level, waiver)
                for each in indicators:
                    reasons[each].append(reason)
    if not reasons:
        return classification
    now = tuple(_with(each, reasons.get(each.indicator or "", ())) for each in classification.columns)
    level = classification.level and max(each.level for each in now if each.level is not None)
    return replace(classification, columns=now, level=level)


def _with(column: ColumnLevel, reasons: Iterable[Reason]) -> ColumnLevel:
    """The column with these reasons, but for those that say no more than one that it has."""
    new = [
        each
        for each in reasons
        if not any(old.rule == each.rule and old.level >= each.level for old in column.reasons)
    ]
    if not new:
        return column
    strictest = max(each.level for each in new)
    # As in ``classify``: nothing that is missing could lower what a rule calls Secret.
    undecided = column.level is None and strictest is not Level.SECRET
    return replace(
        column,
        level=None if undecided else max(column.level or strictest, strictest),
        reasons=tuple(
            sorted((*column.reasons, *new), key=lambda each: (-each.level, each.rule, each.source))
        ),
    )


def together(
    beside: Beside, relation: Relation, classification: Classification, present: Collection[str]
) -> Together | None:
    """Whether a relation holds of a table with these indicators, beside what is held or by itself.

    It has nothing to do with a table that says nothing of its groups, unless that leads from one held table
    to another: then it is what completes the relation, or brings more to what is complete.
    """
    own = relation.groups_at(classification.grain, present)
    leads = () if own else relation.leads(present)
    if not (own or leads):
        return None
    for reader in (None, *beside.readers) if relation.level is Level.SECRET else (None,):
        joined = _joined(beside, relation, present, reader)
        alone = (_joined(beside, relation, [key], reader) for key in leads)
        if _complete(relation, own, joined) and joined not in alone:
            waiver = _waiver(beside, relation, present)
            level = waiver.level if waiver else relation.level
            return Together(relation, own, level, waiver, tuple(joined))
    return None


def _joined(
    beside: Beside,
    relation: Relation,
    present: Collection[str],
    reader: str | None = None,
    waiver: Waiver | None = None,
) -> list[Seen]:
    """What a reader has that can be put beside a table with these indicators; by way of what is waived.

    ``reader`` None: whomever the table is for.
    """
    keys = beside.reach(relation, present, reader, waiver)
    seen = (each for each in beside.seen[relation.id] if each.reader in {None, reader})
    return [each for each in seen if relation.joins(keys, each.keys)]


def _complete(relation: Relation, own: frozenset[int], joined: Iterable[Seen]) -> bool:
    return len(own.union(*(each.groups for each in joined))) == len(relation.groups)


def _waiver(beside: Beside, relation: Relation, present: Collection[str]) -> Waiver | None:
    """The waiver that relaxes the relation for the table *and* for every table that it is read with.

    Else what is waived for one dataset would let out in one order what is refused in the other. So it is for
    those on the way as well, unless the others are reached without them. Never of Secret, whatever the file
    says; so nobody's own tables have a part in it. Of several (no checked policy has them) the strictest.
    """
    named = [each for each in beside.waivers if relation.rule in each.relaxes]
    named = [each for each in named if each.level < relation.level < Level.SECRET]
    if not named:
        return None
    joined = _joined(beside, relation, present)
    ids = {beside.tables[at].dataset for one in joined for at in one.places}
    found = (
        each
        for each in named
        if all(beside.covers(each, id_) for id_ in ids)
        and _joined(beside, relation, present, waiver=each) == joined
    )
    return max(found, key=lambda each: (each.level, each.id), default=None)


# ----------------------------------------------------------------------------------------- what is missing


def gaps(beside: Beside, classification: Classification) -> Iterator[Gap]:
    """What nobody knows of the audience's tables, where a relation of this table would need it."""
    columns = _by_indicator(classification.columns)
    touched = list(_touched(beside, classification, columns))
    needed = [each.rule for each in touched if not _holds_in_full(each, columns)]
    if needed and not beside.known:
        yield Gap(
            "holdings-unknown",
            f"What this audience already holds could not be read, and {', '.join(needed[:NAMED])}"
            f"{more(needed)} may hold beside it: decide when the ledger can be read.",
        )
    # What nobody knows could be a key, too, and what has two of them leads to others whatever its grain.
    coarsest = min(
        (0 if len(each.keys) > 1 else grain.depth for each in touched for grain in each.grains),
        default=len(Grain),
    )
    for indicator, places in sorted(beside.strange.items()):
        found = [holding for grain, holding in places.items() if grain.depth >= coarsest]
        if found:
            yield Gap(
                "holding-unknown-indicator",
                f"The policy does not declare indicator {indicator} of {table(min(found, key=earliest))}, so "
                "nobody can say what this table tells beside it: declare the indicator again, also in each "
                "relation that names what is called otherwise now.",
            )


def _holds_in_full(relation: Relation, columns: _Columns) -> bool:
    """Whether it holds in the table itself and nothing relaxes it: then nothing held could add to it."""
    concerned = [column for group in relation.groups for each in group for column in columns.get(each, ())]
    return bool(concerned) and all(
        any((why.rule, why.level) == (relation.rule, relation.level) for why in column.reasons)
        for column in concerned
    )


# -------------------------------------------------------------------------------- relations and the table


def _touched(beside: Beside, classification: Classification, present: Collection[str]) -> Iterator[Relation]:
    """The relations that have to do with this table, in order of their ids."""
    for _, relation in sorted(beside.policy.relations.items()):
        if relation.groups_at(classification.grain, present) or relation.leads(present):
            yield relation


def _by_indicator(columns: Iterable[ColumnLevel]) -> _Columns:
    found: dict[str, list[ColumnLevel]] = defaultdict(list)
    for each in columns:
        if each.indicator is not None:
            found[each.indicator].append(each)
    return found


# ------------------------------------------------------------------------------------------ in sentences


def _sentences(
    found: Together, columns: _Columns, tables: Sequence[Holding]
) -> Iterator[tuple[Sequence[str], str]]:
    """Indicators at hand that are in the same groups, and why they are raised: what they stand beside.

    Of a table that only leads from one held table to another it is the keys.
    """
    relation = found.relation
    sides: dict[frozenset[int], list[str]] = defaultdict(list)
    if not found.own:
        sides[frozenset()] = sorted(relation.leads(columns))
    for each in sorted({each for n in found.own for each in relation.groups[n] if each in columns}):
        sides[relation.groups_of([each])].append(each)
    relaxed = f"; {found.waiver.says(relation.level)}" if found.waiver else ""
    for side, indicators in sides.items():
        others = {each for n, group in enumerate(relation.groups) if n not in side for each in group}
        adds = [each for each in found.beside if not each.groups.issubset(side)]
        stands = "; ".join((*_here(others, columns), *_there(others, adds, tables)))
        yield indicators, f"{relation.why.rstrip('. ')} (beside {stands}){relaxed}"


def _here(others: Collection[str], columns: _Columns) -> Iterator[str]:
    keys = [repr(column.header.key) for each in sorted(others) for column in columns.get(each, ())]
    if keys:
        yield ", ".join(keys[:NAMED]) + more(keys)


def _there(others: Collection[str], adds: Iterable[Seen], tables: Sequence[Holding]) -> Iterator[str]:
    places = sorted(chain.from_iterable(each.places for each in adds))
    for holding in (tables[at] for at in places[:NAMED]):
        names = sorted({each for each in holding.indicators if each in others})
        yield f"{' and '.join(names[:NAMED])}{more(names)} of {table(holding)}"
    if len(places) > NAMED:
        yield f"{len(places) - NAMED} more tables"
