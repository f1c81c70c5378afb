"""The level of every column of a table, with every reason for it. Looks at its profile, never at a cell.

Strictest wins, whatever the order of files or columns. What no rule knows has no level, and a table with such
a column has none either: that is a gap, and its sentence says what to do (the guideline's classes are only
worth something if silence never means Public).
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from dtm_sharing.errors import TableUnreadable, UsageProblem
from dtm_sharing.model import (
    NOTICE,
    Assessment,
    Classification,
    Column,
    ColumnLevel,
    Dataset,
    Gap,
    Grain,
    Header,
    Indicator,
    Level,
    Notice,
    Operation,
    Policy,
    Reason,
    Relation,
    TableProfile,
    Tightening,
    Waiver,
    assessment_rule,
    overlay_rule,
)

_NAMED = 3  # how many other columns a reason names before it only counts them


def dataset(policy: Policy, dataset_id: str) -> Dataset:
    """The declared dataset of this id.

    Raises:
        UsageProblem: the policy declares none; the sentence has the nearest ids.
    """
    if dataset_id not in policy.datasets:
        raise UsageProblem.unknown("dataset", dataset_id, policy.datasets)
    return policy.datasets[dataset_id]


# ---------------------------------------------------------------------------------- which column is which


def identify(headers: Sequence[str], dataset: Dataset, *, keep_unknown: bool = True) -> tuple[Header, ...]:
    """Tell the columns of a table apart: its header texts, in order, become one ``Header`` each.

    Case, spaces at the ends, runs of spaces and Unicode composition do not count. "If other, please specify"
    belongs to the question that it stands after, if that question declares it: then its key is
    ``"<question>: <continuation>"``. Elsewhere it is unknown, as is every text that nobody declared.
    Where fewer than half of the texts stand in the policy, the row may be data (files without a header row
    exist, and a pivoted frame has cells for names): then no text that is not in the policy is kept, only its
    position, so that no cell value reaches a message. ``keep_unknown`` False: none is, however many stand
    there.

    Raises:
        TableUnreadable: two columns have the same key, so nobody can say which is which.
    """
    named = {
        _fold(text): column.name for column in dataset.columns for text in (column.name, *column.spellings)
    }
    continued = {(each.name, _fold(text)): text for each in dataset.columns for text in each.continued_by}
    keyed = {_fold(_key(question, text)): (question, text) for (question, _), text in continued.items()}
    found: list[Header] = []
    question: str | None = None  # the declared column that a continuation would continue here
    for position, text in enumerate(headers, start=1):
        folded = _fold(text)
        if folded in keyed:
            question, name = keyed[folded]
            found.append(Header(position, name, question, _key(question, name)))
        elif folded in named:
            question = named[folded]
            found.append(Header(position, question, None, question))
        elif question is not None and (question, folded) in continued:
            name = continued[question, folded]
            found.append(Header(position, name, question, _key(question, name)))
        else:
            question = None
            found.append(_unknown(position, _tidy(text)))
    texts = [folded for text in headers if (folded := _fold(text))]
    declared = {*named, *keyed, *(folded for _, folded in continued)}
    if not keep_unknown or 2 * sum(text in declared for text in texts) < len(texts):
        known = _declared(dataset)
        found = [each if _find(known, each) else _unknown(each.position, "", "unknown") for each in found]
    _refuse_repeats(found)
    return tuple(found)


def _unknown(position: int, text: str, what: str = "no header") -> Header:
    name = text or f"column {position} ({what})"
    return Header(position, name, None, name)


def _refuse_repeats(headers: Iterable[Header]) -> None:
    positions: dict[str, list[str]] = defaultdict(list)
    for header in headers:
        positions[header.key].append(str(header.position))
    repeats = [f"{key!r} is in columns {' and '.join(at)}" for key, at in positions.items() if len(at) > 1]
    if repeats:
        raise TableUnreadable(
            f"The header row names columns more than once: {'; '.join(repeats)}. Rename or remove the "
            "repeats, so that each column has one meaning."
        )


def _key(question: str, continuation: str) -> str:
    return f"{question}: {continuation}"


def _tidy(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", _tidy(text).casefold())


def _declared(dataset: Dataset) -> Mapping[tuple[str | None, str], Column]:
    """The declared columns by question and name of the headers that are them, or continue them."""
    named = {(None, each.name): each for each in reversed(dataset.columns)}
    return named | {(each.name, text): each for each in dataset.columns for text in each.continued_by}


def _find(declared: Mapping[tuple[str | None, str], Column], header: Header) -> Column | None:
    """The declared column that this header is, or continues; None: no rule knows it."""
    return declared.get((header.question, header.name))


# ------------------------------------------------------------------------------------- which level it has


@dataclass(frozen=True, slots=True)
class _Case:
    """What one table is judged by. All of it is found once, so that no column looks through all rules.

    ``span`` goes from the declared grain to the finest that the data show, which is the table's own. Whatever
    is asked for on the way counts too: what is found in the data raises a level, and never lowers one.
    """

    policy: Policy
    dataset: Dataset
    as_of: date
    span: tuple[Grain, ...]
    but: str  # why the table is finer than declared; empty where it is not
    last: Assessment | None  # the last one made in the operation's context: its review date decides
    relied_upon: tuple[Assessment, ...]
    tightened: Mapping[str, Sequence[Reason]]  # by indicator
    waivers: Mapping[str, Waiver]  # in force, by the rule that they relax

    @property
    def grain(self) -> Grain:
        return self.span[-1]

    @property
    def operation(self) -> Operation:
        return self.policy.operations[self.dataset.operation]


def classify(policy: Policy, profile: TableProfile, as_of: date) -> Classification:
    """Give each column the strictest level that any rule asks for, on the day ``as_of``.

    The table's level is its strictest column's, or None (undecided) where anything is missing. A column
    stays undecided without a level for its grain or without an assessment in force, unless a rule that does
    stand calls it Secret: nothing that is missing could lower that. Only a waiver relaxes, only what is not
    Secret, and the reason says so.

    Raises:
        UsageProblem: the policy declares no such dataset.
    """
    case = _case(policy, profile, as_of)
    unassessed = tuple(_assessment_gaps(case))
    columns = tuple(_columns(case, profile.headers, assessed=not unassessed))
    gaps = (
        *_table_gaps(case, profile),
        *unassessed,
        *_column_gaps(case, columns),
        *_absence_gaps(case.dataset, profile),
    )
    used = [policy.waivers[each] for each in sorted(_used(columns))]
    levels = [each.level for each in columns if each.level is not None]
    return Classification(
        dataset=case.dataset.id,
        grain=case.grain,
        rows=profile.rows,
        stage=profile.stage,
        round=profile.round,
        level=None if gaps else max(levels),
        columns=columns,
        gaps=gaps,
        expires=None if unassessed else min(_ends(case.relied_upon, used)),
        policy_digest=policy.digest,
        as_of=as_of,
        evidence=profile.evidence,
        notices=tuple(sorted(_notices(case, columns, used), key=lambda each: (each.on, each.sentence))),
        whole=profile.whole,
        aggregated_to=profile.aggregated_to,
    )


def _case(policy: Policy, profile: TableProfile, as_of: date) -> _Case:
    declared = dataset(policy, profile.dataset)
    operation = policy.operations[declared.operation]
    span, but = _grains(declared, profile)
    in_time = [each for each in policy.assessments.values() if each.covers(declared.id, as_of)]
    last = _last(policy, declared, as_of)
    in_force = last is not None and last.covers(declared.id, as_of)
    tightened = defaultdict(list)
    for rule, each in (*_overlaid(policy, operation, as_of), *_assessed(in_time)):
        if each.grain in span:
            tightened[each.indicator].append(Reason(rule, each.source, each.why, each.level))
    return _Case(
        policy=policy,
        dataset=declared,
        as_of=as_of,
        span=span,
        but=but,
        last=last,
        relied_upon=tuple(each for each in in_time if in_force and each.context == operation.context),
        tightened=tightened,
        waivers=_by_rule(policy.waivers_on(declared, as_of)),
    )


def _last(policy: Policy, dataset: Dataset, as_of: date) -> Assessment | None:
    """The last assessment made in the operation's context; of several of one day what is reviewed first.

    Once it lapses nothing is decided, though an older one may be in force: that does not know what the last
    one made stricter, and would loosen it by the mere passing of a day.
    """
    context = policy.operations[dataset.operation].context
    made = (
        each
        for each in policy.assessments.values()
        if dataset.id in each.datasets and each.context == context and each.assessed_on <= as_of
    )
    ordered = sorted(made, key=lambda each: (each.review_by, each.id))
    return max(ordered, key=lambda each: each.assessed_on, default=None)


def _grains(dataset: Dataset, profile: TableProfile) -> tuple[tuple[Grain, ...], str]:
    """From the declared grain to the finest that the data show, and in words why they differ."""
    declared = profile.aggregated_to or dataset.grain
    finer = [each for each in profile.evidence if each.grain.depth > declared.depth]
    finer.sort(key=lambda each: (-each.grain.depth, each.why))
    finest = finer[0].grain if finer else declared
    said = f"aggregated to {declared}" if profile.aggregated_to else f"declared by {declared}"
    but = f"{said}, but {'; '.join(each.why for each in finer)}" if finer else ""
    return tuple(Grain)[declared.depth : finest.depth + 1], but


def _overlaid(policy: Policy, operation: Operation, day: date) -> Iterator[tuple[str, Tightening]]:
    """What the overlays in force tighten, and all that they build on; each under the id of its rule."""
    for overlay in policy.overlays.values():
        if overlay.holds(operation, day):
            for brought in policy.foundations(overlay):
                for each in brought.tightens:
                    yield overlay_rule(overlay.id, brought.id, each.indicator, each.grain), each


def _assessed(assessments: Iterable[Assessment]) -> Iterator[tuple[str, Tightening]]:
    for assessment in assessments:
        for each in assessment.levels:
            yield assessment_rule(assessment.id, each.indicator, each.grain), each


def _columns(case: _Case, headers: Iterable[Header], *, assessed: bool) -> Iterator[ColumnLevel]:
    declared = _declared(case.dataset)
    indicators = {
        header: case.policy.indicators[column.indicator] if (column := _find(declared, header)) else None
        for header in headers
    }
    reasons = dict(_reasons(case, indicators))
    for header, indicator in indicators.items():
        if indicator is None:
            yield ColumnLevel(header, None, None, ())
            continue
        found = reasons[indicator.id]
        level = _strictest(found, decided=assessed and case.grain in indicator.levels)
        yield ColumnLevel(header, indicator.id, level, found)


def _strictest(reasons: Sequence[Reason], *, decided: bool) -> Level | None:
    level = max((each.level for each in reasons), default=None)
    return level if decided or level is Level.SECRET else None


def _reasons(
    case: _Case, indicators: Mapping[Header, Indicator | None]
) -> Iterator[tuple[str, tuple[Reason, ...]]]:
    """Per indicator in the table every rule that has a say, strictest first."""
    related = _relation_reasons(case, indicators)
    for indicator in {each.id: each for each in indicators.values() if each}.values():
        asked = [
            *_own_reasons(case, indicator),
            *case.tightened.get(indicator.id, ()),
            *related.get(indicator.id, ()),
        ]
        reasons = [_relaxed(each, case.waivers.get(each.rule)) for each in asked]
        yield indicator.id, tuple(sorted(reasons, key=lambda each: (-each.level, each.rule, each.source)))


def _own_reasons(case: _Case, indicator: Indicator) -> Iterator[Reason]:
    """What the indicator asks for at the table's grain; at a coarser one of the span only if that is more.

    More than what is left of it: a waiver for the finer grain says nothing of the coarser one.
    """
    least = Level.PUBLIC
    for grain in reversed(case.span):
        level = indicator.levels.get(grain)
        if level is not None and (grain is case.grain or level > least):
            by = f"by {grain} ({case.but})" if case.but else f"by {grain}"
            why = f"{indicator.title}, {by}: {indicator.basis}"
            reason = Reason(f"indicator:{indicator.id}@{grain}", indicator.source, why, level)
            if grain is case.grain:
                least = _relaxed(reason, case.waivers.get(reason.rule)).level
            yield reason


def _relation_reasons(
    case: _Case, indicators: Mapping[Header, Indicator | None]
) -> Mapping[str, Sequence[Reason]]:
    """Per indicator, the relations that hold in this table and have it in one of their groups."""
    present: dict[str, list[Header]] = defaultdict(list)
    for header, indicator in indicators.items():
        if indicator:
            present[indicator.id].append(header)
    reasons: dict[str, list[Reason]] = defaultdict(list)
    for relation in case.policy.relations.values():
        if not relation.holds(case.grain, present):
            continue
        for found, others in _sides(relation, present):
            why = f"{relation.why.rstrip('. ')} (beside {_listed(others)})"
            for each in found:
                reasons[each].append(Reason(relation.rule, relation.source, why, relation.level))
    return reasons


def _sides(
    relation: Relation, present: Mapping[str, Sequence[Header]]
) -> Iterator[tuple[Sequence[str], Sequence[Header]]]:
    """Indicators at hand that stand in the same of the relation's groups, and the columns of the others."""
    places: dict[str, list[int]] = defaultdict(list)
    for number, group in enumerate(relation.groups):
        for each in dict.fromkeys(group):
            if each in present:
                places[each].append(number)
    sides: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for indicator, numbers in places.items():
        sides[tuple(numbers)].append(indicator)
    for side, found in sides.items():
        groups = (group for number, group in enumerate(relation.groups) if number not in side)
        others = {each for group in groups for each in group if each in present}
        beside = (header for each in others for header in present[each])
        yield found, sorted(beside, key=lambda header: header.key)


