"""Agreements, waivers, overlays and signatures: what is said of them where more than one thing is odd."""

# ruff: noqa: E501 - whole sentences, as they are printed

from __future__ import annotations

import pytest

from dtm_sharing import policy
from dtm_sharing.errors import PolicyInvalid
from support.policies import (
    AGREEMENT,
    ASSESSMENT,
    CONTACTS,
    DATASET,
    IOM,
    OPERATION,
    OVERLAY,
    RELATIONS,
    REQUEST,
    SCPA,
    WAIVER,
    patched,
    sample_files,
    sample_policy,
    whole_files,
    without,
)


def problems(files):
    with pytest.raises(PolicyInvalid) as refused:
        policy.parse(files)
    return [str(problem) for problem in refused.value.problems]


def changed(files, *changes):
    for path, old, new in changes:
        files = patched(files, path, old, new)
    return files


def relations(*entries):
    """A file of relations, each from its id, its groups, its grains and its level."""
    lines = ["kind: relations", "id: relations", "relations:"]
    for name, groups, grains, level in entries:
        lines += [f"  - {{id: {name}, groups: {groups}, grains: {grains}, level: {level}, why: x}}"]
    return "\n".join(lines).encode() + b"\n"


def abroad(files):
    """The sample's papers once more, in the country ABC."""
    made = dict(files)
    for path in (OPERATION, DATASET, ASSESSMENT, REQUEST, AGREEMENT):
        text = files[path].decode().replace("xyz/", "abc/").replace("XYZ", "ABC")
        for name in ("iom-primary", "iom-protection-expert", "scpa-primary", "scpa-secondary"):
            text = text.replace(f"abc/{name}", f"xyz/{name}")
        made[path.replace("xyz/", "abc/")] = text.encode()
    return made


# -------------------------------------------------------------------------------------------- agreements

AGREEMENTS = {
    "the second pathway of an urgency names the line of the first one's urgency": (
        [
            (
                AGREEMENT,
                "urgency: low\n    timeline: monthly\n    share:",
                "timeline: monthly\n    urgency: low\n    share:",
            ),
            (
                AGREEMENT,
                "urgency: medium\n    timeline: within 2 days\n    share:",
                "timeline: monthly\n    urgency: low\n    share:",
            ),
            (AGREEMENT, "method: document-email", "method: portal"),
        ],
        [f"{AGREEMENT}:18:14: a second pathway of low urgency; the first is on line 11"],
    ),
    "a timeline of medium urgency for low urgency": (
        [(AGREEMENT, "timeline: monthly", "timeline: within 3 days")],
        [
            f"{AGREEMENT}:11:15: 'within 3 days' is no timeline of low urgency (Table B); write 'monthly'",
        ],
    ),
    "a method that is none is only that": (
        [(AGREEMENT, "method: excel-email", "method: pigeon")],
        [
            f"{AGREEMENT}:16:13: 'pigeon' is not a method; write one of portal, excel-email, document-email, telephone"
        ],
    ),
    "a timeline that is none is only that": (
        [(AGREEMENT, "timeline: monthly", "timeline: soon")],
        [
            f"{AGREEMENT}:11:15: 'soon' is not a timeline; write 'monthly' (low urgency) or 'within N days' (medium)"
        ],
    ),
    "a first day that is none says nothing of who was in office": (
        [(AGREEMENT, "valid_from: 2026-10-01", "valid_from: soon")],
        [f"{AGREEMENT}:7:13: 'soon' is not a date; write YYYY-MM-DD"],
    ),
    "behind an indicator that is none, the next ones are looked at": (
        [(AGREEMENT, "[site-id, child-headed-households]", "[site-idd, contact-phone]")],
        [
            f"{AGREEMENT}:21:22: there is no indicator 'site-idd' (did you mean 'site-id'?)",
            f"{AGREEMENT}:21:32: 'contact-phone' is not in the request 'xyz/child-protection-request'",
            f"{AGREEMENT}:21:32: 'xyz/site-assessment' keeps no column of the indicator 'contact-phone'",
            f"{AGREEMENT}:21:32: Secret enters no pathway: 'contact-phone' is Secret at grain site",
        ],
    ),
    "nor in the request, nor kept, nor less than Secret": (
        [
            (AGREEMENT, "[site-id, child-headed-households]", "[site-id, contact-phone]"),
            (REQUEST, "[site-id, district, child-headed-households]", "[site-id, district, contact-phone]"),
        ],
        [
            f"{AGREEMENT}:14:41: 'child-headed-households' is not in the request 'xyz/child-protection-request'",
            f"{AGREEMENT}:21:31: 'xyz/site-assessment' keeps no column of the indicator 'contact-phone'",
            f"{AGREEMENT}:21:31: Secret enters no pathway: 'contact-phone' is Secret at grain site",
        ],
    ),
    "a column whose indicator has a fault may be the one": (
        [(DATASET, "indicator: district", "indicator: 7")],
        [f"{DATASET}:15:16: 'indicator' must be one text; put it in quotes"],
    ),
    "a dropped column whose indicator has a fault is not the one": (
        [
            (DATASET, "indicator: district", "indicator: 7"),
            (DATASET, "[Site manager phone]", "[Site manager phone, District]"),
        ],
        [
            f"{AGREEMENT}:14:31: 'xyz/site-assessment' keeps no column of the indicator 'district'",
            f"{DATASET}:15:16: 'indicator' must be one text; put it in quotes",
        ],
    ),
    "a request with faults is not looked into": (
        [
            (REQUEST, "datasets: [xyz/site-assessment]", "datasets: 7"),
            (REQUEST, "indicators: [site-id, district, child-headed-households]", "indicators: 7"),
        ],
        [
            f"{REQUEST}:6:11: 'datasets' must be a list; write [a, b], or each item on its own line after '- '",
            f"{REQUEST}:7:13: 'indicators' must be a list; write [a, b], or each item on its own line after '- '",
        ],
    ),
    "signed by somebody of a third organization, who is in office": (
        [(AGREEMENT, "iom: xyz/iom-primary", "iom: xyz/scpa-secondary")],
        [f"{AGREEMENT}:6:15: 'xyz/scpa-secondary' is no focal point of 'iom'"],
    ),
}


