"""Ledgers for tests: fixed keys and times, chance that repeats, and the values that are recorded in them."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from dtm_sharing import ledger
from dtm_sharing.model import (
    Audience,
    DecisionRecord,
    Dispatch,
    Entry,
    Event,
    FocalPoint,
    Grain,
    GrainEvidence,
    Header,
    Level,
    Method,
    Publication,
    Role,
    Source,
    Stage,
    TableProfile,
    TableRef,
    Urgency,
    Validity,
)
from dtm_sharing.stores.database import Ledger
from support.policies import sample_policy

NOW = datetime(2026, 11, 3, 9, 15, tzinfo=UTC)
LEASE = timedelta(minutes=15)
ORIGIN = "dtm.example.org/npl"
SIGNING_KEY = ledger.signing_key(ORIGIN, bytes(range(32)))
VERIFIER_KEY = ledger.verifier_key(SIGNING_KEY)
COORDINATOR = FocalPoint(
    "npl/iom-primary",
    "iom",
    Role.PRIMARY,
    "DTM Coordinator",
    "coordinator@example.org",
    "+000 1000001",
    Validity(date(2026, 1, 1), None),
    Source("npl/focal_points/iom.yaml", 1, 1),
)
TABLE = TableRef("npl/site-assessment", Stage.CLEANED, "2026-10", "rounds/t.parquet", "ab" * 32, 38)


def repeatable(seed: str) -> Callable[[int], bytes]:
    """A source of bytes that gives the same ones in every run, never the same twice in one."""
    count = iter(range(10**9))

    def draw(length: int) -> bytes:
        return hashlib.shake_256(f"{seed}/{next(count)}".encode()).digest(length)

    return draw


def open_ledger(path: Path | str, **options: Any) -> Ledger:
    return Ledger(path, **{"clock": lambda: NOW, "signing_key": SIGNING_KEY, **options})


def event(number: int = 0, organization: str | None = "scpa", **data: Any) -> Event:
    return Event(
        "release.withheld", f"npl/site-assessment/{number}", NOW, organization, {"n": number, **data}
    )


def dispatch(ledger_: Ledger, number: int = 0, **changes: Any) -> Dispatch:
    """A dispatch whose key the ledger made; another number, another focal point."""
    method = changes.pop("method", Method.EXCEL_EMAIL)
    focal_point = f"npl/scpa-{number}"
    columns = ("site-id", "hiv_status")
    key = ledger_.dispatch_key(
        agreement="npl/child-protection/low",
        dataset=TABLE.dataset,
        round_=TABLE.round,
        extract=TABLE.sha256,
        focal_point=focal_point,
        method=method,
    )
    values: dict[str, Any] = {
        "key": key,
        "organization": "scpa",
        "agreement": "npl/child-protection",
        "urgency": Urgency.LOW,
        "purpose": "Plan child-friendly spaces",
        "dataset": TABLE.dataset,
        "round": TABLE.round,
        "level": Level.CONFIDENTIAL,
        "columns": columns,
        "indicators": ("hiv-status", "site-id"),
        "grain": Grain.SITE,
        "rows": 38,
        "method": method,
        "focal_point": focal_point,
        "policy_digest": "sha256:" + "12" * 32,
        "artefact_path": f"outbox/{key}/extract.xlsx",
        "artefact_sha256": "cd" * 32,
    }
    return Dispatch(**{**values, **changes})


def publication(**changes: Any) -> Publication:
    values: dict[str, Any] = {
        "dataset": TABLE.dataset,
        "round": TABLE.round,
        "path": "npl/site-assessment/2026-10/table.csv",
        "columns": ("site-id", "district"),
        "indicators": ("district", "site-id"),
        "grain": Grain.SITE,
        "rows": 38,
        "level": Level.PUBLIC,
        "policy_digest": "sha256:" + "12" * 32,
        "artefact_sha256": "ef" * 32,
        "published_at": NOW,
    }
    return Publication(**{**values, **changes})


def intend(ledger_: Ledger, *dispatches: Dispatch, now: datetime = NOW) -> Dispatch:
    """Record dispatches upon a decision of this very moment. Gives the first."""
    return ledger_.intend(dispatches, now, seen=ledger_.size)[0]


def announce(ledger_: Ledger, publication_: Publication) -> Entry:
    """Record upon a decision of this very moment that something is about to go to everyone."""
    return ledger_.announce(publication_, seen=ledger_.size)


def publish(ledger_: Ledger, publication_: Publication) -> Entry:
    """Announced, and then published."""
    announce(ledger_, publication_)
    return ledger_.publish(publication_)


def decision(outcome: str = "deny", **changes: Any) -> DecisionRecord:
    """A decision under the sample policy, which the ledger has to keep first."""
    headers = (Header(1, "Site ID", None, "Site ID"), Header(2, "Autre", "Site type", "Site type: Autre"))
    column = {"key": "Site ID", "level": "Public", "rules": [["indicator:site-id@site", "g.yaml:7"]]}
    values: dict[str, Any] = {
        "profile": TableProfile(
            dataset=TABLE.dataset,
            headers=headers,
            rows=38,
            stage=TABLE.stage,
            round=TABLE.round,
            evidence=(GrainEvidence(Grain.SITE, "every row has a site ID of its own", "Site ID"),),
            aggregated_to=Grain.ADMIN2,
        ),
        "audience": Audience("npl/child-protection", Urgency.LOW),
        "policy_digest": sample_policy().digest,
        "as_of": NOW.date(),
        "ledger_size": 0,
        "answer": {
            "outcome": outcome,
            "columns": [column, {**column, "key": "Site type: Autre"}],
            "refused": ["Site type: Autre"],
            "gaps": [["lapsed-assessment", ""], ["unknown-column", "Site ID"], ["unknown-column", "x"]],
        },
    }
    return DecisionRecord(**{**values, **changes})


def decide(ledger_: Ledger, record: DecisionRecord | None = None, now: datetime = NOW) -> Entry:
    """Record a decision, and before it the policy that it was made under."""
    ledger_.keep_policy(sample_policy(), now)
    return ledger_.record_decision(record or decision(), now)


# ---------------------------------------------------------------------------------------- alterations


def read(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def tamper(path: Path, *statements: str, rebuild: bool = False) -> None:
    """What whoever holds the file can do: drop the triggers, change rows, even rebuild the whole tree."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, "the attack changed nothing"
        if rebuild:
            _rebuild_tree(connection)


def _rebuild_tree(connection: sqlite3.Connection) -> None:
    frontier = ledger.Frontier()
    connection.execute("DELETE FROM ledger_node")
    for number, (seq, body) in enumerate(
        connection.execute("SELECT seq, CAST(body AS BLOB) FROM ledger_entry ORDER BY seq").fetchall()
    ):
        leaf = ledger.leaf_hash(body)
        first = ledger.stored_count(number)
        frontier, added = frontier.append(leaf)
        connection.execute(
            "UPDATE ledger_entry SET seq = ?, body = ?, leaf_hash = ? WHERE seq = ?",
            (number, body, leaf, seq),
        )
        connection.executemany(
            "INSERT INTO ledger_node VALUES (?, ?)", [(first + i, each) for i, each in enumerate(added)]
        )
    connection.execute(
        "UPDATE ledger_head SET size = ?, frontier = ?", (frontier.size, b"".join(frontier.peaks))
    )
