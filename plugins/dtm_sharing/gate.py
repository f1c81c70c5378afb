"""May this table, as it is, go to this audience on this day? Allow, deny or undecided; nothing in between.

What is missing comes first: with a gap the answer is undecided. Then what is refused: one refused column
denies the table. Only then is it allowed. The gate judges and changes nothing; where it denies, it names the
smallest change after which it would allow.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from dtm_sharing.errors import GateDenied, Undecided, UsageProblem
from dtm_sharing.model import (
    Agreement,
    Approved,
    Audience,
    Classification,
    ColumnLevel,
    DataAccessRequest,
    Decision,
    FocalPoint,
    Gap,
    Level,
    Method,
    Obligation,
    Outcome,
    Pathway,
    Policy,
    Refusal,
    Relation,
    ReleasableForm,
    RequestState,
    Role,
    Source,
    Stage,
    Validity,
)

_CHANNELS = frozenset({Method.EXCEL_EMAIL, Method.DOCUMENT_EMAIL})  # what this version can deliver by
_REFUSED_FOR_GOOD = frozenset({RequestState.REFUSED, RequestState.REVOKED})  # a person said no
_NAMED = 3  # how many columns or gaps a sentence names before it only counts them
_SEARCHED = 4096  # ways to break relations up to which the smallest is searched; beyond, all refused go


@dataclass(frozen=True, slots=True)
class _Terms:
    """What one pathway says of one dataset. ``listed``: the indicators that its Table B shares."""

    audience: Audience
    agreement: Agreement
    pathway: Pathway
    request: DataAccessRequest
    listed: tuple[str, ...]


# ------------------------------------------------------------------------------------------- the decision


def decide(policy: Policy, classification: Classification, audience: Audience) -> Decision:
    """Judge a classified table for an audience, on the day of the classification.

    Raises:
        UsageProblem: the policy has no such dataset or agreement, or the agreement no such pathway.
    """
    if classification.dataset not in policy.datasets:
        raise UsageProblem.unknown("dataset", classification.dataset, policy.datasets)
    terms = _terms(policy, classification.dataset, audience)
    gaps = tuple(_gaps(policy, classification, terms))
    refused = tuple(_refusals(classification, terms))
    outcome = Outcome.UNDECIDED if gaps else Outcome.DENY if refused else Outcome.ALLOW
    return Decision(
        outcome=outcome,
        audience=audience,
        classification=classification,
        refused=refused,
        gaps=gaps,
        obligations=tuple(_obligations(policy, classification, terms)) if outcome is Outcome.ALLOW else (),
        releasable_form=_releasable_form(policy, classification, terms) if outcome is Outcome.DENY else None,
        rules=_rules(policy, classification, terms),
        expires=None if outcome is Outcome.UNDECIDED else _expires(policy, classification, terms),
    )


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
            f"{_more(decision.refused, ' and {} more')}. {_way_out(decision.releasable_form)}"
        )
    return Approved(decision)


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


def _way_out(form: ReleasableForm | None) -> str:
    if form is None:
        return "There is no form of this table that this audience may have."
    if form.drop_at_collection:
        named = ", ".join(map(repr, form.drop_at_collection[:_NAMED]))
        more = _more(form.drop_at_collection, " and {} more")
        return f"It goes nowhere in any form until collection drops {named}{more}."
    return f"The releasable form leaves out {len(form.leave_out)} columns and keeps {len(form.keeps)}."


def _more(items: Sequence[object], text: str) -> str:
    return text.format(len(items) - _NAMED) if len(items) > _NAMED else ""


# --------------------------------------------------------------------------------------- the pathway's terms


def agreement(policy: Policy, audience: Audience) -> Agreement:
    """The agreement of an audience other than the public.

    Raises:
        UsageProblem: the audience is the public, or the policy has no such agreement.
    """
    if audience.agreement is None:
        raise UsageProblem("The public has no agreement: name one, with its urgency.")
    if audience.agreement not in policy.agreements:
        raise UsageProblem.unknown("agreement", audience.agreement, policy.agreements)
    return policy.agreements[audience.agreement]


def pathway(policy: Policy, audience: Audience) -> Pathway:
    """The pathway of an audience other than the public.

    Raises:
        UsageProblem: no such agreement, or it has no pathway of that urgency.
    """
    found = agreement(policy, audience)
    path = None if audience.urgency is None else found.pathway(audience.urgency)
    if path is None:
        asked = f"has no pathway of {audience.urgency} urgency" if audience.urgency else "needs an urgency"
        known = " or ".join(each.id for each in found.pathways)
        raise UsageProblem(f"Agreement {found.id} {asked} ({found.source}): name {known}.")
    return path


def request(policy: Policy, audience: Audience) -> DataAccessRequest:
    """The Data Access Request under which this audience receives anything.

    Raises:
        UsageProblem: as for ``agreement``.
    """
    return policy.requests[agreement(policy, audience).request]


def recipients(policy: Policy, pathway: Pathway, as_of: date) -> tuple[FocalPoint, ...]:
    """Focal points to send to, one message each, primary first: those of the destination who are in office.

    Where none of them is, it is their organization's secondary in office (Table C names one for that). Empty:
    nobody may receive it.
    """
    named = [policy.focal_points[each] for each in pathway.destination]
    in_office = [each for each in named if each.in_office.covers(as_of)]
    if in_office:
        return tuple(sorted(in_office, key=lambda each: each.role is not Role.PRIMARY))
    colleagues = policy.organizations[named[0].organization].focal_points if named else ()
    stand_ins = (each for each in colleagues if each.role is Role.SECONDARY and each.in_office.covers(as_of))
    return tuple(stand_ins)[:1]


def _terms(policy: Policy, dataset: str, audience: Audience) -> _Terms | None:
    """None for the public."""
    if audience.agreement is None:
        return None
    path = pathway(policy, audience)
    listed = {each for share in path.shares if share.dataset == dataset for each in share.indicators}
    return _Terms(
        audience, agreement(policy, audience), path, request(policy, audience), tuple(sorted(listed))
    )


# ----------------------------------------------------------------------------------------- what is missing


def _gaps(policy: Policy, classification: Classification, terms: _Terms | None) -> Iterator[Gap]:
    yield from classification.gaps
    if classification.policy_digest != policy.digest:
        yield Gap("other-policy", "The table was classified under other policy files: classify it again.")
    judged = classification.rows > 0 and _level(classification.columns) is not None
    if not judged and not classification.gaps:
        yield Gap("no-level", "The table has no level, and does not say why: classify it again.")
    if terms is not None:
        yield from _paper_gaps(classification, terms)
        yield from _practice_gaps(policy, classification, terms)


def _paper_gaps(classification: Classification, terms: _Terms) -> Iterator[Gap]:
    """An agreement in force and an approved request, or nothing leaves (DESIGN 3.10)."""
    agreed, asked, as_of = terms.agreement, terms.request, classification.as_of
    if not agreed.validity.covers(as_of):
        yield Gap(
            "agreement-not-in-force",
            f"Agreement {agreed.id} is not in force on {as_of}, only {_span(agreed.validity)} "
            f"({agreed.source}): sign it again before anything is sent.",
        )
    if asked.state in _REFUSED_FOR_GOOD:
        return  # not a gap: every column is refused
    if asked.state is not RequestState.APPROVED or asked.validity is None:
        yield Gap(
            "request-not-approved",
            f"Data access request {asked.id} is {asked.state}, not approved ({asked.source}): decide it.",
        )
    elif not asked.validity.covers(as_of):
        yield Gap(
            "request-not-valid",
            f"The approval of data access request {asked.id} is not valid on {as_of}, only "
            f"{_span(asked.validity)} ({asked.source}): ask for a new one.",
        )


def _practice_gaps(policy: Policy, classification: Classification, terms: _Terms) -> Iterator[Gap]:
    path = terms.pathway
    if classification.stage is Stage.COLLECTED and path.urgency.stage is Stage.CLEANED:
        yield Gap(
            "stage-not-reached",
            f"Pathway {path.id} sends what is {path.urgency.stage}, and this table is only "
            f"{classification.stage} ({path.source}): wait until it is cleaned.",
        )
    if not recipients(policy, path, classification.as_of):
        yield Gap(
            "no-focal-point",
            f"No focal point of pathway {path.id} is in office on {classification.as_of} ({path.source}): "
            f"{terms.agreement.organization} has to name a successor in writing.",
        )
    if path.method not in _CHANNELS:
        yield Gap(
            "no-channel",
            f"Pathway {path.id} asks for {path.method}, and there is no channel for it yet "
            f"({path.source}): agree on {' or '.join(sorted(_CHANNELS))}.",
        )
    present = {each.indicator for each in classification.columns if each.header.question is None}
    for indicator in terms.listed:
        if indicator not in present:
            yield Gap(
                "agreed-indicator-absent",
                f"Pathway {path.id} shares indicator {indicator}, and the table has no column of it "
                f"({path.source}): the recipient would get less than agreed.",
            )


def _span(validity: Validity) -> str:
    return f"from {validity.start} until {validity.until or 'revoked'}"


# ----------------------------------------------------------------------------------------- what is refused


def _refusals(classification: Classification, terms: _Terms | None) -> Iterator[Refusal]:
    for column in classification.columns:
        why = _why_not_public(column) if terms is None else _why_not_sent(column, classification, terms)
        if why is not None:
            yield Refusal(column.header, column.level, why)


def _why_not_public(column: ColumnLevel) -> str | None:
    """Undecided columns are gaps, not refusals."""
    if column.level is None or column.level is Level.PUBLIC:
        return None
    return _because(column, column.level)


def _why_not_sent(column: ColumnLevel, classification: Classification, terms: _Terms) -> str | None:
    """Exactly what Table B lists and the request covers leaves, and nothing Secret (DESIGN 3.9, 3.10)."""
    path, asked = terms.pathway, terms.request
    if column.level is Level.SECRET:
        return f"{_because(column, column.level)} Secret enters no pathway."
    if asked.state in _REFUSED_FOR_GOOD:
        return f"Data access request {asked.id} is {asked.state} ({asked.source})."
    if column.indicator not in terms.listed:
        what = f"indicator {column.indicator}" if column.indicator else "this column"
        return f"Not agreed: {path.id} does not share {what} of {classification.dataset} ({path.source})."
    if classification.dataset not in asked.datasets or column.indicator not in asked.indicators:
        return (
            f"Not asked for: data access request {asked.id} does not cover indicator {column.indicator} of "
            f"{classification.dataset} ({asked.source})."
        )
    return None


def _because(column: ColumnLevel, level: Level) -> str:
    """The level and every reason that is as strict as it."""
    reasons = [_cited(each.why, each.source) for each in column.reasons if each.level is level]
    return f"{level.label}: {'; '.join(reasons)}."


def _cited(sentence: str, source: Source) -> str:
    return f"{sentence.rstrip('. ')} ({source})"


# -------------------------------------------------------------------------------- the nearest releasable form


def _releasable_form(
    policy: Policy, classification: Classification, terms: _Terms | None
) -> ReleasableForm | None:
    """Leave out what is refused for itself, then as little as breaks each relation that still refuses.

    The result is judged again and only named if nothing of it is refused or missing.
    """
    relations = {each.rule for each in policy.relations.values()}
    alone = replace(classification, columns=_unmoved(classification.columns, relations))
    out = frozenset(each.header.key for each in _refusals(alone, terms))
    limit = Level.CONFIDENTIAL if terms is None else Level.SECRET  # what this audience never gets
    rest = _without(policy, classification, out)
    raising = [each for each in _holding(policy, rest) if each.level >= limit]
    if math.prod(len(each.groups) for each in raising) > _SEARCHED:
        out |= {each.header.key for each in _refusals(rest, terms)}
    else:
        out |= _fewest(raising, rest.columns)
    form = _without(policy, classification, out)
    if not form.columns or any(_refusals(form, terms)) or any(_gaps(policy, form, terms)):
        return None
    left_out = [each for each in classification.columns if each.header.key in out]
    return ReleasableForm(
        leave_out=tuple(each.header.key for each in left_out),
        drop_at_collection=tuple(each.header.key for each in left_out if each.level is Level.SECRET),
        keeps=tuple(each.header.key for each in form.columns),
    )


def _without(policy: Policy, classification: Classification, out: frozenset[str]) -> Classification:
    """The classification of the table without these columns: relations that no longer hold raise nothing."""
    rest = replace(classification, columns=_remaining(classification.columns, out))
    gone = {each.rule for each in policy.relations.values()} - {each.rule for each in _holding(policy, rest)}
    columns = _unmoved(rest.columns, gone)
    return replace(rest, columns=columns, level=_level(columns))


def _level(columns: Sequence[ColumnLevel]) -> Level | None:
    levels = [each.level for each in columns if each.level is not None]
    return max(levels) if levels and len(levels) == len(columns) else None


def _remaining(columns: Iterable[ColumnLevel], out: frozenset[str]) -> tuple[ColumnLevel, ...]:
    return tuple(each for each in columns if each.header.key not in out)


def _unmoved(columns: Iterable[ColumnLevel], rules: Collection[str]) -> tuple[ColumnLevel, ...]:
    """The columns as they are without the reasons that these rules give."""
    kept = [(each, tuple(why for why in each.reasons if why.rule not in rules)) for each in columns]
    return tuple(
        replace(each, reasons=reasons, level=max((why.level for why in reasons), default=None))
        for each, reasons in kept
    )


def _holding(policy: Policy, classification: Classification) -> list[Relation]:
    present = {each.indicator for each in classification.columns if each.indicator}
    known = sorted(policy.relations.values(), key=lambda each: each.id)
    return [each for each in known if each.holds(classification.grain, present)]


def _fewest(
    relations: Sequence[Relation], columns: Sequence[ColumnLevel], gone: frozenset[str] = frozenset()
) -> frozenset[str]:
    """The fewest columns without which none of ``relations`` holds; of equally few, those further left."""
    if not relations:
        return gone
    position = {each.header.key: each.header.position for each in columns}
    groups = (_keys_of(group, columns) for group in relations[0].groups)
    found = (_fewest(relations[1:], columns, gone | group) for group in groups)
    return min(found, key=lambda keys: (len(keys), sorted(position[key] for key in keys)))


def _keys_of(group: Collection[str], columns: Iterable[ColumnLevel]) -> frozenset[str]:
    return frozenset(each.header.key for each in columns if each.indicator in group)


# ------------------------------------------------------------------------------- what an allowed table needs


def _obligations(
    policy: Policy, classification: Classification, terms: _Terms | None
) -> Iterator[Obligation]:
    """None for the public. On a pathway all is encrypted, whatever its level: there is no other way."""
    if terms is None:
        return
    yield Obligation("encrypt", "Encrypt it with the recipient's own password, and send the password apart.")
    yield Obligation("method", f"Send it by {terms.pathway.method} ({terms.pathway.source}).")
    for person in recipients(policy, terms.pathway, classification.as_of):
        yield Obligation("recipient", f"One message to {person.id}, {person.title} ({person.source}).")
    yield Obligation("purpose", f"Only for: {_cited(terms.request.purpose, terms.request.source)}.")


def _expires(policy: Policy, classification: Classification, terms: _Terms | None) -> date | None:
    """The first day on which something ends that the decision rests on."""
    operation = policy.operations[policy.datasets[classification.dataset].operation]
    ends = [classification.expires, operation.validity.until]
    if terms is not None:
        spans = [terms.agreement.validity, terms.request.validity]
        spans += [each.in_office for each in recipients(policy, terms.pathway, classification.as_of)]
        ends += [span.until for span in spans if span is not None]
    return min((end for end in ends if end is not None), default=None)


def _rules(
    policy: Policy, classification: Classification, terms: _Terms | None
) -> tuple[tuple[str, Source], ...]:
    """Every rule that had a part, with the place where it stands."""
    operation = policy.operations[policy.datasets[classification.dataset].operation]
    rules = {(reason.rule, reason.source) for each in classification.columns for reason in each.reasons}
    rules |= {(f"operation:{operation.id}", operation.source)}
    rules |= {
        (f"assessment:{each.id}", each.source)
        for each in policy.assessments.values()
        if each.covers(classification.dataset, classification.as_of)
    }
    rules |= {
        (f"classification:{each.level.label}", policy.protocols[each.level].source)
        for each in classification.columns
        if each.level is not None
    }
    if terms is not None:
        rules |= {
            (f"agreement:{terms.agreement.id}", terms.agreement.source),
            (f"pathway:{terms.pathway.id}", terms.pathway.source),
            (f"request:{terms.request.id}", terms.request.source),
        }
    return tuple(sorted(rules))
