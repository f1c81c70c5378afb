"""Policy files: what loads, and what is said of everything that does not."""

# ruff: noqa: E501, ISC004 - whole sentences, as they are printed

import dataclasses
import itertools
import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import jsonschema
import pytest

from dtm_sharing import policy
from dtm_sharing.errors import PolicyInvalid
from dtm_sharing.model import Grain, Level, Method, RequestState, Role, Source, Urgency
from dtm_sharing.policy import files, shape, texts
from dtm_sharing.policy.files import KINDS
from support.bad_policies import BAD
from support.policies import (
    AGREEMENT,
    AS_OF,
    ASSESSMENT,
    CLASSIFICATION,
    CONTACTS,
    DATASET,
    GENERAL,
    HEADERS,
    IOM,
    OPERATION,
    OVERLAY,
    PROTECTION,
    RELATIONS,
    REQUEST,
    SCPA,
    WAIVER,
    another_organization,
    patched,
    sample_files,
    sample_policy,
    whole_files,
    without,
)

REPOSITORY = Path(__file__).parents[2]
SCHEMAS = REPOSITORY / "policies" / "schemas"


def problems(texts_of_files):
    with pytest.raises(PolicyInvalid) as refused:
        policy.parse(texts_of_files)
    assert refused.value.exit_code == 3
    return [str(problem) for problem in refused.value.problems]


# -------------------------------------------------------------------------------------- what loads


def test_the_sample_has_every_kind_of_value_where_it_stands():
    found = sample_policy()
    assert list(found.protocols) == [Level.PUBLIC, Level.CONFIDENTIAL, Level.SECRET]
    assert found.protocols[Level.SECRET].aliases == {
        "other-agencies": ("restricted", "personal", "confidential")
    }
    assert found.datasets["xyz/site-assessment"].columns[2].continued_by == ("If other, please specify",)
    assert found.datasets["xyz/site-assessment"].columns[2].source == Source(DATASET, 16, 5)
    assert found.relations["safety-and-armed-actors"].groups == (("feelings-of-safety",), ("security-actor",))
    assert found.operations["xyz/earthquake"].validity.until == date(2027, 12, 31)
    assert found.assessments["xyz/site-assessment-2026"].review_by == date(2027, 9, 14)
    assert set(found.assessments["xyz/site-assessment-2026"].impact) == {
        "individuals",
        "vulnerable_groups",
        "communities",
        "stakeholders",
    }
    assert [person.role for person in found.organizations["scpa"].focal_points] == [
        Role.PRIMARY,
        Role.SECONDARY,
    ]
    assert found.focal_points["xyz/scpa-primary"].organization == "scpa"
    assert found.requests["xyz/child-protection-request"].state is RequestState.APPROVED
    assert found.requests["xyz/child-protection-request"].validity.covers(AS_OF)


def test_an_agreement_becomes_its_pathways_with_their_terms():
    low, medium = sample_policy().agreements["xyz/child-protection"].pathways
    assert (low.id, low.urgency, low.monthly, low.within_days, low.method) == (
        "xyz/child-protection/low",
        Urgency.LOW,
        True,
        None,
        Method.EXCEL_EMAIL,
    )
    assert (medium.id, medium.monthly, medium.within_days, medium.method) == (
        "xyz/child-protection/medium",
        False,
        2,
        Method.DOCUMENT_EMAIL,
    )
    assert medium.destination == ("xyz/scpa-primary", "xyz/scpa-secondary")
    assert medium.shares[0].indicators == ("site-id", "child-headed-households")


def test_an_indicator_has_its_familys_levels_unless_it_has_its_own():
    found = sample_policy().indicators
    assert found["child-headed-households"].levels[Grain.SITE] is Level.CONFIDENTIAL
    assert found["child-headed-households"].basis.startswith("Table A")
    assert found["feelings-of-safety"].levels[Grain.SITE] is Level.PUBLIC
    assert found["feelings-of-safety"].basis.startswith("Harmless alone")
    assert found["district"].names == ("district", "département")
    assert (found["district"].family, found["site-id"].codes) == ("general", ("m0445",))


def test_the_sample_is_in_force_on_its_day_and_its_headers_are_those_of_its_dataset():
    found = sample_policy()
    dataset = found.datasets["xyz/site-assessment"]
    assert (
        tuple(name for column in dataset.columns for name in (column.name, *column.continued_by)) == HEADERS
    )
    assert found.agreements["xyz/child-protection"].validity.covers(AS_OF)
    assert found.operations["xyz/earthquake"].validity.covers(AS_OF)
    assert all(person.in_office.covers(AS_OF) for person in found.focal_points.values())


@pytest.mark.parametrize(
    ("word", "level"),
    [
        ("Secret", Level.SECRET),
        ("other-agencies:restricted", Level.SECRET),
        ("other-agencies:confidential", Level.SECRET),
        ("other-agencies:protected", Level.CONFIDENTIAL),
        ("restricted", Level.SECRET),
    ],
)
def test_a_word_of_another_agency_is_the_level_that_its_scheme_gives_it(word, level):
    loaded = sample_policy(patched(sample_files(), RELATIONS, "level: Confidential", f"level: {word}"))
    assert loaded.relations["safety-and-armed-actors"].level is level


@pytest.mark.parametrize("word", ["Confidential", "Secret"])
def test_our_own_word_is_ours_even_where_another_scheme_uses_it(word):
    table = patched(sample_files(), CLASSIFICATION, "[restricted,", "[Public, Confidential, restricted,")
    loaded = sample_policy(patched(table, RELATIONS, "level: Confidential", f"level: {word}"))
    assert loaded.relations["safety-and-armed-actors"].level.label == word


