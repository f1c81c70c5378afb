"""Every field of every value of a policy: how its loosening is told, or why it can let nothing more leave.

``JUDGED`` has them all. A field with a function is loosened by it in random policies, and ``diff`` has to
notice: by what the engine decides otherwise, or by the list. A field with a sentence is none that more may
leave by; random policies show that nothing becomes allowed, and nothing is listed, where such a one changes.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date, timedelta
from types import EllipsisType
from typing import get_args, get_type_hints

import pytest

from dtm_sharing.model import (
    Agreement,
    Assessment,
    Column,
    DataAccessRequest,
    Dataset,
    FocalPoint,
    Grain,
    Indicator,
    Level,
    Method,
    Operation,
    Organization,
    Overlay,
    Pathway,
    Policy,
    Protocol,
    Relation,
    RequestState,
    Role,
    Share,
    Source,
    Tightening,
    Validity,
    Waiver,
)
from dtm_sharing.review.differences import Change, differences
from dtm_sharing.review.loosened import loosened
from support import random_policies
from support.random_policies import CONTEXTS, COUNTRIES, DAY, NAMES

DAYS, FAR, LONG_AGO = timedelta(days=20), date(2030, 12, 31), Validity(date(2020, 1, 1), date(2020, 2, 1))


# ----------------------------------------------------------------------------------- what is in a policy


def kinds(hint, found):
    """Every dataclass that stands in a field of another one, from this one on."""
    if isinstance(hint, type) and is_dataclass(hint):
        if hint not in found:
            found.add(hint)
            for each in get_type_hints(hint).values():
                kinds(each, found)
    else:
        for each in get_args(hint):
            if not isinstance(each, EllipsisType):
                kinds(each, found)
    return found


def values(node, kind):
    """Every value of a kind that stands anywhere in a policy, in order."""
    if isinstance(node, kind):
        yield node
    if is_dataclass(node):
        node = {each.name: getattr(node, each.name) for each in fields(node)}
    if isinstance(node, Mapping | tuple):
        for each in node.values() if isinstance(node, Mapping) else node:
            yield from values(each, kind)


def rebuilt(node, change):
    """A policy in which ``change`` has had a go at every dataclass, from the inside out."""
    if is_dataclass(node):
        parts = {each.name: rebuilt(getattr(node, each.name), change) for each in fields(node)}
        return change(node, replace(node, **parts))
    if isinstance(node, Mapping):
        return {key: rebuilt(each, change) for key, each in node.items()}
    return tuple(rebuilt(each, change) for each in node) if isinstance(node, tuple) else node


def swapped(policy, one, other):
    """With one value exchanged, wherever it stands: a person stands in two places."""
    return rebuilt(policy, lambda before, after: other if before is one else after)


# --------------------------------------------------------------------------------------- ways to loosen
#
# Each takes a random generator, the policy and a value of it, and gives a looser value; or that policy and a
# looser one; or None, where this value cannot be loosened so.


def options(policy, of):
    """These, or the ids of what the policy has."""
    return sorted(getattr(policy, of)) if isinstance(of, str) else list(of)


def to(**changes):
    return lambda rng, policy, one: replace(one, **changes)


def another(field, of):
    def loosen(rng, policy, one):
        found = [each for each in options(policy, of) if each != getattr(one, field)]
        return replace(one, **{field: rng.choice(found)}) if found else None

    return loosen


def more(field, of):
    def loosen(rng, policy, one):
        found = [each for each in options(policy, of) if each not in getattr(one, field)]
        return replace(one, **{field: (*getattr(one, field), rng.choice(found))}) if found else None

    return loosen


def fewer(field, least=0):
    def loosen(rng, policy, one):
        there = list(getattr(one, field))
        if len(there) <= least:
            return None
        there.remove(rng.choice(there))
        return replace(one, **{field: tuple(there)})

    return loosen


def without_the_coarsest_grain(rng, policy, one):
    """The others it implies: whoever has a finer table can sum it up."""
    grains = sorted(one.grains, key=lambda each: each.depth)
    return replace(one, grains=tuple(grains[1:])) if len(grains) > 1 else None


def moved(field, by):
    return lambda rng, policy, one: replace(one, **{field: getattr(one, field) + by})


def longer(field):
    def loosen(rng, policy, one):
        span = getattr(one, field)
        if span is None:
            return None
        if span.until is None or rng.random() < 0.5:
            return replace(one, **{field: Validity(span.start - DAYS, span.until)})
        return replace(one, **{field: Validity(span.start, rng.choice((None, FAR)))})

    return loosen


def shorter(rng, policy, one):
    start, until = one.validity.start, one.validity.until
    if rng.random() < 0.5:
        return replace(one, validity=Validity(start + DAYS, until))
    return replace(one, validity=Validity(start, max(start, until - DAYS) if until else FAR))


def lower(rng, policy, one):
    return replace(one, level=Level(one.level - 1)) if one.level > Level.PUBLIC else None


def gone(kind):
    def loosen(rng, policy, one):
        needed = {each for overlay in policy.overlays.values() for each in overlay.builds_on}
        ids = [each for each in sorted(getattr(policy, kind)) if each not in needed]
        out = rng.choice(ids) if ids else None
        left = {id_: each for id_, each in getattr(policy, kind).items() if id_ != out}
        return (policy, replace(policy, **{kind: left})) if ids else None

    return loosen


def where_it_counts(loosen):
    """Only where an overlay or an assessment then asks for less: what it asks for may stand there twice."""

    def counting(rng, policy, one):
        other = loosen(rng, policy, one)
        return other if other and asked(policy) - asked(swapped(policy, one, other)) else None

    return counting


def asked(policy):
    parts = [
        (id_, [each for part in policy.foundations(overlay) for each in part.tightens])
        for id_, overlay in policy.overlays.items()
    ]
    parts += [(id_, made.levels) for id_, made in policy.assessments.items()]
    return {
        (id_, each.indicator, each.grain, level)
        for id_, levels in parts
        for each in levels
        for level in Level
        if level <= each.level
    }


def a_lower_level(rng, policy, one):
    grain = rng.choice(list(Grain))
    level = one.levels.get(grain, Level.SECRET)
    return replace(one, levels={**one.levels, grain: Level(level - 1)}) if level > Level.PUBLIC else None


def groups_less_met(rng, policy, one):
    first, *rest = one.groups
    if len(first) > 1:
        return replace(one, groups=(first[1:], *rest))
    return replace(
        one, groups=(*one.groups, (rng.choice([each for each in NAMES if (each,) not in one.groups]),))
    )


def fewer_keys(rng, policy, one):
    return replace(one, keys=one.keys[1:] or ("site-id",)) if len(one.keys) != 1 else None


def narrower(field, of):
    """An overlay that no longer holds for all that it held for."""

    def loosen(rng, policy, one):
        there = getattr(one, field)
        if len(there) == 1:
            return None
        return replace(one, **{field: there[1:] or (rng.choice(options(policy, of)),)})

    return loosen


def out_of_reach(field, of):
    """An operation goes where an overlay does not hold that held for it."""

    def loosen(rng, policy, one):
        other = another(field, of)(rng, policy, one)
        reach = [(each, each.validity.start) for each in policy.overlays.values()]
        lost = (each for each, day in reach if each.holds(one, day) and not each.holds(other, day))
        return other if any(lost) else None

    return loosen


def waived_for_more(rng, policy, one):
    if not one.datasets:
        return None
    return more("datasets", "datasets")(rng, policy, one) if rng.random() < 0.5 else replace(one, datasets=())


def waived_to_less(rng, policy, one):
    return swapped(policy, one, replace(one, level=Level.CONFIDENTIAL)), policy


def is_looser(policy, one, other):
    """Whether an indicator asks for less than another one at a grain, by itself."""
    levels, once = (policy.indicators[each].levels for each in (one, other))
    return any(levels.get(each, Level.SECRET) < once.get(each, Level.SECRET) for each in Grain)


def of_a_looser_indicator(rng, policy, one):
    found = [each for each in NAMES if is_looser(policy, each, one.indicator)]
    return replace(one, indicator=rng.choice(found)) if found else None


def another_key(rng, policy, one):
    return more("key", [each.name for each in one.columns])(rng, policy, one)


def header_taken_over(rng, policy, one):
    """By a column that asks for less: as its name, as a spelling of it, or as what continues it."""
    columns = [each for each in one.columns if each.name not in {*one.key, *one.drop_at_collection}]
    pairs = [
        (first, second)
        for first in columns
        for second in columns
        if is_looser(policy, second.indicator, first.indicator)
    ]
    if not pairs:
        return None
    first, second = rng.choice(pairs)
    left = replace(first, name="renamed")
    changed = rng.choice(
        (
            {first: left, second: replace(second, name=first.name)},
            {first: left, second: replace(second, spellings=(*second.spellings, first.name))},
            {first: left, second: replace(second, continued_by=(*second.continued_by, first.name))},
        )
    )
    return replace(one, columns=tuple(changed.get(each, each) for each in one.columns))


def approved(rng, policy, one):
    if one.state is RequestState.APPROVED:
        return None
    return replace(one, state=RequestState.APPROVED, validity=one.validity or Validity(DAY, FAR))


def decided_sooner(rng, policy, one):
    return replace(one, decided_on=(one.decided_on or DAY) - DAYS)


def another_name(rng, policy, one):
    return replace(one, name="Somebody Else") if one.name else None


def another_signer(rng, policy, one):
    side = rng.choice(sorted(one.signed))
    people = [each.id for each in policy.organizations[side].focal_points if each.id != one.signed[side]]
    return replace(one, signed={**one.signed, side: rng.choice(people)})


def more_shared(rng, policy, one):
    (share, *_) = one.shares
    rest = tuple(each for each in NAMES if each not in share.indicators)
    return replace(one, shares=(*one.shares, replace(share, indicators=rest)))


def another_table(rng, policy, one):
    path = next(each for each in values(policy, Pathway) if any(share is one for share in each.shares))
    shared = {share.dataset for share in path.shares}
    found = [each for each in sorted(policy.datasets) if each not in shared]
    return replace(one, dataset=rng.choice(found)) if found else None


def a_stand_in(rng, policy, one):
    """Somebody new, where all others of an organization have left."""
    if not policy.agreements:
        return None
    agreed = policy.agreements[rng.choice(sorted(policy.agreements))]
    mine = policy.organizations[agreed.organization]
    left = tuple(replace(each, in_office=LONG_AGO) for each in mine.focal_points)
    new = replace(left[0], id="aaa/new", role=Role.SECONDARY, in_office=agreed.validity)

    def having(*people):
        changed = {**policy.organizations, mine.id: replace(mine, focal_points=people)}
        known = {**policy.focal_points, **{each.id: each for each in people}}
        return replace(policy, organizations=changed, focal_points=known)

    return having(*left), having(*left, new)


# ----------------------------------------------------------------------------------------- every field

ID = "what it is known by: under another id the old one is gone, and the new one is new"
PLACE = "where it stands; no rule looks at it"
WORDS = "words for the reader; no rule looks at them"
READER = "looked at only when the files are read"
# Two texts that differ in one encoding differ in another, and codes are ASCII: the data show the same.
TEXT = "headers that read otherwise are such as no rule knows"
HELD = "the values in it are judged each for itself"
NEW = "what is new is judged by the engine, which knew nothing of it before; what is gone lets nothing leave"

JUDGED = {
    Policy: {
        "digest": "of the files' bytes; what is in them is judged",
        "protocols": "Table A's words are made levels when the files are read; the rest is printed",
        "indicators": NEW,
        "relations": gone("relations"),
        "operations": NEW,
        "datasets": NEW,
        "assessments": NEW,
        "organizations": HELD,
        "focal_points": a_stand_in,
        "requests": NEW,
        "agreements": NEW,
        "overlays": gone("overlays"),
        "waivers": "a new one is the way to allow more: the engine says what, and the page names it",
        "files": "what the ledger keeps; what is in them is judged",
    },
    Protocol: {
        "level": ID,
        "aliases": READER,
        "meaning": WORDS,
        "includes": WORDS,
        "disclosure": WORDS,
        "source": PLACE,
        "crosswalks": WORDS,
    },
    Indicator: {
        "id": ID,
        "title": WORDS,
        "family": WORDS,
        "levels": a_lower_level,
        "basis": WORDS,
        "names": WORDS,
        "codes": WORDS,
        "hxl": WORDS,
        "source": PLACE,
        "identifies": another("identifies", (None, Grain.SITE, Grain.ADMIN2)),
        "additive": lambda rng, policy, one: None if one.additive else replace(one, additive=True),
    },
    Relation: {
        "id": ID,
        "groups": groups_less_met,
        "grains": without_the_coarsest_grain,
        "level": lower,
        "why": WORDS,
        "source": PLACE,
        "keys": fewer_keys,
    },
    Tightening: {
        "indicator": where_it_counts(another("indicator", "indicators")),
        "grain": where_it_counts(another("grain", Grain)),
        "level": where_it_counts(lower),
        "why": WORDS,
        "source": PLACE,
    },
    Operation: {
        "id": ID,
        "country": out_of_reach("country", COUNTRIES),
        "name": WORDS,
        "context": out_of_reach("context", CONTEXTS),
        "validity": longer("validity"),
        "source": PLACE,
    },
    Overlay: {
        "id": ID,
        "countries": narrower("countries", COUNTRIES),
        "operations": narrower("operations", "operations"),
        "contexts": narrower("contexts", CONTEXTS),
        "validity": shorter,
        "builds_on": where_it_counts(fewer("builds_on")),
        "tightens": where_it_counts(fewer("tightens")),
        "why": WORDS,
        "source": PLACE,
    },
    Waiver: {
        "id": ID,
        "operation": another("operation", "operations"),
        "datasets": waived_for_more,
        "relaxes": lambda rng, policy, one: more("relaxes", random_policies.asking(policy))(rng, policy, one),
        "level": waived_to_less,
        "why": WORDS,
        "coordinator": another("coordinator", "focal_points"),
        "sectoral_expert": another("sectoral_expert", "focal_points"),
        "signed_on": moved("signed_on", -DAYS),
        "validity": longer("validity"),
        "source": PLACE,
    },
    Column: {
        "name": "see Dataset.columns",
        "spellings": "see Dataset.columns",
        "indicator": of_a_looser_indicator,
        "continued_by": "see Dataset.columns",
        "source": PLACE,
    },
    Dataset: {
        "id": ID,
        "title": WORDS,
        "operation": another("operation", "operations"),
        "component": WORDS,
        "grain": another("grain", Grain),
        "key": another_key,
        "header_row": moved("header_row", 1),
        "encoding": TEXT,
        "columns": header_taken_over,
        "drop_at_collection": fewer("drop_at_collection"),
        "source": PLACE,
    },
    Assessment: {
        "id": ID,
        "operation": another("operation", "operations"),
        "context": another("context", CONTEXTS),
        "datasets": more("datasets", "datasets"),
        "coordinator": another("coordinator", "focal_points"),
        "sectoral_expert": another("sectoral_expert", "focal_points"),
        "assessed_on": moved("assessed_on", -DAYS),
        "collection_begins": READER,
        "review_by": moved("review_by", DAYS),
        "impact": WORDS,
        "risk_of_sharing": WORDS,
        "risk_of_not_sharing": WORDS,
        "levels": fewer("levels"),
        "source": PLACE,
    },
    FocalPoint: {
        "id": ID,
        "organization": another("organization", "organizations"),
        "role": another("role", Role),
        "title": WORDS,
        "email": to(email="elsewhere@example.org"),
        "mobile": to(mobile="+977 1"),
        "in_office": longer("in_office"),
        "source": PLACE,
        "name": another_name,
    },
    Organization: {
        "id": ID,
        "name": WORDS,  # what is sent goes to its people, whose names and addresses are looked at
        "focal_points": HELD,
        "source": PLACE,
    },
    DataAccessRequest: {
        "id": ID,
        "organization": another("organization", "organizations"),
        "purpose": to(purpose="Sell soap"),
        "datasets": more("datasets", "datasets"),
        "indicators": more("indicators", "indicators"),
        "state": approved,
        "requested_on": READER,
        "decided_on": decided_sooner,
        "validity": longer("validity"),
        "source": PLACE,
        "reason": WORDS,
    },
    Share: {
        "dataset": another_table,
        "indicators": more("indicators", "indicators"),
        "source": PLACE,
    },
    Pathway: {
        "id": ID,
        "urgency": "which pathway of its agreement it is; a new one is for the engine, and its people listed",
        "monthly": lambda rng, policy, one: replace(one, monthly=not one.monthly),
        "within_days": lambda rng, policy, one: replace(one, within_days=(one.within_days or 0) + 1),
        "shares": more_shared,
        "destination": more("destination", "focal_points"),
        "method": another("method", Method),
        "source": PLACE,
    },
    Agreement: {
        "id": ID,
        "organization": another("organization", "organizations"),
        "request": another("request", "requests"),
        "signed": another_signer,
        "validity": longer("validity"),
        "pathways": HELD,
        "source": PLACE,
    },
    Validity: {"start": "judged where it stands", "until": "judged where it stands"},
    Source: {"file": PLACE, "line": PLACE, "column": PLACE},
}
LOOSENED = {
    f"{kind.__name__}.{field}": (kind, how)
    for kind, judged in JUDGED.items()
    for field, how in judged.items()
    if callable(how)
}
FREE = {
    kind: {field for field, how in judged.items() if how in {WORDS, PLACE, READER, TEXT}}
    for kind, judged in JUDGED.items()
}


def test_every_field_of_a_policy_is_judged_or_said_to_let_nothing_out():
    """Whoever adds a field to the model says here what ``review.loosened`` makes of it."""
    known = {kind: {each.name for each in fields(kind)} for kind in kinds(Policy, set())}
    assert {kind: set(judged) for kind, judged in JUDGED.items()} == known


@pytest.mark.parametrize("field", LOOSENED)
def test_a_field_that_is_loosened_in_a_random_policy_is_noticed(field):
    proved = 0
    for seed in range(300):
        rng = random.Random(f"{field} {seed}")
        old, new = looser(rng, random_policies.policy(rng), *LOOSENED[field])
        if new != old:
            proved += 1
            assert loosened(old, new) or any(
                each.change is Change.ALLOWED for each in differences(old, new, DAY)
            )
        if proved == 5:
            return
    pytest.fail(f"only {proved} policies could be loosened by their {field}")


def looser(rng, policy, kind, loosen):
    found = list(values(policy, kind))
    one = rng.choice(found) if found else None
    other = loosen(rng, policy, one) if found else None
    if isinstance(other, tuple):
        return other
    return policy, (swapped(policy, one, other) if other else policy)


@pytest.mark.parametrize("seed", range(3))
def test_what_no_rule_looks_at_lists_nothing_and_lets_nothing_out(seed):
    def change(before, after):
        free = () if isinstance(before, Source) else FREE[type(before)]
        return replace(after, **{each: otherwise(getattr(before, each)) for each in free})

    old = random_policies.policy(random.Random(seed))
    new = rebuilt(old, change)
    for kind, free in FREE.items():
        for field in free if kind is not Source else ():
            pairs = zip(values(old, kind), values(new, kind), strict=True)
            assert all(getattr(one, field) != getattr(other, field) for one, other in pairs)
    assert loosened(old, old) == loosened(old, new) == ()
    assert {each.change for each in differences(old, new, DAY)} <= {Change.REWORDED}


def otherwise(value):
    """Another value of the same type."""
    match value:
        case str():
            return f"{value} and more"
        case date():
            return value + DAYS
        case tuple():
            return (*value, "more")
        case Source():
            return replace(value, line=value.line + 1000)
    return {**value, "more": "words"}


@pytest.mark.parametrize("seed", range(25))
def test_tightening_lists_nothing_and_the_way_back_something(seed):
    rng = random.Random(seed)
    old = random_policies.policy(rng)
    new = tightened(rng, old)
    assert loosened(old, new) == ()
    assert new == old or loosened(new, old)


def tightened(rng, old):
    """One rule of a random policy, made stricter."""
    kind = rng.choice(("overlays", "relations", "agreements", "indicators", "waivers"))
    parts = dict(getattr(old, kind))
    if not parts:
        return old
    id_ = rng.choice(sorted(parts))
    one = parts.pop(id_)
    if kind == "overlays":
        parts[id_] = replace(one, validity=Validity(one.validity.start - DAYS, one.validity.until))
    elif kind == "relations":
        grains = [each for each in Grain if each not in one.grains]
        parts[id_] = replace(one, grains=(*one.grains, *grains[:1]))
    elif kind == "agreements":
        start, until = one.validity.start, one.validity.until
        parts[id_] = replace(one, validity=Validity(start + timedelta(days=1), until))
    elif kind == "indicators":
        parts[id_] = replace(one, levels=dict.fromkeys(one.levels, Level.SECRET))
    elif len(one.relaxes) > 1:
        parts[id_] = replace(one, relaxes=one.relaxes[1:])
    else:
        return old
    return replace(old, **{kind: parts})
