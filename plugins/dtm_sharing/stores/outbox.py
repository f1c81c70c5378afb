"""The outbox: how a dispatch goes from intent to its end, so that no message is ever sent twice.

State and entry change in one transaction, so that neither can be without the other. What may have left is
never sent again without a person. Protocol and measurements: ``docs/decisions``.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from dtm_sharing import ledger
from dtm_sharing.errors import LedgerAltered, StoreFailed, UsageProblem
from dtm_sharing.model import Dispatch, DispatchState, Event, Finding, FocalPoint, Method, Receipt
from dtm_sharing.stores import ledger_rows as rows
from dtm_sharing.stores import ledger_tables as tables
from dtm_sharing.stores.ledger_book import entry_of, one, update
from dtm_sharing.stores.ledger_disclosures import (
    LEASE,
    Disclosures,
    check_unchanged,
    ids_of,
    next_id,
    standing,
)
from dtm_sharing.stores.ledger_projections import DISPATCH, FINDING
from dtm_sharing.stores.ledger_rows import Standing

# Channels that cannot be asked afterwards whether they have a message. The others are: recover, then look.
OPAQUE = frozenset({Method.EXCEL_EMAIL, Method.DOCUMENT_EMAIL, Method.TELEPHONE})


class DispatchBusy(StoreFailed):
    """Another try of the same dispatch is at work and its lease holds. Try again later."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to make one attempt. ``recover``: an earlier one was cut off; look before sending."""

    key: str
    fence: int
    recover: bool = False