def test_where_two_schemes_share_a_word_it_needs_its_scheme():
    two = patched(sample_files(), CLASSIFICATION, "confidential]}", "confidential], others: [restricted]}")
    bare = patched(two, RELATIONS, "level: Confidential", "level: restricted")
    assert problems(bare) == [
        f"{RELATIONS}:10:12: 'restricted' is a word of other-agencies and others; "
        "name one, as in other-agencies:restricted"
    ]
    named = patched(two, RELATIONS, "level: Confidential", "level: others:restricted")
    assert sample_policy(named).relations["safety-and-armed-actors"].level is Level.SECRET


def test_a_tightening_raises_and_stays_where_it_was_written():
    (found, _) = sample_policy(whole_files()).overlays["xyz/tense"].tightens
    assert (found.level, found.source) == (Level.CONFIDENTIAL, Source(OVERLAY, 10, 5))


def test_a_tightening_may_confirm_the_level_that_there_is():
    same = patched(
        whole_files(), OVERLAY, "feelings-of-safety, grain: admin3", "security-actor, grain: admin3"
    )
    assert sample_policy(same).overlays["xyz/tense"].tightens[1].level is Level.CONFIDENTIAL


def test_an_overlay_cannot_decide_what_the_family_left_undecided():
    undecided = patched(sample_files(), CONTACTS, "site: Secret, ", "")
    sample_policy(undecided)
    decided = patched(
        {**whole_files(), **undecided},
        OVERLAY,
        "feelings-of-safety, grain: admin3",
        "contact-phone, grain: site",
    )
    assert problems(decided) == [
        f"{OVERLAY}:11:39: 'contact-phone' at grain site has no level to raise; "
        "give it one in its indicators file"
    ]


@pytest.mark.parametrize(("state", "reason"), [("expired", ""), ("revoked", "The purpose has ended.")])
def test_a_request_that_is_over_still_loads_with_its_reason(state, reason):
    lines = f"state: {state}\n" + (f"reason: {reason}\n" if reason else "")
    over = patched(sample_files(), REQUEST, "state: approved\n", lines)
    found = sample_policy(over).requests["xyz/child-protection-request"]
    assert (found.state, found.reason) == (state, reason)


@pytest.mark.parametrize("method", ["portal", "excel-email"])
def test_methods_of_table_b_load_even_where_no_channel_exists_yet(method):
    files_ = patched(sample_files(), AGREEMENT, "method: excel-email", f"method: {method}")
    assert sample_policy(files_).agreements["xyz/child-protection"].pathways[0].method == method


def test_yaml_is_read_as_version_1_2_so_no_is_a_word_and_a_date_needs_no_quotes():
    files_ = patched(sample_files(), OPERATION, "name: Earthquake in Xyz", "name: no")
    assert sample_policy(files_).operations["xyz/earthquake"].name == "no"
    quoted = patched(sample_files(), OPERATION, "valid_from: 2026-01-01", "valid_from: '2026-01-01'")
    assert sample_policy(quoted).operations == sample_policy().operations


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter():
    windows = {
        name: b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n") for name, content in sample_files().items()
    }
    found = sample_policy(windows)
    assert dataclasses.replace(found, digest="") == dataclasses.replace(sample_policy(), digest="")


# ------------------------------------------------------------------- overlays, waivers, relations


def test_an_overlay_says_where_and_when_it_holds():
    found = sample_policy(whole_files())
    overlay, operation = found.overlays["xyz/tense"], found.operations["xyz/earthquake"]
    assert (overlay.countries, overlay.operations, overlay.contexts) == (("XYZ",), ("xyz/earthquake",), ())
    assert overlay.why == "People are moved out of some sites."
    assert overlay.source == Source(OVERLAY, 2, 1)
    days = [date(2026, 10, 31), date(2026, 11, 1), date(2026, 12, 31), date(2027, 1, 1)]
    assert [overlay.holds(operation, day) for day in days] == [False, True, True, False]


def test_a_waiver_says_what_it_relaxes_for_how_long_and_who_signed():
    found = sample_policy(whole_files())
    waiver, dataset = found.waivers["xyz/published"], found.datasets["xyz/site-assessment"]
    assert waiver.relaxes == (
        "overlay:xyz/tense/feelings-of-safety@site",
        "indicator:security-actor@site",
    )
    assert (waiver.level, waiver.rule) == (Level.PUBLIC, "waiver:xyz/published")
    assert (waiver.coordinator, waiver.sectoral_expert) == ("xyz/iom-primary", "xyz/iom-protection-expert")
    assert [waiver.covers(dataset, date(2026, month, 15)) for month in (10, 11, 12)] == [False, True, False]


def test_a_waiver_without_datasets_is_for_all_of_its_operation():
    files_ = patched(whole_files(), WAIVER, "datasets: [xyz/site-assessment]\n", "")
    assert sample_policy(files_).waivers["xyz/published"].datasets == ()


@pytest.mark.parametrize(
    "rule",
    [
        "indicator:child-headed-households@admin1",
        "relation:safety-and-armed-actors",
        "overlay:xyz/tense/feelings-of-safety@admin3",
        "assessment:xyz/site-assessment-2026/site-type@site",
    ],
)
def test_a_waiver_may_name_a_rule_of_every_kind(rule):
    assessed = b"levels: [{indicator: site-type, grain: site, level: Confidential, why: x}]\n"
    files_ = patched(whole_files(), WAIVER, "indicator:security-actor@site", rule)
    files_[ASSESSMENT] += assessed
    assert rule in sample_policy(files_).waivers["xyz/published"].relaxes


