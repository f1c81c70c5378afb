"""The ledger's answer to "what do they hold?": publications, disclosures, and what a relation is judged by.

Who may have something holds it, and who is about to get it as well: from the intent or announcement on,
until a person finds that it did not arrive, calls it off, or has its recall in writing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
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


class HoldingsChanged(StoreFailed):
    """What the audience holds has grown since a decision read it. Decide again: nothing was recorded."""


@dataclass(frozen=True, slots=True)
class Held:
    """What an organization holds, everyone's included, by entry; ``size``: of the ledger that was read."""

    holdings: tuple[Holding, ...]
    size: int


class Disclosures(Book):
    """What went to everyone, and what anybody holds."""

    def held(self, organization: str, before: int | None = None) -> Held:
        """All that an organization and the public have, may have or are about to get; of one moment.

        Args:
            organization: its id. "public": all that anybody holds, for what is published reaches them all.
            before: as it was when the ledger had so many entries. The same answer then as now.

        Raises:
            UsageProblem: the ledger never had so many entries.
            StoreFailed, LedgerAltered: it cannot be read, so nobody knows what they hold.
        """
        with self._file.reading() as connection:
            newest = size(connection)
            if before is not None and not 0 <= before <= newest:
                raise UsageProblem(f"the ledger has {newest} entries, so it never had {before}")
            upto = newest if before is None else before
            return Held(tuple(_holdings(connection, organization, upto)), upto)

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
            check_unchanged(connection, rows.PUBLIC_ORGANIZATION, seen, {key})
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
            UsageProblem: it was not announced, or was recalled.
        """
        key = self._publication_key(publication)
        (first,) = PUBLICATION.event_types
        with self._file.writing() as connection:
            announced = entry_of(connection, rows.event_id(key, first))
            if announced is None:
                raise UsageProblem(f"{publication.path} was not announced: announce a publication first")
            _check_not_recalled(connection, key)
            kind = "release.published"
            data = {"announced": announced.seq}
            event = Event(kind, key, publication.published_at, rows.PUBLIC_ORGANIZATION, data)
            entry = self._append(connection, rows.event_id(key, kind), event)
            update(connection, tables.disclosure, key, standing(rows.STATE_AFTER[kind], entry))
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


def _check_not_recalled(connection: Connection, key: str) -> None:
    row = one(connection, sa.select(tables.disclosure).where(tables.disclosure.c.key == key))
    if row is not None and rows.state(row) is DispatchState.RECALLED:
        raise UsageProblem(
            f"publication {key} was recalled (entry {row['entry']}): what was recalled is not published again"
        )


def check_unchanged(connection: Connection, organization: str, seen: int, own: Collection[str]) -> None:
    """Whether a decision that read the ledger at ``seen`` entries still stands.

    What they no longer hold makes no decision wrong, only stricter than it had to be; so it is not asked for.

    Args:
        connection: one that writes, so that nobody comes between this answer and what is recorded upon it.
        organization: for whom it was decided; everyone's counts as well.
        seen: how many entries the ledger had.
        own: keys of what is recorded upon this very decision.

    Raises:
        HoldingsChanged: somebody else recorded something that goes to them, or to anyone of everyone.
    """
    entry = tables.entry.c
    query = sa.select(entry.seq).where(
        _reaches(entry.organization, organization),
        entry.seq >= seen,
        entry.event_type.in_(rows.GROWING),
        entry.row_key.not_in(own),
    )
    if (found := connection.execute(query.order_by(entry.seq).limit(1)).scalar()) is not None:
        raise HoldingsChanged(
            f"what {organization} holds changed while this was decided (entry {found}): decide again"
        )


def _holdings(connection: Connection, organization: str, before: int) -> Iterator[Holding]:
    """From the entries: they tell how an extract stands, and commit to what its row says of it."""
    extracts = _extracts(connection, organization)
    moves = _moves(connection, organization, before)
    reaching = {key: each for key, each in moves.items() if each[2] in rows.REACHING}
    for key, (entry, *_) in reaching.items():
        if key not in extracts:
            raise LedgerAltered(f"the row of entry {entry} is gone; run the ledger's verification", entry)
    keys = list(reaching)
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        _check_recorded(connection, {reaching[key][0]: extracts[key] for key in some})
    for key, (entry, since, _) in reaching.items():
        yield rows.to_holding(extracts[key], since, entry)


def _check_recorded(connection: Connection, extracts: Mapping[int, RowMapping]) -> None:
    """Whether rows say what their entries commit to: an altered one could let out what completes a relation.

    That nobody altered the entries is what the ledger's verification proves; it takes longer.
    """
    entry, field = tables.entry.c, tables.sealed_field.c
    refs = [f"{row['key']}/{each}" for row in extracts.values() for each in _OF_A_RELATION]
    sealed = sa.select(field.ref, field.salt).where(field.ref.in_(refs))
    salts = dict(iter(connection.execute(sealed)))
    entries = sa.select(entry.seq, entry.event_type, entry.body).where(entry.seq.in_(extracts))
    for seq, kind, body in connection.execute(entries):
        row = extracts[seq]
        for each in _OF_A_RELATION:
            if not _says(kind, body, each, row[each], salts.get(f"{row['key']}/{each}")):
                raise LedgerAltered(
                    f"the row of entry {seq} was altered: {each} is not what was recorded; run the ledger's "
                    "verification",
                    seq,
                )


def _says(kind: str, body: bytes, name: str, value: Any, salt: bytes | None) -> bool:
    try:
        return DISCLOSING[kind].agrees(json.loads(body)["data"], name, value, salt)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False  # whatever it is, it is no entry that we wrote


def _moves(connection: Connection, organization: str, before: int) -> dict[str, tuple[int, str, str]]:
    """By key: number and moment of the first entry about it, and the type of the last one that moved it."""
    entry = tables.entry.c
    query = sa.select(entry.row_key, entry.seq, entry.occurred_at, entry.event_type).where(
        _reaches(entry.organization, organization),
        entry.row_key.is_not(None),
        entry.seq < before,
    )
    found: dict[str, tuple[int, str, str]] = {}
    for key, seq, moment, kind in connection.execute(query.order_by(entry.seq)):
        if kind in rows.MOVES:
            first = found.get(key, (seq, moment))
            found[key] = (first[0], first[1], kind)
    return found


def _extracts(connection: Connection, organization: str) -> dict[str, RowMapping]:
    """Every row that was ever for them, or for everyone, by key."""
    found: dict[str, RowMapping] = {}
    for table, theirs in (
        (tables.dispatch, _reaches(tables.dispatch.c.organization, organization)),
        (tables.disclosure, tables.disclosure.c.organization == rows.PUBLIC_ORGANIZATION),
    ):
        wanted = [table.c[each] for each in ("key", *_OF_A_HOLDING)]
        query = sa.select(*wanted).where(theirs)
        found |= {row["key"]: row for row in connection.execute(query).mappings()}
    return found


def _reaches(recipient: sa.ColumnElement[str], organization: str) -> sa.ColumnElement[bool]:
    """What goes to them: theirs and everyone's. What goes to everyone is read beside all that is held."""
    if organization == rows.PUBLIC_ORGANIZATION:
        return recipient.is_not(None)
    return recipient.in_({organization, rows.PUBLIC_ORGANIZATION})


_OF_A_RELATION = ("dataset", "round", "grain", "indicators")  # what a table is judged by beside others
_OF_A_HOLDING = ("organization", *_OF_A_RELATION)
_AT_ONCE = 1000  # rows: SQLite takes some 30,000 values in one question
