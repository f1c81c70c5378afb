"""What may allow more where or when it applies, told from the two policies alone: one test per kind."""

from __future__ import annotations

import random
from dataclasses import fields, replace
from datetime import date, timedelta

import pytest

from dtm_sharing import model
from dtm_sharing.model import Grain, RequestState, Role, Urgency, Validity
from dtm_sharing.review.loosened import loosened
from support import random_policies, rules
from support.rules import CONFIDENTIAL, PUBLIC, SECRET, YEAR, policy, tightening

LATER = Validity(YEAR.start, date(2027, 6, 30))
SHORTER = Validity(YEAR.start, date(2026, 6, 30))
ALL = dict.fromkeys(Grain, PUBLIC)
CONFLICT = rules.overlay(tightening("children", SECRET), id="conflict", operations=(), contexts=("conflict",))
PAIR = rules.relation(
    "pair", ["site", "phone"], ["children"], keys=["site"], grains=[Grain.SITE, Grain.ADMIN2]
)
PATH = rules.pathway(Urgency.LOW, "site")
RELAXING = rules.waiver("indicator:children@site", datasets=(rules.DATASET,), level=CONFIDENTIAL)


def overlays(**changes):
    return policy(overlays=[replace(CONFLICT, **changes)])


def relations(**changes):
    return policy(relations=[replace(PAIR, **changes)])


def waivers(**changes):
    return policy(waivers=[replace(RELAXING, **changes)])


def paths(**changes):
    return policy(pathways=[replace(PATH, **changes)])


def person(**changes):
    first = {each.id: each for each in rules.PEOPLE}["tst/partner-1"]
    others = [each for each in rules.PEOPLE if each is not first]
    return policy(people=[*others, replace(first, **changes)])


def assessed(**changes):
    return policy(assessment={"levels": (tightening("site", CONFIDENTIAL),), **changes})


def dropping(*names):
    return policy(dataset={"drop_at_collection": names})


def telling(grain):
    return policy(identifies={"site": grain} if grain else {})


KEYLESS = {"keys": ()}
RULE = "overlay:conflict"
BASE = rules.overlay(tightening("site", SECRET), id="base", validity=Validity(date(2020, 1, 1), None))
BETWEEN = replace(BASE, id="between", tightens=(), builds_on=("base",))


