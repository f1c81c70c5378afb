"""Made-up tables on which two policies are compared: their columns, and what their audience already holds.

Each is as small as it can be and still tell: a column alone, the columns that complete a relation, one of
these where the audience holds the others; and the whole table, and the extract of a pathway, as they leave.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from itertools import product
from typing import Any

from dtm_sharing import classify
from dtm_sharing.model import Audience, Column, Dataset, Header, Policy, Relation, country_of

_MOST_SETS = 256  # ways to complete a relation that are all tried; of more, each indicator once
_DAY = timedelta(days=1)


class Kind(StrEnum):
    COLUMN = "column"  # alone
    TABLE = "table"  # whole, without what goes at collection
    EXTRACT = "extract"  # what a pathway lists of it
    TOGETHER = "together"  # a smallest set of columns that completes a relation
    BESIDE = "beside"  # one of such a set; the audience holds the rest


@dataclass(frozen=True, slots=True)
class Case:
    """A made-up table. ``texts`` of its header row are judged; ``keys`` stand beside them only to join it.

    ``held``: dataset and indicators of each table that the audience already has.
    """

    dataset: str
    kind: Kind
    texts: tuple[str, ...]
    keys: tuple[str, ...] = ()
    held: tuple[tuple[str, tuple[str, ...]], ...] = ()
    relation: str | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """An audience, and whose it is: under another organization an agreement's pathway is another audience."""

    audience: Audience
    organization: str | None = None  # None: everyone

    def __str__(self) -> str:
        return f"{self.audience} ({self.organization})" if self.organization else str(self.audience)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two policies, and what each makes of the header texts of a dataset."""

    old: Policy
    new: Policy

    def __iter__(self) -> Iterator[Policy]:
        yield from (self.old, self.new)

    def declared(self, dataset: str) -> Iterator[tuple[Policy, Dataset]]:
        """The policies that declare it; the new one first, since its words are today's."""
        for policy in (self.new, self.old):
            if dataset in policy.datasets:
                yield policy, policy.datasets[dataset]

    @property
    def datasets(self) -> tuple[str, ...]:
        return tuple(sorted({*self.old.datasets, *self.new.datasets}))

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        """Everyone, and each pathway of each agreement of either policy."""
        paths = {
            (agreement.id, path.urgency, agreement.organization)
            for policy in self
            for agreement in policy.agreements.values()
            for path in agreement.pathways
        }
        named = (Recipient(Audience(agreement, urgency), who) for agreement, urgency, who in sorted(paths))
        return (Recipient(Audience()), *named)


# --------------------------------------------------------------------------------------- which tables


def cases(pair: Pair, dataset: str, audience: Audience) -> tuple[Case, ...]:
    """The tables of a dataset that are tried for an audience, each once.

    For a pathway only what Table B lists in either policy: nothing else may go there (DESIGN 3.10).
    """
    if audience.agreement is None:
        found = (*_columns(pair, dataset, None), *_tables(pair, dataset), *_related(pair, dataset, None))
        return tuple(dict.fromkeys(found))
    shared = [_shared(policy, dataset, audience) for policy in pair]
    wanted = frozenset().union(*shared)
    extracts = (each for indicators in shared for each in _extracts(pair, dataset, indicators))
    found = (*_columns(pair, dataset, wanted), *extracts, *_related(pair, dataset, wanted))
    return tuple(dict.fromkeys(found))


def _shared(policy: Policy, dataset: str, audience: Audience) -> frozenset[str]:
    """The indicators of it that Table B lists for a pathway."""
    agreement = policy.agreements.get(audience.agreement) if audience.agreement else None
    path = agreement.pathway(audience.urgency) if agreement and audience.urgency else None
    shares = path.shares if path else ()
    return frozenset(each for share in shares if share.dataset == dataset for each in share.indicators)


