"""What is valid in a policy and still wants a second look: on a day, or before anything is collected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from dtm_sharing.model import Assessment, Dataset, Level, Policy, Source
from dtm_sharing.review.lapses import lapses

SOON = 30  # days

_ENDING = ("assessment", "waiver", "overlay", "operation", "agreement", "request", "focal-point")
# Kind -> what it means.
MEANINGS = {
    "context-changed": "A risk assessment was made in another context than the operation's.",
    "no-assessment": "No risk assessment covers a dataset, so nothing of it leaves.",
    "no-level": "A column has no level at its dataset's grain, so no table with it leaves.",
    "secret-collected": "A Secret column is not dropped at collection, so no table with it leaves.",
    **{f"{each}-lapses": f"The end of this {each} is near, and nothing follows." for each in _ENDING},
    **{f"{each}-lapsed": f"This {each} has ended, and nothing followed." for each in _ENDING},
}


@dataclass(frozen=True, slots=True, order=True)
class Doubt:
    source: Source
    kind: str
    sentence: str


def doubts(policy: Policy, as_of: date) -> tuple[Doubt, ...]:
    """All of them, by file and line. None of them makes the policy invalid."""
    found = [
        *(each for dataset in policy.datasets.values() for each in _of_dataset(policy, dataset)),
        *(each for one in policy.assessments.values() for each in _of_assessment(policy, one, as_of)),
        *_lapses(policy, as_of),
    ]
    return tuple(sorted(set(found)))


def _of_dataset(policy: Policy, dataset: Dataset) -> Iterator[Doubt]:
    if not any(dataset.id in each.datasets for each in policy.assessments.values()):
        sentence = f"no risk assessment covers {dataset.id}, so nothing of it leaves: make one first"
        yield Doubt(dataset.source, "no-assessment", sentence)
    for column in dataset.columns:
        level = policy.indicators[column.indicator].levels.get(dataset.grain)
        if level is None:
            sentence = (
                f"{column.indicator} has no level at grain {dataset.grain}, so {column.name!r} has none"
            )
            yield Doubt(column.source, "no-level", sentence)
        elif level is Level.SECRET and column.name not in dataset.drop_at_collection:
            sentence = f"{column.name!r} is Secret and is kept: drop it at collection, or no table may leave"
            yield Doubt(column.source, "secret-collected", sentence)


def _of_assessment(policy: Policy, made: Assessment, as_of: date) -> Iterator[Doubt]:
    """Only while it may be relied upon: what was assessed for a context that is over is history."""
    now = policy.operations[made.operation].context
    if made.context != now and made.review_by >= as_of:
        sentence = f"{made.id} was made for {made.context}, and {made.operation} is {now} now: assess again"
        yield Doubt(made.source, "context-changed", sentence)


def _lapses(policy: Policy, as_of: date) -> Iterator[Doubt]:
    for each in lapses(policy, as_of, SOON, ()):
        if each.source is not None:
            tense = "lapsed" if each.has_lapsed(as_of) else "lapses"
            yield Doubt(each.source, f"{each.kind}-{tense}", f"{each.id}: {each.sentence}")