@pytest.mark.parametrize("name", AGREEMENTS)
def test_all_that_is_said_of_an_agreement(name):
    changes, expected = AGREEMENTS[name]
    assert problems(changed(sample_files(), *changes)) == expected


def test_an_indicator_without_a_level_at_the_grain_is_the_gates_business():
    """Undecided, which blocks: but on the day, not in the file."""
    files = changed(
        sample_files(),
        (CONTACTS, "site: Secret, ", ""),
        (CONTACTS, "id: contact-phone", "id: security-guard"),
        (DATASET, "indicator: contact-phone", "indicator: security-guard"),
        (DATASET, "drop_at_collection: [Site manager phone]\n", ""),
        (REQUEST, "[site-id, district,", "[site-id, security-guard, district,"),
        (AGREEMENT, "[site-id, child-headed-households]", "[site-id, security-guard]"),
    )
    _low, medium = sample_policy(files).agreements["xyz/child-protection"].pathways
    assert medium.shares[0].indicators == ("site-id", "security-guard")


TOGETHER = {
    "of Confidential nothing is said": (
        "pair",
        "[[district], [child-headed-households]]",
        "[site]",
        "Confidential",
    ),
    "a finer grain": ("pair", "[[district], [child-headed-households]]", "[household, incident]", "Secret"),
    "one of them is not shared": ("pair", "[[district], [site-type]]", "[site]", "Secret"),
}


@pytest.mark.parametrize("name", TOGETHER)
def test_what_an_agreement_shares_may_stand_in_a_relation(name):
    files = {**sample_files(), RELATIONS: relations(TOGETHER[name])}
    assert set(sample_policy(files).relations) == {"pair"}


