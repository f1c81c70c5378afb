"""What each file must be, by itself and to the others. Each check yields every problem that it finds.

Where a file has a fault of shape, the values that do not fit are None; a check then looks at what is left,
and says nothing that the fault itself already says.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from dtm_sharing.model import PUBLIC, Level, RequestState, Role, Source, country_of
from dtm_sharing.policy import agreements, signers, tighter, waivers
from dtm_sharing.policy.files import (
    AssessmentFile,
    ClassificationFile,
    DatasetFile,
    FocalPointsFile,
    IndicatorsFile,
    OperationFile,
    PersonPart,
    RelationsFile,
    RequestFile,
    continuation_key,
)
from dtm_sharing.policy.index import Index
from dtm_sharing.policy.problems import Problem, did_you_mean, quoted
from dtm_sharing.policy.shape import Document, Path
from dtm_sharing.policy.spans import both, in_order, overlap
from dtm_sharing.policy.tighter import only_raise
from dtm_sharing.policy.waivers import of_this_operation
from dtm_sharing.policy.words import OURS


def problems(document: Document, index: Index) -> Iterator[Problem]:
    """Everything that is wrong in one document, by itself and beside what the others name."""
    check = _CHECKS.get(document.kind)
    return check(document, document.part, index) if check else iter(())


# ---------------------------------------------------------------------------------- kind by kind


def _classification(document: Document, part: ClassificationFile, _index: Index) -> Iterator[Problem]:
    if part.levels is None:
        return
    rows: list[str] = [row.level for row in part.levels]
    for position, level in enumerate(rows):
        if level and level in rows[:position]:
            yield document.problem(("levels", position, "level"), f"the level {quoted(level)} stands twice")
    if None not in rows:
        for level in OURS:
            if level not in rows:
                yield document.problem_at_key(
                    ("levels",), f"the level {quoted(level)} is missing from Table A"
                )
    yield from _one_meaning(document, part)


def _one_meaning(document: Document, part: ClassificationFile) -> Iterator[Problem]:
    """A word means one level in a scheme, in whatever case it is written."""
    first: dict[tuple[str, str], str] = {}
    for position, row in enumerate(part.levels):
        for scheme, words in (row.aliases or {}).items():
            for item, word in enumerate(words):
                other = first.setdefault((scheme, word.casefold()), row.level)
                if other != row.level:
                    path = ("levels", position, "aliases", scheme, item)
                    yield document.problem(
                        path, f"{quoted(word)} already means {other} in the scheme {quoted(scheme)}"
                    )


def _indicators(document: Document, part: IndicatorsFile, _index: Index) -> Iterator[Problem]:
    for position, each in enumerate(part.indicators or ()):
        if each.levels and "basis" not in document.data["indicators"][position]:
            sentence = "an indicator with levels of its own gives its 'basis' too"
            yield document.problem_at_key(("indicators", position, "levels"), sentence)


def _relations(document: Document, part: RelationsFile, index: Index) -> Iterator[Problem]:
    for position, each in enumerate(part.relations or ()):
        if each.level and index.words.level(each.level) is Level.PUBLIC:
            sentence = "a relation that asks for Public makes nothing stricter; write Confidential or Secret"
            yield document.problem(("relations", position, "level"), sentence)
        lines: dict[frozenset[str], int] = {}
        for item, group in enumerate(each.groups or ()):
            path = ("relations", position, "groups", item)
            line = document.at(*path).line
            if frozenset(group) in lines:
                sentence = f"this group stands twice; the first is on line {lines[frozenset(group)]}"
                yield document.problem(path, sentence)
            lines.setdefault(frozenset(group), line)


def _operation(document: Document, part: OperationFile, _index: Index) -> Iterator[Problem]:
    """Ids begin with the country: see ``_dataset``."""
    yield from in_order(document, part, (), "valid_from", "valid_until")
    if both(part.id, part.country) and country_of(part.id) != part.country.lower():
        sentence = f"the id of an operation in {part.country} begins with '{part.country.lower()}/'"
        yield document.problem(("id",), sentence)


def _dataset(document: Document, part: DatasetFile, index: Index) -> Iterator[Problem]:
    """Tables join within a country, and the ledger knows a table's country by its dataset's id."""
    if part.operation in index.operations and part.id:
        country = country_of(part.operation)
        if country_of(part.id) != country:
            sentence = f"the id of a dataset of {quoted(part.operation)} begins with '{country}/'"
            yield document.problem(("id",), sentence)
    yield from _columns(document, part)
    names = [each.name for each in part.columns or () if each.name]
    for key in ("key", "drop_at_collection") if part.columns is not None else ():
        for item, name in enumerate(getattr(part, key) or ()):
            if name not in names:
                yield document.problem(
                    (key, item),
                    f"there is no column {quoted(name)} in this dataset{did_you_mean(name, names)}",
                )
    for item, name in enumerate(part.drop_at_collection or ()):
        if name in (part.key or ()):
            sentence = (
                f"the column {quoted(name)} is a part of the key, so it cannot go at collection: without it, "
                f"nobody sees that several rows are of one {part.grain or 'unit'}"
            )
            yield document.problem(("drop_at_collection", item), sentence)


def _columns(document: Document, part: DatasetFile) -> Iterator[Problem]:
    first: dict[tuple[str, ...], tuple[int, int]] = {}  # header -> position of its column, line
    for header, position, path in _headers(part):
        line = document.at(*path).line
        column, at_line = first.setdefault(_folded(header), (position, line))
        if column != position:
            sentence = f"the column {quoted(header)} is declared twice; the first is on line {at_line}"
            yield document.problem(path, sentence)
    for position, each in enumerate(part.columns or ()):
        for item, header in enumerate(each.continued_by or ()):
            path = ("columns", position, "continued_by", item)
            if _folded(header) in first:
                line = first[_folded(header)][1]
                yield document.problem(
                    path,
                    f"{quoted(header)} is also a column, on line {line}; it cannot be a continuation too",
                )
    yield from _known_by_question(document, part, {header: line for header, (_, line) in first.items()})


def _known_by_question(
    document: Document, part: DatasetFile, columns: dict[tuple[str, ...], int]
) -> Iterator[Problem]:
    """Behind its question a continuation has a name of its own, and takes any header that reads the same."""
    continuations = [
        (column.name, header, ("columns", position, "continued_by", item))
        for position, column in enumerate(part.columns or ())
        for item, header in enumerate(column.continued_by or ())
    ]
    plain = {_folded(header): document.at(*path).line for _, header, path in reversed(continuations)}
    first: dict[tuple[str, ...], tuple[str, int]] = {}  # its whole name -> its question, line
    for question, header, path in continuations:
        if question is None:
            continue
        name = continuation_key(question, header)
        asked, at_line = first.setdefault(_folded(name), (question, document.at(*path).line))
        if line := columns.get(_folded(name)):
            sentence = (
                f"this continuation is known as {quoted(name)}, which is also a column, on line {line}; it "
                "cannot be a continuation too"
            )
            yield document.problem(path, sentence)
        elif line := plain.get(_folded(name)) or (at_line if asked != question else None):
            sentence = (
                f"this continuation is known as {quoted(name)}, and so is the one on line {line}; one header "
                "cannot be a continuation of two questions"
            )
            yield document.problem(path, sentence)


def _headers(part: DatasetFile) -> Iterator[tuple[str, int, Path]]:
    for position, each in enumerate(part.columns or ()):
        if each.name:
            yield each.name, position, ("columns", position, "name")
        for item, spelling in enumerate(each.spellings or ()):
            yield spelling, position, ("columns", position, "spellings", item)


def _folded(header: str) -> tuple[str, ...]:
    """Headers that look the same are the same: Unicode NFC, any run of blanks is one, case does not count."""
    small = unicodedata.normalize("NFC", header).casefold()
    return tuple(unicodedata.normalize("NFC", small).split())


def _assessment(document: Document, part: AssessmentFile, index: Index) -> Iterator[Problem]:
    yield from signers.problems(document, "assessors", part.assessors, part.assessed_on, index)
    if both(part.assessed_on, part.collection_begins) and part.assessed_on >= part.collection_begins:
        sentence = "an assessment is made before collection begins; this one is not"
        yield document.problem(("assessed_on",), sentence)
    if both(part.assessed_on, part.review_by) and part.review_by <= part.assessed_on:
        yield document.problem(("review_by",), "'review_by' is not after 'assessed_on'")
    operation = index.operations.get(part.operation)
    if operation and both(part.country, operation.country) and part.country != operation.country:
        sentence = f"the operation {quoted(operation.id)} is in {operation.country}, not in {part.country}"
        yield document.problem(("country",), sentence)
    yield from of_this_operation(document, part.operation, part.datasets, index)
    yield from only_raise(document, part.levels, "levels", index)


def _focal_points(document: Document, part: FocalPointsFile, index: Index) -> Iterator[Problem]:
    if part.id == str(PUBLIC):
        sentence = f"{quoted(part.id)} is what the ledger calls everyone; give the organization another id"
        yield document.problem(("id",), sentence)
    if part.organization:
        first = index.once(_by_organization)[_folded(part.organization)]
        if first.file != document.file:
            sentence = f"an organization of this name is declared twice; the first is in {first}"
            yield document.problem(("organization",), sentence)
    roles = [person.role for person in part.people or ()]
    for role in (Role.PRIMARY, Role.SECONDARY):
        if part.people is not None and None not in roles and role not in roles:
            sentence = f"no focal point has the role {role}; Table C needs a primary and a secondary"
            yield document.problem_at_key(("people",), sentence)
    for position, person in enumerate(part.people or ()):
        yield from in_order(document, person, ("people", position), "in_office_from", "in_office_until")
    yield from _one_primary(document, part)
    yield from signers.elsewhere(document, part, index)


def _by_organization(index: Index) -> dict[tuple[str, ...], Source]:
    """Name → where the first file has it."""
    found: dict[tuple[str, ...], Source] = {}
    for document, part in index.tables_c:
        if part.organization:
            found.setdefault(_folded(part.organization), document.at("organization"))
    return found


def _one_primary(document: Document, part: FocalPointsFile) -> Iterator[Problem]:
    """In each country, the first part of a focal point's id. A time without a primary is no fault here."""
    last: dict[str, tuple[int, PersonPart]] = {}  # country -> of those so far, the one in office longest
    people = [
        each
        for each in enumerate(part.people or ())
        if each[1].role is Role.PRIMARY and each[1].id and each[1].in_office_from
    ]
    for position, person in sorted(people, key=lambda each: (each[1].in_office_from, each[0])):
        country, span = country_of(person.id), (person.in_office_from, person.in_office_until)
        at, other = last.get(country, (position, person))
        if other is not person and overlap(span, (other.in_office_from, other.in_office_until)):
            sentence = (
                f"{quoted(person.id)} is primary while {quoted(other.id)} still is (line "
                f"{document.at('people', at).line}); end the one the day before the other begins"
            )
            yield document.problem(("people", position), sentence)
        if (person.in_office_until or date.max) >= (other.in_office_until or date.max):
            last[country] = position, person
        else:
            last[country] = at, other


