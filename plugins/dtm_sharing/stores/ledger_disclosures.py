"""The ledger's answer to "what do they hold?": publications, disclosures, and what a relation is judged by.

Who may have something holds it, and who is about to get it as well: from the intent or announcement on,
until a person finds that it did not arrive, calls it off before it left, or has its recall in writing.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from dtm_sharing.errors import LedgerAltered, StoreFailed, UsageProblem
from dtm_sharing.model import Disclosure, DispatchState, Entry, Event, Holding, Publication
from dtm_sharing.stores import ledger_rows as rows
from dtm_sharing.stores import ledger_tables as tables
from dtm_sharing.stores.ledger_book import Book, entry_of, one, size, update
from dtm_sharing.stores.ledger_projections import DISCLOSING, PUBLICATION

LEASE = timedelta(minutes=15)  # for so long whoever announced a publication may be putting it


class HoldingsChanged(StoreFailed):
    """What the audience holds has grown since a decision read it. Decide again: nothing was recorded."""


@dataclass(frozen=True, slots=True)
class Held:
    """What an organization holds, everyone's included, by entry; ``size``: of the ledger that was read."""

    holdings: tuple[Holding, ...]
    size: int


class Disclosures(Book):
    """What went to everyone, and what anybody holds."""

    def held(self, organization: str, before: int | None = None, people: Collection[str] = ()) -> Held:
        """All that an organization and the public have, may have or are about to get; of one moment.

        Args:
            organization: its id. "public": all that anybody holds, for what is published reaches them all.
            before: as it was when the ledger had so many entries. The same answer then as now.
            people: ids of its focal points. What one of them received for an organization of another id
                counts as well: a policy may give an organization a new id, and it keeps what it has.

        Raises:
            UsageProblem: the ledger never had so many entries.
            StoreFailed, LedgerAltered: it cannot be read, so nobody knows what they hold.
        """
        with self._file.reading() as connection:
            newest = size(connection)
            if before is not None and not 0 <= before <= newest:
                raise UsageProblem(f"the ledger has {newest} entries, so it never had {before}")
            upto = newest if before is None else before
            theirs = ids_of(connection, organization, people, upto)
            return Held(tuple(_holdings(connection, theirs, upto)), upto)

    def size_on(self, day: date) -> int:
        """How many entries it had at the end of a day, in UTC: for ``held(…, before=…)``."""
        entry = tables.entry.c
        bound = (day + timedelta(days=1)).isoformat()
        with self._file.reading() as connection:
            last = connection.execute(
                sa.select(sa.func.max(entry.seq)).where(entry.occurred_at < bound)
            ).scalar()
        return 0 if last is None else int(last) + 1

    def announce(self, publication: Publication, *, seen: int) -> Entry:
        """Record that a table is about to go to everyone, before its bytes are put.

        From here on the public counts as holding it, even if the next line is never reached. The same
        publication again changes nothing, and to put the same bytes again is harmless.

        Args:
            publication: what goes.
            seen: how many entries the ledger had when it was decided upon (``held(...).size``).

        Raises:
            HoldingsChanged: the public, or an organization, holds more than it did then.
            UsageProblem: it was recalled. What was recalled is not published again.
        """
        key = self._publication_key(publication)
        (kind,) = PUBLICATION.event_types
        event_id = rows.event_id(key, kind)
        with self._file.writing() as connection:
            if found := entry_of(connection, event_id):
                _check_not_recalled(connection, key)
                return found
            check_unchanged(connection, {rows.PUBLIC_ORGANIZATION}, seen, {key})
            row = {"key": key, **rows.publication_row(publication)}
            data = self._seal(connection, PUBLICATION, row)
            event = Event(kind, key, publication.published_at, rows.PUBLIC_ORGANIZATION, data)
            entry = self._append(connection, event_id, event)
            held = standing(rows.STATE_AFTER[kind], entry)
            connection.execute(tables.disclosure.insert().values(**row, **held))
        return entry

    def publish(self, publication: Publication) -> Entry:
        """Record that a table went to everyone. The same one again changes nothing.

        Raises:
            UsageProblem: it was not announced; or it was recalled before its bytes were put. Then it counts
                as public again, until it is taken down and recalled once more.
        """
        key = self._publication_key(publication)
        (first,) = PUBLICATION.event_types
        with self._file.writing() as connection:
            announced = entry_of(connection, rows.event_id(key, first))
            if announced is None:
                raise UsageProblem(f"{publication.path} was not announced: announce a publication first")
            late = _is_recalled(one(connection, _disclosure_query(key)))
            kind = "release.put_late" if late else "release.published"
            data = {"announced": announced.seq}
            event = Event(kind, key, publication.published_at, rows.PUBLIC_ORGANIZATION, data)
            id_, _ = next_id(connection, key, kind) if late else (rows.event_id(key, kind), 0)
            entry = self._append(connection, id_, event)
            update(connection, tables.disclosure, key, standing(rows.STATE_AFTER[kind], entry))
        if late:
            raise UsageProblem(
                f"publication {key} was recalled while it was put into the public store (entry {entry.seq}): "
                "take it down, and record its recall again; until then it counts as public"
            )
        return entry

    def _publication_key(self, publication: Publication) -> str:
        each = publication
        return rows.keyed_id(
            self._salt, "publication", each.dataset, each.round, each.path, each.artefact_sha256
        )

    def disclosures(self, organization: str | None = None, year: int | None = None) -> tuple[Disclosure, ...]:
        """What an organisation received, or may have: ``state`` says which. In the order of time.

        "public" is the organisation of what was published. ``year`` is counted in UTC.
        """
        query = sa.select(tables.disclosure)
        if organization is not None:
            query = query.where(tables.disclosure.c.organization == organization)
        if year is not None:
            sent_at = tables.disclosure.c.sent_at
            query = query.where(sent_at >= f"{year:04d}-", sent_at < f"{year + 1:04d}-")
        query = query.order_by(tables.disclosure.c.sent_at, tables.disclosure.c.entry)
        with self._file.reading() as connection:
            return tuple(rows.to_disclosure(row) for row in connection.execute(query).mappings())


