"""What holds for every ledger: no split of the work changes the tree, and no alteration goes unseen."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtm_sharing import ledger
from dtm_sharing.errors import LedgerAltered, UsageProblem

NAME = "dtm.example.org/npl"
KEY = ledger.signing_key(NAME, bytes(range(32)))
VERIFIER = ledger.verifier_key(KEY)

bodies = st.lists(st.binary(max_size=8), min_size=1, max_size=40)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner, max_size=4)
    ),
    max_leaves=12,
)


def grow(leaves):
    frontier, kept = ledger.Frontier(), {}
    for leaf in leaves:
        first = ledger.stored_count(frontier.size)
        frontier, added = frontier.append(ledger.leaf_hash(leaf))
        kept |= {first + number: each for number, each in enumerate(added)}
    return frontier, kept


def receipt_for(leaves, index):
    frontier, kept = grow(leaves)
    note = ledger.sign_checkpoint(ledger.Checkpoint(NAME, len(leaves), frontier.root), KEY)
    return ledger.Proof(index, ledger.prove(ledger.inclusion_path(index, len(leaves)), kept), note).text


@given(json_values)
def test_canonical_json_says_what_was_put_in_whatever_the_order_of_keys(value):
    text = ledger.canonical_json(value)
    assert json.loads(text) == value
    assert ledger.canonical_json(json.loads(text)) == text
    if isinstance(value, dict):
        assert ledger.canonical_json(dict(reversed(value.items()))) == text


@given(json_values, st.floats() | st.binary() | st.just(2**53))
def test_canonical_json_finds_what_it_refuses_at_any_depth(value, foreign):
    with pytest.raises(UsageProblem):
        ledger.canonical_json([value, {"a": [foreign]}])


@given(bodies, st.data())
def test_a_ledger_that_was_closed_in_between_grows_into_the_same_tree(leaves, data):
    cut = data.draw(st.integers(0, len(leaves)))
    before, _ = grow(leaves[:cut])
    reopened = ledger.Frontier(before.size, before.peaks)
    for leaf in leaves[cut:]:
        reopened, _ = reopened.append(ledger.leaf_hash(leaf))
    assert reopened == grow(leaves)[0]


@given(bodies, st.data())
def test_every_entry_has_a_receipt_and_no_other_bytes_pass_for_it(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    receipt = receipt_for(leaves, index)
    assert ledger.verify_receipt(receipt, leaves[index], VERIFIER).size == len(leaves)
    other = data.draw(st.binary(max_size=8).filter(lambda each: each != leaves[index]))
    with pytest.raises(LedgerAltered):
        ledger.verify_receipt(receipt, other, VERIFIER)


@given(bodies, st.data())
def test_no_character_of_a_receipt_can_be_changed_removed_or_added(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    receipt = receipt_for(leaves, index)
    at = data.draw(st.integers(0, len(receipt) - 1))
    character = data.draw(st.sampled_from("A9+/= \nx\u2014"))
    kept = data.draw(st.sampled_from(["changed", "removed", "added"]))
    rest = receipt[at:] if kept == "added" else receipt[at + 1 :]
    altered = receipt[:at] + ("" if kept == "removed" else character) + rest
    if altered == receipt:
        return
    with pytest.raises(LedgerAltered):
        ledger.verify_receipt(altered, leaves[index], VERIFIER)


@given(bodies, bodies, st.data())
def test_a_ledger_extends_its_past_and_no_other(leaves, others, data):
    old = data.draw(st.integers(1, len(leaves)))
    frontier, kept = grow(leaves)
    past, _ = grow(leaves[:old])
    proof = ledger.prove(ledger.consistency_path(old, len(leaves)), kept)
    ledger.verify_consistency(old, len(leaves), past.root, frontier.root, proof)
    other, _ = grow(others)
    if other.root != past.root:
        with pytest.raises(LedgerAltered):
            ledger.verify_consistency(old, len(leaves), other.root, frontier.root, proof)
