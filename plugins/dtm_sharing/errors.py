"""Every error that we raise on purpose: one sentence for the reader, one exit code for the caller.

Exit codes: 0 allowed, 1 failure, 2 denied (or a ledger that does not verify), 3 invalid policy, 4 undecided.
No message holds a cell value, a person's name or a password.
"""

from __future__ import annotations


class SharingError(Exception):
    """Base of all our errors. ``str(error)`` is one clear sentence that says what to do."""

    exit_code = 1


class UsageProblem(SharingError):
    """What was asked for does not exist or makes no sense, e.g. an unknown dataset."""


class TableUnreadable(SharingError):
    """A file that cannot be read as a table: missing, empty, of the wrong encoding, broken."""


class StoreFailed(SharingError):
    """A folder, bucket, database or mail server did not do what was asked."""


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
