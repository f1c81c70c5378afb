"""Two tables of the made-up country that are harmless alone and Secret together, and who is to have them.

| table | has, besides the site's ID | scpa | other |
|---|---|---|---|
| xyz/demography | district, girls, boys | under ``MAY`` | |
| xyz/languages | language spoken at home | under ``JUNE`` | under ``OTHERS`` |

``MAY`` ends before ``JUNE`` begins: on paper nobody is to have both at once. Only the ledger knows that scpa
still holds the one when it is to get the other.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from dtm_sharing.model import Audience, Stage, TableRef, Urgency
from dtm_sharing.pipeline import Stores, admit
from support.policies import ASSESSMENT, GENERAL, RELATIONS, patched, sample_files

DEMOGRAPHY, LANGUAGES = "xyz/demography", "xyz/languages"
MAY = Audience("xyz/scpa-demography", Urgency.LOW)
JUNE = Audience("xyz/scpa-languages", Urgency.LOW)
OTHERS = Audience("xyz/other-languages", Urgency.LOW)
JUNE_BEGINS = "2026-12-01"

_RELATION = """\
  - id: ages-by-language
    groups:
      - [sex-and-age]
      - [language]
    keys: [site-id]
    grains: [site, household, individual]
    level: Secret
    why: A family that speaks another language is known by the ages of its children.
"""

_INDICATORS = """\
kind: indicators
id: population
title: Population
basis: 'Table A: site-level data that are not sensitive are Public'
levels: {national: Public, admin1: Public, admin2: Public, admin3: Public,
  site: Public, household: Confidential, individual: Confidential, incident: Secret}
indicators:
  - id: sex-and-age
    title: Displaced individuals by sex and age
    additive: true
  - id: language
    title: Language that most people of a site speak at home
  - id: idp-district
    title: District
    identifies: admin2
"""

_DATASET = """\
kind: dataset
id: {id}
title: {title}
operation: xyz/earthquake
component: SA
grain: site
key: [Site ID]
header_row: 1
encoding: utf-8
columns:
  - {{name: Site ID, indicator: site-id}}
{columns}
"""
_OF_DEMOGRAPHY = """\
  - {name: District, indicator: idp-district}
  - {name: Girls, indicator: sex-and-age}
  - {name: Boys, indicator: sex-and-age}"""
_OF_LANGUAGES = "  - {name: Language, indicator: language}"

_OTHER = """\
kind: focal_points
id: other
organization: Another Agency
people:
  - {id: xyz/other-primary, role: primary, title: Head of Programme, email: primary@other.example.org,
     mobile: '+000 3000001', in_office_from: 2026-01-01}
  - {id: xyz/other-secondary, role: secondary, title: Information Manager, email: second@other.example.org,
     mobile: '+000 3000002', in_office_from: 2026-01-01}
"""

_REQUEST = """\
kind: request
id: xyz/{name}-request
organization: {organization}
purpose: Plan services per site
datasets: [{dataset}]
indicators: [{indicators}]
state: approved
requested_on: 2026-09-01
decided_on: 2026-09-20
valid_from: {start}
valid_until: {end}
"""

_AGREEMENT = """\
kind: agreement
id: xyz/{name}
organization: {organization}
request: xyz/{name}-request
signed: {{iom: xyz/iom-primary, {organization}: xyz/{organization}-primary}}
valid_from: {start}
valid_until: {end}
pathways:
  - urgency: low
    timeline: monthly
    share:
      - dataset: {dataset}
        indicators: [{indicators}]
    destination: [xyz/{organization}-primary]
    method: excel-email
"""

_AGREED = {
    "scpa-demography": {
        "organization": "scpa",
        "dataset": DEMOGRAPHY,
        "indicators": "site-id, sex-and-age",
        "start": "2026-10-01",
        "end": "2026-11-30",
    },
    "scpa-languages": {
        "organization": "scpa",
        "dataset": LANGUAGES,
        "indicators": "site-id, language",
        "start": JUNE_BEGINS,
        "end": "2027-06-30",
    },
    "other-languages": {
        "organization": "other",
        "dataset": LANGUAGES,
        "indicators": "site-id, language",
        "start": "2026-10-01",
        "end": "2027-06-30",
    },
}


def related_files(*agreements: str, **changes: str) -> dict[str, bytes]:
    """The sample with these two tables, the relation, and the agreements of these names, or all of them.

    ``changes`` are of the span, organization or indicators of each of them.
    """
    relations = sample_files()[RELATIONS].decode() + _RELATION
    texts = {
        RELATIONS: relations,
        "indicators/population.yaml": _INDICATORS,
        "xyz/datasets/demography.yaml": _DATASET.format(
            id=DEMOGRAPHY, title="Demography", columns=_OF_DEMOGRAPHY
        ),
        "xyz/datasets/languages.yaml": _DATASET.format(
            id=LANGUAGES, title="Languages", columns=_OF_LANGUAGES
        ),
        "xyz/focal_points/other.yaml": _OTHER,
    }
    for name in agreements or _AGREED:
        said = _AGREED[name] | changes
        texts[f"xyz/requests/{name}.yaml"] = _REQUEST.format(name=name, **said)
        texts[f"xyz/agreements/{name}.yaml"] = _AGREEMENT.format(name=name, **said)
    assessed = patched(
        sample_files(),
        ASSESSMENT,
        "[xyz/site-assessment]",
        f"[xyz/site-assessment, {DEMOGRAPHY}, {LANGUAGES}]",
    )
    return {**assessed, **{path: text.encode() for path, text in texts.items()}}


def confidential_by_site(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files where counts by sex and age are not Public by site any more, and still by district.

    The ID of a site says there which site a row is of: without it nothing is summed up.
    """
    own = "levels: {national: Public, admin1: Public, admin2: Public, admin3: Public, site: Confidential}"
    own = f"{own}\n    basis: Few sites have many families"
    told = patched(files, GENERAL, "  - id: site-id\n", "  - id: site-id\n    identifies: site\n")
    return patched(told, "indicators/population.yaml", "additive: true", f"additive: true\n    {own}")


def demography() -> pd.DataFrame:
    """Two districts of three sites, and one that has a single site."""
    districts = ["North", "North", "North", "South", "South", "South", "East"]
    return pd.DataFrame(
        {
            "Site ID": [f"SS-{number:03}" for number in range(7)],
            "District": districts,
            "Girls": ["1", "2", "3", "10", "20", "1,030", "7"],
            "Boys": ["4", "5", "6", "0", "0", "0", "7"],
        },
        dtype="str",
    )


def languages() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Site ID": [f"SS-{number:03}" for number in range(7)],
            "Language": ["one", "two", "one", "one", "two", "one", "one"],
        },
        dtype="str",
    )


def admitted(stores: Stores, frame: pd.DataFrame, dataset: str, round_: str = "1") -> TableRef:
    """A table of the round taken in as cleaned."""
    ref, _ = admit(frame, dataset, Stage.CLEANED, round_, stores)
    return ref