class Outbox(Disclosures):
    """Every dispatch, and how it stands."""

    def dispatch_key(  # noqa: PLR0913 - all that makes a dispatch that one and no other
        self,
        *,
        agreement: str,
        dataset: str,
        round_: str,
        extract: str,
        focal_point: str,
        method: Method,
        resend: int = 0,
    ) -> str:
        """The key of this extract for this person: the same for every retry, another for a resend.

        Args:
            agreement: agreement and urgency, as ``str(audience)`` writes them.
            dataset: its id.
            round_: the round.
            extract: digest of the extract's names and cells, so that corrected data are another dispatch and
                an edited policy file is not.
            focal_point: id of the recipient.
            method: how it is sent.
            resend: how many times a person has decided to send it again.

        Returns: a UUIDv5 over an HMAC under the ledger's salt, so that it tells an outsider nothing.
        """
        table = [dataset, round_, extract]
        return rows.keyed_id(self._salt, "dispatch", agreement, table, focal_point, method, resend)

    def current_key(  # noqa: PLR0913 - as dispatch_key
        self,
        *,
        agreement: str,
        dataset: str,
        round_: str,
        extract: str,
        focal_point: str,
        method: Method,
    ) -> str:
        """The key under which this extract goes to this person now: ``dispatch_key`` with its resend number.

        That is the number of dispatches of it that a person found not to have arrived. All who ask before
        somebody finds so again get the same key; what was cancelled keeps its key, and is never sent.
        """
        numbered = functools.partial(
            self.dispatch_key,
            agreement=agreement,
            dataset=dataset,
            round_=round_,
            extract=extract,
            focal_point=focal_point,
            method=method,
        )
        keys = (numbered(resend=number) for number in itertools.count())
        with self._file.reading() as connection:
            return next(key for key in keys if not _did_not_arrive(connection, key))

    def intend(self, dispatches: Iterable[Dispatch], now: datetime, *, seen: int) -> tuple[Dispatch, ...]:
        """Record that these are to be sent, before any of them is (T1): all of one decision, or none.

        Args:
            dispatches: to one organization; what was recorded earlier may have its earlier id.
            now: when.
            seen: how many entries the ledger had when it was decided upon (``held(...).size``).

        Returns: each as recorded; an earlier one with its key stays as it is, with its artefact.

        Raises:
            HoldingsChanged: what they hold has grown since, other than by these. Then none is recorded.
            UsageProblem: a key is no UUID, or new ones are for several organizations.
        """
        dispatches = tuple(dispatches)
        with self._file.writing() as connection:
            found = {each.key: one(connection, _dispatch_query(each.key)) for each in dispatches}
            if new := {each.key: each for each in dispatches if found[each.key] is None}:
                people = {each.focal_point for each in dispatches}
                theirs = ids_of(connection, _recipient(new.values()), people, seen)
                check_unchanged(connection, theirs, seen, set(found))
            for each in new.values():
                self._intend(connection, each, now)
            return tuple(rows.to_dispatch(row) if (row := found[each.key]) else each for each in dispatches)

    def _intend(self, connection: Connection, dispatch: Dispatch, now: datetime) -> None:
        values = rows.dispatch_row(dispatch)
        connection.execute(tables.dispatch.insert().values(**values, state=DispatchState.NEW.value, fence=0))
        (kind,) = DISPATCH.event_types
        data = self._seal(connection, DISPATCH, values)
        event = Event(kind, dispatch.key, now, dispatch.organization, data)
        self._append(connection, rows.event_id(dispatch.key, kind), event)

    def find(self, key: str) -> tuple[Dispatch, DispatchState] | None:
        """The dispatch of this key and how it stands, if it was ever intended."""
        with self._file.reading() as connection:
            row = one(connection, _dispatch_query(key))
        return (rows.to_dispatch(row), rows.state(row)) if row else None

    def claim(
        self, key: str, now: datetime, lease: timedelta, try_number: int | None = None
    ) -> Claim | DispatchState:
        """Take the right to send it now (T2).

        Returns: a claim that must be concluded; or a state, and then there is nothing to send. Where an
        earlier try by mail or telephone was cut off, that is "outcome unknown": it may have left.

        Raises:
            DispatchBusy: another try is at work.
            UsageProblem: there is no dispatch of this key.
        """
        with self._file.writing() as connection:
            row = _needed(connection, key)
            state = rows.state(row)
            if state not in {DispatchState.NEW, DispatchState.SENDING}:
                return state
            recover = state is DispatchState.SENDING
            if recover and ledger.timestamp(now) < row["lease_until"]:
                raise DispatchBusy(f"dispatch {key} is being sent by another try; try again after its lease")
            if recover and row["method"] in OPAQUE:
                data = {"fence": row["fence"], "detail": "The try was cut off; the message may have left."}
                return self._advance(connection, row, "dispatch.outcome_unknown", now, data)
            claim = Claim(key, row["fence"] + 1, recover)
            data = {
                "fence": claim.fence,
                "recover": recover,
                "lease_until": ledger.timestamp(now + lease),
                **({} if try_number is None else {"try_number": try_number}),
            }
            self._advance(connection, row, "dispatch.attempt", now, data)
            return claim

    def settle(self, key: str, finding: Finding, by: FocalPoint, reason: str, now: datetime) -> DispatchState:
        """Record what a person found out about a dispatch, and give the state that it is in from now on.

        It ends the dispatch. After ``NOT_ARRIVED`` the next run of the pathway sends it under another key;
        after ``CANCELLED`` nobody does. What is cancelled and may have left stays with them until it is
        recalled: its state is "to-recall". So is that of what a task reports, later on, to have left.

        Args:
            key: of a dispatch whose outcome is unknown, that failed, that is waiting (but not to say that it
                arrived), or whose sending was cut off.
            finding: what was found.
            by: who found it, or decided it.
            reason: how they know, in their words. It stays beside the ledger; an entry only commits to it.
            now: when.

        Raises:
            DispatchBusy: a task is sending it, and its lease holds.
            UsageProblem: there is no such dispatch, it has come to its end, or there is no reason.
        """
        words = rows.one_line(reason)
        with self._file.writing() as connection:
            row = _needed(connection, key)
            _check_may_settle(row, finding, now)
            kind, _ = rows.AFTER_FINDING[finding]
            data = {"fence": row["fence"]}
            data |= self._found(connection, rows.event_id(key, kind, row["fence"]), key, finding, by, words)
            return self._advance(connection, row, kind, now, data)

    def recall(self, key: str, by: FocalPoint, reason: str, now: datetime) -> None:
        """Record that what was sent or published is held no more: a person has it in writing.

        From then on no relation is judged by it. It stays among the disclosures, as recalled, and is neither
        sent nor published again.

        Args:
            key: of a dispatch that its recipient has, or may have; or of a publication.
            by: who answers for it.
            reason: how they know, in their words. It stays beside the ledger; an entry only commits to it.
            now: when.

        Raises:
            DispatchBusy: a task is sending or publishing it, and its lease holds.
            UsageProblem: there is no such dispatch or publication, nobody holds it, or there is no reason.
        """
        words, finding = rows.one_line(reason), Finding.RECALLED
        with self._file.writing() as connection:
            row = one(connection, _dispatch_query(key)) or _publication(connection, key)
            _check_is_held(row, now)
            if row["method"] == rows.PUBLICATION_METHOD:
                kind = rows.PUBLICATION_RECALLED
                id_, _ = next_id(connection, key, kind)
                data = self._found(connection, id_, key, finding, by, words)
                entry = self._append(connection, id_, Event(kind, key, now, row["organization"], data))
                moved = {"state": DispatchState.RECALLED.value, "entry": entry.seq}
                update(connection, tables.disclosure, key, moved)
            else:
                kind, _ = rows.AFTER_FINDING[finding]
                id_, fence = next_id(connection, key, kind, row["fence"])
                data = self._found(connection, id_, key, finding, by, words)
                self._advance(connection, row, kind, now, {"fence": fence, **data})

    def _found(  # noqa: PLR0913, PLR0917 - what a finding is
        self, connection: Connection, id_: str, key: str, finding: Finding, by: FocalPoint, words: str
    ) -> dict[str, Any]:
        """Keep a person's finding, and give what its entry, of this id, says of it."""
        row = {
            "key": id_,
            "row_key": key,
            "finding": finding.value,
            "by_organization": by.organization,
            "by_focal_point": by.id,
            "reason": words,
        }
        connection.execute(tables.finding.insert().values(**row))
        return self._seal(connection, FINDING, row)

    def conclude(self, claim: Claim, receipt: Receipt, now: datetime) -> DispatchState:
        """Record what came of an attempt (T3), and give the state that the dispatch is in now.

        An attempt that is no longer the valid one is a ``dispatch.late_attempt``: that says what it reported,
        for the person who finds out. It changes the state only where it left, or may have, and the state says
        that it did not, or not any more.
        """
        data: dict[str, Any] = {"fence": claim.fence, "detail": receipt.detail}
        if receipt.remote_id is not None:
            data["remote_id"] = receipt.remote_id
        kind = rows.AFTER_DELIVERY[receipt.delivery]
        with self._file.writing() as connection:
            row = _needed(connection, claim.key)
            state = rows.state(row)
            said = (rows.event_id(claim.key, each, claim.fence) for each in (kind, rows.LATE_ATTEMPT))
            if any(entry_of(connection, each) for each in said):
                return state
            if state is DispatchState.SENDING and row["fence"] == claim.fence:
                return self._advance(connection, row, kind, now, data)
            data["delivery"] = receipt.delivery.value
            return self._advance(connection, row, rows.LATE_ATTEMPT, now, data)

    def _advance(
        self, connection: Connection, row: RowMapping, kind: str, now: datetime, data: Mapping[str, Any]
    ) -> DispatchState:
        """Append what happened to a dispatch, and move its row and its disclosure along."""
        key, before = row["key"], rows.state(row)
        state = rows.state_after(before, kind, data)
        event = Event(kind, key, now, row["organization"], data)
        entry = self._append(connection, rows.event_id(key, kind, data["fence"]), event)
        moved: dict[str, Any] = {"state": state.value}
        if kind in rows.MOVES:
            moved |= {"fence": data["fence"], "lease_until": data.get("lease_until")}
        elif state is before:
            return state
        update(connection, tables.dispatch, key, moved)
        connection.execute(tables.disclosure.delete().where(tables.disclosure.c.key == key))
        if rows.is_disclosed(before, state):
            extract = {name: row[name] for name in ("key", *rows.EXTRACT)}
            # It left when the machine says that it may have, not when a person found out.
            held = standing(state, entry) | {"sent_at": _last_move(connection, key, rows.STATE_AFTER)}
            connection.execute(tables.disclosure.insert().values(**extract, **held))
        return state

    def dispatches(self, now: datetime, organization: str | None = None) -> tuple[Standing, ...]:
        """Every dispatch, or those to one organization, and how each stands; the longest unchanged first."""
        query = sa.select(tables.dispatch).order_by(tables.dispatch.c.key)
        if organization is not None:
            query = query.where(tables.dispatch.c.organization == organization)
        moment = ledger.timestamp(now)
        with self._file.reading() as connection:
            found = connection.execute(query).mappings().all()
            since = {row["key"]: _last_move(connection, row["key"], rows.MOVES) for row in found}
            findings = _findings(connection)
        standings = (rows.standing(row, since[row["key"]], moment, findings.get(row["key"])) for row in found)
        return tuple(sorted(standings, key=lambda each: each.since))

    def open_dispatches(self, now: datetime) -> tuple[Standing, ...]:
        """What somebody still has to see to: new, being sent, failed, or of unknown outcome."""
        return tuple(each for each in self.dispatches(now) if each.state.is_open)


