"""What an agreement says: the pathway of an audience, the request that it rests on, and who receives it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from dtm_sharing.errors import UsageProblem
from dtm_sharing.model import (
    Agreement,
    Audience,
    DataAccessRequest,
    FocalPoint,
    Pathway,
    Policy,
    Role,
    country_of,
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What one pathway says of one dataset. ``listed``: the indicators that its Table B shares."""

    agreement: Agreement
    pathway: Pathway
    request: DataAccessRequest
    listed: tuple[str, ...]
    recipients: tuple[FocalPoint, ...]


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

    Where none of them is, it is their organization's secondary in office in the same country (Table C names
    one for that; an id begins with the country). Empty: nobody may receive it.
    """
    named = [policy.focal_points[each] for each in pathway.destination]
    in_office = [each for each in named if each.in_office.covers(as_of)]
    if in_office:
        return tuple(sorted(in_office, key=lambda each: each.role is not Role.PRIMARY))
    countries = {country_of(each.id) for each in named}
    colleagues = policy.organizations[named[0].organization].focal_points if named else ()
    stand_ins = (each for each in colleagues if each.role is Role.SECONDARY and each.in_office.covers(as_of))
    return tuple(each for each in stand_ins if country_of(each.id) in countries)[:1]


def terms(policy: Policy, dataset: str, audience: Audience, as_of: date) -> Terms | None:
    """None for the public.

    Raises:
        UsageProblem: as for ``pathway``.
    """
    if audience.agreement is None:
        return None
    path = pathway(policy, audience)
    listed = {each for share in path.shares if share.dataset == dataset for each in share.indicators}
    return Terms(
        agreement=agreement(policy, audience),
        pathway=path,
        request=request(policy, audience),
        listed=tuple(sorted(listed)),
        recipients=recipients(policy, path, as_of),
    )
