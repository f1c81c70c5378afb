"""Who signs: an assessment or a waiver the DTM Coordinator and a sectoral expert, an agreement both sides.

Guideline, Risk assessment, *Who*: the Coordinator is IOM's; the expert is IOM's or the requesting
organization's. In Table C the Coordinator is IOM's primary focal point, and the secondary stands in where
nobody is primary. They are two people in office. That is a check against mistakes, such as an entry that was
copied: who writes somebody else's name, address and number passes as somebody else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date

from dtm_sharing.model import IOM, Role, Source, country_of
from dtm_sharing.policy.files import AssessorsPart, FocalPointsFile, PersonPart, SignaturesPart
from dtm_sharing.policy.index import Index
from dtm_sharing.policy.problems import Problem, quoted
from dtm_sharing.policy.shape import Document, Path
from dtm_sharing.policy.spans import both, in_office, overlap


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
    elif "coordinator" in known:
        yield from _no_coordinator(document, (key, "coordinator"), known["coordinator"], day, index)
    for role, person in known.items():
        if day and not in_office(person, day):
            sentence = f"{quoted(person.id)} was not in office on {day}"
            yield document.problem((key, role), sentence)


def _no_coordinator(
    document: Document, path: Path, person: PersonPart, day: date | None, index: Index
) -> Iterator[Problem]:
    """What is wrong with a focal point of IOM who signs as the coordinator."""
    if person.role is Role.SECTORAL_EXPERT:
        sentence = (
            f"{quoted(person.id)} has the role {person.role}; the coordinator is IOM's primary focal point, "
            "or the secondary while nobody is primary"
        )
        yield document.problem(path, sentence)
    elif person.role is Role.SECONDARY and day:
        for organization, other in index.people.values():
            if (organization, other.role) == (IOM, Role.PRIMARY) and _replaces(other, person, day):
                sentence = (
                    f"{quoted(person.id)} has the role {person.role}, and signs as the coordinator only "
                    f"while nobody is primary; {quoted(other.id)} was in office on {day}"
                )
                yield document.problem(path, sentence)
                return


def _replaces(other: PersonPart, person: PersonPart, day: date) -> bool:
    """Whether it is somebody of the same country, who was in office."""
    return (
        both(other.id, person.id) and country_of(other.id) == country_of(person.id) and in_office(other, day)
    )


def both_sides(document: Document, path: Path, signed: Mapping[str, str], index: Index) -> Iterator[Problem]:
    """What is wrong where one person signs for both sides of an agreement; ``signed`` as in its file."""
    named = {name: side for side, name in signed.items() if name in index.people}
    if len(named) == _TWO and _are_one_person(*(index.people[each][1] for each in named)):
        sentence = "the same person signs for both sides; an agreement needs one of each"
        yield document.problem((*path, next(each for each in named.values() if each != IOM)), sentence)


def elsewhere(document: Document, part: FocalPointsFile, index: Index) -> Iterator[Problem]:
    """Who is a focal point of another organization too, of a file before this one, at the same time.

    What one organization may not have beside what it holds could reach the mailbox through the other. A name
    does not count: in two organizations two people may share it.
    """
    everyone = index.once(_by_where_reached)
    for position, person in enumerate(part.people or ()):
        for at, organization, other in _earlier(person, everyone):
            if both(part.id, organization) and part.id != organization and _at_once(person, other):
                sentence = (
                    "the same person, by address or number, is a focal point of "
                    f"{quoted(organization)} ({at}) on some of the same days; what the one may not have "
                    "beside the other's would be in one mailbox"
                )
                yield document.problem(("people", position), sentence)
                break


def _earlier(person: PersonPart, everyone: Mapping[_Own, list[_Entry]]) -> Iterator[_Entry]:
    for own in _reached_at(person):
        for entry in everyone[own]:
            if entry[2] is person:
                break
            yield entry


def _at_once(one: PersonPart, other: PersonPart) -> bool:
    return overlap((one.in_office_from, one.in_office_until), (other.in_office_from, other.in_office_until))


def _by_where_reached(index: Index) -> dict[_Own, list[_Entry]]:
    """Where only one person is reached → the entries that have it, in order of file."""
    found: dict[_Own, list[_Entry]] = {}
    for document, part in index.tables_c:
        for position, person in enumerate(part.people or ()):
            for own in _reached_at(person):
                found.setdefault(own, []).append((document.at("people", position), part.id, person))
    return found


# ---------------------------------------------------------------------------------------- one person or two


def _are_one_person(*people: PersonPart) -> bool:
    """Whether two entries share what only one person has. What that is, no sentence says."""
    known = [own for each in people for own in _theirs(each)]
    return len(set(known)) < len(known)


_Own = tuple[int, object]  # which of the three below, and what the entry gives
_Entry = tuple[Source, str | None, PersonPart]  # where it stands, of which organization
_NAME = 2


def _theirs(person: PersonPart) -> list[_Own]:
    """What only one person has: an address, a number, a name."""
    own = (_address(person.email), _number(person.mobile), _name(person.name))
    return [each for each in enumerate(own) if each[1]]


def _reached_at(person: PersonPart) -> list[_Own]:
    return [each for each in _theirs(person) if each[0] != _NAME]


def _plain(text: str | None) -> str:
    """Without accents and what nobody sees, in small letters. Signs that are vowels, as in Nepali, stay."""
    folded = unicodedata.normalize("NFKD", text or "").casefold()
    return "".join(
        each for each in folded if not unicodedata.combining(each) and unicodedata.category(each) != "Cf"
    )


def _name(text: str | None) -> tuple[str, ...]:
    """The words of a name in an order of their own, for families come first or last; without titles."""
    words = "".join(" " if unicodedata.category(each)[0] == "P" else each for each in _plain(text)).split()
    return tuple(sorted(each for each in words if each not in _TITLES))


def _address(text: str | None) -> str:
    """What comes after a + before the @ only sorts the mail of one mailbox."""
    return re.sub(r"\+[^@]*@", "@", _plain(text))


def _number(text: str | None) -> str:
    """The last digits: a number is written with its country's before it, after + or 00, or without."""
    digits = "".join(str(unicodedata.decimal(each)) for each in _plain(text) if each.isdecimal())
    return digits.lstrip("0")[-_DIGITS:]


_TWO = 2
_DIGITS = 8  # of a mobile number in most countries the part that is somebody's own is this long, or longer
_TITLES = frozenset(
    ("mr", "mrs", "ms", "miss", "mx", "dr", "prof", "eng", "mme", "mlle", "sr", "sra", "srta")
)
_A = {"assessment": "an assessment", "waiver": "a waiver"}
