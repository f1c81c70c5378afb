"""Whole random policies, and random tables, audiences and holdings to judge under them.

Everything is drawn from one ``random.Random``, so a seed repeats a case, and Hypothesis can bring its own
(``st.randoms(use_true_random=False)``) and shrink it. A policy is *valid by construction*: written to files
it is read back without a problem. ``loosened`` breaks what the reader of files would have refused, because
the gate must not rely on the reader.

The vocabulary is small on purpose: features that never meet prove nothing about each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import count
from random import Random
from typing import Any

from dtm_sharing.model import (
    PUBLIC,
    Agreement,
    Assessment,
    Audience,
    Column,
    DataAccessRequest,
    Dataset,
    FocalPoint,
    Grain,
    GrainEvidence,
    Header,
    Holding,
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
    Stage,
    TableProfile,
    Tightening,
    Urgency,
    Validity,
    Waiver,
)

DAY = date(2026, 6, 15)  # most of a policy is in force on this day
OTHER = "If other, please specify"
COUNTRIES = ("AAA", "BBB")
PARTNERS = ("relief", "shield")
CONTEXTS = ("disaster", "conflict", "mixed")
NAMES = ("site-id", "district", "safety", "actors", "children", "sex", "age", "ethnicity", "phone", "water")
GRAINS = (Grain.SITE, Grain.ADMIN2, Grain.HOUSEHOLD)
IDENTIFIES = {"site-id": Grain.SITE, "district": Grain.ADMIN2}
ADDITIVE = frozenset({"children", "sex", "age", "water"})
UNKNOWN = "no rule knows this"
# Texts that a writer of YAML has to take care of.
AWKWARD = (
    "a: b",
    "# no comment",
    "'quoted'",
    '"quoted"',
    "yes",
    "null",
    "2026-01-01",
    "1e3",
    "- item",
    "[a, b]",
    "{a: b}",
    "&a *b !c",
    "50 %",
    "ends with a colon:",
    "back\\slash",
    "الأمان",
    "été, niño",
    "x" * 200,
    "long " * 60 + "end",
    "0x1F",
    "~",
    "|",
    ">-",
    "a\N{NO-BREAK SPACE}b",
    "\N{GRINNING FACE}",
)


@dataclass(frozen=True)
class Case:
    """One question to the gate."""

    policy: Policy
    table: TableProfile
    audience: Audience
    held: tuple[Holding, ...] | None
    day: date


def case(rng: Random) -> Case:
    made = policy(rng)
    if rng.random() < 0.15:
        made = loosened(rng, made)
    near, far = rng.randint(-40, 40), rng.randint(-400, 400)
    day = DAY + timedelta(days=rng.choice((0, 0, 0, 0, 0, 0, 0, near, near, far)))
    agreement = rng.choice([*sorted(made.agreements), None, None]) if made.agreements else None
    if agreement is None:
        audience = PUBLIC
    else:
        pathway = rng.choice(made.agreements[agreement].pathways)
        audience = Audience(agreement, pathway.urgency)
    table = profile(rng, made, audience)
    return Case(made, table, audience, holdings(rng, made, table, day), day)


# ------------------------------------------------------------------------------------------ the policy


class _Maker:
    """Draws one policy. Every value gets a place of its own, so that rules can be told apart by it."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self._lines = count(1)

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def some(self, items: Sequence[Any], least: int, most: int) -> tuple[Any, ...]:
        return tuple(self.rng.sample(list(items), min(len(items), self.rng.randint(least, most))))

    def source(self, file: str) -> Source:
        return Source(f"{file}.yaml", next(self._lines), 1)

    def text(self, plain: str) -> str:
        return self.rng.choice(AWKWARD) if self.chance(0.1) else plain

    def span(self, flaw: float = 0.06, *, ends: bool = False) -> Validity:
        """In force on ``DAY``, but for a share of ``flaw``."""
        if self.chance(flaw):
            if self.chance(0.5):
                start = DAY - timedelta(days=self.rng.randint(200, 300))
                return Validity(start, DAY - timedelta(days=self.rng.randint(1, 100)))
            start = DAY + timedelta(days=self.rng.randint(1, 100))
            return Validity(start, start + timedelta(days=100))
        start = DAY - timedelta(days=self.rng.randint(0, 200))
        if not ends and self.chance(0.3):
            return Validity(start, None)
        return Validity(start, DAY + timedelta(days=self.rng.choice((0, 1, 5, 29, 30, 31, 100, 300))))

    # -- the parts

    def indicators(self) -> Iterator[Indicator]:
        family = {grain: self.level() for grain in Grain}
        for id_ in NAMES:
            levels = dict(family) if self.chance(0.2) else {grain: self.level() for grain in Grain}
            if id_ == "phone":
                levels[Grain.SITE] = levels[Grain.HOUSEHOLD] = Level.SECRET
            for grain in GRAINS:
                if self.chance(0.02):
                    del levels[grain]
            yield Indicator(
                id=id_,
                title=self.text(f"Title of {id_}"),
                family=self.rng.choice(("place", "people")),
                levels=levels,
                basis=self.text(f"basis of {id_}"),
                names=(f"nom de {id_}",) if self.chance(0.3) else (),
                codes=("m0310",) if self.chance(0.1) else (),
                hxl=("#affected +idps",) if self.chance(0.1) else (),
                source=self.source("indicators"),
                identifies=IDENTIFIES.get(id_),
                additive=id_ in ADDITIVE,
            )

    def level(self) -> Level:
        return self.rng.choice((Level.PUBLIC,) * 10 + (Level.CONFIDENTIAL,) * 3 + (Level.SECRET,))

    def relations(self) -> Iterator[Relation]:
        for number in range(self.rng.choice((0, 1, 2, 2, 3, 3))):
            names = self.some([each for each in NAMES if each != "phone"], 2, 5)
            cut = self.rng.randint(1, len(names) - 1)
            groups = [names[:cut], names[cut:]]
            if len(groups[1]) > 1 and self.chance(0.3):
                groups[1:] = [groups[1][:1], groups[1][1:]]
            yield Relation(
                id=f"together-{number}",
                groups=tuple(groups),
                grains=self.some(GRAINS, 1, 3),
                level=self.rng.choice((Level.CONFIDENTIAL,) * 6 + (Level.SECRET,)),
                why=self.text(f"why of together-{number}"),
                source=self.source("relations"),
                keys=self.some(("site-id", "district", "age"), 1, 3) if self.chance(0.5) else (),
            )

    def operations(self) -> Iterator[Operation]:
        for country in COUNTRIES:
            for name in ("flood", "clashes")[: self.rng.randint(1, 2)]:
                yield Operation(
                    id=f"{country.lower()}/{name}",
                    country=country,
                    name=self.text(name.capitalize()),
                    context=self.rng.choice(CONTEXTS),
                    validity=self.span(0.03),
                    source=self.source(f"{country.lower()}/{name}"),
                )

    def datasets(self, operations: Mapping[str, Operation]) -> Iterator[Dataset]:
        for number, operation in enumerate([*operations, *self.some(list(operations), 0, 1)]):
            id_ = f"{operation.split('/')[0]}/table-{number}"
            there = self.some(NAMES, 3, 7)
            columns = tuple(
                Column(
                    name=f"Q {each}",
                    spellings=(f"{each} ?",) if self.chance(0.2) else (),
                    indicator=each,
                    continued_by=(OTHER,) if self.chance(0.2) else (),
                    source=self.source(id_),
                )
                for each in there
            )
            yield Dataset(
                id=id_,
                title=self.text(f"Table {number}"),
                operation=operation,
                component="SA",
                grain=self.rng.choice((Grain.SITE, Grain.SITE, Grain.SITE, Grain.ADMIN2, Grain.HOUSEHOLD)),
                key=(next(each.name for each in columns if each.indicator != "phone"),),
                header_row=self.rng.randint(1, 3),
                encoding="utf-8",
                columns=columns,
                drop_at_collection=("Q phone",) if "phone" in there and self.chance(0.8) else (),
                source=self.source(id_),
            )

    def people(self, organization: str) -> Iterator[FocalPoint]:
        roles = [Role.PRIMARY, Role.SECONDARY, Role.SECTORAL_EXPERT]
        if self.chance(0.3):
            roles.append(Role.SECONDARY)
        for number, role in enumerate(roles):
            # Whoever signs for IOM is in office throughout; that others are not is the gate's to find out.
            steady = organization == "iom"
            yield FocalPoint(
                id=f"aaa/{organization}-{number}",
                organization=organization,
                role=role,
                title=self.text(f"{role} of {organization}"),
                email=f"{organization}-{number}@example.org",
                mobile=f"+000 {int.from_bytes(organization.encode(), 'big')}{number}",
                in_office=Validity(date(2020, 1, 1), None) if steady else self.span(0.1),
                source=self.source(organization),
                name=f"{self.text('Somebody')} {organization} {number}" if self.chance(0.2) else "",
            )

    def tightenings(self, indicators: Mapping[str, Indicator], most: int) -> Iterator[Tightening]:
        """They only raise what has a level; one for each indicator and grain."""
        at = [(each, grain) for each in indicators.values() for grain in GRAINS if grain in each.levels]
        for indicator, grain in self.some(at, 1, most):
            as_strict = [level for level in Level if level >= indicator.levels[grain]]
            yield Tightening(
                indicator.id,
                grain,
                self.rng.choice(as_strict[:2] * 4 + as_strict),
                self.text(f"tighter {indicator.id}"),
                self.source("tighter"),
            )

    def overlays(
        self, indicators: Mapping[str, Indicator], operations: Mapping[str, Operation]
    ) -> Iterator[Overlay]:
        ids: list[str] = []
        for number in range(self.rng.randint(0, 3)):
            scope = self.rng.randint(1, 7)  # at least one of the three lists, as bits
            id_ = f"overlay-{number}"
            countries = self.some(COUNTRIES, 1, 2) if scope & 1 else ()
            there = [each.id for each in operations.values() if each.country in (countries or COUNTRIES)]
            yield Overlay(
                id=id_,
                countries=countries,
                operations=self.some(there, 1, 3) if scope & 2 else (),
                contexts=self.some(CONTEXTS, 1, 2) if scope & 4 else (),
                validity=self.span(0.3),
                builds_on=self.some(ids, 0, 2),  # only on earlier ones: no cycle
                tightens=tuple(self.tightenings(indicators, 2)),
                why=self.text(f"why of {id_}"),
                source=self.source(id_),
            )
            ids.append(id_)

    def assessments(self, policy: Policy) -> Iterator[Assessment]:
        for number, operation in enumerate(policy.operations.values()):
            mine = [each.id for each in policy.datasets.values() if each.operation == operation.id]
            covered = mine if self.chance(0.95) else mine[1:]
            for again in range(2 if self.chance(0.2) else 1):
                if not covered:
                    continue
                span = self.span(0.07, ends=True)
                assessed_on = span.start - timedelta(days=1)
                assert span.until is not None
                yield Assessment(
                    id=f"{operation.country.lower()}/risks-{number}-{again}",
                    operation=operation.id,
                    context=self.rng.choice(CONTEXTS) if self.chance(0.08) else operation.context,
                    datasets=tuple(covered),
                    coordinator="aaa/iom-0",
                    sectoral_expert=self.rng.choice(("aaa/iom-2", "aaa/iom-2")),
                    assessed_on=assessed_on,
                    collection_begins=span.start,
                    review_by=span.until,
                    impact={
                        each: self.text(f"impact on {each}")
                        for each in ("individuals", "vulnerable_groups", "communities", "stakeholders")
                    },
                    risk_of_sharing=self.text("some"),
                    risk_of_not_sharing=self.text("more"),
                    levels=tuple(self.tightenings(policy.indicators, 2)) if self.chance(0.5) else (),
                    source=self.source(f"risks-{number}-{again}"),
                )

    def waivers(self, policy: Policy) -> Iterator[Waiver]:
        """Each names rules of its operation that ask for Confidential; no rule is named by two."""
        confidential = {
            rule for rule, levels in asking(policy).items() if set(levels) == {Level.CONFIDENTIAL}
        }
        for number in range(self.rng.randint(0, 3)):
            operation = policy.operations[self.rng.choice(sorted(policy.operations))]
            taken = self.some(
                [each for each in sorted(confidential) if part_in(policy, each, operation)], 4, 8
            )
            if not taken:
                continue
            confidential -= set(taken)
            mine = [each.id for each in policy.datasets.values() if each.operation == operation.id]
            span = self.span(0.2, ends=True)
            waiver = Waiver(
                id=f"{operation.country.lower()}/waiver-{number}",
                operation=operation.id,
                datasets=self.some(mine, 1, len(mine)) if mine and self.chance(0.3) else (),
                relaxes=taken,
                level=Level.PUBLIC,
                why=self.text(f"why of waiver {number}"),
                coordinator="aaa/iom-0",
                sectoral_expert="aaa/iom-2",
                signed_on=span.start - timedelta(days=self.rng.randint(0, 20)),
                validity=span,
                source=self.source(f"waiver-{number}"),
            )
            # Who signs knows the assessments that the waiver relaxes.
            assessed = {each: assessed_on(policy, each) or waiver.signed_on for each in taken}
            known = {each: day for each, day in assessed.items() if day <= span.start}
            if known:
                yield replace(waiver, relaxes=tuple(known), signed_on=max(waiver.signed_on, *known.values()))

    def request(self, organization: str, datasets: Mapping[str, Dataset]) -> DataAccessRequest:
        asked_on = DAY - timedelta(days=300)
        state = self.rng.choice((RequestState.APPROVED,) * 20 + tuple(RequestState))
        decided = state is not RequestState.REQUESTED
        return DataAccessRequest(
            id=f"aaa/{organization}-request",
            organization=organization,
            purpose=self.text("Plan services"),
            datasets=self.some(sorted(datasets), max(1, len(datasets) - 1), len(datasets)),
            indicators=self.some(NAMES, 7, len(NAMES)),
            state=state,
            requested_on=asked_on,
            decided_on=asked_on + timedelta(days=5) if decided else None,
            validity=self.span(ends=True) if state is RequestState.APPROVED else None,
            source=self.source(f"{organization}-request"),
            reason="No legitimate need." if state in (RequestState.REFUSED, RequestState.REVOKED) else "",
        )

    def agreement(self, organization: str, policy: Policy, request: DataAccessRequest) -> Agreement | None:
        partners = [each.id for each in policy.organizations[organization].focal_points]
        pathways = []
        for urgency in self.some(tuple(Urgency), 1, 2):
            shares = tuple(self.shares(policy, request))
            if not shares:
                continue
            low = urgency is Urgency.LOW
            usual, unusual = (
                (Method.EXCEL_EMAIL, Method.PORTAL) if low else (Method.DOCUMENT_EMAIL, Method.TELEPHONE)
            )
            pathways.append(
                Pathway(
                    id=f"aaa/{organization}/{urgency}",
                    urgency=urgency,
                    monthly=low,
                    within_days=None if low else self.rng.randint(1, 9),
                    shares=shares,
                    destination=self.some(partners[:2], 1, 2),
                    method=unusual if self.chance(0.04) else usual,
                    source=self.source(f"{organization}-agreement"),
                )
            )
        if not pathways:
            return None
        validity = self.span(ends=True)
        signer = policy.focal_points[partners[0]]
        if not self.chance(0.1):  # else: perhaps signed by somebody who came later
            start = max(validity.start, signer.in_office.start)
            validity = Validity(start, max(start, validity.until or start))
        return Agreement(
            id=f"aaa/{organization}",
            organization=organization,
            request=request.id,
            signed={"iom": "aaa/iom-0", organization: partners[0]},
            validity=validity,
            pathways=tuple(pathways),
            source=self.source(f"{organization}-agreement"),
        )

    def shares(self, policy: Policy, request: DataAccessRequest) -> Iterator[Share]:
        for id_ in self.some(request.datasets, 1, len(request.datasets)):
            dataset = policy.datasets[id_]
            kept = [
                each.indicator
                for each in dataset.columns
                if each.name not in dataset.drop_at_collection
                and each.indicator in request.indicators
                and not may_be_secret(policy, each.indicator, dataset)
            ]
            if kept:
                yield Share(id_, self.some(kept, 1, len(kept)), self.source("share"))


