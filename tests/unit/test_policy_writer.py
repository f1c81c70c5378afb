"""``policy.dump``: the files of a policy word for word, and which sign of YAML each value needs."""

from dataclasses import replace

import pytest

from dtm_sharing import policy
from dtm_sharing.model import Level
from dtm_sharing.policy import texts
from support.policies import patched, sample_policy, whole_files

# A folder that is written as dump writes it. Each kind of value is here once with all its keys, and once
# without those that may be left out.
WRITTEN = {
    "classification.yaml": """\
# yaml-language-server: $schema=schemas/classification.schema.json
kind: classification
id: classification
levels:
  - level: Public
    aliases: {}
    meaning: Disclosure carries little or no risk.
    disclosure: May be published.
  - level: Confidential
    aliases: {ocha: [sensitive], others: [protected, 'for us, and for you']}
    meaning: Disclosure could expose a person or a community to an incident.
    includes: [protection data per site]
    disclosure: Only under an agreement.
    crosswalks: {ocsf: [Confidential]}
  - level: Secret
    aliases: {others: [restricted, personal]}
    meaning: Disclosure may put a person at risk.
    includes: [personal data, contacts]
    disclosure: Enters no pathway.
""",
    "focal_points/iom.yaml": """\
# yaml-language-server: $schema=../schemas/focal_points.schema.json
kind: focal_points
id: iom
organization: IOM Xyz
people:
  - id: xyz/iom-primary
    role: primary
    title: DTM Coordinator
    name: Amina Example
    email: coordinator@example.org
    mobile: '+000 1000001'
    in_office_from: 2026-01-01
    in_office_until: 2027-12-31
  - id: xyz/iom-secondary
    role: secondary
    title: DTM Officer
    email: officer@example.org
    mobile: '+000 1000002'
    in_office_from: 2026-01-01
  - id: xyz/iom-expert
    role: sectoral-expert
    title: Protection Lead
    email: expert@example.org
    mobile: '+000 1000003'
    in_office_from: 2026-01-01
""",
    "focal_points/scpa.yaml": """\
# yaml-language-server: $schema=../schemas/focal_points.schema.json
kind: focal_points
id: scpa
organization: Sample Agency (child protection)
people:
  - id: xyz/scpa-primary
    role: primary
    title: Child Protection Lead
    email: primary@scpa.example.org
    mobile: '+000 2000001'
    in_office_from: 2026-01-01
  - id: xyz/scpa-secondary
    role: secondary
    title: Information Manager
    email: secondary@scpa.example.org
    mobile: '+000 2000002'
    in_office_from: 2026-01-01
""",
    "indicators/general.yaml": """\
# yaml-language-server: $schema=../schemas/indicators.schema.json
kind: indicators
id: general
title: general
basis: Table A
levels: {national: Public, site: Public, household: Confidential, individual: Secret}
indicators:
  - id: site-id
    title: Site identifier
    identifies: site
    codes: [m0445]
    hxl: ['#loc+code', '#loc+site']
  - id: district
    title: District
    names: {und: [district, département]}
  - id: idp-individuals
    title: Displaced individuals
    additive: true
    levels: {national: Public, site: Public}
    basis: Table A
""",
    "indicators/protection.yaml": """\
# yaml-language-server: $schema=../schemas/indicators.schema.json
kind: indicators
id: protection
title: protection
basis: Table A
levels:
  national: Public
  admin1: Confidential
  admin2: Confidential
  admin3: Confidential
  site: Confidential
  household: Secret
  individual: Secret
  incident: Secret
indicators:
  - id: child-headed-households
    title: Child-headed households
  - id: security-actor
    title: Who provides security
    levels:
      national: Public
      admin1: Confidential
      admin2: Confidential
      admin3: Confidential
      site: Confidential
      household: Secret
      individual: Secret
      incident: Secret
    basis: A judgement of our own
""",
    "overlays/conflict.yaml": """\
# yaml-language-server: $schema=../schemas/overlay.schema.json
kind: overlay
id: conflict
applies_to: {contexts: [conflict, mixed]}
valid_from: 2026-01-01
why: Who holds a place is not said aloud.
tightens:
  - indicator: district
    grain: site
    level: Confidential
    why: A district can change hands.
""",
    "relations.yaml": """\
# yaml-language-server: $schema=schemas/relations.schema.json
kind: relations
id: relations
relations:
  - id: pair
    groups: [[idp-individuals], [security-actor, district]]
    keys: [site-id]
    grains: [site, household]
    level: Confidential
    why: Together they can point at somebody.
  - id: other-pair
    groups: [[district], [child-headed-households]]
    grains: [household]
    level: Secret
    why: Together they can point at a house.
""",
    "xyz/agreements/child-protection.yaml": """\
# yaml-language-server: $schema=../../schemas/agreement.schema.json
kind: agreement
id: xyz/child-protection
organization: scpa
request: xyz/approved
signed: {iom: xyz/iom-primary, scpa: xyz/scpa-primary}
valid_from: 2026-10-01
valid_until: 2027-09-30
pathways:
  - urgency: low
    timeline: monthly
    share:
      - dataset: xyz/sites
        indicators: [site-id, child-headed-households]
    destination: [xyz/scpa-primary]
    method: excel-email
  - urgency: medium
    timeline: within 2 days
    share:
      - dataset: xyz/sites
        indicators: [site-id]
      - dataset: xyz/districts
        indicators: [district]
    destination: [xyz/scpa-primary, xyz/scpa-secondary]
    method: document-email
""",
    "xyz/assessments/districts.yaml": """\
# yaml-language-server: $schema=../../schemas/assessment.schema.json
kind: assessment
id: xyz/districts
operation: xyz/earthquake
country: XYZ
context: mixed
datasets: [xyz/districts]
assessors: {coordinator: xyz/iom-primary, sectoral_expert: xyz/iom-expert}
assessed_on: 2026-09-15
collection_begins: 2026-10-01
review_by: 2027-09-14
impact: {individuals: None, vulnerable_groups: None, communities: Some, stakeholders: Some}
risk_of_sharing: Small
risk_of_not_sharing: Great
""",
    "xyz/assessments/sites.yaml": """\
# yaml-language-server: $schema=../../schemas/assessment.schema.json
kind: assessment
id: xyz/sites
operation: xyz/earthquake
country: XYZ
context: disaster
datasets: [xyz/sites]
assessors: {coordinator: xyz/iom-primary, sectoral_expert: xyz/iom-expert}
assessed_on: 2026-09-15
collection_begins: 2026-10-01
review_by: 2027-09-14
impact:
  individuals: Site managers could be harassed.
  vulnerable_groups: Children without parents could be traced to a site.
  communities: A site could be blamed for what it reports.
  stakeholders: Access of organisations to a site could be withdrawn.
risk_of_sharing: Sites with few such households can be recognised.
risk_of_not_sharing: Children do not reach a service in time.
levels:
  - indicator: site-id
    grain: site
    level: Confidential
    why: The sites of this round are hidden.
""",
    "xyz/datasets/districts.yaml": """\
# yaml-language-server: $schema=../../schemas/dataset.schema.json
kind: dataset
id: xyz/districts
title: Districts
operation: xyz/earthquake
component: BA
grain: national
key: [District]
header_row: 1
encoding: cp1252
columns:
  - name: District
    indicator: district
""",
    "xyz/datasets/sites.yaml": """\
# yaml-language-server: $schema=../../schemas/dataset.schema.json
kind: dataset
id: xyz/sites
title: Site assessment
operation: xyz/earthquake
component: SA
grain: site
key: [Site ID, District]
header_row: 3
encoding: utf-8
drop_at_collection: [Guards]
columns:
  - name: Site ID
    spellings: [Site code, 'Site No. #']
    indicator: site-id
  - name: District
    indicator: district
  - name: Guards
    indicator: security-actor
    continued_by: ['If other, please specify', '7']
  - name: Child-headed households
    indicator: child-headed-households
""",
    "xyz/operations/earthquake.yaml": """\
# yaml-language-server: $schema=../../schemas/operation.schema.json
kind: operation
id: xyz/earthquake
country: XYZ
name: Earthquake in Xyz
context: disaster
valid_from: 2026-01-01
valid_until: 2027-12-31
""",
    "xyz/operations/flood.yaml": """\
# yaml-language-server: $schema=../../schemas/operation.schema.json
kind: operation
id: xyz/flood
country: XYZ
name: Flood
context: mixed
valid_from: 2026-01-01
""",
    "xyz/overlays/tense.yaml": """\
# yaml-language-server: $schema=../../schemas/overlay.schema.json
kind: overlay
id: xyz/tense
applies_to: {countries: [XYZ], operations: [xyz/earthquake, xyz/flood], contexts: [disaster]}
valid_from: 2026-11-01
valid_until: 2026-12-31
builds_on: [conflict]
why: People are moved out of some sites.
""",
    "xyz/requests/approved.yaml": """\
# yaml-language-server: $schema=../../schemas/request.schema.json
kind: request
id: xyz/approved
organization: scpa
purpose: Plan child protection services per site
datasets: [xyz/sites, xyz/districts]
indicators: [site-id, district, child-headed-households]
state: approved
requested_on: 2026-09-01
decided_on: 2026-09-20
valid_from: 2026-10-01
valid_until: 2027-09-30
""",
    "xyz/requests/refused.yaml": """\
# yaml-language-server: $schema=../../schemas/request.schema.json
kind: request
id: xyz/refused
organization: scpa
purpose: Find the guards of each site
datasets: [xyz/sites]
indicators: [security-actor]
state: refused
requested_on: 2026-09-01
decided_on: 2026-09-20
reason: It could be used to find people.
""",
    "xyz/waivers/everything.yaml": """\
# yaml-language-server: $schema=../../schemas/waiver.schema.json
kind: waiver
id: xyz/everything
operation: xyz/flood
relaxes: ['relation:pair']
level: Public
why: The ministry publishes the same.
signatures: {coordinator: xyz/iom-primary, sectoral_expert: xyz/iom-expert}
signed_on: 2026-10-20
valid_from: 2026-11-01
valid_until: 2026-11-30
""",
    "xyz/waivers/published.yaml": """\
# yaml-language-server: $schema=../../schemas/waiver.schema.json
kind: waiver
id: xyz/published
operation: xyz/earthquake
datasets: [xyz/sites, xyz/districts]
relaxes: ['indicator:child-headed-households@site', 'indicator:security-actor@site']
level: Public
why: 'The ministry publishes it: site by site.'
signatures: {coordinator: xyz/iom-primary, sectoral_expert: xyz/iom-expert}
signed_on: 2026-10-20
valid_from: 2026-11-01
valid_until: 2026-11-30
""",
}


