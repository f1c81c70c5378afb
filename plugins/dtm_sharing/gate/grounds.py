"""What an answer rests on: the rules that had a part in it, what it obliges to, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from dtm_sharing.gate.judgement import Case, Judgement
from dtm_sharing.gate.refused import cited
from dtm_sharing.gate.terms import Terms
from dtm_sharing.model import NOTICE, Classification, Notice, Obligation, Outcome, Source, Validity, Waiver


def obligations(case: Case, judged: Judgement) -> Iterator[Obligation]:
    """None for the public. On a pathway all is encrypted, whatever its level: there is no other way."""
    if case.terms is None or judged.outcome is not Outcome.ALLOW:
        return
    path, asked = case.terms.pathway, case.terms.request
    yield Obligation("encrypt", "Encrypt it with the recipient's own password, and send the password apart.")
    yield Obligation("method", f"Send it by {path.method} ({path.source}).")
    for person in case.terms.recipients:
        yield Obligation("recipient", f"One message to {person.id}, {person.title} ({person.source}).")
    yield Obligation("purpose", f"Only for: {cited(asked.purpose, asked.source)}.")


def rules(case: Case, judged: Judgement) -> tuple[tuple[str, Source], ...]:
    """Every rule that had a part, with the place where it stands; each once, in order."""
    policy, classification = case.policy, judged.classification
    operation = policy.operations[case.dataset.operation]
    found = {(reason.rule, reason.source) for each in classification.columns for reason in each.reasons}
    found |= {(f"operation:{operation.id}", operation.source)}
    found |= {(f"waiver:{each}", policy.waivers[each].source) for each in waivers(judged.classification)}
    found |= {
        (each.rule, each.source)
        for each in policy.assessments.values()
        if each.covers(classification.dataset, classification.as_of) and each.context == operation.context
    }
    found |= {
        (f"classification:{each.level.label}", policy.protocols[each.level].source)
        for each in classification.columns
        if each.level is not None
    }
    if case.terms is not None:
        agreed, path, asked = case.terms.agreement, case.terms.pathway, case.terms.request
        found |= {
            (f"agreement:{agreed.id}", agreed.source),
            (f"pathway:{path.id}", path.source),
            (f"request:{asked.id}", asked.source),
        }
    return tuple(sorted(found))


def waivers(classification: Classification) -> tuple[str, ...]:
    """Ids of the waivers that relaxed any reason of any column."""
    reasons = (reason for column in classification.columns for reason in column.reasons)
    return tuple(sorted({each.waiver for each in reasons if each.waiver}))


def expires(case: Case, judged: Judgement) -> date | None:
    """The first day on which something ends that the answer rests on, or the last before a rule begins.

    A clearance is good until then, so nothing that is known to become stricter may lie in between.
    """
    if judged.outcome is Outcome.UNDECIDED:
        return None
    ends = [judged.classification.expires, case.policy.operations[case.dataset.operation].validity.until]
    ends += [case.policy.waivers[each].validity.until for each in waivers(judged.classification)]
    if case.terms is not None:
        ends += [each.validity.until for each in _ending(case.terms)]
    ends += [day - timedelta(days=1) for day in _beginning(case, judged.classification.as_of)]
    return min((end for end in ends if end is not None), default=None)


def _beginning(case: Case, as_of: date) -> Iterator[date]:
    """The days on which an overlay or an assessment that is not in force yet begins to count here."""
    policy, operation = case.policy, case.policy.operations[case.dataset.operation]
    for overlay in policy.overlays.values():
        begins = overlay.validity.start
        if begins > as_of and overlay.holds(operation, begins):
            yield begins
    for assessment in policy.assessments.values():
        if assessment.assessed_on > as_of and case.dataset.id in assessment.datasets:
            yield assessment.assessed_on


def notices(case: Case, classification: Classification, judged: Judgement) -> tuple[Notice, ...]:
    """What ends within ``NOTICE``, the soonest first: of the classification, and of what the gate adds.

    ``classification`` is that of the table by itself: a waiver that it used, it has announced.
    """
    as_of = classification.as_of
    relied_upon = {*waivers(judged.classification)} - {*waivers(classification)}
    ending = [_waiver(case.policy.waivers[each]) for each in relied_upon]
    ending += _ending(case.terms) if case.terms else ()
    found = [*classification.notices]
    for each in ending:
        until = each.validity.until
        if until is not None and each.validity.covers(as_of) and until - as_of <= NOTICE:
            found.append(Notice(each.kind, f"{each.subject} ends on {until}: {each.remedy}.", until))
    return tuple(sorted(found, key=lambda each: (each.on, each.kind, each.sentence)))


@dataclass(frozen=True, slots=True)
class _Term:
    """What ends by date. ``kind`` is that of the notice; ``remedy`` completes its sentence."""

    kind: str
    subject: str
    remedy: str
    validity: Validity


def _waiver(waiver: Waiver) -> _Term:
    remedy = "from the next day on the rules that it relaxes count in full"
    return _Term("waiver-lapses", f"Waiver {waiver.id} ({waiver.source})", remedy, waiver.validity)


def _ending(terms: Terms) -> Iterator[_Term]:
    agreed, asked = terms.agreement, terms.request
    subject = f"Agreement {agreed.id} ({agreed.source})"
    yield _Term("agreement-ends", subject, "sign it again, or nothing more is sent", agreed.validity)
    if asked.validity is not None:
        subject = f"The approval of data access request {asked.id} ({asked.source})"
        yield _Term("request-ends", subject, "ask for a new one, or nothing more is sent", asked.validity)
    for person in terms.recipients:
        subject = f"The time in office of focal point {person.id} ({person.source})"
        remedy = f"{person.organization} has to name a successor in writing"
        yield _Term("focal-point-leaves", subject, remedy, person.in_office)
