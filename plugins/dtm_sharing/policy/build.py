"""Documents without a fault → ``model.Policy``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dtm_sharing import model
from dtm_sharing.model import Grain, Level, Urgency, Validity
from dtm_sharing.policy.files import (
    AgreementFile,
    AssessmentFile,
    ClassificationFile,
    DatasetFile,
    FocalPointsFile,
    IndicatorsFile,
    OperationFile,
    OverlayFile,
    RelationsFile,
    RequestFile,
    TighteningPart,
    WaiverFile,
)
from dtm_sharing.policy.shape import Document
from dtm_sharing.policy.words import OURS, Words


def policy(
    documents: Iterable[Document], words: Words, digest: str, files: Mapping[str, bytes]
) -> model.Policy:
    """The whole policy; the documents, in order of file, must be sound and checked."""
    built: dict[type, list[Any]] = {}
    for document in documents:
        for value in _BUILD[document.kind](document, document.part, words):
            built.setdefault(type(value), []).append(value)

    def by_id(kind: type[Any]) -> dict[str, Any]:
        return {each.id: each for each in built.get(kind, ())}

    organizations: dict[str, model.Organization] = by_id(model.Organization)
    people = (person for each in organizations.values() for person in each.focal_points)
    return model.Policy(
        digest=digest,
        protocols={each.level: each for each in sorted(built[model.Protocol], key=lambda each: each.level)},
        indicators=by_id(model.Indicator),
        relations=by_id(model.Relation),
        operations=by_id(model.Operation),
        datasets=by_id(model.Dataset),
        assessments=by_id(model.Assessment),
        organizations=organizations,
        focal_points={person.id: person for person in people},
        requests=by_id(model.DataAccessRequest),
        agreements=by_id(model.Agreement),
        overlays=by_id(model.Overlay),
        waivers=by_id(model.Waiver),
        files=dict(sorted(files.items())),
    )


def _level(words: Words, word: str) -> Level:
    level = words.level(word)
    assert isinstance(level, Level)  # the checks let no other word through
    return level


def _levels(words: Words, levels: Mapping[Grain, str]) -> dict[Grain, Level]:
    return {grain: _level(words, levels[grain]) for grain in Grain if grain in levels}


def _protocols(document: Document, part: ClassificationFile, _words: Words) -> Iterable[model.Protocol]:
    for position, row in enumerate(part.levels):
        yield model.Protocol(
            level=OURS[row.level],
            aliases=dict(row.aliases),
            meaning=row.meaning,
            includes=row.includes,
            disclosure=row.disclosure,
            source=document.at("levels", position),
            crosswalks=dict(row.crosswalks),
        )


def _indicators(document: Document, part: IndicatorsFile, words: Words) -> Iterable[model.Indicator]:
    for position, each in enumerate(part.indicators):
        yield model.Indicator(
            id=each.id,
            title=each.title,
            family=part.id,
            levels=_levels(words, each.levels or part.levels),
            basis=each.basis or part.basis,
            names=tuple(name for names in each.names.values() for name in names),
            codes=each.codes,
            hxl=each.hxl,
            source=document.at("indicators", position),
            identifies=each.identifies or part.identifies,
            additive=part.additive if each.additive is None else each.additive,
        )


def _relations(document: Document, part: RelationsFile, words: Words) -> Iterable[model.Relation]:
    for position, each in enumerate(part.relations):
        yield model.Relation(
            id=each.id,
            groups=each.groups,
            grains=each.grains,
            level=_level(words, each.level),
            why=each.why,
            source=document.at("relations", position),
            keys=each.keys,
        )


def _tightenings(
    document: Document, parts: Iterable[TighteningPart], key: str, words: Words
) -> tuple[model.Tightening, ...]:
    return tuple(
        model.Tightening(
            indicator=each.indicator,
            grain=each.grain,
            level=_level(words, each.level),
            why=each.why,
            source=document.at(key, position),
        )
        for position, each in enumerate(parts)
    )


def _operation(document: Document, part: OperationFile, _words: Words) -> Iterable[model.Operation]:
    yield model.Operation(
        id=part.id,
        country=part.country,
        name=part.name,
        context=part.context,
        validity=Validity(part.valid_from, part.valid_until),
        source=document.at(),
    )


def _overlay(document: Document, part: OverlayFile, words: Words) -> Iterable[model.Overlay]:
    yield model.Overlay(
        id=part.id,
        countries=part.applies_to.countries,
        operations=part.applies_to.operations,
        contexts=part.applies_to.contexts,
        validity=Validity(part.valid_from, part.valid_until),
        builds_on=part.builds_on,
        tightens=_tightenings(document, part.tightens, "tightens", words),
        why=part.why,
        source=document.at(),
    )


def _waiver(document: Document, part: WaiverFile, words: Words) -> Iterable[model.Waiver]:
    yield model.Waiver(
        id=part.id,
        operation=part.operation,
        datasets=part.datasets or (),
        relaxes=part.relaxes,
        level=_level(words, part.level),
        why=part.why,
        coordinator=part.signatures.coordinator,
        sectoral_expert=part.signatures.sectoral_expert,
        signed_on=part.signed_on,
        validity=Validity(part.valid_from, part.valid_until),
        source=document.at(),
    )


def _dataset(document: Document, part: DatasetFile, _words: Words) -> Iterable[model.Dataset]:
    columns = tuple(
        model.Column(
            name=each.name,
            spellings=each.spellings,
            indicator=each.indicator,
            continued_by=each.continued_by,
            source=document.at("columns", position),
        )
        for position, each in enumerate(part.columns)
    )
    yield model.Dataset(
        id=part.id,
        title=part.title,
        operation=part.operation,
        component=part.component,
        grain=part.grain,
        key=part.key,
        header_row=part.header_row,
        encoding=part.encoding,
        columns=columns,
        drop_at_collection=part.drop_at_collection,
        source=document.at(),
    )


def _assessment(document: Document, part: AssessmentFile, words: Words) -> Iterable[model.Assessment]:
    yield model.Assessment(
        id=part.id,
        operation=part.operation,
        context=part.context,
        datasets=part.datasets,
        coordinator=part.assessors.coordinator,
        sectoral_expert=part.assessors.sectoral_expert,
        assessed_on=part.assessed_on,
        collection_begins=part.collection_begins,
        review_by=part.review_by,
        impact=part.impact.model_dump(),
        risk_of_sharing=part.risk_of_sharing,
        risk_of_not_sharing=part.risk_of_not_sharing,
        levels=_tightenings(document, part.levels, "levels", words),
        source=document.at(),
    )


def _organization(document: Document, part: FocalPointsFile, _words: Words) -> Iterable[model.Organization]:
    people = tuple(
        model.FocalPoint(
            id=each.id,
            organization=part.id,
            role=each.role,
            title=each.title,
            email=each.email,
            mobile=each.mobile,
            in_office=Validity(each.in_office_from, each.in_office_until),
            source=document.at("people", position),
            name=each.name or "",
        )
        for position, each in enumerate(part.people)
    )
    yield model.Organization(part.id, part.organization, people, document.at())


def _request(document: Document, part: RequestFile, _words: Words) -> Iterable[model.DataAccessRequest]:
    yield model.DataAccessRequest(
        id=part.id,
        organization=part.organization,
        purpose=part.purpose,
        datasets=part.datasets,
        indicators=part.indicators,
        state=part.state,
        requested_on=part.requested_on,
        decided_on=part.decided_on,
        validity=Validity(part.valid_from, part.valid_until) if part.valid_from else None,
        source=document.at(),
        reason=part.reason or "",
    )


def _agreement(document: Document, part: AgreementFile, _words: Words) -> Iterable[model.Agreement]:
    yield model.Agreement(
        id=part.id,
        organization=part.organization,
        request=part.request,
        signed=dict(part.signed),
        validity=Validity(part.valid_from, part.valid_until),
        pathways=tuple(_pathways(document, part)),
        source=document.at(),
    )


def _pathways(document: Document, part: AgreementFile) -> Iterable[model.Pathway]:
    for position, each in enumerate(part.pathways):
        monthly = each.urgency is Urgency.LOW
        shares = tuple(
            model.Share(share.dataset, share.indicators, document.at("pathways", position, "share", item))
            for item, share in enumerate(each.share)
        )
        yield model.Pathway(
            id=f"{part.id}/{each.urgency}",
            urgency=each.urgency,
            monthly=monthly,
            within_days=None if monthly else int(each.timeline.split()[1]),
            shares=shares,
            destination=each.destination,
            method=each.method,
            source=document.at("pathways", position),
        )


_BUILD: dict[str, Any] = {
    "classification": _protocols,
    "indicators": _indicators,
    "relations": _relations,
    "operation": _operation,
    "overlay": _overlay,
    "waiver": _waiver,
    "dataset": _dataset,
    "assessment": _assessment,
    "focal_points": _organization,
    "request": _request,
    "agreement": _agreement,
}
