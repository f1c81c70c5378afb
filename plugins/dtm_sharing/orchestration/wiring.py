"""Open the stores with what Airflow knows: places from the environment, secrets from connections.

``dtm_sharing_keys``: its password is the project's master secret, 32 random bytes in base64.
``dtm_sharing_smtp``: the mail server, of type smtp, with login and verified TLS.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dtm_sharing.errors import UsageProblem

if TYPE_CHECKING:
    from dtm_sharing.model import Policy
    from dtm_sharing.pipeline import Stores
    from dtm_sharing.stores.database import Ledger
    from dtm_sharing.stores.keys import Keys
    from dtm_sharing.stores.settings import Settings

KEYS_CONNECTION = "dtm_sharing_keys"
SMTP_CONNECTION = "dtm_sharing_smtp"


def open_policy() -> Policy:
    """The policy files, all of them, as they are now.

    Raises:
        PolicyInvalid: a file does not load. Then nothing happens at all.
    """
    from dtm_sharing.stores.policies import read_policies

    return read_policies(_settings().policies)


def open_ledger() -> Ledger:
    """The ledger, with the key that signs its checkpoints."""
    from dtm_sharing.stores.database import Ledger

    return Ledger(_settings().ledger, signing_key=_keys().checkpoint)


def open_stores() -> Stores:
    """Everything that the path needs.

    Raises:
        UsageProblem: a place or a connection is not set; the sentence names it.
    """
    from dtm_sharing.pipeline import Stores
    from dtm_sharing.stores.credentials import Credentials
    from dtm_sharing.stores.objects import open_store
    from dtm_sharing.stores.publisher import Publisher
    from dtm_sharing.stores.smtp import Smtp, SmtpSettings

    settings, keys = _settings(), _keys()
    mail = _connection(SMTP_CONNECTION)
    smtp = SmtpSettings.from_connection(
        host=mail.host, port=mail.port, login=mail.login, password=mail.password, extra=mail.extra_dejson
    )
    return Stores(
        policy=open_policy(),
        restricted=open_store(settings.restricted_store),
        publisher=Publisher(open_store(settings.public_store, restricted=False), keys.clearance_verifier),
        clearance_key=keys.clearance,
        ledger=open_ledger(),
        credentials=Credentials(settings.credentials, keys.credentials),
        channel=Smtp(smtp),
        sender=smtp.sender,
        message_domain=smtp.domain,
        now=lambda: datetime.now(UTC),
    )


def _settings() -> Settings:
    from dtm_sharing.stores.settings import Settings

    return Settings.read(os.environ)


def _keys() -> Keys:
    from dtm_sharing.stores.keys import Keys

    connection = _connection(KEYS_CONNECTION)
    return Keys.derive(connection.password or "", connection.host or "dtm-sharing.example.org")


def _connection(name: str) -> Any:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        return BaseHook.get_connection(name)
    except AirflowNotFoundException as problem:
        raise UsageProblem(f"Airflow has no connection {name!r}; the README says what it holds") from problem
