"""What a change of the policy lets out, and what it stops, for whom, and from which day on.

The engine itself answers, under either policy, on made-up tables (``cases``): at every grain, on ``as_of``
and on every later day on which something that matters starts or ends. Nothing here knows a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Any

from dtm_sharing import classify, gate
from dtm_sharing.model import (
    PUBLIC,
    Agreement,
    Audience,
    Decision,
    Grain,
    GrainEvidence,
    Holding,
    Level,
    Outcome,
    Policy,
    Source,
    Stage,
    TableProfile,
)
from dtm_sharing.review.cases import Case, Pair, Recipient, Rows, cases, days

_ROWS = 1000  # of a made-up table: no small number that a rule might stop
_ROUND = "made-up"
_DAY = timedelta(days=1)
# That a made-up table lacks the other columns of its pathway says nothing of the columns that it has.
_OF_THE_CASE = frozenset({"agreed-indicator-absent"})
# They repeat what the reasons of the columns say.
_NO_CAUSE = ("classification:", "waiver:")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine says of the columns that a case is about. ``why``: why not; empty where it allows.

    ``rules``: id, where it stands, and the level that it asks for, if it asks for one. ``terms``: what else
    is worth a look though the answer is the same, e.g. another recipient.
    """

    outcome: Outcome
    level: Level | None
    why: str
    rules: frozenset[tuple[str, Source, Level | None]] = frozenset()
    waivers: tuple[str, ...] = ()
    terms: frozenset[str] = frozenset()
    absent: str | None = None  # the policy has no such dataset, agreement or pathway

    @property
    def allows(self) -> bool:
        return self.outcome is Outcome.ALLOW

    def basis(self) -> tuple[object, ...]:
        """All that makes it the same answer; where the rules stand is no part of it."""
        if self.outcome is Outcome.UNDECIDED:
            return self.outcome, self.terms, self.absent
        levels = frozenset((rule, level) for rule, _, level in self.rules)
        return self.outcome, self.level, levels, self.waivers, self.terms, self.absent


@dataclass(frozen=True, slots=True)
class Cause:
    """A rule that is not in both policies, or not the same in both, and where it stands in each."""

    rule: str
    old: Source | None
    new: Source | None

    def __str__(self) -> str:
        places = [f"{word} {place}" for word, place in (("old", self.old), ("new", self.new)) if place]
        return f"{self.rule} ({', '.join(places)})"