# Which keys a request must have, and must not have, in each state.
_NEEDS: dict[RequestState, tuple[str, ...]] = {
    RequestState.APPROVED: ("decided_on", "valid_from", "valid_until"),
    RequestState.REFUSED: ("decided_on", "reason"),
    RequestState.REVOKED: ("reason",),
}
_EXCLUDES: dict[RequestState, tuple[str, ...]] = {
    RequestState.REQUESTED: ("decided_on", "valid_from", "valid_until", "reason"),
    RequestState.APPROVED: ("reason",),
    RequestState.REFUSED: ("valid_from", "valid_until"),
    RequestState.EXPIRED: ("reason",),
}


def _request(document: Document, part: RequestFile, _index: Index) -> Iterator[Problem]:
    if part.state:
        for key in _NEEDS.get(part.state, ()):
            if key not in document.data:
                sentence = f"a request in state '{part.state}' needs {quoted(key)}; it is missing"
                yield document.problem(("state",), sentence)
        for key in _EXCLUDES.get(part.state, ()):
            if key in document.data:
                sentence = f"a request in state '{part.state}' has no {quoted(key)}; remove it"
                yield document.problem_at_key((key,), sentence)
    yield from in_order(document, part, (), "requested_on", "decided_on")
    yield from in_order(document, part, (), "valid_from", "valid_until")


_CHECKS: dict[str, Callable[[Document, Any, Index], Iterator[Problem]]] = {
    "classification": _classification,
    "indicators": _indicators,
    "relations": _relations,
    "operation": _operation,
    "dataset": _dataset,
    "assessment": _assessment,
    "focal_points": _focal_points,
    "request": _request,
    "agreement": agreements.problems,
    "overlay": tighter.problems,
    "waiver": waivers.problems,
}
