"""A policy with one rule changed: what its given/expect cases are tried on, to see whether they notice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import TypeVar

from dtm_sharing.model import (
    Agreement,
    Assessment,
    Grain,
    Level,
    Pathway,
    Policy,
    RequestState,
    Share,
    Tightening,
    Validity,
)

_OVER = Validity(date.min, date.min)
_Value = TypeVar("_Value")


def changed(policy: Policy, rule: str) -> Iterator[Policy]:
    """The policy, with this rule asking for something else, or gone; several where there are several ways.

    ``rule`` is the id of one, as decisions name it.
    """
    kind, _, rest = rule.partition(":")
    yield from _WAYS[kind](policy, rest)


def _with(values: Mapping[str, _Value], id_: str, value: _Value) -> dict[str, _Value]:
    return {**values, id_: value}


def _without(values: Mapping[str, _Value], id_: str) -> dict[str, _Value]:
    return {each: value for each, value in values.items() if each != id_}


def _indicators(policy: Policy, rest: str) -> Iterator[Policy]:
    """Less strict, which is the danger; and Secret, in case another rule is as strict anyway."""
    id_, _, grain = rest.partition("@")
    indicator = policy.indicators[id_]
    for level in (Level.PUBLIC, Level.SECRET):
        if indicator.levels[Grain(grain)] is not level:
            other = replace(indicator, levels={**indicator.levels, Grain(grain): level})
            yield replace(policy, indicators=_with(policy.indicators, id_, other))


def _overlays(policy: Policy, rest: str) -> Iterator[Policy]:
    id_, _, what = rest.rpartition("/")
    stands_in = id_.rpartition("+")[2]  # see ``model.overlay_rule``
    for change in (_gone, _secret):
        overlay = policy.overlays[stands_in]
        other = replace(overlay, tightens=change(overlay.tightens, what))
        yield replace(policy, overlays=_with(policy.overlays, stands_in, other))


def _assessments(policy: Policy, rest: str) -> Iterator[Policy]:
    if rest in policy.assessments:
        yield replace(policy, assessments=_without(policy.assessments, rest))
        return
    id_, _, what = rest.rpartition("/")
    assessment: Assessment = policy.assessments[id_]
    for change in (_gone, _secret):
        other = replace(assessment, levels=change(assessment.levels, what))
        yield replace(policy, assessments=_with(policy.assessments, id_, other))


def _is(each: Tightening, what: str) -> bool:
    return f"{each.indicator}@{each.grain}" == what


def _gone(parts: Iterable[Tightening], what: str) -> tuple[Tightening, ...]:
    return tuple(each for each in parts if not _is(each, what))


def _secret(parts: Iterable[Tightening], what: str) -> tuple[Tightening, ...]:
    return tuple(replace(each, level=Level.SECRET) if _is(each, what) else each for each in parts)


def _relations(policy: Policy, rest: str) -> Iterator[Policy]:
    yield replace(policy, relations=_without(policy.relations, rest))


def _waivers(policy: Policy, rest: str) -> Iterator[Policy]:
    yield replace(policy, waivers=_without(policy.waivers, rest))


def _operations(policy: Policy, rest: str) -> Iterator[Policy]:
    over = replace(policy.operations[rest], validity=_OVER)
    yield replace(policy, operations=_with(policy.operations, rest, over))


def _agreements(policy: Policy, rest: str) -> Iterator[Policy]:
    over = replace(policy.agreements[rest], validity=_OVER)
    yield replace(policy, agreements=_with(policy.agreements, rest, over))


def _requests(policy: Policy, rest: str) -> Iterator[Policy]:
    revoked = replace(policy.requests[rest], state=RequestState.REVOKED)
    yield replace(policy, requests=_with(policy.requests, rest, revoked))


def _pathways(policy: Policy, rest: str) -> Iterator[Policy]:
    """Each listed indicator left out, and one more listed that the request covers: Table B is exact."""
    id_, _, urgency = rest.rpartition("/")
    agreement = policy.agreements[id_]
    path = next(each for each in agreement.pathways if each.urgency == urgency)
    for position, share in enumerate(path.shares):
        for indicator in share.indicators:
            rest_of = tuple(each for each in share.indicators if each != indicator)
            yield _sharing(policy, agreement, path, position, rest_of)
        asked = policy.requests[agreement.request].indicators
        has = {each.indicator for each in policy.datasets[share.dataset].columns}
        more = [each for each in asked if each in has and each not in share.indicators]
        if more:
            yield _sharing(policy, agreement, path, position, (*share.indicators, more[0]))


def _sharing(
    policy: Policy, agreement: Agreement, path: Pathway, position: int, indicators: tuple[str, ...]
) -> Policy:
    shares: list[Share] = list(path.shares)
    shares[position] = replace(shares[position], indicators=indicators)
    other = replace(path, shares=tuple(shares))
    paths = tuple(other if each is path else each for each in agreement.pathways)
    return replace(
        policy,
        agreements=_with(policy.agreements, agreement.id, replace(agreement, pathways=paths)),
    )


_WAYS: Mapping[str, Callable[[Policy, str], Iterator[Policy]]] = {
    "indicator": _indicators,
    "overlay": _overlays,
    "assessment": _assessments,
    "relation": _relations,
    "waiver": _waivers,
    "operation": _operations,
    "agreement": _agreements,
    "request": _requests,
    "pathway": _pathways,
}
