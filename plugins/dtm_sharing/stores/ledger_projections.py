"""What an entry says of the row that it made.

A row can be edited by whoever holds the file, an entry cannot. So the entry holds in the open what its
partner may see, and a salted commitment to everything else that stands in the row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

from dtm_sharing import ledger, records
from dtm_sharing.stores import ledger_rows as rows
from dtm_sharing.stores import ledger_tables as tables


@dataclass(frozen=True, slots=True)
class Projection:
    """Rows that an event type makes: which fields its entry shows, and to which it only commits.

    Column names and small counts can be sensitive, so they are sealed; bare hashes are searchable, so
    digests are sealed as well (notes on the ledger's privacy: ``docs/decisions``).

    ``person``: the columns with organization and id of the focal point whom the entry names by a random id.
    ``keyed_by``: what in the entry is the row's key, "subject" or "id". ``about``: the column that is its
    subject, where that is not the key. ``tells``: what the entry shows besides, made of the row.
    """

    event_types: tuple[str, ...]
    table: Table
    shown: tuple[str, ...]
    sealed: tuple[str, ...]
    person: tuple[str, str] | None = None
    keyed_by: str = "subject"
    about: str | None = None
    tells: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda _: {}

    def data(
        self, row: Mapping[str, Any], salts: Mapping[str, bytes], ledger_salt: bytes, pid: str | None
    ) -> dict[str, Any]:
        """What the entry of a row says; made when it is written, and again when it is verified."""
        seals = {name: _commitment(row[name], salts[name]) for name in self.sealed}
        data = {name: row[name] for name in self.shown} | dict(self.tells(row)) | {"sealed": seals}
        if "columns" in self.sealed:
            data["columns_id"] = rows.keyed_id(ledger_salt, "columns", row["columns"])
        if self.person:
            data["person"] = pid
        return data

    def agrees(self, said: Mapping[str, Any], name: str, value: Any, salt: bytes | None) -> bool:
        """Whether an entry's data say this of a field: in the open, or sealed with this salt.

        A field that the entry does not speak of, or whose salt is gone, is one that nobody can vouch for.
        """
        if name in self.shown:
            return name in said and bool(said[name] == value)
        return salt is not None and bool(said["sealed"].get(name) == _commitment(value, salt))


def _commitment(value: Any, salt: bytes) -> str:
    return ledger.commitment(str(value).encode(), salt).hex()


def _decided(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return records.decided(rows.to_decision(row))


_CONTENTS = ("columns", "indicators", "grain", "rows", "policy_digest", "artefact_path", "artefact_sha256")

DISPATCH = Projection(
    ("dispatch.intent",),
    tables.dispatch,
    # The entry goes with the message as a receipt: it shows what the message's own text says, and no more.
    shown=("agreement", "method"),
    sealed=("urgency", "purpose", "dataset", "round", "level", "focal_point", *_CONTENTS),
    person=("organization", "focal_point"),
)
PUBLICATION = Projection(
    ("release.announced",),
    tables.disclosure,
    shown=("agreement", "urgency", "purpose", "dataset", "round", "level", "method", "focal_point"),
    sealed=_CONTENTS,
)
TABLE = Projection(
    ("table.registered",),
    tables.registered_table,
    shown=("dataset", "stage", "round", "number"),
    sealed=("path", "sha256", "rows"),
)
FINDING = Projection(
    rows.FINDINGS,
    tables.finding,
    shown=("finding", "by_organization"),
    sealed=("by_focal_point", "reason"),  # what a person writes may name people
    person=("by_organization", "by_focal_point"),
    keyed_by="id",
    about="row_key",
)
DECISION = Projection(
    tuple(sorted(records.DECISIONS.values())),
    tables.decision,
    shown=(),
    sealed=("profile", "ledger_size", "answer"),  # a profile has the names of columns
    keyed_by="id",
    tells=_decided,
)
PROJECTIONS = (DISPATCH, PUBLICATION, TABLE, FINDING, DECISION)
DISCLOSING = {kind: each for each in (DISPATCH, PUBLICATION) for kind in each.event_types}  # by event type