def _listed(headers: Sequence[Header]) -> str:
    more = f" and {len(headers) - _NAMED} more" if len(headers) > _NAMED else ""
    return ", ".join(repr(each.key) for each in headers[:_NAMED]) + more


# ------------------------------------------------------------------------------------------------ waivers


def _by_rule(waivers: Iterable[Waiver]) -> Mapping[str, Waiver]:
    """Per rule the waiver that relaxes it; of several (no checked policy has them) the strictest."""
    ordered = sorted(waivers, key=lambda each: (each.level, each.id))
    return {rule: each for each in ordered for rule in each.relaxes}


def _relaxes(waiver: Waiver | None, reason: Reason) -> bool:
    """Never what is Secret, whatever the file says: personal data need IOM Legal, not a waiver."""
    return waiver is not None and waiver.level < reason.level < Level.SECRET


def _relaxed(reason: Reason, waiver: Waiver | None) -> Reason:
    if waiver is None or not _relaxes(waiver, reason):
        return reason
    why = f"{reason.why.rstrip('. ')}; {waiver.says(reason.level)}"
    return replace(reason, level=waiver.level, why=why, waiver=waiver.id)


def _used(columns: Iterable[ColumnLevel]) -> set[str]:
    return {reason.waiver for each in columns for reason in each.reasons if reason.waiver}


