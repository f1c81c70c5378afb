"""What each file must be, by itself and to the others. Each check yields every problem that it finds.

Where a file has a fault of shape, the values that do not fit are None; a check then looks at what is left,
and says nothing that the fault itself already says.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any

from dtm_sharing.model import PUBLIC, Level, Method, RequestState, Role, Urgency
from dtm_sharing.policy.files import (
    AgreementFile,
    AssessmentFile,
    ClassificationFile,
    DatasetFile,
    FocalPointsFile,
    IndicatorsFile,
    OperationFile,
    PathwayPart,
    PersonPart,
    RequestFile,
    SharePart,
    TighteningPart,
)
from dtm_sharing.policy.index import Index
from dtm_sharing.policy.problems import Problem, did_you_mean, quoted
from dtm_sharing.policy.shape import Document, Path
from dtm_sharing.policy.words import OURS

IOM = "iom"  # the side that shares: every agreement has its signature


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
    """A word means one level in a scheme."""
    first: dict[tuple[str, str], str] = {}
    for position, row in enumerate(part.levels):
        for scheme, words in (row.aliases or {}).items():
            for item, word in enumerate(words):
                other = first.setdefault((scheme, word), row.level)
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


def _operation(document: Document, part: OperationFile, index: Index) -> Iterator[Problem]:
    yield from _in_order(document, part, (), "valid_from", "valid_until")
    yield from _only_raise(document, part.tightens, "tightens", index)


def _only_raise(
    document: Document, tightenings: Iterable[TighteningPart] | None, key: str, index: Index
) -> Iterator[Problem]:
    """An overlay can only tighten (DESIGN §3.3); it cannot decide what the family left undecided either."""
    for position, each in enumerate(tightenings or ()):
        level = index.words.level(each.level) if each.level else None
        if not isinstance(level, Level) or each.indicator not in index.levels or each.grain is None:
            continue
        levels = index.levels[each.indicator]
        base = levels.get(each.grain)
        what = f"{quoted(each.indicator)} at grain {each.grain}"
        if each.grain not in levels:
            sentence = f"{what} has no level to raise; give it one in its indicators file"
            yield document.problem((key, position, "grain"), sentence)
        elif base is not None and level < base:
            sentence = f"{what} is {base.label}, and {level.label} would lower it; a tightening only raises"
            yield document.problem((key, position, "level"), sentence)


def _dataset(document: Document, part: DatasetFile, _index: Index) -> Iterator[Problem]:
    first: dict[str, tuple[int, int]] = {}  # header -> position of its column, line
    for header, position, path in _headers(part):
        line = document.at(*path).line
        column, at_line = first.setdefault(_folded(header), (position, line))
        if column != position or (path[-1] == "name" and at_line != line):
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
    names = [each.name for each in part.columns or () if each.name]
    for key in ("key", "drop_at_collection") if part.columns is not None else ():
        for item, name in enumerate(getattr(part, key) or ()):
            if name not in names:
                yield document.problem(
                    (key, item),
                    f"there is no column {quoted(name)} in this dataset{did_you_mean(name, names)}",
                )


def _headers(part: DatasetFile) -> Iterator[tuple[str, int, Path]]:
    for position, each in enumerate(part.columns or ()):
        if each.name:
            yield each.name, position, ("columns", position, "name")
        for item, spelling in enumerate(each.spellings or ()):
            yield spelling, position, ("columns", position, "spellings", item)


def _folded(header: str) -> str:
    """Headers that look the same are the same: Unicode NFC, any run of blanks is one, case does not count."""
    return " ".join(unicodedata.normalize("NFC", header).casefold().split())


def _assessment(document: Document, part: AssessmentFile, index: Index) -> Iterator[Problem]:
    yield from _signed_by_two(document, part, index)
    if _both(part.assessed_on, part.collection_begins) and part.assessed_on >= part.collection_begins:
        sentence = "an assessment is made before collection begins; this one is not"
        yield document.problem(("assessed_on",), sentence)
    if _both(part.assessed_on, part.review_by) and part.review_by <= part.assessed_on:
        yield document.problem(("review_by",), "'review_by' is not after 'assessed_on'")
    for item, name in enumerate(part.datasets or ()):
        dataset = index.datasets.get(name)
        if dataset and len(index.operations.keys() & {part.operation, dataset.operation}) > 1:
            sentence = f"{quoted(name)} belongs to the operation {quoted(dataset.operation)}, not to this one"
            yield document.problem(("datasets", item), sentence)
    yield from _only_raise(document, part.levels, "levels", index)


def _signed_by_two(document: Document, part: AssessmentFile, index: Index) -> Iterator[Problem]:
    signed = part.assessors
    pair = [index.people.get(each) for each in (signed.coordinator, signed.sectoral_expert) if each]
    emails = [each[1].email.casefold() for each in pair if each and each[1].email]
    if _both(signed.coordinator, signed.sectoral_expert) and (
        signed.coordinator == signed.sectoral_expert or len(emails) != len(set(emails))
    ):
        sentence = (
            "the coordinator and the sectoral expert are the same person; an assessment needs two people"
        )
        yield document.problem(("assessors", "sectoral_expert"), sentence)
    for key in ("coordinator", "sectoral_expert"):
        _, person = index.people.get(getattr(signed, key), (None, None))
        if person and part.assessed_on and not _in_office(person, part.assessed_on):
            sentence = f"{quoted(person.id)} was not in office on {part.assessed_on}"
            yield document.problem(("assessors", key), sentence)


def _in_office(person: PersonPart, day: date) -> bool:
    since, until = person.in_office_from, person.in_office_until
    return (since is None or since <= day) and (until is None or day <= until)


def _focal_points(document: Document, part: FocalPointsFile, _index: Index) -> Iterator[Problem]:
    if part.id == str(PUBLIC):
        sentence = f"{quoted(part.id)} is what the ledger calls everyone; give the organization another id"
        yield document.problem(("id",), sentence)
    roles = [person.role for person in part.people or ()]
    for role in (Role.PRIMARY, Role.SECONDARY):
        if part.people is not None and None not in roles and role not in roles:
            sentence = f"no focal point has the role {role}; Table C needs a primary and a secondary"
            yield document.problem_at_key(("people",), sentence)
    for position, person in enumerate(part.people or ()):
        yield from _in_order(document, person, ("people", position), "in_office_from", "in_office_until")


# Which keys a request must have, and must not have, in each state.
_NEEDS: dict[RequestState, tuple[str, ...]] = {
    RequestState.APPROVED: ("decided_on", "valid_from", "valid_until"),
    RequestState.REFUSED: ("decided_on", "reason"),
}
_EXCLUDES: dict[RequestState, tuple[str, ...]] = {
    RequestState.REQUESTED: ("decided_on", "valid_from", "valid_until", "reason"),
    RequestState.APPROVED: ("reason",),
    RequestState.REFUSED: ("valid_from", "valid_until"),
    RequestState.EXPIRED: ("reason",),
    RequestState.REVOKED: ("reason",),
}


def _request(document: Document, part: RequestFile, _index: Index) -> Iterator[Problem]:
    if part.state:
        for key in _NEEDS.get(part.state, ()):
            if key not in document.data:
                sentence = f"a request in state '{part.state}' needs {quoted(key)}; it is missing"
                yield document.problem(("state",), sentence)
        for key in _EXCLUDES[part.state]:
            if key in document.data:
                sentence = f"a request in state '{part.state}' has no {quoted(key)}; remove it"
                yield document.problem_at_key((key,), sentence)
    yield from _in_order(document, part, (), "requested_on", "decided_on")
    yield from _in_order(document, part, (), "valid_from", "valid_until")


def _agreement(document: Document, part: AgreementFile, index: Index) -> Iterator[Problem]:
    yield from _in_order(document, part, (), "valid_from", "valid_until")
    yield from _signatures(document, part, index)
    request = index.requests.get(part.request)
    if request and len(index.organizations & {request.organization, part.organization}) > 1:
        sentence = (
            f"{quoted(part.request)} is a request of {quoted(request.organization)}, not of this organization"
        )
        yield document.problem(("request",), sentence)
    seen: dict[Urgency, int] = {}
    for position, pathway in enumerate(part.pathways or ()):
        path = ("pathways", position)
        if pathway.urgency:
            line = document.at(*path, "urgency").line
            if pathway.urgency in seen:
                first = seen[pathway.urgency]
                sentence = f"a second pathway of {pathway.urgency} urgency; the first is on line {first}"
                yield document.problem((*path, "urgency"), sentence)
            seen.setdefault(pathway.urgency, line)
        yield from _pathway(document, path, pathway, part.organization, index)
        for item, share in enumerate(pathway.share or ()):
            yield from _share(document, (*path, "share", item), share, request, index)


def _signatures(document: Document, part: AgreementFile, index: Index) -> Iterator[Problem]:
    if part.organization == IOM:
        yield document.problem(("organization",), "an agreement is with another organization than IOM")
    if part.signed is None or part.organization == IOM:
        return
    sides = {IOM, part.organization} - {None}
    for side in sorted(sides - set(part.signed)):
        sentence = f"an agreement is signed by both sides; the signature of {quoted(side)} is missing"
        yield document.problem_at_key(("signed",), sentence)
    for side, person in part.signed.items():
        if side not in sides and part.organization:
            sentence = (
                f"{quoted(side)} is no side of this agreement; both sides are iom and {part.organization}"
            )
            yield document.problem_at_key(("signed", side), sentence)
        elif index.is_stranger(person, side):
            sentence = f"{quoted(person)} is no focal point of {quoted(side)}"
            yield document.problem(("signed", side), sentence)


# Table B: what each urgency allows.
_METHODS = {
    Urgency.LOW: (Method.PORTAL, Method.EXCEL_EMAIL),
    Urgency.MEDIUM: (Method.DOCUMENT_EMAIL, Method.TELEPHONE),
}


def _pathway(
    document: Document, path: Path, pathway: PathwayPart, organization: str | None, index: Index
) -> Iterator[Problem]:
    if pathway.urgency and pathway.method and pathway.method not in _METHODS[pathway.urgency]:
        ours = " or ".join(_METHODS[pathway.urgency])
        sentence = f"'{pathway.method}' is no method of {pathway.urgency} urgency (Table B); write {ours}"
        yield document.problem((*path, "method"), sentence)
    if _both(pathway.urgency, pathway.timeline):
        monthly = pathway.timeline == "monthly"
        if monthly != (pathway.urgency is Urgency.LOW):
            ours = "monthly" if pathway.urgency is Urgency.LOW else "within N days"
            sentence = (
                f"'{pathway.timeline}' is no timeline of {pathway.urgency} urgency (Table B); write '{ours}'"
            )
            yield document.problem((*path, "timeline"), sentence)
    for item, person in enumerate(pathway.destination or ()):
        if index.is_stranger(person, organization):
            sentence = f"{quoted(person)} is no focal point of {quoted(organization)}"
            yield document.problem((*path, "destination", item), sentence)


def _share(
    document: Document, path: Path, share: SharePart, request: RequestFile | None, index: Index
) -> Iterator[Problem]:
    dataset = index.datasets.get(share.dataset)
    if dataset and request and request.datasets is not None and share.dataset not in request.datasets:
        sentence = f"{quoted(share.dataset)} is not in the request {quoted(request.id)}"
        yield document.problem((*path, "dataset"), sentence)
    for item, indicator in enumerate(share.indicators or ()):
        if indicator not in index.names.get("indicator", {}):
            continue
        at = (*path, "indicators", item)
        if request and request.indicators is not None and indicator not in request.indicators:
            yield document.problem(at, f"{quoted(indicator)} is not in the request {quoted(request.id)}")
        if dataset and dataset.columns is not None and not _held(dataset, indicator):
            sentence = f"{quoted(share.dataset)} keeps no column of the indicator {quoted(indicator)}"
            yield document.problem(at, sentence)
        if dataset and _effective(dataset, indicator, index) is Level.SECRET:
            sentence = f"Secret enters no pathway: {quoted(indicator)} is Secret at grain {dataset.grain}"
            yield document.problem(at, sentence)


def _held(dataset: DatasetFile, indicator: str) -> bool:
    """Whether the dataset has a column of the indicator that is not dropped at collection.

    True where a column has a fault of its own, because it may be the one.
    """
    dropped = dataset.drop_at_collection or ()
    return any(each.indicator in (indicator, None) and each.name not in dropped for each in dataset.columns)


def _effective(dataset: DatasetFile, indicator: str, index: Index) -> Level | None:
    """The level at the dataset's grain, with what its operation tightens.

    What an assessment tightens depends on the date, and is the gate's business.
    """
    levels = [index.levels.get(indicator, {}).get(dataset.grain)]
    operation = index.operations.get(dataset.operation)
    for each in (operation and operation.tightens) or ():
        if each.indicator == indicator and each.grain == dataset.grain and each.level:
            level = index.words.level(each.level)
            levels.append(level if isinstance(level, Level) else None)
    return max((level for level in levels if level is not None), default=None)


# ---------------------------------------------------------------------------------------------- common


def _both(one: object, other: object) -> bool:
    return one is not None and other is not None


def _in_order(document: Document, part: Any, path: Path, early: str, late: str) -> Iterator[Problem]:
    first, last = getattr(part, early), getattr(part, late)
    if _both(first, last) and last < first:
        yield document.problem((*path, late), f"{quoted(late)} is before {quoted(early)}")


_CHECKS: dict[str, Callable[[Document, Any, Index], Iterator[Problem]]] = {
    "classification": _classification,
    "indicators": _indicators,
    "operation": _operation,
    "dataset": _dataset,
    "assessment": _assessment,
    "focal_points": _focal_points,
    "request": _request,
    "agreement": _agreement,
}