def policy(rng: Random) -> Policy:
    """A policy that its reader accepts. Nine in ten of its parts are in force on ``DAY``."""
    make = _Maker(rng)
    indicators = {each.id: each for each in make.indicators()}
    operations = {each.id: each for each in make.operations()}
    organizations = {
        each: Organization(each, each.upper(), tuple(make.people(each)), make.source(each))
        for each in ("iom", *PARTNERS)
    }
    made = Policy(
        digest="sha256:" + "0" * 64,
        protocols={
            level: Protocol(
                level=level,
                aliases={"others": (f"word-{level.label.lower()}",)} if make.chance(0.5) else {},
                meaning=make.text(f"meaning of {level.label}"),
                includes=("this", "that") if make.chance(0.5) else (),
                disclosure=make.text(f"disclosure of {level.label}"),
                crosswalks={"ocha-isp": ("Low", "Moderate")[:level]} if make.chance(0.3) else {},
                source=make.source("classification"),
            )
            for level in Level
        },
        indicators=indicators,
        relations={each.id: each for each in make.relations()},
        operations=operations,
        datasets={each.id: each for each in make.datasets(operations)},
        assessments={},
        organizations=organizations,
        focal_points={person.id: person for each in organizations.values() for person in each.focal_points},
        requests={},
        agreements={},
        overlays={each.id: each for each in make.overlays(indicators, operations)},
    )
    made = replace(made, assessments={each.id: each for each in make.assessments(made)})
    made = replace(made, waivers={each.id: each for each in make.waivers(made)})
    requests = [make.request(each, made.datasets) for each in PARTNERS]
    agreements = [make.agreement(each.organization, made, each) for each in requests]
    made = replace(
        made,
        requests={each.id: each for each in requests},
        agreements={each.id: each for each in agreements if each},
    )
    return replace(made, relations={each.id: _not_promised(made, each) for each in made.relations.values()})


