"""Which columns this audience may not have, each with a sentence that says why."""

from __future__ import annotations

from collections.abc import Iterator

from dtm_sharing.gate.terms import Terms
from dtm_sharing.model import Classification, ColumnLevel, Level, Refusal, RequestState, Source

FOR_GOOD = frozenset({RequestState.REFUSED, RequestState.REVOKED})  # a person said no


def refusals(classification: Classification, terms: Terms | None) -> Iterator[Refusal]:
    """Undecided columns are gaps, not refusals, where nothing else speaks against them."""
    for column in classification.columns:
        why = _why_not_public(column) if terms is None else _why_not_sent(column, classification, terms)
        if why is not None:
            yield Refusal(column.header, column.level, why)


def _why_not_public(column: ColumnLevel) -> str | None:
    if column.level is None or column.level is Level.PUBLIC:
        return None
    return _because(column, column.level)


def _why_not_sent(column: ColumnLevel, classification: Classification, terms: Terms) -> str | None:
    """Exactly what Table B lists and the request covers leaves, and nothing Secret (DESIGN 3.9, 3.10)."""
    path, asked = terms.pathway, terms.request
    if column.level is Level.SECRET:
        return f"{_because(column, column.level)} Secret enters no pathway."
    if asked.state in FOR_GOOD:
        reason = f", because: {asked.reason}" if asked.reason else ""
        return f"{cited(f'Data access request {asked.id} is {asked.state}{reason}', asked.source)}."
    if column.indicator not in terms.listed:
        what = f"indicator {column.indicator}" if column.indicator else "this column"
        return f"Not agreed: {path.id} does not share {what} of {classification.dataset} ({path.source})."
    if classification.dataset not in asked.datasets or column.indicator not in asked.indicators:
        return (
            f"Not asked for: data access request {asked.id} does not cover indicator {column.indicator} of "
            f"{classification.dataset} ({asked.source})."
        )
    return None


def _because(column: ColumnLevel, level: Level) -> str:
    """The level and every reason that is as strict as it."""
    reasons = [cited(each.why, each.source) for each in column.reasons if each.level is level]
    return f"{level.label}: {'; '.join(reasons)}."


def cited(sentence: str, source: Source) -> str:
    return f"{sentence.rstrip('. ')} ({source})"
