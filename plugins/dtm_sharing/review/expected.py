"""Given/expect cases, judged: does the policy decide what its authors want, and of which rules is it known?

``judge`` answers the first. ``coverage`` names the rules that no case touches, and ``unnoticed`` those that
could ask for something else, or be gone, without any case that fails: that is the stricter question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain

from dtm_sharing import classify, gate
from dtm_sharing.model import (
    PUBLIC,
    Audience,
    ColumnLevel,
    Dataset,
    Decision,
    GrainEvidence,
    Holding,
    Operation,
    Outcome,
    Overlay,
    Policy,
    ReleasableForm,
    Source,
    TableProfile,
    Urgency,
    assessment_rule,
    overlay_rule,
)
from dtm_sharing.policy import expected
from dtm_sharing.policy.expected import Case, FormPart, GivenPart, HoldsPart
from dtm_sharing.review.changed import changed

_NONE = "none"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that was expected otherwise. Of lists only what one side has and the other has not."""

    what: str
    expected: tuple[str, ...]
    actual: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    case: Case
    as_of: date
    decision: Decision
    differences: tuple[Difference, ...]

    @property
    def rules(self) -> frozenset[str]:
        """Ids of the rules that had a part in the decision."""
        waived = (f"waiver:{each}" for each in self.decision.waivers)
        return frozenset(chain((rule for rule, _ in self.decision.rules), waived))


@dataclass(frozen=True, slots=True)
class Coverage:
    """Every rule that a table of the policy's datasets can meet, and which of them a case has touched."""

    rules: Mapping[str, Source]
    touched: frozenset[str]

    @property
    def untouched(self) -> tuple[str, ...]:
        return tuple(each for each in self.rules if each not in self.touched)

    @property
    def percent(self) -> float:
        return 100 * len(self.touched) / len(self.rules) if self.rules else 0.0


def judge(policy: Policy, case: Case, as_of: date | None = None) -> Judged:
    """Decide the given table, and compare what is named. ``as_of``: another day than the case's."""
    given, day = case.given, as_of or case.as_of
    policy = _in_context(policy, given)
    dataset = policy.datasets[given.dataset]
    table = classify.classify(policy, _profile(dataset, given), day)
    audience = _audience(given.audience)
    held = None if given.ledger else _holdings(policy, given, audience)
    forms = case.expect.form is not None or case.expect.releasable is not None  # they take time to find
    decision = gate.decide(policy, table, audience, held, classify.classify if forms else None)
    return Judged(case, day, decision, tuple(_differences(decision, case)))


# ------------------------------------------------------------------------------------------- what is given


def _in_context(policy: Policy, given: GivenPart) -> Policy:
    """The policy as it is, or as if what is given in another context had been assessed in it."""
    if given.context is None:
        return policy
    operation = policy.operations[policy.datasets[given.dataset].operation]
    there = replace(operation, context=given.context)
    assessments = {
        id_: replace(each, context=given.context) if each.operation == operation.id else each
        for id_, each in policy.assessments.items()
    }
    return replace(policy, operations={**policy.operations, there.id: there}, assessments=assessments)


def _profile(dataset: Dataset, given: GivenPart) -> TableProfile:
    coarser = given.grain is not None and given.grain.depth < dataset.grain.depth
    finer = given.grain is not None and given.grain.depth > dataset.grain.depth
    return TableProfile(
        dataset=dataset.id,
        headers=classify.identify(_texts(dataset, given), dataset),
        rows=given.rows,
        stage=given.stage,
        round=given.round,
        whole=given.whole,
        evidence=(GrainEvidence(given.grain, "the test case says so"),) if given.grain and finer else (),
        aggregated_to=given.grain if coarser else None,
    )


def _texts(dataset: Dataset, given: GivenPart) -> tuple[str, ...]:
    if given.columns in {(expected.ALL,), (expected.KEPT,)}:
        found = expected.keys(dataset, dropped=given.columns == (expected.ALL,))
    elif given.columns is not None:
        found = given.columns
    else:
        wanted = [each for each in dataset.columns if each.indicator in (given.indicators or ())]
        found = tuple(key for each in wanted for key in expected.keys_of(each))
    return (*found, *given.undeclared)


def _audience(text: str) -> Audience:
    if text == str(PUBLIC):
        return PUBLIC
    agreement, _, urgency = text.rpartition("/")
    return Audience(agreement, Urgency(urgency))