def test_a_waiver_has_no_part_in_another_operation():
    files_ = whole_files()
    files_["abc/operation.yaml"] = files_[OPERATION].replace(b"xyz/", b"abc/").replace(b"XYZ", b"ABC")
    files_["abc/overlays/x.yaml"] = (
        files_[OVERLAY].replace(b"xyz/", b"abc/").replace(b"XYZ", b"ABC").replace(b"tense", b"calm")
    )
    files_ = patched(files_, WAIVER, "overlay:xyz/tense/", "overlay:abc/calm/")
    assert problems(files_) == [
        f"{WAIVER}:6:11: 'overlay:abc/calm/feelings-of-safety@site' has no part in the operation "
        "'xyz/earthquake'; remove it here"
    ]


def second_waiver(**changes):
    text = whole_files()[WAIVER].decode().replace("xyz/published", "xyz/second")
    for old, new in changes.values():
        assert text.count(old) == 1
        text = text.replace(old, new)
    return {**whole_files(), "xyz/waivers/second.yaml": text.encode()}


def test_two_waivers_of_one_rule_on_one_day_contradict_each_other():
    last = second_waiver(
        days=(
            "valid_from: 2026-11-01\nvalid_until: 2026-11-30",
            "valid_from: 2026-11-30\nvalid_until: 2027-01-31",
        )
    )
    as_well = f"is relaxed by the waiver 'xyz/published' ({WAIVER}:3) as well, on some of the same days; end one before the other begins"
    assert problems(last) == [
        f"xyz/waivers/second.yaml:6:11: 'overlay:xyz/tense/feelings-of-safety@site' {as_well}",
        f"xyz/waivers/second.yaml:6:56: 'indicator:security-actor@site' {as_well}",
    ]
    everything = second_waiver(
        datasets=("datasets: [xyz/site-assessment]\n", ""),
        rules=("['overlay:xyz/tense/feelings-of-safety@site', ", "["),
    )
    assert problems(everything) == [
        f"xyz/waivers/second.yaml:5:11: 'indicator:security-actor@site' {as_well}"
    ]


def test_waivers_of_one_rule_follow_each_other_or_are_for_other_datasets():
    renewed = second_waiver(
        days=(
            "valid_from: 2026-11-01\nvalid_until: 2026-11-30",
            "valid_from: 2026-12-01\nvalid_until: 2026-12-31",
        )
    )
    assert set(sample_policy(renewed).waivers) == {"xyz/published", "xyz/second"}
    other = second_waiver(datasets=("[xyz/site-assessment]", "[xyz/other]"))
    other["xyz/datasets/other.yaml"] = other[DATASET].replace(b"xyz/site-assessment", b"xyz/other")
    assert set(sample_policy(other).waivers) == {"xyz/published", "xyz/second"}


def overlay_file(name, *builds_on):
    text = whole_files()[OVERLAY].decode().replace("id: xyz/tense", f"id: {name}")
    return text.replace("why: People", f"builds_on: [{', '.join(builds_on)}]\nwhy: People").encode()


def test_each_circle_of_overlays_is_told_once_and_whole():
    files_ = sample_files()
    for name, below in {"d": "b", "c": "d", "b": "c", "a": "b", "f": "e", "e": "f", "g": "a"}.items():
        files_[f"overlays/{name}.yaml"] = overlay_file(name, below)
    circle = "these overlays build on each other in a circle"
    assert problems(files_) == [
        f"overlays/b.yaml:7:13: {circle}: b → c → d → b; take one step out",
        f"overlays/e.yaml:7:13: {circle}: e → f → e; take one step out",
    ]


def test_an_overlay_may_build_on_several_that_build_on_the_same():
    files_ = sample_files()
    for name, below in {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}.items():
        files_[f"overlays/{name}.yaml"] = overlay_file(name, *below)
    assert sample_policy(files_).overlays["a"].builds_on == ("b", "c")


def test_a_long_chain_of_overlays_is_no_circle():
    files_ = sample_files()
    for number in range(1200):
        below = [f"o{number + 1}"] if number < 1199 else []
        files_[f"overlays/{number}.yaml"] = overlay_file(f"o{number}", *below).partition(b"tightens:")[0] + (
            b"tightens: [{indicator: site-type, grain: site, level: Confidential, why: x}]\n"
        )
    assert len(sample_policy(files_).overlays) == 1200


def test_an_overlay_that_says_nothing_is_none():
    text = whole_files()[OVERLAY].partition(b"tightens:")[0]
    assert problems({**sample_files(), OVERLAY: text}) == [
        f"{OVERLAY}:2:1: this overlay tightens nothing and builds on none; write 'tightens'"
    ]


def test_what_an_overlay_builds_on_counts_where_pathways_are_checked():
    """The lower one is of another country; the one that builds on it brings its Secret here."""
    files_ = sample_files()
    secret = b"tightens: [{indicator: district, grain: site, level: Secret, why: x}]\n"
    files_["abc/operation.yaml"] = files_[OPERATION].replace(b"xyz/", b"abc/").replace(b"XYZ", b"ABC")
    lower = whole_files()[OVERLAY].partition(b"tightens:")[0].replace(b"id: xyz/tense", b"id: lower")
    lower = lower.replace(b"{countries: [XYZ], operations: [xyz/earthquake]}", b"{countries: [ABC]}") + secret
    files_["overlays/lower.yaml"] = lower
    sample_policy(files_)
    files_[OVERLAY] = overlay_file("xyz/tense", "lower").partition(b"tightens:")[0]
    assert problems(files_) == [
        f"{AGREEMENT}:14:31: Secret enters no pathway: 'district' is Secret at grain site"
    ]


