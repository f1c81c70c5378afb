"""Who signs an assessment or a waiver: the DTM Coordinator and a sectoral expert, two people in office.

Guideline, Risk assessment, *Who*: the Coordinator is IOM's; the expert is IOM's or the requesting
organization's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import date

from dtm_sharing.model import IOM, Role
from dtm_sharing.policy.files import AssessorsPart, PersonPart, SignaturesPart
from dtm_sharing.policy.index import Index
from dtm_sharing.policy.problems import Problem, quoted
from dtm_sharing.policy.shape import Document
from dtm_sharing.policy.spans import both, in_office


def problems(
    document: Document, key: str, signers: AssessorsPart | SignaturesPart, day: date | None, index: Index
) -> Iterator[Problem]:
    """What is wrong with the two people under ``key``, who sign on ``day``."""
    known = {
        role: index.people[name][1]
        for role in ("coordinator", "sectoral_expert")
        if (name := getattr(signers, role)) in index.people
    }
    if both(signers.coordinator, signers.sectoral_expert) and (
        signers.coordinator == signers.sectoral_expert or _are_one_person(*known.values())
    ):
        sentence = (
            "the coordinator and the sectoral expert are the same person; "
            f"{_A[document.kind]} needs two people"
        )
        yield document.problem((key, "sectoral_expert"), sentence)
    elif (expert := known.get("sectoral_expert")) and expert.role not in (Role.SECTORAL_EXPERT, None):
        sentence = (
            f"{quoted(expert.id)} has the role {expert.role}; here stands one with the role sectoral-expert"
        )
        yield document.problem((key, "sectoral_expert"), sentence)
    if index.is_stranger(signers.coordinator, IOM):
        sentence = (
            f"{quoted(signers.coordinator)} is no focal point of {quoted(IOM)}; the coordinator is IOM's"
        )
        yield document.problem((key, "coordinator"), sentence)
    for role, person in known.items():
        if day and not in_office(person, day):
            sentence = f"{quoted(person.id)} was not in office on {day}"
            yield document.problem((key, role), sentence)


def _are_one_person(*people: PersonPart) -> bool:
    """Whether two entries share what only one person has. What that is, no sentence says."""
    known = [(_folded(each.email), _number(each.mobile), _folded(each.name)) for each in people]
    return any(any(same) and len(set(same)) < len(same) for same in zip(*known, strict=True))


def _folded(text: str | None) -> str:
    return " ".join(unicodedata.normalize("NFKC", text or "").casefold().split())


def _number(text: str | None) -> str:
    """The digits that count: a number is written with + or 00, with blanks and hyphens or without."""
    return re.sub(r"\D", "", unicodedata.normalize("NFKC", text or "")).lstrip("0")


_A = {"assessment": "an assessment", "waiver": "a waiver"}