def _holdings(policy: Policy, given: GivenPart, audience: Audience) -> tuple[Holding, ...]:
    """What the audience holds, of all that the case says is held: its own, and what everyone has.

    For a publication that is all that anybody holds, since it reaches them all. So does the ledger answer,
    whose entries are counted from 0.
    """
    own = str(PUBLIC) if audience == PUBLIC else policy.agreements[str(audience.agreement)].organization
    told = [(number, _holding(policy, each, own, number)) for number, each in enumerate(given.holds)]
    return tuple(each for _, each in told if audience == PUBLIC or each.holder in {own, str(PUBLIC)})


def _holding(policy: Policy, held: HoldsPart, own: str, entry: int) -> Holding:
    return Holding(
        dataset=held.dataset,
        round=held.round,
        grain=held.grain or policy.datasets[held.dataset].grain,
        indicators=held.indicators,
        holder=held.by or own,
        since=held.since,
        entry=entry,
    )


# ---------------------------------------------------------------------------------------- what is expected


def _differences(decision: Decision, case: Case) -> Iterator[Difference]:
    expect, judged = case.expect, decision.classification
    columns = judged.columns
    yield from _one("outcome", expect.outcome, decision.outcome)
    yield from _one("level", expect.level, _word(None if judged.gaps else judged.level))
    for name, level in (expect.levels or {}).items():
        yield from _level(name, level, columns)
    refused = [each.header.key for each in decision.refused]
    yield from _set("refused", _keys(expect.refused, columns), refused)
    yield from _set("gaps", expect.gaps, [each.kind for each in decision.gaps])
    yield from _set("waivers", expect.waivers, decision.waivers)
    yield from _set("obligations", expect.obligations, [each.kind for each in decision.obligations])
    yield from _set("notices", expect.notices, [each.kind for each in decision.notices])
    releasable = decision.outcome is Outcome.ALLOW or bool(decision.forms)
    yield from _one("releasable", expect.releasable, releasable)
    yield from _one("expires", expect.expires, decision.expires)
    had_a_part = {rule for rule, _ in decision.rules}
    if missing := tuple(each for each in expect.rules or () if each not in had_a_part):
        yield Difference("rules", missing, ("had no part",))
    if expect.form is not None:
        yield from _form(expect.form, decision.forms, columns)


def _word(level: object) -> str:
    return expected.UNDECIDED if level is None else str(getattr(level, "label", level))


def _one(what: str, wanted: object, actual: object) -> Iterator[Difference]:
    if wanted is not None and wanted != actual:
        yield Difference(what, (_said(wanted),), (_said(actual),))


def _said(value: object) -> str:
    return _NONE if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _set(what: str, wanted: Iterable[str] | None, actual: Iterable[str]) -> Iterator[Difference]:
    """Without an order, and without what both sides have."""
    if wanted is None:
        return
    here, there = dict.fromkeys(wanted), dict.fromkeys(actual)
    lacking, more = tuple(here.keys() - there.keys()), tuple(there.keys() - here.keys())
    if lacking or more:
        yield Difference(what, tuple(sorted(lacking)) or (_NONE,), tuple(sorted(more)) or (_NONE,))


def _level(name: str, wanted: str, columns: Sequence[ColumnLevel]) -> Iterator[Difference]:
    keys = _keys((name,), columns) or ()
    found = [each for each in columns if each.header.key in keys]
    if not found:
        yield Difference(f"level of {name}", (wanted,), ("the table has no such column",))
    for each in found:
        yield from _one(f"level of {each.header.key}", wanted, _word(each.level))


def _keys(names: Iterable[str] | None, columns: Sequence[ColumnLevel]) -> tuple[str, ...] | None:
    """The columns of the table that the names mean; a name that means none stays, and is seen to differ."""
    if names is None:
        return None
    by_key = {each.header.key for each in columns}
    by_indicator: dict[str, list[str]] = {}
    for each in columns:
        by_indicator.setdefault(str(each.indicator), []).append(each.header.key)
    return tuple(key for name in names for key in _named(name, by_key, by_indicator))


def _named(name: str, by_key: Iterable[str], by_indicator: Mapping[str, Sequence[str]]) -> Sequence[str]:
    return (name,) if name in by_key else by_indicator.get(name, (name,))


def _form(
    wanted: FormPart, forms: Sequence[ReleasableForm], columns: Sequence[ColumnLevel]
) -> Iterator[Difference]:
    """Nothing where one of the forms has all that is wanted; else how the nearest form differs."""
    if not forms:
        yield Difference("form", ("one",), (_NONE,))
        return
    found = [tuple(_in_form(wanted, form, columns)) for form in forms]
    yield from min(found, key=len)


