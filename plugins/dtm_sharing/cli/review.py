"""``diff``, ``simulate``, ``replay`` and ``due``: judging again. Nothing is changed, sent or recorded."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dtm_sharing.cli import review_pages as pages
from dtm_sharing.cli.options import (
    Day,
    as_of_day,
    basis,
    bundle,
    ledger_file,
    open_ledger,
    output_form,
    policies_folder,
    settings,
    today,
)
from dtm_sharing.errors import GateDenied, Undecided, UsageProblem

if TYPE_CHECKING:
    from dtm_sharing.model import Policy
    from dtm_sharing.stores.credentials import Credential

REFUSED = GateDenied.exit_code
UNDECIDED = Undecided.exit_code
_FROM_LEDGER = "ledger:"
_AHEAD = 30  # days; as long before its end as an assessment is warned of
_FURTHEST = 3660  # ten years
_QUIET = 1.0  # seconds before anything is said of how far it is, and between two lines of it


# ---------------------------------------------------------------------------------------------------- diff


@click.command(
    short_help="Say what becomes allowed and what becomes refused.",
    epilog="\b\nExample:\n  dtm-sharing diff ../main/policies policies --format github",
)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@ledger_file
@click.option(
    "--as-of", type=Day(), metavar="DATE", help="The first day that is compared. [default: today, UTC]"
)
@output_form("table", "json", "github")
def diff(old: str, new: str, path: Path | None, as_of: date | None, form: str) -> int:
    """Say what becomes allowed and what becomes refused if NEW replaces OLD.

    For whom, from which day on, and by which rules. OLD and NEW are policy folders, or ledger:DIGEST for a
    policy that the ledger keeps. The engine is run under both on made-up tables: each column alone and with
    what it must not stand beside, the whole table, each pathway's extract; at every grain, and on every later
    day on which something starts or ends. What no such table of today can show, e.g. an overlay that was
    removed for a context that no operation is in, or another address of a recipient, is listed apart.

    Exit code 2 if anything becomes allowed, or may, that no waiver of NEW justifies, 3 if a policy does not
    load.
    """
    from dtm_sharing.review.differences import differences
    from dtm_sharing.review.loosened import loosened

    one, other = _policy(old, path), _policy(new, path)
    day = as_of or today()
    found = differences(one, other, day, _progress("compared"))
    page = pages.Differences(
        (one, other), day, found, loosened(one, other), folders=(_folder(old), _folder(new))
    )
    page.show(form)
    return REFUSED if page.unjustified or page.loosened else 0


def _policy(place: str, path: Path | None) -> Policy:
    """A policy to be looked at. A folder need not be sealed yet: that is what comes after the look."""
    from dtm_sharing import policy
    from dtm_sharing.stores.policies import is_sealed, read_files

    if place.startswith(_FROM_LEDGER):
        return bundle(open_ledger(path), place.removeprefix(_FROM_LEDGER))
    folder = Path(place)
    loaded = policy.parse(read_files(folder))
    if not is_sealed(folder):
        click.echo(f"{folder} is not sealed as it is: `dtm-sharing seal` it when it is meant.", err=True)
    return loaded


def _folder(place: str) -> Path | None:
    return None if place.startswith(_FROM_LEDGER) else Path(place)


# ------------------------------------------------------------------------------------------------ simulate


@click.command(
    short_help="Judge what left already under a new policy.",
    epilog="\b\nExample:\n  dtm-sharing simulate policies --ledger ledger.db",
)
@click.argument("new", metavar="NEW")
@ledger_file
@click.option(
    "--as-of",
    type=Day(),
    metavar="DATE",
    help="Ask NEW as on this day, of what had left by its end. [default: today, UTC]",
)
@output_form("table", "json")
def simulate(new: str, path: Path | None, as_of: date | None, form: str) -> int:
    """Judge every publication and dispatch of the ledger again under NEW.

    In the order in which they left, each beside what its recipient held by then. NEW is a policy folder, or
    ledger:DIGEST. What cannot be decided, e.g. a column that NEW does not declare, is listed apart. What was
    recalled is counted and not judged.

    Exit code 2 if something that is held would be refused, 4 if nothing would, but something is undecided:
    that would not leave either.
    """
    from dtm_sharing.model import DispatchState
    from dtm_sharing.review.simulation import Verdict
    from dtm_sharing.review.simulation import simulate as judge

    policy, day = _policy(new, path), as_of or today()
    past = [each for each in open_ledger(path).disclosures() if each.sent_at.date() <= day]
    found = judge(policy, past, day, _progress("judged"))
    recalled = sum(each.state is DispatchState.RECALLED for each in past)
    pages.simulation(policy, day, found, recalled, form)
    verdicts = {each.verdict for each in found}
    if Verdict.REFUSED in verdicts:
        return REFUSED
    return UNDECIDED if Verdict.UNDECIDED in verdicts else 0


# -------------------------------------------------------------------------------------------------- replay


@click.command(
    short_help="Make every recorded decision again.",
    epilog="\b\nExample:\n  dtm-sharing replay --ledger ledger.db --since 2026-01-01",
)
@ledger_file
@click.option("--since", type=Day(), metavar="DATE", help="Only what was decided on this day or later.")
@output_form("table", "json", "junit")
def replay(path: Path | None, since: date | None, form: str) -> int:
    """Make every recorded decision again, from what the ledger keeps, and say what differs.

    From the policy, profile, day and holdings of then. A difference is a record that was altered or is gone,
    or an engine that answers otherwise: where a mistake in it was mended, the decisions made with the mistake
    differ. That is what this is for: read each one. Whether the entries themselves are unaltered,
    `dtm-sharing ledger verify` says.

    Exit code 2 if any differs, 4 if there is none to make again.
    """
    from dtm_sharing.review.replay import replay as again

    ledger = open_ledger(path)
    recorded = [each for each in ledger.decisions() if since is None or each.as_of >= since]
    found = tuple(
        again(
            recorded,
            lambda digest: bundle(ledger, digest),
            lambda organization, size, people: ledger.held(organization, size, people).holdings,
            _progress("made again"),
        )
    )
    pages.replay(found, since, form)
    if not found:
        return UNDECIDED
    return REFUSED if any(each.differences for each in found) else 0


# ----------------------------------------------------------------------------------------------------- due


@click.command(
    short_help="List what lapses soon, and who has to act.",
    epilog="\b\nExample:\n  dtm-sharing due --within 60 --fail-on lapsed",
)
@click.option(
    "--within",
    type=click.IntRange(0, _FURTHEST),
    default=_AHEAD,
    show_default=True,
    metavar="DAYS",
    help="How far to look ahead.",
)
@click.option(
    "--rotate-every",
    type=click.IntRange(1, _FURTHEST),
    metavar="DAYS",
    help="How long a password lives. [default: 180]",
)
@click.option(
    "--fail-on",
    type=click.Choice(["never", "lapsed", "due"]),
    default="never",
    show_default=True,
    help="Exit code 4 if something has lapsed, or is due at all.",
)
@policies_folder
@ledger_file
@as_of_day
@output_form("table", "json")
def due(  # noqa: PLR0913 - one parameter per option
    *,
    within: int,
    rotate_every: int | None,
    fail_on: str,
    policies: Path | None,
    path: Path | None,
    as_of: date | None,
    form: str,
) -> int:
    """List what lapses soon or has lapsed, by date, with the title of who has to act.

    Assessments, waivers, overlays, operations, agreements, requests, also those that were never approved and
    that an agreement in force rests on; focal points who leave without a successor, and passwords, whose ages
    are read from DTM_SHARING_CREDENTIALS without their secret. What has ended and has a successor is not
    listed; nor is a waiver or an overlay that ended longer ago than it looks ahead.
    """
    from dtm_sharing.review.lapses import ROTATE_AFTER, lapses

    by = basis(policies, path, as_of)
    passwords = _passwords()
    made = [each for each in passwords or () if each.created_at.date() <= by.as_of]
    found = lapses(by.policy, by.as_of, within, made, rotate_every or ROTATE_AFTER)
    pages.lapses(found, by, within, form, passwords_known=passwords is not None)
    missed = [each for each in found if fail_on == "due" or each.has_lapsed(by.as_of)]
    return UNDECIDED if missed and fail_on != "never" else 0


def _passwords() -> Sequence[Credential] | None:
    """What is known of the live passwords; None: no setting says where they are.

    Raises:
        UsageProblem: the place that the setting names has no file. That there are no passwords is not known.
    """
    from dtm_sharing.stores.credentials import live

    try:
        path = settings().credentials
    except UsageProblem:
        return None
    if not os.access(path, os.F_OK):
        raise UsageProblem(
            f"DTM_SHARING_CREDENTIALS names {path}, and there is no such file: mend it, or unset it to list "
            "what is due without passwords."
        )
    return live(path)


# ------------------------------------------------------------------------------------------------ long work


def _progress(done_word: str) -> Callable[[int, int], None]:
    """Tells on a terminal how far long work is, on stderr, and takes that away at the end."""
    if not sys.stderr.isatty():
        return lambda _done, _all: None
    last = time.monotonic()
    told = False

    def tell(done: int, of: int) -> None:
        nonlocal last, told
        if done < of and time.monotonic() - last >= _QUIET:
            click.echo(f"\r{done:,} of {of:,} {done_word}", err=True, nl=False)
            last, told = time.monotonic(), True
        elif done >= of and told:
            click.echo("\r\x1b[K", err=True, nl=False)

    return tell
