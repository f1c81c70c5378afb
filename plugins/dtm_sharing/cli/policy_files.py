"""``validate`` and ``schema``: the policy folder itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from dtm_sharing.cli.options import load_policy, settings, type_path
from dtm_sharing.cli.terminal import emit, plain, replace_file
from dtm_sharing.errors import StoreFailed

_COUNTED = ("operations", "datasets", "indicators", "relations", "assessments", "agreements", "organizations")


@click.command(
    short_help="Check all policy files of DIR.", epilog="\b\nExample:\n  dtm-sharing validate policies"
)
@click.argument("folder", metavar="[DIR]", required=False, type=type_path)
def validate(folder: Path | None) -> None:
    """Check all policy files of DIR, and each against the others.

    Every problem of every file is one line, file:line:column: what is wrong. Exit code 3 if there is one.
    Without DIR: the folder of DTM_SHARING_POLICIES.
    """
    policy = load_policy(folder)
    counts = ", ".join(f"{name} {len(getattr(policy, name))}" for name in _COUNTED)
    emit(f"The policy is valid: {counts}.")
    emit(f"digest {policy.digest}")


@click.command(
    short_help="Write the JSON schemas of the policy files.",
    epilog="\b\nExample:\n  dtm-sharing schema policies/schemas",
)
@click.argument("folder", metavar="[DIR]", required=False, type=type_path)
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if a file would change.")
def schema(folder: Path | None, *, check: bool) -> int:
    """Write the JSON schemas that the first line of each policy file names, for editors that complete.

    Without DIR: the folder `schemas` of DTM_SHARING_POLICIES.
    """
    from dtm_sharing import policy

    folder = folder or settings().policies / "schemas"
    changed = _changed(folder, {f"{kind}.schema.json": text for kind, text in _texts(policy.schemas())})
    for name, text in changed.items():
        if not check:
            replace_file(folder / name, text, "schema")
        emit(plain(f"{'would change' if check else 'changed'}  {folder / name}"))
    if not changed:
        emit(plain(f"All schemas in {folder} are up to date."))
    return 1 if check and changed else 0


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
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreFailed(f"{path}: the schema cannot be read ({error.strerror})") from error
