"""What is valid in a policy and still wants a second look: on a day, or before anything is collected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from dtm_sharing.model import (
    Assessment,
    Dataset,
    Grain,
    Indicator,
    Level,
    Policy,
    Relation,
    RequestState,
    Source,
    Tightening,
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

_FEWEST_WORDS = 3  # what says something of a risk has somebody, something, and what happens

_ENDING = ("assessment", "level", "waiver", "overlay", "operation", "agreement", "request", "focal-point")
# Kind -> what it means.
MEANINGS = {
    "coarser-is-stricter": "A level is stricter than that of a finer grain, which can be summed up to it.",
    "context-changed": "A risk assessment was made in another context than the operation's.",
    "far-off-end": "A waiver lasts longer than a year, or an agreement or request longer than three.",
    "far-off-review": "A risk assessment is to be reviewed more than a year after it was made.",
    "no-assessment": "No risk assessment covers a dataset, so nothing of it leaves.",
    "no-level": "A column has no level at its dataset's grain, so no table with it leaves.",
    "relation-key-not-identifying": "A relation joins tables by what tells no unit from another.",
    "says-nothing": "A text of a risk assessment has fewer than three words.",
    "secret-collected": "A Secret column is not dropped at collection, so no table with it leaves.",
    **{f"{each}-lapses": f"The end of this {each} is near, and nothing follows." for each in _ENDING},
    **{f"{each}-lapsed": f"This {each} has ended, and nothing followed." for each in _ENDING},
    "request-lapsed": "An agreement rests on a request that has ended or is not approved.",
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
        *_upside_down(policy, as_of),
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
    texts = {
        **{f"impact on {whom.replace('_', ' ')}": text for whom, text in made.impact.items()},
        "risk of sharing": made.risk_of_sharing,
        "risk of not sharing": made.risk_of_not_sharing,
    }
    empty = [name for name, text in texts.items() if _words(text) < _FEWEST_WORDS]
    if empty:
        sentence = (
            f"{made.id} says nothing of the {', the '.join(empty)}: weigh it, in a sentence that somebody "
            "else can judge"
        )
        yield Doubt(made.source, "says-nothing", sentence)


def _words(text: str) -> int:
    return sum(any(sign.isalpha() for sign in word) for word in text.split())


def _upside_down(policy: Policy, as_of: date) -> Iterator[Doubt]:
    """Levels that a finer table lets out: whoever has that one can sum it up.

    Each paper is judged with the indicators' own levels and what it builds on, since others may end sooner.
    """
    used = {column.indicator for dataset in policy.datasets.values() for column in dataset.columns}
    for indicator in (each for id_, each in policy.indicators.items() if id_ in used):
        for grain, level in indicator.levels.items():
            yield from _finer(indicator, indicator.levels, (grain, level), indicator.source)
    papers = [(each.levels, each.levels) for each in policy.assessments.values() if each.review_by >= as_of]
    for overlay in policy.overlays.values():
        if (overlay.validity.until or date.max) >= as_of:
            brought = tuple(each for one in policy.foundations(overlay) for each in one.tightens)
            papers.append((overlay.tightens, brought))
    for own, brought in papers:
        for each in own:
            indicator = policy.indicators[each.indicator]
            levels = _tightened(indicator, brought)
            if each.indicator in used and each.level > indicator.levels.get(each.grain, each.level):
                yield from _finer(indicator, levels, (each.grain, each.level), each.source)


def _tightened(indicator: Indicator, tightenings: Iterable[Tightening]) -> dict[Grain, Level]:
    """Its levels with these; a grain without a level of its own is undecided, whatever is tightened."""
    levels = dict(indicator.levels)
    for each in tightenings:
        if each.indicator == indicator.id and each.grain in levels:
            levels[each.grain] = max(levels[each.grain], each.level)
    return levels


def _finer(
    indicator: Indicator, levels: Mapping[Grain, Level], at: tuple[Grain, Level], source: Source
) -> Iterator[Doubt]:
    grain, level = at
    looser = [
        f"{its.label} at {each}" for each, its in levels.items() if each.depth > grain.depth and its < level
    ]
    if looser:
        sentence = (
            f"{indicator.id} is {level.label} at grain {grain} and only {', '.join(looser)}: whoever has the "
            "finer table can sum it up, so make that as strict"
        )
        yield Doubt(source, "coarser-is-stricter", sentence)


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