def _not_promised(policy: Policy, relation: Relation) -> Relation:
    """What is Secret together is promised to nobody: no organization's agreements complete it."""
    for organization in PARTNERS:
        promised = {
            indicator
            for agreement in policy.agreements.values()
            if agreement.organization == organization
            for path in agreement.pathways
            for share in path.shares
            for indicator in share.indicators
        }
        if relation.level is Level.SECRET and all(promised.intersection(each) for each in relation.groups):
            return replace(relation, level=Level.CONFIDENTIAL)
    return relation


def assessed_on(policy: Policy, rule: str) -> date | None:
    """The day of the assessment that the rule is one of; None: it is none of an assessment."""
    made = {f"assessment:{each.id}": each.assessed_on for each in policy.assessments.values()}
    return made.get(rule.rpartition("/")[0])


def asking(policy: Policy) -> dict[str, list[Level]]:
    """Rule -> every level that it asks for, somewhere and at some time."""
    found: dict[str, list[Level]] = {}
    for indicator in policy.indicators.values():
        for grain, level in indicator.levels.items():
            found.setdefault(f"indicator:{indicator.id}@{grain}", []).append(level)
    for relation in policy.relations.values():
        found.setdefault(f"relation:{relation.id}", []).append(relation.level)
    for overlay in policy.overlays.values():
        for brought in _brought(policy, overlay):
            for each in brought.tightens:
                named = overlay.id if brought is overlay else f"{overlay.id}+{brought.id}"
                rule = f"overlay:{named}/{each.indicator}@{each.grain}"
                found.setdefault(rule, []).append(each.level)
    for assessment in policy.assessments.values():
        for each in assessment.levels:
            rule = f"assessment:{assessment.id}/{each.indicator}@{each.grain}"
            found.setdefault(rule, []).append(each.level)
    return found


