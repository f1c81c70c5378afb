"""Given/expect files: what the authors of a policy want it to decide, so that no change undoes it unseen.

They lie in folders named ``tests`` beside the policy, and are no part of it: no decision reads them. A file
is as strict as a policy file, since a misspelled expectation would be one that nobody checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from dtm_sharing.errors import PolicyInvalid
from dtm_sharing.model import PUBLIC, Column, Dataset, Level, Outcome, Policy, Source, Stage, Urgency
from dtm_sharing.policy import files, layout, shape, texts
from dtm_sharing.policy.files import Datasets, Day, GrainWord, Indicators, Line, Part, Prose
from dtm_sharing.policy.problems import Problem, did_you_mean, quoted

UNDECIDED = "undecided"
ALL, KEPT = "all", "kept"  # every declared column; those that are not dropped at collection

_WORDS = (*(level.label for level in Level), UNDECIDED)
_Word = Annotated[Literal["Public", "Confidential", "Secret", "undecided"], files.one_of("a level", _WORDS)]
_Outcome = Annotated[Outcome, files.one_of("an outcome", Outcome, Outcome)]
_Stage = Annotated[Stage, files.one_of("a stage", Stage, Stage)]

_Ledger = Annotated[Literal["unreadable"], files.one_of("a state of the ledger", ("unreadable",))]


def _rows(value: int) -> int:
    if value < 0:
        raise files.wrong("'rows' must be 0 or more")
    return value


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


_Texts = Annotated[tuple[Prose, ...], AfterValidator(files.distinct)]
_Columns = Annotated[
    tuple[Prose, ...],
    Field(min_length=1),
    BeforeValidator(_listed),
    AfterValidator(files.distinct),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": [ALL, KEPT]},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
            ]
        }
    ),
]
_Rounds = Annotated[Line, Field(description="Any name of a round; it decides nothing")]


class HoldsPart(Part):
    noun = "what is held"
    dataset: Annotated[str, Field(pattern=files.SCOPED), files.Refers("dataset")]
    round: _Rounds
    indicators: Indicators
    grain: GrainWord | None = Field(default=None, description="Left out: the dataset's own")
    by: Line | None = Field(
        default=None, description="Id of an organization, or public. Left out: the audience of the case"
    )
    since: Day


class GivenPart(Part):
    noun = "what is given"
    dataset: Annotated[str, Field(pattern=files.SCOPED), files.Refers("dataset")]
    columns: _Columns | None = Field(
        default=None,
        description="all, kept (all but what is dropped at collection), or names of columns",
    )
    indicators: Indicators | None = Field(
        default=None, description="In place of columns: every column of these indicators"
    )
    undeclared: _Texts = Field(default=(), description="Headers that no rule knows, beside the others")
    grain: GrainWord | None = Field(
        default=None,
        description="Finer than declared: the data say so. Coarser: the rows were summed up to it",
    )
    rows: Annotated[int, AfterValidator(_rows), Field(description="How many the table has")] = 100
    whole: bool = Field(default=False, description="The table claims to be the whole dataset")
    stage: _Stage | None = None
    round: _Rounds = "this"
    audience: Line = Field(default=str(PUBLIC), description="public, or <agreement>/<urgency>")
    context: files.Context | None = Field(
        default=None, description="As if the operation, and what was assessed for it, were in this context"
    )
    as_of: Day | None = Field(default=None, description="Another day than the file's")
    holds: tuple[HoldsPart, ...] = Field(default=(), description="What somebody already holds")
    ledger: _Ledger | None = Field(
        default=None, description="unreadable: nobody can say what the audience holds"
    )


class FormPart(Part):
    noun = "a releasable form"
    leave_out: _Texts | None = None
    drop_at_collection: _Texts | None = None
    keeps: _Texts | None = None
    aggregate_to: GrainWord | None = None
    by: _Texts | None = None
    without_tables: Datasets | None = None


class ExpectPart(Part):
    """Only what is named is compared."""

    noun = "what is expected"
    outcome: _Outcome | None = None
    level: _Word | None = Field(default=None, description="Of the whole table")
    levels: dict[Prose, _Word] | None = Field(
        default=None, description="Column, or indicator (each of its columns) -> level"
    )
    refused: _Texts | None = Field(
        default=None, description="Exactly these columns, or columns of these indicators; [] for none"
    )
    gaps: _Texts | None = Field(default=None, description="Exactly these kinds of gap; [] for none")
    releasable: bool | None = Field(default=None, description="Whether any form of it may go")
    form: FormPart | None = Field(
        default=None, description="One of the nearest releasable forms is like this"
    )
    rules: _Texts | None = Field(default=None, description="Ids of rules that had a part, among others")
    waivers: _Texts | None = Field(default=None, description="Exactly these waivers had a part; [] for none")
    obligations: _Texts | None = Field(default=None, description="Exactly these kinds; [] for none")
    notices: _Texts | None = Field(default=None, description="Exactly these kinds; [] for none")
    expires: Day | None = Field(default=None, description="The last day on which the decision holds")


class CasePart(Part):
    noun = "a case"
    name: Line = Field(description="What must hold, as a sentence")
    given: GivenPart
    expect: ExpectPart


class TestFile(Part):
    """Given/expect cases: what this policy decides of tables, for whom, on a day."""

    __test__ = False  # pytest would take it for a test
    noun = "a test file"
    kind: Literal["test"]
    id: Annotated[str, Field(pattern=files.EITHER)]
    title: Line | None = None
    as_of: Day = Field(description="The day of every case that names no other; never the machine's clock")
    cases: Annotated[tuple[CasePart, ...], Field(min_length=1)]


KINDS: dict[str, type[Part]] = {"test": TestFile}


@dataclass(frozen=True, slots=True)
class Case:
    """One given/expect case, checked against the policy: every name in it exists."""

    file: str  # id of its file
    name: str
    as_of: date
    given: GivenPart
    expect: ExpectPart
    source: Source


def schema() -> dict[str, Any]:
    """The JSON schema (2020-12) of these files, for editors."""
    return {
        "$schema": files.ForEditors.schema_dialect,
        **TestFile.model_json_schema(schema_generator=files.ForEditors),
        "title": "dtm_sharing policy file: test",
    }


def tidy(file: str, content: bytes) -> bytes:
    """One file of cases as ``dtm-sharing fmt`` lays it out, as ``policy.tidy`` does with a policy file.

    Raises:
        PolicyInvalid: the file has a fault of its own.
    """
    return layout.tidy(file, content, KINDS)


def parse(contents: Mapping[str, bytes], policy: Policy) -> tuple[Case, ...]:
    """The cases of all files, in order of file; ``contents``: path below the policy folder -> bytes.

    Raises:
        PolicyInvalid: with every problem of every file.
    """
    problems: list[Problem] = []
    cases: list[Case] = []
    ids: dict[str, Source] = {}
    for file, content in sorted(contents.items()):
        text = texts.read(file, content)
        document, faults = shape.document(text, KINDS)
        problems += [*text.problems, *faults]
        if document is None or not document.sound:
            continue
        part = document.part
        assert isinstance(part, TestFile)
        if part.id in ids:
            sentence = f"the test id {quoted(part.id)} is used twice; the first is in {ids[part.id]}"
            problems.append(document.problem(("id",), sentence))
        ids.setdefault(part.id, document.at("id"))
        problems += _problems(document, part, policy)
        cases += _cases(document, part)
    if problems:
        raise PolicyInvalid(tuple(sorted(set(problems))))
    return tuple(cases)


def _cases(document: shape.Document, part: TestFile) -> Iterator[Case]:
    for position, each in enumerate(part.cases):
        yield Case(
            file=part.id,
            name=each.name,
            as_of=each.given.as_of or part.as_of,
            given=each.given,
            expect=each.expect,
            source=document.at("cases", position),
        )


# ------------------------------------------------------------------------------------ names that exist


def _problems(document: shape.Document, part: TestFile, policy: Policy) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for position, case in enumerate(part.cases):
        at = ("cases", position)
        other = first.setdefault(case.name, position)
        if other != position:
            line = document.at("cases", other, "name").line
            yield document.problem(
                (*at, "name"), f"a case of this name stands on line {line}; give each its own"
            )
        yield from _in_case(document, at, case, part.as_of, policy)


def _in_case(
    document: shape.Document, at: shape.Path, case: CasePart, as_of: date, policy: Policy
) -> Iterator[Problem]:
    given, dataset = case.given, policy.datasets.get(case.given.dataset)
    yield from _audience(document, (*at, "given", "audience"), given.audience, policy)
    if dataset is None:
        yield document.problem((*at, "given", "dataset"), _no("dataset", given.dataset, policy.datasets))
    else:
        yield from _columns(document, (*at, "given"), given, dataset)
        yield from _expected(document, (*at, "expect"), case.expect, {*names(dataset), *given.undeclared})
    for position, each in enumerate(given.holds):
        day = given.as_of or as_of
        yield from _held(document, (*at, "given", "holds", position), each, day, policy)
    if given.holds and given.ledger:
        sentence = "a ledger that cannot be read says nothing of what is held; remove 'ledger' or 'holds'"
        yield document.problem_at_key((*at, "given", "ledger"), sentence)
    if not case.expect.model_fields_set:
        yield document.problem((*at, "expect"), "nothing is expected, so this case could not fail")
    for position, waiver in enumerate(case.expect.waivers or ()):
        if waiver not in policy.waivers:
            path = (*at, "expect", "waivers", position)
            yield document.problem(path, _no("waiver", waiver, policy.waivers))


def _no(what: str, name: str, known: Iterable[str]) -> str:
    return f"there is no {what} {quoted(name)}{did_you_mean(name, known)}"


def _audience(document: shape.Document, at: shape.Path, audience: str, policy: Policy) -> Iterator[Problem]:
    if audience == str(PUBLIC):
        return
    agreement, _, urgency = audience.rpartition("/")
    if agreement not in policy.agreements:
        paths = [path.id for each in policy.agreements.values() for path in each.pathways]
        hint = did_you_mean(audience, [str(PUBLIC), *paths])
        sentence = f"{quoted(audience)} is no audience; write public or <agreement>/<urgency>{hint}"
        yield document.problem(at, sentence)
    elif urgency not in set(Urgency) or not policy.agreements[agreement].pathway(Urgency(urgency)):
        yield document.problem(at, f"the agreement {quoted(agreement)} has no pathway {quoted(urgency)}")


def _columns(
    document: shape.Document, at: shape.Path, given: GivenPart, dataset: Dataset
) -> Iterator[Problem]:
    if (given.columns is None) == (given.indicators is None):
        yield document.problem(at, "a case gives either 'columns' or 'indicators': what the table has")
    if given.columns not in {(ALL,), (KEPT,)}:
        known = {*keys(dataset), *(each for column in dataset.columns for each in column.spellings)}
        for position, each in enumerate(given.columns or ()):
            if each not in known:
                yield document.problem((*at, "columns", position), _no_column(each, known))
    has = {each.indicator for each in dataset.columns}
    for position, each in enumerate(given.indicators or ()):
        if each not in has:
            sentence = f"{quoted(dataset.id)} has no column of the indicator {quoted(each)}"
            yield document.problem((*at, "indicators", position), sentence + did_you_mean(each, has))
    for position, each in enumerate(given.undeclared):
        if each in names(dataset):
            yield document.problem((*at, "undeclared", position), f"{quoted(each)} is declared")


def _no_column(name: str, known: Iterable[str]) -> str:
    return f"there is no column {quoted(name)} in this dataset{did_you_mean(name, known)}"


_NAMED = ("leave_out", "drop_at_collection", "keeps", "by")


def _expected(
    document: shape.Document, at: shape.Path, expect: ExpectPart, known: frozenset[str] | set[str]
) -> Iterator[Problem]:
    """Every column or indicator that an expectation names is one that the dataset can have."""
    for name in expect.levels or ():
        if name not in known:
            yield document.problem_at_key((*at, "levels", name), _no_column(name, known))
    lists = [((*at, "refused"), expect.refused)]
    lists += [((*at, "form", key), getattr(expect.form, key)) for key in _NAMED if expect.form]
    for path, listed in lists:
        for position, name in enumerate(listed or ()):
            if name not in known:
                yield document.problem((*path, position), _no_column(name, known))


def _held(
    document: shape.Document, at: shape.Path, each: HoldsPart, day: date, policy: Policy
) -> Iterator[Problem]:
    if each.dataset not in policy.datasets:
        yield document.problem((*at, "dataset"), _no("dataset", each.dataset, policy.datasets))
    for position, indicator in enumerate(each.indicators):
        if indicator not in policy.indicators:
            path = (*at, "indicators", position)
            yield document.problem(path, _no("indicator", indicator, policy.indicators))
    holders = [str(PUBLIC), *policy.organizations]
    if each.by is not None and each.by not in holders:
        yield document.problem((*at, "by"), _no("organization", each.by, holders))
    if each.since > day:
        yield document.problem((*at, "since"), f"{each.since} is after {day}, the day of the case")


# ---------------------------------------------------------------------------------- columns of a dataset


def keys(dataset: Dataset, *, dropped: bool = True) -> tuple[str, ...]:
    """The key of every declared column, in order, each with its continuations behind it.

    ``dropped`` False: without those that go at collection.
    """
    return tuple(
        key
        for column in dataset.columns
        if dropped or column.name not in dataset.drop_at_collection
        for key in keys_of(column)
    )


def keys_of(column: Column) -> tuple[str, ...]:
    """The key of a column, and those of its continuations."""
    return (column.name, *(files.continuation_key(column.name, text) for text in column.continued_by))


def names(dataset: Dataset) -> frozenset[str]:
    """Whatever a case may call a column: its key, or the id of its indicator."""
    return frozenset({*keys(dataset), *(each.indicator for each in dataset.columns)})
