"""What may allow more where or when it applies, told from the two policies alone: one test per kind."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from dtm_sharing.model import Grain, Method, RequestState, Role, Urgency, Validity
from dtm_sharing.review.loosened import loosened
from support import rules
from support.rules import CONFIDENTIAL, PUBLIC, SECRET, YEAR, policy, tightening

LATER = Validity(YEAR.start, date(2027, 6, 30))
SHORTER = Validity(YEAR.start, date(2026, 6, 30))
ALL = dict.fromkeys(Grain, PUBLIC)
CONFLICT = rules.overlay(tightening("children", SECRET), id="conflict", operations=(), contexts=("conflict",))
PAIR = rules.relation(
    "pair", ["site", "phone"], ["children"], keys=["site"], grains=[Grain.SITE, Grain.ADMIN2]
)
PATH = rules.pathway(Urgency.LOW, "site")
SOON = rules.pathway(Urgency.MEDIUM, "site")
RELAXING = rules.waiver("indicator:children@site", datasets=(rules.DATASET,), level=CONFIDENTIAL)


def overlays(**changes):
    return policy(overlays=[replace(CONFLICT, **changes)])


def relations(**changes):
    return policy(relations=[replace(PAIR, **changes)])


def waivers(**changes):
    return policy(waivers=[replace(RELAXING, **changes)])


def paths(**changes):
    return policy(pathways=[replace(PATH, **changes)])


def person(id_="tst/partner-1", **changes):
    others = [each for each in rules.PEOPLE if each.id != id_]
    one = next(each for each in rules.PEOPLE if each.id == id_)
    return policy(people=[*others, replace(one, **changes)])


def people(*more, leaves=YEAR.until):
    """The usual people; who receives leaves on a day, and of those who may stand in there are these."""
    known = {each.id: each for each in rules.PEOPLE}
    first = replace(known.pop("tst/partner-1"), in_office=Validity(YEAR.start, leaves))
    known.pop("tst/partner-2")
    return policy(people=[*known.values(), first, *more])


def signed(**changes):
    both = {"iom": "tst/iom-1", "partner": "tst/partner-1", **changes}
    return policy(agreement={"signed": {side: each for side, each in both.items() if each}})


def repeated(**changes):
    """An assessment and, from July on, the one that follows; ``changes``: of the first."""
    second = rules.assessment(id="tst/again", assessed_on=date(2026, 7, 1))
    return policy(
        assessments=[rules.assessment(**{"levels": (tightening("site", SECRET),), **changes}), second]
    )


def columns(*declared):
    return policy(columns=declared, shared=("site",))


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
        person("tst/partner-2"),
        person("tst/partner-2", in_office=LATER),
        {"focal-point:tst/partner-2"},
    ),
    "who signs stays in office": (
        person("tst/iom-expert"),
        person("tst/iom-expert", in_office=LATER),
        {"focal-point:tst/iom-expert"},
    ),
    "somebody new stands in": (
        people(leaves=date(2026, 6, 30)),
        people(rules.focal_point("tst/partner-3", Role.SECONDARY), leaves=date(2026, 6, 30)),
        {"pathway:tst/partner/low", "pathway:tst/partner/medium"},
    ),
    "nobody is in office any more, so somebody stands in": (
        people(rules.focal_point("tst/partner-3", Role.SECONDARY)),
        people(rules.focal_point("tst/partner-3", Role.SECONDARY), leaves=date(2026, 6, 30)),
        {"pathway:tst/partner/low", "pathway:tst/partner/medium"},
    ),
    "another one of two stands in": (
        people(
            rules.focal_point("tst/partner-3", Role.SECONDARY),
            rules.focal_point("tst/partner-4", Role.SECONDARY),
            leaves=date(2026, 6, 30),
        ),
        people(
            rules.focal_point("tst/partner-4", Role.SECONDARY),
            rules.focal_point("tst/partner-3", Role.SECONDARY),
            leaves=date(2026, 6, 30),
        ),
        {"pathway:tst/partner/low", "pathway:tst/partner/medium"},
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
    "identifies where nothing did": (telling(None), telling(Grain.ADMIN2), {"indicator:site"}),
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
    "assessment from an earlier day": (
        policy(assessment={"assessed_on": date(2026, 2, 1)}),
        policy(),
        {"assessment:tst/risks"},
    ),
    "assessment ends where one without its level goes on": (
        repeated(),
        repeated(review_by=date(2026, 8, 1)),
        {"assessment:tst/risks/site@site"},
    ),
    "assessed by another coordinator": (
        policy(),
        policy(assessment={"coordinator": "tst/iom-2"}),
        {"assessment:tst/risks"},
    ),
    "assessed by another expert": (
        policy(),
        policy(assessment={"sectoral_expert": "tst/partner-2"}),
        {"assessment:tst/risks"},
    ),
    "agreement with another organization": (
        policy(),
        policy(agreement={"organization": "iom"}),
        {"agreement:tst/partner"},
    ),
    "agreement under another request": (
        policy(),
        replace(policy(agreement={"request": "tst/other"}), requests={}),
        {"agreement:tst/partner"},
    ),
    "agreement signed by another": (signed(), signed(partner="tst/partner-2"), {"agreement:tst/partner"}),
    "agreement signed where it was not": (signed(iom=None), signed(), {"agreement:tst/partner"}),
    "agreement lasts": (policy(), policy(agreement={"validity": LATER}), {"agreement:tst/partner"}),
    "request lasts": (policy(), policy(request={"validity": LATER}), {"request:tst/request"}),
    "request approved": (
        policy(request={"state": RequestState.REVOKED}),
        policy(),
        {"request:tst/request"},
    ),
    "request decided sooner": (
        policy(request={"decided_on": date(2026, 2, 1)}),
        policy(),
        {"request:tst/request"},
    ),
    "request decided at last": (policy(request={"decided_on": None}), policy(), {"request:tst/request"}),
    "request for another purpose": (
        policy(),
        policy(request={"purpose": "Sell soap"}),
        {"request:tst/request"},
    ),
    "request of another organization": (
        policy(),
        policy(request={"organization": "iom"}),
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
    "waiver signed by another coordinator": (
        waivers(),
        waivers(coordinator="tst/iom-2"),
        {"waiver:tst/agreed"},
    ),
    "waiver signed by another expert": (
        waivers(),
        waivers(sectoral_expert="tst/iom-2"),
        {"waiver:tst/agreed"},
    ),
    "waiver signed sooner": (waivers(), waivers(signed_on=date(2026, 5, 1)), {"waiver:tst/agreed"}),
    "sent by another method": (paths(), paths(method=Method.PORTAL), {"pathway:tst/partner/low"}),
    "sent at once": (paths(), paths(monthly=False), {"pathway:tst/partner/low"}),
    "sent within other days": (
        policy(pathways=[SOON]),
        policy(pathways=[replace(SOON, within_days=3)]),
        {"pathway:tst/partner/medium"},
    ),
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
    "another name": (
        person(name="Somebody"),
        person(name="Somebody Else"),
        {"focal-point:tst/partner-1"},
    ),
    "another organization": (
        person("tst/partner-2"),
        person("tst/partner-2", organization="iom"),
        {"focal-point:tst/partner-2"},
    ),
    "another role": (person(), person(role=Role.SECONDARY), {"focal-point:tst/partner-1"}),
    "stays in office": (
        person(),
        person(in_office=Validity(YEAR.start, None)),
        {"focal-point:tst/partner-1"},
    ),
    "coarser rows": (policy(), policy(dataset={"grain": Grain.ADMIN2}), {"dataset:tst/sites"}),
    "finer rows": (policy(), policy(dataset={"grain": Grain.HOUSEHOLD}), {"dataset:tst/sites"}),
    "of another operation": (
        policy(overlays=[CONFLICT]),
        replace(
            policy(overlays=[CONFLICT], dataset={"operation": "tst/other"}),
            operations={
                **policy().operations,
                "tst/other": replace(policy().operations[rules.OPERATION], id="tst/other"),
            },
        ),
        {"dataset:tst/sites"},
    ),
    "rows told apart by more": (
        policy(),
        policy(dataset={"key": ("site", "phone")}),
        {"dataset:tst/sites"},
    ),
    "a header in another row": (policy(), policy(dataset={"header_row": 3}), {"dataset:tst/sites"}),
    "a continuation is a column of its own": (
        columns(rules.column("site"), rules.column("children", continued_by=["other"])),
        columns(rules.column("site"), rules.column("children"), rules.column("other", "site")),
        {"dataset:tst/sites"},
    ),
    "a column is a continuation": (
        columns(rules.column("site"), rules.column("other", "children")),
        columns(rules.column("site", continued_by=["other"])),
        {"dataset:tst/sites"},
    ),
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


# The way back of each of these is no tightening alone: it is another reach, address, person or way to judge.
_BOTH_WAYS = {
    "a header in another row",
    "agreement signed by another",
    "agreement under another request",
    "agreement with another organization",
    "another address",
    "another name",
    "another number",
    "another one of two stands in",
    "another organization",
    "another role",
    "assessed by another coordinator",
    "assessed by another expert",
    "assessment ends where one without its level goes on",
    "coarser rows",
    "finer rows",
    "identifies coarser",
    "identifies removed",
    "identifies where nothing did",
    "nobody is in office any more, so somebody stands in",
    "of another operation",
    "overlay for another context",
    "request for another purpose",
    "request of another organization",
    "rows told apart by more",
    "sent at once",
    "sent by another method",
    "sent within other days",
    "waiver signed by another coordinator",
    "waiver signed by another expert",
}


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
    assert len(found) == 3
    said = " ".join(f"{each.rule} {each.sentence}" for each in found)
    assert "(email)" in said
    assert "(mobile)" in said
    for private in ("example.org", "977", "Name", "Another title"):
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


def test_a_header_is_the_same_in_other_letters():
    found = loosened(
        dropping("phone"), policy(columns=[rules.column("site"), rules.column(" PHONE", "phone")])
    )
    assert [each.rule for each in found] == ["dataset:tst/sites"]


def test_what_continues_several_questions_may_continue_one_more():
    children, site = rules.column("children", continued_by=["other"]), rules.column("site")
    old, new = columns(site, children), columns(replace(site, continued_by=("other",)), children)
    assert loosened(old, new) == ()


def test_a_key_that_is_spelt_otherwise_is_the_same_key():
    renamed = [
        rules.column("Site", "site", spellings=["site"]),
        rules.column("children"),
        rules.column("phone"),
    ]
    assert loosened(policy(), policy(columns=renamed, dataset={"key": ("Site",)})) == ()


def test_a_stand_in_is_named_for_the_days_on_which_it_goes_to_that_person():
    old = people(leaves=date(2026, 6, 30))
    third = rules.focal_point("tst/partner-3", Role.SECONDARY, Validity(YEAR.start, date(2026, 9, 30)))
    low, medium = loosened(old, people(third, leaves=date(2026, 6, 30)))
    assert low.sentence == (
        "Nobody of its destination is in office on 2026-07-01: it goes to tst/partner-3 instead."
    )
    assert low.ended == medium.ended == date(2026, 9, 30)
    assert low.source == PATH.source


STANDS_IN_FOR_NOBODY = {
    "while somebody is in office": people(rules.focal_point("tst/partner-3", Role.SECONDARY)),
    "as an expert": people(
        rules.focal_point("tst/partner-3", Role.SECTORAL_EXPERT), leaves=date(2026, 6, 30)
    ),
    "of another country": people(
        replace(rules.focal_point("tst/partner-3", Role.SECONDARY), id="xyz/partner-3"),
        leaves=date(2026, 6, 30),
    ),
    "after the agreement": people(
        rules.focal_point("tst/partner-3", Role.SECONDARY, Validity(date(2027, 1, 1), None)),
        leaves=date(2026, 6, 30),
    ),
}


@pytest.mark.parametrize("who", STANDS_IN_FOR_NOBODY)
def test_who_never_stands_in_is_not_named(who):
    new = STANDS_IN_FOR_NOBODY[who]
    leaves = new.focal_points["tst/partner-1"].in_office.until
    assert loosened(people(leaves=leaves), new) == ()


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


def test_a_grain_that_a_coarser_one_implies_may_go():
    assert loosened(relations(), relations(grains=(Grain.ADMIN2,))) == ()
    [one] = loosened(relations(grains=(Grain.ADMIN2,)), relations(grains=(Grain.SITE,)))
    assert one.sentence == "It holds no more by admin2, admin3."


def test_a_new_waiver_and_other_new_files_are_for_the_engine():
    new = policy(
        overlays=[CONFLICT],
        relations=[PAIR],
        waivers=[RELAXING],
        datasets=[rules.dataset([rules.column("phone")], id="tst/more", key=())],
        people=[*rules.PEOPLE, rules.focal_point("tst/partner-3", Role.SECONDARY)],
    )
    assert loosened(replace(policy(), assessments=new.assessments), new) == ()