def test_each_relation_that_makes_a_pathway_secret_is_named_with_all_its_groups():
    files = sample_files()
    files[RELATIONS] = relations(
        ("one", "[[site-type, district], [child-headed-households]]", "[site]", "Secret"),
        ("two", "[[child-headed-households], [site-id], [site-type, district]]", "[site]", "Secret"),
        ("three", "[[site-id], [site-type]]", "[site]", "Secret"),
    )
    assert problems(files) == [
        f"{AGREEMENT}:14:31: Secret enters no pathway: together 'district' and 'child-headed-households' are Secret by the relation 'one' ({RELATIONS}:4)",
        f"{AGREEMENT}:14:41: Secret enters no pathway: together 'child-headed-households' and 'site-id' and 'district' are Secret by the relation 'two' ({RELATIONS}:5)",
    ]


def test_a_relation_with_a_fault_makes_nothing_secret():
    whole = relations(("pair", "[[district], [child-headed-households]]", "[site]", "Secret")).decode()
    for old, new, place in (
        ("[[district], [child-headed-households]]", "7", "4:24: 'groups' must be a list"),
        ("[site]", "7", "4:73: 'grains' must be a list"),
        ("Secret", "7", "4:88: 'level' must be one text; put it in quotes"),
    ):
        assert whole.count(old) == 1
        (found,) = problems({**sample_files(), RELATIONS: whole.replace(old, new).encode()})
        assert found.startswith(f"{RELATIONS}:{place}")


def test_two_halves_in_two_countries_are_not_together():
    half = "indicators: [site-id, idp-individuals]"
    files = {
        **abroad(sample_files()),
        RELATIONS: relations(("pair", "[[idp-individuals], [child-headed-households]]", "[site]", "Secret")),
    }
    for path, old in (
        (REQUEST, "indicators: [site-id, district, child-headed-households]"),
        (AGREEMENT, "indicators: [site-id, district, child-headed-households]"),
        (AGREEMENT, "indicators: [site-id, child-headed-households]"),
    ):
        files = patched(files, path.replace("xyz/", "abc/"), old, half)
    assert set(sample_policy(files).agreements) == {"xyz/child-protection", "abc/child-protection"}


# ---------------------------------------------------------------------------------------------- overlays


@pytest.mark.parametrize(
    "scope",
    [
        "{countries: [XYZ]}",
        "{operations: [xyz/earthquake]}",
        "{contexts: [disaster]}",
        "{countries: [XYZ], operations: [xyz/earthquake], contexts: [disaster]}",
    ],
)
def test_an_overlay_applies_by_any_of_its_lists_or_by_all(scope):
    files = patched(whole_files(), OVERLAY, "{countries: [XYZ], operations: [xyz/earthquake]}", f"{scope}")
    assert "xyz/tense" in sample_policy(files).overlays


OVERLAYS = {
    "in another context it has no part in the operation": (
        [(OVERLAY, "operations: [xyz/earthquake]", "contexts: [conflict, mixed]")],
        [
            f"{WAIVER}:6:11: 'overlay:xyz/tense/feelings-of-safety@site' has no part in the operation 'xyz/earthquake'; remove it here"
        ],
    ),
    "two levels for one thing on one line": (
        [
            (
                OVERLAY,
                "  # The indicators' files call both Public.\n  - {indicator: feelings-of-safety, grain: site, level: Confidential, why: it reads as an accusation}\n  - {indicator: feelings-of-safety, grain: admin3, level: Confidential, why: it reads as an accusation}\n",
                "  [{indicator: feelings-of-safety, grain: site, level: Confidential, why: x}, {indicator: feelings-of-safety, grain: site, level: Secret, why: x}]\n",
            ),
        ],
        [
            f"{OVERLAY}:9:79: 'feelings-of-safety' at grain site has a level here already, on line 9; keep one of the two",
            f"{WAIVER}:6:11: 'overlay:xyz/tense/feelings-of-safety@site' asks for Secret, which no waiver relaxes; personal data need IOM Legal",
        ],
    ),
    "the second of two levels for one thing names the line of the first": (
        [
            (
                OVERLAY,
                "  - {indicator: feelings-of-safety, grain: admin3, level: Confidential, why: it reads as an accusation}\n",
                2
                * "  - {indicator: feelings-of-safety, grain: admin3, level: Confidential, why: it reads as an accusation}\n",
            )
        ],
        [
            f"{OVERLAY}:12:5: 'feelings-of-safety' at grain admin3 has a level here already, on line 11; keep one of the two"
        ],
    ),
    "behind a tightening with a fault, the next one is looked at": (
        [
            (OVERLAY, "grain: site, level: Confidential", "grain: site, level: 7"),
            (
                OVERLAY,
                "indicator: feelings-of-safety, grain: admin3, level: Confidential",
                "indicator: security-actor, grain: admin3, level: Public",
            ),
        ],
        [
            f"{OVERLAY}:10:57: 'level' must be one text; put it in quotes",
            f"{OVERLAY}:11:55: 'security-actor' at grain admin3 is Confidential, and Public would lower it; a tightening only raises",
        ],
    ),
    "a grain that is none is only that": (
        [(OVERLAY, "grain: site", "grain: sit")],
        [f"{OVERLAY}:10:44: 'sit' is not a grain (did you mean 'site'?)"],
    ),
    "while an operation cannot be read, no country is called empty": (
        [(OPERATION, "kind: operation", "kind: operatio"), (OVERLAY, "XYZ", "ABC")],
        [
            f"{OPERATION}:2:7: 'operatio' is not a kind of policy file (did you mean 'operation'?)",
        ],
    ),
}


