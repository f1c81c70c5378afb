"""A folder as ``make demo`` leaves it, made through the pipeline itself, without Airflow."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from dtm_sharing import pipeline
from dtm_sharing.demo.catcher import Catcher
from dtm_sharing.demo.runner import ROUND
from dtm_sharing.demo.sample import DATASET
from dtm_sharing.demo.workspace import MAIL_LOGIN, Workspace
from dtm_sharing.errors import GateDenied
from dtm_sharing.model import Audience, Stage, Urgency
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


def demonstrate(folder: Path) -> Workspace:
    """Policies dated around today, the sample round, a ledger, and what was published and sent."""
    made = Workspace.make(folder)
    file = made.write_sample_round()
    made.mail.mkdir()
    with Catcher(made.mail, MAIL_LOGIN, made.mail_password) as server:
        stores = _stores(made, server)
        declared = stores.policy.datasets[DATASET]
        frame = read_table(file, declared).frame
        collected, _ = pipeline.admit(frame, DATASET, Stage.COLLECTED, ROUND, stores)
        pipeline.share(collected, Audience(AGREEMENT, Urgency.MEDIUM), stores)
        tidy = get_table(stores.restricted, collected)
        cleaned, _ = pipeline.admit(tidy, DATASET, Stage.CLEANED, ROUND, stores)
        pipeline.publish(cleaned, stores, releasable=True)
        pipeline.share(cleaned, Audience(AGREEMENT, Urgency.LOW), stores)
        _refused(cleaned, stores)
        stores.ledger.close()
    return made


def _refused(cleaned: object, stores: pipeline.Stores) -> None:
    """The mistake that the demonstration shows, too."""
    try:
        pipeline.publish(cleaned, stores)  # type: ignore[arg-type]
    except GateDenied:
        return
    raise AssertionError("a table with Confidential columns was published as it is")


def _stores(made: Workspace, server: Catcher) -> pipeline.Stores:
    mail = SmtpSettings(
        host=server.host,
        port=server.port,
        login=MAIL_LOGIN,
        password=made.mail_password,
        sender=SENDER,
        ca_file=server.ca_file,
    )
    return pipeline.Stores(
        policy=read_policies(made.policies),
        restricted=open_store(str(made.restricted)),
        publisher=Publisher(open_store(str(made.public)), made.keys.clearance_verifier),
        clearance_key=made.keys.clearance,
        ledger=Ledger(made.ledger, signing_key=made.keys.checkpoint),
        credentials=Credentials(made.credentials, made.keys.credentials),
        channel=Smtp(mail),
        sender=mail.sender,
        message_domain=mail.domain,
        now=lambda: datetime.now(UTC),
    )
