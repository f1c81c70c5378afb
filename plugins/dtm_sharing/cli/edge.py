"""Where every command ends: one exit code, and for an error one sentence on stderr.

Exit codes: 0 allowed or done, 1 failure (also of usage: 2 already means denied), 2 denied or a ledger that
does not verify, 3 invalid policy, 4 undecided, 130 interrupted.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

import click

from dtm_sharing.cli.program import program
from dtm_sharing.cli.terminal import abandon_output, plain
from dtm_sharing.errors import SharingError, bug

NAME = "dtm-sharing"
FAILURE = 1
INTERRUPTED = 130  # 128 + SIGINT, as shells count


def main() -> int:
    """The program: reads ``sys.argv``, prints, and returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a header in Arabic must not break a terminal of another script
            stream.reconfigure(errors="backslashreplace")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # a library's warning is no answer, and could quote what it read
    return run(sys.argv[1:])


def run(arguments: Sequence[str]) -> int:
    """Run one command. Whatever happens, the answer is an exit code, and stderr holds no cell value."""
    try:
        code = program.main(list(arguments), prog_name=NAME, standalone_mode=False)
    except SharingError as problem:
        return _say(str(problem), problem.exit_code)
    except click.ClickException as problem:
        return _say(_sentence(problem), FAILURE)
    except click.Abort:
        return INTERRUPTED
    except SystemExit as leaving:  # click's answer to a reader that went away
        return _leave_quietly() if leaving.code else 0
    except BrokenPipeError:
        return _leave_quietly()
    except Exception as error:  # noqa: BLE001 - the edge: the last place before Python prints it with its text
        return _say(bug(error), FAILURE)
    return code if isinstance(code, int) else 0


def _sentence(problem: click.ClickException) -> str:
    """Click's own message on one line: it lists choices one below the other."""
    message = " ".join(problem.format_message().split())
    return message if message.endswith((".", "?")) else f"{message}."


def _say(message: str, code: int) -> int:
    lines = [plain(line) for line in message.splitlines()]
    click.echo("\n".join(lines), err=True)
    return code


def _leave_quietly() -> int:
    """The reader of our output went away (``| head``): a failure, since it did not get the answer."""
    abandon_output()
    return FAILURE