@pytest.mark.parametrize("name", OVERLAYS)
def test_all_that_is_said_of_an_overlay(name):
    changes, expected = OVERLAYS[name]
    assert problems(changed(whole_files(), *changes)) == expected


def an_overlay(name, indicator, *builds_on, scope="{countries: [XYZ]}"):
    return (
        f"kind: overlay\nid: {name}\napplies_to: {scope}\nvalid_from: 2026-11-01\n"
        f"builds_on: [{', '.join(builds_on)}]\nwhy: x\n"
        f"tightens: [{{indicator: {indicator}, grain: site, level: Confidential, why: x}}]\n"
    ).encode()


def test_an_overlay_has_the_rules_of_all_that_it_builds_on():
    """Of several, of what these build on, and of what two of them build on only once."""
    files = whole_files()
    files["overlays/a.yaml"] = an_overlay("a", "site-id", "b", "c")
    files["overlays/b.yaml"] = an_overlay("b", "district", "d")
    files["overlays/c.yaml"] = an_overlay("c", "site-type", "d", "e")
    files["overlays/d.yaml"] = an_overlay("d", "idp-individuals")
    files["overlays/e.yaml"] = an_overlay("e", "feelings-of-safety")
    rules = [
        "overlay:a/site-id@site",
        "overlay:a+b/district@site",
        "overlay:a+c/site-type@site",
        "overlay:a+d/idp-individuals@site",
        "overlay:a+e/feelings-of-safety@site",
    ]
    files = patched(files, WAIVER, "'indicator:security-actor@site'", ", ".join(rules))
    assert sample_policy(files).waivers["xyz/published"].relaxes[1:] == tuple(rules)
    over = patched(files, WAIVER, "overlay:a+c/site-type@site", "overlay:b+c/site-type@site")
    (found,) = problems(over)
    assert "there is no rule 'overlay:b+c/site-type@site' (did you mean " in found


def test_overlays_are_walked_once_however_many_ways_join_them():
    """Forty floors with two stairs from each to the next: a million million ways down."""
    files = whole_files()
    for floor in range(1, 41):
        below = (f"floor-{floor - 1:02}-one", f"floor-{floor - 1:02}-two") if floor > 1 else ()
        for stair in ("one", "two"):
            name = f"floor-{floor:02}-{stair}"
            files[f"overlays/{name}.yaml"] = an_overlay(name, "district", *below)
    assert len(sample_policy(files).overlays) == 81


def test_what_is_brought_by_another_overlay_is_a_rule_of_its_own():
    files = whole_files()
    files["overlays/a.yaml"] = an_overlay("a", "district", "b")
    files["overlays/b.yaml"] = an_overlay("b", "district", scope="{contexts: [disaster]}")
    files = patched(files, "overlays/b.yaml", "level: Confidential", "level: Secret")
    # What an agreement shares is not to be Secret, and is not what is asked here.
    files = without(files, AGREEMENT)
    own = patched(files, WAIVER, "indicator:security-actor@site", "overlay:a/district@site")
    assert "xyz/published" in sample_policy(own).waivers
    brought = patched(files, WAIVER, "indicator:security-actor@site", "overlay:a+b/district@site")
    assert problems(brought) == [
        f"{WAIVER}:6:56: 'overlay:a+b/district@site' asks for Secret, which no waiver relaxes; personal data need IOM Legal"
    ]


