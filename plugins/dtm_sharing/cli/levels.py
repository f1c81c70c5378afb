"""``levels``: Table A by its own words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dtm_sharing.cli.options import load_policy, output_form, policies_folder
from dtm_sharing.cli.shapes import as_json
from dtm_sharing.cli.terminal import emit, emit_data, plain

if TYPE_CHECKING:
    from dtm_sharing.model import Protocol


@click.command(
    short_help="Print Table A: the three levels, in the policy's own words.",
    epilog="\b\nExample:\n  dtm-sharing levels --policies policies",
)
@policies_folder
@output_form("table", "json")
def levels(policies: Path | None, form: str) -> None:
    """Print what each level means and includes, what others call it, and how it may be disclosed."""
    protocols = load_policy(policies).protocols.values()
    if form == "json":
        emit_data(as_json([_protocol(each) for each in protocols]))
    else:
        emit("\n\n".join("\n".join(plain(line) for line in _page(each)) for each in protocols))


def _protocol(each: Protocol) -> dict[str, Any]:
    return {
        "level": each.level.label,
        "meaning": each.meaning,
        "includes": list(each.includes),
        "disclosure": each.disclosure,
        "aliases": {scheme: list(words) for scheme, words in each.aliases.items()},
        "crosswalks": {scheme: list(words) for scheme, words in each.crosswalks.items()},
        "source": str(each.source),
    }


def _page(each: Protocol) -> Iterator[str]:
    yield each.level.label.upper()
    yield from _wrapped("", each.meaning)
    for include in each.includes:
        yield from _wrapped("- ", include)
    yield from _wrapped("Disclosure: ", each.disclosure)
    for scheme, words in each.aliases.items():
        yield from _wrapped(f"Called by {scheme}: ", ", ".join(words))
    for scheme, words in each.crosswalks.items():
        yield from _wrapped(f"In {scheme}: ", "; ".join(words))
    yield f"  ({each.source})"


def _wrapped(mark: str, text: str) -> list[str]:
    return textwrap.wrap(f"{mark}{text.strip()}", 78, initial_indent="  ", subsequent_indent="    ")
