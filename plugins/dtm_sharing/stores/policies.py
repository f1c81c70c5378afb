"""The policy folder on disk. Nothing in it is silently left out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from dtm_sharing import policy
from dtm_sharing.errors import PolicyInvalid, UsageProblem
from dtm_sharing.model import Policy
from dtm_sharing.policy import Problem

# Not policy: the generated JSON schemas at the top, and given/expect tests at any depth.
_SCHEMAS, _TESTS = "schemas", "tests"
_BACKUPS = ("~", ".bak", ".orig", ".rej", ".swp", ".swo", ".tmp")


def read_policies(folder: Path) -> Policy:
    """The policy of a folder: every ``*.yaml`` below it, but ``schemas/`` and ``tests/``.

    Hidden files and editors' backups are no policy files. A file that looks like one and cannot be read as
    one (``.yml``, ``.yaml.txt``, no permission) is a problem.

    Raises:
        UsageProblem: there is no such folder.
        PolicyInvalid: with every problem of every file.
    """
    files, problems = _read(folder)
    try:
        loaded = policy.parse(files)
    except PolicyInvalid as invalid:
        # A folder whose files cannot be read at all is not also empty.
        found = [each for each in invalid.problems if isinstance(each, Problem) and (files or not problems)]
        raise PolicyInvalid(tuple(sorted({*problems, *found}))) from invalid
    if problems:
        raise PolicyInvalid(tuple(sorted(problems)))
    return loaded


def policy_digest(folder: Path) -> str:
    """The digest of the policy that ``read_policies`` would give, without parsing: to see whether it changed.

    Raises:
        UsageProblem: there is no such folder.
        PolicyInvalid: a file cannot be read, or has a name that ``read_policies`` refuses.
    """
    files, problems = _read(folder)
    if problems:
        raise PolicyInvalid(tuple(sorted(problems)))
    return policy.digest(files)


def _read(folder: Path) -> tuple[dict[str, bytes], list[Problem]]:
    if not folder.is_dir():
        raise UsageProblem(
            f"there is no policy folder {folder}; name the folder that holds classification.yaml"
        )
    files: dict[str, bytes] = {}
    problems: list[Problem] = []
    for name, path in _walk(folder, problems):
        is_file = path.is_file()
        if sentence := _why_not(path.name, is_file=is_file):
            problems.append(Problem(name, 1, 1, sentence))
        # A misnamed file is read all the same, so that what it names is not called missing as well.
        if is_file and name.lower().endswith((".yaml", ".yml")):
            try:
                files[name] = path.read_bytes()
            except OSError as error:
                problems.append(Problem(name, 1, 1, f"this file cannot be read: {error.strerror}"))
    return files, problems


def _walk(folder: Path, problems: list[Problem]) -> Iterator[tuple[str, Path]]:
    """Every file that may be a policy file, with its name relative to the folder, in order of name."""

    def unreadable(error: OSError) -> None:
        name = Path(error.filename).relative_to(folder).as_posix()
        problems.append(Problem(name, 1, 1, f"this folder cannot be read: {error.strerror}"))

    for where, folders, names in os.walk(folder, onerror=unreadable):
        here = Path(where)
        within = "" if here == folder else f"{here.relative_to(folder).as_posix()}/"
        skipped = {_TESTS, _SCHEMAS} if here == folder else {_TESTS}
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each not in skipped)
        for each in folders:
            if (here / each).is_symlink():
                sentence = "this folder is a link, which is not followed; put its files here"
                problems.append(Problem(f"{within}{each}", 1, 1, sentence))
        for each in sorted(names):
            if not each.startswith((".", "#")) and not each.lower().endswith(_BACKUPS):
                yield f"{within}{each}", here / each


def _why_not(name: str, *, is_file: bool) -> str | None:
    """Why a file that seems to be a policy file is not one; None if it is one, or does not seem to be."""
    if ".yaml" not in name.lower() and ".yml" not in name.lower():
        return None
    if not name.endswith(".yaml"):
        return "a policy file's name ends in .yaml; rename this file, or begin its name with a dot"
    if not is_file:
        return "this is not a file that can be read; remove it or mend the link"
    return None
