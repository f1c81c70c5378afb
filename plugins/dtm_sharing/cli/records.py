"""``audit`` and ``ledger``: what left, and whether the record of it is unaltered. All of them only read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dtm_sharing.cli import render, shapes
from dtm_sharing.cli.options import (
    ledger_file,
    load_policy,
    open_ledger,
    output_form,
    policies_folder,
    settings,
    type_path,
)
from dtm_sharing.cli.terminal import ask_master_secret, emit, emit_data, plain, replace_file
from dtm_sharing.errors import UsageProblem
from dtm_sharing.model import PUBLIC

if TYPE_CHECKING:
    from dtm_sharing.model import Disclosure
    from dtm_sharing.stores.database import Ledger

FIRST_YEAR, LAST_YEAR = 1990, 9998  # a year outside is a slip of the hand


@click.command(
    short_help="Answer what an organisation received.",
    epilog="\b\nExample:\n  dtm-sharing audit --organization public --year 2026 --format csv",
)
@click.option(
    "--organization", required=True, metavar="ID", help="Who received; `public` for what was published."
)
@click.option(
    "--year", type=click.IntRange(FIRST_YEAR, LAST_YEAR), metavar="YEAR", help="Only of this year, in UTC."
)
@ledger_file
@policies_folder
@output_form("table", "json", "csv")
def audit(organization: str, year: int | None, path: Path | None, policies: Path | None, form: str) -> None:
    """Answer what an organisation received: when, which columns, for what purpose, by which method."""
    ledger = open_ledger(path)
    received = ledger.disclosures(organization, year)
    if not received:
        check_known(organization, {each.organization for each in ledger.disclosures()}, policies)
    _show(organization, year, received, form)


def check_known(organization: str, recorded: set[str], policies: Path | None) -> None:
    """Only of an organisation that ledger or policy has heard of may one answer that it received nothing."""
    if organization in recorded or organization == str(PUBLIC):
        return
    known = recorded | set(load_policy(policies).organizations)
    if organization not in known:
        raise UsageProblem.unknown("organization", organization, known)


def _show(organization: str, year: int | None, received: Sequence[Disclosure], form: str) -> None:
    shown = [shapes.disclosure(each) for each in received]
    if form == "json":
        emit_data(shapes.as_json(shown))
    elif form == "csv":
        emit_data(shapes.as_csv(shapes.DISCLOSURE, shown))
    else:
        when = "" if year is None else f" in {year}"
        count = render.many(len(shown), "disclosure") if shown else "received nothing"
        render.records(f"{organization}{when}: {count}.", [_block(each) for each in shown])


def _block(sent: dict[str, Any]) -> tuple[str, dict[str, str]]:
    heading = ("sent_at", "dataset", "round", "level", "state")
    return "  ".join(str(sent[name]) for name in heading), {
        name.replace("_", " "): "; ".join(value) if isinstance(value, list) else str(value)
        for name, value in sent.items()
        if value is not None and name not in {*heading, "organization"}
    }


@click.group()
def ledger() -> None:
    """The record of everything that left."""


@ledger.command(epilog="\b\nExample:\n  dtm-sharing ledger verify --ledger ledger.db")
@ledger_file
@click.option(
    "--key", metavar="FILE|KEY", help="Public key of the checkpoints. [default: DTM_SHARING_LEDGER_KEY]"
)
@click.option("--checkpoint", type=type_path, metavar="FILE", help="A checkpoint that was kept elsewhere.")
@click.option("--receipt", type=type_path, metavar="FILE", help="A receipt that a recipient kept.")
@output_form("table", "json")
def verify(
    path: Path | None, key: str | None, checkpoint: Path | None, receipt: Path | None, form: str
) -> None:
    """Prove the ledger unaltered: every entry, and that it still holds what others kept of it.

    Exit code 2 if it is not; the sentence has the number of the first entry that is wrong.
    """
    proved = open_ledger(path).verify(
        verifier_key=settings().ledger_key if key is None else _key(key),
        checkpoint=None if checkpoint is None else _read(checkpoint),
        receipt=None if receipt is None else _read(receipt),
    )
    if form == "json":
        proof = {"size": proved.size, "root": proved.root.hex(), "checkpoints": proved.checkpoints}
        emit_data(shapes.as_json(proof))
    else:
        checkpoints = render.many(proved.checkpoints, "checkpoint")
        emit(f"The ledger is unaltered: {proved.size} entries, {checkpoints}.")
        emit(f"root {proved.root.hex()}")
        if checkpoint is None and receipt is None:
            emit("Nothing kept elsewhere was compared: only --checkpoint or --receipt shows a ledger that")
            emit("was written anew as a whole.")


@ledger.command(epilog="\b\nExample:\n  dtm-sharing ledger checkpoint --output checkpoint.txt")
@ledger_file
@click.option("--output", type=type_path, metavar="FILE", help="Write it there instead of printing it.")
def checkpoint(path: Path | None, output: Path | None) -> None:
    """Print the newest signed checkpoint: two hundred bytes to mail to an auditor.

    Whoever keeps it can show later that the ledger was rewritten: `ledger verify --checkpoint FILE`. Each
    message of an extract makes a new one. No key is needed.
    """
    opened = open_ledger(path)
    note = opened.newest_checkpoint()
    if note is None:
        raise UsageProblem(
            "The ledger has no checkpoint yet: one is signed with the first extract that is sent."
        )
    if output is None:
        emit_data(note)
        return
    replace_file(output, note, "checkpoint", make_folder=True)
    emit(plain(f"{output}: checkpoint of {opened.origin}, over {_covered(note)} of {opened.size} entries."))


def _covered(note: str) -> int:
    from dtm_sharing.ledger import read_checkpoint

    return read_checkpoint(note).size


@ledger.command("key", epilog="\b\nExample:\n  dtm-sharing ledger key > ledger.pub")
@ledger_file
def public_key(path: Path | None) -> None:
    """Print the public key of the checkpoints, for auditors, partners and DTM_SHARING_LEDGER_KEY.

    That of DTM_SHARING_LEDGER_KEY; if it is not set, it is derived from the master secret, which is asked for
    on the terminal. Either is held against the newest checkpoint.
    """
    opened = open_ledger(path)
    emit(_checked(settings().ledger_key or _derived(opened), opened))


def _derived(opened: Ledger) -> str:
    from dtm_sharing.stores.keys import Keys

    return Keys.derive(ask_master_secret(), opened.origin).checkpoint_verifier


def _checked(key: str, opened: Ledger) -> str:
    """The key, which must have signed the newest checkpoint: a slip here would make auditors cry wolf."""
    from dtm_sharing.ledger import read_checkpoint, signed_by

    note = opened.newest_checkpoint()
    if note is None:
        click.echo("The ledger has no checkpoint yet, so nothing shows whether this is its key.", err=True)
    elif not signed_by(note, key):
        raise UsageProblem(
            f"This key did not sign the newest checkpoint of {opened.origin}: check the master secret, or "
            "DTM_SHARING_LEDGER_KEY."
        )
    else:
        read_checkpoint(note, key)
    return key


def _key(text: str) -> str:
    """The key itself, ``name+id+base64``, or the content of the file of that name."""
    path = Path(text)
    return _read(path).strip() if path.is_file() or "+" not in text else text


def _read(path: Path) -> str:
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise UsageProblem(f"{path}: the file cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{path}: this is no text in UTF-8.") from error
    if not text.strip():
        raise UsageProblem(f"{path}: the file is empty, so it proves nothing.")
    return text