def test_an_indicator_identifies_and_adds_up_as_its_family_does_unless_it_says_otherwise():
    files_ = patched(
        sample_files(),
        GENERAL,
        "title: Place and population\n",
        "title: Place and population\nadditive: true\nidentifies: admin2\n",
    )
    files_ = patched(
        files_,
        GENERAL,
        "title: Site identifier\n",
        "title: Site identifier\n    identifies: site\n    additive: false\n",
    )
    found = sample_policy(files_).indicators
    assert (found["site-id"].identifies, found["site-id"].additive) == (Grain.SITE, False)
    assert (found["district"].identifies, found["district"].additive) == (Grain.ADMIN2, True)
    assert (found["security-actor"].identifies, found["security-actor"].additive) == (None, False)


def test_a_relation_keeps_the_keys_that_join_tables():
    keyed = patched(
        sample_files(), RELATIONS, "    grains: [admin2", "    keys: [site-id, district]\n    grains: [admin2"
    )
    assert sample_policy(keyed).relations["safety-and-armed-actors"].keys == ("site-id", "district")
    assert sample_policy().relations["safety-and-armed-actors"].keys == ()


# ------------------------------------------------------------------------------- Secret together

SECRET_PAIR = """\
kind: relations
id: relations
relations:
  - id: pair
    groups: [[idp-individuals], [child-headed-households]]
    {keys}
    grains: [site]
    level: Secret
    why: Together they point at a household.
"""


def two_agreements(keys="keys: [site-id]", **second):
    """The sample's agreement, and one of the same organization that has the other half."""
    files_ = {**sample_files(), RELATIONS: SECRET_PAIR.format(keys=keys).encode()}
    for path in (REQUEST, AGREEMENT):
        text = files_[path].decode().replace("xyz/child-protection", "xyz/camp-planning")
        text = text.replace("child-headed-households", "idp-individuals")
        for old, new in second.values():
            text = text.replace(old, new)
        files_[path.replace("child-protection", "camp-planning")] = text.encode()
    return files_


def test_two_agreements_that_together_are_secret_name_each_other():
    (one, other) = problems(two_agreements())
    assert one == (
        "xyz/agreements/camp-planning.yaml:14:41: Secret enters no pathway: together 'idp-individuals' and "
        f"'child-headed-households' of the agreement 'xyz/child-protection' ({AGREEMENT}:13) are Secret by the "
        f"relation 'pair' ({RELATIONS}:4)"
    )
    assert other.startswith(
        f"{AGREEMENT}:14:41: Secret enters no pathway: together 'idp-individuals' of the agr"
    )


@pytest.mark.parametrize(
    "second",
    {
        "at another time": {
            "end": (
                "valid_from: 2026-10-01\nvalid_until: 2027-09-30",
                "valid_from: 2027-10-01\nvalid_until: 2027-10-31",
            )
        },
        "another organization": {"who": ("scpa", "ngo")},
    }.items(),
    ids=lambda each: each[0],
)
def test_two_agreements_are_not_together_if(second):
    files_ = two_agreements(**second[1])
    files_["xyz/focal_points/ngo.yaml"] = another_organization("ngo")
    assert len(sample_policy(files_).agreements) == 2


def test_two_extracts_of_one_dataset_are_together_without_the_key_too():
    """Row n of the one is row n of the other."""
    assert len(problems(two_agreements(rows=("site-id, ", "")))) == 2


def on_two_datasets(key):
    """As ``two_agreements``, the second of a dataset of its own, with the key as given."""
    one, other = "xyz/site-assessment", "xyz/site-list"
    named = {"of": (f"dataset: {one}", f"dataset: {other}"), "asked": (f"[{one}]", f"[{other}]")}
    files_ = two_agreements(rows=("indicators: [site-id, ", f"indicators: [{key}"), **named)
    return {**files_, "xyz/datasets/list.yaml": files_[DATASET].replace(one.encode(), other.encode())}


def test_two_datasets_are_together_only_by_a_key():
    assert len(problems(on_two_datasets("site-id, "))) == 2
    assert len(sample_policy(on_two_datasets("")).agreements) == 2


def test_without_keys_all_tables_of_a_country_are_together():
    assert len(problems(two_agreements(keys="", rows=("site-id, ", "")))) == 2


def test_both_halves_in_two_pathways_of_one_agreement_are_together():
    files_ = {**sample_files(), RELATIONS: SECRET_PAIR.format(keys="keys: [site-id]").encode()}
    files_ = patched(files_, REQUEST, "[site-id, district,", "[site-id, district, idp-individuals,")
    files_ = patched(files_, AGREEMENT, "[site-id, child-headed-households]", "[site-id, idp-individuals]")
    assert problems(files_) == [
        f"{AGREEMENT}:14:41: Secret enters no pathway: together 'idp-individuals' and 'child-headed-households' "
        f"are Secret by the relation 'pair' ({RELATIONS}:4)"
    ]


