"""Every error that we raise on purpose: one sentence for the reader, one exit code for the caller.

Exit codes: 0 allowed, 1 failure, 2 denied (or a ledger that does not verify), 3 invalid policy, 4 undecided.
No message holds a cell value, a person's name or a password.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


class SharingError(Exception):
    """Base of all our errors. ``str(error)`` is one clear sentence that says what to do."""

    exit_code = 1
    retry = False  # True: the same try may succeed later, and is safe to make


class UsageProblem(SharingError):
    """What was asked for does not exist or makes no sense, e.g. an unknown dataset."""

    @classmethod
    def unknown(cls, kind: str, given: str, known: Iterable[str]) -> UsageProblem:
        """An id that no policy file declares, with the nearest ones that are declared, or all of a few."""
        ids = sorted(known)
        near = get_close_matches(given, ids, n=3) or ids[:5]
        hint = f"did you mean {' or '.join(near)}?" if near else f"the policy declares no {kind}."
        return cls(f"There is no {kind} {given!r}: {hint}")


class TableUnreadable(SharingError):
    """A file that cannot be read as a table: missing, empty, of the wrong encoding, broken."""


class StoreFailed(SharingError):
    """A folder, bucket, database or mail server did not do what was asked."""

    retry = True


class DispatchOpen(SharingError):
    """A message is not known to have been taken. ``retry``: whether it certainly did not leave."""

    def __init__(self, sentence: str, *, retry: bool) -> None:
        super().__init__(sentence)
        self.retry = retry


class PackageUnsafe(SharingError):
    """An artefact that did not pass its own check after it was reopened. It must not leave."""


class GateDenied(SharingError):
    """The gate refuses: something in the table may not go to this audience."""

    exit_code = 2


class LedgerAltered(SharingError):
    """The ledger does not verify. ``entry`` is the number of the first entry that is wrong, if one is."""

    exit_code = 2

    def __init__(self, sentence: str, entry: int | None = None) -> None:
        super().__init__(sentence)
        self.entry = entry


class PolicyInvalid(SharingError):
    """Policy files that do not load. ``problems`` holds every problem of every file."""

    exit_code = 3

    def __init__(self, problems: tuple[object, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class Undecided(SharingError):
    """Nothing justifies a decision, so nothing leaves. The sentence names what is missing."""

    exit_code = 4


def bug(error: Exception) -> str:
    """Which unexpected error it was and where, without its text or traceback: both may quote a cell."""
    steps = traceback.extract_tb(error.__traceback__)
    ours = [each for each in steps if Path(each.filename).is_relative_to(_PACKAGE)] or steps
    place = Path(ours[-1].filename)
    if place.is_relative_to(_PACKAGE):
        place = place.relative_to(_PACKAGE.parent)
    return f"This is a bug: {type(error).__name__} at {place}:{ours[-1].lineno}; please report this line."
