"""``validate``, ``seal`` and ``schema``: the policy folder itself."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dtm_sharing.cli import reports
from dtm_sharing.cli.options import (
    Day,
    load_policy,
    output_form,
    settings,
    today,
    type_path,
)
from dtm_sharing.cli.reports import Finding, located
from dtm_sharing.cli.terminal import emit, emit_data, plain, replace_file
from dtm_sharing.errors import PolicyInvalid, StoreFailed

if TYPE_CHECKING:
    from dtm_sharing.model import Policy

INVALID = PolicyInvalid.exit_code
WOULD_CHANGE = 1
_COUNTED = (
    "operations",
    "datasets",
    "indicators",
    "relations",
    "overlays",
    "assessments",
    "waivers",
    "agreements",
    "organizations",
)

folder_argument = click.argument("folder", metavar="[DIR]", required=False, type=type_path)


# ----------------------------------------------------------------------------------------------- validate


@click.command(
    short_help="Check all policy files of DIR.",
    epilog="\b\nExample:\n  dtm-sharing validate policies --format sarif --output policy.sarif",
)
@folder_argument
@output_form("table", "json", "junit", "sarif", "github")
@click.option("--output", type=type_path, metavar="FILE", help="Write the report there, and print nothing.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    default="error",
    show_default=True,
    help="warning: what is valid and wants a second look fails too.",
)
@click.option("--as-of", type=Day(), metavar="DATE", help="Warn as on this day. [default: today, UTC]")
def validate(*, folder: Path | None, form: str, output: Path | None, fail_on: str, as_of: date | None) -> int:
    """Check all policy files of DIR, and each against the others.

    Every problem of every file is one line, file:line:column: what is wrong. Exit code 3 if there is one.
    Without DIR: the folder of DTM_SHARING_POLICIES.
    """
    folder = folder or settings().policies
    policy, found = _judged(folder, as_of or today())
    if form == "table" and output is None and policy is None:
        load_policy(folder)  # says it as every command does
    text = _report(folder, policy, found, form, fail_on)
    if output is not None:
        replace_file(output, text, "report")
    elif form == "table":
        emit(plain_lines(text))
    else:
        emit_data(text)
    failing = ("error",) if fail_on == "error" else ("error", "warning")
    return INVALID if any(each.level in failing for each in found) else 0


def _judged(folder: Path, as_of: date) -> tuple[Policy | None, list[Finding]]:
    """The policy, if it is one, and all that is to be said of it."""
    from dtm_sharing.review.doubts import doubts

    try:
        policy = load_policy(folder)
    except PolicyInvalid as invalid:
        return None, reports.of_problems(folder, invalid)
    return policy, [
        Finding(
            located(folder, each.source.file),
            each.source.line,
            each.source.column,
            each.kind,
            "warning",
            each.sentence,
        )
        for each in doubts(policy, as_of)
    ]


def _report(folder: Path, policy: Policy | None, found: Sequence[Finding], form: str, fail_on: str) -> str:
    from dtm_sharing.policy import kinds
    from dtm_sharing.review import doubts

    digest = policy.digest if policy else None
    match form:
        case "json":
            return reports.as_json(found, valid=policy is not None, digest=digest)
        case "sarif":
            return reports.as_sarif(found, {**kinds.meanings(), **doubts.MEANINGS})
        case "github":
            return reports.as_github(found)
        case "junit":
            files = [located(folder, name) for name in _names(folder, policy)]
            failing = ("error",) if fail_on == "error" else ("error", "warning")
            return reports.as_junit("policy", reports.by_file(found, files), failing)  # type: ignore[arg-type]
        case _:
            return _valid(policy) + reports.as_lines(found)


def _names(folder: Path, policy: Policy | None) -> Iterable[str]:
    """Every policy file, whether or not the policy is valid; of a folder that cannot be read, none."""
    from dtm_sharing.stores.policies import read_files

    if policy is not None:
        return policy.files
    try:
        return read_files(folder)
    except PolicyInvalid:
        return ()


def _valid(policy: Policy | None) -> str:
    if policy is None:
        return ""
    counts = ", ".join(f"{name} {len(getattr(policy, name))}" for name in _COUNTED)
    return f"The policy is valid: {counts}.\ndigest {policy.digest}\n"


def plain_lines(text: str) -> str:
    return "\n".join(plain(line) for line in text.splitlines())


# --------------------------------------------------------------------------------------------------- seal


@click.command(
    short_help="List the files of DIR with their hashes, once they are reviewed.",
    epilog="\b\nExample:\n  dtm-sharing seal policies",
)
@folder_argument
@click.option(
    "--check", is_flag=True, help="Write nothing; exit code 1 if the seal is not that of the files."
)
def seal(folder: Path | None, *, check: bool) -> int:
    """Write SHA256SUMS at the top of DIR: what a policy folder must hold to be read at all.

    A folder that was copied half, or edited and not reviewed, then decides nothing. An invalid policy is not
    sealed: exit code 3. Without DIR: the folder of DTM_SHARING_POLICIES.
    """
    from dtm_sharing.policy import digest
    from dtm_sharing.stores import policies

    folder = folder or settings().policies
    if check:
        sealed = policies.is_sealed(folder)
        verdict = "is sealed as it is" if sealed else "is not what its seal says: review it, then seal it"
        emit(plain(f"{folder} {verdict}."))
        return 0 if sealed else WOULD_CHANGE
    policies.seal(folder)
    files = policies.read_files(folder)
    emit(plain(f"Sealed {len(files):,} files of {folder}."))
    emit(f"digest {digest(files)}")
    return 0


# ------------------------------------------------------------------------------------------------- schema


@click.command(
    short_help="Write the JSON schemas of the policy files.",
    epilog="\b\nExample:\n  dtm-sharing schema policies/schemas",
)
@folder_argument
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if a file would change.")
def schema(folder: Path | None, *, check: bool) -> int:
    """Write the JSON schemas that the first line of each policy file names, for editors that complete.

    Where DIR is a policy folder: into its folder `schemas`. Without DIR: that of DTM_SHARING_POLICIES.
    """
    from dtm_sharing import policy
    from dtm_sharing.policy import expected

    folder = folder or settings().policies / "schemas"
    if os.access(folder / "classification.yaml", os.F_OK):
        folder /= "schemas"
    schemas = {**policy.schemas(), "test": expected.schema()}
    changed = _changed(folder, {f"{kind}.schema.json": text for kind, text in _texts(schemas)})
    for name, text in changed.items():
        if not check:
            replace_file(folder / name, text, "schema", make_folder=True)
        emit(plain(f"{'would change' if check else 'changed'}  {folder / name}"))
    if not changed:
        emit(plain(f"All schemas in {folder} are up to date."))
    return WOULD_CHANGE if check and changed else 0


def _texts(schemas: Mapping[str, object]) -> list[tuple[str, str]]:
    import json

    return [
        (kind, json.dumps(each, indent=2, ensure_ascii=False) + "\n")
        for kind, each in sorted(schemas.items())
    ]


def _changed(folder: Path, texts: Mapping[str, str]) -> dict[str, str]:
    """The files whose content on disk is another, or none."""
    return {name: text for name, text in texts.items() if _read(folder / name) != text.encode()}


def _read(path: Path) -> bytes | None:
    from dtm_sharing.stores import regular

    try:
        return regular.read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreFailed(f"{path}: the schema cannot be read ({error.strerror})") from error
