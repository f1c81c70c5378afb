"""The given/expect files of a policy folder: every ``*.yaml`` in a folder named ``tests``, at any depth."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from dtm_sharing.errors import PolicyInvalid, UsageProblem
from dtm_sharing.policy import Problem
from dtm_sharing.stores import regular

TESTS = "tests"


def read_tests(folder: Path) -> dict[str, bytes]:
    """Path below the folder → content, in order of path. Hidden files are none.

    Raises:
        UsageProblem: there is no such folder.
        PolicyInvalid: a file cannot be read, or its name ends in ``.yml``, so that it would never be run.
    """
    if not folder.is_dir():
        raise UsageProblem(f"there is no policy folder {folder}; name the folder that holds tests/")
    files: dict[str, bytes] = {}
    problems: list[Problem] = []
    for name in _names(folder):
        try:
            files[name] = regular.read(folder / name)
        except OSError as error:
            problems.append(Problem(name, 1, 1, f"this file cannot be read: {error.strerror}"))
        if not name.endswith(".yaml"):
            sentence = "a test file's name ends in .yaml; rename this file, or begin its name with a dot"
            problems.append(Problem(name, 1, 1, sentence))
    if problems:
        raise PolicyInvalid(tuple(problems))
    return files


def _names(folder: Path) -> Iterator[str]:
    def unreadable(error: OSError) -> None:
        where = Path(error.filename).relative_to(folder).as_posix()
        sentence = f"this folder cannot be read: {error.strerror}"
        raise PolicyInvalid((Problem(where, 1, 1, sentence),)) from error

    for where, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        within = Path(where).relative_to(folder)
        if TESTS not in within.parts:
            continue
        for name in sorted(names):
            if not name.startswith((".", "#")) and name.lower().endswith((".yaml", ".yml")):
                yield (within / name).as_posix()
