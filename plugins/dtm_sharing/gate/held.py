"""What an audience holds, sorted once, so that no relation has to look at every table again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from math import inf

from dtm_sharing.model import PUBLIC, Audience, Dataset, Grain, Holding, Policy, Relation, Waiver, country_of

_Kind = tuple[Grain, frozenset[str], str | None]  # alike: grain, indicators that matter, who alone has it

NAMED = 3  # how many tables, columns or indicators a sentence names before it only counts them


@dataclass(frozen=True, slots=True)
class Seen:
    """Tables that one relation does not tell apart: in the same of its groups, with the same of its keys.

    ``reader``: the organization that alone has them, and whom a publication reaches too; None: whomever the
    table is for has them. ``places``: where they stand in ``Beside.tables``, in order.
    """

    groups: frozenset[int]
    keys: frozenset[str]
    reader: str | None
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """Tables with the same keys, several of them, and the same reader: they lead from one key to another."""

    keys: frozenset[str]
    reader: str | None
    datasets: frozenset[str]


@dataclass(frozen=True, slots=True)
class Beside:
    """All that can be put beside a dataset's tables. ``known`` False: nobody could read it.

    ``tables``: those of its country, the earliest first; one that was sent twice, or to several people, once.
    ``seen``: what each relation that the table touches, by id, sees of them. ``strange``: per indicator that
    the policy does not declare the grains at which it is held, each with the holding that was first.
    ``waivers``: those in force for the dataset itself.

    ``readers``: organizations that have more than everyone. ``links``: per key the tables that lead from it
    to others.
    """

    policy: Policy
    as_of: date
    known: bool
    tables: tuple[Holding, ...]
    seen: Mapping[str, tuple[Seen, ...]]
    strange: Mapping[str, Mapping[Grain, Holding]]
    readers: tuple[str, ...]
    links: Mapping[str, Sequence[Link]]
    waivers: tuple[Waiver, ...]

    def reach(
        self, relation: Relation, present: Collection[str], reader: str | None, waiver: Waiver | None = None
    ) -> frozenset[str]:
        """The keys by which a reader gets from a table with these indicators to others, through any it has.

        A list of sites with their names joins a table by site ID to one by site name. With a ``waiver``: only
        through tables that it is for.
        """
        keys = {each for each in relation.keys if each in present}
        ahead = list(keys)
        while ahead and len(keys) < len(relation.keys):
            for link in self.links.get(ahead.pop(), ()):
                theirs = link.reader is None or link.reader == reader
                if theirs and (waiver is None or any(self.covers(waiver, each) for each in link.datasets)):
                    further = [each for each in relation.keys if each in link.keys and each not in keys]
                    keys.update(further)
                    ahead += further
        return frozenset(keys)

    def covers(self, waiver: Waiver, dataset: str) -> bool:
        """Whether a waiver is for this dataset as well, which the policy may have no more."""
        declared = self.policy.datasets.get(dataset)
        return declared is not None and waiver.covers(declared, self.as_of)


def beside(  # noqa: PLR0913, PLR0917 - a table, for whom, and all that it is read with
    policy: Policy,
    dataset: Dataset,
    indicators: Collection[str],
    audience: Audience,
    held: Sequence[Holding] | None,
    as_of: date,
) -> Beside:
    """What is held, as it is seen by the relations of a table with these indicators, or with fewer."""
    country = country_of(dataset.id)
    once: dict[tuple[object, ...], Holding] = {}
    for each in sorted(held or (), key=earliest):
        if each.country == country:
            once.setdefault((each.dataset, each.round, each.holder, each.grain, each.indicators), each)
    tables = tuple(once.values())
    touched = [
        each for each in policy.relations.values() if each.groups_of(indicators) or each.leads(indicators)
    ]
    named = frozenset(each for one in touched for each in chain(one.keys, *one.groups))
    alike: dict[_Kind, list[int]] = defaultdict(list)
    for at, each in enumerate(tables):
        alike[each.grain, named.intersection(each.indicators), _reader(each, audience)].append(at)
    return Beside(
        policy=policy,
        as_of=as_of,
        known=held is not None,
        tables=tables,
        seen=_seen(touched, alike),
        strange=_strange(policy, tables),
        readers=tuple(sorted({reader for _, _, reader in alike if reader is not None})),
        links=_links({each for one in touched for each in one.keys}, alike, tables),
        waivers=tuple(policy.waivers_on(dataset, as_of)),
    )


def _links(
    keys: Collection[str], alike: Mapping[_Kind, Sequence[int]], tables: Sequence[Holding]
) -> Mapping[str, Sequence[Link]]:
    datasets: dict[tuple[frozenset[str], str | None], set[str]] = defaultdict(set)
    for (_, there, reader), places in alike.items():
        joins = there.intersection(keys)
        if len(joins) > 1:
            datasets[joins, reader].update(tables[at].dataset for at in places)
    found: dict[str, list[Link]] = defaultdict(list)
    for (joins, reader), those in datasets.items():
        for each in joins:
            found[each].append(Link(joins, reader, frozenset(those)))
    return found


def _reader(holding: Holding, audience: Audience) -> str | None:
    """What everyone gets each organization gets too, and reads it with what was sent to it alone."""
    return None if audience != PUBLIC or holding.holder == str(PUBLIC) else holding.holder


def _seen(
    relations: Collection[Relation], alike: Mapping[_Kind, Sequence[int]]
) -> Mapping[str, tuple[Seen, ...]]:
    """Each relation looks only at tables with an indicator of its groups, at those that are alike once."""
    having: dict[str, list[_Kind]] = defaultdict(list)
    for kind in alike:
        for indicator in kind[1]:
            having[indicator].append(kind)
    found = {}
    for relation in relations:
        groups: dict[_Kind, set[int]] = defaultdict(set)
        for number, group in enumerate(relation.groups):
            for kind in chain.from_iterable(having.get(each, ()) for each in group):
                # Who has the finer table has the coarser one as well: it only needs to be summed up.
                if relation.counts_at(kind[0]):
                    groups[kind].add(number)
        places: dict[tuple[frozenset[int], frozenset[str], str | None], list[int]] = defaultdict(list)
        for kind, numbers in groups.items():
            places[frozenset(numbers), kind[1].intersection(relation.keys), kind[2]] += alike[kind]
        found[relation.id] = tuple(Seen(*each, tuple(sorted(those))) for each, those in places.items())
    return found


def _strange(policy: Policy, held: Iterable[Holding]) -> Mapping[str, Mapping[Grain, Holding]]:
    found: dict[str, dict[Grain, Holding]] = defaultdict(dict)
    known = frozenset(policy.indicators)
    for holding in held:
        if not known.issuperset(holding.indicators):
            for each in holding.indicators:
                if each not in known:
                    found[each].setdefault(holding.grain, holding)
    return found


# ------------------------------------------------------------------------------------------- in sentences


def earliest(holding: Holding) -> tuple[object, ...]:
    """What was held first comes first; what is only to leave, last of its day."""
    entry = inf if holding.entry is None else holding.entry
    named = (holding.dataset, holding.round, holding.holder, holding.grain, holding.indicators)
    return holding.since, entry, *named


def table(holding: Holding) -> str:
    """Which table it is, who has it, since when, and where that is written."""
    name = f"{holding.dataset}, round {holding.round}" if holding.round else holding.dataset
    if holding.entry is None:
        return f"{name}, which is to leave with it"
    whose = "is public" if holding.holder == str(PUBLIC) else f"{holding.holder} holds"
    return f"{name}, which {whose} since {holding.since} (ledger entry {holding.entry})"


def more(items: Sequence[object]) -> str:
    return f" and {len(items) - NAMED} more" if len(items) > NAMED else ""
