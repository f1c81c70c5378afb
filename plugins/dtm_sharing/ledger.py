"""The ledger's bytes: entries, the Merkle tree over them, signed checkpoints and receipts. No I/O.

An entry is a CloudEvents 1.0 envelope in canonical JSON; its exact bytes are what is hashed and kept. The
tree is that of RFC 6962, its stored hashes numbered as in Go's x/mod ``tlog`` (post-order, append-only).
Checkpoints are C2SP signed notes (tlog-checkpoint, signed-note: Ed25519), receipts are C2SP
``tlog-proof@v1``, so that an auditor needs none of our code. Formats and reasons: ``docs/decisions``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from dtm_sharing.errors import LedgerAltered, UsageProblem
from dtm_sharing.model import Event

FORMAT = 2  # of the entries; the number ends ``dataschema`` in every one of them
SCHEMA = "urn:dtm-sharing:ledger-entry:"
TYPE_PREFIX = "dtm-sharing."
EMPTY_ROOT = hashlib.sha256(b"").digest()
NONCE_BYTES = 16
SALT_BYTES = 32
PROOF_HEADER = "c2sp.org/tlog-proof@v1"

_ED25519 = b"\x01"
_PRIVATE = "PRIVATE+KEY+"
_GREATEST_INT = 2**53 - 1  # beyond it JSON numbers differ between readers (RFC 8785)

# ------------------------------------------------------------------------------------------- entries


def canonical_json(value: Any) -> bytes:
    """JSON as RFC 8785 (JCS) writes it.

    Allowed are text, ints below 2^53, true, false, null, lists, and objects with ASCII keys. Floats are
    refused: their text differs between languages.

    Raises:
        UsageProblem: something else is in it. The sentence names the place and the kind, never the value.
    """
    _check_json(value, "$")
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def _check_json(value: Any, place: str) -> None:
    match value:
        case str() | int() | None:  # a bool is an int
            if problem := _scalar_problem(value):
                raise UsageProblem(f"a ledger entry cannot hold what is at {place}: {problem}")
        case list() | tuple():
            for number, each in enumerate(value):
                _check_json(each, f"{place}[{number}]")
        case dict() if all(isinstance(key, str) and key.isascii() for key in value):
            for key, each in value.items():
                _check_json(each, f"{place}.{key}")
        case dict():
            raise UsageProblem(
                f"a ledger entry cannot hold the object at {place}: its keys must be ASCII text"
            )
        case _:
            raise UsageProblem(
                f"a ledger entry cannot hold a {type(value).__name__} at {place}: "
                "use text, whole numbers, lists and objects"
            )


def _scalar_problem(value: str | int | None) -> str | None:
    if isinstance(value, int) and abs(value) > _GREATEST_INT:
        return "the number is beyond 2^53"
    if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
        return "the text is not valid Unicode"
    return None


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, always with microseconds, so that text order is time order.

    Raises:
        UsageProblem: the moment has no time zone.
    """
    if moment.utcoffset() is None:
        raise UsageProblem("a moment in the ledger needs a time zone; use datetime.now(UTC)")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the ledger adds to an event.

    ``organization_seq`` counts from 0 without gaps within the event's organization: a gap shows an omission.
    The 16-byte ``nonce`` keeps anyone from guessing the entry behind a hash in someone else's receipt.
    """

    event_id: str
    origin: str
    recorded_at: datetime
    organization_seq: int | None
    nonce: bytes


def entry_body(event: Event, stamp: Stamp) -> bytes:
    """The exact bytes of an entry.

    Raises:
        UsageProblem: the event holds what an entry cannot, e.g. a float or a moment without a time zone.
    """
    if len(stamp.nonce) != NONCE_BYTES:
        raise UsageProblem(f"the nonce of a ledger entry has {NONCE_BYTES} bytes, not {len(stamp.nonce)}")
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": stamp.event_id,
        "source": stamp.origin,
        "type": TYPE_PREFIX + event.type,
        "subject": event.subject,
        "time": timestamp(event.occurred_at),
        "recordedtime": timestamp(stamp.recorded_at),
        "datacontenttype": "application/json",
        "dataschema": f"{SCHEMA}{FORMAT}",
        "nonce": stamp.nonce.hex(),
        "data": dict(event.data),
    }
    if event.organization is not None:
        envelope |= {"organization": event.organization, "organizationseq": stamp.organization_seq}
    return canonical_json(envelope)


def commitment(value: bytes, salt: bytes) -> bytes:
    """SHA-256(0x02 || salt || value): shows later what was meant, and nothing before the salt is given.

    A bare hash of a telephone number is found in minutes; this one is not, and to erase the salt is to
    erase the value.
    """
    if len(salt) != SALT_BYTES:
        raise UsageProblem(f"the salt of a commitment has {SALT_BYTES} bytes, not {len(salt)}")
    return hashlib.sha256(b"\x02" + salt + value).digest()


# ---------------------------------------------------------------------------------------------- tree


def leaf_hash(body: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def stored_index(level: int, number: int) -> int:
    """Where the hash of the ``number``-th perfect subtree of 2^level leaves is kept.

    The same number as x/mod's ``tlog.StoredHashIndex``, so that foreign readers can follow.
    """
    for _ in range(level):
        number = 2 * number + 1
    index = 0
    while number:
        index += number
        number >>= 1
    return index + level


def stored_count(size: int) -> int:
    """How many hashes a tree of ``size`` leaves keeps: about two per leaf."""
    return stored_index(0, size)


@dataclass(frozen=True, slots=True)
class Frontier:
    """All that an append needs of a tree: its size, and the roots of its perfect subtrees, largest first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> tuple[Frontier, tuple[bytes, ...]]:
        """The tree with one leaf more, and the hashes to keep from ``stored_count(self.size)`` on."""
        peaks, added = list(self.peaks), [leaf]
        remaining = self.size
        while remaining & 1:
            added.append(node_hash(peaks.pop(), added[-1]))
            remaining >>= 1
        return Frontier(self.size + 1, (*peaks, added[-1])), tuple(added)

    @property
    def root(self) -> bytes:
        return _fold(self.peaks)