def test_a_relation_is_named_with_the_line_where_it_begins():
    files_ = two_agreements()
    other = SECRET_PAIR.partition("relations:\n")[2].format(keys="keys: []").replace("id: pair", "id: other")
    other = other.replace("child-headed-households", "security-actor")
    files_[RELATIONS] = files_[RELATIONS].replace(b"relations:\n", b"relations:\n" + other.encode())
    assert [each.rpartition(" by the ")[2] for each in problems(files_)] == [
        f"relation 'pair' ({RELATIONS}:10)",
        f"relation 'pair' ({RELATIONS}:10)",
    ]


# ------------------------------------------------------------------------------------ focal points


def test_a_primary_may_follow_another_and_there_may_be_none_in_between():
    follows = "  - {id: xyz/iom-primary-2, role: primary, title: DTM Coordinator, email: next@example.org,\n     mobile: '+000 1000009', in_office_from: %s}\n"
    for day in ("2028-01-01", "2028-03-01"):
        files_ = {**sample_files(), IOM: sample_files()[IOM] + (follows % day).encode()}
        assert "xyz/iom-primary-2" in sample_policy(files_).focal_points
    files_[IOM] = sample_files()[IOM] + (follows % "2027-12-31").encode()
    assert problems(files_) == [
        f"{IOM}:12:5: 'xyz/iom-primary-2' is primary while 'xyz/iom-primary' still is (line 6); "
        "end the one the day before the other begins"
    ]


def test_of_several_primaries_each_is_told_of_the_one_before_that_stays_longest():
    files_ = sample_files()
    for number, (since, until) in enumerate([(2027, 2029), (2028, 2029), (2029, 2030), (2030, 2030)], 2):
        files_[IOM] += (
            f"  - {{id: xyz/primary-{number}, role: primary, title: DTM Coordinator, email: {number}@example.org,\n"
            f"     mobile: '+000 10000{number}', in_office_from: {since}-01-01, in_office_until: {until}-12-31}}\n"
        ).encode()
    assert problems(files_) == [
        f"{IOM}:{line}:5: 'xyz/{one}' is primary while 'xyz/{other}' still is (line {at}); "
        "end the one the day before the other begins"
        for line, one, other, at in (
            (12, "primary-2", "iom-primary", 6),
            (14, "primary-3", "primary-2", 12),
            (16, "primary-4", "primary-3", 14),
            (18, "primary-5", "primary-4", 16),
        )
    ]


def test_each_country_has_a_primary_of_its_own():
    other = "  - {id: abc/iom-primary, role: primary, title: DTM Coordinator, email: abc@example.org,\n     mobile: '+000 1000009', in_office_from: 2026-01-01}\n"
    files_ = {**sample_files(), IOM: sample_files()[IOM] + other.encode()}
    assert "abc/iom-primary" in sample_policy(files_).focal_points


# -------------------------------------------------------------------------------- what does not load


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_exactly_its_problems_at_their_places(name):
    case = BAD[name]
    elsewhere = tuple(whole_files())
    expected = [
        sentence if sentence.startswith(elsewhere) else f"{case.file}:{sentence}"
        for sentence in case.expected
    ]
    texts_of_files = whole_files() if case.file in (OVERLAY, WAIVER) else sample_files()
    assert problems(patched(texts_of_files, case.file, case.old, case.new)) == expected


def test_every_problem_of_every_file_is_told_at_once():
    broken = sample_files()
    for path, old, new in [
        (RELATIONS, "id: relations", "\tid: relations"),
        (GENERAL, "title: Place and population", "titel: Place and population"),
        (PROTECTION, "id: security-actor", "id: Security actor"),
        (OPERATION, "valid_until: 2027-12-31", "valid_until: 2027-02-30"),
        (DATASET, "grain: site", "grain: sites"),
        (DATASET, "drop_at_collection: [Site manager phone]", "drop_at_collection: [Site manager fone]"),
        (ASSESSMENT, "review_by: 2027-09-14", "review_by: 2026-01-01"),
        (ASSESSMENT, "  stakeholders: Access of organisations to a site could be withdrawn.\n", ""),
        (SCPA, "role: secondary", "role: sectoral-expert"),
        (AGREEMENT, "urgency: medium", "urgency: high"),
        (AGREEMENT, "[site-id, child-headed-households]", "[site-id, contact-phone, nothing-known]"),
        (AGREEMENT, "iom: xyz/iom-primary", "iom: xyz/iom-primery"),
    ]:
        broken = patched(broken, path, old, new)
    assert problems(broken) == [
        f"{GENERAL}:4:1: 'titel' is not a key of an indicators file (did you mean 'title'?)",
        f"{PROTECTION}:17:9: 'Security actor' is not an id here; use small letters, digits and single hyphens, "
        "as in site-type",
        f"{RELATIONS}:3:1: a tab stands here; indent with spaces",
        f"{AGREEMENT}:6:15: there is no focal point 'xyz/iom-primery' (did you mean 'xyz/iom-primary'?)",
        f"{AGREEMENT}:17:14: high urgency is a referral, outside the guideline: personal information is Secret "
        "and enters no pathway",
        f"{AGREEMENT}:21:31: 'contact-phone' is not in the request 'xyz/child-protection-request'",
        f"{AGREEMENT}:21:46: there is no indicator 'nothing-known'",
        f"{ASSESSMENT}:11:12: 'review_by' is not after 'assessed_on'",
        f"{ASSESSMENT}:13:3: 'stakeholders' is missing from the impact",
        f"{DATASET}:7:8: 'sites' is not a grain (did you mean 'site'?)",
        f"{DATASET}:29:16: there is no indicator 'security-actor' (did you mean 'Security actor'?)",
        f"{DATASET}:31:22: there is no column 'Site manager fone' in this dataset (did you mean "
        "'Site manager phone'?)",
        f"{SCPA}:5:1: no focal point has the role secondary; Table C needs a primary and a secondary",
        f"{OPERATION}:8:14: '2027-02-30' is not a date; write YYYY-MM-DD",
    ]


