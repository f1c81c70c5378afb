"""Small policies as values, for the engine's tests: a made-up country, valid in 2026, where each column is
named like its indicator. Every part can be replaced by keyword.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from dtm_sharing import classify, gate
from dtm_sharing.model import (
    Agreement,
    Assessment,
    Audience,
    Classification,
    Column,
    DataAccessRequest,
    Dataset,
    Decision,
    FocalPoint,
    Grain,
    Holding,
    Indicator,
    Level,
    Method,
    Operation,
    Organization,
    Overlay,
    Pathway,
    Policy,
    Protocol,
    Relation,
    RequestState,
    Role,
    Share,
    Source,
    Stage,
    TableProfile,
    Tightening,
    Urgency,
    Validity,
    Waiver,
)

PUBLIC, CONFIDENTIAL, SECRET = Level.PUBLIC, Level.CONFIDENTIAL, Level.SECRET
EVERYONE = Audience()
DATASET = "tst/sites"
OPERATION = "tst/flood"
AGREEMENT = "tst/partner"
LOW = Audience(AGREEMENT, Urgency.LOW)
MEDIUM = Audience(AGREEMENT, Urgency.MEDIUM)
DAY = date(2026, 6, 15)
YEAR = Validity(date(2026, 1, 1), date(2026, 12, 31))
LEVELS = {"site": PUBLIC, "children": CONFIDENTIAL, "phone": SECRET}


def source(file: str = "rules.yaml", line: int = 1) -> Source:
    return Source(file, line, 1)


def indicator(id_: str, levels: Level | Mapping[Grain, Level], **changes: Any) -> Indicator:
    by_grain = {Grain.SITE: levels} if isinstance(levels, Level) else levels
    plain = Indicator(id_, id_, "family", by_grain, f"basis of {id_}", (), (), (), source(f"{id_}.yaml", 7))
    return replace(plain, **changes)


def relation(
    id_: str,
    *groups: Iterable[str],
    level: Level = CONFIDENTIAL,
    grains: Sequence[Grain] = (Grain.SITE,),
    keys: Sequence[str] = (),
) -> Relation:
    together, declared = tuple(tuple(group) for group in groups), source("relations.yaml", 3)
    return Relation(id_, together, tuple(grains), level, f"why of {id_}", declared, tuple(keys))


def tightening(indicator_: str, level: Level, grain: Grain = Grain.SITE) -> Tightening:
    return Tightening(indicator_, grain, level, f"context of {indicator_}", source("tighter.yaml", 5))


def overlay(*tightens: Tightening, **changes: Any) -> Overlay:
    """Stricter levels for the made-up operation, all of 2026; ``changes``: any field of it."""
    plain = Overlay(
        id="tst/tense",
        countries=(),
        operations=(OPERATION,),
        contexts=(),
        validity=YEAR,
        builds_on=(),
        tightens=tightens,
        why="it is tense",
        source=source("tense.yaml", 1),
    )
    return replace(plain, **changes)


def waiver(*relaxes: str, **changes: Any) -> Waiver:
    """These rules count as Public until the end of July; ``changes``: any field of it."""
    plain = Waiver(
        id="tst/agreed",
        operation=OPERATION,
        datasets=(),
        relaxes=relaxes,
        level=PUBLIC,
        why="the ministry publishes it",
        coordinator="tst/iom-1",
        sectoral_expert="tst/iom-expert",
        signed_on=date(2026, 5, 20),
        validity=Validity(date(2026, 6, 1), date(2026, 7, 31)),
        source=source("agreed.yaml", 1),
    )
    return replace(plain, **changes)


def holding(*indicators: str, **changes: Any) -> Holding:
    """A table with these indicators by site, that the partner has had since May; ``changes``: any field."""
    plain = Holding(
        dataset="tst/earlier",
        round="1",
        grain=Grain.SITE,
        indicators=indicators,
        holder="public",
        since=date(2026, 5, 4),
        entry=7,
    )
    return replace(plain, **changes)


def column(
    name: str, indicator_: str | None = None, continued_by: Sequence[str] = (), spellings: Sequence[str] = ()
) -> Column:
    declared = source("sites.yaml", 9)
    return Column(name, tuple(spellings), indicator_ or name, tuple(continued_by), declared)


def dataset(columns: Iterable[Column], **changes: Any) -> Dataset:
    plain = Dataset(
        id=DATASET,
        title="Sites",
        operation=OPERATION,
        component="SA",
        grain=Grain.SITE,
        key=("site",),
        header_row=1,
        encoding="utf-8",
        columns=tuple(columns),
        drop_at_collection=(),
        source=source("sites.yaml", 1),
    )
    return replace(plain, **changes)


def assessment(**changes: Any) -> Assessment:
    plain = Assessment(
        id="tst/risks",
        operation=OPERATION,
        context="disaster",
        datasets=(DATASET,),
        coordinator="tst/iom-1",
        sectoral_expert="tst/iom-expert",
        assessed_on=YEAR.start,
        collection_begins=date(2026, 2, 1),
        review_by=date(2026, 12, 31),
        impact={},
        risk_of_sharing="some",
        risk_of_not_sharing="more",
        levels=(),
        source=source("risks.yaml", 1),
    )
    return replace(plain, **changes)


def focal_point(id_: str, role: Role, in_office: Validity = YEAR) -> FocalPoint:
    known_as = id_.removeprefix("tst/")
    organization, email = known_as.split("-")[0], f"{known_as}@example.org"
    title = f"{role} of {organization}"
    return FocalPoint(id_, organization, role, title, email, "+0", in_office, source(id_, 2))


PEOPLE = (
    focal_point("tst/iom-1", Role.PRIMARY),
    focal_point("tst/iom-2", Role.SECONDARY),
    focal_point("tst/iom-expert", Role.SECTORAL_EXPERT),
    focal_point("tst/partner-1", Role.PRIMARY),
    focal_point("tst/partner-2", Role.SECONDARY),
)


def pathway(urgency: Urgency, *shared: str, **changes: Any) -> Pathway:
    low = urgency is Urgency.LOW
    plain = Pathway(
        id=f"{AGREEMENT}/{urgency}",
        urgency=urgency,
        monthly=low,
        within_days=None if low else 2,
        shares=(Share(DATASET, shared, source("partner.yaml", 12)),),
        destination=("tst/partner-1",),
        method=Method.EXCEL_EMAIL if low else Method.DOCUMENT_EMAIL,
        source=source("partner.yaml", 10),
    )
    return replace(plain, **changes)


def policy(
    levels: Mapping[str, Level | Mapping[Grain, Level]] | None = None,
    *,
    columns: Iterable[Column] | None = None,
    datasets: Iterable[Dataset] = (),
    relations: Iterable[Relation] = (),
    overlays: Iterable[Overlay] = (),
    waivers: Iterable[Waiver] = (),
    shared: Sequence[str] = ("site", "children"),
    people: Iterable[FocalPoint] = PEOPLE,
    assessments: Iterable[Assessment] | None = None,
    pathways: Sequence[Pathway] | None = None,
    identifies: Mapping[str, Grain] | None = None,
    additive: Iterable[str] = (),
    digest: str = "sha256:00",
    **changes: Mapping[str, Any],
) -> Policy:
    """A whole policy. ``changes``: fields of dataset, operation, assessment, request or agreement.

    ``datasets`` stand beside the usual one, and the usual assessment covers them. ``identifies`` and
    ``additive`` are of the indicators.
    """
    levels = LEVELS if levels is None else levels
    columns = [column(each) for each in levels] if columns is None else columns
    usual = dataset(columns, **changes.get("dataset", {}))
    declared = {each.id: each for each in (usual, *datasets)}
    covered = {"datasets": tuple(declared), **changes.get("assessment", {})}
    assessments = [assessment(**covered)] if assessments is None else assessments
    operation = Operation(OPERATION, "TST", "Flood", "disaster", YEAR, source("operation.yaml"))
    told, summed = identifies or {}, set(additive)
    asked = DataAccessRequest(
        id="tst/request",
        organization="partner",
        purpose="Plan services",
        datasets=(DATASET,),
        indicators=tuple(shared),
        state=RequestState.APPROVED,
        requested_on=YEAR.start,
        decided_on=YEAR.start,
        validity=YEAR,
        source=source("request.yaml"),
    )
    agreed = Agreement(
        id=AGREEMENT,
        organization="partner",
        request="tst/request",
        signed={"iom": "tst/iom-1", "partner": "tst/partner-1"},
        validity=YEAR,
        pathways=tuple(pathways or (pathway(Urgency.LOW, *shared), pathway(Urgency.MEDIUM, *shared))),
        source=source("partner.yaml", 1),
    )
    everybody = {each.id: each for each in people}
    organizations = {each.organization for each in everybody.values()}
    return Policy(
        digest=digest,
        protocols={each: Protocol(each, {}, "", (), "", source("classification.yaml")) for each in Level},
        indicators={
            id_: indicator(id_, each, identifies=told.get(id_), additive=id_ in summed)
            for id_, each in levels.items()
        },
        relations={each.id: each for each in relations},
        operations={operation.id: replace(operation, **changes.get("operation", {}))},
        datasets=declared,
        assessments={each.id: each for each in assessments},
        organizations={
            each: Organization(
                each, each, tuple(p for p in everybody.values() if p.organization == each), source(each)
            )
            for each in organizations
        },
        focal_points=everybody,
        requests={asked.id: replace(asked, **changes.get("request", {}))},
        agreements={agreed.id: replace(agreed, **changes.get("agreement", {}))},
        overlays={each.id: each for each in overlays},
        waivers={each.id: each for each in waivers},
    )


def classified(
    rules: Policy, *headers: str, as_of: date = DAY, rows: int = 3, of: str = DATASET, **known: Any
) -> Classification:
    """The classification of a cleaned table with these headers; ``known``: other fields of its profile."""
    found = classify.identify(headers, rules.datasets[of])
    known = {"stage": Stage.CLEANED, **known}
    return classify.classify(rules, TableProfile(of, found, rows, **known), as_of)


def decided(
    rules: Policy,
    *headers: str,
    audience: Audience = EVERYONE,
    held: Sequence[Holding] | None = (),
    as_of: date = DAY,
    **known: Any,
) -> Decision:
    """The gate's decision on a table with these header texts, for an audience that holds ``held``."""
    table = classified(rules, *headers, as_of=as_of, **known)
    return gate.decide(rules, table, audience, held, classify.classify)


def levels_of(classification: Classification) -> dict[str, Level | None]:
    return {each.header.key: each.level for each in classification.columns}


def gap_kinds(of: Classification | Decision) -> list[str]:
    return [each.kind for each in of.gaps]