def standing(state: DispatchState, entry: Entry) -> dict[str, Any]:
    """What a disclosure says beyond the extract: that they have it, or may, since when, by which entry."""
    return {
        "state": state.value,
        "sent_at": rows.entry_columns(entry.body)["occurred_at"],
        "entry": entry.seq,
    }


def next_id(connection: Connection, key: str, kind: str, fence: int = 0) -> tuple[str, int]:
    """The id of the next event of a kind that may come again after itself, and its fence.

    What was recalled can leave late all the same, and is then recalled again.
    """
    ids = ((rows.event_id(key, kind, number), number) for number in itertools.count(fence))
    return next(each for each in ids if entry_of(connection, each[0]) is None)


def _disclosure_query(key: str) -> sa.Select[Any]:
    return sa.select(tables.disclosure).where(tables.disclosure.c.key == key)


def _is_recalled(row: RowMapping | None) -> bool:
    return row is not None and rows.state(row) in {DispatchState.RECALLED, DispatchState.TO_RECALL}


def _check_not_recalled(connection: Connection, key: str) -> None:
    row = one(connection, _disclosure_query(key))
    if row is not None and _is_recalled(row):
        raise UsageProblem(
            f"publication {key} was recalled (entry {row['entry']}): what was recalled is not published again"
        )


def check_unchanged(
    connection: Connection, organizations: Collection[str], seen: int, own: Collection[str]
) -> None:
    """Whether a decision that read the ledger at ``seen`` entries still stands.

    What they no longer hold makes no decision wrong, only stricter than it had to be; so it is not asked for.

    Args:
        connection: one that writes, so that nobody comes between this answer and what is recorded upon it.
        organizations: for whom it was decided, under all of their ids; everyone's counts as well.
        seen: how many entries the ledger had.
        own: keys of what is recorded upon this very decision.

    Raises:
        HoldingsChanged: somebody else recorded something that goes to them, or to anyone of everyone.
    """
    entry = tables.entry.c
    query = sa.select(entry.seq, entry.organization).where(
        _reaches(entry.organization, organizations),
        entry.seq >= seen,
        entry.event_type.in_(rows.GROWING),
        entry.row_key.not_in(own),
    )
    if (found := connection.execute(query.order_by(entry.seq).limit(1)).first()) is not None:
        raise HoldingsChanged(
            f"what {' or '.join(sorted(organizations))} holds changed while this was decided "
            f"(entry {found.seq}): decide again"
        )