class Change(StrEnum):
    ALLOWED = "allowed"
    REFUSED = "refused"  # or undecided: it does not leave any more
    REWORDED = "reworded"  # whether it leaves is the same, but not by which rules or on which terms


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the two policies answer differently: a case, for an audience, in a span of days.

    ``until`` is the last day of it, None if no later day is known to change it. ``waivers`` of the new policy
    justify what becomes allowed: the old policy with only these would allow it as well.
    """

    case: Case
    grains: tuple[Grain, ...]
    recipient: Recipient
    since: date
    until: date | None
    before: Answer
    after: Answer
    causes: tuple[Cause, ...]
    waivers: tuple[str, ...]

    @property
    def change(self) -> Change:
        if self.before.allows == self.after.allows:
            return Change.REWORDED
        return Change.ALLOWED if self.after.allows else Change.REFUSED

    @property
    def unjustified(self) -> bool:
        """Whether it lets out what no waiver justifies."""
        return self.change is Change.ALLOWED and not self.waivers


def differences(
    old: Policy, new: Policy, as_of: date, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> tuple[Difference, ...]:
    """Every case in which ``new`` answers differently from ``old``, from ``as_of`` on.

    Args:
        old: the policy that is in force.
        new: the policy that would be.
        as_of: the first day that is looked at. The past does not change.
        progress: told how many pairs of dataset and audience are done, of how many.
    """
    pair = Pair(old, new)
    asked = [(recipient, dataset) for recipient in pair.recipients for dataset in pair.datasets]
    bench = _Bench(pair)
    found: list[Difference] = []
    for done, (recipient, dataset) in enumerate(asked):
        progress(done, len(asked))
        found += _differences(bench, dataset, recipient, as_of)
    progress(len(asked), len(asked))
    return tuple(found)


def _differences(bench: _Bench, dataset: str, recipient: Recipient, as_of: date) -> Iterator[Difference]:
    turns = days(bench.pair, dataset, recipient.audience, as_of)
    grains = _grains(bench.pair, dataset)
    for case in _told_apart(bench, dataset, recipient.audience):
        if bench.may_differ(case, recipient.audience):
            questions = [_Question(case, recipient, grain) for grain in grains]
            yield from _by_span(each for asked in questions for each in _spans(bench, asked, turns))


def _told_apart(bench: _Bench, dataset: str, audience: Audience) -> Iterator[Case]:
    """The cases; of those whose header texts are the same columns under both policies, the first."""
    seen = set()
    for case in cases(bench.pair, dataset, audience):
        known = (replace(case, texts=(), keys=()), bench.columns(case))
        if known not in seen:
            seen.add(known)
            yield case


def _grains(pair: Pair, dataset: str) -> tuple[Grain, ...]:
    """Every grain, for a table may be summed up, or turn out to be finer; the declared one first."""
    declared = [each.grain for _, each in pair.declared(dataset)]
    return tuple(dict.fromkeys((*declared, *Grain)))


# ----------------------------------------------------------------------------------- when, and at which grain


def _spans(bench: _Bench, asked: _Question, turns: Iterable[date]) -> Iterator[Difference]:
    """The spans of days in which each policy has one answer, where the two differ."""
    judged = [(day, *bench.judge(asked, day)) for day in turns]
    runs = [next(run) for _, run in groupby(judged, lambda each: (each[1].basis(), each[2].basis()))]
    ends = [*(day - _DAY for day, _, _ in runs[1:]), None]
    for (day, before, after), until in zip(runs, ends, strict=True):
        if before.basis() != after.basis():
            yield Difference(
                case=asked.case,
                grains=(asked.grain,),
                recipient=asked.recipient,
                since=day,
                until=until,
                before=before,
                after=after,
                causes=tuple(_causes(bench, asked, before, after)),
                waivers=bench.justifying(asked, day, before, after),
            )


def _by_span(found: Iterable[Difference]) -> Iterator[Difference]:
    """One difference for all grains at which it is the same."""
    merged: dict[object, Difference] = {}
    for each in found:
        same = (each.since, each.until, each.before.outcome, each.after.outcome, each.waivers)
        first = merged.setdefault(same, replace(each, grains=(), causes=()))
        causes = tuple(dict.fromkeys((*first.causes, *each.causes)))
        merged[same] = replace(first, grains=(*first.grains, *each.grains), causes=causes)
    yield from merged.values()


# ------------------------------------------------------------------------------------------ the engine, run


@dataclass(frozen=True, slots=True)
class _Question:
    case: Case
    recipient: Recipient
    grain: Grain


class _Bench:
    """The engine on made-up tables, under both policies."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self._old, self._new = Rows(pair.old), Rows(pair.new)
        # The old policy with the new one's waivers, and with whoever signed those.
        people = {**pair.new.focal_points, **pair.old.focal_points}
        self._waived = Rows(replace(pair.old, waivers=pair.new.waivers, focal_points=people))
        self._rest_is_same = _rest(pair.old) == _rest(pair.new)
        self._edited: dict[str, bool] = {}

    def columns(self, case: Case) -> tuple[tuple[str | None, str | None], ...]:
        """Which columns the texts of a case are under the old policy and under the new; None: of none."""
        row = (*case.texts, *case.keys)
        return tuple((self._old.key(case.dataset, text), self._new.key(case.dataset, text)) for text in row)

    def may_differ(self, case: Case, audience: Audience) -> bool:
        """False where all that the engine is given is equal: then so is what it answers (DESIGN 3)."""
        return not self._rest_is_same or _given(self._old, case, audience) != _given(
            self._new, case, audience
        )

    def edited(self, rule: str) -> bool:
        """Whether a rule that sets no level of its own says something else than before."""
        if rule not in self._edited:
            old, new = (_bare(_paper(policy, rule)) for policy in self.pair)
            self._edited[rule] = old != new
        return self._edited[rule]

    def judge(self, asked: _Question, day: date) -> tuple[Answer, Answer]:
        """What the engine says on a day: by the old policy, and by the new."""
        return _judge(self._old, asked, day), _judge(self._new, asked, day)

    def justifying(self, asked: _Question, day: date, before: Answer, after: Answer) -> tuple[str, ...]:
        """Ids of the waivers that alone let a case out; none where more than waivers had to change."""
        if before.allows or not after.allows or not after.waivers:
            return ()
        waived = _judge(self._waived, asked, day)
        return waived.waivers if waived.allows else ()