LOOSER = {
    "overlay removed": (overlays(), policy(), {RULE}),
    "overlay for a country only": (overlays(), overlays(countries=("TST",)), {RULE}),
    "overlay for an operation only": (overlays(), overlays(operations=("tst/flood",)), {RULE}),
    "overlay for another context": (overlays(), overlays(contexts=("mixed",)), {RULE}),
    "overlay ends sooner": (overlays(), overlays(validity=SHORTER), {RULE}),
    "overlay begins later": (overlays(), overlays(validity=Validity(date(2026, 2, 1), YEAR.until)), {RULE}),
    "overlay gets an end": (overlays(validity=Validity(YEAR.start, None)), overlays(), {RULE}),
    "tightening removed": (overlays(), overlays(tightens=()), {f"{RULE}/children@site"}),
    "tightening lowered": (
        overlays(),
        overlays(tightens=(tightening("children", CONFIDENTIAL),)),
        {f"{RULE}/children@site"},
    ),
    "builds_on dropped": (
        policy(overlays=[BASE, replace(CONFLICT, builds_on=("base",))]),
        policy(overlays=[BASE, CONFLICT]),
        {f"{RULE}/site@site"},
    ),
    "what it builds on lowered": (
        policy(overlays=[BASE, replace(CONFLICT, builds_on=("base",))]),
        policy(overlays=[replace(BASE, tightens=()), replace(CONFLICT, builds_on=("base",))]),
        {f"{RULE}/site@site", "overlay:base/site@site"},
    ),
    "what that builds on lowered": (
        policy(overlays=[BASE, BETWEEN, replace(CONFLICT, builds_on=("between",))]),
        policy(overlays=[replace(BASE, tightens=()), BETWEEN, replace(CONFLICT, builds_on=("between",))]),
        {f"{RULE}/site@site", "overlay:base/site@site", "overlay:between/site@site"},
    ),
    "column by which tables join": (
        policy({"a": ALL, "b": ALL}, shared=("a",), relations=[replace(PAIR, keys=("a", "c"))]),
        policy(
            {"a": ALL, "b": ALL},
            shared=("a",),
            relations=[replace(PAIR, keys=("a", "c"))],
            columns=[rules.column("a", "b"), rules.column("b")],
        ),
        {"dataset:tst/sites"},
    ),
    "who stands in stays in office": (
        policy(),
        policy(
            people=[
                replace(each, in_office=LATER) if each.id == "tst/partner-2" else each
                for each in rules.PEOPLE
            ]
        ),
        {"focal-point:tst/partner-2"},
    ),
    "relation removed": (relations(), policy(), {"relation:pair"}),
    "indicator leaves a group": (
        relations(),
        relations(groups=(("site",), ("children",))),
        {"relation:pair"},
    ),
    "a group more": (relations(), relations(groups=(*PAIR.groups, ("phone",))), {"relation:pair"}),
    "grain removed": (relations(), relations(grains=(Grain.SITE,)), {"relation:pair"}),
    "keys where there were none": (relations(**KEYLESS), relations(), {"relation:pair"}),
    "key removed": (relations(keys=("site", "phone")), relations(), {"relation:pair"}),
    "relation lowered": (relations(level=SECRET), relations(), {"relation:pair"}),
    "kept at collection": (dropping("phone"), dropping(), {"dataset:tst/sites"}),
    "identifies removed": (telling(Grain.SITE), telling(None), {"indicator:site"}),
    "identifies coarser": (telling(Grain.SITE), telling(Grain.ADMIN2), {"indicator:site"}),
    "additive": (policy(), policy(additive=["site"]), {"indicator:site"}),
    "level lowered where no table is": (
        policy({"x": {Grain.HOUSEHOLD: SECRET}}, columns=[]),
        policy({"x": {Grain.HOUSEHOLD: CONFIDENTIAL}}, columns=[]),
        {"indicator:x@household"},
    ),
    "level where there was none": (
        policy({"x": {}}, columns=[]),
        policy({"x": {Grain.ADMIN1: PUBLIC}}, columns=[]),
        {"indicator:x@admin1"},
    ),
    "assessment's level removed": (assessed(), assessed(levels=()), {"assessment:tst/risks/site@site"}),
    "assessment's level lowered": (
        assessed(levels=(tightening("site", SECRET),)),
        assessed(),
        {"assessment:tst/risks/site@site"},
    ),
    "another assessment without the level": (
        assessed(),
        policy(assessment={"id": "tst/again"}),
        {"assessment:tst/risks/site@site"},
    ),
    "assessment lasts": (assessed(), assessed(review_by=LATER.until), {"assessment:tst/risks"}),
    "agreement lasts": (policy(), policy(agreement={"validity": LATER}), {"agreement:tst/partner"}),
    "request lasts": (policy(), policy(request={"validity": LATER}), {"request:tst/request"}),
    "request approved": (
        policy(request={"state": RequestState.REVOKED}),
        policy(),
        {"request:tst/request"},
    ),
    "operation lasts": (policy(), policy(operation={"validity": LATER}), {"operation:tst/flood"}),
    "operation out of an overlay's reach": (
        policy(overlays=[CONFLICT], operation={"context": "conflict"}),
        overlays(),
        {"operation:tst/flood"},
    ),
    "waiver lasts": (
        waivers(),
        waivers(validity=Validity(date(2026, 6, 1), None)),
        {"waiver:tst/agreed"},
    ),
    "waiver for all datasets": (waivers(), waivers(datasets=()), {"waiver:tst/agreed"}),
    "waiver of another rule": (
        waivers(),
        waivers(relaxes=(*RELAXING.relaxes, "relation:pair")),
        {"waiver:tst/agreed"},
    ),
    "waiver to a lower level": (waivers(), waivers(level=PUBLIC), {"waiver:tst/agreed"}),
    "somebody more": (
        paths(),
        paths(destination=("tst/partner-2", "tst/partner-1")),
        {"pathway:tst/partner/low"},
    ),
    "an indicator more": (
        paths(),
        paths(shares=rules.pathway(Urgency.LOW, "site", "phone").shares),
        {"pathway:tst/partner/low"},
    ),
    "another address": (person(), person(email="other@example.org"), {"focal-point:tst/partner-1"}),
    "another number": (person(), person(mobile="+977000"), {"focal-point:tst/partner-1"}),
    "another role": (person(), person(role=Role.SECONDARY), {"focal-point:tst/partner-1"}),
    "stays in office": (
        person(),
        person(in_office=Validity(YEAR.start, None)),
        {"focal-point:tst/partner-1"},
    ),
    "coarser rows": (policy(), policy(dataset={"grain": Grain.ADMIN2}), {"dataset:tst/sites"}),
    "a column of another indicator": (
        policy(),
        policy(columns=[rules.column("site"), rules.column("children", "site"), rules.column("phone")]),
        {"dataset:tst/sites"},
    ),
}