Range = tuple[int, int]  # leaves from the first, up to and without the second


def _fold(peaks: Sequence[bytes]) -> bytes:
    if not peaks:
        return EMPTY_ROOT
    result = peaks[-1]
    for peak in reversed(peaks[:-1]):
        result = node_hash(peak, result)
    return result


def _split(size: int) -> int:
    """The largest power of two below ``size``: RFC 6962's k."""
    return 1 << ((size - 1).bit_length() - 1)


def kept_in(leaves: Range) -> tuple[int, ...]:
    """Numbers of the kept hashes that make up the root over a range of a path, left to right."""
    start, end = leaves
    ids = []
    while start < end:
        level = (end - start).bit_length() - 1
        ids.append(stored_index(level, start >> level))
        start += 1 << level
    return tuple(ids)


def range_root(leaves: Range, kept: Mapping[int, bytes]) -> bytes:
    """MTH of RFC 6962 over a range that a path named, or over ``(0, size)``."""
    return _fold([kept[index] for index in kept_in(leaves)])


def inclusion_path(index: int, size: int) -> tuple[Range, ...]:
    """PATH of RFC 6962 §2.1.1: the subtrees whose roots prove leaf ``index``, its sibling first."""
    if not 0 <= index < size:
        raise UsageProblem(f"entry {index} is not in a ledger of {size} entries")
    path: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return tuple(reversed(path))


def consistency_path(old: int, new: int) -> tuple[Range, ...]:
    """PROOF of RFC 6962 §2.1.2: the subtrees that show that ``new`` leaves extend the first ``old``."""
    if not 0 < old <= new:
        raise UsageProblem(f"a ledger of {new} entries cannot be shown to extend one of {old}")
    path: list[Range] = []
    start, end = 0, new
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    if start:
        path.append((start, end))
    return tuple(reversed(path))