def test_a_second_overlay_of_the_same_id_is_that_and_no_step_of_the_circle():
    files = sample_files()
    files["overlays/a.yaml"] = an_overlay("a", "district", "a")
    files["overlays/b.yaml"] = an_overlay("a", "district")
    assert problems(files) == [
        "overlays/a.yaml:5:13: these overlays build on each other in a circle: a → a; take one step out",
        "overlays/b.yaml:2:5: the overlay id 'a' is used twice; the first is in overlays/a.yaml:2",
    ]


# ----------------------------------------------------------------------------------------------- waivers


def second_waiver(*changes):
    files = whole_files()
    files["xyz/waivers/second.yaml"] = files[WAIVER].replace(b"xyz/published", b"xyz/second")
    return changed(files, *(("xyz/waivers/second.yaml", old, new) for old, new in changes))


def test_a_second_waiver_of_the_same_id_is_that_even_for_a_rule_of_its_own():
    files = second_waiver(
        ("id: xyz/second", "id: xyz/published"),
        ("'indicator:security-actor@site'", "'indicator:security-actor@admin1'"),
        (
            "valid_from: 2026-11-01\nvalid_until: 2026-11-30",
            "valid_from: 2026-12-01\nvalid_until: 2026-12-30",
        ),
    )
    assert problems(files) == [
        f"xyz/waivers/second.yaml:3:5: the waiver id 'xyz/published' is used twice; the first is in {WAIVER}:3"
    ]


def test_a_waiver_may_begin_on_the_day_on_which_it_is_signed():
    files = patched(whole_files(), WAIVER, "signed_on: 2026-10-20", "signed_on: 2026-11-01")
    assert "xyz/published" in sample_policy(files).waivers


def test_waivers_of_one_rule_may_be_for_two_operations():
    flood = [("operation: xyz/earthquake", "operation: xyz/flood"), ("datasets: [xyz/site-assessment]\n", "")]
    one = [("'overlay:xyz/tense/feelings-of-safety@site', ", "")]
    files = second_waiver(*flood, *one)
    files["xyz/flood.yaml"] = files[OPERATION].replace(b"xyz/earthquake", b"xyz/flood")
    assert set(sample_policy(files).waivers) == {"xyz/published", "xyz/second"}
    files = patched(files, WAIVER, "datasets: [xyz/site-assessment]\n", "")
    assert set(sample_policy(files).waivers) == {"xyz/published", "xyz/second"}


def test_a_waiver_for_everything_contradicts_one_for_a_dataset_whichever_comes_first():
    files = patched(
        second_waiver(("'overlay:xyz/tense/feelings-of-safety@site', ", "")),
        WAIVER,
        "datasets: [xyz/site-assessment]\n",
        "",
    )
    assert problems(files) == [
        f"xyz/waivers/second.yaml:6:11: 'indicator:security-actor@site' is relaxed by the waiver 'xyz/published' ({WAIVER}:3) as well, on some of the same days; end one before the other begins"
    ]