# ------------------------------------------------------------------------------------- what ends, and when


def _ends(relied_upon: Iterable[Assessment], used: Iterable[Waiver]) -> Iterator[date]:
    yield from (each.review_by for each in relied_upon)
    yield from (each.validity.until or date.max for each in used)


def _notices(case: _Case, columns: Sequence[ColumnLevel], used: Sequence[Waiver]) -> Iterator[Notice]:
    """What lapses within ``NOTICE``, and the waivers that did so within it and are missed here."""
    last = case.last
    if last and case.relied_upon and last.review_by - case.as_of <= NOTICE:
        sentence = (
            f"Risk assessment {last.id} is to be reviewed by {last.review_by} ({last.source}): after that "
            "day nothing that it covers is decided until the coordinator and a sectoral expert repeat it."
        )
        yield Notice("assessment-lapses", sentence, last.review_by)
    for each in used:
        if each.validity.until and each.validity.until - case.as_of <= NOTICE:
            sentence = (
                f"Waiver {each.id} ends on {each.validity.until} ({each.source}): from the next day on the "
                "rules that it relaxes count in full."
            )
            yield Notice("waiver-lapses", sentence, each.validity.until)
    missed = {each.id: each for each in _missed(case, columns)}
    for each in missed.values():
        if each.validity.until:
            sentence = (
                f"Waiver {each.id} ended on {each.validity.until} ({each.source}): the rules that it relaxed "
                "count in full again."
            )
            yield Notice("waiver-lapsed", sentence, each.validity.until)