def part_in(policy: Policy, rule: str, operation: Operation) -> bool:
    """Whether a rule has a part in an operation, on whatever day."""
    kind, _, rest = rule.partition(":")
    if kind == "assessment":
        return policy.assessments[rest.rpartition("/")[0]].operation == operation.id
    if kind == "overlay":
        overlay = policy.overlays[rest.rpartition("/")[0].partition("+")[0]]
        return overlay.holds(operation, overlay.validity.start)
    return True


def _brought(policy: Policy, overlay: Overlay) -> list[Overlay]:
    found = {overlay.id: overlay}
    for _ in policy.overlays:
        for each in list(found.values()):
            found |= {below: policy.overlays[below] for below in each.builds_on}
    return list(found.values())


def may_be_secret(policy: Policy, indicator: str, dataset: Dataset) -> bool:
    """Whether any rule, whenever and wherever it holds, calls the indicator Secret at the dataset's grain."""
    named = [policy.indicators[indicator].levels.get(dataset.grain)]
    for tighter in (*policy.overlays.values(), *policy.assessments.values()):
        levels = tighter.tightens if isinstance(tighter, Overlay) else tighter.levels
        named += [each.level for each in levels if (each.indicator, each.grain) == (indicator, dataset.grain)]
    return Level.SECRET in named


