"""A program on a terminal of its own, as a person has it: what is typed, and what is on the screen."""

from __future__ import annotations

import errno
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LONGEST = 60  # seconds
PROMPT = "Master secret: "

# The new session has no terminal until it takes one; getpass asks for /dev/tty, not for stdin.
_TAKE = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True)
class Screen:
    code: int
    text: str

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.text.splitlines() if line.strip()]


def on_terminal(
    command: Sequence[object],
    typed: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: object = None,
    stdout: int | None = None,
) -> Screen:
    """Run a command on a new terminal. ``typed`` goes in once the master secret is asked for.

    ``stdout``: a file descriptor instead of the terminal.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _TAKE, *map(str, command)],
        stdin=theirs,
        stdout=theirs if stdout is None else stdout,
        stderr=theirs,
        env=None if env is None else dict(env),
        cwd=None if cwd is None else str(cwd),
        start_new_session=True,
    )
    os.close(theirs)
    try:
        text = _screen(ours, typed)
        return Screen(process.wait(timeout=LONGEST), text)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _screen(terminal: int, typed: str | None) -> str:
    seen, until = b"", time.monotonic() + LONGEST
    ready = select.poll()  # select() knows no file beyond the 1,024th that is open
    ready.register(terminal, select.POLLIN)
    while time.monotonic() < until:
        if not ready.poll(200):
            continue
        try:
            got = os.read(terminal, 65536)
        except OSError as error:  # Linux: the last one on the terminal has left
            if error.errno != errno.EIO:
                raise
            got = b""
        if not got:
            return seen.decode()
        seen += got
        if typed is not None and seen.decode(errors="replace").endswith(PROMPT):
            os.write(terminal, f"{typed}\n".encode())
            typed = None
    raise AssertionError(f"the terminal did not close; it shows {seen!r}")
