"""Which kind of problem a sentence tells of: what reports for other programs group problems by.

The kinds are few and keep their names; the sentences may be reworded. ``tests/unit/test_kinds.py`` asks for
a kind of its own for every bad input that the tests of the policy know.
"""

from __future__ import annotations

import re
from typing import NamedTuple

OTHER = "policy"


class Kind(NamedTuple):
    id: str
    meaning: str
    pattern: str


# In order: the first that fits counts. What a sentence quotes is taken out before.
KINDS = (
    Kind(
        "not-yaml",
        "The text is not the YAML that policy files are written in.",
        r"a tab stands here|not YAML|is not UTF-8|'' cannot stand|is missing (in this|after)"
        r"|cannot begin with|(tags|aliases|directives) \(|a second document|a key must be one plain word"
        r"|nested too deeply|cannot be printed|a quote is opened|no known escape"
        r"|does not fit what stands|this file is empty",
    ),
    Kind("seal", "The folder is not what was reviewed and sealed.", r"SHA256SUMS|dtm-sharing seal|sha256sum"),
    Kind(
        "not-read",
        "A file cannot be read, or is no policy file by its name.",
        r"can(not)? be read|file's name (ends|is)|is not followed",
    ),
    Kind(
        "secret",
        "Secret enters no pathway, and high urgency is a referral, outside the guideline.",
        r"^high urgency|^Secret enters no pathway",
    ),
    Kind("duplicate", "Something is named or declared twice.", r"stands? twice|is used twice|declared twice"),
    Kind(
        "contradiction",
        "Two files, or two parts of one, contradict each other.",
        r"already means|cannot be a continuation|a second pathway|a folder has one|contradict|cycle|circle"
        r"|builds on itself|is relaxed by the waiver|end the one the day before"
        r"|cannot go at collection|in one mailbox|a level here already|a case of this name|is declared$"
        r"|says nothing of what is held|makes nothing stricter",
    ),
    Kind("unknown-key", "A key is not one of its kind of file.", r"is (not a|no) key of|is no mapping"),
    Kind("unknown-kind", "A file's kind is missing or unknown.", r"of policy file|is missing; write one of"),
    Kind(
        "level-word",
        "A word is no level of Table A, or could mean another.",
        r"means Secret to some|is not a level|^the scheme ''|is a word of .* name one",
    ),
    Kind(
        "only-tightens",
        "Overlays and assessments only raise a level; a waiver lowers only what it may.",
        r"only raises|has no level to raise|would lower|is not lower|relaxes nothing|asks for Secret",
    ),
    Kind(
        "signatures",
        "Those who signed or assessed are not the right people, or not two.",
        r"same person|in office|signed by both|no side of this agreement|with another organization|two people"
        r"|signs? for|has the role|signature",
    ),
    Kind(
        "dates",
        "A date is none, or in the wrong order.",
        r"is not a date|whole day|is before ''|is (not )?after|before collection begins",
    ),
    Kind(
        "unknown-name",
        "A name refers to nothing.",
        r"^there is no |keeps no column|is no focal point of|has no column of|is no audience|has no pathway",
    ),
    Kind(
        "table-b",
        "A request or an agreement does not fit Tables B and C of the guideline.",
        r"\(Table B\)|not in the request|is a request of|a request in state|calls everyone|Table C",
    ),
    Kind(
        "wrong-place",
        "Something belongs to another country or operation.",
        r"belongs to|tighten nothing|has no part in|, not in [A-Z]|begins with",
    ),
    Kind(
        "missing",
        "Something that must be there is missing or empty.",
        r"is missing|is empty|needs (at least|'')|gives its ''|no file has|nothing is expected"
        r"|there is no policy file|at least one|gives either",
    ),
    Kind(
        "wrong-value",
        "A value is not what its key needs.",
        r"must be |is not an? |is not one |is not what this key needs",
    ),
)
_QUOTED = re.compile(r"(?<!\w)'.*?'(?!\w)")


def kind_of(sentence: str) -> str:
    """The id of the kind; ``OTHER`` where none fits."""
    plain = _QUOTED.sub("''", sentence)
    return next((each.id for each in KINDS if re.search(each.pattern, plain)), OTHER)


def meanings() -> dict[str, str]:
    """Id of each kind → what it means."""
    return {**{each.id: each.meaning for each in KINDS}, OTHER: "Another problem of a policy file."}
