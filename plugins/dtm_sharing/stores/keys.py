"""The project's keys, all derived from one master secret that lives outside: in Airflow's secrets backend.

Each purpose has a key of its own (HKDF, RFC 5869), so that none says anything about another. Only public
halves are ever written down.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from dtm_sharing import ledger
from dtm_sharing.errors import UsageProblem

MASTER_BYTES = 32


@dataclass(frozen=True, slots=True)
class Keys:
    """``checkpoint`` and ``clearance`` sign (C2SP note keys); ``credentials`` encrypts passwords at rest."""

    checkpoint: str = field(repr=False)
    clearance: str = field(repr=False)
    credentials: bytes = field(repr=False)

    @classmethod
    def derive(cls, master: str, origin: str) -> Keys:
        """The keys of the installation named ``origin``, from its master secret: 32 bytes in base64.

        Raises:
            UsageProblem: it is not that.
        """
        try:
            secret = base64.b64decode(master, validate=True)
        except (binascii.Error, ValueError):
            secret = b""
        if len(secret) != MASTER_BYTES:
            raise UsageProblem("the master secret must be 32 random bytes in base64")
        return cls(
            checkpoint=ledger.signing_key(origin, _derived(secret, b"checkpoint")),
            clearance=ledger.signing_key(f"{origin}/clearance", _derived(secret, b"clearance")),
            credentials=_derived(secret, b"credentials"),
        )

    @property
    def checkpoint_verifier(self) -> str:
        """The public half that verifies the ledger's checkpoints: for auditors and partners."""
        return ledger.verifier_key(self.checkpoint)

    @property
    def clearance_verifier(self) -> str:
        """The public half that verifies clearances: for the publisher."""
        return ledger.verifier_key(self.clearance)


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"dtm-sharing/v1/" + purpose).derive(secret)
