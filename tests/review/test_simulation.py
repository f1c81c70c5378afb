"""What left already, under a new policy: per recipient, in order, beside what they held by then."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dtm_sharing.model import Disclosure, DispatchState, Grain, Level, Urgency
from dtm_sharing.review.simulation import Verdict, simulate
from support import rules
from support.rules import CONFIDENTIAL, DAY, PUBLIC, SECRET, policy, relation

LEVELS = {"site": PUBLIC, "children": CONFIDENTIAL, "safety": PUBLIC, "armed": PUBLIC}
PAIR = relation("pair", ["safety"], ["armed"], level=SECRET, keys=["site"])
FIRST = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def rules_of(levels=LEVELS, **changes):
    return policy(levels, **{"shared": ("site", "children", "safety", "armed"), **changes})


def sent(number, *columns, **changes):
    """A dispatch to the partner, on the day of its number."""
    plain = Disclosure(
        key=str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))),
        sent_at=FIRST + timedelta(days=number),
        organization="partner",
        agreement=rules.AGREEMENT,
        urgency=Urgency.LOW,
        purpose="Plan services",
        dataset=rules.DATASET,
        round=str(number),
        level=Level.CONFIDENTIAL,
        columns=columns,
        indicators=tuple(sorted(set(columns))),
        grain=Grain.SITE,
        rows=20,
        method="excel-email",
        focal_point="tst/partner-1",
        policy_digest="sha256:00",
        artefact_sha256="ab" * 32,
        state=DispatchState.SENT,
        entry=number,
    )
    return replace(plain, **changes)


def published(number, *columns, **changes):
    public = {"organization": "public", "agreement": None, "urgency": None, "focal_point": None}
    return sent(number, *columns, method="publication", level=PUBLIC, **{**public, **changes})


def again(new, *past):
    return [(each.disclosure.entry, each.verdict) for each in simulate(new, past, DAY)]


def test_what_may_still_go_is_allowed():
    assert again(rules_of(), published(1, "site", "safety"), sent(2, "site", "children")) == [
        (1, Verdict.ALLOWED),
        (2, Verdict.ALLOWED),
    ]


def test_nothing_left_means_nothing_to_judge():
    assert simulate(rules_of(), (), DAY) == ()


def test_a_level_that_is_raised_refuses_what_is_public_already_and_says_which_column_and_rule():
    new = rules_of({**LEVELS, "safety": CONFIDENTIAL})
    [public, partner] = simulate(new, [published(1, "site", "safety"), sent(2, "site", "safety")], DAY)
    assert (public.verdict, partner.verdict) == (Verdict.REFUSED, Verdict.ALLOWED)
    assert [each.header.key for each in public.refused] == ["safety"]
    assert [(rule, str(source)) for rule, source in public.rules] == [
        ("indicator:safety@site", "safety.yaml:7")
    ]
    assert "Take it down" in public.advice


def test_what_a_pathway_shares_no_more_is_refused_to_its_organization():
    new = rules_of(shared=("site", "children"))
    [one] = simulate(new, [sent(1, "site", "armed")], DAY)
    assert (one.verdict, [each.header.key for each in one.refused]) == (Verdict.REFUSED, ["armed"])
    assert f"pathway:{rules.LOW}" in dict(one.rules)
    assert "Have partner destroy it" in one.advice


# --------------------------------------------------------------------------------- beside what they held


def test_a_new_relation_refuses_the_second_of_two_halves_and_names_the_first():
    past = [sent(1, "site", "safety"), sent(2, "site", "armed")]
    [first, second] = simulate(rules_of(relations=[PAIR]), past, DAY)
    assert (first.verdict, second.verdict) == (Verdict.ALLOWED, Verdict.REFUSED)
    assert second.relations == ("pair",)
    assert {rule for rule, _ in second.rules} == {
        "relation:pair",
        f"pathway:{rules.LOW}",
        "request:tst/request",
    }
    assert "ledger entry 1" in second.refused[0].why


def test_whatever_else_they_hold_hides_nothing():
    past = [
        sent(1, "site", "children"),
        sent(2, "site", "safety"),
        sent(3, "children"),
        sent(4, "site", "armed"),
    ]
    assert again(rules_of(relations=[PAIR]), *past)[-1] == (4, Verdict.REFUSED)


def test_the_order_is_that_of_the_ledger_and_not_of_the_list():
    past = [sent(2, "site", "armed"), sent(1, "site", "safety")]
    assert again(rules_of(relations=[PAIR]), *past) == [(1, Verdict.ALLOWED), (2, Verdict.REFUSED)]


def test_another_organization_does_not_hold_what_the_first_got():
    other = sent(2, "site", "armed", organization="another", agreement="tst/other")
    new = rules_of(relations=[PAIR])
    [agreed] = new.agreements.values()
    people = {
        "tst/another-1": replace(rules.focal_point("tst/another-1", rules.Role.PRIMARY)),
        **new.focal_points,
    }
    theirs = replace(
        agreed,
        id="tst/other",
        organization="another",
        signed={"iom": "tst/iom-1", "another": "tst/another-1"},
        pathways=tuple(
            replace(each, id=f"tst/other/{each.urgency}", destination=("tst/another-1",))
            for each in agreed.pathways
        ),
    )
    both = replace(new, agreements={agreed.id: agreed, theirs.id: theirs}, focal_points=people)
    assert again(both, sent(1, "site", "safety"), other) == [(1, Verdict.ALLOWED), (2, Verdict.ALLOWED)]


def test_what_is_published_is_judged_beside_what_an_organization_had():
    """Only what would be Secret counts: under its agreement it may have what is Confidential."""
    new = rules_of(relations=[replace(PAIR, level=Level.CONFIDENTIAL)])
    assert again(new, sent(1, "site", "safety"), published(2, "site", "armed"))[1][1] is Verdict.ALLOWED
    new = rules_of(relations=[replace(PAIR, level=Level.SECRET)])
    assert again(new, sent(1, "site", "safety"), published(2, "site", "armed"))[1][1] is Verdict.REFUSED


def test_what_is_public_everyone_holds():
    new = rules_of(relations=[PAIR])
    assert again(new, published(1, "site", "safety"), sent(2, "site", "armed"))[1][1] is Verdict.REFUSED


@pytest.mark.parametrize(
    "state", [DispatchState.RECALLED, DispatchState.NOT_ARRIVED, DispatchState.CANCELLED]
)
def test_what_nobody_holds_any_more_is_neither_judged_nor_held(state):
    past = [sent(1, "site", "safety", state=state), sent(2, "site", "armed")]
    assert again(rules_of(relations=[PAIR]), *past) == [(2, Verdict.ALLOWED)]


def test_a_waiver_of_one_dataset_covers_no_like_table_of_another():
    """Both hold the same indicators by the same grain, and only the second keeps the third table back."""
    others = [
        rules.dataset([rules.column("site"), rules.column("safety")], id=each)
        for each in ("tst/two", "tst/three")
    ]
    pair = replace(PAIR, level=Level.CONFIDENTIAL)
    waiver = rules.waiver("relation:pair", datasets=(rules.DATASET, "tst/two"))
    new = rules_of(datasets=others, relations=[pair], waivers=[waiver])
    two = published(1, "site", "safety", dataset="tst/two")
    three = published(2, "site", "safety", dataset="tst/three")
    assert again(new, two, published(3, "site", "armed"))[-1] == (3, Verdict.ALLOWED)
    assert again(new, two, three, published(3, "site", "armed"))[-1] == (3, Verdict.REFUSED)


@pytest.mark.parametrize(
    "state",
    [
        DispatchState.SENDING,
        DispatchState.OUTCOME_UNKNOWN,
        DispatchState.ACKNOWLEDGED,
        DispatchState.TO_RECALL,
    ],
)
def test_what_they_may_hold_counts(state):
    past = [sent(1, "site", "safety", state=state), sent(2, "site", "armed")]
    assert again(rules_of(relations=[PAIR]), *past) == [(1, Verdict.ALLOWED), (2, Verdict.REFUSED)]


def test_two_focal_points_who_got_one_extract_do_not_stand_beside_each_other():
    one = sent(1, "site", "safety")
    past = [one, replace(one, entry=2, focal_point="tst/partner-2")]
    assert {verdict for _, verdict in again(rules_of(relations=[PAIR]), *past)} == {Verdict.ALLOWED}


# ------------------------------------------------------------------------------------- what is undecided


def gaps(new, *past):
    [one] = simulate(new, past, DAY)
    assert one.verdict is Verdict.UNDECIDED
    return [each.kind for each in one.gaps]


def test_a_column_that_is_declared_no_more_is_undecided():
    new = rules_of(columns=[rules.column("site"), rules.column("armed")], shared=("site", "armed"))
    assert gaps(new, published(1, "site", "safety")) == ["unknown-column"]


def test_a_dataset_an_agreement_or_a_pathway_that_is_gone_is_undecided():
    new = rules_of()
    assert gaps(replace(new, datasets={}), published(1, "site")) == ["no-dataset"]
    assert gaps(replace(new, agreements={}), sent(1, "site")) == ["no-agreement"]
    low_only = rules_of(pathways=[rules.pathway(Urgency.LOW, "site")])
    assert gaps(low_only, sent(1, "site", urgency=Urgency.MEDIUM)) == ["no-pathway"]


def test_an_agreement_that_is_with_somebody_else_now_is_not_theirs():
    assert gaps(rules_of(), sent(1, "site", organization="another")) == ["no-agreement"]


def test_two_columns_that_have_become_one_are_undecided():
    columns = [rules.column("site"), rules.column("children", spellings=("safety",)), rules.column("armed")]
    new = rules_of(columns=columns, shared=("site",))
    assert gaps(new, published(1, "children", "safety")) == ["columns-merged"]


def test_a_renamed_column_is_found_by_its_old_spelling():
    columns = [
        rules.column("site"),
        rules.column("armed"),
        rules.column("safe now", "safety", (), ("safety",)),
    ]
    assert again(rules_of(columns=columns), published(1, "site", "safety")) == [(1, Verdict.ALLOWED)]


def test_what_is_refused_is_refused_although_something_else_is_missing():
    new = rules_of(
        {**LEVELS, "safety": SECRET}, columns=[rules.column("site"), rules.column("safety")], shared=("site",)
    )
    [one] = simulate(new, [published(1, "site", "safety", "armed")], DAY)
    assert one.verdict is Verdict.REFUSED
    assert [each.kind for each in one.gaps] == ["unknown-column"]


def test_what_the_new_pathway_shares_beyond_it_takes_nothing_from_what_left():
    assert again(rules_of(), sent(1, "site")) == [(1, Verdict.ALLOWED)]


# ------------------------------------------------------------------------------------------------- grain


def test_sums_by_district_are_judged_as_such():
    levels = {**LEVELS, "safety": {Grain.SITE: CONFIDENTIAL, Grain.ADMIN2: PUBLIC}}
    levels["site"] = {Grain.SITE: PUBLIC, Grain.ADMIN2: PUBLIC}
    new = rules_of(levels)
    assert again(new, published(1, "site", "safety", grain=Grain.ADMIN2)) == [(1, Verdict.ALLOWED)]
    assert again(new, published(1, "site", "safety")) == [(1, Verdict.REFUSED)]


def test_what_was_found_to_be_finer_than_declared_still_is():
    levels = {**LEVELS, "site": {Grain.SITE: PUBLIC, Grain.HOUSEHOLD: SECRET}}
    assert again(rules_of(levels), published(1, "site", grain=Grain.HOUSEHOLD)) == [(1, Verdict.REFUSED)]


def test_progress_is_told_to_the_end():
    told = []
    simulate(rules_of(), [sent(1, "site")], DAY, lambda done, of: told.append((done, of)))
    assert told == [(0, 1), (1, 1)]