WAIVERS = {
    "a dataset of another operation": (
        [(DATASET, "operation: xyz/earthquake", "operation: xyz/flood")],
        [
            f"{ASSESSMENT}:7:12: 'xyz/site-assessment' belongs to the operation 'xyz/flood', not to this one",
            f"{WAIVER}:5:12: 'xyz/site-assessment' belongs to the operation 'xyz/flood', not to this one",
        ],
    ),
    "a level that is no text is only that": (
        [(WAIVER, "level: Public", "level: 7")],
        [f"{WAIVER}:7:8: 'level' must be one text; put it in quotes"],
    ),
    "a level that nobody knows is only that": (
        [(WAIVER, "level: Public", "level: zzz")],
        [f"{WAIVER}:7:8: 'zzz' is not a level; write Public, Confidential or Secret"],
    ),
    "an operation that is none says nothing of the rules": (
        [(WAIVER, "operation: xyz/earthquake", "operation: xyz/none")],
        [f"{WAIVER}:4:12: there is no operation 'xyz/none'"],
    ),
    "no first day says nothing of the last": (
        [(WAIVER, "valid_from: 2026-11-01", "valid_from: 7")],
        [f"{WAIVER}:11:13: '7' is not a date; write YYYY-MM-DD"],
    ),
    "an assessment of another operation has no part": (
        [
            (WAIVER, "'indicator:security-actor@site'", "'assessment:xyz/flood-2026/site-type@site'"),
        ],
        [
            f"{WAIVER}:6:56: 'assessment:xyz/flood-2026/site-type@site' has no part in the operation 'xyz/earthquake'; remove it here"
        ],
    ),
    "an assessment that was made after the waiver was signed": (
        [
            (
                WAIVER,
                "operation: xyz/earthquake\ndatasets: [xyz/site-assessment]\n",
                "operation: xyz/flood\n",
            ),
            (WAIVER, "'indicator:security-actor@site'", "'assessment:xyz/flood-2026/site-type@site'"),
            (WAIVER, "signed_on: 2026-10-20", "signed_on: 2026-09-14"),
        ],
        [
            f"{WAIVER}:5:11: 'overlay:xyz/tense/feelings-of-safety@site' has no part in the operation 'xyz/flood'; remove it here",
            f"{WAIVER}:5:56: 'assessment:xyz/flood-2026/site-type@site' was assessed on 2026-09-15, which is after 'signed_on': who signed did not know it; sign the waiver again",
        ],
    ),
    "an assessment that was made on the day on which the waiver was signed": (
        [
            (
                WAIVER,
                "operation: xyz/earthquake\ndatasets: [xyz/site-assessment]\n",
                "operation: xyz/flood\n",
            ),
            (WAIVER, "'indicator:security-actor@site'", "'assessment:xyz/flood-2026/site-type@site'"),
            (WAIVER, "signed_on: 2026-10-20", "signed_on: 2026-09-15"),
        ],
        [
            f"{WAIVER}:5:11: 'overlay:xyz/tense/feelings-of-safety@site' has no part in the operation 'xyz/flood'; remove it here",
        ],
    ),
    "while a file of rules has a fault, no rule is called missing": (
        [
            (WAIVER, "indicator:security-actor@site", "indicator:security@site"),
            (CONTACTS, "title: Contacts of people", "title: 7"),
        ],
        [f"{CONTACTS}:4:8: 'title' must be one text; put it in quotes"],
    ),
}


@pytest.mark.parametrize("name", WAIVERS)
def test_all_that_is_said_of_a_waiver(name):
    changes, expected = WAIVERS[name]
    files = whole_files()
    files["xyz/flood.yaml"] = files[OPERATION].replace(b"xyz/earthquake", b"xyz/flood")
    flood = files[DATASET].replace(b"xyz/earthquake", b"xyz/flood").replace(b"id: xyz/site", b"id: xyz/flood")
    files["xyz/datasets/flood.yaml"] = flood
    assessed = files[ASSESSMENT].replace(b"xyz/earthquake", b"xyz/flood")
    assessed = assessed.replace(b"xyz/site-assessment-2026", b"xyz/flood-2026")
    files["xyz/assessments/flood.yaml"] = assessed.replace(
        b"xyz/site-assessment", b"xyz/flood-assessment"
    ) + (b"levels: [{indicator: site-type, grain: site, level: Confidential, why: x}]\n")
    assert problems(changed(files, *changes)) == expected


# -------------------------------------------------------------------------------------------- signatures

