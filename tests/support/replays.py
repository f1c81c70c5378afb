"""A ledger full of decisions under the sample policy and a stricter one, with what was sent upon them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dtm_sharing import classify, gate, records
from dtm_sharing.model import (
    PUBLIC,
    Approved,
    Audience,
    Decision,
    Delivery,
    Dispatch,
    Level,
    Method,
    Outcome,
    Policy,
    Publication,
    Receipt,
    Stage,
    TableProfile,
    Urgency,
)
from dtm_sharing.stores.database import Ledger
from support.ledgers import SIGNING_KEY
from support.policies import GENERAL, HEADERS, patched, sample_files, sample_policy

DATASET = "xyz/site-assessment"
START = datetime(2026, 10, 1, 8, 0, tzinfo=UTC)
LOW = Audience("xyz/child-protection", Urgency.LOW)
MEDIUM = Audience("xyz/child-protection", Urgency.MEDIUM)
AUDIENCES = (PUBLIC, LOW, MEDIUM)
LEASE = timedelta(minutes=15)
AGREED = ("Site ID", "District", "Child-headed households")
TABLES: tuple[tuple[str, ...], ...] = (
    ("Site ID", "District", "Individuals"),
    HEADERS,
    AGREED,
    ("Site ID", "Feelings of safety"),
    ("Site ID", "Security provider"),
    ("Site ID", "Shoe size"),
)


def stricter() -> Mapping[str, bytes]:
    """The sample's files with district levels that are Confidential by site."""
    return patched(
        sample_files(),
        GENERAL,
        "  - id: district\n    title: District\n",
        "  - id: district\n    title: District\n"
        "    levels: {national: Public, admin1: Public, admin2: Public, admin3: Public,\n"
        "      site: Confidential, household: Confidential, individual: Confidential, incident: Secret}\n"
        "    basis: Few districts have sites\n",
    )


def fill(path: Path, count: int) -> Ledger:
    """So many decisions, three a day; what is allowed leaves, and so is held from then on."""
    moment = START
    ledger = Ledger(path, clock=lambda: moment, signing_key=SIGNING_KEY)
    rules = (sample_policy(), sample_policy(stricter()))
    for number in range(count):
        moment = START + timedelta(hours=8 * number)
        policy = rules[number * 3 // count % 2]  # the first, the other one, and the first again
        headers = TABLES[number % len(TABLES)]
        decide(ledger, policy, headers, AUDIENCES[number % 7 % 3], moment, round_=str(number // len(TABLES)))
    return ledger


def decide(
    ledger: Ledger,
    policy: Policy,
    headers: tuple[str, ...],
    audience: Audience,
    now: datetime,
    round_: str = "1",
    **known: Any,
) -> Decision:
    """Judge a table beside what the ledger says they hold, record that, and let out what is allowed."""
    ledger.keep_policy(policy, now)
    holder = "public" if audience == PUBLIC else gate.agreement(policy, audience).organization
    held = ledger.held(holder)
    found = classify.identify(headers, policy.datasets[DATASET])
    profile = TableProfile(DATASET, found, 38, stage=Stage.CLEANED, round=round_, **known)
    labelled = classify.classify(policy, profile, now.date())
    decision = gate.decide(policy, labelled, audience, held.holdings, classify.classify)
    ledger.record_decision(records.decision(decision, profile, held.size), now)
    if decision.outcome is Outcome.ALLOW:
        release(ledger, policy, gate.approve(decision), now, held.size)
    return decision


def release(ledger: Ledger, policy: Policy, approved: Approved, now: datetime, seen: int) -> str | None:
    """Publish it, or send it to the first focal point. Gives the key of the dispatch."""
    table = approved.decision.classification
    leaves = gate.as_holding(table, approved.decision.audience)
    shared: dict[str, Any] = {
        "dataset": table.dataset,
        "round": table.round,
        "columns": tuple(each.header.key for each in table.columns),
        "indicators": leaves.indicators,
        "grain": leaves.grain,
        "rows": table.rows,
        "level": table.level or Level.SECRET,
        "policy_digest": table.policy_digest,
        "artefact_sha256": "ab" * 32,
    }
    if approved.decision.audience == PUBLIC:
        path = f"{table.dataset}/{table.round}/{len(leaves.indicators)}-{now.timestamp():.0f}.csv"
        publication = Publication(path=path, published_at=now, **shared)
        ledger.announce(publication, seen=seen)
        ledger.publish(publication)
        return None
    return send(ledger, policy, approved.decision.audience, shared, now, seen)


def send(
    ledger: Ledger, policy: Policy, audience: Audience, shared: Mapping[str, Any], now: datetime, seen: int
) -> str:
    agreement = gate.agreement(policy, audience)
    dispatch = Dispatch(
        key=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{audience}/{shared['round']}/{shared['columns']}/{now}")),
        organization=agreement.organization,
        agreement=agreement.id,
        urgency=audience.urgency or Urgency.LOW,
        purpose=gate.request(policy, audience).purpose,
        method=Method.EXCEL_EMAIL,
        focal_point="xyz/scpa-primary",
        artefact_path="outbox/1/extract.xlsx",
        **shared,
    )
    ledger.intend([dispatch], now, seen=seen)
    claim = ledger.claim(dispatch.key, now, LEASE)
    ledger.conclude(claim, Receipt(Delivery.SENT, "The mail server took it.", "1"), now)  # type: ignore[arg-type]
    return dispatch.key