def loosened(rng: Random, policy: Policy) -> Policy:
    """The same policy with one thing in it that the reader of files would have refused."""
    choice = rng.choice((0, 1, 2, 3, 3))
    if choice == 0:  # a request that covers less than the agreement shares
        cut = {
            key: replace(each, indicators=each.indicators[: rng.randint(1, 6)])
            for key, each in policy.requests.items()
        }
        return replace(policy, requests=cut)
    if choice == 1:  # an agreement that lists everything, the Secret included
        listing = {}
        for key, each in policy.agreements.items():
            paths = []
            for path in each.pathways:
                shares = tuple(
                    replace(
                        share,
                        indicators=tuple(
                            column.indicator for column in policy.datasets[share.dataset].columns
                        ),
                    )
                    for share in path.shares
                )
                paths.append(replace(path, shares=shares))
            listing[key] = replace(each, pathways=tuple(paths))
        return replace(policy, agreements=listing)
    if choice == 2:  # an expert who assessed and signed after having left
        gone = replace(
            policy.focal_points["aaa/iom-2"], in_office=Validity(date(2020, 1, 1), date(2020, 2, 1))
        )
        return replace(policy, focal_points={**policy.focal_points, gone.id: gone})
    # waivers that name a rule asking for Secret
    secret = [rule for rule, levels in asking(policy).items() if Level.SECRET in levels]
    waived = {
        key: replace(each, relaxes=(*each.relaxes, *rng.sample(secret, min(12, len(secret)))))
        for key, each in policy.waivers.items()
    }
    return replace(policy, waivers=waived)


