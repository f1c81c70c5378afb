"""A folder as ``make demo`` leaves it, made through the pipeline itself, without Airflow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dtm_sharing import pipeline
from dtm_sharing.demo.catcher import Catcher
from dtm_sharing.demo.runner import ROUND
from dtm_sharing.demo.sample import DATASET
from dtm_sharing.demo.workspace import MAIL_LOGIN, Workspace
from dtm_sharing.errors import SharingError
from dtm_sharing.model import Audience, Stage, TableRef, Urgency
from dtm_sharing.stores.credentials import Credentials
from dtm_sharing.stores.database import Ledger
from dtm_sharing.stores.frames import read_table
from dtm_sharing.stores.objects import open_store
from dtm_sharing.stores.policies import read_policies
from dtm_sharing.stores.publisher import Publisher
from dtm_sharing.stores.rounds import get_table
from dtm_sharing.stores.smtp import Smtp, SmtpSettings

AGREEMENT = "npl/child-protection"
SENDER = "dtm@example.org"


@dataclass(frozen=True)
class Demonstrated:
    """``refusal``: what the gate said to the table as it is."""

    space: Workspace
    collected: TableRef
    cleaned: TableRef
    refusal: SharingError | None


def demonstrate(folder: Path, clean: Callable[[Any], Any] = lambda collected: collected) -> Demonstrated:
    """Policies dated around today, the sample round, a ledger, and what was published and sent."""
    space = Workspace.make(folder)
    file = space.write_sample_round()
    space.mail.mkdir()
    with Catcher(space.mail, MAIL_LOGIN, space.mail_password) as server:
        stores = _stores(space, server)
        frame = read_table(file, stores.policy.datasets[DATASET]).frame
        collected, _ = pipeline.admit(frame, DATASET, Stage.COLLECTED, ROUND, stores)
        pipeline.share(collected, Audience(AGREEMENT, Urgency.MEDIUM), stores)
        tidy = clean(get_table(stores.restricted, collected))
        cleaned, _ = pipeline.admit(tidy, DATASET, Stage.CLEANED, ROUND, stores)
        pipeline.publish(cleaned, stores, releasable=True)
        refusal = _refusal(cleaned, stores)
        pipeline.share(cleaned, Audience(AGREEMENT, Urgency.LOW), stores)
        stores.ledger.close()
    return Demonstrated(space, collected, cleaned, refusal)


def _refusal(cleaned: TableRef, stores: pipeline.Stores) -> SharingError | None:
    try:
        pipeline.publish(cleaned, stores)
    except SharingError as problem:
        return problem
    return None


def _stores(space: Workspace, server: Catcher) -> pipeline.Stores:
    mail = SmtpSettings(
        host=server.host,
        port=server.port,
        login=MAIL_LOGIN,
        password=space.mail_password,
        sender=SENDER,
        ca_file=server.ca_file,
    )
    return pipeline.Stores(
        policy=read_policies(space.policies),
        restricted=open_store(str(space.restricted)),
        publisher=Publisher(open_store(str(space.public)), space.keys.clearance_verifier),
        clearance_key=space.keys.clearance,
        ledger=Ledger(space.ledger, signing_key=space.keys.checkpoint),
        credentials=Credentials(space.credentials, space.keys.credentials),
        channel=Smtp(mail),
        sender=mail.sender,
        message_domain=mail.domain,
        now=lambda: datetime.now(UTC),
    )
