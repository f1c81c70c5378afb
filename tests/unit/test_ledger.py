"""The ledger's bytes. Tests named "golden" freeze a format: a change breaks every ledger written so far."""

from __future__ import annotations

import base64
import functools
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from dtm_sharing import ledger
from dtm_sharing.errors import LedgerAltered, UsageProblem
from dtm_sharing.model import Event

NAME = "dtm.example.org/npl"
KEY = ledger.signing_key(NAME, bytes(range(32)))
VERIFIER = ledger.verifier_key(KEY)
EVENT = Event(
    type="dispatch.intent",
    subject="7d1cbe6c-7f5b-5a39-8f57-0d0a2b1b9f11",
    occurred_at=datetime(2026, 11, 3, 10, 15, 0, 5, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    organization="scpa",
    data={"round": "2026-10", "zahl": 3, "liste": ["é", "\u2028", True, None]},
)
STAMP = ledger.Stamp(
    event_id="0b5a3a4e-58e4-5a0e-a0f1-3a7c9a1d6a10",
    origin=NAME,
    recorded_at=datetime(2026, 11, 3, 4, 30, 1, tzinfo=UTC),
    organization_seq=4,
    nonce=bytes(range(16)),
)
BODY = ledger.entry_body(EVENT, STAMP)


# ------------------------------------------------------------------------------------------- entries


def test_golden_an_entry_has_these_bytes():
    assert BODY.decode() == (
        '{"data":{"liste":["é","\u2028",true,null],"round":"2026-10","zahl":3},'
        '"datacontenttype":"application/json",'
        '"dataschema":"urn:dtm-sharing:ledger-entry:2",'
        '"id":"0b5a3a4e-58e4-5a0e-a0f1-3a7c9a1d6a10",'
        '"nonce":"000102030405060708090a0b0c0d0e0f",'
        '"organization":"scpa","organizationseq":4,'
        '"recordedtime":"2026-11-03T04:30:01.000000Z","source":"dtm.example.org/npl","specversion":"1.0",'
        '"subject":"7d1cbe6c-7f5b-5a39-8f57-0d0a2b1b9f11","time":"2026-11-03T04:30:00.000005Z",'
        '"type":"dtm-sharing.dispatch.intent"}'
    )
    assert ledger.leaf_hash(BODY).hex() == GOLDEN_LEAF


GOLDEN_LEAF = "d50e138bdd5740ea02179e0de2e57cea11e8844304ab45c63ba5703a1ad20cbf"


def test_an_entry_without_an_organization_has_no_number_of_one():
    bare = Event("policy.changed", "policies", EVENT.occurred_at, None, {})
    envelope = json.loads(ledger.entry_body(bare, STAMP))
    assert "organization" not in envelope
    assert "organizationseq" not in envelope


# RFC 8785 section 3.2.2 and 3.2.3, as far as text and whole numbers go.
JCS = {
    '{"b":1,"a":[56,{"d":true,"10":null,"1":[]}]}': '{"a":[56,{"1":[],"10":null,"d":true}],"b":1}',
    r'{"s":"\u20ac$\u000f\nA\u0027B\"\\\\\"/\u007f\t\b\f\r"}': (
        '{"s":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f\\t\\b\\f\\r"}'
    ),
    '{"n":[9007199254740991,-9007199254740991,0]}': '{"n":[9007199254740991,-9007199254740991,0]}',
}


@pytest.mark.parametrize("text", JCS)
def test_json_is_written_as_rfc_8785_says(text):
    assert ledger.canonical_json(json.loads(text)).decode() == JCS[text]


CANNOT_BE_RECORDED = {
    "a float": ({"a": 1.5}, r"float at \$\.a"),
    "not a number": ({"a": [float("nan")]}, r"float at \$\.a\[0\]"),
    "too great a number": ({"a": 2**53}, "beyond 2\\^53"),
    "too small a number": ({"a": -(2**53)}, "beyond 2\\^53"),
    "half a character": ({"a": "secret\ud800"}, "not valid Unicode"),
    "a key that is not ASCII": ({"é": 1}, "keys must be ASCII"),
    "a key that is not text": ({1: 1}, "keys must be ASCII"),
    "bytes": ({"a": b"secret"}, "bytes at"),
    "a set": ({"a": {"secret"}}, "set at"),
    "a moment": ({"a": datetime(2026, 1, 1, tzinfo=UTC)}, "datetime at"),
}


@pytest.mark.parametrize("case", CANNOT_BE_RECORDED)
def test_what_other_languages_would_read_otherwise_is_refused_without_showing_it(case):
    data, sentence = CANNOT_BE_RECORDED[case]
    with pytest.raises(UsageProblem, match=sentence) as refused:
        ledger.canonical_json(data)
    assert "secret" not in str(refused.value)


def test_a_moment_without_a_time_zone_is_refused():
    with pytest.raises(UsageProblem, match="time zone"):
        ledger.timestamp(datetime(2026, 1, 1))  # noqa: DTZ001 - on purpose


def test_a_nonce_or_salt_of_another_length_is_refused():
    with pytest.raises(UsageProblem, match="16 bytes, not 8"):
        ledger.entry_body(EVENT, ledger.Stamp("id", NAME, EVENT.occurred_at, 0, bytes(8)))
    with pytest.raises(UsageProblem, match="32 bytes, not 16"):
        ledger.commitment(b"", bytes(16))


def test_golden_a_commitment_is_this_hash_and_hangs_on_its_salt():
    made = ledger.commitment(b"value", bytes(32))
    assert made.hex() == GOLDEN_COMMITMENT
    assert made != ledger.commitment(b"value", bytes(31) + b"\x01")
    assert made != ledger.commitment(b"valuf", bytes(32))


GOLDEN_COMMITMENT = "95823cafe9ab7dbc7850bd6cf5146c0a55ddc31c9a3e6804af454982e76bdc58"

# ---------------------------------------------------------------------------------------------- tree

# Certificate Transparency's reference: leaves and the roots over the first n of them.
CT_LEAVES = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
]
CT_ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
SIZES = range(131)
LEAVES = [b"leaf %d" % number for number in SIZES]


