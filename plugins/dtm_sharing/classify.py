"""The level of every column of a table, with every reason for it. Looks at headers, never at a cell.

Strictest wins, whatever the order of files or columns. What no rule knows has no level, and a table with such
a column has none either: that is a gap, and its sentence says what to do (the guideline's classes are only
worth something if silence never means Public).
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from dtm_sharing.errors import TableUnreadable, UsageProblem
from dtm_sharing.model import (
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
    Policy,
    Reason,
    Relation,
    TableProfile,
    Tightening,
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


def identify(headers: Sequence[str], dataset: Dataset) -> tuple[Header, ...]:
    """Tell the columns of a table apart: its header texts, in order, become one ``Header`` each.

    Case, spaces at the ends, runs of spaces and Unicode composition do not count. "If other, please specify"
    belongs to the question that it stands after, if that question declares it: then its key is
    ``"<question>: <continuation>"``. Elsewhere it is unknown, as is every text that nobody declared.
    Where fewer than half of the texts stand in the policy, the row may be data (files without a header row
    exist, and a pivoted frame has cells for names): then no text that is not in the policy is kept, only its
    position, so that no cell value reaches a message.

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
    if 2 * sum(text in declared for text in texts) < len(texts):
        found = [
            each if _declares(dataset, each) else _unknown(each.position, "", "unknown") for each in found
        ]
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


def _declares(dataset: Dataset, header: Header) -> Column | None:
    """The declared column that this header is, or continues; None: no rule knows it."""
    for column in dataset.columns:
        if header.question is None and header.name == column.name:
            return column
        if header.question == column.name and header.name in column.continued_by:
            return column
    return None


# ------------------------------------------------------------------------------------- which level it has


def classify(policy: Policy, profile: TableProfile, as_of: date) -> Classification:
    """Give each column the strictest level that any rule asks for, on the day ``as_of``.

    The table's level is its strictest column's, or None (undecided) where anything is missing. A column
    stays undecided without a level for its grain or without an assessment in force, unless a rule that does
    stand calls it Secret: nothing that is missing could lower that.

    Raises:
        UsageProblem: the policy declares no such dataset.
    """
    declared = dataset(policy, profile.dataset)
    relied_upon = [each for each in policy.assessments.values() if each.covers(declared.id, as_of)]
    unassessed = tuple(_assessment_gaps(policy, declared, relied_upon, as_of))
    tightenings = tuple(_tightenings(policy, declared, relied_upon, as_of))
    columns = tuple(_columns(policy, declared, profile.headers, tightenings, assessed=not unassessed))
    gaps = (
        *_table_gaps(policy, declared, profile, as_of),
        *unassessed,
        *_column_gaps(policy, declared, columns),
        *_absence_gaps(declared, profile),
    )
    levels = [each.level for each in columns if each.level is not None]
    return Classification(
        dataset=declared.id,
        grain=declared.grain,
        rows=profile.rows,
        stage=profile.stage,
        round=profile.round,
        level=None if gaps else max(levels),
        columns=columns,
        gaps=gaps,
        expires=None if unassessed else min(each.review_by for each in relied_upon),
        policy_digest=policy.digest,
        as_of=as_of,
    )


def _columns(
    policy: Policy,
    dataset: Dataset,
    headers: Iterable[Header],
    tightenings: Sequence[tuple[str, Tightening]],
    *,
    assessed: bool,
) -> Iterator[ColumnLevel]:
    indicators = {header: _indicator(policy, dataset, header) for header in headers}
    related = _relation_reasons(policy, dataset.grain, indicators)
    for header, indicator in indicators.items():
        if indicator is None:
            yield ColumnLevel(header, None, None, ())
            continue
        reasons = [*_own_reasons(indicator, dataset.grain, tightenings), *related[header]]
        reasons.sort(key=lambda each: (-each.level, each.rule, each.source))
        level = _strictest(reasons, decided=assessed and dataset.grain in indicator.levels)
        yield ColumnLevel(header, indicator.id, level, tuple(reasons))


def _indicator(policy: Policy, dataset: Dataset, header: Header) -> Indicator | None:
    column = _declares(dataset, header)
    return None if column is None else policy.indicators[column.indicator]


def _strictest(reasons: Sequence[Reason], *, decided: bool) -> Level | None:
    level = max((each.level for each in reasons), default=None)
    return level if decided or level is Level.SECRET else None