def _rest(policy: Policy) -> Policy:
    """What of a policy is no part of one case only: a field that is new here counts for all cases."""
    return replace(policy, digest="", indicators={}, datasets={}, agreements={}, requests={})


def _given(rows: Rows, case: Case, audience: Audience) -> tuple[object, ...]:
    """What of the other fields the engine is given with a case."""
    policy = rows.policy
    columns = (rows.column(case.dataset, text) for text in (*case.texts, *case.keys))
    indicators = {each.indicator for each in columns if each}
    indicators |= {id_ for _, held in case.held for id_ in held}
    agreement = policy.agreements.get(audience.agreement or "")
    return (
        [policy.datasets.get(id_) for id_ in (case.dataset, *(id_ for id_, _ in case.held))],
        {id_: policy.indicators.get(id_) for id_ in indicators},
        agreement,
        policy.requests.get(agreement.request) if agreement else None,
    )


def _judge(rows: Rows, asked: _Question, day: date) -> Answer:
    """What the engine says of the columns of a case, at a grain, for a recipient, on a day."""
    policy, case, recipient, grain = rows.policy, asked.case, asked.recipient, asked.grain
    if (missing := _missing(policy, case.dataset, recipient)) is not None:
        return missing
    headers = rows.headers(case.dataset, (*case.texts, *case.keys))
    if len({each.key for each in headers}) < len(headers):
        return Answer(Outcome.UNDECIDED, None, "Two of these headers are the same column.")
    declared = policy.datasets[case.dataset].grain
    profile = TableProfile(
        dataset=case.dataset,
        headers=headers,
        rows=_ROWS,
        stage=Stage.CLEANED,
        round=_ROUND,
        evidence=(GrainEvidence(grain, "made up"),) if grain.depth > declared.depth else (),
        aggregated_to=grain if grain.depth < declared.depth else None,
    )
    held = [
        Holding(dataset, _ROUND, grain, indicators, str(recipient.organization or PUBLIC), day, None)
        for dataset, indicators in case.held
    ]
    judged = classify.classify(policy, profile, day)
    decision = gate.decide(policy, judged, recipient.audience, held)  # no form is asked for
    answer = _read(decision, len(case.texts))
    return replace(answer, terms=answer.terms | _terms(policy, recipient.audience, day))


def _missing(policy: Policy, dataset: str, recipient: Recipient) -> Answer | None:
    """The answer where the policy has not even what is asked about."""
    if dataset not in policy.datasets:
        why = f"The policy declares no dataset {dataset}."
        return Answer(Outcome.UNDECIDED, None, why, absent=f"dataset:{dataset}")
    id_, urgency = recipient.audience.agreement, recipient.audience.urgency
    if id_ is None:
        return None
    agreement = policy.agreements.get(id_)
    if agreement is None or agreement.organization != recipient.organization:
        why = f"There is no agreement {id_} with {recipient.organization}."
        return Answer(Outcome.DENY, None, why, absent=f"agreement:{id_}")
    if urgency is None or agreement.pathway(urgency) is None:
        why = f"Agreement {id_} has no pathway of {urgency} urgency."
        return Answer(Outcome.DENY, None, why, absent=f"pathway:{recipient.audience}")
    return None


