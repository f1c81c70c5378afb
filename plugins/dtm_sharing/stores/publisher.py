"""The only way into the public store: bytes whose hash carries a clearance that the gate signed.

Whoever runs this holds the public store's credentials and the public half of the clearance key, and needs
nothing else of us. Nobody else holds those credentials: that is the security boundary.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

from dtm_sharing.errors import GateDenied, LedgerAltered
from dtm_sharing.ledger import open_note
from dtm_sharing.stores.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class Publisher:
    """``key`` is the verifier key of the clearances."""

    store: ObjectStore
    key: str

    def put(self, path: str, content: bytes, clearance: str, today: date) -> None:
        """Put an object into the public store, if its clearance says so.

        Raises:
            GateDenied: the clearance is forged, lapsed, or for another audience, other bytes, another path.
            StoreFailed: the store did not take it; nothing half-written is visible.
        """
        try:
            text = open_note(clearance, self.key)
        except LedgerAltered as problem:
            raise GateDenied("not published: its clearance does not carry the gate's signature") from problem
        says = dict(line.split(" ", 1) for line in text.splitlines()[1:])
        expected = {
            "audience": "public",
            "path": path,
            "artefact": f"sha256:{hashlib.sha256(content).hexdigest()}",
        }
        wrong = [name for name, value in expected.items() if says.get(name) != value]
        if wrong:
            raise GateDenied(f"not published: the clearance is for another {wrong[0]}")
        if date.fromisoformat(says["expires"]) < today:
            raise GateDenied(f"not published: the clearance lapsed on {says['expires']}")
        self.store.put(path, content)
