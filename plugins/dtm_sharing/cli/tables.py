"""``classify``, ``gate`` and ``explain``: a file, judged as it is. Nothing is changed, sent or recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dtm_sharing.cli import render, shapes
from dtm_sharing.cli.options import Basis, basis, holdings, judging, type_path
from dtm_sharing.cli.terminal import emit_data
from dtm_sharing.errors import GateDenied, Undecided, UsageProblem
from dtm_sharing.model import PUBLIC, Audience, ColumnLevel, Gap, Level, Outcome, Stage, Urgency

if TYPE_CHECKING:
    from dtm_sharing.model import Classification, Dataset, Decision, Holding, Policy

UNDECIDED = Undecided.exit_code
_CODES = {Outcome.ALLOW: 0, Outcome.DENY: GateDenied.exit_code, Outcome.UNDECIDED: UNDECIDED}

_table = click.argument("file", type=type_path)


def _asking(*, required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options that say for whom a table is judged, and what is known of that."""

    def options(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in (
            click.option(
                "--holds-nothing",
                is_flag=True,
                help="Judge as if this audience, and the public, held nothing yet.",
            ),
            click.option(
                "--stage",
                type=click.Choice([str(each) for each in Stage]),
                help="How far its cleaning has come. Low urgency asks for `cleaned`. [default: not known]",
            ),
            click.option(
                "--urgency",
                type=click.Choice([str(each) for each in Urgency]),
                help="Which pathway of the agreement. [default: low]",
            ),
            click.option(
                "--audience",
                required=required,
                metavar="public|AGREEMENT",
                help="Everyone, or the id of an agreement.",
            ),
        ):
            command = option(command)
        return command

    return options


def _audience(name: str, urgency: str | None) -> Audience:
    return PUBLIC if name == str(PUBLIC) else Audience(name, Urgency(urgency or Urgency.LOW))


@click.command(epilog="\b\nExample:\n  dtm-sharing classify round.csv --dataset npl/site-assessment")
@judging
@_table
def classify(  # noqa: PLR0913 - one parameter per option
    *, file: Path, dataset_id: str, policies: Path | None, path: Path | None, as_of: date | None, form: str
) -> int:
    """Show the level of each column of FILE, and the rule behind it.

    Exit code 4 if anything is undecided.
    """
    by = basis(policies, path, as_of)
    dataset, judged = _judge(by, file, dataset_id)
    if form == "json":
        emit_data(shapes.as_json(shapes.classification(judged, by.told)))
    else:
        render.classification(judged, dataset, by.told)
    return UNDECIDED if judged.level is None else 0


# ------------------------------------------------------------------------------------------------- gate


class Beside(click.ParamType[tuple[str, Path]]):
    """A dataset and the file of it, written ID=FILE."""

    name = "id=file"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Path]:
        id_, sign, file = value.partition("=")
        if not (id_ and sign and file):
            self.fail(
                f"{value!r} does not name a table: write its dataset's id, =, and its file.", param, ctx
            )
        return id_, Path(file)


@click.command(
    short_help="Decide whether FILE may go to an audience.",
    epilog="\b\nExample:\n  dtm-sharing gate round.csv --dataset npl/site-assessment --audience public",
)
@_asking(required=True)
@click.option(
    "--beside",
    type=Beside(),
    metavar="ID=FILE",
    multiple=True,
    help="Another table that leaves with it, by dataset and file; for each one.",
)
@judging
@_table
def gate(  # noqa: PLR0913 - one parameter per option
    *,
    file: Path,
    dataset_id: str,
    audience: str,
    urgency: str | None,
    stage: str | None,
    beside: tuple[tuple[str, Path], ...],
    holds_nothing: bool,
    policies: Path | None,
    path: Path | None,
    as_of: date | None,
    form: str,
) -> int:
    """Decide whether FILE, as it is, may go to an audience; if not, in which forms it may.

    It is judged beside what they hold already, as the ledger says; without a ledger what depends on that is
    undecided. Exit code 0 allowed, 2 denied, 4 undecided; of several tables that leave together, the highest.
    """
    by = basis(policies, path, as_of)
    asked = _audience(audience, urgency)
    tables = [_judge(by, each, id_, stage) for id_, each in ((dataset_id, file), *beside)]
    held = _held(by, path, asked, holds_nothing=holds_nothing)
    decisions = _decide(by.policy, [judged for _, judged in tables], asked, held)
    if form == "json":
        first, *others = (shapes.decision(each, held, by.told) for each in decisions)
        emit_data(shapes.as_json(first | {"beside": others} if beside else first))
    else:
        render.decisions(
            [(each, dataset) for each, (dataset, _) in zip(decisions, tables, strict=True)], by.told
        )
    return max(_CODES[each.outcome] for each in decisions)


