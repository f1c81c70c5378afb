"""An organization gets another id in the policy: what its people received for it is still held by them."""

from __future__ import annotations

import re

import pytest

from dtm_sharing import pipeline, policy
from dtm_sharing.errors import GateDenied
from dtm_sharing.model import DispatchState
from dtm_sharing.review.replay import replay
from support.policies import patched
from support.related import (
    DEMOGRAPHY,
    JUNE,
    LANGUAGES,
    MAY,
    admitted,
    demography,
    languages,
    related_files,
)
from support.spaces import space


def renamed(files):
    """The same people under the same agreements, and another id of their organization."""
    return {
        name: re.sub(rb"(organization: |id: |, )scpa(\n|: xyz)", rb"\1scpa-nepal\2", content)
        for name, content in files.items()
    }


def test_what_it_holds_is_not_forgotten_and_every_decision_comes_out_as_recorded(tmp_path):
    with space(tmp_path) as here:
        stores = here.stores(related_files())
        (sending,) = pipeline.share(admitted(stores, demography(), DEMOGRAPHY), MAY, stores)
        assert sending.state is DispatchState.SENT
        here.clock.on(days=12)
        stores = here.stores(renamed(related_files()))
        assert policy.parse(renamed(related_files())).people_of("scpa") == frozenset()
        with pytest.raises(GateDenied):
            pipeline.share(admitted(stores, languages(), LANGUAGES), JUNE, stores)
        again = replay(
            stores.ledger.decisions(),
            lambda digest: policy.parse(stores.ledger.policy_files(digest)),
            lambda organization, size, people: stores.ledger.held(organization, size, people).holdings,
        )
        assert [each.differences for each in again] == [(), ()]
        assert here.verified()


def test_a_round_that_one_of_two_people_had_goes_to_the_other(tmp_path):
    one = related_files("scpa-demography", end="2027-06-30")
    path = "xyz/agreements/scpa-demography.yaml"
    one_person = "destination: [xyz/scpa-primary]"
    two = patched(one, path, one_person, "destination: [xyz/scpa-primary, xyz/scpa-secondary]")
    with space(tmp_path) as here:
        stores = here.stores(one)
        ref = admitted(stores, demography(), DEMOGRAPHY)
        pipeline.share(ref, MAY, stores)
        sendings = pipeline.share(ref, MAY, here.stores(renamed(two)))
        assert [each.state for each in sendings] == [DispatchState.SENT, DispatchState.SENT]
        assert [each.dispatch.organization for each in sendings] == ["scpa", "scpa-nepal"]
        assert here.verified()
