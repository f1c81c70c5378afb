"""``classify``, ``gate`` and ``explain``: a file, judged as it is. Nothing is changed, sent or recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dtm_sharing.cli import render, shapes
from dtm_sharing.cli.options import Basis, basis, holdings, judging, type_path
from dtm_sharing.cli.terminal import emit_data
from dtm_sharing.errors import GateDenied, Undecided, UsageProblem
from dtm_sharing.model import PUBLIC, Audience, ColumnLevel, Gap, Outcome, Stage, Urgency

if TYPE_CHECKING:
    from dtm_sharing.model import Classification, Dataset, Decision, Holding, Policy

UNDECIDED = Undecided.exit_code
_CODES = {Outcome.ALLOW: 0, Outcome.DENY: GateDenied.exit_code, Outcome.UNDECIDED: UNDECIDED}

_table = click.argument("file", type=type_path)


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
@click.option(
    "--audience", required=True, metavar="public|AGREEMENT", help="Everyone, or the id of an agreement."
)
@click.option(
    "--urgency",
    type=click.Choice([str(each) for each in Urgency]),
    default=str(Urgency.LOW),
    show_default=True,
    help="Which pathway of the agreement.",
)
@click.option(
    "--stage",
    type=click.Choice([str(each) for each in Stage]),
    help="How far its cleaning has come. Low urgency asks for `cleaned`. [default: not known]",
)
@click.option(
    "--beside",
    type=Beside(),
    metavar="ID=FILE",
    multiple=True,
    help="Another table that leaves with it, by dataset and file; for each one.",
)
@click.option(
    "--holds-nothing", is_flag=True, help="Judge as if this audience, and the public, held nothing yet."
)
@judging
@_table
def gate(  # noqa: PLR0913 - one parameter per option
    *,
    file: Path,
    dataset_id: str,
    audience: str,
    urgency: str,
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
    if holds_nothing and path is not None:
        raise UsageProblem("--holds-nothing and --ledger contradict each other: give one of them.")
    by = basis(policies, path, as_of)
    asked = PUBLIC if audience == str(PUBLIC) else Audience(audience, Urgency(urgency))
    tables = [
        _judge(by, each, id_, None if stage is None else Stage(stage))
        for id_, each in ((dataset_id, file), *beside)
    ]
    held = () if holds_nothing else holdings(path, _holder(by.policy, asked), by.as_of)
    decisions = _decide(by.policy, [judged for _, judged in tables], asked, held)
    if form == "json":
        first, *others = (shapes.decision(each, held, by.told) for each in decisions)
        emit_data(shapes.as_json(first | {"beside": others} if beside else first))
    else:
        render.decisions(
            [(each, dataset) for each, (dataset, _) in zip(decisions, tables, strict=True)], by.told
        )
    return max(_CODES[each.outcome] for each in decisions)


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
@judging
@click.argument("file", type=type_path, required=False)
def explain(  # noqa: PLR0913 - one parameter per option
    *,
    file: Path | None,
    dataset_id: str,
    name: str,
    policies: Path | None,
    path: Path | None,
    as_of: date | None,
    form: str,
) -> int:
    """Say in one sentence why a column of FILE has its level, then which rules say so, and where they stand.

    Without FILE: the declared column alone, with nothing beside it. Exit code 4 if the column is undecided.
    """
    by = basis(policies, path, as_of)
    dataset, judged = _judge(by, file, dataset_id) if file else _declared(by, dataset_id)
    column = find_column(judged, dataset, name)
    if file is None:
        judged, column = _alone(by, dataset, column)
    missing = [each for each in judged.gaps if each.column in {None, column.header.key}]
    sentence = explanation(column, missing, alone=file is None)
    if form == "json":
        emit_data(shapes.as_json(shapes.explanation(judged, column, sentence, missing, by.told)))
    else:
        render.explanation(judged, column, sentence, missing, by.told)
    return UNDECIDED if column.level is None else 0


def _judge(
    by: Basis, file: Path, dataset_id: str, stage: Stage | None = None
) -> tuple[Dataset, Classification]:
    from dtm_sharing.classify import classify as judge
    from dtm_sharing.classify import dataset as find
    from dtm_sharing.stores import frames

    dataset = find(by.policy, dataset_id)
    table = frames.read_table(file, dataset)
    return dataset, judge(by.policy, frames.profile(table, by.policy, dataset, stage=stage), by.as_of)


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
    """The sentence that a coordinator reads first."""
    key = column.header.key
    place = f"Column {key!r}, alone," if alone else f"Column {column.header.position}, {key!r},"
    if column.level is None:
        return f"{place} is undecided, so it goes nowhere: {' '.join(each.sentence for each in missing)}"
    deciding = [each.why.rstrip(".") for each in column.reasons if each.level is column.level]
    return f"{place} is {column.level.label}, {render.MEANING[column.level]}: {'; and '.join(deciding)}."