def _held(
    by: Basis, path: Path | None, audience: Audience, *, holds_nothing: bool
) -> Sequence[Holding] | None:
    """What an audience holds, as the ledger or the question says; None: nobody can say."""
    if holds_nothing and path is not None:
        raise UsageProblem("--holds-nothing and --ledger contradict each other: give one of them.")
    return () if holds_nothing else holdings(path, _holder(by.policy, audience), by.as_of, by.policy)


def _holder(policy: Policy, audience: Audience) -> str:
    """Whose holdings count: the public's, or those of the agreement's organization."""
    from dtm_sharing.gate import agreement

    return str(PUBLIC) if audience == PUBLIC else agreement(policy, audience).organization


def _decide(
    policy: Policy, tables: Sequence[Classification], audience: Audience, held: Sequence[Holding] | None
) -> tuple[Decision, ...]:
    from dtm_sharing.classify import classify as judge
    from dtm_sharing.gate import decide_together

    return decide_together(policy, tables, audience, held, judge)


# ---------------------------------------------------------------------------------------------- explain


@click.command(
    short_help="Say why a column has its level.",
    epilog="\b\nExample:\n  dtm-sharing explain round.csv --dataset npl/site-assessment --column 13",
)
@click.option("--column", "name", required=True, metavar="NAME", help="Its header, or its position from 1.")
@_asking(required=False)
@judging
@click.argument("file", type=type_path, required=False)
def explain(  # noqa: PLR0913 - one parameter per option
    *,
    file: Path | None,
    dataset_id: str,
    name: str,
    audience: str | None,
    urgency: str | None,
    stage: str | None,
    holds_nothing: bool,
    policies: Path | None,
    path: Path | None,
    as_of: date | None,
    form: str,
) -> int:
    """Say in one sentence why a column of FILE has its level, then which rules say so, and where they stand.

    Without FILE: the declared column alone, with nothing beside it. With --audience: as `gate` decides on
    FILE for them, beside what they hold already. Exit code 4 if the column is undecided, or FILE for them.
    """
    if audience is None and (urgency or stage or holds_nothing):
        raise UsageProblem(
            "--urgency, --stage and --holds-nothing are of an audience: name it with --audience."
        )
    if audience is not None and file is None:
        raise UsageProblem("What an audience may have is decided of a table: name its FILE.")
    by = basis(policies, path, as_of)
    dataset, judged = _judge(by, file, dataset_id, stage) if file else _declared(by, dataset_id)
    decided: Decision | None = None
    if audience is not None:
        asked = _audience(audience, urgency)
        held = _held(by, path, asked, holds_nothing=holds_nothing)
        (decided,) = _decide(by.policy, [judged], asked, held)
        judged = decided.classification
    column = find_column(judged, dataset, name)
    if file is None:
        judged, column = _alone(by, dataset, column)
    of = decided or judged
    missing = [each for each in of.gaps if decided or each.column in {None, column.header.key}]
    sentence = explanation(column, missing, alone=file is None) if decided is None else _for(decided, column)
    if form == "json":
        emit_data(shapes.as_json(shapes.explanation(of, column, sentence, missing, by.told)))
    else:
        render.explanation(of, column, sentence, missing, by.told)
    return UNDECIDED if column.level is None or (decided and decided.gaps) else 0


def _judge(
    by: Basis, file: Path, dataset_id: str, stage: str | None = None
) -> tuple[Dataset, Classification]:
    from dtm_sharing.classify import classify as judge
    from dtm_sharing.classify import dataset as find
    from dtm_sharing.stores import frames

    dataset = find(by.policy, dataset_id)
    table = frames.read_table(file, dataset)
    reached = None if stage is None else Stage(stage)
    return dataset, judge(by.policy, frames.profile(table, by.policy, dataset, stage=reached), by.as_of)