def dumped(loaded):
    return {path: content.decode() for path, content in policy.dump(loaded).items()}


def test_a_folder_that_was_dumped_is_dumped_word_for_word_in_order_of_path():
    made = dumped(sample_policy({path: text.encode() for path, text in WRITTEN.items()}))
    assert made == WRITTEN
    assert list(made) == sorted(made)


def test_other_files_for_the_same_ids_are_dumped_to_the_files_of_the_house():
    """One file for each id, whatever the files were called; the family's own title is not kept."""
    loaded = sample_policy(whole_files())
    assert sorted(policy.dump(loaded)) == [
        "classification.yaml",
        "focal_points/iom.yaml",
        "focal_points/scpa.yaml",
        "indicators/contacts.yaml",
        "indicators/general.yaml",
        "indicators/protection.yaml",
        "relations.yaml",
        "xyz/agreements/child-protection.yaml",
        "xyz/assessments/site-assessment-2026.yaml",
        "xyz/datasets/site-assessment.yaml",
        "xyz/operations/earthquake.yaml",
        "xyz/overlays/tense.yaml",
        "xyz/requests/child-protection-request.yaml",
        "xyz/waivers/published.yaml",
    ]


def test_a_policy_without_relations_has_an_empty_list_of_them():
    (text,) = [
        text
        for path, text in dumped(replace(sample_policy(), relations={})).items()
        if path == "relations.yaml"
    ]
    assert text.splitlines()[1:] == ["kind: relations", "id: relations", "relations: []"]


