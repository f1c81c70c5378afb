"""``password``: tell, change and end passwords of focal points. The ledger hears of it, but of no word."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dtm_sharing.cli.options import (
    in_office,
    ledger_file,
    load_policy,
    moment,
    open_ledger,
    policies_folder,
    settings,
)
from dtm_sharing.cli.terminal import ask_master_secret, emit, plain
from dtm_sharing.errors import StoreFailed, UsageProblem
from dtm_sharing.model import DispatchState, Method

if TYPE_CHECKING:
    from dtm_sharing.model import FocalPoint
    from dtm_sharing.stores.credentials import Credentials, Held
    from dtm_sharing.stores.database import Ledger

METHODS = (Method.EXCEL_EMAIL.value, Method.DOCUMENT_EMAIL.value)  # those whose files have a password

method_option = click.option(
    "--method", type=click.Choice(METHODS), required=True, help="The method whose files it opens."
)


@click.group()
def password() -> None:
    """The passwords of focal points: one for each person and method.

    The master secret is asked for on the terminal. The file of passwords is that of DTM_SHARING_CREDENTIALS.
    """


def of_a_person(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (policies_folder, ledger_file, click.argument("focal_point")):
        command = option(command)
    return command


@password.command(epilog="\b\nExample:\n  dtm-sharing password tell npl/scpa-primary --method excel-email")
@method_option
@of_a_person
def tell(focal_point: str, method: str, path: Path | None, policies: Path | None) -> None:
    """Show the live password on this terminal, to be read out by telephone.

    On a terminal and nowhere else: a file or a pipe would keep it. The ledger records that it was told.
    """
    _check_on_screen()
    person = in_office(_person(focal_point, policies))
    ledger = open_ledger(path)
    held = _held(_open(ledger), person, method)
    ledger.record(held.credential.event("told", person.organization, moment()))
    emit(plain(f"{person.id}, {person.title}: {method}, version {held.credential.version}"))
    emit(f"\n    {held.password.reveal()}\n")
    emit(plain(f"Read it out on {person.mobile} only, the number on file, once the person has read back the"))
    emit("reference in the subject of a mail. Then clear this screen.")


@password.command(epilog="\b\nExample:\n  dtm-sharing password rotate npl/scpa-primary --method excel-email")
@method_option
@of_a_person
def rotate(focal_point: str, method: str, path: Path | None, policies: Path | None) -> None:
    """Put a new password in place of the live one: by date, or when somebody else may know it.

    Extracts that were sent before still open with the old words; nothing calls them back.
    """
    person = in_office(_person(focal_point, policies))
    ledger = open_ledger(path)
    credentials = _open(ledger)
    old = _held(credentials, person, method).credential
    new = credentials.rotate(person.id, method, moment()).credential
    ledger.record(new.event("rotated", person.organization, moment()))
    emit(plain(f"{person.id}: {method}, version {new.version} in place of version {old.version}."))
    emit("Extracts that were sent before still open with the old words. `password tell` shows the new ones.")
    _warn_of_waiting(ledger, person, [method])


@password.command(epilog="\b\nExample:\n  dtm-sharing password end npl/scpa-primary")
@of_a_person
def end(focal_point: str, path: Path | None, policies: Path | None) -> None:
    """End all passwords of a person: who leaves, or may have lost them.

    The next extract, if there is one, gets a new password.
    """
    person = _person(focal_point, policies)
    ledger = open_ledger(path)
    ended = _open(ledger).revoke(person.id, moment())
    ledger.record_all(each.event("revoked", person.organization, moment()) for each in ended)
    emit(plain(f"{person.id}: {len(ended)} ended."))
    _warn_of_waiting(ledger, person, [each.channel for each in ended])


def _check_on_screen() -> None:
    if not sys.stdout.isatty():
        raise UsageProblem(
            "A password is shown on a terminal and nowhere else, but this output goes to a file or a pipe, "
            "which would keep it: run it by hand, without redirection."
        )


def _person(focal_point: str, policies: Path | None) -> FocalPoint:
    known = load_policy(policies).focal_points
    if focal_point not in known:
        raise UsageProblem.unknown("focal point", focal_point, known)
    return known[focal_point]


def _open(ledger: Ledger) -> Credentials:
    """The passwords, which must be there: a new file would take any secret for the right one."""
    from dtm_sharing.stores.credentials import Credentials
    from dtm_sharing.stores.keys import Keys

    path = settings().credentials
    if not path.is_file():
        raise StoreFailed(
            f"There are no passwords at {path}: check DTM_SHARING_CREDENTIALS, or send an extract."
        )
    return Credentials(path, Keys.derive(ask_master_secret(), ledger.origin).credentials)


def _held(credentials: Credentials, person: FocalPoint, method: str) -> Held:
    held = credentials.look_up(person.id, method)
    if held is None:
        raise UsageProblem(
            f"{person.id} has no password for {method} yet: it is made with the first extract."
        )
    return held


def _warn_of_waiting(ledger: Ledger, person: FocalPoint, methods: Iterable[str]) -> None:
    """What waits in the outbox was sealed before, and nobody could open it any more."""
    waiting = [
        each.dispatch.key
        for each in ledger.dispatches(moment(), person.organization)
        if each.state in {DispatchState.NEW, DispatchState.SENDING}
        and (each.dispatch.focal_point, each.dispatch.method) in {(person.id, method) for method in methods}
    ]
    if waiting:
        emit(f"Sealed with the old words, and not sent yet: {', '.join(waiting)}.")
        emit("`dispatch settle KEY --as not-arrived` has it packed anew.")
