"""A made-up country, XYZ, as policy texts in memory: small, valid on 2026-11-22, and easy to break.

``sample_files()`` gives fresh texts; ``patched`` and ``without`` give changed copies of them:

    files = patched(sample_files(), DATASET, "grain: site", "grain: household")

What the sample holds, at grain ``site``:

| column | level | because |
|---|---|---|
| Site ID, District, Site type, Individuals | Public | |
| If other, please specify (twice) | of the question before it | continues Site type, Security provider |
| Site manager phone | Secret | dropped at collection |
| Child-headed households | Confidential | |
| Feelings of safety | Public, Confidential beside Security provider | the relation |
| Security provider | Confidential | |
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from dtm_sharing.model import Policy

AS_OF = date(2026, 11, 22)  # the whole sample is in force on this day

CLASSIFICATION = "classification.yaml"
RELATIONS = "relations.yaml"
GENERAL = "indicators/general.yaml"
PROTECTION = "indicators/protection.yaml"
CONTACTS = "indicators/contacts.yaml"
OPERATION = "xyz/operation.yaml"
DATASET = "xyz/datasets/site-assessment.yaml"
ASSESSMENT = "xyz/assessments/site-assessment.yaml"
IOM = "xyz/focal_points/iom.yaml"
SCPA = "xyz/focal_points/scpa.yaml"
REQUEST = "xyz/requests/child-protection.yaml"
AGREEMENT = "xyz/agreements/child-protection.yaml"
# Not part of the sample; ``whole_files`` has them too.
OVERLAY = "xyz/overlays/tense.yaml"
WAIVER = "xyz/waivers/published.yaml"

# The header row of a file of the dataset, as a raw file has it: the continuation repeats.
HEADERS = (
    "Site ID",
    "District",
    "Site type",
    "If other, please specify",
    "Site manager phone",
    "Individuals",
    "Child-headed households",
    "Feelings of safety",
    "Security provider",
    "If other, please specify",
)

_TEXTS = {
    CLASSIFICATION: """\
# yaml-language-server: $schema=schemas/classification.schema.json
kind: classification
id: iom-dtm
levels:
  - level: Public
    aliases: {}
    meaning: Disclosure carries little or no risk.
    includes: [national totals, site-level data that are not sensitive]
    disclosure: May be published.
  - level: Confidential
    aliases: {other-agencies: [protected]}
    meaning: Disclosure could expose a person or a community to an incident.
    includes: [protection data per site]
    disclosure: Only under an agreement, encrypted, to a named focal point.
  - level: Secret
    aliases: {other-agencies: [restricted, personal, confidential]}
    meaning: Disclosure may put a person's safety at risk.
    includes: [personal data]
    disclosure: Enters no pathway.
""",
    RELATIONS: """\
# yaml-language-server: $schema=schemas/relations.schema.json
kind: relations
id: relations
relations:
  - id: safety-and-armed-actors
    groups:
      - [feelings-of-safety]
      - [security-actor]
    grains: [admin2, admin3, site, household, individual]
    level: Confidential
    why: Together they can suggest that those who provide security make people feel less safe.
""",
    GENERAL: """\
# yaml-language-server: $schema=../schemas/indicators.schema.json
kind: indicators
id: general
title: Place and population
basis: 'Table A: site-level data that are not sensitive are Public'
levels: {national: Public, admin1: Public, admin2: Public, admin3: Public,
  site: Public, household: Confidential, individual: Confidential, incident: Secret}
indicators:
  - id: site-id
    title: Site identifier
    codes: [m0445]
    hxl: ['#loc+code']
  - id: district
    title: District
    names: {en: [district], fr: [département]}
  - id: site-type
    title: Type of site
  - id: idp-individuals
    title: Displaced individuals
    codes: [m0310]
    hxl: ['#affected+idps+ind']
""",
    PROTECTION: """\
# yaml-language-server: $schema=../schemas/indicators.schema.json
kind: indicators
id: protection
title: Protection
basis: 'Table A: protection data per site are Confidential'
levels: {national: Public, admin1: Confidential, admin2: Confidential, admin3: Confidential,
  site: Confidential, household: Secret, individual: Secret, incident: Secret}
