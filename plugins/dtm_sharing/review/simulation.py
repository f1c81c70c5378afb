"""What left already, judged again under a new policy: what would be refused now, and who holds it.

Each publication and dispatch is judged by the engine as the table that it was, for whom it went to, beside
what they held when it left, in the order of the ledger. What was recalled is held no more: it is not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from dtm_sharing import classify, gate
from dtm_sharing.model import (
    PUBLIC,
    Audience,
    Decision,
    Disclosure,
    Gap,
    GrainEvidence,
    Holding,
    Level,
    Policy,
    Refusal,
    Source,
    TableProfile,
)
from dtm_sharing.review.cases import Rows

# What an extract lacks that the new policy lists does nobody harm who has the extract.
_OF_THE_PAST = frozenset({"agreed-indicator-absent"})
_RELATION = "relation:"


class Verdict(StrEnum):
    ALLOWED = "allowed"
    REFUSED = "refused"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Rejudged:
    """What left, and what the new policy says of it.

    ``refused``: the columns that would not go, with the rules, id and place, that say so. ``gaps``: why it
    cannot be decided; where a column is refused all the same, it is refused.
    """

    disclosure: Disclosure
    refused: tuple[Refusal, ...] = ()
    gaps: tuple[Gap, ...] = ()
    rules: tuple[tuple[str, Source], ...] = ()

    @property
    def verdict(self) -> Verdict:
        return Verdict.REFUSED if self.refused else Verdict.UNDECIDED if self.gaps else Verdict.ALLOWED

    @property
    def relations(self) -> tuple[str, ...]:
        """Ids of the relations that have a part in the refusal."""
        return tuple(rule.removeprefix(_RELATION) for rule, _ in self.rules if rule.startswith(_RELATION))

    @property
    def advice(self) -> str:
        """What to do about it."""
        who = self.disclosure.organization
        if self.verdict is Verdict.ALLOWED:
            return "Nothing."
        if self.verdict is Verdict.UNDECIDED:
            return "Complete the policy, and simulate again."
        if who == str(PUBLIC):
            return f"Take it down, then `dispatch recall {self.disclosure.key}`: whoever fetched it keeps it."
        return f"Have {who} destroy it, then `dispatch recall {self.disclosure.key}`."


def simulate(
    new: Policy,
    past: Sequence[Disclosure],
    as_of: date,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> tuple[Rejudged, ...]:
    """Judge everything that is held again, in the order in which it left.

    Args:
        new: the policy that would be in force.
        past: disclosures of everyone and of all organizations, as the ledger gives them.
        as_of: the day on which ``new`` is asked.
        progress: told how many are done, of how many.
    """
    held = sorted((each for each in past if each.state.is_held), key=lambda each: (each.sent_at, each.entry))
    holdings: dict[str, dict[object, Holding]] = {}
    rows, found = Rows(new), []
    for done, each in enumerate(held):
        progress(done, len(held))
        everyone, theirs = str(PUBLIC), each.organization
        # What everyone gets, each organization reads beside what it was sent.
        of = holdings if theirs == everyone else {everyone, theirs}
        beside = [one for holder in of for one in _of(holdings, holder)]
        found.append(_rejudge(rows, each, beside, as_of))
        holding = _holding(each)
        # A relation and its waivers ask for no more than this, so the first of its kind stands for all.
        same = (holding.dataset, holding.grain, holding.indicators)
        holdings.setdefault(each.organization, {}).setdefault(same, holding)
    progress(len(held), len(held))
    return tuple(found)


def _of(holdings: dict[str, dict[object, Holding]], organization: str) -> Iterable[Holding]:
    return holdings.get(organization, {}).values()


def _holding(each: Disclosure) -> Holding:
    return Holding(
        dataset=each.dataset,
        round=each.round,
        grain=each.grain,
        indicators=each.indicators,
        holder=each.organization,
        since=each.sent_at.date(),
        entry=each.entry,
    )


def _rejudge(rows: Rows, each: Disclosure, beside: Sequence[Holding], as_of: date) -> Rejudged:
    new = rows.policy
    missing = _missing(new, each)
    if missing is not None:
        return Rejudged(each, gaps=(missing,))
    profile = _profile(rows, each)
    keys = [header.key for header in profile.headers]
    if len(set(keys)) < len(keys):
        sentence = f"Two of its columns are one in the new policy ({new.datasets[each.dataset].source})."
        return Rejudged(each, gaps=(Gap("columns-merged", sentence),))
    audience = Audience(each.agreement, each.urgency)
    decision = gate.decide(new, classify.classify(new, profile, as_of), audience, beside)
    gaps = tuple(gap for gap in decision.gaps if gap.kind not in _OF_THE_PAST)
    return Rejudged(each, decision.refused, gaps, _rules(new, decision))


def _missing(new: Policy, each: Disclosure) -> Gap | None:
    """The gap where the new policy does not even have what left, or to whom."""
    if each.dataset not in new.datasets:
        return Gap("no-dataset", f"The new policy declares no dataset {each.dataset}.")
    if each.agreement is None:
        return None
    agreement = new.agreements.get(each.agreement)
    if agreement is None or agreement.organization != each.organization:
        return Gap(
            "no-agreement", f"The new policy has no agreement {each.agreement} with {each.organization}."
        )
    if each.urgency is None or agreement.pathway(each.urgency) is None:
        sentence = f"Agreement {agreement.id} has no pathway of {each.urgency} urgency ({agreement.source})."
        return Gap("no-pathway", sentence)
    return None


def _profile(rows: Rows, each: Disclosure) -> TableProfile:
    """The table as it left: its columns by key, its size, its grain."""
    dataset = rows.policy.datasets[each.dataset]
    finer = each.grain.depth > dataset.grain.depth
    return TableProfile(
        dataset=each.dataset,
        headers=rows.headers(each.dataset, each.columns),
        rows=each.rows,
        stage=each.urgency.stage if each.urgency else None,
        round=each.round,
        evidence=(GrainEvidence(each.grain, f"ledger entry {each.entry}"),) if finer else (),
        aggregated_to=each.grain if each.grain.depth < dataset.grain.depth else None,
    )


def _rules(new: Policy, decision: Decision) -> tuple[tuple[str, Source], ...]:
    """The rules by which the refused columns are as strict as they are, or on which the pathway rests."""
    refused = {each.header.key for each in decision.refused}
    columns = [each for each in decision.classification.columns if each.header.key in refused]
    found = {
        (reason.rule, reason.source)
        for column in columns
        for reason in column.reasons
        if reason.level is column.level and reason.level is not Level.PUBLIC
    }
    if decision.audience.agreement is not None and refused:
        path = gate.pathway(new, decision.audience)
        asked = gate.request(new, decision.audience)
        found |= {(f"pathway:{path.id}", path.source), (f"request:{asked.id}", asked.source)}
    return tuple(sorted(found))