@pytest.mark.parametrize("name", [DATASET, GENERAL, IOM, REQUEST, CLASSIFICATION, OPERATION])
def test_a_file_that_is_not_yaml_is_one_problem_and_what_it_names_is_not_called_missing(name):
    files_ = sample_files()
    files_[name] += b"\n  : ]\n"
    assert [each.partition(":")[0] for each in problems(files_)] == [name]


@pytest.mark.parametrize("name", sorted(sample_files()))
def test_a_file_of_an_unknown_kind_is_one_problem(name):
    files_ = sample_files()
    files_[name] = files_[name].replace(b"kind: ", b"kind: x-", 1)
    assert len(problems(files_)) == 1 + (name == CLASSIFICATION)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "1:1: this file is empty; remove it or write a policy in it"),
        (b"# only a comment\n", "1:1: this file is empty; remove it or write a policy in it"),
        (
            b"---\n",
            "2:1: this file is no mapping; write 'kind: \u2026', 'id: \u2026' and so on, each on its own line",
        ),
        (
            b"- a\n- b\n",
            "1:1: this file is no mapping; write 'kind: \u2026', 'id: \u2026' and so on, each on its own line",
        ),
        (
            b"just text",
            "1:1: this file is no mapping; write 'kind: \u2026', 'id: \u2026' and so on, each on its own line",
        ),
        (b"kind: relations\nid: d\xe9partement\n", "2:6: this is not UTF-8 text; save the file as UTF-8"),
        ("kind: relations".encode("utf-16"), "1:1: this is not UTF-8 text; save the file as UTF-8"),
        (b"\x00\x00", "1:1: a character stands here that cannot be printed; remove it"),
        (b"{}", "1:1: 'kind' is missing; write one of " + ", ".join(KINDS)),
    ],
)
def test_a_file_that_is_no_policy_text_is_told_so(content, sentence):
    assert problems({**sample_files(), "more.yaml": content}) == [f"more.yaml:{sentence}"]