indicators:
  - id: child-headed-households
    title: Child-headed households
    names: {en: [child-headed households], fr: [ménages dirigés par un enfant]}
  - id: feelings-of-safety
    title: Feelings of safety
    levels: {national: Public, admin1: Public, admin2: Public, admin3: Public,
      site: Public, household: Confidential, individual: Confidential, incident: Secret}
    basis: Harmless alone; see the relation with security actors
  - id: security-actor
    title: Who provides security
""",
    CONTACTS: """\
# yaml-language-server: $schema=../schemas/indicators.schema.json
kind: indicators
id: contacts
title: Contacts of people
basis: 'Table A: personal data are Secret'
levels: {national: Secret, admin1: Secret, admin2: Secret, admin3: Secret,
  site: Secret, household: Secret, individual: Secret, incident: Secret}
indicators:
  - id: contact-phone
    title: Telephone number of a person
    hxl: ['#contact+phone']
""",
    OPERATION: """\
# yaml-language-server: $schema=../schemas/operation.schema.json
kind: operation
id: xyz/earthquake
country: XYZ
name: Earthquake in Xyz
context: disaster
valid_from: 2026-01-01
valid_until: 2027-12-31
""",
    DATASET: """\
# yaml-language-server: $schema=../../schemas/dataset.schema.json
kind: dataset
id: xyz/site-assessment
title: Site assessment
operation: xyz/earthquake
component: SA
grain: site
key: [Site ID]
header_row: 3
encoding: utf-8
columns:
  - name: Site ID
    indicator: site-id
  - name: District
    indicator: district
  - name: Site type
    indicator: site-type
    continued_by: ['If other, please specify']
  - name: Site manager phone
    indicator: contact-phone
  - name: Individuals
    spellings: [Number of individuals]
    indicator: idp-individuals
  - name: Child-headed households
    indicator: child-headed-households
  - name: Feelings of safety
    indicator: feelings-of-safety
  - name: Security provider
    indicator: security-actor
    continued_by: ['If other, please specify']
drop_at_collection: [Site manager phone]
""",
    ASSESSMENT: """\
# yaml-language-server: $schema=../../schemas/assessment.schema.json
kind: assessment
id: xyz/site-assessment-2026
operation: xyz/earthquake
country: XYZ
context: disaster
datasets: [xyz/site-assessment]
assessors: {coordinator: xyz/iom-primary, sectoral_expert: xyz/iom-protection-expert}
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
""",
    IOM: """\
# yaml-language-server: $schema=../../schemas/focal_points.schema.json
kind: focal_points
id: iom
organization: IOM Xyz
people:
  - {id: xyz/iom-primary, role: primary, title: DTM Coordinator, email: coordinator@example.org,
     mobile: '+000 1000001', in_office_from: 2026-01-01, in_office_until: 2027-12-31}
  - {id: xyz/iom-secondary, role: secondary, title: DTM Officer, email: officer@example.org,
     mobile: '+000 1000002', in_office_from: 2026-01-01}
  - {id: xyz/iom-protection-expert, role: sectoral-expert, title: Protection Lead, email: expert@example.org,
     mobile: '+000 1000003', in_office_from: 2026-01-01}
""",
    SCPA: """\
# yaml-language-server: $schema=../../schemas/focal_points.schema.json
kind: focal_points
id: scpa
organization: Sample Child Protection Agency
people:
  - {id: xyz/scpa-primary, role: primary, title: Child Protection Lead, email: primary@scpa.example.org,
     mobile: '+000 2000001', in_office_from: 2026-01-01, in_office_until: 2027-12-31}
  - {id: xyz/scpa-secondary, role: secondary, title: Information Manager, email: secondary@scpa.example.org,
     mobile: '+000 2000002', in_office_from: 2026-01-01}
""",
    REQUEST: """\
# yaml-language-server: $schema=../../schemas/request.schema.json
kind: request
id: xyz/child-protection-request
organization: scpa
purpose: Plan child protection services per site
datasets: [xyz/site-assessment]
indicators: [site-id, district, child-headed-households]
state: approved
requested_on: 2026-09-01
decided_on: 2026-09-20
valid_from: 2026-10-01
valid_until: 2027-09-30
""",
    AGREEMENT: """\