def _columns(pair: Pair, dataset: str, wanted: Collection[str] | None) -> Iterator[Case]:
    for _, declared in pair.declared(dataset):
        for column in declared.columns:
            if wanted is None or column.indicator in wanted:
                for text in (*texts(column), *column.spellings):
                    yield Case(dataset, Kind.COLUMN, (text,))


def _tables(pair: Pair, dataset: str) -> Iterator[Case]:
    for _, declared in pair.declared(dataset):
        yield Case(dataset, Kind.TABLE, tuple(text for each in _kept(declared) for text in texts(each)))


def _extracts(pair: Pair, dataset: str, indicators: Collection[str]) -> Iterator[Case]:
    for _, declared in pair.declared(dataset):
        shared = (each for each in _kept(declared) if each.indicator in indicators)
        found = tuple(text for each in shared for text in texts(each))
        if found:
            yield Case(dataset, Kind.EXTRACT, found)


def _kept(declared: Dataset) -> Iterator[Column]:
    """The columns that are left once collection has dropped what it drops."""
    return (each for each in declared.columns if each.name not in declared.drop_at_collection)


def texts(column: Column) -> tuple[str, ...]:
    """The header texts of a column and of what continues it, such that each can stand alone in a row."""
    return (column.name, *(f"{column.name}: {text}" for text in column.continued_by))


# ------------------------------------------------------------------------------------------- relations


def _related(pair: Pair, dataset: str, wanted: Collection[str] | None) -> Iterator[Case]:
    for policy, declared in pair.declared(dataset):
        names = {each.indicator: each.name for each in reversed(declared.columns)}
        open_ = {id_: name for id_, name in names.items() if wanted is None or id_ in wanted}
        country = _country(policy, dataset)
        for relation in sorted(policy.relations.values(), key=lambda each: each.id):
            for found in _completing(relation, open_):
                if len(found) > 1:
                    columns = tuple(open_[each] for each in found)
                    yield Case(dataset, Kind.TOGETHER, columns, relation=relation.id)
            for found in _completing(relation, country):
                for sent in (each for each in found if each in open_):
                    rest = tuple(each for each in found if each != sent)
                    if rest:
                        keys = _keys(pair, relation.id)
                        yield from _beside(dataset, names, sent, rest, country, keys, relation.id)


def _country(policy: Policy, dataset: str) -> Mapping[str, Dataset]:
    """Indicator → the dataset of the same country that has it; this one, if it does."""
    prefix = country_of(dataset)
    others = [each for id_, each in sorted(policy.datasets.items()) if country_of(id_) == prefix]
    others.sort(key=lambda each: each.id != dataset)
    return {column.indicator: each for each in reversed(others) for column in each.columns}


