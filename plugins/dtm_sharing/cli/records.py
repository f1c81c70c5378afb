"""``audit`` and ``ledger verify``: what left, and whether the record of it is unaltered. Both only read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dtm_sharing.cli import render, shapes
from dtm_sharing.cli.options import load_policy, output_form, policies_folder, settings, type_path
from dtm_sharing.cli.terminal import emit, emit_data
from dtm_sharing.errors import UsageProblem
from dtm_sharing.model import PUBLIC

if TYPE_CHECKING:
    from dtm_sharing.model import Disclosure
    from dtm_sharing.stores.database import Ledger

FIRST_YEAR, LAST_YEAR = 1990, 9998  # a year outside is a slip of the hand

ledger_file = click.option(
    "--ledger", "path", type=type_path, metavar="PATH", help="The ledger. [default: DTM_SHARING_LEDGER]"
)


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
    ledger = _open(path)
    received = ledger.disclosures(organization, year)
    if not received:
        _check_known(organization, ledger, policies)
    _show(organization, year, received, form)


def _check_known(organization: str, ledger: Ledger, policies: Path | None) -> None:
    """Only of an organisation that ledger or policy has heard of may one answer that it received nothing."""
    recorded = {each.organization for each in ledger.disclosures()}
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
    proved = _open(path).verify(
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


def _open(path: Path | None) -> Ledger:
    from dtm_sharing.stores.database import Ledger

    return Ledger(path or settings().ledger, create=False)


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
