"""The nearest forms of a refused table that its audience may have: fewer columns, or sums by a coarser unit.

A form is proposed by looking at what is refused, and named only if the engine, asked again about the smaller
table, allows it: classified anew, judged beside the same holdings. So nothing in here can let through what
the rules would not. What leaves is judged once more when it is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import chain, combinations, product

from dtm_sharing.gate.judgement import Case, Judgement, judge
from dtm_sharing.gate.refused import refusals
from dtm_sharing.gate.relations import together
from dtm_sharing.model import (
    Classification,
    ColumnLevel,
    Decision,
    Grain,
    Header,
    Indicator,
    Level,
    Outcome,
    Policy,
    Relation,
    ReleasableForm,
    TableProfile,
)

Classify = Callable[[Policy, TableProfile, date], Classification]
_Engine = Callable[[TableProfile], Judgement]

_COARSER = (Grain.ADMIN3, Grain.ADMIN2, Grain.ADMIN1, Grain.NATIONAL)  # units that rows can be summed up by
_SEARCHED = 4096  # ways to break relations up to which the smallest is searched; beyond, all refused go
_TRIED = 64  # sets of tables up to which the smallest that stays behind is searched; beyond, all others stay


def nearest(
    case: Case, classification: Classification, judged: Judgement, classify: Classify | None
) -> tuple[ReleasableForm, ...]:
    """The forms of a denied table, the one that changes the fewest columns first.

    ``classification`` is that of the table by itself, ``judged`` beside what is held. Without ``classify``
    there is nothing to judge a form with, so none is named.
    """
    if classify is None or judged.outcome is not Outcome.DENY:
        return ()

    def engine(profile: TableProfile) -> Judgement:
        return judge(case, classify(case.policy, profile, classification.as_of))

    table = _profile(classification)
    indicators = {
        each.header: case.policy.indicators[each.indicator]
        for each in classification.columns
        if each.indicator is not None
    }
    # Of how many sites a sum would tell, nobody can say else; what was summed up before tells of enough.
    counted = table.aggregated_to or any(
        each.identifies is case.dataset.grain for each in indicators.values()
    )
    sums = (_summed(table, classification.grain, to, indicators) for to in _COARSER if counted)
    pared = (_pared(case, start, engine) for start in (table, _as_declared(case, table), *sums) if start)
    relations = {each.rule for each in case.policy.relations.values()}
    forms = {_form(classification, each, indicators, relations) for each in pared if each}
    return ordered(each for each in forms if each and not any(_is_part(each, other) for other in forms))


def ordered(forms: Iterable[ReleasableForm]) -> tuple[ReleasableForm, ...]:
    """Nearest first: fewest columns changed, then fewest tables left out, then the finest, then by name."""
    return tuple(
        sorted(
            forms,
            key=lambda each: (
                len(each.leave_out) + (len(each.keeps) - len(each.by) if each.aggregate_to else 0),
                len(each.without_tables),
                -each.aggregate_to.depth if each.aggregate_to else -len(Grain),
                each.leave_out,
            ),
        )
    )


# --------------------------------------------------------------------------------- what a form starts from


def _profile(classification: Classification) -> TableProfile:
    """The table again, as what it is made smaller from: so it does not claim to be whole."""
    return TableProfile(
        dataset=classification.dataset,
        headers=tuple(each.header for each in classification.columns),
        rows=classification.rows,
        stage=classification.stage,
        round=classification.round,
        evidence=classification.evidence,
        aggregated_to=classification.aggregated_to,
    )


def _only(profile: TableProfile, out: Collection[str]) -> TableProfile:
    """Without these columns, and without what only they said of the grain."""
    return replace(
        profile,
        headers=tuple(each for each in profile.headers if each.key not in out),
        evidence=tuple(each for each in profile.evidence if each.column not in out),
    )


def _as_declared(case: Case, table: TableProfile) -> TableProfile | None:
    """Without the columns that show a row to be something finer than declared; None: there are none."""
    declared = table.aggregated_to or case.dataset.grain
    out = {each.column for each in table.evidence if each.column and each.grain.depth > declared.depth}
    return _only(table, out) if out else None


def _summed(
    table: TableProfile, grain: Grain, to: Grain, indicators: Mapping[Header, Indicator]
) -> TableProfile | None:
    """Counts per unit of a coarser grain; None: there are no counts, or nothing tells the units apart.

    What its cells said of the rows says nothing of the sums. What they said of a column still does. Sums of
    sums are coarser than these claim to be.
    """
    if to.depth >= min(grain.depth, (table.aggregated_to or grain).depth):
        return None
    kept = [
        each
        for each in table.headers
        if each.question is None
        and each in indicators
        and (_tells(indicators[each], to) or indicators[each].additive)
    ]
    out = {each.key for each in table.headers} - {each.key for each in kept}
    smaller = _only(table, out)
    evidence = tuple(each for each in smaller.evidence if each.column is not None)
    return replace(smaller, evidence=evidence, aggregated_to=to)


def _tells(indicator: Indicator, grain: Grain) -> bool:
    """Whether its values stay as they are for all rows of one unit of this grain."""
    return indicator.identifies is not None and indicator.identifies.depth <= grain.depth


# ----------------------------------------------------------------------------------- what stands in the way


def _pared(case: Case, table: TableProfile, engine: _Engine) -> TableProfile | None:
    """The table without as few columns as stand in the way; None: this audience may have no part of it.

    First goes what is refused for itself, then as little as breaks each relation that still raises the rest.
    """
    for in_the_way in (_for_itself, _together):
        if not table.headers:
            return None
        table = _only(table, in_the_way(case, engine(table)))
    return table if table.headers and engine(table).outcome is Outcome.ALLOW else None


def _for_itself(case: Case, judged: Judgement) -> frozenset[str]:
    """Columns that are refused, or undecided, whatever they stand beside."""
    rules = {each.rule for each in case.policy.relations.values()}
    columns = tuple(_alone(each, rules) for each in judged.classification.columns)
    refused = refusals(replace(judged.classification, columns=columns), case.terms)
    undecided = {each.column for each in judged.gaps if each.column is not None}
    return frozenset({each.header.key for each in refused} | undecided)


def _alone(column: ColumnLevel, rules: Collection[str]) -> ColumnLevel:
    """The column at the level that it has by itself."""
    levels = (each.level for each in column.reasons if each.rule not in rules)
    return replace(column, level=max(levels, default=None))


def _together(case: Case, judged: Judgement) -> frozenset[str]:
    """The fewest columns without which no relation refuses the others; of equally few, those further left."""
    found = (_ways(case, judged, each) for _, each in sorted(case.policy.relations.items()))
    ways = [each for each in found if each]
    if math.prod(map(len, ways)) > _SEARCHED:
        return frozenset(each.header.key for each in judged.refused)
    position = {each.header.key: each.header.position for each in judged.classification.columns}
    certain = frozenset().union(*(each[0] for each in ways if len(each) == 1))
    choices = product(*(each for each in ways if len(each) > 1))
    return min(
        (certain.union(*chosen) for chosen in choices),
        key=lambda keys: (len(keys), sorted(position[key] for key in keys)),
    )


def _ways(case: Case, judged: Judgement, relation: Relation) -> Sequence[frozenset[str]]:
    """Columns without which this relation no longer refuses: one of its groups, else all that it names.

    No group can be taken away that the audience holds. That a key is left out is no way: tables can be put
    side by side by more than their keys, e.g. by the number of people in a site.
    """
    limit = Level.CONFIDENTIAL if case.terms is None else Level.SECRET  # what this audience never gets
    columns = judged.classification.columns

    def refuses(out: Collection[str]) -> bool:
        rest = {each.indicator for each in columns if each.indicator and each.header.key not in out}
        found = together(case.beside, relation, judged.classification, rest)
        return found is not None and found.level >= limit

    if not refuses(()):
        return ()
    named = {each.indicator for each in columns if each.indicator}
    own = relation.groups_at(judged.classification.grain, named)
    # A table that is in no group only leads from one to another: by any of its keys less, it does not.
    parts = relation.groups if own else [(each,) for each in relation.leads(named)]
    groups = {frozenset(each.header.key for each in columns if each.indicator in part) for part in parts}
    return [each for each in groups if not refuses(each)] or [frozenset().union(*groups)]


# ------------------------------------------------------------------------------------------- what is named


def _form(
    classification: Classification,
    kept: TableProfile,
    indicators: Mapping[Header, Indicator],
    relations: Collection[str],
) -> ReleasableForm | None:
    """None: sums of nothing, or by units that nothing tells apart any more."""
    keys = {each.key for each in kept.headers}
    left_out = [each for each in classification.columns if each.header.key not in keys]
    form = ReleasableForm(
        leave_out=tuple(each.header.key for each in left_out),
        # What is Secret only beside others stops being so when they part: it may stay in the store.
        drop_at_collection=tuple(
            each.header.key for each in left_out if _alone(each, relations).level is Level.SECRET
        ),
        keeps=tuple(each.key for each in kept.headers),
    )
    to = kept.aggregated_to
    if to is None or to == classification.aggregated_to:
        return form
    by = [each for each in kept.headers if _tells(indicators[each], to)]
    exact = to is Grain.NATIONAL or any(indicators[each].identifies is to for each in by)
    if not exact or len(by) == len(kept.headers):
        return None
    return replace(form, aggregate_to=to, by=tuple(each.key for each in by))


def _is_part(form: ReleasableForm, other: ReleasableForm | None) -> bool:
    return other is not None and form.aggregate_to is other.aggregate_to and {*form.keeps} < {*other.keeps}


# ------------------------------------------------------------------------------ tables that leave together


def together_forms(
    decision: Decision,
    table: Classification,
    others: Sequence[Classification],
    beside: Callable[[Classification, Sequence[Classification]], Decision],
) -> tuple[ReleasableForm, ...]:
    """The decision's forms and, where more of the table could go without the others, one that says so.

    It names as few of the other datasets as would do as much as if all stayed behind.
    """
    names = tuple(sorted({each.dataset for each in others} - {table.dataset}))
    if decision.outcome is not Outcome.DENY or not names:
        return decision.forms

    def without(staying: tuple[str, ...]) -> ReleasableForm | None:
        again = beside(table, [each for each in others if each.dataset not in staying])
        keys = tuple(each.header.key for each in table.columns)
        whole = ReleasableForm((), (), keys) if again.outcome is Outcome.ALLOW else again.releasable_form
        return replace(whole, without_tables=staying) if whole else None

    plain = decision.releasable_form
    most = without(names)
    if most is None or (plain and len(plain.keeps) >= len(most.keeps)):
        return decision.forms
    sizes = range(1, len(names)) if 2 ** len(names) <= _TRIED else ()
    fewer = map(without, chain.from_iterable(combinations(names, size) for size in sizes))
    enough = (each for each in fewer if each and len(each.keeps) == len(most.keeps))
    return ordered((next(enough, most), *decision.forms))