def prove(path: Sequence[Range], kept: Mapping[int, bytes]) -> tuple[bytes, ...]:
    """The hashes of a proof, from the kept ones that ``kept_in`` names for each range of the path."""
    return tuple(range_root(leaves, kept) for leaves in path)


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162 §2.1.3.2). Compare it with a *signed* root.

    Raises:
        LedgerAltered: the proof has not the length that this index and size ask for.
    """
    path = inclusion_path(index, size) if 0 <= index < size else None
    if path is None or len(path) != len(proof):
        raise LedgerAltered(f"the proof for entry {index} does not fit a ledger of {size} entries", index)
    result = leaf
    for (start, _), sibling in zip(path, proof, strict=True):
        result = node_hash(result, sibling) if start > index else node_hash(sibling, result)
    return result


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of ``new`` leaves extends that of ``old`` (RFC 9162 §2.1.4.2).

    Raises:
        LedgerAltered: it does not, or the proof does not fit.
    """
    wrong = LedgerAltered(f"the ledger of {new} entries does not extend the one of {old} entries")
    path = consistency_path(old, new) if 0 < old <= new else None
    if path is None or len(path) != len(proof):
        raise wrong
    if old == new:
        if old_root != new_root:
            raise wrong
        return
    steps = list(zip(path, proof, strict=True))
    # An old tree of a power of two leaves stands whole in the new one: its root is not in the proof.
    before = after = old_root if old.bit_count() == 1 else steps.pop(0)[1]
    for (start, _), sibling in steps:
        if start < old:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
        else:
            after = node_hash(after, sibling)
    if before != old_root or after != new_root:
        raise wrong


# --------------------------------------------------------------------------------- keys, signed notes


def signing_key(name: str, seed: bytes) -> str:
    """A private Ed25519 key in note form, ``PRIVATE+KEY+name+id+base64``, from a random 32-byte seed.

    ``name`` is the origin of the ledger that the key signs for, like ``dtm.example.org/npl``.
    """
    if not name or "+" in name or any(char.isspace() for char in name):
        raise UsageProblem("the name of a ledger key is not empty and has no space and no plus sign")
    if len(seed) != 32:
        raise UsageProblem(f"the seed of a ledger key has 32 bytes, not {len(seed)}")
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return f"{_PRIVATE}{name}+{_key_id(name, public).hex()}+{_base64(_ED25519 + seed)}"


def verifier_key(signing_key: str) -> str:
    """The public half, ``name+id+base64``: what auditors and partners are given."""
    name, private = _open_signing_key(signing_key)
    public = private.public_key().public_bytes_raw()
    return f"{name}+{_key_id(name, public).hex()}+{_base64(_ED25519 + public)}"


def key_name(key: str) -> str:
    """The name in a signing or verifier key."""
    return key.removeprefix(_PRIVATE).split("+", 1)[0]


def _key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def _open_signing_key(text: str) -> tuple[str, Ed25519PrivateKey]:
    name, key_id, seed = _read_key(text.removeprefix(_PRIVATE), text.startswith(_PRIVATE))
    private = Ed25519PrivateKey.from_private_bytes(seed)
    if _key_id(name, private.public_key().public_bytes_raw()) != key_id:
        raise _bad_key()
    return name, private


def _open_verifier_key(text: str) -> tuple[str, bytes, Ed25519PublicKey]:
    name, key_id, public = _read_key(text, not text.startswith(_PRIVATE))
    if _key_id(name, public) != key_id:
        raise _bad_key()
    return name, key_id, Ed25519PublicKey.from_public_bytes(public)


def _read_key(text: str, right_half: bool) -> tuple[str, bytes, bytes]:  # noqa: FBT001 - one private caller each
    """Name, key id and the 32 bytes of a key. The sentence never shows the key."""
    parts = text.strip().split("+", 2)
    if not right_half or len(parts) != 3 or not re.fullmatch("[0-9a-f]{8}", parts[1]):
        raise _bad_key()
    material = _unbase64(parts[2])
    if len(material) != 33 or material[:1] != _ED25519:
        raise _bad_key()
    return parts[0], bytes.fromhex(parts[1]), material[1:]