def test_an_alias_bomb_is_refused_quickly_and_not_unfolded():
    bomb = "kind: relations\nid: x\na: &a [1, 1]\n" + "".join(
        f"{new}: &{new} [{', '.join(['*' + old] * 9)}]\n"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    found = problems({**sample_files(), "bomb.yaml": bomb.encode()})
    assert sum("aliases (" in each for each in found) == 8 * 9


def test_an_anchor_that_holds_itself_is_refused():
    found = problems({**sample_files(), "loop.yaml": b"kind: relations\nid: x\nrelations: &a [*a]\n"})
    assert found == ["loop.yaml:3:16: aliases ('*…') are not used here; write the value out"]


def test_no_file_at_all_is_an_error():
    assert problems({}) == [".:1:1: there is no policy file here; a policy begins with classification.yaml"]


def test_without_table_a_nothing_loads():
    assert problems(without(sample_files(), CLASSIFICATION)) == [
        "classification.yaml:1:1: no file has 'kind: classification'; write Table A, with its three levels, here"
    ]


def test_the_same_id_in_two_files_names_both_places():
    twice = {**sample_files(), "xyz/datasets/zz.yaml": sample_files()[DATASET]}
    assert problems(twice) == [
        f"xyz/datasets/zz.yaml:3:5: the dataset id 'xyz/site-assessment' is used twice; "
        f"the first is in {DATASET}:3"
    ]


def test_the_same_id_in_two_kinds_is_no_problem():
    same = patched(sample_files(), RELATIONS, "id: safety-and-armed-actors", "id: site-type")
    assert "site-type" in sample_policy(same).relations


def test_an_assessment_covers_datasets_of_its_own_operation():
    flood = sample_files()[OPERATION].replace(b"xyz/earthquake", b"xyz/flood")
    two = {**sample_files(), "xyz/flood.yaml": flood}
    other = patched(two, DATASET, "operation: xyz/earthquake", "operation: xyz/flood")
    assert problems(other) == [
        f"{ASSESSMENT}:7:12: 'xyz/site-assessment' belongs to the operation 'xyz/flood', not to this one"
    ]


def test_no_organization_has_the_name_by_which_the_ledger_knows_everyone():
    made = sample_files()
    made["xyz/focal_points/everyone.yaml"] = another_organization("other").replace(
        b"id: other", b"id: public"
    )
    assert problems(made) == [
        "xyz/focal_points/everyone.yaml:3:5: 'public' is what the ledger calls everyone; "
        "give the organization another id"
    ]


def test_an_agreement_has_two_sides_and_no_third():
    third = {**sample_files(), "xyz/focal_points/ngo.yaml": another_organization("ngo")}
    files_ = patched(
        third, AGREEMENT, "scpa: xyz/scpa-primary}", "scpa: xyz/scpa-primary, ngo: xyz/ngo-primary}"
    )
    assert problems(files_) == [
        f"{AGREEMENT}:6:56: 'ngo' is no side of this agreement; both sides are iom and scpa"
    ]


def test_while_table_a_is_broken_other_agencies_words_are_not_called_unknown():
    files_ = patched(sample_files(), RELATIONS, "level: Confidential", "level: other-agencies:restricted")
    (found,) = problems(
        patched(files_, CLASSIFICATION, "includes: [personal data]", "includes: personal data")
    )
    assert found.startswith(f"{CLASSIFICATION}:18:15: 'includes' must be a list")
    bare = patched(sample_files(), RELATIONS, "level: Confidential", "level: confidential")
    assert len(problems({**bare, CLASSIFICATION: b"kind: classification\nid: [\n"})) == 2


def test_while_there_is_no_sound_table_a_no_word_is_called_unknown():
    files_ = patched(sample_files(), RELATIONS, "level: Confidential", "level: restricted")
    assert problems(without(files_, CLASSIFICATION)) == [
        "classification.yaml:1:1: no file has 'kind: classification'; write Table A, with its three levels, here"
    ]
    assert problems(
        patched(
            files_,
            CLASSIFICATION,
            "aliases: {other-agencies: [restricted, personal, confidential]}",
            "aliases: restricted",
        )
    ) == [
        f"{CLASSIFICATION}:16:14: 'aliases' must be a mapping; write its 'key: value' pairs on indented lines"
    ]


def test_the_place_of_the_first_classification_is_that_of_its_kind():
    files_ = patched(
        sample_files(),
        CLASSIFICATION,
        "kind: classification\nid: iom-dtm",
        "id: iom-dtm\nkind: classification",
    )
    files_["more.yaml"] = (
        files_[CLASSIFICATION].replace(b"iom-dtm", b"other").replace(b"# yaml", b"#\n# yaml")
    )
    assert problems(files_) == [
        "more.yaml:4:7: a folder has one classification; the first is in classification.yaml:3"
    ]


@pytest.mark.parametrize("broken", [("country: XYZ", "country: Xyz"), ("country: XYZ", "country: [")])
def test_while_an_operation_is_broken_no_country_is_called_one_without_an_operation(broken):
    assert [each.partition(":")[0] for each in problems(patched(whole_files(), OPERATION, *broken))] == [
        OPERATION
    ]


@pytest.mark.parametrize("broken", [("title: Place", "titel: Place"), ("title: Place", "\ttitle: Place")])
def test_a_country_without_an_operation_is_told_while_another_file_is_broken(broken):
    """If that file is read at all: else it may be the operation."""
    files_ = patched(
        whole_files(), OVERLAY, "countries: [XYZ], operations: [xyz/earthquake]", "countries: [ABC]"
    )
    told = [each for each in problems(patched(files_, GENERAL, *broken)) if "no operation is in" in each]
    assert told == (
        [] if "\t" in broken[1] else [f"{OVERLAY}:4:26: no operation is in 'ABC'; this would tighten nothing"]
    )


@pytest.mark.parametrize(
    ("file", "key"),
    [
        (CLASSIFICATION, "levels"),
        (PROTECTION, "indicators"),
        (RELATIONS, "relations"),
        (DATASET, "columns"),
        (ASSESSMENT, "assessors"),
        (ASSESSMENT, "impact"),
        (IOM, "people"),
        (AGREEMENT, "signed"),
        (AGREEMENT, "pathways"),
    ],
)
@pytest.mark.parametrize("value", ["nonsense", "[nonsense]", "{a: nonsense}", "7", "", "[]", "{}"])
def test_the_checks_get_on_with_a_value_that_has_no_shape_at_all(file, key, value):
    text = sample_files()[file].decode() + f"{key}_: x\n"
    changed = re.sub(rf"^{key}:(.*\n)( .*\n)*", f"{key}: {value}\n", text, flags=re.MULTILINE)
    found = problems({**sample_files(), file: changed.encode()})
    assert any(each.startswith(f"{file}:") and f"'{key}_' is not a key" in each for each in found)
    assert not [each for each in found if "None" in each]


def test_what_has_no_id_and_what_refers_to_nothing_are_not_taken_for_each_other():
    files_ = patched(sample_files(), OPERATION, "id: xyz/earthquake", "id: Earthquake")
    files_ = patched(files_, DATASET, "operation: xyz/earthquake", "operation: 7")
    files_ = patched(
        files_, ASSESSMENT, "operation: xyz/earthquake\ncountry: XYZ", "operation: 7\ncountry: ABC"
    )
    assert problems(files_) == [
        f"{ASSESSMENT}:4:12: 'operation' must be one text; put it in quotes",
        f"{DATASET}:5:12: 'operation' must be one text; put it in quotes",
        f"{OPERATION}:3:5: 'Earthquake' is not an id here; write <country>/<name> in small letters, as in "
        "npl/site-assessment",
    ]


WORDS = ["id", "operation", "dataset", "request", "organization", "indicator", "coordinator", "scpa", "level"]


@pytest.mark.parametrize("words", list(itertools.combinations(WORDS, 2)), ids=" and ".join)
def test_two_kinds_of_fault_everywhere_are_told_as_what_they_are(words):
    made = {
        name: re.sub(rf"\b({'|'.join(words)}): [^,}}\n]+".encode(), rb"\1: 7", content)
        for name, content in whole_files().items()
    }
    found = problems(made)
    assert not [each for each in found if "None" in each]
    assert sum("must be one text" in each for each in found) >= sum(
        content.count(b": 7") for content in made.values()
    )


def test_nothing_that_describes_a_person_is_in_a_problem():
    secret = {"title": "Ms Ada", "name": "Ada L.", "email": "ada@", "mobile": "+000 12345"}
    person = (
        "  - {id: xyz/scpa-third, role: nobody, title: [Ms Ada], name: {Ada L.: 1}, email: ada@, "
        "mobile: '+000 12345\n\n      ', in_office_from: never}\n"
    )
    files_ = {**sample_files(), SCPA: sample_files()[SCPA] + person.encode()}
    found = problems(files_)
    assert len(found) == 6
    assert not [each for each in found for words in secret.values() if words in each]


def test_a_problem_is_one_line_whatever_it_quotes():
    files_ = patched(sample_files(), DATASET, "grain: site", 'grain: "si\\n\\e[31mte' + "x" * 500 + '"')
    (found,) = problems(files_)
    assert re.fullmatch(rf"{DATASET}:7:8: 'si  \[31mtex{{50}}…' is not a grain; .*", found)
    assert found.isprintable()


def test_a_key_that_cannot_be_printed_is_quoted_without_it():
    files_ = patched(
        sample_files(), GENERAL, "names: {en: [district]", 'names: {en: [district], "a\\eb": [1]'
    )
    assert all(each.isprintable() for each in problems(files_))


def test_every_kind_of_fault_that_pydantic_can_find_here_has_a_sentence_of_ours():
    fallback = "is not what this key needs"
    said = [sentence for case in BAD.values() for sentence in case.expected]
    assert not [each for each in said if fallback in each]


# ------------------------------------------------------------------------------------------ digest


def test_the_digest_is_of_names_and_bytes_in_any_order():
    files_ = sample_files()
    assert policy.digest(files_) == policy.digest(dict(reversed(files_.items()))) == sample_policy().digest
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", policy.digest(files_))


def test_the_digest_stays_what_it_was():
    # Changing this orphans every decision and ledger entry that names a policy digest.
    assert (
        policy.digest({"b.yaml": b"two", "a.yaml": b"one"})
        == "sha256:b77afdd137520048d9759724b4f0952b87a38c4d5a37a8894fbe87618c29b332"
    )


@pytest.mark.parametrize(
    "other",
    [
        {"a": b"xy", "b": b""},
        {"a": b"x", "b": b"y"},
        {"ab": b"xy"},
        {"a": b"", "bxy": b""},
        {"a": b"xy"},
        {},
    ],
)
def test_other_names_or_bytes_give_another_digest(other):
    assert policy.digest(other) != policy.digest({"a": b"x", "bx": b"y"})


def test_even_a_comment_changes_the_digest():
    changed = patched(sample_files(), RELATIONS, "kind: relations", "# a word\nkind: relations")
    assert sample_policy(changed).digest != sample_policy().digest


# ----------------------------------------------------------------------------------------- schemas


def test_the_committed_schemas_are_those_of_the_models():
    # The given/expect files are no part of a policy: their schema comes from another model.
    ours = (path for path in SCHEMAS.glob("*") if path.name != "test.schema.json")
    committed = {path.name: json.loads(path.read_bytes()) for path in ours}
    assert committed == {f"{kind}.schema.json": schema for kind, schema in policy.schemas().items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_a_schema_and_never_offers_null(kind):
    schema = policy.schemas()[kind]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert '"null"' not in json.dumps(schema)
    assert schema["properties"]["kind"]["const"] == kind


def as_json(value):
    if isinstance(value, dict):
        return {key: as_json(each) for key, each in value.items()}
    return [as_json(each) for each in value] if isinstance(value, tuple) else value


def follows_its_schema(content):
    data = as_json(texts.read("x.yaml", content).data)
    schema = policy.schemas()[data["kind"]]
    return jsonschema.Draft202012Validator(schema).is_valid(data)


@pytest.mark.parametrize("name", sorted(sample_files()))
def test_the_sample_follows_its_schemas(name):
    assert follows_its_schema(sample_files()[name])


@pytest.mark.parametrize(
    "name",
    [
        "unknown key",
        "missing key",
        "grain",
        "grain of a level",
        "empty list",
        "bad id",
        "code as a text",
        "role",
        "bare confidential",
        "CONFIDENTIAL",
        "twice in a list",
        "number for a text",
        "timeline",
        "high urgency",
    ],
)
def test_an_editor_sees_by_the_schema_what_we_refuse(name):
    case = BAD[name]
    assert not follows_its_schema(patched(sample_files(), case.file, case.old, case.new)[case.file])


def test_each_reference_and_each_level_in_the_models_is_marked_for_the_checks():
    """A new field that ends in a reference, and is forgotten by the walk, would not be checked."""
    document, _ = shape.document(texts.read(AGREEMENT, sample_files()[AGREEMENT]))
    marked = [(type(mark).__name__, path, text) for mark, path, text in document.marks()]
    assert ("Names", ("id",), "xyz/child-protection") in marked
    assert ("Refers", ("signed", "iom", "[key]"), "iom") in marked
    assert ("Refers", ("signed", "iom"), "xyz/iom-primary") in marked
    assert ("Refers", ("pathways", 1, "share", 0, "indicators", 0), "site-id") in marked
    assert len(marked) == 17
    document, _ = shape.document(texts.read(PROTECTION, sample_files()[PROTECTION]))
    assert sum(isinstance(mark, files.LevelMark) for mark, _, _ in document.marks()) == 16


# ----------------------------------------------------------------------------------- what must hold


def test_reading_policies_imports_nothing_heavy():
    code = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY / 'plugins')!r})\n"
        "import dtm_sharing.policy, dtm_sharing.stores.policies\n"
        "print(sorted({'airflow', 'pandas', 'numpy', 'pyarrow', 'boto3'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"
