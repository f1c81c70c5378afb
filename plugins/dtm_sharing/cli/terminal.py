"""What reaches stdout and stderr: safe to look at, and whole or not at all."""

from __future__ import annotations

import os
import sys
import unicodedata

import click

from dtm_sharing.errors import StoreFailed

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


def abandon_output() -> None:
    """Nobody takes our output any more: what is left of it must not fail again when Python ends.

    The recipe of Python's own documentation (library/signal, note on SIGPIPE).
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