@functools.cache
def merkle_tree_hash(start: int, end: int) -> bytes:
    """RFC 6962 section 2.1, word for word: the oracle."""
    if start == end:
        return ledger.EMPTY_ROOT
    if end - start == 1:
        return ledger.leaf_hash(LEAVES[start])
    k = 1
    while 2 * k < end - start:
        k *= 2
    return ledger.node_hash(merkle_tree_hash(start, start + k), merkle_tree_hash(start + k, end))


def grow(leaves):
    """Append one by one; returns the frontier after each, and all kept hashes by their number."""
    frontier, kept = ledger.Frontier(), {}
    steps = [frontier]
    for leaf in leaves:
        first = ledger.stored_count(frontier.size)
        frontier, added = frontier.append(ledger.leaf_hash(leaf))
        kept |= {first + number: each for number, each in enumerate(added)}
        steps.append(frontier)
    return steps, kept


STEPS, KEPT = grow(LEAVES)


@pytest.mark.parametrize("size", CT_ROOTS)
def test_roots_are_those_of_certificate_transparency(size):
    steps, _ = grow(CT_LEAVES)
    assert steps[size].root.hex() == CT_ROOTS[size]


@pytest.mark.parametrize("size", SIZES)
def test_the_root_of_every_size_is_rfc_6962s_from_the_frontier_and_from_the_kept_hashes(size):
    assert STEPS[size].root == merkle_tree_hash(0, size)
    assert ledger.range_root((0, size), KEPT) == merkle_tree_hash(0, size)


def test_kept_hashes_are_numbered_as_x_mod_tlog_numbers_them():
    # From tlog's own comment: the hashes of a tree of 4, in post-order, then those of the next leaves.
    order = [(0, 0), (0, 1), (1, 0), (0, 2), (0, 3), (1, 1), (2, 0), (0, 4), (0, 5), (1, 2), (0, 6), (0, 7)]
    assert [ledger.stored_index(*each) for each in order] == list(range(len(order)))
    assert sorted(KEPT) == list(range(ledger.stored_count(len(LEAVES))))


def test_every_entry_of_every_size_has_a_proof_that_leads_to_the_root():
    for size in SIZES:
        for index in range(size):
            proof = ledger.prove(ledger.inclusion_path(index, size), KEPT)
            leaf = ledger.leaf_hash(LEAVES[index])
            assert ledger.root_from_inclusion(leaf, index, size, proof) == STEPS[size].root