@pytest.mark.parametrize("kind", LOOSER)
def test_it_is_listed_once_under_its_rule(kind):
    old, new, expected = LOOSER[kind]
    found = loosened(old, new)
    assert {each.rule for each in found} == expected
    assert len(found) == len(expected)
    assert all(each.sentence.endswith(".") for each in found)


# The way back of each of these is no tightening alone: it is another reach, or another address.
_BOTH_WAYS = {"overlay for another context", "another address", "another number", "another role"}


@pytest.mark.parametrize("kind", sorted(LOOSER.keys() - _BOTH_WAYS))
def test_the_way_back_lists_nothing(kind):
    old, new, _ = LOOSER[kind]
    assert loosened(new, old) == ()


@pytest.mark.parametrize("kind", LOOSER)
def test_a_policy_is_no_looser_than_itself(kind):
    old, new, _ = LOOSER[kind]
    assert (loosened(old, old), loosened(new, new)) == ((), ())


def test_what_is_gone_is_shown_where_it_stood_with_its_last_day():
    (gone,) = loosened(overlays(), policy())
    assert (gone.gone, gone.source, gone.ended) == (True, CONFLICT.source, YEAR.until)
    (lower,) = loosened(relations(level=SECRET), relations())
    assert (lower.gone, lower.source) == (False, PAIR.source)


def test_of_a_person_only_the_id_and_the_field_are_said():
    old = person(email="old@example.org", mobile="+97711", name="Old Name")
    new = person(email="new@example.org", mobile="+97722", name="New Name", title="Another title")
    found = loosened(old, new)
    assert len(found) == 2
    said = " ".join(f"{each.rule} {each.sentence}" for each in found)
    assert "(email)" in said
    assert "(mobile)" in said
    for private in ("example.org", "977", "Name", "title"):
        assert private not in said


def test_a_column_that_was_dropped_and_is_renamed_is_found_by_its_spelling():
    renamed = [
        rules.column("site"),
        rules.column("children"),
        rules.column("tel", "phone", spellings=["phone"]),
    ]
    found = loosened(dropping("phone"), policy(columns=renamed))
    assert [each.rule for each in found] == ["dataset:tst/sites"]
    dropped = policy(columns=renamed, dataset={"drop_at_collection": ("tel",)})
    assert loosened(dropping("phone"), dropped) == ()


def test_a_spelling_of_a_dropped_column_that_is_a_kept_one_now_is_found():
    plain = [rules.column("site"), rules.column("children")]
    once = [*plain, rules.column("phone", spellings=["tel"])]
    old = policy(columns=once, dataset={"drop_at_collection": ("phone",)})
    assert [each.rule for each in loosened(old, policy(columns=[*plain, rules.column("tel", "phone")]))] == [
        "dataset:tst/sites"
    ]


