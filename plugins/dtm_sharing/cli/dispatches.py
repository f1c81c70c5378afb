"""``dispatch``: the outbox, and what a person found out about a message whose outcome is not known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dtm_sharing.cli import render, shapes
from dtm_sharing.cli.options import (
    in_office,
    ledger_file,
    load_policy,
    moment,
    open_ledger,
    output_form,
    policies_folder,
)
from dtm_sharing.cli.records import check_known
from dtm_sharing.cli.terminal import emit, emit_data, plain
from dtm_sharing.errors import UsageProblem
from dtm_sharing.model import Finding

if TYPE_CHECKING:
    from dtm_sharing.model import FocalPoint, Policy
    from dtm_sharing.stores.database import Ledger
    from dtm_sharing.stores.ledger_rows import Standing

REFERENCE = 8  # as many signs of a key as stand in the subject of its mail

_NEXT = {
    Finding.ARRIVED: "It counts as received.",
    Finding.NOT_ARRIVED: "The next run of its pathway sends it again, under another key: clear the task.",
    Finding.CANCELLED: "This extract is never sent to that person.",
}


@click.group()
def dispatch() -> None:
    """The messages to focal points: how each stands, and how one is settled."""


@dispatch.command("list", epilog="\b\nExample:\n  dtm-sharing dispatch list --open")
@click.option("--organization", metavar="ID", help="Only to this one.")
@click.option("--open", "only_open", is_flag=True, help="Only what somebody has still to see to.")
@ledger_file
@policies_folder
@output_form("table", "json")
def list_(
    organization: str | None, path: Path | None, policies: Path | None, form: str, *, only_open: bool
) -> None:
    """List the dispatches: key, state, what, to whom, by which method, since when.

    Open are those that are new, being sent, failed, or of unknown outcome. Overdue: whoever was sending it
    has not come back.
    """
    found = open_ledger(path).dispatches(moment(), organization)
    if organization and not found:
        recorded = {each.dispatch.organization for each in open_ledger(path).dispatches(moment())}
        check_known(organization, recorded, policies)
    wanted = [each for each in found if each.state.is_open or not only_open]
    if form == "json":
        emit_data(shapes.as_json([shapes.standing(each) for each in wanted]))
        return
    whose = f"{organization}: " if organization else ""
    count = f"{len(wanted):,} open of {len(found):,}" if only_open else f"{len(wanted):,}"
    render.records(f"{whose}{count} {'dispatch' if len(found) == 1 else 'dispatches'}.", map(_block, wanted))


def _block(each: Standing) -> tuple[str, dict[str, str]]:
    shown = shapes.standing(each)
    heading = ("state", "dataset", "round", "since")
    shown["overdue"] = "yes" if each.overdue else None
    return "  ".join(str(shown[name]) for name in heading), {
        name.replace("_", " "): str(value)
        for name, value in shown.items()
        if value is not None and name not in heading
    }


@dispatch.command(
    epilog="\b\nExample:\n"
    "  dtm-sharing dispatch settle 0f8fad5b --as arrived --by npl/iom-primary \\\n"
    "      --reason 'Called: the file is there and opens'"
)
@click.argument("key")
@click.option(
    "--as",
    "finding",
    type=click.Choice([each.value for each in Finding]),
    required=True,
    help="arrived: they have it. not-arrived: send it again. cancelled: never send it.",
)
@click.option("--by", metavar="ID", required=True, help="Who found so: a focal point of IOM, in office.")
@click.option("--reason", metavar="TEXT", required=True, help="How it is known. It stays beside the ledger.")
@ledger_file
@policies_folder
def settle(  # noqa: PLR0913, PLR0917 - the options of a command
    key: str, finding: str, by: str, reason: str, path: Path | None, policies: Path | None
) -> None:
    """Record what a person found out about a dispatch, and so end it.

    KEY is its key, or the reference in the subject of the mail, which is how the key begins. It may be of
    unknown outcome, failed, waiting, or cut off while it was sent. What is settled is settled: this cannot be
    taken back.
    """
    person = _ours(load_policy(policies), by)
    ledger = open_ledger(path)
    before = _find(ledger, key)
    found = Finding(finding)
    state = ledger.settle(before.dispatch.key, found, person, reason, moment())
    emit(plain(f"{before.dispatch.key} to {before.dispatch.focal_point}: {before.state}, now {state}."))
    emit(_NEXT[found])


def _ours(policy: Policy, person: str) -> FocalPoint:
    """A focal point of the side that shares: only there is anyone who may answer for what was sent."""
    from dtm_sharing.policy.checks import IOM

    ours = (
        {each.id: each for each in policy.organizations[IOM].focal_points}
        if IOM in policy.organizations
        else {}
    )
    if person not in ours:
        raise UsageProblem.unknown(f"focal point of {IOM}", person, ours)
    return in_office(ours[person])


def _find(ledger: Ledger, key: str) -> Standing:
    """The dispatch of this key, or the one that this reference can only mean."""
    standings = ledger.dispatches(moment())
    found = [each for each in standings if each.dispatch.key.startswith(key.lower())]
    if len(key) < REFERENCE or not found:
        raise UsageProblem(
            f"There is no dispatch {key!r}: give its key, or the first {REFERENCE} signs of it, as the "
            "subject of the mail has them; `dispatch list` shows all."
        )
    if len(found) > 1:
        raise UsageProblem(f"{len(found)} dispatches begin with {key!r}: give the whole key of one.")
    return found[0]