def _missed(case: _Case, columns: Iterable[ColumnLevel]) -> Iterator[Waiver]:
    """The waivers that ended within ``NOTICE`` and would have relaxed a reason of this table."""
    ends = {each.validity.until for each in case.policy.waivers.values() if each.validity.until}
    recent = [day for day in sorted(ends) if timedelta(0) < case.as_of - day <= NOTICE]
    lapsed = _by_rule(
        each
        for day in recent
        for each in case.policy.waivers_on(case.dataset, day)
        if each.validity.until == day
    )
    for column in columns:
        for reason in column.reasons:
            waiver = lapsed.get(reason.rule)
            if waiver and _relaxes(waiver, reason):
                yield waiver


# ----------------------------------------------------------------------------------------- what is missing


def _table_gaps(case: _Case, profile: TableProfile) -> Iterator[Gap]:
    operation = case.operation
    if not profile.headers:
        yield Gap("no-columns", "The table has no columns, so nothing was judged: check how it was read.")
    if profile.rows < 1:
        yield Gap("empty-table", "The table has no rows, so nothing was judged: check how it was made.")
    if not operation.validity.covers(case.as_of):
        yield Gap(
            "operation-not-valid",
            f"Operation {operation.id} is not valid on {case.as_of}, only from {operation.validity.start} "
            f"until {operation.validity.until or 'revoked'} ({operation.source}): correct or renew it.",
        )


