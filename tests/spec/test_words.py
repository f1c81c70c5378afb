"""Table A's words, and files that do not load: DESIGN 3, rules 1 and 12, as tables to read and correct."""

from __future__ import annotations

import pytest

from dtm_sharing import policy
from dtm_sharing.errors import PolicyInvalid
from dtm_sharing.model import Grain
from support.policies import (
    AGREEMENT,
    ASSESSMENT,
    DATASET,
    IOM,
    OPERATION,
    PROTECTION,
    RELATIONS,
    patched,
    sample_files,
)
from support.tables import Row, name, rows

# Table A's row Confidential has the alias "protected", and Secret the aliases "restricted", "personal" and
# "confidential", each bound to the scheme "other-agencies".
WORDS = """
| word in a policy file       | is read as   | or is refused, because        |
|-----------------------------|--------------|-------------------------------|
| Public                      | Public       | -                             |
| Confidential                | Confidential | -                             |
| Secret                      | Secret       | -                             |
| protected                   | Confidential | -                             |
| restricted                  | Secret       | -                             |
| personal                    | Secret       | -                             |
| other-agencies:protected    | Confidential | -                             |
| other-agencies:confidential | Secret       | -                             |
| confidential                | -            | means Secret to some agencies |
| CONFIDENTIAL                | -            | means Secret to some agencies |
| secret                      | -            | is not a level                |
| internal                    | -            | is not a level                |
| none                        | -            | is not a level                |
| other-agencies:internal     | -            | has no word                   |
| ocha:confidential           | -            | there is no naming scheme     |
"""

# One file of a sound folder is changed as the first column says.
FAULTS = """
| a file in which                                    | is refused, because                         |
| -------------------------------------------------- | ------------------------------------------- |
| a key is misspelled                                | 'contxt' is not a key                       |
| a key that nobody knows was added                  | 'urgent' is not a key                       |
| a key stands twice                                 | the key 'context' stands twice              |
| a value was forgotten                              | 'country' is empty                          |
| a date does not exist                              | is not a date                               |
| a relation names an indicator that is not declared | there is no indicator 'feeling-of-safety'   |
| the risk of not sharing was not weighed            | weighs both the risk of sharing             |
| the assessment was made after collection began     | is made before collection begins            |
| one person assesses twice                          | needs two people                            |
| an assessor had left                               | was not in office                           |
| an assessment lowers a level                       | would lower it                              |
| one side has not signed the agreement              | the signature of 'scpa' is missing          |
| an agreement shares what was not asked for         | is not in the request                       |
| an agreement shares something Secret               | Secret enters no pathway                    |
| an agreement is of high urgency                    | high urgency is a referral                  |
"""

TIGHTENS = "levels: [{indicator: child-headed-households, grain: site, level: Public, why: none}]\n"
CHANGES = {
    "a key is misspelled": (OPERATION, "context: disaster", "contxt: disaster"),
    "a key that nobody knows was added": (OPERATION, "context: disaster", "context: disaster\nurgent: yes"),
    "a key stands twice": (OPERATION, "context: disaster", "context: disaster\ncontext: conflict"),
    "a value was forgotten": (OPERATION, "country: XYZ", "country:"),
    "a date does not exist": (OPERATION, "2027-12-31", "2027-02-30"),
    "a relation names an indicator that is not declared": (
        RELATIONS,
        "[feelings-of-safety]",
        "[feeling-of-safety]",
    ),
    "the risk of not sharing was not weighed": (
        ASSESSMENT,
        "risk_of_not_sharing: Children do not reach a service in time.\n",
        "",
    ),
    "the assessment was made after collection began": (
        ASSESSMENT,
        "assessed_on: 2026-09-15",
        "assessed_on: 2026-10-02",
    ),
    "one person assesses twice": (
        ASSESSMENT,
        "sectoral_expert: xyz/iom-protection-expert",
        "sectoral_expert: xyz/iom-primary",
    ),
    "an assessor had left": (
        IOM,
        "mobile: '+000 1000003', in_office_from: 2026-01-01",
        "mobile: '+000 1000003', in_office_from: 2026-01-01, in_office_until: 2026-09-14",
    ),
    "an assessment lowers a level": (ASSESSMENT, "risk_of_sharing:", f"{TIGHTENS}risk_of_sharing:"),
    "one side has not signed the agreement": (AGREEMENT, ", scpa: xyz/scpa-primary", ""),
    "an agreement shares what was not asked for": (
        AGREEMENT,
        "[site-id, district, child-headed-households]",
        "[site-id, district, child-headed-households, site-type]",
    ),
    "an agreement shares something Secret": (
        DATASET,
        "    indicator: child-headed-households\n",
        "    indicator: child-headed-households\n  - name: Phone\n    indicator: contact-phone\n",
    ),
    "an agreement is of high urgency": (AGREEMENT, "urgency: medium", "urgency: high"),
}


def refusal(files: dict[str, bytes]) -> str:
    with pytest.raises(PolicyInvalid) as refused:
        policy.parse(files)
    return str(refused.value)


@pytest.mark.parametrize("row", rows(WORDS), ids=name)
def test_other_agencies_words_are_bound_to_their_scheme(row: Row) -> None:
    """A word of another agency is read as the level that it means there; a bare "confidential" is a trap."""
    word = row["word in a policy file"]
    files = patched(sample_files(), PROTECTION, "site: Public, household", f"site: '{word}', household")
    if row["is read as"]:
        levels = policy.parse(files).indicators["feelings-of-safety"].levels
        assert levels[Grain.SITE].label == row["is read as"]
    else:
        assert row["or is refused, because"] in refusal(files)


@pytest.mark.parametrize("row", rows(FAULTS), ids=name)
def test_a_file_with_a_fault_stops_everything_and_the_fault_is_named(row: Row) -> None:
    """One fault in one file, and the whole folder does not load: a rule that is half read is no rule."""
    file, old, new = CHANGES[row["a file in which"]]
    files = patched(sample_files(), file, old, new)
    if row["a file in which"] == "an agreement shares something Secret":
        for path in (AGREEMENT, "xyz/requests/child-protection.yaml"):
            old = "indicators: [site-id, district, child-headed-households]"
            files = patched(files, path, old, old.replace("district", "contact-phone"))
    assert row["is refused, because"] in refusal(files)