SIGNERS = {
    "one person who is none": (
        [
            (
                ASSESSMENT,
                "{coordinator: xyz/iom-primary, sectoral_expert: xyz/iom-protection-expert}",
                "{coordinator: xyz/nobody, sectoral_expert: xyz/nobody}",
            )
        ],
        [
            f"{ASSESSMENT}:8:26: there is no focal point 'xyz/nobody'",
            f"{ASSESSMENT}:8:55: the coordinator and the sectoral expert are the same person; an assessment needs two people",
            f"{ASSESSMENT}:8:55: there is no focal point 'xyz/nobody'",
        ],
    ),
    "a day that is none says nothing of who was in office": (
        [(ASSESSMENT, "assessed_on: 2026-09-15", "assessed_on: soon")],
        [f"{ASSESSMENT}:9:14: 'soon' is not a date; write YYYY-MM-DD"],
    ),
    "a role that is none is only that": (
        [(IOM, "role: sectoral-expert", "role: expert")],
        [
            f"{IOM}:10:43: what 'role' says is not a role; write one of primary, secondary, sectoral-expert",
        ],
    ),
    "one short number, with zeros before it": (
        [
            (IOM, "mobile: '+000 1000001'", "mobile: '120300'"),
            (IOM, "mobile: '+000 1000003'", "mobile: '00 120-300'"),
        ],
        [
            f"{ASSESSMENT}:8:60: the coordinator and the sectoral expert are the same person; an assessment needs two people",
        ],
    ),
    "one number, written with other signs": (
        [
            (IOM, "mobile: '+000 1000001'", "mobile: '+977 (1) 20 30'"),
            (IOM, "mobile: '+000 1000003'", "mobile: '\uff10\uff10977-12030'"),
        ],
        [
            f"{ASSESSMENT}:8:60: the coordinator and the sectoral expert are the same person; an assessment needs two people",
        ],
    ),
}


NAME = "Some {Body} Named"
PERSON = "id: xyz/iom-protection-expert"
NAMES = {  # a name where something else of a person belongs, or where a person's id does
    "id": (
        (IOM, PERSON, f"id: '{NAME}'"),
        "what 'id' says is not an id here; write <country>/<name> in small",
    ),
    "role": (
        (IOM, "role: sectoral-expert", f"role: '{NAME}'"),
        "what 'role' says is not a role; write one of primary, secondary, sectoral-expert",
    ),
    "day": (
        (IOM, PERSON, f"{PERSON}, in_office_until: '{NAME}'"),
        "what 'in_office_until' says is not a date; write YYYY-MM-DD",
    ),
    "day with a clock": (
        (IOM, PERSON, f"{PERSON}, in_office_until: '2027-01-01 {NAME} 10:00'"),
        "what 'in_office_until' says has a clock; a policy date is a whole day: write 2027-01-01",
    ),
    "key": ((IOM, PERSON, f"{PERSON}, '{NAME}': x"), "this is not a key of a focal point"),
    "key of the file": (
        (SCPA, "organization: Sample", f"'{NAME}': x\norganization: Sample"),
        "this is not a key of a focal_points file",
    ),
    "key twice": (
        (SCPA, "organization: Sample", f"'{NAME}': x\n'{NAME}': y\norganization: Sample"),
        "this key stands twice; the first is on line 4",
    ),
    "key of the assessors": (
        (ASSESSMENT, "coordinator: xyz/iom-primary", f"'{NAME}': xyz/iom-primary"),
        "this is not a key of the assessors",
    ),
    "key of the signatures": (
        (WAIVER, "coordinator: xyz/iom-primary", f"'{NAME}': xyz/iom-primary"),
        "this is not a key of the signatures",
    ),
    "side": (
        (AGREEMENT, "scpa: xyz/scpa-primary", f"'{NAME}': xyz/scpa-primary"),
        "what this key says is not an id here; use small letters",
    ),
    "side and signer": (
        (AGREEMENT, "scpa: xyz/scpa-primary", f"'{NAME}': '{NAME}'"),
        "what this key says is not an id here; write <country>/<name> in small",
    ),
    "side without a signer": (
        (AGREEMENT, "scpa: xyz/scpa-primary", f"'{NAME}':"),
        "this key is empty; write a value",
    ),
    "alias": (
        (AGREEMENT, "destination: [xyz/scpa-primary]", "destination: [*Body]"),
        "aliases ('*…') are not used here",
    ),
    "assessor": (
        (ASSESSMENT, "coordinator: xyz/iom-primary", f"coordinator: '{NAME}'"),
        "what 'coordinator' says is not an id here; write <country>/<name> in small",
    ),
    "recipient": (
        (AGREEMENT, "destination: [xyz/scpa-primary]", f"destination: ['{NAME}', '{NAME}']"),
        "what an item of 'destination' says is not an id here; write <country>/<name> in small",
    ),
    "signer": (
        (AGREEMENT, "iom: xyz/iom-primary", f"iom: '{NAME}'"),
        "what 'iom' says is not an id here; write <country>/<name> in small",
    ),
}


