"""What the commands have in common: options, settings, the policy and the day."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dtm_sharing.errors import StoreFailed, Undecided, UsageProblem

if TYPE_CHECKING:
    from dtm_sharing.model import FocalPoint, Holding, Policy
    from dtm_sharing.stores.database import Ledger
    from dtm_sharing.stores.settings import Settings

type_path = click.Path(path_type=Path)


_CLOCK = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ]?([\d:.]*\d{2}:\d{2}[\d:.]*)?\s*(Z|[+-]\d{2}:?\d{2}|UTC|GMT)?", re.IGNORECASE
)


class Day(click.ParamType[date]):
    """A real day, written YYYY-MM-DD. Rules hold for whole days, in UTC: no clock, no zone."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        if (day := _day(value)) is not None:
            return day
        found = _CLOCK.fullmatch(value.strip())
        if found and (found[2] or found[3]) and _day(found[1]) is not None:
            return self.fail(
                f"{value!r} is more than a day, written YYYY-MM-DD: rules hold for whole days in UTC, so "
                f"give {found[1]}, without a clock or a zone.",
                param,
                ctx,
            )
        return self.fail(f"{value!r} is not a day of the calendar, written YYYY-MM-DD.", param, ctx)


def _day(text: str) -> date | None:
    """None: it is none of the calendar, or is written otherwise."""
    try:
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII) else None
    except ValueError:
        return None


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

as_of_day = click.option(
    "--as-of",
    type=Day(),
    metavar="DATE",
    help="Judge as on this day. Before today without --policies: by the policy that the ledger says was in "
    "force. [default: today, UTC]",
)


def judging(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that judges a table of a dataset."""
    for option in (
        output_form("table", "json"),
        as_of_day,
        ledger_file,
        policies_folder,
        click.option(
            "--dataset", "dataset_id", metavar="ID", required=True, help="What the file is, by policy id."
        ),
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


def is_ledger_named(path: Path | None) -> bool:
    """Whether an option or a setting says where the ledger is."""
    from dtm_sharing.stores.settings import LEDGER

    return path is not None or LEDGER in settings().given


@contextmanager
def _or_undecided(unknown: str) -> Iterator[None]:
    """Without the ledger that a decision needs there is none: no failure, and no permission."""
    try:
        yield
    except (StoreFailed, UsageProblem) as problem:
        raise Undecided(f"Undecided: {str(problem).rstrip('.')}; so {unknown}.") from problem


@dataclass(frozen=True, slots=True)
class Basis:
    """What a command judges by: a policy, on a day. ``told``: where the policy is from, if not from files."""

    policy: Policy
    as_of: date
    told: str | None = None


def basis(policies: Path | None, path: Path | None, as_of: date | None) -> Basis:
    """The policy of the day: the files that were named; for a past day what the ledger says was in force.

    Args:
        policies: ``--policies``. Files that are named are judged by, on whatever day.
        path: ``--ledger``.
        as_of: ``--as-of``; None: today.

    Raises:
        Undecided: the ledger has no policy for that day, cannot be read, or is not known.
    """
    now = today()
    if as_of is None or as_of >= now or policies is not None:
        return Basis(load_policy(policies), as_of or now)
    if not is_ledger_named(path):
        raise Undecided(
            f"Undecided: the policy of {as_of} is not known, and today's files may say otherwise: name a "
            "ledger, or the files with --policies."
        )
    with _or_undecided(
        f"nobody knows which policy was in force on {as_of}: mend or restore the ledger, or name the files "
        "with --policies"
    ):
        return _of_the_ledger(open_ledger(path), as_of)


def _of_the_ledger(ledger: Ledger, as_of: date) -> Basis:
    digest = ledger.policy_in_force(as_of)
    if digest is None:
        raise Undecided(
            f"Undecided: the ledger knows no policy that was in force on {as_of}. To judge by files all the "
            "same, name them with --policies."
        )
    return Basis(bundle(ledger, digest), as_of, f"policy of {as_of}, from the ledger")


def bundle(ledger: Ledger, digest: str) -> Policy:
    """The policy of this digest, from the files that the ledger keeps.

    Raises:
        UsageProblem: it keeps none of this digest.
    """
    from dtm_sharing import policy

    return policy.parse(ledger.policy_files(digest))


def holdings(path: Path | None, organization: str, as_of: date, policy: Policy) -> Sequence[Holding] | None:
    """What an organization and the public held at the end of a day; None: no ledger is known.

    Raises:
        Undecided: a ledger is named and cannot be read.
    """
    if not is_ledger_named(path):
        return None
    with _or_undecided(
        "nobody knows what this audience holds: mend or restore the ledger, or name the right one with "
        "--ledger"
    ):
        ledger = open_ledger(path)
        before = ledger.size_on(as_of) if as_of < today() else None
        return ledger.held(organization, before, policy.people_of(organization)).holdings


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