def _read(decision: Decision, count: int) -> Answer:
    """What a decision says of the first ``count`` columns of its table; the others only join it."""
    asked = decision.classification.columns[:count]
    keys = {None, *(each.header.key for each in asked)}
    gaps = [each for each in decision.gaps if each.kind not in _OF_THE_CASE and each.column in keys]
    refused = [each for each in decision.refused if each.header.key in keys]
    reasons = {(each.rule, each.source, each.level) for column in asked for each in column.reasons}
    of_columns = {each.rule for column in decision.classification.columns for each in column.reasons}
    papers = {
        (rule, source, None)
        for rule, source in decision.rules
        if rule not in of_columns and not rule.startswith(_NO_CAUSE)
    }
    levels = [each.level for each in asked]
    decided = [each for each in levels if each is not None]
    return Answer(
        outcome=Outcome.UNDECIDED if gaps else Outcome.DENY if refused else Outcome.ALLOW,
        level=max(decided) if decided and len(decided) == len(levels) else None,
        why=" ".join(dict.fromkeys([*(each.sentence for each in gaps), *(each.why for each in refused)])),
        rules=frozenset(reasons | papers),
        waivers=tuple(sorted({each.waiver for column in asked for each in column.reasons if each.waiver})),
        terms=frozenset(f"gap {each.kind}" for each in gaps),
    )


def _terms(policy: Policy, audience: Audience, day: date) -> frozenset[str]:
    """To whom, how and for what a pathway sends: another one is no other answer, but worth a look."""
    if audience.agreement is None:
        return frozenset()
    path = gate.pathway(policy, audience)
    people = {f"to {each.id} {each.email}" for each in gate.recipients(policy, path, day)}
    purpose = gate.request(policy, audience).purpose
    return frozenset({*people, f"by {path.method}", f"for {purpose}", f"monthly {path.monthly}"})


# -------------------------------------------------------------------------------------- which rules did it


def _causes(bench: _Bench, asked: _Question, before: Answer, after: Answer) -> Iterator[Cause]:
    """The rules that only one answer has, that ask for another level in the other, or that were edited."""
    old, new = bench.pair
    absent = dict.fromkeys(each.absent for each in (before, after) if each.absent)
    if absent:
        for rule in absent:
            yield Cause(rule, _place(old, rule), _place(new, rule))
        return
    one, other = ({rule: (source, level) for rule, source, level in each.rules} for each in (before, after))
    beside = {f"dataset:{asked.case.dataset}", *_named(bench.pair, asked.recipient.audience)}
    beside |= {f"waiver:{each}" for each in (*before.waivers, *after.waivers)}
    for rule in sorted({*one, *other, *beside}):
        levels = [each.get(rule, (None, None)) for each in (one, other)]
        if (rule in one) != (rule in other) or levels[0][1] != levels[1][1] or bench.edited(rule):
            yield Cause(rule, levels[0][0] or _place(old, rule), levels[1][0] or _place(new, rule))


def _named(pair: Pair, audience: Audience) -> Iterator[str]:
    """The people to whom a pathway would send."""
    for policy in pair if audience.agreement else ():
        path = gate.pathway(policy, audience)
        yield from (f"focal-point:{each}" for each in path.destination)


_PAPERS: Mapping[str, Callable[[Policy], Mapping[str, Any]]] = {
    "dataset": lambda policy: policy.datasets,
    "operation": lambda policy: policy.operations,
    "relation": lambda policy: policy.relations,
    "assessment": lambda policy: policy.assessments,
    "agreement": lambda policy: policy.agreements,
    "pathway": lambda policy: {
        path.id: path for agreement in policy.agreements.values() for path in agreement.pathways
    },
    "request": lambda policy: policy.requests,
    "focal-point": lambda policy: policy.focal_points,
    "waiver": lambda policy: policy.waivers,
}


def _paper(policy: Policy, rule: str) -> Any:
    """What stands behind the id of a rule that sets no level of its own; None: it does, or is not there."""
    kind, _, id_ = rule.partition(":")
    found = _PAPERS[kind](policy).get(id_) if kind in _PAPERS else None
    return replace(found, pathways=()) if isinstance(found, Agreement) else found


def _place(policy: Policy, rule: str) -> Source | None:
    found = _paper(policy, rule)
    return None if found is None else found.source


def _bare(value: Any) -> Any:
    """A value without the places where it stands: a comment above a rule changes nothing of it."""
    if isinstance(value, Source):
        return None
    if is_dataclass(value):
        return tuple(_bare(getattr(value, each.name)) for each in fields(value))
    if isinstance(value, Mapping):
        return {key: _bare(each) for key, each in value.items()}
    return tuple(map(_bare, value)) if isinstance(value, tuple) else value