# ------------------------------------------------------------------------------- tables and what is held


def headers(keys: Sequence[tuple[str, str | None]]) -> tuple[Header, ...]:
    """Columns of a table at hand, in this order: (name, question that it continues)."""
    return tuple(
        Header(position, name, question, name if question is None else f"{question}: {name}")
        for position, (name, question) in enumerate(keys, 1)
    )


def profile(rng: Random, policy: Policy, audience: Audience) -> TableProfile:
    """A table for this audience: what is agreed, or some of the columns, or all; now and then with a flaw."""
    shares: dict[str, tuple[str, ...]] = {}
    if audience.agreement is not None:
        pathway = policy.agreements[audience.agreement].pathway(audience.urgency or Urgency.LOW)
        assert pathway is not None
        shares = {each.dataset: each.indicators for each in pathway.shares}
    ids = sorted(policy.datasets)
    id_ = rng.choice(sorted(shares)) if shares and rng.random() < 0.9 else rng.choice(ids)
    dataset = policy.datasets[id_]
    if id_ in shares and rng.random() < 0.75:
        chosen = [each for each in dataset.columns if each.indicator in shares[id_]]
    else:
        most = rng.choice((2, 3, len(dataset.columns)))
        chosen = rng.sample(dataset.columns, rng.randint(0 if rng.random() < 0.1 else 1, most))
    keys: list[tuple[str, str | None]] = []
    for each in chosen:
        keys.append((each.name, None))
        keys += [(name, each.name) for name in each.continued_by if rng.random() < 0.8]
    if rng.random() < 0.06:
        keys.insert(rng.randint(0, len(keys)), (UNKNOWN, None))
    whole = rng.random() < 0.08
    there = headers(keys)
    return TableProfile(
        dataset=id_,
        headers=there,
        rows=0 if rng.random() < 0.02 else rng.randint(1, 500),
        stage=rng.choice((None, Stage.CLEANED, Stage.CLEANED, Stage.CLEANED, Stage.COLLECTED)),
        round=rng.choice((None, "R1", "R2")),
        whole=whole,
        evidence=_evidence(rng, there),
        aggregated_to=Grain.ADMIN2 if dataset.grain is not Grain.ADMIN2 and rng.random() < 0.06 else None,
    )