# yaml-language-server: $schema=../../schemas/agreement.schema.json
kind: agreement
id: xyz/child-protection
organization: scpa
request: xyz/child-protection-request
signed: {iom: xyz/iom-primary, scpa: xyz/scpa-primary}
valid_from: 2026-10-01
valid_until: 2027-09-30
pathways:
  - urgency: low
    timeline: monthly
    share:
      - dataset: xyz/site-assessment
        indicators: [site-id, district, child-headed-households]
    destination: [xyz/scpa-primary]
    method: excel-email
  - urgency: medium
    timeline: within 2 days
    share:
      - dataset: xyz/site-assessment
        indicators: [site-id, child-headed-households]
    destination: [xyz/scpa-primary, xyz/scpa-secondary]
    method: document-email
""",
}


def sample_files() -> dict[str, bytes]:
    """Relative path -> bytes of one whole, valid policy folder."""
    return {path: text.encode() for path, text in _TEXTS.items()}


_MORE = {
    OVERLAY: """\
# yaml-language-server: $schema=../../schemas/overlay.schema.json
kind: overlay
id: xyz/tense
applies_to: {countries: [XYZ], operations: [xyz/earthquake]}
valid_from: 2026-11-01
valid_until: 2026-12-31
why: People are moved out of some sites.
tightens:
  # The indicators' files call both Public.
  - {indicator: feelings-of-safety, grain: site, level: Confidential, why: it reads as an accusation}
  - {indicator: feelings-of-safety, grain: admin3, level: Confidential, why: it reads as an accusation}
""",
    WAIVER: """\
# yaml-language-server: $schema=../../schemas/waiver.schema.json
kind: waiver
id: xyz/published
operation: xyz/earthquake
datasets: [xyz/site-assessment]
relaxes: ['overlay:xyz/tense/feelings-of-safety@site', 'indicator:security-actor@site']
level: Public
why: The ministry publishes who guards each site.
signatures: {coordinator: xyz/iom-primary, sectoral_expert: xyz/iom-protection-expert}
signed_on: 2026-10-20
valid_from: 2026-11-01
valid_until: 2026-11-30
""",
}


def whole_files() -> dict[str, bytes]:
    """The sample with an overlay and a waiver: a file of every kind."""
    return {**sample_files(), **{path: text.encode() for path, text in _MORE.items()}}


def another_organization(id_: str) -> bytes:
    """Table C of one more organization, whose people are others than those of the sample."""
    text = _TEXTS[SCPA].replace("scpa", id_).replace("Child Protection Agency", f"Agency {id_}")
    return text.replace("+000 2", "+000 3").encode()


def patched(files: Mapping[str, bytes], path: str, old: str, new: str) -> dict[str, bytes]:
    """A copy of ``files`` where ``old``, which must stand exactly once in ``path``, is ``new``."""
    text = files[path].decode()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}, not once"
    return {**files, path: text.replace(old, new).encode()}


def without(files: Mapping[str, bytes], *paths: str) -> dict[str, bytes]:
    """A copy of ``files`` that lacks ``paths``, each of which must be there."""
    assert set(paths) <= set(files), f"not all of {paths} are there"
    return {path: content for path, content in files.items() if path not in paths}


def sample_policy(files: Mapping[str, bytes] | None = None) -> Policy:
    """The policy that the texts make (the sample's, if none are given)."""
    from dtm_sharing import policy

    return policy.parse(sample_files() if files is None else files)


def write_policies(folder: Path, files: Mapping[str, bytes] | None = None) -> Path:
    """The folder with these files (the sample's, if none are given) written into it, and sealed.

    What is there already stays, and is sealed too. The files may be broken: ``dtm-sharing seal`` would not
    seal such a folder, but somebody may have copied one that is.
    """
    for name, content in (sample_files() if files is None else files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return sealed(folder)


def sealed(folder: Path) -> Path:
    """List the folder's policy files as they are, whether or not they load."""
    from dtm_sharing.stores import policies

    (folder / policies.SEAL).write_bytes(policies.sums(policies.read_files(folder)))
    return folder