def _bad_key() -> UsageProblem:
    return UsageProblem(
        "this is not a ledger key: a verifier key reads name+id+base64, a signing key begins PRIVATE+KEY+"
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unbase64(text: str) -> bytes:
    """The bytes, or none at all where the text is not the one way to write them."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        return b""
    return data if _base64(data) == text else b""


def sign_note(text: str, key: str) -> str:
    """The text, which ends in a newline, as a C2SP signed note with one Ed25519 signature."""
    name, private = _open_signing_key(key)
    public = private.public_key().public_bytes_raw()
    signature = _key_id(name, public) + private.sign(text.encode())
    return f"{text}\n\u2014 {name} {_base64(signature)}\n"


def open_note(note: str, key: str) -> str:
    """The text of a note, once the signature of this verifier key holds. Other signatures are ignored.

    Raises:
        LedgerAltered: it is no note, or it is not signed by this key.
    """
    name, key_id, public = _open_verifier_key(key)
    text, lines = _split_note(note)
    for line in lines:
        signature = _signature(line, name, key_id)
        if signature is None:
            continue
        try:
            public.verify(signature, text.encode())
        except InvalidSignature as error:
            raise LedgerAltered(f"a signature by {name} is false: the signed text was altered") from error
        return text
    raise LedgerAltered(f"a signed note carries no signature by the key {name}+{key_id.hex()}")


def signed_by(note: str, key: str) -> bool:
    """Whether the note has a signature line of this verifier key, true or false."""
    name, key_id, _ = _open_verifier_key(key)
    return any(_signature(line, name, key_id) is not None for line in _split_note(note)[1])


def _split_note(note: str) -> tuple[str, tuple[str, ...]]:
    text, separator, signatures = note.rpartition("\n\n")
    if not separator or not signatures.endswith("\n") or re.search("[\x00-\x09\x0b-\x1f\ud800-\udfff]", note):
        raise LedgerAltered("this is not a signed note: text, an empty line, signatures")
    return text + "\n", tuple(signatures.split("\n"))


def _signature(line: str, name: str, key_id: bytes) -> bytes | None:
    """The signature on a line when it is of this key; a line that we cannot read is another's."""
    parts = line.split(" ")
    if len(parts) != 3 or parts[:2] != ["\u2014", name]:
        return None
    blob = _unbase64(parts[2])
    return blob[4:] if blob[:4] == key_id else None


# -------------------------------------------------------------------------------- checkpoints, receipts


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a signed note says of a ledger: which one, how many entries, and the root over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


def sign_checkpoint(checkpoint: Checkpoint, key: str) -> str:
    return sign_note(checkpoint.text, key)


def read_checkpoint(note: str, key: str | None = None) -> Checkpoint:
    """The checkpoint in a note. Without a verifier key its signature is not looked at.

    Raises:
        LedgerAltered: it is none, or not signed by this key.
    """
    text = open_note(note, key) if key else _split_note(note)[0]
    match = re.fullmatch("([^\n]+)\n(0|[1-9][0-9]{0,18})\n([A-Za-z0-9+/]{43}=)\n", text)
    root = _unbase64(match[3]) if match else b""
    if not match or not root:
        raise LedgerAltered("a checkpoint has three lines: origin, number of entries, root")
    return Checkpoint(match[1], int(match[2]), root)


@dataclass(frozen=True, slots=True)
class Proof:
    """A ``tlog-proof@v1``: that the entry ``index`` is in the ledger of the signed ``checkpoint``."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str  # signed note

    @property
    def text(self) -> str:
        lines = [PROOF_HEADER, f"index {self.index}", *map(_base64, self.hashes)]
        return "\n".join(lines) + "\n\n" + self.checkpoint


_PROOF = re.compile(
    re.escape(PROOF_HEADER) + "\n(?:extra [A-Za-z0-9+/]*=*\n)?"
    "index (0|[1-9][0-9]{0,18})\n((?:[A-Za-z0-9+/]{43}=\n){0,63})\n(.+)",
    re.DOTALL,
)


def read_proof(text: str) -> Proof:
    """A receipt's text in its parts. Nothing is verified yet.

    Raises:
        LedgerAltered: it is no ``tlog-proof@v1``.
    """
    match = _PROOF.fullmatch(text)
    hashes = tuple(map(_unbase64, match[2].split())) if match else ()
    if not match or not all(hashes):
        raise LedgerAltered(f"a receipt is not a {PROOF_HEADER}: it may have been cut or rewritten")
    return Proof(int(match[1]), hashes, match[3])


def verify_receipt(receipt: str, entry: bytes, key: str) -> Checkpoint:
    """Check that these bytes are an entry of the ledger for which this verifier key signs.

    The origin must be the key's own name: one key, one ledger.

    Raises:
        LedgerAltered: they are not, or the receipt is not signed by this key.
    """
    proof = read_proof(receipt)
    checkpoint = read_checkpoint(proof.checkpoint, key)
    if checkpoint.origin != key_name(key):
        raise LedgerAltered("the receipt is of another ledger than the key's")
    root = root_from_inclusion(leaf_hash(entry), proof.index, checkpoint.size, proof.hashes)
    if root != checkpoint.root:
        raise LedgerAltered(f"entry {proof.index} is not what the receipt was given for", proof.index)
    return checkpoint