def ids_of(connection: Connection, organization: str, people: Collection[str], before: int) -> frozenset[str]:
    """The organization, and each for which one of these people received: its id may be another since."""
    dispatch, entry = tables.dispatch.c, tables.entry.c
    query = (
        sa.select(dispatch.organization)
        .distinct()
        .join_from(tables.dispatch, tables.entry, entry.row_key == dispatch.key)
        .where(
            dispatch.organization != organization,
            dispatch.focal_point.in_(people),
            entry.event_type.in_(rows.BEGINNINGS),
            entry.seq < before,
        )
    )
    return frozenset({organization, *connection.execute(query).scalars()})


# --------------------------------------------------------------------------------- what the entries say


@dataclass(slots=True)
class _Told:
    """The entries about one row. ``last``: type of the newest that counts; ``moment``: of the first."""

    first: int
    moment: str
    last: str | None = None
    plain: bool = True  # so far, each of them moved it


def _holdings(connection: Connection, organizations: Collection[str], before: int) -> Iterator[Holding]:
    """From the entries: they tell how an extract stands, and commit to what its row says of it."""
    _check_whole(connection)
    extracts = _extracts(connection, organizations)
    told = _told(connection, organizations, before)
    if extracts.keys() - told.keys():
        raise LedgerAltered(
            "a dispatch or publication has no entry that began it; run the ledger's verification"
        )
    counted = {key: each for key, each in told.items() if each.last is not None}
    unclear = [key for key, each in counted.items() if not (each.plain and each.last in rows.REACHING)]
    gone = {key for some in _some(unclear) for key in _out_of_reach(connection, some, before)}
    reaching = {key: each for key, each in counted.items() if key not in gone}
    for key, each in reaching.items():
        if key not in extracts:
            raise LedgerAltered(
                f"the row of entry {each.first} is gone; run the ledger's verification", each.first
            )
    for some in _some(list(reaching)):
        _check_recorded(connection, {reaching[key].first: extracts[key] for key in some})
    for key, each in reaching.items():
        yield rows.to_holding(extracts[key], each.moment, each.first)


def _check_whole(connection: Connection) -> None:
    """Whether all entries are there, and each that is about a row says of which: it would count for nothing.

    Which texts they have is what the ledger's verification proves; it takes longer.
    """
    entry = tables.entry.c
    count, last = connection.execute(sa.select(sa.func.count(), sa.func.max(entry.seq))).one()
    if (expected := size(connection)) != count or expected != (last + 1 if count else 0):
        raise LedgerAltered(
            f"the ledger's head says {expected} entries, but there are {count}: some were removed or put in; "
            "run the ledger's verification"
        )
    about = sa.or_(*(entry.event_type.startswith(each) for each in rows.FOLLOWED))
    lost = connection.execute(
        sa.select(entry.seq).where(entry.row_key.is_(None), about).order_by(entry.seq).limit(1)
    ).scalar()
    if lost is not None:
        raise rows.altered(lost, "its column row_key is not what was recorded")


def _told(connection: Connection, organizations: Collection[str], before: int) -> dict[str, _Told]:
    """What the entries say of each row, by key; what counts are those before that number of them."""
    entry = tables.entry.c
    query = sa.select(entry.row_key, entry.seq, entry.occurred_at, entry.event_type).where(
        _reaches(entry.organization, organizations), entry.row_key.is_not(None)
    )
    found: dict[str, _Told] = {}
    for key, seq, moment, kind in connection.execute(query.order_by(entry.seq)):
        each = found.get(key)
        if each is None:
            if kind not in rows.BEGINNINGS:
                raise rows.altered(seq, "it is about a row that no entry before it began")
            each = found[key] = _Told(seq, moment)
        if seq < before:
            each.last = kind
            each.plain = each.plain and kind in rows.MOVES
    return found