def _needed(connection: Connection, key: str) -> RowMapping:
    row = one(connection, _dispatch_query(key))
    if row is None:
        raise UsageProblem(f"the ledger knows no dispatch {key}; it must be intended first")
    return row


def _dispatch_query(key: str) -> sa.Select[Any]:
    return sa.select(tables.dispatch).where(tables.dispatch.c.key == key)


def _did_not_arrive(connection: Connection, key: str) -> bool:
    """Whether a person found so: also where it left later, for its successor may have been sent by then."""
    found = tables.finding.c
    query = sa.select(found.key).where(found.row_key == key, found.finding == Finding.NOT_ARRIVED.value)
    return one(connection, query) is not None


def _check_may_settle(row: RowMapping, finding: Finding, now: datetime) -> None:
    key, state = row["key"], rows.state(row)
    if finding is Finding.RECALLED:
        raise UsageProblem(f"dispatch {key} is not settled by a recall: use recall, once it has arrived")
    if not state.is_open:
        raise UsageProblem(f"dispatch {key} is {state}: it has come to its end, and nothing is to be settled")
    if state is DispatchState.SENDING and ledger.timestamp(now) < row["lease_until"]:
        raise DispatchBusy(
            f"dispatch {key} is being sent: what comes of it is known by {row['lease_until']}; settle it then"
        )
    if state is DispatchState.NEW and finding is Finding.ARRIVED:
        raise UsageProblem(f"dispatch {key} is new: it has certainly not left, so it cannot have arrived")


