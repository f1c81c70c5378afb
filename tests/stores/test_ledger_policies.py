"""The policies that the ledger keeps: which was in force when, and that its files are what they were."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from dtm_sharing import policy as policy_step
from dtm_sharing.errors import LedgerAltered, UsageProblem
from support.ledgers import NOW, VERIFIER_KEY, event, open_ledger, read, tamper
from support.policies import AGREEMENT, RELATIONS, SCPA, patched, sample_files, sample_policy

DAY = timedelta(days=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def opened(path):
    return open_ledger(path)


def edited(remark="# A remark.", file=AGREEMENT):
    return sample_policy(patched(sample_files(), file, "kind:", f"{remark}\nkind:"))


def adopted(opened):
    return [json.loads(each.body)["data"] for each in opened.entries("policy.adopted")]


def test_a_policy_is_adopted_once_and_its_files_are_kept_byte_for_byte(opened):
    policy = sample_policy()
    for _ in range(3):
        opened.keep_policy(policy, NOW)
    assert adopted(opened) == [{"policy_digest": policy.digest, "files": len(policy.files), "replaces": None}]
    assert opened.policy_files(policy.digest) == sample_files()
    assert opened.verify(VERIFIER_KEY).size == 1


def test_what_is_kept_gives_the_same_policy_again(opened):
    opened.keep_policy(sample_policy(), NOW)
    again = policy_step.parse(opened.policy_files(sample_policy().digest))
    assert again == sample_policy()
    assert again.files == sample_policy().files


def test_a_policy_that_comes_back_is_adopted_again_and_kept_once(opened, path):
    first, second = sample_policy(), edited()
    for each in (first, second, first, second, second):
        opened.keep_policy(each, NOW)
    assert [each["policy_digest"] for each in adopted(opened)] == [first.digest, second.digest] * 2
    assert [each["replaces"] for each in adopted(opened)] == [
        None,
        first.digest,
        second.digest,
        first.digest,
    ]
    # One file of them differs: the others are there once.
    assert read(path, "SELECT count(*) FROM policy_file") == [(len(first.files) + 1,)]
    assert opened.policy_files(second.digest) == dict(second.files)
    assert opened.verify().size == 4


def test_two_that_adopt_a_policy_at_once_adopt_it_once(opened, path, monkeypatch):
    policy, other = sample_policy(), open_ledger(path)

    def overtaken(files):
        monkeypatch.undo()
        other.keep_policy(policy, NOW)
        return policy_step.digest(files)

    monkeypatch.setattr("dtm_sharing.stores.ledger_policies.digest_of", overtaken)
    opened.keep_policy(policy, NOW + DAY)
    assert len(adopted(opened)) == 1
    assert opened.verify().size == 1


def test_the_policy_of_a_day_is_the_one_adopted_last_until_its_end_in_utc(opened):
    first, second, third = sample_policy(), edited(), edited("# Another.")
    midnight = datetime(2026, 11, 5, tzinfo=UTC)
    opened.keep_policy(first, midnight - 2 * DAY)
    opened.keep_policy(second, midnight - timedelta(microseconds=1))
    east = timezone(timedelta(hours=5, minutes=45))
    opened.keep_policy(third, (midnight + timedelta(hours=1)).astimezone(east))
    assert opened.policy_in_force(date(2026, 11, 2)) is None
    assert opened.policy_in_force(date(2026, 11, 3)) == first.digest
    assert opened.policy_in_force(date(2026, 11, 4)) == second.digest
    assert opened.policy_in_force(date(2026, 11, 5)) == third.digest
    assert opened.policy_in_force(date(2030, 1, 1)) == third.digest


def test_no_policy_is_in_force_before_there_is_one(opened):
    opened.record(event())
    assert opened.policy_in_force(NOW.date()) is None
    with pytest.raises(UsageProblem, match="keeps no policy sha256:00"):
        opened.policy_files("sha256:00")


def test_a_policy_without_its_files_is_not_kept(opened):
    policy = sample_policy()
    for files in ({}, {**policy.files, "x.yaml": b""}, {**policy.files, RELATIONS: b"kind: relations\n"}):
        with pytest.raises(UsageProblem, match="does not come with its files"):
            opened.keep_policy(replace(policy, files=files), NOW)
    assert opened.entries() == ()


def test_a_ledger_that_may_only_be_read_says_nothing_of_a_policy_that_it_has(opened, path):
    opened.keep_policy(sample_policy(), NOW)
    opened.close()
    path.chmod(0o444)
    again = open_ledger(path)
    again.keep_policy(sample_policy(), NOW)
    assert len(again.entries()) == 1


def test_an_entry_names_the_policy_and_no_file_of_it(opened):
    opened.keep_policy(sample_policy(), NOW)
    body = opened.entries()[0].body.decode()
    assert sample_policy().digest in body
    for hidden in (SCPA, "primary@scpa.example.org", "child"):
        assert hidden not in body


ATTACKS = {
    "content": "UPDATE policy_file SET content = CAST('kind: x' AS BLOB) WHERE rowid = 1",
    "removed": "DELETE FROM policy_file WHERE rowid = 1",
    "left out": "DELETE FROM policy_bundle WHERE rowid = 1",
    "renamed": "UPDATE policy_bundle SET name = 'x' WHERE rowid = 1",
    "name of bytes": "UPDATE policy_bundle SET name = x'ff' WHERE rowid = 1",
    "exchanged": "UPDATE policy_bundle SET sha256 = (SELECT max(sha256) FROM policy_file)",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_files_that_do_not_give_the_digest_are_not_given_out(opened, path, attack):
    opened.keep_policy(sample_policy(), NOW)
    opened.close()
    tamper(path, ATTACKS[attack])
    again = open_ledger(path)
    with pytest.raises(LedgerAltered, match=sample_policy().digest):
        again.policy_files(sample_policy().digest)
    with pytest.raises(LedgerAltered, match="entry 0 put in force") as altered:
        again.verify()
    assert altered.value.entry == 0


def test_an_adoption_that_cannot_be_read_is_a_sentence(opened, path):
    opened.keep_policy(sample_policy(), NOW)
    opened.close()
    tamper(path, "UPDATE ledger_entry SET body = 'x'")
    with pytest.raises(LedgerAltered, match="cannot be read"):
        open_ledger(path).policy_in_force(NOW.date())