# ------------------------------------------------------------------------------------------ line by line


def written(**changes):
    """The lines of the sample's operation, some of its values changed."""
    loaded = sample_policy()
    operation = replace(loaded.operations["xyz/earthquake"], **changes)
    text = dumped(replace(loaded, operations={operation.id: operation}))["xyz/operations/earthquake.yaml"]
    assert texts.read("x.yaml", text.encode()).problems == ()
    return text.splitlines()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Flood", "name: Flood"),
        ("Flood 2026 (north), part", "name: 'Flood 2026 (north), part'"),
        ("a/b+c%d@e.f-g_h (i)", "name: a/b+c%d@e.f-g_h (i)"),
        ("É", "name: É"),
        ("2026", "name: '2026'"),
        ("2026-01-01", "name: 2026-01-01"),  # a text for our reader, which takes no date without being asked
        ("1.5", "name: '1.5'"),
        ("true", "name: 'true'"),
        ("null", "name: 'null'"),
        ("yes", "name: yes"),
        ("_x", "name: '_x'"),
        ("-x", "name: '-x'"),
        ("a: b", "name: 'a: b'"),
        ("a #b", "name: 'a #b'"),
        ("it's", "name: 'it''s'"),
        ('say "no"', "name: 'say \"no\"'"),
        ("a\\b", "name: 'a\\b'"),
        ("a\u200bb", 'name: "a\\U0000200bb"'),
        ('X\u200b"b\\', 'name: "X\\U0000200b\\"b\\\\"'),
        ("a\U000e0001b", 'name: "a\\U000e0001b"'),
    ],
)
def test_a_text_has_quotes_where_it_needs_them(name, line):
    lines = written(name=name)
    assert line in lines
    assert texts.read("x.yaml", "\n".join(lines).encode()).data["name"] == name


