"""What is valid in a policy and still wants a second look: on a day, or before anything is collected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from dtm_sharing.model import (
    Assessment,
    Dataset,
    Level,
    Policy,
    Relation,
    RequestState,
    Source,
    Validity,
)
from dtm_sharing.review.lapses import lapses

SOON = 30  # days

# The guideline has risks assessed "regularly" and gives no number, nor one for what is signed. These numbers
# are ours: a year has every season of a crisis once, and in three years a partner's people are others.
_YEAR = timedelta(days=366)  # the longest one: from a day to the same day of the next year is never too long
_LONGEST = {
    "waiver": (_YEAR, "a year"),
    "agreement": (3 * _YEAR, "three years"),
    "request": (3 * _YEAR, "three years"),
}

_ENDING = ("assessment", "level", "waiver", "overlay", "operation", "agreement", "request", "focal-point")
# Kind -> what it means.
MEANINGS = {
    "context-changed": "A risk assessment was made in another context than the operation's.",
    "far-off-end": "A waiver lasts longer than a year, or an agreement or request longer than three.",
    "far-off-review": "A risk assessment is to be reviewed more than a year after it was made.",
    "no-assessment": "No risk assessment covers a dataset, so nothing of it leaves.",
    "no-level": "A column has no level at its dataset's grain, so no table with it leaves.",
    "relation-key-not-identifying": "A relation joins tables by what tells no unit from another.",
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
        *(each for relation in policy.relations.values() for each in _of_relation(policy, relation)),
        *(each for one in policy.assessments.values() for each in _of_assessment(policy, one, as_of)),
        *_far_off_ends(policy, as_of),
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


def _of_relation(policy: Policy, relation: Relation) -> Iterator[Doubt]:
    for key in relation.keys:
        if policy.indicators[key].identifies is None:
            sentence = (
                f"relation {relation.id} joins tables by {key}, whose values tell no unit from another: say "
                "what it `identifies` in its indicators file, or join by another"
            )
            yield Doubt(relation.source, "relation-key-not-identifying", sentence)


def _of_assessment(policy: Policy, made: Assessment, as_of: date) -> Iterator[Doubt]:
    """Only while it may be relied upon: what was assessed for a context that is over is history."""
    if made.review_by < as_of:
        return
    if made.review_by - made.assessed_on > _YEAR:
        sentence = (
            f"{made.id} is to be reviewed by {made.review_by}, more than a year after it was made on "
            f"{made.assessed_on}: set an earlier day"
        )
        yield Doubt(made.source, "far-off-review", sentence)
    now = policy.operations[made.operation].context
    if made.context != now:
        sentence = f"{made.id} was made for {made.context}, and {made.operation} is {now} now: assess again"
        yield Doubt(made.source, "context-changed", sentence)


def _far_off_ends(policy: Policy, as_of: date) -> Iterator[Doubt]:
    """What is signed for so long that nobody looks at it again; not what is over anyway."""
    for kind, id_, span, source in _signed(policy):
        most, said = _LONGEST[kind]
        until = span.until or date.max
        if until - span.start > most and until >= as_of:
            ends = f"ends on {until}" if span.until else "never ends"
            sentence = (
                f"{kind} {id_} {ends}, more than {said} after it begins on {span.start}: end it sooner, and "
                "decide again then"
            )
            yield Doubt(source, "far-off-end", sentence)


def _signed(policy: Policy) -> Iterator[tuple[str, str, Validity, Source]]:
    for waiver in policy.waivers.values():
        yield "waiver", waiver.id, waiver.validity, waiver.source
    for agreement in policy.agreements.values():
        yield "agreement", agreement.id, agreement.validity, agreement.source
    for request in policy.requests.values():
        if request.validity and request.state is RequestState.APPROVED:
            yield "request", request.id, request.validity, request.source


def _lapses(policy: Policy, as_of: date) -> Iterator[Doubt]:
    for each in lapses(policy, as_of, SOON, ()):
        if each.source is not None:
            tense = "lapsed" if each.has_lapsed(as_of) else "lapses"
            yield Doubt(each.source, f"{each.kind}-{tense}", f"{each.id}: {each.sentence}")
