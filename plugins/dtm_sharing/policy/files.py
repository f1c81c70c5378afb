"""The shape of each kind of policy file, as pydantic models. The JSON schemas for editors come from them.

``Names`` and ``Refers`` mark which texts name something and which refer to something; the checks find them
by these marks, so a new reference needs no new check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from dtm_sharing.model import Grain, Level, Method, RequestState, Role, Urgency
from dtm_sharing.policy.problems import instead

# ------------------------------------------------------------------------------------- marks and words


@dataclass(frozen=True, slots=True)
class Names:
    """This text is the id of a ``kind``; no other may have it."""

    kind: str


@dataclass(frozen=True, slots=True)
class Refers:
    """This text is the id of a ``kind`` that must exist."""

    kind: str


IS_A_PERSON = Refers("focal point")


class LevelMark:
    """This text is a level of Table A, or another agency's word for one."""


def wrong(sentence: str, value: object = "", *, below: tuple[int, ...] = ()) -> PydanticCustomError:
    """A fault whose sentence is ours, not pydantic's.

    ``{value}`` in it stands for the value, which is quoted unless it is in a place of a person's. ``below``:
    where in the value the fault is.
    """
    return PydanticCustomError("ours", "{sentence}", {"sentence": sentence, "value": value, "below": below})


def one_of(noun: str, words: Iterable[str], make: Callable[[str], Any] = str) -> BeforeValidator:
    known = tuple(str(word) for word in words)

    def read(value: Any) -> Any:
        if isinstance(value, str) and value not in known:
            raise wrong(f"{{value}} is not {noun}{instead(value, known)}", value)
        return make(value) if isinstance(value, str) else value

    return BeforeValidator(read)


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CLOCK = re.compile(r"(?<![+-])\b[0-9]{1,2}:[0-9]{2}")
_ZONE = re.compile(r"(Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})$", re.IGNORECASE)


def _day(value: Any) -> Any:
    if not isinstance(value, str | int | float):
        return value
    with suppress(ValueError):
        if isinstance(value, str) and _DAY.fullmatch(value):
            return date.fromisoformat(value)
    raise wrong(_no_day(str(value)), value)


def _no_day(text: str) -> str:
    """A clock or a zone suggests that the hour counts: here a day counts as a whole, wherever one is."""
    day = _DAY.match(text)
    more = text[day.end() :] if day else text
    what = [name for name, mark in (("a clock", _CLOCK), ("a time zone", _ZONE)) if mark.search(more)]
    if what and (day or _CLOCK.match(text)):
        write = f"write {day.group()}" if day else "write YYYY-MM-DD"
        return f"{{value}} has {' and '.join(what)}; a policy date is a whole day: {write}"
    return "{value} is not a date; write YYYY-MM-DD"


HIGH_URGENCY = (
    "high urgency is a referral, outside the guideline: personal information is Secret and enters no pathway"
)


def _urgency(value: Any) -> Any:
    if value == "high":
        # Guideline, Table B, "Excluded": referring a victim or survivor needs personal information.
        raise wrong(HIGH_URGENCY)
    return value


def _encoding(value: str) -> str:
    try:
        "".encode(value)
    except (LookupError, ValueError) as error:
        raise wrong("{value} is not a text encoding; write e.g. utf-8, cp1252 or latin-1", value) from error
    return value


def distinct(items: tuple[str, ...]) -> tuple[str, ...]:
    for position, item in enumerate(items):
        if item in items[:position]:
            raise wrong("{value} stands twice in this list", item, below=(position,))
    return items


SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
SCOPED = r"^[a-z]{3}/[a-z0-9]+(-[a-z0-9]+)*$"
EITHER = r"^([a-z]{3}/)?[a-z0-9]+(-[a-z0-9]+)*$"
LINE = r"^\S(.*\S)?$"
TEXT = r"\S"
EMAIL = r"^[^@\s,;<>\x22]+@[^@\s,;<>\x22]+\.[^@\s,;<>\x22]+$"
TIMELINE = r"^(monthly|within [1-9][0-9]{0,2} days?)$"
CODE = r"^[ms][0-9]{4}$"
COUNTRY = r"^[A-Z]{3}$"
LANGUAGE = r"^[a-z]{2,3}$"
HXL = r"^#\S"