def _evidence(rng: Random, there: Sequence[Header]) -> tuple[GrainEvidence, ...]:
    if rng.random() < 0.8:
        return ()
    keys = [each.key for each in there]
    return tuple(
        GrainEvidence(
            rng.choice(GRAINS), "the data say so", rng.choice(keys) if keys and rng.random() < 0.5 else None
        )
        for _ in range(rng.randint(1, 2))
    )


def holdings(rng: Random, policy: Policy, table: TableProfile, day: date) -> tuple[Holding, ...] | None:
    """What the audience may hold: mostly tables of this country; now and then nobody can say."""
    if rng.random() < 0.04:
        return None
    return tuple(holding(rng, policy, table, day, entry) for entry in range(rng.choice((0, 0, 1, 2, 4, 6))))


def holding(rng: Random, policy: Policy, table: TableProfile, day: date, entry: int) -> Holding:
    country = table.dataset.split("/")[0]
    here = [each for each in sorted(policy.datasets) if each.startswith(f"{country}/")]
    ids = here if rng.random() < 0.85 else sorted(policy.datasets)
    indicators = rng.sample(NAMES, rng.randint(2, 7))
    keys = [each.keys for each in policy.relations.values() if len(each.keys) > 1]
    if keys and rng.random() < 0.2:  # a list of places, which leads from one key to another
        indicators = list(rng.choice(keys))
    if rng.random() < 0.04:
        indicators.append("no-longer-declared")
    return Holding(
        dataset=rng.choice(ids),
        round=rng.choice(("R0", "R1")),
        grain=rng.choice(GRAINS),
        indicators=tuple(indicators),
        holder=rng.choice(("public", "public", "public", *PARTNERS)),
        since=day - timedelta(days=rng.randint(0, 90)),
        entry=entry,
    )
