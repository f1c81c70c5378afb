"""Kinds of problems: what reports for other programs group them by."""

from __future__ import annotations

import re

import pytest

from dtm_sharing.policy.kinds import KINDS, OTHER, kind_of, meanings
from support.bad_policies import BAD

SENTENCES = {
    re.sub(r"^(\S+?:)?\d+:\d+: ", "", each.removeprefix(f"{bad.file}:"))
    for bad in BAD.values()
    for each in bad.expected
}


@pytest.mark.parametrize("sentence", sorted(SENTENCES))
def test_every_problem_that_is_known_has_a_kind_of_its_own(sentence):
    assert kind_of(sentence) != OTHER


def test_no_kind_takes_all():
    """Else a report would group nothing: the largest kind has well under half of the sentences."""
    counted = [sum(kind_of(each) == kind for each in SENTENCES) for kind in meanings()]
    assert max(counted) < len(SENTENCES) / 3
    assert sum(map(bool, counted)) >= 12


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("'grian' is not a key of a dataset file (did you mean 'grain'?)", "unknown-key"),
        ("the key 'name' stands twice; the first is on line 5", "duplicate"),
        ("there is no indicator 'x'", "unknown-name"),
        ("'2026-13-01' is not a date; write YYYY-MM-DD", "dates"),
        ("'secret' is not a level (did you mean 'Secret'?)", "level-word"),
        ("this file is not what SHA256SUMS says: edited since, or copied half; review", "seal"),
        ("a tab stands here; indent with spaces", "not-yaml"),
        ("this file cannot be read: Permission denied", "not-read"),
        ("a policy file's name ends in .yaml; rename this file, or begin its name with a dot", "not-read"),
        ("Secret enters no pathway: 'x' is Secret at grain site", "secret"),
        ("nothing is expected, so this case could not fail", "missing"),
        ("something that nobody has thought of", OTHER),
    ],
)
def test_the_kind_of_a_sentence(sentence, kind):
    assert kind_of(sentence) == kind


def test_what_a_sentence_quotes_does_not_decide_its_kind():
    for quoted in ("SHA256SUMS", "is not a date", "there is no", "(Table B)", "same person"):
        assert kind_of(f"the column '{quoted}' is declared twice; the first is on line 3") == "duplicate"


def test_each_kind_has_a_name_for_machines_and_a_meaning_for_people():
    ids = [each.id for each in KINDS]
    assert len(ids) == len(set(ids))
    assert meanings() == {
        **{each.id: each.meaning for each in KINDS},
        OTHER: "Another problem of a policy file.",
    }
    for id_, meaning in meanings().items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", id_)
        assert meaning.endswith(".")
