"""``classify``, ``gate`` and ``explain``: a file, judged as it is. Nothing is changed, sent or recorded."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dtm_sharing.cli import render, shapes
from dtm_sharing.cli.options import judging, load_policy, today
from dtm_sharing.cli.terminal import emit_data
from dtm_sharing.errors import GateDenied, Undecided, UsageProblem
from dtm_sharing.model import PUBLIC, Audience, ColumnLevel, Gap, Outcome, Stage, Urgency

if TYPE_CHECKING:
    from dtm_sharing.model import Classification, Dataset, Policy

UNDECIDED = Undecided.exit_code
_CODES = {Outcome.ALLOW: 0, Outcome.DENY: GateDenied.exit_code, Outcome.UNDECIDED: UNDECIDED}


@click.command(epilog="\b\nExample:\n  dtm-sharing classify round.csv --dataset npl/site-assessment")
@judging
def classify(file: Path, dataset_id: str, policies: Path | None, as_of: date | None, form: str) -> int:
    """Show the level of each column of FILE, and the rule behind it.

    Exit code 4 if anything is undecided.
    """
    _, _, judged = _judge(file, dataset_id, policies, as_of)
    if form == "json":
        emit_data(shapes.as_json(shapes.classification(judged)))
    else:
        render.classification(judged)
    return UNDECIDED if judged.level is None else 0


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
    help="How far its cleaning has come. Low urgency asks for `cleaned`. [default: not judged]",
)
@judging
def gate(  # noqa: PLR0913 - one parameter per option
    *,
    file: Path,
    dataset_id: str,
    audience: str,
    urgency: str,
    stage: str | None,
    policies: Path | None,
    as_of: date | None,
    form: str,
) -> int:
    """Decide whether FILE, as it is, may go to an audience; if not, in which form it may.

    Exit code 0 allowed, 2 denied, 4 undecided.
    """
    from dtm_sharing.gate import decide

    reached = None if stage is None else Stage(stage)
    policy, _, judged = _judge(file, dataset_id, policies, as_of, reached)
    asked = PUBLIC if audience == str(PUBLIC) else Audience(audience, Urgency(urgency))
    decision = decide(policy, judged, asked)
    if form == "json":
        emit_data(shapes.as_json(shapes.decision(decision)))
    else:
        render.decision(decision)
    return _CODES[decision.outcome]


@click.command(
    short_help="Say why a column of FILE has its level.",
    epilog="\b\nExample:\n  dtm-sharing explain round.csv --dataset npl/site-assessment --column 13",
)
@click.option("--column", "name", required=True, metavar="NAME", help="Its header, or its position from 1.")
@judging
def explain(  # noqa: PLR0913 - one parameter per option
    *, file: Path, dataset_id: str, name: str, policies: Path | None, as_of: date | None, form: str
) -> int:
    """Say in one sentence why a column of FILE has its level, then which rules say so, and where they stand.

    Exit code 4 if the column is undecided.
    """
    _, dataset, judged = _judge(file, dataset_id, policies, as_of)
    column = find_column(judged, dataset, name)
    missing = [each for each in judged.gaps if each.column in {None, column.header.key}]
    sentence = explanation(column, missing)
    if form == "json":
        emit_data(shapes.as_json(shapes.explanation(judged, column, sentence, missing)))
    else:
        render.explanation(judged, column, sentence, missing)
    return UNDECIDED if column.level is None else 0


def _judge(
    file: Path, dataset_id: str, policies: Path | None, as_of: date | None, stage: Stage | None = None
) -> tuple[Policy, Dataset, Classification]:
    from dtm_sharing.classify import classify as judge
    from dtm_sharing.classify import dataset as find
    from dtm_sharing.stores import frames

    policy = load_policy(policies)
    dataset = find(policy, dataset_id)
    profile = frames.profile(frames.read_table(file, dataset), dataset, stage=stage)
    return policy, dataset, judge(policy, profile, as_of or today())


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


def explanation(column: ColumnLevel, missing: list[Gap]) -> str:
    """The sentence that a coordinator reads first."""
    place = f"Column {column.header.position}, {column.header.key!r},"
    if column.level is None:
        return f"{place} is undecided, so it goes nowhere: {' '.join(each.sentence for each in missing)}"
    deciding = [each.why.rstrip(".") for each in column.reasons if each.level is column.level]
    return f"{place} is {column.level.label}, {render.MEANING[column.level]}: {'; and '.join(deciding)}."
