"""The frozen values that the steps hand to each other. They hold data and no decisions.

Words are those of IOM's guideline for DTM Coordinators (Tables A, B, C) and of DTM's own components.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any

IOM = "iom"  # id of the organization that shares

# Long enough for what an end asks for: a review takes two people and the field's answers, an agreement two
# signatures. Said a month ahead it comes before most monthly dispatches.
NOTICE = timedelta(days=30)

# What exports write where nothing was answered, and HXL's tags: such a cell, as a whole, names no unit.
UNNAMED = r"(?i:null|nan|nat|none|n/?a|na|not available|unknown|dnk|pnta|ooo|-+|#[a-z].*|)"


def country_of(id_: str) -> str:
    """The first part of the id of a dataset, an operation or a focal point: ``npl`` of ``npl/site-list``."""
    return id_.partition("/")[0]


class Level(IntEnum):
    """Table A: Public < Confidential < Secret. The strictest of several is their ``max``."""

    PUBLIC = 1
    CONFIDENTIAL = 2
    SECRET = 3

    @property
    def label(self) -> str:
        return self.name.capitalize()


class Grain(StrEnum):
    """What one row stands for, from the coarsest to the finest."""

    NATIONAL = "national"
    ADMIN1 = "admin1"
    ADMIN2 = "admin2"
    ADMIN3 = "admin3"
    SITE = "site"
    HOUSEHOLD = "household"
    INDIVIDUAL = "individual"
    INCIDENT = "incident"

    @property
    def depth(self) -> int:
        """0 for the coarsest; of two grains, the one with the greater depth is the finer."""
        return _DEPTHS[self]


_DEPTHS = {grain: depth for depth, grain in enumerate(Grain)}


class Stage(StrEnum):
    """How far the cleaning of a round has come. Medium urgency starts at the first, low at the second."""

    COLLECTED = "collected"
    CLEANED = "cleaned"


class Urgency(StrEnum):
    """Table B's two columns. High urgency is a referral: outside the guideline, and no pathway."""

    LOW = "low"
    MEDIUM = "medium"

    @property
    def stage(self) -> Stage:
        """The stage a table must have reached before it may be sent at this urgency."""
        return Stage.CLEANED if self is Urgency.LOW else Stage.COLLECTED


class Method(StrEnum):
    """Table B's methods of sharing; each one protects what it carries."""

    PORTAL = "portal"
    EXCEL_EMAIL = "excel-email"
    DOCUMENT_EMAIL = "document-email"
    TELEPHONE = "telephone"


