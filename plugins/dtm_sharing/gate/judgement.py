"""One judgement of one table: what it says beside what the audience holds, what lacks, what may not go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dtm_sharing.errors import UsageProblem
from dtm_sharing.gate.held import Beside, beside
from dtm_sharing.gate.missing import gaps
from dtm_sharing.gate.refused import refusals
from dtm_sharing.gate.relations import raised
from dtm_sharing.gate.terms import Terms, terms
from dtm_sharing.model import (
    Audience,
    Classification,
    Dataset,
    Gap,
    Holding,
    Outcome,
    Policy,
    Refusal,
)


@dataclass(frozen=True, slots=True)
class Case:
    """All that a dataset's tables are judged by. ``terms`` None: for the public."""

    policy: Policy
    dataset: Dataset
    terms: Terms | None
    beside: Beside


@dataclass(frozen=True, slots=True)
class Judgement:
    """``classification`` is the one that was given, raised by what the audience holds."""

    classification: Classification
    gaps: tuple[Gap, ...]
    refused: tuple[Refusal, ...]

    @property
    def outcome(self) -> Outcome:
        return Outcome.UNDECIDED if self.gaps else Outcome.DENY if self.refused else Outcome.ALLOW


def case_of(
    policy: Policy, classification: Classification, audience: Audience, held: Sequence[Holding] | None
) -> Case:
    """What a table of this dataset is judged by on the day of its classification.

    Raises:
        UsageProblem: the policy has no such dataset or agreement, or the agreement no such pathway.
    """
    if classification.dataset not in policy.datasets:
        raise UsageProblem.unknown("dataset", classification.dataset, policy.datasets)
    dataset, as_of = policy.datasets[classification.dataset], classification.as_of
    indicators = {each.indicator for each in classification.columns if each.indicator is not None}
    return Case(
        policy=policy,
        dataset=dataset,
        terms=terms(policy, dataset.id, audience, as_of),
        beside=beside(policy, dataset, indicators, audience, held, as_of),
    )


def judge(case: Case, classification: Classification) -> Judgement:
    found = raised(case.beside, classification)
    return Judgement(
        found,
        tuple(gaps(case.policy, found, case.terms, case.beside)),
        tuple(refusals(found, case.terms)),
    )
