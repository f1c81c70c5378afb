"""``model.Policy`` → files that make it again: one per id, with all that the value has, and no more.

What a policy does not keep is made up where a file needs it (the id of the classification, the language of
a name) or left out (comments, other agencies' words for a level).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from dtm_sharing import model
from dtm_sharing.policy import texts

_NO_LANGUAGE = "und"  # ISO 639-2: undetermined
_WIDTH = 110
_PLAIN = re.compile(r"[^\W_][\w ./()+%@-]*")  # safe without quotes wherever a text may stand

Content = Mapping[str, Any]


def files(policy: model.Policy) -> dict[str, bytes]:
    """Path → content; ``policy.parse`` of them equals the policy, but for digest, files and sources."""
    made = {path: content for values in _kinds(policy) for path, content in values}
    return {path: _text(path, made[path]) for path in sorted(made)}


def _kinds(policy: model.Policy) -> Iterator[Iterator[tuple[str, Content]]]:
    families: dict[str, list[model.Indicator]] = {}
    for each in policy.indicators.values():
        families.setdefault(each.family, []).append(each)
    yield iter([("classification.yaml", _classification(policy.protocols.values()))])
    yield ((f"indicators/{name}.yaml", _family(name, each)) for name, each in families.items())
    yield iter([("relations.yaml", _relations(policy.relations.values()))])
    for folder, values, content in (
        ("operations", policy.operations, _operation),
        ("overlays", policy.overlays, _overlay),
        ("waivers", policy.waivers, _waiver),
        ("datasets", policy.datasets, _dataset),
        ("assessments", policy.assessments, _assessment),
        ("focal_points", policy.organizations, _organization),
        ("requests", policy.requests, _request),
        ("agreements", policy.agreements, _agreement),
    ):
        yield _of_kind(folder, values, content)


def _of_kind(folder: str, values: Mapping[str, Any], content: Any) -> Iterator[tuple[str, Content]]:
    for each in values.values():
        *country, name = each.id.split("/")
        yield "/".join((*country, folder, f"{name}.yaml")), content(each)


# ------------------------------------------------------------------------------------------ kind by kind


def _classification(protocols: Iterable[model.Protocol]) -> Content:
    levels = [
        {
            "level": each.level.label,
            "aliases": each.aliases,
            "meaning": each.meaning,
            **_some(includes=each.includes),
            "disclosure": each.disclosure,
            **_some(crosswalks=each.crosswalks),
        }
        for each in protocols
    ]
    return {"kind": "classification", "id": "classification", "levels": levels}


def _family(name: str, indicators: list[model.Indicator]) -> Content:
    """Its levels and their basis are those of the first; the others have their own where they differ."""
    first = indicators[0]

    def indicator(each: model.Indicator) -> Content:
        own = each.levels != first.levels or each.basis != first.basis
        return {
            "id": each.id,
            "title": each.title,
            **_some(identifies=each.identifies, additive=each.additive),
            **_some(names={_NO_LANGUAGE: each.names} if each.names else {}, codes=each.codes, hxl=each.hxl),
            **({"levels": _levels(each.levels), "basis": each.basis} if own else {}),
        }

    return {
        "kind": "indicators",
        "id": name,
        "title": name,
        "basis": first.basis,
        "levels": _levels(first.levels),
        "indicators": [indicator(each) for each in indicators],
    }


def _levels(levels: Mapping[model.Grain, model.Level]) -> Content:
    return {grain: levels[grain].label for grain in model.Grain if grain in levels}


def _relations(relations: Iterable[model.Relation]) -> Content:
    entries = [
        {
            "id": each.id,
            "groups": each.groups,
            **_some(keys=each.keys),
            "grains": each.grains,
            "level": each.level.label,
            "why": each.why,
        }
        for each in relations
    ]
    return {"kind": "relations", "id": "relations", "relations": entries}


def _operation(each: model.Operation) -> Content:
    return {
        "kind": "operation",
        "id": each.id,
        "country": each.country,
        "name": each.name,
        "context": each.context,
        **_span(each.validity),
    }


def _tightenings(each: Iterable[model.Tightening]) -> list[Content]:
    return [
        {"indicator": it.indicator, "grain": it.grain, "level": it.level.label, "why": it.why} for it in each
    ]


def _overlay(each: model.Overlay) -> Content:
    return {
        "kind": "overlay",
        "id": each.id,
        "applies_to": _some(countries=each.countries, operations=each.operations, contexts=each.contexts),
        **_span(each.validity),
        **_some(builds_on=each.builds_on),
        "why": each.why,
        **_some(tightens=_tightenings(each.tightens)),
    }


def _waiver(each: model.Waiver) -> Content:
    return {
        "kind": "waiver",
        "id": each.id,
        "operation": each.operation,
        **_some(datasets=each.datasets),
        "relaxes": each.relaxes,
        "level": each.level.label,
        "why": each.why,
        "signatures": {"coordinator": each.coordinator, "sectoral_expert": each.sectoral_expert},
        "signed_on": each.signed_on,
        **_span(each.validity),
    }


def _dataset(each: model.Dataset) -> Content:
    columns = [
        {
            "name": column.name,
            **_some(spellings=column.spellings),
            "indicator": column.indicator,
            **_some(continued_by=column.continued_by),
        }
        for column in each.columns
    ]
    return {
        "kind": "dataset",
        "id": each.id,
        "title": each.title,
        "operation": each.operation,
        "component": each.component,
        "grain": each.grain,
        "key": each.key,
        "header_row": each.header_row,
        "encoding": each.encoding,
        **_some(drop_at_collection=each.drop_at_collection),
        "columns": columns,
    }


def _assessment(each: model.Assessment) -> Content:
    country = model.country_of(each.operation).upper()  # checked: an operation's id begins with its country
    return {
        "kind": "assessment",
        "id": each.id,
        "operation": each.operation,
        "country": country,
        "context": each.context,
        "datasets": each.datasets,
        "assessors": {"coordinator": each.coordinator, "sectoral_expert": each.sectoral_expert},
        "assessed_on": each.assessed_on,
        "collection_begins": each.collection_begins,
        "review_by": each.review_by,
        "impact": each.impact,
        "risk_of_sharing": each.risk_of_sharing,
        "risk_of_not_sharing": each.risk_of_not_sharing,
        **_some(levels=_tightenings(each.levels)),
    }


def _organization(each: model.Organization) -> Content:
    people = [
        {
            "id": person.id,
            "role": person.role,
            "title": person.title,
            **_some(name=person.name),
            "email": person.email,
            "mobile": person.mobile,
            "in_office_from": person.in_office.start,
            **_some(in_office_until=person.in_office.until),
        }
        for person in each.focal_points
    ]
    return {"kind": "focal_points", "id": each.id, "organization": each.name, "people": people}


def _request(each: model.DataAccessRequest) -> Content:
    return {
        "kind": "request",
        "id": each.id,
        "organization": each.organization,
        "purpose": each.purpose,
        "datasets": each.datasets,
        "indicators": each.indicators,
        "state": each.state,
        "requested_on": each.requested_on,
        **_some(decided_on=each.decided_on),
        **(_span(each.validity) if each.validity else {}),
        **_some(reason=each.reason),
    }


def _agreement(each: model.Agreement) -> Content:
    pathways = [
        {
            "urgency": path.urgency,
            "timeline": path.timeline,
            "share": [{"dataset": share.dataset, "indicators": share.indicators} for share in path.shares],
            "destination": path.destination,
            "method": path.method,
        }
        for path in each.pathways
    ]
    return {
        "kind": "agreement",
        "id": each.id,
        "organization": each.organization,
        "request": each.request,
        "signed": each.signed,
        **_span(each.validity),
        "pathways": pathways,
    }


def _span(validity: model.Validity) -> Content:
    return {"valid_from": validity.start, **_some(valid_until=validity.until)}


def _some(**values: Any) -> dict[str, Any]:
    """Without what is not there: an optional key is left out, never empty."""
    return {key: value for key, value in values.items() if value}


# -------------------------------------------------------------------------------------- values as YAML


def _text(path: str, content: Content) -> bytes:
    schema = f"{'../' * path.count('/')}schemas/{content['kind']}.schema.json"
    lines = [f"# yaml-language-server: $schema={schema}", *_mapping(content, 0)]
    return ("\n".join(lines) + "\n").encode()


def _mapping(content: Content, indent: int) -> Iterator[str]:
    for key, value in content.items():
        line = f"{' ' * indent}{_scalar(key)}: {_flow(value)}"
        if isinstance(value, str | date | int) or not value or (_simple(value) and len(line) <= _WIDTH):
            yield line
        else:
            yield f"{' ' * indent}{_scalar(key)}:"
            yield from _mapping(value, indent + 2) if isinstance(value, Mapping) else _list(value, indent + 2)


def _list(items: Iterable[Any], indent: int) -> Iterator[str]:
    for item in items:
        if isinstance(item, Mapping):
            first, *rest = _mapping(item, indent + 2)
            yield f"{' ' * indent}- {first[indent + 2 :]}"
            yield from rest
        else:
            yield f"{' ' * indent}- {_flow(item)}"


def _simple(value: Any) -> bool:
    """Whether it is no list of mappings."""
    return not any(isinstance(each, Mapping) for each in value)


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, str | date | int):
        return _scalar(value)
    return "[" + ", ".join(map(_flow, value)) + "]"


def _scalar(value: str | date | int) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    if isinstance(value, str) and not _is_plain(text):
        return f'"{"".join(map(_escaped, text))}"' if not text.isprintable() else f"'{_doubled(text)}'"
    return text


def _is_plain(text: str) -> bool:
    return bool(_PLAIN.fullmatch(text)) and not text.endswith(" ") and texts.is_text(text)


def _doubled(text: str) -> str:
    return text.replace("'", "''")


def _escaped(sign: str) -> str:
    if sign in '"\\':
        return f"\\{sign}"
    return sign if sign.isprintable() else f"\\U{ord(sign):08x}"
