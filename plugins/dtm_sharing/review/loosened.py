"""What of a policy allows more than before, where or when it applies: rule by rule, without the engine.

``differences`` asks the engine of the operations, tables and people of today. An overlay for a context that
no operation is in, or a recipient's other address, changes no answer of today: here the two policies are
compared as they stand. What is not clearly as strict as before is listed. Nothing of a person but the id.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from dtm_sharing.model import (
    Agreement,
    Assessment,
    Column,
    DataAccessRequest,
    Dataset,
    FocalPoint,
    Grain,
    Indicator,
    Level,
    Operation,
    Overlay,
    Pathway,
    Policy,
    Relation,
    RequestState,
    Role,
    Source,
    Tightening,
    Validity,
    Waiver,
)


@dataclass(frozen=True, slots=True)
class Loosening:
    """A rule, paper or person by which more may leave.

    ``source`` is in the new policy; where ``gone``, in the old.
    ``ended``: the last day on which the old rule held, if one is set: what had ended already is no loss.
    """

    rule: str  # id of a rule, or <kind>:<id>
    sentence: str
    source: Source
    gone: bool = False
    ended: date | None = None


def loosened(old: Policy, new: Policy) -> tuple[Loosening, ...]:
    """All by which ``new`` may allow more than ``old``, once each.

    What is wholly new (a dataset, request, agreement or person) is for the engine to judge, and a new waiver
    is the way to allow more; only who is added to a destination is named in any case.
    """
    parts: tuple[Callable[[Policy, Policy], Iterator[Loosening]], ...] = (
        _overlays,
        _relations,
        _indicators,
        _operations,
        _datasets,
        _assessments,
        _requests,
        _agreements,
        _waivers,
        _people,
    )
    return tuple(dict.fromkeys(each for part in parts for each in part(old, new)))


# ---------------------------------------------------------------------------------- wider, narrower, longer


def _longer(old: Validity | None, new: Validity | None) -> bool:
    """Whether ``new`` covers a day that ``old`` does not; None covers none."""
    if new is None:
        return False
    if old is None or new.start < old.start:
        return True
    return old.until is not None and (new.until is None or new.until > old.until)


def _wider(old: Collection[str], new: Collection[str]) -> bool:
    """Whether ``new`` names what ``old`` does not, where to name nothing is to name everything."""
    return bool(old) and (not new or not set(new) <= set(old))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _until(validity: Validity | None) -> str:
    return "without an end" if validity is None or validity.until is None else f"until {validity.until}"


def _same(one: Mapping[str, object], other: Mapping[str, object]) -> Iterator[str]:
    return (id_ for id_ in sorted(one) if id_ in other)


# --------------------------------------------------------------------------------------------------- rules

_Levels = dict[tuple[str, Grain], Tightening]


def _strictest(levels: Iterable[Tightening]) -> _Levels:
    found: _Levels = {}
    for each in levels:
        place = (each.indicator, each.grain)
        if place not in found or found[place].level < each.level:
            found[place] = each
    return found


def _lower(rule: str, old: _Levels, new: _Levels) -> Iterator[Loosening]:
    """The levels that are gone or lower, each under ``<rule>/<indicator>@<grain>``."""
    for key in sorted(old):
        before, after = old[key], new.get(key)
        id_ = f"{rule}/{before.indicator}@{before.grain}"
        if after is None:
            sentence = f"It asked for {before.level.label}, and asks for nothing any more."
            yield Loosening(id_, sentence, before.source, gone=True)
        elif after.level < before.level:
            sentence = f"It asked for {before.level.label}, and asks for {after.level.label} now."
            yield Loosening(id_, sentence, after.source)


def _tightens(policy: Policy, overlay: Overlay) -> _Levels:
    """What an overlay tightens, with what it builds on."""
    return _strictest(each for one in policy.foundations(overlay) for each in one.tightens)


def _overlays(old: Policy, new: Policy) -> Iterator[Loosening]:
    for id_, before in sorted(old.overlays.items()):
        rule, ended = f"overlay:{id_}", before.validity.until
        after = new.overlays.get(id_)
        found: Iterable[Loosening]
        if after is None:
            sentence = "The overlay is gone: nothing is stricter any more where it would hold."
            found = [Loosening(rule, sentence, before.source, gone=True)]
        else:
            levels = _lower(rule, _tightens(old, before), _tightens(new, after))
            found = (*_narrower_overlay(before, after), *levels)
        yield from (Loosening(each.rule, each.sentence, each.source, each.gone, ended) for each in found)


def _narrower_overlay(before: Overlay, after: Overlay) -> Iterator[Loosening]:
    rule = f"overlay:{before.id}"
    for name in ("countries", "operations", "contexts"):
        once, now = getattr(before, name), getattr(after, name)
        if _wider(now, once):
            sentence = (
                f"It no longer holds for the same {name}: {_listed(now)}, once {_listed(once) or 'all'}."
            )
            yield Loosening(rule, sentence, after.source)
    if _longer(after.validity, before.validity):
        sentence = (
            f"It holds for a shorter time: from {after.validity.start} {_until(after.validity)}, "
            f"once from {before.validity.start} {_until(before.validity)}."
        )
        yield Loosening(rule, sentence, after.source)


def _relations(old: Policy, new: Policy) -> Iterator[Loosening]:
    for id_, before in sorted(old.relations.items()):
        after = new.relations.get(id_)
        if after is None:
            sentence = "The relation is gone: what it kept apart may leave together."
            yield Loosening(before.rule, sentence, before.source, gone=True)
        else:
            for sentence in _narrower_relation(before, after):
                yield Loosening(before.rule, sentence, after.source)


def _narrower_relation(before: Relation, after: Relation) -> Iterator[str]:
    # Who had one of every old group must have one of every new group: each of these contains one of those.
    if not all(any(set(once) <= set(now) for once in before.groups) for now in after.groups):
        there = {each for group in after.groups for each in group}
        lost = _listed({each for group in before.groups for each in group} - there)
        yield f"Its groups are met by fewer tables{f'; gone: {lost}' if lost else ''}."
    if missing := set(before.grains) - set(after.grains):
        yield f"It holds no more by {_listed(map(str, missing))}."
    if _wider(after.keys, before.keys):
        yield f"Fewer tables join: by {_listed(after.keys)} only, once by {_listed(before.keys) or 'any'}."
    if after.level < before.level:
        yield f"It asked for {before.level.label}, and asks for {after.level.label} now."


def _indicators(old: Policy, new: Policy) -> Iterator[Loosening]:
    for id_ in _same(old.indicators, new.indicators):
        before, after = old.indicators[id_], new.indicators[id_]
        for grain in Grain:
            level, once = after.levels.get(grain), before.levels.get(grain, Level.SECRET)
            if level is not None and level < once:
                said = before.levels[grain].label if grain in before.levels else "undecided"
                rule = f"indicator:{id_}@{grain}"
                yield Loosening(rule, f"It was {said}, and is {level.label} now.", after.source)
        for sentence in _less_telling(before, after):
            yield Loosening(f"indicator:{id_}", sentence, after.source)


def _less_telling(before: Indicator, after: Indicator) -> Iterator[str]:
    """What makes a table with it seem coarser, or lets it be summed up."""
    once, now = before.identifies, after.identifies
    if once is not None and once is not now and (now is None or now.depth <= once.depth):
        yield f"Its values no longer tell one {once} from another: {f'one {now}' if now else 'nothing'} now."
    if after.additive and not before.additive:
        yield "It is additive now: its sums may leave where its values may not."


# ------------------------------------------------------------------------------- operations and datasets


def _operations(old: Policy, new: Policy) -> Iterator[Loosening]:
    for id_ in _same(old.operations, new.operations):
        before, after = old.operations[id_], new.operations[id_]
        rule = f"operation:{id_}"
        if _longer(before.validity, after.validity):
            yield Loosening(rule, _lasts(before.validity, after.validity), after.source)
        yield from _out_of_reach(rule, "Its place or context changed", before, after, new, after.source)


def _out_of_reach(  # noqa: PLR0913, PLR0917 - what changed, from what to what, and where
    rule: str, what: str, before: Operation, after: Operation, new: Policy, source: Source
) -> Iterator[Loosening]:
    """The overlays that would hold for one operation and do not hold for the other, whatever the day."""
    for each in sorted(new.overlays.values(), key=lambda each: each.id):
        day = each.validity.start
        if each.holds(before, day) and not each.holds(after, day):
            yield Loosening(rule, f"{what}: overlay {each.id} does not hold for it any more.", source)


def _lasts(old: Validity | None, new: Validity | None) -> str:
    once = f"once from {old.start} {_until(old)}" if old else "once at no time"
    return f"It holds for a longer time: from {new.start if new else ''} {_until(new)}, {once}."


def _datasets(old: Policy, new: Policy) -> Iterator[Loosening]:
    for id_ in _same(old.datasets, new.datasets):
        before, after = old.datasets[id_], new.datasets[id_]
        rule = f"dataset:{id_}"
        if before.grain is not after.grain and after.grain.depth <= before.grain.depth:
            sentence = f"Its rows count as one {after.grain} each, once as one {before.grain}."
            yield Loosening(rule, sentence, after.source)
        if before.operation != after.operation and before.operation in old.operations:
            moved = (old.operations[before.operation], new.operations[after.operation])
            yield from _out_of_reach(rule, "It is of another operation", *moved, new, after.source)
        yield from _kept_now(rule, before, after)
        yield from _other_indicators(rule, before, after, new)


def _texts(column: Column) -> set[str]:
    return {column.name, *column.spellings}


def _kept_now(rule: str, before: Dataset, after: Dataset) -> Iterator[Loosening]:
    """The columns that collection dropped, under whatever spelling, and drops no more."""
    dropped = {
        text: each.name
        for each in before.columns
        if each.name in before.drop_at_collection
        for text in _texts(each)
    }
    for column in after.columns:
        once = sorted({dropped[text] for text in _texts(column) if text in dropped})
        if once and column.name not in after.drop_at_collection:
            sentence = f"Column {once[0]!r} is not dropped at collection any more."
            yield Loosening(rule, sentence, column.source)


def _other_indicators(rule: str, before: Dataset, after: Dataset, new: Policy) -> Iterator[Loosening]:
    """The columns that count as another indicator, of which not all is said that is said of the old one."""
    once = {text: each.indicator for each in before.columns for text in _texts(each)}
    for column in after.columns:
        for indicator in sorted({once[text] for text in _texts(column) if text in once} - {column.indicator}):
            if not _said(new, indicator) <= _said(new, column.indicator):
                sentence = f"Column {column.name!r} counts as {column.indicator}, once as {indicator}."
                yield Loosening(rule, sentence, column.source)


def _said(policy: Policy, indicator: str) -> set[object]:
    """Every level that is asked for an indicator, with every lower one, and every relation it is in."""
    found: set[object] = {None} if indicator not in policy.indicators else set()
    known = policy.indicators.get(indicator)
    for grain in Grain if known else ():
        level = known.levels.get(grain, Level.SECRET) if known else Level.SECRET
        found |= {("", grain, each) for each in Level if each <= level}
    rules = [(each.id, tuple(_tightens(policy, each).values())) for each in policy.overlays.values()]
    rules += [(each.id, each.levels) for each in policy.assessments.values()]
    for id_, levels in rules:
        named = (each for each in levels if each.indicator == indicator)
        found |= {(id_, one.grain, each) for one in named for each in Level if each <= one.level}
    for relation in policy.relations.values():
        found |= {(relation.id, group) for group in relation.groups if indicator in group}
        found |= {(relation.id, "key")} if indicator in relation.keys else set()
    if known and known.identifies:
        found |= {("identifies", each) for each in Grain if each.depth <= known.identifies.depth}
    return found


# -------------------------------------------------------------------------------------------------- papers


def _assessments(old: Policy, new: Policy) -> Iterator[Loosening]:
    for id_, before in sorted(old.assessments.items()):
        after = new.assessments.get(id_)
        if after is not None:
            for sentence in _assessed_more(before, after, old):
                yield Loosening(f"assessment:{id_}", sentence, after.source)
        for dataset in before.datasets:
            levels = _strictest(before.levels)
            for each in _relied_upon(new, id_, dataset):
                yield from _lower(f"assessment:{id_}", levels, _strictest(each.levels))


def _relied_upon(new: Policy, id_: str, dataset: str) -> list[Assessment]:
    """Those that cover a dataset now: the one of this id, or else whatever took its place."""
    covering = [each for each in new.assessments.values() if dataset in each.datasets]
    return [each for each in covering if each.id == id_] or covering


def _assessed_more(before: Assessment, after: Assessment, old: Policy) -> Iterator[str]:
    if after.review_by > before.review_by:
        yield f"It may be relied upon until {after.review_by}, once until {before.review_by}."
    if after.assessed_on < before.assessed_on:
        yield f"It may be relied upon from {after.assessed_on}, once from {before.assessed_on}."
    if (after.operation, after.context) != (before.operation, before.context):
        yield f"It is of {after.operation} in {after.context}, once {before.operation} in {before.context}."
    if more := (set(after.datasets) - set(before.datasets)) & set(old.datasets):
        yield f"It covers more datasets: {_listed(more)}."


def _requests(old: Policy, new: Policy) -> Iterator[Loosening]:
    for id_ in _same(old.requests, new.requests):
        for sentence in _asked_more(old.requests[id_], new.requests[id_]):
            yield Loosening(f"request:{id_}", sentence, new.requests[id_].source)


def _asked_more(before: DataAccessRequest, after: DataAccessRequest) -> Iterator[str]:
    if _longer(before.validity, after.validity):
        yield _lasts(before.validity, after.validity)
    if after.state is RequestState.APPROVED is not before.state:
        yield f"It is {after.state}, once {before.state}."
    for name in ("datasets", "indicators"):
        if more := set(getattr(after, name)) - set(getattr(before, name)):
            yield f"It is for more {name}: {_listed(more)}."


def _agreements(old: Policy, new: Policy) -> Iterator[Loosening]:
    for id_ in _same(old.agreements, new.agreements):
        before, after = old.agreements[id_], new.agreements[id_]
        if _longer(before.validity, after.validity):
            yield Loosening(f"agreement:{id_}", _lasts(before.validity, after.validity), after.source)
        for path in after.pathways:
            for sentence in _shared_more(before, path):
                yield Loosening(f"pathway:{path.id}", sentence, path.source)


def _shared_more(agreement: Agreement, after: Pathway) -> Iterator[str]:
    before = agreement.pathway(after.urgency)
    if more := set(after.destination) - set(before.destination if before else ()):
        yield f"It goes to more people: {_listed(more)}."
    if before is not None:
        once, now = _promised(before), _promised(after)
        for dataset in sorted(now):
            if more := now[dataset] - once.get(dataset, set()):
                yield f"It shares more of {dataset}: {_listed(more)}."


def _promised(path: Pathway) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for share in path.shares:
        found.setdefault(share.dataset, set()).update(share.indicators)
    return found


def _waivers(old: Policy, new: Policy) -> Iterator[Loosening]:
    for id_ in _same(old.waivers, new.waivers):
        for sentence in _waived_more(old.waivers[id_], new.waivers[id_]):
            yield Loosening(new.waivers[id_].rule, sentence, new.waivers[id_].source)


def _waived_more(before: Waiver, after: Waiver) -> Iterator[str]:
    if _longer(before.validity, after.validity):
        yield _lasts(before.validity, after.validity)
    if after.signed_on < before.signed_on:
        yield f"It is signed on {after.signed_on}, once on {before.signed_on}."
    if more := set(after.relaxes) - set(before.relaxes):
        yield f"It relaxes more rules: {_listed(more)}."
    if after.level < before.level:
        yield f"What it relaxes counts as {after.level.label}, once as {before.level.label}."
    if after.operation != before.operation:
        yield f"It is for {after.operation}, once for {before.operation}."
    if _wider(before.datasets, after.datasets):
        yield f"It is for more datasets: {_listed(after.datasets) or 'all'}."


# -------------------------------------------------------------------------------------------------- people


def _people(old: Policy, new: Policy) -> Iterator[Loosening]:
    """Other ways to a person: which field, never what stands in it."""
    paths = [path for policy in (old, new) for each in policy.agreements.values() for path in each.pathways]
    destinations = {each for path in paths for each in path.destination}
    # Where nobody of a destination is in office, it is the organization's secondary.
    partners = {each.organization for policy in (old, new) for each in policy.agreements.values()}
    for id_ in _same(old.focal_points, new.focal_points):
        before, after = old.focal_points[id_], new.focal_points[id_]
        stands_in = after.role is Role.SECONDARY and after.organization in partners
        for sentence in _reached_otherwise(before, after, receives=id_ in destinations or stands_in):
            yield Loosening(f"focal-point:{id_}", sentence, after.source)


_FIELDS = {
    "email": "e-mail address",
    "mobile": "mobile number",
    "organization": "organization",
    "role": "role",
}


def _reached_otherwise(before: FocalPoint, after: FocalPoint, *, receives: bool) -> Iterator[str]:
    for field, word in _FIELDS.items():
        if getattr(before, field) != getattr(after, field):
            yield f"Another {word} stands there ({field})."
    if receives and _longer(before.in_office, after.in_office):
        yield f"In office for a longer time: from {after.in_office.start} {_until(after.in_office)}."
