"""What the commands have in common: options, settings, the policy and the day."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dtm_sharing.errors import UsageProblem

if TYPE_CHECKING:
    from dtm_sharing.model import FocalPoint, Policy
    from dtm_sharing.stores.database import Ledger
    from dtm_sharing.stores.settings import Settings

type_path = click.Path(path_type=Path)


class Day(click.ParamType[date]):
    """A real day, written YYYY-MM-DD."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
                return date.fromisoformat(value)
        except ValueError:
            pass  # said below, in the same words as for a date of another form
        return self.fail(f"{value!r} is not a day of the calendar, written YYYY-MM-DD.", param, ctx)


def today() -> date:
    """The day in UTC, so that a decision does not depend on where the machine stands."""
    return datetime.now(UTC).date()


def moment() -> datetime:
    return datetime.now(UTC)


def output_form(*forms: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--format",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help="How to print it.",
    )


policies_folder = click.option(
    "--policies", type=type_path, metavar="DIR", help="Policy folder. [default: DTM_SHARING_POLICIES]"
)


ledger_file = click.option(
    "--ledger", "path", type=type_path, metavar="PATH", help="The ledger. [default: DTM_SHARING_LEDGER]"
)


def judging(command: Callable[..., Any]) -> Callable[..., Any]:
    """The file and the options of every command that judges one."""
    for option in (
        output_form("table", "json"),
        click.option(
            "--as-of", type=Day(), metavar="DATE", help="Judge as on this day. [default: today, UTC]"
        ),
        policies_folder,
        click.option(
            "--dataset", "dataset_id", metavar="ID", required=True, help="What the file is, by policy id."
        ),
        click.argument("file", type=type_path),
    ):
        command = option(command)
    return command


def settings() -> Settings:
    from dtm_sharing.stores.settings import Settings

    return Settings.read(os.environ)


def load_policy(folder: Path | None) -> Policy:
    """The policy of ``folder``, or of the settings' folder."""
    from dtm_sharing.stores.policies import read_policies

    return read_policies(folder or settings().policies)


def open_ledger(path: Path | None) -> Ledger:
    """The ledger at ``path``, or the settings' one. One that is not there is not made."""
    from dtm_sharing.stores.database import Ledger

    return Ledger(path or settings().ledger, create=False)


def in_office(person: FocalPoint) -> FocalPoint:
    """The person, who is in office today.

    Raises:
        UsageProblem: not any more, or not yet.
    """
    if not person.in_office.covers(today()):
        raise UsageProblem(
            f"{person.id} is not in office on {today()} ({person.source}): name who is, or mend that file."
        )
    return person
