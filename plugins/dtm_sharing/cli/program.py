"""The group of commands. Nothing heavy is imported until a command runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from dtm_sharing.cli import (
    completion,
    dispatches,
    formatting,
    levels,
    passwords,
    policy_files,
    policy_tests,
    records,
    review,
    tables,
)

# What ``--help`` lists, in the order of the work: write the rules, judge a table, see what left, help.
SECTIONS: Mapping[str, Sequence[click.Command]] = {
    "Judge a table": (tables.classify, tables.gate, tables.explain),
    "Write the rules": (
        levels.levels,
        policy_files.validate,
        formatting.fmt,
        policy_tests.test,
        policy_files.seal,
        policy_files.schema,
    ),
    "Judge again": (review.diff, review.simulate, review.replay, review.due),
    "See what left": (records.audit, records.ledger, dispatches.dispatch, passwords.password),
    "Work at the shell": (completion.completion,),
}


class Program(click.Group):
    """Lists its commands by section, not by letter."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        limit = formatter.width - 6 - max(map(len, self.commands))  # click's own sum
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(str(each.name), each.get_short_help_str(limit)) for each in commands])


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
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 allowed or done, 1 failure (or a file that --check would change), 2 denied, a "
    "given/expect case that fails, something that would be newly allowed or refused, or a ledger that does "
    "not verify, 3 invalid policy, 4 undecided. "
    "`dtm-sharing COMMAND --help` ends in an example.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
)
def program() -> None:
    """Share DTM rounds by policy: what may leave, to whom, in which form, with a receipt.

    Policy and ledger are found by DTM_SHARING_POLICIES and DTM_SHARING_LEDGER, or by the options of a
    command; passwords by DTM_SHARING_CREDENTIALS. No command prints a value of a table.
    """


for _commands in SECTIONS.values():
    for _command in _commands:
        program.add_command(_command)
completion.offer_ids(program)
