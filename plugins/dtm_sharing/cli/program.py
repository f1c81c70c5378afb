"""The group of commands. Nothing heavy is imported until a command runs."""

from __future__ import annotations

from typing import Any

import click

from dtm_sharing.cli import dispatches, passwords, policy_files, records, tables


def _version(context: click.Context, _option: click.Parameter, wanted: Any) -> None:
    if not wanted or context.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"dtm-sharing {version('dtm-sharing')}")
    except PackageNotFoundError:
        click.echo("dtm-sharing (not installed, run from its folder)")
    context.exit()


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 allowed or done, 1 failure, 2 denied or a ledger that does not verify, 3 invalid "
    "policy, 4 undecided. `dtm-sharing COMMAND --help` ends in an example.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
)
def program() -> None:
    """Share DTM rounds by policy: what may leave, to whom, in which form, with a receipt.

    Policy and ledger are found by DTM_SHARING_POLICIES and DTM_SHARING_LEDGER, or by the options of a
    command; passwords by DTM_SHARING_CREDENTIALS. No command prints a value of a table.
    """


for _command in (
    policy_files.validate,
    policy_files.schema,
    tables.classify,
    tables.gate,
    tables.explain,
    records.audit,
    records.ledger,
    dispatches.dispatch,
    passwords.password,
):
    program.add_command(_command)