class Outcome(StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    UNDECIDED = "undecided"


class RequestState(StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Role(StrEnum):
    """What a person of Table C does; the guideline asks for a primary and a secondary on each side."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    SECTORAL_EXPERT = "sectoral-expert"


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """Where a rule stands: file relative to the policy folder, line and column counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


# ------------------------------------------------------------------------------------------ policy


@dataclass(frozen=True, slots=True)
class Validity:
    """A span of days, both ends included. ``until`` None means: until it is revoked in writing."""

    start: date
    until: date | None

    def covers(self, day: date) -> bool:
        return self.start <= day and (self.until is None or day <= self.until)


@dataclass(frozen=True, slots=True)
class Protocol:
    """One class of Table A: its meaning, what it includes, and how it may be disclosed."""

    level: Level
    aliases: Mapping[str, tuple[str, ...]]  # naming scheme -> the words it uses for this level
    meaning: str
    includes: tuple[str, ...]
    disclosure: str
    source: Source
    crosswalks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # another standard -> its nearest


@dataclass(frozen=True, slots=True)
class Indicator:
    """What a column measures, with a level per grain. A grain without a level is undecided."""

    id: str
    title: str
    family: str
    levels: Mapping[Grain, Level]
    basis: str
    names: tuple[str, ...]  # other names, EN/FR/ES/AR
    codes: tuple[str, ...]  # DTM Data Dictionary codes, e.g. m0310
    hxl: tuple[str, ...]
    source: Source
    identifies: Grain | None = None  # its values tell one unit of this grain from another, e.g. a site ID
    additive: bool = False  # a count: the sum over sites is the count of their district


@dataclass(frozen=True, slots=True)
class Relation:
    """Groups of indicators that together are more sensitive than alone (guideline: Relational).

    It holds where one audience has at least one indicator of *every* group, at one of ``grains`` or finer: in
    one table, or in several that one of ``keys`` joins, whenever they were received. Whoever has the finer
    table has the coarser one as well: it only needs to be summed up.
    """

    id: str
    groups: tuple[tuple[str, ...], ...]
    grains: tuple[Grain, ...]
    level: Level
    why: str
    source: Source
    keys: tuple[
        str, ...
    ] = ()  # indicators, any of which joins two tables; none named: all tables of a country join

    @property
    def rule(self) -> str:
        return f"relation:{self.id}"

    def joins(self, one: Collection[str], other: Collection[str]) -> bool:
        """Whether tables with these indicators can be put side by side."""
        return not self.keys or any(each in one and each in other for each in self.keys)

    def counts_at(self, grain: Grain) -> bool:
        """Whether it has to do with a table of this grain: one of its own, or a finer one."""
        return any(each.depth <= grain.depth for each in self.grains)

    def groups_of(self, indicators: Collection[str]) -> frozenset[int]:
        """Which of its groups these indicators are in, by number."""
        return frozenset(
            number for number, group in enumerate(self.groups) if any(each in indicators for each in group)
        )

    def groups_at(self, grain: Grain, indicators: Collection[str]) -> frozenset[int]:
        """Which of its groups a table of this grain says something of: of none, where it is too coarse."""
        return self.groups_of(indicators) if self.counts_at(grain) else frozenset()

    def leads(self, indicators: Collection[str]) -> tuple[str, ...]:
        """Its keys among these, if they are several: a list of sites with their districts, say.

        Such a table leads from one that it is joined to by one key to another, joined to it by the other,
        whatever its grain.
        """
        keys = tuple(each for each in self.keys if each in indicators)
        return keys if len(keys) > 1 else ()

    def holds(self, grain: Grain, indicators: Collection[str]) -> bool:
        """Whether a table of this grain with these indicators has at least one of every group."""
        return len(self.groups_at(grain, indicators)) == len(self.groups)


@dataclass(frozen=True, slots=True)
class Tightening:
    """A level that an assessment or an overlay sets for an indicator at a grain. It can only raise."""

    indicator: str
    grain: Grain
    level: Level
    why: str
    source: Source


@dataclass(frozen=True, slots=True)
class Operation:
    """A named crisis in one country, with the context that makes indicators more sensitive there."""

    id: str
    country: str  # ISO 3166-1 alpha-3
    name: str
    context: str  # disaster, conflict or mixed
    validity: Validity
    source: Source


def overlay_rule(overlay: str, brought: str, indicator: str, grain: Grain) -> str:
    """Id of the rule that an overlay makes of a tightening, its own or ``brought`` by one that it builds on.

    E.g. ``overlay:npl/monsoon/site-gps@site``, or ``overlay:npl/monsoon+conflict/site-gps@site``. Both are
    named, so what is tightened later in either, or brought by another one, is another rule: no waiver that
    was signed before relaxes it.
    """
    named = overlay if brought == overlay else f"{overlay}+{brought}"
    return f"overlay:{named}/{indicator}@{grain}"


def assessment_rule(assessment: str, indicator: str, grain: Grain) -> str:
    """Id of the rule that an assessment makes of one level, e.g. ``assessment:npl/round-7/site-gps@site``."""
    return f"assessment:{assessment}/{indicator}@{grain}"


@dataclass(frozen=True, slots=True)
class Overlay:
    """Stricter levels for some countries, operations or contexts, for a time (guideline: Contextual).

    It holds where every list that is not empty names the operation at hand. What the overlays of
    ``builds_on`` tighten, it tightens too, in its own place and time.
    """

    id: str
    countries: tuple[str, ...]  # ISO 3166-1 alpha-3
    operations: tuple[str, ...]
    contexts: tuple[str, ...]
    validity: Validity
    builds_on: tuple[str, ...]
    tightens: tuple[Tightening, ...]
    why: str
    source: Source

    def holds(self, operation: Operation, day: date) -> bool:
        return (
            self.validity.covers(day)
            and (not self.countries or operation.country in self.countries)
            and (not self.operations or operation.id in self.operations)
            and (not self.contexts or operation.context in self.contexts)
        )


@dataclass(frozen=True, slots=True)
class Waiver:
    """The only relaxation: rules that count as ``level`` in an operation, for a time, signed by two people.

    It names the rules one by one, as ``explain`` prints them (``indicator:x@site``, ``overlay:…/x@site``,
    ``assessment:…/x@site``, ``relation:…``), so a rule that is made later stands. A rule that asks for Secret
    is never relaxed: personal data need IOM Legal, not a waiver.
    """

    id: str
    operation: str
    datasets: tuple[str, ...]  # none named: every dataset of the operation
    relaxes: tuple[str, ...]  # ids of rules
    level: Level
    why: str
    coordinator: str  # ids of focal points: two different people, in office when they signed
    sectoral_expert: str
    signed_on: date
    validity: Validity  # it always ends
    source: Source

    @property
    def rule(self) -> str:
        return f"waiver:{self.id}"

    def covers(self, dataset: Dataset, day: date) -> bool:
        """Whether it holds for this dataset on this day. That its signers were in office is checked apart."""
        return (
            dataset.operation == self.operation
            and (not self.datasets or dataset.id in self.datasets)
            and self.signed_on <= day
            and self.validity.covers(day)
        )

    def says(self, asked: Level) -> str:
        """What it makes of a rule that asks for a level, for the sentence that names the rule."""
        return f"relaxed from {asked.label} by waiver {self.id} until {self.validity.until}: {self.why}"


@dataclass(frozen=True, slots=True)
class Column:
    """A declared column.

    ``continued_by`` are headers such as "If other, please specify" that stand directly after it, may repeat
    in the file, and take its class.
    """

    name: str
    spellings: tuple[str, ...]
    indicator: str
    continued_by: tuple[str, ...]
    source: Source


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table that a round delivers, e.g. ``npl/site-assessment``."""

    id: str
    title: str
    operation: str
    component: str
    grain: Grain
    key: tuple[str, ...]  # names of the columns that tell one row from another
    header_row: int  # counted from 1; rows above it are not data
    encoding: str
    columns: tuple[Column, ...]
    drop_at_collection: tuple[str, ...]  # names of declared columns; their continuations go with them
    source: Source


@dataclass(frozen=True, slots=True)
class Assessment:
    """A risk assessment: who weighed what, when, and until when it may be relied upon."""

    id: str
    operation: str
    context: str  # of the operation when it was assessed; another context, another assessment
    datasets: tuple[str, ...]
    coordinator: str  # ids of focal points: two different people
    sectoral_expert: str
    assessed_on: date
    collection_begins: date
    review_by: date
    impact: Mapping[str, str]  # individuals, vulnerable_groups, communities, stakeholders
    risk_of_sharing: str
    risk_of_not_sharing: str
    levels: tuple[Tightening, ...]
    source: Source

    @property
    def rule(self) -> str:
        return f"assessment:{self.id}"

    def covers(self, dataset: str, day: date) -> bool:
        """Whether it may be relied upon for this dataset on this day; the review date is included."""
        return dataset in self.datasets and self.assessed_on <= day <= self.review_by


@dataclass(frozen=True, slots=True)
class FocalPoint:
    """A person of Table C, known by function. Who the person is stays out of logs and ledger."""

    id: str
    organization: str
    role: Role
    title: str
    email: str
    mobile: str
    in_office: Validity
    source: Source
    name: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Organization:
    id: str
    name: str
    focal_points: tuple[FocalPoint, ...]
    source: Source


@dataclass(frozen=True, slots=True)
class DataAccessRequest:
    id: str
    organization: str
    purpose: str
    datasets: tuple[str, ...]
    indicators: tuple[str, ...]
    state: RequestState
    requested_on: date
    decided_on: date | None
    validity: Validity | None  # of the approval
    source: Source
    reason: str = ""  # of a refusal or revocation


@dataclass(frozen=True, slots=True)
class Share:
    """One line of Table B's "sensitive datasets/information": a dataset and exactly these indicators."""

    dataset: str
    indicators: tuple[str, ...]
    source: Source


@dataclass(frozen=True, slots=True)
class Pathway:
    """One column of Table B. Its id is ``<agreement id>/<urgency>``."""

    id: str
    urgency: Urgency
    monthly: bool  # low: at the start of each month, what was cleaned since
    within_days: int | None  # medium: days from collection to dispatch
    shares: tuple[Share, ...]
    destination: tuple[str, ...]  # focal points, one message each; first in order is the primary
    method: Method
    source: Source

    @property
    def timeline(self) -> str:
        """When it goes, in the words of Table B."""
        return "monthly" if self.monthly else f"within {self.within_days} days"


@dataclass(frozen=True, slots=True)
class Agreement:
    id: str
    organization: str
    request: str
    signed: Mapping[str, str]  # organization id -> focal point id
    validity: Validity
    pathways: tuple[Pathway, ...]
    source: Source

    def pathway(self, urgency: Urgency) -> Pathway | None:
        return next((each for each in self.pathways if each.urgency is urgency), None)


@dataclass(frozen=True, slots=True)
class Policy:
    """All policy files of one folder, checked against each other. Ids are unique within a kind.

    ``digest`` is ``sha256:<hex>`` over the files' names and bytes; ``files`` are these files, so that the
    ledger can keep what a decision was made under. They are not compared: the digest is.
    """

    digest: str
    protocols: Mapping[Level, Protocol]
    indicators: Mapping[str, Indicator]
    relations: Mapping[str, Relation]
    operations: Mapping[str, Operation]
    datasets: Mapping[str, Dataset]
    assessments: Mapping[str, Assessment]
    organizations: Mapping[str, Organization]
    focal_points: Mapping[str, FocalPoint]
    requests: Mapping[str, DataAccessRequest]
    agreements: Mapping[str, Agreement]
    overlays: Mapping[str, Overlay] = field(default_factory=dict)
    waivers: Mapping[str, Waiver] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    def waivers_on(self, dataset: Dataset, day: date) -> Iterator[Waiver]:
        """Those that hold for a dataset on a day: dated so, ended some day, and signed as they must be.

        Two different people sign, each in office on that day.
        """
        for each in self.waivers.values():
            signers = {each.coordinator, each.sectoral_expert}
            if (
                each.covers(dataset, day)
                and each.validity.until is not None
                and len(signers) == 2
                and all(self.focal_points[one].in_office.covers(each.signed_on) for one in signers)
            ):
                yield each

    def people_of(self, organization: str) -> frozenset[str]:
        """Ids of an organization's focal points, of all days; nobody's for the public."""
        return frozenset(each.id for each in self.focal_points.values() if each.organization == organization)

    def foundations(self, overlay: Overlay) -> tuple[Overlay, ...]:
        """The overlay and all that it builds on, directly or not: each once, also where they go round."""
        found: dict[str, Overlay] = {}
        ahead = [overlay.id]
        while ahead:
            if (id_ := ahead.pop()) not in found:
                found[id_] = self.overlays[id_]
                ahead += found[id_].builds_on
        return tuple(found.values())


# --------------------------------------------------------------------------- classification, decision


@dataclass(frozen=True, slots=True)
class Header:
    """A column of a table at hand.

    ``position`` counts from 1. ``name`` is the header as declared or as found. ``question`` is the column
    that a repeated header such as "If other, please specify" continues. ``key`` is unique in the table:
    ``name``, or ``"<question>: <name>"``; it is the name of the column in every frame of ours.
    """

    position: int
    name: str
    question: str | None
    key: str


@dataclass(frozen=True, slots=True)
class GrainEvidence:
    """What in the data says that a row stands for something as fine as ``grain``. No cell value.

    ``column`` is the key of the column that says so; None: the table as a whole does.
    """

    grain: Grain
    why: str
    column: str | None = None


@dataclass(frozen=True, slots=True)
class TableProfile:
    """What the decision may know of a table: its columns and size, and what its cells say of its grain."""

    dataset: str
    headers: tuple[Header, ...]
    rows: int
    stage: Stage | None = None
    round: str | None = None
    whole: bool = False  # it claims to be the whole dataset, so an absent declared column is a gap
    evidence: tuple[GrainEvidence, ...] = ()
    aggregated_to: Grain | None = None  # we made it from the dataset; then this is its declared grain


@dataclass(frozen=True, slots=True)
class TableRef:
    """Where a table of a round lies in the restricted store. All that a task hands to the next one."""

    dataset: str
    stage: Stage
    round: str
    path: str  # of the Parquet file, relative to the restricted store
    sha256: str  # of the Parquet file, hex
    rows: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a column has its level: the rule's id, where the rule stands, and a sentence.

    ``level`` is what this rule alone asks for; the column's level is the strictest of its reasons. The gate
    needs it to say which columns stop being sensitive when others are left out. Whoever forgets it errs on
    the safe side. ``waiver``: id of the waiver by which the rule asks for no more than that.
    """

    rule: str
    source: Source
    why: str
    level: Level = Level.SECRET
    waiver: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing for a decision, and what to do about it. ``column`` None: the whole table."""

    kind: str  # e.g. unknown-column, no-level, no-assessment, lapsed-assessment, empty-table
    sentence: str
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """What still holds and soon will not. It changes no outcome: somebody is told in time."""

    kind: str  # e.g. assessment-lapses
    sentence: str
    on: date  # the last day on which it holds


@dataclass(frozen=True, slots=True)
class ColumnLevel:
    header: Header
    indicator: str | None
    level: Level | None  # None: undecided
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Classification:
    """Levels of a table's columns. ``grain`` is the finer of what is declared and what the data say."""

    dataset: str
    grain: Grain
    rows: int
    stage: Stage | None
    round: str | None
    level: Level | None  # of the table: its strictest column; None where anything is undecided
    columns: tuple[ColumnLevel, ...]
    gaps: tuple[Gap, ...]
    expires: date | None  # the first day on which an assessment or a waiver relied upon ends
    policy_digest: str
    as_of: date
    evidence: tuple[
        GrainEvidence, ...
    ] = ()  # all that was found; what is finer than declared decided ``grain``
    notices: tuple[Notice, ...] = ()
    whole: bool = False
    aggregated_to: Grain | None = None


@dataclass(frozen=True, slots=True)
class Audience:
    """Who would receive the table: everyone (``agreement`` None), or one pathway of an agreement."""

    agreement: str | None = None
    urgency: Urgency | None = None

    def __str__(self) -> str:
        return "public" if self.agreement is None else f"{self.agreement}/{self.urgency}"


PUBLIC = Audience()


@dataclass(frozen=True, slots=True)
class Holding:
    """A table that an audience has, or may have: all of it that a relation needs.

    What everyone has, each organization has too. A table that is to leave together with the one at hand is
    a holding like any other; ``entry`` is then None.
    """

    dataset: str
    round: str
    grain: Grain
    indicators: tuple[str, ...]
    holder: str  # id of an organization, or "public"
    since: date
    entry: int | None  # of the ledger, that says so

    @property
    def country(self) -> str:
        return country_of(self.dataset)


@dataclass(frozen=True, slots=True)
class Refusal:
    header: Header
    level: Level | None
    why: str


@dataclass(frozen=True, slots=True)
class ReleasableForm:
    """A smallest change after which the same audience may have the table; the gate has judged the result.

    Columns by key. ``drop_at_collection`` is the part of ``leave_out`` that is Secret: while the table at
    hand still holds it, the table goes nowhere in any form. ``aggregate_to``: the rows are summed up per unit
    of this grain, told apart by the columns ``by``. ``without_tables``: datasets that must not go with it.
    """

    leave_out: tuple[str, ...]
    drop_at_collection: tuple[str, ...]
    keeps: tuple[str, ...]
    aggregate_to: Grain | None = None
    by: tuple[str, ...] = ()
    without_tables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Obligation:
    """What must be done with an allowed table, e.g. ``("encrypt", "…")``."""

    kind: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The gate's answer. Same classification, audience, holdings and policy digest: same decision.

    ``classification`` is the one that was judged: what the audience already holds may have raised it.
    ``forms`` are the nearest releasable ones, the one that changes the fewest columns first. No cell values.
    """

    outcome: Outcome
    audience: Audience
    classification: Classification
    refused: tuple[Refusal, ...]
    gaps: tuple[Gap, ...]
    obligations: tuple[Obligation, ...]
    forms: tuple[ReleasableForm, ...]
    rules: tuple[tuple[str, Source], ...]  # every rule that had a part in it
    waivers: tuple[str, ...]  # ids of those that relaxed one of the rules
    expires: date | None
    notices: tuple[Notice, ...] = ()  # those of the classification, and what else ends soon

    @property
    def level(self) -> Level | None:
        return self.classification.level

    @property
    def releasable_form(self) -> ReleasableForm | None:
        """The form that only leaves out columns; None: there is none."""
        plain = (each for each in self.forms if each.aggregate_to is None and not each.without_tables)
        return next(plain, None)


@dataclass(frozen=True, slots=True)
class Approved:
    """A decision that allows. Only ``gate.approve`` makes one, and only with one is anything packaged."""

    decision: Decision


# ------------------------------------------------------------------------- artefact, dispatch, ledger


@dataclass(frozen=True, slots=True)
class Package:
    """A finished artefact, reopened and checked. ``content`` is what may leave, byte for byte."""

    filename: str  # neutral: no person, place or dataset
    media_type: str
    content: bytes = field(repr=False)
    sha256: str  # of content, hex
    encrypted: bool
    rows: int
    columns: tuple[str, ...]
    guarded: int = 0  # text cells of a CSV with an apostrophe before them, so that no spreadsheet runs them


class Delivery(StrEnum):
    """What is honestly known after an attempt to deliver."""

    SENT = "sent"  # the channel took it
    FAILED = "failed"  # refused for good: no copy left
    NOT_SENT = "not-sent"  # nothing was submitted, or it was refused for now; may be tried again
    OUTCOME_UNKNOWN = "outcome-unknown"  # it may have left; a person must find out; never resent by itself


@dataclass(frozen=True, slots=True)
class Receipt:
    """The result of one attempt. ``detail`` is a sentence with no address and no server's free text."""

    delivery: Delivery
    detail: str
    remote_id: str | None = None


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One extract on its way to one focal point: a row of the outbox, and one message at most."""

    key: str  # UUID; the same extract for the same person under the same agreement has the same key
    organization: str
    agreement: str
    urgency: Urgency
    purpose: str
    dataset: str
    round: str
    level: Level
    columns: tuple[str, ...]
    indicators: tuple[str, ...]  # of the columns: what relations will be judged by
    grain: Grain
    rows: int
    method: Method
    focal_point: str
    policy_digest: str
    artefact_path: str  # in the restricted store
    artefact_sha256: str


class DispatchState(StrEnum):
    NEW = "new"
    SENDING = "sending"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"
    OUTCOME_UNKNOWN = "outcome-unknown"
    NOT_ARRIVED = "not-arrived"  # a person found so; a later try goes under another key
    RECALLED = "recalled"  # it was held, and a person has it in writing that no copy is left
    CANCELLED = "cancelled"  # a person called it off before it left; it is never sent
    # It was called off, found not to have arrived, or recalled; and yet it may have left, before or since.
    TO_RECALL = "to-recall"

    @property
    def is_open(self) -> bool:
        """Whether somebody, a task or a person, has still to see to it."""
        return self in {
            DispatchState.NEW,
            DispatchState.SENDING,
            DispatchState.FAILED,
            DispatchState.OUTCOME_UNKNOWN,
        }

    @property
    def may_reach(self) -> bool:
        """Whether the recipient has it, may have it, or will have it if nobody intervenes."""
        return self is DispatchState.NEW or self.is_held

    @property
    def is_held(self) -> bool:
        """Whether the recipient has it, or may have it."""
        return self in {
            DispatchState.SENDING,
            DispatchState.SENT,
            DispatchState.ACKNOWLEDGED,
            DispatchState.OUTCOME_UNKNOWN,
            DispatchState.TO_RECALL,
        }


class Finding(StrEnum):
    """What a person found out about a dispatch that was not known to have been taken."""

    ARRIVED = "arrived"
    NOT_ARRIVED = "not-arrived"
    CANCELLED = "cancelled"
    RECALLED = "recalled"


@dataclass(frozen=True, slots=True)
class Publication:
    """One table that goes to everyone, as one file of the public store."""

    dataset: str
    round: str
    path: str  # in the public store
    columns: tuple[str, ...]
    indicators: tuple[str, ...]
    grain: Grain
    rows: int
    level: Level
    policy_digest: str
    artefact_sha256: str
    published_at: datetime

    @property
    def shape(self) -> tuple[int, int]:
        """Columns, rows."""
        return len(self.columns), self.rows

    def summary(self) -> dict[str, Any]:
        """What may be shown or handed on: JSON, no cell value."""
        return {
            "dataset": self.dataset,
            "round": self.round,
            "path": self.path,
            "columns": len(self.columns),
            "rows": self.rows,
            "level": self.level.label,
            "policy_digest": self.policy_digest,
            "artefact_sha256": self.artefact_sha256,
        }


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A line of the answer to "what did this organisation receive?".

    A publication is one to the organisation "public", by the method "publication", under no agreement.
    ``state``: sent or acknowledged; sending, outcome-unknown or to-recall mean that they may hold it.
    Not-arrived or recalled: it may have left, and a person found that they do not hold it, or no more.
    """

    sent_at: datetime
    organization: str
    agreement: str | None
    urgency: Urgency | None
    purpose: str
    dataset: str
    round: str
    level: Level
    columns: tuple[str, ...]
    indicators: tuple[str, ...]
    grain: Grain
    rows: int
    method: str  # a Method, or "publication"
    focal_point: str | None
    policy_digest: str
    artefact_sha256: str
    state: DispatchState
    entry: int  # number of the ledger entry that says so
    key: str  # of the dispatch or publication: to recall it by


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """All that a decision was made of, so that it can be made again: no cell value.

    ``ledger_size`` is the number of entries when what the audience held was read. ``answer`` is the decision
    as JSON: outcome, level and rules per column, refusals, gaps, obligations.
    """

    profile: TableProfile
    audience: Audience
    policy_digest: str
    as_of: date
    ledger_size: int
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, before it is in the ledger.

    ``data`` is JSON of strings, ints, lists and objects: no cell values, no names of people, no unsalted
    hashes.
    """

    type: str  # noun.past-participle, e.g. dispatch.sent
    subject: str
    occurred_at: datetime  # with a time zone
    organization: str | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in the ledger: ``body`` is the exact bytes that were hashed."""

    seq: int  # 0-based, dense
    event_id: str
    body: bytes
    leaf_hash: bytes
