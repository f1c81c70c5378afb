"""Agreements: Table B by its own words, both signatures, the request, and that nothing Secret is promised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from dtm_sharing.model import IOM, Grain, Level, Method, Role, Source, Urgency, country_of
from dtm_sharing.policy import signers
from dtm_sharing.policy.files import (
    AgreementFile,
    DatasetFile,
    PathwayPart,
    RelationPart,
    RequestFile,
    SharePart,
)
from dtm_sharing.policy.index import Index
from dtm_sharing.policy.problems import Problem, quoted
from dtm_sharing.policy.shape import Document, Path
from dtm_sharing.policy.spans import both, in_office, in_order, overlap
from dtm_sharing.policy.tighter import strictest


def problems(document: Document, part: AgreementFile, index: Index) -> Iterator[Problem]:
    """Everything that is wrong in one agreement, by itself and beside the organization's other ones."""
    yield from in_order(document, part, (), "valid_from", "valid_until")
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
    yield from _secret_together(document, part, index)


def _signatures(document: Document, part: AgreementFile, index: Index) -> Iterator[Problem]:
    if part.organization == IOM:
        yield document.problem(("organization",), "an agreement is with another organization than IOM")
    if part.signed is None or part.organization == IOM:
        return
    sides = {IOM, part.organization} - {None}
    for side in sorted(sides - set(part.signed)):
        sentence = f"an agreement is signed by both sides; the signature of {quoted(side)} is missing"
        yield document.problem_at_key(("signed",), sentence)
    yield from signers.both_sides(document, ("signed",), part.signed, index)
    for side, person in part.signed.items():
        if side not in sides and part.organization:
            sentence = (
                f"{quoted(side)} is no side of this agreement; both sides are iom and {part.organization}"
            )
            yield document.problem_at_key(("signed", side), sentence)
        elif index.is_stranger(person, side):
            sentence = f"{quoted(person)} is no focal point of {quoted(side)}"
            yield document.problem(("signed", side), sentence)
        elif (
            person in index.people
            and part.valid_from
            and not in_office(index.people[person][1], part.valid_from)
        ):
            sentence = f"{quoted(person)} is not in office on {part.valid_from}, when the agreement begins"
            yield document.problem(("signed", side), sentence)
        elif person in index.people and index.people[person][1].role is Role.SECTORAL_EXPERT:
            sentence = (
                f"{quoted(person)} has the role {Role.SECTORAL_EXPERT}; a primary or a secondary focal point "
                "signs an agreement"
            )
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
    if both(pathway.urgency, pathway.timeline):
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
        if (
            dataset
            and dataset.grain
            and strictest(indicator, dataset.grain, dataset.operation, index) is Level.SECRET
        ):
            sentence = f"Secret enters no pathway: {quoted(indicator)} is Secret at grain {dataset.grain}"
            yield document.problem(at, sentence)


def _held(dataset: DatasetFile, indicator: str) -> bool:
    """Whether the dataset has a column of the indicator that is not dropped at collection.

    True where a column has a fault of its own, because it may be the one.
    """
    dropped = dataset.drop_at_collection or ()
    return any(each.indicator in (indicator, None) and each.name not in dropped for each in dataset.columns)


# ------------------------------------------------------------------------------------ Secret together


@dataclass(frozen=True, slots=True)
class _Shared:
    """What one share of one pathway lets an organization have."""

    agreement: str | None
    document: Document
    path: Path
    span: tuple[date | None, date | None]
    dataset: str
    country: str  # the first part of the dataset's id, as of what the organization will hold
    grain: Grain
    indicators: tuple[str, ...]


def _secret_together(document: Document, part: AgreementFile, index: Index) -> Iterator[Problem]:
    """Tables that are to be with one organization on the same day count as one (guideline: Relational)."""
    everything = index.once(_shared).get(part.organization, [])
    for source, relation in index.once(_secret_relations):
        touching = [
            each
            for each in everything
            if any(grain.depth <= each.grain.depth for grain in relation.grains)  # a finer one is summed up
            and any(_first(group, each) for group in relation.groups)
        ]
        for here in touching:
            if here.document is not document:
                continue
            beside = [here, *(each for each in touching if _joins(here, each, relation))]
            found = [_first_of(group, beside) for group in relation.groups]
            if all(found):
                named = " and ".join(
                    f"{quoted(each)}{_where(other, here)}" for each, other in filter(None, found)
                )
                sentence = (
                    f"Secret enters no pathway: together {named} are Secret by the relation "
                    f"{quoted(relation.id)} ({source})"
                )
                own = next(each for group in relation.groups if (each := _first(group, here)))
                yield document.problem((*here.path, "indicators", here.indicators.index(own)), sentence)
                break  # once for each agreement and relation: the first place is enough to mend it


def _joins(here: _Shared, other: _Shared, relation: RelationPart) -> bool:
    """Two extracts of one dataset join without a key too: their rows are in the same order."""
    keys = relation.keys or ()
    return (
        here.country == other.country
        and overlap(here.span, other.span)
        and (
            not keys
            or here.dataset == other.dataset
            or any(each in here.indicators and each in other.indicators for each in keys)
        )
    )


def _first(group: Iterable[str], share: _Shared) -> str | None:
    return next((each for each in share.indicators if each in group), None)


def _first_of(group: Iterable[str], shares: Iterable[_Shared]) -> tuple[str, _Shared] | None:
    return next(((found, each) for each in shares if (found := _first(group, each))), None)


def _where(share: _Shared, here: _Shared) -> str:
    if share.document is here.document:
        return ""
    return f" of the agreement {quoted(share.agreement)} ({share.document.at(*share.path)})"


def _secret_relations(index: Index) -> list[tuple[Source, RelationPart]]:
    return [
        (source, each)
        for source, each in index.relations.values()
        if each.groups and each.grains and each.level and index.words.level(each.level) is Level.SECRET
    ]


def _shared(index: Index) -> dict[str, list[_Shared]]:
    """Organization → all that its agreements share, in order of file."""
    found: dict[str, list[_Shared]] = {each: [] for each in index.organizations}
    for document, part in index.agreements.values():
        for position, pathway in enumerate(part.pathways or ()):
            for item, share in enumerate(pathway.share or ()):
                dataset = index.datasets.get(share.dataset)
                if part.organization in found and dataset and dataset.grain and share.indicators:
                    found[part.organization].append(
                        _Shared(
                            agreement=part.id,
                            document=document,
                            path=("pathways", position, "share", item),
                            span=(part.valid_from, part.valid_until),
                            dataset=share.dataset,
                            country=country_of(share.dataset),
                            grain=dataset.grain,
                            indicators=share.indicators,
                        )
                    )
    return found
