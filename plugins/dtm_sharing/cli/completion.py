"""What the shell offers while a command is typed: ids of the policy, and nothing at all where it cannot say.

It runs at every press of a key, in the middle of a line: it prints no error and no value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from dtm_sharing.cli.options import load_policy
from dtm_sharing.cli.terminal import emit_data

if TYPE_CHECKING:
    from dtm_sharing.model import Policy

VARIABLE = "_DTM_SHARING_COMPLETE"  # click's name for a program called dtm-sharing
PROGRAM = "dtm-sharing"

# By the name that click hands to the command: what the policy offers for it.
_OFFERED: Mapping[str, Callable[[Policy], Iterable[str]]] = {
    "dataset_id": lambda policy: policy.datasets,
    "dataset": lambda policy: policy.datasets,
    "audience": lambda policy: ("public", *policy.agreements),
    "organization": lambda policy: ("public", *policy.organizations),
    "focal_point": lambda policy: policy.focal_points,
    "by": lambda policy: policy.focal_points,
}


class Known(click.types.StringParamType):
    """A text for which the shell offers ids; whether it is one is for the command to say."""

    def __init__(self, offered: Callable[[Policy], Iterable[str]]) -> None:
        self._offered = offered

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        del param
        try:
            ids = self._offered(load_policy(_folder(ctx)))
            return [CompletionItem(each) for each in sorted(ids) if each.startswith(incomplete)]
        except Exception:  # noqa: BLE001 - whatever it is, it must not reach the line that is being typed
            return []


def _folder(context: click.Context) -> Path | None:
    """Where this very line says the policy is, if it says so."""
    given: Any = context.params.get("policies")
    return None if given is None else Path(given)


def offer_ids(group: click.Group) -> None:
    """Let every option and argument of the commands offer what ``_OFFERED`` has for its name."""
    for command in group.commands.values():
        if isinstance(command, click.Group):
            offer_ids(command)
        for parameter in command.params:
            if parameter.name in _OFFERED and parameter.type is click.STRING:
                parameter.type = Known(_OFFERED[parameter.name])


@click.command(
    short_help="Print the completion script of a shell.",
    epilog="\b\nExample:\n  dtm-sharing completion bash",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that lets a shell complete commands, options and ids of the policy.

    bash and zsh read it from their start file; fish from ~/.config/fish/completions/dtm-sharing.fish.
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows the shells that are offered"
    # Not kind.source: for bash that also starts one, to complain about its version.
    emit_data(ShellComplete.source(kind(context.find_root().command, {}, PROGRAM, VARIABLE)) + "\n")