# What a text that fits no pattern must be (TEXT: not empty).
SHOULD_BE = {
    SLUG: "{value} is not an id here; use small letters, digits and single hyphens, as in site-type",
    SCOPED: "{value} is not an id here; write <country>/<name> in small letters, as in npl/site-assessment",
    EITHER: "{value} is not an id here; write it in small letters, as in conflict or npl/caste-and-ethnicity",
    LINE: "{key} must be one line of text, without blanks around it",
    EMAIL: "{key} is not one e-mail address",
    TIMELINE: "{value} is not a timeline; write 'monthly' (low urgency) or 'within N days' (medium)",
    CODE: "{value} is not a code of the DTM Data Dictionary; write it as in m0310",
    COUNTRY: "{value} is not a country; write the three capital letters of ISO 3166-1, as in NPL",
    LANGUAGE: "{value} is not a language; write its code in small letters, as in en, fr, es, ar",
    HXL: "{value} is not an HXL tag; it begins with '#', in quotes",
}

_LEVELS = [level.label for level in Level]
_LEVEL_SCHEMA = {
    "description": "Public, Confidential or Secret; or another agency's word for it, as scheme:word",
    "anyOf": [
        {"enum": _LEVELS},
        {
            "type": "string",
            "pattern": r"^(?!\s*[Cc][Oo][Nn][Ff][Ii][Dd][Ee][Nn][Tt][Ii][Aa][Ll]\s*$).*\S",
        },
    ],
}

Line = Annotated[str, Field(pattern=LINE)]
Prose = Annotated[str, Field(pattern=TEXT)]
Day = Annotated[date, BeforeValidator(_day)]
GrainWord = Annotated[Grain, one_of("a grain", Grain, Grain)]
LevelWord = Annotated[str, Field(pattern=TEXT), WithJsonSchema(_LEVEL_SCHEMA), LevelMark()]
IndicatorRef = Annotated[str, Field(pattern=SLUG), Refers("indicator")]
OperationRef = Annotated[str, Field(pattern=SCOPED), Refers("operation")]
DatasetRef = Annotated[str, Field(pattern=SCOPED), Refers("dataset")]
PersonRef = Annotated[str, Field(pattern=SCOPED), IS_A_PERSON]
OrganizationRef = Annotated[str, Field(pattern=SLUG), Refers("organization")]
RequestRef = Annotated[str, Field(pattern=SCOPED), Refers("request")]
OverlayRef = Annotated[str, Field(pattern=EITHER), Refers("overlay")]
Country = Annotated[str, Field(pattern=COUNTRY, description="ISO 3166-1 alpha-3")]
Contexts = ("disaster", "conflict", "mixed")
Context = Annotated[Literal["disaster", "conflict", "mixed"], one_of("a context", Contexts)]

_SET = {"uniqueItems": True}
Datasets = Annotated[
    tuple[DatasetRef, ...], Field(min_length=1, json_schema_extra=_SET), AfterValidator(distinct)
]
Indicators = Annotated[
    tuple[IndicatorRef, ...], Field(min_length=1, json_schema_extra=_SET), AfterValidator(distinct)
]
People = Annotated[
    tuple[PersonRef, ...], Field(min_length=1, json_schema_extra=_SET), AfterValidator(distinct)
]
Grains = Annotated[
    tuple[GrainWord, ...], Field(min_length=1, json_schema_extra=_SET), AfterValidator(distinct)
]
Keys = Annotated[tuple[IndicatorRef, ...], Field(json_schema_extra=_SET), AfterValidator(distinct)]
Headers = Annotated[tuple[Prose, ...], Field(json_schema_extra=_SET), AfterValidator(distinct)]
Levels = Annotated[
    dict[GrainWord, LevelWord],
    Field(min_length=1),
    WithJsonSchema(
        {
            "type": "object",
            "description": "A level per grain. A grain that is left out is undecided, and blocks.",
            "properties": {grain.value: _LEVEL_SCHEMA for grain in Grain},
            "additionalProperties": False,
            "minProperties": 1,
        }
    ),
]


