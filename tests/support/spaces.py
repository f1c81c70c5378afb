"""All the stores of the path, real ones, in a folder of a test: only the clock is held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from dtm_sharing import ledger as ledger_step
from dtm_sharing.demo.catcher import Catcher
from dtm_sharing.model import Stage, TableRef
from dtm_sharing.pipeline import Stores, admit
from dtm_sharing.stores.credentials import Credentials
from dtm_sharing.stores.database import Ledger
from dtm_sharing.stores.keys import Keys
from dtm_sharing.stores.objects import open_store
from dtm_sharing.stores.publisher import Publisher
from dtm_sharing.stores.smtp import Smtp
from support import mail
from support.policies import HEADERS, sample_policy

DATASET = "xyz/site-assessment"
NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
KEYS = Keys.derive("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "test.example.org")
CANARY = "CANARY-4711"


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def on(self, days: int) -> None:
        self.now += timedelta(days=days)


@dataclass
class Space:
    """``folder`` holds everything; ``server`` is the mail server, if there is one."""

    folder: Path
    server: Catcher | None = None
    clock: Clock = field(default_factory=Clock)

    def stores(self, files: Mapping[str, bytes] | None = None, **changes: object) -> Stores:
        made = Stores(
            policy=sample_policy(files),
            restricted=open_store(str(self.folder / "restricted")),
            publisher=Publisher(open_store(str(self.folder / "public")), KEYS.clearance_verifier),
            clearance_key=KEYS.clearance,
            ledger=Ledger(self.folder / "ledger.db", signing_key=KEYS.checkpoint, clock=self.clock),
            credentials=Credentials(self.folder / "credentials.db", KEYS.credentials),
            channel=Smtp(mail.settings(self.server)) if self.server else Unreachable(),
            sender=mail.SENDER,
            message_domain=mail.DOMAIN,
            now=self.clock,
        )
        return replace(made, **changes)  # type: ignore[arg-type]

    def messages(self) -> list[Path]:
        return sorted((self.folder / "mail").glob("*.eml"))

    def published(self) -> list[Path]:
        return [path for path in (self.folder / "public").rglob("*") if path.is_file()]

    def events(self) -> list[str]:
        """The kinds of all entries of the ledger, in order."""
        import json

        entries = Ledger(self.folder / "ledger.db").entries()
        return [json.loads(entry.body)["type"].rpartition("dtm-sharing.")[2] for entry in entries]

    def verified(self) -> bool:
        return Ledger(self.folder / "ledger.db").verify(KEYS.checkpoint_verifier).size > 0


class Unreachable:
    """For tests in which nothing may be sent: whoever tries, fails."""

    def send(self, message: object) -> object:
        raise AssertionError("something was sent")


@contextmanager
def space(folder: Path, script: mail.Script | None = None) -> Iterator[Space]:
    """A space whose mail server plays a script, or just takes what comes."""
    (folder / "mail").mkdir()
    with mail.Scripted(folder / "mail", script) as server:
        yield Space(folder, server)


def raw_round(rows: int = 5) -> pd.DataFrame:
    """A round as read from its file, each cell of a column that is not Public or dropped with the canary."""
    from dtm_sharing.stores.frames import name_columns

    hidden = {4, 6, 8, 9}  # feelings of safety are Public once who provides security is left out
    cells = [
        [f"{CANARY}-{row}-{at}" if at in hidden else f"open-{row}-{at}" for at in range(len(HEADERS))]
        for row in range(rows)
    ]
    return name_columns(pd.DataFrame(cells, columns=list(HEADERS), dtype="str"), _dataset())[0]


def _dataset() -> object:
    return sample_policy().datasets[DATASET]


def admitted(stores: Stores, stage: Stage = Stage.CLEANED, round_: str = "7", **changes: int) -> TableRef:
    """A round taken in at ``collected`` and, by default, at ``cleaned``."""
    ref, _ = admit(raw_round(**changes), DATASET, Stage.COLLECTED, round_, stores)
    if stage is Stage.CLEANED:
        from dtm_sharing.stores.rounds import get_table

        ref, _ = admit(get_table(stores.restricted, ref), DATASET, Stage.CLEANED, round_, stores)
    return ref


__all__ = ["CANARY", "DATASET", "KEYS", "NOW", "Space", "admitted", "ledger_step", "raw_round", "space"]
