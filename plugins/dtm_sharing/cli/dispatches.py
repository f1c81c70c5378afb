"""``dispatch``: the outbox, what a person found out about a message, and the recall of what was held."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

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
    today,
)
from dtm_sharing.cli.records import check_known
from dtm_sharing.cli.terminal import emit, emit_data, plain
from dtm_sharing.errors import UsageProblem
from dtm_sharing.model import IOM, PUBLIC, Disclosure, DispatchState, Finding, Role, country_of

if TYPE_CHECKING:
    from dtm_sharing.model import FocalPoint, Policy
    from dtm_sharing.stores.ledger_rows import Standing

T = TypeVar("T")

REFERENCE = 8  # as many signs of a key as stand in the subject of its mail

_NEXT = {
    Finding.ARRIVED: "It counts as received.",
    Finding.NOT_ARRIVED: "The next run of its pathway sends it again, under another key: clear the task.",
    Finding.CANCELLED: "This extract is never sent to that person.",
}
_MAY_HAVE_IT = "It may have left, so it counts as held until `dispatch recall` says that no copy is left."
_RECALLED = "No relation is judged by it any more. `audit` goes on showing it, as recalled."
_WAS_PUBLIC = (
    "Copies of what was public may be anywhere: this records who answers for it, and takes no file away."
)


@click.group()
def dispatch() -> None:
    """The messages to focal points: how each stands, how one is settled, or recalled."""


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
    type=click.Choice([each.value for each in _NEXT]),
    required=True,
    help="arrived: they have it. not-arrived: send it again. cancelled: never send it.",
)
@click.option(
    "--by",
    metavar="ID",
    required=True,
    help="Who found so: a primary or secondary focal point of IOM, in office.",
)
@click.option("--reason", metavar="TEXT", required=True, help="How it is known. It stays beside the ledger.")
@ledger_file
@policies_folder
def settle(  # noqa: PLR0913, PLR0917 - the options of a command
    key: str, finding: str, by: str, reason: str, path: Path | None, policies: Path | None
) -> None:
    """Record what a person found out about a dispatch, and so end it.

    KEY is its key, or the reference in the subject of the mail, which is how the key begins. It may be of
    unknown outcome, failed, waiting, or cut off while it was sent. What is settled is settled: this cannot be
    taken back. What is cancelled and may have left counts as held until it is recalled.
    """
    person = _ours(load_policy(policies), by)
    ledger = open_ledger(path)
    before = _only(key, {each.dispatch.key: each for each in ledger.dispatches(moment())}, "dispatch")
    found = Finding(finding)
    state = ledger.settle(before.dispatch.key, found, person, reason, moment())
    emit(plain(f"{before.dispatch.key} to {before.dispatch.focal_point}: {before.state}, now {state}."))
    emit(_NEXT[found])
    if state is DispatchState.TO_RECALL:
        emit(_MAY_HAVE_IT)


@dispatch.command(
    epilog="\b\nExample:\n"
    "  dtm-sharing dispatch recall 0f8fad5b --by npl/iom-primary \\\n"
    "      --reason 'Letter of 3 June: all copies are deleted'"
)
@click.argument("key")
@click.option(
    "--by",
    metavar="ID",
    required=True,
    help="Who answers for it: a primary or secondary focal point of IOM, in office.",
)
@click.option("--reason", metavar="TEXT", required=True, help="How it is known. It stays beside the ledger.")
@ledger_file
@policies_folder
def recall(key: str, by: str, reason: str, path: Path | None, policies: Path | None) -> None:
    """Record that what was sent or published is held no more, and you have it in writing.

    From then on no decision counts it among what they hold, so that another table may go to them. Nothing
    else undoes a dispatch. `audit` goes on showing it, as recalled, and it is never sent or published again.

    KEY is the key of a dispatch, or of a publication as `audit --organization public` shows it, or how it
    begins. Copies of what was public may be anywhere: for a publication the coordinator signs, our primary
    focal point. Take the file off the public store first; this does not.
    """
    person = _ours(load_policy(policies), by)
    ledger = open_ledger(path)
    known: dict[str, Standing | Disclosure] = {
        each.dispatch.key: each for each in ledger.dispatches(moment())
    }
    known |= {each.key: each for each in ledger.disclosures(str(PUBLIC))}
    before = _only(key, known, "dispatch or publication")
    if isinstance(before, Disclosure):
        _check_coordinator(person)
        key, what = before.key, f"{before.key}, {before.dataset}, round {before.round}, to everyone"
    else:
        key, what = before.dispatch.key, f"{before.dispatch.key} to {before.dispatch.focal_point}"
    ledger.recall(key, person, reason, moment())
    emit(plain(f"{what}: {before.state}, now recalled."))
    emit(_RECALLED)
    if isinstance(before, Disclosure):
        emit(_WAS_PUBLIC)


def _check_coordinator(person: FocalPoint) -> None:
    if person.role is not Role.PRIMARY:
        raise UsageProblem(
            f"{person.id} is {person.role} ({person.source}): the recall of a publication is signed by the "
            "coordinator, our primary focal point."
        )


def _ours(policy: Policy, person: str) -> FocalPoint:
    """Our primary or secondary focal point, in office: nobody else may answer for what was sent."""
    known = {each.id: each for each in policy.focal_points.values() if each.organization == IOM}
    ours = {id_: each for id_, each in known.items() if each.role in {Role.PRIMARY, Role.SECONDARY}}
    if person not in known:
        raise UsageProblem.unknown(f"focal point of {IOM}", person, ours)
    if person not in ours:
        here = (each for each in ours.values() if country_of(each.id) == country_of(person))
        named = " or ".join(sorted(each.id for each in here if each.in_office.covers(today())))
        raise UsageProblem(
            f"{person} is {known[person].role} ({known[person].source}), who takes no data: have "
            f"{named or 'our primary or secondary focal point'} sign for it."
        )
    return in_office(ours[person])


def _only(key: str, known: Mapping[str, T], what: str) -> T:
    """What has this key, or the one that this reference can only mean."""
    found = [each for each in known if each.startswith(key.lower())]
    if len(key) < REFERENCE or not found:
        raise UsageProblem(
            f"There is no {what} {key!r}: give its key, or the first {REFERENCE} signs of it, as the "
            "subject of the mail has them; `dispatch list` and `audit` show all."
        )
    if len(found) > 1:
        raise UsageProblem(f"{len(found)} of them begin with {key!r}: give the whole key of one.")
    return known[found[0]]
