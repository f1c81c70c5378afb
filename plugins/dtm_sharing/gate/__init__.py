"""May this table, as it is, go to this audience on this day? Allow, deny or undecided; nothing in between.

What is missing comes first: with a gap the answer is undecided. Then what is refused: one refused column
denies the table. Only then is it allowed. The gate judges and changes nothing; where it denies, it names the
nearest forms that it would allow, and it has judged each of them like any other table.

    terms → relations → missing, refused → grounds     forms

Whose pathway it is and what they hold; what a table says beside that; what lacks, what may not go; what the
answer rests on. ``judgement`` is one go of it, and ``forms`` asks for it again, of each smaller table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dtm_sharing.errors import GateDenied, Undecided, UsageProblem
from dtm_sharing.gate import forms, grounds
from dtm_sharing.gate.forms import Classify
from dtm_sharing.gate.judgement import case_of, judge
from dtm_sharing.gate.terms import agreement, pathway, recipients, request
from dtm_sharing.model import (
    Approved,
    Audience,
    Classification,
    Decision,
    Holding,
    Outcome,
    Policy,
    ReleasableForm,
)

__all__ = [
    "Classify",
    "agreement",
    "approve",
    "as_holding",
    "clearance",
    "decide",
    "decide_together",
    "pathway",
    "recipients",
    "request",
]

_NAMED = 3  # how many columns or gaps a sentence names before it only counts them


# ------------------------------------------------------------------------------------------- the decision


def decide(
    policy: Policy,
    classification: Classification,
    audience: Audience,
    held: Sequence[Holding] | None,
    classify: Classify | None = None,
) -> Decision:
    """Judge a classified table for an audience, on the day of the classification.

    Args:
        policy: the one that the table was classified under.
        classification: of the table as it is.
        audience: everyone, or a pathway of an agreement.
        held: all that was published and, for an organization, all that was sent to it. None: nobody could
            read it, and then nothing that a relation might raise is decided.
        classify: the step's function, ``classify.classify``, with which every form is judged before it is
            named. Without it no form is named; nothing else changes.

    Raises:
        UsageProblem: the policy has no such dataset or agreement, or the agreement no such pathway.
    """
    case = case_of(policy, classification, audience, held)
    judged = judge(case, classification)
    return Decision(
        outcome=judged.outcome,
        audience=audience,
        classification=judged.classification,
        refused=judged.refused,
        gaps=judged.gaps,
        obligations=tuple(grounds.obligations(case, judged)),
        forms=forms.nearest(case, classification, judged, classify),
        rules=grounds.rules(case, judged),
        waivers=grounds.waivers(judged.classification),
        expires=grounds.expires(case, judged),
        notices=grounds.notices(case, classification, judged),
    )


def as_holding(classification: Classification, audience: Audience) -> Holding:
    """A table that is to leave, as another one that leaves with it has to see it: as held already."""
    return Holding(
        dataset=classification.dataset,
        round=classification.round or "",
        grain=classification.grain,
        indicators=tuple(sorted({each.indicator for each in classification.columns if each.indicator})),
        holder=str(audience),
        since=classification.as_of,
        entry=None,
    )


def decide_together(
    policy: Policy,
    classifications: Sequence[Classification],
    audience: Audience,
    held: Sequence[Holding] | None,
    classify: Classify | None = None,
) -> tuple[Decision, ...]:
    """Judge tables that are to leave together: each as if the audience had the others already.

    Where more of a table could go if others stayed behind, a form says which ones, as few as possible
    (``without_tables``: their datasets; other rounds of the table's own dataset are never among them).
    Arguments and errors are those of ``decide``.
    """

    def beside(table: Classification, others: Sequence[Classification]) -> Decision:
        leaving = [as_holding(each, audience) for each in others]
        return decide(policy, table, audience, None if held is None else [*held, *leaving], classify)

    decisions = []
    for at, table in enumerate(classifications):
        others = (*classifications[:at], *classifications[at + 1 :])
        decision = beside(table, others)
        decisions.append(replace(decision, forms=forms.together_forms(decision, table, others, beside)))
    return tuple(decisions)


# ---------------------------------------------------------------------- what it lets out, and why not


def approve(decision: Decision) -> Approved:
    """The only way to an ``Approved``, without which nothing is packaged.

    Raises:
        GateDenied: the decision denies; the sentence counts and names columns and says what would be allowed.
        Undecided: something is missing; the sentence says what.
    """
    table = f"{decision.classification.dataset} for {decision.audience}"
    if decision.outcome is Outcome.UNDECIDED:
        first = " ".join(gap.sentence for gap in decision.gaps[:_NAMED])
        raise Undecided(f"Undecided: {table}. {first}{_more(decision.gaps, ' And {} more gaps.')}")
    if decision.outcome is Outcome.DENY:
        columns = len(decision.classification.columns)
        named = ", ".join(repr(each.header.key) for each in decision.refused[:_NAMED])
        raise GateDenied(
            f"Denied: {table}, {len(decision.refused)} of {columns} columns are refused: {named}"
            f"{_more(decision.refused, ' and {} more')}. {_way_out(decision.forms)}"
        )
    return Approved(decision)


def _way_out(found: Sequence[ReleasableForm]) -> str:
    if not found:
        return "There is no form of this table that this audience may have."
    form = found[0]
    if form.drop_at_collection:
        named = ", ".join(map(repr, form.drop_at_collection[:_NAMED]))
        more = _more(form.drop_at_collection, " and {} more")
        return f"It goes nowhere in any form until collection drops {named}{more}."
    how = f"goes without {' and '.join(form.without_tables)}, " if form.without_tables else ""
    how += f"has sums by {form.aggregate_to}, " if form.aggregate_to else ""
    return f"The releasable form {how}leaves out {len(form.leave_out)} columns and keeps {len(form.keeps)}."


def _more(items: Sequence[object], text: str) -> str:
    return text.format(len(items) - _NAMED) if len(items) > _NAMED else ""


def clearance(approved: Approved, path: str, artefact_sha256: str) -> str:
    """The text of the clearance that the publisher asks for: these bytes, at this path, for this audience.

    It is worth something once it is signed. Lines of ``<name> <value>`` after the first.

    Raises:
        UsageProblem: the path has a character, e.g. a line feed, that could pass for another line.
    """
    if not path.isprintable():
        raise UsageProblem("A public path has an unprintable character: name the round differently.")
    decision = approved.decision
    lapses = decision.expires or decision.classification.as_of
    return "".join(
        f"{line}\n"
        for line in (
            "dtm-sharing clearance v1",
            f"audience {decision.audience}",
            f"path {path}",
            f"artefact sha256:{artefact_sha256}",
            f"policy {decision.classification.policy_digest}",
            f"as-of {decision.classification.as_of}",
            f"expires {lapses}",
        )
    )