def _own_reasons(
    indicator: Indicator, grain: Grain, tightenings: Iterable[tuple[str, Tightening]]
) -> tuple[Reason, ...]:
    reasons = []
    if grain in indicator.levels:
        why = f"{indicator.title}, by {grain}: {indicator.basis}"
        rule = f"indicator:{indicator.id}@{grain}"
        reasons.append(Reason(rule, indicator.source, why, indicator.levels[grain]))
    reasons += [
        Reason(f"{rule}/{each.indicator}@{each.grain}", each.source, each.why, each.level)
        for rule, each in tightenings
        if (each.indicator, each.grain) == (indicator.id, grain)
    ]
    return tuple(reasons)


def _tightenings(
    policy: Policy, dataset: Dataset, relied_upon: Iterable[Assessment], as_of: date
) -> Iterator[tuple[str, Tightening]]:
    operation = policy.operations[dataset.operation]
    if operation.validity.covers(as_of):
        yield from ((f"operation:{operation.id}", each) for each in operation.tightens)
    for assessment in relied_upon:
        yield from ((f"assessment:{assessment.id}", each) for each in assessment.levels)


def _relation_reasons(
    policy: Policy, grain: Grain, indicators: Mapping[Header, Indicator | None]
) -> Mapping[Header, Sequence[Reason]]:
    """Per column, the relations that hold in this table and have the column in one of their groups."""
    reasons: dict[Header, list[Reason]] = {header: [] for header in indicators}
    present = {each.id for each in indicators.values() if each}
    for relation in policy.relations.values():
        if not relation.holds(grain, present):
            continue
        for header, indicator in indicators.items():
            if indicator and any(indicator.id in group for group in relation.groups):
                why = f"{relation.why.rstrip('. ')} (beside {_others(relation, indicator.id, indicators)})"
                reasons[header].append(Reason(relation.rule, relation.source, why, relation.level))
    return reasons


def _others(relation: Relation, indicator: str, indicators: Mapping[Header, Indicator | None]) -> str:
    """The columns of the relation's other groups, by name."""
    wanted = {each for group in relation.groups if indicator not in group for each in group}
    keys = [header.key for header, each in indicators.items() if each and each.id in wanted]
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return ", ".join(map(repr, keys[:_NAMED])) + more


# ----------------------------------------------------------------------------------------- what is missing


def _table_gaps(policy: Policy, dataset: Dataset, profile: TableProfile, as_of: date) -> Iterator[Gap]:
    operation = policy.operations[dataset.operation]
    if not profile.headers:
        yield Gap("no-columns", "The table has no columns, so nothing was judged: check how it was read.")
    if profile.rows < 1:
        yield Gap("empty-table", "The table has no rows, so nothing was judged: check how it was made.")
    if not operation.validity.covers(as_of):
        yield Gap(
            "operation-not-valid",
            f"Operation {operation.id} is not valid on {as_of}, only from {operation.validity.start} until "
            f"{operation.validity.until or 'revoked'} ({operation.source}): correct or renew it.",
        )


def _assessment_gaps(
    policy: Policy, dataset: Dataset, relied_upon: Sequence[Assessment], as_of: date
) -> Iterator[Gap]:
    """Guideline: assessed before collection by the Coordinator and a sectoral expert, then regularly."""
    for each in relied_upon:
        for function, person in (
            ("coordinator", each.coordinator),
            ("sectoral expert", each.sectoral_expert),
        ):
            if not policy.focal_points[person].in_office.covers(each.assessed_on):
                yield Gap(
                    "assessor-not-in-office",
                    f"Risk assessment {each.id} of {each.assessed_on} names {person} as {function}, not in "
                    f"office that day ({each.source}): correct the file or repeat the assessment.",
                )
    if not relied_upon:
        known = [each for each in policy.assessments.values() if dataset.id in each.datasets]
        yield _why_unassessed(dataset, known, as_of)


def _why_unassessed(dataset: Dataset, known: Sequence[Assessment], as_of: date) -> Gap:
    made = [each for each in known if each.assessed_on <= as_of]
    if made:
        last = max(made, key=lambda each: (each.review_by, each.id))
        return Gap(
            "lapsed-assessment",
            f"Risk assessment {last.id} was to be reviewed by {last.review_by}, before {as_of} "
            f"({last.source}): the coordinator and a sectoral expert have to repeat it.",
        )
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


def _column_gaps(policy: Policy, dataset: Dataset, columns: Iterable[ColumnLevel]) -> Iterator[Gap]:
    for each in columns:
        key = each.header.key
        if each.indicator is None:
            yield Gap(
                "unknown-column",
                f"No rule knows column {each.header.position}, {key!r}: declare it in dataset {dataset.id} "
                f"({dataset.source}) with its indicator, or leave it out of the table.",
                key,
            )
        elif dataset.grain not in (indicator := policy.indicators[each.indicator]).levels:
            yield Gap(
                "no-level",
                f"Indicator {indicator.id} of column {key!r} has no level at grain {dataset.grain} "
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