@pytest.mark.parametrize("where", NAMES)
def test_a_name_in_a_wrong_place_of_a_person_is_not_repeated(where):
    change, sentence = NAMES[where]
    found = problems(changed(whole_files(), change))
    assert any(sentence in each for each in found), found
    assert not [each for each in found if "Body" in each]


def test_what_is_written_twice_where_ids_of_people_belong_is_not_repeated():
    found = problems(
        changed(sample_files(), (IOM, PERSON, f"id: '{NAME}'"), (IOM, "id: xyz/iom-primary", f"id: '{NAME}'"))
    )
    assert len([each for each in found if "what 'id' says is not an id here" in each]) == 2
    assert not [each for each in found if "Body" in each]


def test_a_misspelled_key_of_a_person_is_named():
    found = problems(changed(sample_files(), (IOM, "role: sectoral-expert", "rolle: sectoral-expert")))
    assert found == [f"{IOM}:10:37: 'rolle' is not a key of a focal point (did you mean 'role'?)"]


@pytest.mark.parametrize("name", SIGNERS)
def test_all_that_is_said_of_those_who_sign(name):
    changes, expected = SIGNERS[name]
    assert problems(changed(sample_files(), *changes)) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("'+977 12030'", "'+977 120300'"),  # a zero at the end counts
        ("'+977 12030'", "'+977 12003'"),
        ("'12030'", "'+977 12030'"),
    ],
)
def test_other_numbers_are_other_people(one, other):
    files = changed(sample_files(), (IOM, "'+000 1000001'", one), (IOM, "'+000 1000003'", other))
    assert sample_policy(files).focal_points["xyz/iom-primary"].mobile == one.strip("'")


def test_people_of_two_organizations_may_sign_with_the_name_of_the_expert_left_out():
    files = changed(
        sample_files(),
        (SCPA, "role: secondary", "role: sectoral-expert"),
        (
            SCPA,
            "people:\n",
            "people:\n  - {id: xyz/scpa-third, role: secondary, title: X, email: x@example.org, mobile: '3', in_office_from: 2026-01-01}\n",
        ),
        (ASSESSMENT, "xyz/iom-protection-expert", "xyz/scpa-secondary"),
    )
    assert (
        sample_policy(files).assessments["xyz/site-assessment-2026"].sectoral_expert == "xyz/scpa-secondary"
    )


# ------------------------------------------------------------------------------------------- the whole


def test_the_digest_takes_names_that_are_no_text():
    """A file name on a disk is bytes: what is not UTF-8 counts as the bytes that it is."""
    plain, odd = policy.digest({"a.yaml": b""}), policy.digest({"\udce9.yaml": b""})
    assert plain != odd != policy.digest({"\udcea.yaml": b""})


# ----------------------------------------------------------------------------- datasets with another fault


def test_what_hides_repeats_is_said_though_nobody_can_say_of_what_the_rows_are():
    key = (DATASET, "key: [Site ID]", "key: [Site ID, Site manager phone]")
    found = problems(changed(sample_files(), key, (DATASET, "grain: site", "grain: sitee")))
    assert [each for each in found if each.endswith("nobody sees that several rows are of one unit")]


def test_a_continuation_of_a_question_without_a_name_hides_no_fault_of_a_later_one():
    known = (DATASET, "[Number of individuals]", "['Security provider: If other, please specify']")
    found = problems(changed(sample_files(), known, (DATASET, "- name: Site type\n", "- nome: Site type\n")))
    assert [each for each in found if "is known as 'Security provider: If other, please specify'" in each]