def test_every_size_extends_every_smaller_one():
    for new in SIZES:
        for old in range(1, new + 1):
            proof = ledger.prove(ledger.consistency_path(old, new), KEPT)
            ledger.verify_consistency(old, new, STEPS[old].root, STEPS[new].root, proof)


def is_refused(*arguments):
    try:
        ledger.verify_consistency(*arguments)
    except LedgerAltered:
        return True
    return False


def test_no_size_extends_what_it_does_not_and_no_proof_of_another_pair_is_taken():
    for new in range(2, 24):
        for old in range(1, new):
            proof = ledger.prove(ledger.consistency_path(old, new), KEPT)
            roots = STEPS[old].root, STEPS[new].root
            false = {
                "old root": (old, new, bytes(32), roots[1], proof),
                "new root": (old, new, roots[0], bytes(32), proof),
                "roots swapped": (old, new, roots[1], roots[0], proof),
                "proof cut": (old, new, *roots, proof[:-1]),
                "proof longer": (old, new, *roots, (*proof, bytes(32))),
                "hash altered": (old, new, *roots, (bytes(32), *proof[1:])),
            }
            for name, arguments in false.items():
                assert is_refused(*arguments), f"{name}: {old} to {new}"


def test_the_same_size_with_another_root_does_not_extend_it():
    with pytest.raises(LedgerAltered):
        ledger.verify_consistency(3, 3, STEPS[3].root, STEPS[4].root, ())


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (-1, 2)])
def test_sizes_that_no_proof_can_be_of_are_refused(old, new):
    with pytest.raises(LedgerAltered):
        ledger.verify_consistency(old, new, bytes(32), bytes(32), ())
    with pytest.raises(UsageProblem):
        ledger.consistency_path(old, new)


@pytest.mark.parametrize(("index", "size"), [(3, 3), (-1, 3), (0, 0)])
def test_an_entry_beyond_the_ledger_has_no_proof(index, size):
    with pytest.raises(UsageProblem, match="is not in a ledger"):
        ledger.inclusion_path(index, size)
    with pytest.raises(LedgerAltered):
        ledger.root_from_inclusion(bytes(32), index, size, ())


def test_a_proof_does_not_serve_for_another_index_size_or_leaf():
    for size in range(2, 24):
        for index in range(size):
            proof = ledger.prove(ledger.inclusion_path(index, size), KEPT)
            leaf, root = ledger.leaf_hash(LEAVES[index]), STEPS[size].root
            assert ledger.root_from_inclusion(ledger.leaf_hash(b"other"), index, size, proof) != root
            other = (index + 1) % size
            try:
                led_to = ledger.root_from_inclusion(leaf, other, size, proof)
            except LedgerAltered as wrong_length:
                assert wrong_length.entry == other  # noqa: PT017 - either answer is right
            else:
                assert led_to != root


# --------------------------------------------------------------------------------------- signed notes