def _assessment_gaps(case: _Case) -> Iterator[Gap]:
    """Guideline: assessed before collection by the Coordinator and a sectoral expert, then regularly."""
    for each in case.relied_upon:
        for function, person in (
            ("coordinator", each.coordinator),
            ("sectoral expert", each.sectoral_expert),
        ):
            if not case.policy.focal_points[person].in_office.covers(each.assessed_on):
                yield Gap(
                    "assessor-not-in-office",
                    f"Risk assessment {each.id} of {each.assessed_on} names {person} as {function}, not in "
                    f"office that day ({each.source}): correct the file or repeat the assessment.",
                )
    if not case.relied_upon:
        known = [each for each in case.policy.assessments.values() if case.dataset.id in each.datasets]
        yield _why_unassessed(case, known)


def _why_unassessed(case: _Case, known: Sequence[Assessment]) -> Gap:
    dataset, as_of = case.dataset, case.as_of
    made = [each for each in known if each.assessed_on <= as_of]
    if made:
        last = case.last or max(made, key=lambda each: (each.review_by, each.id))
        return _changed(case, last) if last.covers(dataset.id, as_of) else _lapsed(last, as_of)
    if known:
        first = min(known, key=lambda each: (each.assessed_on, each.id))
        return Gap(
            "assessment-not-made",
            f"Risk assessment {first.id} is dated {first.assessed_on}, after {as_of} ({first.source}): "
            "nothing is decided before it is made.",
        )
    return Gap(
        "no-assessment",
        f"No risk assessment covers {dataset.id} ({dataset.source}): the coordinator and a sectoral "
        "expert make one before collection.",
    )


def _changed(case: _Case, assessment: Assessment) -> Gap:
    operation = case.operation
    return Gap(
        "context-changed",
        f"Risk assessment {assessment.id} was made for a context of {assessment.context} "
        f"({assessment.source}), and operation {operation.id} is now in one of {operation.context} "
        f"({operation.source}): the coordinator and a sectoral expert have to repeat it.",
    )


def _lapsed(assessment: Assessment, as_of: date) -> Gap:
    return Gap(
        "lapsed-assessment",
        f"Risk assessment {assessment.id} was to be reviewed by {assessment.review_by}, before {as_of} "
        f"({assessment.source}): the coordinator and a sectoral expert have to repeat it.",
    )


def _column_gaps(case: _Case, columns: Iterable[ColumnLevel]) -> Iterator[Gap]:
    dataset, at = case.dataset, f"{case.grain} ({case.but})" if case.but else str(case.grain)
    for each in columns:
        key = each.header.key
        if each.indicator is None:
            yield Gap(
                "unknown-column",
                f"No rule knows column {each.header.position}, {key!r}: declare it in dataset {dataset.id} "
                f"({dataset.source}) with its indicator, or leave it out of the table.",
                key,
            )
        elif case.grain not in (indicator := case.policy.indicators[each.indicator]).levels:
            yield Gap(
                "no-level",
                f"Indicator {indicator.id} of column {key!r} has no level at grain {at} "
                f"({indicator.source}): add it.",
                key,
            )


def _absence_gaps(dataset: Dataset, profile: TableProfile) -> Iterator[Gap]:
    """What a whole table lacks. What goes at collection may be there or not: the gate judges it if it is."""
    if not profile.whole:
        return
    present = {header.key for header in profile.headers}
    for column in dataset.columns:
        if column.name in dataset.drop_at_collection:
            continue
        for key in (column.name, *(_key(column.name, text) for text in column.continued_by)):
            if key not in present:
                yield Gap(
                    "absent-column",
                    f"The table lacks column {key!r}, which {dataset.id} declares ({column.source}): check "
                    "whether the file is whole, or correct the declaration.",
                    key,
                )
