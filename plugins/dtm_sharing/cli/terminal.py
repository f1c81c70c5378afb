"""What reaches stdout, stderr and files: safe to look at, and whole or not at all. And what is asked for."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from contextlib import suppress
from pathlib import Path

import click

from dtm_sharing.errors import StoreFailed, UsageProblem

# Signs that move or turn what follows on a terminal: a header row is somebody else's text.
_TURNING = frozenset("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def plain(text: str) -> str:
    """One line of text without anything that a terminal would obey."""
    return "".join(map(_printable, text))


def _printable(sign: str) -> str:
    if sign in "\t\n":
        return " "
    return "\ufffd" if sign in _TURNING or unicodedata.category(sign) in {"Cc", "Cs"} else sign


def emit(text: str) -> None:
    """Print a page for people, in the terminal's own encoding, its colours as they are."""
    _write(f"{text}\n")


def emit_data(text: str) -> None:
    """Print JSON or CSV: in UTF-8 wherever it goes, for other programs read it."""
    _write(text.encode("utf-8", "backslashreplace"))


def _write(output: str | bytes) -> None:
    try:
        click.echo(output, nl=False, color=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        abandon_output()
        raise StoreFailed(f"The answer could not be written: {error.strerror}.") from error


def replace_file(path: Path, text: str, what: str, *, make_folder: bool = False) -> None:
    """Write the whole file or leave the old one: somebody may be reading it.

    A folder that is not there is made only if ``make_folder``: a mistyped path is not to be filled.

    Raises:
        StoreFailed: the file cannot be written.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text, "utf-8")
        with suppress(FileNotFoundError):
            shutil.copymode(path, new)
        new.replace(path)
    except OSError as error:
        with suppress(OSError):
            new.unlink()
        raise StoreFailed(f"{path}: the {what} cannot be written ({error.strerror})") from error


def ask_master_secret() -> str:
    """The master secret, typed on the terminal and shown nowhere.

    Never from an argument or the environment: other programs of the host see those, and shells keep them.

    Raises:
        UsageProblem: there is no terminal to ask on.
    """
    import getpass
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # else it reads on, with the typing in sight
        try:
            return getpass.getpass("Master secret: ").strip()
        except getpass.GetPassWarning as problem:
            raise UsageProblem(
                "The master secret is asked for on a terminal, and there is none: run this by hand."
            ) from problem


def abandon_output() -> None:
    """Nobody takes our output any more: what is left of it must not fail again when Python ends.

    The recipe of Python's own documentation (library/signal, note on SIGPIPE).
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
