"""Rules changed one at a time: what shows whether the given/expect cases of a policy would notice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dtm_sharing import policy as files
from dtm_sharing.policy import expected
from dtm_sharing.review.changed import changed
from dtm_sharing.review.expected import coverage, judge, unnoticed
from dtm_sharing.stores.policies import read_files
from dtm_sharing.stores.policy_tests import read_tests
from support.loading import ROOT
from support.policies import sample_policy, whole_files

SHIPPED = files.parse(read_files(ROOT / "policies"))
WHOLE = sample_policy(whole_files())  # with an overlay and a waiver


@pytest.mark.parametrize("policy", [SHIPPED, WHOLE], ids=["shipped", "sample"])
def test_every_rule_can_be_changed_and_each_change_is_one(policy):
    rules = coverage(policy, ()).rules
    kinds = {rule.partition(":")[0] for rule in rules}
    assert kinds >= {"indicator", "overlay", "assessment", "relation", "operation", "agreement", "request"}
    assert ("waiver" in kinds) == bool(policy.waivers)
    for rule in rules:
        others = list(changed(policy, rule))
        assert others, rule
        for other in others:
            assert other != policy, rule
            assert other.digest == policy.digest  # else the gate would ask to classify anew, and notice that


def test_a_rule_is_changed_alone():
    (looser, stricter) = changed(WHOLE, "indicator:child-headed-households@site")
    for other in (looser, stricter):
        levels = {id_ for id_ in WHOLE.indicators if other.indicators[id_] != WHOLE.indicators[id_]}
        assert levels == {"child-headed-households"}
        assert replace(other, indicators=WHOLE.indicators) == WHOLE


def test_a_pathway_is_changed_by_each_indicator_and_by_one_more():
    path = SHIPPED.agreements["npl/child-protection"].pathways[1]
    listed = path.shares[0].indicators
    shared = [
        set(other.agreements["npl/child-protection"].pathways[1].shares[0].indicators)
        for other in changed(SHIPPED, f"pathway:{path.id}")
    ]
    assert shared[:-1] == [{*listed} - {each} for each in listed]
    assert shared[-1] > {*listed}


def test_without_one_of_the_shipped_files_some_rule_is_not_noticed():
    """They are there for something; what a pathway shares is said more than once."""
    contents = read_tests(ROOT / "policies")

    def asleep(*left_out):
        kept = {name: text for name, text in contents.items() if name not in left_out}
        judged = [judge(SHIPPED, each) for each in expected.parse(kept, SHIPPED)]
        assert not any(each.differences for each in judged)
        return unnoticed(SHIPPED, judged)

    assert asleep() == ()
    assert asleep("npl/tests/relations.yaml")
    assert asleep("tests/conflict.yaml")