def test_other_order_and_other_words_list_nothing():
    old = policy(overlays=[CONFLICT], relations=[PAIR], waivers=[RELAXING], pathways=[PATH])
    new = policy(
        overlays=[replace(CONFLICT, why="otherwise", source=rules.source("x.yaml", 9))],
        relations=[replace(PAIR, groups=PAIR.groups[::-1], grains=PAIR.grains[::-1], why="otherwise")],
        waivers=[replace(RELAXING, why="otherwise")],
        pathways=[PATH],
    )
    told = {id_: replace(each, basis="other", title="other") for id_, each in new.indicators.items()}
    assert loosened(old, replace(new, indicators=told)) == ()


def test_a_new_waiver_and_other_new_files_are_for_the_engine():
    new = policy(
        overlays=[CONFLICT],
        relations=[PAIR],
        waivers=[RELAXING],
        datasets=[rules.dataset([rules.column("phone")], id="tst/more", key=())],
        people=[*rules.PEOPLE, rules.focal_point("tst/partner-3", Role.SECONDARY)],
    )
    assert loosened(replace(policy(), assessments=new.assessments), new) == ()


# ------------------------------------------------------------------------------------- random policies


@pytest.mark.parametrize("seed", range(25))
def test_of_a_random_policy_tightening_lists_nothing_and_the_way_back_something(seed):
    chance = random.Random(seed)
    old = random_policies.policy(chance)
    assert loosened(old, old) == ()
    new = tightened(chance, old)
    assert loosened(old, new) == ()
    assert new == old or loosened(new, old)


def tightened(chance, old):
    """One rule of a random policy, made stricter."""
    kind = chance.choice(("overlays", "relations", "agreements", "indicators", "waivers"))
    parts = dict(getattr(old, kind))
    if not parts:
        return old
    id_ = chance.choice(sorted(parts))
    one = parts.pop(id_)
    if kind == "overlays":
        parts[id_] = replace(
            one, validity=Validity(one.validity.start - timedelta(days=9), one.validity.until)
        )
    elif kind == "relations":
        grains = [each for each in Grain if each not in one.grains]
        parts[id_] = replace(one, grains=(*one.grains, *grains[:1]))
    elif kind == "agreements":
        start, until = one.validity.start, one.validity.until
        parts[id_] = replace(one, validity=Validity(start + timedelta(days=1), until))
    elif kind == "indicators":
        parts[id_] = replace(one, levels={**dict.fromkeys(one.levels, SECRET)})
    elif len(one.relaxes) > 1:
        parts[id_] = replace(one, relaxes=one.relaxes[1:])
    else:
        return old
    return replace(old, **{kind: parts})


# -------------------------------------------------------------------------------------- nothing forgotten

LOOKED_AT = {
    model.Overlay: "id countries operations contexts validity builds_on tightens",
    model.Relation: "id groups grains level keys",
    model.Indicator: "id levels identifies additive",
    model.Waiver: "id operation datasets relaxes level signed_on validity",
    model.Tightening: "indicator grain level",
    model.FocalPoint: "id organization role email mobile in_office",
}
NO_RULE = {
    model.Overlay: "why source",
    model.Relation: "why source",
    model.Indicator: "title family basis names codes hxl source",
    model.Waiver: "why coordinator sectoral_expert source",
    model.Tightening: "why source",
    model.FocalPoint: "title source name",
}


@pytest.mark.parametrize("kind", LOOKED_AT, ids=lambda kind: kind.__name__)
def test_a_field_that_is_new_in_the_model_is_looked_at_or_said_to_be_no_rule(kind):
    assert {each.name for each in fields(kind)} == {*LOOKED_AT[kind].split(), *NO_RULE[kind].split()}