def _out_of_reach(connection: Connection, keys: Collection[str], before: int) -> Iterator[str]:
    """Those of the rows that nobody holds. To hold nothing is worth a lie: so all about them is read."""
    entry = tables.entry
    query = sa.select(entry).where(entry.c.row_key.in_(keys), entry.c.seq < before).order_by(entry.c.seq)
    found: dict[str, list[RowMapping]] = {key: [] for key in keys}
    for each in connection.execute(query).mappings():
        rows.read_entry(each)
        found[each["row_key"]].append(each)
    for key, entries in found.items():
        try:
            *_, last = rows.history(entries)
        except (ValueError, KeyError, TypeError) as error:
            raise rows.altered(entries[-1]["seq"], "it is no entry of this format") from error
        if not last.state.may_reach:
            yield key


def _check_recorded(connection: Connection, extracts: Mapping[int, RowMapping]) -> None:
    """Whether rows say what their entries commit to: an altered one could let out what completes a relation.

    That nobody altered the entries is what the ledger's verification proves; it takes longer.
    """
    entry, field = tables.entry.c, tables.sealed_field.c
    refs = [f"{row['key']}/{each}" for row in extracts.values() for each in _OF_A_RELATION]
    sealed = sa.select(field.ref, field.salt).where(field.ref.in_(refs))
    salts = dict(iter(connection.execute(sealed)))
    wanted = (entry.seq, entry.event_type, entry.occurred_at, entry.organization, entry.row_key, entry.body)
    for each in connection.execute(sa.select(*wanted).where(entry.seq.in_(extracts))).mappings():
        row, seq, says = extracts[each["seq"]], each["seq"], rows.read_entry(each)
        kind = each["event_type"]
        wrong = [
            name
            for name in _OF_A_RELATION
            if not _agrees(kind, says, name, row[name], salts.get(f"{row['key']}/{name}"))
        ]
        if row["organization"] != says.get("organization"):
            wrong.insert(0, "organization")
        if wrong:
            raise LedgerAltered(
                f"the row of entry {seq} was altered: {wrong[0]} is not what was recorded; run the ledger's "
                "verification",
                seq,
            )


def _agrees(kind: str, says: Mapping[str, Any], name: str, value: Any, salt: bytes | None) -> bool:
    try:
        return DISCLOSING[kind].agrees(says["data"], name, value, salt)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False  # whatever it is, it is no entry that we wrote


def _some(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]


def _extracts(connection: Connection, organizations: Collection[str]) -> dict[str, RowMapping]:
    """Every row that was ever for them, or for everyone, by key."""
    found: dict[str, RowMapping] = {}
    for table, theirs in (
        (tables.dispatch, _reaches(tables.dispatch.c.organization, organizations)),
        (tables.disclosure, tables.disclosure.c.organization == rows.PUBLIC_ORGANIZATION),
    ):
        wanted = [table.c[each] for each in ("key", *_OF_A_HOLDING)]
        query = sa.select(*wanted).where(theirs)
        found |= {row["key"]: row for row in connection.execute(query).mappings()}
    return found


def _reaches(recipient: sa.ColumnElement[str], organizations: Collection[str]) -> sa.ColumnElement[bool]:
    """What goes to them: theirs and everyone's. What goes to everyone is read beside all that is held."""
    if rows.PUBLIC_ORGANIZATION in organizations:
        return recipient.is_not(None)
    return recipient.in_({*organizations, rows.PUBLIC_ORGANIZATION})


_OF_A_RELATION = ("dataset", "round", "grain", "indicators")  # what a table is judged by beside others
_OF_A_HOLDING = ("organization", *_OF_A_RELATION)
_AT_ONCE = 1000  # rows: SQLite takes some 30,000 values in one question
