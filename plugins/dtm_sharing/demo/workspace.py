"""The folder of a demonstration: policies dated today, stores, ledger, mail. Made anew at each start."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from dtm_sharing.demo.sample import SAMPLE_DATE, shift_dates, write_sample
from dtm_sharing.demo.server import ROOT
from dtm_sharing.errors import StoreFailed, UsageProblem
from dtm_sharing.stores import settings
from dtm_sharing.stores.keys import MASTER_BYTES, Keys
from dtm_sharing.stores.policies import seal

ORIGIN = "demo.example.org"
MAIL_LOGIN = "dtm-sharing"


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where everything of one demonstration lies. Secrets are here in memory, and in no file."""

    folder: Path
    master: str = field(repr=False)
    mail_password: str = field(repr=False)

    @classmethod
    def make(cls, folder: Path) -> Workspace:
        """A new workspace in ``folder``, in place of an older one there.

        Raises:
            UsageProblem: the folder holds something that is not a demonstration.
            StoreFailed: it cannot be written, for instance because the disk is full.
        """
        mark = folder / "demonstration"
        if folder.exists() and any(folder.iterdir()) and not mark.exists():
            raise UsageProblem(f"{folder} holds something else; name an empty folder with --folder")
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, mode=0o700)
            mark.touch()
            made = cls(
                folder,
                base64.b64encode(secrets.token_bytes(MASTER_BYTES)).decode(),
                secrets.token_urlsafe(24),
            )
            made.ledger_key.write_text(made.keys.checkpoint_verifier + "\n")
            made._date_policies(date.today())  # noqa: DTZ011 - a person's day, as written in the policy files
        except OSError as problem:
            raise StoreFailed(f"{folder} cannot be written: {problem.strerror}") from problem
        return made

    @property
    def keys(self) -> Keys:
        return Keys.derive(self.master, ORIGIN)

    @property
    def policies(self) -> Path:
        return self.folder / "policies"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.db"

    @property
    def ledger_key(self) -> Path:
        return self.folder / "ledger.pub"

    @property
    def credentials(self) -> Path:
        return self.folder / "credentials.db"

    @property
    def restricted(self) -> Path:
        return self.folder / "restricted"

    @property
    def public(self) -> Path:
        return self.folder / "public"

    @property
    def mail(self) -> Path:
        return self.folder / "mail"

    def write_sample_round(self) -> Path:
        """The made-up round, in the shape of Nepal's second one."""
        path = self.folder / "round.csv"
        write_sample(path, sampled_on=date.today())  # noqa: DTZ011 - the day of whoever looks at it
        return path

    def environment(self, mail: Mapping[str, Any]) -> dict[str, str]:
        """What Airflow's processes are told: the places, and two connections."""
        smtp = {
            "conn_type": "smtp",
            "host": mail["host"],
            "port": mail["port"],
            "login": MAIL_LOGIN,
            "password": self.mail_password,
            "extra": {"from_email": "dtm@example.org", "disable_ssl": True, "ca_file": mail["ca_file"]},
        }
        keys = {"conn_type": "generic", "host": ORIGIN, "password": self.master}
        return {
            settings.POLICIES: str(self.policies),
            settings.LEDGER: str(self.ledger),
            settings.CREDENTIALS: str(self.credentials),
            settings.RESTRICTED_STORE: str(self.restricted),
            settings.PUBLIC_STORE: str(self.public),
            "AIRFLOW_CONN_DTM_SHARING_SMTP": json.dumps(smtp),
            "AIRFLOW_CONN_DTM_SHARING_KEYS": json.dumps(keys),
        }

    def _date_policies(self, today: date) -> None:
        """Copy the sample country as if its papers had been signed around today, whatever the year is."""
        days = (today - SAMPLE_DATE).days
        for source in sorted((ROOT / "policies").rglob("*.yaml")):
            target = self.policies / source.relative_to(ROOT / "policies")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(shift_dates(source.read_text("utf-8"), days), "utf-8")
        seal(self.policies)