def _declared(by: Basis, dataset_id: str) -> tuple[Dataset, Classification]:
    """A table with every declared column, and of no particular size."""
    from dtm_sharing.classify import classify as judge
    from dtm_sharing.classify import dataset as find
    from dtm_sharing.classify import identify
    from dtm_sharing.model import TableProfile

    dataset = find(by.policy, dataset_id)
    row = [
        text
        for column in dataset.columns
        for text in (column.name, *(f"{column.name}: {each}" for each in column.continued_by))
    ]
    return dataset, judge(by.policy, TableProfile(dataset.id, identify(row, dataset), 1), by.as_of)


def _alone(by: Basis, dataset: Dataset, column: ColumnLevel) -> tuple[Classification, ColumnLevel]:
    from dtm_sharing.classify import classify as judge
    from dtm_sharing.model import TableProfile

    header = replace(column.header, position=1)
    judged = judge(by.policy, TableProfile(dataset.id, (header,), 1), by.as_of)
    return judged, judged.columns[0]


# ------------------------------------------------------------------------------------------- one column

_HELD = "What an audience already holds may still keep it back: ask of a file, with --audience."


def find_column(judged: Classification, dataset: Dataset, name: str) -> ColumnLevel:
    """The column of this key, header text or position; the first of these that fits counts.

    Raises:
        UsageProblem: there is none, or several share the header text. The sentence says which may be meant.
    """
    by_key = {each.header.key: each for each in judged.columns}
    declared = next((each.name for each in dataset.columns if name in each.spellings), name)
    if declared in by_key:
        return by_key[declared]
    found = [each for each in judged.columns if _tidy(each.header.name) == _tidy(name)]
    found = found or [each for each in judged.columns if _tidy(each.header.key) == _tidy(name)]
    found = found or [each for each in judged.columns if str(each.header.position) == name]
    if len(found) > 1:
        places = "; ".join(f"{each.header.position} after {each.header.question!r}" for each in found)
        raise UsageProblem(
            f"{len(found)} columns have the header {found[0].header.name!r}: {places}. Name one by position."
        )
    if not found:
        raise _not_there(judged, dataset, declared)
    return found[0]


def _tidy(text: str) -> str:
    return " ".join(text.split()).casefold()


def _not_there(judged: Classification, dataset: Dataset, name: str) -> UsageProblem:
    if any(each.name == name for each in dataset.columns):
        return UsageProblem(f"{dataset.id} declares column {name!r}, but the file does not have it.")
    if name.isdecimal():
        return UsageProblem(f"There is no column {name}: the table has {len(judged.columns)} columns.")
    return UsageProblem.unknown("column", name, (each.header.key for each in judged.columns))


def explanation(column: ColumnLevel, missing: list[Gap], *, alone: bool = False) -> str:
    """The sentence that a coordinator reads first. It judges the table by itself, and says so."""
    key = column.header.key
    place = f"Column {key!r}, alone," if alone else f"{_place(column)},"
    if column.level is None:
        return f"{place} is undecided, so it goes nowhere: {' '.join(each.sentence for each in missing)}"
    more = "" if column.level is Level.SECRET else f" {_HELD}"
    return f"{place} is {column.level.label}, {render.MEANING[column.level]}: {_deciding(column)}.{more}"


def _for(decided: Decision, column: ColumnLevel) -> str:
    """The same as the gate decides for an audience: what it refuses or lacks is said, not what could be."""
    level, to = render.word(column.level), decided.audience
    place = f"{_place(column)}, is {level}"
    refused = next((each for each in decided.refused if each.header.key == column.header.key), None)
    if refused is not None:
        return f"{place}, and may not go to {to}: {refused.why.removeprefix(f'{level}: ')}"
    if decided.gaps:
        lacking = render.many(len(decided.gaps), "gap")
        return f"{place}, and does not go to {to}, since the table has {lacking}: {decided.gaps[0].sentence}"
    if decided.refused:
        others = render.many(len(decided.refused), "other column")
        return (
            f"{place}: {_deciding(column)}. Nothing refuses it to {to}, but {others} of the table may not go."
        )
    return f"{place}, and may go to {to} with this table: {_deciding(column)}."


def _place(column: ColumnLevel) -> str:
    return f"Column {column.header.position}, {column.header.key!r}"


def _deciding(column: ColumnLevel) -> str:
    return "; and ".join(each.why.rstrip(".") for each in column.reasons if each.level is column.level)