class Part(BaseModel):
    """Any mapping in a policy file: no unknown keys, no conversion of types, no change afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    noun: ClassVar[str]  # "'x' is not a key of <noun>"
    gone: ClassVar[Mapping[str, str]] = {}  # a key that it once had -> what to do instead
    personal: ClassVar[bool] = False  # people are written here: nothing that is wrong in it is quoted


# ------------------------------------------------------------------------------------------ the kinds


class ClassPart(Part):
    noun = "a class of Table A"
    level: Annotated[Literal["Public", "Confidential", "Secret"], one_of("a level of Table A", _LEVELS)]
    aliases: dict[
        Annotated[str, Field(pattern=SLUG)], Annotated[tuple[Line, ...], AfterValidator(distinct)]
    ] = Field(description="What other naming schemes call this level: scheme -> words")
    meaning: Prose
    includes: tuple[Prose, ...] = ()
    disclosure: Prose = Field(description="How data of this class may be disclosed")
    crosswalks: dict[
        Annotated[str, Field(pattern=SLUG)],
        Annotated[tuple[Line, ...], Field(min_length=1), AfterValidator(distinct)],
    ] = Field(
        default={},
        description="The nearest classes of other standards, to be read only: no rule may use these words",
    )


class ClassificationFile(Part):
    """Table A: the three classes, and what other agencies call them."""

    noun = "a classification file"
    kind: Literal["classification"]
    id: Annotated[str, Field(pattern=SLUG), Names("classification")]
    levels: tuple[ClassPart, ...] = Field(description="Exactly three: Public, Confidential and Secret")


_IDENTIFIES = "Its values tell one unit of this grain from another, as a site ID does"
_ADDITIVE = "A count: its sum over sites is the count of their district. Left out: it is not"


class IndicatorPart(Part):
    noun = "an indicator"
    id: Annotated[str, Field(pattern=SLUG), Names("indicator")]
    title: Line
    identifies: GrainWord | None = Field(default=None, description=_IDENTIFIES)
    additive: bool | None = Field(default=None, description=_ADDITIVE)
    names: dict[Annotated[str, Field(pattern=LANGUAGE)], tuple[Line, ...]] = Field(
        default={}, description="Other names by language: en, fr, es, ar"
    )
    codes: tuple[Annotated[str, Field(pattern=CODE)], ...] = Field(
        default=(), description="Codes of the DTM Data Dictionary, e.g. m0310"
    )
    hxl: tuple[Annotated[str, Field(pattern=HXL)], ...] = Field(default=(), description="HXL tags")
    levels: Levels | None = Field(default=None, description="Replaces the family's levels; give a basis too")
    basis: Prose | None = Field(default=None, description="Why these levels: guideline, table or judgement")


class IndicatorsFile(Part):
    """A family of indicators that share their levels."""

    noun = "an indicators file"
    kind: Literal["indicators"]
    id: Annotated[str, Field(pattern=SLUG), Names("indicator family")]
    title: Line
    basis: Prose = Field(description="Why these levels: guideline, table or judgement")
    levels: Levels
    identifies: GrainWord | None = Field(default=None, description=_IDENTIFIES)
    additive: bool = Field(default=False, description=_ADDITIVE)
    indicators: Annotated[tuple[IndicatorPart, ...], Field(min_length=1)]


class RelationPart(Part):
    noun = "a relation"
    id: Annotated[str, Field(pattern=SLUG), Names("relation")]
    groups: Annotated[tuple[Indicators, ...], Field(min_length=2)] = Field(
        description="Holds where one audience has at least one indicator of every group"
    )
    keys: Keys = Field(
        default=(),
        description="Indicators, any of which joins two tables; left out: all tables of a country join",
    )
    grains: Grains
    level: LevelWord
    why: Prose


class RelationsFile(Part):
    """Indicators that are more sensitive together than alone."""

    noun = "a relations file"
    kind: Literal["relations"]
    id: Annotated[str, Field(pattern=SLUG), Names("relations file")]
    relations: tuple[RelationPart, ...]


class TighteningPart(Part):
    noun = "a tightening"
    indicator: IndicatorRef
    grain: GrainWord
    level: LevelWord
    why: Prose


class OperationFile(Part):
    """A named crisis in one country."""

    noun = "an operation file"
    gone = {"tightens": "write an overlay: a file of its own in overlays/, with 'kind: overlay'"}
    kind: Literal["operation"]
    id: Annotated[str, Field(pattern=SCOPED), Names("operation")]
    country: Country
    name: Line
    context: Context
    valid_from: Day
    valid_until: Day | None = None


class ScopePart(Part):
    noun = "what an overlay applies to"
    countries: Annotated[
        tuple[Country, ...], Field(min_length=1, json_schema_extra=_SET), AfterValidator(distinct)
    ] = ()
    operations: Annotated[
        tuple[OperationRef, ...], Field(min_length=1, json_schema_extra=_SET), AfterValidator(distinct)
    ] = ()
    contexts: Annotated[
        tuple[Context, ...], Field(min_length=1, json_schema_extra=_SET), AfterValidator(distinct)
    ] = ()


class OverlayFile(Part):
    """Stricter levels for some countries, operations or contexts, for a time. They only raise."""

    noun = "an overlay file"
    kind: Literal["overlay"]
    id: Annotated[str, Field(pattern=EITHER), Names("overlay")]
    applies_to: ScopePart = Field(
        description="At least one list; an operation has to be in all that are given"
    )
    valid_from: Day
    valid_until: Day | None = None
    builds_on: Annotated[tuple[OverlayRef, ...], Field(json_schema_extra=_SET), AfterValidator(distinct)] = (
        Field(
            default=(), description="Overlays whose tightenings this one has too, in its own place and time"
        )
    )
    why: Prose
    tightens: tuple[TighteningPart, ...] = ()


class SignaturesPart(Part):
    noun = "the signatures"
    personal = True
    coordinator: PersonRef
    sectoral_expert: PersonRef


class WaiverFile(Part):
    """The only relaxation: rules that count as less, in one operation, for a time, signed by two people.

    Example:
        kind: waiver
        id: npl/movement-intentions-2027
        operation: npl/earthquake
        datasets: [npl/site-assessment]
        relaxes: [indicator:movement-intentions@site]
        level: Public
        why: The government has published the same plans itself, site by site.
        signatures: {coordinator: npl/iom-primary, sectoral_expert: npl/iom-protection-expert}
        signed_on: 2027-01-10
        valid_from: 2027-01-15
        valid_until: 2027-03-31
    """

    noun = "a waiver file"
    kind: Literal["waiver"]
    id: Annotated[str, Field(pattern=SCOPED), Names("waiver")]
    operation: OperationRef
    datasets: Datasets | None = Field(default=None, description="Left out: every dataset of the operation")
    relaxes: Annotated[
        tuple[Line, ...], Field(min_length=1, json_schema_extra=_SET), AfterValidator(distinct)
    ] = Field(description="Ids of rules, as explain prints them; none that asks for Secret")
    level: LevelWord = Field(description="What these rules ask for instead; lower than each of them")
    why: Prose
    signatures: SignaturesPart = Field(description="Two people, in office when they sign")
    signed_on: Day
    valid_from: Day
    valid_until: Day = Field(description="A waiver always ends")


class ColumnPart(Part):
    noun = "a column"
    name: Prose = Field(description="The header as the file has it")
    spellings: Headers = Field(default=(), description="Other spellings of the same header")
    indicator: IndicatorRef
    continued_by: Headers = Field(
        default=(), description="Headers directly after this column that take its class and may repeat"
    )


def continuation_key(question: str, continuation: str) -> str:
    """What a continuation is known by in a table, for its header alone may repeat."""
    return f"{question}: {continuation}"


Component = Literal["BA", "SA", "ETT", "FMR", "FMS"]


class DatasetFile(Part):
    """A table that every round delivers."""

    noun = "a dataset file"
    kind: Literal["dataset"]
    id: Annotated[str, Field(pattern=SCOPED), Names("dataset")]
    title: Line
    operation: OperationRef
    component: Annotated[Component, one_of("a component", get_args(Component))]
    grain: GrainWord = Field(description="What one row stands for")
    key: Annotated[
        tuple[Prose, ...], Field(min_length=1, json_schema_extra=_SET), AfterValidator(distinct)
    ] = Field(description="Columns that tell one row from another")
    header_row: Annotated[int, Field(ge=1, le=1000, description="Counted from 1; rows above it are not data")]
    encoding: Annotated[str, Field(pattern=LINE), AfterValidator(_encoding)]
    drop_at_collection: Headers = Field(
        default=(), description="Columns that go before anything else; their continuations go with them"
    )
    columns: Annotated[tuple[ColumnPart, ...], Field(min_length=1)]


class AssessorsPart(Part):
    noun = "the assessors"
    personal = True
    coordinator: PersonRef
    sectoral_expert: PersonRef


class ImpactPart(Part):
    noun = "the impact"
    individuals: Prose
    vulnerable_groups: Prose
    communities: Prose
    stakeholders: Prose


class AssessmentFile(Part):
    """A risk assessment: who weighed what, when, and until when it may be relied upon."""

    noun = "an assessment file"
    kind: Literal["assessment"]
    id: Annotated[str, Field(pattern=SCOPED), Names("assessment")]
    operation: OperationRef
    country: Country
    context: Context = Field(description="Of the operation when it was assessed; in another, assess again")
    datasets: Datasets
    assessors: AssessorsPart = Field(description="Two people")
    assessed_on: Day = Field(description="Before collection begins")
    collection_begins: Day
    review_by: Day = Field(description="From the day after it, what it covered is undecided")
    impact: ImpactPart
    risk_of_sharing: Prose
    risk_of_not_sharing: Prose
    levels: tuple[TighteningPart, ...] = Field(default=(), description="Stricter levels; they only raise")


class PersonPart(Part):
    noun = "a focal point"
    personal = True
    id: Annotated[str, Field(pattern=SCOPED), Names("focal point")]
    role: Annotated[Role, one_of("a role", Role, Role)]
    title: Line
    name: Line | None = Field(default=None, description="May be left out: the function is enough")
    email: Annotated[str, Field(pattern=EMAIL)]
    mobile: Line
    in_office_from: Day
    in_office_until: Day | None = None


class FocalPointsFile(Part):
    """Table C for one organization: at least a primary and a secondary."""

    noun = "a focal_points file"
    personal = True
    kind: Literal["focal_points"]
    id: Annotated[str, Field(pattern=SLUG), Names("organization")]
    organization: Line
    people: tuple[PersonPart, ...]


class RequestFile(Part):
    """A Data Access Request."""

    noun = "a request file"
    kind: Literal["request"]
    id: Annotated[str, Field(pattern=SCOPED), Names("request")]
    organization: OrganizationRef
    purpose: Line
    datasets: Datasets
    indicators: Indicators
    state: Annotated[RequestState, one_of("a state of a request", RequestState, RequestState)]
    requested_on: Day
    decided_on: Day | None = Field(default=None, description="Approved and refused requests have it")
    valid_from: Day | None = Field(default=None, description="Approved requests have it")
    valid_until: Day | None = Field(default=None, description="Approved requests have it")
    reason: Prose | None = Field(
        default=None, description="Refused and revoked requests, and only they, have it"
    )


class SharePart(Part):
    noun = "a share"
    dataset: DatasetRef
    indicators: Indicators


class PathwayPart(Part):
    noun = "a pathway"
    urgency: Annotated[Urgency, one_of("an urgency", Urgency, Urgency), BeforeValidator(_urgency)]
    timeline: Annotated[str, Field(pattern=TIMELINE, description="low: monthly; medium: within N days")]
    share: Annotated[tuple[SharePart, ...], Field(min_length=1)]
    destination: People = Field(description="Focal points of the organization; the first is the primary")
    method: Annotated[Method, one_of("a method", Method, Method)] = Field(
        description="low: portal or excel-email; medium: document-email or telephone"
    )


class AgreementFile(Part):
    """A data sharing agreement (Table B)."""

    noun = "an agreement file"
    kind: Literal["agreement"]
    id: Annotated[str, Field(pattern=SCOPED), Names("agreement")]
    organization: OrganizationRef
    request: RequestRef
    signed: dict[OrganizationRef, PersonRef] = Field(description="Both sides: organization -> focal point")
    valid_from: Day
    valid_until: Day
    pathways: Annotated[tuple[PathwayPart, ...], Field(min_length=1)]


KINDS: dict[str, type[Part]] = {
    "classification": ClassificationFile,
    "indicators": IndicatorsFile,
    "relations": RelationsFile,
    "operation": OperationFile,
    "overlay": OverlayFile,
    "waiver": WaiverFile,
    "dataset": DatasetFile,
    "assessment": AssessmentFile,
    "focal_points": FocalPointsFile,
    "request": RequestFile,
    "agreement": AgreementFile,
}


class ForEditors(GenerateJsonSchema):
    """No ``null`` anywhere: a key without a value is an error, an optional one is left out."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])