C2SP_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = (
    "This is an example message.\n\n"
    "\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYj"
    "OBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


def test_the_example_of_the_signed_note_specification_verifies():
    assert ledger.open_note(C2SP_NOTE, C2SP_KEY) == "This is an example message.\n"


def test_golden_keys_have_this_form():
    assert VERIFIER == GOLDEN_VERIFIER
    assert KEY.startswith("PRIVATE+KEY+dtm.example.org/npl+")
    assert ledger.key_name(KEY) == ledger.key_name(VERIFIER) == NAME


GOLDEN_VERIFIER = "dtm.example.org/npl+43621a6d+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"


def test_signatures_of_others_are_ignored():
    note = ledger.sign_note("text\n", KEY)
    other = ledger.sign_note("text\n", ledger.signing_key("witness.example.org", bytes(32)))
    same_name = ledger.sign_note("text\n", ledger.signing_key(NAME, bytes(32)))
    lines = [each.split("\n\n")[1] for each in (other, same_name, note)]
    both = "text\n\n\u2014 unreadable line\n\u2014 x !!\n" + "".join(lines)
    assert ledger.open_note(both, VERIFIER) == "text\n"
    assert ledger.signed_by(both, VERIFIER)
    assert not ledger.signed_by(other, VERIFIER)


NOT_SIGNED = {
    "text altered": lambda note: note.replace("text", "test"),
    "no signature": lambda _: "text\n",
    "empty": lambda _: "",
    "signature of another key": lambda _: ledger.sign_note("text\n", ledger.signing_key(NAME, bytes(32))),
    "last newline cut": lambda note: note[:-1],
    "control character": lambda note: note.replace("text", "te\rxt"),
    "half a character": lambda note: note.replace("text", "te\ud800xt"),
    "signature cut": lambda note: note[:-10] + "\n",
}


@pytest.mark.parametrize("case", NOT_SIGNED)
def test_a_note_that_is_not_signed_by_this_key_is_refused(case):
    with pytest.raises(LedgerAltered):
        ledger.open_note(NOT_SIGNED[case](ledger.sign_note("text\n", KEY)), VERIFIER)


NO_KEYS = {
    "empty": "",
    "a word": "key",
    "another id": VERIFIER.replace("+", "+0", 1)[:-1],
    "id of another key": VERIFIER.replace(VERIFIER.split("+")[1], "00000000"),
    "cut": VERIFIER[:-4],
    "not base64": VERIFIER[:-4] + "****",
    "not ASCII": VERIFIER[:-4] + "éééé",
    "another algorithm": "+".join([*VERIFIER.split("+")[:2], base64.b64encode(b"\x04" + bytes(32)).decode()]),
}


@pytest.mark.parametrize("case", NO_KEYS)
def test_what_is_not_a_key_is_refused_without_showing_it(case):
    for use in (ledger.verifier_key, lambda key: ledger.open_note(C2SP_NOTE, key)):
        with pytest.raises(UsageProblem, match="not a ledger key") as refused:
            use(NO_KEYS[case])
        assert "example.org" not in str(refused.value)


def test_the_halves_of_a_key_are_not_taken_for_each_other():
    with pytest.raises(UsageProblem):
        ledger.open_note(C2SP_NOTE, KEY)
    with pytest.raises(UsageProblem):
        ledger.sign_note("text\n", VERIFIER)
    with pytest.raises(UsageProblem):
        ledger.verifier_key(KEY.replace(KEY.split("+")[3], "00000000"))


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b"])
def test_a_key_has_a_name_that_a_note_can_carry(name):
    with pytest.raises(UsageProblem, match="name"):
        ledger.signing_key(name, bytes(32))


def test_a_key_has_a_seed_of_32_bytes():
    with pytest.raises(UsageProblem, match="32 bytes, not 31"):
        ledger.signing_key(NAME, bytes(31))


# --------------------------------------------------------------------------------- checkpoint, receipt


def receipt_for(index: int, body: bytes) -> str:
    """A receipt in a ledger of seven, where the entry at ``index`` is ``body``."""
    leaves = [*LEAVES[:index], body, *LEAVES[index + 1 : 7]]
    steps, kept = grow(leaves)
    note = ledger.sign_checkpoint(ledger.Checkpoint(NAME, 7, steps[-1].root), KEY)
    return ledger.Proof(index, ledger.prove(ledger.inclusion_path(index, 7), kept), note).text


def test_golden_a_receipt_has_these_bytes_and_verifies():
    text = receipt_for(2, BODY)
    golden = Path(__file__).parents[1] / "golden" / "entry.tlog-proof"
    assert text == golden.read_text("utf-8")
    assert ledger.verify_receipt(text, BODY, VERIFIER).size == 7


def test_a_receipt_with_extra_data_is_read_and_the_extra_is_not_trusted():
    text = receipt_for(2, BODY).replace("index", "extra AAAA\nindex")
    assert ledger.read_proof(text).index == 2
    assert ledger.verify_receipt(text, BODY, VERIFIER)


FALSE_RECEIPTS = {
    "another entry": (lambda text: text, BODY + b" "),
    "another index": (lambda text: text.replace("index 2", "index 3"), BODY),
    "index beyond the ledger": (lambda text: text.replace("index 2", "index 7"), BODY),
    "index with a zero before it": (lambda text: text.replace("index 2", "index 02"), BODY),
    "a hash too few": (lambda text: text.replace(text.split("\n")[2] + "\n", ""), BODY),
    "header of another version": (lambda text: text.replace("@v1", "@v2"), BODY),
    "checkpoint cut off": (lambda text: text.split("\n\n")[0] + "\n\n", BODY),
    "another size": (lambda text: text.replace("\n7\n", "\n8\n"), BODY),
    "empty": (lambda _: "", BODY),
}


@pytest.mark.parametrize("case", FALSE_RECEIPTS)
def test_a_false_receipt_is_refused(case):
    alter, body = FALSE_RECEIPTS[case]
    with pytest.raises(LedgerAltered):
        ledger.verify_receipt(alter(receipt_for(2, BODY)), body, VERIFIER)


def test_a_signed_root_of_another_ledger_does_not_serve():
    steps, _ = grow([BODY])
    note = ledger.sign_checkpoint(ledger.Checkpoint("other.example.org", 1, steps[-1].root), KEY)
    with pytest.raises(LedgerAltered, match="another ledger"):
        ledger.verify_receipt(ledger.Proof(0, (), note).text, BODY, VERIFIER)


NO_CHECKPOINTS = {
    "one line": "only a line\n",
    "size with a zero before it": f"{NAME}\n07\n{'A' * 43}=\n",
    "root too short": f"{NAME}\n7\nAAAA\n",
    "extension line": f"{NAME}\n7\n{'A' * 43}=\nmore\n",
    "a second way to write the root": f"{NAME}\n7\n{'A' * 42}B=\n",
}


@pytest.mark.parametrize("text", NO_CHECKPOINTS.values(), ids=NO_CHECKPOINTS)
def test_a_signed_text_that_is_no_checkpoint_is_refused(text):
    with pytest.raises(LedgerAltered, match="three lines"):
        ledger.read_checkpoint(ledger.sign_note(text, KEY), VERIFIER)


VERIFY_WITH_SHELL = r"""
set -eu
hash() { openssl dgst -sha256 -binary; }
note=$(sed '1,/^$/d' receipt)
body=$(printf '%s\n' "$note" | sed '/^$/,$d')
printf '%s\n' "$note" | sed -n 's/^— [^ ]* //p' | base64 -d | tail -c 64 > signature
printf '%s\n' "$body" > text
openssl pkeyutl -verify -rawin -pubin -inkey key.pem -in text -sigfile signature >/dev/null
n=$(sed -n 's/^index //p' receipt); last=$(($(sed -n 2p text) - 1))
{ printf '\000'; cat entry; } | hash > h
sed '/^$/,$d' receipt | sed 1,2d | while read -r line; do
  # RFC 9162 2.1.3.2
  printf %s "$line" | base64 -d > s
  if [ $((n & 1)) = 1 ] || [ "$n" = "$last" ]; then
    { printf '\001'; cat s h; } | hash > h2
    while [ $((n & 1)) = 0 ] && [ "$n" != 0 ]; do n=$((n >> 1)); last=$((last >> 1)); done
  else { printf '\001'; cat h s; } | hash > h2; fi
  mv h2 h; n=$((n >> 1)); last=$((last >> 1))
done
[ "$(base64 < h)" = "$(sed -n 3p text)" ]
"""


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
@pytest.mark.parametrize("index", range(7))
def test_an_auditor_verifies_a_receipt_with_openssl_and_none_of_our_code(tmp_path, index):
    public = base64.b64decode(VERIFIER.split("+", 2)[2])[1:]
    der = bytes.fromhex("302a300506032b6570032100") + public  # SubjectPublicKeyInfo of Ed25519
    pem = f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(der).decode()}\n-----END PUBLIC KEY-----\n"
    (tmp_path / "key.pem").write_text(pem)
    (tmp_path / "receipt").write_text(receipt_for(index, BODY), "utf-8")
    for entry, answer in ((BODY, True), (BODY + b" ", False)):
        (tmp_path / "entry").write_bytes(entry)
        ran = subprocess.run(
            ["bash", "-c", VERIFY_WITH_SHELL], cwd=tmp_path, capture_output=True, check=False
        )
        assert (ran.returncode == 0) is answer, ran.stderr