def _in_form(wanted: FormPart, form: ReleasableForm, columns: Sequence[ColumnLevel]) -> Iterator[Difference]:
    yield from _set("form: leave_out", _keys(wanted.leave_out, columns), form.leave_out)
    dropped = _keys(wanted.drop_at_collection, columns)
    yield from _set("form: drop_at_collection", dropped, form.drop_at_collection)
    yield from _set("form: keeps", _keys(wanted.keeps, columns), form.keeps)
    yield from _one("form: aggregate_to", wanted.aggregate_to, form.aggregate_to)
    yield from _set("form: by", _keys(wanted.by, columns), form.by)
    yield from _set("form: without_tables", wanted.without_tables, form.without_tables)


# ----------------------------------------------------------------------------------------------- coverage


def coverage(policy: Policy, judged: Iterable[Judged]) -> Coverage:
    """Which of the rules that a table can meet had a part in the decision of some case."""
    rules = dict(sorted(_rules(policy)))
    touched = frozenset(chain.from_iterable(each.rules for each in judged))
    return Coverage(rules, touched & rules.keys())


def _rules(policy: Policy) -> Iterator[tuple[str, Source]]:
    for dataset in policy.datasets.values():
        yield from _rules_of(policy, dataset)
    for relation in policy.relations.values():
        yield relation.rule, relation.source
    for waiver in policy.waivers.values():
        yield waiver.rule, waiver.source
    for agreement in policy.agreements.values():
        yield f"agreement:{agreement.id}", agreement.source
        yield f"request:{agreement.request}", policy.requests[agreement.request].source
        for path in agreement.pathways:
            yield f"pathway:{path.id}", path.source


def _rules_of(policy: Policy, dataset: Dataset) -> Iterator[tuple[str, Source]]:
    """The rules that a table of this dataset can meet.

    Indicators at its own grain. What overlays and assessments tighten, at every grain and in every context:
    somebody wrote each of them on purpose.
    """
    operation, grain = policy.operations[dataset.operation], dataset.grain
    yield f"operation:{operation.id}", operation.source
    indicators = {each.indicator for each in dataset.columns}
    for id_ in indicators:
        if grain in policy.indicators[id_].levels:
            yield f"indicator:{id_}@{grain}", policy.indicators[id_].source
    assessments = [each for each in policy.assessments.values() if dataset.id in each.datasets]
    for assessment in assessments:
        yield assessment.rule, assessment.source
    here = [each for each in policy.overlays.values() if _may_hold(each, operation)]
    rules = [
        (assessment_rule(made.id, each.indicator, each.grain), each)
        for made in assessments
        for each in made.levels
    ]
    rules += [
        (overlay_rule(one.id, brought.id, each.indicator, each.grain), each)
        for one in here
        for brought in policy.foundations(one)
        for each in brought.tightens
    ]
    yield from ((rule, each.source) for rule, each in rules if each.indicator in indicators)


def _may_hold(overlay: Overlay, operation: Operation) -> bool:
    """On some day, in some context."""
    contexts = overlay.contexts or (operation.context,)
    return any(overlay.holds(replace(operation, context=each), overlay.validity.start) for each in contexts)


def unnoticed(policy: Policy, judged: Sequence[Judged]) -> tuple[str, ...]:
    """Rules that could be changed without a case that fails: each was changed in turn, and the cases run.

    A change that alters no decision at all counts for nothing, as where another rule is as strict; but a rule
    of which no change is noticed is named.
    """
    return tuple(rule for rule in coverage(policy, judged).rules if not _noticed(policy, rule, judged))


def _noticed(policy: Policy, rule: str, judged: Sequence[Judged]) -> bool:
    touched = [each for each in judged if rule in each.rules]
    touched.sort(key=lambda each: len(each.decision.classification.columns))  # the quick ones first
    fate = [_fate(other, touched) for other in changed(policy, rule)]
    return None not in fate and True in fate


def _fate(other: Policy, touched: Iterable[Judged]) -> bool | None:
    """True: a case fails that did not. None: only a decision is another one. False: not even that."""
    altered = False
    for before in touched:
        after = judge(other, before.case, before.as_of)
        if after.differences and not before.differences:
            return True
        altered = altered or _shown(after) != _shown(before)
    return None if altered else False


def _shown(judged: Judged) -> tuple[object, ...]:
    """What a recipient would see of a decision: not the reasons for it."""
    decision = judged.decision
    levels = tuple((each.header.key, each.level) for each in decision.classification.columns)
    refused = tuple(each.header.key for each in decision.refused)
    return decision.outcome, levels, refused, tuple(sorted(each.kind for each in decision.gaps))