def _last_move(connection: Connection, key: str, kinds: Iterable[str]) -> str:
    """When the last event of these kinds happened to a dispatch."""
    entry = tables.entry.c
    query = sa.select(entry.occurred_at).where(entry.row_key == key, entry.event_type.in_(list(kinds)))
    moment = connection.execute(query.order_by(entry.seq.desc()).limit(1)).scalar()
    if moment is None:
        raise LedgerAltered("a dispatch has no entry; run the ledger's verification")
    return str(moment)


def _findings(connection: Connection) -> dict[str, RowMapping]:
    """By dispatch what a person found last: what arrived may have been recalled."""
    found = connection.execute(sa.select(tables.finding)).mappings().all()
    last = sorted(found, key=lambda row: bool(row["finding"] == Finding.RECALLED))
    return {row["row_key"]: row for row in last}


def _recipient(dispatches: Iterable[Dispatch]) -> str:
    """The organization that all of them are for.

    Raises:
        UsageProblem: there are several.
    """
    organizations = {each.organization for each in dispatches}
    if len(organizations) != 1:
        raise UsageProblem("one decision is for one organization: intend the dispatches of each apart")
    return organizations.pop()


def _publication(connection: Connection, key: str) -> RowMapping:
    table = tables.disclosure.c
    found = one(
        connection,
        sa.select(tables.disclosure).where(table.key == key, table.method == rows.PUBLICATION_METHOD),
    )
    if found is None:
        raise UsageProblem(f"the ledger knows no dispatch and no publication {key}")
    return found


def _check_is_held(row: RowMapping, now: datetime) -> None:
    state = rows.state(row)
    if not state.is_held:
        raise UsageProblem(f"{row['key']} is {state}: nobody holds it, so there is nothing to recall")
    if row["method"] == rows.PUBLICATION_METHOD:
        if state is DispatchState.SENDING and ledger.timestamp(now - LEASE) < row["sent_at"]:
            raise DispatchBusy(
                f"publication {row['key']} is being put into the public store: recall it once it is there, "
                f"or {LEASE // timedelta(minutes=1)} minutes after its announcement"
            )
    elif row["lease_until"] is not None and ledger.timestamp(now) < row["lease_until"]:
        raise DispatchBusy(f"dispatch {row['key']} is being sent: recall it once it is known what came of it")