def _completing(relation: Relation, known: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Sets with one indicator of every group, of those that are ``known``."""
    there = set(known)
    groups = [[each for each in dict.fromkeys(group) if each in there] for group in relation.groups]
    if not all(groups):
        return
    if math.prod(map(len, groups)) <= _MOST_SETS:
        found: Iterable[Sequence[str]] = product(*groups)
    else:
        first = [group[0] for group in groups]
        found = (
            [*first[:place], each, *first[place + 1 :]]
            for place, group in enumerate(groups)
            for each in group
        )
    yield from dict.fromkeys(tuple(dict.fromkeys(each)) for each in found)


def _keys(pair: Pair, relation: str) -> tuple[str | None, ...]:
    """What may join tables by either policy, and nothing: a table may lack every key."""
    both = (policy.relations[relation] for policy in pair if relation in policy.relations)
    return (None, *sorted({key for each in both for key in each.keys}))


def _beside(  # noqa: PLR0913, PLR0917 - what is sent, what is held, and what joins them
    dataset: str,
    names: Mapping[str, str],
    sent: str,
    rest: Sequence[str],
    country: Mapping[str, Dataset],
    keys: Iterable[str | None],
    relation: str,
) -> Iterator[Case]:
    by_dataset: dict[str, list[str]] = {}
    for each in rest:
        by_dataset.setdefault(country[each].id, []).append(each)
    for key in keys:
        if key is not None and not (key in names and all(_has(country, id_, key) for id_ in by_dataset)):
            continue
        joined = () if key is None else (key,)
        yield Case(
            dataset,
            Kind.BESIDE,
            (names[sent],),
            keys=tuple(names[each] for each in joined if each != sent),
            held=tuple((id_, tuple(dict.fromkeys((*found, *joined)))) for id_, found in by_dataset.items()),
            relation=relation,
        )


def _has(country: Mapping[str, Dataset], dataset: str, indicator: str) -> bool:
    found = next(each for each in country.values() if each.id == dataset)
    return any(column.indicator == indicator for column in found.columns)


# ------------------------------------------------------------------------------------------- header rows


class Rows:
    """Header texts as columns of a policy's datasets, each text looked up once."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._known: dict[str, dict[str, tuple[Header, Column] | None]] = {}

    def headers(self, dataset: str, row: Sequence[str]) -> tuple[Header, ...]:
        """The columns of a table with this header row. What nobody declares is its own key."""
        found = (self._find(dataset, text) for text in row)
        return tuple(
            replace(each[0], position=position) if each else Header(position, text, None, text)
            for position, (text, each) in enumerate(zip(row, found, strict=True), start=1)
        )

    def key(self, dataset: str, text: str) -> str | None:
        """The key of the column that this text stands for; None: of none that is declared."""
        found = self._find(dataset, text)
        return found[0].key if found else None

    def column(self, dataset: str, text: str) -> Column | None:
        """The declared column that this text is, or continues."""
        found = self._find(dataset, text)
        return found[1] if found else None

    def _find(self, dataset: str, text: str) -> tuple[Header, Column] | None:
        if dataset not in self.policy.datasets:
            return None
        declared = self.policy.datasets[dataset]
        if dataset not in self._known:
            columns = [(text, column) for column in declared.columns for text in texts(column)]
            headers = classify.identify([text for text, _ in columns], declared)
            self._known[dataset] = {
                text: (header, column) for (text, column), header in zip(columns, headers, strict=True)
            }
        known = self._known[dataset]
        if text not in known:
            (found,) = classify.identify((text,), declared)
            known[text] = next((each for each in known.values() if each and each[0].key == found.key), None)
        return known[text]


# ------------------------------------------------------------------------------------------------- days


def days(pair: Pair, dataset: str, audience: Audience, as_of: date) -> tuple[date, ...]:
    """``as_of``, and every later day on which anything that the answer depends on may start or have ended."""
    named = {each for policy in pair for part in _dated(policy, dataset, audience) for each in _dates(part)}
    turns = {each for day in named if day < date.max for each in (day, day + _DAY)}
    return (as_of, *sorted(each for each in turns if each > as_of))


def _dated(policy: Policy, dataset: str, audience: Audience) -> Iterator[object]:
    """The parts of a policy whose dates matter to a dataset and an audience."""
    declared = policy.datasets.get(dataset)
    yield policy.operations.get(declared.operation) if declared else None
    yield from policy.overlays.values()
    yield from policy.waivers.values()
    yield from (each for each in policy.assessments.values() if dataset in each.datasets)
    agreement = policy.agreements.get(audience.agreement or "")
    if agreement:
        yield agreement
        yield policy.requests[agreement.request]
        sides = {agreement.organization, *agreement.signed}
        yield from (each for each in policy.focal_points.values() if each.organization in sides)


def _dates(value: Any) -> Iterator[date]:
    """Every date anywhere in a value of the policy: whichever of them a rule looks at."""
    if isinstance(value, date):
        yield value
    elif is_dataclass(value):
        for each in fields(value):
            yield from _dates(getattr(value, each.name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _dates(each)
    elif isinstance(value, tuple):
        for each in value:
            yield from _dates(each)