@pytest.mark.parametrize(
    ("why", "line"),
    [
        ("two\nlines", '    why: "two\\U0000000alines"'),
        ("a blank at the end ", "    why: 'a blank at the end '"),
        (" a blank before", "    why: ' a blank before'"),
        ("a\ttab", '    why: "a\\U00000009tab"'),
    ],
)
def test_a_text_of_several_lines_stays_on_one(why, line):
    loaded = sample_policy()
    relations = {key: replace(each, why=why) for key, each in loaded.relations.items()}
    made = dumped(replace(loaded, relations=relations))["relations.yaml"]
    assert line in made.splitlines()
    assert texts.read("x.yaml", made.encode()).data["relations"][0]["why"] == why


def columns(count):
    loaded = sample_policy()
    dataset = loaded.datasets["xyz/site-assessment"]
    key = tuple(f"Column number {number:03}" for number in range(count))
    changed = replace(loaded, datasets={dataset.id: replace(dataset, key=key)})
    return dumped(changed)["xyz/datasets/site-assessment.yaml"].splitlines(), key


def test_a_list_is_on_one_line_while_it_is_no_longer_than_110_signs():
    lines, key = columns(5)
    assert f"key: [{', '.join(key)}]" in lines
    loaded = sample_policy()
    dataset = loaded.datasets["xyz/site-assessment"]
    for length in (110, 111):
        one = "x" * (length - len("key: []"))
        made = dumped(replace(loaded, datasets={dataset.id: replace(dataset, key=(one,))}))
        lines = made["xyz/datasets/site-assessment.yaml"].splitlines()
        assert (f"key: [{one}]" in lines) is (length == 110)
        assert ("key:" in lines and f"  - {one}" in lines) is (length == 111)


def test_a_longer_list_has_a_line_for_each_item():
    lines, key = columns(6)
    start = lines.index("key:")
    assert lines[start + 1 : start + 7] == [f"  - {each}" for each in key]
    assert lines[start + 7] == "header_row: 3"


def test_a_long_list_of_lists_has_a_line_for_each_list():
    loaded = sample_policy()
    groups = tuple((f"a-rather-long-indicator-of-number-{number}", "district") for number in range(4))
    relations = {key: replace(each, groups=groups) for key, each in loaded.relations.items()}
    lines = dumped(replace(loaded, relations=relations))["relations.yaml"].splitlines()
    start = lines.index("    groups:")
    assert lines[start + 1 : start + 5] == [f"      - [{', '.join(group)}]" for group in groups]


def test_an_indicator_has_its_own_levels_and_basis_only_where_it_differs_from_the_first_of_its_family():
    basis = patched(
        whole_files(),
        "indicators/general.yaml",
        "    title: District\n",
        "    title: District\n    levels: {site: Public, national: Confidential}\n    basis: ours\n",
    )
    lines = dumped(sample_policy(basis))["indicators/general.yaml"].splitlines()
    assert [line for line in lines if line.startswith("    ")] == [
        "    title: Site identifier",
        "    codes: [m0445]",
        "    hxl: ['#loc+code']",
        "    title: District",
        "    names: {und: [district, département]}",
        "    levels: {national: Confidential, site: Public}",  # in the order of the grains
        "    basis: ours",
        "    title: Type of site",
        "    title: Displaced individuals",
        "    codes: [m0310]",
        "    hxl: ['#affected+idps+ind']",
    ]
    assert sample_policy(basis).indicators["district"].levels["national"] is Level.CONFIDENTIAL
